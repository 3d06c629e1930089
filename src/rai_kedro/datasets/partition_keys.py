"""The keys of a month store: Hive paths such as ``month=2024-05/model_version=3``."""

from __future__ import annotations

import re

from kedro.io import DatasetError

from rai_kedro.errors import RaiError
from rai_kedro.months import is_month

_VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class MonthStoreError(RaiError, DatasetError):
    """Something in a month store, or given to it, is not as it has to be.

    It is a ``DatasetError`` too, so that Kedro hands it on as it is instead of wrapping it.
    """


def is_partition_column(name: object) -> bool:
    """Return whether a name can stand in a key: letters, digits and underscores."""
    return isinstance(name, str) and _COLUMN.fullmatch(name) is not None


def parse_key(key: str) -> dict[str, str]:
    """Return the value of each partition column, in the order of a key such as ``month=2024-05/model_version=3``.

    Raises:
        MonthStoreError: If the key is not of that form, or its first value is not a month.
    """
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
