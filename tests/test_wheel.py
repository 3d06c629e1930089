"""What `kedro package` makes works where it is installed, without this folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
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
    use_as_a_library(programs, tmp_path, variables)


def use_as_a_library(programs: Path, folder: Path, variables: dict[str, str]) -> None:
    """Make a project of one's own with the wheel alone, and work in it."""
    run(programs / "rai-kedro", "rai", "init", "a project", folder=folder, **variables)
    project, below = folder / "a project", folder / "a project" / "data" / "01_raw"
    draw = np.random.default_rng(3)
    income, size = draw.normal(40, 12, 1200).round(1), 1200
    table = {"key": range(size), "income": income, "sex": draw.choice(["m", "w"], size)}
    repaid = np.where(draw.random(size) < 1 / (1 + np.exp((40 - income) / 12)), "yes", "no")
    pd.DataFrame(table | {"repaid": repaid}).to_csv(below / "loans.csv", index=False)
    said = (
        "--target",
        "repaid",
        "--favourable",
        "yes",
        "--key",
        "key",
        "--month",
        "2024-01",
        "--accept-draft",
        "A. Person",
    )
    run(programs / "rai-kedro", "rai", "new-use-case", "loans", "--data", "loans.csv", *said, folder=below, **variables)

    # Kedro's own command, from the libraries' environment: it finds the package by the project's settings.
    kedro = (programs / "python", "-m", "kedro")
    assert "loans version 1" in run(*kedro, "run", "--pipelines", "loans", folder=project, **variables)
    status = json.loads(run(programs / "rai-kedro", "rai", "status", "--json", folder=below, **variables))
    assert [version["version"] for version in status["versions"]] == ["1"]
    run(*kedro, "viz", "build", folder=project, **variables)
    assert "loans.training" in (project / "build" / "api" / "main").read_text(encoding="utf-8")
    assert not [file for file in project.rglob("*.py") if "build" not in file.parts]
