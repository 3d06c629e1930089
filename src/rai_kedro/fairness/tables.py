"""Counts, sums and moments by group, made in one pass over the rows: all that metrics of groups are computed from.

An interval, or a thousand resamples, costs the same whatever the number of rows. Counts add up over batches, months and
machines. Rows are read in chunks: next to the columns themselves the pass needs about a megabyte.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import islice
from math import prod
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.errors import RaiError
from rai_kedro.fairness.grouping import Grouping, cut_rows
from rai_kedro.fairness.unit_sums import UnitSums, gather
from rai_kedro.intervals import Sampling

BINS = 256
MOST_VALUES = 20_000
MISSING_LABEL = "missing label"
MISSING_PREDICTION = "withheld or missing prediction"
MISSING_GROUP = "missing group"
MISSING_STRATUM = "missing stratum"
MISSING_SCORE = "missing score"
WEIGHT_OF_ZERO = "weight of zero"
# How many times its rows a group may count in a batch; where they would count more often there are too few of them.
_LARGEST_WEIGHT = 7.0
QUANTITIES = ("target", "prediction", "signed_error", "absolute_error", "squared_error")

Binary = npt.NDArray[np.int8]
Counts = npt.NDArray[np.int64]
Figures = npt.NDArray[np.float64]
_Moments = tuple[Counts, Figures, Figures]
_Columns = dict[str, npt.NDArray[Any]]


class OutcomeError(RaiError):
    """Labels, predictions or scores are not what a fairness metric needs."""


class _Plain:
    """Tables that JSON can hold: what was counted in one batch waits there for the next."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}  # type: ignore[arg-type]
        units = values.pop("units", None)
        plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()}
        return {**plain, "groups": list(plain["groups"])} | ({} if units is None else {"units": units.to_dict()})

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Rebuild the table from :meth:`to_dict`."""
        values = {name: np.array(value) if name in _ARRAYS else value for name, value in plain.items()}
        if "units" in plain:
            values["units"] = UnitSums.from_dict(plain["units"])
        return cls(**{**values, "groups": tuple(plain["groups"])})


_ARRAYS = ("counts", "sums", "squares", "edges", "rows", "means", "deviations")


class _Additive(_Plain):
    """Arrays by group, first axis (G, ...), that add up over batches of rows; groups only one batch has are kept."""

    arrays: ClassVar[tuple[str, ...]] = ("counts",)
    groups: tuple[str, ...]
    left_out: dict[str, int]
    units: UnitSums | None

    def __add__(self, other: Self) -> Self:
        groups = tuple(dict.fromkeys(self.groups + other.groups))
        sums = {
            name: sum(_spread(getattr(one, name), one.groups, groups) for one in (self, other)) for name in self.arrays
        }
        both: Any = {"left_out": _add_reasons(self, other), "units": _add_units(self, other, groups)}
        added: Self = replace(self, groups=groups, **both, **sums)  # type: ignore[type-var]
        return added

    def arrange(self, groups: tuple[str, ...]) -> Self:
        """Return the same counts with the groups in another order; new ones have no rows."""
        if groups == self.groups:
            return self
        arrays = {name: _spread(getattr(self, name), self.groups, groups) for name in self.arrays}
        arranged: Self = replace(self, groups=groups, units=_regroup(self, groups), **arrays)  # type: ignore[type-var]
        return arranged


@dataclass(frozen=True, eq=False)
class GroupCounts(_Additive):
    """Confusion matrix of each group.

    Attributes:
        counts: Rows by group, outcome Y and prediction, shape (G, 2, 2); index 1 is the favourable outcome.
        left_out: Rows left out, by reason.
        units: Sums of weights by unit, of the cells in the same order; None where rows are independent and count alike.
    """

    groups: tuple[str, ...]
    counts: Counts
    left_out: dict[str, int] = field(default_factory=dict)
    units: UnitSums | None = None

    def total(self, *cells: tuple[int, int]) -> Counts:
        """Return the rows of each group in some cells (outcome, prediction) together, shape (G,)."""
        rows: Counts = np.sum([self.counts[:, outcome, prediction] for outcome, prediction in cells], axis=0)
        return rows


@dataclass(frozen=True, eq=False)
class StratumCounts:
    """Confusion matrix of each group within each stratum: ``counts`` of shape (S, G, 2, 2)."""

    strata: tuple[str, ...]
    groups: tuple[str, ...]
    counts: Counts
    left_out: dict[str, int] = field(default_factory=dict)
    units: UnitSums | None = None


@dataclass(frozen=True, eq=False)
class ScoreCounts(_Additive):
    """Number, sum and sum of squares of the scores by group, outcome Y and score bin, shape (G, 2, bins).

    The bins cut [0, 1] into equal parts, a score on a border belonging to the bin above it. Scores lie in [0, 1], so
    that nothing is lost by the squares.
    """

    arrays: ClassVar[tuple[str, ...]] = ("counts", "sums", "squares")
    groups: tuple[str, ...]
    counts: Counts
    sums: Figures
    squares: Figures
    left_out: dict[str, int] = field(default_factory=dict)
    units: UnitSums | None = None

    def describe(self, outcome: int) -> tuple[Counts, Figures, Figures]:
        """Return rows, mean score and sample variance (n - 1) of the rows with one outcome, each of shape (G,).

        Mean and variance are nan where there are too few rows for them.
        """
        rows, total, squares = (part[:, outcome].sum(axis=1) for part in (self.counts, self.sums, self.squares))
        mean = total / np.where(rows > 0, rows, np.nan)
        variance = (squares - total * mean) / np.where(rows > 1, rows - 1, np.nan)
        return rows, mean, np.maximum(variance, 0)


@dataclass(frozen=True, eq=False)
class DistributionCounts(_Additive):
    """Predictions of each group, shape (G, B), in the unit of the label.

    With B edges column k counts the value ``edges[k]``; with B + 1 the predictions on a declared grid of equal bins,
    what lies outside counting in the end bins.
    """

    groups: tuple[str, ...]
    edges: Figures
    counts: Counts
    left_out: dict[str, int] = field(default_factory=dict)
    units: UnitSums | None = None

    def __add__(self, other: Self) -> Self:
        if not np.array_equal(self.edges, other.edges):
            raise ValueError("counts on different grids cannot be added: declare one range for all batches")
        return super().__add__(other)


@dataclass(frozen=True, eq=False)
class GroupMoments(_Plain):
    """Rows, means and sums of squared deviations of each of :data:`QUANTITIES` in each group, shape (G,) or (5, G).

    Deviations are from the group's own mean (not raw sums of squares, which lose all digits where a mean is large);
    two batches are merged by Chan, Golub & LeVeque (1979). A mean is 0 where there is no row.
    """

    groups: tuple[str, ...]
    rows: Counts
    means: Figures
    deviations: Figures
    left_out: dict[str, int] = field(default_factory=dict)
    units: UnitSums | None = None

    def __add__(self, other: GroupMoments) -> GroupMoments:
        groups = tuple(dict.fromkeys(self.groups + other.groups))
        a, b = (
            (
                _spread(part.rows, part.groups, groups),
                _spread(part.means.T, part.groups, groups).T,
                _spread(part.deviations.T, part.groups, groups).T,
            )
            for part in (self, other)
        )
        return GroupMoments(groups, *_merge(a, b), _add_reasons(self, other), _add_units(self, other, groups))

    def arrange(self, groups: tuple[str, ...]) -> GroupMoments:
        """Return the same moments with the groups in another order; new ones have no rows."""
        if groups == self.groups:
            return self
        means, deviations = (_spread(part.T, self.groups, groups).T for part in (self.means, self.deviations))
        rows = _spread(self.rows, self.groups, groups)
        return GroupMoments(groups, rows, means, deviations, self.left_out, _regroup(self, groups))

    def describe(self, quantity: str) -> tuple[Counts, Figures, Figures]:
        """Return rows, mean and sample variance (n - 1) of one quantity, each of shape (G,).

        Mean and variance are nan where there are too few rows for them.
        """
        at = QUANTITIES.index(quantity)
        mean = np.where(self.rows > 0, self.means[at], np.nan)
        return self.rows, mean, self.deviations[at] / np.where(self.rows > 1, self.rows - 1, np.nan)


def standardise_batches(tables: Sequence[Any]) -> Any:
    """Add up batches (months) as if every group had the same share of its rows in each.

    Where a group became more common while everything changed for everybody, plain sums would show that change as a
    difference between groups. So the rows of a group are weighed by the batch's share of all rows over its share of the
    group's (direct standardisation), and count as many as such weighted rows are worth (Kish 1965). Batches with an
    unchanged mix of groups are added up as they are. A unit with rows in several batches stays one unit.

    What was there in some batches only cannot be weighed so. A group is compared where the batches that hold enough of
    it, and of the groups compared before it, have at least half of all rows: the other batches are left out for all
    groups alike. Otherwise the group is left without rows, and is so reported as not assessed.
    """
    groups = tuple(dict.fromkeys(name for table in tables for name in table.groups))
    rows = np.array([_spread(_count(table), table.groups, groups) for table in tables], dtype=float)
    used, compared = _choose_comparable(rows)
    rows, tables = rows[used] * compared, [table for table, use in zip(tables, used, strict=True) if use]
    of_batch, of_group = rows.sum(axis=1, keepdims=True), rows.sum(axis=0, keepdims=True)
    weight = np.divide(of_batch * of_group, rows * rows.sum(), out=np.zeros_like(rows), where=rows > 0)
    squares = (weight**2 * rows).sum(axis=0)
    weight *= np.divide((weight * rows).sum(axis=0), squares, out=np.ones_like(squares), where=squares > 0)
    by_name = [dict(zip(groups, row, strict=True)) for row in weight]
    weighed = (
        _weigh(table, np.array([of[name] for name in table.groups])) for table, of in zip(tables, by_name, strict=True)
    )
    return functools.reduce(operator.add, weighed)


def _choose_comparable(rows: Figures) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return which batches and which groups can be weighed, from the rows of each, shape (batches, groups)."""
    of_batch, of_group = rows.sum(axis=1), rows.sum(axis=0)
    expected = np.outer(of_batch, of_group) / max(1.0, float(rows.sum()))
    # Kish takes all rows of a group to vary alike; few rows of great weight that vary more would belie him.
    enough = (rows > 0) & (rows * _LARGEST_WEIGHT >= expected)
    used, compared = np.ones(len(rows), dtype=bool), np.zeros(rows.shape[1], dtype=bool)
    for group in np.argsort(-(of_batch @ enough), kind="stable"):
        both = used & enough[:, group]
        if of_batch[both].sum() * 2 >= of_batch.sum():
            used, compared[group] = both, True
    return used, compared


