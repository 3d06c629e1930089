"""Splitting the rows of one month into those to fit on and those held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from rai_kedro.errors import RaiError


class SplitError(RaiError):
    """The rows cannot be split as asked."""


@dataclass(frozen=True)
class ModelSplit:
    """Model lane and target of the rows to fit on (train) and of those held out (test), each on its own index."""

    features_train: pd.DataFrame
    features_test: pd.DataFrame
    target_train: pd.Series[Any]
    target_test: pd.Series[Any]


def split_rows(features: pd.DataFrame, target: pd.Series[Any], *, test_size: float, random_state: int) -> ModelSplit:
    """Split rows at random.

    Args:
        features: Model lane, shape (rows, features).
        target: Label, shape (rows,), on the same index.
        test_size: Share of rows held out.
        random_state: Seed of scikit-learn's shuffling.

    Returns:
        The split; it never sees the audit lane, which follows by index.

    Raises:
        SplitError: If one side would have no row.
    """
    from sklearn.model_selection import train_test_split

    try:
        train, test = train_test_split(target.index, test_size=test_size, random_state=random_state)
    except ValueError as error:
        raise SplitError(
            "The rows cannot be split.",
            how_many=f"{len(target)} rows, test_size {test_size:g}",
            example=str(error),
            remedy="take a month with more rows, or another 'training.test_size'",
        ) from None
    return ModelSplit(features.loc[train], features.loc[test], target.loc[train], target.loc[test])
