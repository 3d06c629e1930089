"""How often verdicts on proxies are right: planted proxies of four shapes, and columns that nothing stands in for.

    python benchmarks/proxies.py [REPEATS]

A signal of ten standard normal columns is mixed with noise. The true figure is known: R2 is the share of the signal,
the AUC of a category (the sum beyond .5, some 31 % of the rows) is that of the signal itself in 200,000 rows. A planted
proxy lies beyond its limit; ``passed`` is the share of them that were let through, ``held`` that of all intervals that
hold the true figure, ``found`` that of the planted ones that are called a proxy.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from rai_kedro.proxies import Proxy, find_proxies

ROWS = (300, 1000, 2000)
STRENGTHS = (0.36, 0.6, 0.9)
_CUT = 0.5

SHAPES: dict[str, Any] = {
    "one column": lambda x: x[:, 0],
    "four columns": lambda x: x[:, :4].sum(axis=1) / 2,
    "a bend": lambda x: (x[:, 0] ** 2 - 1) / np.sqrt(2),
    "two together": lambda x: x[:, 0] * x[:, 1],
    "nothing": lambda x: np.zeros(len(x)),
}


@dataclass(frozen=True)
class Case:
    """What is planted: its shape, the share of the signal, and whether a number or a category is to be found."""

    shape: str
    strength: float
    rows: int
    is_category: bool

    def draw(self, seed: int) -> tuple[pd.DataFrame, Any]:
        """Draw the model's columns, and the column that they stand in for."""
        random = np.random.default_rng(seed)
        x = random.normal(size=(self.rows, 10))
        hidden = mix(SHAPES[self.shape](x), self.strength, random)
        return pd.DataFrame(x).add_prefix("x"), np.where(hidden > _CUT, "a", "b") if self.is_category else hidden

    @property
    def truth(self) -> float:
        """The true figure."""
        if not self.is_category or self.shape == "nothing":
            return 0.5 if self.is_category else self.strength
        random = np.random.default_rng(0)
        signal = SHAPES[self.shape](random.normal(size=(200_000, 10)))
        is_one = mix(signal, self.strength, random) > _CUT
        ranks, ones = rankdata(signal), int(is_one.sum())
        return float((ranks[is_one].sum() - ones * (ones + 1) / 2) / (ones * (len(ranks) - ones)))

    def judge(self, seed: int) -> Proxy:
        """Look for the proxy in one draw."""
        columns, hidden = self.draw(seed)
        return find_proxies(columns, {"hidden": hidden}).proxies[0]


def mix(signal: Any, share: float, random: np.random.Generator) -> Any:
    """Mix a signal of variance 1 with noise, so that it is this share of the whole."""
    return np.sqrt(share) * signal + np.sqrt(1 - share) * random.normal(size=len(signal))


def list_cases(rows: tuple[int, ...] = ROWS) -> list[Case]:
    """List every case: shapes, strengths, numbers of rows, numbers and categories."""
    planted = [shape for shape in SHAPES if shape != "nothing"]
    cases = [Case(*one) for one in product(planted, STRENGTHS, rows, (False, True))]
    return cases + [Case("nothing", 0.0, *one) for one in product(rows, (False, True))]


def main(repeats: int = 100) -> None:
    """Print one line a case, and all together."""
    print(f"{'planted':14}{'figure':>8}{'true':>7}{'rows':>6}{'held':>7}{'passed':>8}{'found':>7}")
    totals: dict[str, list[float]] = {"held": [], "passed": [], "called a proxy": []}
    for number, case in enumerate(list_cases()):
        truth, found = case.truth, [case.judge(1_000 * number + one) for one in range(repeats)]
        held = [one.lower is not None and one.upper is not None and one.lower <= truth <= one.upper for one in found]
        shares = [np.mean(held), *(np.mean([one.outcome == word for one in found]) for word in ("pass", "fail"))]
        print(
            f"{case.shape:14}{found[0].metric:>8}{truth:7.3f}{case.rows:6}{shares[0]:7.2f}{shares[1]:8.2f}{shares[2]:7.2f}",
            flush=True,
        )
        totals["held"] += held
        if case.shape == "nothing":
            totals["called a proxy"].append(shares[2])
        elif truth > found[0].limit:
            totals["passed"].append(shares[1])
    print({name: round(float(np.mean(values)), 4) for name, values in totals.items()})


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
