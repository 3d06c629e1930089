"""A month as one run of Evidently, which shows them and decides nothing itself.

Importing this module imports Evidently (7-9 s), so it is imported inside functions only. Evidently is given what was
found as data, one row each: the metrics below look their values up there, so that what it shows and what was decided
cannot differ. A stored run carries plain values and names: ``evidently ui`` shows it without this package.
"""

# Evidently ships no type information, so its base classes count as Any.
# mypy: disallow-subclassing-any=False

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

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

from rai_kedro.monitoring.evidently_figures import Shown, choose_columns, digest_record, list_figures
from rai_kedro.monitoring.evidently_widgets import draw_distribution, draw_month
from rai_kedro.monitoring.evidently_widgets import escape as _safe
from rai_kedro.monitoring.results import ColumnDrift
from rai_kedro.monitoring.timeline import MonthRecord
from rai_kedro.months import month_start, say_period
from rai_kedro.words import format_interval, in_words, list_some

_METHODS = {
    "ks": "two-sample Kolmogorov-Smirnov",
    "chi2_contingency": "two-sample chi-squared",
    "fisher_exact_2x2": "Fisher's exact test",
    "shared_values_and_ks": "shared values by chi-squared, the rest by Kolmogorov-Smirnov",
    "none": "no test",
}
_STATUS = {
    "drift": TestStatus.FAIL,
    "insufficient_evidence": TestStatus.WARNING,
    "no_relevant_drift": TestStatus.SUCCESS,
}
# Beside the names of panels, in the table that the metrics look up.
_TESTS, _COUNT = " tests", " count"
_NAMED = 12


def make_run(record: MonthRecord) -> Run:
    """Put what is known of a month into a run of Evidently, filed under noon (UTC) of the month's first day.

    Evidently shows times as the reader's clock has them: midnight would fall into the month before west of Greenwich.
    """
    drift, figures = record.drift, list_figures(record)
    panels = [MonthFigures(of=panel) for panel in dict.fromkeys(one.panel for one in figures)]
    shown = set(choose_columns(drift)) if drift else set()
    columns = [one for one in drift.columns if one.column in shown] if drift else []
    tests = [ColumnTest(column=one.label, tests=[_decide(one)]) for one in columns]
    names = {"month": record.month, "model_version": record.model_version, "run_id": drift.run_id if drift else ""}
    verdict = in_words(record.verdict.outcome)
    found = {"summary": record.summary, "digest": digest_record(record)}
    if drift:
        found |= {"drifted_columns": list_some(drift.drifted_columns, _NAMED), "margin": f"{drift.margin:g}"}
        found |= {"rate": f"{drift.rate:.3g}"}
    return Report([*panels, *([DriftedColumns()] if drift else []), *tests]).run(
        Dataset.from_pandas(
            _lay_out(record, figures, columns), data_definition=DataDefinition(categorical_columns=["label"])
        ),
        timestamp=month_start(record.month) + timedelta(hours=12),
        metadata={**names, "verdict": verdict, **found},
        tags=[*(f"{name}={value}" for name, value in names.items() if value), verdict],
        name=f"{say_period('month', record.month)} {record.month}, model version {record.model_version}",
    )


def _lay_out(record: MonthRecord, figures: Sequence[Shown], columns: Sequence[ColumnDrift]) -> pd.DataFrame:
    """Lay out what the metrics look up: numbers by panel and series, comparisons by label, and what is drawn."""
    drift, widgets, now = record.drift, draw_month(record), say_period("month", record.month)
    rows = [
        {"of": one.panel, "label": one.series, "value": one.value, "title": _safe(one.panel), "widgets": []}
        for one in figures
    ]
    for row, one in zip(rows, figures, strict=True):
        row["widgets"] = widgets.pop(one.tab, [])  # what a tab shows of one month stands at its first panel
    # Where a side has no value there is no effect, and the entry of the missing values says it.
    rows += [
        {
            "of": _TESTS,
            "label": one.label,
            "value": one.value or 0.0,
            "title": _title(one),
            "widgets": [] if one.distribution is None else [draw_distribution(_title(one), one.distribution, now)],
        }
        for one in columns
    ]
    if drift:
        rows.append({"of": _COUNT, "label": "", "value": float(drift.count), "title": str(drift.share), "widgets": []})
    return pd.DataFrame(rows)


def _title(entry: ColumnDrift) -> str:
    return _safe(f"{entry.label}: {in_words(entry.verdict)} (effect {format_interval(entry)})")


def _decide(entry: ColumnDrift) -> Decision:
    p_value = "" if entry.p_value is None else f"; {_METHODS[entry.method]}: p = {entry.p_value:.3g}"
    seen = f"effect {format_interval(entry)}, margin {entry.margin:g}{p_value}"
    said = _safe("; ".join(filter(None, [seen, entry.note])))
    return Decision(verdict=entry.verdict, seen=said)


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

    verdict: str
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
                status=_STATUS[self.verdict],
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
        row = _look_up(current_data, _TESTS).set_index("label").loc[self.metric.column]
        self._title = row["title"]
        result = self.result(float(row["value"]))
        result.widget = row["widgets"]
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
        row = _look_up(current_data, _COUNT).iloc[0]
        return self.result(int(row["value"]), float(row["title"]))

    def display_name(self) -> str:
        """Name the number as the report shows it."""
        return "Drifted columns"


class MonthFigures(ByLabelMetric):
    """The numbers of one panel of the dashboard, by series."""

    of: str


class MonthFiguresCalculation(ByLabelCalculation[MonthFigures]):
    """Looks the numbers up; the report of a month draws the first of each tab."""

    def calculate(self, context: Context, current_data: Dataset, reference_data: Dataset | None) -> ByLabelValue:
        """Return the numbers by series."""
        rows = _look_up(current_data, self.metric.of)
        result = self.result(dict(zip(rows["label"].astype(str), rows["value"], strict=True)))
        result.widget = [widget for drawn in rows["widgets"] for widget in drawn]
        return result

    def display_name(self) -> str:
        """Name the panel."""
        return _safe(self.metric.of)


def _look_up(data: Dataset, of: str) -> pd.DataFrame:
    rows: pd.DataFrame = data.as_dataframe()
    return rows[rows["of"] == of]
