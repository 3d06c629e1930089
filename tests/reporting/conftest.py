"""A small model card that every test of the reporting room starts from."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from rai_kedro.reporting.model_card import (
    CarbonFigure,
    CardParts,
    Estimate,
    Estimator,
    GapEstimate,
    GroupValue,
    Identity,
    ModelCard,
    TrainingData,
    Uses,
    build_model_card,
)


def make_row(column: str, **changes: Any) -> dict[str, Any]:
    row = {
        "dataset": "housing.feature_store",
        "column": column,
        "type": "float",
        "description": f"what {column} holds",
        "use": "model",
        "is_risky": False,
        "is_demographic": False,
        "risk": None,
        "owner": "data-governance",
        "purpose": "predict the median house value of a tract",
        "justification": None,
        "model_uses": True,
    }
    return row | changes


def make_gap(column: str, low: float, high: float, rows: tuple[int, int] = (84, 83)) -> GapEstimate:
    metric = "demographic parity difference"
    groups = (GroupValue("low", rows[0], low, low - 0.1, low + 0.1), GroupValue("high", rows[1], high))
    gap = Estimate(metric, "test", high - low, high - low - 0.1, high - low + 0.1, 0.95, "share", "a method")
    return GapEstimate(metric, column, f"split at the median of {column}", groups, gap, "share above the median")


@pytest.fixture
def register() -> list[dict[str, Any]]:
    justification = {"by": "A. Officer", "reason": "published figure", "until": "2024-07-31"}
    return [
        make_row("RM"),
        make_row("CRIM", is_risky=True, risk="policing practice", justification=justification),
        make_row("B", use="audit", is_risky=True, is_demographic=True, risk="race", model_uses=False),
        make_row("ID", use="forbidden", model_uses=False),
        make_row("MEDV", dataset="housing.label_store"),
    ]


@pytest.fixture
def parts(register: list[dict[str, Any]]) -> CardParts:
    moment = "2024-05-01T12:00:00+00:00"
    return CardParts(
        identity=Identity("housing", "housing", "3", "8f1c", moment, "predict values", "data-governance"),
        estimator=Estimator(
            "sklearn.linear_model.Ridge",
            {"alpha": 1.0, "copy_X": True, "solver": None, "steps": [1, {"a": 2}]},
        ),
        uses=Uses(("Showing how a model is governed.",), ("Valuing a home.",)),
        data=TrainingData(("housing.feature_store",), "2024-01", 339, 167, "sha256:ab12", "4f2c9d1"),
        register=register,
        performance=[
            Estimate("MAE", "train", 3.7, 3.3, 4.2, 0.95, "1000 USD", "bootstrap"),
            Estimate("MAE", "test", 3.3278, 2.9012, 3.7811, 0.95, "1000 USD", "bootstrap"),
        ],
        fairness=[make_gap("B", 0.38, 0.72)],
        carbon=[CarbonFigure("training", 1.72e-6, 0.00065, 0.84, "CodeCarbon, an estimate", "CPU and RAM", "NL")],
        limits=["506 tracts of Boston in 1970."],
        packages=["numpy"],
    )


@pytest.fixture
def card(parts: CardParts) -> ModelCard:
    return build_model_card(parts)


@pytest.fixture
def hostile_card(parts: CardParts, register: list[dict[str, Any]]) -> ModelCard:
    """A card whose texts try to be HTML, Markdown and script."""
    run = "document.title='owned'"
    attack = f'<script>{run}</script><img src=x onerror="{run}"> | [a](javascript:b)'
    hostile = [{**row, "description": attack, "risk": attack} for row in register]
    identity = dataclasses.replace(parts.identity, model_name='"><script>1</script>', purpose=attack)
    estimate = dataclasses.replace(parts.performance[1], note=attack, method=attack)
    gap = dataclasses.replace(parts.fairness[0], column="<b>B</b>", grouping=attack)
    changes = {"register": hostile, "identity": identity, "performance": [estimate], "fairness": [gap]}
    return build_model_card(dataclasses.replace(parts, **changes, limits=[attack]))


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions and splits of 506 rows."""
    rng = np.random.default_rng(3)
    label = rng.normal(22, 8, 506)
    return label, label + rng.normal(0, 4, 506), np.array(["train"] * 339 + ["test"] * 167)
