"""One error budget for the life of a version: known boundaries, and lives simulated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from rai_kedro.errors import RaiError
from rai_kedro.monitoring import Looks

SPENDINGS = ["uniform", "obrien_fleming", "endless"]
MONTHS, RATE, LIVES = 60, 0.05, 20_000


def boundaries(looks: Looks, rows: np.ndarray, rate: float = RATE) -> np.ndarray:
    levels = np.array(looks.levels_of_cumulated(rows.tolist(), rate))
    return np.asarray(stats.norm.isf((1 - levels) / 2))


@pytest.mark.parametrize("spending", SPENDINGS)
def test_the_parts_of_the_looks_sum_to_the_budget(spending: Any) -> None:
    looks = Looks(spending=spending, planned=MONTHS)
    parts = [looks.rate_of(look, RATE) for look in range(1, 1000)]
    assert min(parts) >= 0
    assert sum(parts) <= RATE * (1 + 1e-9)
    assert sum(parts) == pytest.approx(RATE, rel=2e-3)
    assert (parts[MONTHS] == 0) == (spending != "endless"), "after the planned looks nothing is left"


@pytest.mark.parametrize("spending", SPENDINGS)
@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_months_that_depend_on_each_other_stay_within_the_budget(spending: Any, shared: float) -> None:
    """Union bound: the months share ``shared`` of their variance, as the error of one reference makes them do."""
    looks, rng = Looks(spending=spending), np.random.default_rng(1)
    of_life = rng.normal(size=(LIVES, 1)) * np.sqrt(shared)
    z = of_life + rng.normal(size=(LIVES, MONTHS)) * np.sqrt(1 - shared)
    critical = stats.norm.isf([looks.rate_of(look, RATE) for look in range(1, MONTHS + 1)])
    assert (z > critical).any(axis=1).sum() <= stats.binom.ppf(0.999, LIVES, RATE)


@pytest.mark.parametrize(
    ("spending", "known"),
    [
        # Lan and DeMets (1983) as printed by ldBounds and gsDesign for five equal looks at .05, two-sided.
        ("obrien_fleming", [4.8769, 3.3569, 2.6803, 2.2898, 2.0310]),
        ("uniform", [2.5758, 2.4920, 2.4108, 2.3391, 2.2755]),
    ],
)
def test_boundaries_of_five_looks_are_the_known_ones(spending: Any, known: list[float]) -> None:
    found = boundaries(Looks(spending=spending, planned=5), np.arange(1.0, 6.0))
    np.testing.assert_allclose(found, known, atol=3e-4)


@pytest.mark.parametrize("spending", SPENDINGS)
@pytest.mark.parametrize("sizes", ["equal", "uneven"])
def test_intervals_of_all_rows_so_far_hold_together_over_a_life(spending: Any, sizes: str) -> None:
    rng = np.random.default_rng(2)
    months = np.full(MONTHS, 500.0) if sizes == "equal" else np.round(np.exp(rng.normal(5, 1.5, MONTHS)))
    sums = np.cumsum(rng.normal(size=(LIVES, MONTHS)) * np.sqrt(months), axis=1)
    critical = boundaries(Looks(spending=spending), np.cumsum(months))
    missed = (np.abs(sums) > critical * np.sqrt(np.cumsum(months))).any(axis=1).sum()
    assert missed <= stats.binom.ppf(0.999, LIVES, RATE)
    if spending != "endless":
        assert missed >= stats.binom.ppf(0.001, LIVES, RATE * 0.8), "the budget is used, not wasted"


def test_cumulated_boundaries_see_more_than_a_split_budget_and_more_than_one_month() -> None:
    rng, rows = np.random.default_rng(3), np.full(MONTHS, 500.0)
    drift = 0.16 * np.sqrt(rows)  # sd of a month's mean is 1: .16 of it a month
    sums = np.cumsum(rng.normal(drift[0] / np.sqrt(500), 1, size=(4000, MONTHS)), axis=1)
    z = sums / np.sqrt(np.arange(1, MONTHS + 1))
    split = stats.norm.isf(RATE / MONTHS / 2)
    power = {
        spending: float((z > boundaries(Looks(spending=spending), np.cumsum(rows))).any(axis=1).mean())
        for spending in SPENDINGS
    }
    power["Bonferroni"] = float((z > split).any(axis=1).mean())
    assert power["obrien_fleming"] > power["uniform"] > power["Bonferroni"] < power["endless"]
    one_look = stats.norm.sf(stats.norm.isf(RATE / 2) - 0.16 * np.sqrt(MONTHS))
    assert power["obrien_fleming"] > one_look - 0.1


def test_months_that_add_few_rows_or_none_cost_no_more_than_their_part() -> None:
    looks = Looks(planned=4)
    first, same, few, later = boundaries(looks, np.array([10_000.0, 10_000.0, 10_001.0, 20_000.0]))
    assert same == pytest.approx(first)
    assert few == pytest.approx(stats.norm.isf(RATE / 2 / 2)), "its part, and the one that the look before left"
    assert later < first


@pytest.mark.parametrize("spending", SPENDINGS)
def test_a_level_does_not_depend_on_later_looks(spending: Any) -> None:
    looks, rows = Looks(spending=spending), [100.0, 250.0, 300.0, 700.0]
    alone = [looks.level_of_cumulated(rows[:look], RATE) for look in (1, 2, 3, 4)]
    assert tuple(alone) == pytest.approx(looks.levels_of_cumulated(rows, RATE), abs=1e-9)


@pytest.mark.parametrize("rows", [[0.0], [5.0] * 61])
def test_without_rows_or_budget_there_is_no_interval(rows: list[float]) -> None:
    assert Looks(planned=60).level_of_cumulated(rows, RATE) == 1


def test_what_cannot_be_a_look_is_refused() -> None:
    with pytest.raises(RaiError, match="counted from 1"):
        Looks().rate_of(0, RATE)
    with pytest.raises(RaiError, match="counted from 1"):
        Looks().level_of_cumulated([], RATE)
    with pytest.raises(RaiError, match="cannot become fewer"):
        Looks().level_of_cumulated([5, 4], RATE)
    with pytest.raises(ValidationError):
        Looks(spending="all at once")  # type: ignore[arg-type]
