"""Simulated coverage of the metrics that are made of several rates, of odds, of scores, of strata, or of individuals.

The intervals are those of ``rai_kedro.fairness.measures``, worked out for many simulated data sets at once from the
same limits; tests/fairness/test_coverage.py holds each against the measure itself on single data sets.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd
from scipy import stats

from coverage_cells import GAPS, LEVEL, ROWS, SEED, Cell, Effort, held, sizes
from rai_kedro.fairness import individual
from rai_kedro.intervals import (
    critical_tails,
    hybrid_difference,
    hybrid_ratio,
    largest,
    means,
    pair_mask,
    part_level,
    proportions,
    smallest,
)

Bounds = tuple[np.ndarray, np.ndarray]
GROUPS = (2, 3, 6)
ERROR_SHARE = 0.2
BINS = 10
CENTRES = (np.arange(BINS) + 0.5) / BINS
IN_BIN = np.diff([0, 0.06, 0.18, 0.32, 0.46, 0.59, 0.71, 0.81, 0.89, 0.95, 1])
"""Share of the rows in each score bin: most scores are low."""
STRATA = np.array([[0.5, 0.0], [0.3, 0.1], [0.2, 0.3]])
"""Share of the rows of each stratum, and what it adds to the selection rate."""
CONCENTRATION, STEPS = 4.0, 50


def worst(parts: list[Bounds], kind: str = "difference") -> Bounds:
    """Combine parts at once, as critical.combine_worst does for one."""
    pick = np.maximum if kind == "difference" else np.minimum
    lower, upper = pick.reduce([part[0] for part in parts]), pick.reduce([part[1] for part in parts])
    return lower, upper


def reference_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate selection rates held against one reference group (``compare: reference``), the one of lowest rate."""
    generator = np.random.default_rng(SEED + 10)
    for groups, rate, gap in product(GROUPS[1:], (0.02, 0.3), GAPS):
        truth = np.linspace(rate, rate + gap, groups)
        for name, rows in sizes(groups):
            events = generator.binomial(rows, truth, (effort.metric_runs, groups)).astype(float)
            total = np.broadcast_to(rows.astype(float), events.shape)
            few = float(min((rows * truth).min(), (rows * (1 - truth)).min()))
            reason = "d" if rows[0] < rows[1:].min() else "?"
            found = held(proportions.difference_bounds(events, total, LEVEL, 0), gap)
            yield Cell(f"difference to a reference, rate {rate:g}", groups, name, gap, *found, few, reason=reason)
            found = held(proportions.ratio_bounds(events, total, LEVEL, 0), rate / (rate + gap))
            yield Cell(f"ratio to a reference, rate {rate:g}", groups, name, gap, *found, few, reason=reason)


def equalized_odds_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate the worse of the gaps in true positive rate (from .6) and in false positive rate (half as large)."""
    generator = np.random.default_rng(SEED + 11)
    for groups, share, gap in product(GROUPS, (0.1, 0.5), GAPS):
        hits, alarms = np.linspace(0.6, 0.6 + gap, groups), np.linspace(0.1, 0.1 + gap / 2, groups)
        for name, rows in sizes(groups):
            positive = generator.binomial(rows, share, (effort.metric_runs, groups))
            sides = [(positive, hits), (rows - positive, alarms)]
            counted = [(generator.binomial(n, p).astype(float), n.astype(float)) for n, p in sides]
            few = float(min((rows * share * (1 - hits)).min(), (rows * (1 - share) * alarms).min()))
            level = part_level(LEVEL, 2)
            found = held(worst([proportions.difference_bounds(*part, level) for part in counted]), gap)
            yield Cell(f"equalized odds, {share:g} positive", groups, name, gap, *found, few, 2)


def odds_bounds(events: np.ndarray, rows: np.ndarray, level: float, kind: str) -> Bounds:
    """Return limits of the largest difference or smallest ratio of odds, as measures.comparison does for one set."""
    tails, mask = critical_tails(events.shape[-1], level), pair_mask(events.shape[-1])
    odds, ends = events / (rows - events), {}
    for tail in (tails.lower, tails.upper):
        low, high = proportions.proportion_limits(events, rows, tail)
        ends[tail] = low / (1 - low), high / (1 - high)
    of_all, of_one = ends[tails.lower], ends[tails.upper]
    if kind == "ratio":
        return smallest(hybrid_ratio(odds, *of_one, sign=-1), hybrid_ratio(odds, *of_all, sign=1), mask)
    return largest(hybrid_difference(odds, *of_all, sign=-1), hybrid_difference(odds, *of_one, sign=1), mask)


def treatment_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate false negatives per false positive; 20 % of the rows are errors.

    Data sets in which a group has no false positive are left out: the figure is not defined there, the group is named
    as not assessed and no verdict can pass.
    """
    generator = np.random.default_rng(SEED + 12)
    for groups, base, gap in product(GROUPS, (0.25, 1.0), GAPS):
        odds = np.linspace(base, base + gap, groups)
        for name, rows in sizes(groups):
            errors = generator.binomial(rows, ERROR_SHARE, (effort.metric_runs, groups))
            negatives = generator.binomial(errors, odds / (1 + odds)).astype(float)
            whole = (negatives < errors).all(axis=1)
            few = float(ERROR_SHARE * min((rows * odds / (1 + odds)).min(), (rows / (1 + odds)).min()))
            for kind, truth in (("difference", gap), ("ratio", base / (base + gap))):
                found = held(odds_bounds(negatives[whole], errors[whole].astype(float), LEVEL, kind), truth)
                yield Cell(f"treatment equality, {kind}, FN/FP {base:g}", groups, name, gap, *found, few)


