"""One figure of performance, and the figures of one set of predictions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from rai_kedro.intervals import Estimate
from rai_kedro.typed import Typed
from rai_kedro.words import format_interval, format_share, write_html_table

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure as GraphFigure

Task: TypeAlias = Literal["classification", "multiclass", "regression"]

NEED_SCORE = ("AUC", "Brier score")
"""Figures of a classification that its scores are needed for."""
_COLUMNS = ["name", "value", "lower", "upper", "level", "n", "unit", "how", "note"]


class Figure(Estimate):
    """One figure of performance; ``split`` are the rows it was measured on, ``unit`` is empty for a pure number."""

    name: str
    split: str = ""
    unit: str = ""


class Performance(Typed):
    """The figures of one set of predictions, in the order they were measured."""

    task: Task
    figures: tuple[Figure, ...]

    def __getitem__(self, name: str) -> Figure:
        """Return the figure of this name."""
        by_name = {one.name: one for one in self.figures}
        if name not in by_name:
            raise KeyError(f"there is no figure {name!r}; there are: {', '.join(by_name)}")
        return by_name[name]

    def __repr__(self) -> str:
        first = ", ".join(f"{one.name} {format_interval(one)}" for one in self.figures[:2])
        rows = max((one.n or 0 for one in self.figures), default=0)
        return f"Performance({self.task}, {rows:,} rows: {first}, ...)"

    __str__ = __repr__

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each figure."""
        import pandas as pd

        return pd.DataFrame([one.to_dict() for one in self.figures])[_COLUMNS]

    def to_card(self, path: str | Path, **parts: Any) -> Path:
        """Write the figures as one HTML page that says what it does not cover.

        ``fairness``, ``limits``, ``title`` and ``about`` are its further parts (:func:`rai_kedro.report.write_card`).
        """
        from rai_kedro.report import write_card

        return write_card(path, performance=self, **parts)

    def plot(self) -> GraphFigure:
        """Draw each figure with its interval; figures in different units have scales of their own."""
        from plotly.graph_objects import Scatter
        from plotly.subplots import make_subplots

        shown = [one for one in self.figures if one.value is not None]
        drawn = make_subplots(rows=max(len(shown), 1), cols=1, vertical_spacing=0.3 / max(len(shown), 1))
        for row, one in enumerate(shown, start=1):
            hover = f"{one.name} {format_interval(one)}"
            point = Scatter(
                x=[one.value], y=[one.name], error_x=one.error_bars, mode="markers", name=one.name, hovertext=[hover]
            )
            drawn.add_trace(point, row=row, col=1)
        return drawn.update_layout(template="plotly_white", showlegend=False, height=70 * len(shown) + 80)

    def _repr_html_(self) -> str:
        rows = [(one.name, format_interval(one), one.n, one.note) for one in self.figures]
        level = next((one.level for one in self.figures if one.level), None)
        told = f"{self.task}; level of the intervals {format_share(level)}"
        return write_html_table(["figure", "value [interval]", "rows", "note"], rows, [told])
