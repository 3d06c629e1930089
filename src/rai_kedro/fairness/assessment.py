"""Assess predictions for fairness, on every grouping and metric that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rai_kedro.fairness import rates
from rai_kedro.fairness.comparison import NO_ROWS, Setting, describe
from rai_kedro.fairness.estimates import Disparity, DisparityKind, GroupFigure, name_disparity
from rai_kedro.fairness.grouping import Grouping, make_groups
from rai_kedro.fairness.individual import Individuals
from rai_kedro.fairness.metrics import METRICS, MetricError, find_metric
from rai_kedro.fairness.request import FairnessSpec, check_columns, check_request, check_rows
from rai_kedro.fairness.tables import (
    DistributionCounts,
    Figures,
    GroupCounts,
    GroupMoments,
    ScoreCounts,
    StratumCounts,
    check_numbers,
    check_scores,
    count_distribution,
    count_groups,
    count_scores,
    count_strata,
    encode_outcome,
    sum_moments,
)
from rai_kedro.fairness.verdicts import Gate, GateDecision, Tolerance
from rai_kedro.typed import Typed
from rai_kedro.words import format_interval

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = [
    "Assessment",
    "FairnessSpec",
    "GroupTable",
    "MetricError",
    "compare_table",
    "examine_classification",
    "examine_regression",
    "tabulate",
]

# The rates of every group that are shown whatever metric was asked for.
_SHOWN: dict[type[Any], tuple[Callable[[Any], rates.Rate], ...]] = {
    GroupCounts: (rates.selection_rate, rates.false_positive_rate, rates.false_negative_rate),
    GroupMoments: (
        rates.mean_prediction,
        rates.mean_absolute_error,
        rates.root_mean_squared_error,
        rates.mean_signed_error,
    ),
}


class GroupTable(Typed):
    """The figures of each group that are shown whatever metric was asked for.

    Attributes:
        column: The grouping.
        rule: How the groups were made.
        reference: The named or the largest group.
        figures: Selection rate, false positive rate and false negative rate, or the error figures of a regression;
            each with the rows behind it.
        left_out: Rows left out, by reason.
        not_assessed: Declared groups without rows.
    """

    column: str
    rule: str
    reference: str | None
    figures: tuple[GroupFigure, ...]
    left_out: dict[str, int]
    not_assessed: tuple[str, ...]


class Assessment(Typed):
    """Everything found: what was asked for, and the figures of each group."""

    disparities: tuple[Disparity, ...] = ()
    tables: tuple[GroupTable, ...] = ()

    def __repr__(self) -> str:
        """Return a line for each disparity."""
        lines = [f"  {name_disparity(one)}: {format_interval(one)}" for one in self.disparities]
        return "\n".join([f"Assessment of {len(self.disparities)} disparities", *lines])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        from rai_kedro.fairness.presentation import write_table

        return write_table(self.disparities)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each disparity: metric, kind, grouping, figure, interval, groups, rows."""
        from rai_kedro.fairness.presentation import make_frame

        return make_frame(self.disparities)

    def plot(self) -> Figure:
        """Draw every disparity with its interval; those of a kind share a panel."""
        from rai_kedro.fairness.presentation import draw_intervals

        return draw_intervals(self.disparities)

    def judge(self, **limits: float | dict[DisparityKind, float] | Tolerance) -> GateDecision:
        """Judge the disparities by what is tolerated.

        Args:
            **limits: By name or other name of a metric: the largest difference (or distance), for example
                ``demographic_parity=0.1``; by kind, for example ``{"ratio": 0.8}``; or a :class:`Tolerance`.

        Returns:
            The decision with its verdicts, and what would settle those that are open.

        Raises:
            MetricError: A limit is of no metric, or of one that was not measured.
            ValueError: A limit is negative, or that of a ratio above 1.
        """
        measured = dict.fromkeys(one.metric for one in self.disparities)
        tolerances: list[Tolerance] = []
        for name, limit in limits.items():
            metric = find_metric(name)
            if metric.name not in measured:
                raise MetricError(
                    f"A limit is given for {name!r}, which was not measured.",
                    where=name,
                    example=f"measured are: {', '.join(measured) or 'none'}",
                    remedy="give limits for what was measured, or have it measured ('metrics')",
                )
            by_kind = limit if isinstance(limit, dict) else {metric.kinds[0]: limit}
            tolerances += [
                one if isinstance(one, Tolerance) else Tolerance(metric=metric.name, kind=kind, limit=one)
                for kind, one in by_kind.items()
            ]
        level = min((one.level for one in self.disparities), default=0.95)
        return Gate(tolerances=tuple(tolerances), level=level).judge(self.disparities)


