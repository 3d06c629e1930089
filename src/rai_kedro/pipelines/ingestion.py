"""The ingestion stage: monthly stores from a file of one's own. Nothing in it is simulated."""

from __future__ import annotations

import logging
from collections.abc import Container

import pandas as pd
from kedro.pipeline import Pipeline

from rai_kedro.contract import Contract
from rai_kedro.frames import Store
from rai_kedro.pipelines.wiring import make_node
from rai_kedro.sources import IngestionParameters, compare_months, describe_changes, split_months

_LOGGER = logging.getLogger(__name__)


def ingest_months(
    own_data: pd.DataFrame,
    feature_store_before: Store,
    label_store_before: Store,
    contract: Contract,
    parameters: IngestionParameters,
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame]]:
    """Split a table into months and return those that are new or changed; what changed or vanished is named."""
    types = {name: column.type for store in contract.datasets.values() for name, column in store.columns.items()}
    months = split_months(own_data, parameters, types)
    before = {"feature_store": feature_store_before, "label_store": label_store_before}
    taken = []
    for (name, stored), made in zip(before.items(), (months.features, months.labels), strict=True):
        changes = compare_months(made, stored)
        for line in describe_changes(changes, f"{contract.use_case}.{name}"):
            _LOGGER.warning(line)
        taken.append({part: made[part] for part in (*changes.new, *changes.changed)})
    return taken[0], taken[1]


def create_pipeline(entries: Container[str] = ()) -> Pipeline:
    """Return the stage, which has a node where the use case's catalogue, without its prefix, has ``own_data``."""
    ingest = make_node(ingest_months, ["feature_store", "label_store"], parameters="params:ingestion")
    return Pipeline([ingest] if "own_data" in entries else [])
