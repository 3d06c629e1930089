"""Disparities: the rates of a metric compared over the groups of one grouping, with all that a reader must know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal, TypeAlias

import numpy as np
from scipy import special

from rai_kedro import intervals
from rai_kedro.fairness.estimates import Comparison, Disparity, DisparityKind, GroupDistance, GroupFigure
from rai_kedro.fairness.grouping import Grouping
from rai_kedro.fairness.rates import Family, Rate
from rai_kedro.fairness.tables import Figures
from rai_kedro.intervals import Estimate, make_interval

Kind: TypeAlias = Literal["difference", "ratio"]

KINDS: tuple[Kind, ...] = ("difference", "ratio")
FEWER_THAN_TWO = "fewer than two groups can be compared"
NO_RATIO = "a ratio needs figures of which none is below and one is above zero"
NO_ROWS = "declared, but has no rows"
UNCOMPARED = "no other group has rows there to compare with"
NOT_AGAINST = "the reference group has no rows there to compare with"


# Of each family: intervals of the groups' own figures, of their largest difference and of their smallest ratio.
_INTERVALS: dict[Family, tuple[Callable[..., list[Estimate]], Callable[..., Estimate], Callable[..., Estimate]]] = {
    "proportion": (
        intervals.proportion_intervals,
        intervals.largest_difference_of_proportions,
        intervals.smallest_ratio_of_proportions,
    ),
    "odds": (intervals.odds_intervals, intervals.largest_difference_of_odds, intervals.smallest_ratio_of_odds),
    "mean": (intervals.mean_intervals, intervals.largest_difference_of_means, intervals.smallest_ratio_of_means),
    "error_size": (
        intervals.error_size_intervals,
        intervals.largest_difference_of_error_sizes,
        intervals.smallest_ratio_of_error_sizes,
    ),
    "root_error_size": (
        partial(intervals.error_size_intervals, root=True),
        partial(intervals.largest_difference_of_error_sizes, root=True),
        partial(intervals.smallest_ratio_of_error_sizes, root=True),
    ),
}


@dataclass(frozen=True, eq=False)
class Setting:
    """What all disparities of one grouping share."""

    grouping: Grouping
    level: float
    against_reference: bool = False  # compare with the reference group only; every pair otherwise
    worst_stratum: bool = False  # of strata the worst counts; they are standardised over otherwise
    each: bool = True  # compare each group with all others, too

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
    """Compare the rates of a metric over the groups, by difference and ratio; of several rates the worst counts.

    ``gaps`` says what it means that a group lacks a rate. ``not_assessed``: the metric is not assessed for that group;
    ``counted``: it is only if the group can be compared nowhere, and rows without a counterpart are counted as left out
    (score bins and strata, where empty cells are to be expected). With a reference that group alone is a counterpart.
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
    each = compare_each(rates, KINDS, setting) if setting.each and gaps == "not_assessed" else {}
    for kind in KINDS:
        parts = [compare(rate, kind, level, reference=setting.reference) for rate in rates]
        unknown = [
            f"{rate.name}: {part.note}"
            for rate, part in zip(rates, parts, strict=True)
            if part.value is None and len(parts) > 1
        ]
        outcome = worst(parts, kind, setting.level)
        found = report(metric, kind, outcome, Beside(figures, [*missing, *unknown], left_out), setting)
        made.append(found.model_copy(update={"by_group": each.get(kind, ())}))
    return made


