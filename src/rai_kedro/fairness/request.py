"""What is to be assessed, and whether it can be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pandas as pd
from pydantic import Field, field_validator

from rai_kedro.fairness.grouping import GroupingError, GroupingSpec
from rai_kedro.fairness.individual import SimilaritySpec
from rai_kedro.fairness.metrics import METRICS, MetricError, Task, find_metric, is_metric, list_metrics, suggest_metric
from rai_kedro.fairness.tables import OutcomeError
from rai_kedro.typed import Typed


class FairnessSpec(Typed):
    """What is assessed.

    Attributes:
        groupings: The audited columns and intersections.
        metrics: Names of metrics; other names become the canonical ones.
        level: Confidence level of every interval.
        favourable: The favourable value of label and prediction (classification).
        compare: ``all_pairs`` of groups, or each with the ``reference`` group only.
        strata: The legitimate columns of conditional statistical parity, made into strata as groups are.
        strata_summary: ``standardised``: rates standardised over the strata; ``worst``: the worst stratum counts.
        score_bins: Equal bins on [0, 1] for calibration.
        prediction_range: Range of the grid for the distribution of predictions; that of the data if None.
        similarity: The declared distance of individual fairness.
    """

    groupings: tuple[GroupingSpec, ...] = ()
    metrics: tuple[str, ...] = Field(min_length=1)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    favourable: bool | int | str = 1
    compare: Literal["all_pairs", "reference"] = "all_pairs"
    strata: GroupingSpec | None = None
    strata_summary: Literal["standardised", "worst"] = "standardised"
    score_bins: int = Field(default=10, ge=2, le=100)
    prediction_range: tuple[float, float] | None = None
    similarity: SimilaritySpec | None = None

    @field_validator("metrics")
    @classmethod
    def _check_metrics(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not is_metric(name):
                raise ValueError(f"there is no metric {name!r}; {suggest_metric(name)}")
        return tuple(dict.fromkeys(find_metric(name).name for name in names))


def check_request(spec: FairnessSpec, task: Task, *, has_score: bool) -> None:
    """Raise :class:`MetricError` if a metric does not fit the task, or lacks scores, strata, distance or groups."""
    for name in spec.metrics:
        metric = METRICS[name]
        lacking = {
            f"fits {' and '.join(metric.tasks)}, not {task}": task not in metric.tasks,
            "needs scores, P(favourable), and none were handed in": metric.needs_score and not has_score,
            "needs legitimate columns ('strata'), and none are named": metric.needs_strata and spec.strata is None,
            "needs a declared distance ('similarity'), and there is none": metric.individual and not spec.similarity,
            "needs groups ('groupings'), and none are named": not metric.individual and not spec.groupings,
        }
        for problem, applies in lacking.items():
            if applies:
                raise MetricError(
                    f"The metric {name!r} {problem}.",
                    where="fairness.metrics",
                    remedy=f"Give it what it needs, or choose another metric. For {task}: {list_metrics(task)}.",
                )


def check_columns(spec: FairnessSpec, audit: pd.DataFrame) -> None:
    """Raise :class:`GroupingError` if a grouping or a stratum is to be made of a column that is not audited."""
    asked = {"fairness.groupings": [column for grouping in spec.groupings for column in grouping.columns]}
    asked["fairness.strata"] = list(spec.strata.columns) if spec.strata else []
    for key, columns in asked.items():
        for column in columns:
            if column not in audit.columns:
                raise GroupingError(
                    f"The column {column!r} that groups are to be made of is not among the audited columns.",
                    where=key,
                    example=f"there are: {', '.join(map(str, audit.columns)) or 'none'}",
                    remedy=f"Name a column of use 'audit' in the contract, or correct '{key}'.",
                )


def check_rows(columns: Mapping[str, Any], audit: pd.DataFrame) -> None:
    """Raise :class:`OutcomeError` unless all columns have as many rows, under the same index where there is one."""
    for what, values in columns.items():
        if values is None:
            continue
        same = len(values) == len(audit)
        if same and isinstance(values, pd.Series):
            same = values.index is audit.index or values.index.equals(audit.index)
        if not same:
            raise OutcomeError(
                f"The {what} and the audited columns are not of the same rows.",
                where=what,
                how_many=f"{len(values)} rows against {len(audit)}",
                remedy="Hand in columns of the same rows in the same order, under one index.",
            )
