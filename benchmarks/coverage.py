"""How often the intervals of the fairness room hold, and how wide they are: simulated, with a fixed seed.

Prints markdown tables (those in docs/fairness_verdicts.md and docs/simulated_coverage.md) and ends with exit code 1 if
a promise is broken: a cell under 93 % at the nominal 95 %, a cell over 98 % for no reason of coverage_cells.REASONS, or
a row to beat that is not beaten. ``--quick`` takes fewer cells and runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from coverage_cells import (
    FULL,
    GAPS,
    LEAST,
    LEVEL,
    QUICK,
    SEED,
    TOLERANCE,
    Cell,
    Effort,
    broken,
    held,
    print_cells,
    print_summary,
    sizes,
)
from coverage_metrics import PARTS, individual_cells
from coverage_selection import print_selection, simulate_selection
from coverage_tails import broken_tails, print_tails, tailed_cells
from coverage_units import broken_units, print_units, unit_cells
from coverage_verdicts import (
    print_cards,
    print_further_rows,
    print_groups,
    print_guards,
    simulate_cards,
    simulate_further_rows,
    simulate_groups,
    simulate_guards,
)
from rai_kedro.fairness import Gate, GroupCounts, Grouping
from rai_kedro.fairness.comparison import Setting, compare_rates
from rai_kedro.fairness.rates import selection_rate
from rai_kedro.intervals import (
    error_sizes,
    largest_distribution_distance,
    means,
    proportions,
)


def rate_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate the largest difference and the smallest ratio of selection rates, spread evenly over the gap."""
    generator = np.random.default_rng(SEED)
    for groups, rate, gap in product(effort.groups, effort.rates, GAPS):
        truth = np.linspace(rate, rate + gap, groups)
        for name, rows in sizes(groups):
            events = generator.binomial(rows, truth, (effort.runs, groups)).astype(float)
            total = np.broadcast_to(rows.astype(float), events.shape)
            few = float(min((rows * truth).min(), (rows * (1 - truth)).min()))
            found = held(proportions.difference_bounds(events, total, LEVEL), gap)
            yield Cell(f"difference, rate {rate:g}", groups, name, gap, *found, few)
            found = held(proportions.ratio_bounds(events, total, LEVEL), rate / (rate + gap))
            yield Cell(f"ratio, rate {rate:g}", groups, name, gap, *found, few)


def confusion_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate gaps of the true and false positive rate: the rows behind the rate are themselves random."""
    generator = np.random.default_rng(SEED + 1)
    for groups, (metric, share, rate), gap in product(
        effort.groups, (("true positive rate", 0.2, 0.6), ("false positive rate", 0.8, 0.1)), GAPS
    ):
        truth = np.linspace(rate, rate + gap, groups)
        for name, rows in sizes(groups):
            behind = generator.binomial(rows, share, (effort.runs, groups))
            events = generator.binomial(behind, truth).astype(float)
            few = float(min((rows * share * truth).min(), (rows * share * (1 - truth)).min()))
            found = held(proportions.difference_bounds(events, behind.astype(float), LEVEL), gap)
            yield Cell(f"{metric} {rate:g}", groups, name, gap, *found, few)


def _errors(kind: str, shape: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Draw errors with mean 0 and variance 1; t as a normal over the root of a gamma."""
    if kind == "normal":
        return generator.standard_normal(shape)
    if kind == "skewed (exponential)":
        return generator.standard_exponential(shape) - 1
    return generator.standard_normal(shape) * np.sqrt(1.5 / generator.standard_gamma(2.5, shape))


