"""Whoever adds a metric is told by name what it still lacks.

A metric has words, a formula and a source; a question that leads to it; a known answer from published material or from
a table worked out by hand; and an interval whose coverage is simulated in ``benchmarks/``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rai_kedro.fairness import METRICS, Metric, MetricError, find_metric

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
# No published question leads to it: the two kinds of wrong decisions are counted against each other, not shared out.
WITHOUT_QUESTION = {"treatment_equality"}
# The test in this folder that knows the answer.
KNOWN = {
    "statistical_parity": "test_documented_figures_of_metric_frame",
    "conditional_statistical_parity": "test_conditional_parity_standardises_to_all_rows",
    "equal_opportunity": "test_documented_figures_of_metric_frame",
    "predictive_equality": "test_documented_figures_of_metric_frame",
    "equalized_odds": "test_documented_figures_of_metric_frame",
    "predictive_parity": "test_definitions_of_verma_and_rubin_on_a_table_worked_out_by_hand",
    "negative_predictive_parity": "test_definitions_of_verma_and_rubin_on_a_table_worked_out_by_hand",
    "conditional_use_accuracy_equality": "test_definitions_of_verma_and_rubin_on_a_table_worked_out_by_hand",
    "overall_accuracy_equality": "test_definitions_of_verma_and_rubin_on_a_table_worked_out_by_hand",
    "treatment_equality": "test_definitions_of_verma_and_rubin_on_a_table_worked_out_by_hand",
    "balance_positive_class": "test_scores_by_hand",
    "balance_negative_class": "test_scores_by_hand",
    "overall_balance": "test_scores_by_hand",
    "calibration": "test_calibration_is_the_worst_bin",
    "well_calibration": "test_calibration_is_the_worst_bin",
    "mean_prediction": "test_regression_equals_fairlearn",
    "mean_absolute_error": "test_regression_equals_fairlearn",
    "root_mean_squared_error": "test_regression_equals_fairlearn",
    "mean_signed_error": "test_regression_equals_fairlearn",
    "prediction_distribution": "test_distances_equal_scipy_up_to_the_grid",
    "consistency": "test_consistency_by_hand",
    "fairness_through_awareness": "test_violation_rate_by_hand",
}


@pytest.fixture(scope="module")
def simulated() -> Iterator[dict[str, str]]:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        yield importlib.import_module("coverage_cells").SIMULATED
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


@pytest.fixture(scope="module")
def led_to() -> set[tuple[str, str]]:
    """Question and metric of each answer that leads to one."""
    from rai_kedro.questionnaire import load_tree

    return {
        (key, metric)
        for key, question in load_tree().questions.items()
        for answer in question.answers
        for metric in answer.metrics
    }


@pytest.fixture(scope="module")
def cells() -> str:
    return "".join(path.read_text(encoding="utf-8") for path in (ROOT / "benchmarks").glob("coverage*.py"))


def find_lacking(metric: Metric, led_to: set[tuple[str, str]], simulated: dict[str, str], cells: str) -> list[str]:
    """Name what a metric lacks."""
    tests = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    has = {
        "words for people who decide": len(metric.compared.split()) > 3,
        "a formula": bool(metric.formula),
        "a source with its year": any(letter.isdigit() for letter in metric.source),
        "a way to be computed": bool(metric.parts) != (metric.assess is not None),
        "a question that leads to it": (metric.question, metric.name) in led_to or metric.name in WITHOUT_QUESTION,
        "a known answer": f"def {KNOWN.get(metric.name, '?')}(" in tests,
        "simulated coverage": metric.name in simulated and simulated[metric.name].split(",")[0] in cells,
    }
    return [what for what, there in has.items() if not there]


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_lacks_nothing(name: str, led_to: set[tuple[str, str]], simulated: dict[str, str], cells: str) -> None:
    assert find_lacking(METRICS[name], led_to, simulated, cells) == []


def test_what_a_new_metric_lacks_is_named(led_to: set[tuple[str, str]], simulated: dict[str, str], cells: str) -> None:
    bare = Metric(name="new", compared="", formula="", source="somebody", table=METRICS["consistency"].table)
    assert find_lacking(bare, led_to, simulated, cells) == [
        "words for people who decide",
        "a formula",
        "a source with its year",
        "a way to be computed",
        "a question that leads to it",
        "a known answer",
        "simulated coverage",
    ]


def test_every_name_finds_one_metric() -> None:
    names = [name for metric in METRICS.values() for name in (metric.name, *metric.other_names)]
    assert len(names) == len(set(names))
    assert all(find_metric(name).name in METRICS for name in names)
    assert find_metric("demographic_parity") is METRICS["statistical_parity"]
    with pytest.raises(MetricError, match="did you mean 'equalized_odds'"):
        find_metric("equalised_odds")
