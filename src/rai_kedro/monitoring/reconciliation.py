"""Estimates and what the labels showed: how far they lay apart, and whether the intervals keep what they promise."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rai_kedro.typed import Typed
from rai_kedro.words import count_of, format_share

_ERROR_RATE = 0.05


class Reconciled(Typed):
    """One figure of one month, as it was estimated and as the labels show it.

    ``error`` is estimated less realised, ``inside`` whether the interval held the realised figure.
    """

    name: str
    group: str = ""
    estimated: float
    realised: float
    error: float
    level: float
    inside: bool


class TrackRecord(Typed):
    """How good the estimates of one figure and group have been, over the months whose labels are there.

    Attributes:
        months: Months compared.
        mean_absolute_error: Of the estimates, in the unit of the figure.
        coverage: Share of the intervals that held the realised figure; ``level`` of them should.
        doubt: That coverage is clearly below the level, in words; empty otherwise.
        caution: That it is below the level in so few months that chance may explain it, in words; empty otherwise.
    """

    name: str
    group: str = ""
    months: int
    mean_absolute_error: float
    coverage: float
    level: float
    doubt: str = ""
    caution: str = ""


def reconcile(estimated: Iterable[Any], realised: Iterable[Any]) -> tuple[Reconciled, ...]:
    """Compare the estimates of a month with the figures its labels show; a figure that only one side has is left out.

    Args:
        estimated: Figures estimated before the labels, with ``name``, ``group`` (``COLUMN: value``) and interval.
        realised: Figures measured on the same rows; one without a ``group`` is of all rows.
    """
    shown = {(one.name, getattr(one, "group", "")): one.value for one in realised}
    found = []
    for one in estimated:
        value = shown.get((one.name, one.group))
        if value is None or one.value is None or one.lower is None or one.upper is None or one.level is None:
            continue
        found.append(
            Reconciled(
                name=one.name,
                group=one.group,
                estimated=one.value,
                realised=value,
                error=one.value - value,
                level=one.level,
                inside=one.lower <= value <= one.upper,
            )
        )
    return tuple(found)


def track_record(reconciled: Iterable[Reconciled]) -> tuple[TrackRecord, ...]:
    """Sum up the months so far, one record for each figure and group, in the order they first appear.

    A doubt is raised where so few intervals held their figure that it would happen by chance (exact binomial, at the
    level they claim) in less than the part of 5 % that this month may spend: 1 / (k (k + 1)) of it in month k, so that
    over any number of months a figure with right intervals is doubted with at most that probability. Two misses in the
    first two months at 95 % are enough, one is not.
    """
    months: dict[tuple[str, str], list[Reconciled]] = {}
    for one in reconciled:
        months.setdefault((one.name, one.group), []).append(one)
    return tuple(_sum_up(name, group, entries) for (name, group), entries in months.items())


def _sum_up(name: str, group: str, entries: list[Reconciled]) -> TrackRecord:
    from scipy import stats

    held, number, level = sum(one.inside for one in entries), len(entries), min(one.level for one in entries)
    by_chance = float(stats.binom.cdf(held, number, level))
    of = count_of(number, "month")
    said = f"the intervals held the figure in {held} of {of}, {format_share(level)} were to be expected"
    doubt = caution = ""
    if by_chance <= _ERROR_RATE / (number * (number + 1)):
        doubt = (
            f"{said}: either labels no longer depend on what the model sees as they did in the reference, or the rows "
            "lie where it has none; do not rely on estimates before labels"
        )
    elif held < level * number:
        caution = (
            f"{said}: estimates that are right do no better in {format_share(by_chance)} of such series, so do not "
            "rely on them alone until more labels agree"
        )
    return TrackRecord(
        name=name,
        group=group,
        months=number,
        mean_absolute_error=sum(abs(one.error) for one in entries) / number,
        coverage=held / number,
        level=level,
        doubt=doubt,
        caution=caution,
    )
