"""The figure of an explanation: how the mean prediction goes with each of the strongest columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rai_kedro.words import escape_html

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from rai_kedro.explanation.results import Explanation

_BLUE, _BAND = "#0072B2", "rgba(0,114,178,0.2)"
_ACROSS = 2


def draw_responses(found: Explanation) -> Figure:
    """Draw one panel a column on one scale: the mean prediction, and its interval as a band or bars."""
    from plotly.subplots import make_subplots

    titles = [escape_html(one.column) for one in found.responses]
    down = max(1, -(-len(titles) // _ACROSS))
    figure = make_subplots(
        rows=down, cols=_ACROSS, subplot_titles=titles, shared_yaxes=True, vertical_spacing=0.35 / down
    )
    for index, one in enumerate(found.responses):
        place = {"row": index // _ACROSS + 1, "col": index % _ACROSS + 1}
        y = [point.value for point in one.predictions]
        if isinstance(one.values[0], str):
            x = [escape_html(str(value)) for value in one.values]
            bars = {
                "array": [point.error_bars["array"][0] for point in one.predictions],
                "arrayminus": [point.error_bars["arrayminus"][0] for point in one.predictions],
            }
            figure.add_scatter(x=x, y=y, error_y=bars, mode="markers", marker={"color": _BLUE}, **place)
            continue
        values = list(one.values)
        ends = [[point.upper for point in one.predictions], [point.lower for point in one.predictions]]
        band = {"fill": "toself", "fillcolor": _BAND, "line": {"width": 0}, "hoverinfo": "skip", "mode": "lines"}
        figure.add_scatter(x=values + values[::-1], y=ends[0] + ends[1][::-1], **band, **place)
        figure.add_scatter(x=values, y=y, mode="lines+markers", line={"color": _BLUE}, marker={"size": 5}, **place)
    figure.update_annotations(font_size=13)
    return figure.update_layout(template="plotly_white", showlegend=False, height=230 * down + 90)
