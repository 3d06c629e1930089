"""Plotly figures of a model: residuals, predictions against labels, ROC curve, and the figures of every group.

Histograms are counted here rather than in the browser, and a scatter shows at most `MAX_POINTS` rows, so that
a figure stays small however many rows there are. Blue and orange-red are from the palette of Okabe and Ito
(2008), which readers with any colour vision tell apart; the two splits also differ by shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rai_kedro.explanation import Explanation
from rai_kedro.fairness import Assessment
from rai_kedro.intervals import Estimate, mean_intervals, proportion_intervals
from rai_kedro.proxies import ProxyReport
from rai_kedro.words import escape_html, format_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from plotly.graph_objects import Figure

BLUE = "#0072B2"
ORANGE = "#D55E00"
GREY = "#767676"
MAX_POINTS = 2_000
COLOURS = (BLUE, ORANGE, "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
# Each colour with a shape of its own.
_SHAPES = ("circle", "square", "diamond", "cross", "x", "triangle-up")
_CALIBRATED_PARTS, _LEAST_CALIBRATED = 5, 100
_DASHED = {"color": GREY, "dash": "dash", "width": 1.5}
_BINS = 40
_LINE_HEIGHT, _FRAME_HEIGHT = 34, 170
# The plot's axis titles wrap at this many letters.
_TITLE_LETTERS = 22


def draw_residuals(y_true: ArrayLike, y_pred: ArrayLike, splits: ArrayLike, *, unit: str = "") -> Figure:
    """Draw the distribution of label minus prediction: shares of rows per bin, on one grid for all splits.

    Args:
        y_true: Labels, shape (n,).
        y_pred: Predictions, shape (n,).
        splits: Name of the split of each row, shape (n,), e.g. ``"train"`` and ``"test"``.
        unit: Unit of the label, for the axis.
    """
    residuals = np.asarray(y_true, dtype=np.float64) - np.asarray(y_pred, dtype=np.float64)
    names = np.asarray(splits).astype(str)
    edges = np.histogram_bin_edges(residuals, bins=_BINS)
    figure = start_figure("Residuals: label minus prediction")
    # The train split is a filled area behind, the other an outline in front: told apart without colour.
    for index, name in enumerate(sorted(set(names.tolist()), reverse=True)):
        chosen = residuals[names == name]
        figure.add_trace(_draw_histogram(chosen, edges, name, index == 0))
    figure.add_vline(x=0, line={"color": GREY, "dash": "dash", "width": 1})
    figure.update_xaxes(title=name_with_unit("label minus prediction", unit))
    figure.update_yaxes(title="share of the split's rows", tickformat=".0%", rangemode="tozero")
    return place(figure, "performance", "Residuals")


def draw_predictions(y_true: ArrayLike, y_pred: ArrayLike, *, unit: str = "", split: str = "test") -> Figure:
    """Draw predictions against labels with the line on which both are equal, on equal scales.

    At most `MAX_POINTS` rows are shown, evenly taken when there are more (the title says so).

    ``unit`` is that of the label, and ``split`` says which rows these are, for the title.
    """
    truth, prediction = np.asarray(y_true, dtype=np.float64), np.asarray(y_pred, dtype=np.float64)
    shown = _take(len(truth))
    part = "" if len(shown) == len(truth) else f", {len(shown):,} shown"
    figure = start_figure(f"Prediction against label, {escape_html(split)} split ({len(truth):,} rows{part})")
    points = {"color": BLUE, "size": 6, "opacity": 0.6}
    x, y = _round(truth[shown]), _round(prediction[shown])
    figure.add_scatter(x=x, y=y, mode="markers", marker=points, name=f"{escape_html(split)} rows")
    both = np.concatenate([truth, prediction])
    ends = _round(np.array([both.min(), both.max()]))
    figure.add_scatter(x=ends, y=ends, mode="lines", line=_DASHED, name="prediction = label", hoverinfo="skip")
    figure.update_xaxes(title=name_with_unit("label", unit), constrain="domain")
    figure.update_yaxes(title=name_with_unit("prediction", unit), scaleanchor="x", constrain="domain")
    return place(figure, "performance", "Predictions")


def draw_roc(y_true: ArrayLike, score: ArrayLike, *, split: str = "test") -> Figure:
    """Draw the ROC curve of a classifier, of at most `MAX_POINTS` points, with the line of chance.

    Labels are 0 or 1, ``score`` is P(label is 1).
    """
    from rai_kedro.performance import iterate_roc

    points = np.array(list(iterate_roc(np.asarray(y_true, dtype=np.float64), np.asarray(score, dtype=np.float64))))
    points = points[_take(len(points))]
    figure = start_figure(f"ROC curve, {escape_html(split)} split ({np.size(y_true):,} rows)")
    curve = {"color": BLUE, "width": 2}
    figure.add_scatter(x=_round(points[:, 0]), y=_round(points[:, 1]), mode="lines", line=curve, name="model")
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=_DASHED, name="chance")
    figure.update_xaxes(title="false positive rate", range=[0, 1])
    figure.update_yaxes(title="true positive rate", range=[0, 1], scaleanchor="x")
    return place(figure, "performance", "ROC curve")


def draw_calibration(y_true: ArrayLike, score: ArrayLike, groups: pd.DataFrame) -> Figure:
    """Draw the observed share of label 1 against the mean score, in five parts of equal rows, by group.

    Args:
        y_true: Labels, 0 or 1, shape (n,).
        score: P(label is 1), shape (n,).
        groups: The name of each row's group, shape (n,), by grouping: a panel each. Of the six largest groups those of
            at least 100 rows are drawn.
    """
    truth, scored = np.asarray(y_true, dtype=np.float64), np.asarray(score, dtype=np.float64)
    named = {"all rows": np.array(["all rows"] * len(truth))}
    named |= {str(name): pd.Series(of).astype("object").to_numpy() for name, of in groups.items()}
    down = -(-len(named) // 2)
    panels = {"rows": down, "cols": min(2, len(named)), "vertical_spacing": 0.3 / down, "shared_yaxes": True}
    figure = start_figure("Calibration, test split", subplot_titles=[escape_html(name) for name in named], **panels)
    for index, of in enumerate(named.values()):
        where = {"row": index // 2 + 1, "col": index % 2 + 1}
        counts = pd.Series(of).value_counts().head(len(_SHAPES))
        for colour, shape, (name, rows) in zip(COLOURS, _SHAPES, counts.items(), strict=False):
            if rows >= _LEAST_CALIBRATED:
                drawn = _draw_calibrated(truth[of == name], scored[of == name], str(name), colour, shape)
                figure.add_trace(drawn, **where)
        diagonal = {"x": [0, 1], "y": [0, 1], "mode": "lines", "line": _DASHED, "hoverinfo": "skip"}
        figure.add_trace(diagonal, **where)
    figure.update_xaxes(range=[0, 1]).update_xaxes(title="mean score", row=down)
    figure.update_yaxes(range=[0, 1]).update_yaxes(title="observed share", col=1)
    figure.update_layout(showlegend=False, height=260 * down + 90).update_annotations(font_size=13)
    return place(
        figure, "explanation", "Calibration: on the dashed line scores are as high as the shares they stand for"
    )


def _draw_calibrated(
    truth: NDArray[np.float64], score: NDArray[np.float64], name: str, colour: str, shape: str
) -> dict[str, Any]:
    parts = np.array_split(np.argsort(score, kind="stable"), _CALIBRATED_PARTS)
    events, rows = [int(truth[part].sum()) for part in parts], [len(part) for part in parts]
    shares = [
        one.model_copy(update={"value": event / count})
        for one, event, count in zip(proportion_intervals(events, rows, 0.95), events, rows, strict=True)
    ]
    return {
        "x": _round(np.array([score[part].mean() for part in parts])),
        "y": [one.value for one in shares],
        "error_y": draw_intervals(shares, colour, width=3),
        "mode": "lines+markers+text",
        "text": [""] * (_CALIBRATED_PARTS - 1) + [escape_html(name)],
        "textposition": "top left",
        "textfont": {"size": 10, "color": colour},
        "cliponaxis": False,
        "marker": {"color": colour, "symbol": shape, "size": 8},
        "line": {"width": 1, "color": colour},
        "name": f"{escape_html(name)} ({len(truth):,} rows)",
    }


def draw_thresholds(y_true: ArrayLike, score: ArrayLike) -> Figure:
    """Draw how selection rate, sensitivity, false positive rate and precision go with the threshold on the score.

    Labels are 0 or 1, ``score`` is P(label is 1). Bands are intervals of level 95 %, each threshold by itself.
    """
    truth, scored = np.asarray(y_true, dtype=np.float64), np.asarray(score, dtype=np.float64)
    thresholds = np.linspace(0.05, 0.95, 19)
    chosen = scored >= thresholds[:, None]
    hits, selected = (chosen * truth).sum(axis=1), chosen.sum(axis=1)
    every = np.ones(len(thresholds))
    rates = {
        "selected": (selected, every * len(truth)),
        "sensitivity": (hits, every * truth.sum()),
        "false positive rate": (selected - hits, every * (1 - truth).sum()),
        "precision": (hits, selected),
    }
    figure = start_figure(f"Other thresholds, test split ({len(truth):,} rows)")
    for colour, (name, (events, rows)) in zip(COLOURS, rates.items(), strict=False):
        known = np.asarray(rows) > 0
        limits = proportion_intervals(events[known], np.asarray(rows)[known], 0.95)
        x = _round(thresholds[known])
        band = [one.upper for one in limits] + [one.lower for one in limits][::-1]
        area = {"fill": "toself", "fillcolor": colour, "opacity": 0.15, "line": {"width": 0}, "mode": "lines"}
        figure.add_scatter(x=x + x[::-1], y=band, hoverinfo="skip", showlegend=False, **area)
        y = _round(np.asarray(events)[known] / np.asarray(rows)[known])
        figure.add_scatter(x=x, y=y, mode="lines", line={"color": colour, "width": 2}, name=name)
    figure.update_xaxes(title="score at or above which a row is selected", range=[0, 1])
    figure.update_yaxes(title="share", range=[0, 1])
    return place(figure, "explanation", "What other thresholds on the score would do; bands are intervals")


def draw_error_levels(y_true: ArrayLike, y_pred: ArrayLike, *, unit: str = "") -> Figure:
    """Draw the mean absolute error in ten parts of equal rows, from the lowest prediction to the highest."""
    truth, prediction = np.asarray(y_true, dtype=np.float64), np.asarray(y_pred, dtype=np.float64)
    parts = [part for part in np.array_split(np.argsort(prediction, kind="stable"), 10) if len(part) > 1]
    errors = [np.abs(truth[part] - prediction[part]) for part in parts]
    means = [float(one.mean()) for one in errors]
    limits = mean_intervals([len(one) for one in errors], means, [one.var(ddof=1) for one in errors], 0.95)
    shown = [one.model_copy(update={"value": mean}) for one, mean in zip(limits, means, strict=True)]
    figure = start_figure(f"Error by predicted level, test split ({len(truth):,} rows)")
    x = _round(np.array([prediction[part].mean() for part in parts]))
    figure.add_scatter(
        x=x, y=means, error_y=draw_intervals(shown, BLUE), mode="markers", marker={"color": BLUE, "size": 9}
    )
    figure.update_xaxes(title=name_with_unit("prediction", unit))
    figure.update_yaxes(title=name_with_unit("mean absolute error", unit), rangemode="tozero")
    return place(figure, "explanation", "Error by predicted level; bars are intervals")


def draw_responses(found: Explanation) -> Figure:
    """Draw how the mean prediction goes with each of the strongest columns; without one an empty figure says so."""
    if not found.responses:
        return draw_nothing("No column moves the predictions")
    figure = found.plot()
    height = figure.layout.height
    style(figure, "Mean prediction with a column's value set for all rows").update_layout(height=height + 60)
    return place(figure, "explanation", "How predictions go with the strongest columns; bands and bars are intervals")


def draw_groups(assessment: Assessment, *, unit: str = "") -> Figure:
    """Draw the figures of each group of each grouping, with intervals: a panel per rate, a line per group.

    A figure that is not defined leaves its place empty; without groupings an empty figure says so. ``unit`` is that of
    the label, for the errors of a regression; empty for the rates of a classifier.
    """
    rates = list(dict.fromkeys(figure.rate for table in assessment.tables for figure in table.figures))
    if not rates:
        return start_figure("No grouping is assessed").update_layout(height=120)
    lines = list(
        dict.fromkeys(_name_line(table.column, one.group) for table in assessment.tables for one in table.figures)
    )
    panels = {"rows": 1, "cols": len(rates), "shared_yaxes": True, "horizontal_spacing": 0.03}
    figure = start_figure("Groups, with the rows behind each figure", **panels)
    for column, rate in enumerate(rates, start=1):
        figure.add_trace(_draw_rate(assessment, rate), row=1, col=column)
        title = name_with_unit(escape_html(rate), unit)
        title = "<br>".join(wrap(title, _TITLE_LETTERS, break_long_words=False, break_on_hyphens=False))
        figure.update_xaxes(title=title, rangemode="tozero", nticks=5, row=1, col=column)
    figure.update_yaxes(categoryorder="array", categoryarray=lines, range=[len(lines) - 0.4, -0.7], automargin=True)
    height = _LINE_HEIGHT * len(lines) + _FRAME_HEIGHT
    figure.update_layout(height=height, showlegend=False, margin={"t": 60, "b": 80})
    return place(figure, "fairness", "Each group's figures; bars are intervals, n the rows behind a figure")


def draw_proxies(report: ProxyReport) -> Figure:
    """Draw how well each flagged column is predicted, against limit and chance; without one an empty figure says so."""
    if not any(one.value is not None for one in report.proxies):
        return draw_nothing("No flagged column was measured")
    figure = report.plot()
    height = figure.layout.height
    style(figure, "How well the model's columns predict what it must not know").update_layout(height=height + 40)
    return place(figure, "proxies", "Flagged columns; bars are intervals, a tick is the limit, the dashed line chance")


def _draw_rate(assessment: Assessment, rate: str) -> dict[str, Any]:
    shown = [(table.column, one) for table in assessment.tables for one in table.figures if one.rate == rate]
    figures = [one for _, one in shown]
    return {
        "x": [one.value for one in figures],
        "y": [_name_line(column, one.group) for column, one in shown],
        "error_x": draw_intervals(figures, BLUE, width=4),
        "mode": "markers+text",
        "marker": {"color": BLUE, "size": 9},
        "text": [f"n = {one.n:,}" for one in figures],
        "textposition": "top center",
        "textfont": {"size": 10},
        "cliponaxis": False,
        "customdata": [format_interval(one) for one in figures],
        "hovertemplate": "%{y}<br>%{customdata}<br>%{text}<extra></extra>",
        "name": escape_html(rate),
    }


def _name_line(column: str, group: str) -> str:
    return f"{escape_html(column)}: {escape_html(group)}"


def start_figure(title: str, **panels: Any) -> Figure:
    """Return an empty figure, or one of panels (keywords of plotly's ``make_subplots``), in the project's style."""
    from plotly import graph_objects, subplots

    return style(subplots.make_subplots(**panels) if panels else graph_objects.Figure(), title)


def draw_nothing(why: str) -> Figure:
    """Return a figure without data or axes that says why there is nothing to draw."""
    hidden = {"visible": False}
    return start_figure(why).update_layout(height=120, xaxis=hidden, yaxis=hidden)


def draw_intervals(figures: Sequence[Estimate], colour: str, width: int = 5) -> dict[str, Any]:
    """Return error bars from each figure to the ends of its interval; none to an end that is not known."""
    above = [0.0 if one.upper is None or one.value is None else one.upper - one.value for one in figures]
    below = [0.0 if one.lower is None or one.value is None else one.value - one.lower for one in figures]
    return {"type": "data", "array": above, "arrayminus": below, "color": colour, "thickness": 1.5, "width": width}


def place(figure: Figure, section: str, caption: str) -> Figure:
    """Say in a figure where on a page it stands, and under which caption; both are kept in its file."""
    return figure.update_layout(meta={"section": section, "caption": caption})


def style(figure: Figure, title: str) -> Figure:
    """Give a figure the project's style and a title; what comes from data must be escaped by the caller."""
    # So that a legend of two lines fits below the title on a narrow page.
    top = {"y": 1, "yanchor": "top", "pad": {"t": 14}}
    return figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0, "xref": "paper", "font": {"size": 16}} | top,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 60, "r": 20, "t": 90, "b": 60},
        height=440,
    )


