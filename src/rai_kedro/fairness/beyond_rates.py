"""Metrics whose groups are compared in a way of their own: calibration, strata, distributions of predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from rai_kedro import intervals
from rai_kedro.fairness.comparison import (
    FEWER_THAN_TWO,
    KINDS,
    NOT_AGAINST,
    UNCOMPARED,
    Beside,
    Kind,
    Setting,
    compare_rates,
    report,
    worst,
)
from rai_kedro.fairness.estimates import Comparison, Disparity, GroupFigure
from rai_kedro.fairness.rates import outcome_rates_by_score, selection_rate
from rai_kedro.fairness.tables import DistributionCounts, Figures, GroupCounts, ScoreCounts, StratumCounts
from rai_kedro.intervals import STRATIFIED_LIMITS as LIMITS
from rai_kedro.intervals import Distance, Estimate, distribution_distances, make_interval, pair_mask, shared_pairs

UNDEFINED = "no rows with a label and a score"
STRATA = "conditional_statistical_parity"
NAME = "selection rate standardised over strata"
NO_STRATUM = "no stratum holds rows of two groups to compare"
NOT_TOGETHER = "no stratum holds rows of both"
ALONE = "stratum in which only one group has rows"


def assess_calibration(sums: ScoreCounts, setting: Setting) -> list[Disparity]:
    """Compare the shares of favourable labels within each bin of the score; the worst bin counts."""
    return compare_rates("calibration", outcome_rates_by_score(sums), setting, sums.left_out, gaps="counted")


def assess_well_calibration(sums: ScoreCounts, setting: Setting) -> list[Disparity]:
    """Measure how far the scores of each group are from the share of favourable labels.

    Difference: the largest |P(Y=1 | bin) - mean score in the bin| over groups and bins; ratio: the smallest of one of
    the two over the other. Every cell's interval holds at the Bonferroni level; labels with unequal probabilities vary
    less than the binomial it assumes, so that it errs on the wide side.
    """
    rows = sums.counts.sum(axis=1)
    group_at, bin_at = np.nonzero(rows)
    behind, by_bin = rows[group_at, bin_at], outcome_rates_by_score(sums)
    shares = np.array([by_bin[at].values[group] for group, at in zip(group_at, bin_at, strict=True)])
    scores = _average_scores(sums)[group_at, bin_at]

    def limit(level: float) -> list[Estimate]:
        counted = [np.stack(rate.numbers((1 - level) / 2)) for rate in by_bin]
        events, among = np.stack(counted, axis=-1)[:, group_at, bin_at]
        return intervals.proportion_intervals(events, among, level) if len(behind) else []

    figures = tuple(
        GroupFigure.make(
            sums.groups[group],
            f"favourable labels minus mean score, scores {at / rows.shape[1]:g} to {(at + 1) / rows.shape[1]:g}",
            int(n),
            float(p - s),
            make_interval(_minus(i.lower, s), _minus(i.upper, s), i.how, i.note),
        )
        for group, at, n, p, s, i in zip(group_at, bin_at, behind, shares, scores, limit(setting.level), strict=True)
    )
    missing = [f"{group}: {UNDEFINED}" for group, n in zip(sums.groups, rows.sum(axis=1), strict=True) if not n]
    together = limit(intervals.part_level(setting.level, max(len(shares), 1)))
    made = []
    for kind in KINDS:
        parts = [_deviate(p, s, i, kind) for p, s, i in zip(shares, scores, together, strict=True)]
        outcome = worst(parts or [Comparison.nothing(UNDEFINED)], kind, setting.level)
        made.append(report("well_calibration", kind, outcome, Beside(figures, missing, sums.left_out), setting))
    return made


def _average_scores(sums: ScoreCounts) -> Figures:
    """Return the mean score of each group and bin, shape (G, bins)."""
    groups, _, bins = sums.counts.shape
    if sums.units is None:
        scores: Figures = sums.sums.sum(axis=1) / np.maximum(sums.counts.sum(axis=1), 1)
        return scores
    means = []
    for at in range(bins):
        cells = dict.fromkeys((at, bins + at), 1.0)
        means.append(sums.units.measure({cell + 2 * bins: 1.0 for cell in cells}, cells, groups).values)
    return np.stack(means, axis=1)


def _deviate(share: float, score: float, interval: Estimate, kind: Kind) -> Comparison:
    """Compare a share, known to lie in an interval, with the mean score."""
    ends: Any = (interval.lower, interval.upper)
    covered = ends[0] <= score <= ends[1]
    if kind == "difference":
        near, far = sorted(abs(end - score) for end in ends)
        value, lower, upper = abs(float(share - score)), near * (not covered), far
    else:
        lower, near = sorted(_smaller_ratio(end, score) for end in ends)
        value, upper = _smaller_ratio(float(share), score), 1.0 if covered else near
    return Comparison(value=value, lower=lower, upper=upper, how=interval.how, note=interval.note)


def _smaller_ratio(a: float, b: float) -> float:
    return 1.0 if a == b else float(min(a, b) / max(a, b))


def _minus(end: float | None, score: float) -> float | None:
    return None if end is None else float(end - score)


def assess_strata(counts: StratumCounts, setting: Setting) -> list[Disparity]:
    """Compare selection rates in strata: standardised over them, or in the worst of them."""
    return assess_worst_stratum(counts, setting) if setting.worst_stratum else assess_standardised(counts, setting)


def assess_worst_stratum(counts: StratumCounts, setting: Setting) -> list[Disparity]:
    """Compare the selection rates within each stratum; the worst stratum counts.

    A stratum in which only one group has rows says nothing; its rows are counted.
    """
    rates = []
    for at, (name, part) in enumerate(zip(counts.strata, counts.counts, strict=True)):
        units = None if counts.units is None else counts.units.select(4 * at, 4)
        rate = selection_rate(GroupCounts(counts.groups, part, units=units))
        rates.append(replace(rate, name=f"selection rate in stratum {name}"))
    return compare_rates(STRATA, rates, setting, counts.left_out, gaps="counted")


def assess_standardised(counts: StratumCounts, setting: Setting) -> list[Disparity]:
    """Compare selection rates that are standardised to the strata's shares of all rows, pair by pair.

    That is, the sums over s of w_s P(prediction = 1 | s, group). Each pair is standardised to the strata in which both
    its groups have rows; a pair without such a stratum is not assessed. Rows in strata of one group only are left out.
    """
    rows = counts.counts.sum(axis=(2, 3))
    table = _Table(*_count_effective(counts, setting), rows, setting)
    alone = int(rows[(rows > 0).sum(axis=1) == 1].sum())
    left_out = counts.left_out | ({ALONE: alone} if alone else {})
    if not table.mask.any():
        figures = tuple(GroupFigure(group=group, rate=NAME, n=0, note=NO_STRATUM) for group in counts.groups)
        missing = [f"{group}: {NO_STRATUM}" for group in counts.groups]
        nothing = Comparison.nothing(NO_STRATUM)
        return [report(STRATA, kind, nothing, Beside(figures, missing, left_out), setting) for kind in KINDS]
    beside = Beside(table.describe(), table.never_compared(), left_out)
    return [report(STRATA, kind, table.compare(kind), beside, setting) for kind in KINDS]


def _count_effective(counts: StratumCounts, setting: Setting) -> tuple[Any, Any]:
    """Return favourable predictions and rows of each stratum and group, shape (S, G), as so many independent rows.

    Rows of a unit may lie in several strata, so that the design effect is that of the rate standardised over them. The
    largest of any group is taken for all, which leaves the strata their shares.
    """
    events, rows = counts.counts[..., 1].sum(axis=2), counts.counts.sum(axis=(2, 3))
    if counts.units is None:
        return events, rows
    tail = intervals.critical_tails(max(2, rows.shape[1]), setting.level).lower
    selected, weighted, worth = counts.units.standardise(rows, tail)
    scale = worth * rows.sum() / weighted.sum()
    return selected * scale, weighted * scale


@dataclass(frozen=True, eq=False)
class _Table:
    """Favourable predictions and rows by stratum and group, each of shape (S, G), and the rows as they are shown."""

    events: Figures
    rows: Figures
    shown: npt.NDArray[Any]
    setting: Setting

    @cached_property
    def values(self) -> Figures:
        """Rate of each group over the strata that it shares with each other one, shape (G, G)."""
        return intervals.standardised_rates(self.events, self.rows)[0]

    @cached_property
    def reference(self) -> int | None:
        """Position of the reference group; None where every pair is compared."""
        groups, name = self.setting.grouping.groups, self.setting.reference
        return None if name is None else groups.index(name)

    @cached_property
    def mask(self) -> npt.NDArray[np.bool_]:
        """Which pairs can be compared, shape (G, G)."""
        if self.rows.shape[1] < 2:  # noqa: PLR2004
            return np.zeros((0, 0), dtype=bool)
        found: npt.NDArray[np.bool_] = shared_pairs(self.rows, self.setting.level, self.reference)[1]
        return found

    def describe(self) -> tuple[GroupFigure, ...]:
        """Give every group its rate over the strata that it shares with any other."""
        shared = (self.rows > 0).sum(axis=1) > 1
        tail = (1 - self.setting.level) / 2
        low, high = np.clip(
            intervals.standardised_limits(self.events.astype(float), self.rows.astype(float), tail), 0, 1
        )
        figures = []
        for at, group in enumerate(self.setting.grouping.groups):
            behind = int(self.shown[shared, at].sum())
            if not behind:
                figures.append(GroupFigure(group=group, rate=NAME, n=0, note=UNCOMPARED))
                continue
            value, *ends = (float(part[at, at]) for part in (self.values, low, high))
            figures.append(GroupFigure.make(group, NAME, behind, value, make_interval(ends[0], ends[1], LIMITS)))
        return tuple(figures)

    def never_compared(self) -> list[str]:
        """Name the groups that share no stratum with any they are held against, and else the pairs that share none."""
        groups, mask = self.setting.grouping.groups, self.mask
        lost = [not mask[at].any() for at in range(len(groups))]
        why = UNCOMPARED if self.reference is None else NOT_AGAINST
        named = [f"{group}: {why}" for group, is_lost in zip(groups, lost, strict=True) if is_lost]
        wanted = np.triu(pair_mask(len(groups), self.reference) & ~mask)
        pairs = ((one, other) for one, other in np.argwhere(wanted) if not (lost[one] or lost[other]))
        return [*named, *(f"{groups[one]} and {groups[other]}: {NOT_TOGETHER}" for one, other in pairs)]

    def compare(self, kind: Kind) -> Comparison:
        """Compare every pair; the worst counts."""
        lower, higher, groups = self.values, self.values.T, self.setting.grouping.groups
        if kind == "difference":
            apart = np.where(self.mask, higher - lower, -np.inf)
            at, of = int(apart.argmax()), intervals.stratified_difference_of_proportions
        else:
            apart = np.divide(lower, higher, out=np.full_like(lower, np.inf), where=self.mask & (higher > 0))
            at, of = int(apart.argmin()), intervals.stratified_ratio_of_proportions
        low, high = np.unravel_index(at, apart.shape)
        if np.isinf(apart[low, high]):
            return Comparison.nothing("no group has a favourable prediction")
        found = of(self.events, self.rows, self.setting.level, reference=self.reference)
        return Comparison.make(float(apart[low, high]), (groups[low], groups[high]), found)


def assess_distribution(counts: DistributionCounts, setting: Setting) -> list[Disparity]:
    """Measure the largest Kolmogorov-Smirnov and Wasserstein-1 distance between the predictions of two groups.

    The figure of a group is its distance to the rows of all other groups.
    """
    rows = counts.counts.sum(axis=1)
    missing = [f"{group}: no rows" for group, n in zip(counts.groups, rows, strict=True) if not n]
    made, counts = [], _count_effective_distribution(counts)
    distances: tuple[Distance, ...] = ("kolmogorov_smirnov", "wasserstein")
    for distance in distances:
        figures = tuple(
            figure if counts.units is None else figure.model_copy(update={"n": int(n), "effective_n": float(worth)})
            for figure, n, worth in zip(
                _describe_distribution(counts, distance, setting.level), rows, counts.counts.sum(axis=1), strict=True
            )
        )
        outcome = _compare_distributions(counts, distance, setting)
        beside = Beside(figures, missing, counts.left_out)
        made.append(report("prediction_distribution", distance, outcome, beside, setting))
    return made


def _count_effective_distribution(counts: DistributionCounts) -> DistributionCounts:
    """Return the weighted distribution, counted as so many independent rows as it is worth.

    That is with the largest design effect of the cumulative shares at the nine deciles of all rows.
    """
    if counts.units is None:
        return counts
    rows, groups = counts.counts.sum(axis=1), len(counts.groups)
    cumulated = np.cumsum(counts.counts.sum(axis=0)) / max(1, rows.sum())
    bins = range(counts.counts.shape[1])
    all_bins, ends = dict.fromkeys(bins, 1.0), np.unique(np.searchsorted(cumulated, np.arange(1, 10) / 10))
    parts = [counts.units.measure(dict.fromkeys(range(end + 1), 1.0), all_bins, groups) for end in ends]
    worth = np.min([part.effective_rows(rows) for part in parts], axis=0)
    at = counts.units.group[counts.units.pair] * len(bins) + counts.units.cell
    weighted = np.bincount(at, weights=counts.units.value, minlength=groups * len(bins)).reshape(groups, -1)
    shares = weighted / np.maximum(weighted.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    effective: Any = shares * worth[:, None]
    return replace(counts, counts=effective)


def _compare_distributions(counts: DistributionCounts, distance: Distance, setting: Setting) -> Comparison:
    present = np.flatnonzero(counts.counts.sum(axis=1) > 0)
    groups = [counts.groups[at] for at in present]
    reference = setting.reference
    if len(groups) < 2 or (reference is not None and reference not in groups):  # noqa: PLR2004
        return Comparison.nothing(FEWER_THAN_TWO)
    rows = counts.counts[present]
    apart = distribution_distances(rows, counts.edges, distance=distance)
    at = None if reference is None else groups.index(reference)
    if at is not None:
        apart = np.where(np.arange(len(groups))[:, None] == at, apart, 0.0)
    first, second = np.unravel_index(int(np.argmax(apart)), apart.shape)
    pair = (groups[first], groups[second if first != second else (first + 1) % len(groups)])
    found = intervals.largest_distribution_distance(rows, counts.edges, setting.level, distance=distance, reference=at)
    return Comparison.make(float(apart.max()), pair, found)


def _describe_distribution(counts: DistributionCounts, distance: Distance, level: float) -> tuple[GroupFigure, ...]:
    name = f"{distance.replace('_', '-')} distance to the other groups' predictions"
    total = counts.counts.sum(axis=0)
    figures = []
    for group, own in zip(counts.groups, counts.counts, strict=True):
        two = np.array([own, total - own])
        if not own.sum() or own.sum() == total.sum():
            figures.append(GroupFigure(group=group, rate=name, n=int(own.sum()), note=FEWER_THAN_TWO))
            continue
        value = float(distribution_distances(two, counts.edges, distance=distance)[0, 1])
        found = intervals.largest_distribution_distance(two, counts.edges, level, distance=distance)
        figures.append(GroupFigure.make(group, name, int(own.sum()), value, found))
    return tuple(figures)
