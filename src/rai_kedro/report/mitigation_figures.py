"""Plotly figures of a comparison of mitigations: before and after, by group, and the trade-off of all models.

Every function takes the comparison as plain values, as `rai_kedro.mitigation.comparison.Comparison.to_dict` gives it.
Before and after differ by shape and by filling, groups by colour and by dash, so that no figure needs its colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rai_kedro.intervals import Estimate
from rai_kedro.mitigation import UNMITIGATED
from rai_kedro.report.figures import BLUE, GREY, ORANGE, draw_nothing, place, start_figure, style
from rai_kedro.report.metric_words import name_kind, name_metric
from rai_kedro.words import escape_html, format_interval, in_words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Plain = Mapping[str, Any]

# From the palette of Okabe and Ito (2008), as the other figures.
_COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00", GREY)
# Orange is kept for the chosen model where all are shown.
_OTHERS = tuple(colour for colour in _COLOURS if colour != ORANGE)
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_SYMBOLS = ("circle-open", "diamond")
_MODEL_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "pentagon", "hexagon", "cross", "x")
_PERCENT = ".0%"
# Of the titles of two figures that stand beside each other, which would be cut off at full size.
_HALF_WIDTH = 13
_PERFORMANCE = "Performance; bars are intervals"
# Above, a legend of four entries would run into the title of a narrow figure.
_BELOW = {"y": -0.15, "yanchor": "top"}
# So light that the interval of a bar is seen on it.
_BAR_FILL = "rgba(213,94,0,0.5)"


def find_before_and_after(comparison: Plain) -> list[Plain]:
    """Return the unmitigated and the chosen model; only the first where it is the one chosen."""
    by_name = {model["name"]: model for model in comparison["models"]}
    names = dict.fromkeys([UNMITIGATED, comparison["chosen"]])
    return [by_name[name] for name in names]


def draw_performance(comparison: Plain) -> Figure:
    """Draw every figure of performance with its interval, before and after."""
    models = find_before_and_after(comparison)
    names = list(dict.fromkeys(one["name"] for model in models for one in model["performance"]))
    if comparison["task"] == "regression":
        return _draw_panels(models, names, _level(comparison))
    figure = start_figure(f"Performance{_when(models)}")
    for at, (model, label) in enumerate(_label(models)):
        figure.add_trace(_draw_points({one["name"]: one for one in model["performance"]}, names, label, at))
    figure.update_xaxes(title=f"figure with its {_level(comparison)} interval")
    _name_lines(figure, names, column=None)
    return place(figure, "before_after", _PERFORMANCE)


def _draw_panels(models: Sequence[Plain], names: Sequence[str], level: str) -> Figure:
    """Draw each figure on an axis of its own: shares, errors and squared errors have no common unit."""
    from plotly.subplots import make_subplots

    last = max(1, len(names))
    figure = make_subplots(rows=last, cols=1, vertical_spacing=0.5 / last)
    for row, name in enumerate(names, start=1):
        for at, (model, label) in enumerate(_label(models)):
            trace = _draw_points({one["name"]: one for one in model["performance"]}, [name], label, at)
            figure.add_trace(trace.update(showlegend=row == 1), row=row, col=1)
        _name_lines(figure, [name], row=row, column=1)
    style(figure, f"Performance{_when(models)}")
    figure.update_xaxes(title=f"figures with their {level} intervals, each on a scale of its own", row=last)
    return place(figure.update_layout(height=140 + 90 * last), "before_after", _PERFORMANCE)


def draw_roc(comparison: Plain) -> Figure:
    """Draw the ROC curve of each group, before and after in a panel each; an empty figure without scores."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    labelled = [(model, label) for model, label in _label(find_before_and_after(comparison)) if model["curves"]]
    models = [model for model, _ in labelled]
    if not models:
        return draw_nothing("No ROC curve: the models give no scores")
    titles = [label for _, label in labelled]
    figure = make_subplots(rows=1, cols=len(models), subplot_titles=titles, shared_yaxes=True)
    for column, model in enumerate(models, start=1):
        for at, curve in enumerate(model["curves"]):
            auc = "one outcome only" if curve["auc"] is None else f"AUC {curve['auc']:.3f}"
            line = {"color": _COLOURS[at % len(_COLOURS)], "dash": _DASHES[at % len(_DASHES)], "width": 2}
            name = f"{escape_html(curve['group'])}, {titles[column - 1].split(':')[0]} ({auc}, n = {curve['rows']:,})"
            x, y = curve["false_positive_rates"], curve["true_positive_rates"]
            figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, name=name), row=1, col=column)
        chance = {"color": GREY, "dash": "dot", "width": 1}
        diagonal = go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=chance, showlegend=False, hoverinfo="skip")
        figure.add_trace(diagonal, row=1, col=column)
    figure.update_xaxes(title="false positive rate", range=[0, 1])
    figure.update_yaxes(range=[0, 1.02])
    figure.update_yaxes(title="true positive rate", col=1)
    style(figure, f"ROC curve by group{_when(models)}")
    figure.update_layout(height=520, legend={"y": -0.22, "yanchor": "top"})
    return place(figure, "before_after", "ROC curve of each group")


