"""Intervals of the size of errors (MAE, RMSE), of their largest difference and smallest ratio.

Errors have heavy tails. A small group that happens to miss its tail has its mean and its spread too low together, so
that Student's t covers far less than it says. Four things mend this, all checked in ``benchmarks/coverage.py``:

* limits are made on the log scale, since the error of such an estimate grows with the estimate; beyond a factor e the
  upper limit grows along the tangent, so that one monstrous error in a large group does not send the limit of a small
  one to infinity;
* a small group's *relative* spread (variance over squared mean) is not believed to be smaller than that of all groups
  pooled. For the upper limit the larger of the two is used, the pooled one raised by half its own standard error,
  ``sqrt((2 + 6 c) / N)`` on the log scale, as for gamma-distributed sizes. The lower limit fails where a large error
  was caught, and then the group's own spread is large with it: that one is used, averaged with a larger pooled one of
  the weight of 5 rows, so that 3 equal errors are not certainty;
* a difference above 0 has to stand against groups that are all alike as well: with the absolute spread of all groups
  pooled, in which an error counts for every group whoever happened to catch it (analysis of variance; the limit of the
  permutation test), and arms of gamma variables (Wilson and Hilferty 1931);
* n rows with the relative spread c are worth ``n / (1 + c)`` rows of equal errors. Where that is below 3, a few rows
  carry most of the error, and no upper limit is given.

What nothing can mend: a rare gross error that no row of any group shows, or a group of 50 rows whose errors have a
heavier tail than those of the large groups beside it (exponential beside normal ones: 84 %). Without an assumption
about the tail there is no upper limit of a mean (Bahadur and Savage 1956); this one assumes that the rows show it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from rai_kedro.intervals.critical import (
    EXTREME,
    LEAST_ROWS,
    Floats,
    IntervalError,
    check_counts,
    check_level,
    count_unknown,
    critical_tails,
    interval_over_pairs,
    intervals_by_rows,
    largest_difference,
)
from rai_kedro.intervals.estimate import Estimate

ERROR_SIZE = (
    "Student's t on the log scale, upper limits with a relative spread of at least that of all groups pooled; a gap "
    "above 0 also stands against all groups alike"
)
DIFFERENCE = (
    f"largest difference over pairs of groups, hybrid (Zou and Donner 2008) of limits by {ERROR_SIZE}; {EXTREME}"
)
RATIO = f"smallest ratio over pairs of groups, {ERROR_SIZE}; {EXTREME}, exchanged"
LEAST_WORTH = 3
"""Rows of equal errors that the rows of a group must be worth for an upper limit."""
FEW_CARRY = f"owe most of their error to a few rows (theirs are worth less than {LEAST_WORTH} equal ones)"
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
    few = _carried_by_few(rows, means, variances)
    found = intervals_by_rows(rows, value * np.exp(-below), value * np.exp(above), ERROR_SIZE)
    return [
        one.model_copy(update={"note": "no upper limit: a few rows carry most of the error"})
        if short and not one.note
        else one
        for one, short in zip(found, few, strict=True)
    ]


def largest_difference_of_error_sizes(  # noqa: PLR0913 - the moments of the groups and how to read them
    rows: Any, means: Any, variances: Any, level: float, *, root: bool = False, reference: int | None = None
) -> Estimate:
    """Return an interval of the largest difference between the error sizes of any two groups, in the label's unit.

    Arguments as of :func:`error_size_intervals`; without upper end where a group has fewer than two rows.
    """
    rows, means, variances = _checked(rows, means, variances)
    bounds = partial(difference_bounds, rows, means, variances, level, root=root, reference=reference)
    return interval_over_pairs(DIFFERENCE, rows.size, bounds, _what_is_unknown(rows, means, variances))


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
        apart = _stand_apart(rows, means, variances, critical_tails(rows.size, level, reference).lower)
        lower, upper = largest_difference(logs, limits, level, reference, known=known, apart=apart)
        return np.exp(-upper), np.exp(-lower)

    undefined = "a group has no error at all: the ratio has no meaning" if exact.any() else ""
    note = _what_is_unknown(rows, means, variances)
    return interval_over_pairs(RATIO, rows.size, bounds, note, undefined=undefined)


def difference_bounds(  # noqa: PLR0913 - as above
    rows: Floats, means: Floats, variances: Floats, level: float, *, root: bool, reference: int | None = None
) -> tuple[Floats, Floats]:
    """Return limits of the largest difference for many sets of groups at once, shape (...) for arrays (..., G)."""
    value, known = np.sqrt(means) if root else means, rows >= LEAST_ROWS

    def limits(tail: float) -> tuple[Floats, Floats]:
        below, above = _log_arms(rows, means, variances, tail, root=root)
        return np.where(known, value * np.exp(-below), -np.inf), np.where(known, value * np.exp(above), np.inf)

    apart = _stand_apart(rows, means, variances, critical_tails(rows.shape[-1], level, reference).lower)
    return largest_difference(value, limits, level, reference, known=known, apart=apart)


def relative_spread(rows: Floats, means: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """Return variance over squared mean of each group: for the lower limit, and raised for the upper.

    All are of shape (..., G), means at least 0.
    """
    freedom, own, pooled = _spreads(rows, means, variances)
    raised: Floats = pooled * np.exp(0.5 * np.sqrt((2 + 6 * pooled) / np.maximum(freedom.sum(-1, keepdims=True), 1.0)))
    steadied = (freedom * own + _BORROWED_ROWS * pooled) / (freedom + _BORROWED_ROWS)
    return np.maximum(own, steadied), np.maximum(own, raised)


def _spreads(rows: Floats, means: Floats, variances: Floats) -> tuple[Floats, Floats, Floats]:
    """Return freedom, the groups' own relative spread, and the pooled one (shape (..., 1))."""
    freedom = np.maximum(rows - 1, 0.0)
    own = np.divide(variances, means**2, out=np.zeros_like(means), where=means > 0)
    pooled = (freedom * own).sum(-1, keepdims=True) / np.maximum(freedom.sum(-1, keepdims=True), 1.0)
    return freedom, own, pooled


