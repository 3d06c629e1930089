"""What an assessment says: one figure per group and rate, one disparity per metric, grouping and kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

DisparityKind: TypeAlias = Literal["difference", "ratio", "kolmogorov_smirnov", "wasserstein"]
"""``difference`` and the two distances are 0 where groups are treated alike, ``ratio`` is 1."""


@dataclass(frozen=True)
class GroupFigure:
    """One rate of one group, with its own interval.

    Attributes:
        group: Name of the group.
        rows: Rows behind *this rate*: its denominator, not the size of the group.
        value: The rate; None where it cannot be computed.
        lower: Lower end of its interval, or None.
        upper: Upper end of its interval, or None.
        rate: What the figure is, for example ``"true positive rate"``.
        reason: Why value or interval is None; empty otherwise.
    """

    group: str
    rows: int
    value: float | None
    lower: float | None
    upper: float | None
    rate: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Disparity:
    """How far the groups of one grouping lie apart on one metric.

    Attributes:
        metric: Canonical name in :data:`rai_kedro.fairness.metrics.METRICS`.
        column: The grouping: a column, or several joined by `` & ``.
        kind: ``difference`` (0 is equal), ``ratio`` (1 is equal) or a distance between distributions (0 is equal).
        value: The disparity between the groups that can be compared; None where fewer than two can.
        lower: Lower end of its interval, or None.
        upper: Upper end of its interval, or None.
        level: Confidence level of all intervals here.
        groups: The figures compared, every group named.
        pair: The two groups that make up the value, the lower figure first; None where there is no such pair.
        rule: How the groups were made.
        method: How the interval was made.
        not_assessed: What could not be taken into the comparison, each with its reason (``"group: reason"``).
        left_out: Rows left out, by reason.
        reference: The group the others are held against; None where every pair is compared.
        reason: Why value or interval is None; empty otherwise.
    """

    metric: str
    column: str
    kind: DisparityKind
    value: float | None
    lower: float | None
    upper: float | None
    level: float
    groups: tuple[GroupFigure, ...]
    pair: tuple[str, str] | None
    rule: str
    method: str
    not_assessed: tuple[str, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)
    reference: str | None = None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold: lists for tuples, None for what is not known."""
        plain = asdict(self)
        return plain | {
            "groups": list(plain["groups"]),
            "pair": None if self.pair is None else list(self.pair),
            "not_assessed": list(self.not_assessed),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Disparity:
        """Rebuild a disparity from :meth:`to_dict`."""
        pair = plain["pair"]
        return cls(
            **{
                **plain,
                "groups": tuple(GroupFigure(**figure) for figure in plain["groups"]),
                "pair": None if pair is None else (pair[0], pair[1]),
                "not_assessed": tuple(plain["not_assessed"]),
                "left_out": dict(plain["left_out"]),
            }
        )
