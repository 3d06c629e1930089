"""Uniform and preferential resampling: draw the training rows so that group and outcome are independent.

Source: F. Kamiran and T. Calders, "Data preprocessing techniques for classification without discrimination",
Knowledge and Information Systems 33 (2012), section 5.3. A cell of group a and outcome y is brought to its expected
size ``n(A=a) n(Y=y) / n``: by duplicating rows if it is too small, by leaving rows out if it is too large. Uniform:
any rows. Preferential: those closest to the decision border, by the score of the estimator fitted on all rows.
The source has two groups; for more, every cell is treated the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils import Tags, _safe_indexing

from rai_kedro.mitigation.sensitive import Codes, Column, MitigationError, require_both_classes
from rai_kedro.mitigation.wrapping import MitigatedModel, encode_classes

Rows = npt.NDArray[np.intp]


def resample_uniformly(codes: Codes, outcomes: Codes, names: Sequence[str], seed: int) -> Rows:
    """Draw rows of every cell at random until it has its expected size.

    Args:
        codes: Group of each row as 0..G-1, shape (rows,).
        outcomes: Outcome of each row as 0..K-1, shape (rows,).
        names: Names of the groups.
        seed: Seed of the drawing.

    Returns:
        Positions of the rows to train on, rising; a row that is duplicated is there several times.

    Raises:
        MitigationError: A group lacks an outcome.
    """
    random = np.random.default_rng(seed)

    def order(rows: Rows, outcome: int) -> Rows:
        return random.permutation(rows)

    return _resize_cells(codes, outcomes, names, order)


def resample_preferentially(
    codes: Codes, outcomes: Codes, names: Sequence[str], scores: npt.NDArray[np.float64]
) -> Rows:
    """Duplicate, or leave out, the rows closest to the decision border until every cell has its expected size.

    Args:
        codes: Group of each row as 0..G-1, shape (rows,).
        outcomes: Outcome of each row, 0 or 1, shape (rows,).
        names: Names of the groups.
        scores: Score of the favourable outcome, shape (rows,): among positives the lowest is closest to the border,
            among negatives the highest.

    Returns:
        Positions of the rows to train on, rising.

    Raises:
        MitigationError: A group lacks an outcome.
    """

    def order(rows: Rows, outcome: int) -> Rows:
        toward_border = scores[rows] if outcome else -scores[rows]
        return rows[np.argsort(toward_border, kind="stable")]

    return _resize_cells(codes, outcomes, names, order)


def _resize_cells(codes: Codes, outcomes: Codes, names: Sequence[str], order: Any) -> Rows:
    """Bring every cell to its expected size; ``order`` puts first what is duplicated or left out first."""
    cells = require_both_classes(codes, outcomes, names, "Resampling")
    expected = np.rint(np.outer(cells.sum(axis=1), cells.sum(axis=0)) / cells.sum()).astype(int)
    drawn = []
    for group, outcome in np.ndindex(*cells.shape):
        rows = order(np.flatnonzero((codes == group) & (outcomes == outcome)), outcome)
        wanted = max(int(expected[group, outcome]), 1)
        drawn.append(rows[len(rows) - wanted :] if wanted <= len(rows) else _duplicate(rows, wanted))
    return np.sort(np.concatenate(drawn))


def _duplicate(rows: Rows, wanted: int) -> Rows:
    """Repeat all rows in turn, the first ones once more if ``wanted`` is no multiple."""
    return np.resize(rows, wanted)


class Resampling(MitigatedModel):
    """A classifier fitted on rows drawn by Kamiran and Calders (2012); prediction needs no sensitive column.

    Args:
        estimator: The classifier; for ``preferential`` it gives ``predict_proba``.
        sensitive_column: Name of the sensitive column.
        cuts: Cut points of a continuous sensitive column.
        kind: ``uniform`` or ``preferential``.
        seed: Seed of the uniform drawing.

    Attributes:
        rows_by_cell_: Rows drawn by group and outcome, shape (G, K).
    """

    def __init__(
        self,
        estimator: Any = None,
        sensitive_column: Column | None = None,
        cuts: Sequence[float] | None = None,
        kind: Literal["uniform", "preferential"] = "uniform",
        seed: int = 0,
    ) -> None:
        super().__init__(estimator, sensitive_column, cuts)
        self.kind = kind
        self.seed = seed

    def __sklearn_tags__(self) -> Tags:
        """Preferential drawing knows two classes only."""
        tags = super().__sklearn_tags__()
        if self.kind == "preferential" and tags.classifier_tags is not None:
            tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any, sensitive: Any = None) -> Self:
        """Draw the rows and fit the classifier on them.

        Args:
            X: Features, shape (rows, columns).
            y: Class, shape (rows,).
            sensitive: Sensitive column, shape (rows,); by default taken from ``X``.

        Returns:
            Itself.

        Raises:
            MitigationError: ``kind`` is unknown, there is one group only, or a group lacks an outcome.
        """
        if self.kind not in {"uniform", "preferential"}:
            raise MitigationError(
                f"There is no resampling of the kind {self.kind!r}.",
                where="parameter kind",
                remedy="choose 'uniform' or 'preferential'",
            )
        X, target, groups = self._check_training(X, y, sensitive)
        inputs = self._without_sensitive(X)
        outcomes, _ = encode_classes(target, binary=self.kind == "preferential")
        if self.kind == "uniform":
            rows = resample_uniformly(groups.codes, outcomes, groups.names, self.seed)
        else:
            rows = resample_preferentially(groups.codes, outcomes, groups.names, self._rank(inputs, target))
        self.rows_by_cell_ = require_both_classes(groups.codes[rows], outcomes[rows], groups.names, "Resampling")
        self.estimator_ = clone(self.estimator).fit(_safe_indexing(inputs, rows), target[rows])
        self._adopt_classes()
        return self

    def _rank(self, inputs: Any, target: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        ranker = clone(self.estimator)
        if not hasattr(ranker, "predict_proba"):
            raise MitigationError(
                f"The model {type(ranker).__name__} gives no probabilities, so that its rows cannot be ranked.",
                where="method preferential_resampling",
                remedy="choose a model with predict_proba, or the method uniform_resampling",
            )
        return np.asarray(ranker.fit(inputs, target).predict_proba(inputs)[:, 1], dtype=float)
