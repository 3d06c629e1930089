"""The whole lifecycle in one process, for whoever sees it the first time."""

from __future__ import annotations

import logging

from rai_kedro.commands.project import open_catalog, require_use_case, run_pipeline
from rai_kedro.commands.review import record_decision

_log = logging.getLogger(__name__)
_REVIEWER = "demo reviewer (no person)"
_STATEMENT = "Demonstration: approved automatically so that monitoring can be seen. Not a real review."


def run_lifecycle(use_case: str, env: str | None) -> None:
    """Simulate, govern, train, approve as a demo, and monitor all months.

    Args:
        use_case: Name of the use case.
        env: Kedro environment, or None for the default one.
    """
    require_use_case(use_case)
    run_pipeline(use_case, env)
    with open_catalog(use_case, env) as catalog:
        version = catalog.load(f"{use_case}.candidate_model").version
        _log.info("")
        record_decision(catalog, "approve", use_case, version, (_REVIEWER, _STATEMENT), demo=True)
    run_pipeline(f"{use_case}.monitoring", env)
