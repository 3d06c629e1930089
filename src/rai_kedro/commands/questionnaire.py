"""``kedro rai questionnaire``: from a person's answers to fairness metrics, with a record of both.

The record is a file of its own beside the parameters, written by this command alone. The metrics follow from it where
the parameters leave ``fairness.metrics`` out; what people wrote there is never changed, only named where it disagrees.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import yaml

from rai_kedro import mitigation, modelling, questionnaire, release
from rai_kedro.commands.project import (
    about_use_case,
    enter_act_in,
    find_evidence,
    load_configuration,
    require_use_case,
)
from rai_kedro.commands.terminal import show
from rai_kedro.fairness import METRICS
from rai_kedro.files import project_folder, write_text
from rai_kedro.typed import Typed

EVIDENCE_KIND = "questionnaire"
RECORD = "parameters_questionnaire.yml"


class QuestionnaireResult(Typed):
    """What the questionnaire came to for one use case."""

    use_case: str
    outcome: questionnaire.Outcome
    recommendations: tuple[
        questionnaire.Recommendation, ...
    ]  # every method for these metrics, whether or not it applies


@click.command()
@about_use_case
@click.option("--answers", type=click.Path(), default=None, help="File of answers instead of questions.")
@click.option("--yes", is_flag=True, help="Write without asking for confirmation.")
def command(**options: Any) -> None:
    """Choose fairness metrics by answering questions."""
    run_questionnaire(**options)


def run_questionnaire(use_case: str, env: str | None = None, answers: str | None = None, *, yes: bool = False) -> bool:
    """Ask, or read a file of answers, show what follows, and write it if the person confirms or ``yes`` does.

    The parameters of ``env`` describe the model; the record is always written to the base. Returns whether it is there.
    """
    require_use_case(use_case)
    project = project_folder()
    parameters = load_configuration(project, env, "parameters").get(use_case) or {}
    model = describe_configured(parameters, project / "conf" / "base" / use_case / "catalog.yml")
    outcome = _obtain(answers, model)
    if outcome is None:
        click.echo("\nLeft before the end; nothing was written.")
        return False
    at_hand = questionnaire.ModelAtHand(
        model.task or outcome.task, model.takes_sample_weight, model.gives_scores, model.permitted
    )
    recommended = tuple(questionnaire.recommend(outcome.metrics, at_hand))
    result = QuestionnaireResult(use_case=use_case, outcome=outcome, recommendations=recommended)
    show("\n".join(describe_result(result)))
    replaced = replace_drafted(project / "conf" / "base" / use_case / "parameters.yml", result)
    if replaced is None:
        for line in _find_disagreements(parameters.get("fairness") or {}, result):
            show(f"Attention: {line}.")
    else:
        click.echo(
            "\nThe drafted 'metrics' leave parameters.yml, and each drafted tolerance goes to a metric of these."
        )
    if not _write_if_confirmed(project, result, env, answers, yes=yes):
        return False
    if replaced is not None:
        write_text(project / "conf" / "base" / use_case / "parameters.yml", replaced)
    return True


def replace_drafted(path: Path, result: QuestionnaireResult) -> str | None:
    """Return the parameters with the metrics of the draft gone and its tolerances set for those of the answers.

    None where a person has written either of them: that is never changed.
    """
    from rai_kedro.commands.draft_files import DRAFTED_METRICS

    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8")
    fairness = (yaml.safe_load(text) or {}).get(result.use_case, {}).get("fairness") or {}
    metrics, tolerances = fairness.get("metrics"), fairness.get("tolerances") or []
    drafted = next((one for one in DRAFTED_METRICS.values() if metrics == list(one)), None)
    lines = re.search(r"^ *metrics: \[[^\]]*\].*\n", text, flags=re.MULTILINE)
    listed = re.search(r"^( *)tolerances:\n((?:\1  - \{[^}\n]*\}\n)*)", text, flags=re.MULTILINE)
    if drafted is None or lines is None or listed is None or not tolerances:
        return None
    limits = {(one.get("kind"), one.get("limit")) for one in tolerances}
    is_drafted = all({*one} == {"metric", "kind", "limit"} and one["metric"] in drafted for one in tolerances)
    if not is_drafted or len(limits) > 1 or len(tolerances) != len(drafted) - 1:
        return None
    kind, limit = limits.pop()
    names = [name for name in result.outcome.metrics if kind in METRICS[name].kinds]
    rows = "".join(f"{listed[1]}  - {{metric: {name}, kind: {kind}, limit: {limit}}}\n" for name in names)
    whole = f"{listed[1]}tolerances:\n{rows}" if names else f"{listed[1]}tolerances: []\n"
    text = text[: listed.start()] + whole + text[listed.end() :]
    return text.replace(lines[0], "", 1)


def describe_configured(parameters: Any, catalog_file: Path) -> questionnaire.ModelAtHand:
    """Return what a use case's parameters and contract tell of its model; None wherever they say nothing yet."""
    from rai_kedro.contract import read_contract

    contract = read_contract(catalog_file, as_of=datetime.now(UTC).date())
    training, estimator = parameters.get("training") or {}, None
    if "estimator" in training:
        config = modelling.EstimatorConfig.model_validate(training["estimator"])
        estimator = modelling.build_estimator(config, training.get("allowed_modules") or ["sklearn."])
    return mitigation.describe_model(estimator, contract.datasets["feature_store"], on=contract.as_of)


