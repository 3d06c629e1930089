"""Reweighing and resampling: weights, or a choice of rows, that make group and outcome independent in training.

Source: F. Kamiran and T. Calders, "Data preprocessing techniques for classification without discrimination",
Knowledge and Information Systems 33 (2012). Section 5.2: a row of group a and outcome y weighs
``P(A=a) P(Y=y) / P(A=a, Y=y)``; for regression the outcome is the part of the target between quantiles that the row's
target falls into. Section 5.3: a cell of group a and outcome y is brought to its expected size ``n(A=a) n(Y=y) / n``:
by duplicating rows if it is too small, by leaving rows out if it is too large. Uniform: any rows. Preferential: those
closest to the decision border, by the score of the estimator fitted on all rows. The source has two groups; for more,
every cell is treated the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from sklearn.base import clone, is_regressor
from sklearn.utils import Tags, _safe_indexing

from rai_kedro.mitigation.scoring import require_probabilities
from rai_kedro.mitigation.sensitive import Codes, MitigationError, count_cells
from rai_kedro.mitigation.wrapping import MitigatedModel, TrainingRows, encode_classes
from rai_kedro.modelling import find_last, find_weight_name

Positions = npt.NDArray[np.intp]


def compute_weights(codes: Codes, outcomes: Codes, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return ``P(A) P(Y) / P(A, Y)`` of every row, shape (rows,); the weights sum to the number of rows."""
    cells = count_cells(codes, outcomes, names, "Reweighing")
    expected = np.outer(cells.sum(axis=1), cells.sum(axis=0)) / cells.sum()
    weights: npt.NDArray[np.float64] = (expected / cells)[codes, outcomes]
    return weights


def cut_target(target: npt.NDArray[Any], bins: int) -> Codes:
    """Return the part between quantiles that each row's target falls into, 0..K-1; ties make fewer than ``bins``."""
    inner = np.quantile(target.astype(float), np.linspace(0, 1, bins + 1)[1:-1])
    _, parts = np.unique(np.searchsorted(inner, target, side="left"), return_inverse=True)
    if parts.max() == 0:
        raise MitigationError(
            "The target is constant, so that there is nothing to reweigh.",
            how_many=f"{len(target)} rows",
            remedy="check the target column",
        )
    return np.asarray(parts, dtype=np.intp)


@dataclass(eq=False, repr=False)
class Reweighing(MitigatedModel):
    """An estimator fitted with weights, which its ``fit``, or that of a Pipeline's last step, takes."""

    target_bins: Annotated[int, Field(ge=2)] = 4  # parts of the target of a regression

    def _learn(self, rows: TrainingRows) -> None:
        if is_regressor(self.estimator):
            outcomes = cut_target(rows.target, self.target_bins)
        else:
            outcomes, _ = encode_classes(rows.target, binary=False)
        weights = compute_weights(rows.codes, outcomes, rows.names)
        self.weights_ = np.empty((len(rows.names), int(outcomes.max()) + 1))
        self.weights_[rows.codes, outcomes] = weights
        weights_as = require_weights(self.estimator, "it cannot be reweighed")
        self.estimator_ = clone(self.estimator)
        self.estimator_.fit(rows.inputs, rows.target, **{weights_as: weights})
        self._adopt_classes()


def require_weights(estimator: Any, otherwise: str) -> str:
    """Return the name under which an estimator takes weights in ``fit``; ``otherwise`` says what cannot be done."""
    name = find_weight_name(estimator)
    if name is None:
        raise MitigationError(
            f"The model {type(find_last(estimator)).__name__} takes no weights, so that {otherwise}.",
            remedy="choose a model whose 'fit' takes sample_weight, or a method that needs none, such as "
            "uniform_resampling",
        )
    return name


def resample_uniformly(codes: Codes, outcomes: Codes, names: Sequence[str], seed: int) -> Positions:
    """Draw rows of every cell until it has its expected size; return their rising positions, repeated if duplicated."""
    random = np.random.default_rng(seed)

    def order(rows: Positions, outcome: int) -> Positions:
        return random.permutation(rows)

    return _resize_cells(codes, outcomes, names, order)


def resample_preferentially(
    codes: Codes, outcomes: Codes, names: Sequence[str], scores: npt.NDArray[np.float64]
) -> Positions:
    """Duplicate, or leave out, the rows closest to the decision border until every cell has its expected size.

    Among positives the lowest score of the favourable outcome is closest to the border, among negatives the highest.
    """

    def order(rows: Positions, outcome: int) -> Positions:
        toward_border = scores[rows] if outcome else -scores[rows]
        return rows[np.argsort(toward_border, kind="stable")]

    return _resize_cells(codes, outcomes, names, order)


def _resize_cells(codes: Codes, outcomes: Codes, names: Sequence[str], order: Any) -> Positions:
    """Bring every cell to its expected size; ``order`` puts first what is duplicated or left out first."""
    cells = count_cells(codes, outcomes, names, "Resampling")
    expected = np.rint(np.outer(cells.sum(axis=1), cells.sum(axis=0)) / cells.sum()).astype(int)
    drawn = []
    for group, outcome in np.ndindex(*cells.shape):
        rows = order(np.flatnonzero((codes == group) & (outcomes == outcome)), outcome)
        wanted = max(int(expected[group, outcome]), 1)
        # Repeats all rows in turn, the first ones once more if the number wanted is no multiple.
        drawn.append(rows[len(rows) - wanted :] if wanted <= len(rows) else np.resize(rows, wanted))
    return np.sort(np.concatenate(drawn))


@dataclass(eq=False, repr=False)
class Resampling(MitigatedModel):
    """A classifier fitted on drawn rows; prediction needs no sensitive column."""

    kind: Literal["uniform", "preferential"] = "uniform"  # the latter by the classifier's predict_proba
    seed: Annotated[int, Field(ge=0)] = 0

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()  # preferential drawing knows two classes only
        if self.kind == "preferential" and tags.classifier_tags is not None:
            tags.classifier_tags.multi_class = False
        return tags

    def _learn(self, rows: TrainingRows) -> None:
        outcomes, _ = encode_classes(rows.target, binary=self.kind == "preferential")
        if self.kind == "uniform":
            drawn = resample_uniformly(rows.codes, outcomes, rows.names, self.seed)
        else:
            drawn = resample_preferentially(rows.codes, outcomes, rows.names, self._rank(rows.inputs, rows.target))
        self.rows_by_cell_ = count_cells(rows.codes[drawn], outcomes[drawn], rows.names, "Resampling")
        self.estimator_ = clone(self.estimator).fit(_safe_indexing(rows.inputs, drawn), rows.target[drawn])
        self._adopt_classes()

    def _rank(self, inputs: Any, target: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        ranker = clone(self.estimator)
        require_probabilities(ranker, "its rows cannot be ranked")
        return np.asarray(ranker.fit(inputs, target).predict_proba(inputs)[:, 1], dtype=float)
