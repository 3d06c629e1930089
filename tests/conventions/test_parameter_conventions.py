"""Parameters: typed in every environment, and a misspelt key is refused."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.pipeline.node import Node
from pydantic import BaseModel, ValidationError

from rai_kedro.pipeline_registry import register_pipelines

ENVIRONMENTS = ("base", "local", "test", "prod")
GROUPS = ("simulation", "training", "fairness", "mitigation", "monitoring", "policy", "statements", "proxies")
USE_CASES = ("housing", "hospital")
Load = Callable[..., OmegaConfigLoader]


def parameter_inputs(node: Node) -> Iterator[tuple[str, Any]]:
    """Yield name and annotation of each parameter that a node takes."""
    hints = typing.get_type_hints(node.func)
    names = [name for name in hints if name != "return"]
    for name, source in zip(names, node.inputs, strict=True):
        if source.startswith("params:"):
            yield source.removeprefix("params:"), hints[name]


def models(use_case: str = "housing") -> dict[str, type[BaseModel]]:
    """Return the type of each parameter group of a use case, as the nodes declare it."""
    nodes = {node for stage in register_pipelines().values() for node in stage.nodes}
    found = {source: hint for node in nodes for source, hint in parameter_inputs(node)}
    return {
        source: hint for source, hint in found.items() if source.count(".") == 1 and source.startswith(f"{use_case}.")
    }


def test_every_group_is_typed_and_closed() -> None:
    types = models()

    assert set(types) == {f"housing.{group}" for group in GROUPS}
    for name, model in types.items():
        assert issubclass(model, BaseModel), name
        assert model.model_config.get("extra") == "forbid", name
        assert model.model_config.get("frozen"), name


@pytest.mark.parametrize("use_case", USE_CASES)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_parameters_of_every_environment_are_valid(environment: str, use_case: str, load: Load) -> None:
    parameters = load(environment)["parameters"][use_case]

    assert set(parameters) == set(GROUPS)
    for name, model in models(use_case).items():
        model.model_validate(parameters[name.partition(".")[2]])


@pytest.mark.parametrize("group", GROUPS)
def test_a_misspelt_key_is_refused(group: str, load: Load) -> None:
    values = load("base")["parameters"]["housing"][group]
    name, value = next(iter(values.items()))
    misspelt = {**{key: kept for key, kept in values.items() if key != name}, f"{name}s": value}

    with pytest.raises(ValidationError, match=rf"{name}s\n +Extra inputs are not permitted"):
        models()[f"housing.{group}"].model_validate(misspelt)


@pytest.mark.parametrize(
    ("group", "path"), [("training", ("estimator",)), ("monitoring", ("policy", "drift")), ("simulation", ("drift", 0))]
)
def test_a_misspelt_key_further_down_is_refused(group: str, path: tuple[Any, ...], load: Load) -> None:
    values = load("base")["parameters"]["housing"][group]
    inner = values
    for step in path:
        inner = inner[step]
    inner["misspelt"] = 1

    with pytest.raises(ValidationError, match=r"misspelt\n +Extra inputs are not permitted"):
        models()[f"housing.{group}"].model_validate(values)


FLOORS: list[tuple[str, tuple[Any, ...], Any]] = [
    ("fairness", ("level",), 0.79),
    ("fairness", ("tolerances",), [{"metric": "statistical_parity", "kind": "ratio", "limit": 0.49}]),
    ("training", ("interval_level",), 0.79),
    ("monitoring", ("policy", "error_rate"), 0.21),
    ("policy", ("approval", "lasts_days"), 731),
]


@pytest.mark.parametrize(("group", "path", "value"), FLOORS)
def test_nobody_goes_under_a_floor_and_the_error_names_the_key(
    group: str, path: tuple[Any, ...], value: Any, load: Load
) -> None:
    values = load("base")["parameters"]["hospital"][group]
    inner = values
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value

    with pytest.raises(ValidationError) as refused:
        models("hospital")[f"hospital.{group}"].model_validate(values)
    assert refused.value.errors()[0]["loc"][: len(path)] == path
