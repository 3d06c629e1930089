"""What the two reductions of classification share: the constraint, the preparation, and predictions without chance."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.metaestimators import available_if

from rai_kedro.mitigation.oracle import Oracle, collect_models, split_estimator
from rai_kedro.mitigation.rownumbers import number_rows
from rai_kedro.mitigation.scoring import Scores, read_scores
from rai_kedro.mitigation.sensitive import (
    Codes,
    Column,
    MitigationError,
    learn_groups,
    require_both_classes,
    take_column,
)
from rai_kedro.mitigation.wrapping import TwoClassModel, base_has, encode_classes
from rai_kedro.modelling.balanced import BalancedEstimator

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
NO_WEIGHT = 1e-9


class ReductionModel(TwoClassModel):
    """What exponentiated gradient and grid search have in common.

    Attributes:
        preparation_: The steps before the model, fitted; None without any.
        models_: The fitted models that are used.
        weights_: Weight of each, shape (models,); they add up to 1.
        decision_: ``score``, ``mixed``, or ``single`` where one model is left.
        violation_: Largest distance, over groups, of a group's rate from that of all rows, as decided here on the
            training rows (``mixed``: expected). Under a ratio: what is missing to it.
    """

    method: ClassVar[str]

    # Set by each method; declared here because checks and predictions read them.
    constraint: str
    tolerance: float
    ratio: float | None
    strata_column: Column | None

    def fit(self, X: Any, y: Any, sensitive: Any = None) -> Self:
        """Fit models under the constraint.

        Args:
            X: Features, shape (rows, columns).
            y: Class, shape (rows,); the larger of the two is the favourable one.
            sensitive: Sensitive column, shape (rows,); by default taken from ``X``.

        Returns:
            Itself.

        Raises:
            MitigationError: A parameter does not serve, the model takes no weights, a group lacks an outcome, or the
                constraint cannot be kept.
        """
        self._check_parameters()
        X, target, groups = self._check_training(X, y, sensitive)
        inputs = self._without_sensitive(X)
        outcomes, self.classes_ = encode_classes(target, binary=True)
        if self.constraint != "demographic_parity":
            require_both_classes(groups.codes, outcomes, groups.names, f"The constraint {self.constraint}")
        preparation, model, weights_as = split_estimator(self.estimator, self.method)
        self.preparation_ = preparation
        if preparation is not None:
            inputs = preparation.fit_transform(inputs, outcomes)
        reduced = self._reduce(Oracle(model, inputs, weights_as), outcomes, self._list_features(X, groups.codes))
        models, weights = reduced
        used = weights > NO_WEIGHT
        self.models_ = collect_models(
            [one for one, is_used in zip(models, used, strict=True) if is_used], inputs, outcomes
        )
        self.weights_ = weights[used] / weights[used].sum()
        self._settle_decision(inputs)
        return self

    def predict(self, X: Any) -> Any:
        """Decide without chance: a row is always decided in the same way.

        Args:
            X: Features, shape (rows, columns).

        Returns:
            Classes, shape (rows,).
        """
        raw = self._read_inputs(X)
        inputs = self._prepare(raw)
        mixed = self.decision_ == "mixed"
        favourable = number_rows(raw) < self._share(inputs) if mixed else self._decide(inputs)
        return self.classes_[favourable.astype(int)]

    @available_if(base_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> Any:
        """Return the weighted average of the models' probabilities of each class, shape (rows, 2)."""
        scores = self._score(self._prepare(self._read_inputs(X)))
        return np.column_stack([1 - scores, scores])

    def favourable_shares(self, X: Any) -> Scores:
        """Return the weight of the models that decide favourably, shape (rows,): the source's chance of that."""
        return self._share(self._prepare(self._read_inputs(X)))

    def _reduce(self, oracle: Oracle, outcomes: Codes, features: dict[str, Any]) -> tuple[list[Any], Scores]:
        """Return fitted oracles and the weight of each; set ``_moment``, the constraint on the training rows."""
        raise NotImplementedError

    def _settle_decision(self, inputs: Any) -> None:
        raise NotImplementedError

    def _prepare(self, raw: Any) -> Any:
        return raw if self.preparation_ is None else self.preparation_.transform(raw)

    def _share(self, inputs: Any) -> Scores:
        votes = [np.asarray(one.predict(inputs), dtype=float) for one in self.models_]
        shares: Scores = np.clip(np.dot(self.weights_, votes), 0.0, 1.0)
        # Weights that add up to one but for rounding are certainty.
        return np.where(np.abs(shares - np.rint(shares)) < NO_WEIGHT, np.rint(shares), shares)

    def _score(self, inputs: Any) -> Scores:
        scores = [read_scores(one, inputs) for one in self.models_]
        return np.asarray(np.dot(self.weights_, scores))

    def _decide(self, inputs: Any) -> npt.NDArray[np.bool_]:
        if self.decision_ == "score":
            return np.asarray(self._score(inputs) > 0.5)  # noqa: PLR2004 - one half
        return np.asarray(self._share(inputs) > 0.5)  # noqa: PLR2004 - one half

    def _list_features(self, X: Any, codes: Codes) -> dict[str, Any]:
        if self.strata_column is None:
            return {"sensitive_features": codes}
        strata = learn_groups(take_column(X, self.strata_column), self.strata_column)
        return {"sensitive_features": codes, "control_features": strata.codes}

    def _make_constraint(self, outcomes: Codes) -> Any:
        """Return fairlearn's constraint; where rows are to be balanced, with errors that cost as if they were.

        The rates of the constraint are those of the rows as they are, which is what new rows will be.
        """
        from fairlearn import reductions

        build = getattr(reductions, CONSTRAINTS[self.constraint][0])
        if self.ratio is None:
            moment = build(difference_bound=self.tolerance)
        else:
            moment = build(ratio_bound=self.ratio, ratio_bound_slack=self.tolerance)
        if isinstance(self.estimator, BalancedEstimator):
            against, favourable = len(outcomes) / 2 / np.bincount(outcomes)
            costs = {"fp": float(against), "fn": float(favourable)}
            moment.default_objective = lambda: reductions.ErrorRate(costs=costs)
        return moment

    def _check_parameters(self) -> None:
        if self.constraint not in CONSTRAINTS:
            raise self._refuse("constraint", self.constraint, f"choose one of: {', '.join(CONSTRAINTS)}")
        if not 0 <= self.tolerance < 1:
            raise self._refuse(
                "tolerance", self.tolerance, "set a distance of rates from 0 to below 1, for example 0.01"
            )
        if self.ratio is not None and not 0 < self.ratio <= 1:
            raise self._refuse("ratio", self.ratio, "set a ratio above 0 and up to 1, for example 0.8, or leave it out")

    def _refuse(self, name: str, value: Any, remedy: str) -> MitigationError:
        return MitigationError(
            f"The method {self.method} cannot use {value!r} here.", where=f"parameter {name}", remedy=remedy
        )

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


def find_violation(moment: Any, shares: Scores) -> float:
    """Return the largest violation of a constraint by favourable shares of the training rows."""
    return float(moment.gamma(lambda _: shares).max())