def draw_side_by_side(comparison: Plain) -> Figure:
    """Draw performance on the left and fairness on the right, before and after, all with intervals."""
    from plotly.subplots import make_subplots

    by, models = comparison["by"], find_before_and_after(comparison)
    titles = ["Performance", f"{name_kind(by['kind']).capitalize()} between groups of {escape_html(by['column'])}"]
    figure = make_subplots(rows=1, cols=2, subplot_titles=titles, horizontal_spacing=0.25)
    sides = [_index_performance(models, by), _index_gaps(models, by)]
    for column, side in enumerate(sides, start=1):
        names = list(dict.fromkeys(name for figures in side for name in figures))
        for at, ((_, label), figures) in enumerate(zip(_label(models), side, strict=True)):
            trace = _draw_points(figures, names, label, at)
            figure.add_trace(trace.update(showlegend=column == 1), row=1, col=column)
        _name_lines(figure, names, column=column)
    equal = 1 if by["kind"] == "ratio" else 0
    figure.add_vline(x=equal, line={"color": GREY, "dash": "dash", "width": 1}, row=1, col=2)
    style(figure, f"Performance and fairness{_when(models)}")
    figure.update_layout(legend=_BELOW, margin={"b": 90})
    return place(figure, "before_after", "Performance beside fairness; bars are intervals")


def _index_performance(models: Sequence[Plain], by: Plain) -> list[dict[str, Plain]]:
    """Return the decisive figure and the AUC of each model by name."""
    wanted = (by["performance"], "AUC")
    return [{one["name"]: one for one in model["performance"] if one["name"] in wanted} for model in models]


def _index_gaps(models: Sequence[Plain], by: Plain) -> list[dict[str, Plain]]:
    """Return the disparities of each model on the decisive column, of the decisive kind, by metric."""
    wanted = (by["column"], by["kind"])
    return [
        {
            name_metric(one["metric"]): one
            for one in model["assessment"]["disparities"]
            if (one["column"], one["kind"]) == wanted
        }
        for model in models
    ]


def draw_shares(comparison: Plain, *, favourable: str) -> Figure:
    """Draw what share of each group is decided favourably before and after, beside what is on record and needed.

    Args:
        comparison: The comparison.
        favourable: What the favourable decision is, for example ``"admitted"``; of a regression, the label's name.

    Returns:
        Bars with intervals; of a regression, mean predictions.
    """
    is_share = comparison["task"] == "classification"
    title = f"Proportion predicted {favourable} by group" if is_share else f"Mean predicted {favourable} by group"
    models = find_before_and_after(comparison)
    figure = start_figure(f"{escape_html(title)}{_when(models, ',')}")
    for at, (model, label) in enumerate(_label(models)):
        outcomes = model["outcomes"]
        bars = _draw_bars(outcomes, [one["share"] for one in outcomes], label, at)
        spans = [(one["share"], one["lower"], one["upper"]) for one in outcomes]
        figure.add_trace(bars.update(error_y=_draw_error(spans, GREY)))
    outcomes = comparison["models"][0]["outcomes"]
    for name, key, symbol in (("on record", "observed", "line-ew-open"), ("in true need", "needed", "x-thin-open")):
        if all(one[key] is not None for one in outcomes):
            heights = [one[key] / one["rows"] if is_share else one[key] for one in outcomes]
            figure.add_trace(_draw_marks(outcomes, heights, name, symbol))
    figure.update_yaxes(rangemode="tozero", tickformat=_PERCENT if is_share else None)
    figure.update_layout(barmode="group", legend=_BELOW, title_font_size=_HALF_WIDTH)
    what = "What share" if is_share else "Mean prediction"
    return place(figure, "outcomes", f"{what} of each group; bars are intervals")


