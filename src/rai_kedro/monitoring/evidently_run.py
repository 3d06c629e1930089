"""A month's decisions as one run of Evidently, which shows them and decides nothing itself.

Importing this module imports Evidently (7-9 s), so it is imported inside functions only. Evidently is given the results
of the comparisons as data, one row each: the metrics below look their values up there, so that what it shows and what
was decided cannot differ. A stored run carries plain values and names: ``evidently ui`` shows it without this package.
"""

# Evidently ships no type information, so its base classes count as Any.
# mypy: disallow-subclassing-any=False

from __future__ import annotations

import html
from typing import Any

import pandas as pd
from evidently import DataDefinition, Dataset, Report, Run
from evidently.core.metric_types import (
    BoundTest,
    ByLabelCalculation,
    ByLabelMetric,
    ByLabelValue,
    ColumnMetric,
    CountCalculation,
    CountMetric,
    CountValue,
    MetricCalculationBase,
    MetricTest,
    MetricTestResult,
    SingleValue,
    SingleValueCalculation,
    SingleValueMetric,
    SingleValueTest,
    TestStatus,
)
from evidently.core.report import Context
from evidently.legacy.model.widget import BaseWidgetInfo

from rai_kedro.monitoring.results import CALM_COLOUR, DRIFT_COLOUR, ColumnDrift, Distribution, MonthDrift
from rai_kedro.months import month_start
from rai_kedro.words import format_interval

_METHODS = {
    "ks": "two-sample Kolmogorov-Smirnov",
    "chi2_contingency": "two-sample chi-squared",
    "fisher_exact_2x2": "Fisher's exact test",
    "shared_values_and_ks": "shared values by chi-squared, the rest by Kolmogorov-Smirnov",
    "none": "no test",
}


def make_run(drift: MonthDrift) -> Run:
    """Put a month's decisions into a run of Evidently, filed under the first of the month (UTC)."""
    verdict = drift.verdict.replace("_", " ")
    names = {"month": drift.month, "model_version": drift.model_version, "run_id": drift.run_id}
    found = {
        "drifted_columns": ", ".join(drift.drifted_columns),
        "margin": f"{drift.margin:g}",
        "rate": f"{drift.rate:.3g}",
    }
    tests = [ColumnTest(column=entry.label, tests=[_decide(entry)]) for entry in drift.columns]
    return Report([DriftedColumns(), *tests, DriftByColumn(), Effect()]).run(
        Dataset.from_pandas(_results(drift), data_definition=DataDefinition(categorical_columns=["label"])),
        timestamp=month_start(drift.month),
        metadata={**names, "verdict": verdict, **found},
        tags=[*(f"{name}={value}" for name, value in names.items()), verdict],
        name=f"month {drift.month}, model version {drift.model_version}",
    )


def _results(drift: MonthDrift) -> pd.DataFrame:
    """Lay out what the metrics look up, by label."""
    return pd.DataFrame(
        {
            "label": entry.label,
            "column": entry.column,
            # Where a side has no value there is no effect, and the entry of the missing values says it.
            "value": entry.value or 0.0,
            "drifted": entry.drifted,
            "title": _title(entry),
            "distribution": entry.distribution,
        }
        for entry in drift.columns
    )


def _title(entry: ColumnDrift) -> str:
    return _safe(f"{entry.label}: {entry.verdict.replace('_', ' ')} (effect {format_interval(entry)})")


def _decide(entry: ColumnDrift) -> Decision:
    p_value = "" if entry.p_value is None else f"; {_METHODS[entry.method]}: p = {entry.p_value:.3g}"
    seen = f"effect {format_interval(entry)}, margin {entry.margin:g}{p_value}"
    return Decision(drifted=entry.drifted, seen=_safe("; ".join(filter(None, [seen, entry.note]))))


class BoundDecision(BoundTest[SingleValue]):
    """A decision tied to one metric.

    Unlike Evidently's own it leaves itself out of the stored result, to be read without this package's classes.
    """

    def run_test(
        self, context: Context, calculation: MetricCalculationBase[SingleValue], metric_result: SingleValue
    ) -> MetricTestResult:
        """Show the decision beside the value of the metric."""
        return self.test.run(context, calculation, metric_result)


