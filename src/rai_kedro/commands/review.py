"""Approving, rejecting, checking the record of both, and the demo that approves by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rai_kedro import release
from rai_kedro.commands import project
from rai_kedro.commands.terminal import show
from rai_kedro.files import locked
from rai_kedro.hooks.review_page import try_to_write_review

if TYPE_CHECKING:
    from kedro.io import DataCatalog

_log = logging.getLogger(__name__)
_DEMO_KEY = "demo.key"
_DEMO_REVIEWER = "demo reviewer (no person)"
_DEMO_STATEMENT = "Demonstration: approved automatically so that monitoring can be seen. Not a real review."
_DEMO_RISK = "Demonstration: nobody answers for this risk, and no decision about anybody may rest on this version"
# Two decisions at the same moment follow each other; a monitoring under way is named instead of waited for.
_LOCK_WAIT_S = 20.0


def _options(*options: Callable[[Any], Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def give(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed((project.about_use_case, *options)):
            command = option(command)
        return command

    return give


_VERSION = click.option("--version", required=True, help="Version number of the registered model.")
_RISK = click.option(
    "--accept-risk",
    metavar="REASON",
    default=None,
    help="Why the version is approved though not every gate of its policy passes; kept as evidence.",
)
_SIGNED = (
    click.option("--statement", required=True, help="Why, in one or more sentences; kept as evidence."),
    click.option("--reviewer", default=None, help="Who decides; by default whose key it is."),
    click.option("--role", default="reviewer", show_default=True, help="The role in which to decide."),
    click.option("--key", type=click.Path(path_type=Path), default=None, help="File of your private key."),
    click.option("--demo", is_flag=True, help="Nobody decides: a key made on the spot signs. Never counts in prod."),
)


@click.command()
@_options(_VERSION, *_SIGNED, _RISK)
def approve(use_case: str, env: str | None, **said: Any) -> None:
    """Approve a version with your signature: only an approved version is used in production."""
    _decide("approve", use_case, env, **said)


@click.command()
@_options(_VERSION, *_SIGNED)
def reject(use_case: str, env: str | None, **said: Any) -> None:
    """Reject a version for good."""
    _decide("reject", use_case, env, **said)


@click.command()
@_options(click.option("--version", default=None, help="By default the one approved before."), *_SIGNED, _RISK)
def rollback(use_case: str, env: str | None, **said: Any) -> None:
    """Go back to a version approved before, with your signature."""
    _decide("approve", use_case, env, **said, rollback=True)


def _decide(decision: str, use_case: str, env: str | None, **said: Any) -> None:
    with project.open_catalog(use_case, env) as catalog:
        _record(catalog, decision, use_case, **said)
        try_to_write_review(catalog, project.reports_folder(catalog, use_case))


def _record(
    catalog: DataCatalog, decision: str, use_case: str, *, key: Path | None, reviewer: str | None, **said: Any
) -> None:
    from mlflow import MlflowClient

    trust, evidence = project.trust_of(catalog, use_case), project.evidence_path(catalog, use_case)
    if said["demo"]:
        signing = _make_demo_key(_DEMO_KEY)
    else:
        signing = release.find_signing_key(project.keys_folder(), key, trust.reviewers, said["role"], _ask_passphrase)
    owner = trust.reviewers.find(signing.keyid)
    name = reviewer or (_DEMO_REVIEWER if said["demo"] else owner.name if owner else "")
    if not name:
        rejects = "; or give --reviewer NAME: a rejection counts whoever signs it" if decision == "reject" else ""
        raise release.SigningError(
            "The key that is to sign belongs to nobody in conf/base/reviewers.yml.",
            where=f"key {signing.keyid}",
            example=signing.public,
            remedy=f"{release.list_it(said['role'])}{rejects}",
        )
    client = MlflowClient()
    with locked(project.lock_path(catalog, use_case), wait=_LOCK_WAIT_S):
        said["version"] = said["version"] or release.find_previous(use_case, evidence, trust)
        request = release.ReviewRequest(
            use_case=use_case, reviewer=name, key=signing, reviewed_at=datetime.now(UTC), **said
        )
        if decision == "approve":
            request = replace(request, policy=project.policy_of_today(catalog, use_case))
            outcome = release.approve(client, request, evidence, trust)
        else:
            outcome = release.reject(client, request, evidence)
    show(outcome.message)
    if decision == "approve":
        version = release.find_version(client, use_case, said["version"])
        show(release.sign_release(version, release.read_evidence(evidence), signing, trust))


def _ask_passphrase(path: Path) -> str:
    return str(click.prompt(f"Passphrase of {path.name}", hide_input=True, err=True))


def _make_demo_key(name: str) -> release.SigningKey:
    """Return a key that signs demonstrations in this folder, made at the first."""
    path = project.keys_folder() / name
    if not path.exists():
        release.SigningKey.generate().save(path, None)
    return release.SigningKey.load(path)


@click.command()
@click.option("--use-case", default="housing", show_default=True, help="Name of the use case.")
@project.env_option
def demo(use_case: str, env: str | None) -> None:
    """Run the whole lifecycle once; a demo stands in the reviewer's place."""
    project.require_use_case(use_case)
    _make_demo_key(release.DEMO_KEY_FILE)
    project.run_pipeline(use_case, env)
    with project.open_catalog(use_case, env) as catalog:
        candidate = catalog.load(f"{use_case}.candidate_model")
        _log.info("")
        _record(
            catalog,
            "approve",
            use_case,
            version=candidate.version,
            statement=_DEMO_STATEMENT,
            reviewer=None,
            role="reviewer",
            key=None,
            demo=True,
            accept_risk=find_demo_risk(candidate),
        )
    project.run_pipeline(f"{use_case}.monitoring", env)


def find_demo_risk(candidate: release.RegisteredVersion) -> str | None:
    """Accept a risk, labelled as a demonstration, only where a gate asks for it."""
    from mlflow import MlflowClient

    report = release.ask_gates(release.find_version(MlflowClient(), candidate.name, candidate.version))
    return _DEMO_RISK if report.with_consequence("accept_risk") else None
