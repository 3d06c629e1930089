"""One partition of a month store: its key, and the file of its frame, which is replaced in one step."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
from kedro.io import DatasetError

from rai_kedro.errors import RaiError
from rai_kedro.files import make_folder, move_into_place
from rai_kedro.months import is_month

# Readers glob `*.parquet` and skip hidden files: a half-written month must look like neither.
TEMPORARY_NAME = ".part-0.tmp"
_ORDER = b"rai.columns"
_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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


def replace_file(path: Path, table: pa.Table) -> None:
    """Put a table in the place of a file, there or not, in one step: a kill leaves the old content or the new."""
    from pyarrow import parquet

    temporary = path.with_name(TEMPORARY_NAME)
    make_folder(path.parent)
    try:
        parquet.write_table(table, temporary, write_page_checksum=True)
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read_file(path: Path, values: Mapping[str, str], unread: Collection[str] = ()) -> pd.DataFrame:
    """Return a partition as it was saved, its partition columns put back as text; ``unread`` columns stay on disk.

    MonthStoreError if the file is damaged (its pages carry checksums), gone, or may not be read.
    """
    from pyarrow import parquet

    what = "A month in the store cannot be read: its file is damaged, gone, or not open to you."
    with explained(what, path, "delete the file and make the month again"):
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read(columns=[name for name in file.schema_arrow.names if name not in unread])
        return to_frame(table, values, unread)


def to_frame(table: pa.Table, values: Mapping[str, str], unread: Collection[str] = ()) -> pd.DataFrame:
    """Return the frame of which :func:`to_table` made a table, but for ``unread`` columns."""
    frame: pd.DataFrame = table.to_pandas()
    for position, (column, value) in enumerate(values.items()):
        frame.insert(position, column, pd.Series(value, index=frame.index, dtype="str"))
    order = (table.schema.metadata or {}).get(_ORDER)
    return frame[[name for name in json.loads(order) if name not in unread]] if order else frame
