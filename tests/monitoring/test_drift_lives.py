"""The small form of ``benchmarks/monitor.py``: verdicts over the whole life of a version."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from drift_lives import MARGIN, MONTHS, RATE, Setting, draw_column, limit_effects, simulate_lives
from rai_kedro.monitoring import ColumnProfile, DriftPolicy, Looks, ReferenceProfile, compare_profiles

LIVES = 40


@pytest.mark.parametrize("values", ["continuous", "tied", "zero-inflated", "Zipf"])
@pytest.mark.parametrize("rows", [500, 100_000])
def test_a_life_in_which_nothing_changes_is_called_drift_no_more_often_than_the_budget(rows: int, values: Any) -> None:
    found = simulate_lives(Setting(rows, 5, values), LIVES, seed=2)
    assert found.drift <= stats.binom.ppf(0.999, LIVES, RATE)


@pytest.mark.parametrize("values", ["continuous", "tied", "zero-inflated", "Zipf"])
def test_at_the_margin_itself_both_verdicts_keep_to_the_budget(values: Any) -> None:
    setting = Setting(5_000, 5, values, at_margin=True)
    found = simulate_lives(setting, LIVES, seed=3)
    assert found.drift <= stats.binom.ppf(0.999, LIVES, RATE)
    assert found.excluded is not None
    assert found.excluded <= stats.binom.ppf(0.999, LIVES * setting.columns, RATE)


def test_the_lives_count_as_the_project_does() -> None:
    """The simulation and ``compare_profiles`` give the same effects and limits from the same counts."""
    rng, rate = np.random.default_rng(4), Looks(planned=MONTHS).rate_of(1, RATE)
    reference, current = draw_column(Setting(5_000, 1, "continuous", at_margin=True), rng)
    cuts = tuple(float(cut) for cut in range(len(reference)))

    def profile(counts: Any) -> ReferenceProfile:
        column = ColumnProfile(kind="numerical", missing=0, cuts=cuts, at_most=tuple(int(count) for count in counts))
        return ReferenceProfile(rows=5_000, columns={"x": column})

    for month in current[:5]:
        (found,) = compare_profiles(profile(reference), profile(month), DriftPolicy(margin=MARGIN), rate).columns
        assert found.value == pytest.approx(np.abs(month - reference).max() / 5_000)
        for limit, sign, tail in ((found.lower, -1, rate / (4 * len(reference))), (found.upper, 1, rate)):
            drawn = limit_effects(reference, month, 5_000, tail, sign=sign).max()
            assert max(drawn, 0) == pytest.approx(limit)
        assert found.how.startswith(f"lower limit over {len(reference)} shares of rows and 2 comparisons")