def describe_result(result: QuestionnaireResult) -> list[str]:
    """Return metrics, the way there, notes and methods as lines of text."""
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


def _describe_method(method: questionnaire.Recommendation) -> str:
    constraint = f", constraint {method.constraint}" if method.constraint else ""
    verdict = "applies" if method.applies else "does not apply"
    first = f"  {method.method} ({method.stage}{constraint}): {verdict}; {method.why}."
    return f"{first}\n      It {method.does}. {method.source}"


def _obtain(answers: str | None, model: questionnaire.ModelAtHand) -> questionnaire.Outcome | None:
    tree = questionnaire.load_tree()
    known = tree.find_task_answer(model.task) if model.task else {}
    if answers is not None:
        return questionnaire.follow(tree, questionnaire.read_answers(answers), known=known, where=answers)
    return questionnaire.interview(
        tree, _read_line, lambda text: click.echo(text, nl=not text.endswith("\n")), known=known
    )


def _read_line(prompt: str) -> str:
    click.echo(prompt, nl=False)
    line = sys.stdin.readline()
    if not line:
        raise EOFError
    return line


def _find_disagreements(fairness: Any, result: QuestionnaireResult) -> Iterator[str]:
    """Say what people wrote in the parameters that these answers leave without ground."""
    metrics, file = result.outcome.metrics, f"conf/base/{result.use_case}/parameters.yml"
    if written := fairness.get("metrics"):
        for finding in questionnaire.check_consistency(result.outcome.path, written):
            yield f"{finding.message}; take 'fairness.metrics' out of {file}, and the answers decide"
        return
    for tolerance in fairness.get("tolerances") or ():
        if tolerance.get("metric") not in metrics:
            yield (
                f"a tolerance is set for '{tolerance.get('metric')}', which will not be measured, and no training "
                f"starts before it is gone; in {file}, 'fairness.tolerances' may name {', '.join(metrics)}"
            )


def _write_if_confirmed(
    project: Path, result: QuestionnaireResult, env: str | None, answers: str | None, *, yes: bool
) -> bool:
    path = project / "conf" / "base" / result.use_case / RECORD
    shown = path.relative_to(project).as_posix()
    text = render_record(result)
    if path.exists() and yaml.safe_load(path.read_text(encoding="utf-8")) == yaml.safe_load(text):
        click.echo(f"\n{shown} already says so; nothing to write.")
        return True
    if not (yes or _confirm(shown, interactive=answers is None)):
        click.echo("Nothing was written.")
        return False

    evidence = find_evidence(project, result.use_case, env)
    # First it is made sure that the evidence can be added to.
    release.read_evidence(evidence)
    write_text(path, text)
    what = {name: value for name, value in result.to_dict().items() if name != "use_case"}
    enter_act_in(evidence, result.use_case, EVIDENCE_KIND, **what)
    click.echo(f"Written to {shown} and to the evidence record.")
    return True


def render_record(result: QuestionnaireResult) -> str:
    """Return the record as text: parameters like any other, which Kedro reads with those that people write."""
    answers = {"questionnaire": [step.to_dict() for step in result.outcome.path]}
    return (
        f"# Answers of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC; they lead to {', '.join(result.outcome.metrics)}.\n"
        f"# Written by 'kedro rai questionnaire --use-case {result.use_case}': answer again instead of editing.\n"
        + yaml.safe_dump({result.use_case: {"fairness": answers}}, sort_keys=False, allow_unicode=True, width=110)
    )


def _confirm(shown: str, *, interactive: bool) -> bool:
    if not interactive and not sys.stdin.isatty():
        click.echo("There is nobody to confirm it; add --yes to write without being asked.")
        return False
    try:
        return click.confirm(f"Write these answers to {shown}?", default=False)
    except click.Abort:
        return False
