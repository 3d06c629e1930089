"""Plotly figures of a comparison of mitigations: before and after, by group, and the trade-off of all models.

Before and after differ by shape and by filling, groups by colour and by dash, so that no figure needs its colours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rai_kedro.fairness import describe_metric, name_kind
from rai_kedro.intervals import Estimate
from rai_kedro.mitigation import Comparator, ComparedModel, GroupOutcome
from rai_kedro.report.figures import (
    BLUE,
    COLOURS,
    GREY,
    draw_intervals,
    draw_nothing,
    place,
    start_figure,
    style,
)
from rai_kedro.report.mitigation_section import MitigationRecord, Plain, estimate_share
from rai_kedro.words import escape_html, format_interval, format_share, in_words

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

MITIGATION_FIGURES = (
    "trade_off",
    "performance",
    "performance_and_fairness",
    "roc_by_group",
    "predicted_shares",
    "predicted_numbers",
)
_COLOURS = (*COLOURS, GREY)
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_SYMBOLS = ("circle-open", "diamond")
_PERCENT = ".0%"
# Of the titles of two figures that stand beside each other, which would be cut off at full size.
_HALF_WIDTH = 13
_PERFORMANCE = "Performance; bars are intervals"
# Above, a legend of four entries would run into the title of a narrow figure.
_BELOW = {"y": -0.15, "yanchor": "top"}
# So light that the interval of a bar is seen on it.
_BAR_FILL = "rgba(213,94,0,0.5)"


def draw_mitigation(comparison: Plain, *, favourable: str) -> dict[str, Figure]:
    """Draw the recipe's five figures and the trade-off.

    Args:
        comparison: Plain values as :meth:`rai_kedro.mitigation.Comparison.to_dict` gives them.
        favourable: What the favourable decision is, for example ``"admitted"``; of a regression, the label's name.

    Returns:
        Figures by a name fit for a file; empty ones that say so where nothing was compared.
    """
    if not comparison["models"]:
        return {name: draw_nothing("No mitigation was compared") for name in MITIGATION_FIGURES}
    record = MitigationRecord.from_dict(comparison)
    figures = (
        _draw_trade_off(record),
        _draw_performance(record),
        _draw_side_by_side(record),
        _draw_roc(record),
        _draw_shares(record, favourable),
        _draw_numbers(record, favourable),
    )
    return dict(zip(MITIGATION_FIGURES, figures, strict=True))


def _draw_trade_off(comparison: MitigationRecord) -> Figure:
    """Give the room's own figure the style of the pages; its place and legend beside the plot stay."""
    figure: Figure = comparison.plot()
    legend = figure.layout.legend.to_plotly_json()
    style(figure, figure.layout.title.text).update_layout(height=560, legend=legend)
    return place(figure, "trade_off", "Every compared model; bars are intervals")


def _draw_performance(comparison: MitigationRecord) -> Figure:
    """Draw every figure of performance with its interval, before and after."""
    models, level = comparison.shown, format_share(comparison.level)
    found = [{one.name: one for one in model.performance} for model in models]
    title = f"Performance{_when(models)}"
    if comparison.task == "classification":
        figure = start_figure(title)
        _add_points(figure, models, found)
        return place(figure.update_xaxes(title=f"figure with its {level} interval"), "before_after", _PERFORMANCE)
    # Each on an axis of its own: shares, errors and squared errors have no common unit.
    names = list(dict.fromkeys(name for figures in found for name in figures))
    last = max(1, len(names))
    figure = start_figure(title, rows=last, cols=1, vertical_spacing=0.5 / last)
    for row, name in enumerate(names, start=1):
        one = [{name: figures[name]} if name in figures else {} for figures in found]
        _add_points(figure, models, one, row=row, col=1)
    figure.update_xaxes(title=f"figures with their {level} intervals, each on a scale of its own", row=last)
    return place(figure.update_layout(height=140 + 90 * last), "before_after", _PERFORMANCE)


