"""Threshold optimisation: a decision rule of its own for each group, on the scores of an unmitigated classifier.

Source: M. Hardt, E. Price and N. Srebro, "Equality of opportunity in supervised learning", NeurIPS 2016; the
optimisation is fairlearn's ``ThresholdOptimizer``. Its rules toss a coin between two thresholds; ours do not:

``single``: one threshold per group, the one whose rate on the training rows is closest to that of fairlearn's rule.
Of two people in a group the one with the higher score is never refused for the lower. Not for equalized odds, which
one threshold per group cannot give.
``mixed``: fairlearn's rule, where the coin is the row's own number (`rai_kedro.mitigation.rownumbers`), made of what
the wrapped model sees of it. Holds over many rows; two rows close to each other may be decided differently.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone

from rai_kedro.mitigation.rownumbers import number_rows
from rai_kedro.mitigation.scoring import Scores, read_scores, score_rows
from rai_kedro.mitigation.sensitive import Codes, Column, MitigationError, require_both_classes
from rai_kedro.mitigation.wrapping import TwoClassModel, encode_classes

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


class ThresholdOptimisation(TwoClassModel):
    """A classifier whose thresholds by group meet a constraint at the best value of an objective.

    ``predict_proba`` gives the scores of the wrapped classifier, unchanged; ``predict`` decides on them by group, so
    that it is not the same as a score above one half.

    Args:
        estimator: A classifier with ``predict_proba``; in ``sklearn.frozen.FrozenEstimator`` it is used as fitted.
        sensitive_column: Name of the sensitive column; ``X`` has to hold it.
        cuts: Cut points of a continuous sensitive column.
        constraint: Which rate is to be equal, by fairlearn's name, see ``CONSTRAINTS``.
        objective: What is best, by fairlearn's name, see ``OBJECTIVES``.
        decision: ``single`` or ``mixed``; by default single, and mixed for equalized odds.
        tolerance: How far the rates may lie apart; None: not at all. Not for equalized odds.
        folds: Folds in which training rows are scored.

    Attributes:
        thresholds_: Two thresholds per group, shape (G, 2); a score above one is favourable.
        shares_: Weight of each threshold, shape (G, 2).
        constants_: Share of rows decided without their score, and the share of these decided favourably, shape (G, 2).
        rates_: False and true positive rate and selection rate on the training rows, out of fold, shape (G, 3).
    """

    needs_sensitive = True

    def __init__(  # noqa: PLR0913, PLR0917 - scikit-learn takes every parameter as an argument of its own
        self,
        estimator: Any = None,
        sensitive_column: Column | None = None,
        cuts: Sequence[float] | None = None,
        constraint: str = "demographic_parity",
        objective: str = "accuracy_score",
        decision: Literal["single", "mixed"] | None = None,
        tolerance: float | None = None,
        folds: int = 5,
    ) -> None:
        super().__init__(estimator, sensitive_column, cuts)
        self.constraint = constraint
        self.objective = objective
        self.decision = decision
        self.tolerance = tolerance
        self.folds = folds

    def fit(self, X: Any, y: Any, sensitive: Any = None) -> Self:
        """Fit the classifier and the rules.

        Args:
            X: Features with the sensitive column, shape (rows, columns).
            y: Class, shape (rows,); the larger of the two is the favourable one.
            sensitive: Not used: prediction reads the column from ``X``, and so does training.

        Returns:
            Itself.

        Raises:
            MitigationError: A parameter does not serve, or a group lacks an outcome.
        """
        self._check_parameters()
        X, target, groups = self._check_training(X, y, sensitive)
        inputs = self._without_sensitive(X)
        outcomes, self.classes_ = encode_classes(target, binary=True)
        require_both_classes(groups.codes, outcomes, groups.names, "Threshold optimisation")
        scores = score_rows(self.estimator, inputs, outcomes, self.folds)
        self._learn_rules(scores, outcomes, groups.codes)
        self.rates_ = _rate(self._find_shares(scores, groups.codes), outcomes, groups.codes)
        self.estimator_ = clone(self.estimator).fit(inputs, target)
        return self

    def predict(self, X: Any) -> Any:
        """Decide by group, without chance: a row is always decided in the same way.

        Args:
            X: Features with the sensitive column, shape (rows, columns).

        Returns:
            Classes, shape (rows,).

        Raises:
            MitigationError: Rows belong to a group that was not in the training data.
        """
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
        shares: Scores = ignored * constant + (1 - ignored) * by_score
        # Weights that add up to one but for rounding are certainty.
        return np.where(np.abs(shares - np.rint(shares)) < 1e-12, np.rint(shares), shares)  # noqa: PLR2004

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
        self.thresholds_ = np.array([[rule.operation0.threshold, rule.operation1.threshold] for rule in ordered])
        self.shares_ = np.array([[rule.p0, rule.p1] for rule in ordered], dtype=float)
        self.constants_ = np.array(
            [[rule.get("p_ignore", 0.0), rule.get("prediction_constant", 0.0)] for rule in ordered]
        )
        if self._is_single():
            self._settle_thresholds(scores, outcomes, codes)

    def _is_single(self) -> bool:
        return self.decision == "single" or (self.decision is None and self.constraint != "equalized_odds")

    def _settle_thresholds(self, scores: Scores, outcomes: Codes, codes: Codes) -> None:
        """Put one threshold in the place of two, with the rate on the rows that count as close as it can be."""
        shares = self._find_shares(scores, codes)
        counted = CONSTRAINTS[self.constraint]
        for group in range(len(self.thresholds_)):
            rows = codes == group if counted is None else (codes == group) & (outcomes == counted)
            self.thresholds_[group] = find_threshold(scores[rows], float(shares[rows].mean()))
        self.shares_ = np.tile([1.0, 0.0], (len(self.thresholds_), 1))
        self.constants_ = np.zeros_like(self.shares_)

    def _check_parameters(self) -> None:
        for name, value, known in (
            ("constraint", self.constraint, tuple(CONSTRAINTS)),
            ("objective", self.objective, OBJECTIVES),
            ("decision", self.decision, (None, "single", "mixed")),
        ):
            if value not in known:
                raise _refuse(name, value, f"choose one of: {', '.join(map(str, known))}")
        if self.constraint != "equalized_odds":
            return
        if self.decision == "single":
            raise _refuse("decision", "single", "equalized odds needs two thresholds per group: set 'mixed'")
        if self.tolerance is not None:
            raise _refuse("tolerance", self.tolerance, "fairlearn cannot relax equalized odds: leave it out")
        if self.objective not in OBJECTIVES[:2]:
            raise _refuse("objective", self.objective, f"equalized odds serves {' and '.join(OBJECTIVES[:2])} only")


class _GivenScores(BaseEstimator):  # type: ignore[misc]
    """Hands fairlearn scores that are there already."""

    def fit(self, X: Any, y: Any = None) -> Self:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: Any) -> Any:
        return X[:, 0]


def find_threshold(scores: Scores, share: float) -> float:
    """Return the threshold above which the share of scores is closest to the one wanted.

    Args:
        scores: Scores of a group, shape (rows,).
        share: Wanted share of scores above the threshold.

    Returns:
        The middle between two neighbouring scores, or minus or plus infinity.
    """
    different, rows = np.unique(scores, return_counts=True)
    above = np.append(len(scores), len(scores) - np.cumsum(rows)) / len(scores)
    at = int(np.argmin(np.abs(above - share)))
    if at in {0, len(different)}:
        return float("-inf") if at == 0 else float("inf")
    return float((different[at - 1] + different[at]) / 2)


def _rate(shares: Scores, outcomes: Codes, codes: Codes) -> npt.NDArray[np.float64]:
    """Return false and true positive rate and selection rate by group, shape (G, 3)."""
    groups = int(codes.max()) + 1
    rates = np.empty((groups, 3))
    for group in range(groups):
        mine = codes == group
        rates[group] = [*(shares[mine & (outcomes == y)].mean() for y in (0, 1)), shares[mine].mean()]
    return rates


def _refuse(name: str, value: Any, remedy: str) -> MitigationError:
    return MitigationError(
        f"Threshold optimisation cannot use {value!r} here.", where=f"parameter {name}", remedy=remedy
    )
