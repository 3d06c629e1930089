"""How fairlearn's reductions fit a model of ours: many times, on the same prepared rows, with weights.

A reduction fits the model again and again with other weights (and, for classes, other labels). Everything before the
last step of a Pipeline takes neither weights nor these labels; it is fitted once, on the true target, and fairlearn
sees row numbers only, so that text, dates and missing values are no matter of its own.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from rai_kedro.mitigation.sampling import require_weights
from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.modelling import BalancedEstimator, limit_threads


class Oracle(BaseEstimator):  # type: ignore[misc]
    """Stands for the model before fairlearn, whose ``X`` are row numbers of the ``inputs`` that are kept here."""

    def __init__(self, model: Any, inputs: Any, weights_as: str) -> None:
        self.model = model
        self.inputs = inputs
        self.weights_as = weights_as

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit a copy of the model on all rows, with other labels and weights; predict the rows once for all."""
        weights = {} if sample_weight is None else {self.weights_as: np.asarray(sample_weight, dtype=float)}
        with limit_threads(len(y)):
            self.fitted_ = clone(self.model).fit(self.inputs, np.asarray(y), **weights)
            self.known_ = np.asarray(self.fitted_.predict(self.inputs), dtype=float)
        return self

    def predict(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the predictions for all training rows, shape (rows,)."""
        known: npt.NDArray[np.float64] = self.known_
        return known

    def __sklearn_clone__(self) -> Oracle:
        """Copy the model and not the rows."""
        return Oracle(self.model, self.inputs, self.weights_as)

    def __deepcopy__(self, memo: dict[int, Any]) -> Oracle:
        """Copy the model and not the rows; ``GridSearch`` copies in this way."""
        return self.__sklearn_clone__()


def split_estimator(estimator: Any, method: str) -> tuple[Any, Any, str]:
    """Split an estimator, maybe a Pipeline, into what is fitted once and what is fitted many times.

    Returns the steps before the model as an unfitted Pipeline (None without any), the model, and the name under which
    its ``fit`` takes weights.
    """
    # Balance is in the costs of errors here (`reduced.py`): drawing rows by the labels of a step would undo the step.
    last, steps = estimator.estimator if isinstance(estimator, BalancedEstimator) else estimator, []
    while isinstance(last, Pipeline):
        steps += last.steps[:-1]
        last = last.steps[-1][1]
    if isinstance(last, FrozenEstimator) or isinstance(estimator, FrozenEstimator):
        raise MitigationError(
            f"The method {method} fits the model many times, and this one is frozen.",
            where=f"method {method}",
            remedy="give the unfitted estimator, or choose a post-processing method for a fitted model",
        )
    weights_as = require_weights(last, f"the method {method} cannot fit it")
    numbered = [(f"{at}_{name}", step) for at, (name, step) in enumerate(steps)]
    return (Pipeline(numbered) if numbered else None), last, weights_as


def collect_models(predictors: Any, inputs: Any, outcomes: Any) -> list[Any]:
    """Return fitted models out of what fairlearn made of oracles.

    Where all labels of a step were the same, fairlearn answers with a constant; it gets both classes here.
    """
    return [
        predictor.fitted_
        if isinstance(predictor, Oracle)
        else DummyClassifier(strategy="constant", constant=int(predictor.constant)).fit(inputs, outcomes)
        for predictor in predictors
    ]
