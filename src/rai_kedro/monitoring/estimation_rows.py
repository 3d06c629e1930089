"""The rows that performance is estimated from: which column says what, checked and read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rai_kedro.errors import RaiError
from rai_kedro.performance import Task
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class EstimatedColumns(Typed):
    """Which columns of reference and month say what.

    Attributes:
        task: ``classification`` (labels and predictions 0 and 1) or ``regression``.
        features: What the model sees: numbers, texts, booleans or categories.
        score: P(label is 1); None if the model gives none, then AUC and Brier score are not estimated.
        groups: Columns of groups, each group to be estimated by itself; they need not be features.
    """

    task: Task
    features: tuple[str, ...]
    target: str
    prediction: str = "prediction"
    score: str | None = None
    groups: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[str, ...]:
        """Return prediction and score."""
        return (self.prediction, self.score) if self.score else (self.prediction,)


def check_rows(frame: pd.DataFrame, columns: EstimatedColumns, side: str, *labels: str) -> None:
    """Refuse rows that nothing can be estimated from.

    Raises:
        RaiError: There is no row, a column is missing, or a number is missing or out of its range.
    """
    absent = [name for name in (*columns.features, *columns.numbers, *columns.groups, *labels) if name not in frame]
    if absent or frame.empty:
        raise RaiError(
            "Performance cannot be estimated: columns are missing." if absent else "There is no row to estimate from.",
            where=side,
            example=", ".join(absent) or None,
            remedy="hand in features, predictions and groups of every row, and of the reference the labels",
        )
    for name in (*columns.numbers, *labels):
        numbers = pd.to_numeric(frame[name], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
        bad = ~np.isfinite(numbers)
        if columns.task == "classification":
            bad |= (numbers < 0) | (numbers > 1) if name == columns.score else ~np.isin(numbers, (0, 1))
        if bad.any():
            wanted = "probabilities" if name == columns.score else "0 or 1"
            raise RaiError(
                f"{name} has values that are not {wanted if columns.task == 'classification' else 'finite numbers'}.",
                where=f"{side}, column {name}",
                how_many=f"{int(bad.sum())} of {len(frame)} rows",
                example=repr(frame[name].to_numpy()[bad.argmax()]),
                remedy="leave out rows without a prediction, and of the reference those without a label",
            )


def read_groups(frame: pd.DataFrame, columns: EstimatedColumns) -> pd.DataFrame:
    """Return the groups as text; a row without one belongs to the group ``missing``."""
    names = list(columns.groups)
    texts = {name: frame[name].astype("str").where(frame[name].notna(), "missing").to_numpy() for name in names}
    return pd.DataFrame(texts, index=range(len(frame)), columns=names)


def read_scores(frame: pd.DataFrame, columns: EstimatedColumns) -> tuple[Floats, Floats]:
    """Return scores and decisions; without a score the decision stands for it."""
    decision = frame[columns.prediction].to_numpy(dtype=np.float64)
    return (frame[columns.score].to_numpy(dtype=np.float64) if columns.score else decision), decision


def select_seen(frame: pd.DataFrame, columns: EstimatedColumns, groups: pd.DataFrame) -> pd.DataFrame:
    """Return what an error may depend on."""
    seen = frame[[*columns.features, columns.prediction]].reset_index(drop=True)
    return seen.join(groups.add_prefix("group "))
