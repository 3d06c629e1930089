"""Alignment: post-processing of a regression by group, so that a regression, too, has a yardstick.

``distribution``: a prediction moves to the average, over groups, of their predictions at its own quantile; all groups
then have the same predictions (E. Chzhen, C. Denis, M. Hebiri, L. Oneto and M. Pontil, "Fair regression with
Wasserstein barycenters", NeurIPS 2020).
``error``: the mean signed error of a group on rows that the model was not fitted on is taken out of its predictions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import KFold, cross_val_predict

from rai_kedro.mitigation.sensitive import Column, MitigationError
from rai_kedro.mitigation.wrapping import MitigatedModel

_QUANTILES = 201


class GroupAlignment(MitigatedModel):
    """A regression whose predictions are aligned between groups.

    Args:
        estimator: A regressor.
        sensitive_column: Name of the sensitive column; ``X`` has to hold it.
        cuts: Cut points of a continuous sensitive column.
        kind: ``distribution`` or ``error``.
        folds: Folds in which training rows are predicted.

    Attributes:
        quantiles_: Predictions of each group at equal steps of rank, shape (G, 201).
        common_: Predictions after alignment at the same steps, shape (201,).
        shifts_: Mean signed error of each group, shape (G,).
    """

    needs_sensitive = True

    def __init__(
        self,
        estimator: Any = None,
        sensitive_column: Column | None = None,
        cuts: Sequence[float] | None = None,
        kind: Literal["distribution", "error"] = "distribution",
        folds: int = 5,
    ) -> None:
        super().__init__(estimator, sensitive_column, cuts)
        self.kind = kind
        self.folds = folds

    def fit(self, X: Any, y: Any, sensitive: Any = None) -> Self:
        """Fit the regressor, and the alignment on predictions of rows it was not fitted on.

        Args:
            X: Features with the sensitive column, shape (rows, columns).
            y: Target, shape (rows,).
            sensitive: Not used: prediction reads the column from ``X``, and so does training.

        Returns:
            Itself.

        Raises:
            MitigationError: There are fewer rows than folds, or the kind is not known.
        """
        X, target, groups = self._check_training(X, y, sensitive)
        if self.kind not in {"distribution", "error"} or not 2 <= self.folds <= len(target):  # noqa: PLR2004
            raise MitigationError(
                "Predictions cannot be aligned like this.",
                where="parameters kind, folds",
                how_many=f"{len(target)} rows, {self.folds} folds, kind {self.kind!r}",
                remedy="set 'kind' to distribution or error, and 'folds' between 2 and the number of rows",
            )
        inputs = self._without_sensitive(X)
        target = np.asarray(target, dtype=float)
        split = KFold(self.folds, shuffle=True, random_state=0)
        predicted = cross_val_predict(clone(self.estimator), inputs, target, cv=split)
        steps = np.linspace(0, 1, _QUANTILES)
        mine = [groups.codes == group for group in range(len(groups.names))]
        self.quantiles_ = np.array([np.quantile(predicted[rows], steps) for rows in mine])
        self.common_ = np.average(self.quantiles_, axis=0, weights=[rows.sum() for rows in mine])
        self.shifts_ = np.array([(predicted - target)[rows].mean() for rows in mine])
        self.estimator_ = clone(self.estimator).fit(inputs, target)
        return self

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
