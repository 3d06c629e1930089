"""Conditional statistical parity: selection rates within strata of legitimate columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from rai_kedro.fairness.estimates import Disparity, GroupFigure
from rai_kedro.fairness.measures.comparison import Comparison, Kind
from rai_kedro.fairness.measures.counts import Figures, GroupCounts, StratumCounts
from rai_kedro.fairness.measures.disparities import (
    KINDS,
    NOT_AGAINST,
    UNCOMPARED,
    Beside,
    Setting,
    compare_rates,
    report,
)
from rai_kedro.fairness.measures.rates import selection_rate
from rai_kedro.intervals import intervals
from rai_kedro.intervals.critical import pair_mask, ratio_of_pairs, smallest
from rai_kedro.intervals.estimate import Estimate, make_interval
from rai_kedro.intervals.proportions import STRATIFIED_LIMITS as LIMITS
from rai_kedro.intervals.proportions import shared_pairs, standardised_limits

METRIC = "conditional_statistical_parity"
NAME = "selection rate standardised over strata"
NO_STRATUM = "no stratum holds rows of two groups to compare"
NOT_TOGETHER = "no stratum holds rows of both"
ALONE = "stratum in which only one group has rows"
RATIO = (
    "smallest ratio of rates, each pair standardised to the strata in which both have rows; stratified hybrid interval "
    "(Donner and Zou 2012; Yan and Su 2010)"
)


def assess_worst_stratum(counts: StratumCounts, setting: Setting) -> list[Disparity]:
    """Compare the selection rates within each stratum; the worst stratum counts.

    Args:
        counts: Counts by stratum and group.
        setting: Groups and level.

    Returns:
        Difference and ratio. A stratum in which only one group has rows says nothing; its rows are counted.
    """
    rates = []
    for name, part in zip(counts.strata, counts.counts, strict=True):
        rate = selection_rate(GroupCounts(counts.groups, part))
        rates.append(rate.renamed(f"selection rate in stratum {name}"))
    return compare_rates(METRIC, rates, setting, counts.left_out, gaps="counted")


def assess_standardised(counts: StratumCounts, setting: Setting) -> list[Disparity]:
    """Compare selection rates that are standardised to the strata's shares of all rows, pair by pair.

    Args:
        counts: Counts by stratum and group.
        setting: Groups and level.

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
        return [report(METRIC, kind, nothing, Beside(figures, missing, left_out), setting) for kind in KINDS]
    beside = Beside(table.describe(), table.never_compared(), left_out)
    return [report(METRIC, kind, table.compare(kind), beside, setting) for kind in KINDS]


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