def calibration_bounds(events: np.ndarray, rows: np.ndarray, level: float) -> Bounds:
    """Return limits of the largest difference of label rates within a score bin.

    Args:
        events: Favourable labels, shape (runs, G, bins).
        rows: Rows, same shape; a bin counts where two groups have rows in it, and only these are compared.
        level: Confidence level.

    Returns:
        Lower and upper limits, shape (runs,).
    """
    counted = (rows > 0).sum(axis=1) > 1
    parts = counted.sum(axis=1)
    lower, upper = np.zeros(len(events)), np.zeros(len(events))
    for number, at in product(np.unique(parts), range(rows.shape[2])):
        chosen = np.flatnonzero((parts == number) & counted[:, at])
        present = rows[chosen, :, at] > 0
        for pattern in np.unique(present, axis=0) if len(chosen) else ():
            mine = chosen[(present == pattern).all(axis=1)]
            part = (values[mine][:, pattern, at] for values in (events, rows))
            low, high = proportions.difference_bounds(*part, part_level(level, int(number)))
            lower[mine], upper[mine] = np.maximum(lower[mine], low), np.maximum(upper[mine], high)
    return lower, upper


def well_calibration_bounds(events: np.ndarray, rows: np.ndarray, level: float) -> Bounds:
    """Return limits of the largest distance of a cell's label rate from its score; arguments as above."""
    cells = (rows > 0).sum(axis=(1, 2))
    lower, upper = np.zeros(len(events)), np.zeros(len(events))
    for number in np.unique(cells):
        mine = np.flatnonzero(cells == number)
        low, high = proportions.proportion_limits(events[mine], rows[mine], (1 - part_level(level, int(number))) / 2)
        ends = np.stack([np.abs(low - CENTRES), np.abs(high - CENTRES)])
        near = np.where((low <= CENTRES) & (high >= CENTRES), 0.0, ends.min(axis=0))
        there = rows[mine] > 0
        lower[mine] = np.where(there, near, 0.0).max(axis=(1, 2))
        upper[mine] = np.where(there, ends.max(axis=0), 0.0).max(axis=(1, 2))
    return lower, upper


def calibration_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate calibration and well-calibration over ten bins; the last group's labels are off by the gap in each."""
    generator = np.random.default_rng(SEED + 13)
    for groups, gap in product(GROUPS, GAPS):
        shift = np.linspace(0, gap, groups)
        chances = CENTRES * 0.75 + shift[:, None]
        for name, each in sizes(groups):
            rows = np.stack([generator.multinomial(n, IN_BIN, effort.metric_runs) for n in each], axis=1)
            few = float(np.minimum(each[:, None] * IN_BIN * chances, each[:, None] * IN_BIN * (1 - chances)).min())
            events = generator.binomial(rows, chances).astype(float)
            found = held(calibration_bounds(events, rows.astype(float), LEVEL), gap)
            yield Cell("calibration", groups, name, gap, *found, few, BINS)
            off = np.clip(CENTRES + np.r_[np.zeros(groups - 1), gap][:, None], 0, 1)
            truth = np.where(rows > 0, np.abs(off - CENTRES), 0).max(axis=(1, 2))
            events = generator.binomial(rows, off).astype(float)
            found = held(well_calibration_bounds(events, rows.astype(float), LEVEL), truth)
            yield Cell("well-calibration", groups, name, gap, *found, few, groups * BINS)


def score_moments(mean: float, rows: int, runs: int, generator: np.random.Generator) -> np.ndarray:
    """Return means and variances of scores in steps of .02, beta-binomial about their mean; shape (2, runs)."""
    values = np.arange(STEPS + 1) / STEPS
    chances = stats.betabinom.pmf(np.arange(STEPS + 1), STEPS, CONCENTRATION * mean, CONCENTRATION * (1 - mean))
    counts = generator.multinomial(rows, chances / chances.sum(), runs)
    found = counts @ values / rows
    return np.stack([found, (counts @ values**2 - rows * found**2) / (rows - 1)])


