"""Whether the rows of a month lie where the reference has rows: only there does it say anything about them.

A number is outside below the lowest or above the highest of the reference, a category when the reference never had it,
a missing value when the reference has none in that column. Even unchanged data leave some rows outside, the more the
smaller the reference and the more columns there are. How many is read off the reference itself: a row that lies outside
the support of all *other* rows. For categories this is the share of levels seen once of Good (1953), *The population
frequencies of species*, Biometrika 40.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rai_kedro.frames import Series
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Marks = NDArray[np.bool_]

_SURPRISE = 0.01
_RELEVANT_SHARE = 0.01
_NAMED = 3
_PARTS = 8


class OutsideColumn(Typed):
    """One column of a month: the share of its rows that lie outside the reference's support, and an example."""

    column: str
    share: float
    example: str = ""


class Support(Typed):
    """How much of a month lies outside the reference's support.

    Attributes:
        share: Share of the month's rows that are outside in at least one column, 0 to 1.
        expected: The share that unchanged data would leave outside a reference of this size.
        columns: The columns with rows outside, largest share first.
        doubt: Why the estimates may not be believed, in words; empty without a doubt.
    """

    share: float
    expected: float
    rows: int
    columns: tuple[OutsideColumn, ...] = ()
    doubt: str = ""


@dataclass(frozen=True)
class KnownColumn:
    """What the reference has in one column: the ends of its numbers, or its levels."""

    name: str
    lowest: float
    highest: float
    levels: pd.Index[str] | None
    missing: bool

    def find_outside(self, values: Series) -> Marks:
        """Mark the values that the reference's do not reach."""
        absent = values.isna().to_numpy()
        if self.levels is None:
            numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
            beyond = (numbers < self.lowest) | (numbers > self.highest)
        else:
            beyond = ~values.astype("str").isin(self.levels).to_numpy() & ~absent
        return beyond if self.missing else beyond | absent


@dataclass(frozen=True)
class KnownSupport:
    """The support of a reference, column by column, and how much unchanged data leave outside of it."""

    columns: tuple[KnownColumn, ...]
    rows: int
    lone: int

    def check(self, current: pd.DataFrame) -> Support:
        """Return how much of a month lies outside, and whether that is more than chance leaves there."""
        marks = {known.name: known.find_outside(current[known.name]) for known in self.columns}
        anywhere = np.logical_or.reduce([*marks.values(), np.zeros(len(current), dtype=bool)])
        columns = [
            OutsideColumn(column=name, share=float(mark.mean()), example=str(current[name].to_numpy()[mark.argmax()]))
            for name, mark in marks.items()
            if mark.any()
        ]
        columns.sort(key=lambda one: -one.share)
        return Support(
            share=float(anywhere.mean()),
            expected=self.lone / self.rows,
            rows=len(current),
            columns=tuple(columns),
            doubt=self._doubt(int(anywhere.sum()), columns, len(current)),
        )

    def _doubt(self, outside: int, columns: Sequence[OutsideColumn], rows: int) -> str:
        """Say that more is outside than chance explains: the tail of the beta-binomial count of rows outside."""
        from scipy import stats

        share, expected = outside / rows, self.lone / self.rows
        by_chance = stats.betabinom.sf(outside - 1, rows, self.lone + 0.5, self.rows - self.lone + 0.5)
        if share - expected <= _RELEVANT_SHARE or by_chance > _SURPRISE:
            return ""
        named = ", ".join(f"{one.column} ({one.share:.0%}, e.g. {one.example})" for one in columns[:_NAMED])
        return (
            f"{share:.0%} of the rows lie outside what the reference has seen, where {expected:.0%} would be usual for "
            f"a reference of {self.rows:,} rows; most in {named}"
        )


@dataclass(frozen=True)
class KnownShares:
    """How the scores or predictions of a reference lie, in parts of about equal size."""

    edges: Floats
    shares: Floats
    rows: int

    def count_alike(self, values: Floats) -> float:
        """Return how many rows of the reference, at their weight in the month, speak for the month.

        Kish's effective sample size, with the weights that the month's shares of the parts have; what chance adds to
        the spread of the weights is taken off.
        """
        shares = np.bincount(np.searchsorted(self.edges, values, side="right"), minlength=len(self.shares)) / len(
            values
        )
        known = self.shares > 0
        spread = (shares[known] ** 2 / self.shares[known]).sum() - self.edges.size / len(values)
        return float(self.rows / max(spread, 1.0))


def learn_shares(values: Floats) -> KnownShares:
    """Return how the scores or predictions of a reference lie."""
    edges = np.unique(np.quantile(values, np.arange(1, _PARTS) / _PARTS))
    places = np.searchsorted(edges, values, side="right")
    return KnownShares(edges, np.bincount(places, minlength=len(edges) + 1) / len(values), len(values))


def is_number(values: Series) -> bool:
    """Say whether a column is one of numbers; booleans and texts are categories."""
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def learn_support(reference: pd.DataFrame, columns: Sequence[str]) -> KnownSupport:
    """Return the support of a reference in these columns."""
    alone = np.zeros(len(reference), dtype=bool)
    known = []
    for name in columns:
        values = reference[name]
        absent = values.isna().to_numpy()
        if absent.sum() == 1:
            alone |= absent
        lowest, highest, levels = -np.inf, np.inf, None
        if is_number(values):
            numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
            lowest, highest = (float(end(numbers[~absent])) if (~absent).any() else np.nan for end in (np.min, np.max))
            for end in (lowest, highest):
                at_end = numbers == end
                alone |= at_end & (at_end.sum() == 1)
        else:
            counts = values[~absent].astype("str").value_counts()
            levels = counts.index
            alone |= values.astype("str").map(counts == 1).fillna(False).to_numpy(dtype=bool) & ~absent
        known.append(KnownColumn(name, lowest, highest, levels, bool(absent.any())))
    return KnownSupport(tuple(known), len(reference), int(alone.sum()))
