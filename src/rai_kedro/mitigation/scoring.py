"""Scores that post-processing learns from: of rows that the scoring model was not fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from rai_kedro.mitigation.sensitive import Codes, MitigationError

Scores = npt.NDArray[np.float64]


def score_rows(estimator: Any, inputs: Any, outcomes: Codes, folds: int) -> Scores:
    """Score training rows out of fold: a model's scores of its own training rows are too good to learn from.

    A model in ``sklearn.frozen.FrozenEstimator`` scores the rows as it is; they should be none of its own.

    Args:
        estimator: A classifier with ``predict_proba``.
        inputs: Features, shape (rows, columns).
        outcomes: Outcome 0 or 1, shape (rows,).
        folds: How many folds.

    Returns:
        Score of the favourable outcome, shape (rows,).

    Raises:
        MitigationError: The model gives no probabilities, or there are too few rows of a class for the folds.
    """
    if not hasattr(estimator, "predict_proba"):
        raise MitigationError(
            f"The model {type(estimator).__name__} gives no probabilities, so that nothing can be post-processed.",
            remedy="choose a classifier with predict_proba, or a method of another stage",
        )
    if isinstance(estimator, FrozenEstimator):
        return read_scores(estimator, inputs)
    fewest = int(np.bincount(outcomes).min())
    if not 2 <= folds <= fewest:  # noqa: PLR2004 - one fold leaves nothing to fit on
        raise MitigationError(
            "There are too few rows of one class to score rows out of fold.",
            where="parameter folds",
            how_many=f"{fewest} row(s) of the rarer class, {folds} folds",
            remedy="give more data, or set 'folds' between 2 and the rows of the rarer class",
        )
    split = StratifiedKFold(folds, shuffle=True, random_state=0)
    scores = cross_val_predict(clone(estimator), inputs, outcomes, cv=split, method="predict_proba")
    return np.asarray(scores[:, 1], dtype=float)


def read_scores(estimator: Any, inputs: Any) -> Scores:
    """Return a fitted model's score of the favourable outcome, shape (rows,)."""
    return np.asarray(estimator.predict_proba(inputs)[:, 1], dtype=float)