def balance_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate mean scores of one class (balance) and of both (overall balance, the negative class half as far apart).

    Rows are those of the class.
    """
    generator = np.random.default_rng(SEED + 14)
    for groups, base, gap in product(GROUPS, (0.02, 0.3), GAPS):
        classes = [np.linspace(base, base + part, groups) for part in (gap, gap / 2)]
        drawn: dict[tuple[float, int], np.ndarray] = {}
        for name, rows in sizes(groups):
            bounds = []
            for side, centre in enumerate(classes):
                for at, n in enumerate(rows.tolist()):
                    drawn.setdefault((side, at, n), score_moments(centre[at], n, effort.metric_runs, generator))
                table = np.stack([drawn[side, at, n] for at, n in enumerate(rows.tolist())], axis=-1)
                bounds.append(_mean_inputs(table, rows.astype(float)))
            found = held(means.welch_bounds(*bounds[0], LEVEL), gap)
            yield Cell(f"balance, difference, mean score {base:g}", groups, name, gap, *found, reason="t")
            found = held(means.ratio_bounds(*bounds[0], LEVEL), base / (base + gap))
            yield Cell(f"balance, ratio, mean score {base:g}", groups, name, gap, *found, reason="t")
            found = held(worst([means.welch_bounds(*part, part_level(LEVEL, 2)) for part in bounds]), gap)
            yield Cell(f"overall balance, mean score {base:g}", groups, name, gap, *found, None, 2)


def _mean_inputs(table: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    freedom = np.broadcast_to(rows - 1, table[0].shape)
    return table[0], np.sqrt(means.steadied_variances(freedom, table[1]) / rows), freedom


def standardised_ratio_bounds(events: np.ndarray, rows: np.ndarray, level: float) -> Bounds:
    """Return limits of the smallest ratio of standardised rates, as measures.stratified; shape (runs,)."""
    tails, mask = critical_tails(events.shape[-1], level), pair_mask(events.shape[-1])
    full = (rows > 0).all(axis=-1)
    size = np.where(full, rows.sum(axis=-1), 0.0)
    weight = (size / size.sum(axis=-1, keepdims=True))[..., None]
    rate = np.where(rows > 0, events / np.maximum(rows, 1), 0.5)
    value, ends = (weight * rate).sum(axis=-2), []
    for tail in (tails.lower, tails.upper):
        low, high = proportions.proportion_limits(events, rows, tail)
        below, above = (np.sqrt((weight**2 * arm**2).sum(axis=-2)) for arm in (rate - low, high - rate))
        ends.append((np.clip(value - below, 0, 1), np.clip(value + above, 0, 1)))
    upper, lower = hybrid_ratio(value, *ends[0], sign=1), hybrid_ratio(value, *ends[1], sign=-1)
    return smallest(lower, upper, mask)


def strata_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate conditional statistical parity over three strata: standardised, and the worst stratum."""
    generator = np.random.default_rng(SEED + 15)
    shares, added = STRATA.T
    for groups, rate, gap in product(GROUPS, (0.05, 0.3), GAPS):
        truth = np.linspace(rate, rate + gap, groups) + added[:, None]
        for name, each in sizes(groups):
            rows = np.stack([generator.multinomial(n, shares, effort.metric_runs) for n in each], axis=-1)
            rows = rows[(rows > 0).all(axis=(1, 2))]
            events, total = generator.binomial(rows, truth).astype(float), rows.astype(float)
            expected = shares[:, None] * each
            few = float(np.minimum(expected * truth, expected * (1 - truth)).min())
            found = held(proportions.standardised_bounds(events, total, LEVEL), gap)
            yield Cell(f"standardised difference, rate {rate:g}", groups, name, gap, *found, few)
            whole = shares @ truth
            found = held(standardised_ratio_bounds(events, total, LEVEL), whole.min() / whole.max())
            yield Cell(f"standardised ratio, rate {rate:g}", groups, name, gap, *found, few)
            level = part_level(LEVEL, len(shares))
            parts = [proportions.difference_bounds(events[:, s], total[:, s], level) for s in range(len(shares))]
            yield Cell(f"worst stratum, rate {rate:g}", groups, name, gap, *held(worst(parts), gap), few, len(shares))


def individual_cells(effort: Effort) -> Iterator[Cell]:
    """Simulate consistency and violation rate of scores with noise; the truth is the mean over all simulated sets.

    The column is the size of the noise in place of a gap.
    """
    generator = np.random.default_rng(SEED + 16)
    spec = individual.SimilaritySpec(columns=("a", "b"), distance="euclidean", lipschitz=0.5)
    assess = {"consistency": individual.assess_consistency, "fairness through awareness": individual.assess_awareness}
    for rows, noise in product(ROWS[:3], (0.05, 0.2)):
        sets = []
        for _ in range(effort.individual_runs):
            features = pd.DataFrame(generator.standard_normal((rows, 2)), columns=["a", "b"])
            slope = features["a"] + generator.standard_normal(rows) * 10 * noise
            sets.append((1 / (1 + np.exp(-slope.to_numpy())), features))
        for name, measure in assess.items():
            found = [measure(values, features, spec, level=LEVEL)[0] for values, features in sets]
            value, lower, upper = (np.array([getattr(f, end) for f in found]) for end in ("value", "lower", "upper"))
            yield Cell(name, 1, f"{rows:,}", noise, *held((lower, upper), value.mean()), reason="b")


PARTS = {
    "reference group": reference_cells,
    "equalized odds": equalized_odds_cells,
    "treatment equality": treatment_cells,
    "calibration": calibration_cells,
    "balance of classes": balance_cells,
    "strata": strata_cells,
}
