"""The questionnaire as a command: in a copy of the project, through click's runner and through a real terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from kedro.config import OmegaConfigLoader
from kedro.framework.project import configure_project

from rai_kedro.commands.errors import explain
from rai_kedro.commands.questionnaire import run_questionnaire
from rai_kedro.pipelines.parameters import FairnessParameters
from rai_kedro.questionnaire import check_consistency
from rai_kedro.release import read_evidence
from rai_kedro.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).resolve().parents[2]
HOSPITAL = """\
# Parameters of the emergency department.
hospital:

  training:
    month: 2024-01     # first month
    target: admitted
    estimator:
      class: sklearn.linear_model.LogisticRegression
      params: {max_iter: 500}
    allowed_modules: [sklearn.]

  # What is measured is what the answers lead to.
  fairness:
    level: 0.95        # of every interval
    tolerances: []

  statements:
    model_name: Admission   # for the card
"""
EQUALIZED_ODDS = """\
# Answers of the fairness board.
individual_or_group: no
standard: no
reliable_label: yes
error_kind: recall
recall_threshold: fixed
recall_errors: both
"""
METRICS = ["equalized_odds", "equal_opportunity", "predictive_equality"]
TYPED = ["no", "no", "yes", "recall", "fixed", "both"]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the project with a hospital in it, which is the working directory."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "conf", tmp_path / "conf", ignore=shutil.ignore_patterns("hospital"))
    (tmp_path / "conf" / "local").mkdir(exist_ok=True)
    hospital = tmp_path / "conf" / "base" / "hospital"
    hospital.mkdir()
    (hospital / "parameters.yml").write_text(HOSPITAL)
    contract = (tmp_path / "conf" / "base" / "housing" / "catalog.yml").read_text()
    (hospital / "catalog.yml").write_text(contract.replace("housing", "hospital"))
    (tmp_path / "answers.yml").write_text(EQUALIZED_ODDS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    configure_project("rai_kedro")
    yield tmp_path


def parameters_file(project: Path) -> Path:
    return project / "conf" / "base" / "hospital" / "parameters.yml"


def record_file(project: Path) -> Path:
    return parameters_file(project).with_name("parameters_questionnaire.yml")


def measured(project: Path) -> list[str]:
    """Return the metrics that a training would measure."""
    fairness = load(project)["fairness"]
    return list(FairnessParameters.model_validate({"tolerances": [], **fairness}).metrics)


def load(project: Path, env: str | None = None) -> dict[str, Any]:
    """Return the hospital's parameters as Kedro merges them."""
    loader = OmegaConfigLoader(conf_source=str(project / "conf"), env=env, **CONFIG_LOADER_ARGS)
    section: dict[str, Any] = loader["parameters"]["hospital"]
    return section


def evidence(project: Path) -> list[Any]:
    return read_evidence(project / "data" / "08_reporting" / "evidence" / "hospital.jsonl")


def run(*arguments: Any, typed: str = "", **options: Any) -> Result:
    """Run it inside click, with what a person types."""

    @click.command()
    def questionnaire() -> None:
        try:
            run_questionnaire(*arguments, **options)
        except Exception as error:
            click.echo(explain(error), err=True)
            raise

    return CliRunner().invoke(questionnaire, input=typed)


def test_answers_from_a_file_are_written_when_told_so(project: Path) -> None:
    result = run("hospital", None, "answers.yml", yes=True)

    assert result.exit_code == 0, result.output
    fairness = load(project)["fairness"]
    assert measured(project) == METRICS
    assert fairness["level"] == 0.95
    assert check_consistency(fairness["questionnaire"], METRICS) == []
    assert [step["answered_by"] for step in fairness["questionnaire"]].count("parameters") == 1


def test_what_people_wrote_stays_as_it_was(project: Path) -> None:
    run("hospital", None, "answers.yml", yes=True)

    assert parameters_file(project).read_text() == HOSPITAL
    head = record_file(project).read_text().splitlines()[:2]
    assert re.fullmatch(r"# Answers of \S+ \S+ UTC; they lead to equalized_odds, .*\.", head[0])
    assert "answer again instead of editing" in head[1]


DRAFTED = """    level: 0.95        # of every interval
    metrics: [statistical_parity, equal_opportunity, predictive_equality]
    # A first guess, to be decided.
    tolerances:
      - {metric: statistical_parity, kind: difference, limit: 0.1}
      - {metric: equal_opportunity, kind: difference, limit: 0.1}
"""


def test_what_was_drafted_is_replaced(project: Path) -> None:
    parameters_file(project).write_text(
        HOSPITAL.replace(HOSPITAL[HOSPITAL.index("    level:") : HOSPITAL.index("\n  statements")], DRAFTED)
    )

    output = run("hospital", None, "answers.yml", yes=True).output

    assert "The drafted 'metrics' leave parameters.yml" in output and "Attention" not in output
    assert measured(project) == METRICS
    assert [one["metric"] for one in load(project)["fairness"]["tolerances"]] == METRICS
    assert "# A first guess, to be decided.\n" in parameters_file(project).read_text()


