"""Columns and frames: names for what is passed between nodes, and what notebooks hand in as one of ours."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import pandas as pd

from rai_kedro.errors import RaiError

if TYPE_CHECKING:
    Series: TypeAlias = pd.Series[Any]
else:
    # pandas knows the brackets only in its type stubs.
    Series = pd.Series

Store: TypeAlias = Mapping[str, Callable[[], pd.DataFrame]]
"""A store as nodes see it: a loader for each partition key, ``month=YYYY-MM``."""


BLOCK_ROWS = 250_000
"""Rows that are in memory at once. A month is counted by blocks of so many, in key order, whoever reads them.

So sums of floating-point numbers come out the same to the last bit on every engine."""


class MonthFile(Protocol):
    """One month on disk that can be read in parts; small itself, and sent to other machines that see the same disk."""

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that may be read."""

    def read(self, start: int = 0, stop: int | None = None, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Return the rows from one place to before another; of some columns only, where they are named."""

    def sort(self, by: Sequence[str], folder: Path) -> MonthFile:
        """Return the same rows in the order of some columns, written into a folder; the memory needed is bounded."""


@dataclass(frozen=True)
class MonthLoader:
    """Loads one month of a store.

    Attributes:
        read: The month without what the contract forbids.
        read_closed: Key and forbidden columns alone, for the search for proxies; None where nothing is forbidden.
        open: The month as it lies on disk, to be read in parts; None where it can only be read at once.
        require: Raises where the digest of its content is not the one on record; None where there is no such thing.
    """

    read: Callable[[], pd.DataFrame]
    read_closed: Callable[[], pd.DataFrame] | None = None
    open: Callable[[], MonthFile] | None = None
    require: Callable[[str], None] | None = None

    def __call__(self) -> pd.DataFrame:
        """Return the month without a forbidden column."""
        return self.read()


def as_series(values: Any, name: str | None = None) -> Series:
    """Return one column of anything: a list, an array, a pandas, Polars or Arrow column, a frame of one column.

    TypeError if it is no single column.
    """
    if isinstance(values, pd.Series):
        return values
    if hasattr(values, "to_pandas"):
        return as_series(values.to_pandas(), name or getattr(values, "name", None))
    if isinstance(values, pd.DataFrame):
        if values.shape[1] != 1:
            raise TypeError(f"one column is needed, not {values.shape[1]}")
        return values.iloc[:, 0]
    if isinstance(values, str | bytes) or not hasattr(values, "__len__"):
        raise TypeError(f"one value for each row is needed, not {type(values).__name__}")
    if getattr(values, "ndim", 1) != 1:
        values = values.reshape(len(values)) if values.shape[1:] == (1,) else values
    return pd.Series(values, name=name)


def read_column(values: Any, argument: str, refuse: type[RaiError]) -> Series:
    """Return one column of an argument as :func:`as_series`, or raise an error that names the argument."""
    try:
        return as_series(values)
    except (TypeError, ValueError) as error:
        problem = f"{argument} cannot be read: {error}."
        raise refuse(problem, where=argument, remedy="hand in one value for each row") from error


def as_frame(columns: Any, name: str) -> pd.DataFrame:
    """Return a frame of anything: a frame, a dictionary of columns, or one column, which gets this name if it has none.

    TypeError if it is neither, or its columns have no names.
    """
    if hasattr(columns, "to_pandas") and not isinstance(columns, pd.DataFrame | pd.Series):
        columns = columns.to_pandas()
    if isinstance(columns, pd.DataFrame):
        return columns
    if isinstance(columns, Mapping):
        return pd.DataFrame({key: as_series(values).reset_index(drop=True) for key, values in columns.items()})
    column = as_series(columns)
    return column.to_frame(name if column.name is None else column.name)
