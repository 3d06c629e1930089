"""The command ``python -m rai_kedro.ui [--mlflow-port 5000] [--evidently-port 8000] [--viz-port 4141]``."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import NoReturn

import click
from kedro.utils import find_kedro_project

from rai_kedro.errors import RaiError
from rai_kedro.ui.links import list_links
from rai_kedro.ui.processes import ViewerError, running
from rai_kedro.ui.viewers import list_viewers

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
            click.echo(f"{name:<10} {page.as_uri() if page.is_file() else 'none yet: make run'}")
        click.echo("Ctrl-C stops them all.")
        while True:
            check()
            time.sleep(1)


@click.command()
@click.option("--mlflow-port", type=int, default=5000, show_default=True)
@click.option("--evidently-port", type=int, default=8000, show_default=True)
@click.option("--viz-port", type=int, default=4141, show_default=True)
def main(**ports: int) -> None:
    """Start MLflow, Evidently and Kedro-Viz, and keep them until Ctrl-C."""
    for sent in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sent, signal.default_int_handler)
    try:
        project = find_kedro_project(Path.cwd())
        if project is None:
            raise ViewerError("This is not the folder of the project.", where=str(Path.cwd()), remedy="cd to it")
        if not (project / "mlflow.db").exists():
            click.echo("There is nothing to look at yet but the pipelines; `make run` makes the rest.")
        _watch(project, **ports)
    except KeyboardInterrupt:
        click.echo("\nAll stopped.")
    except RaiError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m rai_kedro.ui")
