"""What was measured of a month: figures with their verdicts, and how they are stored."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import pandas as pd
from pydantic import Field

from rai_kedro.errors import RaiError
from rai_kedro.intervals import Estimate, Verdict
from rai_kedro.monitoring.results import ColumnDrift
from rai_kedro.months import Month
from rai_kedro.typed import Typed

Basis: TypeAlias = Literal["labels", "estimate", "decisions"]
MONTH, SINCE_APPROVAL = "month", "since approval"


class Measured(Estimate):
    """One figure of a month, and what the policy says of it.

    Attributes:
        subject: ``performance`` or ``fairness``.
        name: Metric, as the rooms ``performance`` and ``fairness`` name it.
        kind: ``ratio`` or ``difference`` to the tested figure, or the kind of a disparity; empty for the figure itself.
        group: Grouping, or group of people, as ``race`` and ``race: Black``; empty for all rows.
        basis: Whether labels, an estimate of them, or decisions alone stand behind it.
        scope: ``month``, or ``since approval``.
        limit: What it was judged by; None where it is only shown.
        verdict: None where it is only shown.
    """

    subject: Literal["performance", "fairness"]
    name: str
    kind: str = ""
    group: str = ""
    basis: Basis = "labels"
    scope: str = MONTH
    unit: str = ""
    limit: float | None = None
    verdict: Verdict | None = None

    @property
    def share_of_limit(self) -> float | None:
        """How near a disparity is to its limit: 1 at it, more beyond; None without a limit or where it is zero."""
        least = self.kind == "ratio"
        above, below = (self.limit, self.value) if least else (self.value, self.limit)
        return above / below if above is not None and below else None


class MonthOutcome(Typed):
    """What one month's predictions were worth under one model version.

    Attributes:
        look: How many months of the version were judged up to this one, this one included.
        rows: Rows that were predicted.
        labelled: Of these, rows that have a label.
        features_digest: What the features were when the month was scored.
        labels_digest: What the labels were when it was measured.
        deliveries: Of each measurement that judged labels the rows that had one by then; this one's is the last.
        figures: Everything measured.
        label_drift: Comparison of the labels with those of the test rows; empty without labels.
        doubts: Why the estimate may not be believed, in words.
        counts: Tables by grouping that later months add to their own, for the verdicts since the approval.
        notes: What else a reader must know.
    """

    month: Month
    model_version: str
    look: int
    rows: int
    labelled: int
    features_digest: str = ""
    labels_digest: str = ""
    deliveries: tuple[int, ...] = ()
    used_in_training: bool = False
    figures: tuple[Measured, ...] = ()
    label_drift: tuple[ColumnDrift, ...] = ()
    doubts: tuple[str, ...] = ()
    counts: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def finding(self) -> str:
        """What was measured, in a few words."""
        judged = [one for one in self.figures if one.verdict]
        failed = list(dict.fromkeys(f"{one.name} {one.group}".strip() for one in judged if one.verdict == "fail"))
        basis = f"{self.labelled:,} of {self.rows:,} rows labelled" if self.labelled else "no labels yet, estimated"
        return f"{basis}; {'beyond the limit: ' + ', '.join(failed) if failed else 'nothing beyond its limit'}"

    def pick(self, **wanted: Any) -> Iterator[Measured]:
        """Iterate over the figures whose fields have these values, e.g. ``subject="performance", group=""``."""
        return (one for one in self.figures if all(getattr(one, name) == value for name, value in wanted.items()))


def outcome_frame(outcome: MonthOutcome) -> pd.DataFrame:
    """Lay out what was measured as a table to be stored: one row, the figures as JSON."""
    beside = outcome.model_dump(include={"month", "model_version", "rows", "labelled", "labels_digest"})
    return pd.DataFrame([{**beside, "outcome": outcome.model_dump_json()}])


def read_outcome(frame: pd.DataFrame) -> MonthOutcome:
    """Read back what :func:`outcome_frame` laid out; :class:`RaiError` if it cannot be read."""
    try:
        (text,) = frame["outcome"]
        return MonthOutcome.model_validate_json(text)
    except (KeyError, ValueError) as error:
        raise RaiError(
            "What was measured of a month cannot be read.",
            where="outcome store",
            how_many=f"{len(frame)} rows",
            example=str(error).splitlines()[0],
            remedy="run the monitoring again: it makes anew what it cannot read",
        ) from error
