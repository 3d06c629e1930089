"""Approving, rejecting, checking the record of both, and the demo that approves by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from rai_kedro.commands.project import (
    about_use_case,
    evidence_path,
    lock_path,
    open_catalog,
    require_use_case,
    run_pipeline,
)
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


def _review_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--statement", required=True, help="Why, in one or more sentences; kept as evidence."),
        click.option("--reviewer", required=True, help="Name of the person who decides."),
        click.option("--version", required=True, help="Version number of the registered model."),
        about_use_case,
    ):
        command = option(command)
    return command


@click.command()
@_review_options
@click.option(
    "--accept-risk",
    metavar="REASON",
    default=None,
    help="Why the version is approved though its fairness gate does not pass; kept as evidence.",
)
def approve(env: str | None, **request: Any) -> None:
    """Approve a version: only an approved version is used in production."""
    _decide("approve", env, **request)


@click.command()
@_review_options
def reject(env: str | None, **request: Any) -> None:
    """Reject a version for good."""
    _decide("reject", env, **request)


def _decide(decision: str, env: str | None, **request: Any) -> None:
    from rai_kedro.release import ReviewRequest

    with open_catalog(request["use_case"], env) as catalog:
        _record(catalog, decision, ReviewRequest(**request, reviewed_at=datetime.now(UTC)))


def _record(catalog: DataCatalog, decision: str, request: ReviewRequest) -> None:
    from mlflow import MlflowClient

    from rai_kedro import release

    act = {"approve": release.approve, "reject": release.reject}[decision]
    with locked(lock_path(catalog, request.use_case), wait=_LOCK_WAIT_S):
        outcome = act(MlflowClient(), request, evidence_path(catalog, request.use_case))
    click.echo(outcome.message)


@click.command()
@about_use_case
def verify(use_case: str, env: str | None) -> None:
    """Check that the evidence record is whole and unchanged."""
    from mlflow import MlflowClient

    from rai_kedro import release

    with open_catalog(use_case, env) as catalog:
        path = evidence_path(catalog, use_case)
        found = release.verify(path, use_case=use_case, client=MlflowClient())
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


@click.command()
@about_use_case
def demo(use_case: str, env: str | None) -> None:
    """Run the whole lifecycle once, with a demo in the reviewer's place."""
    require_use_case(use_case)
    run_pipeline(use_case, env)
    with open_catalog(use_case, env) as catalog:
        request = request_approval(catalog.load(f"{use_case}.candidate_model"))
        _log.info("")
        _record(catalog, "approve", request)
    run_pipeline(f"{use_case}.monitoring", env)


def request_approval(candidate: RegisteredVersion) -> ReviewRequest:
    """Ask for the approval; a risk, labelled as a demonstration, is accepted only where the gate does not pass."""
    from mlflow import MlflowClient

    from rai_kedro.release import PASSED, ReviewRequest, find_version, judge_gate

    gate = judge_gate(find_version(MlflowClient(), candidate.name, candidate.version))
    risk = None if gate.decision.outcome == PASSED else _DEMO_RISK
    return ReviewRequest(
        candidate.name,
        candidate.version,
        _DEMO_REVIEWER,
        _DEMO_STATEMENT,
        datetime.now(UTC),
        demo=True,
        accept_risk=risk,
    )