def examine_classification(y: Any, prediction: Any, score: Any, audit: pd.DataFrame, spec: FairnessSpec) -> Assessment:
    """Assess the decisions of a binary classifier.

    Args:
        y: Labels, shape (rows,); missing where not known.
        prediction: Decisions with the same values, shape (rows,); missing where withheld.
        score: P(favourable) of each row, shape (rows,), or None.
        audit: Audited columns, and those of strata and similarity, on the same rows, shape (rows, columns).
        spec: Groupings, metrics and level.

    Returns:
        One disparity per grouping, metric and kind (individual metrics: per metric and kind), and per grouping the
        selection rate, false positive rate and false negative rate of each group.

    Raises:
        MetricError: A metric does not fit the task, or lacks score, strata, distance or groups.
        OutcomeError: Labels or decisions are not binary, scores are not probabilities, or rows do not match.
        GroupingError: Groups cannot be made.
        SimilarityError: The distance cannot be computed.
    """
    check_request(spec, "classification", has_score=score is not None)
    check_columns(spec, audit)
    check_rows({"label": y, "prediction": prediction, "score": score}, audit)
    outcome = encode_outcome(y, what="label", favourable=spec.favourable)
    decision = encode_outcome(prediction, what="prediction", favourable=spec.favourable)
    scores = None if score is None else check_scores(score)
    decided = np.where(decision < 0, np.nan, decision)
    makers: dict[type[Any], Callable[[Grouping], Any]] = {
        GroupCounts: lambda grouping: count_groups(outcome, decision, grouping),
        StratumCounts: lambda grouping: count_strata(
            outcome, decision, grouping, make_groups(audit, spec.strata or spec.groupings[0])
        ),
        ScoreCounts: lambda grouping: count_scores(
            outcome, decided if scores is None else scores, grouping, bins=spec.score_bins
        ),
    }
    return _examine(makers, (decided, decided if scores is None else scores), audit, spec)


def examine_regression(y: Any, prediction: Any, audit: pd.DataFrame, spec: FairnessSpec) -> Assessment:
    """Assess the predictions of a regression.

    Args:
        y: Labels, shape (rows,); missing where not known.
        prediction: Predictions in the unit of the label, shape (rows,); missing where withheld.
        audit: Audited columns, and those of similarity, on the same rows, shape (rows, columns).
        spec: Groupings, metrics and level.

    Returns:
        As :func:`examine_classification`; the tables hold mean prediction, absolute, root squared and signed error.

    Raises:
        MetricError: A metric does not fit the task, or lacks groups or a distance.
        OutcomeError: Labels or predictions are not finite numbers, or rows do not match.
        GroupingError: Groups cannot be made.
        SimilarityError: The distance cannot be computed.
    """
    check_request(spec, "regression", has_score=False)
    check_columns(spec, audit)
    check_rows({"label": y, "prediction": prediction}, audit)
    target, predicted = check_numbers(y, what="label"), check_numbers(prediction, what="prediction")
    makers: dict[type[Any], Callable[[Grouping], Any]] = {
        GroupMoments: lambda grouping: sum_moments(target, predicted, grouping),
        DistributionCounts: lambda grouping: count_distribution(predicted, grouping, bounds=spec.prediction_range),
    }
    return _examine(makers, (predicted, predicted), audit, spec)


def _examine(
    makers: dict[type[Any], Callable[[Grouping], Any]],
    answers: tuple[Figures, Figures],
    audit: pd.DataFrame,
    spec: FairnessSpec,
) -> Assessment:
    """Make of each grouping the tables that the metrics need, each once, and measure on them."""
    wanted = {METRICS[name].table for name in spec.metrics}
    disparities: list[Disparity] = []
    tables = []
    for grouping in (make_groups(audit, one) for one in spec.groupings):
        for of, make in makers.items():
            if of in wanted or of in _SHOWN:
                table = make(grouping)
                disparities += compare_table(table, grouping, spec)
                tables += [tabulate(table, grouping, level=spec.level)] if of in _SHOWN else []
    if spec.similarity is not None:
        people = Individuals(*answers, audit, spec.similarity, spec.level)
        for metric in (METRICS[name] for name in spec.metrics):
            if metric.individual and metric.assess is not None:
                disparities += metric.assess(people, None)
    return Assessment(disparities=tuple(disparities), tables=tuple(tables))


def compare_table(table: Any, grouping: Grouping, spec: FairnessSpec) -> list[Disparity]:
    """Measure every metric asked for that is computed from a table of this type (counts, scores, moments) alone."""
    setting = Setting(grouping, spec.level, spec.compare == "reference", spec.strata_summary == "worst")
    wanted = (METRICS[name] for name in spec.metrics)
    return [one for metric in wanted if metric.table is type(table) for one in metric.measure(table, setting)]


def tabulate(table: GroupCounts | GroupMoments, grouping: Grouping, *, level: float) -> GroupTable:
    """Show the usual figures of each group, whatever was asked for, with the rows behind each."""
    return GroupTable(
        column=grouping.column,
        rule=grouping.rule,
        reference=grouping.reference,
        figures=tuple(figure for rate in _SHOWN[type(table)] for figure in describe(rate(table), level)),
        left_out=dict(table.left_out),
        not_assessed=tuple(f"{group}: {NO_ROWS}" for group in grouping.absent),
    )
