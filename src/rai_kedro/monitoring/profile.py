"""A table reduced to counts: what drift is measured from, and all that has to be kept of a reference.

A reference chooses the grid of each column (cut points at its quantiles, values that many rows share, bins to show) and
a month is counted on the same grid. Counts of parts of a month, by batch or machine, add up to those of the month.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from rai_kedro.errors import RaiError
from rai_kedro.monitoring.results import Kind
from rai_kedro.typed import Typed

_PARTS = 32
_BINS = 20
ATOM_SHARE = 0.05
"""A number that at least this share of the reference's values have is compared as a value of its own."""


class ColumnProfile(Typed):
    """One column of a table as counts.

    Attributes:
        missing: Rows without a value.
        cuts: Cut points of numbers at the reference's quantiles; fewer where values are tied.
        at_most: Rows at or below each cut point.
        atoms: Values of numbers that many reference rows share.
        equal: Rows with each of them.
        edges: Edges of equally wide bins from the reference's lowest to its highest value, to show both by.
        bins: Rows below the first edge, in each bin, and above the last.
        levels: Rows of each category.
        importance: Share of the model's total importance that the column has; None where nobody said.
    """

    kind: Kind
    missing: int
    cuts: tuple[float, ...] = ()
    at_most: tuple[int, ...] = ()
    atoms: tuple[float, ...] = ()
    equal: tuple[int, ...] = ()
    edges: tuple[float, ...] = ()
    bins: tuple[int, ...] = ()
    levels: dict[str, int] = Field(default_factory=dict)
    importance: float | None = None

    def __add__(self, other: ColumnProfile) -> ColumnProfile:
        levels = {**self.levels, **other.levels}
        counts: dict[str, Any] = {
            name: tuple(map(sum, zip(getattr(self, name), getattr(other, name), strict=True)))
            for name in ("at_most", "equal", "bins")
        }
        counts["levels"] = {name: self.levels.get(name, 0) + other.levels.get(name, 0) for name in levels}
        return self.model_copy(update={"missing": self.missing + other.missing, **counts})


class ReferenceProfile(Typed):
    """A table as counts: the reference of a model version, or a month on the grid of its reference.

    Counts of parts of a month, on the grid of one reference, add up.
    """

    rows: int
    columns: dict[str, ColumnProfile]

    def __add__(self, other: ReferenceProfile) -> ReferenceProfile:
        columns = {name: one + other.columns[name] for name, one in self.columns.items()}
        return ReferenceProfile(rows=self.rows + other.rows, columns=columns)


def profile_reference(
    frame: pd.DataFrame, kinds: Mapping[str, Kind], *, importance: Mapping[str, float] | None = None
) -> ReferenceProfile:
    """Count a reference on a grid of its own.

    Args:
        frame: The reference rows.
        kinds: The columns to count, and their kinds.
        importance: Share of the model's total importance by column, 0 to 1.

    Raises:
        RaiError: There is no column, one is missing or not of its kind, or a value is infinite.
    """
    _check_columns(frame, kinds, "reference data")
    known = importance or {}
    columns = {
        name: _count_levels(frame[name], known.get(name))
        if kind == "categorical"
        else _lay_grid(_sorted_numbers(frame[name], "reference data"), len(frame), known.get(name))
        for name, kind in kinds.items()
    }
    return ReferenceProfile(rows=len(frame), columns=columns)


def profile_month(reference: ReferenceProfile, frame: pd.DataFrame, side: str = "current data") -> ReferenceProfile:
    """Count a table on the grid of its reference; errors, which name ``side``, as of :func:`profile_reference`."""
    _check_columns(frame, reference.columns, side)
    columns = {
        name: _count_levels(frame[name], column.importance)
        if column.kind == "categorical"
        else _count_on(column, _sorted_numbers(frame[name], side), len(frame))
        for name, column in reference.columns.items()
    }
    return ReferenceProfile(rows=len(frame), columns=columns)


