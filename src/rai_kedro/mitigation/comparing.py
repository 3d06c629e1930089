"""The comparison of mitigations: every model fitted on the same training rows and compared on the same test rows.

Beside the unmitigated model and every configured method there is always the post-processed best unmitigated model,
which traces the frontier (A. F. Cruz and M. Hardt, "Unprocessing seven years of algorithmic fairness", ICLR 2024). It
needs the sensitive column for every prediction; where that is not permitted, it is there for the view only.

Chosen is by ``RULE``. The unmitigated model itself counts, so that a mitigation is chosen only if it is shown to be
fairer; one that leaves a group without a figure does not count. With equal ends the better performance decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import ConfigDict
from pydantic.dataclasses import dataclass as pydantic_dataclass

from rai_kedro.fairness import METRICS, DisparityKind, FairnessSpec, Task, list_metrics
from rai_kedro.intervals import part_level
from rai_kedro.mitigation import fitting
from rai_kedro.mitigation.compared import (
    POST_PROCESSED,
    RULE,
    UNMITIGATED,
    Comparator,
    ComparedModel,
    Comparison,
    Effect,
)
from rai_kedro.mitigation.evaluation import evaluate_models
from rai_kedro.mitigation.methods import find_task, make_method
from rai_kedro.mitigation.repeats import FEWEST_SPLITS, Repeats, measure_effects
from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.performance import COMPARABLE
from rai_kedro.words import format_gain

_MUST_HOLD = (
    "A mitigation counts only if it is shown to be fairer over many splits (the lower end of its mean effect on the "
    "disparity is above zero, for all of them at once)."
)


@pydantic_dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class ConfiguredMethod:
    """A method to compare.

    Attributes:
        method: Name of the method.
        parameters: What it is made with; a constraint that serves the metric is filled in.
        name: A name of its own, needed where one method stands twice.
    """

    method: str
    parameters: dict[str, Any] = field(default_factory=dict)
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
    repeats: Repeats = field(default_factory=Repeats)

    @property
    def task(self) -> Task:
        """Task of the model."""
        return find_task(self.estimator)

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
        parameters = {**fitting.find_constraint(one.method, metric), **one.parameters}
        make_method(one.method, request.estimator, parameters, request.sensitive_column)
    kind = request.kind or METRICS[metric].kinds[0]
    ranks = task == "classification" and performance != "AUC"
    guards = request.guards if request.guards is not None else ("AUC",) * ranks
    column, tolerance = request.sensitive_column, request.tolerance
    return Comparator(
        metric=metric,
        kind=kind,
        column=column,
        performance=performance,
        tolerance=tolerance,
        guards=guards,
        splits=request.repeats.splits,
        must_hold=request.repeats.must_hold,
    )


def compare_methods(request: ComparisonRequest, train: fitting.Rows, test: fitting.Rows) -> Comparison:
    """Fit and assess the unmitigated model, every configured method, and the post-processed best unmitigated model.

    A method that is not permitted or gives no model is in the comparison with the reason.

    Raises:
        MitigationError: See :func:`check_comparison`; or the configured choice cannot be used.
    """
    from sklearn.base import clone

    by, fairness = check_comparison(request), fitting.resolve_cuts(request.fairness, train.audit)
    setting = fitting.Setting(
        clone(request.estimator), train, test, fairness, by, request.task, request.permitted, request.level
    )
    prepared = _prepare_methods(setting, request)
    if request.configured in request.names:
        require_usable([model for model, _ in prepared], request.configured)
    attempts = [fitting.fit_plain(request.estimator, train, UNMITIGATED)]
    attempts += [fitting.fit_plain(one, train, name) for name, one in request.alternatives.items()]
    attempts += [fitting.fit_attempt(one, setting) for one in prepared]
    attempts.append(fitting.fit_attempt(fitting.prepare_post_processed(setting, request.alternatives), setting))
    models = mark_frontier(evaluate_models(setting, attempts), by)
    if by.splits:
        effects = _repeat(setting, request, models)
        models = tuple(one.model_copy(update={"effects": effects.get(one.name, ())}) for one in models)
    choice = choose_model(models, by, request.configured)
    fitted = {one.name: made for one, (_, made) in zip(models, attempts, strict=True) if one.status == "fitted"}
    return Comparison(
        task=setting.task,
        by=by,
        level=fairness.level,
        rows_train=len(train.target),
        rows_test=len(test.target),
        models=models,
        chosen=choice.name,
        reason=choice.reason,
        rule=f"{RULE} {_MUST_HOLD}" if by.must_hold else RULE,
        estimators=fitted,
    )


def _prepare_methods(setting: fitting.Setting, request: ComparisonRequest) -> list[fitting.Attempt]:
    return [
        fitting.prepare_method(setting, one.method, one.parameters, name)
        for one, name in zip(request.methods, request.names, strict=True)
    ]


def _repeat(
    setting: fitting.Setting, request: ComparisonRequest, models: Sequence[ComparedModel]
) -> dict[str, tuple[Effect, ...]]:
    """Measure over further splits what each model does that can be chosen; all at once where the choice asks."""
    rivals = {one.name for one in models if one.may_be_used and one.status == "fitted"} - {UNMITIGATED}

    def prepare(split: fitting.Setting) -> list[fitting.Attempt]:
        made = _prepare_methods(split, request)
        if POST_PROCESSED in rivals:
            made.append(fitting.prepare_post_processed(split, request.alternatives))
        return [one for one in made if one[0].name in rivals]

    level = setting.fairness.level
    if request.repeats.must_hold:
        level = part_level(level, max(1, len(rivals)))
    return measure_effects(setting, prepare, request.repeats, level)


def _find_problems(
    request: ComparisonRequest, task: Task, metric: str, performance: str
) -> Iterator[tuple[str, str, str]]:
    """Yield the attribute that is wrong, what is wrong with it, and what there is instead."""
    assessed, columns = request.fairness.metrics, [grouping.name for grouping in request.fairness.groupings]
    figures = [name for name, fits in COMPARABLE.items() if fits == task]
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
    if performance not in COMPARABLE:
        yield "performance", f"models cannot be compared by {performance!r}", ", ".join(figures)
    elif performance not in figures:
        yield "performance", f"{performance} is no figure of a {task}", ", ".join(figures)
    if not set(request.guards or ()) <= set(COMPARABLE):
        yield "guards", f"a guard is none of {', '.join(COMPARABLE)}", ""
    if request.repeats.must_hold and request.repeats.splits < FEWEST_SPLITS:
        yield "must_hold", f"{request.repeats.splits} 'splits' cannot show that an improvement holds", ""
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
        require_usable([ComparedModel(name=one) for one in (UNMITIGATED, *request.names)], request.configured)


def _check_models(request: ComparisonRequest, task: Task) -> None:
    for name, estimator in {UNMITIGATED: request.estimator, **request.alternatives}.items():
        if (own := find_task(estimator)) != task:
            raise fitting.refuse_model(name, f"is for {own}, and the model is for {task}")
        if task == "classification" and not hasattr(estimator, "predict_proba"):
            raise fitting.refuse_model(name, "gives no probabilities ('predict_proba')")


class Choice(NamedTuple):
    """The chosen model and why."""

    name: str
    reason: str


def mark_frontier(models: Sequence[ComparedModel], by: Comparator) -> tuple[ComparedModel, ...]:
    """Mark the models that no other beats in performance and disparity."""
    costs = np.array([_cost(model, by) for model in models])
    beaten = [((costs <= own).all(axis=1) & (costs < own).any(axis=1)).any() for own in costs]
    on_frontier = np.isfinite(costs).all(axis=1) & ~np.array(beaten)
    return tuple(
        model.model_copy(update={"on_frontier": bool(on)}) for model, on in zip(models, on_frontier, strict=True)
    )


def choose_model(models: Sequence[ComparedModel], by: Comparator, configured: str | None = None) -> Choice:
    """Choose a model by the rule, or the configured one; the reason then says what the rule would have been."""
    ruled = _choose_by_rule(models, by)
    if configured is None:
        return ruled
    model = require_usable(models, configured)
    agreed = "The rule chooses it too." if ruled.name == configured else f"The rule would choose {ruled.name}."
    return Choice(configured, f"Configured. {agreed} {ruled.reason} {_tell_gain(model, by)}".strip())


def require_usable(models: Sequence[ComparedModel], configured: str) -> ComparedModel:
    """Return the configured model, or refuse it: it is not there, or may not be used."""
    model = next((one for one in models if one.name == configured), None)
    if model is None or not model.may_be_used:
        why = "it is not in the comparison" if model is None else model.reason or "it is there for the view only"
        there = [one.name for one in models if one.may_be_used]
        raise MitigationError(
            f"The configured choice {configured!r} cannot be used.",
            where="chosen",
            example=why,
            remedy=f"choose one of: {', '.join(there) or UNMITIGATED}; or leave the choice to the rule",
        )
    return model


def _choose_by_rule(models: Sequence[ComparedModel], by: Comparator) -> Choice:
    plain, title = models[0], METRICS[by.metric].title
    usable = [model for model in models if model.may_be_used]
    # A disparity that leaves out a group looks small: what a model does to nobody's comparison is no merit of it.
    eligible = [one for one in usable if _unassessed(one, by) <= _unassessed(plain, by) and _holds(one, by)]
    unstable = [one for one in eligible if not _is_stable(one, by)]
    eligible = [one for one in eligible if one not in unstable]
    ends = {one.name: end for one in eligible if (end := _shown(one, by)) is not None}
    if not ends:
        return Choice(UNMITIGATED, f"No interval of {title} could be made, so nothing speaks for a mitigation.")
    # Equal ends are decided by performance.
    best = min((one for one in eligible if one.name in ends), key=lambda one: (ends[one.name], *_cost(one, by)))
    side = "at least" if by.kind == "ratio" else "at most"
    others, without = "", len(usable) - len(ends) - len(unstable)
    if without:
        figures = " and ".join([by.performance, *by.guards])
        number = "one further model" if without == 1 else f"{without} further models"
        others = f" Not shown to lose at most {by.tolerance:g} of {figures}: {number}."
    if unstable:
        names = ", ".join(f"{one.name}{_tell_effect(one)}" for one in unstable)
        others += f" Not shown to be fairer over {by.splits} splits: {names}."
    told = f"The {by.kind} of {title} by {by.column} is {side} {abs(ends[best.name]):.3g}"
    if best.name == UNMITIGATED:
        return Choice(best.name, f"{told}, and no eligible mitigation is shown to be fairer.{others}")
    end = _shown(plain, by)
    against = "" if end is None else f", and {side} {abs(end):.3g} without mitigation"
    effect = f" Over further splits it is fairer{_tell_effect(best)}." if best.effects else ""
    return Choice(best.name, f"{told}{against}. {_tell_gain(best, by)}{effect}{others}")


def _tell_gain(model: ComparedModel, by: Comparator) -> str:
    told = [
        f"{gain.name} {gain.value:+.3f} [{gain.lower:+.3f}, {gain.upper:+.3f}]"
        for gain in model.gains
        if gain.lower is not None and gain.upper is not None
    ]
    if not told:
        return ""
    return f"Against the unmitigated model: {', '.join(told)}; a loss of {by.tolerance:g} is accepted."


def _tell_effect(model: ComparedModel) -> str:
    effect = model.find_effect()
    return "" if effect is None else f" in {effect.better} of {effect.n} (by {format_gain(effect)})"


def _is_stable(model: ComparedModel, by: Comparator) -> bool:
    if model.name == UNMITIGATED or not by.must_hold:
        return True
    effect = model.find_effect()
    return effect is not None and effect.lower is not None and effect.lower > 0


def _holds(model: ComparedModel, by: Comparator) -> bool:
    if model.name == UNMITIGATED:
        return True
    return bool(model.gains) and all(gain.lower is not None and gain.lower >= -by.tolerance for gain in model.gains)


def _unassessed(model: ComparedModel, by: Comparator) -> frozenset[str]:
    """Return the groups that could not be taken into the comparison."""
    disparity = model.find_disparity(by)
    return frozenset() if disparity is None else frozenset(one.partition(":")[0] for one in disparity.not_assessed)


def _shown(model: ComparedModel, by: Comparator) -> float | None:
    disparity = model.find_disparity(by)
    end = None if disparity is None else disparity.lower if by.kind == "ratio" else disparity.upper
    return None if end is None else by.disparity_cost(end)


def _cost(model: ComparedModel, by: Comparator) -> tuple[float, float]:
    """Return what a model costs in performance and in disparity; what is not known is infinite."""
    figure, disparity = model.find_performance(by), model.find_disparity(by)
    return (
        inf if figure is None or figure.value is None else by.performance_cost(figure.value),
        inf if disparity is None or disparity.value is None else by.disparity_cost(disparity.value),
    )
