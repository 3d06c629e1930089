"""How rows were sampled: which belong to one unit (a person, a household), and how much each counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.intervals.critical import Floats, IntervalError
from rai_kedro.intervals.design import UnitRatio, measure_ratio


@dataclass(frozen=True, eq=False)
class Sampling:
    """The unit of each row as a key that is the same in every batch, and its weight; each of shape (rows,)."""

    units: npt.NDArray[np.uint64]
    weights: Floats

    def take(self, kept: Any) -> Sampling:
        """Return some rows only."""
        return Sampling(self.units[kept], self.weights[kept])

    def add_up(self, *values: Floats) -> list[Floats]:
        """Sum values of the rows, times their weights, within each unit; each of shape (units,)."""
        codes, _ = pd.factorize(self.units)
        return [np.bincount(codes, weights=self.weights * one).astype(float) for one in values]

    def measure(self, top: Any, bottom: Any) -> UnitRatio:
        """Measure the weighted ratio of two columns, as of one group; arrays of the result have shape (1,)."""
        above, below = self.add_up(np.asarray(top, dtype=float), np.asarray(bottom, dtype=float))
        return measure_ratio(above, below, np.zeros(len(below), dtype=np.intp), 1)


def read_sampling(unit: Any, weight: Any, rows: int) -> Sampling | None:
    """Read unit and weight of each row; None where neither is given.

    Values of the unit that look alike (1, 1.0 and "1") are one unit. Rows of weight 0 stay, and count as nothing.

    Raises:
        IntervalError: They are not of so many rows, a row has no unit, or a weight is missing, negative or not finite,
            or all are 0.
    """
    if unit is None and weight is None:
        return None
    units = pd.util.hash_array(np.arange(rows)) if unit is None else key_units(pd.Series(unit, copy=False))
    _require_rows(units, rows, "unit")
    weights = np.ones(rows) if weight is None else _read_weights(pd.Series(weight, copy=False), rows)
    return Sampling(units, weights)


def key_units(values: pd.Series[Any]) -> npt.NDArray[np.uint64]:
    """Return a key of each value's unit, the same in every batch; errors are those of :func:`read_sampling`."""
    codes, different = pd.factorize(values)
    names = [_name(value) for value in different]
    missing = (codes < 0) | np.isin(codes, [at for at, name in enumerate(names) if not name])
    if missing.any():
        raise IntervalError(
            "Some rows have no unit.",
            where=_where(values, "unit"),
            how_many=f"{int(missing.sum())} of {len(values)} rows",
            example=f"row {int(np.flatnonzero(missing)[0])}",
            remedy="fill it (a row that belongs to nobody else gets a value of its own), or leave these rows out",
        )
    keys: npt.NDArray[np.uint64] = pd.util.hash_array(np.array(names, dtype=object))[codes]
    return keys


def _read_weights(values: pd.Series[Any], rows: int) -> Floats:
    _require_rows(values, rows, "weight")
    weights: Floats = pd.to_numeric(values.astype("object"), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    wrong = ~np.isfinite(weights) | (weights < 0)
    if wrong.any():
        raise IntervalError(
            "Some weights are missing, negative or not finite numbers.",
            where=_where(values, "weight"),
            how_many=f"{int(wrong.sum())} of {rows} rows",
            example=f"row {int(np.flatnonzero(wrong)[0])}: {values[wrong].iloc[0]!r}",
            remedy="give each row the number of rows it stands for, at least 0",
        )
    if rows and not weights.any():
        what, remedy = "All weights are 0: no row counts.", "give each row the number of rows it stands for"
        raise IntervalError(what, where=_where(values, "weight"), how_many=f"{rows} rows", remedy=remedy)
    return weights


def _require_rows(values: Any, rows: int, what: str) -> None:
    if len(values) != rows:
        raise IntervalError(
            f"There is not one {what} for each row.",
            where=what,
            how_many=f"{len(values)} values for {rows} rows",
            remedy=f"hand in a {what} for each row, in the same order",
        )


def _where(values: pd.Series[Any], what: str) -> str:
    return what if values.name is None else f"{what} {str(values.name)!r}"


def _name(value: Any) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
