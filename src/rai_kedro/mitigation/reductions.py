"""Reductions: models fitted under a constraint on rates between groups, by fairlearn; no sensitive column to predict.

Source: A. Agarwal, A. Beygelzimer, M. Dudik, J. Langford and H. Wallach, "A reductions approach to fair
classification", ICML 2018. Exponentiated gradient ends with several models and their weights; the source draws one of
them for every prediction, so that a row asked twice can be answered twice. Here nothing is drawn, after A. Cotter,
M. Gupta and H. Narasimhan, "On making stochastic classifiers deterministic", NeurIPS 2019:

``score``: the weighted average of the models' scores, above one half. No two rows with the same score part, but the
rates move away from those of the mixture, and the constraint may be lost.
``mixed``: the mixture, with the row's own number (`rai_kedro.mitigation.rownumbers`) in place of the draw. Rates stay
those of the mixture over many rows; two rows close to each other may be decided differently.

By default it is ``score`` where that keeps the constraint on the training rows, else ``mixed``; ``decision_`` says
which. A constraint that is not kept on the training rows is an error and never a model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from rai_kedro.mitigation.group_loss import BoundedGroupLossModel
from rai_kedro.mitigation.oracle import Oracle
from rai_kedro.mitigation.reduced import CONSTRAINTS, NO_WEIGHT, SLACK, ReductionModel, find_violation
from rai_kedro.mitigation.scoring import Scores
from rai_kedro.mitigation.sensitive import Codes, Column, MitigationError

__all__ = ["CONSTRAINTS", "BoundedGroupLossModel", "ExponentiatedGradientModel", "GridSearchModel"]

DECISIONS = (None, "score", "mixed")


class ExponentiatedGradientModel(ReductionModel):
    """A weighted set of models that together keep a constraint, by fairlearn's ``ExponentiatedGradient``.

    Args:
        estimator: A classifier whose ``fit`` takes ``sample_weight``, or a Pipeline that ends with one.
        sensitive_column: Name of the sensitive column.
        cuts: Cut points of a continuous sensitive column.
        constraint: Which rate is to be equal, see ``CONSTRAINTS``.
        tolerance: How far a group's rate may lie from that of all rows; two groups lie up to twice as far apart.
        ratio: Least ratio between a group's rate and that of all rows; None: the constraint is a difference.
        strata_column: Column of ``X`` within whose values the constraint applies (conditional parity); by default all.
        decision: ``score``, ``mixed``, or by what the training rows allow.
        max_iter: Iterations at most; each fits the model two to ten times.
        largest_gap: Duality gap that counts as converged: the error is at most twice this above the best there is.

    Attributes:
        gap_: Duality gap reached.
        n_iter_: Iterations made.
        fits_: How often the model was fitted.
    """

    method = "exponentiated_gradient"

    def __init__(  # noqa: PLR0913, PLR0917 - scikit-learn takes every parameter as an argument of its own
        self,
        estimator: Any = None,
        sensitive_column: Column | None = None,
        cuts: Sequence[float] | None = None,
        constraint: str = "demographic_parity",
        tolerance: float = 0.01,
        ratio: float | None = None,
        strata_column: Column | None = None,
        decision: Literal["score", "mixed"] | None = None,
        max_iter: int = 20,
        largest_gap: float = 0.02,
    ) -> None:
        super().__init__(estimator, sensitive_column, cuts)
        self.constraint = constraint
        self.tolerance = tolerance
        self.ratio = ratio
        self.strata_column = strata_column
        self.decision = decision
        self.max_iter = max_iter
        self.largest_gap = largest_gap

    def _reduce(self, oracle: Oracle, outcomes: Codes, features: dict[str, Any]) -> tuple[list[Any], Scores]:
        from fairlearn.reductions import ExponentiatedGradient

        rows = np.arange(len(outcomes), dtype=float)[:, None]
        reduction = ExponentiatedGradient(oracle, self._make_constraint(outcomes), max_iter=self.max_iter)
        reduction.fit(rows, outcomes, **features)
        self.gap_ = float(reduction.best_gap_)
        self.n_iter_ = int(reduction.last_iter_) + 1
        self.fits_ = int(reduction.n_oracle_calls_)
        weights = reduction.weights_.sort_index().to_numpy(dtype=float)
        self._check_solution(reduction, weights)
        return list(reduction.predictors_.sort_index()), weights

    def _check_solution(self, reduction: Any, weights: Scores) -> None:
        rows = np.arange(len(reduction.constraints_.X), dtype=float)[:, None]
        shares = np.dot(weights, [one.predict(rows) for one in reduction.predictors_.sort_index()])
        self._moment = reduction.constraints_
        self.violation_ = find_violation(self._moment, shares)
        if self.violation_ > self.tolerance + SLACK:
            raise self._refuse_constraint(
                self.violation_, f"raise 'tolerance' or 'max_iter' (now {self.max_iter}), or choose another method"
            )
        if self.gap_ > self.largest_gap:
            raise MitigationError(
                f"The method {self.method} did not converge, so that there is no model.",
                where=f"constraint {self.constraint}",
                how_many=f"duality gap {self.gap_:.3g} after {self.n_iter_} iterations; "
                f"{self.largest_gap:.3g} counts as converged",
                remedy="raise 'max_iter' or 'tolerance', or say with 'largest_gap' how far from the best will do",
            )
        if np.ptp(shares) < NO_WEIGHT:
            raise self._refuse_constant()

    def _settle_decision(self, inputs: Any) -> None:
        moment = self.__dict__.pop("_moment")
        if len(self.models_) == 1:
            self.decision_ = "single"
            return
        self.decision_ = "mixed"
        if self.decision == "mixed" or not hasattr(self.models_[0], "predict_proba"):
            return
        violation = find_violation(moment, (self._score(inputs) > 0.5).astype(float))  # noqa: PLR2004 - one half
        if violation <= self.tolerance + SLACK:
            self.decision_, self.violation_ = "score", violation
        elif self.decision == "score":
            raise self._refuse_constraint(violation, "set 'decision' to 'mixed', or raise 'tolerance'")

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.decision not in DECISIONS:
            raise self._refuse("decision", self.decision, f"choose one of: {', '.join(map(str, DECISIONS))}")
        if self.max_iter < 1:
            raise self._refuse("max_iter", self.max_iter, "set 1 or more")


class GridSearchModel(ReductionModel):
    """The best of a grid of models that keeps a constraint, by fairlearn's ``GridSearch``.

    fairlearn takes the model with the smallest sum of error and violation, whether it keeps the constraint or not;
    here it is the one of smallest error among those that do.

    Args:
        estimator: A classifier whose ``fit`` takes ``sample_weight``, or a Pipeline that ends with one.
        sensitive_column: Name of the sensitive column.
        cuts: Cut points of a continuous sensitive column.
        constraint: Which rate is to be equal, see ``CONSTRAINTS``.
        tolerance: How far a group's rate may lie from that of all rows; two groups lie up to twice as far apart.
        ratio: Least ratio between a group's rate and that of all rows; None: the constraint is a difference.
        strata_column: Column of ``X`` within whose values the constraint applies (conditional parity); by default all.
        grid_size: How many models; at least two per direction, of which there is one for each further group and,
            under equalized odds, two.
        grid_limit: Largest weight of the constraint against the error.
    """

    method = "grid_search"

    def __init__(  # noqa: PLR0913, PLR0917 - scikit-learn takes every parameter as an argument of its own
        self,
        estimator: Any = None,
        sensitive_column: Column | None = None,
        cuts: Sequence[float] | None = None,
        constraint: str = "demographic_parity",
        tolerance: float = 0.02,
        ratio: float | None = None,
        strata_column: Column | None = None,
        grid_size: int = 21,
        grid_limit: float = 2.0,
    ) -> None:
        super().__init__(estimator, sensitive_column, cuts)
        self.constraint = constraint
        self.tolerance = tolerance
        self.ratio = ratio
        self.strata_column = strata_column
        self.grid_size = grid_size
        self.grid_limit = grid_limit

    def _reduce(self, oracle: Oracle, outcomes: Codes, features: dict[str, Any]) -> tuple[list[Any], Scores]:
        from fairlearn.reductions import GridSearch

        self._check_grid(features)
        rows = np.arange(len(outcomes), dtype=float)[:, None]
        search = GridSearch(
            oracle, self._make_constraint(outcomes), grid_size=self.grid_size, grid_limit=self.grid_limit
        )
        search.fit(rows, outcomes, **features)
        violations = search.gammas_.max(axis=0).to_numpy(dtype=float)
        kept = violations <= self.tolerance + SLACK
        if not kept.any():
            raise self._refuse_constraint(
                float(violations.min()), "raise 'tolerance' or 'grid_size', or choose exponentiated_gradient"
            )
        telling = np.array([np.ptp(one.predict(rows)) > 0 for one in search.predictors_])
        if not (kept & telling).any():
            raise self._refuse_constant()
        best = int(np.argmin(np.where(kept & telling, np.asarray(search.objectives_, dtype=float), np.inf)))
        self.violation_ = float(violations[best])
        return [search.predictors_[best]], np.ones(1)

    def _settle_decision(self, inputs: Any) -> None:
        self.decision_ = "single"

    def _check_grid(self, features: dict[str, Any]) -> None:
        strata = int(features["control_features"].max()) + 1 if "control_features" in features else 1
        directions = CONSTRAINTS[self.constraint][1] * (len(self.groups_) - 1) * strata
        if self.grid_size < 2**directions:
            raise MitigationError(
                "The grid is too small to try every direction of the constraint.",
                where="parameter grid_size",
                how_many=f"{self.grid_size} models for {directions} directions ({len(self.groups_)} groups)",
                remedy=f"set 'grid_size' to {2**directions} or more, or choose exponentiated_gradient",
            )
