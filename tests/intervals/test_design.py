"""Effective sample sizes of units and weights: published answers, limits of the rule, and coverage."""

from __future__ import annotations

import numpy as np
import pytest

from rai_kedro.intervals import IntervalError, Sampling, proportions, read_sampling
from rai_kedro.intervals.critical import tukey_tail
from rai_kedro.intervals.design import UnitRatio, measure_ratio

# Survivors among pups of each litter: Weil (1970), Table 1 of Rao and Scott (1992).
CONTROL = [(13, 13), (12, 12), (9, 9), (9, 9), (8, 8), (8, 8), (12, 13), (11, 12)]
CONTROL += [(9, 10), (9, 10), (8, 9), (11, 13), (4, 5), (5, 7), (7, 10), (7, 10)]
TREATED = [(12, 12), (11, 11), (10, 10), (9, 9), (10, 11), (9, 10), (9, 10), (8, 9)]
TREATED += [(8, 9), (4, 5), (7, 9), (4, 7), (5, 10), (3, 6), (3, 10), (0, 7)]


def _rows(litters: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    events = np.concatenate([[1.0] * alive + [0.0] * (pups - alive) for alive, pups in litters])
    return events, np.repeat(np.arange(len(litters)), [pups for _, pups in litters])


def _measure(top: object, unit: object = None, weight: object = None) -> UnitRatio:
    sampling = read_sampling(unit, weight, len(np.asarray(top)))
    assert isinstance(sampling, Sampling)
    return sampling.measure(top, np.ones(len(np.asarray(top))))


@pytest.mark.parametrize(("litters", "effect"), [(CONTROL, 1.232495), (TREATED, 3.952861)])
def test_design_effects_are_those_published(litters: list[tuple[int, int]], effect: float) -> None:
    """Rao and Scott (1992), as documented for ``rsb`` of the R package PF."""
    events, litter = _rows(litters)
    ratio = _measure(events, litter)
    share = events.mean()
    assert ratio.variances[0] / (share * (1 - share) / len(events)) == pytest.approx(effect, abs=1e-6)


def test_standard_error_of_a_cluster_sample_is_the_published_one() -> None:
    """Grades of 5 of 100 suites of 4 students: 2.826, SE 0.1637 (Lohr, Sampling: Design and Analysis, example 5.2)."""
    grades = [3.08, 2.60, 3.44, 3.04, 2.36, 3.04, 3.28, 2.68, 2.00, 2.56]
    grades += [2.52, 1.88, 3.00, 2.88, 3.44, 3.64, 2.68, 1.92, 3.28, 3.20]
    ratio = _measure(grades, np.repeat(list("abcde"), 4), np.full(20, 20.0))
    assert ratio.values[0] == pytest.approx(2.826)
    finite_population = 1 - 5 / 100
    assert np.sqrt(ratio.variances[0] * finite_population) == pytest.approx(0.1637, abs=5e-5)


def test_each_row_a_unit_is_no_unit_but_for_a_small_adjustment() -> None:
    events = np.arange(400) % 5 == 0
    found, rows = _measure(events, np.arange(400)).effective_counts([400], 0.025)
    assert rows[0] == pytest.approx(400, abs=1.1)
    assert found[0] == pytest.approx(80, abs=0.3)


def test_unlike_rows_within_units_narrow_nothing() -> None:
    events = np.tile([0.0, 1.0], 200)
    assert _measure(events, np.repeat(np.arange(200), 2)).effective_rows([400])[0] == pytest.approx(400, rel=0.02)


def test_without_an_event_rows_are_worth_their_units() -> None:
    assert _measure(np.zeros(100), np.repeat(np.arange(10), 10)).effective_rows([100])[0] == pytest.approx(10)


def test_one_huge_weight_leaves_about_one_row() -> None:
    weights = np.ones(100)
    weights[0] = 1e6
    assert _measure(np.arange(100) % 2, weight=weights).effective_rows([100])[0] < 2


def test_one_unit_knows_no_spread() -> None:
    ratio = _measure(np.arange(50) % 2, np.zeros(50))
    assert ratio.effective_rows([50])[0] == pytest.approx(1)
    assert ratio.effective_moments([50], [0.25])[0][0] == 1


@pytest.mark.parametrize(
    ("unit", "weight", "problem"),
    [
        (["a", None, "b"], None, "Some rows have no unit"),
        (["a", " ", "b"], None, "Some rows have no unit"),
        (["a", "b"], None, "not one unit for each row"),
        (None, [1, -1, 1], "negative"),
        (None, [1, float("nan"), 1], "missing"),
        (None, [1, float("inf"), 1], "not finite"),
        (None, [1, "many", 1], "not finite"),
        (None, [0, 0, 0], "All weights are 0"),
        (None, [1, 1], "not one weight for each row"),
    ],
)
def test_what_says_nothing_of_the_rows_is_refused(unit: object, weight: object, problem: str) -> None:
    with pytest.raises(IntervalError, match=problem):
        read_sampling(unit, weight, 3)


def test_units_that_look_alike_are_one() -> None:
    sampling = read_sampling([1, 1.0, "1", "2"], None, 4)
    assert sampling is not None
    assert len(set(sampling.units.tolist())) == 2


def _cover(persons: int, alike: float, rate: float, gap: float) -> tuple[float, float]:
    """Return the coverage of the largest gap of 3 groups: rows taken as independent, and as those of persons."""
    generator, runs, groups = np.random.default_rng(11), 400, 3
    truth = np.linspace(rate, rate + gap, groups)[:, None]
    rows = generator.integers(5, 13, (runs, groups, persons))
    own = generator.beta(truth * (1 - alike) / alike, (1 - truth) * (1 - alike) / alike, rows.shape)
    events = generator.binomial(rows, own).astype(float)
    group = np.repeat(np.arange(runs * groups), persons)
    ratio = measure_ratio(events.ravel(), rows.ravel().astype(float), group, runs * groups)
    plain = events.sum(-1), rows.sum(-1).astype(float)
    effective = ratio.effective_counts(plain[1].ravel(), tukey_tail(groups, 0.95))
    covered = []
    for found, among in (plain, [part.reshape(runs, groups) for part in effective]):
        low, high = proportions.difference_bounds(found, among, 0.95)
        covered.append(float(((low <= gap + 1e-12) & (high >= gap)).mean()))
    return covered[0], covered[1]


@pytest.mark.parametrize(("persons", "alike", "rate"), [(20, 0.3, 0.05), (50, 0.7, 0.05), (50, 0.5, 0.3)])
def test_intervals_hold_where_rows_of_a_person_are_alike(persons: int, alike: float, rate: float) -> None:
    for gap in (0.0, 0.2):
        independent, by_unit = _cover(persons, alike, rate, gap)
        assert by_unit >= 0.93
        assert independent < 0.93 or gap > 0
