"""What the gates say, for people and programs: those of the newest training, and that of the newest month."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from rai_kedro import monitoring, release
from rai_kedro.commands.errors import explain
from rai_kedro.commands.project import choose_use_case, env_option, open_catalog, path_of, use_case_option
from rai_kedro.commands.terminal import show
from rai_kedro.errors import RaiError
from rai_kedro.fairness import EXIT_CODES, GateDecision, GateOutcome
from rai_kedro.months import month_of_key
from rai_kedro.words import in_words, make_visible

if TYPE_CHECKING:
    from kedro.io import DataCatalog

    from rai_kedro.policy import GateReport

# What a stage answers: the lines for a person, what a program reads, and the exit code.
_Answer = tuple[list[str], dict[str, Any], int]


@click.command()
@use_case_option
@env_option
@click.option(
    "--stage",
    type=click.Choice(["training", "monitoring"]),
    default="training",
    show_default=True,
    help="The gates of the newest training, or the newest month of the version in production.",
)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def gate(use_case: str | None, env: str | None, stage: str, as_json: bool) -> None:
    """Ask the gates of a training or a month: the exit code says what they came to.

    0 pass, ok or watch; 1 fail or alarm; 2 insufficient evidence; 3 could not be evaluated.
    """
    try:
        use_case = use_case or choose_use_case(env)
        with open_catalog(use_case, env) as catalog:
            lines, plain, code = _STAGES[stage](catalog, use_case)
    except Exception as error:  # a gate that raises would be taken for one that failed on the figures
        lines, code = [], EXIT_CODES["could_not_be_evaluated"]
        why = explain(error) or str(error)
        plain = {"use_case": use_case, "outcome": "could_not_be_evaluated", "problems": [why], "exit_code": code}
        show(f"could not be evaluated\n\n{why}", err=True)
    if as_json:
        click.echo(json.dumps(plain, indent=2))
    elif lines:
        show("\n".join(make_visible(line) for line in lines))
    sys.exit(code)


def _ask_training(catalog: DataCatalog, use_case: str) -> _Answer:
    decision = release.judge_stored(
        catalog.load(f"{use_case}.fairness_gate"), catalog.load(f"{use_case}.fairness_assessment")
    )
    report = _judge_policy(catalog, use_case, decision)
    subject = _name_version(catalog, use_case)
    verdicts = [
        line
        for verdict in decision.verdicts
        for line in (
            f"  {in_words(verdict.outcome):<22} {release.describe_verdict(verdict)}",
            *([f"{'':<25}each group against the others: {verdict.groups}"] if verdict.groups else []),
        )
    ]
    problems = [f"  problem: {problem}" for problem in decision.problems]
    gates = [f"  {line}" for line in release.describe_gates(report)]
    outcome = _find_worst(decision, report)
    lines = [subject, in_words(outcome), "gates of the policy:", *gates, "verdicts on fairness:", *verdicts, *problems]
    lines += [f"  {decision.budget}"] if decision.budget else []
    code = EXIT_CODES[outcome]
    plain = {"use_case": use_case, "subject": subject, **decision.to_dict(), "outcome": outcome, "exit_code": code}
    return lines, {**plain, "fairness": decision.outcome, "gates": [one.to_dict() for one in report.gates]}, code


def _judge_policy(catalog: DataCatalog, use_case: str, fairness: GateDecision) -> GateReport:
    """Judge the facts of the newest training anew, by the policy of today."""
    from rai_kedro.policy import GateReport, Policy

    policy = Policy.from_dict(catalog.load(f"params:{use_case}.policy"))
    stored = GateReport.from_dict(catalog.load(f"{use_case}.release_gates"))
    report = release.judge_again(policy, stored, fairness)
    if stored.policy == policy.digest and not stored.holds(policy):
        raise RaiError(
            "The stored outcomes of the gates do not follow from the stored facts.",
            where=str(path_of(catalog, f"{use_case}.release_gates")),
            remedy=f"find out who changed the file; or train again: kedro run --pipelines {use_case}",
        )
    return report


def _find_worst(fairness: GateDecision, report: GateReport) -> GateOutcome:
    """Return the worst outcome of any gate that counts for the approval."""
    if fairness.outcome == "could_not_be_evaluated":
        return fairness.outcome
    outcomes = {one.outcome for one in report.gates if one.consequence != "none"}
    if "fail" in outcomes:
        return "fail"
    return "insufficient_evidence" if outcomes else "pass"


def _ask_monitoring(catalog: DataCatalog, use_case: str) -> _Answer:
    from mlflow import MlflowClient

    name = f"{use_case}.monitoring_timeline"
    if not catalog.exists(name):
        raise RaiError(
            f"No month of {use_case} was monitored yet.",
            where=str(path_of(catalog, name)),
            remedy=f"run `kedro run --pipelines {use_case}.monitoring` first",
        )
    timeline = monitoring.Timeline.from_dict(catalog.load(name))
    waiting = map(month_of_key, catalog.load(f"{use_case}.feature_store"))
    policy = monitoring.MonitoringPolicy.from_dict(catalog.load(f"params:{use_case}.monitoring.policy"))
    stores = (catalog.load(f"{use_case}.{store}_history") for store in ("prediction", "drift", "outcome"))
    contradictions = monitoring.find_contradictions(timeline, monitoring.StoredMonths(policy, *stores))
    found = monitoring.ask_gate(
        timeline, release.find_aliases(MlflowClient(), use_case).get(release.PRODUCTION), waiting, contradictions
    )
    subject = f"{use_case}, {found.month}, version {found.model_version}" if found.month else use_case
    lines = [subject, in_words(found.outcome)]
    for one in found.findings:
        lines += [f"  {in_words(one.weight):<22} {one.text}", *([f"{'':<25}{one.advice}"] if one.advice else [])]
    lines += [f"  problem: {problem}" for problem in found.problems]
    lines += [f"  note: {note}" for note in found.notes]
    return lines, {**found.to_dict(), "exit_code": found.exit_code}, found.exit_code


_STAGES: dict[str, Callable[[DataCatalog, str], _Answer]] = {"training": _ask_training, "monitoring": _ask_monitoring}


def _name_version(catalog: DataCatalog, use_case: str) -> str:
    """Say which version the decision on disk is about: it is the newest training's, which may have ended too early."""
    from mlflow import MlflowClient

    client = MlflowClient()
    number = release.find_aliases(client, use_case).get(release.CANDIDATE)
    if number is None:
        return f"{use_case}, newest training; no version is registered"
    # The file itself: the manifest has the digest of its bytes.
    digest = hashlib.sha256(path_of(catalog, f"{use_case}.fairness_gate").read_bytes()).hexdigest()
    if release.read_manifest(release.find_version(client, use_case, number)).files.get(release.GATE_FILE) == digest:
        return f"{use_case}, version {number} (newest candidate)"
    return f"{use_case}, newest training; not what version {number}, the newest candidate, was registered with"
