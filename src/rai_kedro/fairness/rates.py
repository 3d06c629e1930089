"""Rates of groups, computed from counts and moments: what metrics are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from rai_kedro.fairness.tables import Counts, Figures, GroupCounts, GroupMoments, ScoreCounts

Family: TypeAlias = Literal["proportion", "odds", "mean", "error_size", "root_error_size"]


@dataclass(frozen=True, eq=False)
class Rate:
    """One rate in each of G groups.

    ``measured`` are events for ``proportion`` (events among rows) and ``odds`` (events against the other rows); for a
    ``mean``, and the mean of absolute (``error_size``) or root of that of squared errors (``root_error_size``), it is
    the sample variance (n - 1) of what is averaged. Arrays are of shape (G,), values nan where they cannot be computed.
    """

    name: str
    family: Family
    groups: tuple[str, ...]
    rows: Counts
    values: Figures
    measured: npt.NDArray[Any]
    undefined: str

    def known(self) -> npt.NDArray[np.intp]:
        """Return the positions of the groups in which the rate can be computed."""
        return np.flatnonzero(np.isfinite(self.values))

    def at(self, positions: npt.NDArray[np.intp]) -> Rate:
        """Return the rate of some groups only."""
        names = tuple(self.groups[position] for position in positions)
        parts = (self.rows[positions], self.values[positions], self.measured[positions])
        return Rate(self.name, self.family, names, *parts, self.undefined)

    def renamed(self, name: str) -> Rate:
        """Return the same rate under another name."""
        return replace(self, name=name)


def _proportion(name: str, groups: tuple[str, ...], events: Counts, rows: Counts, undefined: str) -> Rate:
    values = events / np.where(rows > 0, rows, np.nan)
    return Rate(name, "proportion", groups, rows, values, events, undefined)


def selection_rate(c: GroupCounts) -> Rate:
    """P(prediction = 1)."""
    return _proportion("selection rate", c.groups, c.selected, c.rows, "no rows")


def true_positive_rate(c: GroupCounts) -> Rate:
    """P(prediction = 1 | Y = 1)."""
    rows = c.true_positives + c.false_negatives
    return _proportion("true positive rate", c.groups, c.true_positives, rows, "no rows with a favourable label")


def false_negative_rate(c: GroupCounts) -> Rate:
    """P(prediction = 0 | Y = 1)."""
    rows = c.true_positives + c.false_negatives
    return _proportion("false negative rate", c.groups, c.false_negatives, rows, "no rows with a favourable label")


def false_positive_rate(c: GroupCounts) -> Rate:
    """P(prediction = 1 | Y = 0)."""
    rows = c.false_positives + c.true_negatives
    return _proportion("false positive rate", c.groups, c.false_positives, rows, "no rows with an unfavourable label")


def positive_predictive_value(c: GroupCounts) -> Rate:
    """P(Y = 1 | prediction = 1)."""
    rows = c.true_positives + c.false_positives
    why = "no rows with a favourable prediction"
    return _proportion("positive predictive value", c.groups, c.true_positives, rows, why)


def negative_predictive_value(c: GroupCounts) -> Rate:
    """P(Y = 0 | prediction = 0)."""
    rows = c.true_negatives + c.false_negatives
    why = "no rows with an unfavourable prediction"
    return _proportion("negative predictive value", c.groups, c.true_negatives, rows, why)


def accuracy(c: GroupCounts) -> Rate:
    """P(prediction = Y)."""
    return _proportion("accuracy", c.groups, c.true_positives + c.true_negatives, c.rows, "no rows")


def error_ratio(c: GroupCounts) -> Rate:
    """FN / FP: the odds that an error is a false negative."""
    errors = c.false_negatives + c.false_positives
    values = c.false_negatives / np.where(c.false_positives > 0, c.false_positives, np.nan)
    name = "false negatives per false positive"
    return Rate(name, "odds", c.groups, errors, values, c.false_negatives, "no false positives")


def mean_score(outcome: Literal[0, 1]) -> Callable[[ScoreCounts], Rate]:
    """E(S | Y = outcome)."""
    side = "favourable" if outcome else "unfavourable"

    def rate(sums: ScoreCounts) -> Rate:
        rows, means, variances = sums.describe(outcome)
        name = f"mean score of rows with {'a' if outcome else 'an'} {side} label"
        return Rate(name, "mean", sums.groups, rows, means, variances, f"no rows with {side} label and a score")

    return rate


def outcome_rates_by_score(sums: ScoreCounts) -> list[Rate]:
    """P(Y = 1 | S in bin), one rate for each bin of the score."""
    bins = sums.counts.shape[2]
    rates = []
    for at in range(bins):
        name = f"favourable labels among scores {at / bins:g} to {(at + 1) / bins:g}"
        rows = sums.counts[:, :, at].sum(axis=1)
        rates.append(_proportion(name, sums.groups, sums.counts[:, 1, at], rows, "no rows with such a score"))
    return rates


def mean_of(quantity: str, name: str, family: Family = "mean") -> Callable[[GroupMoments], Rate]:
    """Mean of one quantity of :data:`rai_kedro.fairness.tables.QUANTITIES`."""

    def rate(moments: GroupMoments) -> Rate:
        rows, means, variances = moments.describe(quantity)
        return Rate(name, family, moments.groups, rows, means, variances, "no rows")

    return rate


def root_mean_squared_error(moments: GroupMoments) -> Rate:
    """√E((prediction - Y)²)."""
    rows, means, variances = moments.describe("squared_error")
    return Rate(
        "root mean squared error", "root_error_size", moments.groups, rows, np.sqrt(means), variances, "no rows"
    )


mean_prediction = mean_of("prediction", "mean prediction")
mean_absolute_error = mean_of("absolute_error", "mean absolute error", "error_size")
mean_signed_error = mean_of("signed_error", "mean signed error")
