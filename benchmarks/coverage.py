"""How often the intervals of the fairness room hold, and how wide they are: simulated, with a fixed seed.

Prints markdown tables (those in docs/fairness_verdicts.md) and ends with exit code 1 if a promise is broken: a cell
under 93 % at the nominal 95 %, a cell over 98 % that neither few events nor the maximum over pairs explains, or a row
to beat that is not beaten. ``--quick`` takes fewer cells and runs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from rai_kedro.fairness.uncertainty import error_sizes, means, proportions
from rai_kedro.fairness.uncertainty.critical import critical, pair_mask
from rai_kedro.fairness.uncertainty.intervals import distribution_distances, largest_distribution_distance

LEVEL, LEAST, MUCH, TOLERANCE = 0.95, 0.93, 0.98, 0.10
SEED = 20250301
FEW = 10.0
GAPS = (0.0, 0.05, 0.2)
PAIR = 2
ROWS = (50, 200, 1_000, 10_000)
REASONS = {
    "e": "few events (under 10 events or non-events expected in a group): counts are discrete",
    "m": "maximum over pairs (for two groups: over the two signs of their difference, where the gap is smaller than "
    "the interval): the largest of several upper limits rarely misses",
    "t": "skewed or heavy-tailed errors: neither discreteness nor the maximum, but our guard against a spread that few "
    "rows underestimate",
}


@dataclass(frozen=True)
class Effort:
    """How much is simulated."""

    groups: tuple[int, ...] = (2, 3, 4, 5, 6)
    rates: tuple[float, ...] = (0.02, 0.1, 0.3, 0.5)
    runs: int = 10_000
    regression_runs: int = 3_000
    regression_groups: tuple[int, ...] = (2, 3, 6)
    distance_runs: int = 400


FULL = Effort()
QUICK = Effort((2, 3, 6), (0.02, 0.3), 4_000, 2_000, (2, 6), 50)


@dataclass(frozen=True)
class Cell:
    """One cell: what was simulated, how often the interval held and how wide it was on average.

    ``few`` is the least number of events (or non-events) expected in a group; None where nothing is counted.
    """

    subject: str
    groups: int
    rows: str
    gap: float
    coverage: float
    width: float
    few: float | None = None

    @property
    def why(self) -> str:
        """Say what makes the coverage exceed 98 %: e, m or t as in :data:`REASONS`, ? unexplained, or nothing."""
        if self.coverage <= MUCH:
            return ""
        if self.few is not None and self.few < FEW:
            return "e"
        if self.gap > 0 and (self.groups > PAIR or self.gap < self.width):
            return "m"
        return "t" if any(word in self.subject for word in ("skewed", "heavy")) else "?"

    @property
    def text(self) -> str:
        """Return coverage, width and the reason, for a table."""
        return f"{100 * self.coverage:.1f} ({self.width:.3f}){' ' + self.why if self.why else ''}"


def sizes(groups: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the rows per group: equal, and unequal with the smallest group at either end of the rates."""
    for rows in ROWS:
        yield f"{rows:,}", np.full(groups, rows)
    if groups > PAIR:
        spread = np.array(ROWS)[np.round(np.linspace(0, len(ROWS) - 1, groups)).astype(int)]
        yield "50 to 10,000", spread
        yield "10,000 to 50", spread[::-1]
    yield "50, others 10,000", np.array([50] + [10_000] * (groups - 1))
    yield "10,000, others 50", np.array([10_000] + [50] * (groups - 1))


def held(bounds: tuple[np.ndarray, np.ndarray], truth: float) -> tuple[float, float]:
    """Return the share of intervals that hold the truth, and their mean width."""
    lower, upper = bounds
    return float(np.mean((lower <= truth + 1e-12) & (upper >= truth - 1e-12))), float(np.mean(upper - lower))


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
                    yield Cell(f"{metric}, {kind}", groups, name, gap, *held(found, gap))


def _regression(table: np.ndarray, rows: np.ndarray, ladder: np.ndarray, absolute: float) -> Iterator[tuple[str, Any]]:
    mask, tails = pair_mask(len(rows)), critical(len(rows), LEVEL)
    freedom = np.broadcast_to(rows - 1, table[0].shape)
    errors = np.sqrt(means.steadied_variances(freedom, table[1]) / rows)
    yield "mean signed error", means.welch_bounds(table[0] + ladder, errors, freedom, LEVEL)
    counted, scale = np.broadcast_to(rows, table[0].shape), 1 + ladder / absolute
    absolutes = table[2] * scale, table[3] * scale**2
    yield "MAE", error_sizes.difference_bounds(counted, *absolutes, tails, root=False, mask=mask)
    squares = table[4] * (1 + ladder) ** 2, table[5] * (1 + ladder) ** 4
    yield "RMSE", error_sizes.difference_bounds(counted, *squares, tails, root=True, mask=mask)


