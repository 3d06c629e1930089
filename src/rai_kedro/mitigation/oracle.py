"""How fairlearn's reductions fit a model of ours: many times, on the same prepared rows, with weights.

A reduction fits the model again and again with other weights (and, for classes, other labels). Everything before the
last step of a Pipeline takes neither weights nor these labels; it is fitted once, on the true target, and fairlearn
sees row numbers only, so that text, dates and missing values are no matter of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

from rai_kedro.mitigation.scoring import NO_WEIGHT, require_weights
from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.mitigation.wrapping import MitigatedModel
from rai_kedro.modelling import BalancedEstimator, limit_threads

Vector = npt.NDArray[np.float64]


@dataclass(eq=False, repr=False)
class Oracle(BaseEstimator):  # type: ignore[misc]
    """Stands for the model before fairlearn, whose ``X`` are row numbers of the ``inputs`` that are kept here."""

    model: Any
    inputs: Any
    weights_as: str

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit a copy of the model on all rows, with other labels and weights; predict the rows once for all."""
        weights = {} if sample_weight is None else {self.weights_as: np.asarray(sample_weight, dtype=float)}
        with limit_threads(len(y)):
            self.fitted_ = clone(self.model).fit(self.inputs, np.asarray(y), **weights)
            self.known_ = np.asarray(self.fitted_.predict(self.inputs), dtype=float)
        return self

    def predict(self, X: Any) -> Vector:
        """Return the predictions for all training rows, shape (rows,)."""
        known: Vector = self.known_
        return known

    def __sklearn_clone__(self) -> Oracle:
        """Copy the model and not the rows."""
        return Oracle(self.model, self.inputs, self.weights_as)

    def __deepcopy__(self, memo: dict[int, Any]) -> Oracle:
        """Copy the model and not the rows; ``GridSearch`` copies in this way."""
        return self.__sklearn_clone__()


class ReducedModel(MitigatedModel):
    """The fitted models of a reduction that are used, ``models_``, and their ``weights_``, which add up to 1."""

    method: ClassVar[str]
    grid_size: int

    def _make_oracle(self, inputs: Any, target: npt.NDArray[Any]) -> Oracle:
        """Split the estimator into steps, ``preparation_``, which are fitted here (None without any), and the model."""
        # Balance is in the costs of errors here: drawing rows by the labels of a step would undo the step.
        estimator, steps = self.estimator, []
        last = estimator.estimator if isinstance(estimator, BalancedEstimator) else estimator
        while isinstance(last, Pipeline):
            steps += last.steps[:-1]
            last = last.steps[-1][1]
        if isinstance(last, FrozenEstimator) or isinstance(estimator, FrozenEstimator):
            raise MitigationError(
                f"The method {self.method} fits the model many times, and this one is frozen.",
                where=f"method {self.method}",
                remedy="give the unfitted estimator, or choose a post-processing method for a fitted model",
            )
        weights_as = require_weights(last, f"the method {self.method} cannot fit it")
        self.preparation_ = None
        if steps:
            self.preparation_ = Pipeline([(f"{at}_{name}", step) for at, (name, step) in enumerate(steps)])
            inputs = self.preparation_.fit_transform(inputs, target)
        return Oracle(last, inputs, weights_as)

    def _keep(self, predictors: list[Any], weights: Vector, inputs: Any, target: npt.NDArray[Any]) -> None:
        """Keep the models with a weight.

        Where all labels of a step were the same, fairlearn answers with a constant; it gets both classes here.
        """
        used = weights > NO_WEIGHT
        self.weights_ = weights[used] / weights[used].sum()
        self.models_ = [
            predictor.fitted_
            if isinstance(predictor, Oracle)
            else DummyClassifier(strategy="constant", constant=int(predictor.constant)).fit(inputs, target)
            for predictor, is_used in zip(predictors, used, strict=True)
            if is_used
        ]

    def _run_gradient(self, reduction: Any, target: npt.NDArray[Any], features: dict[str, Any]) -> Any:
        """Run fairlearn's ``ExponentiatedGradient``; return its models and their weights."""
        reduction.fit(number(target), target, **features)
        self.gap_ = float(reduction.best_gap_)
        self.n_iter_ = int(reduction.last_iter_) + 1
        return list(reduction.predictors_.sort_index()), reduction.weights_.sort_index().to_numpy(dtype=float)

    def _require_convergence(self, largest: float, unit: str, remedy: str) -> None:
        if self.gap_ > largest:
            raise MitigationError(
                f"The method {self.method} did not converge, so that there is no model.",
                where=f"method {self.method}",
                how_many=f"duality gap {self.gap_:.3g}{unit} after {self.n_iter_} iterations; {largest:.3g} counts as "
                "converged",
                remedy=remedy,
            )

    def _require_grid(self, directions: int, otherwise: str) -> None:
        if self.grid_size < 2**directions:
            raise MitigationError(
                "The grid is too small to try every direction of the constraint.",
                where="parameter grid_size",
                how_many=f"{self.grid_size} models for {directions} directions ({len(self.groups_)} groups)",
                remedy=f"set 'grid_size' to {2**directions} or more, or {otherwise}",
            )

    def _prepare(self, raw: Any) -> Any:
        return raw if self.preparation_ is None else self.preparation_.transform(raw)

    def _average(self, inputs: Any) -> Vector:
        predictions = [np.asarray(one.predict(inputs), dtype=float) for one in self.models_]
        return np.asarray(np.dot(self.weights_, predictions))


def number(rows: npt.NDArray[Any]) -> Vector:
    """Return the number of each row, shape (rows, 1), which is all that fairlearn sees of it."""
    return np.arange(len(rows), dtype=float)[:, None]
