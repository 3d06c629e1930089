"""Where a command works: the project's folder, from wherever in it, and wherever it was moved or copied."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_REVIEW = ("--version", "2", "--reviewer", "R. Viewer", "--statement", "read", "--accept-risk", "teaching data")


def list_files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_run_from_a_subfolder_belongs_to_the_project(approved: Any, copy_of: Callable[[Any], Any]) -> None:
    project = copy_of(approved)
    card = project.reports / "model_card_v1.md"
    before = card.read_bytes()
    below = project.root / "notebooks" / "deep"
    below.mkdir(parents=True)

    trained = project.kedro("run", "--pipelines", "training", folder="notebooks/deep")
    status = project.kedro("rai", "status", folder="notebooks/deep")
    monitored = project.kedro("run", "--pipelines", "monitoring", folder="notebooks/deep")
    decided = project.kedro("rai", "approve", *_REVIEW, folder="notebooks/deep")

    assert trained.code == status.code == decided.code == 0, trained.output + status.output + decided.output
    assert monitored.code == 0, monitored.output
    assert list(below.iterdir()) == []
    assert card.read_bytes() == before
    assert "2 [candidate]" in status.output
    # The decision on version 2 is shown on its card on disk, too.
    assert "Status: approved by R. Viewer" in (project.reports / "model_card_v2.md").read_text(encoding="utf-8")


def test_the_card_of_a_decided_version_outlives_its_database(
    approved: Any, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(approved)
    project.database.unlink()
    card = project.reports / "model_card_v1.md"
    before = card.read_bytes()

    error = assert_one_screen(project.kedro("run", "--pipelines", "training"))

    assert "a decision was made on it" in error
    assert card.read_bytes() == before


def test_a_copy_works_and_never_writes_into_its_original(
    approved: Any, copy_of: Callable[[Any], Any], tmp_path: Path
) -> None:
    original = copy_of(approved)
    original.succeed("rai", "verify")
    files = list_files(original.root)
    copy = original.copy_to(tmp_path / "a copy")

    verified = copy.succeed("rai", "verify")
    copy.succeed("run", "--pipelines", "training,monitoring")

    assert "artifact places now point to" in verified.output
    assert list_files(original.root) == files
    with closing(sqlite3.connect(copy.database)) as connection:
        places = [place for (place,) in connection.execute("SELECT artifact_uri FROM runs")]
    assert places
    assert all(place.startswith(str(copy.root)) for place in places)


def test_a_moved_project_just_works(approved: Any, copy_of: Callable[[Any], Any], tmp_path: Path) -> None:
    project = copy_of(approved)
    project.succeed("rai", "verify")
    moved = type(project)(tmp_path / "moved", project.commands)
    shutil.move(project.root, moved.root)

    moved.succeed("run", "--pipelines", "training,monitoring")
    moved.succeed("rai", "verify")

    assert not project.root.exists()
