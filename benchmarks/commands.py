"""How long the commands take to start and to answer, beside bare Kedro and the import of MLflow, in one run.

Processor time of whole processes, the median of some; in a copy of this project in which one version is trained, since
`status` and `gate` have nothing to show otherwise. Goals: `kedro rai --help` at most 1.2 times `kedro --help`, `status`
and `gate` at most one second on top of importing MLflow.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

ROOT = Path(__file__).resolve().parents[1]
KEDRO = str(Path(sys.executable).with_name("kedro"))
REPEATS = 5
COMMANDS = {
    "import mlflow": [sys.executable, "-c", "import mlflow"],
    "kedro --help": [KEDRO, "--help"],
    "kedro rai --help": [KEDRO, "rai", "--help"],
    "kedro rai status": [KEDRO, "rai", "status"],
    "kedro rai gate": [KEDRO, "rai", "gate"],
}


def make_project(folder: Path) -> None:
    """Copy configuration and raw data, and train one version in the quick environment ``test``."""
    for name in ("conf", "data/01_raw"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    (folder / "src").mkdir()
    subprocess.run([KEDRO, "run"], cwd=folder, check=True, capture_output=True)  # noqa: S603


def measure(command: list[str], folder: Path) -> float:
    """Return the processor seconds of one process."""
    before = getrusage(RUSAGE_CHILDREN)
    # Without a check: the answer of the gate is its exit code.
    subprocess.run(command, cwd=folder, check=False, capture_output=True)  # noqa: S603
    after = getrusage(RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure in turn, so that a busy minute touches all alike, and print medians and what they are compared with."""
    os.environ.setdefault("KEDRO_ENV", "test")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_project(folder)
        taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
        for _ in range(REPEATS):
            for name, command in COMMANDS.items():
                taken[name].append(measure(command, folder))
    median = {name: statistics.median(seconds) for name, seconds in taken.items()}
    for name, seconds in median.items():
        print(f"{name:<18} {seconds:5.2f} s")
    print(f"rai --help is {median['kedro rai --help'] / median['kedro --help']:.2f} times kedro --help (goal: 1.2)")
    for name in ("kedro rai status", "kedro rai gate"):
        print(f"{name} is {median[name] - median['import mlflow']:.2f} s on top of importing MLflow (goal: 1)")


if __name__ == "__main__":
    main()
