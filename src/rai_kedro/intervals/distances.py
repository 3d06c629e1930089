"""Intervals of the largest distance between the distributions of groups, from counts of values or on a declared grid.

Counts of each value lose nothing, whatever their extremes. On a grid, values outside its range belong in the end bins.

* *Kolmogorov-Smirnov*: the distance is the gap between the two curves at one fixed, unknown value. So the largest of
  the pointwise upper limits (Newcombe's hybrid of score limits) holds it, with nothing to pay for the number of values
  (intersection-union). The lower limit has to hold at all values at once, and is the better of two that share the
  level: bands (the sum of both groups' largest errors, each bounded by the inequality of Dvoretzky, Kiefer and
  Wolfowitz with Massart's (1990) constant), and pointwise limits at the 31 cuts of all rows into 32 parts, by
  Bonferroni, which are tighter where the groups lie far apart and their shares near 0 and 1. Pairs share the level
  by Bonferroni.
* *Wasserstein-1* is the area between two distribution functions, so its error is at most the area between their error
  curves, ``∫ |B_i - B_j|``. The quantile of that is drawn from Gaussian curves with the groups' own covariance (the
  multiplier bootstrap; valid for this norm, where a bootstrap of the distance itself is not valid at zero). A few
  rows of a skewed distribution rarely show its tail, so for the lower end the error curves are also drawn as if all
  groups were alike, with the covariance of all rows, and the larger area counts. Simulated, not proved.

On a grid both are distances of the values as counted. To the upper end is added what the grid may hide between two
edges (for Wasserstein at most one bin), so that a coarse grid can never make groups look alike.
"""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import Any, Literal

import numpy as np

from rai_kedro.intervals import critical
from rai_kedro.intervals.estimate import Estimate
from rai_kedro.intervals.proportions import proportion_limits

KOLMOGOROV_SMIRNOV = (
    "largest Kolmogorov-Smirnov distance over pairs of groups; upper limit the largest hybrid of score limits at any "
    "value, lower limit Dvoretzky-Kiefer-Wolfowitz bands with Massart's (1990) constant or score limits at 31 cuts, "
    "Bonferroni"
)
WASSERSTEIN = (
    "largest Wasserstein-1 distance over pairs of groups; area between error curves by multiplier bootstrap "
    "(2,000 draws, fixed seed), on the lower side simultaneous over pairs and no smaller than between like groups"
)
DRAWS = 2000
_BATCH = 250
_SEED = 20240229
_TABLE = 800
_DRAWN_AT = 1024
_CUTS = 31

Distance = Literal["kolmogorov_smirnov", "wasserstein"]


def largest_distribution_distance(
    bin_counts: Any, edges: Any, level: float, *, distance: Distance, reference: int | None = None
) -> Estimate:
    """Return an interval of the largest distance between the distributions of any two groups.

    Args:
        bin_counts: Rows of each group with each value or in each bin, shape (G, B).
        edges: The values, ascending, shape (B,), or the edges of bins, shape (B + 1,), in the unit of the values.
        level: Confidence level.
        distance: ``kolmogorov_smirnov`` (0 to 1) or ``wasserstein`` (in the unit of the values).
        reference: Position of a reference group, whose pairs alone are compared.

    A group with too few rows makes the upper end as large as the distance can be.
    """
    counts, grid = _checked(bin_counts, edges)
    method, find = (KOLMOGOROV_SMIRNOV, _smirnov) if distance == "kolmogorov_smirnov" else (WASSERSTEIN, _wasserstein)
    bounds = partial(find, counts, grid, critical.check_level(level), critical.pair_mask(len(counts), reference))
    reason = critical.count_unknown(counts.sum(axis=1) < critical.LEAST_ROWS, "have fewer than two rows")
    return critical.interval_over_pairs(method, len(counts), bounds, reason)


def distribution_distances(bin_counts: Any, edges: Any, *, distance: Distance) -> critical.Floats:
    """Return the distance between every two groups, shape (G, G); 0 where a group has no rows."""
    counts, grid = _checked(bin_counts, edges)
    curves, steps, known = _cumulative(counts), np.diff(_places(counts, grid)), counts.sum(axis=1) > 0
    distances = np.zeros((len(counts), len(counts)))
    for one, other in combinations(np.flatnonzero(known), 2):  # by pairs: there may be many values
        apart = np.abs(curves[one] - curves[other])
        far = apart.max() if distance == "kolmogorov_smirnov" else apart[:-1] @ steps
        distances[one, other] = distances[other, one] = far
    return distances


