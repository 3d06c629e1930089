"""The one way in: assess predictions for fairness, on every grouping and metric that was asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from rai_kedro.fairness.estimates import Disparity, GroupFigure
from rai_kedro.fairness.grouping import Grouping, make_groups
from rai_kedro.fairness.measures import rates
from rai_kedro.fairness.measures.calibration import assess_well_calibration
from rai_kedro.fairness.measures.comparison import describe
from rai_kedro.fairness.measures.counts import (
    Binary,
    Figures,
    GroupCounts,
    count_groups,
    count_strata,
    encode_outcome,
)
from rai_kedro.fairness.measures.disparities import NO_ROWS, Setting, compare_rates
from rai_kedro.fairness.measures.distributions import assess_distribution, count_distribution
from rai_kedro.fairness.measures.individual import assess_awareness, assess_consistency
from rai_kedro.fairness.measures.moments import GroupMoments, check_numbers, sum_moments
from rai_kedro.fairness.measures.scores import check_scores, count_scores
from rai_kedro.fairness.measures.stratified import assess_standardised, assess_worst_stratum
from rai_kedro.fairness.metrics import METRICS
from rai_kedro.fairness.request import FairnessSpec, MetricError, check_columns, check_request, check_rows
from rai_kedro.typed import Typed

__all__ = [
    "Assessment",
    "FairnessSpec",
    "GroupTable",
    "MetricError",
    "assess_classification",
    "assess_regression",
    "compare_counts",
    "compare_moments",
    "examine_classification",
    "examine_regression",
    "tabulate_counts",
    "tabulate_moments",
]


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


def assess_classification(
    y: Any, prediction: Any, score: Any, audit: pd.DataFrame, spec: FairnessSpec
) -> list[Disparity]:
    """Measure every metric asked for, on every grouping; see :func:`examine_classification`."""
    return list(examine_classification(y, prediction, score, audit, spec).disparities)


def assess_regression(y: Any, prediction: Any, audit: pd.DataFrame, spec: FairnessSpec) -> list[Disparity]:
    """Measure every metric asked for, on every grouping; see :func:`examine_regression`."""
    return list(examine_regression(y, prediction, audit, spec).disparities)


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
    disparities: list[Disparity] = []
    tables = []
    for grouping in (make_groups(audit, grouping) for grouping in spec.groupings):
        counts = count_groups(outcome, decision, grouping)
        tables.append(tabulate_counts(counts, grouping, level=spec.level))
        disparities += compare_counts(counts, grouping, spec)
        disparities += _assess_scores(outcome, scores, grouping, spec)
        disparities += _assess_strata(outcome, decision, (grouping, audit), spec)
    if spec.similarity is not None:
        values = np.where(decision < 0, np.nan, decision)
        disparities += _assess_individuals(values, values if scores is None else scores, audit, spec)
    return Assessment(disparities=tuple(disparities), tables=tuple(tables))


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
    disparities: list[Disparity] = []
    tables = []
    for grouping in (make_groups(audit, grouping) for grouping in spec.groupings):
        moments = sum_moments(target, predicted, grouping)
        tables.append(tabulate_moments(moments, grouping, level=spec.level))
        disparities += compare_moments(moments, grouping, spec)
        if "prediction_distribution" in spec.metrics:
            counts = count_distribution(predicted, grouping, bounds=spec.prediction_range)
            disparities += assess_distribution(counts, _setting(grouping, spec))
    disparities += _assess_individuals(predicted, predicted, audit, spec)
    return Assessment(disparities=tuple(disparities), tables=tuple(tables))


def compare_counts(counts: GroupCounts, grouping: Grouping, spec: FairnessSpec) -> list[Disparity]:
    """Compute every metric asked for that depends on the confusion matrix from counts alone."""
    wanted = {name: of for name, of in rates.OF_COUNTS.items() if name in spec.metrics}
    return _flatten(
        compare_rates(name, [rate(counts) for rate in of], _setting(grouping, spec), counts.left_out)
        for name, of in wanted.items()
    )


def compare_moments(moments: GroupMoments, grouping: Grouping, spec: FairnessSpec) -> list[Disparity]:
    """Compute every regression metric asked for that depends on means and variances from moments alone."""
    wanted = {name: of for name, of in rates.OF_MOMENTS.items() if name in spec.metrics}
    return _flatten(
        compare_rates(name, [rate(moments) for rate in of], _setting(grouping, spec), moments.left_out)
        for name, of in wanted.items()
    )


def tabulate_counts(counts: GroupCounts, grouping: Grouping, *, level: float) -> GroupTable:
    """Show selection rate, false positive rate and false negative rate of each group, with the rows behind each."""
    shown = (rates.selection_rate(counts), rates.false_positive_rate(counts), rates.false_negative_rate(counts))
    return _tabulate(shown, grouping, counts.left_out, level)


def tabulate_moments(moments: GroupMoments, grouping: Grouping, *, level: float) -> GroupTable:
    """Show mean prediction and error figures of each group, with the rows behind each."""
    shown = (
        rates.mean_prediction(moments),
        rates.mean_absolute_error(moments),
        rates.root_mean_squared_error(moments),
        rates.mean_signed_error(moments),
    )
    return _tabulate(shown, grouping, moments.left_out, level)


def _tabulate(shown: Iterable[rates.Rate], grouping: Grouping, left_out: dict[str, int], level: float) -> GroupTable:
    figures = tuple(figure for rate in shown for figure in describe(rate, level))
    absent = tuple(f"{group}: {NO_ROWS}" for group in grouping.absent)
    return GroupTable(
        column=grouping.column,
        rule=grouping.rule,
        reference=grouping.reference,
        figures=figures,
        left_out=dict(left_out),
        not_assessed=absent,
    )


def _assess_scores(outcome: Binary, scores: Figures | None, grouping: Grouping, spec: FairnessSpec) -> list[Disparity]:
    if scores is None or not any(METRICS[name].needs_score for name in spec.metrics):
        return []
    sums = count_scores(outcome, scores, grouping, bins=spec.score_bins)
    setting = _setting(grouping, spec)
    found = _flatten(
        compare_rates(name, [rate(sums) for rate in of], setting, sums.left_out)
        for name, of in rates.OF_SCORES.items()
        if name in spec.metrics
    )
    if "calibration" in spec.metrics:
        by_bin = rates.outcome_rates_by_score(sums)
        found += compare_rates("calibration", by_bin, setting, sums.left_out, gaps="counted")
    if "well_calibration" in spec.metrics:
        found += assess_well_calibration(sums, setting)
    return found


def _assess_strata(
    outcome: Binary, decision: Binary, rows: tuple[Grouping, pd.DataFrame], spec: FairnessSpec
) -> list[Disparity]:
    if "conditional_statistical_parity" not in spec.metrics or spec.strata is None:
        return []
    grouping, audit = rows
    counts = count_strata(outcome, decision, grouping, make_groups(audit, spec.strata))
    assess = assess_worst_stratum if spec.strata_summary == "worst" else assess_standardised
    return assess(counts, _setting(grouping, spec))


def _assess_individuals(
    decisions: Figures, scores: Figures, audit: pd.DataFrame, spec: FairnessSpec
) -> list[Disparity]:
    found: list[Disparity] = []
    if spec.similarity is not None and "consistency" in spec.metrics:
        found += assess_consistency(decisions, audit, spec.similarity, level=spec.level)
    if spec.similarity is not None and "fairness_through_awareness" in spec.metrics:
        found += assess_awareness(scores, audit, spec.similarity, level=spec.level)
    return found


def _setting(grouping: Grouping, spec: FairnessSpec) -> Setting:
    return Setting(grouping, spec.level, spec.compare == "reference")


def _flatten(lists: Iterable[list[Disparity]]) -> list[Disparity]:
    return [disparity for part in lists for disparity in part]
