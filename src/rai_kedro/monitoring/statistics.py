"""Shares of rows of two samples: limits of their largest difference, what can be seen of it, and tests beside it.

All of it works on counts. The tests decide nothing; they are what a reader expects to see beside an effect.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rai_kedro.intervals import hybrid_difference, largest, pair_mask, proportion_limits
from rai_kedro.typed import Typed

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

MIN_EXPECTED = 5.0
"""Cochran's rule (Biometrics 10, 1954): below this expected count the chi-squared law is no good guide."""
_THIN_EXPECTED, _TAIL_FROM, _DRAWS = 10.0, 1e-3, 9_999
_EXACT_ROWS = 50_000
LEAST_TAIL = 1e-14
"""Below this probability a tail has no quantile in floating point: nothing can be decided at it."""


def difference_limits(events: Floats, rows: Floats, tails: tuple[float, float]) -> tuple[Floats, Floats]:
    """Return limits of the largest |difference of shares| between two samples over several events.

    Newcombe's (1998) hybrid for each event, as :mod:`rai_kedro.intervals` makes it. At the lower tail events have to be
    taken all at once, so it comes divided by their number; an upper limit that is too low for the largest of them is
    too low for one particular event, so its tail needs no division (intersection-union principle, Berger 1982).

    Args:
        events: Rows of each event, shape (..., J, 2): reference and current.
        rows: Rows behind them, of the same shape.
        tails: One-sided tails of lower and upper limit.
    """
    value = events / np.maximum(rows, 1.0)
    sides = []
    for tail, sign in zip(tails, (-1, 1), strict=True):
        low, high = proportion_limits(events, rows, tail)
        sides.append(hybrid_difference(value, low, high, sign=sign))
    lower, upper = largest(sides[0], sides[1], pair_mask(2))
    return lower.max(axis=-1), np.clip(upper.max(axis=-1), 0.0, 1.0)


def unseen_limits(
    unseen: int, rows: int, reference: tuple[int, int, int], tails: tuple[float, float]
) -> tuple[float, float, float]:
    """Return effect and limits of the share of rows with a level that the reference never had.

    A reference leaves some levels unseen by chance: their share is estimated by Good (1953) and Turing as that of the
    levels seen once, with Esty's (1983) variance, and taken off.

    Args:
        unseen: Such rows of the month.
        rows: All rows of the month.
        reference: Rows of the reference, and how many of its levels were seen once and twice.
        tails: One-sided tails of lower and upper limit.
    """
    total, once, twice = reference
    chance, share = once / total, unseen / rows
    # Esty: the variance of the estimate is that of a share of (once + 2 twice) / total in place of once / total.
    wider = math.sqrt((once + 2 * twice) / once) if once else math.sqrt(1 + 2 * twice)
    limits = []
    for tail, sign in zip(tails, (-1, 1), strict=True):
        low, high = proportion_limits(np.array([unseen, once], dtype=float), np.array([rows, total], dtype=float), tail)
        arms = (share - low[0], wider * (high[1] - chance)) if sign < 0 else (high[0] - share, chance - low[1])
        limits.append(share - chance + sign * math.hypot(*arms))
    lower, upper = (min(1.0, max(0.0, float(limit))) for limit in limits)
    return max(0.0, share - chance), lower, upper


class Visible(Typed):
    """What samples of a size can show, each with 80 % probability; None where they cannot.

    Attributes:
        effect: Smallest effect that is found to be drift.
        shift: The same as a shift of a normal column, in its standard deviations.
        excluded: Smallest margin within which a column that did not change is shown to lie.
    """

    effect: float | None
    shift: float | None
    excluded: float | None


def smallest_visible(n_reference: int, n_month: int, margin: float, rate: float, comparisons: int) -> Visible:
    """Say beforehand what a month can show; for a column of numbers without ties, and ``rate`` that of the look."""
    from scipy import special

    tail = rate / (2 * comparisons * 31)
    if min(n_reference, n_month) < 1 or tail < LEAST_TAIL:
        return Visible(effect=None, shift=None, excluded=None)
    rows, per_row = np.array([[n_reference, n_month]], dtype=float), 1 / n_reference + 1 / n_month
    low, high = margin, 1.0
    for _ in range(30):
        effect = (low + high) / 2
        shares = np.array([[0.5 - effect / 2, 0.5 + effect / 2]])
        limit = float(difference_limits(shares * rows, rows, (tail, rate))[0])
        # One event would have to be .84 standard errors beyond to be found with 80 %; the largest of many neighbouring
        # ones is from .3 on, by simulation.
        found = limit - 0.3 * math.sqrt((1 - effect**2) / 4 * per_row) > margin
        low, high = (low, effect) if found else (effect, high)
    # 1.073 is the 80 % quantile of Kolmogorov's distribution: how far unchanged samples lie apart by chance.
    excluded = (1.073 - special.ndtri(rate) / 2) * math.sqrt(per_row)
    seen = high < 1 - 1e-6
    return Visible(
        effect=round(high, 4) if seen else None,
        shift=round(2 * float(special.ndtri((1 + high) / 2)), 4) if seen else None,
        excluded=round(float(excluded), 4) if excluded < 1 else None,
    )


