"""The ingestion stage: monthly stores from a file of one's own. Nothing in it is simulated."""

from __future__ import annotations

import logging
from collections.abc import Container
from dataclasses import replace

import pandas as pd
from kedro.pipeline import Pipeline

from rai_kedro.contract import Contract, check_frame
from rai_kedro.errors import RaiError
from rai_kedro.frames import Store
from rai_kedro.months import month_of_key
from rai_kedro.pipelines.wiring import make_node
from rai_kedro.sources import IngestionParameters, compare_months, describe_changes, split_readable_months
from rai_kedro.words import list_some

_NAMED = 6
_LOGGER = logging.getLogger(__name__)


def ingest_months(
    own_data: pd.DataFrame,
    feature_store_before: Store,
    label_store_before: Store,
    contract: Contract,
    parameters: IngestionParameters,
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame], dict[str, RaiError]]:
    """Split a table into months and return those that are new or changed, and why others are refused.

    What changed or vanished is named.
    """
    types = contract.types
    months, refused = split_readable_months(own_data, parameters, types)
    made = {"feature_store": months.features, "label_store": months.labels}
    for part in sorted({*months.features, *months.labels}):
        try:
            for name, frames in made.items():
                if part in frames:
                    check_frame(frames[part], contract.datasets[name], part=part)
        except RaiError as error:
            refused[part] = error
    before = {"feature_store": feature_store_before, "label_store": label_store_before}
    taken = []
    for name, stored in before.items():
        changes = compare_months({part: frame for part, frame in made[name].items() if part not in refused}, stored)
        gone = replace(changes, vanished=tuple(part for part in changes.vanished if part not in refused))
        for line in describe_changes(gone, f"{contract.use_case}.{name}"):
            _LOGGER.warning(line)
        taken.append({part: made[name][part] for part in (*changes.new, *changes.changed)})
    return taken[0], taken[1], refused


def report_refused(refused: dict[str, RaiError], _features: Store, _labels: Store) -> None:
    """End the run as failed where months were refused, after all others are stored."""
    if not refused:
        return
    part, first = next(iter(sorted(refused.items())))
    months = list_some([month_of_key(one) for one in sorted(refused)], _NAMED)
    raise RaiError(
        f"Not taken in: {months}; all other months are stored. {month_of_key(part)}: {first.what}",
        where=first.where,
        how_many=first.how_many,
        example=first.example,
        remedy=f"{first.remedy}; then run the ingestion again",
    )


def create_pipeline(entries: Container[str] = ()) -> Pipeline:
    """Return the stage, which has a node where the use case's catalogue, without its prefix, has ``own_data``."""
    outputs = ["feature_store", "label_store", "refused_months"]
    ingest = make_node(ingest_months, outputs, parameters="params:ingestion")
    stored = {"_features": "feature_store", "_labels": "label_store"}
    report = make_node(report_refused, None, refused="refused_months", **stored)
    return Pipeline([ingest, report] if "own_data" in entries else [])
