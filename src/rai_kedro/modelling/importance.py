"""Which columns drive the predictions of a fitted model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from rai_kedro.modelling.estimator import predict_rows

_MOST_ROWS = 1_000


def share_importance(model: Any, features: pd.DataFrame, *, seed: int = 0) -> dict[str, float]:
    """Return the share of each column in what drives the predictions; all shares together are 1.

    A column counts by how far predictions move (scores, where there are some) when its values are exchanged between
    rows: the mean absolute change. No label is needed, so it says what the model uses, not what it should use. As in
    permutation importance (Breiman 2001), columns that say the same share what they are worth.

    Args:
        model: Fitted estimator.
        features: Rows the model was not fitted on; of more than 1,000 a sample is taken.
        seed: Of sample and exchange.
    """
    random = np.random.default_rng(seed)
    if len(features) > _MOST_ROWS:
        features = features.iloc[np.sort(random.choice(len(features), _MOST_ROWS, replace=False))]
    before = _answer(model, features)
    moved = {}
    for name in features.columns:
        order = random.permutation(len(features))
        changed = features.assign(**{name: features[name].iloc[order].set_axis(features.index)})
        moved[str(name)] = float(np.mean(np.abs(_answer(model, changed) - before)))
    total = sum(moved.values())
    return {name: value / total if total else 0.0 for name, value in moved.items()}


def _answer(model: Any, features: pd.DataFrame) -> Any:
    predicted = predict_rows(model, features)
    return predicted[predicted.columns[-1]].to_numpy(dtype=float)