def _moments(kind: str, rows: int, runs: int, generator: np.random.Generator) -> np.ndarray:
    """Return mean and variance of errors, absolute errors and squared errors, shape (6, runs)."""
    step, parts = max(1, 1_000_000 // rows), []
    for start in range(0, runs, step):
        errors = _errors(kind, (min(step, runs - start), rows), generator)
        looks = (errors, np.abs(errors), errors**2)
        parts.append(np.stack([f for look in looks for f in (look.mean(1), look.var(1, ddof=1))]))
    return np.concatenate(parts, axis=1)


ABSOLUTE = {"normal": np.sqrt(2 / np.pi), "skewed (exponential)": 2 / np.e, "heavy-tailed (t, 5)": 0.7351050}
"""E|e| of the standardised errors; for t with 5 degrees of freedom sqrt(3/5) * 2 sqrt(5) Γ(3) / (4 sqrt(π) Γ(5/2))."""


def regression_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate gaps in mean signed error, MAE and RMSE; gaps in units of the smallest group's standard deviation."""
    generator = np.random.default_rng(SEED + 2)
    for kind, absolute in ABSOLUTE.items():
        drawn: dict[int, list[np.ndarray]] = {}
        for groups, gap in product(effort.regression_groups, GAPS):
            ladder = np.linspace(0, gap, groups)
            for name, rows in sizes(groups):
                for n in set(rows.tolist()) - set(drawn):
                    drawn[n] = [_moments(kind, n, effort.regression_runs, generator) for _ in range(6)]
                table = np.stack([drawn[n][at] for at, n in enumerate(rows.tolist())], axis=-1)
                for metric, found in _regression(table, rows.astype(float), ladder, absolute):
                    reason = "?" if kind == "normal" else "t"
                    yield Cell(f"{metric}, {kind}", groups, name, gap, *held(found, gap), reason=reason)


def _regression(table: np.ndarray, rows: np.ndarray, ladder: np.ndarray, absolute: float) -> Iterator[tuple[str, Any]]:
    freedom = np.broadcast_to(rows - 1, table[0].shape)
    errors = np.sqrt(means.steadied_variances(freedom, table[1]) / rows)
    yield "mean signed error", means.welch_bounds(table[0] + ladder, errors, freedom, LEVEL)
    counted, scale = np.broadcast_to(rows, table[0].shape), 1 + ladder / absolute
    absolutes = table[2] * scale, table[3] * scale**2
    yield "MAE", error_sizes.difference_bounds(counted, *absolutes, LEVEL, root=False)
    squares = table[4] * (1 + ladder) ** 2, table[5] * (1 + ladder) ** 4
    yield "RMSE", error_sizes.difference_bounds(counted, *squares, LEVEL, root=True)


def distance_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate distances between the distributions of predictions: normal, shifted; each value is counted."""
    generator = np.random.default_rng(SEED + 3)
    for distance, groups, rows, gap in product(
        ("kolmogorov_smirnov", "wasserstein"), (2, 4), (50, 1_000), (0.0, 0.5, 3.0)
    ):
        shifts = np.linspace(0, gap, groups)
        truth = gap if distance == "wasserstein" else float(2 * _normal(np.array(gap / 2)) - 1)
        low, high = np.empty(effort.distance_runs), np.empty(effort.distance_runs)
        for run in range(effort.distance_runs):
            samples = generator.standard_normal((groups, rows)) + shifts[:, None]
            values = np.unique(samples)
            counts = np.stack([np.isin(values, sample) for sample in samples])
            found = largest_distribution_distance(counts, values, LEVEL, distance=distance)
            low[run], high[run] = found.lower, found.upper
        yield Cell(distance.replace("_", "-"), groups, f"{rows:,}", truth, *held((low, high), truth))


def _normal(values: np.ndarray) -> np.ndarray:
    from scipy import special

    return special.ndtr(values)


@dataclass(frozen=True)
class Headline:
    """A row to beat: what three nearest tools were measured at, and ours."""

    what: str
    theirs: str
    text: str
    beaten: bool


UNLIKELY = 1e-14


def small_group() -> Headline:
    """Judge two groups of 500 rows and one of 8, all with about the same selection rate, at the tolerance."""
    groups, selected, rows = ("first", "second", "8 rows"), np.array([150, 152, 3]), np.array([500, 500, 8])
    counts = np.zeros((3, 2, 2), dtype=np.int64)
    counts[:, 1, 1], counts[:, 1, 0] = selected, rows - selected
    grouping = Grouping("group", "declared", groups, np.zeros(0, np.int16), pd.RangeIndex(0))
    rate = selection_rate(GroupCounts(groups, counts))
    found = compare_rates("statistical_parity", [rate], Setting(grouping, LEVEL), {})
    (verdict,) = Gate(tolerances=[{"metric": "statistical_parity", "limit": TOLERANCE}]).judge(found[:1]).verdicts
    named = [(figure.group, figure.n) for figure in found[0].groups if figure.n == rows[-1]]
    text = f"{', '.join(name for name, _ in named) or 'not'} named, {verdict.outcome}"
    return Headline(
        "a group of 8 rows beside 2 x 500", "dropped unnamed, pass", text, bool(named) and verdict.outcome != "pass"
    )


def headlines() -> list[Headline]:
    """Work out the rows to beat exactly: 3 groups, selection rates from .3, tolerance .1."""
    rows = []
    for gap, coverage, width in ((0.0, "96-98 %", 0.122), (0.10, "99 %", 0.142)):
        share, (lower, upper) = three(500, gap)
        holds, wide = float(share @ ((lower <= gap + 1e-12) & (upper >= gap - 1e-12))), float(share @ (upper - lower))
        rows.append(Headline(f"coverage, 3 x 500, gap {gap:.2f}", coverage, f"{holds:.2%}", holds >= LEVEL))
        rows.append(Headline(f"mean width, 3 x 500, gap {gap:.2f}", f"{width}", f"{wide:.3f}", wide < width))
    for n, gap, theirs in ((50, 0.14, "14 %"), (200, 0.12, "19 %")):
        share, (_, upper) = three(n, gap)
        wrong = float(share @ (upper <= TOLERANCE))
        rows.append(Headline(f"approved wrongly, 3 x {n}, gap {gap}", theirs, f"{wrong:.2%}", wrong <= 1 - LEVEL))
    for n in (50, 200):
        share, (lower, _) = three(n, 0.0)
        wrong = float(share @ (lower > TOLERANCE))
        rows.append(Headline(f"fair model failed, 3 x {n}, gap 0", "16-43 %", f"{wrong:.2%}", wrong <= 1 - LEVEL))
    return [*rows, small_group()]


def three(rows: int, gap: float, rate: float = 0.3) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return the probability of every outcome of three groups (but 1e-6 of them), and the limits in each: no chance."""
    from scipy import stats

    shares, counts = [], []
    for truth in np.linspace(rate, rate + gap, 3):
        low, high = stats.binom.ppf([1e-8, 1 - 1e-8], rows, truth).astype(int)
        counts.append(np.arange(low, high + 1.0))
        shares.append(stats.binom.pmf(counts[-1], rows, truth))
    share = np.prod(np.stack(np.meshgrid(*shares, indexing="ij"), -1).reshape(-1, 3), axis=1)
    likely = share > UNLIKELY  # together the others are less than 1e-7
    share, events = share[likely], np.stack(np.meshgrid(*counts, indexing="ij"), -1).reshape(-1, 3)[likely]
    parts = np.array_split(events, max(1, len(events) // 200_000))
    bounds = [proportions.difference_bounds(part, np.full_like(part, rows), LEVEL) for part in parts]
    lower, upper = (np.concatenate(side) for side in zip(*bounds, strict=True))
    return share, (lower, upper)


def compare_headlines(_: Effort) -> list[str]:
    """Print rows beside those of the nearest tools, and return those that are not beaten."""
    rows = headlines()
    print("| 3 groups, tolerance .1 | nearest tools | ours |\n|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.theirs} | {row.text}{'' if row.beaten else ' (not beaten)'} |")
    return [row.what for row in rows if not row.beaten]


def hold_selection(effort: Effort) -> list[str]:
    """Print how a model chosen of several fares, and return where the widened interval does not hold."""
    selection = simulate_selection(effort.selection_runs)
    print_selection(selection)
    return [row.what for row in selection if row.widened < LEAST]


def show_verdicts(effort: Effort) -> list[str]:
    """Print how often verdicts of several kinds are wrong or open, which promises nothing."""
    print_guards(simulate_guards(effort.guard_runs))
    print_cards(simulate_cards(effort.card_runs))
    print_groups(simulate_groups(effort.group_tables))
    print_further_rows(simulate_further_rows(effort.verdict_tables))
    return []


def hold_tails(effort: Effort) -> list[str]:
    """Print how sums of heavy tails are covered, and return where they are not."""
    tails = list(tailed_cells(effort.metric_runs))
    print_tails(tails)
    return broken_tails(tails, effort.metric_runs)


def hold_units(effort: Effort) -> list[str]:
    """Print how intervals over sampled units hold, and return where they do not."""
    units = list(unit_cells(effort.individual_runs))
    print_units(units)
    return broken_units(units, effort.individual_runs)


def hold_in_few_runs(cells: list[Cell], effort: Effort) -> list[str]:
    """Print cells of few runs, and return those that lie lower than chance alone explains."""
    print_cells(cells)
    allowance = 2 * np.sqrt(LEAST * (1 - LEAST) / effort.distance_runs)
    return [f"{cell.subject}: {cell.text}" for cell in cells if cell.coverage < LEAST - allowance]


CELLS = {
    "selection rates": rate_cells,
    "confusion matrix": confusion_cells,
    "regression": regression_cells,
    **PARTS,
}
OTHERS: dict[str, Callable[[Effort], list[str]]] = {
    "headlines": compare_headlines,
    "selection": hold_selection,
    "verdicts": show_verdicts,
    "tails": hold_tails,
    "units": hold_units,
    "individuals": lambda effort: hold_in_few_runs(list(individual_cells(effort)), effort),
    "distances": lambda effort: hold_in_few_runs(list(distance_cells(effort)), effort),
}


def main(arguments: list[str] | None = None) -> int:
    """Simulate, print the tables, and return 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cells and runs")
    parser.add_argument("--only", choices=[*CELLS, *OTHERS], help="one part of it")
    asked = parser.parse_args(arguments)
    effort, chosen = QUICK if asked.quick else FULL, [asked.only] if asked.only else [*CELLS, *OTHERS]
    begun = time.perf_counter()
    failures = [one for name in chosen if name in OTHERS for one in OTHERS[name](effort)]
    if named := {name: list(CELLS[name](effort)) for name in chosen if name in CELLS}:
        print_summary(named)
        for cells in named.values():
            print_cells(cells)
            failures += broken(cells)
    print(f"\n{time.perf_counter() - begun:.0f} s; promises broken: {'; '.join(failures) or 'none'}", file=sys.stderr)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