def pool_rare(table: Counts) -> Counts:
    """Merge the categories of a 2 x k table, k > 2, that are too rare for the chi-squared law into one.

    Only the margins decide what is merged, never the difference between the rows, so the test made on the
    merged table keeps its false-alarm rate. Two columns are left when all but the most common category are rare.
    """
    order = np.argsort(table.sum(axis=0), kind="stable")
    table = table[:, order]
    share_of_smaller = table.sum(axis=1).min() / table.sum()
    merged = int((table.sum(axis=0) * share_of_smaller < MIN_EXPECTED).sum())
    while 0 < merged < table.shape[1] - 1 and table[:, :merged].sum() * share_of_smaller < MIN_EXPECTED:
        merged += 1
    merged = min(merged, table.shape[1] - 1)
    if merged == 0:
        return table
    return np.column_stack([table[:, :merged].sum(axis=1), table[:, merged:]])


def category_p_value(table: Counts) -> float:
    """Test two-sided whether two samples, in a 2 x k table, share one categorical distribution.

    Pearson's chi-squared test of homogeneity (Pearson 1900) on the pooled table, and where that says less than 1e-3
    with thin cells, which is where its law misleads, the same statistic over 9,999 tables of the same margins (Hope
    1968). Fisher's exact test (Fisher 1922) when two categories are left; 1 if there is only one, because then nothing
    differs.
    """
    from scipy import stats  # takes half a second, and every command imports this module

    table = table[:, table.sum(axis=0) > 0]
    match table.shape[1]:
        case 0 | 1:
            return 1.0
        case 2:
            if table.sum() > _EXACT_ROWS and stats.contingency.expected_freq(table).min() > _THIN_EXPECTED:
                return float(stats.chi2_contingency(table, correction=False).pvalue)
            return float(stats.fisher_exact(table).pvalue)
        case categories:
            pooled = pool_rare(table)
            if pooled.shape[1] < categories:
                return category_p_value(pooled)
            found = stats.chi2_contingency(table, correction=False)
            thin = float(found.pvalue) < _TAIL_FROM and found.expected_freq.min() < _THIN_EXPECTED
            return _permuted_p_value(table, found.expected_freq) if thin else float(found.pvalue)


def _permuted_p_value(table: Counts, expected: Floats) -> float:
    rng = np.random.default_rng(20_240_501)
    first = rng.multivariate_hypergeometric(table.sum(axis=0), int(table[0].sum()), size=_DRAWS, method="marginals")
    # Both rows differ from what is expected by the same, so one statistic is proportional to the sum over the first.
    weight = (1 / expected).sum(axis=0)
    drawn = ((first - expected[0]) ** 2 * weight).sum(axis=1)
    seen = float(((table[0] - expected[0]) ** 2 * weight).sum())
    return float((1 + (drawn >= seen * (1 - 1e-12)).sum()) / (1 + _DRAWS))


def number_p_value(at_most: Counts, rows: Counts) -> float:
    """Test whether two samples of numbers share one distribution: two-sample Kolmogorov-Smirnov, two-sided.

    The distance is taken at the given cut points only, so the p-value (Smirnov's limit, 1948) is never too small.

    Args:
        at_most: Values at or below each cut point, shape (J, 2).
        rows: All values of both samples, shape (2,).
    """
    from scipy import special

    if not at_most.size or min(rows) == 0:
        return 1.0
    distance = float(np.abs(np.diff(at_most / rows, axis=1)).max())
    return float(special.kolmogorov(distance * math.sqrt(rows[0] * rows[1] / rows.sum())))


def inflated_p_value(at_most: Counts, equal: Counts, below: Counts, rows: Counts) -> float:
    """Test numbers some of whose values many rows share: those values as categories, and the rest by its distribution.

    The two tests are of different things and combined by Bonferroni.

    Args:
        at_most: As of :func:`number_p_value`.
        equal: Rows with each shared value, shape (A, 2).
        below: For each cut point the rows at or below it that have a shared value, shape (J, 2).
        rows: All values of both samples, shape (2,).
    """
    rest = rows - equal.sum(axis=0)
    shared = category_p_value(np.vstack([equal, rest]).T)
    return min(1.0, 2 * min(shared, number_p_value(at_most - below, rest)))
