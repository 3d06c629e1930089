"""The questionnaire as a command: in a copy of the project, through click's runner and through a real terminal."""

from __future__ import annotations

import os
import pty
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
import yaml
from click.testing import CliRunner, Result
from kedro.config import OmegaConfigLoader
from kedro.framework.project import configure_project

from rai_kedro.commands.errors import explain
from rai_kedro.commands.questionnaire import run_questionnaire
from rai_kedro.questionnaire.selection import check_consistency
from rai_kedro.release.record import read_evidence
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

  # What is measured; the questionnaire writes here.
  fairness:
    level: 0.95        # of every interval
    metrics: [statistical_parity]   # until somebody answers

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
    assert fairness["metrics"] == METRICS
    assert fairness["level"] == 0.95
    assert check_consistency(fairness["questionnaire"], fairness["metrics"]) == []
    assert [step["answered_by"] for step in fairness["questionnaire"]].count("parameters") == 1


def test_everything_else_in_the_file_stays_as_it_was(project: Path) -> None:
    run("hospital", None, "answers.yml", yes=True)
    after = parameters_file(project).read_text()

    start, rest = HOSPITAL.split("[statistical_parity]")
    assert after.startswith(start + f"[{', '.join(METRICS)}]   # until somebody answers\n    questionnaire: [")
    assert after.endswith("]\n" + rest.removeprefix("   # until somebody answers\n"))


def test_the_evidence_says_who_was_asked_what_and_what_followed(project: Path) -> None:
    run("hospital", None, "answers.yml", yes=True)
    (entry,) = evidence(project)

    assert entry.kind == "questionnaire"
    assert entry.body["metrics"] == METRICS
    assert [step["answer"] for step in entry.body["path"]] == ["no", "two_outcomes", *TYPED[1:]]
    assert all(step["asked"].endswith("?") for step in entry.body["path"])
    methods = {(one["metric"], one["method"]): one for one in entry.body["recommendations"]}
    assert methods["equalized_odds", "exponentiated_gradient"]["applies"]
    assert not methods["equalized_odds", "threshold_optimisation"]["applies"]


def test_the_result_names_metrics_path_and_methods(project: Path) -> None:
    output = run("hospital", None, "answers.yml", yes=True).output

    assert "equalized_odds: P(Ŷ=1 | Y=1, A=a)" in output
    assert "Which error should be equally rare in all groups?\n      both: both" in output
    assert "exponentiated_gradient (in, constraint equalized_odds): applies" in output
    assert "threshold_optimisation (post, constraint equalized_odds): does not apply" in output
    assert "-    metrics: [statistical_parity]   # until somebody answers" in output


def test_without_confirmation_nothing_is_written(project: Path) -> None:
    result = run("hospital", None, "answers.yml")

    assert result.exit_code == 0
    assert "add --yes" in result.output and "Nothing was written" in result.output
    assert parameters_file(project).read_text() == HOSPITAL
    assert evidence(project) == []


def test_a_conversation_ends_in_a_confirmation(project: Path) -> None:
    result = run("hospital", typed="\n".join([*TYPED, "y", ""]))

    assert result.exit_code == 0, result.output
    assert load(project)["fairness"]["metrics"] == METRICS
    assert len(evidence(project)) == 1


@pytest.mark.parametrize("end", [["n", ""], ["", ""], []], ids=["no", "enter", "end of input"])
def test_a_conversation_that_is_not_confirmed_writes_nothing(project: Path, end: list[str]) -> None:
    result = run("hospital", typed="\n".join([*TYPED, *end]))

    assert "Nothing was written" in result.output
    assert parameters_file(project).read_text() == HOSPITAL
    assert evidence(project) == []


def test_leaving_early_writes_nothing_even_with_yes(project: Path) -> None:
    result = run("hospital", yes=True, typed="no\nquit\n")

    assert result.exit_code == 0
    assert "Left before the end; nothing was written." in result.output
    assert parameters_file(project).read_text() == HOSPITAL


def test_the_same_answers_again_change_nothing(project: Path) -> None:
    run("hospital", None, "answers.yml", yes=True)
    once = parameters_file(project).read_text()
    result = run("hospital", None, "answers.yml", yes=True)

    assert "already says so" in result.output
    assert parameters_file(project).read_text() == once
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
    assert parameters_file(project).read_text() == HOSPITAL
    assert evidence(project) == []


