"""Disparate-impact removal: give every column the same distribution in all groups, and keep the ranks within each.

Source: M. Feldman, S. Friedler, J. Moeller, C. Scheidegger and S. Venkatasubramanian, "Certifying and removing
disparate impact", KDD 2015. A value moves toward the median, over the groups, of the values at the same quantile.
With two groups the lower of the two is taken for the median, the number of quantiles is the size of the smallest
group, and a partial repair ("combinatorial" in the source) goes part of the way through the values that occur: as in
the authors' program, which AIF360 uses, so that the results are the same where no value occurs twice in a group.

Values that occur more than once share a quantile or not, by the parameter ``ties``:
``middle``: all take the quantile of their middle rank (a value always gives the same value);
``distinct``: quantiles count different values and not rows, as AIF360 does; a 0/1 column is then left as it is;
``spread``: each takes one of their quantiles, by the row's own number (`rai_kedro.mitigation.rownumbers`): the
distributions become equal even for 0/1 columns, at the price that equal values of different rows may part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rai_kedro.mitigation.rownumbers import number_rows, renumber
from rai_kedro.mitigation.sensitive import Codes, Column, LearntGroups, MitigationError
from rai_kedro.mitigation.transformed import Matrix, SensitiveTransformer, TransformedModel

Vector = npt.NDArray[np.float64]


class DisparateImpactRemover(SensitiveTransformer):
    """Transformer that repairs numeric columns; what it learnt on training rows it applies to new rows.

    A value not seen in training moves like the next lower one that was.

    Args:
        sensitive_column: Name of the sensitive column (its position if ``X`` is an array).
        cuts: Cut points of a continuous sensitive column; by default its median on the training rows.
        columns: Columns to repair; by default all numeric ones.
        repair_level: 0 changes nothing, 1 makes the distributions equal.
        ties: ``middle``, ``distinct`` or ``spread``, see the module.

    Attributes:
        targets_: For each column, the value of each quantile at full repair, shape (quantiles,).
        values_: For each column and group, the different values in rising order.
        starts_: Beside each of these, how many rows are below it; one entry more for the end.
        pooled_: For each column, the different values over all groups (repair below 1 only).
    """

    def __init__(
        self,
        sensitive_column: Column | None = None,
        cuts: Sequence[float] | None = None,
        columns: Sequence[Column] | None = None,
        repair_level: float = 1.0,
        ties: Literal["middle", "distinct", "spread"] = "middle",
    ) -> None:
        super().__init__(sensitive_column, cuts, columns)
        self.repair_level = repair_level
        self.ties = ties

    def _learn(self, values: Matrix, groups: LearntGroups) -> None:
        self._check_parameters()
        members = [np.flatnonzero(groups.codes == group) for group in range(len(groups.names))]
        self.targets_, self.values_, self.starts_, self.pooled_ = [], [], [], []
        for at in range(values.shape[1]):
            column = values[:, at]
            ordered = [_sort_observed(column[rows]) for rows in members]
            self._require_rows(ordered, at)
            different = [_count_different(one, self.ties) for one in ordered]
            self.values_.append([one for one, _ in different])
            self.starts_.append([starts for _, starts in different])
            self.targets_.append(_find_targets([one for one, _ in different] if self.ties == "distinct" else ordered))
            # Only a partial repair walks through the values that occur.
            self.pooled_.append(_merge(self.values_[-1]) if 0 < self.repair_level < 1 else np.empty(0))

    def _apply(self, values: Matrix, codes: Codes, rest: Any) -> Matrix:
        if self.repair_level == 0:
            return values
        members = [np.flatnonzero(codes == group) for group in range(len(self.groups_))]
        numbers = number_rows(rest) if self.ties == "spread" else None
        for at in range(values.shape[1]):
            own = None if numbers is None else renumber(numbers, at)
            for group, mine in enumerate(members):
                # Searching with sorted values is several times faster than with the rows as they come.
                rows = mine[np.argsort(values[mine, at])]
                column = values[rows, at]
                goal = self._find_goal(at, group, column, None if own is None else own[rows])
                if self.repair_level < 1:
                    goal = _go_part(column, goal, self.pooled_[at], self.repair_level)
                values[rows, at] = np.where(np.isnan(column), np.nan, goal)
        return values

    def _find_goal(self, at: int, group: int, values: Vector, numbers: Vector | None) -> Vector:
        """Return the value at full repair of a group's values, shape (rows,)."""
        known, starts, targets = self.values_[at][group], self.starts_[at][group], self.targets_[at]
        place = np.clip(np.searchsorted(known, values, side="right") - 1, 0, len(known) - 1)
        if len(starts) == 0:
            rank = place
        elif numbers is None:
            rank = (starts[place] + starts[place + 1] - 1) // 2
        else:
            rank = starts[place] + (numbers * (starts[place + 1] - starts[place])).astype(np.intp)
        size = len(known) if len(starts) == 0 else int(starts[-1])
        goal: Vector = targets[_assign_quantiles(size, len(targets))[rank]]
        return goal

    def _check_parameters(self) -> None:
        if not 0 <= self.repair_level <= 1:
            raise MitigationError(
                "The repair level is a share and lies between 0 and 1.",
                where="parameter repair_level",
                example=f"{self.repair_level!r}",
                remedy="set 'repair_level' between 0 (nothing is changed) and 1 (full repair)",
            )
        if self.ties not in {"middle", "distinct", "spread"}:
            raise MitigationError(
                f"There is no rule {self.ties!r} for values that occur more than once.",
                where="parameter ties",
                remedy="choose 'middle', 'distinct' or 'spread'",
            )

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


