"""Wiring of the simulation stage."""

from kedro.pipeline import Pipeline, node

from rai_kedro.pipelines.simulation.nodes import simulate_hospital, simulate_stores


def create_pipeline(*, has_raw_table: bool = True) -> Pipeline:
    """Return the stage: monthly feature and label stores, from a raw table or from the hospital's generative model.

    Args:
        has_raw_table: Whether the use case's catalogue has an entry ``raw_data``.
    """
    return Pipeline([_FROM_RAW_TABLE if has_raw_table else _FROM_HOSPITAL_MODEL])


_FROM_RAW_TABLE = node(
    simulate_stores,
    inputs=["raw_data", "contract", "params:simulation"],
    outputs=["feature_store", "label_store", "drift_ground_truth"],
    name="simulate_stores",
)
_FROM_HOSPITAL_MODEL = node(
    simulate_hospital,
    inputs="params:simulation",
    outputs=["feature_store", "label_store", "true_need", "bias_ground_truth", "drift_ground_truth"],
    name="simulate_hospital",
)
