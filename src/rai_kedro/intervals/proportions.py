"""Intervals of rates, of the largest difference and of the smallest ratio of rates, in closed form from counts."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy import special

from rai_kedro.intervals.critical import (
    COMPARABLE,
    EXTREME,
    Critical,
    Floats,
    IntervalError,
    Limits,
    check_counts,
    check_level,
    count_unknown,
    critical_tails,
    hybrid_difference,
    hybrid_ratio,
    interval_over_pairs,
    largest,
    largest_difference,
    pair_mask,
    smallest,
    smallest_ratio,
)
from rai_kedro.intervals.estimate import Estimate, make_interval

LIMITS = "the wider of Wilson's score (1927) and Jeffreys' limits (Brown, Cai and DasGupta 2001)"
_WORTH_SHARING = 256
DIFFERENCE = f"largest difference over pairs of groups, hybrid (Newcombe 1998, method 10) of {LIMITS}; {EXTREME}"
RATIO = f"smallest ratio over pairs of groups, hybrid (Donner and Zou 2012) of {LIMITS}; {EXTREME}, exchanged"
ODDS = "hybrid (Zou and Donner 2008; Donner and Zou 2012) of the odds of each group's limits of FN / (FN + FP)"
STRATIFIED_LIMITS = f"stratified hybrid interval (Yan and Su 2010; Zou and Donner 2008) of {LIMITS}"
STRATIFIED = (
    "largest difference of rates, each pair standardised to the strata in which both have rows; stratified hybrid "
    f"interval (Yan and Su 2010; Zou and Donner 2008) of {LIMITS}; {EXTREME}"
)
STRATIFIED_RATIO = (
    "smallest ratio of rates, each pair standardised to the strata in which both have rows; stratified hybrid interval "
    "(Donner and Zou 2012; Yan and Su 2010)"
)


def proportion_limits(events: Floats, rows: Floats, tail: float) -> tuple[Floats, Floats]:
    """Return the limits of each rate at a one-sided tail: the wider of Wilson's and Jeffreys'.

    Wilson's is too short above a rate near 0 estimated from few events, Jeffreys' in the middle; their union is right
    in both. With no event (or no non-event) Jeffreys' is replaced by the exact one-sided limit.

    Counts may be of any shape, and so are the limits, which lie in [0, 1]; no row gives [0, 1].
    """
    if events.size <= _WORTH_SHARING:
        return _limits(events, rows, tail)
    distinct, where = np.unique(events + 1j * rows, return_inverse=True)
    low, high = _limits(distinct.real, distinct.imag, tail)
    return low[where].reshape(events.shape), high[where].reshape(events.shape)


def _limits(events: Floats, rows: Floats, tail: float) -> tuple[Floats, Floats]:
    z = float(special.ndtri(1 - tail))
    known = np.where(rows > 0, rows, 1.0)  # effective rows may be fewer than one
    rate = events / known
    centre, spread = rate + z**2 / (2 * known), z * np.sqrt(rate * (1 - rate) / known + z**2 / (4 * known**2))
    low, high = (centre - spread) / (1 + z**2 / known), (centre + spread) / (1 + z**2 / known)
    below = special.betaincinv(events + 0.5, known - np.minimum(events, known) + 0.5, tail)
    above = special.betaincinv(events + 0.5, known - np.minimum(events, known) + 0.5, 1 - tail)
    exact = tail ** (1 / known)
    below, above = np.where(events == known, exact, below), np.where(events == 0, 1 - exact, above)
    low = np.where(events == 0, 0.0, np.minimum(low, below))
    high = np.where(events == known, 1.0, np.maximum(high, above))
    return np.where(rows > 0, np.clip(low, 0, 1), 0.0), np.where(rows > 0, np.clip(high, 0, 1), 1.0)


def difference_bounds(
    events: Floats, rows: Floats, level: float, reference: int | None = None
) -> tuple[Floats, Floats]:
    """Return limits of ``max p - min p`` for many sets of groups at once.

    Counts are of shape (..., G), G >= 2; limits of shape (...), in [0, 1].
    """
    limits = partial(proportion_limits, events, rows)
    lower, upper = largest_difference(_rate(events, rows), limits, level, reference, known=rows > 0)
    return lower, np.minimum(upper, 1.0)


def ratio_bounds(events: Floats, rows: Floats, level: float, reference: int | None = None) -> tuple[Floats, Floats]:
    """Return limits of ``min p / max p`` for many sets of groups at once; as :func:`difference_bounds`."""
    limits = partial(proportion_limits, events, rows)
    return smallest_ratio(_rate(events, rows), limits, level, reference, known=rows > 0)


def proportion_intervals(events: Any, rows: Any, level: float) -> list[Estimate]:
    """Return each group's own interval (two-sided, not simultaneous) from events and rows, shape (G,) each.

    [0, 1] with a reason where no row stands behind the rate; IntervalError where counts are negative, or more events
    than rows, as from every function on counts.
    """
    events, rows = _checked(events, rows)
    low, high = proportion_limits(events, rows, (1 - check_level(level)) / 2)
    return [
        make_interval(float(a), float(b), LIMITS, "" if n > 0 else "no rows behind this rate: it may be anything")
        for a, b, n in zip(low, high, rows, strict=True)
    ]


def largest_difference_of_proportions(
    events: Any, rows: Any, level: float, *, reference: int | None = None
) -> Estimate:
    """Return an interval of the largest difference between the rates of any two groups.

    Events and rows are of shape (G,); a group without rows makes the upper end as large as its rate allows. The
    interval lies within [0, 1] and is valid for all pairs at once; without ends for fewer than two groups.
    """
    events, rows = _checked(events, rows)
    bounds = partial(difference_bounds, events, rows, level, reference)
    return interval_over_pairs(DIFFERENCE, rows.size, bounds, _unknown(rows))


def smallest_ratio_of_proportions(events: Any, rows: Any, level: float, *, reference: int | None = None) -> Estimate:
    """Return an interval of the smallest ratio, within [0, 1]; arguments as of the largest difference."""
    events, rows = _checked(events, rows)
    reason = _unknown(rows) or ("" if events.any() else "no event in any group: the ratio may be anything")
    return interval_over_pairs(RATIO, rows.size, partial(ratio_bounds, events, rows, level, reference), reason)


def odds_intervals(events: Any, rows: Any, level: float) -> list[Estimate]:
    """Return each group's own interval of ``events / (rows - events)``, from that of its rate."""
    found = proportion_intervals(events, rows, level)
    return [make_interval(_odds(i.lower), _odds(i.upper), f"odds of: {i.how}", i.note) for i in found]