def _carried_by_few(rows: Floats, means: Floats, variances: Floats) -> NDArray[np.bool_]:
    """Return in which groups a few rows carry most of the error, shape (..., G); not where none has any."""
    _, own, pooled = _spreads(rows, means, variances)
    few: NDArray[np.bool_] = (rows < LEAST_WORTH * (1 + np.maximum(own, pooled))) & (pooled > 0)
    return few


def _stand_apart(rows: Floats, means: Floats, variances: Floats, tail: float) -> NDArray[np.bool_]:
    """Return which mean (row of the answer) lies above which (column) if all groups are alike, shape (..., G, G)."""
    freedom, total = np.maximum(rows - 1, 0.0), np.maximum(rows.sum(-1, keepdims=True), 1.0)
    left = np.maximum(freedom.sum(-1, keepdims=True), 1.0)
    mean = (rows * means).sum(-1, keepdims=True) / total
    spread = (freedom * variances).sum(-1, keepdims=True) / left
    relative = np.divide(spread, mean**2, out=np.zeros_like(mean), where=mean > 0) / np.maximum(rows, 1.0)
    step, shift = special.stdtrit(left, 1 - tail) * np.sqrt(relative) / 3, 1 - relative / 9
    above = np.where(relative * LEAST_WORTH <= 1, (shift + step) ** 3 - 1, np.inf)
    below = 1 - np.maximum(shift - step, 0.0) ** 3
    arms = mean[..., None] * np.hypot(above[..., :, None], below[..., None, :])
    apart: NDArray[np.bool_] = means[..., :, None] - means[..., None, :] > arms
    return apart


def _log_arms(rows: Floats, means: Floats, variances: Floats, tail: float, *, root: bool) -> tuple[Floats, Floats]:
    """Return the distances from the figure to its limits on the log scale, same shape as the groups."""
    quantile = special.stdtrit(np.maximum(rows - 1, 1.0), 1 - tail) * (0.5 if root else 1.0)
    below, above = (
        quantile * np.sqrt(spread / np.maximum(rows, 1.0)) for spread in relative_spread(rows, means, variances)
    )
    above = np.where(above > _TANGENT_FROM, _TANGENT_FROM + np.log(np.maximum(above, 1.0)), above)
    return below, np.where(_carried_by_few(rows, means, variances), np.inf, above)


def _what_is_unknown(rows: Floats, means: Floats, variances: Floats) -> str:
    unknown = rows < LEAST_ROWS
    few = _carried_by_few(rows, means, variances) & ~unknown
    return "; ".join(filter(None, (count_unknown(unknown), count_unknown(few, FEW_CARRY))))


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
