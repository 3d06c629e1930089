"""The snapshots as a whole: months, keys, ground truth, and drift that a test finds where it was put."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, ks_2samp

from rai_kedro.demo.drift_injection import Snapshots
from rai_kedro.demo.drift_schedule import SimulationError, SimulationParameters
from rai_kedro.demo.snapshots import simulate_snapshots

RAW = pd.read_csv(Path(__file__).parents[2] / "data" / "01_raw" / "boston.csv")
RANGES = {
    "ZN": (0.0, 100.0),
    "AGE": (0.0, 100.0),
    "LSTAT": (0.0, 100.0),
    "B": (0.0, 396.9),
    "NOX": (0.0, 1.0),
}
FEATURES = ["CRIM", "ZN", "INDUS", "NOX", "RM", "AGE", "DIS", "TAX", "PTRATIO", "B", "LSTAT"]
SHIFT = {"draw": 4, "start": "2024-05", "kind": "mean_shift", "size": 2.0}
DEFAULT = {"label": "MEDV", "key": "tract", "leave_out": ["CHAS", "RAD"], "seed": 1, "drift": [SHIFT]}
FAMILY_WISE_RATE = 0.01
SEEDS = range(20)


def _simulate(raw: pd.DataFrame = RAW, ranges: Any = RANGES, **changes: Any) -> Snapshots:
    return simulate_snapshots(raw, SimulationParameters.model_validate({**DEFAULT, **changes}), ranges)


def _features(snapshots: Snapshots, month: str) -> pd.DataFrame:
    return snapshots.features[f"month={month}"]


def test_the_first_month_is_the_raw_table_exactly() -> None:
    snapshots = _simulate()
    january = _features(snapshots, "2024-01").merge(snapshots.labels["month=2024-01"], on=["month", "tract"])
    expected = RAW.drop(columns=["CHAS", "RAD"]).astype(float)
    pd.testing.assert_frame_equal(january.drop(columns=["month", "tract"]), expected)


def test_every_month_has_the_stores_form() -> None:
    snapshots = _simulate()
    keys = [f"month=2024-{month:02d}" for month in range(1, 9)]
    assert list(snapshots.features) == list(snapshots.labels) == keys
    for key in keys:
        features, labels = snapshots.features[key], snapshots.labels[key]
        assert list(features.columns) == ["month", "tract", *FEATURES]
        assert list(labels.columns) == ["month", "tract", "MEDV"]
        for frame in (features, labels):
            assert frame["tract"].tolist() == list(range(1, 507))
            assert frame["tract"].dtype == np.int64
            assert frame["month"].unique().tolist() == [key.removeprefix("month=")]
            assert (frame.drop(columns=["month", "tract"]).dtypes == np.float64).all()
            assert frame.notna().all(axis=None)


def test_exact_months_are_copies_of_the_raw_table_but_for_the_drift() -> None:
    snapshots = _simulate(variation="exact")
    january = _features(snapshots, "2024-01")[FEATURES]
    for month in ("2024-02", "2024-03", "2024-04"):
        pd.testing.assert_frame_equal(_features(snapshots, month)[FEATURES], january)
    drifted = snapshots.drift_ground_truth["drifted_columns"]["2024-08"]
    rest = [name for name in FEATURES if name not in drifted]
    pd.testing.assert_frame_equal(_features(snapshots, "2024-08")[rest], january[rest])
    for labels in snapshots.labels.values():
        np.testing.assert_array_equal(labels["MEDV"], RAW["MEDV"])


def test_the_same_seed_gives_the_same_months_and_another_seed_others() -> None:
    first, again, other = _simulate(), _simulate(), _simulate(seed=2)
    for key in first.features:
        pd.testing.assert_frame_equal(first.features[key], again.features[key])
        pd.testing.assert_frame_equal(first.labels[key], again.labels[key])
    assert first.drift_ground_truth == again.drift_ground_truth
    assert not first.features["month=2024-02"].equals(other.features["month=2024-02"])


def test_a_month_does_not_depend_on_how_many_are_made() -> None:
    few, many = _simulate(months=6), _simulate(months=12)
    for key in few.features:
        pd.testing.assert_frame_equal(few.features[key], many.features[key])
        pd.testing.assert_frame_equal(few.labels[key], many.labels[key])


def test_drift_leaves_other_columns_and_months_as_they_would_be_without_it() -> None:
    calm, drifted = _simulate(drift=[]), _simulate()
    truth = drifted.drift_ground_truth["drifted_columns"]
    for key in calm.features:
        untouched = [name for name in FEATURES if name not in truth[key.removeprefix("month=")]]
        pd.testing.assert_frame_equal(calm.features[key][untouched], drifted.features[key][untouched])
        pd.testing.assert_frame_equal(calm.labels[key], drifted.labels[key])


def test_another_event_before_it_changes_neither_draw_nor_rows_of_an_event() -> None:
    loss = {"draw": 1, "start": "2024-03", "kind": "missing_values", "size": 0.1}
    alone, second = _simulate(drift=[loss]), _simulate(drift=[SHIFT, loss])
    assert alone.drift_ground_truth["events"][0] == second.drift_ground_truth["events"][1]
    [column] = alone.drift_ground_truth["events"][0]["columns"]
    for key in alone.features:
        assert alone.features[key][column].isna().equals(second.features[key][column].isna())


def test_the_raw_table_is_left_as_it_was() -> None:
    raw = RAW.copy()
    _simulate(raw)
    pd.testing.assert_frame_equal(raw, RAW)


def test_the_ground_truth_tells_months_events_and_realised_changes() -> None:
    named = {"columns": ["B", "RM"], "start": "2024-03", "end": "2024-04", "kind": "mean_shift", "size": 2.0}
    relation = {
        "columns": ["RM"],
        "start": "2024-04",
        "end": "2024-04",
        "kind": "label_relation",
        "size": -1.0,
    }
    snapshots = _simulate(months=5, drift=[named, relation])
    truth = snapshots.drift_ground_truth
    assert json.loads(json.dumps(truth, allow_nan=False)) == truth
    assert truth["months"] == ["2024-01", "2024-02", "2024-03", "2024-04", "2024-05"]
    assert truth["events"][0] == {
        "columns": ["RM", "B"],
        "drawn": False,
        "months": ["2024-03", "2024-04"],
        "kind": "mean_shift",
        "size": 2.0,
        "start": "2024-03",
        "end": "2024-04",
    }
    assert truth["drifted_months"] == ["2024-03", "2024-04"]
    assert truth["drifted_columns"] == {
        "2024-01": [], "2024-02": [], "2024-03": ["B", "RM"], "2024-04": ["B", "RM"], "2024-05": []
    }  # fmt: skip
    assert truth["drifted_labels"]["2024-04"] == ["MEDV"]
    assert truth["drifted_labels"]["2024-03"] == []
    entries = {(entry["month"], entry["column"], entry["kind"]): entry for entry in truth["injected"]}
    assert len(entries) == len(truth["injected"]) == 5
    rooms, race = (entries["2024-03", name, "mean_shift"] for name in ("RM", "B"))
    assert rooms["realised"] == pytest.approx(2.0)
    assert rooms["unit"] == "standard deviations of the raw column"
    # Most of B already sits at its ceiling of 396.9, so little of the shift can happen.
    calm = _features(_simulate(drift=[]), "2024-03")["B"]
    change = (_features(snapshots, "2024-03")["B"].mean() - calm.mean()) / RAW["B"].std()
    assert race["realised"] == pytest.approx(change)
    assert race["realised"] < 0.6 < race["requested"]


def test_events_apply_in_the_order_of_the_schedule() -> None:
    shift = {"columns": ["RM"], "start": "2024-02", "kind": "mean_shift", "size": 1.0}
    scale = {"columns": ["RM"], "start": "2024-02", "kind": "scale", "size": 2.0}
    shifted_first, scaled_first = (
        _features(_simulate(variation="exact", drift=drift), "2024-02")["RM"].mean()
        for drift in ([shift, scale], [scale, shift])
    )
    assert shifted_first - RAW["RM"].mean() == pytest.approx(2 * RAW["RM"].std())
    assert scaled_first - RAW["RM"].mean() == pytest.approx(RAW["RM"].std())


def test_an_event_after_the_last_month_is_told_with_no_months() -> None:
    truth = _simulate(months=4).drift_ground_truth
    assert truth["events"][0]["months"] == []
    assert truth["drifted_months"] == truth["injected"] == []


def test_a_table_of_ones_own_with_text_whole_numbers_gaps_and_two_labels() -> None:
    random = np.random.default_rng(0)
    raw = pd.DataFrame(
        {
            "age": random.integers(0, 90, 300),
            "ward": random.choice(["a", "b", "c"], 300),
            "pulse": np.where(random.random(300) < 0.1, np.nan, random.normal(80, 10, 300)),
            "admitted": random.integers(0, 2, 300),
            "cost": random.gamma(2, 100, 300),
        }
    )
    mix = {"draw": 1, "start": "2024-02", "kind": "category_mix", "size": 0.3}
    labels = ["admitted", "cost"]
    snapshots = _simulate(raw, {}, label=labels, key="visit", leave_out=[], months=3, drift=[mix])
    assert list(snapshots.labels["month=2024-03"].columns) == ["month", "visit", *labels]
    assert snapshots.labels["month=2024-03"]["admitted"].dtype == raw["admitted"].dtype
    assert snapshots.drift_ground_truth["drifted_columns"]["2024-02"] == ["ward"]
    march = _features(snapshots, "2024-03")
    assert march["age"].dtype == np.float64
    assert (march["age"] % 1 == 0).all()
    assert march["pulse"].isna().any()


@settings(max_examples=40)
@given(
    chosen=st.fixed_dictionaries(
        {
            "months": st.integers(1, 5),
            "seed": st.integers(0, 2**40),
            "variation": st.sampled_from(["resample", "exact"]),
        }
    ),
    rows=st.integers(2, 60),
    kind=st.sampled_from(["mean_shift", "scale", "missing_values", "label_relation"]),
    draw=st.integers(1, 11),
)
def test_whatever_the_schedule_rows_and_keys_hold_and_undrifted_columns_are_untouched(
    chosen: dict[str, Any], rows: int, kind: str, draw: int
) -> None:
    raw = RAW.iloc[np.linspace(0, len(RAW) - 1, rows).astype(int)]
    candidates = [name for name in FEATURES if raw[name].nunique() > 1]
    event = {"draw": min(draw, len(candidates)), "start": "2024-03", "kind": kind, "size": 0.4}
    drifted, calm = (_simulate(raw, RANGES, drift=drift, **chosen) for drift in ([event], []))
    assert len(drifted.features) == len(drifted.labels) == chosen["months"]
    for key, frame in drifted.features.items():
        truth = drifted.drift_ground_truth["drifted_columns"][key.removeprefix("month=")]
        untouched = [name for name in FEATURES if name not in truth]
        assert frame["tract"].tolist() == drifted.labels[key]["tract"].tolist() == list(range(1, rows + 1))
        pd.testing.assert_frame_equal(frame[untouched], calm.features[key][untouched])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"label": "PRICE"}, "`label` names columns that the raw table does not have: PRICE"),
        ({"leave_out": ["CHAS", "RADD"]}, "`leave_out` names columns that the raw table does not have: RADD"),
        ({"leave_out": ["MEDV"]}, "both a label and left out"),
        ({"key": "RM"}, "already has a column with the name of the row key"),
        ({"key": "month"}, "may not be called month"),
        ({"leave_out": [name for name in RAW.columns if name != "MEDV"]}, "No feature is left"),
        ({"drift": [{**SHIFT, "draw": 12}]}, "draw 12 columns, but it applies to 11"),
        ({"drift": [{**SHIFT, "draw": None, "columns": ["CHAS"]}]}, "not among the features: CHAS"),
        ({"drift": [{**SHIFT, "draw": None, "columns": ["MEDV"]}]}, "not among the features: MEDV"),
    ],
)
def test_parameters_that_do_not_fit_the_table_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SimulationError, match=message) as caught:
        _simulate(**changes)
    assert caught.value.where
    assert caught.value.remedy


def test_a_table_that_is_too_small_or_has_months_already_is_refused() -> None:
    with pytest.raises(SimulationError, match="has 1 rows; at least 2 are needed"):
        _simulate(RAW.head(1))
    with pytest.raises(SimulationError, match="already has a column month"):
        _simulate(RAW.assign(month="2024-01"))


def _name_drifted(reference: pd.DataFrame, current: pd.DataFrame) -> set[str]:
    """Kolmogorov-Smirnov per column at the family-wise rate, Bonferroni-corrected over the columns."""
    threshold = FAMILY_WISE_RATE / len(FEATURES)
    return {name for name in FEATURES if ks_2samp(reference[name], current[name]).pvalue < threshold}


@pytest.fixture(scope="module")
def verdicts() -> list[tuple[set[str], set[str]]]:
    """For each seed and month: the columns a test names, and the columns that were shifted."""
    found = []
    for seed in SEEDS:
        snapshots = _simulate(seed=seed)
        reference = _features(snapshots, "2024-01").sample(frac=1 / 3, random_state=seed)
        for month, truth in snapshots.drift_ground_truth["drifted_columns"].items():
            found.append((_name_drifted(reference, _features(snapshots, month)), set(truth)))
    return found


def test_undrifted_months_raise_no_more_alarms_than_the_rate_allows(
    verdicts: list[tuple[set[str], set[str]]],
) -> None:
    calm = [bool(named) for named, shifted in verdicts if not shifted]
    assert len(calm) == 4 * len(SEEDS)
    assert sum(calm) <= binom.ppf(0.999, len(calm), FAMILY_WISE_RATE)


def test_every_shifted_column_is_named_in_every_drifted_month(
    verdicts: list[tuple[set[str], set[str]]],
) -> None:
    drifted = [(named, shifted) for named, shifted in verdicts if shifted]
    assert len(drifted) == 4 * len(SEEDS)
    assert all(len(shifted) == 4 and shifted <= named for named, shifted in drifted)
    assert set().union(*(shifted for _, shifted in drifted)) == set(FEATURES)


@pytest.mark.parametrize("direction", [2.0, -2.0])
def test_a_shift_is_found_in_every_column_even_where_it_is_clipped(direction: float) -> None:
    shift = {"columns": FEATURES, "start": "2024-02", "kind": "mean_shift", "size": direction}
    ranges = dict.fromkeys(FEATURES, (0.0, None)) | RANGES
    snapshots = _simulate(months=2, ranges=ranges, drift=[shift])
    reference = _features(snapshots, "2024-01").sample(frac=1 / 3, random_state=0)
    assert _name_drifted(reference, _features(snapshots, "2024-02")) == set(FEATURES)
