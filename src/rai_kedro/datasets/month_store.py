"""A store of monthly tables in the Hive layout, ``month=2024-05/part-0.parquet``, which many tools read as one table.

The stock Kedro datasets write in place: a run killed while writing leaves a broken file, and the old content is lost.
Here a partition is written under a temporary name, flushed to disk and renamed: what is read is the old or the new.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from rai_kedro.contract import forbidden_columns, open_columns
from rai_kedro.datasets.base import PathDataset, Previewed
from rai_kedro.datasets.partition_file import (
    TEMPORARY_NAME,
    MonthStoreError,
    ParquetMonth,
    SpooledMonth,
    explained,
    is_partition_column,
    parse_key,
    replace_file,
    to_table,
    write_tables,
)
from rai_kedro.files import flush_folder, make_folder
from rai_kedro.frames import MonthFile, MonthLoader
from rai_kedro.months import say_period

_PART = "part-0.parquet"
_LOCK = ".lock"


class MonthStore(Previewed, PathDataset[dict[str, pd.DataFrame | SpooledMonth], dict[str, MonthLoader]]):
    """Tables by month in Hive-partitioned Parquet; every partition is written whole or not at all.

    In memory a frame carries its partition columns as text; on disk they are in the path only. The index is
    not kept. Saving a partition replaces it and leaves the others alone; the promise holds for each of them,
    not for a dictionary of several. A store that does not exist loads as an empty dictionary, and saving an
    empty dictionary does nothing. Local file systems only; an environment may keep the same months in a database
    (:class:`rai_kedro.datasets.sql_month_store.SqlMonthStore`).

    Examples:
        In the catalogue::

            housing.prediction_store:
              type: rai_kedro.datasets.month_store.MonthStore
              filepath: data/07_model_output/housing/prediction_store
              partition_by: [month, model_version]

        In Python::

            store = MonthStore(filepath="data/03_primary/housing/feature_store")
            store.save({"month=2024-05": frame})
            may = store.load()["month=2024-05"]()

    Args:
        filepath: Folder of the store.
        partition_by: Columns held in the path, outermost first; the first is the month (``YYYY-MM``).
        metadata: Anything that other programs keep with the catalogue entry. Columns that its column contract (``rai``)
            forbids are read by the search for proxies alone, and apart from all others.
    """

    def __init__(
        self,
        *,
        filepath: str | os.PathLike[str],
        partition_by: Sequence[str] = ("month",),
        metadata: dict[str, Any] | None = None,
    ) -> None:
        if "://" in os.fspath(filepath):
            raise MonthStoreError(
                "A month store is kept on a local file system, where a rename is atomic.",
                where=f"filepath: {filepath}",
                remedy="give a folder on this machine",
            )
        if isinstance(partition_by, str) or not partition_by or not all(map(is_partition_column, partition_by)):
            raise MonthStoreError(
                "The partition columns of a month store are a list of column names.",
                where=f"partition_by: {partition_by!r}",
                remedy="write for example partition_by: [month] or partition_by: [month, model_version]",
            )
        super().__init__(filepath=filepath, metadata=metadata)
        self._partition_by = tuple(partition_by)

    def keys(self) -> list[str]:
        """Return the keys of the partitions, sorted; none if the store does not exist.

        MonthStoreError if the folder cannot be read, or holds a strange Parquet file or a link to a month elsewhere.
        """
        return sorted(self._key_of(path) for path in self._files() if path.suffix == ".parquet")

    def load(self) -> dict[str, MonthLoader]:
        """Return for each partition, sorted by key, what reads it as it was saved."""
        forbidden, closed = frozenset(forbidden_columns(self.metadata)), frozenset(open_columns(self.metadata))
        loaders: dict[str, MonthLoader] = {}
        for key in self.keys():
            read, opened = self._reader(key), self._opener(key, forbidden)
            apart = partial(read, unread=closed) if forbidden else None
            loaders[key] = MonthLoader(partial(read, unread=forbidden), apart, opened)
        return loaders

    def save(self, data: dict[str, pd.DataFrame | SpooledMonth]) -> None:
        """Write partitions by key, each whole or not at all; all are checked before the first is written."""
        months = {self._checked(key): _check_month(key, month) for key, month in data.items()}
        if months:
            self._replace(months)

    def remove(self, keys: Iterable[str] | None = None) -> list[str]:
        """Delete the partitions of these keys, or all, and return the keys that were there, sorted."""
        wanted = None if keys is None else {self._checked(key) for key in keys}
        return self._delete(wanted) if self._exists() else []

    def _reader(self, key: str) -> Callable[..., pd.DataFrame]:
        """Return what reads a partition but for ``unread`` columns."""
        return partial(_read, self._path_of(key), parse_key(key))

    def _opener(self, key: str, unread: frozenset[str]) -> Callable[[], MonthFile] | None:
        """Return what opens a partition to be read in parts; None where it can only be read at once."""
        return partial(ParquetMonth, self._path_of(key), parse_key(key), unread)

    def _replace(self, months: Mapping[str, pa.Table | SpooledMonth]) -> None:
        with self._writing():
            for key, month in months.items():
                write = month.copy_to if isinstance(month, SpooledMonth) else partial(write_tables, tables=[month])
                replace_file(self._path_of(key), write)

    def _delete(self, wanted: Collection[str] | None) -> list[str]:
        with self._writing():
            chosen = [key for key in self.keys() if wanted is None or key in wanted]
            for path in map(self._path_of, chosen):
                path.unlink()
                self._drop_empty_folders(path.parent)
        return chosen

    def _exists(self) -> bool:
        return bool(self.keys())

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "partition_by": list(self._partition_by)}

    def _pattern(self) -> str:
        return "/".join(f"{column}=…" for column in self._partition_by)

    def _checked(self, key: str) -> str:
        """Return a key, which has to name the partition columns of this store."""
        if tuple(parse_key(key)) != self._partition_by:
            raise MonthStoreError(
                "The key does not name the partition columns of this store.",
                where=self._place,
                example=f"{key} instead of {self._pattern()}",
                remedy="give a value for each partition column, in their order",
            )
        return key

    @property
    def _place(self) -> str:
        return str(self._filepath)

    def _path_of(self, key: str) -> Path:
        return self._filepath / self._checked(key) / _PART

    def _key_of(self, path: Path) -> str:
        key = path.relative_to(self._filepath).parent.as_posix()
        with suppress(MonthStoreError):
            if path == self._path_of(key):
                return key
        raise MonthStoreError(
            "There is a Parquet file in the store that the store has not written.",
            where=str(path),
            remedy=f"move it elsewhere; the files of this store are {self._pattern()}/{_PART}",
        )

    def _files(self) -> Iterator[Path]:
        """Yield every file; unlike a glob, do not take a folder that may not be read for an empty one."""
        remedy = "see that the path is a folder that you may read"
        with explained("The store cannot be read.", self._filepath, remedy):
            for folder, folders, names in os.walk(self._filepath, onerror=_raise_unless_absent):
                _refuse_links(Path(folder, name) for name in folders)
                yield from (Path(folder, name) for name in names)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Hold the store for writing, rid of what a killed run has left."""
        what = "The store cannot be written; everything in it is still whole."
        remedy = "see that the folder may be written and the disk is not full, then run again"
        with explained(what, self._filepath, remedy):
            make_folder(self._filepath)
            with (self._filepath / _LOCK).open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                try:
                    # No other writer is at work while the lock is held: a temporary file is a dead run's.
                    for stale in (path for path in self._files() if path.name == TEMPORARY_NAME):
                        stale.unlink()
                    yield
                finally:
                    # Closing is not enough: a process forked meanwhile would share the lock until it ends.
                    fcntl.flock(lock, fcntl.LOCK_UN)

    def _drop_empty_folders(self, folder: Path) -> None:
        while folder != self._filepath and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent
        flush_folder(folder)


def _read(path: Path, values: Mapping[str, str], unread: Collection[str] = ()) -> pd.DataFrame:
    """Read a month from the file that is there now."""
    return ParquetMonth(path, values, frozenset(unread)).read()


def _check_month(key: str, month: pd.DataFrame | SpooledMonth) -> pa.Table | SpooledMonth:
    """Return a month as it is stored; MonthStoreError if it is another than the key says."""
    if not isinstance(month, SpooledMonth):
        return to_table(key, month)
    if month.key != key:
        raise MonthStoreError(
            "A month is to be saved under another key than it was made for.",
            where=key,
            example=month.key,
            remedy="save it under its own key",
        )
    return month


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _refuse_links(folders: Iterable[Path]) -> None:
    """A walk does not enter a linked folder, but writing to it would: its month would be there and not be there."""
    for link in (folder for folder in folders if folder.is_symlink()):
        raise MonthStoreError(
            say_period("A month in the store is a link to another folder.", link.name.partition("=")[2]),
            where=str(link),
            example=f"it leads to {os.readlink(link)}",
            remedy="put its file there; the folder of the whole store may be a link",
        )
