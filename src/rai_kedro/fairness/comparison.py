"""Disparities: the rates of a metric compared over the groups of one grouping, with all that a reader must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from rai_kedro import intervals
from rai_kedro.fairness.estimates import Disparity, DisparityKind, GroupFigure
from rai_kedro.fairness.grouping import Grouping
from rai_kedro.fairness.rates import Rate
from rai_kedro.fairness.tables import Figures
from rai_kedro.intervals import (
    Estimate,
    critical_tails,
    hybrid_difference,
    hybrid_ratio,
    largest,
    make_interval,
    pair_mask,
    proportion_limits,
    smallest,
)

Kind: TypeAlias = Literal["difference", "ratio"]

KINDS: tuple[Kind, ...] = ("difference", "ratio")
FEWER_THAN_TWO = "fewer than two groups can be compared"
NO_RATIO = "a ratio needs figures of which none is below and one is above zero"
ODDS = "hybrid (Zou and Donner 2008; Donner and Zou 2012) of the odds of each group's limits of FN / (FN + FP)"
NO_ROWS = "declared, but has no rows"
UNCOMPARED = "no other group has rows there to compare with"
NOT_AGAINST = "the reference group has no rows there to compare with"


@dataclass(frozen=True)
class Comparison:
    """The outcome of comparing one rate over groups; ``pair`` holds the smaller figure's group first."""

    value: float | None
    pair: tuple[str, str] | None
    interval: Estimate


@dataclass(frozen=True, eq=False)
class Setting:
    """What all disparities of one grouping share.

    Attributes:
        grouping: The groups.
        level: Confidence level.
        against_reference: Compare with the reference group only; every pair otherwise.
        worst_stratum: Of strata the worst counts; they are standardised over otherwise.
    """

    grouping: Grouping
    level: float
    against_reference: bool = False
    worst_stratum: bool = False

    @property
    def reference(self) -> str | None:
        """The group that others are held against; None where every pair is compared."""
        return self.grouping.reference if self.against_reference else None


@dataclass(frozen=True)
class Beside:
    """What stands beside a comparison: figures of the groups, what was not assessed, rows left out by reason."""

    figures: tuple[GroupFigure, ...]
    missing: Sequence[str]
    left_out: dict[str, int]


def compare_rates(
    metric: str,
    rates: Sequence[Rate],
    setting: Setting,
    left_out: dict[str, int],
    *,
    gaps: Literal["not_assessed", "counted"] = "not_assessed",
) -> list[Disparity]:
    """Compare the rates of a metric over the groups; of several rates the worst comparison counts.

    ``gaps`` says what it means that a group lacks a rate. ``not_assessed``: the metric is not assessed for that group;
    ``counted``: it is only if the group can be compared nowhere, and rows without a counterpart are counted as left out
    (score bins and strata, where empty cells are to be expected). With a reference that group alone is a counterpart.

    Returns:
        Difference and ratio; without a value where fewer than two groups can be compared.
    """
    figures = tuple(figure for rate in rates for figure in describe(rate, setting.level))
    if gaps == "counted":
        missing = _never_compared(rates, setting)
        usable = [rate for rate in rates if _comparable(rate, setting)]
        alone = sum(int(rate.rows[rate.known()].sum()) for rate in rates if not _comparable(rate, setting))
        left_out = left_out | ({_lack(setting): alone} if alone else {})
        rates = usable or list(rates[:1])
    else:
        missing = [
            f"{group}: {rate.undefined}"
            for rate in rates
            for group, value in zip(rate.groups, rate.values, strict=True)
            if not np.isfinite(value)
        ]
    level = intervals.part_level(setting.level, len(rates))
    made = []
    for kind in KINDS:
        parts = [compare(rate, kind, level, reference=setting.reference) for rate in rates]
        unknown = [
            f"{rate.name}: {part.interval.note}"
            for rate, part in zip(rates, parts, strict=True)
            if part.value is None and len(parts) > 1
        ]
        outcome = worst(parts, kind, setting.level)
        made.append(report(metric, kind, outcome, Beside(figures, [*missing, *unknown], left_out), setting))
    return made


