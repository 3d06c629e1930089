"""Groups of rows, made from an audited column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas.api import types

MISSING = "missing"


@dataclass(frozen=True)
class Grouping:
    """Which group every row belongs to.

    Attributes:
        column: The audited column.
        rule: How the groups were made, in words.
        labels: Group name of each row, shape (rows,); a missing value is a group of its own.
    """

    column: str
    rule: str
    labels: pd.Series[str]


def group_rows(values: pd.Series[Any], *, column: str, categorical: bool) -> Grouping:
    """Assign every row to a group.

    Args:
        values: The audited column on the rows assessed, shape (rows,).
        column: Its name.
        categorical: Whether each value is a group; otherwise the column is cut at its median on these rows,
            "above" being strictly greater.

    Returns:
        The groups.
    """
    missing = values.isna()
    if categorical or not types.is_numeric_dtype(values.dtype):
        labels = values.astype("object").map(str).where(~missing, MISSING)
        return Grouping(column, f"each value of {column} is a group", labels)
    median = float(values.median())
    above = pd.Series("above", index=values.index, dtype="object")
    labels = above.where(values > median, "at or below").where(~missing, MISSING)
    return Grouping(column, f"{column} cut at its median on the rows assessed ({median:g})", labels)
