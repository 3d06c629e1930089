"""The rows of a comparison: features, target, and what may be looked at but not learnt from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from rai_kedro.mitigation.sensitive import MitigationError


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one split, all in the same order.

    Attributes:
        features: Columns of the model lane, shape (rows, columns).
        target: Label, shape (rows,); of a classification 0 or 1, with 1 the favourable outcome.
        audit: Audited columns, the sensitive column among them, shape (rows, columns).
    """

    features: pd.DataFrame
    target: pd.Series[Any]
    audit: pd.DataFrame

    def __post_init__(self) -> None:
        """Refuse parts that are not of the same rows, and rows without a label."""
        parts = [self.features, self.target, self.audit]
        if any(len(part) != len(self.features) for part in parts) or self.target.isna().any() or not len(self.features):
            raise MitigationError(
                "The parts of a split are not of the same labelled rows.",
                how_many=f"features, target, audit: {', '.join(str(len(part)) for part in parts)} rows; "
                f"{int(self.target.isna().sum())} without a label",
                remedy="hand in the same rows in the same order, and only those with a label",
            )

    def features_for(self, column: str, *, needs_sensitive: bool) -> pd.DataFrame:
        """Return the features, with the sensitive column where a method needs it and it is not there.

        Raises:
            MitigationError: The sensitive column is not among the audited columns.
        """
        if not needs_sensitive or column in self.features:
            return self.features
        return self.features.assign(**{column: self.sensitive(column).to_numpy()})

    def sensitive(self, column: str) -> pd.Series[Any]:
        """Return the sensitive column, shape (rows,).

        Raises:
            MitigationError: It is not among the audited columns.
        """
        if column not in self.audit:
            raise MitigationError(
                f"The sensitive column {column!r} is not among the audited columns.",
                example=f"there are: {', '.join(map(str, self.audit.columns))}",
                remedy="audit the column that is to be mitigated for",
            )
        return self.audit[column]