def report(metric: str, kind: DisparityKind, outcome: Comparison, beside: Beside, setting: Setting) -> Disparity:
    """Put a comparison into its final form; declared groups without rows are among what was not assessed."""
    grouping = setting.grouping
    not_assessed = [*(f"{group}: {NO_ROWS}" for group in grouping.absent), *beside.missing]
    if len(grouping.groups) < 2:  # noqa: PLR2004
        only = f"only the group {grouping.groups[0]!r} has rows" if grouping.groups else "no group has rows"
        not_assessed.append(f"{grouping.column}: {only}")
    elif outcome.value is None and not not_assessed:
        not_assessed.append(f"{grouping.column}: {outcome.note}")
    return Disparity(
        **outcome.model_dump(exclude={"level", "n"}),
        metric=metric,
        column=grouping.column,
        kind=kind,
        level=setting.level,
        groups=beside.figures,
        rule=grouping.rule,
        n=sum(figure.n or 0 for figure in beside.figures),
        not_assessed=tuple(dict.fromkeys(not_assessed)),
        left_out=dict(beside.left_out),
        reference=setting.reference,
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
    """Give every group, in their order, its figure with an interval of its own."""
    known, (own, _, _) = rate.known(), _INTERVALS[rate.family]
    numbers = rate.at(known).numbers((1 - level) / 2)
    found = dict(zip(known.tolist(), own(*numbers, level), strict=True)) if len(known) else {}
    figures, effective = [], rate.effective_rows
    for at, group in enumerate(rate.groups):
        interval = found.get(at, make_interval(None, None, "none", rate.undefined))
        value = float(rate.values[at]) if at in found else None
        figure = GroupFigure.make(group, rate.name, int(rate.rows[at]), value, interval)
        if effective is not None and at in found:
            figure = figure.model_copy(update={"effective_n": float(effective[at]), "how": _on_effective(figure.how)})
        figures.append(figure)
    return tuple(figures)


def _on_effective(how: str) -> str:
    return f"{how}; {intervals.ON_EFFECTIVE_ROWS}"


def compare(rate: Rate, kind: Kind, level: float, *, reference: str | None = None) -> Comparison:
    """Compare the groups in which the rate can be computed; no value if not two, or not the reference, are left."""
    rate = rate.at(rate.known())
    if len(rate.groups) < 2 or (reference is not None and reference not in rate.groups):  # noqa: PLR2004
        return Comparison.nothing(FEWER_THAN_TWO)
    at = None if reference is None else rate.groups.index(reference)
    low, high = find_pair(rate.values, kind, at)
    value = divide(rate.values[low], rate.values[high]) if kind == "ratio" else rate.values[high] - rate.values[low]
    if value is None:
        return Comparison.nothing(NO_RATIO)
    _, difference, ratio = _INTERVALS[rate.family]
    numbers = rate.numbers(intervals.critical_tails(len(rate.groups), level, at).lower)
    found = (difference if kind == "difference" else ratio)(*numbers, level, reference=at)
    if rate.units is not None:
        found = found.model_copy(update={"how": _on_effective(found.how)})
    return Comparison.make(float(value), (rate.groups[low], rate.groups[high]), found)


# Of these the figure of several groups together is the mean of theirs, weighted by rows.
_LINEAR: tuple[Family, ...] = ("proportion", "mean", "error_size")
_DRAWS, _SEED = 10_000, 20250301
EACH = (
    "each group against all others together (weighted by rows), or the reference: hybrid of the groups' own limits "
    "(Zou and Donner 2008), at the critical value of the largest of all these contrasts (max-t, simulated from their "
    "covariance)"
)


def compare_each(
    rates: Sequence[Rate], kinds: Sequence[Kind], setting: Setting
) -> dict[Kind, tuple[GroupDistance, ...]]:
    """Compare each group with all others together, or with the reference group, in every rate of a metric.

    The limits hold for all groups and rates at once, in the sense of J. J. Cherian and E. J. Candès, "Statistical
    inference for fairness auditing", JMLR 25 (2024). With fewer than three groups the pair says it all.
    """
    parts = [one for one in (_contrast(rate, setting) for rate in rates) if one is not None]
    if not parts:
        return dict.fromkeys(kinds, ())
    largest = np.max([one.draw(at) for at, one in enumerate(parts)], axis=0)
    level = 2 * float(special.ndtr(np.quantile(largest, setting.level))) - 1
    figures = [describe(one.rate, level) for one in parts]
    return {
        kind: tuple(
            found
            for one, limits in zip(parts, figures, strict=True)
            for found in _limit_each(one, limits, kind, setting.level)
        )
        for kind in kinds
    }


@lru_cache(maxsize=8)
def _draw_noise(groups: int, seed: int) -> Figures:
    return np.random.default_rng(seed).standard_normal((_DRAWS, groups))


@dataclass(frozen=True, eq=False)
class _Contrast:
    """A rate of G groups, standard errors (G,), and of each contrast the weights of the groups, shape (C, G)."""

    rate: Rate
    errors: Figures
    weights: Figures

    def draw(self, at: int) -> Figures:
        """Draw the largest contrast, in its standard errors; each rate of a metric rests on rows of its own."""
        noise = _draw_noise(len(self.errors), _SEED + at) * self.errors
        spread = np.sqrt(self.weights**2 @ self.errors**2)
        largest: Figures = np.abs(noise @ self.weights.T / np.where(spread > 0, spread, np.inf)).max(axis=1)
        return largest


def _contrast(rate: Rate, setting: Setting) -> _Contrast | None:
    rate = rate.at(rate.known())
    groups, reference = len(rate.groups), setting.reference
    if groups <= 2 or rate.family not in _LINEAR or reference not in (None, *rate.groups):  # noqa: PLR2004
        return None
    own = describe(rate, setting.level)
    wide = [one.width for one in own]
    if None in wide:
        return None
    errors = np.array(wide, dtype=float) / (-2 * special.ndtri((1 - setting.level) / 2))
    if reference is None:
        others = np.broadcast_to(rate.rows.astype(float), (groups, groups)) * ~np.eye(groups, dtype=bool)
        weights = np.eye(groups) - others / others.sum(axis=1, keepdims=True)
    else:
        at = rate.groups.index(reference)
        weights = np.delete(np.eye(groups) - np.eye(groups)[at], at, axis=0)
    return _Contrast(rate, errors, weights)


def _limit_each(of: _Contrast, figures: Sequence[GroupFigure], kind: Kind, shown: float) -> list[GroupDistance]:
    """Work out the limits of every contrast from the groups' own, which are at the level of all contrasts at once."""
    rate = of.rate
    value, low, high = (
        np.array([getattr(one, part) for one in figures], float) for part in ("value", "lower", "upper")
    )
    found = []
    for row in of.weights:
        at, others = int(row.argmax()), np.where(row < 0, -row, 0.0)
        both = np.array([value[at], others @ value])
        below, above = (np.sqrt(others**2 @ arm**2) for arm in (value - low, high - value))
        ends = np.array([low[at], both[1] - below]), np.array([high[at], both[1] + above])
        if kind == "difference":
            figure: float | None = float(both[0] - both[1])
            limits = [intervals.hybrid_difference(both, *ends, sign=sign)[0, 1] for sign in (-1, 1)]
        else:
            figure = float(both[0] / both[1]) if both[1] > 0 and both[0] >= 0 else None
            lows = np.maximum(ends[0], 0.0)
            limits = [intervals.hybrid_ratio(both, lows, ends[1], sign=sign)[0, 1] for sign in (-1, 1)]
        lower, upper = (float(end) if figure is not None and np.isfinite(end) else None for end in limits)
        named = {"group": rate.groups[at], "rate": rate.name}
        found.append(
            GroupDistance(value=figure, lower=lower, upper=upper, level=shown, n=int(rate.rows[at]), how=EACH, **named)
        )
    return found


def worst(parts: Sequence[Comparison], kind: Kind, level: float) -> Comparison:
    """Take the worst known value of several comparisons, each with its interval at ``part_level``, and its pair.

    One without a value is unknown, not harmless: the end that would speak for equal treatment is left open by it, so
    that a ratio starts at 0 and a difference has no upper end.
    """
    usable = [part for part in parts if part.value is not None]
    if not usable:
        return parts[0]
    sign = 1.0 if kind == "difference" else -1.0
    decisive = max(usable, key=lambda part: sign * float(part.value or 0.0))
    if len(parts) == 1:
        return decisive
    anything = {"lower": 0.0, "upper": 1.0} if kind == "ratio" else {}
    opened = [part.model_copy(update=anything) if part.value is None else part for part in parts]
    return Comparison.make(decisive.value, decisive.pair, intervals.combine_worst(opened, level, kind=kind))


def find_pair(values: Figures, kind: Kind, reference: int | None) -> tuple[int, int]:
    """Find the positions of the two figures furthest apart, the smaller first.

    Difference and ratio disagree only about pairs with a reference, whose position is given then.
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
