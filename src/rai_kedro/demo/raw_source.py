"""Check that a raw table is the one the simulation was written for, before anything is made from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rai_kedro.errors import RaiError

BoolArray = npt.NDArray[np.bool_]
ColumnType = Literal["float", "int", "str", "bool"]

# File line of the first data row: line 1 is the header.
_FIRST_DATA_LINE = 2


class RawSourceError(RaiError):
    """A raw table or its file is not what its description says."""


class RawFileError(RawSourceError):
    """The file is missing, cannot be read, is empty or is cut off."""


class RawColumnsError(RawSourceError):
    """Columns are missing, unknown, named twice or of the wrong type."""


class RawRowsError(RawSourceError):
    """There are no rows, too few, too many, or the last one is cut off."""


class RawValuesError(RawSourceError):
    """Values are missing or infinite."""


class RawSource(BaseModel):
    """What a raw table has to look like.

    Args:
        columns: Type of each column by name; a plain list of names means that all are ``float``.
            ``float`` takes any number, ``int`` whole numbers, ``str`` text, ``bool`` true or false.
        rows: The exact number of rows, when it is known; ``None`` for a table that grows.
        nullable: Columns that may have missing values.
        path: Where the table comes from, for the error messages.
        restore: The command that brings the original back, e.g. ``git checkout data/01_raw/boston.csv``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: dict[str, ColumnType] = Field(min_length=1)
    rows: int | None = Field(default=None, ge=1)
    nullable: tuple[str, ...] = ()
    path: str = "the raw table"
    restore: str | None = None

    @field_validator("columns", mode="before")
    @classmethod
    def _names_mean_float(cls, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            repeated = sorted({str(name) for name in value if value.count(name) > 1})
            if repeated:
                raise ValueError(f"columns named twice: {', '.join(repeated)}")
            return dict.fromkeys(value, "float")
        return value

    @model_validator(mode="after")
    def _nullable_are_columns(self) -> RawSource:
        unknown = [name for name in self.nullable if name not in self.columns]
        if unknown:
            raise ValueError(f"nullable names columns that are not listed under columns: {', '.join(unknown)}")
        return self

    @property
    def remedy(self) -> str:
        """What to do about a raw table that is not as described."""
        if self.restore:
            return f"bring the original back with: {self.restore}"
        return f"repair {self.path}, or describe the table as it is under `raw_source` in the parameters"


def check_raw_file(path: str | Path, source: RawSource) -> None:
    """Refuse a raw text file that is missing, unreadable, empty or cut off, before it is parsed.

    A file cut off within its last number parses without complaint; that its last line has no end is then
    the only sign. It is taken as one where the description fixes the number of rows.

    Args:
        path: The file.
        source: What the table has to look like.

    Raises:
        RawFileError: The file is missing, is a folder, cannot be read, is empty, or ends within a line.
    """
    where = str(path)
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError as error:
        raise RawFileError("The raw file is missing.", where=where, remedy=source.remedy) from error
    except OSError as error:
        problem = f"The raw file cannot be read: {error.strerror}."
        raise RawFileError(problem, where=where, remedy="check that it is a file and that you may read it") from error
    if not content.strip():
        raise RawFileError("The raw file is empty.", where=where, how_many="0 lines", remedy=source.remedy)
    if source.rows is not None and not content.endswith(b"\n"):
        lines = content.decode("utf-8", errors="replace").splitlines()
        raise RawFileError(
            "The raw file is cut off: its last line has no end.",
            where=f"{where}, line {len(lines)}",
            example=lines[-1][:120],
            remedy=source.remedy,
        )


def check_raw(frame: pd.DataFrame, source: RawSource) -> pd.DataFrame:
    """Refuse a raw table that is not as described.

    Args:
        frame: The table as read, one row per record.
        source: What it has to look like.

    Returns:
        The same rows with the columns in the described order and rows numbered from 0; a copy.

    Raises:
        RawColumnsError: Columns are missing, unknown, named twice or of the wrong type.
        RawRowsError: There are no rows, too few, too many, or the last one is cut off.
        RawValuesError: Values are missing or infinite.
    """
    _check_names(frame, source)
    _check_rows(frame, source)
    table = frame[list(source.columns)].reset_index(drop=True)
    for name, kind in source.columns.items():
        _check_type(table[name], kind, source)
    for name in source.columns:
        _check_values(table[name], source)
    return table


def _check_names(frame: pd.DataFrame, source: RawSource) -> None:
    found = [str(name) for name in frame.columns]
    missing = [name for name in source.columns if name not in found]
    extra = [name for name in found if name not in source.columns]
    repeated = sorted({name for name in found if found.count(name) > 1})
    problems = {"lacks columns": missing, "has unknown columns": extra, "has columns named twice": repeated}
    wrong = [f"{verb}: {', '.join(names)}" for verb, names in problems.items() if names]
    if wrong:
        raise RawColumnsError(
            f"The raw table {'; it '.join(wrong)}.",
            where=source.path,
            how_many=f"{len(missing)} of {len(source.columns)} columns missing, {len(extra)} unknown",
            example=f"the header reads {', '.join(found)}"[:160],
            remedy=source.remedy,
        )


def _check_rows(frame: pd.DataFrame, source: RawSource) -> None:
    count = len(frame)
    if count == 0:
        raise RawRowsError("The raw table has a header but no rows.", where=source.path, remedy=source.remedy)
    last = frame.iloc[-1]
    filled = [position for position, name in enumerate(frame.columns) if not pd.isna(last[name])]
    stop = filled[-1] if filled else -1
    cut = [str(name) for name in frame.columns[stop + 1 :] if name not in source.nullable]
    too_few = source.rows is not None and count < source.rows
    how_many = f"{count} rows" if source.rows is None else f"{count} of {source.rows} rows"
    line = f"line {count - 1 + _FIRST_DATA_LINE}"
    if too_few or cut:
        sign = f"the last row ({line}) has no value for {', '.join(cut)}" if cut else f"the last row is {line}"
        raise RawRowsError(
            "The raw table is cut off.",
            where=source.path,
            how_many=how_many,
            example=sign,
            remedy=source.remedy,
        )
    if source.rows is not None and count > source.rows:
        raise RawRowsError(
            "The raw table has too many rows.",
            where=source.path,
            how_many=how_many,
            example=f"the first row too many is line {source.rows + _FIRST_DATA_LINE}",
            remedy=source.remedy,
        )


def _check_type(values: pd.Series, kind: ColumnType, source: RawSource) -> None:
    misfits = _find_misfits(values, kind)
    if misfits.any():
        row = int(np.flatnonzero(misfits)[0])
        raise RawColumnsError(
            f"Column {values.name} has to be of type {kind} but was read as {values.dtype}.",
            where=f"{source.path}, column {values.name}",
            how_many=f"{int(misfits.sum())} of {len(values)} rows",
            example=f"line {row + _FIRST_DATA_LINE}: {values.iloc[row]!r}",
            remedy=source.remedy,
        )


def _find_misfits(values: pd.Series, kind: ColumnType) -> BoolArray:
    """Return which values are not of the wanted type; missing values are no misfits."""
    fits = _fit_words(values, kind) if kind in ("str", "bool") else _fit_numbers(values, kind)
    misfits: BoolArray = values.notna().to_numpy(dtype=bool) & ~fits
    return misfits


def _fit_words(values: pd.Series, kind: ColumnType) -> BoolArray:
    wanted = (bool, np.bool_) if kind == "bool" else (str,)
    return np.array([isinstance(value, wanted) for value in values], dtype=bool)


def _fit_numbers(values: pd.Series, kind: ColumnType) -> BoolArray:
    """Return which values are numbers; where all of them are but the column is text, none is."""
    if types.is_bool_dtype(values):
        return np.zeros(len(values), dtype=bool)
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    readable: BoolArray = ~np.isnan(numbers) & ((kind == "float") | (np.trunc(numbers) == numbers))
    if not types.is_numeric_dtype(values) and readable.sum() == values.notna().sum():
        return np.zeros(len(values), dtype=bool)
    return readable


def _check_values(values: pd.Series, source: RawSource) -> None:
    problems = {"missing": values.isna().to_numpy() & (values.name not in source.nullable)}
    if types.is_float_dtype(values):
        problems["infinite"] = np.isinf(values.to_numpy(dtype=float, na_value=np.nan))
    for word, bad in problems.items():
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise RawValuesError(
                f"Column {values.name} has {word} values.",
                where=f"{source.path}, column {values.name}",
                how_many=f"{int(bad.sum())} of {len(values)} rows",
                example=f"line {row + _FIRST_DATA_LINE}",
                remedy=source.remedy,
            )