def largest_difference_of_odds(events: Any, rows: Any, level: float, *, reference: int | None = None) -> Estimate:
    """Return an interval of the largest difference of ``events / (rows - events)``; no group without other rows."""
    odds, limits = _limit_odds(events, rows)
    return interval_over_pairs(ODDS, odds.size, partial(largest_difference, odds, limits, level, reference))


def smallest_ratio_of_odds(events: Any, rows: Any, level: float, *, reference: int | None = None) -> Estimate:
    """Return an interval of the smallest ratio, as :func:`largest_difference_of_odds`."""
    odds, limits = _limit_odds(events, rows)
    return interval_over_pairs(ODDS, odds.size, partial(smallest_ratio, odds, limits, level, reference))


def _limit_odds(events: Any, rows: Any) -> tuple[Floats, Limits]:
    events, rows = _checked(events, rows)

    def limits(tail: float) -> tuple[Floats, Floats]:
        low, high = proportion_limits(events, rows, tail)
        return low / (1 - low), high / (1 - high)

    return events / (rows - events), limits


def _odds(share: float | None) -> float | None:
    return None if share is None or share >= 1 else share / (1 - share)


def standardised_rates(events: Any, rows: Any) -> tuple[Floats, Floats]:
    """Return the rates that :func:`stratified_difference_of_proportions` compares, pair by pair.

    Returns:
        Standardised rates, shape (..., G, G): (i, j) is the rate of i over the strata in which j has rows too, (i, i)
        over those in which any other group has; and the weights behind them, shape (..., S, G, G): the strata's shares
        of the rows of those strata. All zero for a pair without such a stratum.
    """
    events, rows = _checked(events, rows)
    weight = _shared_weights(rows)
    return (weight * _rate(events, rows)[..., None]).sum(axis=-3), weight


def standardised_limits(events: Floats, rows: Floats, tail: float) -> tuple[Floats, Floats]:
    """Return limits of the rates of :func:`standardised_rates`: the strata's arms added in squares (Yan & Su 2010).

    Counts are of shape (..., S, G), stratum by group; lower and upper limits of shape (..., G, G).
    """
    value, weight = standardised_rates(events, rows)
    rate, (low, high) = _rate(events, rows), proportion_limits(events, rows, tail)
    below, above = (np.sqrt((weight**2 * (arm**2)[..., None]).sum(axis=-3)) for arm in (rate - low, high - rate))
    return value - below, value + above


