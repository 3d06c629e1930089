"""The whole lifecycle in one process, for whoever sees it the first time."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rai_kedro.commands.project import open_catalog, require_use_case, run_pipeline
from rai_kedro.commands.review import record_decision

if TYPE_CHECKING:
    from rai_kedro.release import RegisteredVersion, ReviewRequest

_log = logging.getLogger(__name__)
_REVIEWER = "demo reviewer (no person)"
_STATEMENT = "Demonstration: approved automatically so that monitoring can be seen. Not a real review."
_RISK = "Demonstration: nobody answers for this risk, and no decision about anybody may rest on this version"


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
    risk = None if outcome == PASSED else _RISK
    now = datetime.now(UTC)
    return ReviewRequest(candidate.name, candidate.version, _REVIEWER, _STATEMENT, now, demo=True, accept_risk=risk)
