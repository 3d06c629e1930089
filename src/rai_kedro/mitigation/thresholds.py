"""Threshold optimisation: a decision rule of its own for each group, on the scores of an unmitigated classifier.

Source: M. Hardt, E. Price and N. Srebro, "Equality of opportunity in supervised learning", NeurIPS 2016; the
optimisation is fairlearn's ``ThresholdOptimizer``. Its rules toss a coin between two thresholds; ours do not:

``single``: one threshold per group, the one whose rate on the training rows is closest to that of fairlearn's rule.
Of two people in a group the one with the higher score is never refused for the lower. Not for equalized odds, which
one threshold per group cannot give.
``mixed``: fairlearn's rule, where the coin is the row's own number (see ``number_rows``), made of what the wrapped
model sees of it. Holds over many rows; two rows close to each other may be decided differently.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field
from sklearn.base import BaseEstimator

from rai_kedro.mitigation.scoring import Scores, number_rows, read_scores, score_rows, settle_shares
from rai_kedro.mitigation.sensitive import Codes, count_cells
from rai_kedro.mitigation.wrapping import Folds, TrainingRows, TwoClassModel, one_of

# Which rows a constraint's rate is taken over: all, or those of one outcome.
CONSTRAINTS: dict[str, int | None] = {
    "demographic_parity": None,
    "selection_rate_parity": None,
    "true_positive_rate_parity": 1,
    "false_negative_rate_parity": 1,
    "false_positive_rate_parity": 0,
    "true_negative_rate_parity": 0,
    "equalized_odds": None,
}
OBJECTIVES = ("accuracy_score", "balanced_accuracy_score", "selection_rate", "true_positive_rate", "true_negative_rate")


@dataclass(eq=False, repr=False)
class ThresholdOptimisation(TwoClassModel):
    """A classifier with scores whose thresholds by group meet a constraint at the best value of an objective.

    ``predict_proba`` gives the scores of the wrapped classifier, unchanged; ``predict`` decides on them by group, so
    that it is not the same as a score above one half.
    """

    needs_sensitive = True

    constraint: Annotated[str, one_of(CONSTRAINTS)] = "demographic_parity"  # which rate is to be equal
    objective: Annotated[str, one_of(OBJECTIVES)] = "accuracy_score"  # what is best; both by fairlearn's names
    decision: Literal["single", "mixed"] | None = None  # by default single, and mixed for equalized odds
    tolerance: Annotated[float, Field(ge=0, le=1)] | None = None  # how far rates may lie apart; not for equalized odds
    folds: Folds = 5  # in which training rows are scored

    def _learn(self, rows: TrainingRows) -> None:
        outcomes = self._encode(rows.target)
        count_cells(rows.codes, outcomes, self.groups_, "Threshold optimisation")
        scores = score_rows(self.estimator, rows.inputs, outcomes, self.folds)
        self._learn_rules(scores, outcomes, rows.codes)
        # False and true positive rate and selection rate on the training rows, out of fold, shape (G, 3).
        self.rates_ = _rate(self._find_shares(scores, rows.codes), outcomes, rows.codes)
        self._fit_estimator(rows.inputs, rows.target)

    def predict(self, X: Any) -> Any:
        """Decide by group, without chance; classes, shape (rows,)."""
        inputs = self._read_inputs(X)
        shares = self._find_shares(read_scores(self.estimator_, inputs), self._find_groups(X))
        # A number below 1 leaves a row favourable for certain so, and one that is not below 0 unfavourable.
        favourable = number_rows(inputs) < shares if (shares % 1).any() else shares == 1
        return self.classes_[favourable.astype(int)]

    def favourable_shares(self, X: Any) -> Scores:
        """Return how often a row like each would be decided favourably by Hardt's rule with a coin, shape (rows,)."""
        return self._find_shares(read_scores(self.estimator_, self._read_inputs(X)), self._find_groups(X))

    def _find_shares(self, scores: Scores, codes: Codes) -> Scores:
        by_score = ((scores[:, None] > self.thresholds_[codes]) * self.shares_[codes]).sum(axis=1)
        ignored, constant = self.constants_[codes].T
        return settle_shares(ignored * constant + (1 - ignored) * by_score)

    def _learn_rules(self, scores: Scores, outcomes: Codes, codes: Codes) -> None:
        from fairlearn.postprocessing import ThresholdOptimizer

        optimizer = ThresholdOptimizer(
            estimator=_GivenScores(),
            constraints=self.constraint,
            objective=self.objective,
            predict_method="predict",
            prefit=True,
            tol=self.tolerance,
        )
        optimizer.fit(scores[:, None], outcomes, sensitive_features=codes)
        rules = optimizer.interpolated_thresholder_.interpolation_dict
        ordered = [rules[group] for group in sorted(rules)]
        # Two thresholds per group, and their weights; the share of rows decided without a score, and of these the share
        # decided favourably; shape (G, 2).
        self.thresholds_ = np.array([[rule.operation0.threshold, rule.operation1.threshold] for rule in ordered])
        self.shares_ = np.array([[rule.p0, rule.p1] for rule in ordered], dtype=float)
        self.constants_ = np.array(
            [[rule.get("p_ignore", 0.0), rule.get("prediction_constant", 0.0)] for rule in ordered]
        )
        if self.decision == "single" or (self.decision is None and self.constraint != "equalized_odds"):
            self._settle_thresholds(scores, outcomes, codes)

    def _settle_thresholds(self, scores: Scores, outcomes: Codes, codes: Codes) -> None:
        """Put one threshold in the place of two, with the rate on the rows that count as close as it can be."""
        shares = self._find_shares(scores, codes)
        counted = CONSTRAINTS[self.constraint]
        for group in range(len(self.thresholds_)):
            rows = codes == group if counted is None else (codes == group) & (outcomes == counted)
            self.thresholds_[group] = find_threshold(scores[rows], float(shares[rows].mean()))
        self.shares_ = np.tile([1.0, 0.0], (len(self.thresholds_), 1))
        self.constants_ = np.zeros_like(self.shares_)

    def _check_together(self) -> None:
        if self.constraint != "equalized_odds":
            return
        if self.decision == "single":
            raise self._refuse("decision", "equalized odds needs two thresholds per group", "set 'mixed'")
        if self.tolerance is not None:
            raise self._refuse("tolerance", "fairlearn cannot relax equalized odds", "leave 'tolerance' out")
        if self.objective not in OBJECTIVES[:2]:
            known = " and ".join(OBJECTIVES[:2])
            raise self._refuse("objective", f"equalized odds serves {known} only", "choose one of these")


class _GivenScores(BaseEstimator):  # type: ignore[misc]
    """Hands fairlearn scores that are there already."""

    def fit(self, X: Any, y: Any = None) -> Self:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> Any:
        return X[:, 0]


def find_threshold(scores: Scores, share: float) -> float:
    """Return the threshold above which the share of scores is closest to ``share``: between two scores, or infinite."""
    different, rows = np.unique(scores, return_counts=True)
    above = np.append(len(scores), len(scores) - np.cumsum(rows)) / len(scores)
    at = int(np.argmin(np.abs(above - share)))
    if at in {0, len(different)}:
        return float("-inf") if at == 0 else float("inf")
    return float((different[at - 1] + different[at]) / 2)


def _rate(shares: Scores, outcomes: Codes, codes: Codes) -> npt.NDArray[np.float64]:
    """Return false and true positive rate and selection rate by group, shape (G, 3)."""
    of_group = (codes == group for group in range(int(codes.max()) + 1))
    return np.array(
        [[*(shares[mine & (outcomes == y)].mean() for y in (0, 1)), shares[mine].mean()] for mine in of_group]
    )
