"""What all simulations of coverage share: the grid, a cell of the tables, and why a cell may exceed 98 %."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

LEVEL, LEAST, MUCH, TOLERANCE = 0.95, 0.93, 0.98, 0.10
SEED = 20250301
FEW = 10.0
GAPS = (0.0, 0.05, 0.2)
PAIR = 2
ROWS = (50, 200, 1_000, 10_000)
REASONS = {
    "e": "few events (under 10 events or non-events expected in a group or cell): counts are discrete",
    "m": "maximum over pairs, or over the parts of a metric (for two groups: over the two signs of their difference, "
    "where the gap is smaller than the interval): the largest of several upper limits rarely misses",
    "t": "skewed or heavy-tailed values: the guard against a spread that few rows underestimate; a smaller guard takes "
    "other cells to 93 % and below",
    "d": "one small group is the reference of all others: the comparisons share its error and move together, which the "
    "critical value does not use",
    "b": "a bound that holds for any distribution: pairs of rows depend on each other",
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
    metric_runs: int = 3_000
    individual_runs: int = 400
    selection_runs: int = 2_000
    verdict_tables: int = 150
    card_runs: int = 2_000
    group_tables: int = 400
    guard_runs: int = 500


FULL = Effort()
QUICK = Effort((2, 3, 6), (0.02, 0.3), 4_000, 2_000, (2, 6), 50, 1_000, 50, 400, 6, 100, 20, 60)


@dataclass(frozen=True)
class Cell:
    """One cell: what was simulated, how often the interval held and how wide it was on average.

    ``few`` is the least number of events (or non-events) expected in a group; None where nothing is counted. ``parts``
    is the number of figures of which the worst counts, ``reason`` what else is known to make the interval wide: a key
    of :data:`REASONS` that counts where neither few events nor the maximum over pairs or parts does.
    """

    subject: str
    groups: int
    rows: str
    gap: float
    coverage: float
    width: float
    few: float | None = None
    parts: int = 1
    reason: str = "?"

    @property
    def why(self) -> str:
        """Say what makes the coverage exceed 98 %: a key of :data:`REASONS`, ? for unexplained, or nothing."""
        if self.coverage <= MUCH:
            return ""
        if self.reason == "b":
            return "b"
        if self.few is not None and self.few < FEW:
            return "e"
        if self.parts > 1 or (self.gap > 0 and (self.groups > PAIR or self.gap < self.width)):
            return "m"
        return self.reason

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


def held(bounds: tuple[Any, Any], truth: Any) -> tuple[float, float]:
    """Return the share of intervals that hold the truth (an open end does), and the mean width of those with ends."""
    lower, upper = bounds
    width = (upper - lower)[np.isfinite(upper)]
    holds = np.mean((lower <= truth + 1e-12) & (upper >= truth - 1e-12))
    return float(holds), float(width.mean()) if width.size else np.inf


def print_cells(cells: list[Cell]) -> None:
    """Print one table per subject: coverage in per cent (mean width) by groups, rows and gap."""
    for subject in dict.fromkeys(cell.subject for cell in cells):
        mine = [cell for cell in cells if cell.subject == subject]
        gaps = sorted({cell.gap for cell in mine})
        print(
            f"\n## {subject[0].upper()}{subject[1:]}\n\n| groups | rows per group | "
            + " | ".join(f"gap {gap:.3g}" for gap in gaps)
            + " |"
        )
        print("|---|---|" + "---|" * len(gaps))
        for key in dict.fromkeys((cell.groups, cell.rows) for cell in mine):
            row = {cell.gap: cell.text for cell in mine if (cell.groups, cell.rows) == key}
            print(f"| {key[0]} | {key[1]} | " + " | ".join(row.get(gap, "") for gap in gaps) + " |")


def print_summary(named: dict[str, list[Cell]]) -> None:
    """Print, per part, the least coverage and how many cells lie over 98 % and why."""
    print("\n| part | cells | least coverage | median | over 98 %: " + " | ".join(REASONS) + " | unexplained |")
    print("|---|---|---|---|" + "---|" * (len(REASONS) + 1))
    for name, cells in named.items():
        coverage = [cell.coverage for cell in cells]
        why = " | ".join(str(sum(cell.why == code for cell in cells)) for code in [*REASONS, "?"])
        print(f"| {name} | {len(cells)} | {min(coverage):.1%} | {np.median(coverage):.1%} | {why} |")
    print("\nOver 98 % because of:\n")
    for code, meaning in REASONS.items():
        print(f"- {code}: {meaning}.")


def broken(cells: list[Cell]) -> list[str]:
    """Return the cells that break the promise."""
    return [
        f"{cell.subject}, {cell.groups} groups, {cell.rows} rows, gap {cell.gap:g}: {cell.text}"
        for cell in cells
        if cell.coverage < LEAST or cell.why == "?"
    ]


# By which simulated cells the interval of each metric is covered: the beginning of their subject. A metric that is made
# of one rate like another one, from counts by the same limits, names the cells of that rate.
SIMULATED = {
    "statistical_parity": "difference, rate",
    "conditional_statistical_parity": "standardised difference, rate",
    "equal_opportunity": "true positive rate",
    "predictive_equality": "false positive rate",
    "equalized_odds": "equalized odds",
    "predictive_parity": "difference, rate",
    "negative_predictive_parity": "difference, rate",
    "conditional_use_accuracy_equality": "equalized odds",
    "overall_accuracy_equality": "difference, rate",
    "treatment_equality": "treatment equality",
    "balance_positive_class": "balance, difference",
    "balance_negative_class": "balance, difference",
    "overall_balance": "overall balance",
    "calibration": "calibration",
    "well_calibration": "well-calibration",
    "mean_prediction": "mean signed error",
    "mean_absolute_error": "MAE",
    "root_mean_squared_error": "RMSE",
    "mean_signed_error": "mean signed error",
    "prediction_distribution": "wasserstein",
    "consistency": "consistency",
    "fairness_through_awareness": "fairness through awareness",
}
