"""Means and variances of regression figures by group, made in one pass over the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.fairness.grouping import Grouping
from rai_kedro.fairness.measures.counts import (
    MISSING_GROUP,
    MISSING_LABEL,
    MISSING_PREDICTION,
    Counts,
    Figures,
    OutcomeError,
    add_reasons,
    chunks,
    keep_complete,
    spread,
)

QUANTITIES = ("target", "prediction", "signed_error", "absolute_error", "squared_error")


@dataclass(frozen=True, eq=False)
class GroupMoments:
    """Rows, means and sums of squared deviations of each quantity in each group.

    Deviations are from the group's own mean (not raw sums of squares, which lose all digits where a mean is large);
    two batches are merged by Chan, Golub & LeVeque (1979).

    Attributes:
        groups: Names of the groups, G of them.
        rows: Rows of each group, shape (G,).
        means: Means in the order of :data:`QUANTITIES`, shape (5, G); 0 where there is no row. Signed error is
            prediction minus target.
        deviations: Sums of squared deviations from the mean, shape (5, G).
        left_out: Rows left out, by reason.
    """

    groups: tuple[str, ...]
    rows: Counts
    means: Figures
    deviations: Figures
    left_out: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: GroupMoments) -> GroupMoments:
        """Merge with another batch of rows; groups that only one batch has are kept."""
        groups = tuple(dict.fromkeys(self.groups + other.groups))
        a, b = (
            (
                spread(part.rows, part.groups, groups),
                spread(part.means.T, part.groups, groups).T,
                spread(part.deviations.T, part.groups, groups).T,
            )
            for part in (self, other)
        )
        return GroupMoments(groups, *_merge(a, b), add_reasons(self.left_out, other.left_out))

    def describe(self, quantity: str) -> tuple[Counts, Figures, Figures]:
        """Return rows, mean and sample variance (n - 1) of one quantity, each of shape (G,).

        Mean and variance are nan where there are too few rows for them.
        """
        at = QUANTITIES.index(quantity)
        mean = np.where(self.rows > 0, self.means[at], np.nan)
        return self.rows, mean, self.deviations[at] / np.where(self.rows > 1, self.rows - 1, np.nan)


_Moments = tuple[Counts, Figures, Figures]


def check_numbers(values: Any, *, what: str) -> Figures:
    """Check that labels or predictions are finite numbers.

    Args:
        values: Labels or predictions, shape (rows,).
        what: What they are, for the error.

    Returns:
        The values as floats, nan where missing.

    Raises:
        OutcomeError: A value is no number, or infinite.
    """
    series = pd.Series(values, copy=False)
    numbers = pd.to_numeric(series.astype("object") if series.dtype.kind == "O" else series, errors="coerce")
    wrong = (numbers.isna() & series.notna()) | np.isinf(numbers.to_numpy(dtype=float, na_value=np.nan))
    if wrong.any():
        raise OutcomeError(
            f"The {what} is not a finite number in every row, as regression needs.",
            where=what,
            how_many=f"{int(wrong.sum())} of {len(series)} rows",
            example=repr(series[wrong].iloc[0]),
            remedy="Leave such a value empty if it is not known, or assess a target of two values as classification.",
        )
    return numbers.to_numpy(dtype=float, na_value=np.nan)


def sum_moments(target: Figures, prediction: Figures, grouping: Grouping) -> GroupMoments:
    """Gather rows, means and squared deviations of each group in one pass.

    Args:
        target: Y of each row, nan where missing, shape (rows,), in the unit of the label.
        prediction: Prediction of each row, likewise.
        grouping: Group of each row.

    Returns:
        The moments; a row with anything missing is counted under the first reason that applies.
    """
    size = len(grouping.groups)
    total: _Moments = (np.zeros(size, np.int64), np.zeros((len(QUANTITIES), size)), np.zeros((len(QUANTITIES), size)))
    left_out: dict[str, int] = {}
    for part in chunks(len(target)):
        kept = keep_complete(known_values(target[part], prediction[part], grouping.codes[part]), left_out)
        y, predicted, codes = target[part][kept], prediction[part][kept], grouping.codes[part][kept]
        error = predicted - y
        total = _merge(total, _batch(codes, (y, predicted, error, np.abs(error), error**2), size))
    return GroupMoments(grouping.groups, *total, left_out)


def known_values(
    target: Figures, prediction: Figures, codes: npt.NDArray[np.int16]
) -> dict[str, npt.NDArray[np.int16]]:
    """Return -1 for what is missing in each row, by the reason it would be left out for."""
    return {
        MISSING_LABEL: np.where(np.isnan(target), np.int16(-1), np.int16(0)),
        MISSING_PREDICTION: np.where(np.isnan(prediction), np.int16(-1), np.int16(0)),
        MISSING_GROUP: codes,
    }


def _batch(codes: npt.NDArray[np.int16], quantities: tuple[Figures, ...], size: int) -> _Moments:
    rows = np.bincount(codes, minlength=size)
    present = np.maximum(rows, 1)
    means = np.array([np.bincount(codes, weights=values, minlength=size) for values in quantities]) / present
    deviations = np.array(
        [
            np.bincount(codes, weights=(values - mean[codes]) ** 2, minlength=size)
            for values, mean in zip(quantities, means, strict=True)
        ]
    )
    return rows, means, deviations


def _merge(a: _Moments, b: _Moments) -> _Moments:
    rows = a[0] + b[0]
    present = np.maximum(rows, 1)
    apart = b[1] - a[1]
    return rows, a[1] + apart * b[0] / present, a[2] + b[2] + apart**2 * a[0] * b[0] / present
