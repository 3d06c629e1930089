"""``kedro rai questionnaire``: from a person's answers to metrics in the parameters, with a record of both."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import unified_diff
from pathlib import Path
from typing import Any

import click

from rai_kedro.commands.parameter_file import ParameterFileError, read_section, read_text, set_values
from rai_kedro.commands.project import require_use_case
from rai_kedro.fairness.metrics import METRICS
from rai_kedro.files import project_folder
from rai_kedro.questionnaire.mapping import ModelAtHand, Recommendation, recommend
from rai_kedro.questionnaire.selection import (
    Outcome,
    check_consistency,
    follow,
    interview,
    load_tree,
    read_answers,
)

EVIDENCE_KIND = "questionnaire"
SECTION = "fairness"
_KEYS = ("metrics", "questionnaire")


@dataclass(frozen=True)
class QuestionnaireResult:
    """What the questionnaire came to for one use case.

    Attributes:
        use_case: Name of the use case.
        outcome: Metrics and the path of answers.
        recommendations: Every method for these metrics, and whether it applies to the configured model.
    """

    use_case: str
    outcome: Outcome
    recommendations: tuple[Recommendation, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {
            "use_case": self.use_case,
            **self.outcome.to_dict(),
            "recommendations": [recommendation.to_dict() for recommendation in self.recommendations],
        }


def run_questionnaire(use_case: str, env: str | None = None, answers: str | None = None, *, yes: bool = False) -> bool:
    """Ask (or read) the answers, show what follows, and write it if the person confirms.

    Args:
        use_case: Name of the use case.
        env: Kedro environment whose parameters describe the model; the result is always written to the base.
        answers: File of answers; None asks in the terminal.
        yes: Write without asking for confirmation.

    Returns:
        Whether the parameters now hold the result.

    Raises:
        UnknownUseCaseError: There is no such use case.
        AnswersError: The file of answers has an unknown or a missing answer.
        ParameterFileError: The parameters cannot be changed safely.
    """
    require_use_case(use_case)
    project = project_folder()
    parameters = _load_configuration(project, env, "parameters").get(use_case) or {}
    model = describe_configured(parameters, project / "conf" / "base" / use_case / "catalog.yml")
    outcome = _obtain(answers, model)
    if outcome is None:
        click.echo("\nLeft before the end; nothing was written.")
        return False
    at_hand = ModelAtHand(model.task or outcome.task, model.takes_sample_weight, model.gives_scores, model.permitted)
    result = QuestionnaireResult(use_case, outcome, tuple(recommend(outcome.metrics, at_hand)))
    click.echo("\n".join(describe_result(result)))
    return _write_if_confirmed(project, result, env, answers, yes=yes)


def describe_configured(parameters: Any, catalog_file: Path) -> ModelAtHand:
    """Find out what is known of the configured model: its task, what its fit takes, what the contract permits.

    Args:
        parameters: Parameters of the use case.
        catalog_file: Its column contract.

    Returns:
        The model at hand; None wherever the parameters say nothing yet.
    """
    from rai_kedro.contract.reading import read_contract
    from rai_kedro.mitigation.methods import describe_model
    from rai_kedro.modelling.estimator import EstimatorConfig, build_estimator

    contract = read_contract(catalog_file, as_of=datetime.now(UTC).date())
    training, estimator = parameters.get("training") or {}, None
    if "estimator" in training:
        config = EstimatorConfig.model_validate(training["estimator"])
        estimator = build_estimator(config, training.get("allowed_modules") or ["sklearn."])
    return describe_model(estimator, contract.datasets["feature_store"], on=contract.as_of)


def describe_result(result: QuestionnaireResult) -> list[str]:
    """Return the result as lines of text: metrics, the way there, notes and methods."""
    outcome = result.outcome
    lines = ["", f"Fairness metrics for {result.use_case}:"]
    lines += [f"  {name}: {METRICS[name].formula}" for name in outcome.metrics]
    lines += ["", "because:"]
    lines += [f"  {step.asked}\n      {step.answer}: {step.means}" for step in outcome.path]
    lines += [f"Note: {note}" for note in outcome.notes]
    for metric in outcome.metrics:
        lines += ["", f"What mitigates {metric}:"]
        lines += [_describe_method(method) for method in result.recommendations if method.metric == metric]
    return lines


def _describe_method(method: Recommendation) -> str:
    constraint = f", constraint {method.constraint}" if method.constraint else ""
    verdict = "applies" if method.applies else "does not apply"
    return (
        f"  {method.method} ({method.stage}{constraint}): {verdict}; {method.why}.\n"
        f"      It {method.does}. {method.source}"
    )


def _obtain(answers: str | None, model: ModelAtHand) -> Outcome | None:
    tree = load_tree()
    known = tree.find_task_answer(model.task) if model.task else {}
    if answers is not None:
        return follow(tree, read_answers(answers), known=known, where=answers)
    return interview(tree, _read_line, lambda text: click.echo(text, nl=not text.endswith("\n")), known=known)


def _read_line(prompt: str) -> str:
    click.echo(prompt, nl=False)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _write_if_confirmed(
    project: Path, result: QuestionnaireResult, env: str | None, answers: str | None, *, yes: bool
) -> bool:
    path = (project / "conf" / "base" / result.use_case / "parameters.yml").resolve()
    shown = f"conf/base/{result.use_case}/parameters.yml"
    old = read_text(path)
    _require_single_home(project, result.use_case, old, shown)
    new = set_values(old, (result.use_case, SECTION), parameter_values(result.outcome), where=shown)
    if new == old:
        click.echo(f"\n{shown} already says so; nothing to write.")
        return True
    click.echo("\n" + "".join(unified_diff(_lines(old), _lines(new), f"{shown} now", f"{shown} then")))
    if not (yes or _confirm(shown, interactive=answers is None)):
        click.echo("Nothing was written.")
        return False
    if read_text(path) != old:
        raise ParameterFileError(
            "The parameters file was changed while you were answering.",
            where=shown,
            remedy="nothing was written; run the questionnaire again, with --answers if you noted them",
        )
    _write(path, new, result, project, env)
    click.echo(f"Written to {shown} and to the evidence record.")
    _tell_of_override(project, result, env)
    return True


def parameter_values(outcome: Outcome) -> dict[str, Any]:
    """Return what goes into the ``fairness`` section of the parameters."""
    return {"metrics": list(outcome.metrics), "questionnaire": [step.model_dump() for step in outcome.path]}


def _write(path: Path, text: str, result: QuestionnaireResult, project: Path, env: str | None) -> None:
    """Write the parameters and the record of it; first it is made sure that the record can be added to."""
    from rai_kedro.files import write_text
    from rai_kedro.release.record import append_evidence, read_evidence

    evidence = _find_evidence(project, result.use_case, env)
    read_evidence(evidence)
    mode = path.stat().st_mode if path.exists() else None
    write_text(path, text)
    if mode is not None:
        path.chmod(mode)
    append_evidence(evidence, EVIDENCE_KIND, result.to_dict(), datetime.now(UTC).isoformat())


def _find_evidence(project: Path, use_case: str, env: str | None) -> Path:
    """Return the use case's evidence record without opening a session, which would want an MLflow server."""
    from kedro.io import DataCatalog

    catalog = DataCatalog.from_config(_load_configuration(project, env, "catalog"))
    description: dict[str, Any] = catalog[f"{use_case}.production_model"]._describe()
    return project / Path(description["filepath"])


