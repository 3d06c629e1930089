"""Approving, rejecting, checking the record of both, and the demo that approves by itself."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from rai_kedro.commands.project import evidence_path, lock_path, open_catalog, require_use_case, run_pipeline
from rai_kedro.errors import RaiError
from rai_kedro.files import locked

if TYPE_CHECKING:
    from kedro.io import DataCatalog

    from rai_kedro.release import RegisteredVersion, ReviewRequest

_log = logging.getLogger(__name__)
_DEMO_REVIEWER = "demo reviewer (no person)"
_DEMO_STATEMENT = "Demonstration: approved automatically so that monitoring can be seen. Not a real review."
_DEMO_RISK = "Demonstration: nobody answers for this risk, and no decision about anybody may rest on this version"
# Two decisions at the same moment follow each other; a monitoring under way is named instead of waited for.
_LOCK_WAIT_S = 20.0


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
    from rai_kedro.release import ReviewRequest

    request = ReviewRequest(use_case, version, reviewer, statement, datetime.now(UTC), accept_risk=accept_risk)
    with open_catalog(use_case, env) as catalog:
        record_decision(catalog, decision, request)


def record_decision(catalog: DataCatalog, decision: str, request: ReviewRequest) -> None:
    """Record a decision (``approve`` or ``reject``) with an open catalogue, alone with the use case."""
    from mlflow import MlflowClient

    from rai_kedro.release import approve, reject

    act = approve if decision == "approve" else reject
    with locked(lock_path(catalog, request.use_case), wait=_LOCK_WAIT_S):
        outcome = act(MlflowClient(), request, evidence_path(catalog, request.use_case))
    click.echo(outcome.message)


def verify_evidence(use_case: str, env: str | None) -> None:
    """Check the evidence record against its own chain and against MLflow, and list its decisions."""
    from mlflow import MlflowClient

    from rai_kedro.release import verify

    with open_catalog(use_case, env) as catalog:
        path = evidence_path(catalog, use_case)
        found = verify(path, use_case=use_case, client=MlflowClient())
    click.echo("\n".join(found.describe()))
    if found.findings:
        raise RaiError(
            "The evidence record cannot be relied on.",
            where=str(path),
            how_many=f"{len(found.findings)} finding(s)",
            example=found.findings[0],
            remedy="find out who changed record, tags, card, gate or database, and restore them from a backup; if the "
            "record is right, giving the same decision again sets the tags from it",
        )


def run_lifecycle(use_case: str, env: str | None) -> None:
    """Simulate, govern, train, approve as a demo, and monitor all months."""
    require_use_case(use_case)
    run_pipeline(use_case, env)
    with open_catalog(use_case, env) as catalog:
        request = request_approval(catalog.load(f"{use_case}.candidate_model"))
        _log.info("")
        record_decision(catalog, "approve", request)
    run_pipeline(f"{use_case}.monitoring", env)


def request_approval(candidate: RegisteredVersion) -> ReviewRequest:
    """Ask for the approval; a risk, labelled as a demonstration, is accepted only where the gate does not pass."""
    from mlflow import MlflowClient

    from rai_kedro.release import PASSED, ReviewRequest, judge_gate

    client = MlflowClient()
    outcome = judge_gate(client, client.get_model_version(candidate.name, candidate.version)).decision.outcome
    risk = None if outcome == PASSED else _DEMO_RISK
    return ReviewRequest(
        candidate.name,
        candidate.version,
        _DEMO_REVIEWER,
        _DEMO_STATEMENT,
        datetime.now(UTC),
        demo=True,
        accept_risk=risk,
    )
