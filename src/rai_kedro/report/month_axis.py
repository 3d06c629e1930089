"""Series, limits and months on an axis of months, as all figures of monitoring draw them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rai_kedro.intervals import Estimate
from rai_kedro.months import say_period
from rai_kedro.report.figures import BLUE, GREY, draw_intervals
from rai_kedro.report.monitoring_view import Slot
from rai_kedro.words import escape_html, format_interval

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

GREEN = "#009E73"
# Of more months points and bars are drawn fine, so that each can be seen.
_DENSE = 18
_SHADE = "rgba(118,118,118,0.16)"


@dataclass(frozen=True)
class Look:
    """How one series is told from another without colour."""

    colour: str
    band: str
    symbol: str
    dash: str


FILLED = Look(BLUE, "rgba(0,114,178,0.20)", "circle", "solid")
OPEN = Look(GREEN, "rgba(0,158,115,0.14)", "diamond-open", "dot")


def add_series(figure: Figure, slots: Sequence[Slot], shown: Sequence[Estimate | None], name: str, look: Look) -> None:
    """Add straight lines from month to month and their band, both broken where a month or the version changes."""
    import plotly.graph_objects as go

    known = [(slot, one if one and one.value is not None else None) for slot, one in zip(slots, shown, strict=True)]
    if not any(one for _, one in known):
        return
    edge = {"color": look.colour, "width": 0 if look.dash == "solid" else 1, "dash": look.dash}
    x, y = _outline(known)
    group: dict[str, Any] = {"legendgroup": name}
    figure.add_trace(
        go.Scatter(
            x=x, y=y, mode="lines", fill="toself", fillcolor=look.band, line=edge, hoverinfo="skip", **group
        ).update(name=f"{name}: interval", showlegend=False)
    )
    dense = len(slots) > _DENSE
    points = [(slot.label, one) for slot, one in _break_lines(known)]
    estimates = [one or Estimate() for _, one in points]
    figure.add_trace(
        go.Scatter(
            x=[label for label, _ in points],
            y=[one.value for one in estimates],
            error_y=draw_intervals(estimates, look.colour, width=0 if dense else 3),
            mode="lines+markers",
            marker={
                "color": look.colour,
                "size": 5 if dense else 9,
                "symbol": look.symbol,
                "line": {"width": 1 if dense else 2, "color": look.colour},
            },
            line={"color": look.colour, "width": 2, "dash": look.dash},
            customdata=[_say(one) for one in estimates],
            hovertemplate="%{x}: %{customdata}<extra>%{fullData.name}</extra>",
            name=name,
            **group,
        )
    )


def _say(one: Estimate) -> str:
    return "" if one.value is None else format_interval(one) + (f"<br>n = {one.n:,}" if one.n else "")


def _break_lines(known: Sequence[tuple[Slot, Estimate | None]]) -> Iterator[tuple[Slot, Estimate | None]]:
    """Put nothing between the months of two versions, which no line may join."""
    for slot, one in known:
        if slot.starts_version:
            yield slot, None
        yield slot, one


def _outline(known: Sequence[tuple[Slot, Estimate | None]]) -> tuple[list[str | None], list[float | None]]:
    """Return the outline of the interval band, a piece of its own for each run of months that have one."""
    x: list[str | None] = []
    y: list[float | None] = []
    with_ends = [(slot, one if one and None not in (one.lower, one.upper) else None) for slot, one in known]
    for has_ends, run in groupby(_break_lines(with_ends), key=lambda part: part[1] is not None):
        if has_ends:
            part = [(slot.label, one) for slot, one in run if one]
            x += [*(label for label, _ in part), *(label for label, _ in reversed(part)), part[0][0], None]
            y += [*(one.upper for _, one in part), *(one.lower for _, one in reversed(part)), part[0][1].upper, None]
    return x, y


def add_lines(
    figure: Figure, slots: Sequence[Slot], values: Sequence[float | None], name: str, line: dict[str, Any]
) -> None:
    """Add a level line over each run of months for which the value stays the same."""
    runs = [
        (value, [at for at, _ in run]) for value, run in groupby(enumerate(values), key=lambda part: _round(part[1]))
    ]
    drawn = [(value, places) for value, places in runs if value is not None]
    for number, (value, places) in enumerate(drawn):
        figure.add_shape(
            type="line",
            x0=places[0] - 0.5,
            x1=places[-1] + 0.5,
            y0=value,
            y1=value,
            line=line,
            name=f"{name} {value:.3g}" if len(drawn) == 1 else name,
            legendgroup=name,
            showlegend=number == 0,
        )
    if drawn:
        # Shapes do not stretch the axis; an unseen point at each value does.
        import plotly.graph_objects as go

        x, y = [slots[places[0]].label for _, places in drawn], [value for value, _ in drawn]
        figure.add_trace(
            go.Scatter(x=x, y=y, mode="markers", marker={"opacity": 0}, showlegend=False).update(
                name=name, hovertemplate=f"{name}: %{{y:.3g}}<extra></extra>"
            )
        )


def _round(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def lay_out_months(figure: Figure, slots: Sequence[Slot]) -> Figure:
    """Give the axis its months, shade those of training, and mark where another version took over."""
    _mark_months(figure, slots)
    labels = [slot.label for slot in slots]
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=labels, range=[-0.5, len(labels) - 0.5])
    figure.update_xaxes(automargin=True, showgrid=False)
    legend = {"orientation": "h", "x": 0, "xref": "paper", "y": 0, "yref": "container", "yanchor": "bottom"}
    return figure.update_layout(legend=legend, margin={"t": 70, "b": 110}, height=400, hovermode="closest")


def _mark_months(figure: Figure, slots: Sequence[Slot]) -> None:
    runs = [
        (used, [at for at, _ in run])
        for used, run in groupby(enumerate(slots), key=lambda part: part[1].used_in_training)
    ]
    for number, places in enumerate(places for used, places in runs if used):
        figure.add_vrect(
            x0=places[0] - 0.5,
            x1=places[-1] + 0.5,
            fillcolor=_SHADE,
            line_width=0,
            layer="below",
            name=say_period("month used in training", slots[0].month),
            showlegend=number == 0,
        )
    for at, slot in enumerate(slots):
        if slot.starts_version and slot.record:
            text = f"version {escape_html(slot.record.model_version)}"
            figure.add_vline(x=at - 0.5, line={"color": GREY, "width": 1}, annotation_text=text)
    figure.update_annotations(font={"size": 11}, yanchor="bottom")
