"""What later months are compared with."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from rai_kedro.contract import Contract
from rai_kedro.demo import SimulationParameters
from rai_kedro.frames import Store
from rai_kedro.pipelines.parameters import FairnessParameters, MitigationParameters, Statements, TrainingParameters
from rai_kedro.pipelines.simulation import simulate_stores
from rai_kedro.pipelines.training import nodes
from rai_kedro.pipelines.training.settings import check_settings


def choose(
    raw: pd.DataFrame, contract: Contract, parameters: dict[str, Any], **training: Any
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Train on January, and choose the reference; with it come the sensitive columns that were read for it."""
    simulation = SimulationParameters(**{**parameters["simulation"], "months": 3, "drift": []})
    frames = simulate_stores(raw, contract, simulation)[:2]
    features, labels = ({key: frame.copy for key, frame in store.items()} for store in frames)
    settings = check_settings(
        contract,
        TrainingParameters(**parameters["training"] | training),
        FairnessParameters(**parameters["fairness"]),
        MitigationParameters(**parameters["mitigation"]),
        Statements(**parameters["statements"]),
    )
    stores: tuple[Store, Store] = features, labels
    model_lane, audit_lane, identifiers, target, *_ = nodes.separate_lanes(*stores, settings)
    split, _, _, audit_test = nodes.split_months(model_lane, audit_lane, identifiers, target, settings)
    model = nodes.fit_model(split, settings)
    predictions = nodes.predict_splits(model, split)
    return nodes.choose_reference(model, split, audit_test, predictions, *stores, settings)


def test_test_rows_are_the_reference_if_no_month_is_named(
    raw: pd.DataFrame, contract: Contract, parameters: dict[str, Any]
) -> None:
    reference, reads = choose(raw, contract, parameters)
    assert (len(reference), reads) == (167, [])


def test_months_named_for_it_are_the_reference_whole_and_predicted_by_the_model(
    raw: pd.DataFrame, contract: Contract, parameters: dict[str, Any]
) -> None:
    test_rows, _ = choose(raw, contract, parameters)
    reference, reads = choose(raw, contract, parameters, reference_months=["2024-02", "2024-03"])
    assert {(one["column"], *one["months"], one["rows"]) for one in reads} == {
        ("B", "2024-02", "2024-03", 1012),
        ("LSTAT", "2024-02", "2024-03", 1012),
    }
    assert len(reference) == 2 * 506
    assert list(reference) == list(test_rows)
    error = (reference["prediction"] - reference["MEDV"]).abs().mean()
    assert 3 < error < 4.5


def test_a_month_trained_on_is_no_reference(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="2024-01, which the model is trained on"):
        TrainingParameters(**parameters["training"] | {"reference_months": ["2024-01"]})
