"""How long a fairness assessment and disparate-impact removal take and how much memory, side by side with fairlearn.

Prints a markdown table (that in docs/benchmarks.md). Every row is measured twice, both in fresh processes:

- *in-process*: one call, after a first one; smallest and median of several, and the peak memory of one;
- *whole process*: Python from start to end, with imports, reading the columns from a Parquet file, and one call; the
  smallest of several.

Both by the clock and in processor time, which is what the clock would show if nothing else ran; ratios are of processor
times, so that other programs disturb them least.

Memory is what the call takes beside the columns it is handed, its result included, as a multiple of these columns: the
larger of what Python's tracemalloc counts and, on Linux, the growth of resident memory.

fairlearn's ``MetricFrame`` computes the same three metrics with its own bootstrap. A thousand resamples would take
minutes to hours, so two runs with few resamples give the cost of one, and the time for a thousand is worked out from it
(``resamples run`` says how many were really done). Ours has no resamples: its intervals are closed forms of counts.

Data are drawn with a fixed seed. Times depend on what else the machine does: compare the rows of one run with each
other. ``--quick`` leaves out the largest run of fairlearn and repeats less.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from fairness_calls import assess, bootstrap, read_data, remove, write_data

RESAMPLES = 1_000
MEMORY_GOAL = 3.0
WARM_UP = 2_000
ROUNDING = 1e-12
WHOLE_SECONDS = 10


@dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        what: What is measured, in words.
        kind: ``classification``, ``regression``, ``removal`` or ``fairlearn``.
        rows: Rows of the data.
        types: ``usual``: 64-bit numbers and text; ``small``: 8-bit labels and a category; ``objects``: Python objects.
        goal: Most seconds allowed, in-process and (but for removal) whole-process; None without a goal.
        resamples: For fairlearn: fewest and most resamples run.
    """

    what: str
    kind: str
    rows: int
    types: str = "usual"
    goal: float | None = None
    resamples: tuple[int, int] = (0, 0)


OURS = (
    Case("3 metrics of classification, text groups", "classification", 10_000),
    Case("3 metrics of classification, text groups", "classification", 100_000, goal=1.5),
    Case("3 metrics of classification, text groups", "classification", 1_000_000, goal=3.0),
    Case("the same, 8-bit labels and a category", "classification", 1_000_000, "small", goal=3.0),
    Case("the same, Python objects throughout", "classification", 1_000_000, "objects", goal=3.0),
    Case("3 metrics of regression, one of them distances", "regression", 100_000, goal=1.5),
    Case("3 metrics of regression, one of them distances", "regression", 1_000_000, goal=3.0),
    Case("disparate-impact removal, 10 columns", "removal", 50_000, goal=0.15),
)
FAIRLEARN = (
    Case("fairlearn MetricFrame, 1,000 resamples", "fairlearn", 10_000, resamples=(5, 35)),
    Case("fairlearn MetricFrame, 1,000 resamples", "fairlearn", 100_000, resamples=(1, 5)),
    Case("fairlearn MetricFrame, 1,000 resamples", "fairlearn", 1_000_000, resamples=(1, 2)),
)


@dataclass(frozen=True)
class Seconds:
    """Time taken by the clock and by the processor."""

    wall: float
    processor: float

    @classmethod
    def least(cls, many: list[Seconds]) -> Seconds:
        """Return the smallest of each."""
        return cls(min(one.wall for one in many), min(one.processor for one in many))

    def plus(self, further: float) -> Seconds:
        """Add processor time that was worked out and not run."""
        return Seconds(self.wall + further, self.processor + further)


@dataclass(frozen=True)
class Measured:
    """What one case took.

    Attributes:
        case: The case.
        call: Smallest time of a call.
        typical: Median time of a call by the clock, seconds.
        whole: Smallest time of a whole process.
        memory: Peak memory of a call beside the columns, as a multiple of them; None where it was not measured.
        figures: The three disparities found, to be compared; empty where there are none.
    """

    case: Case
    call: Seconds
    typical: float
    whole: Seconds
    memory: float | None
    figures: tuple[float, ...]

    @property
    def met(self) -> str:
        """Say whether time and memory are within the goals."""
        goal = self.case.goal
        if goal is None:
            return ""
        if self.memory is not None and self.memory > MEMORY_GOAL:
            return "no: memory"
        times = (self.call,) if self.case.kind == "removal" else (self.call, self.whole)
        if max(one.wall for one in times) <= goal:
            return "yes"
        return "in processor time" if max(one.processor for one in times) <= goal else "no: time"


def make_call(case: Case, frame: Any, resamples: int) -> Callable[[], list[float]]:
    """Return what is measured, as a call without arguments."""
    if case.kind == "fairlearn":
        return lambda: bootstrap(frame, resamples)
    if case.kind == "removal":
        return lambda: remove(frame)
    return lambda: assess(frame, case.kind)


def measure_here(case: Case, path: Path, repeats: int) -> dict[str, Any]:
    """Measure a case in this process; ``repeats`` of 0 does it once and measures nothing."""
    frame, few = read_data(path, case.types), case.resamples[0]
    call = make_call(case, frame, few)
    if not repeats:
        return {"figures": call()}
    make_call(case, frame.head(WARM_UP), few)()
    before = _reset_resident_peak()
    figures = call()
    grown = _resident("VmHWM") - before
    taken = [_clock(call) for _ in range(repeats)]
    if case.kind == "fairlearn":
        return {"times": taken, "per_resample": _cost_of_resample(case, frame), "figures": figures}
    used = int(frame.memory_usage(index=False, deep=False).sum())
    return {"times": taken, "memory": max(grown, traced_bytes(call)) / used, "figures": figures}


