"""Parameters as MLflow shows them: one for each leaf of the YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from kedro.framework.hooks import hook_impl
from pydantic import BaseModel

_PREFIX = "params:"
# MLflow's limits: characters of a name, longest value, most parameters in one request.
_NAME = re.compile(r"[^/\w.\- :]")
_LONGEST = 6_000
_AT_ONCE = 100


class RunParametersHook:
    """Logs typed parameters leaf by leaf, each section once in a run.

    kedro-mlflow logs what nodes are handed, at every node anew: of a typed section that would be its ``repr`` in one
    line. What it is shown here of such a section is an empty mapping, which it logs as nothing.
    """

    def __init__(self) -> None:
        self._logged: set[str] = set()

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Forget what the last run logged."""
        self._logged.clear()

    @hook_impl(hookwrapper=True)
    def before_node_run(self, inputs: dict[str, Any]) -> Iterator[None]:
        """Hide typed sections from kedro-mlflow, and log the leaves of those that are new in this run."""
        typed = {name: one for name, one in inputs.items() if name.startswith(_PREFIX) and isinstance(one, BaseModel)}
        # Kedro hands hooks a copy: the node gets its section whatever happens here.
        inputs.update({name: {} for name in typed})
        yield
        inputs.update(typed)
        new = {name: one for name, one in typed.items() if name not in self._logged}
        if new:
            self._log(new)

    def _log(self, sections: Mapping[str, BaseModel]) -> None:
        import mlflow

        if mlflow.active_run() is None:
            return
        leaves = [leaf for name, one in sections.items() for leaf in list_leaves(name.removeprefix(_PREFIX), one)]
        for start in range(0, len(leaves), _AT_ONCE):
            mlflow.log_params(dict(leaves[start : start + _AT_ONCE]))
        self._logged.update(sections)


def list_leaves(name: str, section: BaseModel) -> list[tuple[str, str]]:
    """Return every leaf of a section under the key it has in the YAML, in a form that MLflow takes."""
    leaves = _flatten(name, section.model_dump(mode="json", by_alias=True))
    return [(_NAME.sub("_", path), str(value)[:_LONGEST]) for path, value in leaves]


def _flatten(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list) and any(isinstance(one, dict) for one in value):
        value = dict(enumerate(value))
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from _flatten(f"{path}.{key}", one)
    else:
        yield path, value
