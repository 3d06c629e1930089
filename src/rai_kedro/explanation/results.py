"""What an explanation of a model holds, and its figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rai_kedro.errors import RaiError
from rai_kedro.intervals import Estimate
from rai_kedro.typed import Typed
from rai_kedro.words import escape_html, format_interval, format_share, write_html_table

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure


class ExplanationError(RaiError):
    """Rows that a model cannot be explained on, or a row that is not there."""


class Driver(Typed):
    """How much a model goes by one column.

    Attributes:
        moves: How far a prediction (a score, where there is one) moves on average when the column's value is exchanged
            for that of another row; in the unit of the prediction.
        costs: How much the mean error rises by that; near or below 0, the column helps in nothing.
        share: Of what moves predictions, over all columns together; 0 to 1.
    """

    column: str
    moves: Estimate
    costs: Estimate
    share: float


class GroupDriver(Typed):
    """How far predictions move by one column within each group, and how far the groups lie apart in that."""

    grouping: str
    column: str
    groups: dict[str, Estimate]
    gap: Estimate

    @property
    def differs(self) -> bool:
        """Whether the interval of the gap leaves out 0: the model goes by the column more in one group."""
        return self.gap.lower is not None and self.gap.lower > 0


class Response(Typed):
    """The mean prediction when all rows have one value of a column (partial dependence, Friedman 2001)."""

    column: str
    values: tuple[float | str, ...]
    predictions: tuple[Estimate, ...]


class Slice(Estimate):
    """Rows in which the model errs more than elsewhere.

    The figure is the mean error inside less that outside; its interval holds for all slices that were searched at once.

    Attributes:
        where: The slice, by column: ``{"age": "18 to 30", "sex": "f"}``.
        inside: Mean error of its rows.
        outside: Mean error of the others.
    """

    where: dict[str, str]
    inside: float
    outside: float

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.lower is not None and self.lower > 0

    @property
    def name(self) -> str:
        """The slice in words."""
        return " and ".join(f"{column} {value}" for column, value in self.where.items())


class Confusion(Typed):
    """How decisions and outcomes of a group go together, in rows; ``group`` is empty for all rows."""

    grouping: str = ""
    group: str = ""
    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int


class Explanation(Typed):
    """What a model goes by, on rows it was not fitted on.

    Attributes:
        error: The error that is meant: absolute error (regression) or squared error of the score (Brier).
        rows: Rows looked at, a sample of many.
        drivers: The columns, what moves predictions most first; of more than 60, those that go most with predictions.
        others: All further columns, exchanged together.
        by_group: The strongest columns within each group.
        responses: How the mean prediction goes with the strongest columns.
        slices: The slices that lie worst, of ``searched`` that had enough rows.
        confusions: Of a classifier, of all rows and of each group of at least 20.
    """

    error: Literal["absolute error", "squared error of the score"]
    unit: str = ""
    rows: int
    level: float
    drivers: tuple[Driver, ...] = ()
    others: Driver | None = None
    by_group: tuple[GroupDriver, ...] = ()
    responses: tuple[Response, ...] = ()
    slices: tuple[Slice, ...] = ()
    searched: int = 0
    confusions: tuple[Confusion, ...] = ()

    def __repr__(self) -> str:
        first = ", ".join(f"{one.column} {format_share(one.share)}" for one in self.drivers[:3])
        return f"Explanation({self.rows:,} rows: {first}{', ...' if len(self.drivers) > 3 else ''})"  # noqa: PLR2004

    __str__ = __repr__

    @property
    def _measured(self) -> tuple[Driver, ...]:
        return self.drivers if self.others is None else (*self.drivers, self.others)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each column: its share, and both figures with their intervals."""
        import pandas as pd

        ends = ("value", "lower", "upper")
        rows = [
            {"column": one.column, "share": one.share}
            | {f"{name}_{end}": getattr(getattr(one, name), end) for name in ("moves", "costs") for end in ends}
            for one in self._measured
        ]
        return pd.DataFrame(rows)

    def plot(self) -> Figure:
        """Draw how the mean prediction goes with each of the strongest columns, with intervals."""
        return draw_responses(self)

    def _repr_html_(self) -> str:
        rows = [
            (one.column, format_share(one.share), format_interval(one.moves), format_interval(one.costs))
            for one in self._measured
        ]
        heads = ["column", "share", "moves a prediction by", f"raises the {self.error} by"]
        return write_html_table(heads, rows, [f"{self.rows:,} rows; level of the intervals {format_share(self.level)}"])


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
