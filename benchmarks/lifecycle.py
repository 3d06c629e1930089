"""How long the lifecycle takes and how much memory, side by side with the bare libraries and with separate commands.

Three measurements on a fresh copy of the project each, one after the other, every process started anew:

1. ``kedro rai demo``, which is what ``make run`` does: the lifecycle in one process, by stage;
2. ``benchmarks/bare_libraries.py``: the library calls of the lifecycle without Kedro, governance, card and carbon;
3. the stages as commands of their own, as a scheduler would start them.

Needs no network. Times depend on what else the machine does; compare the columns of one run with each other.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEDRO = [sys.executable, "-m", "kedro"]
BARE = [sys.executable, str(ROOT / "benchmarks" / "bare_libraries.py")]
SEPARATE = {
    "simulation": [*KEDRO, "run", "--pipelines", "simulation"],
    "governance": [*KEDRO, "run", "--pipelines", "governance"],
    "training": [*KEDRO, "run", "--pipelines", "training"],
    "review": [
        *(*KEDRO, "rai", "approve", "--version", "1", "--demo"),
        *("--statement", "benchmark", "--accept-risk", "benchmark: nobody uses these predictions"),
    ],
    "monitoring": [*KEDRO, "run", "--pipelines", "monitoring"],
}
ENVIRONMENT = {
    **os.environ,
    "DO_NOT_TRACK": "true",
    "KEDRO_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "EVIDENTLY_DISABLE_TELEMETRY": "1",
    "PYTHONUNBUFFERED": "1",
}
# A line of the progress log that starts a node, `[ 3/14] housing.governance.profile_stores`, and one of the bare run.
NODE_STARTS = re.compile(r"\[ *\d+/\d+\] \w+\.(\w+)\.\w+")
STAGE_STARTS = re.compile(r"stage: (.+)")
RUN_ENDS = re.compile(r"done in [\d.]+ s")
MEGABYTE = 2**20
_MEMORY_SAMPLE_S = 0.05


@dataclass
class Measurement:
    """What one process used.

    Attributes:
        wall: Seconds by stage, in order of first appearance.
        memory: Highest resident memory seen during the stage, MB; empty where there is no ``/proc``.
        cpu: Seconds of processor time, of the process and its children.
        peak: Highest resident memory of the process, MB.
    """

    wall: dict[str, float] = field(default_factory=dict)
    memory: dict[str, float] = field(default_factory=dict)
    cpu: float = 0.0
    peak: float = 0.0

    @property
    def total(self) -> float:
        """Wall time from start to end of the process, seconds."""
        return sum(self.wall.values())


class StageClock:
    """Books wall time and memory on the stage that a process is in."""

    def __init__(self, first_stage: str) -> None:
        self.measured = Measurement()
        self._stage = first_stage
        self._since = time.perf_counter()

    def enter(self, stage: str) -> None:
        """Close the current stage and start or resume another."""
        now = time.perf_counter()
        self.measured.wall[self._stage] = self.measured.wall.get(self._stage, 0.0) + now - self._since
        self._stage, self._since = stage, now

    def watch_memory(self, pid: int, ended: threading.Event) -> None:
        """Sample a process's resident memory until it has ended."""
        statm, page = Path(f"/proc/{pid}/statm"), os.sysconf("SC_PAGE_SIZE")
        while not ended.wait(_MEMORY_SAMPLE_S):
            try:
                resident = int(statm.read_text(encoding="ascii").split()[1]) * page / MEGABYTE
            except (OSError, IndexError):
                return
            self.measured.memory[self._stage] = max(resident, self.measured.memory.get(self._stage, 0.0))


def measure(command: list[str], folder: Path, stage: str) -> Measurement:
    """Run a command in a project folder and measure it by the stages that its output names.

    Args:
        command: Program and arguments.
        folder: Folder to run it in.
        stage: Name of everything before the first stage that the output names.

    Returns:
        Wall time and memory by stage, processor time and peak memory of the process.
    """
    clock, lines = StageClock(stage), []
    process = subprocess.Popen(  # noqa: S603
        command, cwd=folder, env=ENVIRONMENT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    ended = threading.Event()
    sampler = threading.Thread(target=clock.watch_memory, args=(process.pid, ended))
    sampler.start()
    for line in process.stdout or ():
        lines.append(line)
        if entered := stage_of(line):
            clock.enter(entered)
    # Not `wait`: this one says what the process used.
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    clock.enter("")
    ended.set()
    sampler.join()
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with code {process.returncode}:\n{''.join(lines)}")
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss: bytes on macOS, kilobytes elsewhere
    clock.measured.cpu = used.ru_utime + used.ru_stime
    clock.measured.peak = used.ru_maxrss * unit / MEGABYTE
    return clock.measured


def stage_of(line: str) -> str | None:
    """Return the stage that starts with a line of output, or None."""
    if found := NODE_STARTS.search(line) or STAGE_STARTS.search(line):
        return found[1].strip()
    # What follows a run is the review, and for the last run its summary.
    return "review, summary, exit" if RUN_ENDS.search(line) else None


@contextmanager
def fresh_project() -> Iterator[Path]:
    """Yield a copy of the project without any data but the raw file, and without a database."""
    with tempfile.TemporaryDirectory(prefix="rai-benchmark-") as folder:
        for name in ("conf", "src", "data/01_raw"):
            # The compiled files come along: compiling is part of installing.
            shutil.copytree(ROOT / name, Path(folder, name))
        for name in ("pyproject.toml", ".telemetry"):
            shutil.copy2(ROOT / name, folder)
        yield Path(folder)


def measure_separately() -> dict[str, Measurement]:
    """Measure the stages as commands of their own, which a scheduler would start one after the other."""
    with fresh_project() as project:
        return {name: _as_one_stage(name, measure(command, project, "start-up")) for name, command in SEPARATE.items()}


def _as_one_stage(name: str, measured: Measurement) -> Measurement:
    return Measurement({name: measured.total}, {name: measured.peak}, measured.cpu, measured.peak)


def show(title: str, measured: Measurement) -> None:
    """Print a measurement as a table."""
    print(f"\n{title}\n  {'stage':<38}{'wall s':>8}{'peak MB':>9}")
    for stage, seconds in measured.wall.items():
        memory = measured.memory.get(stage)
        print(f"  {stage:<38}{seconds:>8.1f}{f'{memory:.0f}' if memory else '-':>9}")
    print(f"  {'all':<38}{measured.total:>8.1f}{measured.peak:>9.0f}   processor time {measured.cpu:.1f} s")


def main() -> None:
    """Measure and print."""
    with fresh_project() as project:
        ours = measure([*KEDRO, "rai", "demo"], project, "start-up")
        show("1. make run: the lifecycle in one process", ours)
        # In the same folder: the bare calls read the snapshots that were just simulated.
        bare = measure(BARE, project, "start-up")
        show("2. the bare library calls, without Kedro, governance, card and carbon", bare)
    separate = measure_separately()
    parts = separate.values()
    together = Measurement(
        {name: part.total for name, part in separate.items()},
        {name: part.peak for name, part in separate.items()},
        sum(part.cpu for part in parts),
        max(part.peak for part in parts),
    )
    show("3. the stages as separate commands", together)
    print(f"\none process / bare libraries:     {_ratio(ours, bare)}")
    print(f"separate commands / one process:  {_ratio(together, ours)}")


def _ratio(one: Measurement, other: Measurement) -> str:
    return f"wall {one.total / other.total:.2f}, processor {one.cpu / other.cpu:.2f}"


if __name__ == "__main__":
    main()
