"""Rates of groups, computed from counts and moments: what metrics are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from rai_kedro.fairness.tables import QUANTITIES, Counts, Figures, GroupCounts, GroupMoments, ScoreCounts
from rai_kedro.intervals import UnitRatio

Cell: TypeAlias = tuple[int, int]
Family: TypeAlias = Literal["proportion", "odds", "mean", "error_size", "root_error_size"]

# Cells of the confusion matrix: outcome Y, prediction.
TP, FP, FN, TN = (1, 1), (0, 1), (1, 0), (0, 0)


@dataclass(frozen=True, eq=False)
class Rate:
    """One rate in each of G groups.

    ``measured`` are events for ``proportion`` (events among rows) and ``odds`` (events against the other rows); for a
    ``mean``, and the mean of absolute (``error_size``) or root of that of squared errors (``root_error_size``), it is
    the sample variance (n - 1) of what is averaged. Arrays are of shape (G,), values nan where they cannot be computed.
    ``units`` is the proportion or mean of weighted rows, with what their units tell of its error; None where rows are
    independent and count alike.
    """

    name: str
    family: Family
    groups: tuple[str, ...]
    rows: Counts
    values: Figures
    measured: npt.NDArray[Any]
    undefined: str
    units: UnitRatio | None = None

    @property
    def effective_rows(self) -> Figures | None:
        """How many independent rows would be as sure, shape (G,); None where rows are independent."""
        if self.units is None:
            return None
        if self.family in {"proportion", "odds"}:
            return self.units.effective_rows(self.rows)
        return self.units.effective_rows_of_mean(self.rows, self.measured)

    def numbers(self, tail: float) -> tuple[Any, ...]:
        """Return the numbers that intervals of this family are made of, at a one-sided tail."""
        if self.family in {"proportion", "odds"}:
            return (self.measured, self.rows) if self.units is None else self.units.effective_counts(self.rows, tail)
        means = self.values**2 if self.family == "root_error_size" else self.values
        if self.units is None:
            return self.rows, means, self.measured
        return self.units.effective_moments(self.rows, self.measured)

    def known(self) -> npt.NDArray[np.intp]:
        """Return the positions of the groups in which the rate can be computed."""
        return np.flatnonzero(np.isfinite(self.values))

    def at(self, positions: npt.NDArray[np.intp]) -> Rate:
        """Return the rate of some groups only."""
        names = tuple(self.groups[position] for position in positions)
        parts = (self.rows[positions], self.values[positions], self.measured[positions])
        units = None if self.units is None else self.units.at(positions)
        return Rate(self.name, self.family, names, *parts, self.undefined, units)


def _proportion(  # noqa: PLR0913, PLR0917 - the fields of a rate
    name: str, groups: tuple[str, ...], events: Counts, rows: Counts, undefined: str, units: UnitRatio | None = None
) -> Rate:
    values = events / np.where(rows > 0, rows, np.nan) if units is None else units.values
    return Rate(name, "proportion", groups, rows, values, events, undefined, units)


def _of_cells(c: GroupCounts, events: Sequence[Cell], among: Sequence[Cell]) -> UnitRatio | None:
    if c.units is None:
        return None
    top, bottom = ({2 * outcome + prediction: 1.0 for outcome, prediction in cells} for cells in (events, among))
    return c.units.measure(top, bottom, len(c.groups))


def _share_of(
    name: str, events: Sequence[Cell], among: Sequence[Cell], undefined: str
) -> Callable[[GroupCounts], Rate]:
    """Share of the rows in some cells (outcome Y, prediction) among those in others."""

    def rate(c: GroupCounts) -> Rate:
        units = _of_cells(c, events, among)
        return _proportion(name, c.groups, c.total(*events), c.total(*among), undefined, units)

    return rate


selection_rate = _share_of("selection rate", (TP, FP), (TP, FP, FN, TN), "no rows")
true_positive_rate = _share_of("true positive rate", (TP,), (TP, FN), "no rows with a favourable label")
false_negative_rate = _share_of("false negative rate", (FN,), (TP, FN), "no rows with a favourable label")
false_positive_rate = _share_of("false positive rate", (FP,), (FP, TN), "no rows with an unfavourable label")
positive_predictive_value = _share_of(
    "positive predictive value", (TP,), (TP, FP), "no rows with a favourable prediction"
)
negative_predictive_value = _share_of(
    "negative predictive value", (TN,), (TN, FN), "no rows with an unfavourable prediction"
)
accuracy = _share_of("accuracy", (TP, TN), (TP, FP, FN, TN), "no rows")


def error_ratio(c: GroupCounts) -> Rate:
    """FN / FP: the odds that an error is a false negative."""
    missed, wrong = c.total(FN), c.total(FP)
    values = missed / np.where(wrong > 0, wrong, np.nan)
    units = _of_cells(c, (FN,), (FN, FP))
    if units is not None:
        values = units.values / np.where(units.values < 1, 1 - units.values, np.nan)
    name = "false negatives per false positive"
    return Rate(name, "odds", c.groups, missed + wrong, values, missed, "no false positives", units)


def mean_score(outcome: Literal[0, 1]) -> Callable[[ScoreCounts], Rate]:
    """E(S | Y = outcome)."""
    side = "favourable" if outcome else "unfavourable"

    def rate(sums: ScoreCounts) -> Rate:
        rows, means, variances = sums.describe(outcome)
        name, undefined = (
            f"mean score of rows with {'a' if outcome else 'an'} {side} label",
            f"no rows with {side} label and a score",
        )
        if sums.units is None:
            return Rate(name, "mean", sums.groups, rows, means, variances, undefined)
        bins = sums.counts.shape[2]
        cells = range(outcome * bins, (outcome + 1) * bins)
        units = sums.units.measure({at + 2 * bins: 1.0 for at in cells}, dict.fromkeys(cells, 1.0), len(sums.groups))
        return Rate(name, "mean", sums.groups, rows, units.values, variances, undefined, units)

    return rate


def outcome_rates_by_score(sums: ScoreCounts) -> list[Rate]:
    """P(Y = 1 | S in bin), one rate for each bin of the score."""
    bins = sums.counts.shape[2]
    rates = []
    for at in range(bins):
        name = f"favourable labels among scores {at / bins:g} to {(at + 1) / bins:g}"
        rows = sums.counts[:, :, at].sum(axis=1)
        cells = {bins + at: 1.0}
        units = None if sums.units is None else sums.units.measure(cells, cells | {at: 1.0}, len(sums.groups))
        rates.append(_proportion(name, sums.groups, sums.counts[:, 1, at], rows, "no rows with such a score", units))
    return rates


def _mean_of(quantity: str, name: str, family: Family = "mean") -> Callable[[GroupMoments], Rate]:
    """Mean of one of :data:`rai_kedro.fairness.tables.QUANTITIES`, or the root of it."""

    def rate(moments: GroupMoments) -> Rate:
        rows, means, variances = moments.describe(quantity)
        units = None
        if moments.units is not None:
            units = moments.units.measure({1 + QUANTITIES.index(quantity): 1.0}, {0: 1.0}, len(moments.groups))
            means = units.values
        values = np.sqrt(means) if family == "root_error_size" else means
        return Rate(name, family, moments.groups, rows, values, variances, "no rows", units)

    return rate


mean_prediction = _mean_of("prediction", "mean prediction")
mean_absolute_error = _mean_of("absolute_error", "mean absolute error", "error_size")
root_mean_squared_error = _mean_of("squared_error", "root mean squared error", "root_error_size")
mean_signed_error = _mean_of("signed_error", "mean signed error")