def _count(table: Any) -> Any:
    if table.units is not None:
        return table.units.count(len(table.groups))
    if isinstance(table, GroupMoments):
        return table.rows
    rows: Counts = table.counts.reshape(len(table.groups), -1).sum(axis=1)
    return rows


def _weigh(table: Any, weight: Figures) -> Any:
    """Let each row of a group count so many times; means stay as they are."""
    units = None if table.units is None else table.units.weigh(weight)
    if isinstance(table, GroupMoments):
        weighed: Any = {"rows": table.rows * weight, "deviations": table.deviations * weight, "units": units}
        return replace(table, **weighed)
    return replace(table, units=units, **{name: (getattr(table, name).T * weight).T for name in table.arrays})


def encode_outcome(values: Any, *, what: str, favourable: Any = 1) -> Binary:
    """Turn labels or predictions into 1 (favourable; True counts as 1), 0 (not) and -1 (missing).

    Raises:
        OutcomeError: There are more than two values, or two of which neither is the favourable one.
    """
    series = pd.Series(values, copy=False)
    codes = np.empty(len(series), dtype=np.int8)
    different: dict[Any, bool] = {}
    for part in cut_rows(len(series)):
        positions, found = pd.factorize(series.iloc[part])
        flags = [different.setdefault(value, bool(value == favourable)) for value in found]
        codes[part] = np.array([*flags, -1], dtype=np.int8)[positions]
    codes_only = favourable in (0, 1) and all(value in (0, 1) for value in different)
    only_the_other = len(different) <= 1 and isinstance(favourable, str)
    if len(different) > 2 or not (any(different.values()) or codes_only or only_the_other):  # noqa: PLR2004
        raise OutcomeError(
            f"The {what} is not binary with {favourable!r} as its favourable value.",
            where=what,
            how_many=f"{len(different)} different values in {len(series)} rows",
            example=", ".join(repr(value) for value in islice(different, 5)),
            remedy="Name the favourable value ('favourable'), or assess a numerical target as regression.",
        )
    return codes


