"""Disparate-impact removal: give every column the same distribution in all groups, and keep the ranks within each.

Source: M. Feldman, S. Friedler, J. Moeller, C. Scheidegger and S. Venkatasubramanian, "Certifying and removing
disparate impact", KDD 2015. A value moves toward the median, over the groups, of the values at the same quantile.
With two groups the lower of the two is taken for the median, the number of quantiles is the size of the smallest
group, and a partial repair ("combinatorial" in the source) goes part of the way through the values that occur: as in
the authors' program, which AIF360 uses, so that the results are the same where no value occurs twice in a group.

Values that occur more than once share a quantile or not, by the parameter ``ties``:
``middle``: all take the quantile of their middle rank (a value always gives the same value);
``distinct``: quantiles count different values and not rows, as AIF360 does; a 0/1 column is then left as it is;
``spread``: each takes one of their quantiles, by the row's own number (`rai_kedro.mitigation.scoring.number_rows`): the
distributions become equal even for 0/1 columns, at the price that equal values of different rows may part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.mitigation.scoring import number_rows, renumber
from rai_kedro.mitigation.sensitive import Codes, MitigationError
from rai_kedro.mitigation.transformed import (
    SensitiveTransformer,
    TransformedModel,
    Vector,
    open_for_writing,
    read_column,
    write_column,
)
from rai_kedro.mitigation.wrapping import Share

_PART = 1 << 13
Ties = Literal["middle", "distinct", "spread"]


@dataclass(eq=False, repr=False)
class DisparateImpactRemover(SensitiveTransformer):
    """Transformer that repairs numeric columns; what it learnt on training rows it applies to new rows.

    A value not seen in training moves like the next lower one that was.
    """

    repair_level: Share = 1.0  # 0 changes nothing, 1 makes the distributions equal
    ties: Ties = "middle"

    def _learn_rest(self, rest: Any, codes: Codes) -> None:
        # By column: the value of each quantile at full repair; and by group the different values in rising order, and
        # how many rows hold each (empty where every value counts once).
        self.targets_, self.values_, self.counts_ = [], [], []
        for at, position in enumerate(self.positions_):
            column = read_column(rest, position)
            ordered = [_sort_observed(column[codes == group]) for group in range(len(self.groups_))]
            self._require_rows(ordered, at)
            different = [_count_different(one, self.ties) for one in ordered]
            self.values_.append([one for one, _ in different])
            self.counts_.append([counts for _, counts in different])
            self.targets_.append(_find_targets([one for one, _ in different] if self.ties == "distinct" else ordered))

    def _change_rest(self, rest: Any, codes: Codes) -> Any:
        # Numbered before the first column changes, which in an array it does in place.
        numbers = number_rows(pd.DataFrame(rest, copy=False)) if self.ties == "spread" else None
        changed = open_for_writing(rest)
        for at, position in enumerate(self.positions_):
            column = read_column(rest, position)
            if self.repair_level > 0:
                self._repair(column, at, codes, numbers)
            write_column(changed, position, column)
        return changed

    def _repair(self, column: Vector, at: int, codes: Codes, numbers: Vector | None) -> None:
        """Repair a column in place, in parts that fit the cache; the column is the only full-length array made."""
        # Only a partial repair walks through the values that occur.
        pooled = np.unique(np.concatenate(self.values_[at])) if self.repair_level < 1 else None
        for group in range(len(self.groups_)):
            goals = _Goals.of(self.values_[at][group], self.counts_[at][group], self.targets_[at])
            for start in range(0, len(column), _PART):
                rows = start + np.flatnonzero(codes[start : start + _PART] == group)
                # Searching with sorted values is several times faster than with the rows as they come.
                rows = rows[np.argsort(column[rows])]
                values = column[rows]
                goal = goals.find(values, None if numbers is None else renumber(numbers[rows], at))
                if pooled is not None:
                    goal = _go_part(values, goal, pooled, self.repair_level)
                column[rows] = np.where(np.isnan(values), np.nan, goal)

    def _require_rows(self, ordered: list[Vector], at: int) -> None:
        small = [group for group, one in enumerate(ordered) if len(one) < 2]  # noqa: PLR2004 - one row has no ranks
        if small:
            raise MitigationError(
                "A group has too few values for the repair: its ranks would replace those of all groups.",
                where=f"feature {self.positions_[at] + 1} of those beside the sensitive column",
                how_many=f"{len(small)} of {len(ordered)} groups",
                example=f"group {self.groups_[small[0]]!r}: {len(ordered[small[0]])} value(s)",
                remedy="join small groups, give more data, or leave the column out with 'columns'",
            )


@dataclass(eq=False, repr=False)
class DisparateImpactModel(TransformedModel):
    """An estimator fitted on repaired features, see `DisparateImpactRemover`; it repairs new rows by itself."""

    transformer = DisparateImpactRemover

    repair_level: Share = 1.0
    ties: Ties = "middle"


@dataclass(frozen=True)
class _Goals:
    """The values at full repair of one column in one group."""

    known: Vector  # different values of the training rows, rising, shape (K,)
    starts: npt.NDArray[np.intp]  # rows below each, and their number, (K + 1,); empty where every value counts once
    by_rank: Vector  # value at full repair of each rank

    @classmethod
    def of(cls, known: Vector, counts: npt.NDArray[Any], targets: Vector) -> _Goals:
        """Work them out from what was learnt."""
        starts = np.append(0, np.cumsum(counts, dtype=np.intp)) if len(counts) else np.empty(0, dtype=np.intp)
        size = int(starts[-1]) if len(starts) else len(known)
        return cls(known, starts, np.repeat(targets, np.diff(_bound_quantiles(size, len(targets)))))

    def find(self, values: Vector, numbers: Vector | None) -> Vector:
        """Return the value at full repair of each value, shape (rows,); ties by the rows' numbers if given."""
        place = np.clip(np.searchsorted(self.known, values, side="right") - 1, 0, len(self.known) - 1)
        if not len(self.starts):
            rank = place
        elif numbers is None:
            rank = (self.starts[place] + self.starts[place + 1] - 1) // 2
        else:
            rank = self.starts[place] + (numbers * (self.starts[place + 1] - self.starts[place])).astype(np.intp)
        goal: Vector = self.by_rank[rank]
        return goal


