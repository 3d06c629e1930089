"""Calibration by group: a score means the same share of favourable outcomes in every group.

Sources: J. Platt, "Probabilistic outputs for support vector machines", 1999 (a logistic curve over the score, with
his corrected targets; here over the log-odds of the score); B. Zadrozny and C. Elkan, "Transforming classifier scores
into accurate multiclass probability estimates", KDD 2002 (isotonic regression). scikit-learn's guide advises against
isotonic regression on much fewer than 1,000 rows, because it follows chance there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if

from rai_kedro.mitigation.scoring import Scores, read_scores, score_rows
from rai_kedro.mitigation.sensitive import Codes, Column, MitigationError, require_both_classes
from rai_kedro.mitigation.wrapping import TwoClassModel, base_has, encode_classes

ROWS_FOR_ISOTONIC = 1000
# Beyond these the log-odds of a score say no more than "certain".
_LOWEST_SCORE = 1e-6


class GroupCalibration(TwoClassModel):
    """A classifier whose scores are calibrated in each group on its own.

    Args:
        estimator: A classifier with ``predict_proba``; in ``sklearn.frozen.FrozenEstimator`` it is used as fitted.
        sensitive_column: Name of the sensitive column; ``X`` has to hold it.
        cuts: Cut points of a continuous sensitive column.
        method: ``isotonic``, ``sigmoid`` (Platt), or ``auto``: isotonic for groups of 1,000 rows or more.
        min_rows: Rows that a group needs; with fewer the method is refused.
        min_events: Rows of the rarer outcome that a group needs.
        folds: Folds in which training rows are scored.

    Attributes:
        kinds_: ``isotonic`` or ``sigmoid`` for each group.
        curves_: For each group: scores and their calibrated values, shape (2, knots), or the slope and the intercept
            over the log-odds, shape (2, 1).
    """

    needs_sensitive = True

    def __init__(  # noqa: PLR0913, PLR0917 - scikit-learn takes every parameter as an argument of its own
        self,
        estimator: Any = None,
        sensitive_column: Column | None = None,
        cuts: Sequence[float] | None = None,
        method: Literal["auto", "isotonic", "sigmoid"] = "auto",
        min_rows: int = 50,
        min_events: int = 10,
        folds: int = 5,
    ) -> None:
        super().__init__(estimator, sensitive_column, cuts)
        self.method = method
        self.min_rows = min_rows
        self.min_events = min_events
        self.folds = folds

    def fit(self, X: Any, y: Any, sensitive: Any = None) -> Self:
        """Fit the classifier, and a curve per group on scores of rows it was not fitted on.

        Args:
            X: Features with the sensitive column, shape (rows, columns).
            y: Class, shape (rows,); the larger of the two is the favourable one.
            sensitive: Not used: prediction reads the column from ``X``, and so does training.

        Returns:
            Itself.

        Raises:
            MitigationError: A group is too small or lacks an outcome, or a parameter does not serve.
        """
        if self.method not in {"auto", "isotonic", "sigmoid"}:
            raise MitigationError(
                f"There is no calibration {self.method!r}.",
                where="parameter method",
                remedy="choose 'auto', 'isotonic' or 'sigmoid'",
            )
        X, target, groups = self._check_training(X, y, sensitive)
        inputs = self._without_sensitive(X)
        outcomes, self.classes_ = encode_classes(target, binary=True)
        cells = require_both_classes(groups.codes, outcomes, groups.names, "Calibration by group")
        self.kinds_ = [self._choose_kind(name, rows) for name, rows in zip(groups.names, cells, strict=True)]
        scores = score_rows(self.estimator, inputs, outcomes, self.folds)
        self.curves_ = []
        for group, kind in enumerate(self.kinds_):
            mine = groups.codes == group
            fit_curve = fit_isotonic if kind == "isotonic" else fit_sigmoid
            self.curves_.append(fit_curve(scores[mine], outcomes[mine]))
        self.estimator_ = clone(self.estimator).fit(inputs, target)
        return self

    @available_if(base_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return the calibrated probability of each class, shape (rows, 2)."""
        inputs = self._read_inputs(X)
        scores = read_scores(self.estimator_, inputs)
        codes = self._find_groups(X)
        calibrated = np.empty(len(scores))
        for group, (kind, curve) in enumerate(zip(self.kinds_, self.curves_, strict=True)):
            mine = codes == group
            calibrated[mine] = apply_curve(kind, curve, scores[mine])
        return np.column_stack([1 - calibrated, calibrated])

    def predict(self, X: Any) -> Any:
        """Return the class whose calibrated probability is above one half, shape (rows,)."""
        calibrated = self.predict_proba(X)[:, 1]
        return self.classes_[(calibrated > 0.5).astype(int)]  # noqa: PLR2004 - one half

    def _choose_kind(self, name: str, cells: npt.NDArray[np.int64]) -> str:
        rows, events = int(cells.sum()), int(cells.min())
        needed = max(self.min_rows, ROWS_FOR_ISOTONIC) if self.method == "isotonic" else self.min_rows
        if rows < needed or events < self.min_events:
            raise MitigationError(
                f"The group {name!r} is too small to be calibrated on its own ({self.method}).",
                where="method group_calibration",
                how_many=f"{rows} rows with {events} of the rarer outcome; {needed} and {self.min_events} are needed",
                remedy="join small groups, give more data, or calibrate all groups together",
            )
        if self.method == "sigmoid" or rows < ROWS_FOR_ISOTONIC:
            return "sigmoid"
        return "isotonic"


def fit_isotonic(scores: Scores, outcomes: Codes) -> npt.NDArray[np.float64]:
    """Return scores and calibrated values of a rising curve through a group's rows, shape (2, knots)."""
    from sklearn.isotonic import IsotonicRegression

    curve = IsotonicRegression(y_min=0.0, y_max=1.0).fit(scores, outcomes)
    return np.stack([curve.X_thresholds_, curve.y_thresholds_])


def fit_sigmoid(scores: Scores, outcomes: Codes) -> npt.NDArray[np.float64]:
    """Return slope and intercept of Platt's logistic curve over the log-odds of the score, shape (2, 1).

    Platt's targets, (n1 + 1)/(n1 + 2) and 1/(n0 + 2) in place of 1 and 0, enter as weights of both outcomes.
    """
    from sklearn.linear_model import LogisticRegression

    positives, negatives = int(outcomes.sum()), int((1 - outcomes).sum())
    targets = np.where(outcomes == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    odds = _log_odds(scores)[:, None]
    curve = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    curve.fit(
        np.vstack([odds, odds]),
        np.repeat([1, 0], len(odds)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    return np.array([curve.coef_[0], curve.intercept_])


def apply_curve(kind: str, curve: npt.NDArray[np.float64], scores: Scores) -> Scores:
    """Return the calibrated values of scores, shape (rows,)."""
    if kind == "isotonic":
        return np.asarray(np.interp(scores, curve[0], curve[1]))
    from scipy.special import expit

    return np.asarray(expit(curve[0, 0] * _log_odds(scores) + curve[1, 0]))


def _log_odds(scores: Scores) -> Scores:
    from scipy.special import logit

    return np.asarray(logit(np.clip(scores, _LOWEST_SCORE, 1 - _LOWEST_SCORE)))
