"""Correlation removal: take out of every numeric column what the group predicts of it linearly.

fairlearn's ``CorrelationRemover`` does the projection; here it is given one indicator per group, so that text,
codes and cut columns serve as a sensitive column, and columns with missing values are fitted on the rows they have.
What is left is uncorrelated with the group; it can still depend on it in other ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rai_kedro.mitigation.sensitive import Codes, LearntGroups
from rai_kedro.mitigation.transformed import Matrix, SensitiveTransformer, TransformedModel
from rai_kedro.mitigation.wrapping import Share


@dataclass(eq=False, repr=False)
class GroupCorrelationRemover(SensitiveTransformer):
    """Transformer that removes the correlation with the groups from numeric columns."""

    alpha: Share = 1.0  # how much of the correlation is removed

    def _learn(self, values: Matrix, groups: LearntGroups) -> None:
        indicators = _indicate(groups.codes, len(groups.names))
        # Of each group but the first its share of the rows used, and what it adds to a column; shape (G - 1, C).
        self.means_ = np.zeros((indicators.shape[1], values.shape[1]))
        self.slopes_ = np.zeros_like(self.means_)
        observed = ~np.isnan(values)
        whole = observed.all(axis=0)
        parts = [np.flatnonzero(whole), *np.flatnonzero(~whole)[:, None]]
        for columns in parts:
            rows = observed[:, columns].all(axis=1)
            if len(columns) and rows.any():
                self._project(indicators[rows], values[np.ix_(rows, columns)], columns)

    def _project(self, indicators: Matrix, values: Matrix, columns: npt.NDArray[np.intp]) -> None:
        from fairlearn.preprocessing import CorrelationRemover

        remover = CorrelationRemover(sensitive_feature_ids=list(range(indicators.shape[1])))
        remover.fit(np.hstack([indicators, values]))
        self.means_[:, columns] = remover.sensitive_mean_[:, None]
        self.slopes_[:, columns] = remover.beta_

    def _apply(self, values: Matrix, codes: Codes, rest: Any) -> Matrix:
        explained = _indicate(codes, len(self.groups_)) @ self.slopes_ - (self.means_ * self.slopes_).sum(axis=0)
        changed: Matrix = values - self.alpha * explained
        return changed


@dataclass(eq=False, repr=False)
class CorrelationRemovalModel(TransformedModel):
    """An estimator fitted on features without correlation with the groups, see `GroupCorrelationRemover`."""

    alpha: Share = 1.0

    def _make_transformer(self) -> GroupCorrelationRemover:
        return GroupCorrelationRemover(alpha=self.alpha)


def _indicate(codes: Codes, groups: int) -> Matrix:
    """Return one 0/1 column for each group but the first, shape (rows, G - 1)."""
    return np.asarray(codes[:, None] == np.arange(1, groups), dtype=float)
