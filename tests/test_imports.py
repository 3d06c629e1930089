"""What commands import: the slow libraries only where they are needed, and each at most once in a process."""

import os
import pkgutil
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import rai_kedro
from rai_kedro import commands

ROOT = Path(__file__).resolve().parents[1]
SLOW = {"codecarbon", "evidently", "fairlearn", "mlflow", "plotly", "skops", "sklearn"}
# Kedro loads kedro-mlflow, which loads MLflow, for every command.
NEEDED_BY_SIMULATION = {"mlflow"}
LOADED_BY_KEDRO = {"cli", "commands", "datasets", "hooks", "pipeline_registry", "pipelines", "settings", "startup"}
IMPORT_TIME = re.compile(r"^import time: +\d+ \| +\d+ \| +(\S+)$", re.MULTILINE)


def run_python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DO_NOT_TRACK": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    environment.pop("KEDRO_ENV", None)
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def imports_of(result: subprocess.CompletedProcess[str]) -> Counter[str]:
    assert result.returncode == 0, result.stdout + result.stderr
    modules = Counter(IMPORT_TIME.findall(result.stderr))
    assert modules["click"] == 1, "the list of imports was not understood"
    return modules


def libraries(modules: Counter[str]) -> set[str]:
    # By any of its modules: Python leaves the one that `importlib.import_module` names out of its list.
    return {name.partition(".")[0] for name in modules}


@pytest.mark.slow
def test_simulation_imports_no_library_of_a_later_stage_and_none_twice(tmp_path: Path) -> None:
    for name in ("conf", "src", "data/01_raw"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy2(ROOT / "pyproject.toml", tmp_path)

    modules = imports_of(
        run_python("-X", "importtime", "-m", "kedro", "run", "--pipelines", "simulation", folder=tmp_path)
    )

    assert len(list((tmp_path / "data/03_primary/housing/feature_store").glob("month=*"))) == 8
    assert SLOW & libraries(modules) == NEEDED_BY_SIMULATION
    assert {name: modules[name] for name in NEEDED_BY_SIMULATION} == dict.fromkeys(NEEDED_BY_SIMULATION, 1)


def test_what_every_command_may_load_imports_no_slow_library() -> None:
    # Kedro loads settings, registry and commands at once, with what they import; datasets when a catalogue names them.
    # Rooms below these may build on a slow library at their top, as long as these import them inside functions.
    names = [
        module.name
        for module in pkgutil.walk_packages(rai_kedro.__path__, "rai_kedro.")
        if module.name.split(".")[1] in LOADED_BY_KEDRO
    ]
    assert {name.split(".")[1] for name in names} == LOADED_BY_KEDRO
    program = f"import importlib, click\nfor name in {names!r}:\n    importlib.import_module(name)\n"

    modules = imports_of(run_python("-X", "importtime", "-c", program, folder=ROOT))

    assert SLOW & libraries(modules) == set()


def test_the_list_of_commands_loads_no_statistics() -> None:
    # For `kedro rai --help` every command is loaded, and scipy.stats takes as long as all of them.
    names = [module.name for module in pkgutil.iter_modules(commands.__path__, "rai_kedro.commands.")]
    program = f"import importlib\nfor name in {names!r}:\n    importlib.import_module(name)\n"

    modules = imports_of(run_python("-X", "importtime", "-c", program, folder=ROOT))

    assert "rai_kedro.commands.draft_files" in modules
    assert "scipy.stats" not in modules
