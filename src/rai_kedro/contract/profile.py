"""What governance looks at: the register of columns, what each looks like in a month, and a digest of the data."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import pandas as pd

from rai_kedro.contract.columns import NUMERIC_TYPES, Column, Contract, DatasetContract, GovernedColumn
from rai_kedro.typed import Typed

_TOP = 5


class ColumnProfile(Typed):
    """Plain description of one column in one month; no estimate of anything beyond these rows."""

    dataset: str
    column: str
    month: str
    rows: int  # missing ones included
    missing_share: float
    distinct: int
    # Of numeric columns.
    mean: float | None = None
    sd: float | None = None  # of the sample, n - 1
    minimum: float | None = None
    maximum: float | None = None
    top: dict[str, int] | None = None  # of all others: the most frequent values with their counts


def build_register(contract: Contract, features: Sequence[str], target: str) -> list[GovernedColumn]:
    """List every governed column, the flagged ones first within each dataset, for a model of features and target."""
    used = {"feature_store": set(features), "label_store": {target}}
    columns = [
        GovernedColumn(
            **dict(column),
            dataset=dataset.dataset,
            owner=dataset.owner,
            purpose=dataset.purpose,
            model_uses=column.name in used.get(short, set()),
        )
        for short, dataset in contract.datasets.items()
        for column in dataset.columns.values()
    ]
    return sorted(columns, key=lambda column: (column.dataset, not column.flags))


def profile_month(frame: pd.DataFrame, contract: DatasetContract, month: str) -> list[ColumnProfile]:
    """Describe every readable column of one month, in contract order."""
    readable = contract.with_use("model", "audit", "mitigation", "decision")
    return [_profile(frame[name], contract.columns[name], contract.dataset, month) for name in readable]


def _profile(series: pd.Series[Any], column: Column, dataset: str, month: str) -> ColumnProfile:
    known = series.dropna()
    shown: dict[str, Any] = {}
    if column.type not in NUMERIC_TYPES:
        shown["top"] = {str(k): int(n) for k, n in known.value_counts().head(_TOP).items()}
    elif len(known):
        shown = {"mean": float(known.mean()), "minimum": float(known.min()), "maximum": float(known.max())}
        shown["sd"] = float(known.std(ddof=1)) if len(known) > 1 else None
    return ColumnProfile(
        dataset=dataset,
        column=column.name,
        month=month,
        rows=len(series),
        missing_share=float(series.isna().mean()) if len(series) else 0.0,
        distinct=int(known.nunique()),
        **shown,
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