def test_a_draft_that_a_person_changed_stays(project: Path) -> None:
    mine = DRAFTED.replace("limit: 0.1}\n      - {metric: equal_", "limit: 0.2}\n      - {metric: equal_")
    parameters_file(project).write_text(
        HOSPITAL.replace(HOSPITAL[HOSPITAL.index("    level:") : HOSPITAL.index("\n  statements")], mine)
    )
    before = parameters_file(project).read_text()

    assert "Attention" in run("hospital", None, "answers.yml", yes=True).output
    assert parameters_file(project).read_text() == before


def test_the_evidence_says_who_was_asked_what_and_what_followed(project: Path) -> None:
    run("hospital", None, "answers.yml", yes=True)
    (entry,) = evidence(project)

    assert entry.kind == "questionnaire"
    assert entry.body["outcome"]["metrics"] == METRICS
    assert [step["answer"] for step in entry.body["outcome"]["path"]] == ["no", "two_outcomes", *TYPED[1:]]
    assert all(step["asked"].endswith("?") for step in entry.body["outcome"]["path"])
    methods = {(one["metric"], one["method"]): one for one in entry.body["recommendations"]}
    assert methods["equalized_odds", "exponentiated_gradient"]["applies"]
    assert not methods["equalized_odds", "threshold_optimisation"]["applies"]


def test_the_result_names_metrics_path_and_methods(project: Path) -> None:
    output = run("hospital", None, "answers.yml", yes=True).output

    assert "equalized_odds: P(Ŷ=1 | Y=1, A=a)" in output
    assert "Which error should be equally rare in all groups?\n      both: both" in output
    assert "exponentiated_gradient (in, constraint equalized_odds): applies" in output
    assert "threshold_optimisation (post, constraint equalized_odds): does not apply" in output


def test_without_confirmation_nothing_is_written(project: Path) -> None:
    result = run("hospital", None, "answers.yml")

    assert result.exit_code == 0
    assert "add --yes" in result.output and "Nothing was written" in result.output
    assert not record_file(project).exists()
    assert evidence(project) == []


def test_a_conversation_ends_in_a_confirmation(project: Path) -> None:
    result = run("hospital", typed="\n".join([*TYPED, "y", ""]))

    assert result.exit_code == 0, result.output
    assert measured(project) == METRICS
    assert len(evidence(project)) == 1


@pytest.mark.parametrize("end", [["n", ""], ["", ""], []], ids=["no", "enter", "end of input"])
def test_a_conversation_that_is_not_confirmed_writes_nothing(project: Path, end: list[str]) -> None:
    result = run("hospital", typed="\n".join([*TYPED, *end]))

    assert "Nothing was written" in result.output
    assert not record_file(project).exists()
    assert evidence(project) == []


def test_leaving_early_writes_nothing_even_with_yes(project: Path) -> None:
    result = run("hospital", yes=True, typed="no\nquit\n")

    assert result.exit_code == 0
    assert "Left before the end; nothing was written." in result.output
    assert not record_file(project).exists()


def test_the_same_answers_again_change_nothing(project: Path) -> None:
    run("hospital", None, "answers.yml", yes=True)
    once = record_file(project).read_text()
    result = run("hospital", None, "answers.yml", yes=True)

    assert "already says so" in result.output
    assert record_file(project).read_text() == once
    assert len(evidence(project)) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("recall_errors: both", "recall_errors: FN"), "'FN' is no answer to 'recall_errors'"),
        (("recall_errors: both\n", ""), "The answer to 'recall_errors' is missing"),
        (("recall_errors:", "recall_error:"), "There is no question 'recall_error'"),
        (("standard: no", "standard: yes"), "do not lead to the question 'reliable_label'"),
        (("standard: no", "standard: no\ntask: amount"), "'task: amount' contradicts the parameters"),
    ],
)
def test_wrong_answers_stop_on_one_screen(project: Path, change: tuple[str, str], message: str) -> None:
    (project / "answers.yml").write_text(EQUALIZED_ODDS.replace(*change))
    result = run("hospital", None, "answers.yml", yes=True)

    assert result.exit_code == 1
    assert message in result.output and "answers.yml" in result.output and "do next:" in result.output
    assert not record_file(project).exists()
    assert evidence(project) == []


def test_housing_is_asked_about_amounts(project: Path) -> None:
    file = project / "conf" / "base" / "housing" / "parameters.yml"
    before = file.read_text()
    result = run("housing", typed="\n".join(["no", "yes", "errors", "size", "both", "y", ""]))

    assert "Known from the parameters" in result.output
    assert "bounded_group_loss (in, constraint absolute_loss): applies" in result.output
    assert "'mean_signed_error' is measured, though" in result.output
    assert "take 'fairness.metrics' out of conf/base/housing/parameters.yml" in result.output
    assert file.read_text() == before


