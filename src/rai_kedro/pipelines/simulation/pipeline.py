"""Wiring of the simulation stage."""

from kedro.pipeline import Pipeline, node

from rai_kedro.pipelines.simulation.nodes import simulate_stores


def create_pipeline() -> Pipeline:
    """Return the stage: raw table to monthly feature and label stores."""
    return Pipeline(
        [
            node(
                simulate_stores,
                inputs=["raw_data", "contract", "params:simulation"],
                outputs=["feature_store", "label_store", "drift_ground_truth"],
                name="simulate_stores",
            )
        ]
    )
