"""Correlation removal: take out of every numeric column what the group predicts of it linearly.

fairlearn's ``CorrelationRemover`` does the projection; here it is given one indicator per group, so that text,
codes and cut columns serve as a sensitive column, and columns with missing values are fitted on the rows they have.
What is left is uncorrelated with the group; it can still depend on it in other ways.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rai_kedro.mitigation.sensitive import Codes, Column, LearntGroups, MitigationError
from rai_kedro.mitigation.transformed import Matrix, SensitiveTransformer, TransformedModel


class GroupCorrelationRemover(SensitiveTransformer):
    """Transformer that removes the correlation with the groups from numeric columns.

    Args:
        sensitive_column: Name of the sensitive column (its position if ``X`` is an array).
        cuts: Cut points of a continuous sensitive column; by default its median on the training rows.
        columns: Columns to transform; by default all numeric ones.
        alpha: Share of the correlation to remove, from 0 to 1.

    Attributes:
        means_: Share of each group but the first among the rows used, shape (G - 1, C).
        slopes_: What each of these groups adds to a column, shape (G - 1, C).
    """

    def __init__(
        self,
        sensitive_column: Column | None = None,
        cuts: Sequence[float] | None = None,
        columns: Sequence[Column] | None = None,
        alpha: float = 1.0,
    ) -> None:
        super().__init__(sensitive_column, cuts, columns)
        self.alpha = alpha

    def _learn(self, values: Matrix, groups: LearntGroups) -> None:
        if not 0 <= self.alpha <= 1:
            raise MitigationError(
                "The share of the correlation to remove lies between 0 and 1.",
                where="parameter alpha",
                example=f"{self.alpha!r}",
                remedy="set 'alpha' between 0 (nothing is changed) and 1 (all correlation is removed)",
            )
        indicators = _indicate(groups.codes, len(groups.names))
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


class CorrelationRemovalModel(TransformedModel):
    """An estimator fitted on features without correlation with the groups, see `GroupCorrelationRemover`.

    Args:
        estimator: The estimator.
        sensitive_column: Name of the sensitive column; ``X`` has to hold it.
        cuts: Cut points of a continuous sensitive column.
        alpha: Share of the correlation to remove, from 0 to 1.
    """

    def __init__(
        self,
        estimator: Any = None,
        sensitive_column: Column | None = None,
        cuts: Sequence[float] | None = None,
        alpha: float = 1.0,
    ) -> None:
        super().__init__(estimator, sensitive_column, cuts)
        self.alpha = alpha

    def _make_transformer(self) -> GroupCorrelationRemover:
        return GroupCorrelationRemover(alpha=self.alpha)


def _indicate(codes: Codes, groups: int) -> Matrix:
    """Return one 0/1 column for each group but the first, shape (rows, G - 1)."""
    return np.asarray(codes[:, None] == np.arange(1, groups), dtype=float)
