"""A plan that was registered before the first fit, and how often its rows were looked at since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from rai_kedro.typed import Typed


class Plan(Typed):
    """What is measured, by which limits, on which rows and with which methods, before anything is fitted.

    Attributes:
        metrics: What is measured for fairness.
        limits: What decides: tolerances and level of fairness, and the gates of the policy.
        methods: Estimator, alternatives and mitigations that are compared.
        split: How rows are split, and the digest of the rows held out.
        rows: Digest of all rows, trained on or held out: another split of them is another look at them.
        looks: Trainings that may look at these rows; each is judged at a level that allows for all of them.
    """

    metrics: tuple[str, ...]
    limits: dict[str, Any]
    methods: dict[str, Any]
    split: dict[str, Any]
    rows: str
    looks: int = Field(default=1, ge=1, le=100)


class Look(Typed):
    """How a training stands to the plan; ``number`` is 0 where none was registered.

    Attributes:
        number: The how-manieth training this is on the same rows since the first plan, this one included.
        planned: How many the plan has.
        changed: Parts of the plan that are others now.
        plans: How often a plan was registered.
        trained_before: Trainings on record before the first plan.
        registered_at: When the plan that holds was registered (UTC, ISO 8601).
    """

    number: int = 0
    planned: int = 1
    changed: tuple[str, ...] = ()
    plans: int = 0
    trained_before: int = 0
    registered_at: str = ""
    rows: str = ""

    @property
    def divisor(self) -> int:
        """By how many looks the chance of error is shared (Bonferroni): those planned, or those made if more.

        With no more looks than planned, the chance that any of them passes wrongly is at most ``1 - level``, whichever
        is kept and whenever one stops. Beyond the plan that is no longer held, which the card says.
        """
        return max(self.number, self.planned) if self.number else 1

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the plan worth less, in sentences."""
        found = {
            "More trainings than planned: the chance of a wrong pass is no longer held.": self.number > self.planned,
            f"Changed since the plan: {', '.join(self.changed)}.": bool(self.changed),
            f"The plan was registered {self.plans} times.": self.plans > 1,
            f"Trainings before the plan: {self.trained_before}.": self.trained_before > 0,
        }
        return tuple(text for text, holds in found.items() if holds)


def take_look(plan: Plan, registered: Sequence[Mapping[str, Any]], looks: Sequence[Mapping[str, Any]]) -> Look | None:
    """Return how a training that is about to be measured stands to what was registered; None without a plan.

    Args:
        plan: What this training would measure.
        registered: Every plan on record, as `kedro rai register-plan` wrote it, first to last.
        looks: Every look on record.
    """
    if not registered:
        return None
    last = registered[-1]
    then, now = Plan.from_dict(last["plan"]).to_dict(), plan.to_dict()
    return Look(
        number=1 + sum(one.get("rows") == plan.rows for one in looks),
        planned=int(then["looks"]),
        changed=tuple(name for name in ("metrics", "limits", "methods", "split", "rows") if then[name] != now[name]),
        plans=len(registered),
        trained_before=int(registered[0]["trained_before"]),
        registered_at=str(last["registered_at"]),
        rows=plan.rows,
    )