def name_with_unit(label: str, unit: str) -> str:
    """Return an axis title, the unit in parentheses where there is one and escaped."""
    return f"{label} ({escape_html(unit)})" if unit else label


def _draw_histogram(
    values: NDArray[np.float64], edges: NDArray[np.float64], name: str, is_filled: bool
) -> dict[str, Any]:
    shares = np.histogram(values, bins=edges)[0] / max(1, len(values))
    return {
        "x": _round(np.concatenate([edges, edges[-1:]])),
        "y": _round(np.concatenate([[0.0], shares, [0.0]])),
        "mode": "lines",
        # Each count stands left of the edge that ends its bin.
        "line": {"shape": "vh", "color": BLUE if is_filled else ORANGE, "width": 0 if is_filled else 2.5},
        "fill": "tozeroy" if is_filled else None,
        "fillcolor": "rgba(0,114,178,0.45)",
        "name": f"{escape_html(name)} ({len(values):,} rows)",
    }


def _take(rows: int) -> NDArray[np.int64]:
    """Return the positions of at most `MAX_POINTS` rows, evenly taken."""
    return np.unique(np.linspace(0, rows - 1, min(rows, MAX_POINTS)).astype(np.int64))


def _round(values: NDArray[np.float64]) -> list[float]:
    """Keep six significant digits: more are not seen, and the figure is stored as text."""
    return [float(f"{value:.6g}") for value in values]
