"""The command ``python -m rai_kedro.ui [--mlflow-port 5000] [--evidently-port 8000] [--viz-port 4141]``."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

import click

from rai_kedro.contract import find_use_cases
from rai_kedro.ui.processes import in_project, read, running
from rai_kedro.ui.viewers import Viewer, list_viewers

_PAGES = {"Review": "data/08_reporting/review.html", "Pages": "data/08_reporting/index.html"}


def _watch(project: Path, **ports: int) -> NoReturn:
    viewers = list_viewers(**ports)
    click.echo(f"Starting {', '.join(viewer.name for viewer in viewers)}; this takes some seconds.")
    with running(viewers, project) as check:
        for viewer in viewers:
            click.echo(f"{viewer.name:<10} {viewer.url:<24} {viewer.shows}")
            for name, address in list_links(viewer, project):
                click.echo(f"  {name:<24} {address}")
        for name, place in _PAGES.items():
            page = project / place
            click.echo(f"{name:<10} {page.as_uri() if page.is_file() else 'none yet'}")
        click.echo("Ctrl-C stops them all.")
        while True:
            check()
            time.sleep(1)


def list_links(viewer: Viewer, project: Path) -> list[tuple[str, str]]:
    """Ask a viewer that runs what can be opened in it: names with addresses, none where nothing is there yet."""
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


@click.command()
@click.option("--mlflow-port", type=int, default=5000, show_default=True)
@click.option("--evidently-port", type=int, default=8000, show_default=True)
@click.option("--viz-port", type=int, default=4141, show_default=True)
def main(**ports: int) -> None:
    """Start MLflow, Evidently and Kedro-Viz, and keep them until Ctrl-C."""
    with in_project("All stopped.") as project:
        if not (project / "mlflow.db").exists():
            click.echo("There is nothing to look at yet but the pipelines; `kedro run` makes the rest.")
        _watch(project, **ports)


if __name__ == "__main__":
    main(prog_name="python -m rai_kedro.ui")
