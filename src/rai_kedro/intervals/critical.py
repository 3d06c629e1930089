"""What all intervals of the room share: the interval itself, critical values, and the step from pairs to the extreme.

A disparity over several groups is the largest of its pairs' differences. Its two limits are two different questions:

* *lower*: "at least this large" is true if it is true of any pair, so all pairs must be watched at once: the critical
  value is Tukey's (1953) for the range of the groups, in Kramer's (1956) form for unequal sizes, which is conservative
  (Hayter 1984). At a true gap of zero this side alone can fail, with probability ``1 - level``.
* *upper*: "at most this large" is only claimed if it holds of every pair. The claim fails only if it fails for the one
  pair that is truly furthest apart, so each pair is taken at its own one-sided level ``1 - (1 - level) / 2`` and no
  correction for their number is owed (intersection-union principle, Berger 1982).

With two groups and a large gap both sides fail with ``(1 - level) / 2`` each; at a gap of zero the upper cannot fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from rai_kedro.errors import RaiError
from rai_kedro.intervals.estimate import Estimate, make_interval

Floats: TypeAlias = NDArray[np.float64]
Limits: TypeAlias = Callable[[float], tuple[Floats, Floats]]
"""Lower and upper limits of all figures at a one-sided tail, shape (..., G)."""
COMPARABLE = 2
LEAST_ROWS = 2
EXTREME = "lower limit at Tukey's critical value over all pairs, upper limit at each pair's own (intersection-union)"


class IntervalError(RaiError):
    """Numbers from which no interval can be made: wrong shape, negative counts, a level outside (0, 1)."""


@dataclass(frozen=True)
class Critical:
    """One-sided tails of a pair for the two limits of an extreme: ``lower`` holds over all pairs at once."""

    lower: float
    upper: float


def check_level(level: float) -> float:
    """Return the level, or refuse one that is not strictly between 0 and 1."""
    if not 0 < level < 1:
        raise IntervalError(
            "The confidence level must lie strictly between 0 and 1.",
            example=str(level),
            remedy="Give it as a fraction, for example 0.95.",
        )
    return level


def check_counts(**arrays: Any) -> list[Floats]:
    """Return the arrays as floats of one shape; raise :class:`IntervalError` where they are not finite and >= 0."""
    floats = [np.asarray(array, dtype=float) for array in arrays.values()]
    shape = np.broadcast_shapes(*(array.shape for array in floats))
    for name, array in zip(arrays, floats, strict=True):
        bad = ~np.isfinite(array) | (array < 0)
        if bad.any():
            raise IntervalError(
                f"{name} must be numbers of at least 0.",
                how_many=f"{int(bad.sum())} of {array.size} values",
                example=str(array[bad].flat[0]),
                remedy="Count rows group by group before asking for an interval.",
            )
    return [np.broadcast_to(array, shape) for array in floats]


@lru_cache(maxsize=256)
def tukey_tail(groups: int, level: float) -> float:
    """Return ``1 - Phi(q / sqrt(2))``, q being the ``level`` quantile of the range of independent standard normals."""
    grid = np.linspace(-9.0, 9.0, 3001)
    weight = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi) * (grid[1] - grid[0]) * groups
    low, high = 0.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        covered = float(weight @ (special.ndtr(grid) - special.ndtr(grid - middle)) ** (groups - 1))
        low, high = (middle, high) if covered < level else (low, middle)
    return float(special.ndtr(-high / np.sqrt(2)))


def critical_tails(groups: int, level: float, reference: int | None = None) -> Critical:
    """Return the tails at which pairs are taken, so that the extreme over them is covered at ``level``.

    Tukey's tail for the lower limit; with a reference, the larger of it and Šidák's (1967) for groups - 1 pairs.
    """
    alpha = 1 - check_level(level)
    tail = tukey_tail(groups, level)
    if reference is not None:
        tail = max(tail, (1 - level ** (1 / (groups - 1))) / 2)
    return Critical(lower=tail, upper=alpha / 2)


def pair_mask(groups: int, reference: int | None = None) -> NDArray[np.bool_]:
    """Return which ordered pairs are compared, shape (G, G): never a group with itself."""
    mask = ~np.eye(groups, dtype=bool)
    if reference is not None:
        with_reference = np.zeros_like(mask)
        with_reference[reference, :] = with_reference[:, reference] = True
        mask &= with_reference
    return mask


def largest_difference(  # noqa: PLR0913 - figures, their limits, and what is known of them
    value: Floats,
    limits: Limits,
    level: float,
    reference: int | None = None,
    *,
    known: Any = True,
    apart: Any = True,
) -> tuple[Floats, Floats]:
    """Return limits of the largest difference of figures, shape (...), from the figures' own limits.

    A figure that is not ``known``, shape (..., G), may lie anywhere within its limits. Only pairs ``apart``, of shape
    (..., G, G), can raise the lower limit above 0.
    """
    tails, mask = critical_tails(value.shape[-1], level, reference), pair_mask(value.shape[-1], reference)
    both = _both_in_pair(known)
    lower = np.where(both & apart, hybrid_difference(value, *limits(tails.lower), sign=-1), -np.inf)
    low, high = limits(tails.upper)
    upper = hybrid_difference(value, low, high, sign=1)
    return largest(lower, np.where(both, upper, high[..., :, None] - low[..., None, :]), mask)


def smallest_ratio(
    value: Floats, limits: Limits, level: float, reference: int | None = None, *, known: Any = True
) -> tuple[Floats, Floats]:
    """Return limits of the smallest ratio of figures, as :func:`largest_difference`."""
    tails, mask = critical_tails(value.shape[-1], level, reference), pair_mask(value.shape[-1], reference)
    upper = hybrid_ratio(value, *limits(tails.lower), sign=1)
    lower = hybrid_ratio(value, *limits(tails.upper), sign=-1)
    both = _both_in_pair(known)
    return smallest(np.where(both, lower, 0.0), np.where(both, upper, np.inf), mask)


def _both_in_pair(known: Any) -> Any:
    there = np.asarray(known)
    return there if there.ndim == 0 else there[..., :, None] & there[..., None, :]


def intervals_by_rows(rows: Floats, low: Floats, high: Floats, how: str) -> list[Estimate]:
    """Return each group's own interval; without ends where too few rows leave the spread unknown."""
    return [
        make_interval(float(a), float(b), how)
        if n >= LEAST_ROWS
        else make_interval(None, None, how, f"{int(n)} rows: the spread is unknown")
        for n, a, b in zip(rows, low, high, strict=True)
    ]


