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
from scipy import stats

from rai_kedro.intervals import largest_difference_of_proportions
from rai_kedro.monitoring import Looks

LIMIT, RATE, BASE = 0.1, 0.05, 0.4
OPEN = "insufficient_evidence"
LEAST_RATE = 1e-9


def judge(events: np.ndarray, rows: np.ndarray, level: float) -> str:
    """Return the verdict on the difference of two rates at a level."""
    return largest_difference_of_proportions(events, rows, level=level).judge(LIMIT)


def live(gap: float, rows: int, looks: Looks, random: np.random.Generator) -> dict[str, list[str]]:
    """Return the verdicts of every look in one life, by way of looking."""
    months = looks.planned
    n = np.array([rows // 2, rows - rows // 2])
    monthly = random.binomial(n, [BASE, BASE + gap], size=(months, 2))
    total, cumulated = np.cumsum(monthly, axis=0), [float(rows * (at + 1)) for at in range(months)]
    found: dict[str, list[str]] = {"project": [], "split budget": [], "naive": []}
    for at in range(months):
        rate = looks.rate_of(at + 1, RATE)
        of_month = judge(monthly[at], n, 1 - rate / 2) if rate > LEAST_RATE else OPEN
        level = looks.level_of_cumulated(cumulated[: at + 1], RATE / 2)
        since = judge(total[at], n * (at + 1), level) if level < 1 else OPEN
        both = {of_month, since}
        found["project"].append("fail" if "fail" in both else "pass" if "pass" in both else OPEN)
        found["split budget"].append(judge(monthly[at], n, 1 - rate) if rate > LEAST_RATE else OPEN)
        found["naive"].append(judge(monthly[at], n, 0.95))
    found["one look"] = [found["naive"][-1]]
    return found


def measure(  # noqa: PLR0913, PLR0917
    gap: float, wanted: str, rows: int, looks: Looks, lives: int, seed: int
) -> dict[str, tuple[float, float]]:
    """Return by way of looking the share of lives with the verdict at any look, and the median month of the first."""
    random, counts = np.random.default_rng(seed), dict[str, list[int]]()
    for _ in range(lives):
        for name, verdicts in live(gap, rows, looks, random).items():
            first = verdicts.index(wanted) + 1 if wanted in verdicts else 0
            counts.setdefault(name, []).append(first)
    return {
        name: (
            float(np.mean([one > 0 for one in firsts])),
            float(np.median([one for one in firsts if one] or [np.nan])),
        )
        for name, firsts in counts.items()
    }


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 if a claim does not hold, with 99 % confidence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lives", type=int, default=400)
    lives = parser.parse_args(argv).lives
    cells = [
        ("wrong pass", 0.102, "pass"),
        ("wrong fail", 0.098, "fail"),
        ("finds", 0.16, "fail"),
        ("clears", 0.04, "pass"),
    ]
    broken = 0
    print(f"limit {LIMIT}, budget {RATE} over the life, {lives} lives; share of lives (median month of the first)")
    for months in (12, 60):
        for spending in ("uniform", "obrien_fleming", "endless"):
            looks = Looks(spending=spending, planned=months)
            for rows in (500, 2_000, 20_000):
                for name, gap, wanted in cells:
                    found = measure(gap, wanted, rows, looks, lives, seed=rows + months)
                    told = "  ".join(f"{way} {share:5.1%} ({month:3.0f})" for way, (share, month) in found.items())
                    print(f"{months:3} months  {spending:15} {rows:7,} rows  {name:10} gap {gap:5.3f}  {told}")
                    if name.startswith("wrong"):
                        low = stats.binomtest(round(found["project"][0] * lives), lives).proportion_ci(0.98).low
                        broken += low > RATE
    print("every claim held" if not broken else f"{broken} cells are wrong more often than they may be")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