def check_numbers(values: Any, *, what: str) -> Figures:
    """Return labels or predictions as floats, nan where missing; :class:`OutcomeError` unless numbers and finite."""
    problem = f"The {what} is not a finite number in every row, as regression needs."
    remedy = "Leave such a value empty if it is not known, or assess a target of two values as classification."
    return _read_numbers(values, what, np.isfinite, problem, remedy)


def check_scores(score: Any) -> Figures:
    """Return P(Y = 1) of each row as floats, nan where missing; :class:`OutcomeError` unless they lie in [0, 1]."""
    problem = "The scores are not probabilities: they have to lie between 0 and 1."
    remedy = "Hand in P(favourable) as predict_proba gives it, not a decision function, logit or percentage."
    return _read_numbers(score, "score", lambda numbers: (numbers >= 0) & (numbers <= 1), problem, remedy)


def _read_numbers(values: Any, what: str, allow: Callable[[Figures], Any], problem: str, remedy: str) -> Figures:
    series = pd.Series(values, copy=False)
    read = pd.to_numeric(series.astype("object") if series.dtype.kind == "O" else series, errors="coerce")
    numbers = read.to_numpy(dtype=float, na_value=np.nan)
    wrong = series.notna().to_numpy() & ~allow(numbers)
    if wrong.any():
        how_many = f"{int(wrong.sum())} of {len(series)} rows"
        raise OutcomeError(problem, where=what, how_many=how_many, example=repr(series[wrong].iloc[0]), remedy=remedy)
    return numbers


