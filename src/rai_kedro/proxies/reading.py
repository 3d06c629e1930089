"""A column as numbers and as few codes, whatever it was: what relations and predictions are made from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

Floats: TypeAlias = npt.NDArray[np.float64]
Codes: TypeAlias = npt.NDArray[np.int64]

# A column of more different values than this is no list of categories; the rarer ones of a list become one.
MOST_LEVELS = 30
_FEW_VALUES = 2


@dataclass(frozen=True, eq=False)
class Read:
    """One column, row by row."""

    name: str
    numbers: Floats | None  # NaN where missing; None if its values are categories
    codes: Codes  # of its different values, -1 where missing
    levels: tuple[str, ...]  # what each code stands for

    @property
    def is_category(self) -> bool:
        """Whether it is judged by its categories."""
        return self.numbers is None or len(self.levels) <= _FEW_VALUES

    @cached_property
    def known(self) -> npt.NDArray[np.bool_]:
        """Rows with a value, shape (rows,)."""
        return self.codes >= 0

    def take(self, rows: npt.NDArray[Any]) -> Read:
        """Return these rows only."""
        return Read(self.name, None if self.numbers is None else self.numbers[rows], self.codes[rows], self.levels)


def read_columns(frame: pd.DataFrame) -> list[Read]:
    """Read every column of a frame; numbers and dates are numbers, anything else is categories."""
    return [_read(frame.iloc[:, at], str(name)) for at, name in enumerate(frame.columns)]


def _read(column: pd.Series[Any], name: str) -> Read:
    codes, levels = pd.factorize(column, sort=False)
    numbers: Any = None
    if types.is_datetime64_any_dtype(column.dtype):
        numbers = ((column - pd.Timestamp(0)) / pd.Timedelta(days=1)).to_numpy(dtype=float, na_value=np.nan)
    elif types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        numbers = column.to_numpy(dtype=float, na_value=np.nan)
        numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    return Read(name, numbers, np.asarray(codes, dtype=np.int64), tuple(map(str, levels)))


def bin_codes(column: Read, bins: int) -> Codes:
    """Return few codes of a column: its most frequent categories, or equally filled ranges; missing is one more."""
    if column.numbers is not None and len(column.levels) > bins:
        known = column.numbers[~np.isnan(column.numbers)]
        edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])) if known.size else np.zeros(0)
        codes = np.searchsorted(edges, column.numbers, side="right")
        return np.where(np.isnan(column.numbers), len(edges) + 1, codes).astype(np.int64)
    counts = np.bincount(column.codes[column.known], minlength=max(1, len(column.levels)))
    order = np.argsort(-counts, kind="stable")
    kept = np.full(len(counts), min(len(counts), MOST_LEVELS))
    kept[order[:MOST_LEVELS]] = np.arange(min(len(counts), MOST_LEVELS))
    return np.where(column.known, kept[column.codes], min(len(counts), MOST_LEVELS) + 1).astype(np.int64)
