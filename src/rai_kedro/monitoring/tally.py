"""A month reduced to counts, part by part: all that is measured of it but for a sample of rows.

Drift and fairness are counted on all rows. Performance, and its estimate without labels, are measured on rows, as
intervals of errors and areas need them: on all of a month up to :data:`SAMPLE_ROWS`, else on so many drawn at random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rai_kedro.fairness import METRICS, CountedRows, FairnessSpec, count_rows
from rai_kedro.monitoring.baseline import Baseline
from rai_kedro.monitoring.outcomes import Basis
from rai_kedro.monitoring.profile import ReferenceProfile, profile_month

SAMPLE_ROWS = 250_000
"""Rows on which performance is measured and estimated where a month has more.

An interval allows for the draw as it does for the rows that a month happens to have."""
BASES: tuple[Basis, ...] = ("decisions", "labels")
_SEED = 20_240_229


@dataclass(frozen=True)
class TallyPlan:
    """What is counted of the rows of a month.

    Attributes:
        baseline: Says the target and what is assessed.
        labels: Grid on which labels are counted.
        seen: Share of all rows that is drawn, 1 for all of them.
        labelled: Share of the rows with a label that is drawn.
    """

    baseline: Baseline
    labels: ReferenceProfile
    seen: float = 1.0
    labelled: float = 1.0

    def draw_from(self, rows: int, labels: int) -> TallyPlan:
        """Return the plan for a month of so many rows and at most so many labels."""
        shares = (min(1.0, SAMPLE_ROWS / max(1, number)) for number in (rows, labels))
        return TallyPlan(self.baseline, self.labels, *shares)


@dataclass(frozen=True)
class MonthTally:
    """What was counted of rows; adds up over the parts of a month.

    Attributes:
        counted: By what is compared, decisions and labels, the rows of each group; empty where nothing is compared.
        labels: The labels, counted.
        seen: Rows drawn from all, in order.
        known: Rows drawn from those with a label.
    """

    rows: int
    labelled: int
    counted: dict[Basis, CountedRows]
    labels: ReferenceProfile
    seen: tuple[pd.DataFrame, ...]
    known: tuple[pd.DataFrame, ...]

    def __add__(self, other: MonthTally) -> MonthTally:
        bases = [basis for basis in BASES if basis in self.counted or basis in other.counted]
        both = {
            basis: self.counted[basis] + other.counted[basis]
            if basis in self.counted and basis in other.counted
            else self.counted.get(basis) or other.counted[basis]
            for basis in bases
        }
        return MonthTally(
            self.rows + other.rows,
            self.labelled + other.labelled,
            both,
            self.labels + other.labels,
            self.seen + other.seen,
            self.known + other.known,
        )


def tally_rows(rows: pd.DataFrame, plan: TallyPlan, number: int = 0) -> MonthTally:
    """Reduce one part of a month.

    Args:
        rows: Audited columns, ``prediction``, ``score`` of a classifier, the target, missing in rows without a label,
            and what the model sees.
        plan: What is counted.
        number: Which part it is; decides which rows are drawn, so that it does not matter who counts.
    """
    baseline, generator = plan.baseline, np.random.default_rng([_SEED, number])
    labelled = rows[rows[baseline.target].notna()]
    parts: dict[Basis, pd.DataFrame] = {"decisions": rows, "labels": labelled}
    counted = {basis: one for basis, part in parts.items() for one in _count(part, basis, baseline)}
    return MonthTally(
        len(rows),
        len(labelled),
        counted,
        profile_month(plan.labels, labelled),
        (_draw(rows, plan.seen, generator),),
        (_draw(labelled, plan.labelled, generator),),
    )


def spec_of(baseline: Baseline, basis: Basis) -> FairnessSpec:
    """Return what is assessed on decisions, or on labels."""
    wanted = (METRICS[name] for name in baseline.fairness.metrics)
    metrics = tuple(one.name for one in wanted if one.needs_label == (basis == "labels"))
    return baseline.fairness.model_copy(update={"metrics": metrics})


def _count(rows: pd.DataFrame, basis: Basis, baseline: Baseline) -> Iterator[CountedRows]:
    spec = spec_of(baseline, basis)
    if spec.metrics and len(rows):
        # Where no metric reads the label the prediction stands in for it.
        truth: Any = rows[baseline.target if basis == "labels" else "prediction"]
        yield count_rows(truth, rows["prediction"], rows.get("score"), rows, spec, task=baseline.task)


def _draw(rows: pd.DataFrame, share: float, generator: np.random.Generator) -> pd.DataFrame:
    return rows if share >= 1 else rows[generator.random(len(rows)) < share]
