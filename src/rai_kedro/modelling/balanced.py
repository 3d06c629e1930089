"""An estimator fitted on balanced rows: over- and under-sampling inside its fit, so that nothing else sees the copies.

Whoever is handed rows that are balanced already and splits them into folds has copies of a row on both sides, and
learns prevalence and thresholds from shares that no new rows will have.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import Tags, _safe_indexing, get_tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import has_fit_parameter

from rai_kedro.modelling.preparation import Balance, balance_rows


def has_scores(model: Any) -> bool:
    """Say, for ``available_if``, whether the estimator that a model wraps gives probabilities."""
    return hasattr(getattr(model, "estimator_", model.estimator), "predict_proba")


class BalancedEstimator(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier that is fitted on equal numbers of each class, drawn from the rows it is handed."""

    def __init__(self, estimator: Any = None, balance: Balance = "over", seed: int = 0) -> None:
        self.estimator = estimator
        self.balance = balance
        self.seed = seed

    def __sklearn_tags__(self) -> Tags:
        return get_tags(self.estimator)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Draw the rows and fit the classifier on them; a row that is drawn twice has its weight twice."""
        target = np.asarray(y)
        rows = balance_rows(pd.Series(target, name=getattr(y, "name", "target")), self.balance, seed=self.seed)
        weights = {}
        if sample_weight is not None:
            weights = {find_weight_name(self.estimator) or "sample_weight": np.asarray(sample_weight)[rows]}
        self.estimator_ = clone(self.estimator).fit(_safe_indexing(X, rows), _safe_indexing(y, rows), **weights)
        self.classes_ = self.estimator_.classes_
        return self

    def predict(self, X: Any) -> Any:
        """Return the class of each row, shape (rows,)."""
        return self.estimator_.predict(X)

    @available_if(has_scores)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class among balanced rows, shape (rows, classes)."""
        return self.estimator_.predict_proba(X)


def find_weight_name(estimator: Any) -> str | None:
    """Return the name under which an estimator, or the last step of a Pipeline, takes weights in ``fit``; or None."""
    if isinstance(estimator, BalancedEstimator):
        return "sample_weight" if find_weight_name(estimator.estimator) else None
    prefix = ""
    while hasattr(estimator, "steps"):
        step, estimator = estimator.steps[-1]
        prefix += f"{step}__"
    return f"{prefix}sample_weight" if has_fit_parameter(estimator, "sample_weight") else None


def find_last(estimator: Any) -> Any:
    """Return the estimator that was configured: without balancing, and of a Pipeline the last step."""
    while isinstance(estimator, BalancedEstimator) or hasattr(estimator, "steps"):
        estimator = estimator.estimator if isinstance(estimator, BalancedEstimator) else estimator.steps[-1][1]
    return estimator


def prepare_rows(model: Any, features: pd.DataFrame) -> pd.DataFrame:
    """Return what the last estimator of a fitted model is handed, with their index; no column without steps.

    Only pipelines, those within one another and balanced ones are opened: what another class does inside is not seen.
    """
    made: Any = None
    while isinstance(model, BalancedEstimator) or hasattr(model, "steps"):
        if isinstance(model, BalancedEstimator):
            model = model.estimator_
            continue
        if len(model.steps) > 1:
            steps = model[:-1]
            made = steps.transform(features if made is None else made)
        model = model.steps[-1][1]
    if made is None:
        return pd.DataFrame(index=features.index)
    rows = np.asarray(made.toarray() if hasattr(made, "toarray") else made)
    return pd.DataFrame(rows, features.index, _name_outputs(steps, rows.shape[1])).infer_objects()


def _name_outputs(steps: Any, number: int) -> list[str]:
    """Return the names that steps give their columns, or numbers where they give none."""
    try:
        names = [str(name) for name in steps.get_feature_names_out()]
    except (AttributeError, ValueError):
        names = []
    return names if len(set(names)) == number else [f"prepared column {at + 1}" for at in range(number)]
