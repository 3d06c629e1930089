"""Metrics whose groups are compared in a way of their own: calibration, strata, distributions of predictions."""

from __future__ import annotations

from dataclasses import dataclass
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
    Comparison,
    Kind,
    Setting,
    compare_rates,
    report,
    worst,
)
from rai_kedro.fairness.estimates import Disparity, GroupFigure
from rai_kedro.fairness.rates import outcome_rates_by_score, selection_rate
from rai_kedro.fairness.tables import Counts, DistributionCounts, Figures, GroupCounts, ScoreCounts, StratumCounts
from rai_kedro.intervals import STRATIFIED_LIMITS as LIMITS
from rai_kedro.intervals import (
    Distance,
    Estimate,
    distribution_distances,
    make_interval,
    pair_mask,
    ratio_of_pairs,
    shared_pairs,
    smallest,
    standardised_limits,
)

UNDEFINED = "no rows with a label and a score"
STRATA = "conditional_statistical_parity"
NAME = "selection rate standardised over strata"
NO_STRATUM = "no stratum holds rows of two groups to compare"
NOT_TOGETHER = "no stratum holds rows of both"
ALONE = "stratum in which only one group has rows"
RATIO = (
    "smallest ratio of rates, each pair standardised to the strata in which both have rows; stratified hybrid interval "
    "(Donner and Zou 2012; Yan and Su 2010)"
)


def assess_calibration(sums: ScoreCounts, setting: Setting) -> list[Disparity]:
    """Compare the shares of favourable labels within each bin of the score; the worst bin counts."""
    return compare_rates("calibration", outcome_rates_by_score(sums), setting, sums.left_out, gaps="counted")


def assess_well_calibration(sums: ScoreCounts, setting: Setting) -> list[Disparity]:
    """Measure how far the scores of each group are from the share of favourable labels.

    Returns:
        Difference: the largest |P(Y=1 | bin) - mean score in the bin| over groups and bins; ratio: the smallest of
        one of the two over the other. Every cell's interval holds at the Bonferroni level; labels with unequal
        probabilities vary less than the binomial it assumes, so that it errs on the wide side.
    """
    cells = _find_cells(sums)
    shares = cells.events / np.maximum(cells.rows, 1)
    figures = tuple(
        GroupFigure.make(
            group, name, int(n), float(p - s), make_interval(_minus(i.lower, s), _minus(i.upper, s), i.how, i.note)
        )
        for group, name, n, p, s, i in zip(
            cells.groups, cells.names, cells.rows, shares, cells.scores, cells.intervals(setting.level), strict=True
        )
    )
    missing = [f"{group}: {UNDEFINED}" for group in sums.groups if group not in cells.groups]
    together = cells.intervals(intervals.part_level(setting.level, max(len(shares), 1)))
    made = []
    for kind in KINDS:
        parts = [_deviate(p, s, i, kind) for p, s, i in zip(shares, cells.scores, together, strict=True)]
        nothing = Comparison(None, None, make_interval(None, None, "none", UNDEFINED))
        outcome = worst(parts or [nothing], kind, setting.level)
        made.append(report("well_calibration", kind, outcome, Beside(figures, missing, sums.left_out), setting))
    return made


def _find_cells(sums: ScoreCounts) -> _Cells:
    rows = sums.counts.sum(axis=1)
    bins = rows.shape[1]
    group_at, bin_at = np.nonzero(rows)
    title = "favourable labels minus mean score, scores"
    behind = rows[group_at, bin_at]
    return _Cells(
        tuple(sums.groups[at] for at in group_at),
        tuple(f"{title} {at / bins:g} to {(at + 1) / bins:g}" for at in bin_at),
        behind,
        sums.counts[:, 1][group_at, bin_at],
        sums.sums.sum(axis=1)[group_at, bin_at] / np.maximum(behind, 1),
    )