def _confirm(shown: str, *, interactive: bool) -> bool:
    if not interactive and not sys.stdin.isatty():
        click.echo("There is nobody to confirm it; add --yes to write without being asked.")
        return False
    try:
        return click.confirm(f"Write this to {shown}?", default=False)
    except click.Abort:
        return False


def _require_single_home(project: Path, use_case: str, text: str, shown: str) -> None:
    """Refuse to give the section a second home: Kedro would stop at every run over a key in two files."""
    merged = (_load_configuration(project, "base", "parameters").get(use_case) or {}).get(SECTION) or {}
    here = read_section(text, (use_case, SECTION))
    if elsewhere := [key for key in _KEYS if key in merged and key not in here]:
        raise ParameterFileError(
            f"'{use_case}.{SECTION}.{elsewhere[0]}' stands in another file of conf/base.",
            where=shown,
            remedy=f"move it to {shown}, so that it stands in one place only",
        )


def _tell_of_override(project: Path, result: QuestionnaireResult, env: str | None) -> None:
    """Say it if the environment's own parameters outdo what was just written."""
    parameters = _load_configuration(project, env, "parameters").get(result.use_case) or {}
    effective = parameters.get(SECTION) or {}
    for finding in check_consistency(effective.get("questionnaire"), effective.get("metrics") or ()):
        click.echo(f"Attention: with this environment's parameters, {finding.message}.")


def _load_configuration(project: Path, env: str | None, kind: str) -> dict[str, Any]:
    from kedro.framework.project import settings

    loader = settings.CONFIG_LOADER_CLASS(
        str(project / settings.CONF_SOURCE),
        env=env or os.environ.get("KEDRO_ENV"),
        **settings.CONFIG_LOADER_ARGS,
    )
    loaded: dict[str, Any] = loader[kind]
    return loaded


def _lines(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    return [line if line.endswith("\n") else f"{line}\n" for line in lines]
