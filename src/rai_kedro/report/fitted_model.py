"""What a fitted model is made of: read from the model itself, since what was configured need not be what was chosen."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from importlib import import_module
from itertools import takewhile
from typing import Any

from pydantic import JsonValue

from rai_kedro.report.card import Estimator, Wrapper

_WRAPPERS = ("rai_kedro.mitigation.", "rai_kedro.modelling.balanced.")
_PIPELINE = "sklearn.pipeline.Pipeline"
_LONGEST = 200


def describe_fitted(model: Any) -> Estimator:
    """Describe a fitted model: the estimator within, and what stands around it.

    A pipeline, a mitigation of this project and scikit-learn's frozen estimator are opened; any other class is the
    estimator itself, whatever it holds.

    Returns:
        Class and parameters of the innermost estimator, those that differ from its defaults, and the wrappers.
    """
    wrappers: list[Wrapper] = []
    while True:
        path, inner = _class_path(model), None
        if path == _PIPELINE:
            wrappers.append(Wrapper(class_path=path, params={"steps": _list_steps(model)}))
            inner = model.steps[-1][1]
        elif path == "sklearn.frozen.FrozenEstimator":
            inner = model.estimator
        elif path.startswith(_WRAPPERS):
            # Some keep several fitted copies in place of one; what they were made from says the class all the same.
            inner = getattr(model, "estimator_", model.estimator)
            told = {name: value for name, value in _parameters(model).items() if name != "estimator"}
            params = {name: _plain(value) for name, value in told.items() if value is not None}
            wrappers.append(Wrapper(class_path=path, params=params))
        if inner is None:
            return Estimator(class_path=path, params=_set_parameters(model), wrappers=tuple(wrappers))
        model = inner


def _class_path(model: Any) -> str:
    """Return the path a person imports the class by: without private modules where it is found there, too."""
    kind, parts = type(model), type(model).__module__.split(".")
    public = list(takewhile(lambda part: not part.startswith("_"), parts))
    found = getattr(import_module(".".join(public)), kind.__qualname__, None) if public else None
    return f"{'.'.join(public) if found is kind else kind.__module__}.{kind.__qualname__}"


def _list_steps(pipeline: Any) -> list[JsonValue]:
    """Return the classes of all steps before the last, those of pipelines within one by one."""
    steps: list[JsonValue] = []
    for _, step in pipeline.steps[:-1]:
        if _class_path(step) == _PIPELINE:
            steps += [*_list_steps(step), _class_path(step.steps[-1][1])]
        else:
            steps.append(_class_path(step))
    return steps


def _parameters(model: Any) -> dict[str, Any]:
    return dict(model.get_params(deep=False)) if hasattr(model, "get_params") else {}


def _set_parameters(model: Any) -> dict[str, JsonValue]:
    """Return the parameters that differ from the defaults of the class."""
    defaults = {name: one.default for name, one in inspect.signature(type(model)).parameters.items()}
    told = {name: _plain(value) for name, value in _parameters(model).items()}
    return {name: value for name, value in told.items() if value != _plain(defaults.get(name, inspect.Parameter.empty))}


def _plain(value: Any) -> JsonValue:
    """Return a value that JSON can hold; what it cannot hold in words, cut where it is long."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    return repr(value)[:_LONGEST]
