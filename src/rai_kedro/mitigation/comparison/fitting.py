"""Fitting the models of a comparison; what gives no model is on record with its reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from rai_kedro.fairness.metrics import Task
from rai_kedro.mitigation.comparison.compared import UNMITIGATED, YARDSTICK, Comparator, Role, Status
from rai_kedro.mitigation.comparison.rows import Rows
from rai_kedro.mitigation.methods import METHODS, applicable, build_mitigated, find_method
from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.modelling.threads import limit_threads

# Folds in which training rows are predicted to find the best unmitigated model.
_FOLDS = 3
_VIEW_ONLY = "yardstick only: the contract does not permit the sensitive column at prediction"


@dataclass(frozen=True, eq=False)
class FitSetting:
    """What methods are fitted with.

    Attributes:
        estimator: The unmitigated model; the methods copy it unfitted.
        train: Training rows.
        column: The sensitive column.
        cuts: Its cut points, if it is continuous; empty where each of its numbers is a group.
        permitted: Whether the contract lets it into predictions.
    """

    estimator: Any
    train: Rows
    column: str
    cuts: tuple[float, ...] | None
    permitted: bool


@dataclass(frozen=True, eq=False)
class Attempt:
    """A fitted model of the comparison, or why there is none; fields as in :class:`ComparedModel`."""

    name: str
    method: str
    stage: str
    role: Role
    parameters: Mapping[str, Any] = field(default_factory=dict)
    needs_sensitive: bool = False
    may_be_used: bool = True
    status: Status = "fitted"
    reason: str = ""
    estimator: Any = None


def fit_plain(estimator: Any, train: Rows, name: str) -> Attempt:
    """Fit a model without mitigation; one that is fitted already is taken as it is.

    Args:
        estimator: The model.
        train: Training rows.
        name: Name in the comparison.

    Raises:
        MitigationError: An alternative is of another task, gives no probabilities where it has to be post-processed by
            them, or cannot be fitted on these rows.
    """
    from sklearn.base import clone

    role: Role = "unmitigated" if name == UNMITIGATED else "alternative"
    reason = "" if role == "unmitigated" else "another model without mitigation, for the view"
    fitted = estimator
    if not _is_fitted(estimator):
        with limit_threads(len(train.target)):
            try:
                fitted = clone(estimator).fit(train.features, train.target)
            except ValueError as error:
                raise _refuse_alternative(name, f"cannot be fitted on these rows: {_first_line(error)}") from error
    return Attempt(name, "", "", role, {}, False, role == "unmitigated", "fitted", reason, fitted)


def check_alternatives(alternatives: Mapping[str, Any], task: Task) -> None:
    """Refuse an alternative of another task, or a classifier without the probabilities that post-processing needs.

    Args:
        alternatives: Further unmitigated models by name.
        task: Task of the unmitigated model.

    Raises:
        MitigationError: There is one.
    """
    from sklearn.base import is_regressor

    for name, estimator in alternatives.items():
        own = "regression" if is_regressor(estimator) else "classification"
        if own != task:
            raise _refuse_alternative(name, f"is for {own}, and the model is for {task}")
        if task == "classification" and not hasattr(estimator, "predict_proba"):
            raise _refuse_alternative(name, "gives no probabilities ('predict_proba')")


def _refuse_alternative(name: str, why: str) -> MitigationError:
    return MitigationError(
        f"The alternative {name!r} {why}.",
        where=f"parameters.yml, mitigation.alternatives.{name}",
        remedy="give it another class or other 'params', or leave it out",
    )


def _is_fitted(estimator: Any) -> bool:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def fit_method(
    setting: FitSetting, method: str, parameters: Mapping[str, Any], name: str, aim: tuple[Task, str]
) -> Attempt:
    """Fit a configured method.

    Args:
        setting: Model, rows and permission.
        method: Canonical name of the method.
        parameters: Its parameters; the constraint that serves the metric is filled in where there is none.
        name: Name in the comparison.
        aim: Task and metric.

    Returns:
        The fitted model, or why there is none.

    Raises:
        MitigationError: The method is not known or does not take the parameters.
    """
    definition, (task, metric) = find_method(method), aim
    chosen = _fill_in(method, metric, parameters, setting)
    needs = definition.needs_sensitive
    attempt = Attempt(name, method, definition.stage, "method", chosen, needs, True, "fitted")
    refusal = applicable(method, task, setting.estimator, permitted=setting.permitted)
    if refusal is not None:
        return replace(attempt, may_be_used=False, status="refused", reason=refusal.tell())
    model = build_mitigated(method, setting.estimator, chosen, setting.column, permitted=setting.permitted)
    aside = "" if metric in definition.constraints else f"{method} does not aim at {metric}"
    return _fit(replace(attempt, reason=aside), model, setting)


def fit_yardstick(
    setting: FitSetting,
    alternatives: Mapping[str, Any],
    aim: tuple[Task, Comparator],
    measure: Callable[[Any, Any, Any], Sequence[Any]],
) -> Attempt:
    """Post-process the best unmitigated model, permitted or not.

    Args:
        setting: Model, rows and permission.
        alternatives: Further unmitigated models.
        aim: Task, and what models are held against each other by.
        measure: Figures of performance of labels, predictions and scores.

    Returns:
        The fitted model, marked as there for the view only where the contract does not permit it.
    """
    from rai_kedro.mitigation.alignment import GroupAlignment

    task, by = aim
    parameters: dict[str, Any]
    best_name, best = _find_best({UNMITIGATED: setting.estimator, **alternatives}, setting.train, by, measure)
    if task == "regression":
        direct = by.metric in {"mean_prediction", "prediction_distribution"}
        kind: Literal["distribution", "error"] = "distribution" if direct else "error"
        method, parameters, note = "group_alignment", {"kind": kind}, ""
        model = GroupAlignment(best, setting.column, setting.cuts, kind)
    else:
        method, constraint, note = _find_post_processing(by.metric)
        parameters = {"constraint": constraint} if constraint else {}
        parameters = _fill_in(method, by.metric, parameters, setting)
        refusal = applicable(method, task, best, permitted=True)
        if refusal is not None:  # a classifier without probabilities: nothing can be post-processed
            return Attempt(YARDSTICK, method, "post", "yardstick", {}, True, False, "refused", refusal.tell())
        model = build_mitigated(method, best, parameters, setting.column, permitted=True)
    of = "" if best_name == UNMITIGATED else f"of {best_name}, the best by cross-validation"
    reason = "; ".join(part for part in ("" if setting.permitted else _VIEW_ONLY, of, note) if part)
    attempt = Attempt(YARDSTICK, method, "post", "yardstick", parameters, True, setting.permitted, "fitted", reason)
    return _fit(attempt, model, setting)


def _fit(attempt: Attempt, model: Any, setting: FitSetting) -> Attempt:
    train = setting.train
    try:
        with limit_threads(len(train.target)):
            model.fit(
                train.features_for(setting.column, needs_sensitive=attempt.needs_sensitive),
                train.target,
                sensitive=train.sensitive(setting.column),
            )
    except MitigationError as error:
        return replace(attempt, may_be_used=False, status="failed", reason=error.tell())
    except ValueError as error:  # what scikit-learn and fairlearn raise where a method does not suit the rows
        told = f"It cannot be fitted on these rows: {_first_line(error)}"
        return replace(attempt, may_be_used=False, status="failed", reason=told)
    return replace(attempt, estimator=model)


def _first_line(error: ValueError) -> str:
    told = str(error).strip() or type(error).__name__
    return told.splitlines()[0][:200].rstrip(".")


def _fill_in(method: str, metric: str, parameters: Mapping[str, Any], setting: FitSetting) -> dict[str, Any]:
    if "cuts" in parameters and list(parameters["cuts"] or ()) != list(setting.cuts or ()):
        raise MitigationError(
            f"{method} would make other groups of {setting.column!r} than those that are assessed.",
            where="parameters.yml, mitigation.methods, parameters, cuts",
            example=f"cut points {list(parameters['cuts'] or ())} here, {list(setting.cuts or ())} in the assessment",
            remedy=f"leave them out here; 'fairness.groupings' has the cut points of {setting.column!r} for both",
        )
    serving = METHODS[method].constraints.get(metric)
    filled: dict[str, Any] = {} if serving is None else {"constraint": serving}
    if setting.cuts is not None:
        filled["cuts"] = list(setting.cuts)
    return {**filled, **parameters}


def _find_post_processing(metric: str) -> tuple[str, str | None, str]:
    for method in ("threshold_optimisation", "group_calibration"):
        if metric in METHODS[method].constraints:
            return method, METHODS[method].constraints[metric], ""
    return "threshold_optimisation", "equalized_odds", f"no post-processing aims at {metric}; equalized odds instead"


def _find_best(
    estimators: Mapping[str, Any], train: Rows, by: Comparator, measure: Callable[[Any, Any, Any], Sequence[Any]]
) -> tuple[str, Any]:
    if len(estimators) == 1:
        return next(iter(estimators.items()))
    costs = {}
    for name, estimator in estimators.items():
        figures = measure(train.target.to_numpy(), *_predict_out_of_fold(estimator, train))
        value = next((one.value for one in figures if one.name == by.performance), None)
        costs[name] = float("inf") if value is None else by.performance_cost(value)
    best = min(costs, key=lambda name: costs[name])
    return best, estimators[best]


def _predict_out_of_fold(estimator: Any, train: Rows) -> tuple[Any, Any]:
    from sklearn.base import clone, is_classifier
    from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict

    kind = StratifiedKFold if is_classifier(estimator) else KFold
    split = kind(_FOLDS, shuffle=True, random_state=0)
    has_scores = hasattr(estimator, "predict_proba")
    with limit_threads(len(train.target)):
        method = "predict_proba" if has_scores else "predict"
        found = cross_val_predict(clone(estimator), train.features, train.target, cv=split, method=method)
    if not has_scores:
        return found, None
    return (found[:, 1] > 0.5).astype(int), found[:, 1]  # noqa: PLR2004 - one half