def _lay_grid(numbers: NDArray[np.float64], rows: int, importance: float | None) -> ColumnProfile:
    empty = ColumnProfile(kind="numerical", missing=rows - len(numbers), importance=importance)
    if not len(numbers):
        return empty
    ranks = -(-np.arange(1, _PARTS) * len(numbers) // _PARTS) - 1
    # A value with that share of the rows covers at least one rank of a grid twice as fine.
    step = max(1, int(len(numbers) * ATOM_SHARE / 2))
    candidates = np.unique(numbers[::step])
    counts = np.searchsorted(numbers, candidates, "right") - np.searchsorted(numbers, candidates, "left")
    grid = {
        "cuts": tuple(np.unique(numbers[ranks]).tolist()),
        "atoms": tuple(candidates[(counts >= ATOM_SHARE * len(numbers)) & (counts > 1)].tolist()),
        "edges": _edges(float(numbers[0]), float(numbers[-1])),
    }
    return _count_on(empty.model_copy(update=grid), numbers, rows)


def _count_on(grid: ColumnProfile, numbers: NDArray[np.float64], rows: int) -> ColumnProfile:
    at_most, below, up_to = (
        np.searchsorted(numbers, np.array(points), side)  # type: ignore[call-overload]
        for points, side in ((grid.cuts, "right"), (grid.atoms, "left"), (grid.atoms, "right"))
    )
    counts = {
        "missing": rows - len(numbers),
        "at_most": tuple(at_most.tolist()),
        "equal": tuple((up_to - below).tolist()),
        "bins": _count_bins(grid.edges, numbers),
    }
    return grid.model_copy(update=counts)


def _edges(lowest: float, highest: float) -> tuple[float, ...]:
    """Return the edges of the bins; one where all values are the same, none where the range has no float."""
    with np.errstate(over="ignore", invalid="ignore"):
        edges = np.unique(np.linspace(lowest, highest, _BINS + 1))
    return tuple(edges.tolist()) if np.isfinite(edges).all() else ()


def _count_bins(edges: tuple[float, ...], numbers: NDArray[np.float64]) -> tuple[int, ...]:
    """Count half-open bins, the last of them closed, between what lies below and above."""
    if not edges:
        return ()
    passed = np.searchsorted(numbers, np.array(edges), "left")
    within = np.searchsorted(numbers, edges[-1], "right")
    inner = passed if len(edges) == 1 else passed[:-1]
    return tuple(np.diff([0, *inner, within, len(numbers)]).tolist())


def _count_levels(values: pd.Series, importance: float | None) -> ColumnProfile:
    counted = values.value_counts(sort=False)
    levels: dict[str, int] = {}
    for level, rows in zip(counted.index, counted.to_numpy().tolist(), strict=True):
        if rows:
            levels[_name(level)] = levels.get(_name(level), 0) + rows
    missing = len(values) - sum(levels.values())
    return ColumnProfile(kind="categorical", missing=missing, levels=levels, importance=importance)


def _name(level: Any) -> str:
    # Whole numbers become floats as soon as one value of the column is missing: 1 and 1.0 are one category.
    whole = isinstance(level, float | np.floating) and float(level).is_integer()
    return str(int(level)) if whole else str(level)


def _sorted_numbers(values: pd.Series, side: str) -> NDArray[np.float64]:
    if not pd.api.types.is_numeric_dtype(values):
        if values.notna().any():
            raise RaiError(
                f"A column to be tested as numerical holds no numbers in the {side}.",
                where=str(values.name),
                example=repr(values.dropna().iloc[0]),
                remedy="deliver numbers, or declare the column as categorical",
            )
        return np.empty(0)
    numbers = np.sort(values.to_numpy(dtype="float64", na_value=np.nan))
    numbers = numbers[: np.searchsorted(numbers, np.nan)]
    if len(numbers) and not (np.isfinite(numbers[0]) and np.isfinite(numbers[-1])):
        raise RaiError(
            f"A column to test for drift holds infinite values in the {side}.",
            where=str(values.name),
            how_many=f"{int(np.isinf(numbers).sum())} of {len(values)} rows",
            remedy="correct the values at their source; an infinite value cannot be compared",
        )
    return numbers


def _check_columns(frame: pd.DataFrame, kinds: Mapping[str, Any], side: str) -> None:
    if not kinds:
        raise RaiError("No column was given to test for drift.", where=side, remedy="name at least one column")
    absent = [name for name in kinds if name not in frame.columns]
    if absent:
        raise RaiError(
            f"A column to test for drift is missing from the {side}.",
            where=", ".join(absent),
            how_many=f"{len(absent)} of {len(kinds)} columns",
            remedy="deliver the column, or take it out of the columns that are monitored",
        )
