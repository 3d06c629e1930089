"""One partition of a month store: its key, and the file of its rows, read whole or in parts, replaced in one step."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import pandas as pd
import pyarrow as pa
from kedro.io import DatasetError

from rai_kedro.errors import RaiError
from rai_kedro.files import make_folder, move_into_place
from rai_kedro.frames import BLOCK_ROWS
from rai_kedro.months import is_month, say_period

# Readers glob `*.parquet` and skip hidden files: a half-written month must look like neither.
TEMPORARY_NAME = ".part-0.tmp"
_ORDER = b"rai.columns"
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNREADABLE = "A month in the store cannot be read: its file is damaged, gone, or not open to you."
# Beyond this memory DuckDB sorts on disk; it fetches nothing from anywhere.
_DUCKDB: dict[str, Any] = {
    "memory_limit": "500MB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


class MonthStoreError(RaiError, DatasetError):
    """Something in a month store, or given to it, is not as it has to be.

    It is a ``DatasetError`` too, so that Kedro hands it on as it is instead of wrapping it.
    """


@contextmanager
def explained(what: str, where: str | Path, remedy: str) -> Iterator[None]:
    """Say of what the disk or Parquet refuses what it means; a file that the refusal names is a better ``where``."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise MonthStoreError(
            what,
            where=str(getattr(error, "filename", None) or where),
            example=getattr(error, "strerror", None) or " ".join(map(str, error.args)).split("\n")[0],
            remedy=remedy,
        ) from error


def is_partition_column(name: object) -> bool:
    """Return whether a name can stand in a key: letters, digits and underscores."""
    return isinstance(name, str) and _COLUMN.fullmatch(name) is not None


def parse_key(key: str) -> dict[str, str]:
    """Return the value of each partition column, in the order of a key such as ``month=2024-05/model_version=3``."""
    pairs = [part.partition("=") for part in key.split("/")] if isinstance(key, str) else []
    values = {column: value for column, _, value in pairs}
    well_formed = all(is_partition_column(column) and _VALUE.fullmatch(value) for column, _, value in pairs)
    if not pairs or not well_formed or len(values) != len(pairs) or not is_month(pairs[0][2]):
        raise MonthStoreError(
            "This is not the key of a month.",
            example=repr(key),
            remedy="write the key as month=2024-05 (year-month, then further columns as /model_version=3)",
        )
    return values


def to_table(key: str, frame: pd.DataFrame) -> pa.Table:
    """Return a frame as it goes to disk: without its partition columns, which the path holds.

    The order of all columns is in the table's metadata. MonthStoreError if a partition column does not say what the key
    says, or if the frame holds what Parquet cannot.
    """
    values = parse_key(key)
    _check_columns(key, frame, values)
    _check_values(key, frame, values)
    with explained("The frame cannot be written as Parquet.", key, "give each column values of one type"):
        table = pa.Table.from_pandas(frame.drop(columns=list(values)), preserve_index=False)
    order = json.dumps(list(frame.columns)).encode()
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _ORDER: order})


def _check_columns(key: str, frame: pd.DataFrame, values: Mapping[str, str]) -> None:
    if not isinstance(frame, pd.DataFrame):
        raise MonthStoreError(
            "A month store takes data frames.",
            where=key,
            example=f"got {type(frame).__name__}",
            remedy="return a dictionary of partition key to pandas DataFrame",
        )
    missing = [column for column in values if column not in frame.columns]
    named = frame.columns.is_unique and all(isinstance(column, str) for column in frame.columns)
    if missing or not named or len(frame.columns) == len(values):
        raise MonthStoreError(
            "The frame needs the partition columns and at least one more, each once and named by text.",
            where=key,
            example=f"columns {list(frame.columns)}, partition columns {list(values)}",
            remedy="add the missing columns, rename or drop the others",
        )


