"""How a stage makes its nodes."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any

from kedro.pipeline import node
from kedro.pipeline.node import Node


def make_node(
    function: Callable[..., Any],
    outputs: str | list[str] | None,
    measured_as: str = "",
    *,
    name: str = "",
    **datasets: str,
) -> Node:
    """Make a node of the function's name, whose arguments are the datasets of the same name.

    ``datasets`` has the exceptions; ``measured_as`` is the task as which the carbon hook measures it, if it does.
    """
    inputs = {argument: datasets.get(argument, argument) for argument in signature(function).parameters}
    tags = [f"carbon.{measured_as}"] if measured_as else None
    return node(function, inputs=inputs, outputs=outputs, name=name or function.__name__, tags=tags)
