"""Which project is meant, wherever a process stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from rai_kedro import files


def make_project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[tool.kedro]\n")
    return folder


def test_the_project_around_the_working_directory_comes_first_then_the_one_that_was_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_opened", [])
    opened, around = make_project(tmp_path / "opened"), make_project(tmp_path / "around")
    (around / "below").mkdir()
    monkeypatch.chdir(tmp_path)
    assert files.project_folder() == tmp_path
    files.remember_project(opened)
    assert files.project_folder() == opened
    monkeypatch.chdir(around / "below")
    assert files.project_folder() == around
