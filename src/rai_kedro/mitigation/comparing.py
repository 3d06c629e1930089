"""The comparison of mitigations: every model fitted on the same training rows and compared on the same test rows.

Beside the unmitigated model and every configured method there is always the post-processed best unmitigated model,
which traces the frontier (A. F. Cruz and M. Hardt, "Unprocessing seven years of algorithmic fairness", ICLR 2024). It
needs the sensitive column for every prediction; where that is not permitted, it is there for the view only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from rai_kedro.fairness import METRICS, DisparityKind, FairnessSpec, Task, list_metrics
from rai_kedro.mitigation.choosing import choose_model, mark_frontier, require_usable
from rai_kedro.mitigation.compared import POST_PROCESSED, UNMITIGATED, Comparator, Comparison
from rai_kedro.mitigation.evaluation import Evaluator, evaluate_model
from rai_kedro.mitigation.fitting import (
    Attempt,
    FitSetting,
    Rows,
    find_constraint,
    find_method_cuts,
    fit_attempt,
    fit_plain,
    prepare_method,
    prepare_post_processed,
    refuse_model,
    resolve_cuts,
)
from rai_kedro.mitigation.methods import make_method
from rai_kedro.mitigation.paired import LARGER_IS_BETTER
from rai_kedro.mitigation.sensitive import MitigationError


@dataclass(frozen=True)
class ConfiguredMethod:
    """A method to compare, its parameters (a constraint that serves the metric is filled in), and a name of its own."""

    method: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, eq=False)
class ComparisonRequest:
    """What is compared and by what; the rows are not in it."""

    estimator: Any  # the unmitigated model; a fitted one is compared as it is, and copied unfitted for the methods
    sensitive_column: str  # of the audited columns, the one that is mitigated for
    # It names the metric and a grouping of that column, by which the methods group too; what a grouping leaves open is
    # settled on the training rows.
    fairness: FairnessSpec
    methods: tuple[ConfiguredMethod, ...] = ()
    permitted: bool = False  # predictions may read the sensitive column (`use: mitigation` of a column contract)
    metric: str | None = None  # that decides; by default the first of `fairness`
    kind: DisparityKind | None = None  # by default the metric's first
    performance: str | None = None  # accuracy, AUC, Brier score, MAE or R2; by default accuracy or R2
    tolerance: float = 0.02  # loss of performance that is accepted, in the unit of that figure
    # Further figures of which no more than the tolerance may be lost; by default the AUC of a classifier with scores,
    # so that a model that decides as well but ranks worse is not chosen.
    guards: tuple[str, ...] | None = None
    configured: str | None = None  # name of the model to choose whatever the rule says
    alternatives: Mapping[str, Any] = field(default_factory=dict)  # unmitigated too; the best is post-processed
    level: float = 0.95  # of figures of performance; all others have that of `fairness`

    @property
    def task(self) -> Task:
        """Task of the model."""
        from sklearn.base import is_regressor

        return "regression" if is_regressor(self.estimator) else "classification"

    @property
    def names(self) -> list[str]:
        """Names of the methods in the comparison."""
        return [one.name or one.method for one in self.methods]


def check_comparison(request: ComparisonRequest) -> Comparator:
    """Check everything that can be known before a row is read, and return by what the models are compared.

    Raises:
        MitigationError: A method, its parameters, the metric, a name or a model does not serve; ``where`` names the
            attribute of the request.
    """
    task = request.task
    metric = request.metric or request.fairness.metrics[0]
    performance = request.performance or ("R2" if task == "regression" else "accuracy")
    for key, problem, there in _find_problems(request, task, metric, performance):
        raise MitigationError(
            f"The mitigations cannot be compared: {problem}.",
            where=key,
            example=f"there are: {there}" if there else None,
            remedy=f"correct '{key.rpartition('.')[2]}', or what it has to agree with",
        )
    _check_names(request)
    _check_models(request, task)
    for one in request.methods:
        parameters = {**find_constraint(one.method, metric), **one.parameters}
        make_method(one.method, request.estimator, parameters, request.sensitive_column)
    kind = request.kind or METRICS[metric].kinds[0]
    ranks = task == "classification" and performance != "AUC"
    guards = request.guards if request.guards is not None else ("AUC",) * ranks
    return Comparator(
        metric=metric,
        kind=kind,
        column=request.sensitive_column,
        performance=performance,
        tolerance=request.tolerance,
        guards=guards,
    )


def compare_methods(request: ComparisonRequest, train: Rows, test: Rows) -> Comparison:
    """Fit and assess the unmitigated model, every configured method, and the post-processed best unmitigated model.

    A method that is not permitted or gives no model is in the comparison with the reason.

    Raises:
        MitigationError: See :func:`check_comparison`; or the configured choice cannot be used.
    """
    from sklearn.base import clone

    by = check_comparison(request)
    fairness = resolve_cuts(request.fairness, train.audit)
    cuts = find_method_cuts(fairness, by.column, train.sensitive(by.column))
    setting = FitSetting(clone(request.estimator), train, cuts, request.permitted, request.task, by)
    prepared = [
        prepare_method(setting, one.method, one.parameters, name)
        for one, name in zip(request.methods, request.names, strict=True)
    ]
    if request.configured in request.names:
        require_usable([model for model, _ in prepared], request.configured)
    attempts = [fit_plain(request.estimator, train, UNMITIGATED)]
    attempts += [fit_plain(one, train, name) for name, one in request.alternatives.items()]
    attempts += [fit_attempt(one, setting) for one in prepared]
    attempts.append(fit_attempt(prepare_post_processed(setting, request.alternatives, request.level), setting))
    return _conclude(request, attempts, Evaluator(test, fairness, request.task, by, request.level), len(train.target))


def _conclude(request: ComparisonRequest, attempts: list[Attempt], evaluator: Evaluator, rows_train: int) -> Comparison:
    first, *others = attempts
    plain, answers = evaluate_model(evaluator, first, None)
    models = mark_frontier([plain, *(evaluate_model(evaluator, one, answers)[0] for one in others)], evaluator.by)
    choice = choose_model(models, evaluator.by, request.configured)
    return Comparison(
        task=evaluator.task,
        by=evaluator.by,
        level=evaluator.fairness.level,
        rows_train=rows_train,
        rows_test=len(evaluator.test.target),
        models=models,
        chosen=choice.name,
        reason=choice.reason,
        estimators={
            model.name: estimator
            for model, (_, estimator) in zip(models, attempts, strict=True)
            if model.status == "fitted"
        },
    )


def _find_problems(
    request: ComparisonRequest, task: Task, metric: str, performance: str
) -> Iterator[tuple[str, str, str]]:
    """Yield the attribute that is wrong, what is wrong with it, and what there is instead."""
    assessed, columns = request.fairness.metrics, [grouping.name for grouping in request.fairness.groupings]
    figures = [name for name in LARGER_IS_BETTER if (name in {"MAE", "R2"}) == (task == "regression")]
    decides = "metric" if request.metric else "fairness.metrics"
    if metric not in assessed:
        yield decides, f"the metric {metric!r} is not among those assessed", ", ".join(assessed)
        return
    definition, groups = METRICS[metric], [name for name in assessed if not METRICS[name].individual]
    if task not in definition.tasks:
        yield decides, f"the metric {metric!r} does not fit {task}", list_metrics(task)
    if definition.individual:
        yield decides, f"the metric {metric!r} compares individuals and not groups", ", ".join(groups)
    if request.kind is not None and request.kind not in definition.kinds:
        yield "kind", f"the metric {metric!r} is not expressed as {request.kind}", ", ".join(definition.kinds)
    if request.sensitive_column not in columns:
        yield "sensitive_column", f"no grouping by {request.sensitive_column!r} is assessed", ", ".join(columns)
    if performance not in LARGER_IS_BETTER:
        yield "performance", f"models cannot be compared by {performance!r}", ", ".join(figures)
    elif performance not in figures:
        yield "performance", f"{performance} is no figure of a {task}", ", ".join(figures)
    if not set(request.guards or ()) <= set(LARGER_IS_BETTER):
        yield "guards", f"a guard is none of {', '.join(LARGER_IS_BETTER)}", ""
    if request.tolerance < 0:
        yield "tolerance", "the tolerance is below zero", ""


def _check_names(request: ComparisonRequest) -> None:
    every = pd.Series([UNMITIGATED, POST_PROCESSED, *request.alternatives, *request.names])
    if every.duplicated().any():
        raise MitigationError(
            f"Two models of the comparison have the name {every[every.duplicated()].iloc[0]!r}.",
            where="methods and alternatives",
            remedy="give each method and alternative a 'name' of its own",
        )
    if request.configured is not None and request.configured not in set(every):
        require_usable([], request.configured, usable=[UNMITIGATED, *request.names])


def _check_models(request: ComparisonRequest, task: Task) -> None:
    from sklearn.base import is_regressor

    for name, estimator in {UNMITIGATED: request.estimator, **request.alternatives}.items():
        own = "regression" if is_regressor(estimator) else "classification"
        if own != task:
            raise refuse_model(name, f"is for {own}, and the model is for {task}")
        if task == "classification" and not hasattr(estimator, "predict_proba"):
            raise refuse_model(name, "gives no probabilities ('predict_proba')")
