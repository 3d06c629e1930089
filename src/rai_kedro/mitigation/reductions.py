"""Reductions: models fitted under a constraint on rates between groups, by fairlearn; no sensitive column to predict.

Source: A. Agarwal, A. Beygelzimer, M. Dudik, J. Langford and H. Wallach, "A reductions approach to fair
classification", ICML 2018. Exponentiated gradient ends with several models and their weights; the source draws one of
them for every prediction, so that a row asked twice can be answered twice. Here nothing is drawn, after A. Cotter,
M. Gupta and H. Narasimhan, "On making stochastic classifiers deterministic", NeurIPS 2019:

``score``: the weighted average of the models' scores, above one half. No two rows with the same score part, but the
rates move away from those of the mixture, and the constraint may be lost.
``mixed``: the mixture, with the row's own number (see ``number_rows``) in place of the draw. Rates stay those of the
mixture over many rows; two rows close to each other may be decided differently.

By default it is ``score`` where that keeps the constraint on the training rows, else ``mixed``; ``decision_`` says
which. A constraint that is not kept on the training rows is an error and never a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field
from sklearn.utils.metaestimators import available_if

from rai_kedro.mitigation.oracle import Oracle, ReducedModel, number
from rai_kedro.mitigation.scoring import NO_WEIGHT, Scores, number_rows, read_scores, settle_shares
from rai_kedro.mitigation.sensitive import Codes, Column, MitigationError, count_cells, learn_groups, take_column
from rai_kedro.mitigation.wrapping import Count, TrainingRows, TwoClassModel, one_of
from rai_kedro.modelling import BalancedEstimator, has_scores

# fairlearn's class for each constraint, and how many outcomes it looks at by themselves.
CONSTRAINTS: dict[str, tuple[str, int]] = {
    "demographic_parity": ("DemographicParity", 1),
    "true_positive_rate_parity": ("TruePositiveRateParity", 1),
    "false_positive_rate_parity": ("FalsePositiveRateParity", 1),
    "equalized_odds": ("EqualizedOdds", 2),
    "error_rate_parity": ("ErrorRateParity", 1),
}
# The linear programme inside keeps a constraint to rounding; what lies farther off is not kept.
SLACK = 1e-3


@dataclass(eq=False, repr=False)
class ReductionModel(ReducedModel, TwoClassModel):
    """What exponentiated gradient and grid search have in common.

    The estimator is a classifier whose ``fit`` takes ``sample_weight``, or a Pipeline that ends with one.
    """

    constraint: Annotated[str, one_of(CONSTRAINTS)] = "demographic_parity"  # which rate is to be equal
    # How far the rate of a group may lie from that of all rows; two groups lie up to twice as far apart.
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.01
    ratio: Annotated[float, Field(gt=0, le=1)] | None = None  # least one to the rate of all rows; None: a difference
    strata_column: Column | None = None  # within whose values the constraint applies (conditional parity)

    def _learn(self, rows: TrainingRows) -> None:
        outcomes = self._encode(rows.target)
        if self.constraint != "demographic_parity":
            count_cells(rows.codes, outcomes, self.groups_, f"The constraint {self.constraint}")
        oracle = self._make_oracle(rows.inputs, outcomes)
        found = self._reduce(oracle, outcomes, self._list_features(rows.X, rows.codes))
        self._keep(*found, oracle.inputs, outcomes)
        self._settle_decision(oracle.inputs)

    def predict(self, X: Any) -> Any:
        """Decide without chance; classes, shape (rows,)."""
        raw = self._read_inputs(X)
        inputs = self._prepare(raw)
        decisive = self._score(inputs) if self.decision_ == "score" else self._share(inputs)
        favourable = decisive > (number_rows(raw) if self.decision_ == "mixed" else 0.5)
        return self.classes_[favourable.astype(int)]

    @available_if(has_scores)  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return the weighted average of the models' probabilities of each class, shape (rows, 2)."""
        scores = self._score(self._prepare(self._read_inputs(X)))
        return np.column_stack([1 - scores, scores])

    def favourable_shares(self, X: Any) -> Scores:
        """Return the weight of the models that decide favourably, shape (rows,): the source's chance of that."""
        return self._share(self._prepare(self._read_inputs(X)))

    def _reduce(self, oracle: Oracle, outcomes: Codes, features: dict[str, Any]) -> tuple[list[Any], Scores]:
        """Return fitted oracles and the weight of each; set ``violation_``, see `find_violation`."""
        raise NotImplementedError

    def _settle_decision(self, inputs: Any) -> None:
        self.decision_ = "single"

    def _share(self, inputs: Any) -> Scores:
        return settle_shares(np.clip(self._average(inputs), 0.0, 1.0))

    def _score(self, inputs: Any) -> Scores:
        scores = [read_scores(one, inputs) for one in self.models_]
        return np.asarray(np.dot(self.weights_, scores))

    def _list_features(self, X: Any, codes: Codes) -> dict[str, Any]:
        if self.strata_column is None:
            return {"sensitive_features": codes}
        _, _, strata = learn_groups(take_column(X, self.strata_column), self.strata_column)
        return {"sensitive_features": codes, "control_features": strata}

    def _make_constraint(self, outcomes: Codes) -> Any:
        """Return fairlearn's constraint; where rows are to be balanced, with errors that cost as if they were.

        The rates of the constraint are those of the rows as they are, which is what new rows will be.
        """
        from fairlearn import reductions

        by_ratio = {"ratio_bound": self.ratio, "ratio_bound_slack": self.tolerance}
        bounds = {"difference_bound": self.tolerance} if self.ratio is None else by_ratio
        moment = getattr(reductions, CONSTRAINTS[self.constraint][0])(**bounds)
        if isinstance(self.estimator, BalancedEstimator):
            against, favourable = len(outcomes) / 2 / np.bincount(outcomes)
            costs = {"fp": float(against), "fn": float(favourable)}
            moment.default_objective = lambda: reductions.ErrorRate(costs=costs)
        return moment

    def _refuse_constraint(self, violation: float, remedy: str) -> MitigationError:
        return MitigationError(
            f"The constraint {self.constraint} is not kept on the training rows, so that there is no model.",
            where=f"method {self.method}",
            how_many=f"rates lie up to {violation:.3g} from that of all rows; {self.tolerance:.3g} is allowed"
            + ("" if self.ratio is None else f" beside a ratio of {self.ratio:.3g}"),
            remedy=remedy,
        )

    def _refuse_constant(self) -> MitigationError:
        return MitigationError(
            f"Under the constraint {self.constraint} every row would be decided alike, so that there is no model.",
            where=f"method {self.method}",
            remedy="raise 'tolerance', or take a model with more to tell rows apart by",
        )


