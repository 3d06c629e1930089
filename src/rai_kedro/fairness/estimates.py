"""What an assessment says: one figure per group and rate, one disparity per metric, grouping and kind."""

from __future__ import annotations

from statistics import NormalDist
from typing import Literal, TypeAlias

from pydantic import Field

from rai_kedro.intervals import Estimate
from rai_kedro.typed import Typed
from rai_kedro.words import format_interval, in_words

DisparityKind: TypeAlias = Literal["difference", "ratio", "kolmogorov_smirnov", "wasserstein"]
"""``difference`` and the two distances are 0 where groups are treated alike, ``ratio`` is 1."""

_KINDS = {"kolmogorov_smirnov": "Kolmogorov-Smirnov distance", "wasserstein": "Wasserstein distance"}


class GroupFigure(Estimate):
    """One rate of one group, with its own interval; ``n`` are the rows behind *this rate*, not those of the group.

    ``effective_n`` is how many independent rows would be as sure; None where the rows are taken as independent.
    """

    group: str
    rate: str = ""
    effective_n: float | None = Field(default=None, exclude_if=lambda value: value is None)

    @classmethod
    def make(cls, group: str, rate: str, n: int, value: float | None, interval: Estimate) -> GroupFigure:
        """Return the figure of a group with the interval that was made for it."""
        made = interval.model_dump(exclude={"value", "n"})
        return cls(group=group, rate=rate, n=n, value=value, **made)


class Comparison(Estimate):
    """The outcome of comparing groups; ``pair`` holds the smaller figure's group first."""

    pair: tuple[str, str] | None = None

    @classmethod
    def make(cls, value: float | None, pair: tuple[str, str] | None, interval: Estimate) -> Comparison:
        """Return the outcome with the interval that was made for it."""
        return cls(value=value, pair=pair, **interval.model_dump(exclude={"value", "pair"}))

    @classmethod
    def nothing(cls, why: str) -> Comparison:
        """Return the outcome where nothing can be compared."""
        return cls(how="none", note=why)


class GroupDistance(Estimate):
    """How far a rate of one group lies from that of all other groups together, or of the reference group.

    The figure is the group's minus the others' or, of a ratio, over theirs; intervals hold for all groups at once.
    """

    group: str
    rate: str = ""


class Limits(Typed):
    """Both ends of an interval at another level; None where there is none."""

    level: float
    lower: float | None
    upper: float | None


class Disparity(Comparison):
    """How far the groups of one grouping lie apart on one metric; None where fewer than two can be compared.

    Attributes:
        level: Confidence level of all intervals here.
        column: The grouping: a column, or several joined by ``&``.
        groups: The figures compared, every group named.
        rule: How the groups were made.
        not_assessed: What could not be taken into the comparison, each with its reason (``"group: reason"``).
        left_out: Rows left out, by reason.
        reference: The group the others are compared with; None where every pair is compared.
        by_group: How far each of three groups or more lies from all others together, or from the reference.
        of_class: Of several classes the one against the others for which it is worst; empty otherwise.
        jointly: The limits at the level at which all disparities of the assessment hold at once (Bonferroni); None
            where it is the only one.
    """

    level: float
    metric: str
    column: str
    kind: DisparityKind
    groups: tuple[GroupFigure, ...] = ()
    rule: str = ""
    not_assessed: tuple[str, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    reference: str | None = None
    by_group: tuple[GroupDistance, ...] = Field(default=(), exclude_if=lambda value: not value)
    of_class: str = Field(default="", exclude_if=lambda value: not value)
    jointly: Limits | None = Field(default=None, exclude_if=lambda value: value is None)

    def limits_among(self, number: int) -> tuple[float | None, float | None]:
        """Return the limits at which so many disparities hold at once.

        Between the two levels that were worked out they are interpolated on the scale of normal quantiles.
        """
        if number <= 1 or self.jointly is None or self.jointly.level <= self.level:
            return self.lower, self.upper
        own, joint, asked = (
            NormalDist().inv_cdf(0.5 + level / 2)
            for level in (self.level, self.jointly.level, 1 - (1 - self.level) / number)
        )
        share = (asked - own) / (joint - own)
        pairs = (self.lower, self.jointly.lower), (self.upper, self.jointly.upper)
        low, high = (None if None in pair else pair[0] + share * (pair[1] - pair[0]) for pair in pairs)  # type: ignore[operator]
        return low, high

    def __repr__(self) -> str:
        return f"Disparity({name_disparity(self)}: {format_interval(self)})"

    __str__ = __repr__


def name_disparity(disparity: Disparity) -> str:
    """Name a disparity by metric, kind and grouping."""
    of_class = f", worst for class {disparity.of_class!r}" if disparity.of_class else ""
    return f"{disparity.metric} ({disparity.kind}) of {disparity.column}{of_class}"


def name_kind(kind: str) -> str:
    """Return the kind of a disparity in words."""
    return _KINDS.get(kind, in_words(kind))
