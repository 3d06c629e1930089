"""What the stores held when a month was scored and measured: digests that tell whether a result still holds."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from rai_kedro.typed import Typed

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


def content_digest(frame: pd.DataFrame) -> str:
    """Digest the values of a table: the same for the same rows in any order, with the columns in any order.

    Numbers are taken as floats (so 1 is 1.0, however a file was read; whole numbers past 2**53 as text), dates as
    nanoseconds, everything else as text, and every missing value is alike. Rows are put in the order of a short hash of
    each; what is digested with SHA-256 is the values themselves, so nobody can make two tables look alike.
    """
    names = sorted(map(str, frame.columns))
    plain = pd.DataFrame({name: _canonical(frame[name]) for name in names}, index=frame.index)
    order = pd.util.hash_pandas_object(plain, index=False).to_numpy().argsort(kind="stable")
    digest = hashlib.sha256(repr((names, len(plain))).encode())
    for name in names:
        digest.update(_bytes_of(plain[name].iloc[order]))
    return digest.hexdigest()


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


def _bytes_of(values: pd.Series) -> bytes:
    """Return canonical values as bytes that no other values have: numbers as they are, texts with where each ends."""
    missing = values.isna().to_numpy().tobytes()
    if values.dtype != "object":
        return missing + values.where(values.notna(), 0).to_numpy().tobytes()
    import pyarrow as pa

    _, ends, texts = pa.array(values, pa.large_string(), from_pandas=True).buffers()
    places = np.frombuffer(ends, dtype="int64", count=len(values) + 1)
    return missing + places.tobytes() + (texts.to_pybytes()[: places[-1]] if texts else b"")


def _canonical(values: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.astype("datetime64[ns]").astype("int64")
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        whole = pd.api.types.is_integer_dtype(values) and bool((values.abs() > _LARGEST_EXACT).any())
        if not whole:
            return values.astype("float64")
    plain = values.astype("object")
    if not isinstance(values.dtype, pd.StringDtype):
        plain = plain.map(str, na_action="ignore")
    return plain.where(values.notna(), None).astype("object")
