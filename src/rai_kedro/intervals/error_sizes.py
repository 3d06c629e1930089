"""Intervals of the size of errors (MAE, RMSE), of their largest difference and smallest ratio.

Errors have heavy tails. A small group that happens to miss its tail has its mean and its spread too low together, so
that Student's t covers far less than it says (in our simulations as little as 60 % for the RMSE of exponential errors
with 50 rows in some groups and 10,000 in another). Two things mend this, both checked in ``benchmarks/coverage.py``:

* limits are made on the log scale, since the error of such an estimate grows with the estimate; beyond a factor e the
  upper limit grows along the tangent, so that one monstrous error in a large group does not send the limit of a small
  one to infinity;
* groups may differ in the size of their errors, but a small group's *relative* spread (variance over squared mean) is
  not believed to be smaller than that of all groups pooled. For the upper limit the larger of the two is used, the
  pooled one raised by half its own standard error, ``sqrt((2 + 6 c) / N)`` on the log scale, as for gamma-distributed
  sizes. The lower limit fails where a large error was caught, and then the group's own spread is large with it: that
  one is used, averaged with a larger pooled one of the weight of 5 rows, so that 3 equal errors are not certainty.

What it does not mend: a group of 50 rows whose errors have a heavier tail than those of the large groups beside it. Its
own rows miss the tail and no other group shows it; coverage is as low as 84 % in our simulations.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy import special

from rai_kedro.intervals.critical import (
    EXTREME,
    LEAST_ROWS,
    Floats,
    IntervalError,
    check_counts,
    check_level,
    count_unknown,
    interval_over_pairs,
    intervals_by_rows,
    largest_difference,
)
from rai_kedro.intervals.estimate import Estimate

ERROR_SIZE = "Student's t on the log scale, upper limits with a relative spread of at least that of all groups pooled"
DIFFERENCE = (
    f"largest difference over pairs of groups, hybrid (Zou and Donner 2008) of limits by {ERROR_SIZE}; {EXTREME}"
)
RATIO = f"smallest ratio over pairs of groups, {ERROR_SIZE}; {EXTREME}, exchanged"
_TANGENT_FROM = 1.0
_BORROWED_ROWS = 5


def error_size_intervals(rows: Any, means: Any, variances: Any, level: float, *, root: bool = False) -> list[Estimate]:
    """Return each group's own interval of the size of its errors (two-sided, not simultaneous), in the label's unit.

    All are of shape (G,): ``means`` of the absolute errors, or of the squared ones if ``root`` (RMSE), and their sample
    variances (divisor n - 1). Without ends, and with a reason, below two rows.
    """
    rows, means, variances = _checked(rows, means, variances)
    value = np.sqrt(means) if root else means
    below, above = _log_arms(rows, means, variances, (1 - check_level(level)) / 2, root=root)
    return intervals_by_rows(rows, value * np.exp(-below), value * np.exp(above), ERROR_SIZE)


def largest_difference_of_error_sizes(  # noqa: PLR0913 - the moments of the groups and how to read them
    rows: Any, means: Any, variances: Any, level: float, *, root: bool = False, reference: int | None = None
) -> Estimate:
    """Return an interval of the largest difference between the error sizes of any two groups, in the label's unit.

    Arguments as of :func:`error_size_intervals`; without upper end where a group has fewer than two rows.
    """
    rows, means, variances = _checked(rows, means, variances)
    bounds = partial(difference_bounds, rows, means, variances, level, root=root, reference=reference)
    return interval_over_pairs(DIFFERENCE, rows.size, bounds, count_unknown(rows < LEAST_ROWS))


def smallest_ratio_of_error_sizes(  # noqa: PLR0913 - as above
    rows: Any, means: Any, variances: Any, level: float, *, root: bool = False, reference: int | None = None
) -> Estimate:
    """Return an interval of the smallest ratio within [0, 1]; without ends where a group has no error at all."""
    rows, means, variances = _checked(rows, means, variances)
    exact = (means <= 0) & (rows > 0)
    logs, known = np.log(np.where((rows > 0) & ~exact, means, 1.0)) * (0.5 if root else 1.0), rows >= LEAST_ROWS

    def limits(tail: float) -> tuple[Floats, Floats]:
        below, above = _log_arms(rows, means, variances, tail, root=root)
        return np.where(known, logs - below, -np.inf), np.where(known, logs + above, np.inf)

    def bounds() -> tuple[Floats, Floats]:
        lower, upper = largest_difference(logs, limits, level, reference, known=known)
        return np.exp(-upper), np.exp(-lower)

    undefined = "a group has no error at all: the ratio has no meaning" if exact.any() else ""
    return interval_over_pairs(RATIO, rows.size, bounds, count_unknown(~known), undefined=undefined)


def difference_bounds(  # noqa: PLR0913 - as above
    rows: Floats, means: Floats, variances: Floats, level: float, *, root: bool, reference: int | None = None
) -> tuple[Floats, Floats]:
    """Return limits of the largest difference for many sets of groups at once, shape (...) for arrays (..., G)."""
    value, known = np.sqrt(means) if root else means, rows >= LEAST_ROWS

    def limits(tail: float) -> tuple[Floats, Floats]:
        below, above = _log_arms(rows, means, variances, tail, root=root)
        return np.where(known, value * np.exp(-below), -np.inf), np.where(known, value * np.exp(above), np.inf)

    return largest_difference(value, limits, level, reference, known=known)


def relative_spread(rows: Floats, means: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """Return variance over squared mean of each group: its own, and at least that of all pooled, raised a little.

    All are of shape (..., G), means at least 0; the spreads are those for the lower and for the upper limit.
    """
    freedom = np.maximum(rows - 1, 0.0)
    own = np.divide(variances, means**2, out=np.zeros_like(means), where=means > 0)
    total = np.maximum(freedom.sum(-1, keepdims=True), 1.0)
    pooled = (freedom * own).sum(-1, keepdims=True) / total
    raised: Floats = pooled * np.exp(0.5 * np.sqrt((2 + 6 * pooled) / total))
    steadied = (freedom * own + _BORROWED_ROWS * pooled) / (freedom + _BORROWED_ROWS)
    return np.maximum(own, steadied), np.maximum(own, raised)


def _log_arms(rows: Floats, means: Floats, variances: Floats, tail: float, *, root: bool) -> tuple[Floats, Floats]:
    """Return the distances from the figure to its limits on the log scale, same shape as the groups."""
    quantile = special.stdtrit(np.maximum(rows - 1, 1.0), 1 - tail) * (0.5 if root else 1.0)
    below, above = (
        quantile * np.sqrt(spread / np.maximum(rows, 1.0)) for spread in relative_spread(rows, means, variances)
    )
    return below, np.where(above > _TANGENT_FROM, _TANGENT_FROM + np.log(np.maximum(above, 1.0)), above)


def _checked(rows: Any, means: Any, variances: Any) -> tuple[Floats, Floats, Floats]:
    counted = np.asarray(rows, dtype=float)
    known_means = np.where(counted > 0, np.asarray(means, dtype=float), 0.0)
    known_spread = np.where(counted >= LEAST_ROWS, np.asarray(variances, dtype=float), 0.0)
    counted, known_means, known_spread = check_counts(rows=counted, means=known_means, variances=known_spread)
    if counted.ndim != 1:
        raise IntervalError(
            "Give one number per group.", example=str(counted.shape), remedy="Pass arrays of shape (G,)."
        )
    return counted, known_means, known_spread
