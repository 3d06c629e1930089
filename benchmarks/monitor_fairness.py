"""How often monthly fairness verdicts are wrong over the life of a version, and how soon they are right.

    python benchmarks/monitor_fairness.py [--lives 400]

Two groups, decisions by month; the limit of the difference is .1. Wrong: a version beyond the limit passes at any look,
or one within it fails at any. Beside the two verdicts of the project together (month and since approval) stand naive
looks (every month at 95 %), a split budget (Bonferroni: every month by itself), and one look at the last month alone.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rai_kedro.intervals.proportions import difference_bounds
from rai_kedro.monitoring import Looks

Verdicts = NDArray[np.int64]
LIMIT, RATE, BASE = 0.1, 0.05, 0.4
FAIL, OPEN, PASS = -1, 0, 1
LEAST_RATE = 1e-9


def judge(events: Verdicts, rows: Verdicts, level: float) -> Verdicts:
    """Return the verdict on the difference of two rates in each life; counts of shape (lives, 2)."""
    lower, upper = difference_bounds(events.astype(float), np.broadcast_to(rows, events.shape).astype(float), level)
    return np.where(lower > LIMIT, FAIL, np.where(upper <= LIMIT, PASS, OPEN))


def live(gap: float, rows: int, looks: Looks, lives: int, seed: int) -> dict[str, Verdicts]:
    """Return the verdicts of every look in each life, shape (months, lives), by way of looking."""
    months, random = looks.planned, np.random.default_rng(seed)
    n = np.array([rows // 2, rows - rows // 2])
    monthly = random.binomial(n, [BASE, BASE + gap], size=(months, lives, 2))
    total, cumulated = np.cumsum(monthly, axis=0), [float(rows * (at + 1)) for at in range(months)]
    levels, none = looks.levels_of_cumulated(cumulated, RATE / 2), np.full(lives, OPEN)
    found: dict[str, list[Verdicts]] = {"project": [], "split budget": [], "naive": []}
    for at, level in enumerate(levels):
        rate = looks.rate_of(at + 1, RATE)
        of_month = judge(monthly[at], n, 1 - rate / 2) if rate > LEAST_RATE else none
        since = judge(total[at], n * (at + 1), level) if level < 1 else none
        found["project"].append(np.where(np.minimum(of_month, since) == FAIL, FAIL, np.maximum(of_month, since)))
        found["split budget"].append(judge(monthly[at], n, 1 - rate) if rate > LEAST_RATE else none)
        found["naive"].append(judge(monthly[at], n, 0.95))
    return {**{name: np.array(verdicts) for name, verdicts in found.items()}, "one look": found["naive"][-1][None]}


def live_in_parts(  # noqa: PLR0913
    gap: float, rows: int, parts: int, *, spend: bool, lives: int, seed: int
) -> dict[str, Verdicts]:
    """Return every verdict that is shown in twelve months whose labels come in parts, each part a month after the last.

    So parts of several months come together, and months after a changed one are measured again since the approval.
    ``spend``: each month spends its budget as its labels come; else every measurement has all of it.
    """
    looks, random = Looks(planned=12), np.random.default_rng(seed)
    n, months = np.array([rows // (2 * parts)] * 2), looks.planned
    arrived = np.cumsum(random.binomial(n, [BASE, BASE + gap], size=(months, parts, lives, 2)), axis=1)
    shown: dict[str, list[Verdicts]] = {"month": [], "since approval": []}
    for time in range(months + parts - 1):
        come = [min(max(time - month + 1, 0), parts) for month in range(months)]
        for month in (one for one in range(months) if come[one]):
            deliveries, past = range(1, come[month] + 1), come[:month]
            rate, size = looks.rate_of(month + 1, RATE) / 2, int(n.sum())
            if 0 < time - month + 1 <= parts:
                part = looks.part_of(rate, [one * size for one in deliveries], parts * size) if spend else 1.0
                shown["month"].append(judge(arrived[month, come[month] - 1], n * come[month], 1 - rate * part))
            cumulated = [*(np.cumsum(past) * size), *((sum(past) + one) * size for one in deliveries)]
            numbers = [*range(1, month + 1), *(month + one / parts for one in deliveries)]
            if not spend:
                cumulated, numbers = [*cumulated[:month], cumulated[-1]], list(range(1, month + 2))
            level = looks.level_of_cumulated(cumulated, RATE / 2, numbers)
            total = sum(arrived[one, come[one] - 1] for one in range(month + 1) if come[one])
            if level < 1:
                shown["since approval"].append(judge(total, n * sum(come[: month + 1]), level))
    return {name: np.array(verdicts) for name, verdicts in shown.items()}


def measure_parts(lives: int) -> int:
    """Print how often any verdict of a life is wrong where labels come in parts; return in how many cells too often."""
    print("| rows a month | parts | gap | | spent as labels come | at most | all of it each time |")
    print("|---:|---:|---:|---|---:|---:|---:|")
    broken = 0
    for rows, parts in ((600, 1), (600, 2), (600, 3), (600, 6), (600, 12), (6_000, 3), (6_000, 12)):
        for name, gap, wanted in (("wrong pass", 0.102, PASS), ("wrong fail", 0.098, FAIL)):
            ever = {}
            for spend in (True, False):
                shown = live_in_parts(gap, rows, parts, spend=spend, lives=lives, seed=rows + parts)
                ever[spend] = np.any([(verdicts == wanted).any(axis=0) for verdicts in shown.values()], axis=0)
            limits = stats.binomtest(int(ever[True].sum()), lives).proportion_ci(0.95)
            broken += limits.low > RATE
            cells = f"{ever[True].mean():.1%} | {limits.high:.1%} | {ever[False].mean():.1%}"
            print(f"| {rows:,} | {parts} | {gap:.3f} | {name} | {cells} |", flush=True)
    return broken


def measure(  # noqa: PLR0913, PLR0917
    gap: float, wanted: int, rows: int, looks: Looks, lives: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Return by way of looking the share of lives with the verdict at any look, and the median month of the first."""
    shown = {}
    for name, verdicts in live(gap, rows, looks, lives, seed).items():
        had = (verdicts == wanted).any(axis=0)
        first = (verdicts == wanted).argmax(axis=0)[had] + 1
        shown[name] = float(had.mean()), float(np.median(first)) if len(first) else np.nan
    return shown


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 if a claim does not hold, with 97.5 % confidence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lives", type=int, default=400)
    lives = parser.parse_args(argv).lives
    cells = [
        ("wrong pass", 0.102, PASS),
        ("wrong fail", 0.098, FAIL),
        ("finds", 0.16, FAIL),
        ("clears", 0.04, PASS),
    ]
    broken = 0
    print(f"Limit {LIMIT}, budget {RATE} over the life, {lives} lives: share of lives (median month of the first).\n")
    print("| months | spending | rows | gap | | project | at most | split budget | naive | one look |")
    print("|---:|---|---:|---:|---|---:|---:|---:|---:|---:|")
    for months in (12, 60):
        for spending in ("uniform", "obrien_fleming", "endless"):
            looks = Looks(spending=spending, planned=months)
            for rows in (500, 2_000, 20_000):
                for name, gap, wanted in cells:
                    found = measure(gap, wanted, rows, looks, lives, seed=rows + months)
                    told = [f"{share:.1%}" + f" ({month:.0f})" * (share > 0) for share, month in found.values()]
                    limits = stats.binomtest(round(found["project"][0] * lives), lives).proportion_ci(0.95)
                    told.insert(1, f"{limits.high:.1%}" if name.startswith("wrong") else "")
                    broken += name.startswith("wrong") and limits.low > RATE
                    print(f"| {months} | {spending} | {rows:,} | {gap:.3f} | {name} | {' | '.join(told)} |", flush=True)
    print("\nLabels that come in parts, 12 months\n")
    broken += measure_parts(lives)
    print("\nevery claim held" if not broken else f"\n{broken} cells are wrong more often than they may be")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