def distance_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate distances between the distributions of predictions: normal, shifted so that Wasserstein is the gap."""
    generator = np.random.default_rng(SEED + 3)
    edges = np.linspace(-6, 6, 121)  # 120 bins, each 1/10 of a standard deviation
    for distance, groups, rows, gap in product(("kolmogorov_smirnov", "wasserstein"), (2, 4), (50, 1_000), (0.0, 0.5)):
        shifts = np.linspace(0, gap, groups)
        exact = np.stack([np.diff(_normal(edges - shift)) for shift in shifts[[0, -1]]])
        truth = float(distribution_distances(exact, edges, distance=distance)[0, 1])
        low, high = np.empty(effort.distance_runs), np.empty(effort.distance_runs)
        for run in range(effort.distance_runs):
            values = generator.standard_normal((groups, rows)) + shifts[:, None]
            counts = np.stack([np.histogram(np.clip(value, -6, 6), edges)[0] for value in values])
            found = largest_distribution_distance(counts, edges, LEVEL, distance=distance)
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
    return rows


def three(rows: int, gap: float, rate: float = 0.3) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return the probability of every outcome of three groups (but 1e-9 of them), and the limits in each: no chance."""
    from scipy import stats

    shares, counts = [], []
    for truth in np.linspace(rate, rate + gap, 3):
        low, high = stats.binom.ppf([1e-10, 1 - 1e-10], rows, truth).astype(int)
        counts.append(np.arange(low, high + 1.0))
        shares.append(stats.binom.pmf(counts[-1], rows, truth))
    share = np.prod(np.stack(np.meshgrid(*shares, indexing="ij"), -1).reshape(-1, 3), axis=1)
    events = np.stack(np.meshgrid(*counts, indexing="ij"), -1).reshape(-1, 3)
    parts = np.array_split(events, max(1, len(events) // 200_000))
    bounds = [proportions.difference_bounds(part, np.full_like(part, rows), LEVEL) for part in parts]
    lower, upper = (np.concatenate(side) for side in zip(*bounds, strict=True))
    return share, (lower, upper)


def print_cells(cells: list[Cell]) -> None:
    """Print one table per subject: coverage in per cent (mean width) by groups, rows and gap."""
    for subject in dict.fromkeys(cell.subject for cell in cells):
        mine = [cell for cell in cells if cell.subject == subject]
        gaps = sorted({cell.gap for cell in mine})
        print(f"\n**{subject}**\n\n| groups | rows per group | " + " | ".join(f"gap {gap:.3g}" for gap in gaps) + " |")
        print("|---|---|" + "---|" * len(gaps))
        for key in dict.fromkeys((cell.groups, cell.rows) for cell in mine):
            row = {cell.gap: cell.text for cell in mine if (cell.groups, cell.rows) == key}
            print(f"| {key[0]} | {key[1]} | " + " | ".join(row.get(gap, "") for gap in gaps) + " |")


def broken(cells: list[Cell]) -> list[str]:
    """Return the cells that break the promise."""
    return [
        f"{cell.subject}, {cell.groups} groups, {cell.rows} rows, gap {cell.gap:g}: {cell.text}"
        for cell in cells
        if cell.coverage < LEAST or cell.why == "?"
    ]


def print_summary(named: dict[str, list[Cell]]) -> None:
    """Print, per part, the least coverage and how many cells lie over 98 % and why."""
    print("\n| part | cells | least coverage | median | over 98 %: e | m | t | unexplained |")
    print("|---|---|---|---|---|---|---|---|")
    for name, cells in named.items():
        coverage = [cell.coverage for cell in cells]
        why = " | ".join(str(sum(cell.why == code for cell in cells)) for code in "emt?")
        print(f"| {name} | {len(cells)} | {min(coverage):.1%} | {np.median(coverage):.1%} | {why} |")
    print("\nOver 98 % because of:\n")
    for code, meaning in REASONS.items():
        print(f"- {code}: {meaning}.")


def main(arguments: list[str] | None = None) -> int:
    """Simulate, print the tables, and return 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cells and runs")
    effort = QUICK if parser.parse_args(arguments).quick else FULL
    begun, rows = time.perf_counter(), headlines()
    named = {
        "selection rates": list(rate_cells(effort)),
        "confusion matrix": list(confusion_cells(effort)),
        "regression": list(regression_cells(effort)),
    }
    distances = list(distance_cells(effort))
    print("| 3 groups, tolerance .1 | nearest tools | ours |\n|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.theirs} | {row.text}{'' if row.beaten else ' (not beaten)'} |")
    print_summary(named)
    for cells in [*named.values(), distances]:
        print_cells(cells)
    failures = [row.what for row in rows if not row.beaten] + broken([cell for part in named.values() for cell in part])
    allowance = 2 * np.sqrt(LEAST * (1 - LEAST) / effort.distance_runs)  # few runs: what chance alone explains
    failures += [f"{cell.subject}: {cell.text}" for cell in distances if cell.coverage < LEAST - allowance]
    print(f"\n{time.perf_counter() - begun:.0f} s; promises broken: {'; '.join(failures) or 'none'}", file=sys.stderr)
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