def _draw_roc(comparison: MitigationRecord) -> Figure:
    """Draw the ROC curve of each group, before and after in a panel each; an empty figure without scores."""
    labelled = [(model, label) for model, label in _label(comparison.shown) if model.curves]
    models = [model for model, _ in labelled]
    if not models:
        return draw_nothing("No ROC curve: the models give no scores")
    titles = [label for _, label in labelled]
    panels = {"rows": 1, "cols": len(models), "subplot_titles": titles, "shared_yaxes": True}
    figure = start_figure(f"ROC curve by group{_when(models)}", **panels)
    for column, model in enumerate(models, start=1):
        for at, curve in enumerate(model.curves):
            auc = "one outcome only" if curve.auc is None else f"AUC {curve.auc:.3f}"
            line = {"color": _COLOURS[at % len(_COLOURS)], "dash": _DASHES[at % len(_DASHES)], "width": 2}
            name = f"{escape_html(curve.group)}, {titles[column - 1].split(':')[0]} ({auc}, n = {curve.rows:,})"
            x, y = curve.false_positive_rates, curve.true_positive_rates
            figure.add_scatter(x=x, y=y, mode="lines", line=line, name=name, row=1, col=column)
        chance = {"mode": "lines", "line": {"color": GREY, "dash": "dot", "width": 1}, "showlegend": False}
        figure.add_scatter(x=[0, 1], y=[0, 1], hoverinfo="skip", row=1, col=column, **chance)
    figure.update_xaxes(title="false positive rate", range=[0, 1])
    figure.update_yaxes(range=[0, 1.02])
    figure.update_yaxes(title="true positive rate", col=1)
    figure.update_layout(height=520, legend={"y": -0.22, "yanchor": "top"})
    return place(figure, "before_after", "ROC curve of each group")


def _draw_side_by_side(comparison: MitigationRecord) -> Figure:
    """Draw performance on the left and fairness on the right, before and after, all with intervals."""
    by, models = comparison.by, comparison.shown
    titles = ["Performance", f"{name_kind(by.kind).capitalize()} between groups of {escape_html(by.column)}"]
    panels = {"rows": 1, "cols": 2, "subplot_titles": titles, "horizontal_spacing": 0.25}
    figure = start_figure(f"Performance and fairness{_when(models)}", **panels)
    wanted = (by.performance, "AUC")
    performance = [{one.name: one for one in model.performance if one.name in wanted} for model in models]
    _add_points(figure, models, performance, row=1, col=1)
    _add_points(figure, models, [_index_gaps(model, by) for model in models], row=1, col=2)
    equal = 1 if by.kind == "ratio" else 0
    figure.add_vline(x=equal, line={"color": GREY, "dash": "dash", "width": 1}, row=1, col=2)
    figure.update_layout(legend=_BELOW, margin={"b": 90})
    return place(figure, "before_after", "Performance beside fairness; bars are intervals")


def _index_gaps(model: ComparedModel, by: Comparator) -> dict[str, Estimate]:
    """Return the disparities on the decisive column, of the decisive kind, by metric."""
    found = model.assessment.disparities if model.assessment else ()
    gaps = [one for one in found if (one.column, one.kind) == (by.column, by.kind)]
    return {describe_metric(one.metric).title: one for one in gaps}


def _draw_shares(comparison: MitigationRecord, favourable: str) -> Figure:
    """Draw what share of each group is decided favourably before and after, beside what is on record and needed."""
    is_share = comparison.task == "classification"
    title = f"Proportion predicted {favourable} by group" if is_share else f"Mean predicted {favourable} by group"
    models = comparison.shown
    figure = start_figure(f"{escape_html(title)}{_when(models, ',')}")
    for at, (model, label) in enumerate(_label(models)):
        shares = [estimate_share(one) for one in model.outcomes]
        bars = _draw_bars(model.outcomes, [one.value for one in shares], label, at)
        figure.add_bar(**bars, error_y=draw_intervals(shares, GREY))
    outcomes = models[0].outcomes
    for name, symbol, numbers in (
        ("on record", "line-ew-open", [one.observed for one in outcomes]),
        ("in true need", "x-thin-open", [one.needed for one in outcomes if one.needed is not None]),
    ):
        if len(numbers) == len(outcomes):
            pairs = zip(outcomes, numbers, strict=True)
            heights = [number / one.rows if is_share else number for one, number in pairs]
            figure.add_trace(_draw_marks(outcomes, heights, name, symbol))
    figure.update_yaxes(rangemode="tozero", tickformat=_PERCENT if is_share else None)
    figure.update_layout(barmode="group", legend=_BELOW, title_font_size=_HALF_WIDTH)
    what = "What share" if is_share else "Mean prediction"
    return place(figure, "outcomes", f"{what} of each group; bars are intervals")


