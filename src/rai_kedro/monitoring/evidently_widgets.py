"""What Evidently's report of one month shows: tables, counters and figures, as the plain JSON that its pages draw.

Text of the data is escaped, because Evidently writes it into a script of its page as it is. Importing this module
imports Evidently.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from evidently.legacy.model.widget import BaseWidgetInfo
from evidently.legacy.renderers.html_widgets import CounterData, counter, table_data

from rai_kedro.monitoring.evidently_figures import choose_columns
from rai_kedro.monitoring.outcomes import Measured
from rai_kedro.monitoring.results import CALM_COLOUR, DRIFT_COLOUR, UNSURE_COLOUR, ColumnDrift, Distribution, MonthDrift
from rai_kedro.monitoring.timeline import MonthRecord
from rai_kedro.words import NOT_KNOWN, format_interval, format_number, in_words

_MOST_ROWS = 60
_COLOURS = {"drift": DRIFT_COLOUR, "no_relevant_drift": CALM_COLOUR, "insufficient_evidence": UNSURE_COLOUR}
_HEADER = ("figure", "of", "value [interval]", "limit", "verdict")


def escape(text: str) -> str:
    """Escape text of the data."""
    return html.escape(text, quote=False)


def draw_month(record: MonthRecord) -> dict[str, list[BaseWidgetInfo]]:
    """Return what the report shows of a month, by the tab of the dashboard that shows the same over time."""
    figures = record.outcome.figures if record.outcome else ()
    carbon = record.carbon
    return {
        "Verdict": _draw_verdict(record),
        "Drift": [_draw_effects(record.drift)] if record.drift else [],
        "Performance": _draw_figures("Performance", [one for one in figures if one.subject == "performance"]),
        "Fairness": _draw_figures("Fairness", [one for one in figures if one.subject == "fairness"]),
        "Carbon": []
        if carbon is None
        else [
            counter(
                title="Carbon of the predictions",
                counters=[
                    CounterData("g CO2e for 1,000 predictions", format_number(carbon.per_thousand_g)),
                    CounterData("g CO2e of all predictions so far", format_number(carbon.total_g)),
                ],
            )
        ],
    }


def _draw_verdict(record: MonthRecord) -> list[BaseWidgetInfo]:
    title = f"{record.month}, model version {record.model_version}: {record.summary}"
    rows = [(in_words(one.weight), one.text, one.advice) for one in record.verdict.findings]
    return [_table(title, ("weight", "finding", "what to do"), rows)]


def _draw_figures(title: str, figures: Sequence[Measured]) -> list[BaseWidgetInfo]:
    """Make a table of figures, the judged ones first."""
    ordered = sorted(figures, key=lambda one: one.verdict is None)
    return [_table(title, _HEADER, map(_write, ordered))] if figures else []


def _write(one: Measured) -> tuple[str, ...]:
    kind = f" ({one.kind})" if one.kind else ""
    basis = {"labels": "on labels", "estimate": "estimated without labels", "decisions": "of decisions"}[one.basis]
    verdict = in_words(one.verdict) if one.verdict else "shown only"
    value = f"{format_interval(one)} {one.unit}".strip()
    of = f"{one.group or 'all rows'}, {one.scope}, {basis}"
    return f"{in_words(one.name)}{kind}", of, value, format_number(one.limit) if one.limit else NOT_KNOWN, verdict


def _table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> BaseWidgetInfo:
    lines = [[escape(cell) for cell in row] for row in rows]
    more = len(lines) - _MOST_ROWS
    title = f"{title} (and {more} rows more)" if more > 0 else title
    return table_data(title=escape(title), column_names=header, data=lines[:_MOST_ROWS])


def _draw_effects(drift: MonthDrift) -> BaseWidgetInfo:
    """Draw the effect of the columns that matter most with its interval, beside its margin; count the rest."""
    names = choose_columns(drift)
    shown = [drift.by_column[name] for name in names]
    rest = Counter(in_words(one.verdict) for name, one in drift.by_column.items() if name not in set(names))
    title = "Effect by column: share of rows that lie elsewhere than in the reference"
    if rest:
        title += f"; not shown: {', '.join(f'{count} with {verdict}' for verdict, count in sorted(rest.items()))}"
    margins: dict[str, Any] = {"type": "scatter", "mode": "markers", "name": "margin", "hoverinfo": "x+name"}
    margins |= {"x": [one.margin for one in shown], "y": [escape(one.column) for one in shown]}
    margins |= {"marker": {"symbol": "line-ns-open", "size": 14, "color": "#000000"}}
    layout = {
        "xaxis": {"tickformat": ".0%", "range": [0, 1], "title": {"text": "share of rows"}},
        "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
        "height": 120 + 24 * len(shown),
    }
    data = [*_draw_points(shown), margins]
    return BaseWidgetInfo(title=escape(title), type="big_graph", size=2, params={"data": data, "layout": layout})


def _draw_points(shown: Sequence[ColumnDrift]) -> Iterator[dict[str, Any]]:
    """Make one trace for each verdict, so that the legend names them."""
    for verdict, colour in _COLOURS.items():
        found = [one for one in shown if one.verdict == verdict]
        if found:
            bars: dict[str, Any] = {"type": "data", "symmetric": False, "array": [], "arrayminus": []}
            for one in found:
                for end, lengths in one.error_bars.items():
                    bars[end] += lengths
            yield {
                "type": "scatter",
                "mode": "markers",
                "name": in_words(verdict),
                "x": [one.value or 0.0 for one in found],
                "y": [escape(one.column) for one in found],
                "error_x": bars,
                "marker": {"color": colour, "size": 9},
            }


def draw_distribution(title: str, distribution: Distribution, current: str = "month") -> BaseWidgetInfo:
    """Draw the shares of both samples; as plain JSON, since building it by plotly takes most of a month's time."""
    labels = [escape(label) for label in distribution.labels]
    bars: list[dict[str, Any]] = [
        {"type": "bar", "name": name, "x": labels, "y": [count / max(1, sum(counts)) for count in counts]}
        | {"marker": {"color": colour}}
        for name, counts, colour in (
            ("reference", distribution.reference, CALM_COLOUR),
            (current, distribution.current, DRIFT_COLOUR),
        )
    ]
    shares = {"tickformat": ".0%", "title": {"text": "share of rows"}}
    layout = {"barmode": "group", "xaxis": {"type": "category"}, "yaxis": shares}
    return BaseWidgetInfo(title=title, type="big_graph", size=2, params={"data": bars, "layout": layout})
