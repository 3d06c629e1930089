"""``kedro rai init``: a project of one's own that has rai_kedro as a library, without its code."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import click

from rai_kedro import __version__
from rai_kedro.commands.draft_files import render
from rai_kedro.commands.terminal import show
from rai_kedro.errors import RaiError
from rai_kedro.files import shipped_folder, staging_folder, write_text

# The configuration that every project begins with. It lies in this repository once, and the wheel carries it.
_CONF = (
    "base/catalog.yml",
    "base/globals.yml",
    "base/mlflow.yml",
    "base/reviewers.yml",
    "test/globals.yml",
    "prod/globals.yml",
    "spark/globals.yml",
    "logging.yml",
)
_LAYERS = ("01_raw", "02_intermediate", "03_primary", "06_models", "07_model_output", "08_reporting")
_KEPT = ("conf/local", "src", *(f"data/{layer}" for layer in _LAYERS))
_WRITTEN = {
    "README.md": "README.md.j2",
    "pyproject.toml": "pyproject.toml.j2",
    "requirements.txt": "requirements.txt.j2",
    ".gitignore": "gitignore.j2",
}
_SHOWN = 5


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
def command(folder: Path) -> None:
    """Make a project of your own in DIR; rai_kedro is its library."""
    make_project(folder.absolute())
    go = "" if folder.resolve() == Path.cwd() else f'  cd "{folder}"\n'
    show(
        f"A project is in {folder.absolute()}: configuration in conf, data and reports in data; README.md says more."
        f"\n\nNext:\n{go}  kedro rai new-use-case loans --data FILE --target COLUMN\n  kedro run --pipelines loans"
    )


def make_project(folder: Path) -> None:
    """Make a project in a folder that is absent or empty, whole or not at all.

    Raises:
        RaiError: If there is something in the folder already, or it cannot be written.
    """
    remedy = "name a folder that is not there yet, or an empty one, where you may write"
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        there = sorted(one.name for one in folder.iterdir()) if folder.is_dir() else ["it is a file"]
        what, example = "There is something here already; it is left as it is.", ", ".join(there[:_SHOWN])
        raise RaiError(what, where=str(folder), example=example, remedy=remedy)
    try:
        with staging_folder(folder, "project") as staged:
            made = staged / "made"
            _write(made, folder.name)
            if folder.is_dir():  # somebody may stand in it: what comes goes in, and the folder stays
                for one in sorted(made.iterdir()):
                    os.replace(one, folder / one.name)
            else:
                os.replace(made, folder)
    except OSError as error:
        what = "The project cannot be made."
        raise RaiError(what, where=str(folder), example=str(error.strerror), remedy=remedy) from error


def _write(made: Path, name: str) -> None:
    from kedro import __version__ as kedro_version

    for file in _CONF:
        target = made / "conf" / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shipped_folder() / "conf" / file, target)
    for empty in _KEPT:
        (made / empty).mkdir(parents=True, exist_ok=True)
        (made / empty / ".gitkeep").touch()
    values = {
        "name": name,
        "quoted": json.dumps(name, ensure_ascii=False),
        "version": __version__,
        "kedro_version": kedro_version,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
    }
    for file, template in _WRITTEN.items():
        write_text(made / file, render(f"project/{template}", **values))
    write_text(made / ".telemetry", "consent: false\n")
