"""The comparison of mitigations: every model fitted on the same training rows and held against the same test rows.

Beside the unmitigated model and every configured method there is always the post-processed best unmitigated model:
A. F. Cruz and M. Hardt, "Unprocessing seven years of algorithmic fairness", ICLR 2024, found that it traces the
frontier which other methods are to be held against. It needs the sensitive column for every prediction; where the
contract does not permit that, it is there for the view only and cannot be chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from rai_kedro.fairness.estimates import DisparityKind
from rai_kedro.fairness.metrics import METRICS, Task, list_metrics
from rai_kedro.fairness.request import FairnessSpec
from rai_kedro.mitigation.comparison.choosing import RULE, choose_model, mark_frontier
from rai_kedro.mitigation.comparison.compared import UNMITIGATED, YARDSTICK, Comparator, ComparedModel
from rai_kedro.mitigation.comparison.evaluation import Evaluator, evaluate_model
from rai_kedro.mitigation.comparison.fitting import (
    Attempt,
    FitSetting,
    check_alternatives,
    fit_method,
    fit_plain,
    fit_yardstick,
)
from rai_kedro.mitigation.comparison.grouping import find_method_cuts, resolve_cuts
from rai_kedro.mitigation.comparison.paired import LARGER_IS_BETTER
from rai_kedro.mitigation.comparison.rows import Rows
from rai_kedro.mitigation.sensitive import MitigationError

__all__ = ["Comparison", "ComparisonRequest", "ConfiguredMethod", "Rows", "Uncompared", "compare_methods"]


@dataclass(frozen=True)
class ConfiguredMethod:
    """A method to compare.

    Attributes:
        method: Canonical name.
        parameters: Its parameters, see its class; the constraint that serves the metric is filled in.
        name: Name in the comparison; by default the method's.
    """

    method: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, eq=False)
class ComparisonRequest:
    """What is compared, on which rows and by what.

    Attributes:
        estimator: The unmitigated model; a fitted one is held against the others as it is, and copied unfitted for
            the methods.
        train: Rows that every model is fitted on.
        test: Rows that every model is held against.
        sensitive_column: Column of the audited columns that is mitigated for.
        fairness: What is assessed; it names the metric and a grouping of that column, by which the methods group too.
            What a grouping leaves open is settled on the training rows.
        measure: Called with labels, predictions and scores (None without), returns figures of performance, which have
            ``name, value, lower, upper, level, unit, method, note``.
        methods: The methods to compare.
        permitted: Whether the contract lets the sensitive column into predictions (``use: mitigation``).
        metric: Metric that decides; by default the first of ``fairness``.
        kind: What of it decides; by default the metric's first kind.
        performance: Figure that decides: accuracy, AUC, Brier score, MAE or R2; by default accuracy or R2.
        tolerance: Loss of performance that is accepted, in the unit of that figure.
        guards: Further figures of which no more than the tolerance may be lost; by default the AUC of a classifier
            with scores, so that a model that decides as well but ranks worse is not chosen.
        configured: Name of the model to choose whatever the rule says.
        alternatives: Further unmitigated models, unfitted, by name; the best of all is the one post-processed.
    """

    estimator: Any
    train: Rows
    test: Rows
    sensitive_column: str
    fairness: FairnessSpec
    measure: Callable[[Any, Any, Any], Sequence[Any]]
    methods: tuple[ConfiguredMethod, ...] = ()
    permitted: bool = False
    metric: str | None = None
    kind: DisparityKind | None = None
    performance: str | None = None
    tolerance: float = 0.02
    guards: tuple[str, ...] | None = None
    configured: str | None = None
    alternatives: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Comparison:
    """Every model on the same rows, and the chosen one.

    Attributes:
        task: ``classification`` or ``regression``.
        by: What the models are held against each other by.
        level: Confidence level of every interval.
        rows_train: Training rows.
        rows_test: Test rows.
        models: The unmitigated model first, the yardstick last.
        chosen: Name of the chosen model.
        reason: Why it.
        rule: The rule of choice.
        estimators: The fitted models by name; not part of :meth:`to_dict`.
    """

    task: Task
    by: Comparator
    level: float
    rows_train: int
    rows_test: int
    models: tuple[ComparedModel, ...]
    chosen: str
    reason: str
    rule: str = RULE
    estimators: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def chosen_model(self) -> ComparedModel:
        """Figures of the chosen model."""
        return next(model for model in self.models if model.name == self.chosen)

    @property
    def chosen_estimator(self) -> Any:
        """The chosen model, fitted: what is registered."""
        return self.estimators[self.chosen]

    @property
    def selectable(self) -> int:
        """How many models could have been chosen on these rows.

        Whoever judges the chosen model on the same rows has to allow for so many at once, also where the choice was
        configured: whether it was before or after a look at these figures, nobody can tell.
        """
        return sum(one.may_be_used and one.status == "fitted" for one in self.models)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "estimators"}
        by = vars(self.by) | {"guards": list(self.by.guards)}
        return plain | {"by": by, "models": [model.to_dict() for model in self.models]}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Comparison:
        """Rebuild a comparison from :meth:`to_dict`, without its fitted models."""
        models = tuple(ComparedModel.from_dict(model) for model in plain["models"])
        by = Comparator(**{**plain["by"], "guards": tuple(plain["by"]["guards"])})
        return cls(**{**plain, "by": by, "models": models})


@dataclass(frozen=True)
class Uncompared:
    """What stands in the place of a comparison where nothing is to be compared.

    Attributes:
        reason: Why not.
    """

    reason: str
    chosen: str = UNMITIGATED
    selectable: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold; ``models`` is empty."""
        return {"models": [], "chosen": self.chosen, "reason": self.reason}


