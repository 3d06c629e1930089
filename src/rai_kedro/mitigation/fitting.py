"""The rows and groups of a comparison, and its models fitted on them; what gives no model is on record with its reason.

One rule of grouping serves what is mitigated and what is assessed, settled on the training rows. Left to themselves, an
assessment cuts a number at the median of the test rows and a mitigation at that of the training rows, and each decides
anew whether numbers are codes. Rows would then be assessed in another group than mitigated in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from pandas.api import types

from rai_kedro.fairness import FairnessSpec, GroupingSpec, Task, divide_column
from rai_kedro.intervals import Sampling
from rai_kedro.mitigation.compared import POST_PROCESSED, UNMITIGATED, Comparator, ComparedModel
from rai_kedro.mitigation.methods import GROUP_ALIGNMENT, METHODS, applicable, find_method, load_builder, make_method
from rai_kedro.mitigation.sensitive import MitigationError, find_cut
from rai_kedro.modelling import first_line, limit_threads
from rai_kedro.performance import Answers, Figure

# Folds in which training rows are predicted to find the best unmitigated model.
_FOLDS = 3
_VIEW_ONLY = "for the view only: predictions may not read the sensitive column ('use: mitigation' would permit it)"

Spec = TypeVar("Spec", bound=FairnessSpec)
# A model as it stands in the comparison, and the estimator: unfitted, fitted, or None where there is none.
Attempt = tuple[ComparedModel, Any]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one split, all in the same order; ``audit`` holds the audited columns, the sensitive one among them."""

    features: pd.DataFrame
    target: pd.Series[Any]  # of a classification 0 or 1, with 1 the favourable outcome
    audit: pd.DataFrame

    def __post_init__(self) -> None:
        """Refuse parts that are not of the same rows, and rows without a label."""
        parts = [self.features, self.target, self.audit]
        if any(len(part) != len(self.features) for part in parts) or self.target.isna().any() or not len(self.features):
            raise MitigationError(
                "The parts of a split are not of the same labelled rows.",
                how_many=f"features, target, audit: {', '.join(str(len(part)) for part in parts)} rows; "
                f"{int(self.target.isna().sum())} without a label",
                remedy="hand in the same rows in the same order, and only those with a label",
            )

    def features_for(self, column: str, *, needs_sensitive: bool) -> pd.DataFrame:
        """Return the features, with the sensitive column where a method needs it and it is not there."""
        if not needs_sensitive or column in self.features:
            return self.features
        return self.features.assign(**{column: self.sensitive(column).to_numpy()})

    def sensitive(self, column: str) -> pd.Series[Any]:
        """Return the sensitive column, shape (rows,), which has to be among the audited columns."""
        if column not in self.audit:
            raise MitigationError(
                f"The sensitive column {column!r} is not among the audited columns.",
                example=f"there are: {', '.join(map(str, self.audit.columns))}",
                remedy="audit the column that is to be mitigated for",
            )
        return self.audit[column]


