"""The configuration of every environment, as Kedro resolves it, and a copy to break."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader

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
