"""How many rows settle a verdict: further ones beside those at hand, or all of them before any is there.

What further rows will show is simulated: the groups' true figures are drawn from what the rows at hand leave possible
(half an event and half a non-event added; groups that lie no further apart than chance would have them may be alike),
then the further rows from these, and the real interval is worked out of all rows together. The number returned is the
smallest at which about half of the simulated cases are settled, on either side. Without rows at hand the true figures
are those that the plan assumes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from scipy import special

from rai_kedro import intervals
from rai_kedro.errors import RaiError
from rai_kedro.fairness.estimates import Disparity, DisparityKind, GroupFigure
from rai_kedro.fairness.metrics import describe_metric
from rai_kedro.typed import Typed

Figures = npt.NDArray[np.float64]
# Beyond these a number of further rows is no advice.
MOST_ROWS = 1_000_000
MOST_TIMES = 100
MOST_PLANNED = 10_000_000
_CASES, _FEWER_CASES, _MANY_GROUPS, _PLANNED_CASES = 400, 100, 20, 2_000
_SEED = 20250301
# Of cases that are simulated here. Settled are then 40 to 60 % of tables whose groups truly lie anywhere apart.
_HALF = 0.55
# Rows of some groups are worth asking for by name if they are at most this share of rows of all.
_WORTH_NAMING = 0.8


class FurtherRows(Typed):
    """Rows that settle a verdict in about half of all cases: all of them, and of each group where only some lack."""

    total: int
    by_group: dict[str, int] = Field(default_factory=dict)


@dataclass(frozen=True)
class _Asked:
    """By what a simulated case is judged."""

    kind: DisparityKind
    limit: float
    level: float
    reference: int | None = None


@dataclass(frozen=True, eq=False)
class _Rate:
    """One rate of all groups, shape (G,): of counts events and effective rows, of others values and their errors."""

    counted: bool
    rows: Figures
    first: Figures
    second: Figures

    def draw(self, factors: Figures, cases: int, generator: np.random.Generator) -> tuple[Figures, Callable[..., Any]]:
        """Draw what all rows will show once each group has ``factors`` times its own, and the limits of that."""
        if self.counted:
            events, rows = self.first, self.second
            rate = (events + 0.5) / (rows + 1)
            centre, apart = _draw_spread(rate, rate * (1 - rate) / (rows + 1), cases, generator)
            centre = np.clip(centre, 0.5 / (rows.sum() + 1), 1 - 0.5 / (rows.sum() + 1))
            worth = np.clip(centre * (1 - centre) / np.maximum(apart, 1e-12) - 1, 1.0, 1e6)
            truth = generator.beta(events + worth * centre, rows - events + worth * (1 - centre))
            further = np.rint(rows * (factors - 1)).astype(np.int64)
            found = events + generator.binomial(further, truth)
            total = np.broadcast_to(rows + further, found.shape)
            return found / total, partial(intervals.proportion_limits, found, total)
        values, errors = self.first, self.second
        error = errors / np.sqrt(factors)
        centre, apart = _draw_spread(values, errors**2, cases, generator)
        kept = apart / (apart + errors**2)
        first, second = generator.standard_normal((2, cases, len(values)))
        truth = centre + kept * (values - centre) + np.sqrt(kept) * errors * first
        found = (values + (factors - 1) * truth + np.sqrt(factors - 1) * errors * second) / factors

        def limits(tail: float) -> tuple[Figures, Figures]:
            arm = -special.ndtri(tail) * error
            return found - arm, found + arm

        return found, limits


def _draw_spread(
    values: Figures, variances: Figures, cases: int, generator: np.random.Generator
) -> tuple[Figures, Figures]:
    """Draw where the groups' true figures lie and how far apart: centre and variance, shape (cases, 1) each.

    Groups that lie no further apart than chance would have them may well be alike: the variance is that of DerSimonian
    and Laird (1986), with Cochran's Q over a draw from its chi-squared distribution in the place of Q over its mean.
    """
    weights = 1 / variances
    total, freedom = weights.sum(), len(values) - 1
    centre = float(weights @ values / total)
    found = weights @ (values - centre) ** 2 * freedom / generator.chisquare(freedom, (cases, 1))
    apart = np.maximum(found - freedom, 0.0) / (total - (weights**2).sum() / total)
    at = centre + generator.standard_normal((cases, 1)) / np.sqrt((1 / (variances + apart)).sum(axis=1, keepdims=True))
    return at, apart


class SamplePlan(Typed):
    """Rows at which a verdict is reached with a stated chance.

    Attributes:
        verdict: The verdict that the assumed rates deserve.
        behind: Rows behind the rate of each group.
        rows: Rows in all, with those that are not behind the rate.
        equal: Rows behind the rate of each group, were there equally many of each.
    """

    verdict: Literal["pass", "fail"]
    chance: float
    behind: dict[str, int]
    rows: int
    equal: int


def plan_sample(  # noqa: PLR0913 - every assumption by its name
    rates: Mapping[str, float],
    *,
    limit: float,
    kind: Literal["difference", "ratio"] = "difference",
    shares: Mapping[str, float] | None = None,
    label_share: float = 1.0,
    level: float = 0.95,
    chance: float = 0.8,
) -> SamplePlan:
    """Return how many rows a verdict needs, before there is any.

        >>> plan = plan_sample({"women": 0.30, "men": 0.33}, shares={"women": 0.2, "men": 0.8}, limit=0.1)
        >>> plan.verdict, plan.rows, plan.behind
        ('pass', 2057, {'women': 412, 'men': 1645})

    Args:
        rates: The rate of each group that is assumed to be true.
        limit: Largest difference, or smallest ratio, that is tolerated.
        kind: ``difference`` or ``ratio``.
        shares: Share of each group among the rows; equal if None.
        label_share: Share of the rows that are behind the rate: for a true positive rate, of those with the favourable
            label; 1 for a selection rate.
        level: Confidence level of the interval.
        chance: Share of samples of that size in which the verdict is reached.

    Raises:
        RaiError: The assumed rates lie on the limit, or no feasible number of rows does; or an argument is no share.
    """
    names, mix = _check_plan(rates, shares, label_share=label_share, level=level, chance=chance, limit=limit)
    truth = np.array([rates[name] for name in names])
    apart = truth.min() / truth.max() if kind == "ratio" else truth.max() - truth.min()
    verdict: Literal["pass", "fail"] = "pass" if (apart > limit if kind == "ratio" else apart < limit) else "fail"

    def reached(rows: Figures) -> bool:
        generator = np.random.default_rng(_SEED)
        found = generator.binomial(rows.astype(np.int64), truth, (_PLANNED_CASES, len(truth))).astype(float)
        total = np.broadcast_to(rows, found.shape)
        bounds = intervals.smallest_ratio if kind == "ratio" else intervals.largest_difference
        ends = bounds(found / total, partial(intervals.proportion_limits, found, total), level)
        return float(np.mean(_decide(ends, kind, limit)[verdict])) >= chance

    behind = _bisect(lambda rows: reached(np.ceil(rows * mix)), MOST_PLANNED)
    equal = _bisect(lambda rows: reached(np.full(len(truth), np.ceil(rows))), MOST_PLANNED)
    if behind is None or equal is None:
        raise _refuse(
            f"No feasible number of rows leads to a verdict: the rates assumed lie {apart:.3g} apart",
            f"more than {MOST_PLANNED:,} rows",
            "assume rates that lie further from the limit, or set another limit",
        )
    by_group = {name: math.ceil(behind * share) for name, share in zip(names, mix, strict=True)}
    rows = math.ceil(sum(by_group.values()) / label_share)
    return SamplePlan(verdict=verdict, chance=chance, behind=by_group, rows=rows, equal=equal)


def _check_plan(
    rates: Mapping[str, float], shares: Mapping[str, float] | None, **within: float
) -> tuple[list[str], Figures]:
    names = list(rates)
    given = dict.fromkeys(names, 1.0) if shares is None else dict(shares)
    if len(names) < 2:  # noqa: PLR2004
        raise _refuse(
            "Fewer than two groups are planned for", ", ".join(names) or "none", "give the rate of each group"
        )
    if set(given) != set(names):
        there = ", ".join(sorted(set(given) ^ set(names)))
        raise _refuse("Rates and shares are not of the same groups", there, "give both for each group")
    asked = {f"rate of {name}": rate for name, rate in rates.items()} | within
    for name, value in (asked | {f"share of {name}": share for name, share in given.items()}).items():
        if not 0 < value <= 1 or (value == 1 and name in {"level", "chance"}):
            raise _refuse(
                f"The {name.replace('_', ' ')} is no share of rows", f"{value:g}", "give it as a fraction, 0.3"
            )
    mix = np.array([given[name] for name in names])
    return names, mix / mix.sum()


def _refuse(what: str, example: str, remedy: str) -> RaiError:
    return RaiError(f"{what}.", where="the plan of the sample", example=example, remedy=remedy)


def find_further_rows(disparity: Disparity, limit: float, *, among: int = 1) -> FurtherRows | None:
    """Return how many further rows would settle a verdict that is open, in about half of all cases.

    They come in the mix of groups at hand; or only to the groups that have too few, where that takes clearly fewer.
    Rows are those behind the rates: for a true positive rate, rows with the favourable label. None where an end of the
    interval is open, the metric is not one of rates or means of groups, or more than a million rows or a hundred
    times those at hand would be needed. The verdict is one of ``among`` that hold at once.
    """
    if None in (disparity.value, disparity.lower, disparity.upper):
        return None
    rates = _read_rates(disparity)
    asked = _Asked(disparity.kind, limit, intervals.part_level(disparity.level, among))
    return None if rates is None else _search(rates, disparity, asked)


def _read_rates(disparity: Disparity) -> list[_Rate] | None:
    metric = describe_metric(disparity.metric)
    if not metric.parts or metric.assess is not None:
        return None
    by_rate: dict[str, list[GroupFigure]] = {}
    for figure in disparity.groups:
        by_rate.setdefault(figure.rate, []).append(figure)
    found = [_read_rate(figures, disparity.level, metric.of_counts) for figures in by_rate.values()]
    return None if not found or None in found else [one for one in found if one is not None]


def _read_rate(figures: Sequence[GroupFigure], level: float, counted: bool) -> _Rate | None:
    values, lows, highs = (
        np.array([np.nan if (end := getattr(one, part)) is None else end for one in figures], dtype=float)
        for part in ("value", "lower", "upper")
    )
    rows = np.array([one.n or 0 for one in figures], dtype=float)
    if not (np.isfinite(values + lows + highs) & (rows > 0)).all():
        return None
    if not counted:
        return _Rate(False, rows, values, (highs - lows) / (-2 * special.ndtri((1 - level) / 2)))
    # Rows of the same units are worth fewer independent ones, further rows of this kind too.
    effective = np.array([one.effective_n or one.n or 0 for one in figures], dtype=float)
    return _Rate(True, rows, values * effective, effective)


def _search(rates: Sequence[_Rate], disparity: Disparity, asked: _Asked) -> FurtherRows | None:
    groups = list(dict.fromkeys(one.group for one in disparity.groups))
    rows = np.sum([rate.rows for rate in rates], axis=0)
    reference = None if disparity.reference is None else groups.index(disparity.reference)
    asked = replace(asked, reference=reference)

    def settles(factors: Figures) -> bool:
        return _share_settled(rates, factors, asked) >= _HALF

    most = min(MOST_ROWS, MOST_TIMES * rows.sum())
    alike = _bisect(lambda further: settles(np.full(len(rows), 1 + further / rows.sum())), most)
    # Or only the groups that have fewer rows than some number get further ones, until they have as many.
    least = _bisect(lambda further: settles(np.maximum(1.0, (rows.min() + further) / rows)), most)
    if least is not None:
        short = {name: math.ceil(rows.min() + least - n) for name, n in zip(groups, rows, strict=True)}
        short = {name: n for name, n in short.items() if n > 0}
        total = sum(short.values())
        if total <= MOST_ROWS and (alike is None or (len(short) < len(groups) and total <= _WORTH_NAMING * alike)):
            return FurtherRows(total=total, by_group=short)
    return None if alike is None else FurtherRows(total=alike)


def _bisect(enough: Callable[[float], bool], most: float) -> int | None:
    """Return about the smallest number that is enough, to within two per cent; None if even ``most`` is not."""
    low, high = 0.0, 16.0
    while not enough(high):
        low, high = high, 4 * high
        if low >= most:
            return None
    for _ in range(7):
        middle = (low + high) / 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return max(1, math.ceil(high)) if high <= most else None


def _share_settled(rates: Sequence[_Rate], factors: Figures, asked: _Asked) -> float:
    """Return the share of simulated cases in which the interval of all rows lies on one side of the limit."""
    generator = np.random.default_rng(_SEED)
    cases = _FEWER_CASES if len(factors) > _MANY_GROUPS else _CASES
    part = intervals.part_level(asked.level, len(rates))
    bounds = intervals.smallest_ratio if asked.kind == "ratio" else intervals.largest_difference
    found = [bounds(*rate.draw(factors, cases, generator), part, asked.reference) for rate in rates]
    lows, highs = (np.array(side) for side in zip(*found, strict=True))
    ends = (lows.min(axis=0), highs.min(axis=0)) if asked.kind == "ratio" else (lows.max(axis=0), highs.max(axis=0))
    settled = _decide(ends, asked.kind, asked.limit)
    return float(np.mean(settled["pass"] | settled["fail"]))


def _decide(ends: tuple[Figures, Figures], kind: DisparityKind, limit: float) -> dict[str, npt.NDArray[np.bool_]]:
    low, high = ends
    if kind == "ratio":
        return {"pass": low >= limit, "fail": high < limit}
    return {"pass": high <= limit, "fail": low > limit}
