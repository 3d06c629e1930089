"""Calibration by group, in which a score means the same share of favourable outcomes, and alignment of regressions.

Sources: J. Platt, "Probabilistic outputs for support vector machines", 1999 (a logistic curve over the score, with
his corrected targets; here over the log-odds of the score); B. Zadrozny and C. Elkan, "Transforming classifier scores
into accurate multiclass probability estimates", KDD 2002 (isotonic regression). scikit-learn's guide advises against
isotonic regression on much fewer than 1,000 rows, because it follows chance there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from sklearn.utils.metaestimators import available_if

from rai_kedro.mitigation.scoring import Scores, predict_out_of_fold, read_scores, score_rows
from rai_kedro.mitigation.sensitive import Codes, MitigationError, count_cells
from rai_kedro.mitigation.wrapping import Count, Folds, MitigatedModel, TrainingRows, TwoClassModel
from rai_kedro.modelling import has_scores

ROWS_FOR_ISOTONIC = 1000
# Beyond these the log-odds of a score say no more than "certain".
_LOWEST_SCORE = 1e-6

_QUANTILES = 201


@dataclass(eq=False, repr=False)
class GroupCalibration(TwoClassModel):
    """A classifier with ``predict_proba`` whose scores are calibrated in each group on its own."""

    needs_sensitive = True

    method: Literal["auto", "isotonic", "sigmoid"] = "auto"  # auto: isotonic for groups of 1,000 rows or more
    min_rows: Count = 50  # that a group needs; with fewer the method is refused
    min_events: Count = 10  # rows of the rarer outcome that a group needs
    folds: Folds = 5  # in which training rows are scored

    def _learn(self, rows: TrainingRows) -> None:
        outcomes = self._encode(rows.target)
        cells = count_cells(rows.codes, outcomes, self.groups_, "Calibration by group")
        self.kinds_ = [self._choose_kind(name, count) for name, count in zip(self.groups_, cells, strict=True)]
        # A curve per group, on scores of rows that the classifier was not fitted on: scores and calibrated values,
        # shape (2, knots), or slope and intercept over the log-odds, shape (2, 1).
        scores = score_rows(self.estimator, rows.inputs, outcomes, self.folds)
        fit_curve = {"isotonic": fit_isotonic, "sigmoid": fit_sigmoid}
        of_group = [rows.codes == group for group in range(len(self.groups_))]
        self.curves_ = [
            fit_curve[kind](scores[mine], outcomes[mine]) for kind, mine in zip(self.kinds_, of_group, strict=True)
        ]
        self._fit_estimator(rows.inputs, rows.target)

    @available_if(has_scores)  # type: ignore[untyped-decorator]
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
        return "sigmoid" if self.method == "sigmoid" or rows < ROWS_FOR_ISOTONIC else "isotonic"


@dataclass(eq=False, repr=False)
class GroupAlignment(MitigatedModel):
    """A regression whose predictions are aligned between groups.

    ``distribution``: a prediction moves to the average, over groups, of their predictions at its own quantile; all
    groups then have the same predictions (E. Chzhen, C. Denis, M. Hebiri, L. Oneto and M. Pontil, "Fair regression with
    Wasserstein barycenters", NeurIPS 2020).
    ``error``: the mean signed error of a group, on rows that the model was not fitted on, is taken out.
    """

    needs_sensitive = True

    kind: Literal["distribution", "error"] = "distribution"
    folds: Folds = 5  # in which training rows are predicted

    def _learn(self, rows: TrainingRows) -> None:
        target = np.asarray(rows.target, dtype=float)
        predicted = predict_out_of_fold(self.estimator, rows.inputs, target, self.folds)
        steps = np.linspace(0, 1, _QUANTILES)
        mine = [rows.codes == group for group in range(len(self.groups_))]
        # Predictions of each group at equal steps of rank, shape (G, 201), and after alignment, shape (201,).
        self.quantiles_ = np.array([np.quantile(predicted[one], steps) for one in mine])
        self.common_ = np.average(self.quantiles_, axis=0, weights=[one.sum() for one in mine])
        self.shifts_ = np.array([(predicted - target)[one].mean() for one in mine])  # mean signed errors
        self._fit_estimator(rows.inputs, target)

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
