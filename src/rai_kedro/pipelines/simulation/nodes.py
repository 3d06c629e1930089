"""Adapters of the simulation stage."""

from __future__ import annotations

from typing import Any

import pandas as pd

from rai_kedro.contract import Contract
from rai_kedro.demo import HospitalParameters, SimulationParameters, simulate_snapshots, simulate_visits


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
