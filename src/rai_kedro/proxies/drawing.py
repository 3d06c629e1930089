"""The figure of a search for proxies: each column's interval against limit and chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rai_kedro.proxies.results import CHANCE, ProxyReport
from rai_kedro.words import escape_html, format_interval, in_words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_COLOURS = {"pass": "#009E73", "fail": "#D55E00", "insufficient_evidence": "#E69F00"}
_SYMBOLS = {"pass": "circle", "fail": "x", "insufficient_evidence": "diamond-open"}
_GREY = "#767676"


def draw_proxies(report: ProxyReport) -> Figure:
    """Draw every verdict: the figure, its interval, a tick at the limit and a dashed line at chance."""
    from plotly.subplots import make_subplots

    shown = [one for one in report.proxies if one.value is not None]
    metrics = list(dict.fromkeys(one.metric for one in shown)) or ["AUC"]
    lines = [sum(one.metric == metric for one in shown) for metric in metrics]
    titles = [f"{metric} ({CHANCE[metric]:g} is chance)" for metric in metrics]
    heights = [max(1, count) for count in lines]
    figure = make_subplots(rows=len(metrics), cols=1, subplot_titles=titles, row_heights=heights, vertical_spacing=0.25)
    for row, metric in enumerate(metrics, start=1):
        for one in (one for one in shown if one.metric == metric):
            name, verdict = escape_html(one.name), in_words(one.outcome)
            marker = {"color": _COLOURS[one.outcome], "size": 10, "symbol": _SYMBOLS[one.outcome]}
            told = f"{name}<br>{format_interval(one)}<br>{verdict}"
            figure.add_scatter(
                x=[one.value], y=[name], error_x=one.error_bars, mode="markers", marker=marker, hovertext=[told],
                row=row, col=1,
            )  # fmt: skip
            tick = {"symbol": "line-ns", "size": 22, "line": {"width": 2, "color": "#555555"}}
            limit = [f"limit: at most {one.limit:g}"]
            figure.add_scatter(x=[one.limit], y=[name], mode="markers", marker=tick, hovertext=limit, row=row, col=1)
        figure.add_vline(x=CHANCE[metric], line={"color": _GREY, "dash": "dash", "width": 1}, row=row, col=1)
        figure.update_xaxes(range=[min(0.45, 0.0 if metric == "R2" else 0.45), 1], row=row, col=1)
    figure.update_yaxes(autorange="reversed", automargin=True)
    height = 45 * sum(heights) + 80 * len(metrics) + 60
    return figure.update_layout(template="plotly_white", showlegend=False, height=height, margin={"l": 60, "r": 20})