def test_a_tolerance_for_a_metric_that_is_gone_is_named_at_once(project: Path) -> None:
    tolerance = "tolerances: [{metric: calibration, kind: difference, limit: 0.1}]"
    parameters_file(project).write_text(HOSPITAL.replace("tolerances: []", tolerance))
    result = run("hospital", None, "answers.yml", yes=True)

    assert "Attention: a tolerance is set for 'calibration', which will not be measured" in result.output
    assert "may name equalized_odds, equal_opportunity, predictive_equality" in result.output


def test_an_unknown_use_case_is_named(project: Path) -> None:
    result = run("hopsital", None, "answers.yml", yes=True)

    assert result.exit_code == 1
    assert "There is no use case 'hopsital'" in result.output


def test_a_broken_evidence_record_stops_before_anything_is_written(project: Path) -> None:
    record = project / "data" / "08_reporting" / "evidence" / "hospital.jsonl"
    record.parent.mkdir(parents=True)
    record.write_text('{"kind": "approve"}\n')
    result = run("hospital", None, "answers.yml", yes=True)

    assert result.exit_code == 1
    assert not record_file(project).exists()


def test_a_metric_named_by_hand_outranks_the_answers_and_is_reported(project: Path) -> None:
    run("hospital", None, "answers.yml", yes=True)
    text = HOSPITAL.replace("level: 0.95", "metrics: [calibration]\n    level: 0.95")
    parameters_file(project).write_text(text)

    assert measured(project) == ["calibration"]
    findings = check_consistency(load(project)["fairness"]["questionnaire"], measured(project))
    found = [finding.message for finding in findings if finding.contradicts]
    assert len(found) == 4
    assert "'calibration' is measured, though the answers (recall_errors: both) lead to equalized_odds" in found[-1]


def test_a_permitted_sensitive_column_is_read_from_the_contract(project: Path) -> None:
    from rai_kedro.commands.questionnaire import describe_configured

    catalog = project / "conf" / "base" / "hospital" / "catalog.yml"
    assert describe_configured(load(project), catalog).permitted == ()
    text = catalog.read_text()
    start = text.index("        LSTAT:")
    end = text.index("use: audit", start)
    mitigation = "use: mitigation, justification: {by: board, reason: repair, until: 2999-12-31}"
    catalog.write_text(text[:end] + mitigation + text[end + len("use: audit") :])
    assert describe_configured(load(project), catalog).permitted == ("LSTAT",)


class Terminal:
    """A person at a pseudo-terminal: waits for a text, then types."""

    def __init__(self, folder: Path) -> None:
        program = (
            "from kedro.framework.project import configure_project; configure_project('rai_kedro');"
            "from rai_kedro.commands.questionnaire import run_questionnaire; run_questionnaire('hospital')"
        )
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", program], cwd=folder, stdin=slave, stdout=slave, stderr=slave, close_fds=True
        )
        os.close(slave)
        self.shown = ""

    def wait_for(self, text: str, seconds: float = 180) -> None:
        """Read until a text has appeared since the last one waited for."""
        new, end = "", time.monotonic() + seconds
        while text not in new:
            assert time.monotonic() < end, f"{text!r} did not appear in {new!r}"
            if select.select([self._master], [], [], 0.2)[0]:
                new += os.read(self._master, 65536).decode(errors="replace")
        self.shown += new

    def type(self, line: str) -> None:
        os.write(self._master, f"{line}\n".encode())

    def close(self) -> int:
        """Read what is left and return the exit code."""
        while True:
            try:
                if not (more := os.read(self._master, 65536)):
                    break
            except OSError:
                # The other side of a pseudo-terminal has gone.
                break
            self.shown += more.decode(errors="replace")
        os.close(self._master)
        return self._process.wait(timeout=120)


def test_a_person_at_a_real_terminal(project: Path) -> None:
    terminal = Terminal(project)
    terminal.wait_for("\r\n> ")
    for line in ["perhaps", "why", "no", "no", "yes", "precision", "back", "1", "fixed", "3"]:
        terminal.type(line)
        terminal.wait_for("> " if line != "3" else "[y/N]: ")
    terminal.type("y")

    assert terminal.close() == 0
    assert "'perhaps' is not among the answers. Type yes, no" in terminal.shown
    assert "These are two kinds of fairness." in terminal.shown
    assert "Written to conf/base/hospital/parameters_questionnaire.yml and to the evidence record." in terminal.shown
    assert measured(project) == METRICS
    assert evidence(project)[0].body["outcome"]["metrics"] == METRICS


def test_ctrl_d_at_a_real_terminal_writes_nothing(project: Path) -> None:
    terminal = Terminal(project)
    terminal.wait_for("\r\n> ")
    terminal.type("no")
    terminal.wait_for("> ")
    os.write(terminal._master, b"\x04")

    assert terminal.close() == 0
    assert "nothing was written" in terminal.shown
    assert not record_file(project).exists()
