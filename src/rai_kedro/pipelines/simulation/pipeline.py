"""Wiring of the simulation stage."""

from collections.abc import Container

from kedro.pipeline import Pipeline, node

from rai_kedro.pipelines.simulation.nodes import simulate_hospital, simulate_stores, snapshot_own_data


def create_pipeline(entries: Container[str] = ("raw_data",)) -> Pipeline:
    """Return the stage: monthly feature and label stores from whatever the use case has.

    Args:
        entries: Names in the use case's catalogue, without its prefix. With ``raw_data`` the months are simulated from
            that table, with ``own_data`` they are taken from it; with neither the hospital's model makes visits.
    """
    return Pipeline([next((stage for entry, stage in _BY_ENTRY.items() if entry in entries), _FROM_HOSPITAL_MODEL)])


_BY_ENTRY = {
    "raw_data": node(
        simulate_stores,
        inputs=["raw_data", "contract", "params:simulation"],
        outputs=["feature_store", "label_store", "drift_ground_truth"],
        name="simulate_stores",
    ),
    "own_data": node(
        snapshot_own_data,
        inputs=["own_data", "contract", "params:simulation"],
        outputs=["feature_store", "label_store"],
        name="snapshot_own_data",
    ),
}
_FROM_HOSPITAL_MODEL = node(
    simulate_hospital,
    inputs="params:simulation",
    outputs=["feature_store", "label_store", "true_need", "bias_ground_truth", "drift_ground_truth"],
    name="simulate_hospital",
)
