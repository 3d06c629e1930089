"""Alignment: post-processing of a regression by group, as there is for classifiers.

``distribution``: a prediction moves to the average, over groups, of their predictions at its own quantile; all groups
then have the same predictions (E. Chzhen, C. Denis, M. Hebiri, L. Oneto and M. Pontil, "Fair regression with
Wasserstein barycenters", NeurIPS 2020).
``error``: the mean signed error of a group on rows that the model was not fitted on is taken out of its predictions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_predict

from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.mitigation.wrapping import Folds, MitigatedModel, TrainingRows

_QUANTILES = 201


@dataclass(eq=False, repr=False)
class GroupAlignment(MitigatedModel):
    """A regression whose predictions are aligned between groups."""

    needs_sensitive = True

    kind: Literal["distribution", "error"] = "distribution"
    folds: Folds = 5  # in which training rows are predicted

    def _learn(self, rows: TrainingRows) -> None:
        target = np.asarray(rows.target, dtype=float)
        if self.folds > len(target):
            raise MitigationError(
                "There are too few rows to predict them out of fold.",
                where="parameter folds",
                how_many=f"{len(target)} rows, {self.folds} folds",
                remedy="give more data, or set 'folds' between 2 and the number of rows",
            )
        split = KFold(self.folds, shuffle=True, random_state=0)
        predicted = cross_val_predict(clone(self.estimator), rows.inputs, target, cv=split)
        steps = np.linspace(0, 1, _QUANTILES)
        mine = [rows.codes == group for group in range(len(rows.names))]
        # Predictions of each group at equal steps of rank, shape (G, 201), and after alignment, shape (201,).
        self.quantiles_ = np.array([np.quantile(predicted[one], steps) for one in mine])
        self.common_ = np.average(self.quantiles_, axis=0, weights=[one.sum() for one in mine])
        self.shifts_ = np.array([(predicted - target)[one].mean() for one in mine])  # mean signed errors
        self.estimator_ = clone(self.estimator).fit(rows.inputs, target)

    def predict(self, X: Any) -> Any:
        """Return aligned predictions, shape (rows,)."""
        predicted = np.asarray(super().predict(X), dtype=float)
        codes = self._find_groups(X)
        if self.kind == "error":
            return predicted - self.shifts_[codes]
        steps = np.linspace(0, 1, _QUANTILES)
        aligned = np.empty(len(predicted))
        for group, own in enumerate(self.quantiles_):
            rows = codes == group
            aligned[rows] = np.interp(np.interp(predicted[rows], own, steps), steps, self.common_)
        return aligned
