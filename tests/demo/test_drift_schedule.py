"""Drift events and simulation parameters: what is accepted, what is refused, what is drawn."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from rai_kedro.demo.drift_schedule import (
    DriftEvent,
    SimulationError,
    SimulationParameters,
    find_candidates,
    resolve_columns,
)

SHIFT: dict[str, Any] = {"draw": 4, "start": "2024-05", "kind": "mean_shift", "size": 2.0}
NAMES = ["CRIM", "ZN", "INDUS", "NOX", "RM", "AGE", "DIS", "TAX", "PTRATIO", "B", "LSTAT"]


def _event(**changes: Any) -> DriftEvent:
    return DriftEvent.model_validate({**SHIFT, **changes})


def _parameters(**changes: Any) -> SimulationParameters:
    return SimulationParameters.model_validate({"label": "MEDV", "seed": 1, **changes})


@pytest.fixture
def features() -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(20, len(NAMES)))
    return pd.DataFrame(values, columns=NAMES)


@pytest.fixture
def mixed() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": [1.0, 2.0, 3.0],
            "whole": [1, 2, 3],
            "constant": [5.0, 5.0, 5.0],
            "truth": [True, False, True],
            "text": ["a", "b", "a"],
            "same": ["a", "a", "a"],
            "kind": pd.Categorical(["x", "y", "y"]),
        }
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": ["RM"]}, "either `columns`"),
        ({"draw": None}, "either `columns`"),
        ({"draw": None, "columns": []}, "at least one column"),
        ({"draw": None, "columns": ["RM", "RM"]}, "each only once"),
        ({"draw": 0}, "greater than or equal to 1"),
        ({"start": "2024-5"}, "'2024-5' is not a month: write it as YYYY-MM"),
        ({"start": "2024-13"}, "is not a month"),
        ({"start": "2024-05-01"}, "is not a month"),
        ({"start": 202405}, "'202405' is not a month: write it as YYYY-MM"),
        ({"end": "2024-04"}, r"ends \(2024-04\) before it starts \(2024-05\)"),
        ({"kind": "wobble"}, "'mean_shift', 'scale'"),
        ({"size": 0}, "must not be 0"),
        ({"size": float("nan")}, "finite number"),
        ({"size": float("inf")}, "finite number"),
        ({"kind": "scale", "size": 1}, "other than 1, not 1"),
        ({"kind": "scale", "size": -2}, "above 0"),
        ({"kind": "missing_values", "size": 1}, "below 1"),
        ({"kind": "missing_values", "size": 0}, "above 0"),
        ({"kind": "category_mix", "size": 1.01}, "at most 1, not 1.01"),
        ({"kind": "label_relation", "size": 0}, "must not be 0"),
        ({"colums": ["RM"]}, "Extra inputs"),
    ],
)
def test_a_wrong_event_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _event(**changes)


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ("mean_shift", -0.5),
        ("scale", 0.3),
        ("missing_values", 0.99),
        ("category_mix", 1),
        ("label_relation", -1),
    ],
)
def test_sizes_at_the_edge_are_accepted(kind: str, size: float) -> None:
    assert _event(kind=kind, size=size).size == size


def test_an_event_is_in_force_from_start_to_end_inclusive() -> None:
    event = _event(end="2024-06")
    months = ["2024-04", "2024-05", "2024-06", "2024-07", "2025-05"]
    assert [event.covers(month) for month in months] == [False, True, True, False, False]
    assert _event().covers("2031-01")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"first_month": "January"}, "is not a month"),
        ({"months": 0}, "greater than or equal to 1"),
        ({"noise": -0.1}, "greater than or equal to 0"),
        ({"variation": "none"}, "'resample' or 'exact'"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"label": []}, "at least 1 item"),
        ({"drift": [{**SHIFT, "start": "2024-01"}]}, r"after the first month \(2024-01\)"),
        ({"drift": [SHIFT, {**SHIFT, "size": -1}]}, "give each its own `stream`"),
        ({"mnths": 3}, "Extra inputs"),
    ],
)
def test_wrong_parameters_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        _parameters(**changes)


def test_label_and_seed_have_to_be_given() -> None:
    with pytest.raises(ValidationError) as caught:
        SimulationParameters.model_validate({})
    assert {error["loc"] for error in caught.value.errors()} == {("label",), ("seed",)}


def test_one_label_or_several() -> None:
    assert _parameters().label == ("MEDV",)
    assert _parameters(label=["a", "b"]).label == ("a", "b")


def test_parameters_are_frozen_and_survive_json() -> None:
    parameters = _parameters(drift=[SHIFT])
    with pytest.raises(ValidationError, match="frozen"):
        parameters.months = 3  # type: ignore[misc]
    assert SimulationParameters.model_validate_json(parameters.model_dump_json()) == parameters


def test_months_run_over_the_end_of_the_year() -> None:
    assert _parameters(first_month="2023-11", months=4).month_names == (
        "2023-11",
        "2023-12",
        "2024-01",
        "2024-02",
    )


@given(st.integers(1000, 9000), st.integers(1, 12), st.integers(1, 60))
def test_months_are_consecutive_and_sorted(year: int, month: int, count: int) -> None:
    names = _parameters(first_month=f"{year}-{month:02d}", months=count).month_names
    expected = pd.period_range(f"{year}-{month:02d}", periods=count, freq="M").strftime("%Y-%m")
    assert list(names) == list(expected) == sorted(names)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("mean_shift", ["number", "whole"]),
        ("scale", ["number", "whole"]),
        ("label_relation", ["number", "whole"]),
        ("category_mix", ["truth", "text", "kind"]),
        ("missing_values", ["number", "whole", "constant", "text", "same", "kind"]),
    ],
)
def test_each_kind_knows_its_columns(mixed: pd.DataFrame, kind: Any, expected: list[str]) -> None:
    assert find_candidates(mixed, kind) == expected


def test_named_columns_come_in_the_order_of_the_table(features: pd.DataFrame) -> None:
    assert resolve_columns(_event(draw=None, columns=["RM", "ZN"]), features, 1) == ["ZN", "RM"]


def test_every_column_can_be_drawn(features: pd.DataFrame) -> None:
    draws = [resolve_columns(_event(), features, seed) for seed in range(60)]
    assert all(len(set(draw)) == 4 for draw in draws)
    assert set().union(*draws) == set(NAMES)


def test_a_draw_depends_on_seed_kind_start_and_stream_only(features: pd.DataFrame) -> None:
    draw = resolve_columns(_event(), features, 1)
    assert resolve_columns(_event(size=-1, end="2024-09"), features, 1) == draw
    others = [_event(kind="scale"), _event(start="2024-06"), _event(stream=1)]
    different = [resolve_columns(event, features, 1) != draw for event in others]
    assert all(different)
    assert resolve_columns(_event(), features, 2) != draw


@pytest.mark.parametrize("seed", range(5))
def test_drawing_more_keeps_those_drawn_before(features: pd.DataFrame, seed: int) -> None:
    draws = [set(resolve_columns(_event(draw=count), features, seed)) for count in range(1, len(NAMES) + 1)]
    assert all(fewer < more for fewer, more in pairwise(draws))


@pytest.mark.parametrize("seed", range(5))
def test_leaving_out_or_moving_a_column_that_was_not_drawn_changes_nothing(features: pd.DataFrame, seed: int) -> None:
    draw = resolve_columns(_event(), features, seed)
    spare = next(name for name in NAMES if name not in draw)
    assert resolve_columns(_event(), features.drop(columns=[spare]), seed) == draw
    assert set(resolve_columns(_event(), features[NAMES[::-1]], seed)) == set(draw)


def test_an_unknown_column_is_named_with_the_known_ones(features: pd.DataFrame) -> None:
    with pytest.raises(SimulationError, match="not among the features: CHAS") as caught:
        resolve_columns(_event(draw=None, columns=["RM", "CHAS"]), features, 1)
    assert caught.value.how_many == "1 of 2 named columns"
    assert "CRIM, ZN" in caught.value.remedy
    assert "leave_out" in caught.value.remedy


@pytest.mark.parametrize(
    ("kind", "column"),
    [("category_mix", "number"), ("mean_shift", "text"), ("scale", "constant"), ("scale", "truth")],
)
def test_a_kind_that_does_not_apply_is_refused(mixed: pd.DataFrame, kind: str, column: str) -> None:
    with pytest.raises(SimulationError, match=f"{kind} from 2024-05 does not apply to: {column}") as caught:
        resolve_columns(_event(draw=None, columns=[column], kind=kind, size=0.5), mixed, 1)
    assert str(mixed[column].dtype) in str(caught.value.example)


def test_drawing_more_columns_than_there_are_is_refused(features: pd.DataFrame) -> None:
    with pytest.raises(SimulationError, match="draw 12 columns, but it applies to 11") as caught:
        resolve_columns(_event(draw=12), features, 1)
    assert "lower `draw`" in caught.value.remedy
    with pytest.raises(SimulationError, match="applies to 0"):
        resolve_columns(_event(draw=1, kind="category_mix", size=0.5), features, 1)
