"""Intervals of means, of their largest difference and smallest ratio, from rows, means and variances alone."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy import special

from rai_kedro.intervals.critical import (
    EXTREME,
    LEAST_ROWS,
    Floats,
    check_counts,
    check_level,
    count_unknown,
    critical_tails,
    interval_over_pairs,
    intervals_by_rows,
    largest,
    pair_mask,
    smallest_ratio,
)
from rai_kedro.intervals.estimate import Estimate

STUDENT = "Student's t"
WELCH = f"largest difference over pairs of groups, Welch's t with Satterthwaite's freedom (Games and Howell); {EXTREME}"
FIELLER = (
    f"smallest ratio over pairs of groups, hybrid (Donner and Zou 2012) of Student's t limits; {EXTREME}, exchanged"
)
_BORROWED_ROWS = 50


def mean_intervals(rows: Any, means: Any, variances: Any, level: float) -> list[Estimate]:
    """Return each group's own interval of its mean (two-sided, not simultaneous).

    All are of shape (G,); ``variances`` are those of the sample (divisor n - 1). Without ends, and with a reason, where
    fewer than two rows leave the spread unknown.
    """
    rows, means, errors, freedom = _moments(rows, means, variances)
    half = _quantile(freedom, (1 - check_level(level)) / 2) * errors
    return intervals_by_rows(rows, means - half, means + half, STUDENT)


def largest_difference_of_means(
    rows: Any, means: Any, variances: Any, level: float, *, reference: int | None = None
) -> Estimate:
    """Return an interval of the largest difference between the means of any two groups, in their unit.

    Arguments as of :func:`mean_intervals`; small variances are not believed on few rows, see
    :func:`steadied_variances`. No upper end below two rows in a group.
    """
    _, means, errors, freedom = _moments(rows, means, variances)
    bounds = partial(welch_bounds, means, errors, freedom, level, reference)
    return interval_over_pairs(WELCH, means.size, bounds, count_unknown(freedom == 0))


def smallest_ratio_of_means(
    rows: Any, means: Any, variances: Any, level: float, *, reference: int | None = None
) -> Estimate:
    """Return an interval of the smallest ratio within [0, 1]; without ends where a mean is not positive."""
    rows, means, errors, freedom = _moments(rows, means, variances)
    undefined = "a mean is not positive: a ratio of means has no meaning" if (means[rows > 0] <= 0).any() else ""
    bounds = partial(ratio_bounds, means, errors, freedom, level, reference)
    return interval_over_pairs(FIELLER, rows.size, bounds, count_unknown(freedom == 0), undefined=undefined)


def steadied_variances(freedom: Floats, variances: Floats) -> Floats:
    """Return variances of which a small one is not believed on few rows.

    Where values are skewed, a small sample that misses the tail has its mean and its variance too low together, and
    Student's t is too short just there. A variance below the pooled one is therefore averaged with it, the pooled one
    with the weight of 50 rows. One above it can lean on no other group: it is raised by its own standard error,
    ``sqrt(2 / freedom)`` on the log scale as for normal values, but by no more than its distance from the pooled one.
    Many rows are hardly touched; the interval never gets shorter.
    ``freedom`` is rows minus one, shape (..., G).
    """
    pooled = (freedom * variances).sum(-1, keepdims=True) / np.maximum(freedom.sum(-1, keepdims=True), 1.0)
    mixed = (freedom * variances + _BORROWED_ROWS * pooled) / (freedom + _BORROWED_ROWS)
    raised = variances * np.expm1(np.sqrt(2 / np.maximum(freedom, 1.0)))
    own = variances + np.minimum(raised, np.maximum(variances - pooled, 0.0))
    steadied: Floats = np.maximum(own, mixed)
    return steadied


def welch_bounds(
    values: Floats, errors: Floats, freedom: Floats, level: float, reference: int | None = None
) -> tuple[Floats, Floats]:
    """Return limits of the largest difference for many sets of groups at once.

    A pair's error is ``sqrt(se_i^2 + se_j^2)`` with Satterthwaite's (1946) freedom. The lower limit takes Student's t
    at the tail of Tukey's normal range, a little wider than the studentised range that Games and Howell (1976) use.

    All are of shape (..., G), G >= 2; a freedom of 0 (spread unknown) makes the upper limit infinite.
    """
    tails, mask = critical_tails(values.shape[-1], level, reference), pair_mask(values.shape[-1], reference)
    part = errors**2
    error = np.sqrt(part[..., :, None] + part[..., None, :])
    usable = np.maximum(freedom, 1.0)
    share = part**2 / usable
    with np.errstate(divide="ignore", invalid="ignore"):
        joint = error**4 / (share[..., :, None] + share[..., None, :])
    joint = np.where(np.isfinite(joint), joint, usable[..., :, None] + usable[..., None, :])
    known = (freedom > 0)[..., :, None] & (freedom > 0)[..., None, :]
    difference = values[..., :, None] - values[..., None, :]
    lower_pairs = np.where(known, difference - _quantile(joint, tails.lower) * error, -np.inf)
    upper_pairs = np.where(known, difference + _quantile(joint, tails.upper) * error, np.inf)
    return largest(lower_pairs, upper_pairs, mask)


def ratio_bounds(
    values: Floats, errors: Floats, freedom: Floats, level: float, reference: int | None = None
) -> tuple[Floats, Floats]:
    """Return limits of the smallest ratio of positive means; arguments as :func:`welch_bounds`."""
    known = freedom > 0

    def limits(tail: float) -> tuple[Floats, Floats]:
        arms = np.where(known, _quantile(freedom, tail) * errors, np.inf)
        return values - arms, values + arms

    with np.errstate(invalid="ignore"):
        return smallest_ratio(values, limits, level, reference, known=known)


def _quantile(freedom: Floats, tail: float) -> Floats:
    quantile: Floats = special.stdtrit(np.maximum(freedom, 1.0), 1 - tail)
    return quantile


def _moments(rows: Any, means: Any, variances: Any) -> tuple[Floats, Floats, Floats, Floats]:
    """Return rows, means, standard errors and freedom; what is not known of a small group is set to 0."""
    counted = np.asarray(rows, dtype=float)
    several = counted >= LEAST_ROWS
    spread = np.where(several, np.asarray(variances, dtype=float), 0.0)
    rows, spread = check_counts(rows=counted, variances=spread)
    freedom = np.where(several, rows - 1, 0.0)
    spread = steadied_variances(freedom, spread)
    values = np.where(rows > 0, np.asarray(means, dtype=float), 0.0)
    return rows, values, np.sqrt(spread / np.maximum(rows, 1.0)), freedom
