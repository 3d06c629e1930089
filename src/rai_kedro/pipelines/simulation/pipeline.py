"""Wiring of the simulation stage."""

from collections.abc import Container

from kedro.pipeline import Pipeline, node

from rai_kedro.pipelines.simulation.nodes import simulate_hospital, simulate_stores


def create_pipeline(entries: Container[str] = ()) -> Pipeline:
    """Return the stage; empty for a use case whose months are not simulated.

    Where its catalogue has ``raw_data`` the months are simulated from that table, where it has ``bias_ground_truth``
    they are visits of the hospital's model.
    """
    return Pipeline([stage for entry, stage in _BY_ENTRY.items() if entry in entries])


_BY_ENTRY = {
    "raw_data": node(
        simulate_stores,
        inputs=["raw_data", "contract", "params:simulation"],
        outputs=["feature_store", "label_store", "drift_ground_truth"],
        name="simulate_stores",
    ),
    "bias_ground_truth": node(
        simulate_hospital,
        inputs="params:simulation",
        outputs=["feature_store", "label_store", "true_need", "bias_ground_truth", "drift_ground_truth"],
        name="simulate_hospital",
    ),
}
