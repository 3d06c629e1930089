"""The two-sample tests: known answers, and the false-alarm rate they are there to hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rai_kedro.monitoring.statistics import category_p_value, contingency_table, pool_rare


def test_table_counts_both_samples_and_leaves_missing_values_out() -> None:
    table = contingency_table(pd.Series(["a", "a", "b", None]), pd.Series(["a", "c", np.nan], dtype=object))
    np.testing.assert_array_equal(table, [[2, 1, 0], [1, 0, 1]])


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
