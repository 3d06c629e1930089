"""Known answers, equality with fairlearn, and simulated coverage of the first fairness figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rai_kedro.fairness.gaps import demographic_parity_gap, error_rate_gap, mean_absolute_error_gap
from rai_kedro.fairness.groups import MISSING, Grouping, group_rows


def _grouping(labels: list[str]) -> Grouping:
    return Grouping("g", "given", pd.Series(labels, dtype="object"))


def test_newcombe_interval_matches_the_published_example() -> None:
    # Newcombe (1998), table II (a): 56/70 - 48/80, method 10: 0.0524 to 0.3339.
    selected = pd.Series([True] * 56 + [False] * 14 + [True] * 48 + [False] * 32)
    gap = demographic_parity_gap(selected, _grouping(["a"] * 70 + ["b"] * 80), level=0.95)
    assert gap.value == pytest.approx(0.2)
    assert (gap.lower, gap.upper) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


def test_welch_interval_matches_scipy() -> None:
    from scipy import stats

    rng = np.random.default_rng(1)
    error = pd.Series(rng.gamma(2, 1, 80))
    labels = ["a"] * 30 + ["b"] * 50
    gap = mean_absolute_error_gap(error, pd.Series(np.zeros(80)), _grouping(labels), level=0.95)
    expected = stats.ttest_ind(error[:30], error[30:], equal_var=False).confidence_interval(0.95)
    ends = sorted((abs(expected.low), abs(expected.high)))
    crosses_zero = expected.low <= 0 <= expected.high
    assert gap.lower == pytest.approx(0.0 if crosses_zero else ends[0])
    assert gap.upper == pytest.approx(ends[1])


def test_gap_equals_fairlearn_for_three_groups() -> None:
    from fairlearn.metrics import demographic_parity_difference

    rng = np.random.default_rng(2)
    selected = pd.Series(rng.random(300) < 0.4)
    labels = rng.choice(["a", "b", "c"], 300).tolist()
    expected = demographic_parity_difference(selected, selected, sensitive_features=labels)
    assert demographic_parity_gap(selected, _grouping(labels), level=0.95).value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("true_gap", [0.0, 0.2])
def test_interval_of_the_largest_gap_covers_the_truth(true_gap: float) -> None:
    rng = np.random.default_rng(3)
    rates, rows, runs = [0.3, 0.3, 0.3 + true_gap], 150, 400
    labels = _grouping([name for name in "abc" for _ in range(rows)])
    covered = 0
    for _ in range(runs):
        selected = pd.Series(np.concatenate([rng.random(rows) < rate for rate in rates]))
        gap = demographic_parity_gap(selected, labels, level=0.95)
        assert gap.lower is not None and gap.upper is not None
        covered += gap.lower <= true_gap <= gap.upper
    assert covered / runs >= 0.93


def test_a_group_of_one_row_is_shown_and_leaves_the_interval_open() -> None:
    target = pd.Series([1.0, 2.0, 3.0])
    gap = mean_absolute_error_gap(target, target + 1, _grouping(["a", "a", "b"]), level=0.95)
    assert [(g.group, g.rows) for g in gap.groups] == [("a", 2), ("b", 1)]
    assert gap.value == 0.0
    assert gap.lower is None


def test_missing_values_are_a_group_of_their_own() -> None:
    grouping = group_rows(pd.Series([1.0, 2.0, 3.0, np.nan]), column="x", categorical=False)
    assert grouping.labels.tolist() == ["at or below", "at or below", "above", MISSING]


def test_integer_and_text_categories_give_the_same_groups() -> None:
    as_integers = group_rows(pd.Series([1, 2, 1]), column="x", categorical=True)
    as_text = group_rows(pd.Series(["1", "2", "1"]), column="x", categorical=True)
    assert as_integers.labels.tolist() == as_text.labels.tolist()


def test_error_rate_gap_is_that_of_fairlearns_metric_frame() -> None:
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import zero_one_loss

    rng = np.random.default_rng(4)
    label, decision = rng.integers(0, 2, 200), rng.integers(0, 2, 200)
    labels = rng.choice(["a", "b", "c"], 200).tolist()
    expected = MetricFrame(metrics=zero_one_loss, y_true=label, y_pred=decision, sensitive_features=labels).difference()
    assert error_rate_gap(pd.Series(label != decision), _grouping(labels), level=0.95).value == pytest.approx(expected)


def test_a_group_without_spread_has_no_interval_and_none_is_negative() -> None:
    target = pd.Series([1.0, 1.0, 1.0, 9.0, 0.0, 0.0])
    gap = mean_absolute_error_gap(target, pd.Series(np.zeros(6)), _grouping(["a"] * 2 + ["b"] * 4), level=0.95)
    assert gap.groups[0].lower is None
    assert gap.groups[1].lower == 0.0
