"""How often intervals hold where rows belong to persons, or carry survey weights: as independent rows, and by unit.

Simulated with a fixed seed: the largest difference of rates over all groups. Rows of a person are Bernoulli with the
person's own probability, which is beta-distributed: with the correlation within persons that is named. Weights are
lognormal and independent of the outcome; what was done before is then the weighted rate with as many rows.

``python benchmarks/coverage_units.py`` prints the two tables of docs/simulated_coverage.md alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from coverage_cells import LEAST, LEVEL, SEED, held
from rai_kedro.intervals import measure_ratio, proportions
from rai_kedro.intervals.critical import tukey_tail

PERSONS, RATES, GROUPS = (20, 50, 300), (0.05, 0.2, 0.5), (2, 6)
ALIKE, SPREADS = (0.3, 0.5, 0.7), (0.3, 0.8, 1.5)
GAPS = (0.0, 0.1)


@dataclass(frozen=True)
class UnitCell:
    """Least coverage over the gaps, and mean width: of rows taken as independent, and by unit."""

    subject: str
    groups: int
    units: int
    rate: float
    independent: tuple[float, float]
    by_unit: tuple[float, float]

    @property
    def text(self) -> str:
        """Return both for a table."""
        (before, width), (now, wider) = self.independent, self.by_unit
        return f"{100 * before:.1f} ({width:.3f}) → {100 * now:.1f} ({wider:.3f})"


def unit_cells(runs: int) -> Iterator[UnitCell]:
    """Simulate 5 to 12 rows a person, and one weighted row a unit."""
    generator = np.random.default_rng(SEED + 20)
    for groups, units, rate in product(GROUPS, PERSONS, RATES):
        for alike in ALIKE:
            yield _cell(f"correlation {alike:g}", groups, units, rate, _draw_persons, alike, runs, generator)
        for spread in SPREADS:
            yield _cell(f"weights, CV {spread:g}", groups, units, rate, _draw_weighted, spread, runs, generator)


def _draw_persons(shape: tuple[int, ...], truth: np.ndarray, alike: float, generator: np.random.Generator):
    rows = generator.integers(5, 13, shape)
    own = generator.beta(truth * (1 - alike) / alike, (1 - truth) * (1 - alike) / alike, shape)
    return generator.binomial(rows, own).astype(float), rows.astype(float), rows.sum(-1).astype(float)


def _draw_weighted(shape: tuple[int, ...], truth: np.ndarray, spread: float, generator: np.random.Generator):
    weights = generator.lognormal(0, np.sqrt(np.log1p(spread**2)), shape)
    return weights * (generator.random(shape) < truth), weights, np.full(shape[:-1], float(shape[-1]))


def _cell(subject, groups, units, rate, draw, strength, runs, generator) -> UnitCell:  # noqa: PLR0913, PLR0917
    least = []
    for gap in GAPS:
        truth = np.linspace(rate, rate + gap, groups)
        top, bottom, rows = draw((runs, groups, units), truth[None, :, None], strength, generator)
        group = np.repeat(np.arange(runs * groups), units)
        ratio = measure_ratio(top.ravel(), bottom.ravel(), group, runs * groups)
        effective = ratio.effective_counts(rows.ravel(), tukey_tail(groups, LEVEL))
        plain = top.sum(-1) / bottom.sum(-1) * rows, rows
        by_unit = [part.reshape(runs, groups) for part in effective]
        least.append([held(proportions.difference_bounds(*counts, LEVEL), gap) for counts in (plain, by_unit)])
    worst = [(min(one[at][0] for one in least), float(np.mean([one[at][1] for one in least]))) for at in (0, 1)]
    return UnitCell(subject, groups, units, rate, *worst)


def print_units(cells: list[UnitCell]) -> None:
    """Print coverage (mean width) as independent rows → by unit; the lesser coverage of the gaps."""
    for title, start in (("Rows of a person", "correlation"), ("Survey weights", "weights")):
        subjects = [name for name in dict.fromkeys(cell.subject for cell in cells) if name.startswith(start)]
        print(f"\n### {title}: as independent rows → by unit; gaps 0 and 0.1\n")
        print(f"| groups | units per group | rate | {' | '.join(subjects)} |\n|---|---|---|{'---|' * len(subjects)}")
        for key in dict.fromkeys((cell.groups, cell.units, cell.rate) for cell in cells):
            found = {one.subject: one.text for one in cells if (one.groups, one.units, one.rate) == key}
            print(f"| {key[0]} | {key[1]} | {key[2]:g} | {' | '.join(found[name] for name in subjects)} |")


def broken_units(cells: list[UnitCell], runs: int) -> list[str]:
    """Return the cells that are covered less than promised, but for what chance explains."""
    allowance = 2 * np.sqrt(LEAST * (1 - LEAST) / runs)
    short = [cell for cell in cells if cell.by_unit[0] < LEAST - allowance]
    return [f"{cell.subject}, {cell.groups} groups of {cell.units}, rate {cell.rate:g}: {cell.text}" for cell in short]


if __name__ == "__main__":
    found = list(unit_cells(1_000))
    print_units(found)
    sys.exit(bool(broken_units(found, 1_000)))
