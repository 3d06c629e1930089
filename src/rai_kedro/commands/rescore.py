"""``kedro rai rescore`` and ``reset``: one month again, on the record, or all of them."""

from __future__ import annotations

import shutil
from typing import Any

import click

from rai_kedro.commands.project import about_use_case, enter_act, lock_path, open_catalog, path_of, run_pipeline
from rai_kedro.errors import RaiError
from rai_kedro.files import locked
from rai_kedro.months import PERIOD_FORMS, month_of_key, say_period

# Predictions last: a month whose predictions are gone must not keep a result.
_STORES = ("verdict_store", "outcome_store", "drift_store", "prediction_store")


@click.command()
@about_use_case
@click.option("--month", required=True, help=f"The month, {PERIOD_FORMS}.")
@click.option("--reason", default="", help="Why; kept as evidence.")
def rescore(use_case: str, env: str | None, month: str, reason: str) -> None:
    """Score a month again whose data changed; with the version in production, on record."""
    # The record comes first and the predictions go last: a month whose removal was cut off is named by the next
    # monitoring, and one whose results are gone is scored by it.
    with open_catalog(use_case, env) as catalog, locked(lock_path(catalog, use_case)):
        stores: dict[str, Any] = {name: catalog[f"{use_case}.{name}"] for name in _STORES}
        known = stores["prediction_store"].keys()
        keys = [key for key in known if month_of_key(key) == month]
        if not keys:
            scored = sorted(set(map(month_of_key, known)))
            raise RaiError(
                f"{month} of {use_case} was not scored, so it cannot be scored again.",
                where="prediction store",
                example=f"scored: {', '.join(scored) or 'none'}",
                remedy=f"name one of these; one that waits is scored by kedro run --pipelines {use_case}.monitoring",
            )
        # What cannot be opened stops here, before anything is recorded or gone.
        catalog.load(f"{use_case}.production_model")
        workspace: Any = catalog[f"{use_case}.evidently_workspace"]
        versions = [key.rpartition("=")[2] for key in keys]
        enter_act(catalog, use_case, "rescore", reason, month=month, versions=versions)
        for version in versions:
            workspace.withdraw(month, version)
        for store in stores.values():
            store.remove(keys)
    click.echo(f"{use_case}: {month} is scored again; recorded.")
    run_pipeline(f"{use_case}.monitoring", env)


@click.command()
@about_use_case
@click.option("--reason", default="", help="Why; kept as evidence.")
@click.option("--yes", is_flag=True, help="Do it without being asked.")
def reset(use_case: str, env: str | None, reason: str, yes: bool) -> None:
    """Start the months over: removes predictions and what was made of them, keeps stores, models and evidence."""
    if not yes:  # it is named here, since it may have been left out of the command
        click.confirm(f"Remove all predictions of '{use_case}' and what was made of them?", abort=True)
    with open_catalog(use_case, env) as catalog, locked(lock_path(catalog, use_case)):
        months = sorted(map(month_of_key, catalog[f"{use_case}.prediction_store"].keys()))  # type: ignore[attr-defined]
        enter_act(catalog, use_case, "reset", reason, months=months)
        for name in ("monitoring_timeline", "monitoring_page", "inference_carbon"):
            path_of(catalog, f"{use_case}.{name}").unlink(missing_ok=True)
        shutil.rmtree(path_of(catalog, f"{use_case}.monitoring_figures"), ignore_errors=True)
        for name in ("evidently_workspace", "measured_labels", *_STORES):
            store: Any = catalog[f"{use_case}.{name}"]
            store.remove()
    again = say_period("the next monitoring run starts with the first month.", months[0] if months else "")
    click.echo(f"{use_case}: predictions and what was made of them removed; {again}")