def draw_numbers(comparison: Plain, *, favourable: str) -> Figure:
    """Draw how many rows of each group are decided favourably before and after; of a regression, an empty figure."""
    if comparison["task"] == "regression":
        return draw_nothing("No numbers: a regression decides on no row")
    models = find_before_and_after(comparison)
    figure = start_figure(f"Number predicted {escape_html(favourable)} by group{_when(models, ',')}")
    for at, (model, label) in enumerate(_label(models)):
        outcomes, numbers = model["outcomes"], [int(one["predicted"]) for one in model["outcomes"]]
        bars = _draw_bars(outcomes, numbers, label, at)
        figure.add_trace(bars.update(text=[f"{number:,}" for number in numbers], textposition="outside"))
    outcomes = comparison["models"][0]["outcomes"]
    figure.add_trace(_draw_marks(outcomes, [one["observed"] for one in outcomes], "on record", "line-ew-open"))
    figure.update_yaxes(rangemode="tozero", title="rows of the test split")
    figure.update_layout(barmode="group", legend=_BELOW, title_font_size=_HALF_WIDTH)
    return place(figure, "outcomes", "How many of each group")


def draw_trade_off(comparison: Plain) -> Figure:
    """Draw disparity against performance of every model, with intervals on both axes, and the frontier."""
    import plotly.graph_objects as go

    by = comparison["by"]
    figure = start_figure("Trade-off of performance and fairness")
    places = [(model, *_place(model, by)) for model in comparison["models"] if model["status"] == "fitted"]
    known = [(model, x, y) for model, x, y in places if x is not None and y is not None]
    frontier = sorted((x[0], y[0]) for model, x, y in known if model["on_frontier"])
    line = {"color": GREY, "dash": "dash", "width": 1.5}
    steps = [[point[axis] for point in frontier] for axis in (0, 1)]
    figure.add_trace(go.Scatter(x=steps[0], y=steps[1], mode="lines", line=line, name="frontier", hoverinfo="skip"))
    for at, (model, x_span, y_span) in enumerate(known):
        figure.add_trace(_draw_model(model, x_span, y_span, at, model["name"] == comparison["chosen"]))
    metric = f"{name_metric(by['metric'])}, {name_kind(by['kind'])} by {by['column']}"
    figure.update_xaxes(title=f"{escape_html(metric)} ({'1' if by['kind'] == 'ratio' else '0'} is equal)")
    figure.update_yaxes(title=f"{escape_html(by['performance'])}")
    legend = {"orientation": "v", "x": 1.02, "y": 1, "xanchor": "left", "yanchor": "top"}
    figure.update_layout(height=560, legend=legend)
    return place(figure, "trade_off", "Every compared model; bars are intervals")


def _draw_model(model: Plain, x: Sequence[Any], y: Sequence[Any], at: int, is_chosen: bool) -> Any:
    import plotly.graph_objects as go

    colour = ORANGE if is_chosen else _OTHERS[at % len(_OTHERS)]
    symbol = "star" if is_chosen else _MODEL_SYMBOLS[at % len(_MODEL_SYMBOLS)]
    symbol = symbol if model["may_be_used"] else f"{symbol}-open"
    note = " (chosen)" if is_chosen else "" if model["may_be_used"] else " (for the view only)"
    told = [f"{name}: {_write(span)}" for name, span in (("disparity", x), ("performance", y))]
    return go.Scatter(
        x=[x[0]],
        y=[y[0]],
        error_x=_draw_error([x], colour),
        error_y=_draw_error([y], colour),
        mode="markers",
        marker={"color": colour, "size": 16 if is_chosen else 10, "symbol": symbol},
        name=f"{escape_html(in_words(model['name']))}{note}",
        text=["<br>".join(told)],
        hovertemplate="%{text}",
    )