def _check_values(key: str, frame: pd.DataFrame, values: Mapping[str, str]) -> None:
    for column, value in values.items():
        # A missing value, or the number 3 for the text "3", is a disagreement too.
        others = [found for found in frame[column].unique() if not (isinstance(found, str) and found == value)]
        if others:
            raise MonthStoreError(
                f"Column '{column}' says something else than the key under which the frame is saved.",
                where=f"{key}, column {column}",
                how_many=f"{int(frame[column].isin(others).sum())} of {len(frame)} rows",
                example=repr(others[0]),
                remedy=f"save each value of '{column}' under its own key, as text",
            )


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Put a file in the place of another, there or not, in one step: a kill leaves the old content or the new.

    ``write`` writes it whole to a temporary path beside.
    """
    temporary = path.with_name(TEMPORARY_NAME)
    make_folder(path.parent)
    try:
        write(temporary)
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_tables(path: Path, tables: Iterable[pa.Table]) -> int:
    """Write tables one after the other into one Parquet file, in the schema of the first; return the number of rows."""
    from pyarrow import parquet

    writer, rows = None, 0
    try:
        for table in tables:
            writer = writer or parquet.ParquetWriter(path, table.schema, write_page_checksum=True)
            writer.write_table(table.cast(writer.schema), row_group_size=BLOCK_ROWS)
            rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    return rows


class SpooledMonth:
    """A month too large for memory on its way into a store: written to a temporary file, part by part."""

    def __init__(self, key: str, frames: Iterable[pd.DataFrame]) -> None:
        """Write the frames, in order and of the same columns; the file goes with this object."""
        self.key = key
        self._folder = TemporaryDirectory(prefix="rai_")
        self._path = Path(self._folder.name, TEMPORARY_NAME)
        self._rows = write_tables(self._path, (to_table(key, frame) for frame in frames))

    def __len__(self) -> int:
        return self._rows

    def read(self) -> pa.Table:
        """Return the whole month, for a store that cannot take it in parts."""
        from pyarrow import parquet

        with parquet.ParquetFile(self._path) as file:
            return file.read()

    def copy_to(self, path: Path) -> None:
        """Write the whole month to a path."""
        shutil.copyfile(self._path, path)


def spool(key: str, frames: Iterable[pd.DataFrame], rows: int) -> pd.DataFrame | SpooledMonth:
    """Return frames as one that fits into memory, or as a file where there are more ``rows`` than one block has."""
    return SpooledMonth(key, frames) if rows > BLOCK_ROWS else pd.concat(frames, ignore_index=True)


@dataclass(frozen=True)
class ParquetMonth:
    """A partition as it lies on disk, to be read whole or in parts.

    Attributes:
        path: Its Parquet file.
        values: The partition columns, which are put back as text.
        unread: Columns that stay on disk.
    """

    path: Path
    values: Mapping[str, str]
    unread: frozenset[str] = frozenset()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(self._groups)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that may be read, in the order of the frame that was saved."""
        return tuple(name for name in self._names if name not in self.unread)

    def read(self, start: int = 0, stop: int | None = None, columns: Collection[str] | None = None) -> pd.DataFrame:
        """Return rows as they were saved, the partition columns put back as text.

        MonthStoreError if the file is damaged (its pages carry checksums), gone, or may not be read.
        """
        wanted = [name for name in self.columns if columns is None or name in columns]
        first, chosen, before = 0, list[int](), 0
        for number, rows in enumerate(self._groups):
            if before + rows > start and (stop is None or before < stop):
                first = first if chosen else before
                chosen.append(number)
            before += rows
        with self._open() as file:
            table = file.read_row_groups(chosen, columns=[name for name in wanted if name not in self.values])
        table = table.slice(start - first, None if stop is None else stop - start)
        return to_frame(table, self.values, {*self._names} - {*wanted})[wanted]

    def sort(self, by: Sequence[str], folder: Path) -> ParquetMonth:
        """Return the same rows in the order of some columns, sorted on disk where they do not fit into memory."""
        import duckdb

        path = Path(mkdtemp(dir=folder), TEMPORARY_NAME)
        order = ", ".join(_quote(name) for name in by if name not in self.values)
        what = "A month is not in the order of its key, and sorting it failed."
        remedy = "see that there is room in the temporary folder (TMPDIR), or store the month in the order of its key"
        settings = {**_DUCKDB, "temp_directory": str(path.parent / "sorting")}
        with explained(what, self.path, remedy), self._open() as file, closing(duckdb.connect(config=settings)) as base:
            names = [name for name in self._schema.names if name in self.columns]
            schema = pa.schema([self._schema.field(name) for name in names], self._schema.metadata)
            # Handed over by Arrow, not read by DuckDB, which takes a path for a pattern and folders for columns.
            rows = pa.RecordBatchReader.from_batches(schema, file.iter_batches(BLOCK_ROWS, columns=names))
            try:
                batches = base.from_arrow(rows).order(order).to_arrow_reader(BLOCK_ROWS)
                write_tables(path, (pa.Table.from_batches([one]).cast(schema) for one in batches))
            except duckdb.Error as error:
                raise OSError(str(error)) from error
        return replace(self, path=path)

    @cached_property
    def _groups(self) -> tuple[int, ...]:
        """Rows of each row group."""
        with self._open() as file:
            return tuple(file.metadata.row_group(number).num_rows for number in range(file.num_row_groups))

    @property
    def _names(self) -> list[str]:
        order = (self._schema.metadata or {}).get(_ORDER)
        return list(json.loads(order)) if order else [*self.values, *self._schema.names]

    @cached_property
    def _schema(self) -> pa.Schema:
        with self._open() as file:
            return file.schema_arrow

    @contextmanager
    def _open(self) -> Iterator[Any]:
        from pyarrow import parquet

        remedy, period = "delete the file and make the month again", next(iter(self.values.values()), "")
        with (
            explained(say_period(_UNREADABLE, period), self.path, say_period(remedy, period)),
            parquet.ParquetFile(self.path, page_checksum_verification=True) as file,
        ):
            yield file


def to_frame(table: pa.Table, values: Mapping[str, str], unread: Collection[str] = ()) -> pd.DataFrame:
    """Return the frame of which :func:`to_table` made a table, but for ``unread`` columns."""
    frame: pd.DataFrame = table.to_pandas()
    for position, (column, value) in enumerate(values.items()):
        frame.insert(position, column, pd.Series(value, index=frame.index, dtype="str"))
    order = (table.schema.metadata or {}).get(_ORDER)
    return frame[[name for name in json.loads(order) if name not in unread]] if order else frame


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
