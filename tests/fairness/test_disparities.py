"""Disparities: every group named, nothing passed over, the same answer however groups are stored."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rai_kedro.fairness.assessment import (
    Assessment,
    FairnessSpec,
    compare_table,
    examine_classification,
    examine_regression,
)
from rai_kedro.fairness.estimates import Disparity
from rai_kedro.fairness.grouping import GroupingSpec, make_groups
from rai_kedro.fairness.metrics import METRICS
from rai_kedro.fairness.tables import OutcomeError, count_groups, encode_outcome

from .conftest import assess_classification, assess_regression

ALL_OF_COUNTS = (
    "statistical_parity",
    "equal_opportunity",
    "predictive_equality",
    "equalized_odds",
    "predictive_parity",
    "negative_predictive_parity",
    "conditional_use_accuracy_equality",
    "overall_accuracy_equality",
    "treatment_equality",
)
REGRESSION = tuple(name for name, metric in METRICS.items() if metric.tasks == ("regression",))


def _frame(groups: int = 3, rows: int = 600, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"g": rng.integers(0, groups, rows), "y": rng.integers(0, 2, rows), "s": rng.random(rows)})
    return frame.assign(p=(frame.s > 0.5).astype(int))


def _assess(frame: pd.DataFrame, *metrics: str, **grouping: Any) -> list[Disparity]:
    spec = FairnessSpec(groupings=(GroupingSpec(columns="g", **grouping),), metrics=metrics)
    return assess_classification(frame.y, frame.p, frame.get("s"), frame, spec)


def _only(frame: pd.DataFrame, metric: str, kind: str = "difference", **grouping: Any) -> Disparity:
    return next(one for one in _assess(frame, metric, **grouping) if one.kind == kind)


@pytest.mark.parametrize("kind", ["text", "category", "float", "nullable"])
def test_storage_of_the_groups_changes_nothing(kind: str) -> None:
    frame = _frame()
    stored = {
        "text": frame.g.astype(str),
        "category": frame.g.astype("category"),
        "float": frame.g.astype(float),
        "nullable": frame.g.astype("Int8"),
    }
    scores = ("overall_balance", "calibration", "well_calibration")
    expected = _assess(frame, *ALL_OF_COUNTS, *scores)
    assert _assess(frame.assign(g=stored[kind]), *ALL_OF_COUNTS, *scores) == expected
    spec = FairnessSpec(groupings=(GroupingSpec(columns="g"),), metrics=REGRESSION)
    of_numbers = assess_regression(frame.y, frame.s, frame, spec)
    assert assess_regression(frame.y, frame.s, frame.assign(g=stored[kind]), spec) == of_numbers


def test_labels_as_text_booleans_and_numbers_agree() -> None:
    frame = _frame()
    expected = _assess(frame, *ALL_OF_COUNTS)
    assert _assess(frame.assign(y=frame.y == 1, p=frame.p.astype(float)), *ALL_OF_COUNTS) == expected
    text = frame.assign(y=frame.y.map({0: "no", 1: "yes"}), p=frame.p.map({0: "no", 1: "yes"}))
    spec = FairnessSpec(groupings=(GroupingSpec(columns="g"),), metrics=ALL_OF_COUNTS, favourable="yes")
    assert assess_classification(text.y, text.p, None, text, spec) == expected


def test_missing_group_values_are_compared_as_a_group() -> None:
    frame = _frame(2).astype({"g": object})
    frame.loc[:99, "g"] = None
    frame.loc[:99, "p"] = 1
    one = _only(frame, "statistical_parity")
    assert one.pair is not None
    assert one.pair[1] == "missing"
    assert [(figure.group, figure.n) for figure in one.groups][2] == ("missing", 100)
    assert one.left_out == {}
    assert _only(frame, "statistical_parity", missing="leave_out").left_out == {"missing group": 100}


def test_rows_without_label_or_prediction_are_counted() -> None:
    frame = _frame().astype({"y": float, "p": float})
    frame.loc[:9, "y"] = np.nan
    frame.loc[5:14, "p"] = np.nan
    one = _only(frame, "statistical_parity")
    assert one.left_out == {"missing label": 10, "withheld or missing prediction": 5}
    assert sum(figure.n for figure in one.groups) == 585


def test_an_absent_declared_group_is_not_assessed() -> None:
    one = _only(_frame(), "statistical_parity", declared=("0", "1", "2", "7"))
    assert one.not_assessed == ("7: declared, but has no rows",)
    assert one.value is not None


def test_an_absent_intersection_is_not_assessed() -> None:
    frame = _frame(2).assign(sex=lambda f: np.where(f.g == 0, "F", np.where(f.index % 2, "F", "M")))
    spec = FairnessSpec(groupings=(GroupingSpec(columns=("g", "sex")),), metrics=("statistical_parity",))
    for one in assess_classification(frame.y, frame.p, None, frame, spec):
        assert one.column == "g & sex"
        assert one.not_assessed == ("0 & M: declared, but has no rows",)


def test_a_group_without_positives_is_named_and_not_assessed() -> None:
    frame = _frame()
    frame.loc[frame.g == 2, "y"] = 0
    one = _only(frame, "equal_opportunity")
    assert one.not_assessed == ("2: no rows with a favourable label",)
    assert [figure.group for figure in one.groups] == ["0", "1", "2"]
    assert (one.groups[2].value, one.groups[2].n) == (None, 0)
    assert one.groups[2].note == "no rows with a favourable label"
    assert one.value is not None
    assert _only(frame, "statistical_parity").not_assessed == ()


def test_a_group_of_one_row_is_shown_with_what_can_be_said() -> None:
    frame = pd.concat([_frame(2), pd.DataFrame({"g": [9], "y": [1], "s": [0.9], "p": [1]})], ignore_index=True)
    one = _only(frame, "statistical_parity")
    assert (one.groups[2].group, one.groups[2].n, one.groups[2].value) == ("9", 1, 1.0)
    assert one.lower is not None
    assert one.upper is not None
    assert one.upper - one.lower > 0.4
    assert _only(frame, "predictive_equality").not_assessed == ("9: no rows with an unfavourable label",)
    balance = _only(frame, "balance_positive_class")
    assert balance.groups[2].lower is None
    assert "spread is unknown" in balance.groups[2].note
    assert balance.upper is None
    assert balance.note
    spec = FairnessSpec(groupings=(GroupingSpec(columns="g"),), metrics=REGRESSION)
    for disparity in assess_regression(frame.y, frame.s, frame, spec):
        assert "9" in {figure.group for figure in disparity.groups}, disparity.metric
        assert disparity.note, disparity.metric


@pytest.mark.parametrize("values", [["a"] * 60, [None] * 60], ids=["constant", "all missing"])
def test_a_column_with_one_group_is_not_assessed(values: list[object]) -> None:
    frame = _frame(rows=60).assign(g=values)
    for one in _assess(frame, *ALL_OF_COUNTS, "calibration", "overall_balance"):
        assert (one.value, one.lower, one.upper, one.pair) == (None, None, None, None), one.metric
        assert any("only the group" in reason for reason in one.not_assessed), one.metric
    spec = FairnessSpec(groupings=(GroupingSpec(columns="g"),), metrics=REGRESSION)
    for one in assess_regression(frame.y, frame.s, frame, spec):
        assert one.value is None
        assert one.not_assessed


def test_no_rows_at_all_are_not_assessed() -> None:
    frame = _frame().iloc[:0]
    for one in _assess(frame, *ALL_OF_COUNTS, "calibration", "well_calibration"):
        assert one.value is None
        assert one.not_assessed


def test_nobody_selected_leaves_the_ratio_undefined() -> None:
    frame = _frame().assign(p=0)
    difference, ratio = _assess(frame, "statistical_parity")
    assert difference.value == 0
    assert ratio.value is None
    assert ratio.not_assessed


def test_against_a_reference_only_its_pairs_count() -> None:
    rates = {"a": 0.1, "b": 0.5, "c": 0.8}
    rows = [(g, int(at < rate * 100)) for g, rate in rates.items() for at in range(100)]
    frame = pd.DataFrame(rows, columns=["g", "p"]).assign(y=0)

    def spec(**more: Any) -> FairnessSpec:
        return FairnessSpec(
            groupings=(GroupingSpec(columns="g", reference="b"),), metrics=("statistical_parity",), **more
        )

    difference, ratio = assess_classification(frame.y, frame.p, None, frame, spec(compare="reference"))
    assert (difference.value, difference.pair) == (pytest.approx(0.4), ("a", "b"))
    assert (ratio.value, ratio.pair, ratio.reference) == (pytest.approx(0.2), ("a", "b"), "b")
    difference, ratio = assess_classification(frame.y, frame.p, None, frame, spec())
    assert (difference.value, difference.pair, difference.reference) == (pytest.approx(0.7), ("a", "c"), None)


def test_default_figures_state_the_rows_behind_each_rate() -> None:
    frame = _frame(2)
    spec = FairnessSpec(groupings=(GroupingSpec(columns="g"),), metrics=("statistical_parity",))
    (table,) = examine_classification(frame.y, frame.p, None, frame, spec).tables
    by_name = {(figure.rate, figure.group): figure for figure in table.figures}
    assert len(by_name) == 6
    part = frame[frame.g == 0]
    false_negative = by_name["false negative rate", "0"]
    assert false_negative.n == int(part.y.sum())
    assert false_negative.value == pytest.approx(float((part.p[part.y == 1] == 0).mean()))
    assert by_name["false positive rate", "0"].n == int((part.y == 0).sum())
    assert by_name["selection rate", "0"].n == len(part)
    (table,) = examine_regression(
        frame.y, frame.s, frame, spec.model_copy(update={"metrics": ("mean_prediction",)})
    ).tables
    names = [figure.rate for figure in table.figures if figure.group == "1"]
    assert names == ["mean prediction", "mean absolute error", "root mean squared error", "mean signed error"]


def test_everything_survives_json() -> None:
    frame = _frame()
    frame.loc[frame.g == 2, "y"] = 0
    spec = FairnessSpec(
        groupings=(GroupingSpec(columns="g", declared=("5",)),), metrics=(*ALL_OF_COUNTS, "calibration")
    )
    found = examine_classification(frame.y, frame.p, frame.s, frame, spec)
    assert Assessment.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_the_same_counts_give_the_same_disparities() -> None:
    frame = _frame()
    spec = FairnessSpec(groupings=(GroupingSpec(columns="g"),), metrics=ALL_OF_COUNTS)
    grouping = make_groups(frame, spec.groupings[0])
    counts = count_groups(encode_outcome(frame.y, what="y"), encode_outcome(frame.p, what="p"), grouping)
    found = assess_classification(frame.y, frame.p, None, frame, spec)
    # How far all of them hold at once is known only where all of them are measured.
    assert compare_table(counts, grouping, spec) == [one.model_copy(update={"jointly": None}) for one in found]


def test_input_that_does_not_fit_is_refused() -> None:
    frame = _frame()
    spec = FairnessSpec(groupings=(GroupingSpec(columns="g"),), metrics=("statistical_parity", "calibration"))
    with pytest.raises(OutcomeError, match="not binary"):
        assess_classification(frame.index, frame.p, frame.s, frame, spec)
    with pytest.raises(OutcomeError, match="not probabilities"):
        assess_classification(frame.y, frame.p, frame.s + 1, frame, spec)
    with pytest.raises(OutcomeError, match="not of the same rows"):
        assess_classification(frame.y[:-1], frame.p, frame.s, frame, spec)
    with pytest.raises(OutcomeError, match="not of the same rows"):
        assess_classification(frame.y[::-1], frame.p, frame.s, frame, spec)


def test_an_interval_of_no_gap_reaches_zero_and_a_large_one_does_not() -> None:
    frame = _frame(2, rows=4000)
    assert _only(frame, "statistical_parity").lower == 0
    frame.loc[frame.g == 1, "p"] = 1
    far = _only(frame, "statistical_parity")
    assert far.lower is not None
    assert far.lower > 0.4
