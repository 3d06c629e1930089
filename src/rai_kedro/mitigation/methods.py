"""The mitigation methods of this project by name: what each is, whether it applies, and how it is built.

What a method serves and needs stands in ``questionnaire/mapping.yml``; here is the code that does it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final, Literal, get_type_hints

from rai_kedro.fairness.metrics import Task
from rai_kedro.mitigation.sensitive import Column, MitigationError
from rai_kedro.questionnaire.mapping import Stage, load_mapping

# Where each method is built, as ``module:callable``, called with ``estimator``, ``sensitive_column`` and parameters.
_BUILDERS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = {
    "reweighing": ("reweighing:Reweighing", {}),
    "uniform_resampling": ("resampling:Resampling", {"kind": "uniform"}),
    "preferential_resampling": ("resampling:Resampling", {"kind": "preferential"}),
    "disparate_impact_removal": ("disparate_impact:DisparateImpactModel", {}),
    "correlation_removal": ("correlation:CorrelationRemovalModel", {}),
    "exponentiated_gradient": ("reductions:ExponentiatedGradientModel", {}),
    "grid_search": ("reductions:GridSearchModel", {}),
    "bounded_group_loss": ("reductions:BoundedGroupLossModel", {}),
    "threshold_optimisation": ("thresholds:ThresholdOptimisation", {}),
    "group_calibration": ("calibration:GroupCalibration", {}),
}


@dataclass(frozen=True)
class MethodDefinition:
    """What a method is.

    Attributes:
        name: Canonical name.
        stage: ``pre``, ``in`` or ``post``.
        tasks: Tasks it works for.
        needs_sensitive_at_prediction: Whether every prediction needs the sensitive column.
        needs_of_model: ``sample_weight``: the model's fit takes weights; ``scores``: it gives probabilities.
        serves: Metrics it serves, each with the constraint to ask for (None if there is nothing to choose).
        source: Where it is published.
        builder: ``module:callable`` in this room.
        fixed: Parameters that make the builder this method.
    """

    name: str
    stage: Stage
    tasks: tuple[Task, ...]
    needs_sensitive_at_prediction: bool
    needs_of_model: tuple[Literal["sample_weight", "scores"], ...]
    serves: Mapping[str, str | None]
    source: str
    builder: str
    fixed: Mapping[str, Any] = field(default_factory=dict)


def _define(name: str) -> MethodDefinition:
    mapped = load_mapping().methods[name]
    builder, fixed = _BUILDERS[name]
    return MethodDefinition(
        name=name,
        stage=mapped.stage,
        tasks=mapped.tasks,
        needs_sensitive_at_prediction="sensitive" in mapped.needs_at_prediction,
        needs_of_model=mapped.needs_of_model,
        serves={service.metric: service.constraint for service in mapped.serves},
        source=mapped.source,
        builder=f"{__package__}.{builder}",
        fixed=fixed,
    )


METHODS: Final[Mapping[str, MethodDefinition]] = {name: _define(name) for name in _BUILDERS}


def find_method(name: str) -> MethodDefinition:
    """Return a method by its canonical name.

    Raises:
        MitigationError: There is none.
    """
    if name not in METHODS:
        near = get_close_matches(name, METHODS, n=1)
        raise MitigationError(
            f"There is no mitigation method {name!r}.",
            where="parameters.yml, mitigation.methods",
            example=f"there are: {', '.join(METHODS)}",
            remedy=f"did you mean {near[0]!r}?" if near else "write the name as it stands there",
        )
    return METHODS[name]


def applicable(
    name: str, task: Task, model: Any, *, permitted: bool, metric: str | None = None
) -> MitigationError | None:
    """Say whether a method can be used.

    Args:
        name: Canonical name of the method.
        task: Task at hand.
        model: The estimator to be mitigated.
        permitted: Whether the contract lets the sensitive column into predictions (``use: mitigation``).
        metric: Metric to be served, if it matters.

    Returns:
        None if it can, else the error that says why not.

    Raises:
        MitigationError: There is no such method.
    """
    method = find_method(name)
    if task not in method.tasks:
        return MitigationError(
            f"The method {name} is for {' and '.join(method.tasks)}, not for {task}.",
            remedy=f"choose a method for {task}: {_list_methods(task)}",
        )
    if metric is not None and metric not in method.serves:
        return MitigationError(
            f"The method {name} does not serve the metric {metric!r}.",
            example=f"it serves: {', '.join(method.serves)}",
            remedy="choose a method that serves it: "
            + (", ".join(other for other, one in METHODS.items() if metric in one.serves) or "there is none"),
        )
    if method.needs_sensitive_at_prediction and not permitted:
        return MitigationError(
            f"The method {name} needs the sensitive column for every prediction, which the contract does not permit.",
            where="the column's 'use' in the catalogue",
            remedy="give the column 'use: mitigation' with a justification, or choose a method without this need: "
            + _list_methods(task, permitted=False),
        )
    return _check_model(method, model)


def build_mitigated(
    name: str,
    base_estimator: Any,
    parameters: Mapping[str, Any],
    sensitive_column: Column,
    *,
    permitted: bool = False,
) -> Any:
    """Make an unfitted mitigated model.

    Args:
        name: Canonical name of the method.
        base_estimator: The estimator to mitigate; a fitted one in ``sklearn.frozen.FrozenEstimator`` is
            post-processed as it is.
        parameters: Parameters of the method, see its class.
        sensitive_column: Name of the sensitive column.
        permitted: Whether the contract lets that column into predictions.

    Returns:
        Estimator with ``fit(X, y, sensitive=...)``, ``predict(X)`` and, for classification, ``predict_proba(X)``.

    Raises:
        MitigationError: The method does not exist, does not apply, or does not take the parameters.
    """
    from sklearn.base import is_regressor

    task: Task = "regression" if is_regressor(base_estimator) else "classification"
    if (refusal := applicable(name, task, base_estimator, permitted=permitted)) is not None:
        raise refusal
    method = METHODS[name]
    module, _, attribute = method.builder.partition(":")
    build = getattr(import_module(module), attribute)
    taken = set(inspect.signature(build).parameters) - {"estimator", "sensitive_column", *method.fixed}
    if unknown := sorted(set(parameters) - taken):
        raise MitigationError(
            f"The method {name} does not take these parameters.",
            where=f"parameters.yml, mitigation.methods, parameters of {name}",
            how_many=f"{len(unknown)} of {len(parameters)}",
            example=", ".join(unknown),
            remedy=f"it takes: {', '.join(sorted(taken))}",
        )
    _check_values(name, build, parameters)
    return build(estimator=base_estimator, sensitive_column=sensitive_column, **method.fixed, **parameters)


def _check_values(name: str, build: Any, parameters: Mapping[str, Any]) -> None:
    """Refuse a value that is not of the type that the method's class declares, such as a text for a number."""
    from pydantic import ConfigDict, TypeAdapter, ValidationError

    hints = get_type_hints(build.__init__)
    for key, value in parameters.items():
        try:
            TypeAdapter(hints[key], config=ConfigDict(strict=True)).validate_python(value)
        except ValidationError as error:
            raise MitigationError(
                f"The method {name} cannot use {value!r} here.",
                where=f"parameters.yml, mitigation.methods, parameters of {name}, {key}",
                example=error.errors()[0]["msg"],
                remedy="give a value of that kind, or leave the parameter out to get its default",
            ) from None


def _check_model(method: MethodDefinition, model: Any) -> MitigationError | None:
    from rai_kedro.mitigation.reweighing import find_weight_argument

    if "scores" in method.needs_of_model and not hasattr(model, "predict_proba"):
        return MitigationError(
            f"The method {method.name} needs a model that gives probabilities, and {_name_model(model)} does not.",
            remedy="choose a classifier with predict_proba, or another method",
        )
    if "sample_weight" in method.needs_of_model:
        try:
            find_weight_argument(model)
        except MitigationError as refusal:
            return refusal
    return None


def _name_model(model: Any) -> str:
    """Return the class of a model; of a Pipeline that of its last step, which is what somebody configured."""
    from rai_kedro.modelling.balanced import find_last

    return type(find_last(model)).__name__


def _list_methods(task: Task, *, permitted: bool = True) -> str:
    serving = [one for one in METHODS.values() if task in one.tasks]
    return ", ".join(one.name for one in serving if permitted or not one.needs_sensitive_at_prediction)
