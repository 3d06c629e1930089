"""The mitigation methods by name: whether each applies, and how it is built.

Everything about a method but its code stands in one entry of ``questionnaire/mapping.yml``: where it acts, what it
needs and serves, where it is published, the class that does it, and what a stored model of it holds.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from datetime import date
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Final

from rai_kedro.contract import DatasetContract, mitigation_fault
from rai_kedro.fairness import Task
from rai_kedro.mitigation.sensitive import Column, MitigationError
from rai_kedro.questionnaire import MappedMethod, ModelAtHand, load_mapping

METHODS: Final[Mapping[str, MappedMethod]] = {
    name: method for name, method in load_mapping().methods.items() if method.provided
}
"""Every mitigation that can be compared, by the name that ``mitigation.methods`` takes."""
# Post-processing of a regression, with which every comparison of regressions ends; it cannot be configured.
GROUP_ALIGNMENT: Final = "calibration:GroupAlignment"


def list_storable_types() -> tuple[str, ...]:
    """Return the import paths of the types here that a stored model may hold: numbers, texts, arrays and estimators."""
    builders = [one for method in METHODS.values() for one in (method.builder, *method.stores)]
    paths = (one.replace(":", ".") for one in (*builders, GROUP_ALIGNMENT) if one)
    return tuple(sorted({f"{__package__}.{path}" for path in paths}))


def find_method(name: str) -> MappedMethod:
    """Return a method by its canonical name."""
    if name not in METHODS:
        near = get_close_matches(name, METHODS, n=1)
        raise MitigationError(
            f"There is no mitigation method {name!r}.",
            where="methods",
            example=f"there are: {', '.join(METHODS)}",
            remedy=f"did you mean {near[0]!r}?" if near else "write the name as it stands there",
        )
    return METHODS[name]


def find_task(estimator: Any) -> Task:
    """Return the task of an estimator."""
    from sklearn.base import is_regressor

    return "regression" if is_regressor(estimator) else "classification"


def applicable(
    name: str, task: Task, model: Any, *, permitted: bool, metric: str | None = None
) -> MitigationError | None:
    """Say why a method cannot be used for a task and an unfitted model; None if it can.

    ``permitted`` means that predictions may read the sensitive column (``use: mitigation`` of a column contract).

    Raises:
        MitigationError: There is no such method.
    """
    from rai_kedro.mitigation.scoring import require_probabilities, require_weights

    method = find_method(name)
    if task not in method.tasks:
        return MitigationError(
            f"The method {name} is for {' and '.join(method.tasks)}, not for {task}.",
            remedy=f"choose a method for {task}: {_list_methods(task)}",
        )
    if metric is not None and metric not in method.constraints:
        return MitigationError(
            f"The method {name} does not serve the metric {metric!r}.",
            example=f"it serves: {', '.join(method.constraints)}",
            remedy="choose a method that serves it: "
            + (", ".join(other for other, one in METHODS.items() if metric in one.constraints) or "there is none"),
        )
    if method.needs_sensitive and not permitted:
        return MitigationError(
            f"The method {name} needs the sensitive column for every prediction, which the contract does not permit.",
            where="the column's 'use' in the catalogue",
            remedy="give the column 'use: mitigation' with a justification, or choose a method without this need: "
            + _list_methods(task, permitted=False),
        )
    checks = {"scores": require_probabilities, "sample_weight": require_weights}
    try:
        for need in method.needs_of_model:
            checks[need](model, f"the method {name} cannot work with it")
    except MitigationError as error:
        return error
    return None


def build_mitigated(
    name: str, base_estimator: Any, parameters: Mapping[str, Any], sensitive_column: Column, *, permitted: bool = False
) -> Any:
    """Make an unfitted mitigated model, its parameters checked against those of the method's class.

    A fitted estimator in ``sklearn.frozen.FrozenEstimator`` is post-processed as it is.

    Returns:
        Estimator with ``fit(X, y, sensitive=...)``, ``predict(X)`` and, for classification, ``predict_proba(X)``.

    Raises:
        MitigationError: The method does not exist, does not apply, or does not take the parameters.
    """
    if (refusal := applicable(name, find_task(base_estimator), base_estimator, permitted=permitted)) is not None:
        raise refusal
    return make_method(name, base_estimator, parameters, sensitive_column)


def make_method(name: str, base_estimator: Any, parameters: Mapping[str, Any], sensitive_column: Column) -> Any:
    """Make a method with its parameters checked, whether it applies or not; see :func:`build_mitigated`."""
    method = find_method(name)
    build = load_builder(method.builder or "")
    taken = set(inspect.signature(build).parameters) - {"estimator", "sensitive_column", *method.fixed}
    if unknown := sorted(set(parameters) - taken):
        raise MitigationError(
            f"The method {name} does not take these parameters.",
            where=f"methods, parameters of {name}",
            how_many=f"{len(unknown)} of {len(parameters)}",
            example=", ".join(unknown),
            remedy=f"it takes: {', '.join(sorted(taken))}",
        )
    model = build(estimator=base_estimator, sensitive_column=sensitive_column, **method.fixed, **parameters)
    try:
        model.check_parameters()
    except MitigationError as error:
        error.where = f"methods, parameters of {name}, {(error.where or '').removeprefix('parameter ')}"
        raise
    return model


def describe_model(estimator: Any | None, store: DatasetContract, *, on: date) -> ModelAtHand:
    """Find out what decides whether a method applies: the estimator, if there is one, and what the contract permits.

    The contract is that of the feature store; its justifications are judged as of the day ``on``.
    """
    from sklearn.base import is_classifier, is_regressor
    from sklearn.utils.validation import has_fit_parameter

    sensitive = (name for name, column in store.columns.items() if column.flags or column.use == "mitigation")
    permitted = tuple(name for name in sensitive if mitigation_fault(store, name, on=on) is None)
    if estimator is None:
        return ModelAtHand(permitted=permitted)
    return ModelAtHand(
        task="regression" if is_regressor(estimator) else "classification" if is_classifier(estimator) else None,
        takes_sample_weight=has_fit_parameter(estimator, "sample_weight"),
        gives_scores=hasattr(estimator, "predict_proba"),
        permitted=permitted,
    )


def load_builder(path: str) -> Any:
    """Return the class that does a method, by ``module:class`` in this room."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(f"{__package__}.{module}"), attribute)


def _list_methods(task: Task, *, permitted: bool = True) -> str:
    serving = ((name, one) for name, one in METHODS.items() if task in one.tasks)
    return ", ".join(name for name, one in serving if permitted or not one.needs_sensitive)
