"""Reweighing: weights that make group and outcome independent in the training data.

Source: F. Kamiran and T. Calders, "Data preprocessing techniques for classification without discrimination",
Knowledge and Information Systems 33 (2012), section 5.2. A row of group a and outcome y weighs
``P(A=a) P(Y=y) / P(A=a, Y=y)``. For regression the outcome is the part of the target between quantiles that the row's
target falls into.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone, is_regressor

from rai_kedro.mitigation.sensitive import Codes, Column, MitigationError, require_both_classes
from rai_kedro.mitigation.wrapping import MitigatedModel, encode_classes
from rai_kedro.modelling.balanced import find_last, find_weight_name


def compute_weights(codes: Codes, outcomes: Codes, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return the weight of every row.

    Args:
        codes: Group of each row as 0..G-1, shape (rows,).
        outcomes: Outcome of each row as 0..K-1, shape (rows,).
        names: Names of the groups, shape (G,).

    Returns:
        ``P(A) P(Y) / P(A, Y)``, shape (rows,); the weights sum to the number of rows.

    Raises:
        MitigationError: A group lacks an outcome.
    """
    cells = require_both_classes(codes, outcomes, names, "Reweighing")
    expected = np.outer(cells.sum(axis=1), cells.sum(axis=0)) / cells.sum()
    weights: npt.NDArray[np.float64] = (expected / cells)[codes, outcomes]
    return weights


def cut_target(target: npt.NDArray[Any], bins: int) -> Codes:
    """Return the part of a continuous target between its quantiles that each row falls into, as 0..K-1.

    Args:
        target: Target, shape (rows,).
        bins: How many parts of about equal size; ties make fewer.

    Returns:
        Part of each row, shape (rows,).

    Raises:
        MitigationError: ``bins`` is below two, or the target is constant.
    """
    if bins < 2:  # noqa: PLR2004 - one part weighs nothing
        raise MitigationError(
            "A target cut into fewer than two parts cannot be reweighed.",
            where="parameter target_bins",
            example=str(bins),
            remedy="set 'target_bins' to 2 or more",
        )
    inner = np.quantile(target.astype(float), np.linspace(0, 1, bins + 1)[1:-1])
    _, parts = np.unique(np.searchsorted(inner, target, side="left"), return_inverse=True)
    if parts.max() == 0:
        raise MitigationError(
            "The target is constant, so that there is nothing to reweigh.",
            how_many=f"{len(target)} rows",
            remedy="check the target column",
        )
    return np.asarray(parts, dtype=np.intp)


class Reweighing(MitigatedModel):
    """An estimator fitted with the weights of Kamiran and Calders (2012); prediction needs no sensitive column.

    Args:
        estimator: Takes ``sample_weight`` when it is fitted; of a Pipeline, its last step does.
        sensitive_column: Name of the sensitive column.
        cuts: Cut points of a continuous sensitive column.
        target_bins: Regression only: parts of the target.

    Attributes:
        weights_: Weight of a row by group and outcome, shape (G, K).
    """

    def __init__(
        self,
        estimator: Any = None,
        sensitive_column: Column | None = None,
        cuts: Sequence[float] | None = None,
        target_bins: int = 4,
    ) -> None:
        super().__init__(estimator, sensitive_column, cuts)
        self.target_bins = target_bins

    def fit(self, X: Any, y: Any, sensitive: Any = None) -> Self:
        """Fit the estimator with weights.

        Args:
            X: Features, shape (rows, columns).
            y: Target, shape (rows,).
            sensitive: Sensitive column, shape (rows,); by default taken from ``X``.

        Returns:
            Itself.

        Raises:
            MitigationError: The estimator takes no weights, there is one group only, or a group lacks an outcome.
        """
        X, target, groups = self._check_training(X, y, sensitive)
        inputs = self._without_sensitive(X)
        if is_regressor(self.estimator):
            outcomes = cut_target(target, self.target_bins)
        else:
            outcomes, _ = encode_classes(target, binary=False)
        weights = compute_weights(groups.codes, outcomes, groups.names)
        table = np.empty((len(groups.names), int(outcomes.max()) + 1))
        table[groups.codes, outcomes] = weights
        self.weights_ = table
        self.estimator_ = clone(self.estimator)
        self.estimator_.fit(inputs, target, **{find_weight_argument(self.estimator_): weights})
        self._adopt_classes()
        return self


def find_weight_argument(estimator: Any) -> str:
    """Return the name under which an estimator, or the last step of a Pipeline, takes weights in ``fit``.

    Raises:
        MitigationError: It takes none.
    """
    name = find_weight_name(estimator)
    if name is None:
        raise MitigationError(
            f"The model {type(find_last(estimator)).__name__} takes no weights, so that it cannot be reweighed.",
            where="method reweighing",
            remedy="choose a model whose 'fit' takes sample_weight, or the method uniform_resampling",
        )
    return name