def _places(counts: critical.Floats, grid: critical.Floats) -> critical.Floats:
    """Return the value that each column stands for, shape (B,)."""
    places: critical.Floats = grid if grid.size == counts.shape[1] else (grid[1:] + grid[:-1]) / 2
    return places


def _smirnov(counts: critical.Floats, grid: critical.Floats, level: float, mask: Any) -> tuple[float, float]:
    half, rows = (1 - level) / 2, counts.sum(axis=1)
    joined, _ = _join_neighbours(counts, _places(counts, grid))
    reached = before = joined.cumsum(axis=1)
    if grid.size > joined.shape[1]:  # a bin hides where in it the curves lie
        before = np.concatenate([np.zeros((len(counts), 1)), reached[:, :-1]], axis=1)
    shared = half / max(int(mask.sum()) // 2, 1)
    lower = distribution_distances(counts, grid, distance="kolmogorov_smirnov") - _sum_of_bands(rows, shared)
    upper = np.ones_like(lower)
    cuts = np.searchsorted(reached.sum(axis=0), np.arange(1, _CUTS + 1) / (_CUTS + 1) * rows.sum())
    for one, other in combinations(np.flatnonzero(rows >= critical.LEAST_ROWS), 2):
        both = [one, other]
        at_cuts = _limit_gap(reached[both][:, cuts], reached[both][:, cuts], rows[both], shared / _CUTS, sign=-1)
        lower[both, both[::-1]] = np.maximum(lower[one, other], at_cuts)
        upper[both, both[::-1]] = _limit_gap(reached[both], before[both], rows[both], half, sign=1)
    low, high = critical.largest(lower, np.minimum(upper, 1.0), mask)
    return float(low), float(high)


def _limit_gap(
    above: critical.Floats, below: critical.Floats, rows: critical.Floats, tail: float, *, sign: int
) -> float:
    """Return the largest limit of the gap between two curves in either direction, from their counts, (2, points)."""
    total, limits = rows[:, None], []
    shape = np.broadcast_to(total, above.shape)
    low, high = zip(*(proportion_limits(events, shape, tail) for events in (above, below)), strict=True)
    for one, other in ((0, 1), (1, 0)):
        rate, its = above[one] / rows[one], below[other] / rows[other]
        ends = (rate - low[0][one], high[1][other] - its) if sign < 0 else (high[0][one] - rate, its - low[1][other])
        limits.append(float((rate - its + sign * np.hypot(*ends)).max()))
    return max(limits)


def _sum_of_bands(rows: critical.Floats, alpha: float) -> critical.Floats:
    """Return the 1 - alpha quantile of the sum of two groups' largest errors, shape (G, G); 1 without rows.

    Each error has the tail ``min(1, 2 exp(-2 n x^2))``; the tail of the sum is their convolution, solved by bisection.
    """
    mass = (np.arange(_TABLE) + 0.5) / _TABLE
    draw = np.sqrt(np.log(2 / mass) / 2)
    size = np.sqrt(np.maximum(rows, 1e-12))
    low, high = np.zeros((len(rows), len(rows))), np.full((len(rows), len(rows)), 2.0)
    for _ in range(40):
        middle = (low + high) / 2
        rest = np.maximum(middle[..., None] - draw / size[None, :, None], 0.0) * size[:, None, None]
        tail = np.minimum(1.0, 2 * np.exp(-2 * rest**2)).mean(axis=-1)
        low, high = np.where(tail > alpha, middle, low), np.where(tail > alpha, high, middle)
    empty = (rows == 0)[:, None] | (rows == 0)[None, :]
    bands: critical.Floats = np.where(empty, 1.0, np.minimum(np.maximum(high, high.T), 1.0))
    return bands


def _wasserstein(counts: critical.Floats, grid: critical.Floats, level: float, mask: Any) -> tuple[float, float]:
    alpha, rows = 1 - level, counts.sum(axis=1)
    distances = distribution_distances(counts, grid, distance="wasserstein")
    known = rows >= critical.LEAST_ROWS
    both = known[:, None] & known[None, :]
    first, second = np.nonzero(np.triu(mask & both))
    span, places = float(grid[-1] - grid[0]), _places(counts, grid)
    rounding = float(np.diff(grid).max()) if grid.size > counts.shape[1] else 0.0
    lower_pairs, upper_pairs = np.zeros_like(distances), np.full_like(distances, span)
    if len(first):
        areas = draw_error_areas(counts, places, first, second)
        together = _over_all_pairs(areas, alpha)
        if (distances[first, second] > together).any():  # a lower end above 0: it has to stand against no gap as well
            alike = rows[:, None] * counts.sum(axis=0) / rows.sum()
            together = np.maximum(together, _over_all_pairs(draw_error_areas(alike, places, first, second), alpha))
        alone = np.quantile(areas, 1 - alpha / 2, axis=0)
        lower_pairs[first, second] = distances[first, second] - together
        upper_pairs[first, second] = distances[first, second] + alone + rounding
    upper_pairs = np.where(np.triu(both), upper_pairs, np.where(both, 0.0, span))
    low, high = critical.largest(np.triu(lower_pairs), np.minimum(upper_pairs, span), mask)
    return float(low), float(high)


def _over_all_pairs(areas: critical.Floats, alpha: float) -> critical.Floats:
    """Return areas that the drawn ones, shape (DRAWS, pairs), exceed for any pair in a share alpha of the draws."""
    typical = np.maximum(areas.mean(axis=0), np.finfo(float).tiny)
    reached: critical.Floats = np.quantile((areas / typical).max(axis=1), 1 - alpha) * typical
    return reached


def draw_error_areas(counts: critical.Floats, places: critical.Floats, first: Any, second: Any) -> critical.Floats:
    """Draw areas between the error curves of pairs of groups, in the unit of the values, shape (DRAWS, pairs).

    A bin that no group has rows in adds no noise to any curve, so only the others are drawn; the curves are flat
    from one of these to the next. Of more than 1,024 neighbours are drawn together: a curve moves little between them.
    In batches that fit the cache and in single precision, whose rounding (1e-6 of a curve) is far below the error of
    2,000 draws (1e-2).
    """
    used = np.flatnonzero(counts.sum(axis=0))
    counts, places = _join_neighbours(counts[:, used], places[used])
    span = float(places[-1] - places[0]) or 1.0
    steps = (np.diff(places) / span).astype(np.float32)
    rows = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(rows, 1.0)
    scales = np.sqrt(shares / (np.maximum(rows, critical.LEAST_ROWS) - 1)).astype(np.float32)
    pulls = np.cumsum(shares, axis=1).astype(np.float32)
    generator = np.random.default_rng(_SEED)
    areas = np.empty((DRAWS, len(first)))
    for start in range(0, DRAWS, _BATCH):
        walks = generator.standard_normal((len(scales), _BATCH, len(places)), dtype=np.float32)
        walks *= scales[:, None]
        np.cumsum(walks, axis=-1, out=walks)
        walks -= walks[..., -1:] * pulls[:, None]
        for pair, (one, other) in enumerate(zip(first, second, strict=True)):
            areas[start : start + _BATCH, pair] = np.abs(walks[one, :, :-1] - walks[other, :, :-1]) @ steps
    return areas * span


def _join_neighbours(counts: critical.Floats, places: critical.Floats) -> tuple[critical.Floats, critical.Floats]:
    """Join columns to at most 1,024 of about the same number of rows, each standing for its last value."""
    if places.size <= _DRAWN_AT:
        return counts, places
    reached = counts.sum(axis=0).cumsum()
    starts = np.unique(np.searchsorted(reached, np.linspace(0, reached[-1], _DRAWN_AT, endpoint=False), side="right"))
    return np.add.reduceat(counts, starts, axis=1), places[np.append(starts[1:], places.size) - 1]


def _cumulative(counts: critical.Floats) -> critical.Floats:
    curves: critical.Floats = np.cumsum(counts, axis=1) / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return curves


def _checked(bin_counts: Any, edges: Any) -> tuple[critical.Floats, critical.Floats]:
    (counts,) = critical.check_counts(bin_counts=bin_counts)
    grid = np.asarray(edges, dtype=float)
    if (
        counts.ndim != critical.COMPARABLE
        or grid.ndim != 1
        or grid.size - counts.shape[1] not in (0, 1)
        or not (np.diff(grid) > 0).all()
    ):
        raise critical.IntervalError(
            "Counts must have one row per group, and one ascending value per column or one more edge than columns.",
            example=f"counts {counts.shape}, edges {grid.shape}",
            remedy="Declare the range and the number of bins once, and count every group on that grid.",
        )
    return counts, grid
