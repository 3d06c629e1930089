"""The two-sample tests: known answers, and the false-alarm rate they are there to hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from rai_kedro.monitoring import smallest_visible
from rai_kedro.monitoring.statistics import (
    category_p_value,
    difference_limits,
    inflated_p_value,
    number_p_value,
    pool_rare,
    unseen_limits,
)


def test_limits_of_one_event_are_newcombes() -> None:
    """Newcombe (1998), table II, method 10 with Wilson's limits: 56/70 against 48/80 is .2000 (.0524 to .3339)."""
    events, rows = np.array([[[48.0, 56.0]]]), np.array([[[80.0, 70.0]]])
    lower, upper = difference_limits(events, rows, (0.025, 0.025))
    assert (lower[0], upper[0]) == (pytest.approx(0.0524, abs=0.002), pytest.approx(0.3339, abs=0.003))


def test_limits_of_several_events_are_the_largest_of_each() -> None:
    events, rows = np.array([[[10.0, 30.0], [50.0, 50.0]]]), np.full((1, 2, 2), 100.0)
    both = difference_limits(events, rows, (0.001, 0.01))
    alone = difference_limits(events[:, :1], rows[:, :1], (0.001, 0.01))
    assert both[0] == pytest.approx(alone[0])
    assert both[1] >= alone[1]


def test_categories_that_a_reference_leaves_unseen_by_chance_are_no_effect() -> None:
    """Zipf: new levels turn up all the time; the limits hold the true share that is beyond chance, which is 0."""
    rng, wrong, months = np.random.default_rng(5), 0, 2000
    shares = 1 / np.arange(1, 2001)
    shares /= shares.sum()
    for _ in range(months):
        before, after = rng.multinomial(500, shares), rng.multinomial(700, shares)
        unseen = int(after[before == 0].sum())
        found = unseen_limits(unseen, 700, (500, int((before == 1).sum()), int((before == 2).sum())), (0.01, 0.01))
        wrong += found[1] > 0
        assert found[0] < 0.15 < unseen / 700
    assert wrong <= stats.binom.ppf(0.999, months, 0.01)


def test_what_can_be_seen_beforehand_is_what_is_seen() -> None:
    from rai_kedro.monitoring import detect_drift

    visible = smallest_visible(500, 2000, 0.1, 0.01, 2)
    rng, found, excluded = np.random.default_rng(6), 0, 0
    for _ in range(200):
        reference, current = rng.normal(size=(500, 1)), rng.normal(size=(2000, 1))
        found += bool(detect_drift(reference, current + visible.shift, rate=0.01).drifted_columns)
        excluded += detect_drift(reference, current, rate=0.01).columns[0].upper < visible.excluded
    assert 0.7 <= found / 200 <= 0.93
    assert 0.7 <= excluded / 200 <= 0.93


@pytest.mark.parametrize(("rows", "rate"), [((30, 30), 0.001), ((500, 500), 0.0), ((0, 500), 0.01)])
def test_what_cannot_be_seen_is_said_to_be_invisible(rows: tuple[int, int], rate: float) -> None:
    assert smallest_visible(*rows, 0.8, rate, 20).effect is None


def test_the_distance_at_all_values_is_kolmogorovs() -> None:
    rng = np.random.default_rng(7)
    reference, current = np.sort(rng.normal(size=4000)), np.sort(rng.normal(size=3000))
    points = np.concatenate([reference, current])
    at_most = np.column_stack([np.searchsorted(side, points, "right") for side in (reference, current)])
    expected = stats.ks_2samp(reference, current, method="asymp").pvalue
    assert number_p_value(at_most, np.array([4000, 3000])) == pytest.approx(expected, rel=0.05)


def test_a_share_of_zeros_that_changes_is_seen_where_kolmogorov_sees_nothing() -> None:
    """Non-zero share .1 -> .2, half of it negative: the two distributions lie .05 apart, the shares of zero .1."""
    below, zero, rows = np.array([[25, 50]]), np.array([[450, 400]]), np.array([500, 500])
    at_most = np.vstack([below, below + zero])
    assert number_p_value(at_most, rows) > 0.1
    found = inflated_p_value(at_most, zero, np.vstack([[[0, 0]], zero]), rows)
    assert found < 1e-3


def test_thin_cells_in_the_tail_are_tested_by_drawing_tables() -> None:
    """Zipf columns at nominal .1 %: the chi-squared law gives too small p-values there."""
    rng, alarms, months = np.random.default_rng(8), 0, 3000
    shares = 1 / np.arange(1, 61) ** 1.5
    shares /= shares.sum()
    for _ in range(months):
        alarms += category_p_value(np.vstack([rng.multinomial(167, shares), rng.multinomial(506, shares)])) <= 1e-3
    assert alarms <= stats.binom.ppf(0.999, months, 1e-3)


def test_two_categories_are_tested_exactly() -> None:
    # Fisher's tea tasting (1935): 3 of 4 right, two-sided p = 34/70.
    assert category_p_value(np.array([[3, 1], [1, 3]])) == pytest.approx(34 / 70)


def test_common_categories_are_tested_by_chi_squared() -> None:
    table = np.array([[60, 40, 20], [150, 190, 70]])
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = ((table - expected) ** 2 / expected).sum()
    assert category_p_value(table) == pytest.approx(float(stats.chi2.sf(statistic, df=2)))


def test_one_category_shows_no_difference() -> None:
    assert category_p_value(np.array([[30], [500]])) == 1.0


def test_rare_categories_are_merged_until_the_chi_squared_law_holds() -> None:
    pooled = pool_rare(np.array([[80, 60, 1, 3, 1], [240, 190, 3, 9, 4]]))
    assert pooled.sum() == 591
    assert pooled.shape == (2, 3)
    expected = pooled.sum(axis=1, keepdims=True) * pooled.sum(axis=0) / pooled.sum()
    assert expected.min() >= 5


def test_two_groups_are_left_when_all_but_one_category_are_rare() -> None:
    pooled = pool_rare(np.array([[30, 1, 0], [80, 0, 1]]))
    np.testing.assert_array_equal(pooled, [[1, 30], [1, 80]])


def test_a_common_category_unknown_to_the_reference_is_found() -> None:
    assert category_p_value(np.array([[80, 87, 0], [200, 206, 100]])) < 1e-6


def test_false_alarms_stay_within_the_rate_where_the_one_sample_test_does_not() -> None:
    rng = np.random.default_rng(20240501)
    shares, rate, months = [0.4, 0.3, 0.2, 0.07, 0.03], 0.01, 3000
    ours, one_sample = 0, 0
    for _ in range(months):
        table = np.vstack([rng.multinomial(167, shares), rng.multinomial(506, shares)])
        ours += category_p_value(table) <= rate
        scaled = table[0] * 506 / 167
        with np.errstate(divide="ignore", invalid="ignore"):
            one_sample += float(np.nan_to_num(stats.chisquare(table[1], scaled, sum_check=False).pvalue)) <= rate
    assert ours <= stats.binom.ppf(0.9999, months, rate)
    assert one_sample > 20 * months * rate, "the test that was replaced would do after all"