class Decision(MetricTest):
    """What was decided on a column: it fails where drift was found."""

    drifted: bool
    seen: str

    def bind_single(self, fingerprint: str) -> BoundDecision:
        """Tie the decision to the metric with this fingerprint."""
        return BoundDecision(test=self, metric_fingerprint=fingerprint)

    def to_test(self) -> SingleValueTest:
        """Return the function that Evidently calls with the metric's value."""

        def decide(_: Context, metric: MetricCalculationBase[SingleValue], value: SingleValue) -> MetricTestResult:
            return MetricTestResult(
                id="drift",
                name=value.display_name,
                description=self.seen,
                status=TestStatus.FAIL if self.drifted else TestStatus.SUCCESS,
                metric_config=metric.to_metric_config(),
                test_config=self.dict(),
            )

        return decide


class ColumnTest(ColumnMetric, SingleValueMetric):
    """One comparison of a column: its effect."""


class ColumnTestCalculation(SingleValueCalculation[ColumnTest]):
    """Looks the effect up and draws both samples."""

    _title = ""

    def calculate(self, context: Context, current_data: Dataset, reference_data: Dataset | None) -> SingleValue:
        """Return the effect, with a figure of the reference and the month."""
        row = current_data.as_dataframe().set_index("label").loc[self.metric.column]
        self._title = row["title"]
        result = self.result(float(row["value"]))
        result.widget = [] if row["distribution"] is None else [_draw(self._title, row["distribution"])]
        return result

    def display_name(self) -> str:
        """Name what was compared, and the verdict."""
        return self._title or _safe(self.metric.column)


class DriftedColumns(CountMetric):
    """Number and share of columns of which at least one comparison found drift."""


class DriftedColumnsCalculation(CountCalculation[DriftedColumns]):
    """Counts columns, not comparisons: a column and its missing values are one."""

    def calculate(self, context: Context, current_data: Dataset, reference_data: Dataset | None) -> CountValue:
        """Return count and share."""
        drifted = current_data.as_dataframe().groupby("column")["drifted"].any()
        return self.result(int(drifted.sum()), float(drifted.mean()))

    def display_name(self) -> str:
        """Name the number as the report shows it."""
        return "Drifted columns"


class DriftByColumn(ByLabelMetric):
    """1 for every column of which at least one comparison found drift, else 0."""


class DriftByColumnCalculation(ByLabelCalculation[DriftByColumn]):
    """Spreads the decisions over the columns; for the dashboard only, so it draws nothing in the report."""

    def calculate(self, context: Context, current_data: Dataset, reference_data: Dataset | None) -> ByLabelValue:
        """Return 0 or 1 by column."""
        return _spread(self, current_data.as_dataframe().groupby("column", sort=False)["drifted"].max().astype(int))

    def display_name(self) -> str:
        """Name the number as the dashboard shows it."""
        return "Column drifted (1) or not (0)"


class Effect(ByLabelMetric):
    """Largest effect of each column: the share of rows that lie elsewhere than in the reference."""


class EffectCalculation(ByLabelCalculation[Effect]):
    """For the dashboard only."""

    def calculate(self, context: Context, current_data: Dataset, reference_data: Dataset | None) -> ByLabelValue:
        """Return the effect by column."""
        return _spread(self, current_data.as_dataframe().groupby("column", sort=False)["value"].max())

    def display_name(self) -> str:
        """Name the number as the dashboard shows it."""
        return "Effect"


def _spread(calculation: ByLabelCalculation[Any], values: pd.Series) -> ByLabelValue:
    result = calculation.result({str(column): value for column, value in values.to_dict().items()})
    result.widget = []
    return result


def _safe(text: str) -> str:
    """Escape text of the data, which Evidently writes into a script of its page as it is."""
    return html.escape(text, quote=False)


def _draw(title: str, distribution: Distribution) -> BaseWidgetInfo:
    """Draw the shares of both samples; as plain JSON, since building it by plotly takes most of a month's time."""
    labels = [_safe(label) for label in distribution.labels]
    bars: list[dict[str, Any]] = [
        {"type": "bar", "name": name, "x": labels, "y": [count / max(1, sum(counts)) for count in counts]}
        | {"marker": {"color": colour}}
        for name, counts, colour in (
            ("reference", distribution.reference, CALM_COLOUR),
            ("month", distribution.current, DRIFT_COLOUR),
        )
    ]
    shares = {"tickformat": ".0%", "title": {"text": "share of rows"}}
    layout = {"barmode": "group", "xaxis": {"type": "category"}, "yaxis": shares}
    return BaseWidgetInfo(title=title, type="big_graph", size=2, params={"data": bars, "layout": layout})
