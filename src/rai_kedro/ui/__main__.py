"""The command ``python -m rai_kedro.ui [--mlflow-port 5000] [--evidently-port 8000] [--viz-port 4141]``."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

import click
from kedro.utils import find_kedro_project

from rai_kedro.errors import RaiError
from rai_kedro.ui.processes import ViewerError, running
from rai_kedro.ui.viewers import Viewer, list_viewers


def watch(viewers: Sequence[Viewer], project: Path) -> NoReturn:
    """Run viewers until this process is interrupted or one of them ends."""
    click.echo(f"Starting {', '.join(viewer.name for viewer in viewers)}; this takes some seconds.")
    with running(viewers, project) as check:
        for viewer in viewers:
            click.echo(f"{viewer.name:<10} {viewer.url:<24} {viewer.shows}")
        click.echo("Ctrl-C stops them all.")
        while True:
            check()
            time.sleep(1)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _parse(arguments: Sequence[str] | None) -> list[Viewer]:
    parser = argparse.ArgumentParser(prog="python -m rai_kedro.ui")
    parser.add_argument("--mlflow-port", type=int, default=5000)
    parser.add_argument("--evidently-port", type=int, default=8000)
    parser.add_argument("--viz-port", type=int, default=4141)
    return list_viewers(**vars(parser.parse_args(arguments)))


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the viewers, keep them until Ctrl-C, and return the exit code."""
    viewers = _parse(arguments)
    for sent in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(sent, _interrupt)
    try:
        project = find_kedro_project(Path.cwd())
        if project is None:
            raise ViewerError("This is not the folder of the project.", where=str(Path.cwd()), remedy="cd to it")
        if not (project / "mlflow.db").exists():
            click.echo("There is nothing to look at yet but the pipelines; `make run` makes the rest.")
        watch(viewers, project)
    except KeyboardInterrupt:
        click.echo("\nAll stopped.")
        return 0
    except RaiError as error:
        click.echo(str(error), err=True)
        return 1


if __name__ == "__main__":
    sys.exit(main())
