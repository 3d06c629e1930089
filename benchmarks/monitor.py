"""Is drift what monitoring says it is? Lives without drift, power beside Evidently and PSI, and how long it takes.

Prints markdown tables (those of docs/drift.md), by default in less than three minutes; ``--lives 1000 --seeds 100`` for
the full size, and names of parts (``null power speed``) to run only those.

- *null*: lives of 60 months against one reference, from counts alone (:mod:`drift_lives`): wrong verdicts per life with
  the upper limit of Clopper and Pearson, where nothing changed and where every effect is exactly the margin.
- *power*: months with one changed column of four, in each way that the simulation can change one; how often that
  column is named in the first month, how soon within twelve, and how often another one, by this project, by
  Evidently's default for the size (Kolmogorov-Smirnov and chi-squared up to 1,000 reference rows, beyond that the
  normed Wasserstein and the Jensen-Shannon distance) and by the population stability index from .1 (Evidently's code).
- *speed*: after import, in fresh processes, beside the bare tests of SciPy on the same data.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from drift_lives import Setting, simulate_lives
from rai_kedro.monitoring import Looks, detect_drift, profile_reference

ROWS = (100, 1_000, 10_000, 100_000)
COLUMNS = ["amount", "category", "a", "b"]
LEVELS = ["one", "two", "three", "four", "five", "six"]
SMALL = 1_000
"""Up to so many reference rows Evidently tests; beyond, it measures a distance."""
PLANNED = 12


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


Change = Callable[["pd.Series[Any]", float, np.random.Generator], "pd.Series[Any]"]
# As the simulation drifts a column: what changes, how, and by how much.
CHANGES: dict[str, tuple[str, Change, tuple[float, ...]]] = {
    "shift by so many sd": ("amount", lambda values, size, _: values + size, (0.1, 0.25, 0.5, 1.0, 2.0)),
    "sd times": ("amount", lambda values, size, _: values * size, (1.25, 1.5, 2.0, 3.0)),
    "share of rows now missing": ("amount", lambda values, size, rng: values.mask(rng.random(len(values)) < size), ()),
    "share of rows moved to a category": (
        "category",
        lambda values, size, rng: values.mask(rng.random(len(values)) < size, "one"),
        (),
    ),
}
SHARES = (0.05, 0.15, 0.25, 0.5)


def measure_power(seeds: int) -> None:
    """Print how often, and how soon, the changed column is named, and one that did not change, by each method."""
    print("| rows of both | change | | named within 12 months | month | named at once | others | ", end="")
    print(" | ".join(f"{name}: named | others" for name in OTHERS) + " |")
    print("|---:|---|---:|---:|---:|" + "---:|" * 2 * (1 + len(OTHERS)))
    for rows in ROWS:
        for change, (column, alter, sizes) in CHANGES.items():
            for size in sizes or SHARES:
                lives = [_live(rows, column, alter, size, [rows, round(100 * size), seed]) for seed in range(seeds)]
                firsts = [life["first"] for life in lives if life["first"]]
                cells = [f"{len(firsts) / seeds:.2f}", f"{np.median(firsts):.0f}" if firsts else ""]
                for name in ("this project", *OTHERS):
                    found = [life[name] for life in lives]
                    cells += [f"{np.mean([column in one for one in found]):.2f}"]
                    cells += [f"{np.mean([bool(one - {column}) for one in found]):.2f}"]
                print(f"| {rows:,} | {change} | {size:g} | {' | '.join(cells)} |", flush=True)


def _live(rows: int, column: str, alter: Change, size: float, seed: list[int]) -> dict[str, Any]:
    """Return what each method names in the first month, and in which of twelve months this project names the column."""
    rng, looks = np.random.default_rng(seed), Looks()
    reference = _draw(rows, rng)
    profile, found = profile_reference(reference, _kinds(reference)), dict[str, Any](first=0)
    for look in range(1, PLANNED + 1):
        month = _draw(rows, rng)
        month[column] = alter(month[column], size, rng)
        named = set(detect_drift(profile, month, rate=looks.rate_of(look, 0.05)).drifted_columns)
        if look == 1:
            others = {name: method(reference, month) for name, method in OTHERS.items()}
            found |= {"this project": named, **others}
        if column in named:
            return found | {"first": look}
    return found


def _draw(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    numbers = {name: rng.normal(size=rows) for name in COLUMNS if name != "category"}
    return pd.DataFrame(
        {**numbers, "category": pd.Categorical.from_codes(rng.integers(len(LEVELS), size=rows), LEVELS)}
    )


def _kinds(frame: pd.DataFrame) -> dict[str, Any]:
    numeric = pd.api.types.is_numeric_dtype
    return {str(name): "numerical" if numeric(values) else "categorical" for name, values in frame.items()}


def _evidently(choose: Callable[[int, str], tuple[str, float]]) -> Callable[[pd.DataFrame, pd.DataFrame], set[str]]:
    def name_drifted(reference: pd.DataFrame, current: pd.DataFrame) -> set[str]:
        from evidently.legacy.calculations import stattests
        from evidently.legacy.core import ColumnType

        found = set()
        for name, kind in _kinds(reference).items():
            test, threshold = choose(len(reference), kind)
            kind_there = ColumnType.Numerical if kind == "numerical" else ColumnType.Categorical
            both = reference[name].dropna(), current[name].dropna()
            if getattr(stattests, f"{test}_stat_test").func(*both, kind_there, threshold)[1]:
                found.add(name)
        return found

    return name_drifted


def _default_test(rows: int, kind: str) -> tuple[str, float]:
    """Return Evidently's own rule (legacy.calculations.stattests.registry): p below .05, or a distance from .1."""
    if rows <= SMALL:
        return ("ks" if kind == "numerical" else "chi"), 0.05
    return ("wasserstein" if kind == "numerical" else "jensenshannon"), 0.1


OTHERS = {"Evidently": _evidently(_default_test), "PSI": _evidently(lambda *_: ("psi", 0.1))}


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
    return detect_drift(profile_reference(reference, _kinds(reference)), current)


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
    parser.add_argument("--seeds", type=int, default=5, help="lives per change, size and rows")
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
