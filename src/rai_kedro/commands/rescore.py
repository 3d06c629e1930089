"""Scoring a month again, on the record."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from rai_kedro.commands.project import evidence_path, lock_path, open_catalog, run_pipeline
from rai_kedro.errors import RaiError
from rai_kedro.files import locked
from rai_kedro.months import month_of_key


def score_again(use_case: str, env: str | None, month: str, reason: str) -> None:
    """Record that a month is scored again, take away its old results, and monitor.

    The record comes first and the predictions go last: a month whose removal was cut off is named by the next
    monitoring, and one whose results are gone is scored by it.

    Raises:
        RaiError: The month was never scored; or whatever the monitoring raises.
    """
    from rai_kedro.release import append_evidence

    with open_catalog(use_case, env) as catalog, locked(lock_path(catalog, use_case)):
        stores: dict[str, Any] = {name: catalog[f"{use_case}.{name}"] for name in ("drift_store", "prediction_store")}
        known = stores["prediction_store"].keys()
        keys = [key for key in known if month_of_key(key) == month]
        if not keys:
            scored = sorted(set(map(month_of_key, known)))
            raise RaiError(
                f"Month {month} of {use_case} was not scored, so it cannot be scored again.",
                where="prediction store",
                example=f"scored: {', '.join(scored) or 'none'}",
                remedy="name one of these; a month that waits is scored by kedro run --pipelines monitoring",
            )
        catalog.load(f"{use_case}.production_model")  # stops here, not after the old results are gone
        versions = [key.rpartition("=")[2] for key in keys]
        body = {"use_case": use_case, "month": month, "versions": versions, "reason": reason}
        append_evidence(
            evidence_path(catalog, use_case), "rescore", body, datetime.now(UTC).isoformat(timespec="seconds")
        )
        workspace: Any = catalog[f"{use_case}.evidently_workspace"]
        for version in versions:
            workspace.withdraw(month, version)
        for store in stores.values():
            store.remove(keys)
    click.echo(f"{use_case}: {month} is scored again; recorded.")
    run_pipeline(f"{use_case}.monitoring", env)
