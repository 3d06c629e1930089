"""The figures of every group with their intervals: one panel per rate, one line per group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rai_kedro.fairness.assessment import Assessment
from rai_kedro.fairness.estimates import GroupFigure
from rai_kedro.report.figures import BLUE, name_with_unit, place, start_figure, style
from rai_kedro.words import escape_html, format_interval

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_LINE_HEIGHT, _FRAME_HEIGHT = 34, 170
# The plot's axis titles wrap at this many letters.
_TITLE_LETTERS = 22


def draw_groups(assessment: Assessment, *, unit: str = "") -> Figure:
    """Draw the figures of each group of each grouping, with intervals and the rows behind each rate.

    Args:
        assessment: What was found.
        unit: Unit of the label, for the errors of a regression; empty for the rates of a classifier.

    Returns:
        A panel per rate, a line per group; a figure that is not defined leaves its place empty. Without groupings an
        empty figure that says so.
    """
    from plotly.subplots import make_subplots

    rates = list(dict.fromkeys(figure.rate for table in assessment.tables for figure in table.figures))
    if not rates:
        return start_figure("No grouping is assessed").update_layout(height=120)
    lines = list(
        dict.fromkeys(_name_line(table.column, one.group) for table in assessment.tables for one in table.figures)
    )
    figure = make_subplots(rows=1, cols=len(rates), shared_yaxes=True, horizontal_spacing=0.03)
    for column, rate in enumerate(rates, start=1):
        figure.add_trace(_draw_rate(assessment, rate), row=1, col=column)
        title = _wrap(name_with_unit(escape_html(rate), unit))
        figure.update_xaxes(title=title, rangemode="tozero", nticks=5, row=1, col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=lines, range=[len(lines) - 0.4, -0.7], automargin=True)
    style(figure, "Groups, with the rows behind each figure")
    height = _LINE_HEIGHT * len(lines) + _FRAME_HEIGHT
    figure.update_layout(height=height, showlegend=False, margin={"t": 60, "b": 80})
    return place(figure, "fairness", "Each group's figures; bars are intervals, n the rows behind a figure")


def _draw_rate(assessment: Assessment, rate: str) -> Any:
    import plotly.graph_objects as go

    shown = [(table.column, one) for table in assessment.tables for one in table.figures if one.rate == rate]
    figures = [one for _, one in shown]
    return go.Scatter(
        x=[one.value for one in figures],
        y=[_name_line(column, one.group) for column, one in shown],
        error_x=_draw_intervals(figures),
        mode="markers+text",
        marker={"color": BLUE, "size": 9},
        text=[f"n = {one.n:,}" for one in figures],
        textposition="top center",
        textfont={"size": 10},
        cliponaxis=False,
        customdata=[format_interval(one) for one in figures],
        hovertemplate="%{y}<br>%{customdata}<br>%{text}<extra></extra>",
        name=escape_html(rate),
    )


def _draw_intervals(figures: Sequence[GroupFigure]) -> dict[str, Any]:
    above = [0.0 if one.upper is None or one.value is None else one.upper - one.value for one in figures]
    below = [0.0 if one.lower is None or one.value is None else one.value - one.lower for one in figures]
    return {"type": "data", "array": above, "arrayminus": below, "color": BLUE, "thickness": 1.5, "width": 4}


def _name_line(column: str, group: str) -> str:
    return f"{escape_html(column)}: {escape_html(group)}"


def _wrap(words: str) -> str:
    """Break an axis title into lines of a panel's width."""
    lines = [""]
    for word in words.split():
        if lines[-1] and len(f"{lines[-1]} {word}") > _TITLE_LETTERS:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(lines)