def _clock(call: Callable[[], Any]) -> tuple[float, float]:
    """Return the seconds of a call by the clock and by the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - wall, time.process_time() - processor


def _cost_of_resample(case: Case, frame: Any) -> float:
    """Return the processor time of one resample: the difference between many and few."""
    few, many = (_clock(make_call(case, frame, resamples))[1] for resamples in case.resamples)
    return (many - few) / (case.resamples[1] - case.resamples[0])


def traced_bytes(call: Callable[[], Any]) -> int:
    """Return the memory a call takes at its peak, as far as Python traces it."""
    tracemalloc.start()
    call()
    traced = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return traced


def _reset_resident_peak() -> int:
    """Set the highest resident memory back to that of now, and return it; 0 where there is no ``/proc``."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return _resident("VmHWM")
    return _resident("VmRSS")


def _resident(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def measure(case: Case, path: Path, repeats: int) -> Measured:
    """Measure a case in fresh processes: several calls in one, then whole processes."""
    inside, _ = _run(case, path, repeats)
    calls = [Seconds(*one) for one in inside["times"]]
    processes = [_run(case, path, 0)[1] for _ in range(repeats)]
    # What is not run of fairlearn's resamples costs the same in every figure.
    further = (RESAMPLES - case.resamples[0]) * inside.get("per_resample", 0.0)
    return Measured(
        case,
        Seconds.least(calls).plus(further),
        median(one.wall for one in calls) + further,
        Seconds.least(processes).plus(further),
        inside.get("memory"),
        tuple(inside["figures"]),
    )


def _run(case: Case, path: Path, repeats: int) -> tuple[dict[str, Any], Seconds]:
    """Run a child; return what it printed and the time it took."""
    at = (OURS + FAIRLEARN).index(case)
    command = [sys.executable, __file__, "--child", str(at), str(path), str(repeats)]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(  # noqa: S603
        command, env={**os.environ, "DO_NOT_TRACK": "true"}, text=True, capture_output=True, check=False
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{case.what} ended with code {done.returncode}:\n{done.stderr}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout.splitlines()[-1]), Seconds(wall, used)


def check_same(ours: Measured, theirs: Measured) -> None:
    """End with an error if both do not find the same disparities in the same data."""
    if any(abs(a - b) > ROUNDING for a, b in zip(ours.figures, theirs.figures, strict=True)):
        sys.exit(f"ours and fairlearn's disparities differ: {ours.figures} and {theirs.figures}")


def show(found: list[Measured]) -> None:
    """Print the table."""
    theirs = {one.case.rows: one for one in found if one.case.kind == "fairlearn"}
    heads = ("call s: min", "median", "processor", "process s: min", "processor", "memory", "fairlearn / ours")
    print(f"| what | rows | {' | '.join(heads)} | goal | met |\n|---|{'---:|' * 8}---|---|")
    for one in found:
        case, ratio, goal = one.case, "", ""
        if case.kind == "classification" and case.types == "usual" and case.rows in theirs:
            other = theirs[case.rows]
            check_same(one, other)
            call, process = (a.processor / b.processor for a, b in ((other.call, one.call), (other.whole, one.whole)))
            ratio = f"{call:,.0f}; process {process:,.0f}"
        if case.goal is not None:
            goal = f"{case.goal:g} s, {MEMORY_GOAL:g}x"
        memory = "" if one.memory is None else f"{one.memory:.1f}x"
        times = " | ".join(_short(seconds) for seconds in _times(one))
        print(f"| {_describe(case)} | {case.rows:,} | {times} | {memory} | {ratio} | {goal} | {one.met} |")


def _times(one: Measured) -> tuple[float, ...]:
    return one.call.wall, one.typical, one.call.processor, one.whole.wall, one.whole.processor


def _short(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= WHOLE_SECONDS else f"{seconds:.2g}"


def _describe(case: Case) -> str:
    few, many = case.resamples
    return f"{case.what} ({few + many} resamples run, scaled)" if many else case.what


def main(arguments: list[str] | None = None) -> None:
    """Measure and print; or, as a child, measure one case and print it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repeats, and fairlearn up to 100,000 rows only")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.child:
        case = (OURS + FAIRLEARN)[int(chosen.child[0])]
        print(json.dumps(measure_here(case, Path(chosen.child[1]), int(chosen.child[2]))))
        return
    repeats = 3 if chosen.quick else 7
    found = []
    with tempfile.TemporaryDirectory(prefix="rai-benchmark-") as folder:
        for case in OURS + (FAIRLEARN[:2] if chosen.quick else FAIRLEARN):
            kind = "classification" if case.kind == "fairlearn" else case.kind
            path = Path(folder, f"{kind}-{case.rows}.parquet")
            if not path.exists():
                write_data(kind, case.rows, path)
            found.append(measure(case, path, 1 if case.kind == "fairlearn" else repeats))
    show(found)


if __name__ == "__main__":
    main()