def _deviate(share: float, score: float, interval: Estimate, kind: Kind) -> Comparison:
    """Hold a share, known to lie in an interval, against the mean score."""
    ends: Any = (interval.lower, interval.upper)
    covered = ends[0] <= score <= ends[1]
    if kind == "difference":
        near, far = sorted(abs(end - score) for end in ends)
        return Comparison(
            abs(float(share - score)),
            None,
            interval.model_copy(update={"lower": near * (not covered), "upper": far}),
        )
    far, near = sorted(_smaller_ratio(end, score) for end in ends)
    found = interval.model_copy(update={"lower": far, "upper": 1.0 if covered else near})
    return Comparison(_smaller_ratio(float(share), score), None, found)


def _smaller_ratio(a: float, b: float) -> float:
    return 1.0 if a == b else float(min(a, b) / max(a, b))


def _minus(end: float | None, score: float) -> float | None:
    return None if end is None else float(end - score)


@dataclass(frozen=True, eq=False)
class _Cells:
    """Cells of group and score bin that have rows, each array of shape (cells,)."""

    groups: tuple[str, ...]
    names: tuple[str, ...]
    rows: Counts
    events: Counts
    scores: Figures

    def intervals(self, level: float) -> list[Estimate]:
        return intervals.proportion_intervals(self.events, self.rows, level) if len(self.rows) else []


def assess_strata(counts: StratumCounts, setting: Setting) -> list[Disparity]:
    """Compare selection rates in strata: standardised over them, or in the worst of them."""
    return assess_worst_stratum(counts, setting) if setting.worst_stratum else assess_standardised(counts, setting)


def assess_worst_stratum(counts: StratumCounts, setting: Setting) -> list[Disparity]:
    """Compare the selection rates within each stratum; the worst stratum counts.

    Returns:
        Difference and ratio. A stratum in which only one group has rows says nothing; its rows are counted.
    """
    rates = []
    for name, part in zip(counts.strata, counts.counts, strict=True):
        rate = selection_rate(GroupCounts(counts.groups, part))
        rates.append(rate.renamed(f"selection rate in stratum {name}"))
    return compare_rates(STRATA, rates, setting, counts.left_out, gaps="counted")


def assess_standardised(counts: StratumCounts, setting: Setting) -> list[Disparity]:
    """Compare selection rates that are standardised to the strata's shares of all rows, pair by pair.

    Returns:
        Difference and ratio of the sums over s of w_s P(prediction = 1 | s, group). Each pair is standardised to the
        strata in which both its groups have rows; a pair without such a stratum is not assessed. Rows in strata of one
        group only are counted as left out.
    """
    table = _Table(counts.counts[..., 1].sum(axis=2), counts.counts.sum(axis=(2, 3)), setting)
    alone = int(table.rows[(table.rows > 0).sum(axis=1) == 1].sum())
    left_out = counts.left_out | ({ALONE: alone} if alone else {})
    if not table.mask.any():
        figures = tuple(GroupFigure(group=group, rate=NAME, n=0, note=NO_STRATUM) for group in counts.groups)
        missing = [f"{group}: {NO_STRATUM}" for group in counts.groups]
        nothing = Comparison(None, None, make_interval(None, None, "none", NO_STRATUM))
        return [report(STRATA, kind, nothing, Beside(figures, missing, left_out), setting) for kind in KINDS]
    beside = Beside(table.describe(), table.never_compared(), left_out)
    return [report(STRATA, kind, table.compare(kind), beside, setting) for kind in KINDS]