def report(metric: str, kind: DisparityKind, outcome: Comparison, beside: Beside, setting: Setting) -> Disparity:
    """Put a comparison into its final form.

    Returns:
        The disparity; declared groups without rows are among what was not assessed.
    """
    grouping = setting.grouping
    not_assessed = [*(f"{group}: {NO_ROWS}" for group in grouping.absent), *beside.missing]
    if len(grouping.groups) < 2:  # noqa: PLR2004
        only = f"only the group {grouping.groups[0]!r} has rows" if grouping.groups else "no group has rows"
        not_assessed.append(f"{grouping.column}: {only}")
    elif outcome.value is None and not not_assessed:
        not_assessed.append(f"{grouping.column}: {outcome.interval.note}")
    return Disparity(
        metric=metric,
        column=grouping.column,
        kind=kind,
        value=outcome.value,
        lower=outcome.interval.lower,
        upper=outcome.interval.upper,
        level=setting.level,
        groups=beside.figures,
        pair=outcome.pair,
        rule=grouping.rule,
        n=sum(figure.n or 0 for figure in beside.figures),
        how=outcome.interval.how,
        not_assessed=tuple(dict.fromkeys(not_assessed)),
        left_out=dict(beside.left_out),
        reference=setting.reference,
        note=outcome.interval.note,
    )


def _comparable(rate: Rate, setting: Setting) -> bool:
    known = [rate.groups[at] for at in rate.known()]
    return len(known) > 1 and setting.reference in (None, *known)


def _never_compared(rates: Sequence[Rate], setting: Setting) -> list[str]:
    """Name the groups that can be compared nowhere: with a reference, those never held against it."""
    compared = {rate.groups[at] for rate in rates if _comparable(rate, setting) for at in rate.known()}
    return [f"{group}: {_lack(setting)}" for group in setting.grouping.groups if group not in compared]


def _lack(setting: Setting) -> str:
    return UNCOMPARED if setting.reference is None else NOT_AGAINST


def describe(rate: Rate, level: float) -> tuple[GroupFigure, ...]:
    """Give every group its figure, with an interval of its own at the stated level.

    Returns:
        One figure per group, in the order of the groups; nothing is dropped.
    """
    known = rate.known()
    found = dict(zip(known.tolist(), _own_intervals(rate.at(known), level), strict=True)) if len(known) else {}
    figures = []
    for at, group in enumerate(rate.groups):
        interval = found.get(at, make_interval(None, None, "none", rate.undefined))
        value = float(rate.values[at]) if at in found else None
        figures.append(GroupFigure.make(group, rate.name, int(rate.rows[at]), value, interval))
    return tuple(figures)


def compare(rate: Rate, kind: Kind, level: float, *, reference: str | None = None) -> Comparison:
    """Compare the groups in which the rate can be computed.

    Returns:
        The comparison; without a value where fewer than two groups, or not the reference, can be compared.
    """
    rate = rate.at(rate.known())
    if len(rate.groups) < 2 or (reference is not None and reference not in rate.groups):  # noqa: PLR2004
        return Comparison(None, None, make_interval(None, None, "none", FEWER_THAN_TWO))
    at = None if reference is None else rate.groups.index(reference)
    low, high = find_pair(rate.values, kind, at)
    value = divide(rate.values[low], rate.values[high]) if kind == "ratio" else rate.values[high] - rate.values[low]
    if value is None:
        return Comparison(None, None, make_interval(None, None, "none", NO_RATIO))
    pair = (rate.groups[low], rate.groups[high])
    return Comparison(float(value), pair, _interval(rate, kind, level, at))


def worst(parts: Sequence[Comparison], kind: Kind, level: float) -> Comparison:
    """Take the worst of several comparisons, each with its interval at ``part_level``.

    One without a value is unknown, not harmless: the end that would speak for equal treatment is left open by it.

    Returns:
        The worst known value, its pair, and the interval of the worst value: with an unknown part a ratio starts at
        0 and a difference has no upper end.
    """
    usable = [part for part in parts if part.value is not None]
    if not usable:
        return parts[0]
    sign = 1.0 if kind == "difference" else -1.0
    decisive = max(usable, key=lambda part: sign * float(part.value or 0.0))
    if len(parts) == 1:
        return decisive
    interval = intervals.combine_worst([_open(part, kind) for part in parts], level, kind=kind)
    return Comparison(decisive.value, decisive.pair, interval)


