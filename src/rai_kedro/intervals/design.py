"""Effective sample sizes: what rows are worth that belong together in units, or that count by survey weights.

Rows of one person (household, hospital) are alike, so that many of them say less than as many independent rows; unequal
weights have the same effect. The variance of a ratio of weighted sums r = Σa / Σb then follows from the sums of each
unit u by linearisation (Taylor series): ``m / (m - 1) · Σ_u (a_u - r b_u)² / (Σb)²`` over m units. Over the variance of
independent rows it is the design effect, and rows divided by that are the effective rows, to which every interval of
independent rows applies (Rao and Scott 1992, "A simple method for the analysis of clustered binary data").

Three things keep that valid where units are few or events are rare (simulated in ``benchmarks/coverage.py``):

* the freedom of the variance, one less than the units of equal size that would vary as much (Kish), shrinks the
  effective rows as Student's t exceeds the quantile of as many rows (Korn and Graubard 1998);
* a design effect seen in the events of few units is mixed with the largest there can be, that of rows wholly alike
  within their unit, with the weight of two such units; with no event, or nothing but events, it is that largest one;
* a design effect below 1 is taken as 1: few units show one by chance, and it would narrow the interval just then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from rai_kedro.intervals.critical import LEAST_ROWS, Floats

ON_EFFECTIVE_ROWS = "effective rows by linearised variance over units (Rao and Scott 1992; Korn and Graubard 1998)"
# Units of the largest possible design effect that are mixed with those whose events show one.
_BORROWED_UNITS = 2


@dataclass(frozen=True, eq=False)
class UnitRatio:
    """A ratio of weighted sums in each of G groups, with what its units tell of its error; each of shape (G,).

    Attributes:
        values: The ratio; nan where nothing is counted below the line.
        variances: Its variance by linearisation over units; nan below two units.
        units: How many units there are.
        equal_units: How many units of equal size (weights of all their rows together) they are worth.
        telling: Units of equal size that events are worth, or that the other rows are worth: the smaller number.
    """

    values: Floats
    variances: Floats
    units: Floats
    equal_units: Floats
    telling: Floats

    def at(self, positions: npt.NDArray[np.intp]) -> UnitRatio:
        """Return some groups only."""
        parts = (self.values, self.variances, self.units, self.equal_units, self.telling)
        return UnitRatio(*(part[positions] for part in parts))

    def effective_rows(self, rows: Any) -> Floats:
        """Return how many independent rows would estimate the ratio, as a share, as surely; at most as many as rows."""
        rows = np.asarray(rows, dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            alike = 1 / np.where(self.equal_units > 0, self.equal_units, np.nan)
            seen = self.variances / (self.values * (1 - self.values))
            seen = np.where(np.isfinite(seen), np.maximum(seen, 1 / rows), alike)
            mixed = (self.telling * seen + _BORROWED_UNITS * alike) / (self.telling + _BORROWED_UNITS)
            found = np.minimum(1 / np.maximum(seen, mixed), rows)
        return np.where(rows > 0, np.nan_to_num(found), 0.0)

    def effective_rows_of_mean(self, rows: Any, variances: Any) -> Floats:
        """Return how many independent rows would estimate the ratio, as a mean, as surely; at most as many as rows."""
        independent = np.asarray(variances, dtype=float) / np.maximum(rows, 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(self.variances > 0, independent / np.maximum(self.variances, independent), 1.0)
        worth: Floats = np.where(self.units >= LEAST_ROWS, rows * share, np.minimum(rows, 1.0))
        return worth

    def effective_counts(self, rows: Any, tail: float) -> tuple[Floats, Floats]:
        """Return effective events and rows of a share, for limits at a one-sided tail."""
        rows = np.asarray(rows, dtype=float)
        worth = self.effective_rows(rows) * _shrink(rows - 1, self.equal_units - 1, tail)
        return np.nan_to_num(self.values) * worth, worth

    def find_worth(
        self, residuals: Floats, independent: Floats, group: npt.NDArray[Any], rows: Any, tail: float
    ) -> float:
        """Return what a row is worth, 0 to 1, for another figure of these units: the least of any group.

        ``residuals`` are those of its linearisation, shape (units,), and ``independent`` is its variance if rows were
        independent, shape (G,).
        """
        spread = np.bincount(group, weights=residuals**2, minlength=len(independent))
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = self.units / (self.units - 1) * spread / independent
            like = replace(self, variances=effect * self.values * (1 - self.values) / rows)
            worth = like.effective_counts(rows, tail)[1] / rows
        return float(np.nanmin(worth, initial=1.0))

    def effective_moments(self, rows: Any, variances: Any) -> tuple[Floats, Floats, Floats]:
        """Return units, means and variance between units of a mean, as rows, means and variances of independent rows.

        ``variances`` are those of the rows (n - 1): the error is not taken to be smaller than if they were independent.
        """
        rows = np.asarray(rows, dtype=float)
        independent = np.asarray(variances, dtype=float) / np.maximum(rows, 1.0)
        worth = np.minimum(np.where(self.units >= LEAST_ROWS, self.equal_units, np.minimum(self.units, 1.0)), rows)
        error = np.fmax(self.variances, independent)
        return worth, self.values, error * worth


def measure_ratio(top: Floats, bottom: Floats, group: npt.NDArray[Any], groups: int) -> UnitRatio:
    """Measure Σtop / Σbottom in each group from the weighted sums of its units.

    Args:
        top: Sum above the line of each unit of each group, shape (units,); at least 0 where it counts events.
        bottom: Sum below the line, at least 0, shape (units,).
        group: Position of the group, shape (units,); a unit with rows in two groups stands here twice, and groups are
            taken as independent, which errs on the wide side where rows of a unit are alike.
        groups: Number of groups.
    """

    def add(values: Any) -> Floats:
        return np.bincount(group, weights=values, minlength=groups).astype(float)

    above, below = add(top), add(bottom)
    units = add(bottom > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = above / np.where(below > 0, below, np.nan)
        spread = add((top - np.nan_to_num(values)[group] * bottom) ** 2) / below**2
        equal, events, others = (
            np.nan_to_num(add(one) ** 2 / add(one**2)) for one in (bottom, top, np.maximum(bottom - top, 0.0))
        )
        variances = np.where(units >= LEAST_ROWS, units / (units - 1) * spread, np.nan)
    return UnitRatio(values, variances, units, equal, np.minimum(events, others))


def _shrink(rows: Floats, freedom: Floats, tail: float) -> Floats:
    """Return the squared quotient of Student's quantiles with two freedoms, at most 1 (Korn & Graubard 1998)."""
    quantiles = (special.stdtrit(np.maximum(one, 1.0), 1 - tail) for one in (rows, freedom))
    shrunk: Floats = np.minimum((next(quantiles) / next(quantiles)) ** 2, 1.0)
    return shrunk