def _draw_numbers(comparison: MitigationRecord, favourable: str) -> Figure:
    """Draw how many rows of each group are decided favourably before and after; of a regression, an empty figure."""
    if comparison.task == "regression":
        return draw_nothing("No numbers: a regression decides on no row")
    models = comparison.shown
    figure = start_figure(f"Number predicted {escape_html(favourable)} by group{_when(models, ',')}")
    for at, (model, label) in enumerate(_label(models)):
        numbers = [int(one.predicted) for one in model.outcomes]
        bars = _draw_bars(model.outcomes, numbers, label, at)
        figure.add_bar(**bars, text=[f"{number:,}" for number in numbers], textposition="outside")
    outcomes = models[0].outcomes
    figure.add_trace(_draw_marks(outcomes, [one.observed for one in outcomes], "on record", "line-ew-open"))
    figure.update_yaxes(rangemode="tozero", title="rows of the test split")
    figure.update_layout(barmode="group", legend=_BELOW, title_font_size=_HALF_WIDTH)
    return place(figure, "outcomes", "How many of each group")


def _add_points(
    figure: Figure, models: Sequence[ComparedModel], found: Sequence[Mapping[str, Estimate]], **panel: int
) -> None:
    """Draw the figures of each model with their intervals, a line for each name; the first panel has the legend."""
    names = list(dict.fromkeys(name for figures in found for name in figures))
    legend = {"showlegend": panel == {"row": 1, "col": 1}} if panel else {}
    for at, ((_, label), figures) in enumerate(zip(_label(models), found, strict=True)):
        known = [(line, figures[name]) for line, name in enumerate(names) if name in figures]
        shown = [(line, one) for line, one in known if one.value is not None]
        figure.add_scatter(
            x=[one.value for _, one in shown],
            # Before a little above the line, after a little below it.
            y=[line + (0.13 if at else -0.13) for line, _ in shown],
            error_x=draw_intervals([one for _, one in shown], _COLOURS[at]),
            mode="markers",
            marker={"color": _COLOURS[at], "size": 10, "symbol": _SYMBOLS[at], "line": {"width": 2}},
            name=label,
            text=[f"{escape_html(names[line])}: {format_interval(one)}" for line, one in shown],
            hovertemplate="%{text}",
            **legend,
            **panel,
        )
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[escape_html(name) for name in names],
        range=[len(names) - 0.5, -0.5],
        automargin=True,
        zeroline=False,
        **panel,
    )


def _draw_bars(
    outcomes: Sequence[GroupOutcome], heights: Sequence[float | None], label: str, at: int
) -> dict[str, Any]:
    pattern = {"shape": "/" if at == 0 else "", "fgcolor": BLUE, "bgcolor": "rgba(0,0,0,0)"}
    line = {"color": _COLOURS[at], "width": 1}
    marker = {"color": _BAR_FILL if at else _COLOURS[at], "line": line, "pattern": pattern}
    return {"x": _names(outcomes), "y": list(heights), "marker": marker, "name": label}


def _draw_marks(outcomes: Sequence[GroupOutcome], heights: Sequence[float], name: str, symbol: str) -> dict[str, Any]:
    marker = {"symbol": symbol, "size": 26, "color": GREY, "line": {"width": 2.5, "color": GREY}}
    return {"x": _names(outcomes), "y": list(heights), "mode": "markers", "marker": marker, "name": name}


def _names(outcomes: Sequence[GroupOutcome]) -> list[str]:
    return [f"{escape_html(one.group)} (n = {one.rows:,})" for one in outcomes]


def _when(models: Sequence[ComparedModel], comma: str = "") -> str:
    """Return what a title adds where there is an after."""
    return f"{comma} before and after" if len(models) > 1 else ""


def _label(models: Sequence[ComparedModel]) -> list[tuple[ComparedModel, str]]:
    """Return each model with its name in legends: before and after, where there is an after."""
    when = ("before: ", "after: ") if len(models) > 1 else ("",)
    return [(model, f"{word}{escape_html(in_words(model.name))}") for model, word in zip(models, when, strict=True)]
