"""Disparities: a metric's rates compared over the groups of one grouping, with everything a reader must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rai_kedro.fairness.estimates import Disparity, DisparityKind, GroupFigure
from rai_kedro.fairness.grouping import Grouping
from rai_kedro.fairness.measures.comparison import Comparison, Kind, compare, describe, worst
from rai_kedro.fairness.measures.rates import Rate
from rai_kedro.fairness.metrics import METRICS
from rai_kedro.intervals.intervals import part_level

NO_ROWS = "declared, but has no rows"
UNCOMPARED = "no other group has rows there to compare with"
NOT_AGAINST = "the reference group has no rows there to compare with"
KINDS: tuple[Kind, ...] = ("difference", "ratio")


@dataclass(frozen=True, eq=False)
class Setting:
    """What all disparities of one grouping share.

    Attributes:
        grouping: The groups.
        level: Confidence level.
        against_reference: Compare with the reference group only; every pair otherwise.
    """

    grouping: Grouping
    level: float
    against_reference: bool = False

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
    """Compare the rates of a metric over the groups.

    Args:
        metric: Canonical name.
        rates: The rates of the metric; with several, the worst comparison counts.
        setting: Groups and level.
        left_out: Rows left out, by reason.
        gaps: What it means that a group lacks a rate. ``not_assessed``: the metric is not assessed for that group;
            ``counted``: it is only if the group can be compared nowhere, and rows without a counterpart are counted
            as left out (score bins and strata, where empty cells are to be expected). With a reference the reference
            group alone is a counterpart.

    Returns:
        One disparity for each kind of the metric; without a value where fewer than two groups can be compared.
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
    level = part_level(setting.level, len(rates))
    made = []
    for kind in KINDS:
        if kind in METRICS[metric].kinds:
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

    Args:
        metric: Canonical name.
        kind: What it is expressed as.
        outcome: The comparison.
        beside: Figures of the groups, what was not assessed, and rows left out.
        setting: Groups and level.

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