def _open(part: Comparison, kind: Kind) -> Estimate:
    """Return the interval of a part; of one without a value, all that it may be."""
    if part.value is not None or kind == "difference":
        return part.interval
    return part.interval.model_copy(update={"lower": 0.0, "upper": 1.0})


def find_pair(values: Figures, kind: Kind, reference: int | None) -> tuple[int, int]:
    """Find the two groups furthest apart, the smaller figure first.

    Args:
        values: Figures, shape (G,), G > 1.
        kind: By difference or by ratio; they disagree only about pairs with a reference.
        reference: Position of the reference group, or None for every pair.

    Returns:
        Positions of the smaller and of the larger figure.
    """
    order = np.argsort(values, kind="stable")
    low, high = int(order[0]), int(order[-1])
    if reference is None:
        return low, high
    below, above = (low, reference), (reference, high)
    if reference in {low, high}:
        return low, high
    if kind == "difference":
        return below if values[reference] - values[low] >= values[high] - values[reference] else above
    ratios = [divide(values[a], values[b]) for a, b in (below, above)]
    return below if ratios[0] is None or (ratios[1] is not None and ratios[0] <= ratios[1]) else above


def divide(low: float, high: float) -> float | None:
    """Return the smaller figure over the larger; None where a ratio has no meaning."""
    return None if low < 0 or high <= 0 else float(low / high)


def _own_intervals(rate: Rate, level: float) -> list[Estimate]:
    if rate.family == "mean":
        return intervals.mean_intervals(rate.rows, rate.values, rate.measured, level)
    if rate.family == "error_size":
        return intervals.error_size_intervals(rate.rows, rate.values, rate.measured, level)
    if rate.family == "root_error_size":
        return intervals.error_size_intervals(rate.rows, rate.values**2, rate.measured, level, root=True)
    found = intervals.proportion_intervals(rate.measured, rate.rows, level)
    if rate.family == "odds":
        return [make_interval(_odds(i.lower), _odds(i.upper), f"odds of: {i.how}", i.note) for i in found]
    return found


def _interval(rate: Rate, kind: Kind, level: float, reference: int | None) -> Estimate:
    rows, values, measured = rate.rows, rate.values, rate.measured
    is_difference = kind == "difference"
    if rate.family == "odds":
        return _interval_of_odds(rate, kind, level, reference)
    if rate.family in {"error_size", "root_error_size"}:
        root = rate.family == "root_error_size"
        of_sizes = (
            intervals.largest_difference_of_error_sizes if is_difference else intervals.smallest_ratio_of_error_sizes
        )
        return of_sizes(rows, values**2 if root else values, measured, level, root=root, reference=reference)
    if rate.family == "mean":
        of_means = intervals.largest_difference_of_means if is_difference else intervals.smallest_ratio_of_means
        return of_means(rows, values, measured, level, reference=reference)
    of_shares = (
        intervals.largest_difference_of_proportions if is_difference else intervals.smallest_ratio_of_proportions
    )
    return of_shares(measured, rows, level, reference=reference)


def _interval_of_odds(rate: Rate, kind: Kind, level: float, reference: int | None) -> Estimate:
    tails, mask = critical_tails(len(rate.groups), level, reference), pair_mask(len(rate.groups), reference)
    ends = {}
    for tail in (tails.lower, tails.upper):
        low, high = proportion_limits(rate.measured.astype(float), rate.rows.astype(float), tail)
        ends[tail] = (low / (1 - low), high / (1 - high))
    of_all, of_one = ends[tails.lower], ends[tails.upper]
    odds = rate.values
    if kind == "difference":
        lower = hybrid_difference(odds, odds - of_all[0], of_all[1] - odds, sign=-1)
        upper = hybrid_difference(odds, odds - of_one[0], of_one[1] - odds, sign=1)
        found = largest(lower, upper, mask)
    else:
        found = smallest(hybrid_ratio(odds, *of_one, sign=-1), hybrid_ratio(odds, *of_all, sign=1), mask)
    return make_interval(float(found[0]), float(found[1]), ODDS)


def _odds(share: float | None) -> float | None:
    return None if share is None or share >= 1 else share / (1 - share)
