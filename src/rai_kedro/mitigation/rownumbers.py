"""One number per row, drawn by what the row holds and not by chance: the same row always gets the same number.

Methods that are stated with a coin toss (Hardt et al. 2016 mix two thresholds) use it in place of the coin, so that
predictions neither depend on the order of the rows nor on a random state.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = 0xFFFFFFFFFFFFFFFF


def number_rows(rows: Any, salt: int = 0) -> npt.NDArray[np.float64]:
    """Return a number in [0, 1) for each row, spread like a uniform random one over different rows.

    The mixing function is the output step of SplitMix64 (Steele, Lea and Flood, 2014). Numbers count by their value,
    whatever their type, and everything else by its text, so that a row gives the same number alone and in a batch.

    Args:
        rows: Data frame or array, shape (rows, columns).
        salt: Another salt gives other numbers, unrelated to the first.

    Returns:
        The numbers, shape (rows,).
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(np.asarray(rows))
    state = np.full(len(frame), (salt + 1) * _GOLDEN & _WORD, dtype=np.uint64)
    for at in range(frame.shape[1]):
        state = _mix(state ^ (_read_bits(frame.iloc[:, at]) + np.uint64((at + 1) * _GOLDEN & _WORD)))
    return to_unit(_mix(state))


def renumber(numbers: npt.NDArray[np.float64], salt: int) -> npt.NDArray[np.float64]:
    """Return numbers unrelated to the given ones but fixed by them, for another purpose; shape (rows,)."""
    bits = np.ascontiguousarray(numbers).view(np.uint64)
    return to_unit(_mix(bits + np.uint64((salt + 1) * _GOLDEN & _WORD)))


def to_unit(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.float64]:
    """Return the upper 53 bits as a number in [0, 1)."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _read_bits(column: pd.Series[Any]) -> npt.NDArray[np.uint64]:
    if types.is_numeric_dtype(column.dtype):
        # Adding zero makes -0.0 and 0.0 one number; a missing one is always the same NaN.
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan) + 0.0
        return np.where(np.isnan(numbers), np.nan, numbers).view(np.uint64)
    texts = column.astype("object").map(_write_value).to_numpy(dtype=object)
    return np.asarray(pd.util.hash_array(texts, categorize=True), dtype=np.uint64)


def _write_value(value: Any) -> str:
    return "" if pd.isna(value) else str(value)


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
