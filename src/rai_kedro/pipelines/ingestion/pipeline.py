"""Wiring of the ingestion stage."""

from collections.abc import Container

from kedro.pipeline import Pipeline, node

from rai_kedro.pipelines.ingestion.nodes import ingest_months


def create_pipeline(entries: Container[str] = ()) -> Pipeline:
    """Return the stage, which has a node where the use case's catalogue, without its prefix, has ``own_data``."""
    ingest = node(
        ingest_months,
        inputs=["own_data", "feature_store_before", "label_store_before", "contract", "params:ingestion"],
        outputs=["feature_store", "label_store"],
        name="ingest_months",
    )
    return Pipeline([ingest] if "own_data" in entries else [])
