"""Plotly figures of a model: residuals, predictions against labels, ROC curve.

Histograms are counted here rather than in the browser, and a scatter shows at most `MAX_POINTS` rows, so that
a figure stays small however many rows there are. Blue and orange-red are from the palette of Okabe and Ito
(2008), which readers with any colour vision tell apart; the two splits also differ by shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rai_kedro.words import escape_html

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from plotly.graph_objects import Figure

BLUE = "#0072B2"
ORANGE = "#D55E00"
GREY = "#767676"
MAX_POINTS = 2_000
_BINS = 40


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
    figure = start_figure(f"Prediction against label, {escape_html(split)} split ({len(truth):,} rows{part})")
    points = {"color": BLUE, "size": 6, "opacity": 0.6}
    x, y = _round(truth[shown]), _round(prediction[shown])
    figure.add_trace(go.Scatter(x=x, y=y, mode="markers", marker=points, name=f"{escape_html(split)} rows"))
    both = np.concatenate([truth, prediction])
    ends = _round(np.array([both.min(), both.max()]))
    line = {"color": GREY, "dash": "dash", "width": 1.5}
    figure.add_trace(go.Scatter(x=ends, y=ends, mode="lines", line=line, name="prediction = label", hoverinfo="skip"))
    figure.update_xaxes(title=name_with_unit("label", unit), constrain="domain")
    figure.update_yaxes(title=name_with_unit("prediction", unit), scaleanchor="x", constrain="domain")
    return place(figure, "performance", "Predictions")


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

    from rai_kedro.performance.classification import iterate_roc

    points = np.array(list(iterate_roc(np.asarray(y_true, dtype=np.float64), np.asarray(score, dtype=np.float64))))
    points = points[np.unique(np.linspace(0, len(points) - 1, min(len(points), MAX_POINTS)).astype(int))]
    figure = start_figure(f"ROC curve, {escape_html(split)} split ({np.size(y_true):,} rows)")
    curve = {"color": BLUE, "width": 2}
    figure.add_trace(go.Scatter(x=_round(points[:, 0]), y=_round(points[:, 1]), mode="lines", line=curve, name="model"))
    chance = {"color": GREY, "dash": "dash", "width": 1.5}
    figure.add_trace(go.Scatter(x=[0, 1], y=[0, 1], mode="lines", line=chance, name="chance"))
    figure.update_xaxes(title="false positive rate", range=[0, 1])
    figure.update_yaxes(title="true positive rate", range=[0, 1], scaleanchor="x")
    return place(figure, "performance", "ROC curve")


def start_figure(title: str) -> Figure:
    """Return an empty figure in the project's style.

    Args:
        title: Its title; what comes from data must be escaped by the caller.
    """
    import plotly.graph_objects as go

    return style(go.Figure(), title)


def draw_nothing(why: str) -> Figure:
    """Return a figure without data or axes that says why there is nothing to draw."""
    hidden = {"visible": False}
    return start_figure(why).update_layout(height=120, xaxis=hidden, yaxis=hidden)


def place(figure: Figure, section: str, caption: str) -> Figure:
    """Say in a figure where on a page it stands, and under which caption; both are kept in its file."""
    return figure.update_layout(meta={"section": section, "caption": caption})


def style(figure: Figure, title: str) -> Figure:
    """Give a figure the project's style and a title; what comes from data must be escaped by the caller."""
    return figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0, "xref": "paper", "font": {"size": 16}},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        margin={"l": 60, "r": 20, "t": 90, "b": 60},
        height=440,
    )


def name_with_unit(label: str, unit: str) -> str:
    """Return an axis title, the unit in parentheses where there is one and escaped."""
    return f"{label} ({escape_html(unit)})" if unit else label


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
        name=f"{escape_html(name)} ({len(values):,} rows)",
    )


def _round(values: NDArray[np.float64]) -> list[float]:
    """Keep six significant digits: more are not seen, and the figure is stored as text."""
    return [float(f"{value:.6g}") for value in values]
