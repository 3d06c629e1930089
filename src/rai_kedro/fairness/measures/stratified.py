"""Conditional statistical parity: selection rates within strata of legitimate columns."""

from __future__ import annotations

import numpy as np

from rai_kedro.fairness.estimates import Disparity, GroupFigure
from rai_kedro.fairness.measures.comparison import Comparison, Kind, divide, find_pair
from rai_kedro.fairness.measures.counts import Figures, GroupCounts, StratumCounts
from rai_kedro.fairness.measures.disparities import KINDS, Beside, Setting, compare_rates, report
from rai_kedro.fairness.measures.rates import selection_rate
from rai_kedro.fairness.uncertainty import intervals
from rai_kedro.fairness.uncertainty.critical import critical, hybrid_ratio, pair_mask, smallest
from rai_kedro.fairness.uncertainty.intervals import Interval
from rai_kedro.fairness.uncertainty.proportions import proportion_limits

METRIC = "conditional_statistical_parity"
NAME = "selection rate standardised over strata"
NO_STRATUM = "no stratum holds rows of every group"
NOT_IN_ALL = "stratum without rows of every group"
RATIO = (
    "smallest ratio of rates standardised to the strata's shares of all rows; stratified hybrid interval (Donner and "
    "Zou 2012; Yan and Su 2010)"
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
    """Compare selection rates that are standardised to the strata's shares of all rows.

    Args:
        counts: Counts by stratum and group.
        setting: Groups and level.

    Returns:
        Difference and ratio of the sums over s of w_s P(prediction = 1 | s, group). Only strata in which every group
        has rows can be used; rows in others are counted.
    """
    rows = counts.counts.sum(axis=(2, 3))
    events = counts.counts[..., 1].sum(axis=2)
    values, weights = intervals.standardised_rates(events, rows)
    used = rows[weights > 0].sum(axis=0)
    left_out = counts.left_out | ({NOT_IN_ALL: int(rows.sum() - used.sum())} if rows.sum() > used.sum() else {})
    if len(counts.groups) < 2 or not weights.any():  # noqa: PLR2004
        figures = tuple(GroupFigure(group, 0, None, None, None, NAME, NO_STRATUM) for group in counts.groups)
        missing = [f"{group}: {NO_STRATUM}" for group in counts.groups]
        nothing = Comparison(None, None, Interval(None, None, "none", NO_STRATUM))
        return [report(METRIC, kind, nothing, Beside(figures, missing, left_out), setting) for kind in KINDS]
    low, high = _limits(events, rows, (1 - setting.level) / 2)
    figures = tuple(
        GroupFigure(group, int(n), float(value), float(a), float(b), NAME)
        for group, n, value, a, b in zip(counts.groups, used, values, low, high, strict=True)
    )
    made = []
    for kind in KINDS:
        outcome = _compare(events, rows, kind, setting)
        made.append(report(METRIC, kind, outcome, Beside(figures, (), left_out), setting))
    return made


def _compare(events: Figures, rows: Figures, kind: Kind, setting: Setting) -> Comparison:
    groups = setting.grouping.groups
    at = None if setting.reference is None else groups.index(setting.reference)
    values, _ = intervals.standardised_rates(events, rows)
    low, high = find_pair(values, kind, at)
    pair = (groups[low], groups[high])
    if kind == "difference":
        found = intervals.stratified_difference_of_proportions(events, rows, setting.level, reference=at)
        return Comparison(float(values[high] - values[low]), pair, found)
    ratio = divide(values[low], values[high])
    if ratio is None:
        return Comparison(None, None, Interval(None, None, "none", "no group has a favourable prediction"))
    return Comparison(ratio, pair, _ratio_interval(events, rows, setting.level, at))


def _ratio_interval(events: Figures, rows: Figures, level: float, reference: int | None) -> Interval:
    groups = events.shape[1]
    tails, mask = critical(groups, level, reference), pair_mask(groups, reference)
    values, _ = intervals.standardised_rates(events, rows)
    upper = hybrid_ratio(values, *_limits(events, rows, tails.lower), sign=1)
    lower = hybrid_ratio(values, *_limits(events, rows, tails.upper), sign=-1)
    found = smallest(lower, upper, mask)
    return Interval(float(found[0]), float(found[1]), RATIO)


def _limits(events: Figures, rows: Figures, tail: float) -> tuple[Figures, Figures]:
    """Return limits of each standardised rate: the strata's own arms added in squares (Yan & Su 2010), shape (G,)."""
    values, weights = intervals.standardised_rates(events, rows)
    low, high = proportion_limits(events.astype(float), rows.astype(float), tail)
    rate = np.where(rows > 0, events / np.maximum(rows, 1), 0.5)
    share = (weights**2)[:, None]
    below, above = np.sqrt((share * (rate - low) ** 2).sum(0)), np.sqrt((share * (high - rate) ** 2).sum(0))
    return np.clip(values - below, 0, 1), np.clip(values + above, 0, 1)
