"""The data profile: per dataset, month and column what the data looks like."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd

from rai_kedro.contract.columns import NUMERIC_TYPES, Column, DatasetContract
from rai_kedro.typed import Typed

_TOP = 5


class ColumnProfile(Typed):
    """Plain description of one column in one month; no estimate of anything beyond these rows.

    Attributes:
        dataset: Full catalogue name.
        column: Column name.
        month: Month described.
        rows: Number of rows, missing ones included.
        missing_share: Share of missing values, 0 to 1.
        distinct: Number of distinct values.
        mean: Mean of numeric values, else None; so for ``sd`` (sample, n - 1), ``minimum`` and ``maximum``.
        top: The most frequent values with their counts; None for numeric columns.
    """

    dataset: str
    column: str
    month: str
    rows: int
    missing_share: float
    distinct: int
    mean: float | None = None
    sd: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    top: dict[str, int] | None = None


def profile_month(frame: pd.DataFrame, contract: DatasetContract, month: str) -> list[ColumnProfile]:
    """Describe every readable column of one month.

    Args:
        frame: The month's rows.
        contract: The contract of the dataset.
        month: The month, ``YYYY-MM``.

    Returns:
        One profile a column, in contract order.
    """
    readable = contract.with_use("model", "audit", "mitigation")
    return [_profile(frame[name], contract.columns[name], contract.dataset, month) for name in readable]


def _profile(series: pd.Series[Any], column: Column, dataset: str, month: str) -> ColumnProfile:
    known = series.dropna()
    common: dict[str, Any] = {
        "dataset": dataset,
        "column": column.name,
        "month": month,
        "rows": len(series),
        "missing_share": float(series.isna().mean()) if len(series) else 0.0,
        "distinct": int(known.nunique()),
    }
    if column.type not in NUMERIC_TYPES:
        return ColumnProfile(**common, top={str(k): int(n) for k, n in known.value_counts().head(_TOP).items()})
    if known.empty:
        return ColumnProfile(**common)
    return ColumnProfile(
        **common,
        mean=float(known.mean()),
        sd=float(known.std(ddof=1)) if len(known) > 1 else None,
        minimum=float(known.min()),
        maximum=float(known.max()),
    )


def fingerprint(*frames: pd.DataFrame) -> str:
    """Return the SHA-256 of the values, dtypes and column names of the frames, as 64 hexadecimal digits.

    Row order counts, the index does not.
    """
    digest = hashlib.sha256()
    for frame in (frame for frame in frames if frame.shape[1]):
        digest.update(repr([(str(name), str(dtype)) for name, dtype in frame.dtypes.items()]).encode())
        digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()
