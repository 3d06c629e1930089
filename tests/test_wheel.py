"""What `kedro package` makes works where it is installed, without this folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
USED = ("src", "conf", "pyproject.toml", "README.md", "LICENSE", "data/01_raw")

pytestmark = pytest.mark.slow


def run(*command: str | Path, folder: Path, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_installed_wheel_runs_the_project(tmp_path: Path) -> None:
    source = tmp_path / "source"
    for name in USED:
        target = source / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, target)
    # As `kedro package` builds it, with what is installed here instead of a download.
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path / "dist", folder=source)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        packed = set(content.namelist())
    kept = {".py", ".pyi", ".yml", ".j2", ".json", ".css"}
    expected = {path for path in (ROOT / "src").rglob("*") if path.suffix in kept}
    assert not {path.relative_to(ROOT / "src").as_posix() for path in expected} - packed

    # An environment of its own: only the libraries come from here, and no link to this folder.
    run(sys.executable, "-m", "venv", tmp_path / "venv", folder=tmp_path)
    programs = tmp_path / "venv" / "bin"
    run(programs / "python", "-m", "pip", "install", "--no-index", "--no-deps", wheel, folder=tmp_path)
    variables = {"PYTHONPATH": sysconfig.get_path("purelib"), "KEDRO_ENV": "test"}
    work = tmp_path / "work"
    with tarfile.open(tmp_path / "conf.tar.gz", "w:gz") as packed_conf:
        packed_conf.add(source / "conf", "conf", filter=lambda one: None if "/local/" in one.name else one)
    with tarfile.open(tmp_path / "conf.tar.gz") as packed_conf:
        packed_conf.extractall(work, filter="data")
    shutil.copytree(ROOT / "data" / "01_raw", work / "data" / "01_raw")

    where = run(programs / "python", "-c", "import rai_kedro; print(rai_kedro.__file__)", folder=work, **variables)
    assert str(tmp_path / "venv") in where
    assert "new-use-case" in run(programs / "rai-kedro", "rai", "--help", folder=work, **variables)
    assert "done in" in run(programs / "python", "-m", "rai_kedro", "run", folder=work, **variables)
    assert "1 [candidate]" in run(programs / "rai-kedro", "rai", "status", folder=work, **variables)
