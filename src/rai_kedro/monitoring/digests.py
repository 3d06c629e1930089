"""What the stores held when a month was scored and measured: digests that tell whether a result still holds."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rai_kedro.frames import BLOCK_ROWS, MonthLoader
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    import numpy.typing as npt

UNREADABLE = "unreadable"
"""Stands for the digest of labels that could not be read."""
_LARGEST_EXACT = 2**53


class MonthDigests(Typed):
    """What the stores hold of a month now, as digests; empty where they hold nothing.

    ``labels`` is ``unreadable`` where there are some that cannot be read; ``unreadable`` is why the features cannot be.
    """

    features: str = ""
    labels: str = ""
    unreadable: str = ""


class TableDigest:
    """Digest the values of a table that is handed over part by part, its rows in the order of their key.

    Numbers are taken as floats (so 1 is 1.0, however a file was read; whole numbers past 2**53 exactly), dates as
    nanoseconds, everything else as text, and every missing value is alike. Every column has its own SHA-256 of the
    values, of where each text ends and of what is missing, and the digest is the SHA-256 of them all: so nobody can
    make two tables look alike, and it does not matter where the parts are cut.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._columns: dict[str, _ColumnDigest] = {}

    def update(self, frame: pd.DataFrame) -> None:
        """Add rows; ValueError if they have other columns than those before."""
        if not self.rows:
            self._columns = {str(name): _ColumnDigest() for name in sorted(frame.columns, key=str)}
        if {*self._columns} != {*map(str, frame.columns)}:
            raise ValueError("parts of a table have the same columns")
        for name, values in frame.items():
            self._columns[str(name)].update(values, self.rows)
        self.rows += len(frame)

    def hexdigest(self) -> str:
        """Return the digest of the rows so far."""
        parts = [(name, *column.parts()) for name, column in self._columns.items()]
        return hashlib.sha256(repr((self.rows, parts)).encode()).hexdigest()


def content_digest(frame: pd.DataFrame, key: Sequence[str] = ()) -> str:
    """Digest the values of a table, as :class:`TableDigest` does: the same for the same rows and columns in any order.

    Rows are put in the order of their key. Where there is none, or it does not tell them apart, they are put in the
    order of a short hash of each.
    """
    digest = TableDigest()
    digest.update(sort_by_key(frame, key))
    return digest.hexdigest()


def digest_month(load: Callable[[], pd.DataFrame], key: Sequence[str]) -> str:
    """Digest a month of a store as :func:`content_digest` does; a large one lies in the order of its key on disk."""
    month = load.open() if isinstance(load, MonthLoader) and load.open else None
    if month is None or month.rows <= BLOCK_ROWS:
        return content_digest(load(), key)
    digest = TableDigest()
    for start in range(0, month.rows, BLOCK_ROWS):
        digest.update(month.read(start, start + BLOCK_ROWS))
    return digest.hexdigest()


def sort_by_key(frame: pd.DataFrame, key: Sequence[str]) -> pd.DataFrame:
    """Return the rows in the order of their key; in that of a hash of each where the key does not tell them apart."""
    keys = [name for name in key if name in frame]
    if keys:
        index = pd.MultiIndex.from_frame(frame[keys]) if len(keys) > 1 else pd.Index(frame[keys[0]])
        try:
            if index.is_monotonic_increasing and index.is_unique:
                return frame
            if index.is_unique and not frame[keys].isna().any(axis=None):
                return frame.sort_values(keys, kind="stable")
        except TypeError:  # a column of numbers and texts has no order
            pass
    plain = {str(name): _plain(values) for name, values in frame.items()}
    table = pd.DataFrame({name: plain[name] for name in sorted(plain)}, index=frame.index)
    hashes = pd.util.hash_pandas_object(table, index=False).to_numpy()
    return frame.iloc[hashes.argsort(kind="stable")]


def find_staleness(known: str, digests: MonthDigests | None) -> str:
    """Say why a month's result no longer speaks of what the store holds; empty while it does."""
    if digests is None or digests.features == known:
        return ""
    if digests.unreadable:
        return f"it can no longer be read: {digests.unreadable}"
    return "its features changed after it was scored" if digests.features else "the feature store no longer has it"


def compare_labels(known: str, digests: MonthDigests | None) -> str:
    """Say what became of a month's labels since it was tested: news of its own, no staleness of the score."""
    if digests is None or digests.labels == known:
        return "unchanged" if known else "none yet"
    if digests.labels == UNREADABLE:
        return "can no longer be read"
    if not known:
        return "arrived since"
    return "changed since" if digests.labels else "gone since"


class _ColumnDigest:
    """One column of a table that is digested part by part."""

    def __init__(self) -> None:
        self._missing, self._values, self._ends = hashlib.sha256(), hashlib.sha256(), hashlib.sha256()
        self._kinds: set[str] = set()
        self._large: list[tuple[int, int]] = []  # row and value of whole numbers that no float holds

    def update(self, values: pd.Series, before: int) -> None:
        """Add values; so many rows were there before."""
        absent = values.isna().to_numpy()
        self._missing.update(absent.tobytes())
        places = np.flatnonzero(~absent)
        if not len(places):
            return
        known = values if len(places) == len(values) else values.iloc[places]
        if pd.api.types.is_datetime64_any_dtype(known):
            self._kinds.add("date")
            self._values.update(known.astype("datetime64[ns]").astype("int64").to_numpy().tobytes())
        elif _is_number(known):
            self._kinds.add("number")
            self._keep_large(known, places + before)
            # Adding 0 makes one zero of both.
            self._values.update((known.to_numpy("float64") + 0.0).tobytes())
        else:
            self._kinds.add("text")
            self._update_texts(known)

    def parts(self) -> tuple[Any, ...]:
        """Return what the digest is made of."""
        digests = [one.hexdigest() for one in (self._missing, self._values, self._ends)]
        return (sorted(self._kinds), *digests, self._large)

    def _keep_large(self, values: pd.Series, rows: npt.NDArray[np.int64]) -> None:
        if pd.api.types.is_integer_dtype(values):
            large = ((values > _LARGEST_EXACT) | (values < -_LARGEST_EXACT)).to_numpy(bool)
            self._large += zip(rows[large].tolist(), map(int, values[large]), strict=True)

    def _update_texts(self, values: pd.Series) -> None:
        import pyarrow as pa

        texts = values if isinstance(values.dtype, pd.StringDtype) else values.astype("object").map(str)
        array = pa.array(texts, pa.large_string(), from_pandas=True)
        array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
        _, ends, content = array.buffers()
        places = np.frombuffer(ends, dtype="int64", count=array.offset + len(array) + 1)[array.offset :]
        self._ends.update(np.diff(places).tobytes())
        if content:
            self._values.update(memoryview(content)[places[0] : places[-1]])


def _is_number(values: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)


def _plain(values: pd.Series) -> pd.Series:
    """Return values as numbers or texts that are the same however a file was read, None where a text is missing."""
    if _is_number(values):
        return values.astype("float64") + 0.0
    return values.astype("object").map(str, na_action="ignore").where(values.notna(), None)
