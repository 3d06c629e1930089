"""The configuration of every environment, as Kedro resolves it, and a copy to break."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kedro.config import OmegaConfigLoader
from kedro.framework.session.session import KedroSession
from kedro.framework.startup import bootstrap_project

from rai_kedro.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).resolve().parents[2]
Load = Callable[..., OmegaConfigLoader]


@pytest.fixture
def conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the configuration in a project of its own, which is the working directory."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "conf" / "local").mkdir(exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "conf"


@pytest.fixture
def load(conf: Path) -> Load:
    """Open the configuration of an environment with the project's own settings, or with others."""

    def open_environment(environment: str, **changes: object) -> OmegaConfigLoader:
        return OmegaConfigLoader(conf_source=str(conf), env=environment, **{**CONFIG_LOADER_ARGS, **changes})

    return open_environment


@pytest.fixture
def project(tmp_path: Path, new_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of its own, which is the working directory, and the contract of another author beside it."""
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    # The package is the installed one; Kedro asks for the folder.
    (tmp_path / "src").mkdir()
    for path in (ROOT / "pyproject.toml", ROOT / "README.md", new_database):
        shutil.copy(path, tmp_path)
    copy = tmp_path / "evil" / "housing" / "catalog.yml"
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / "conf/base/housing/catalog.yml", copy)
    monkeypatch.chdir(tmp_path)
    bootstrap_project(tmp_path)
    return tmp_path


def open_catalog(project: Path, **options: Any) -> Any:
    """Open the catalogue as a run does."""
    with KedroSession.create(project, **options) as session:
        return session.load_context().catalog  # type: ignore[attr-defined]