def count_groups(
    outcome: Binary, prediction: Binary, grouping: Grouping, *, sampling: Sampling | None = None
) -> GroupCounts:
    """Count the confusion matrix of each group in one pass, from codes 1, 0 and -1 (missing), shape (rows,).

    A row with anything missing is counted as left out, under the first reason that applies.
    """
    return GroupCounts(grouping.groups, *_count_confusion(outcome, prediction, grouping, sampling=sampling))


def count_strata(
    outcome: Binary, prediction: Binary, grouping: Grouping, strata: Grouping, *, sampling: Sampling | None = None
) -> StratumCounts:
    """Count as :func:`count_groups` within each stratum; strata are groups made of the legitimate columns."""
    counted = _count_confusion(outcome, prediction, grouping, strata, sampling=sampling)
    return StratumCounts(strata.groups, grouping.groups, *counted)


def _count_confusion(
    outcome: Binary,
    prediction: Binary,
    grouping: Grouping,
    strata: Grouping | None = None,
    *,
    sampling: Sampling | None,
) -> tuple[Counts, dict[str, int], UnitSums | None]:
    """Return counts of shape ([S,] G, 2, 2), the rows left out by reason, and sums of [S x] 4 cells by unit."""
    columns: _Columns = {MISSING_LABEL: outcome, MISSING_PREDICTION: prediction, MISSING_GROUP: grouping.codes}
    if strata is not None:
        columns[MISSING_STRATUM] = strata.codes
    shape = (*(len(one.groups) for one in (strata, grouping) if one is not None), 2, 2)
    totals = np.zeros(prod(shape), dtype=np.int64)
    left_out: dict[str, int] = {}
    rows = []
    for (y, predicted, group, *stratum), sampled in _iterate_complete(columns, left_out, sampling):
        at = np.ravel_multi_index((*stratum, group, y, predicted), shape)
        totals += np.bincount(at, minlength=totals.size)
        if sampled:
            cell = np.ravel_multi_index((*stratum, y, predicted), (*shape[:-3], 2, 2))
            rows.append((sampled, group, cell[:, None], np.ones((len(cell), 1))))
    return totals.reshape(shape), left_out, gather(rows, prod((*shape[:-3], 2, 2))) if sampling else None


