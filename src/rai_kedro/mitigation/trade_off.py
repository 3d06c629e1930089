"""The trade-off of performance and fairness as a plotly figure: every model, with intervals on both axes."""

from __future__ import annotations

from typing import Any

from rai_kedro.fairness import describe_metric, name_kind
from rai_kedro.intervals import Estimate
from rai_kedro.mitigation.compared import ComparedModel, Comparison
from rai_kedro.words import escape_html, format_interval, in_words

# From the palette of Okabe and Ito (2008); orange is kept for the chosen model.
_CHOSEN, _LINE = "#D55E00", "#767676"
_COLOURS = ("#0072B2", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", _LINE)
_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "pentagon", "hexagon", "cross", "x")


def draw_trade_off(comparison: Comparison) -> Any:
    """Draw disparity against performance of every fitted model, and the frontier."""
    import plotly.graph_objects as go

    by = comparison.by
    places = [(model, model.find_disparity(by), model.find_performance(by)) for model in comparison.models]
    known = [(m, x, y) for m, x, y in places if x and y and x.value is not None and y.value is not None]
    frontier = sorted((x.value, y.value) for model, x, y in known if model.on_frontier)
    steps = [[point[axis] for point in frontier] for axis in (0, 1)]
    line = {"color": _LINE, "dash": "dash", "width": 1.5}
    figure = go.Figure()
    figure.add_trace(go.Scatter(x=steps[0], y=steps[1], mode="lines", line=line, name="frontier", hoverinfo="skip"))
    for at, (model, x, y) in enumerate(known):
        figure.add_trace(_draw_model(model, (x, y), at, model.name == comparison.chosen))
    metric = f"{describe_metric(by.metric).title}, {name_kind(by.kind)} by {by.column}"
    figure.update_xaxes(title=f"{escape_html(metric)} ({'1' if by.kind == 'ratio' else '0'} is equal)")
    figure.update_yaxes(title=escape_html(by.performance))
    legend = {"orientation": "v", "x": 1.02, "y": 1, "xanchor": "left", "yanchor": "top"}
    title = "Trade-off of performance and fairness"
    return figure.update_layout(title=title, height=560, legend=legend, meta={"section": "trade_off"})


def _draw_model(model: ComparedModel, place: tuple[Estimate, Estimate], at: int, is_chosen: bool) -> Any:
    import plotly.graph_objects as go

    x, y = place
    colour = _CHOSEN if is_chosen else _COLOURS[at % len(_COLOURS)]
    symbol = "star" if is_chosen else _SYMBOLS[at % len(_SYMBOLS)]
    note = " (chosen)" if is_chosen else "" if model.may_be_used else " (for the view only)"
    told = [f"{name}: {format_interval(figure)}" for name, figure in (("disparity", x), ("performance", y))]
    return go.Scatter(
        x=[x.value],
        y=[y.value],
        error_x=_draw_error(x, colour),
        error_y=_draw_error(y, colour),
        mode="markers",
        marker={
            "color": colour,
            "size": 16 if is_chosen else 10,
            "symbol": symbol if model.may_be_used else f"{symbol}-open",
        },
        name=f"{escape_html(in_words(model.name))}{note}",
        text=["<br>".join(told)],
        hovertemplate="%{text}",
    )


def _draw_error(figure: Estimate, colour: str) -> dict[str, Any]:
    value = figure.value or 0.0
    above = 0.0 if figure.upper is None else figure.upper - value
    below = 0.0 if figure.lower is None else value - figure.lower
    return {"type": "data", "array": [above], "arrayminus": [below], "color": colour, "thickness": 1.5, "width": 5}