def count_unknown(unknown: Any, why: str = "have too few rows for a spread") -> str:
    """Say of how many groups the figure is unknown, and why; nothing if of none."""
    few = int(unknown.sum())
    return f"{few} of {unknown.size} groups {why}: theirs may be anything" if few else ""


def interval_over_pairs(
    how: str, groups: int, bounds: Callable[[], tuple[Any, Any]], note: str = "", *, undefined: str = ""
) -> Estimate:
    """Return the interval of an extreme over pairs; without ends below two groups, or where it is ``undefined``."""
    if groups < COMPARABLE or undefined:
        return make_interval(None, None, how, undefined if groups >= COMPARABLE else "fewer than two groups to compare")
    lower, upper = bounds()
    return make_interval(float(lower), float(upper), how, note)


def largest(lower_pairs: Floats, upper_pairs: Floats, mask: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Turn limits of all signed differences, (..., G, G), into limits of the largest, (...)."""
    lower = np.where(mask, lower_pairs, -np.inf).max(axis=(-2, -1))
    upper = np.where(mask, upper_pairs, -np.inf).max(axis=(-2, -1))
    return np.maximum(lower, 0.0), upper


def smallest(lower_pairs: Floats, upper_pairs: Floats, mask: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Turn limits of all ratios, (..., G, G), into limits of the smallest, (...), which lies in [0, 1]."""
    lower = np.where(mask, lower_pairs, np.inf).min(axis=(-2, -1))
    upper = np.where(mask, upper_pairs, np.inf).min(axis=(-2, -1))
    return np.clip(lower, 0.0, 1.0), np.clip(upper, 0.0, 1.0)


def hybrid_difference(value: Floats, low: Floats, high: Floats, *, sign: int, paired: bool = False) -> Floats:
    """Return one limit of every ``value_i - value_j`` from the groups' own limits (MOVER), shape (..., G, G).

    Method of variance estimates recovery: Newcombe (1998, method 10) for proportions, Zou and Donner (2008) in general.

    Estimates and their limits are of shape (..., G); of shape (..., G, G) if ``paired``, entry (i, j) being the figure
    of i beside j. ``sign`` is -1 for the lower limit of the differences, 1 for the upper.
    """
    if not paired:
        value, low, high = value[..., None], low[..., None], high[..., None]
    first, second = (value - low, high - value) if sign < 0 else (high - value, value - low)
    limit: Floats = value - np.swapaxes(value, -1, -2) + sign * np.hypot(first, np.swapaxes(second, -1, -2))
    return limit


def hybrid_ratio(value: Floats, low: Floats, high: Floats, *, sign: int, paired: bool = False) -> Floats:
    """Return one limit of every ``value_i / value_j`` from the groups' own limits (Donner and Zou 2012).

    No logarithm is taken, so that an estimate of zero needs no constant added: as numerator its ratio starts at 0, as
    denominator it has no upper end. Arguments as of :func:`hybrid_difference`, estimates at least 0; infinite where
    there is no upper end.
    """
    if not paired:
        value, low, high = value[..., None], low[..., None], high[..., None]
    first, second = (low, high) if sign < 0 else (high, low)
    top = first * (2 * value - first)
    bottom = np.swapaxes(second * (2 * value - second), -1, -2)
    product = value * np.swapaxes(value, -1, -2)
    root = np.sqrt(np.maximum(product**2 - top * bottom, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        if sign < 0:
            return np.where(top > 0, top / (product + root), 0.0)
        return np.where(bottom > 0, (product + root) / bottom, np.inf)


def part_level(level: float, parts: int) -> float:
    """Return the level for each part of a metric of several, so that all hold at once (Bonferroni)."""
    return 1 - (1 - check_level(level)) / parts


def combine_worst(
    intervals: Sequence[Estimate], level: float, *, kind: Literal["difference", "ratio"] = "difference"
) -> Estimate:
    """Combine the intervals, each at :func:`part_level`, of the parts of a metric that is the worse of several.

    They become the largest of the lower and of the upper limits (smallest for ratios). A part without an end leaves the
    end open on the harmful side, since the unknown part may be the worse one.
    """
    check_level(level)
    if not intervals:
        return make_interval(None, None, "", "no part to combine")
    reason = "; ".join(dict.fromkeys(part.note for part in intervals if part.note))
    method = f"worst of {len(intervals)} parts, each at level {part_level(level, len(intervals)):.4g} (Bonferroni): "
    method += "; ".join(dict.fromkeys(part.how for part in intervals))
    worst = min if kind == "ratio" else max
    lower = worst(-np.inf if part.lower is None else part.lower for part in intervals)
    upper = worst(np.inf if part.upper is None else part.upper for part in intervals)
    return make_interval(lower, upper, method, reason)
