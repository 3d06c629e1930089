"""Approving, rejecting, and checking the record of both."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rai_kedro.commands.project import open_catalog
from rai_kedro.errors import RaiError

if TYPE_CHECKING:
    from kedro.io import DataCatalog

    from rai_kedro.release.review import ReviewRequest
    from rai_kedro.release.verification import RecordReport


class RecordUnsoundError(RaiError):
    """The evidence record is broken or missing, or MLflow says something else."""


def decide(
    decision: str,
    use_case: str,
    env: str | None,
    version: str,
    reviewer: str,
    statement: str,
    accept_risk: str | None = None,
) -> None:
    """Record a person's decision on a version, and say what it led to."""
    from rai_kedro.release.review import ReviewRequest

    request = ReviewRequest(use_case, version, reviewer, statement, datetime.now(UTC), accept_risk=accept_risk)
    with open_catalog(use_case, env) as catalog:
        record_decision(catalog, decision, request)


def record_decision(catalog: DataCatalog, decision: str, request: ReviewRequest) -> None:
    """Record a decision with an open catalogue.

    Args:
        catalog: The project's catalogue.
        decision: ``approve`` or ``reject``.
        request: Who decides on which version, and why.
    """
    from mlflow import MlflowClient

    from rai_kedro.release import review

    act = review.approve if decision == "approve" else review.reject
    outcome = act(MlflowClient(), request, evidence_path(catalog, request.use_case))
    click.echo(outcome.message)


def evidence_path(catalog: DataCatalog, use_case: str) -> Path:
    """Return the use case's evidence record, as the catalogue has it."""
    description: dict[str, Any] = catalog[f"{use_case}.production_model"]._describe()
    return Path(description["filepath"])


def verify_evidence(use_case: str, env: str | None) -> None:
    """Check the evidence record against its own chain and against MLflow, and list its decisions.

    Raises:
        RecordUnsoundError: The record is broken, is missing while versions are reviewed, or contradicts MLflow.
    """
    from mlflow import MlflowClient

    from rai_kedro.release.verification import verify_record

    with open_catalog(use_case, env) as catalog:
        path = evidence_path(catalog, use_case)
        report = verify_record(MlflowClient(), use_case, path)
    _show(report)
    if report.findings:
        raise RecordUnsoundError(
            "The evidence record cannot be relied on.",
            where=str(path),
            how_many=f"{len(report.findings)} finding(s)",
            example=report.findings[0],
            remedy="find out who changed record, tags, card or gate, and restore them from a backup; if the record is "
            "right, giving the same decision again sets the tags from it",
        )


def _show(report: RecordReport) -> None:
    from rai_kedro.release.decisions import describe_gate

    chain = report.chain
    state = "the chain is whole" if chain.ok else f"{chain.reason}"
    click.echo(f"{chain.path}: {chain.entries} entries, {state}.")
    for review in report.decisions:
        label = " (demo)" if review.demo else ""
        click.echo(f"version {review.version}  {review.decision} by {review.reviewer}{label} at {review.reviewed_at}")
        click.echo(f"    the {describe_gate(review.fairness_gate, review.accepted_risk)}")
        if review.gate_summary:
            click.echo(f"    judged: {review.gate_summary}")
    for finding in report.findings:
        click.echo(f"NOT SOUND: {finding}")
    if chain.torn_tail:
        click.echo("It ends in an unfinished line, which never was an entry; the next decision sets it aside.")
    if chain.entries:
        click.echo(f"newest hash: {chain.head}")
        click.echo("Keep that hash elsewhere: a removed end of the record is only seen by comparing with it.")
