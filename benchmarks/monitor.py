"""Is drift what monitoring says it is? Lives without drift, power beside Evidently and PSI, and how long it takes.

Prints markdown tables (those of docs/drift.md), by default in less than three minutes; ``--lives 1000 --seeds 100`` for
the full size, and names of parts (``null power speed``) to run only those.

- *null*: lives of 60 months against one reference, from counts alone (:mod:`drift_lives`): wrong verdicts per life with
  the upper limit of Clopper and Pearson, where nothing changed and where every effect is exactly the margin.
- *power*: months with one shifted column of four; how often that column is named, and how often another one, by this
  project, by Evidently's default for the size (Kolmogorov-Smirnov up to 1,000 reference rows, beyond that the normed
  Wasserstein distance) and by the population stability index from .1 (Evidently's own code for each).
- *speed*: after import, in fresh processes, beside the bare tests of SciPy on the same data.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from drift_lives import Setting, simulate_lives
from rai_kedro.monitoring import Looks, detect_drift, profile_reference

SHIFTS = (0.1, 0.25, 0.5, 1.0, 2.0)
ROWS = (100, 1_000, 10_000, 100_000)
COLUMNS = ["shifted", "a", "b", "c"]
SMALL = 1_000
"""Up to so many reference rows Evidently tests; so many rows are cheap, too, so more months are drawn of them."""


def measure_lives(lives: int) -> None:
    """Print wrong verdicts per life; nominal is .05 for each of the two."""
    print(
        "| rows | columns | values | true effect | lives | with a wrong drift | at most | wrong 'no relevant drift' |"
    )
    print("|---:|---:|---|---|---:|---:|---:|---:|")
    for setting in Setting.all():
        found = simulate_lives(setting, lives, seed=1)
        bound = stats.beta.ppf(0.975, found.drift + 1, lives - found.drift) if found.drift < lives else 1.0
        calm = "" if found.excluded is None else f"{found.excluded / (lives * setting.columns):.4f} per column"
        truth = "the margin" if setting.at_margin else "0"
        print(
            f"| {setting.rows:,} | {setting.columns} | {setting.values} | {truth} | {lives:,} "
            f"| {found.drift / lives:.4f} | {bound:.4f} | {calm} |",
            flush=True,
        )


def measure_power(seeds: int) -> None:
    """Print how often the shifted column is named, and how often one that did not change, by each method."""
    print("| rows of both | shift, sd | " + " | ".join(f"{name}: named | others" for name in METHODS) + " |")
    print("|---:|---:|" + "---:|" * 2 * len(METHODS))
    for rows in ROWS:
        for shift in SHIFTS:
            months = seeds * (20 if rows <= SMALL else 1)
            named = {name: [0, 0] for name in METHODS}
            for reference, current in _draw_months(rows, shift, months):
                for name, method in METHODS.items():
                    found = method(reference, current)
                    named[name][0] += "shifted" in found
                    named[name][1] += bool(found - {"shifted"})
            cells = " | ".join(f"{hits / months:.2f} | {false / months:.2f}" for hits, false in named.values())
            print(f"| {rows:,} | {shift:g} | {cells} |", flush=True)


def _draw_months(rows: int, shift: float, months: int) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    rng = np.random.default_rng([rows, round(100 * shift)])
    for _ in range(months):
        reference, current = (pd.DataFrame(rng.normal(size=(rows, 4)), columns=COLUMNS) for _ in range(2))
        current["shifted"] += shift
        yield reference, current


def _ours(reference: pd.DataFrame, current: pd.DataFrame) -> set[str]:
    return set(detect_drift(reference, current, rate=Looks().rate_of(1, 0.05)).drifted_columns)


def _evidently(choose: Callable[[int], tuple[str, float]]) -> Callable[[pd.DataFrame, pd.DataFrame], set[str]]:
    def name_drifted(reference: pd.DataFrame, current: pd.DataFrame) -> set[str]:
        from evidently.legacy.calculations.stattests import ks_stat_test, psi_stat_test, wasserstein_stat_test
        from evidently.legacy.core import ColumnType

        tests = {"ks": ks_stat_test, "wasserstein": wasserstein_stat_test, "psi": psi_stat_test}
        test, threshold = choose(len(reference))
        return {
            name
            for name in COLUMNS
            if tests[test].func(reference[name], current[name], ColumnType.Numerical, threshold)[1]
        }

    return name_drifted


METHODS: dict[str, Callable[[pd.DataFrame, pd.DataFrame], set[str]]] = {
    "this project": _ours,
    # Evidently's own rule for numbers (legacy.calculations.stattests.registry), p below .05 or distance from .1.
    "Evidently": _evidently(lambda rows: ("ks", 0.05) if rows <= SMALL else ("wasserstein", 0.1)),
    "PSI": _evidently(lambda _: ("psi", 0.1)),
}


def _tall(rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(rows % 7)
    numbers = {f"number_{position}": rng.normal(size=rows) for position in range(9)}
    paid = rng.normal(size=rows) * (rng.random(rows) < 0.3)  # noqa: PLR2004 - three in ten are not zero
    codes = {"rooms": rng.integers(1, 30, rows), "side": rng.choice(["north", "south", "east", "west"], rows)}
    return pd.DataFrame({**numbers, "paid": paid, **codes, "zip": rng.zipf(1.5, rows).clip(max=3000).astype(str)})


def _wide(rows: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(rows % 7).normal(size=(rows, 1_000))).rename(columns=str)


def _scipy(reference: pd.DataFrame, current: pd.DataFrame) -> None:
    for name, values in reference.items():
        if pd.api.types.is_numeric_dtype(values):
            stats.ks_2samp(values, current[name], method="asymp")
        else:
            counts = pd.concat([side[name].value_counts() for side in (reference, current)], axis=1).fillna(0)
            stats.chi2_contingency(counts.to_numpy().T)


def _profiled(reference: pd.DataFrame, current: pd.DataFrame) -> Any:
    kinds = {
        name: "numerical" if pd.api.types.is_numeric_dtype(values) else "categorical"
        for name, values in reference.items()
    }
    return detect_drift(profile_reference(reference, kinds), current)


CASES: dict[str, tuple[Callable[[int], pd.DataFrame], int, Callable[[pd.DataFrame, pd.DataFrame], Any]]] = {
    "1,000,000 x 13 against 1,000,000, profile included": (_tall, 1_000_000, _profiled),
    "the same by SciPy's bare tests": (_tall, 1_000_000, _scipy),
    "1,000 columns x 10,000": (_wide, 10_000, _profiled),
    "the same by SciPy's bare tests ": (_wide, 10_000, _scipy),
}


def measure_speed() -> None:
    """Print seconds and memory beyond the data of each case, a fresh process each."""
    print("| what | wall s | processor s | peak MB beyond the data | MB of results as JSON |")
    print("|---|---:|---:|---:|---:|")
    for case in CASES:
        command = [sys.executable, __file__, "--case", case]
        done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - this very file
        print(f"| {case.strip()} | {done.stdout.strip()} |", flush=True)


def run_case(case: str) -> None:
    """Measure one case in this process, after a small first call."""
    make, rows, call = CASES[case]
    call(make(500), make(507))
    reference, current = make(rows), make(rows + 1)
    started, worked = time.perf_counter(), time.process_time()
    found = call(reference, current)
    clocks = time.perf_counter() - started, time.process_time() - worked
    # Resident memory would say nothing: making the data has left free memory behind, which the call takes first.
    tracemalloc.start()
    call(reference, current)
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    size = "" if found is None else f"{len(found.model_dump_json()) / 1e6:.1f}"
    print(f"{clocks[0]:.1f} | {clocks[1]:.1f} | {peak:.0f} | {size}")


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["null", "power", "speed"])
    parser.add_argument("--lives", type=int, default=40, help="lives per setting")
    parser.add_argument("--seeds", type=int, default=5, help="months per shift and size; 20 times as many of few rows")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.case:
        return run_case(chosen.case)
    parts = {
        "null": lambda: measure_lives(chosen.lives),
        "power": lambda: measure_power(chosen.seeds),
        "speed": measure_speed,
    }
    for part in chosen.parts:
        print(f"\n{part}\n")
        parts[part]()
    return None


if __name__ == "__main__":
    main()
