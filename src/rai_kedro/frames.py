"""Names for what is passed between nodes; usable in annotations that Kedro evaluates while it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

if TYPE_CHECKING:
    Series: TypeAlias = pd.Series[Any]
else:
    # pandas knows the brackets only in its type stubs.
    Series = pd.Series

Store: TypeAlias = Mapping[str, Callable[[], pd.DataFrame]]
"""A store as nodes see it: a loader for each partition key, ``month=YYYY-MM``."""
