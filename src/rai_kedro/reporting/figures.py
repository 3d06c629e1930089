"""Plotly figures of a model: residuals, predictions against labels, and groups with their intervals.

Histograms are counted here rather than in the browser, and a scatter shows at most `MAX_POINTS` rows, so that
a figure stays small however many rows there are. Blue and orange-red are from the palette of Okabe and Ito
(2008), which readers with any colour vision tell apart; the two splits also differ by shape.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from rai_kedro.reporting.card_contents import GapEstimate, GroupValue
from rai_kedro.reporting.wording import format_interval

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from plotly.graph_objects import Figure

BLUE = "#0072B2"
ORANGE = "#D55E00"
GREY = "#767676"
MAX_POINTS = 2_000
_BINS = 40
_ROW_HEIGHT = 30


def draw_residuals(y_true: ArrayLike, y_pred: ArrayLike, splits: ArrayLike, *, unit: str = "") -> Figure:
    """Draw the distribution of label minus prediction, one outline or bar series per split.

    Args:
        y_true: Labels, shape (n,).
        y_pred: Predictions, shape (n,).
        splits: Name of the split of each row, shape (n,), e.g. ``"train"`` and ``"test"``.
        unit: Unit of the label, for the axis.

    Returns:
        A figure of shares of rows per bin, on one grid for all splits.
    """
    residuals = np.asarray(y_true, dtype=np.float64) - np.asarray(y_pred, dtype=np.float64)
    names = np.asarray(splits).astype(str)
    edges = np.histogram_bin_edges(residuals, bins=_BINS)
    figure = _start_figure("Residuals: label minus prediction")
    # The train split is a filled area behind, the other an outline in front: told apart without colour.
    for index, name in enumerate(sorted(set(names.tolist()), reverse=True)):
        chosen = residuals[names == name]
        figure.add_trace(_draw_histogram(chosen, edges, name, index == 0))
    figure.add_vline(x=0, line={"color": GREY, "dash": "dash", "width": 1})
    figure.update_xaxes(title=_with_unit("label minus prediction", unit))
    figure.update_yaxes(title="share of the split's rows", tickformat=".0%", rangemode="tozero")
    return figure


def draw_predictions(y_true: ArrayLike, y_pred: ArrayLike, *, unit: str = "", split: str = "test") -> Figure:
    """Draw predictions against labels with the line on which both are equal.

    Args:
        y_true: Labels, shape (n,).
        y_pred: Predictions, shape (n,).
        unit: Unit of the label, for both axes.
        split: Rows shown, for the title.

    Returns:
        A scatter with equal scales, of at most `MAX_POINTS` rows, evenly taken when more (the title says so).
    """
    import plotly.graph_objects as go

    truth, prediction = np.asarray(y_true, dtype=np.float64), np.asarray(y_pred, dtype=np.float64)
    shown = np.unique(np.linspace(0, len(truth) - 1, min(len(truth), MAX_POINTS)).astype(int))
    part = "" if len(shown) == len(truth) else f", {len(shown):,} shown"
    figure = _start_figure(f"Prediction against label, {escape(split)} split ({len(truth):,} rows{part})")
    points = {"color": BLUE, "size": 6, "opacity": 0.6}
    x, y = _round(truth[shown]), _round(prediction[shown])
    figure.add_trace(go.Scatter(x=x, y=y, mode="markers", marker=points, name=f"{escape(split)} rows"))
    both = np.concatenate([truth, prediction])
    ends = _round(np.array([both.min(), both.max()]))
    line = {"color": GREY, "dash": "dash", "width": 1.5}
    figure.add_trace(go.Scatter(x=ends, y=ends, mode="lines", line=line, name="prediction = label", hoverinfo="skip"))
    figure.update_xaxes(title=_with_unit("label", unit), constrain="domain")
    figure.update_yaxes(title=_with_unit("prediction", unit), scaleanchor="x", constrain="domain")
    return figure


def draw_roc(y_true: ArrayLike, score: ArrayLike, *, split: str = "test") -> Figure:
    """Draw the ROC curve of a classifier with the line of chance.

    Args:
        y_true: Labels, 0 or 1, shape (n,).
        score: P(label is 1), shape (n,).
        split: Rows shown, for the title.

    Returns:
        A square line chart of at most `MAX_POINTS` points.
    """
    import plotly.graph_objects as go

    from rai_kedro.reporting.classification import iterate_roc

    points = np.array(list(iterate_roc(np.asarray(y_true, dtype=np.float64), np.asarray(score, dtype=np.float64))))
    points = points[np.unique(np.linspace(0, len(points) - 1, min(len(points), MAX_POINTS)).astype(int))]
    figure = _start_figure(f"ROC curve, {escape(split)} split ({np.size(y_true):,} rows)")
    curve = {"color": BLUE, "width": 2}
    figure.add_trace(go.Scatter(x=_round(points[:, 0]), y=_round(points[:, 1]), mode="lines", line=curve, name="model"))
    chance = {"color": GREY, "dash": "dash", "width": 1.5}
    figure.add_trace(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=chance, name="chance"))
    figure.update_xaxes(title="false positive rate", range=[0, 1])
    figure.update_yaxes(title="true positive rate", range=[0, 1], scaleanchor="x")
    return figure


def draw_group_gaps(gaps: Sequence[GapEstimate]) -> Figure:
    """Draw the figure of every group with its interval, one panel per metric, one line per group.

    Args:
        gaps: Gaps of one or more metrics over audited columns.

    Returns:
        A figure as high as its number of groups asks for; without gaps an empty one that says so.
    """
    from plotly.subplots import make_subplots

    place = {"section": "fairness"}
    if not gaps:
        return _start_figure("No column is audited").update_layout(height=120, meta=place)
    metrics = list(dict.fromkeys(gap.metric for gap in gaps))
    lines = [sum(len(gap.groups) for gap in gaps if gap.metric == metric) for metric in metrics]
    height = _ROW_HEIGHT * sum(lines) + 110 * len(metrics) + 40
    figure = make_subplots(
        rows=len(metrics),
        cols=1,
        row_heights=[float(n) for n in lines],
        subplot_titles=[escape(metric) for metric in metrics],
        vertical_spacing=110 / height if len(metrics) > 1 else 0,
    )
    for row, metric in enumerate(metrics, start=1):
        chosen = [gap for gap in gaps if gap.metric == metric]
        for gap in chosen:
            figure.add_trace(_draw_groups(gap), row=row, col=1)
        axis = chosen[0].measured or metric
        figure.update_xaxes(title=_with_unit(escape(axis), chosen[0].gap.unit), rangemode="tozero", row=row, col=1)
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_annotations(x=0, xanchor="left", font_size=14)
    return _style(figure, "Groups of the audited columns").update_layout(height=height, showlegend=False, meta=place)


def _draw_histogram(values: NDArray[np.float64], edges: NDArray[np.float64], name: str, is_filled: bool) -> Any:
    import plotly.graph_objects as go

    shares = np.histogram(values, bins=edges)[0] / max(1, len(values))
    return go.Scatter(
        x=_round(np.concatenate([edges, edges[-1:]])),
        y=_round(np.concatenate([[0.0], shares, [0.0]])),
        mode="lines",
        # Each count stands left of the edge that ends its bin.
        line={"shape": "vh", "color": BLUE if is_filled else ORANGE, "width": 0 if is_filled else 2.5},
        fill="tozeroy" if is_filled else None,
        fillcolor="rgba(0,114,178,0.45)",
        name=f"{escape(name)} ({len(values):,} rows)",
    )


def _draw_groups(gap: GapEstimate) -> Any:
    import plotly.graph_objects as go

    known = [group for group in gap.groups if group.value is not None]
    return go.Scatter(
        x=[group.value for group in known],
        y=[f"{escape(gap.column)}: {escape(group.group)} (n = {group.rows:,})" for group in known],
        error_x=_draw_intervals(known),
        mode="markers",
        marker={"color": BLUE, "size": 10},
        text=[format_interval(group) for group in known],
        hovertemplate="%{y}<br>%{text}<extra></extra>",
    )


def _draw_intervals(groups: Sequence[GroupValue]) -> dict[str, Any]:
    above = [g.upper - g.value if g.upper is not None and g.value is not None else 0.0 for g in groups]
    below = [g.value - g.lower if g.lower is not None and g.value is not None else 0.0 for g in groups]
    return {"type": "data", "array": above, "arrayminus": below, "color": BLUE, "thickness": 1.5, "width": 5}


def _start_figure(title: str) -> Figure:
    import plotly.graph_objects as go

    return _style(go.Figure(), title)


def _style(figure: Figure, title: str) -> Figure:
    return figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0, "xref": "paper", "font": {"size": 16}},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 60, "r": 20, "t": 90, "b": 60},
        height=440,
    )


def _with_unit(label: str, unit: str) -> str:
    return f"{label} ({escape(unit)})" if unit else label


def _round(values: NDArray[np.float64]) -> list[float]:
    """Keep six significant digits: more are not seen, and the figure is stored as text."""
    return [float(f"{value:.6g}") for value in values]
