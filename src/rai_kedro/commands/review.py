"""Approving, rejecting, and checking the record of both."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rai_kedro.commands.project import open_catalog

if TYPE_CHECKING:
    from kedro.io import DataCatalog


def decide(decision: str, use_case: str, env: str | None, version: str, reviewer: str, statement: str) -> None:
    """Record a person's decision on a version, and say what it led to."""
    with open_catalog(use_case, env) as catalog:
        record_decision(catalog, decision, use_case, version, (reviewer, statement))


def record_decision(
    catalog: DataCatalog,
    decision: str,
    use_case: str,
    version: str,
    words: tuple[str, str],
    *,
    demo: bool = False,
) -> None:
    """Record a decision with an open catalogue.

    Args:
        catalog: The project's catalogue.
        decision: ``approve`` or ``reject``.
        use_case: Name of the use case.
        version: Version number.
        words: Reviewer and statement.
        demo: Whether a demonstration decides in a person's place.
    """
    from mlflow import MlflowClient

    from rai_kedro.registry import review

    request = review.ReviewRequest(use_case, version, *words, reviewed_at=datetime.now(UTC), demo=demo)
    act = review.approve if decision == "approve" else review.reject
    outcome = act(MlflowClient(), request, evidence_path(catalog, use_case))
    click.echo(outcome.message)


def evidence_path(catalog: DataCatalog, use_case: str) -> Path:
    """Return the use case's evidence record, as the catalogue has it."""
    description: dict[str, Any] = catalog[f"{use_case}.production_model"]._describe()
    return Path(description["filepath"])


def verify_evidence(use_case: str, env: str | None) -> None:
    """Check the evidence record and say what was found."""
    from rai_kedro.evidence.log import read

    with open_catalog(use_case, env) as catalog:
        path = evidence_path(catalog, use_case)
        entries = read(path)
    click.echo(f"{path}: {len(entries)} entries, the chain is whole.")
    if entries:
        click.echo(f"newest: {entries[-1].kind} at {entries[-1].recorded_at}, hash {entries[-1].hash}")
        click.echo("Keep that hash elsewhere: a removed end of the record is only seen by comparing with it.")