def count_scores(
    outcome: Binary, score: Figures, grouping: Grouping, *, bins: int = 10, sampling: Sampling | None = None
) -> ScoreCounts:
    """Sum the scores, in [0, 1] and nan where missing, by group, outcome and one of equal bins, in one pass."""
    shape = (len(grouping.groups), 2, bins)
    totals = np.zeros((3, prod(shape)))
    left_out: dict[str, int] = {}
    rows = []
    columns: _Columns = {MISSING_LABEL: outcome, MISSING_SCORE: score, MISSING_GROUP: grouping.codes}
    for (y, values, group), sampled in _iterate_complete(columns, left_out, sampling):
        place = np.minimum((values * bins).astype(np.int64), bins - 1)
        at = np.ravel_multi_index((group, y, place), shape)
        totals += [np.bincount(at, weights=weights, minlength=prod(shape)) for weights in (None, values, values**2)]
        if sampled:
            cell = np.ravel_multi_index((y, place), shape[1:])
            cells = np.stack([cell, cell + 2 * bins], axis=1)
            rows.append((sampled, group, cells, np.stack([np.ones(len(cell)), values], axis=1)))
    counts, sums, squares = totals.reshape(3, *shape)
    units = gather(rows, 2 * bins) if sampling else None
    return ScoreCounts(grouping.groups, counts.astype(np.int64), sums, squares, left_out, units)


def sum_moments(
    target: Figures, prediction: Figures, grouping: Grouping, *, sampling: Sampling | None = None
) -> GroupMoments:
    """Gather rows, means and squared deviations of labels and predictions (nan where missing) in one pass."""
    size = len(grouping.groups)
    total: _Moments = (np.zeros(size, np.int64), np.zeros((len(QUANTITIES), size)), np.zeros((len(QUANTITIES), size)))
    left_out: dict[str, int] = {}
    rows = []
    columns: _Columns = {MISSING_LABEL: target, MISSING_PREDICTION: prediction, MISSING_GROUP: grouping.codes}
    for (y, predicted, codes), sampled in _iterate_complete(columns, left_out, sampling):
        error = predicted - y
        quantities = (y, predicted, error, np.abs(error), error**2)
        total = _merge(total, _batch(codes, quantities, size))
        if sampled:
            values = np.stack([np.ones(len(y)), *quantities], axis=1)
            rows.append((sampled, codes, np.broadcast_to(np.arange(values.shape[1]), values.shape), values))
    return GroupMoments(grouping.groups, *total, left_out, gather(rows, 1) if sampling else None)


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
    present = np.where(rows > 0, rows, 1)  # weighed rows may be fewer than one
    apart = b[1] - a[1]
    return rows, a[1] + apart * b[0] / present, a[2] + b[2] + apart**2 * a[0] * b[0] / present


def count_distribution(
    prediction: Figures,
    grouping: Grouping,
    *,
    bounds: tuple[float, float] | None = None,
    sampling: Sampling | None = None,
) -> DistributionCounts:
    """Count predictions of each group, nan where missing: each value, or on 256 equal bins within ``bounds``.

    Only counts on bounds declared beforehand add up over batches; distances of them are off by no more than one bin can
    hide. Of more than 20,000 different predictions each counts as the next higher one of 20,000 quantiles.
    """
    if bounds is None:
        return _count_values(prediction, grouping, sampling)
    low, high = bounds if bounds[0] < bounds[1] else (bounds[0] - 0.5, bounds[0] + 0.5)
    shape = (len(grouping.groups), BINS)
    totals = np.zeros(prod(shape), dtype=np.int64)
    left_out: dict[str, int] = {}
    rows = []
    columns: _Columns = {MISSING_PREDICTION: prediction, MISSING_GROUP: grouping.codes}
    for (predicted, group), sampled in _iterate_complete(columns, left_out, sampling):
        place = np.clip((predicted - low) * (BINS / (high - low)), 0, BINS - 1).astype(np.int64)
        totals += np.bincount(np.ravel_multi_index((group, place), shape), minlength=totals.size)
        if sampled:
            rows.append((sampled, group, place[:, None], np.ones((len(place), 1))))
    edges, units = np.linspace(low, high, BINS + 1), gather(rows, BINS) if sampling else None
    return DistributionCounts(grouping.groups, edges, totals.reshape(shape), left_out, units)


