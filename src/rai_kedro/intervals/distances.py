"""Intervals of the largest distance between the distributions of groups, from counts on a declared grid.

Values outside the declared range belong in the end bins.

* *Kolmogorov-Smirnov*: by the triangle inequality the error of a pair's distance is at most the sum of the two groups'
  largest errors, each bounded by the inequality of Dvoretzky, Kiefer and Wolfowitz with Massart's (1990) constant; the
  sum's quantile comes from the convolution of the two bounds. Pairs share the level by Bonferroni on the lower side.
  No assumption on the distributions, right at any number of rows: conservative.
* *Wasserstein-1* is the area between two distribution functions, so its error is at most the area between their error
  curves, ``∫ |B_i - B_j|``. The quantile of that is drawn from Gaussian curves with the groups' own covariance (the
  multiplier bootstrap; valid for this norm, where a bootstrap of the distance itself is not valid at zero). A few
  rows of a skewed distribution rarely show its tail, so for the lower end the error curves are also drawn as if all
  groups were alike, with the covariance of all rows, and the larger area counts. Simulated, not proved.

Both are distances of the values as counted on the grid. To the upper end is added what the grid may hide between two
edges (for Wasserstein at most one bin), so that a coarse grid can never make groups look alike.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import numpy as np

from rai_kedro.intervals.critical import (
    COMPARABLE,
    LEAST_ROWS,
    Floats,
    IntervalError,
    check_counts,
    check_level,
    count_unknown,
    interval_over_pairs,
    largest,
    pair_mask,
)
from rai_kedro.intervals.estimate import Estimate

KOLMOGOROV_SMIRNOV = (
    "largest Kolmogorov-Smirnov distance over pairs of groups; Dvoretzky-Kiefer-Wolfowitz bands with Massart's (1990) "
    "constant, Bonferroni over pairs on the lower side; conservative"
)
WASSERSTEIN = (
    "largest Wasserstein-1 distance over pairs of groups; area between error curves by multiplier bootstrap "
    "(2,000 draws, fixed seed), on the lower side simultaneous over pairs and no smaller than between like groups"
)
DRAWS = 2000
_BATCH = 250
_SEED = 20240229
_TABLE = 800

Distance = Literal["kolmogorov_smirnov", "wasserstein"]


def largest_distribution_distance(
    bin_counts: Any, edges: Any, level: float, *, distance: Distance, reference: int | None = None
) -> Estimate:
    """Return an interval of the largest distance between the distributions of any two groups.

    Args:
        bin_counts: Rows of each group in each bin, shape (G, B).
        edges: Bin edges, ascending, shape (B + 1,), in the unit of the values.
        level: Confidence level.
        distance: ``kolmogorov_smirnov`` (0 to 1) or ``wasserstein`` (in the unit of the values).
        reference: Position of a reference group, whose pairs alone are compared.

    A group with too few rows makes the upper end as large as the distance can be.
    """
    counts, grid = _checked(bin_counts, edges)
    method, find = (KOLMOGOROV_SMIRNOV, _smirnov) if distance == "kolmogorov_smirnov" else (WASSERSTEIN, _wasserstein)
    bounds = partial(find, counts, grid, check_level(level), pair_mask(len(counts), reference))
    reason = count_unknown(counts.sum(axis=1) < LEAST_ROWS, "have fewer than two rows")
    return interval_over_pairs(method, len(counts), bounds, reason)


def distribution_distances(bin_counts: Any, edges: Any, *, distance: Distance) -> Floats:
    """Return the distance between every two groups on the grid, shape (G, G); 0 where a group has no rows."""
    counts, grid = _checked(bin_counts, edges)
    curves = _cumulative(counts)
    apart = np.abs(curves[:, None] - curves[None, :])
    centres = (grid[1:] + grid[:-1]) / 2
    pairs = apart.max(axis=-1) if distance == "kolmogorov_smirnov" else apart[..., :-1] @ np.diff(centres)
    known = counts.sum(axis=1) > 0
    distances: Floats = np.where(known[:, None] & known[None, :], pairs, 0.0)
    return distances


def _smirnov(counts: Floats, grid: Floats, level: float, mask: Any) -> tuple[float, float]:
    alpha, rows, curves = 1 - level, counts.sum(axis=1), _cumulative(counts)
    distances = distribution_distances(counts, grid, distance="kolmogorov_smirnov")
    before = np.concatenate([np.zeros((len(curves), 1)), curves[:, :-1]], axis=1)
    hidden = (curves[:, None] - before[None, :]).max(axis=-1)
    reach = np.maximum(hidden, hidden.T)
    pairs = max(int(mask.sum()) // 2, 1)
    lower = distances - _sum_of_bands(rows, alpha / pairs)
    low, high = largest(lower, np.minimum(reach + _sum_of_bands(rows, alpha / 2), 1.0), mask)
    return float(low), float(high)


def _sum_of_bands(rows: Floats, alpha: float) -> Floats:
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
    bands: Floats = np.where(empty, 1.0, np.minimum(np.maximum(high, high.T), 1.0))
    return bands


def _wasserstein(counts: Floats, grid: Floats, level: float, mask: Any) -> tuple[float, float]:
    alpha, rows = 1 - level, counts.sum(axis=1)
    distances = distribution_distances(counts, grid, distance="wasserstein")
    known = rows >= LEAST_ROWS
    both = known[:, None] & known[None, :]
    first, second = np.nonzero(np.triu(mask & both))
    span, rounding = float(grid[-1] - grid[0]), float(np.diff(grid).max())
    lower_pairs, upper_pairs = np.zeros_like(distances), np.full_like(distances, span)
    if len(first):
        areas = draw_error_areas(counts, grid, first, second)
        together = _over_all_pairs(areas, alpha)
        if (distances[first, second] > together).any():  # a lower end above 0: it has to stand against no gap as well
            alike = rows[:, None] * counts.sum(axis=0) / rows.sum()
            together = np.maximum(together, _over_all_pairs(draw_error_areas(alike, grid, first, second), alpha))
        alone = np.quantile(areas, 1 - alpha / 2, axis=0)
        lower_pairs[first, second] = distances[first, second] - together
        upper_pairs[first, second] = distances[first, second] + alone + rounding
    upper_pairs = np.where(np.triu(both), upper_pairs, np.where(both, 0.0, span))
    low, high = largest(np.triu(lower_pairs), np.minimum(upper_pairs, span), mask)
    return float(low), float(high)


def _over_all_pairs(areas: Floats, alpha: float) -> Floats:
    """Return areas that the drawn ones, shape (DRAWS, pairs), exceed for any pair in a share alpha of the draws."""
    typical = np.maximum(areas.mean(axis=0), np.finfo(float).tiny)
    reached: Floats = np.quantile((areas / typical).max(axis=1), 1 - alpha) * typical
    return reached


def draw_error_areas(counts: Floats, grid: Floats, first: Any, second: Any) -> Floats:
    """Draw areas between the error curves of pairs of groups, in the unit of the values, shape (DRAWS, pairs).

    A bin that no group has rows in adds no noise to any curve, so only the others are drawn; the curves are flat
    from one of these to the next. In batches that fit the cache and in single precision, whose rounding (1e-6 of a
    curve) is far below the error of 2,000 draws (1e-2).
    """
    used = np.flatnonzero(counts.sum(axis=0))
    span = float(grid[-1] - grid[0])
    steps = (np.diff((grid[1:] + grid[:-1])[used] / 2) / span).astype(np.float32)
    rows = counts.sum(axis=1, keepdims=True)
    shares = counts[:, used] / np.maximum(rows, 1.0)
    scales = np.sqrt(shares / (np.maximum(rows, LEAST_ROWS) - 1)).astype(np.float32)
    pulls = np.cumsum(shares, axis=1).astype(np.float32)
    generator = np.random.default_rng(_SEED)
    areas = np.empty((DRAWS, len(first)))
    for start in range(0, DRAWS, _BATCH):
        walks = generator.standard_normal((len(scales), _BATCH, len(used)), dtype=np.float32)
        walks *= scales[:, None]
        np.cumsum(walks, axis=-1, out=walks)
        walks -= walks[..., -1:] * pulls[:, None]
        for pair, (one, other) in enumerate(zip(first, second, strict=True)):
            areas[start : start + _BATCH, pair] = np.abs(walks[one, :, :-1] - walks[other, :, :-1]) @ steps
    return areas * span


def _cumulative(counts: Floats) -> Floats:
    curves: Floats = np.cumsum(counts, axis=1) / np.maximum(counts.sum(axis=1, keepdims=True), 1.0)
    return curves


def _checked(bin_counts: Any, edges: Any) -> tuple[Floats, Floats]:
    (counts,) = check_counts(bin_counts=bin_counts)
    grid = np.asarray(edges, dtype=float)
    if counts.ndim != COMPARABLE or grid.shape != (counts.shape[1] + 1,) or not (np.diff(grid) > 0).all():
        raise IntervalError(
            "Bin counts must have one row per group, and one more ascending edge than columns.",
            example=f"counts {counts.shape}, edges {grid.shape}",
            remedy="Declare the range and the number of bins once, and count every group on that grid.",
        )
    return counts, grid
