"""What a fitted model says of rows: the same columns in training and in use."""

from __future__ import annotations

from typing import Any

import pandas as pd


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
    """
    predicted = pd.DataFrame({"prediction": model.predict(features)}, index=features.index)
    if hasattr(model, "predict_proba"):
        predicted["score"] = model.predict_proba(features)[:, list(model.classes_).index(1)]
    return predicted
