"""Each kind of drift changes what it says, by how much it says, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_kedro.demo.drift_injection import (
    Injection,
    MonthTables,
    Range,
    RawTables,
    inject_drift,
)
from rai_kedro.demo.drift_schedule import DriftEvent, SimulationError
from rai_kedro.demo.variation import MonthStreams

ROWS = 400
ANY_STREAM = MonthStreams(seed=1, month_index=1)


def _raw_tables(ranges: dict[str, Range] | None = None) -> RawTables:
    random = np.random.default_rng(0)
    features = pd.DataFrame(
        {
            "x": random.normal(50, 10, ROWS),
            "z": random.normal(0, 1, ROWS),
            "town": random.choice(["a", "b", "c"], ROWS),
            "river": random.random(ROWS) < 0.3,
        }
    )
    labels = pd.DataFrame({"y": random.normal(20, 5, ROWS)})
    return RawTables(features, labels, ranges or {})


def _inject(
    kind: str, size: float, column: str, raw: RawTables, stream: MonthStreams = ANY_STREAM
) -> tuple[MonthTables, list[Injection]]:
    event = DriftEvent.model_validate({"columns": [column], "start": "2024-05", "kind": kind, "size": size})
    month = MonthTables(raw.features.copy(), raw.labels.copy())
    drifted = inject_drift(month, event, [column], raw, stream)
    pd.testing.assert_frame_equal(month.features, raw.features)
    pd.testing.assert_frame_equal(month.labels, raw.labels)
    return drifted


def _assert_only_changed(month: MonthTables, raw: RawTables, column: str) -> None:
    pd.testing.assert_frame_equal(month.features.drop(columns=column), raw.features.drop(columns=column))
    pd.testing.assert_frame_equal(month.labels, raw.labels)
    assert not month.features[column].equals(raw.features[column])
    assert month.features[column].dtype == raw.features[column].dtype


def test_mean_shift_moves_every_value_by_sample_standard_deviations() -> None:
    raw = _raw_tables()
    month, [told] = _inject("mean_shift", 2.0, "x", raw)
    np.testing.assert_allclose(month.features["x"], raw.features["x"] + 2 * raw.features["x"].std(ddof=1))
    assert told.realised == pytest.approx(2.0)
    assert (told.column, told.changed, told.requested) == ("x", "x", 2.0)
    _assert_only_changed(month, raw, "x")


@settings(max_examples=50)
@given(st.floats(-5, 5).filter(lambda size: abs(size) > 1e-3), st.floats(0, 50), st.floats(50, 100))
def test_shifted_values_stay_within_the_contract_and_the_truth_tells_what_is_left(
    size: float, low: float, high: float
) -> None:
    raw = _raw_tables({"x": (low, high)})
    month, [told] = _inject("mean_shift", size, "x", raw)
    assert month.features["x"].between(low, high).all()
    moved = (month.features["x"].mean() - raw.features["x"].mean()) / raw.features["x"].std()
    assert told.realised == pytest.approx(moved)


def test_an_open_end_of_a_range_clips_nothing() -> None:
    month, [told] = _inject("mean_shift", 3.0, "x", _raw_tables({"x": (0, None)}))
    assert told.realised == pytest.approx(3.0)
    month, [told] = _inject("mean_shift", -9.0, "x", _raw_tables({"x": (0, None)}))
    assert month.features["x"].min() == 0
    assert told.realised is not None
    assert told.realised > -9


@pytest.mark.parametrize("size", [0.5, 3.0])
def test_scale_multiplies_deviations_and_keeps_the_mean(size: float) -> None:
    raw = _raw_tables()
    month, [told] = _inject("scale", size, "x", raw)
    assert month.features["x"].mean() == pytest.approx(raw.features["x"].mean())
    assert month.features["x"].std() == pytest.approx(size * raw.features["x"].std())
    assert told.realised == pytest.approx(size)
    _assert_only_changed(month, raw, "x")


@pytest.mark.parametrize("column", ["x", "town"])
def test_missing_values_take_a_share_of_the_rows(column: str) -> None:
    raw = _raw_tables()
    month, [told] = _inject("missing_values", 0.25, column, raw)
    gone = month.features[column].isna()
    assert gone.sum() == 100
    assert told.realised == 0.25
    pd.testing.assert_series_equal(month.features[column][~gone], raw.features[column][~gone])
    _assert_only_changed(month, raw, column)


def test_other_rows_go_missing_in_other_months_and_with_other_seeds() -> None:
    raw = _raw_tables()
    gone = [
        tuple(_inject("missing_values", 0.25, "x", raw, MonthStreams(seed, month_index))[0].features["x"].isna())
        for month_index, seed in [(1, 1), (1, 1), (2, 1), (1, 2)]
    ]
    assert gone[0] == gone[1]
    assert len(set(gone)) == 3


@pytest.mark.parametrize("column", ["town", "river"])
def test_category_mix_moves_a_share_of_the_rows_to_one_category(column: str) -> None:
    raw = _raw_tables()
    month, [told] = _inject("category_mix", 0.2, column, raw)
    before, after = (frame[column].astype(str) for frame in (raw.features, month.features))
    assert told.realised == 0.2
    assert (before != after).sum() == 80
    assert set(after[before != after]) == {told.detail}
    _assert_only_changed(month, raw, column)


def test_category_mix_keeps_its_category_over_the_months_and_knows_when_rows_run_out() -> None:
    raw = _raw_tables()
    results = [_inject("category_mix", 1.0, "town", raw, MonthStreams(1, month_index)) for month_index in range(1, 6)]
    assert len({told.detail for _, [told] in results}) == 1
    month, [told] = results[0]
    assert month.features["town"].unique().tolist() == [told.detail]
    assert told.realised == (raw.features["town"] != told.detail).mean()


def test_every_category_can_be_drawn() -> None:
    raw = _raw_tables()
    assert {_inject("category_mix", 0.1, "town", raw, MonthStreams(seed, 1))[1][0].detail for seed in range(30)} == {
        "a",
        "b",
        "c",
    }


def test_label_relation_changes_the_label_along_the_column_and_leaves_the_features() -> None:
    raw = _raw_tables()
    month, [told] = _inject("label_relation", -0.5, "x", raw)
    pd.testing.assert_frame_equal(month.features, raw.features)
    score = (raw.features["x"] - raw.features["x"].mean()) / raw.features["x"].std()
    np.testing.assert_allclose(month.labels["y"], raw.labels["y"] - 0.5 * raw.labels["y"].std() * score)
    assert told.realised == pytest.approx(-0.5)
    assert (told.column, told.changed) == ("x", "y")


def test_label_relation_is_clipped_to_the_range_of_the_label() -> None:
    month, [told] = _inject("label_relation", 3.0, "x", _raw_tables({"y": (5, 50)}))
    assert month.labels["y"].between(5, 50).all()
    assert told.realised is not None
    assert 0 < told.realised < 3


def test_label_relation_leaves_the_label_where_the_column_is_missing() -> None:
    raw = _raw_tables()
    raw.features.loc[:99, "x"] = np.nan
    month, _ = _inject("label_relation", 1.0, "x", raw)
    pd.testing.assert_series_equal(month.labels["y"][:100], raw.labels["y"][:100])
    assert (month.labels["y"][100:] != raw.labels["y"][100:]).all()


@pytest.mark.parametrize("labels", [[0, 1], [True, False], ["yes", "no"]])
def test_label_relation_refuses_a_label_that_is_not_floating_point(labels: list[Any]) -> None:
    features = pd.DataFrame({"x": np.arange(ROWS, dtype=float)})
    raw = RawTables(features, pd.DataFrame({"y": labels * (ROWS // 2)}), {})
    with pytest.raises(SimulationError, match="would change label y, which is of type") as caught:
        _inject("label_relation", 1.0, "x", raw)
    assert "floating-point" in caught.value.remedy


def test_a_change_that_cannot_be_measured_is_told_as_none() -> None:
    raw = _raw_tables()
    event = DriftEvent(columns=("x",), start="2024-05", kind="mean_shift", size=1.0)
    empty = MonthTables(raw.features.assign(x=np.nan), raw.labels)
    _, [told] = inject_drift(empty, event, ["x"], raw, MonthStreams(1, 1))
    assert told.realised is None
