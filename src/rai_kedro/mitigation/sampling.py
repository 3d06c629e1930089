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

from rai_kedro.mitigation.scoring import Scores, read_scores, require_probabilities, require_weights
from rai_kedro.mitigation.sensitive import Codes, MitigationError, count_cells
from rai_kedro.mitigation.wrapping import MitigatedModel, TrainingRows, encode_classes

Positions = npt.NDArray[np.intp]


def compute_weights(codes: Codes, outcomes: Codes, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return ``P(A) P(Y) / P(A, Y)`` of every row, shape (rows,); the weights sum to the number of rows."""
    cells = count_cells(codes, outcomes, names, "Reweighing")
    weights: npt.NDArray[np.float64] = (_expect(cells) / cells)[codes, outcomes]
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
        weights = compute_weights(rows.codes, outcomes, self.groups_)
        self.weights_ = np.empty((len(self.groups_), int(outcomes.max()) + 1))
        self.weights_[rows.codes, outcomes] = weights
        weights_as = require_weights(self.estimator, "it cannot be reweighed")
        self._fit_estimator(rows.inputs, rows.target, **{weights_as: weights})


def resample(
    codes: Codes, outcomes: Codes, names: Sequence[str], *, seed: int = 0, scores: Scores | None = None
) -> Positions:
    """Duplicate or leave out rows of every cell until it has its expected size; return their rising positions.

    Any rows, or with ``scores`` of the favourable outcome, shape (rows,), those closest to the decision border: among
    positives the lowest score, among negatives the highest.
    """
    random, cells = np.random.default_rng(seed), count_cells(codes, outcomes, names, "Resampling")
    expected = np.rint(_expect(cells)).astype(int)
    drawn = []
    for group, outcome in np.ndindex(*cells.shape):
        rows = np.flatnonzero((codes == group) & (outcomes == outcome))
        if scores is None:
            rows = random.permutation(rows)
        else:
            rows = rows[np.argsort(scores[rows] if outcome else -scores[rows], kind="stable")]
        wanted = max(int(expected[group, outcome]), 1)
        # Repeats all rows in turn, the first ones once more if the number wanted is no multiple.
        drawn.append(rows[len(rows) - wanted :] if wanted <= len(rows) else np.resize(rows, wanted))
    return np.sort(np.concatenate(drawn))


def _expect(cells: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return the rows per group and outcome if the two were independent, shape (G, K)."""
    expected: npt.NDArray[np.float64] = np.outer(cells.sum(axis=1), cells.sum(axis=0)) / cells.sum()
    return expected


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
        scores = self._rank(rows.inputs, rows.target) if self.kind == "preferential" else None
        drawn = resample(rows.codes, outcomes, self.groups_, seed=self.seed, scores=scores)
        self.rows_by_cell_ = count_cells(rows.codes[drawn], outcomes[drawn], self.groups_, "Resampling")
        self._fit_estimator(_safe_indexing(rows.inputs, drawn), rows.target[drawn])

    def _rank(self, inputs: Any, target: npt.NDArray[Any]) -> Scores:
        ranker = clone(self.estimator)
        require_probabilities(ranker, "its rows cannot be ranked")
        return read_scores(ranker.fit(inputs, target), inputs)
