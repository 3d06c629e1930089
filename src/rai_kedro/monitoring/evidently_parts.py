"""What this project adds to Evidently: two statistical tests, one decision rule and three summary metrics.

Importing this module imports Evidently (7-9 s). It is imported inside functions only, never by another
module at its top.

A stored run carries plain values and names, so ``evidently ui`` shows these metrics without this package.
"""

# Evidently ships no type information, so its base classes count as Any.
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd
from evidently import ColumnType, Dataset
from evidently.core.metric_types import (
    BoundTest,
    ByLabelCalculation,
    ByLabelMetric,
    ByLabelValue,
    CountCalculation,
    CountMetric,
    CountValue,
    MetricCalculationBase,
    MetricResult,
    MetricTest,
    MetricTestResult,
    SingleValue,
    SingleValueTest,
    TestStatus,
)
from evidently.core.report import Context
from evidently.legacy.calculations.stattests.registry import StatTest, register_stattest
from evidently.metrics import ValueDrift

from rai_kedro.monitoring.statistics import category_p_value, contingency_table

MISSING_SUFFIX = " (missing)"
"""Ends the name of the derived column that says whether a value is missing."""


def _test_categories(reference: pd.Series, current: pd.Series, _: ColumnType, threshold: float) -> tuple[float, bool]:
    p_value = category_p_value(contingency_table(reference, current))
    return p_value, p_value <= threshold


CHI2_CONTINGENCY = StatTest("chi2_contingency", "two-sample chi-squared p-value", [ColumnType.Categorical])
FISHER_EXACT = StatTest("fisher_exact_2x2", "Fisher's exact test p-value", [ColumnType.Categorical])
for _stat_test in (CHI2_CONTINGENCY, FISHER_EXACT):
    register_stattest(_stat_test, _test_categories)


def column_of(name: str) -> str:
    """Return the data column that a tested column speaks about (itself, or the one it counts as missing)."""
    return name.removesuffix(MISSING_SUFFIX)


class PValueDecision(BoundTest[SingleValue]):
    """The rule below, tied to one metric.

    Unlike Evidently's own it leaves itself out of the stored result, which another process could otherwise
    only read with this package's classes loaded.
    """

    def run_test(
        self, context: Context, calculation: MetricCalculationBase[SingleValue], metric_result: SingleValue
    ) -> MetricTestResult:
        """Apply the rule to the value of the metric."""
        return self.test.run(context, calculation, metric_result)


class PValueAbove(MetricTest):
    """Decision rule of a test on a p-value: it fails, that is drift is found, at or below the threshold.

    Evidently's own ``gt`` does the same but prints three decimals, which shows small
    thresholds as 0.
    """

    threshold: float

    def bind_single(self, fingerprint: str) -> PValueDecision:
        """Tie the rule to the metric with this fingerprint."""
        return PValueDecision(test=self, metric_fingerprint=fingerprint)

    def to_test(self) -> SingleValueTest:
        """Return the function that Evidently calls with the metric's value."""

        def decide(_: Context, metric: MetricCalculationBase[SingleValue], value: SingleValue) -> MetricTestResult:
            drifted = value.value <= self.threshold
            return MetricTestResult(
                id="p_value",
                name=f"{value.display_name}: {'drift' if drifted else 'no drift found'}",
                description=f"p = {value.value:.3g}, drift at or below {self.threshold:.3g}",
                status=TestStatus.FAIL if drifted else TestStatus.SUCCESS,
                metric_config=metric.to_metric_config(),
                test_config=self.dict(),
            )

        return decide


def _tested_metrics(context: Context) -> Iterator[tuple[str, ValueDrift, MetricResult]]:
    """Yield column, metric and result of every metric of the report that decides on a column."""
    for metric in context.configuration.metrics:
        if getattr(metric, "column", None) is not None:
            # Asked for by calculation, not by id: this one may stand before the metric in the report.
            yield column_of(metric.column), metric, context.get_metric_result(metric.to_calculation())


def drifted_columns(context: Context) -> dict[str, bool]:
    """Say of every tested column whether any of its tests in this report failed."""
    drifted: dict[str, bool] = {}
    for column, _, result in _tested_metrics(context):
        failed = any(test.status == TestStatus.FAIL for test in result.tests)
        drifted[column] = drifted.get(column, False) or failed
    return drifted


class DriftedColumns(CountMetric):
    """Number and share of columns of which at least one test of the report failed.

    Stands in for Evidently's ``DriftedColumnsCount``, which tests everything a second time and would count a
    column and its missing values as two.
    """


class DriftedColumnsCalculation(CountCalculation[DriftedColumns]):
    """Counts the decisions already made in the report."""

    def calculate(self, context: Context, current_data: Dataset, reference_data: Dataset | None) -> CountValue:
        """Return count and share; the data themselves are not looked at again."""
        drifted = drifted_columns(context)
        return self.result(sum(drifted.values()), sum(drifted.values()) / len(drifted))

    def display_name(self) -> str:
        """Name the number as the report shows it."""
        return "Drifted columns"


class DriftByColumn(ByLabelMetric):
    """1 for every column of which at least one test failed, else 0."""


class DriftByColumnCalculation(ByLabelCalculation[DriftByColumn]):
    """Spreads the decisions already made over the columns, for the dashboard."""

    def calculate(self, context: Context, current_data: Dataset, reference_data: Dataset | None) -> ByLabelValue:
        """Return 0 or 1 by column; shown on the dashboard only, so it draws nothing in the report."""
        result = self.result({column: int(drifted) for column, drifted in drifted_columns(context).items()})
        result.widget = []
        return result

    def display_name(self) -> str:
        """Name the number as the dashboard shows it."""
        return "Column drifted (1) or not (0)"


class AdjustedPValue(ByLabelMetric):
    """Bonferroni-adjusted p-value by column: its smallest p-value times the number of tests of the month.

    Comparable over months with different numbers of tests: drift is at or below the family-wise rate.
    """


class AdjustedPValueCalculation(ByLabelCalculation[AdjustedPValue]):
    """Adjusts the p-values already computed in the report."""

    def calculate(self, context: Context, current_data: Dataset, reference_data: Dataset | None) -> ByLabelValue:
        """Return min(1, m * p) by column; a column that has no p-value is left out."""
        tests = [entry for entry in _tested_metrics(context) if isinstance(entry[2], SingleValue)]
        smallest: dict[str, float] = {}
        for column, _, value in tests:
            smallest[column] = min(smallest.get(column, math.inf), value.value)
        result = self.result({column: min(1.0, p * len(tests)) for column, p in smallest.items()})
        result.widget = []
        return result

    def display_name(self) -> str:
        """Name the number as the dashboard shows it."""
        return "Adjusted p-value"