def _count_values(prediction: Figures, grouping: Grouping, sampling: Sampling | None) -> DistributionCounts:
    left_out: dict[str, int] = {}
    columns: _Columns = {MISSING_PREDICTION: prediction, MISSING_GROUP: grouping.codes}
    parts = list(_iterate_complete(columns, left_out, sampling))
    predicted, group = (np.concatenate([values[at] for values, _ in parts]) for at in (0, 1))
    values = np.unique(predicted)
    if values.size > MOST_VALUES:
        values = np.unique(np.sort(predicted)[np.linspace(0, predicted.size - 1, MOST_VALUES).astype(int)])
    values = values if values.size else np.zeros(1)
    shape = (len(grouping.groups), values.size)
    totals = np.bincount(
        np.ravel_multi_index((group, np.searchsorted(values, predicted)), shape), minlength=prod(shape)
    )
    rows = [
        (sampled, codes, np.searchsorted(values, part)[:, None], np.ones((len(part), 1)))
        for (part, codes), sampled in parts
        if sampled
    ]
    units = gather(rows, values.size) if sampling else None
    return DistributionCounts(grouping.groups, values, totals.reshape(shape), left_out, units)


def _iterate_complete(
    columns: _Columns, left_out: dict[str, int], sampling: Sampling | None
) -> Iterator[tuple[list[npt.NDArray[Any]], Sampling | None]]:
    """Yield each column's values in pieces of the rows of which nothing is missing: no code is -1, no float nan.

    The other rows are added to ``left_out`` under their first reason. Beside the values stands how they were sampled.
    """
    if sampling is not None:
        columns = {**columns, WEIGHT_OF_ZERO: np.where(sampling.weights > 0, sampling.weights, np.nan)}
    for part in cut_rows(len(next(iter(columns.values())))):
        pieces = [values[part] for values in columns.values()]
        kept = np.ones(len(pieces[0]), dtype=bool)
        for reason, values in zip(columns, pieces, strict=True):
            before = int(np.count_nonzero(kept))
            kept &= ~np.isnan(values) if values.dtype.kind == "f" else values >= 0
            dropped = before - int(np.count_nonzero(kept))
            if dropped:
                left_out[reason] = left_out.get(reason, 0) + dropped
        complete = [values[kept] for values in pieces]
        if sampling is None:
            yield complete, None
        else:
            yield complete[:-1], Sampling(sampling.units[part][kept], complete[-1])


def _spread(values: npt.NDArray[Any], groups: tuple[str, ...], onto: tuple[str, ...]) -> npt.NDArray[Any]:
    """Put the values of some groups, shape (G, ...), into their places among more groups; zero elsewhere."""
    placed = np.zeros((len(onto), *values.shape[1:]), dtype=values.dtype)
    placed[[onto.index(group) for group in groups]] = values
    return placed


def _add_units(first: Any, second: Any, groups: tuple[str, ...]) -> UnitSums | None:
    parts = [units for one in (first, second) if (units := _regroup(one, groups)) is not None]
    return functools.reduce(operator.add, parts) if parts else None


def _regroup(table: Any, groups: tuple[str, ...]) -> UnitSums | None:
    """Return the sums by unit of a table with the places of its groups among others."""
    return None if table.units is None else table.units.regroup([groups.index(name) for name in table.groups])


def _add_reasons(first: Any, second: Any) -> dict[str, int]:
    reasons = first.left_out | second.left_out
    return {reason: first.left_out.get(reason, 0) + second.left_out.get(reason, 0) for reason in reasons}