@dataclass(frozen=True, eq=False)
class _Table:
    """Favourable predictions and rows by stratum and group, each of shape (S, G)."""

    events: Figures
    rows: Figures
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

    def limits(self, tail: float) -> tuple[Figures, Figures]:
        """Return limits of the standardised rates at a one-sided tail, shape (G, G) each."""
        low, high = standardised_limits(self.events.astype(float), self.rows.astype(float), tail)
        return np.clip(low, 0, 1), np.clip(high, 0, 1)

    def describe(self) -> tuple[GroupFigure, ...]:
        """Give every group its rate over the strata that it shares with any other."""
        shared = (self.rows > 0).sum(axis=1) > 1
        low, high = self.limits((1 - self.setting.level) / 2)
        figures = []
        for at, group in enumerate(self.setting.grouping.groups):
            rows = int(self.rows[shared, at].sum())
            if not rows:
                figures.append(GroupFigure(group=group, rate=NAME, n=0, note=UNCOMPARED))
                continue
            value, *ends = (float(part[at, at]) for part in (self.values, low, high))
            figures.append(GroupFigure.make(group, NAME, rows, value, make_interval(ends[0], ends[1], LIMITS)))
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
        lower, higher = self.values, self.values.T
        if kind == "difference":
            apart = np.where(self.mask, higher - lower, -np.inf)
            low, high = np.unravel_index(int(apart.argmax()), apart.shape)
            at = {"reference": self.reference}
            found = intervals.stratified_difference_of_proportions(self.events, self.rows, self.setting.level, **at)
            return Comparison(float(apart[low, high]), self._name(low, high), found)
        ratios = np.divide(lower, higher, out=np.full_like(lower, np.inf), where=self.mask & (higher > 0))
        low, high = np.unravel_index(int(ratios.argmin()), ratios.shape)
        if np.isinf(ratios[low, high]):
            return Comparison(None, None, make_interval(None, None, "none", "no group has a favourable prediction"))
        return Comparison(float(ratios[low, high]), self._name(low, high), self._ratio_interval())

    def _name(self, low: np.intp, high: np.intp) -> tuple[str, str]:
        groups = self.setting.grouping.groups
        return groups[low], groups[high]

    def _ratio_interval(self) -> Estimate:
        tails, mask = shared_pairs(self.rows, self.setting.level, self.reference)
        upper = ratio_of_pairs(self.values, *self.limits(tails.lower), sign=1)
        lower = ratio_of_pairs(self.values, *self.limits(tails.upper), sign=-1)
        found = smallest(lower, upper, mask)
        return make_interval(float(found[0]), float(found[1]), RATIO)


def assess_distribution(counts: DistributionCounts, setting: Setting) -> list[Disparity]:
    """Measure the largest Kolmogorov-Smirnov and Wasserstein-1 distance between the predictions of two groups.

    Returns:
        One disparity for each distance; the figure of a group is its distance to the rows of all other groups.
    """
    present = counts.counts.sum(axis=1) > 0
    missing = [f"{group}: no rows" for group, there in zip(counts.groups, present, strict=True) if not there]
    made = []
    distances: tuple[Distance, ...] = ("kolmogorov_smirnov", "wasserstein")
    for distance in distances:
        figures = _describe_distribution(counts, distance, setting.level)
        outcome = _compare_distributions(counts, distance, setting)
        beside = Beside(figures, missing, counts.left_out)
        made.append(report("prediction_distribution", distance, outcome, beside, setting))
    return made


def _compare_distributions(counts: DistributionCounts, distance: Distance, setting: Setting) -> Comparison:
    present = np.flatnonzero(counts.counts.sum(axis=1) > 0)
    groups = [counts.groups[at] for at in present]
    reference = setting.reference
    if len(groups) < 2 or (reference is not None and reference not in groups):  # noqa: PLR2004
        return Comparison(None, None, make_interval(None, None, "none", FEWER_THAN_TWO))
    rows = counts.counts[present]
    apart = distribution_distances(rows, counts.edges, distance=distance)
    at = None if reference is None else groups.index(reference)
    if at is not None:
        apart = np.where(np.arange(len(groups))[:, None] == at, apart, 0.0)
    first, second = np.unravel_index(int(np.argmax(apart)), apart.shape)
    pair = (groups[first], groups[second if first != second else (first + 1) % len(groups)])
    found = intervals.largest_distribution_distance(rows, counts.edges, setting.level, distance=distance, reference=at)
    return Comparison(float(apart.max()), pair, found)


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