def compare_methods(request: ComparisonRequest) -> Comparison:
    """Fit and assess the unmitigated model, every configured method, and the post-processed best unmitigated model.

    Args:
        request: What is compared.

    Returns:
        The comparison; a method that is not permitted or gives no model is in it with the reason.

    Raises:
        MitigationError: A method is not known or does not take its parameters, the metric does not fit the task or is
            not among those assessed, names are there twice, or the configured choice cannot be used.
    """
    from sklearn.base import clone, is_regressor

    task: Task = "regression" if is_regressor(request.estimator) else "classification"
    by = _find_comparator(request, task)
    names = _check_names(request)
    request = replace(request, fairness=resolve_cuts(request.fairness, request.train.audit))
    check_alternatives(request.alternatives, task)
    attempts = [fit_plain(request.estimator, request.train, UNMITIGATED)]
    attempts += [fit_plain(one, request.train, name) for name, one in request.alternatives.items()]
    unfitted = clone(request.estimator)
    train, column = request.train, request.sensitive_column
    cuts = find_method_cuts(request.fairness, column, train.sensitive(column))
    setting = FitSetting(unfitted, train, column, cuts, request.permitted)
    attempts += [
        fit_method(setting, one.method, one.parameters, name, (task, by.metric))
        for one, name in zip(request.methods, names, strict=True)
    ]
    attempts.append(fit_yardstick(setting, request.alternatives, (task, by), request.measure))
    evaluator = Evaluator(request.test, request.sensitive_column, request.fairness, request.measure, task, by)
    return _conclude(request, task, by, attempts, evaluator)


def _conclude(
    request: ComparisonRequest, task: Task, by: Comparator, attempts: list[Attempt], evaluator: Evaluator
) -> Comparison:
    first, *others = attempts
    plain, answers = evaluate_model(evaluator, first, None)
    models = [plain, *(evaluate_model(evaluator, one, answers)[0] for one in others)]
    marked = mark_frontier(models, by)
    choice = choose_model(marked, by, request.configured)
    return Comparison(
        task,
        by,
        request.fairness.level,
        len(request.train.target),
        len(request.test.target),
        marked,
        choice.name,
        choice.reason,
        estimators={
            one.name: one.estimator for one, told in zip(attempts, marked, strict=True) if told.status == "fitted"
        },
    )


def _find_comparator(request: ComparisonRequest, task: Task) -> Comparator:
    metric = request.metric or request.fairness.metrics[0]
    performance = request.performance or ("R2" if task == "regression" else "accuracy")
    for key, problem, there in _find_problems(request, task, metric, performance):
        raise MitigationError(
            f"The mitigations cannot be compared: {problem}.",
            where=f"parameters.yml, {key}",
            example=f"there are: {there}" if there else None,
            remedy=f"mend '{key}', or what it has to agree with",
        )
    kind = request.kind or METRICS[metric].kinds[0]
    ranks = task == "classification" and performance != "AUC" and hasattr(request.estimator, "predict_proba")
    guards = request.guards if request.guards is not None else ("AUC",) * ranks
    return Comparator(metric, kind, request.sensitive_column, performance, request.tolerance, guards)


def _find_problems(
    request: ComparisonRequest, task: Task, metric: str, performance: str
) -> Iterator[tuple[str, str, str]]:
    """Yield the key that is wrong, what is wrong with it, and what there is instead."""
    assessed, columns = request.fairness.metrics, [grouping.name for grouping in request.fairness.groupings]
    figures = [name for name in LARGER_IS_BETTER if (name in {"MAE", "R2"}) == (task == "regression")]
    decides = "mitigation.metric" if request.metric else "fairness.metrics"
    if metric not in assessed:
        yield decides, f"the metric {metric!r} is not among those assessed ('fairness.metrics')", ", ".join(assessed)
        return
    definition, groups = METRICS[metric], [name for name in assessed if not METRICS[name].individual]
    if task not in definition.tasks:
        yield decides, f"the metric {metric!r} does not fit {task}", list_metrics(task)
    if definition.individual:
        yield decides, f"the metric {metric!r} compares individuals and not groups", ", ".join(groups)
    if request.kind is not None and request.kind not in definition.kinds:
        yield (
            "mitigation.kind",
            f"the metric {metric!r} is not expressed as {request.kind}",
            ", ".join(definition.kinds),
        )
    if request.sensitive_column not in columns:
        problem = f"no grouping by {request.sensitive_column!r} is assessed ('fairness.groupings')"
        yield "mitigation.sensitive_column", problem, ", ".join(columns)
    if performance not in LARGER_IS_BETTER:
        problem = f"models cannot be held against each other by {performance!r}"
        yield "mitigation.performance", problem, ", ".join(figures)
    elif performance not in figures:
        yield "mitigation.performance", f"{performance} is no figure of a {task}", ", ".join(figures)
    if not set(request.guards or ()) <= set(LARGER_IS_BETTER):
        yield "mitigation.performance", f"a guard is none of {', '.join(LARGER_IS_BETTER)}", ""
    if request.tolerance < 0:
        yield "mitigation.tolerance", "the tolerance is below zero", ""


def _check_names(request: ComparisonRequest) -> list[str]:
    names = [one.name or one.method for one in request.methods]
    every = pd.Series([UNMITIGATED, YARDSTICK, *request.alternatives, *names])
    if every.duplicated().any():
        twice = every[every.duplicated()].iloc[0]
        raise MitigationError(
            f"Two models of the comparison have the name {twice!r}.",
            where="parameters.yml, mitigation.methods and mitigation.alternatives",
            remedy="give each configured method and alternative a 'name' of its own",
        )
    return names