class DisparateImpactModel(TransformedModel):
    """An estimator fitted on repaired features, see `DisparateImpactRemover`; it repairs new rows by itself.

    Args:
        estimator: The estimator.
        sensitive_column: Name of the sensitive column; ``X`` has to hold it.
        cuts: Cut points of a continuous sensitive column.
        repair_level: From 0 to 1.
        ties: ``middle``, ``distinct`` or ``spread``.
    """

    def __init__(
        self,
        estimator: Any = None,
        sensitive_column: Column | None = None,
        cuts: Sequence[float] | None = None,
        repair_level: float = 1.0,
        ties: Literal["middle", "distinct", "spread"] = "middle",
    ) -> None:
        super().__init__(estimator, sensitive_column, cuts)
        self.repair_level = repair_level
        self.ties = ties

    def _make_transformer(self) -> DisparateImpactRemover:
        return DisparateImpactRemover(repair_level=self.repair_level, ties=self.ties)


def _sort_observed(values: Vector) -> Vector:
    ordered = np.sort(values)
    return ordered[: len(ordered) - int(np.isnan(values).sum())]


def _count_different(ordered: Vector, ties: str) -> tuple[Vector, npt.NDArray[np.intp]]:
    """Return the different values and how many rows are below each; none where every value counts once."""
    first = np.flatnonzero(np.diff(ordered, prepend=-np.inf) != 0)
    if ties == "distinct" or len(first) == len(ordered):
        return ordered[first], np.empty(0, dtype=np.intp)
    return ordered[first], np.append(first, len(ordered))


def _find_targets(ordered: list[Vector]) -> Vector:
    """Return, for each quantile, the lower median over the groups of their lower medians in it."""
    quantiles = min(len(one) for one in ordered)
    medians = []
    for one in ordered:
        bounds = _bound_quantiles(len(one), quantiles)
        medians.append(one[bounds[:-1] + (np.diff(bounds) - 1) // 2])
    return np.asarray(np.sort(np.array(medians), axis=0)[(len(ordered) - 1) // 2])


def _bound_quantiles(size: int, quantiles: int) -> npt.NDArray[np.intp]:
    """Return where quantiles begin among ``size`` ranks, and the end; shape (quantiles + 1,).

    Added up and rounded half to even like the authors' program, so that the same ranks fall into the same quantile.
    """
    if quantiles == size:
        return np.arange(size + 1)
    bounds = np.zeros(quantiles + 1, dtype=np.intp)
    bounds[1:] = np.rint(np.cumsum(np.full(quantiles, 1.0 / quantiles)) * size)
    return bounds


def _assign_quantiles(size: int, quantiles: int) -> npt.NDArray[np.intp]:
    """Return the quantile of each of ``size`` ranks, shape (size,)."""
    return np.repeat(np.arange(quantiles), np.diff(_bound_quantiles(size, quantiles)))


def _merge(parts: list[Vector]) -> Vector:
    return np.unique(np.concatenate(parts))


def _go_part(values: Vector, goal: Vector, pooled: Vector, level: float) -> Vector:
    """Move values part of the way to their goal, counted in values that occur; shape (rows,)."""
    last = len(pooled) - 1
    here = np.clip(np.searchsorted(pooled, values, side="right") - 1, 0, last)
    there = np.clip(np.searchsorted(pooled, goal), 0, last)
    steps = np.rint((there - here) * level).astype(np.intp)
    moved: Vector = np.where((steps == 0) | np.isnan(values), values, pooled[here + steps])
    return moved