def _sort_observed(values: Vector) -> Vector:
    """Sort values in place and return them without the missing ones, which sorting puts last."""
    values.sort()
    observed = int(np.searchsorted(values, np.nan))
    return values if observed == len(values) else values[:observed].copy()


def _count_different(ordered: Vector, ties: str) -> tuple[Vector, npt.NDArray[Any]]:
    """Return the different values and how many rows hold each; no counts where every value counts once.

    The counts take the smallest type that holds them: where there are many values, few rows hold each.
    """
    different, counts = np.unique(ordered, return_counts=True)
    most = 1 if ties == "distinct" else int(counts.max())
    return different, np.empty(0, dtype=np.uint8) if most == 1 else counts.astype(np.min_scalar_type(most))


def _find_targets(ordered: list[Vector]) -> Vector:
    """Return, for each quantile, the lower median over the groups of their lower medians in it."""
    quantiles = min(len(one) for one in ordered)
    medians = []
    for one in ordered:
        bounds = _bound_quantiles(len(one), quantiles)
        medians.append(one[bounds[:-1] + (np.diff(bounds) - 1) // 2])
    # A copy: one row of a larger array would keep the whole of it in memory.
    middle: Vector = np.sort(np.array(medians), axis=0)[(len(ordered) - 1) // 2].copy()
    return middle


def _bound_quantiles(size: int, quantiles: int) -> npt.NDArray[np.intp]:
    """Return where quantiles begin among ``size`` ranks, and the end; shape (quantiles + 1,).

    Added up and rounded half to even like the authors' program, so that the same ranks fall into the same quantile.
    """
    if quantiles == size:
        return np.arange(size + 1)
    ends = np.rint(np.cumsum(np.full(quantiles, 1.0 / quantiles)) * size)
    return np.append(0, ends.astype(np.intp))


def _go_part(values: Vector, goal: Vector, pooled: Vector, level: float) -> Vector:
    """Move values part of the way to their goal, counted in values that occur; shape (rows,)."""
    last = len(pooled) - 1
    here = np.clip(np.searchsorted(pooled, values, side="right") - 1, 0, last)
    there = np.clip(np.searchsorted(pooled, goal), 0, last)
    steps = np.rint((there - here) * level).astype(np.intp)
    moved: Vector = np.where((steps == 0) | np.isnan(values), values, pooled[here + steps])
    return moved