def _place(model: Plain, by: Plain) -> tuple[tuple[Any, ...] | None, tuple[Any, ...] | None]:
    performance = next((one for one in model["performance"] if one["name"] == by["performance"]), None)
    disparity = next(
        (
            one
            for one in model["assessment"]["disparities"]
            if (one["metric"], one["kind"], one["column"]) == (by["metric"], by["kind"], by["column"])
        ),
        None,
    )
    spans = (None if one is None or one["value"] is None else _span(one) for one in (disparity, performance))
    return next(spans), next(spans)


def _draw_points(figures: Mapping[str, Plain], names: Sequence[str], label: str, at: int) -> Any:
    import plotly.graph_objects as go

    lines = [line for line, name in enumerate(names) if name in figures and figures[name]["value"] is not None]
    spans = [_span(figures[names[line]]) for line in lines]
    colour = _COLOURS[at]
    return go.Scatter(
        x=[span[0] for span in spans],
        # Before a little above the line, after a little below it.
        y=[line + (0.13 if at else -0.13) for line in lines],
        error_x=_draw_error(spans, colour),
        mode="markers",
        marker={"color": colour, "size": 10, "symbol": _SYMBOLS[at], "line": {"width": 2}},
        name=label,
        text=[f"{escape_html(names[line])}: {_write(span)}" for line, span in zip(lines, spans, strict=True)],
        hovertemplate="%{text}",
    )


def _name_lines(figure: Figure, names: Sequence[str], *, column: int | None, row: int = 1) -> None:
    where = {} if column is None else {"row": row, "col": column}
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[escape_html(name) for name in names],
        range=[len(names) - 0.5, -0.5],
        automargin=True,
        zeroline=False,
        **where,
    )


def _draw_bars(outcomes: Sequence[Plain], heights: Sequence[float | None], label: str, at: int) -> Any:
    import plotly.graph_objects as go

    pattern = {"shape": "/" if at == 0 else "", "fgcolor": BLUE, "bgcolor": "rgba(0,0,0,0)"}
    line = {"color": _COLOURS[at], "width": 1}
    marker = {"color": _BAR_FILL if at else _COLOURS[at], "line": line, "pattern": pattern}
    return go.Bar(x=_names(outcomes), y=list(heights), marker=marker, name=label)


def _draw_marks(outcomes: Sequence[Plain], heights: Sequence[float], name: str, symbol: str) -> Any:
    import plotly.graph_objects as go

    marker = {"symbol": symbol, "size": 26, "color": GREY, "line": {"width": 2.5, "color": GREY}}
    return go.Scatter(x=_names(outcomes), y=list(heights), mode="markers", marker=marker, name=name)


def _draw_error(spans: Sequence[Sequence[Any]], colour: str) -> dict[str, Any]:
    above = [0.0 if span[2] is None else span[2] - span[0] for span in spans]
    below = [0.0 if span[1] is None else span[0] - span[1] for span in spans]
    return {"type": "data", "array": above, "arrayminus": below, "color": colour, "thickness": 1.5, "width": 5}


def _names(outcomes: Sequence[Plain]) -> list[str]:
    return [f"{escape_html(one['group'])} (n = {one['rows']:,})" for one in outcomes]


def _span(figure: Plain) -> tuple[Any, Any, Any]:
    return figure["value"], figure["lower"], figure["upper"]


def _write(span: Sequence[Any]) -> str:
    return format_interval(Estimate(value=span[0], lower=span[1], upper=span[2]))


def _when(models: Sequence[Plain], comma: str = "") -> str:
    """Return what a title adds where there is an after."""
    return f"{comma} before and after" if len(models) > 1 else ""


def _label(models: Sequence[Plain]) -> list[tuple[Plain, str]]:
    """Return each model with its name in legends: before and after, where there is an after."""
    when = ("before: ", "after: ") if len(models) > 1 else ("",)
    return [(model, f"{word}{escape_html(in_words(model['name']))}") for model, word in zip(models, when, strict=True)]


def _level(comparison: Plain) -> str:
    return f"{100 * comparison['level']:g} %"