def test_housing_is_asked_about_amounts(project: Path) -> None:
    file = project / "conf" / "base" / "housing" / "parameters.yml"
    comments = [line for line in file.read_text().splitlines() if line.strip().startswith("#")]
    result = run("housing", typed="\n".join(["no", "yes", "errors", "size", "both", "y", ""]))

    assert "Known from the parameters" in result.output
    assert "bounded_group_loss (in, constraint absolute_loss): applies" in result.output
    written = yaml.safe_load(file.read_text())["housing"]["fairness"]
    assert written["metrics"] == ["mean_absolute_error", "root_mean_squared_error"]
    assert [line for line in file.read_text().splitlines() if line.strip().startswith("#")] == comments


def test_an_unknown_use_case_is_named(project: Path) -> None:
    result = run("hopsital", None, "answers.yml", yes=True)

    assert result.exit_code == 1
    assert "There is no use case 'hopsital'" in result.output


def test_a_section_in_another_file_is_not_given_a_second_home(project: Path) -> None:
    """Kedro stops at every run over a key in two files of one environment."""
    text = HOSPITAL.replace("    metrics: [statistical_parity]   # until somebody answers\n", "")
    parameters_file(project).write_text(text)
    other = parameters_file(project).with_name("parameters_fairness.yml")
    other.write_text("hospital:\n  fairness:\n    metrics: [calibration]\n")
    result = run("hospital", None, "answers.yml", yes=True)

    assert "'hospital.fairness.metrics' stands in another file" in result.output
    assert parameters_file(project).read_text() == text
    assert load(project)["fairness"]["metrics"] == ["calibration"]


def test_an_environment_that_says_otherwise_is_reported(project: Path) -> None:
    (project / "conf" / "test" / "hospital").mkdir()
    override = project / "conf" / "test" / "hospital" / "parameters.yml"
    override.write_text("hospital:\n  fairness:\n    metrics: [calibration]\n")
    result = run("hospital", "test", "answers.yml", yes=True)

    assert "Attention: with this environment's parameters, 'calibration' is measured, though" in result.output
    assert load(project)["fairness"]["metrics"] == METRICS


def test_a_broken_evidence_record_stops_before_anything_is_written(project: Path) -> None:
    record = project / "data" / "08_reporting" / "evidence" / "hospital.jsonl"
    record.parent.mkdir(parents=True)
    record.write_text('{"kind": "approve"}\n')
    result = run("hospital", None, "answers.yml", yes=True)

    assert result.exit_code == 1
    assert parameters_file(project).read_text() == HOSPITAL


def test_mode_and_link_of_the_file_stay(project: Path) -> None:
    file = parameters_file(project)
    real = project / "elsewhere.yml"
    shutil.move(file, real)
    file.symlink_to(real)
    real.chmod(0o640)
    run("hospital", None, "answers.yml", yes=True)

    assert file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert load(project)["fairness"]["metrics"] == METRICS


def contradictions(project: Path) -> list[str]:
    fairness = load(project)["fairness"]
    findings = check_consistency(fairness["questionnaire"], fairness["metrics"])
    return [finding.message for finding in findings if finding.contradicts]


def test_a_metric_edited_by_hand_is_reported(project: Path) -> None:
    run("hospital", None, "answers.yml", yes=True)
    assert contradictions(project) == []
    file = parameters_file(project)
    file.write_text(file.read_text().replace(f"[{', '.join(METRICS)}]", "[calibration]"))

    found = contradictions(project)
    assert len(found) == 4
    assert "'calibration' is measured, though the answers (recall_errors: both) lead to equalized_odds" in found[-1]


def test_a_permitted_sensitive_column_is_read_from_the_contract(project: Path) -> None:
    from rai_kedro.commands.questionnaire import describe_configured

    catalog = project / "conf" / "base" / "hospital" / "catalog.yml"
    assert describe_configured(load(project), catalog).permitted == ()
    text = catalog.read_text()
    start = text.index("        LSTAT:")
    end = text.index("use: audit", start)
    mitigation = "use: mitigation\n          justification: {by: board, reason: repair, until: 2999-12-31}"
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

    def wait_for(self, text: str, seconds: float = 60) -> None:
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
        return self._process.wait(timeout=30)


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
    assert "Written to conf/base/hospital/parameters.yml and to the evidence record." in terminal.shown
    assert load(project)["fairness"]["metrics"] == METRICS
    assert evidence(project)[0].body["metrics"] == METRICS


def test_ctrl_d_at_a_real_terminal_writes_nothing(project: Path) -> None:
    terminal = Terminal(project)
    terminal.wait_for("\r\n> ")
    terminal.type("no")
    terminal.wait_for("> ")
    os.write(terminal._master, b"\x04")

    assert terminal.close() == 0
    assert "nothing was written" in terminal.shown
    assert parameters_file(project).read_text() == HOSPITAL