@dataclass(frozen=True, eq=False)
class Setting:
    """What models are fitted and compared with; ``by.column`` is the sensitive column."""

    estimator: Any  # the unmitigated model, unfitted
    train: Rows
    test: Rows
    fairness: FairnessSpec  # what is assessed, its groups settled by `resolve_cuts`
    by: Comparator
    task: Task
    permitted: bool  # predictions may read the sensitive column
    level: float  # of figures of performance

    @cached_property
    def cuts(self) -> tuple[float, ...] | None:
        """By which a mitigation makes the groups that are assessed.

        Empty where each value is a group though a mitigation left to itself would cut them; None where it would not.
        """
        column = self.by.column
        said = next((one.cuts.get(column) for one in self.fairness.groupings if one.columns == (column,)), None)
        return () if said is None and find_cut(self.train.sensitive(column)) is not None else said

    def fill_in(self, method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return parameters with the constraint that serves the metric, and the cut points of the assessment."""
        column = self.by.column
        if "cuts" in parameters and list(parameters["cuts"] or ()) != list(self.cuts or ()):
            raise MitigationError(
                f"{method} would make other groups of {column!r} than those that are assessed.",
                where=f"methods, parameters of {method}, cuts",
                example=f"cut points {list(parameters['cuts'] or ())} here, {list(self.cuts or ())} in the assessment",
                remedy=f"leave them out here; the grouping that is assessed has the cut points of {column!r} for both",
            )
        cuts = {} if self.cuts is None else {"cuts": list(self.cuts)}
        return {**find_constraint(method, self.by.metric), **cuts, **parameters}


def find_constraint(method: str, metric: str) -> dict[str, str]:
    """Return the parameter by which a method serves a metric; nothing where there is nothing to choose."""
    serving = find_method(method).constraints.get(metric)
    return {} if serving is None else {"constraint": serving}


def resolve_cuts(spec: Spec, audit_train: pd.DataFrame) -> Spec:
    """Say of every grouping what it would find out from the training rows: which columns are cut, and where.

    Returns the same with every cut point declared and every other column declared categorical. Columns that are not
    there or have no value stay as they are, and so does what is settled already.

    Raises:
        GroupingError: A column cannot be cut, or makes more than 200 groups.
    """
    return spec.model_copy(update={"groupings": tuple(_resolve(one, audit_train) for one in spec.groupings)})


def _resolve(spec: GroupingSpec, audit: pd.DataFrame) -> GroupingSpec:
    open_ = [name for name in spec.columns if name in audit and name not in spec.cuts and audit[name].notna().any()]
    # Parts that cut points make have to exist, and are declared; values found are not.
    cut = {name: bool(divide_column(audit[name], name, spec).declared) for name in open_}
    medians = {name: _find_median(audit[name]) for name in open_ if cut[name]}
    learnt = {name: (median,) for name, median in medians.items() if np.isfinite(median)}
    said = {name: spec.is_categorical(name) for name in spec.columns} | {name: not cut[name] for name in open_}
    return spec.model_copy(
        update={
            "cuts": {**spec.cuts, **learnt},
            "categorical": {name: answer for name, answer in said.items() if answer is not None},
            "learnt": (*spec.learnt, *learnt),
        }
    )


def _find_median(values: pd.Series[Any]) -> float:
    """Return the median, of a date in days since 1970-01-01."""
    if types.is_datetime64_any_dtype(values.dtype):
        values = (values - pd.Timestamp(0, tz=values.dt.tz)) / pd.Timedelta(days=1)
    return float(np.nanmedian(pd.to_numeric(values.astype("object"), errors="coerce").to_numpy(dtype=float)))


def fit_plain(estimator: Any, train: Rows, name: str) -> Attempt:
    """Fit a model without mitigation; one that is fitted already is taken as it is."""
    from sklearn.base import clone
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    fitted = estimator
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        with limit_threads(len(train.target)):
            try:
                fitted = clone(estimator).fit(train.features, train.target)
            except ValueError as error:
                raise refuse_model(name, f"cannot be fitted on these rows: {first_line(error).rstrip('.')}") from error
    if name == UNMITIGATED:
        return ComparedModel(name=name, role="unmitigated"), fitted
    view = "another model without mitigation, for the view"
    return ComparedModel(name=name, role="alternative", may_be_used=False, reason=view), fitted


def refuse_model(name: str, why: str) -> MitigationError:
    """Return the error that an unmitigated model cannot be compared."""
    alternative = name != UNMITIGATED
    return MitigationError(
        f"The alternative {name!r} {why}." if alternative else f"The model {why}.",
        where=f"alternatives.{name}" if alternative else "estimator",
        remedy="take another class or other parameters" + (", or leave it out" if alternative else ""),
    )


def prepare_method(setting: Setting, method: str, parameters: Mapping[str, Any], name: str) -> Attempt:
    """Make a configured method, unfitted; without an estimator, and with the reason, where it does not apply."""
    definition, metric = find_method(method), setting.by.metric
    chosen = setting.fill_in(method, parameters)
    model = ComparedModel(
        name=name,
        method=method,
        stage=definition.stage,
        parameters=chosen,
        needs_sensitive=definition.needs_sensitive,
        reason="" if metric in definition.constraints else f"{method} does not aim at {metric}",
    )
    built = make_method(method, setting.estimator, chosen, setting.by.column)
    refusal = applicable(method, setting.task, setting.estimator, permitted=setting.permitted)
    return (model, built) if refusal is None else (model.without_model("refused", refusal.tell()), None)


def prepare_post_processed(setting: Setting, alternatives: Mapping[str, Any]) -> Attempt:
    """Make the post-processed best unmitigated model, for the view only where predictions may not read the column."""
    by, metric = setting.by, setting.by.metric
    best_name, best = _find_best({UNMITIGATED: setting.estimator, **alternatives}, setting)
    of = "" if best_name == UNMITIGATED else f"of {best_name}, the best by cross-validation"
    if setting.task == "regression":
        kind = "distribution" if metric in {"mean_prediction", "prediction_distribution"} else "error"
        method, parameters, note = "group_alignment", {"kind": kind}, ""
        built = load_builder(GROUP_ALIGNMENT)(best, by.column, setting.cuts, kind)
    else:
        aiming = [
            name for name in ("threshold_optimisation", "group_calibration") if metric in METHODS[name].constraints
        ]
        method = aiming[0] if aiming else "threshold_optimisation"
        parameters = setting.fill_in(method, {} if aiming else {"constraint": "equalized_odds"})
        note = "" if aiming else f"no post-processing aims at {metric}; equalized odds instead"
        built = make_method(method, best, parameters, by.column)
    model = ComparedModel(
        name=POST_PROCESSED,
        method=method,
        stage="post",
        role="yardstick",
        parameters=parameters,
        needs_sensitive=True,
        may_be_used=setting.permitted,
        reason="; ".join(part for part in ("" if setting.permitted else _VIEW_ONLY, of, note) if part),
    )
    return model, built


def fit_attempt(attempt: Attempt, setting: Setting) -> Attempt:
    """Fit what was prepared; where the method finds no model the reason is on record."""
    model, estimator = attempt
    train, column = setting.train, setting.by.column
    if estimator is None:
        return attempt
    try:
        with limit_threads(len(train.target)):
            estimator.fit(
                train.features_for(column, needs_sensitive=model.needs_sensitive),
                train.target,
                sensitive=train.sensitive(column),
            )
    except ValueError as error:  # ours, or what scikit-learn and fairlearn raise where a method does not suit the rows
        other = f"It cannot be fitted on these rows: {first_line(error).rstrip('.')}"
        return model.without_model("failed", error.tell() if isinstance(error, MitigationError) else other), None
    return model, estimator


def _find_best(estimators: Mapping[str, Any], setting: Setting) -> tuple[str, Any]:
    if len(estimators) == 1:
        return next(iter(estimators.items()))
    costs, train, by = {}, setting.train, setting.by
    for name, estimator in estimators.items():
        answers = _predict_out_of_fold(estimator, train, setting.task)
        figures = measure(setting.task, train.target.to_numpy(), answers, setting.level)
        value = next((one.value for one in figures if one.name == by.performance), None)
        costs[name] = float("inf") if value is None else by.performance_cost(value)
    best = min(costs, key=lambda name: costs[name])
    return best, estimators[best]


def measure(task: Task, truth: Any, answers: Answers, level: float, sampling: Sampling | None = None) -> list[Figure]:
    """Measure performance on test rows, each figure with its interval."""
    from rai_kedro.performance import measure_classification, measure_performance

    if task == "regression":
        return measure_performance(truth, answers.prediction, level=level, sampling=sampling)
    given = truth, answers.prediction, answers.score
    return measure_classification(*given, split="test", level=level, sampling=sampling)


def _predict_out_of_fold(estimator: Any, train: Rows, task: Task) -> Answers:
    from rai_kedro.mitigation.scoring import predict_out_of_fold

    method = "predict" if task == "regression" else "predict_proba"
    with limit_threads(len(train.target)):
        found = predict_out_of_fold(estimator, train.features, train.target, _FOLDS, method)
    if task == "regression":
        return Answers(found)
    return Answers((found[:, 1] > 0.5).astype(int), found[:, 1])  # noqa: PLR2004 - one half
