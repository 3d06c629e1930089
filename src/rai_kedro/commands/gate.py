"""The fairness gate from the command line: the decision of the newest training, and its exit code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rai_kedro.commands.errors import explain
from rai_kedro.commands.project import open_catalog
from rai_kedro.fairness import EXIT_CODES, GateDecision
from rai_kedro.release import describe_verdict, judge_stored
from rai_kedro.words import in_words

if TYPE_CHECKING:
    from kedro.io import DataCatalog


def ask_gate(use_case: str, env: str | None) -> int:
    """Print version and verdicts of the newest training, judged anew as an approval does, and return the exit code.

    Whatever goes wrong keeps the gate closed.
    """
    try:
        with open_catalog(use_case, env) as catalog:
            decision = judge_stored(
                catalog.load(f"{use_case}.fairness_gate"), catalog.load(f"{use_case}.fairness_assessment")
            )
            subject = _name_version(catalog, use_case)
    except Exception as error:  # a gate that raises would be taken for one that failed on the figures
        click.echo(f"could not be evaluated\n\n{explain(error) or error}", err=True)
        return EXIT_CODES["could_not_be_evaluated"]
    click.echo("\n".join([subject, *describe_decision(decision)]))
    return decision.exit_code


def _name_version(catalog: DataCatalog, use_case: str) -> str:
    """Say which version the decision on disk is about: it is the newest training's, which may have ended too early."""
    from mlflow import MlflowClient

    from rai_kedro.release import CANDIDATE, GATE_DIGEST_TAG, find_aliases, find_version

    client = MlflowClient()
    number = find_aliases(client, use_case).get(CANDIDATE)
    if number is None:
        return f"{use_case}, newest training; no version is registered"
    # The file itself: the version keeps the digest of its bytes.
    description: dict[str, Any] = catalog[f"{use_case}.fairness_gate"]._describe()
    digest = hashlib.sha256(Path(description["filepath"]).read_bytes()).hexdigest()
    if find_version(client, use_case, number).tags.get(GATE_DIGEST_TAG) == digest:
        return f"{use_case}, version {number} (newest candidate)"
    return f"{use_case}, newest training; not what version {number}, the newest candidate, was registered with"


def describe_decision(decision: GateDecision) -> list[str]:
    """Say in a line each what the gate found."""
    verdicts = [f"  {in_words(verdict.outcome):<22} {describe_verdict(verdict)}" for verdict in decision.verdicts]
    return [in_words(decision.outcome), *verdicts, *(f"  problem: {problem}" for problem in decision.problems)]
