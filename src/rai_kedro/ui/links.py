"""The addresses at which each use case is found in a viewer; the viewer that runs is asked for what it has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rai_kedro.contract import find_use_cases
from rai_kedro.ui.processes import read
from rai_kedro.ui.viewers import Viewer


def list_links(viewer: Viewer, project: Path) -> list[tuple[str, str]]:
    """Return what can be opened in a viewer, by name, with its address; nothing where nothing is there yet."""
    return sorted(_LINKS[viewer.name](viewer.url, project))


def _experiments(url: str, _: Path) -> Iterator[tuple[str, str]]:
    for one in _ask(f"{url}/api/2.0/mlflow/experiments/search?max_results=100").get("experiments", []):
        if one["experiment_id"] != "0":  # MLflow's own, which is always there
            yield one["name"], f"{url}/#/experiments/{one['experiment_id']}/runs"


def _projects(url: str, _: Path) -> Iterator[tuple[str, str]]:
    for one in _ask(f"{url}/api/projects/"):
        yield one["name"], f"{url}/projects/{one['id']}"


def _graphs(url: str, project: Path) -> Iterator[tuple[str, str]]:
    for use_case in find_use_cases(project / "conf" / "base"):
        yield use_case, f"{url}/?pid={quote(use_case)}"


_LINKS: dict[str, Callable[[str, Path], Iterator[tuple[str, str]]]] = {
    "MLflow": _experiments,
    "Evidently": _projects,
    "Kedro-Viz": _graphs,
}


def _ask(url: str) -> Any:
    return json.loads(read(url) or b"{}")
