"""What a fitted model says of rows: the same columns in training and in use."""

from __future__ import annotations

from typing import Any

import pandas as pd

from rai_kedro.errors import RaiError
from rai_kedro.modelling.threads import limit_threads


class PredictionError(RaiError):
    """What a model answers cannot be used."""


def sensitive_input(model: Any) -> str | None:
    """Return the sensitive column that a model's mitigation needs for every prediction, or None."""
    return str(model.sensitive_column) if getattr(model, "needs_sensitive", False) else None


def predict_rows(model: Any, features: pd.DataFrame) -> pd.DataFrame:
    """Predict rows.

    Args:
        model: Fitted estimator; a classifier's favourable class is 1.
        features: Model lane, shape (rows, features).

    Returns:
        Column ``prediction`` and, of a classifier that gives probabilities, ``score``: P(1); on the rows' index.

    Raises:
        PredictionError: A score is no probability.
    """
    with limit_threads(len(features)):
        predicted = pd.DataFrame({"prediction": model.predict(features)}, index=features.index)
        if hasattr(model, "predict_proba"):
            predicted["score"] = model.predict_proba(features)[:, list(model.classes_).index(1)]
    if "score" in predicted:
        check_scores(predicted["score"].to_numpy(), type(model).__name__)
    return predicted


def check_scores(scores: Any, name: str) -> None:
    """Refuse scores that are no probabilities, before anything is computed from them or stored.

    Args:
        scores: P(1), shape (rows,).
        name: Class of the model, for the message.

    Raises:
        PredictionError: A score is missing or lies outside [0, 1].
    """
    wrong = ~((scores >= 0) & (scores <= 1))
    if wrong.any():
        raise PredictionError(
            f"The model ({name}) gives scores that are no probabilities: they have to lie between 0 and 1.",
            where="predict_proba of parameters.yml, training.estimator",
            how_many=f"{int(wrong.sum())} of {len(scores)} rows",
            example=f"{float(scores[wrong][0]):g}",
            remedy="choose a classifier whose 'predict_proba' gives probabilities, not logits or percentages",
        )