def shared_pairs(rows: Floats, level: float, reference: int | None = None) -> tuple[Critical, Any]:
    """Return the tails for pairs that share a stratum, and which those are.

    Rows are of shape (..., S, G), stratum by group; the pairs of shape (..., G, G). Where a stratum lacks a group the
    pairs rest on different rows and Tukey's range does not hold of them: then the lower tail is Šidák's (1967).
    """
    groups = rows.shape[-1]
    tails, mask = critical_tails(groups, level, reference), pair_mask(groups, reference)
    if not (rows > 0).all():
        tails = Critical(lower=min(tails.lower, (1 - level ** (2 / mask.sum())) / 2), upper=tails.upper)
    return tails, mask & (_shared_weights(rows).sum(axis=-3) > 0)


def standardised_bounds(
    events: Floats, rows: Floats, level: float, reference: int | None = None
) -> tuple[Floats, Floats]:
    """Return limits of the largest difference of standardised rates for many tables at once.

    Counts are of shape (..., S, G), limits of shape (...), in [0, 1], over the pairs that share a stratum.
    """
    tails, mask = shared_pairs(rows, level, reference)
    value, _ = standardised_rates(events, rows)
    lower = hybrid_difference(value, *standardised_limits(events, rows, tails.lower), sign=-1, paired=True)
    upper = hybrid_difference(value, *standardised_limits(events, rows, tails.upper), sign=1, paired=True)
    lower, upper = largest(lower, upper, mask)
    return lower, np.minimum(upper, 1.0)


def stratified_difference_of_proportions(
    events: Any, rows: Any, level: float, *, reference: int | None = None
) -> Estimate:
    """Return an interval of the largest difference, within [0, 1], between rates standardised over strata.

    Events and rows are of shape (S, G), stratum by group. The rates are those of :func:`standardised_rates`, over the
    pairs that share a stratum; the reason counts the rows in strata of one group, which say nothing about a difference.
    """
    events, rows = _checked(events, rows)
    groups = rows.shape[1]
    shared = groups >= COMPARABLE and shared_pairs(rows, level, reference)[1].any()
    outside = int(rows[(rows > 0).sum(axis=1) < COMPARABLE].sum())
    reason = f"{outside} of {int(rows.sum())} rows lie in strata of one group only" if outside else ""
    bounds = partial(standardised_bounds, events, rows, level, reference)
    undefined = "" if shared else "no stratum holds rows of two groups to compare"
    return interval_over_pairs(STRATIFIED, groups, bounds, reason, undefined=undefined)


def stratified_ratio_of_proportions(events: Any, rows: Any, level: float, *, reference: int | None = None) -> Estimate:
    """Return an interval of the smallest ratio of standardised rates; some pair has to share a stratum."""
    events, rows = _checked(events, rows)
    tails, mask = shared_pairs(rows, level, reference)
    value, _ = standardised_rates(events, rows)
    upper = hybrid_ratio(value, *np.clip(standardised_limits(events, rows, tails.lower), 0, 1), sign=1, paired=True)
    lower = hybrid_ratio(value, *np.clip(standardised_limits(events, rows, tails.upper), 0, 1), sign=-1, paired=True)
    lower, upper = smallest(lower, upper, mask)
    return make_interval(float(lower), float(upper), STRATIFIED_RATIO)


def _shared_weights(rows: Floats) -> Floats:
    """Return the strata's shares of all rows of those in which both groups of a pair have rows, (..., S, G, G)."""
    there = rows > 0
    both = there[..., :, None] & there[..., None, :] & (there.sum(axis=-1) > 1)[..., None, None]
    size = np.where(both, rows.sum(axis=-1)[..., None, None], 0.0)
    weights: Floats = size / np.maximum(size.sum(axis=-3, keepdims=True), 1.0)
    return weights


def _rate(events: Floats, rows: Floats) -> Floats:
    rate: Floats = np.where(rows > 0, events / np.where(rows > 0, rows, 1.0), 0.5)
    return rate


def _checked(events: Any, rows: Any) -> tuple[Floats, Floats]:
    counted, total = check_counts(events=events, rows=rows)
    if (counted > total).any():
        raise IntervalError(
            "More events than rows in a group.",
            how_many=f"{int((counted > total).sum())} of {total.size} groups",
            remedy="Give the rows behind each rate, not another denominator.",
        )
    return counted, total


def _unknown(rows: Floats) -> str:
    return count_unknown(rows == 0, "have no rows behind the rate")
