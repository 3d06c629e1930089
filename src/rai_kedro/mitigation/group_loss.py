"""Bounded group loss: a regression whose loss stays under a bound in every group.

Source: A. Agarwal, M. Dudik and Z. S. Wu, "Fair regression: quantitative definitions and reduction-based algorithms",
ICML 2019. The reduction is fairlearn's. It ends with several models and their weights; the source draws one of them for
every prediction. Here the prediction is their weighted average, which is as good or better in every group: both losses
are convex, so that the loss of an average is at most the average of the losses (Jensen).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from rai_kedro.mitigation.oracle import Oracle, ReducedModel, Vector, number
from rai_kedro.mitigation.sensitive import Codes, MitigationError
from rai_kedro.mitigation.wrapping import Count, TrainingRows

# Of the loss of a constant prediction: how near to the best the error has to come, and how exactly a bound is kept.
_GAP = 5e-3
_SLACK = 1e-3


@dataclass(eq=False, repr=False)
class BoundedGroupLossModel(ReducedModel):
    """A weighted average of models whose mean loss in every group stays under a bound.

    The estimator is a regressor whose ``fit`` takes ``sample_weight``, or a Pipeline that ends with one. Without a
    bound it is the smallest on a grid of weights of the groups, by the worst group alone.
    """

    method = "bounded_group_loss"

    constraint: Literal["square_loss", "absolute_loss"] = "square_loss"  # its mean in a group is bounded
    upper_bound: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None  # in the unit of the loss
    max_iter: Count = 30  # at most, with a bound; each fits the model two to ten times
    grid_size: Count = 21  # how many models, without a bound

    def _learn(self, rows: TrainingRows) -> None:
        target = np.asarray(rows.target, dtype=float)
        scale = self._scale(target)
        oracle = self._make_oracle(rows.inputs, target)
        reduce = self._search if self.upper_bound is None else self._bound
        models, weights = reduce(oracle, target, rows.codes, scale)
        self._keep(models, weights, oracle.inputs, target)
        self._check_losses(self._average(oracle.inputs), target, rows.codes, scale)

    def predict(self, X: Any) -> Any:
        """Return the weighted average of the models' predictions, shape (rows,)."""
        return self._average(self._prepare(self._read_inputs(X)))

    def _bound(self, oracle: Oracle, target: Vector, codes: Codes, scale: float) -> Any:
        from fairlearn.reductions import ExponentiatedGradient

        moment = _make_moment(self.constraint, scale, (self.upper_bound or 0.0) / scale)
        reduction = ExponentiatedGradient(oracle, moment, max_iter=self.max_iter, nu=_GAP)
        return self._run_gradient(reduction, target, {"sensitive_features": codes})

    def _search(self, oracle: Oracle, target: Vector, codes: Codes, scale: float) -> Any:
        from fairlearn.reductions import GridSearch

        self._require_grid(len(self.groups_) - 1, "give an 'upper_bound'")
        moment = _make_moment(self.constraint, scale, None)
        search = GridSearch(oracle, moment, constraint_weight=1.0, grid_size=self.grid_size, grid_limit=1.0)
        search.fit(number(target), target, sensitive_features=codes)
        self.n_iter_ = len(search.predictors_)
        return [search.predictors_[search.best_idx_]], np.ones(1)

    def _check_losses(self, predictions: Vector, target: Vector, codes: Codes, scale: float) -> None:
        losses = _measure_loss(self.constraint, target, predictions)
        self.group_losses_ = np.bincount(codes, losses) / np.bincount(codes)
        if self.upper_bound is None:
            return
        worst = int(np.argmax(self.group_losses_))
        excess = float(self.group_losses_[worst]) - self.upper_bound
        if excess > _SLACK * scale:
            raise MitigationError(
                "The bound is not kept in every group of the training rows, so that there is no model.",
                where=f"method {self.method}, parameter upper_bound",
                how_many=f"{self.constraint} of group {self.groups_[worst]!r}: {self.group_losses_[worst]:.4g}; "
                f"the bound is {self.upper_bound:.4g}",
                remedy="raise 'upper_bound', leave it out to get the smallest there is, or take a model that fits "
                "this group better",
            )
        unit = " of the loss of a constant prediction"
        self._require_convergence(2 * _GAP, unit, "raise 'max_iter' or 'upper_bound'")

    def _scale(self, target: Vector) -> float:
        centre = target.mean() if self.constraint == "square_loss" else np.median(target)
        scale = float(_measure_loss(self.constraint, target, np.full(len(target), centre)).mean())
        if scale <= 0:
            raise MitigationError(
                "The target is constant, so that there is no loss to bound.",
                how_many=f"{len(target)} rows",
                remedy="check the target column",
            )
        return scale


def _make_moment(loss: str, scale: float, upper_bound: float | None) -> Any:
    """Return fairlearn's bounded group loss, in units of ``scale``, weighing rows without a loop over them."""
    from fairlearn.reductions import BoundedGroupLoss, MeanLoss

    class ScaledLoss:
        """fairlearn's losses clip to a range; this one needs none, and makes step sizes fit any unit of the target."""

        def eval(self, y_true: Any, y_pred: Any) -> Any:
            return _measure_loss(loss, y_true, y_pred) / scale

    class MeanOfLoss(MeanLoss):  # type: ignore[misc]
        signed_weights = _weigh

    class LossOfGroups(BoundedGroupLoss):  # type: ignore[misc]
        signed_weights = _weigh

        def default_objective(self) -> Any:
            return MeanOfLoss(self.reduction_loss)

    return LossOfGroups(ScaledLoss(), upper_bound=upper_bound)


def _weigh(moment: Any, lambda_vec: Any = None) -> Any:
    """Return what fairlearn's ``signed_weights`` of a loss returns, in one step."""
    weights = moment.prob_attr * 0 + 1 if lambda_vec is None else lambda_vec / moment.prob_attr
    return moment.tags["group_id"].map(weights)


def _measure_loss(loss: str, target: Any, prediction: Any) -> Any:
    error = target - prediction
    return error**2 if loss == "square_loss" else np.abs(error)
