"""The policy of a use case: which gates a version must pass, who approves it, and how long that lasts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, model_validator

from rai_kedro.performance import LARGER_IS_BETTER
from rai_kedro.typed import Typed

LEAST_LEVEL = 0.8
"""No confidence level of a verdict may lie lower."""
LEAST_RATIO = 0.5
"""No tolerated ratio may lie lower."""
MOST_DAYS = 730
"""Nothing that expires may last longer."""

Action: TypeAlias = Literal["block", "accept_risk", "allow"]
Days: TypeAlias = Annotated[int, Field(ge=1, le=MOST_DAYS)]
Role: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$", max_length=40)]


class GateRule(Typed):
    """What the outcome of a gate means for the approval; a pass means nothing.

    Attributes:
        fail: What a fail does: ``block`` the approval, or let somebody ``accept_risk`` in writing.
        insufficient_evidence: What it does that evidence which was asked for cannot decide, or is not there:
            ``block``, ``accept_risk``, or ``allow`` and show it.
    """

    fail: Literal["block", "accept_risk"] = "accept_risk"
    insufficient_evidence: Action = "accept_risk"


class PerformanceRule(GateRule):
    """What a figure must reach on the test rows, judged by its interval; without a metric nothing is asked.

    Attributes:
        metric: A figure of the report on performance, e.g. ``accuracy`` or ``MAE``.
        at_least: Limit of a figure of which more is better.
        at_most: Limit of an error.
    """

    metric: str | None = None
    at_least: float | None = None
    at_most: float | None = None

    @model_validator(mode="after")
    def _limit_fits_the_metric(self) -> Self:
        if self.metric is None:
            if (self.at_least, self.at_most) != (None, None):
                raise ValueError("a limit needs the 'metric' that it is a limit of")
            return self
        if self.metric not in LARGER_IS_BETTER:
            raise ValueError(f"unknown metric {self.metric!r}; there are: {', '.join(LARGER_IS_BETTER)}")
        needed, other = ("at_least", "at_most") if LARGER_IS_BETTER[self.metric] else ("at_most", "at_least")
        if getattr(self, needed) is None or getattr(self, other) is not None:
            raise ValueError(f"{self.metric} needs '{needed}' as its limit, and no '{other}'")
        return self


class FairnessRule(GateRule):
    """What the verdicts on fairness mean; whatever is no pass needs at least a risk that somebody accepts."""

    insufficient_evidence: Literal["block", "accept_risk"] = "accept_risk"


class DriftRule(GateRule):
    """How far the rows trained on may lie from those held against them.

    Attributes:
        margin: Share of rows that may lie elsewhere before it matters.
    """

    insufficient_evidence: Action = "allow"
    margin: float = Field(default=0.1, gt=0, le=0.5)


class CarbonRule(GateRule):
    """What emissions of a training mean.

    Attributes:
        most_g: The most that a training may emit, in grams of CO2 equivalent; null: no budget.
    """

    insufficient_evidence: Action = "allow"
    most_g: float | None = Field(default=None, ge=0)


class ProxiesRule(GateRule):
    """What it means that the columns of the model give an audited column away; its limits are the assessment's own."""

    insufficient_evidence: Action = "allow"


class CardRule(Typed):
    """What it means that a statement on the card is unwritten.

    Attributes:
        fail: Always ``block``: an unwritten statement cannot be accepted as a risk.
        insufficient_evidence: Always ``block``, likewise.
    """

    fail: Literal["block"] = "block"
    insufficient_evidence: Literal["block"] = "block"


class Gates(Typed):
    """The gates a version must pass.

    Attributes:
        performance: The figure on the test rows.
        fairness: Every verdict on fairness; the limits are ``fairness.tolerances``.
        drift: Whether the rows trained on are alike.
        carbon: What the training emitted.
        proxies: Whether the columns of the model give away one that it must not know.
        card: Whether everything on the card is written.
    """

    performance: PerformanceRule = PerformanceRule()
    fairness: FairnessRule = FairnessRule()
    drift: DriftRule = DriftRule()
    carbon: CarbonRule = CarbonRule()
    proxies: ProxiesRule = ProxiesRule()
    card: CardRule = CardRule()


class ApprovalRules(Typed):
    """Who approves a version, and how long that lasts.

    Attributes:
        roles: One approver of each role, distinct people.
        lasts_days: Days after which an approval has to be renewed.
        trainer_may_approve: Whether who trained a version may be among its approvers; said on the card.
        signed_training: Whether a version needs its trainer's signature; once a trainer is listed it does in any case.
    """

    roles: tuple[Role, ...] = Field(default=("reviewer",), min_length=1)
    lasts_days: Days = 365
    trainer_may_approve: bool = False
    signed_training: bool = False

    @model_validator(mode="after")
    def _each_role_once(self) -> Self:
        if len(set(self.roles)) < len(self.roles):
            raise ValueError(f"'roles' names a role twice: {', '.join(self.roles)}")
        return self


class Policy(Typed):
    """What a version must pass, who approves it and for how long; read from conf/base alone.

    Attributes:
        justification_lasts_days: The most days from today until which a justification in the contract may hold.
        gates: The gates, each with its limit and what its outcomes mean.
        approval: Who approves, and for how long.
    """

    gates: Gates = Gates()
    approval: ApprovalRules = ApprovalRules()
    justification_lasts_days: Days = 365

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of its canonical JSON (RFC 8785)."""
        return digest_of(self.to_dict())


def digest_of(plain: Mapping[str, Any]) -> str:
    """Return the SHA-256 (hex) of the canonical JSON (RFC 8785) of plain values."""
    import rfc8785

    return hashlib.sha256(rfc8785.dumps(dict(plain))).hexdigest()
