"""Approving, rejecting, and checking the record of both."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rai_kedro.commands.project import lock_path, open_catalog
from rai_kedro.errors import RaiError
from rai_kedro.files import locked

if TYPE_CHECKING:
    from kedro.io import DataCatalog

    from rai_kedro.release import ReviewRequest

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


def evidence_path(catalog: DataCatalog, use_case: str) -> Path:
    """Return the use case's evidence record, as the catalogue has it."""
    description: dict[str, Any] = catalog[f"{use_case}.production_model"]._describe()
    return Path(description["filepath"])


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
