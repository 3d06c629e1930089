"""Starting the months over."""

from __future__ import annotations

from typing import Any

import click

from rai_kedro.commands.project import lock_path, open_catalog, path_of
from rai_kedro.files import locked


def start_over(use_case: str, env: str | None) -> None:
    """Remove predictions and drift results of a use case; stores, models and evidence stay."""
    with open_catalog(use_case, env) as catalog, locked(lock_path(catalog, use_case)):
        for name in ("drift_timeline", "drift_figure", "drift_page", "inference_carbon"):
            path_of(catalog, f"{use_case}.{name}").unlink(missing_ok=True)
        # Drift first: a month whose predictions are gone must not keep a drift result.
        for name in ("evidently_workspace", "drift_store", "prediction_store"):
            store: Any = catalog[f"{use_case}.{name}"]
            store.remove()
    click.echo(
        f"{use_case}: predictions and drift results removed; the next monitoring run starts with the first month."
    )
