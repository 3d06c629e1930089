"""The public names of the rooms: adding or removing one is a decision, and is made here as well."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

PUBLIC = {
    "fairness": """
        Assessment Disparity DisparityKind EXIT_CODES FairnessSpec Gate GateDecision GateOutcome GroupCounts GroupFigure
        GroupTable Grouping GroupingError GroupingSpec JOIN MAX_VALUES_OF_CODES METRICS Metric MetricError OutcomeError
        SimilaritySpec Task Tolerance Verdict VerdictOutcome assess check_columns check_intersections check_request
        compare_table divide_column examine_classification examine_regression find_metric judge list_metrics make_groups
        rows_to_settle tabulate
    """,
    "intervals": """
        Estimate IntervalError combine_worst distribution_distances error_size_intervals
        largest_difference_of_error_sizes largest_difference_of_means largest_difference_of_proportions
        largest_distribution_distance make_interval mean_intervals part_level proportion_intervals proportion_limits
        smallest_ratio_of_error_sizes smallest_ratio_of_means smallest_ratio_of_proportions
        standardised_rates stratified_difference_of_proportions
    """,
    "performance": """
        ClassificationError Figure Performance PerformanceError iterate_roc label_estimates measure
        measure_classification measure_performance
    """,
}


@pytest.mark.parametrize("room", PUBLIC)
def test_public_names_of_a_room(room: str) -> None:
    face = importlib.import_module(f"rai_kedro.{room}")
    assert sorted(face.__all__) == sorted(PUBLIC[room].split())
    for name in face.__all__:
        assert getattr(face, name) is not None


@pytest.mark.parametrize("room", PUBLIC)
def test_no_public_name_is_that_of_a_module(room: str) -> None:
    face = importlib.import_module(f"rai_kedro.{room}")
    modules = {path.stem for path in Path(face.__path__[0]).glob("*.py")}
    assert not modules & set(face.__all__)