@dataclass(eq=False, repr=False)
class ExponentiatedGradientModel(ReductionModel):
    """A weighted set of models that together keep a constraint, by fairlearn's ``ExponentiatedGradient``."""

    method = "exponentiated_gradient"

    decision: Literal["score", "mixed"] | None = None  # by default by what the training rows allow
    max_iter: Count = 20  # at most; each fits the model two to ten times
    # Duality gap that counts as converged: the error is at most twice this above the best there is.
    largest_gap: Annotated[float, Field(gt=0)] = 0.02

    def _reduce(self, oracle: Oracle, outcomes: Codes, features: dict[str, Any]) -> tuple[list[Any], Scores]:
        from fairlearn.reductions import ExponentiatedGradient

        reduction = ExponentiatedGradient(oracle, self._make_constraint(outcomes), max_iter=self.max_iter)
        models, weights = self._run_gradient(reduction, outcomes, features)
        self.fits_ = int(reduction.n_oracle_calls_)
        self._moment = reduction.constraints_
        self._check_solution(np.dot(weights, [one.predict(number(outcomes)) for one in models]))
        return models, weights

    def _check_solution(self, shares: Scores) -> None:
        self.violation_ = find_violation(self._moment, shares)
        if self.violation_ > self.tolerance + SLACK:
            raise self._refuse_constraint(
                self.violation_, f"raise 'tolerance' or 'max_iter' (now {self.max_iter}), or choose another method"
            )
        remedy = "raise 'max_iter' or 'tolerance', or say with 'largest_gap' how far from the best will do"
        self._require_convergence(self.largest_gap, "", remedy)
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


@dataclass(eq=False, repr=False)
class GridSearchModel(ReductionModel):
    """The best of a grid of models that keeps a constraint, by fairlearn's ``GridSearch``.

    fairlearn takes the model with the smallest sum of error and violation, whether it keeps the constraint or not;
    here it is the one of smallest error among those that do. The grid has at least two models per direction, of which
    there is one for each further group and, under equalized odds, two.
    """

    method = "grid_search"

    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.02
    grid_size: Count = 21
    grid_limit: Annotated[float, Field(gt=0)] = 2.0  # largest weight of the constraint against the error

    def _reduce(self, oracle: Oracle, outcomes: Codes, features: dict[str, Any]) -> tuple[list[Any], Scores]:
        from fairlearn.reductions import GridSearch

        strata = int(features["control_features"].max()) + 1 if "control_features" in features else 1
        directions = CONSTRAINTS[self.constraint][1] * (len(self.groups_) - 1) * strata
        self._require_grid(directions, "choose exponentiated_gradient")
        rows = number(outcomes)
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


def find_violation(moment: Any, shares: Scores) -> float:
    """Return the largest distance of a group's rate from that of all rows, or what is missing to a ratio."""
    return float(moment.gamma(lambda _: shares).max())
