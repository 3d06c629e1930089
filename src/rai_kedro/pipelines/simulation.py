"""The simulation stage of the built-in use cases: months that are made, not taken."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import pandas as pd
from kedro.pipeline import Pipeline

from rai_kedro.contract import Contract
from rai_kedro.demo import HospitalParameters, SimulationParameters, simulate_snapshots, simulate_visits
from rai_kedro.pipelines.wiring import make_node


def simulate_stores(
    raw_data: pd.DataFrame, contract: Contract, parameters: SimulationParameters
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame], dict[str, Any]]:
    """Turn the raw table into monthly feature and label snapshots, and say what drift was injected."""
    columns = contract.datasets["feature_store"].columns
    ranges = {name: column.range for name, column in columns.items() if column.range is not None}
    snapshots = simulate_snapshots(raw_data, parameters, ranges)
    return snapshots.features, snapshots.labels, snapshots.drift_ground_truth


def simulate_hospital(
    parameters: HospitalParameters,
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame], dict[str, pd.DataFrame], dict[str, Any], dict[str, Any]]:
    """Make the visits of all months, with who truly needed admission, and say what bias and drift are in them."""
    visits = simulate_visits(parameters)
    return visits.features, visits.labels, visits.true_need, visits.ground_truth["bias"], visits.ground_truth["drift"]


def create_pipeline(entries: Container[str] = ()) -> Pipeline:
    """Return the stage; empty for a use case whose months are not simulated.

    Where its catalogue has ``raw_data`` the months are simulated from that table, where it has ``bias_ground_truth``
    they are visits of the hospital's model.
    """
    stores, simulated = ["feature_store", "label_store"], {"parameters": "params:simulation"}
    truth = ["true_need", "bias_ground_truth", "drift_ground_truth"]
    by_entry = {
        "raw_data": make_node(simulate_stores, [*stores, "drift_ground_truth"], **simulated),
        "bias_ground_truth": make_node(simulate_hospital, [*stores, *truth], **simulated),
    }
    return Pipeline([stage for entry, stage in by_entry.items() if entry in entries])
