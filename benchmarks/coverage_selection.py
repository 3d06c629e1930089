"""Coverage after a choice: k models are compared on the test rows, one is chosen there, and judged on the same rows.

The chosen model is the one whose disparity has the smallest upper end, so its interval lies too low. The gate judges it
at the level ``1 - (1 - level) / k`` (Bonferroni): if each of the k intervals holds at that level, all of them hold at
once with probability ``level``, and so does the chosen one, whatever the rule of choice.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import special

from coverage_cells import LEVEL, SEED, TOLERANCE
from rai_kedro.intervals import part_level, proportions

ROWS_PER_GROUP, GAP = 2_000, 0.102
RATES = np.array([0.3, 0.35, 0.3 + GAP])


@dataclass(frozen=True)
class Selection:
    """What was simulated, and what the chosen model's interval did without and with the wider level."""

    models: int
    correlation: float
    plain: float
    widened: float
    approved: float
    approved_widened: float
    apart: float
    bias: float
    bias_apart: float

    @property
    def what(self) -> str:
        """Return the row's name."""
        return f"choice among {self.models} models, correlation {self.correlation:g}"


def simulate_selection(runs: int) -> list[Selection]:
    """Simulate models with the same true gap of .102, just beyond the tolerance, on the same 3 x 2,000 rows.

    Args:
        runs: Simulated test sets.

    Returns:
        One row for each number of models and each correlation of the scores behind their decisions.
    """
    generator = np.random.default_rng(SEED + 20)
    return [_simulate(*case, runs, generator) for case in product((2, 5, 10), (0.0, 0.5, 0.9))]


def _simulate(models: int, correlation: float, runs: int, generator: np.random.Generator) -> Selection:
    events = np.empty((runs, models, len(RATES)))
    step = max(1, 4_000_000 // (ROWS_PER_GROUP * models))
    for at, rate in enumerate(RATES):
        for start in range(0, runs, step):
            part = min(step, runs - start)
            common = generator.standard_normal((part, 1, ROWS_PER_GROUP), dtype=np.float32)
            own = generator.standard_normal((part, models, ROWS_PER_GROUP), dtype=np.float32)
            score = np.float32(correlation**0.5) * common + np.float32((1 - correlation) ** 0.5) * own
            events[start : start + part, :, at] = (score < special.ndtri(rate)).sum(axis=2)
    rows = np.full_like(events, ROWS_PER_GROUP)
    # The same number of other rows: on them the chosen model is judged alone, at the plain level.
    other = generator.binomial(ROWS_PER_GROUP, RATES, (runs, len(RATES))).astype(float)
    low, high = proportions.difference_bounds(other, np.full_like(other, ROWS_PER_GROUP), LEVEL)
    apart = float(np.mean((low <= GAP) & (high >= GAP)))
    bounds = [proportions.difference_bounds(events, rows, level) for level in (LEVEL, part_level(LEVEL, models))]
    chosen = np.arange(runs), bounds[0][1].argmin(axis=1)
    holds = [float(np.mean((low[chosen] <= GAP) & (high[chosen] >= GAP))) for low, high in bounds]
    approved = (float(np.mean(high[chosen] <= TOLERANCE)) for _, high in bounds)
    biases = (float(np.ptp(one / ROWS_PER_GROUP, axis=-1).mean() - GAP) for one in (events[chosen], other))
    return Selection(models, correlation, *holds, *approved, apart, *biases)


def print_selection(rows: list[Selection]) -> None:
    """Print coverage, wrong approvals and bias of the chosen model: judged on the same rows, and on rows of its own."""
    print(
        "\n| models | correlation | coverage at .95 | at 1 - .05 / k | on other rows at .95 | approved wrongly at .95 "
        "| at 1 - .05 / k | bias of the gap | on other rows |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        shares = (row.plain, row.widened, row.apart, row.approved, row.approved_widened)
        figures = " | ".join(f"{x:.1%}" for x in shares)
        print(f"| {row.models} | {row.correlation:g} | {figures} | {row.bias:+.4f} | {row.bias_apart:+.4f} |")
