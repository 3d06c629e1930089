"""Plotly figures of monitoring: performance and disparities over the months with their limits, drift, and carbon.

Months stand on an axis of names, so that none is left out and none is placed between two others. Realised and estimated
figures differ by marker and dash, drift is written into its cell: no figure needs its colours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from rai_kedro.fairness import describe_metric, name_kind
from rai_kedro.intervals import Estimate
from rai_kedro.monitoring import ColumnDrift, Measured, Timeline
from rai_kedro.months import say_period
from rai_kedro.report.figures import GREY, ORANGE, name_with_unit, place, start_figure
from rai_kedro.report.monitoring_view import (
    ColumnHistory,
    Slot,
    find_bounds,
    find_disparities,
    find_metrics,
    list_slots,
    pick,
    rank_columns,
)
from rai_kedro.report.month_axis import FILLED, OPEN, add_lines, add_series, lay_out_months
from rai_kedro.words import escape_html, format_interval, format_share

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SHOWN_COLUMNS = 30
"""So many columns are drawn and told of one by one; of more, the newest month only."""
_SHOWN_DISPARITIES = 24
_LARGEST_RATIO = 3.0
_MOST_WRITTEN = 12
# Intervals of estimates may take so many times the height of all else, above and below it.
_MOST_ROOM = 1.0
_NAME_LETTERS = 30
# Light enough to be written on.
SKY = "#56B4E9"
_HOW_TO_READ = (
    "Effect of each column beside its margin: blue is no effect, white one at the margin, orange one beyond it. "
    "✕ is drift, ? cannot be told. In brackets the column's share of what drives the predictions."
)
_LIMIT = {"color": ORANGE, "width": 2, "dash": "dash"}
_TESTED = {"color": GREY, "width": 2, "dash": "solid"}


def draw_monitoring(timeline: Timeline) -> dict[str, Figure]:
    """Draw what was measured over the months: a figure for each metric, each judged disparity, drift, and carbon.

    Returns:
        Figures by a name fit for a file; none for what nobody measured.
    """
    slots = list_slots(timeline)
    figures = {f"performance_{name}": _draw_metric(slots, name, timeline.unit) for name in find_metrics(slots)}
    for number, key in enumerate(find_disparities(slots)[:_SHOWN_DISPARITIES], start=1):
        figures[f"fairness_{number:02d}"] = _draw_disparity(slots, *key)
    if any(slot.comparisons for slot in slots):
        figures["drift"] = _draw_drift(slots)
    if any(slot.record and slot.record.carbon for slot in slots):
        figures |= _draw_carbon(slots)
    return figures


def _draw_metric(slots: Sequence[Slot], name: str, unit: str) -> Figure:
    """Draw a figure of performance as labels show it and as it was estimated, and what it is held against."""
    wanted: dict[str, Any] = {"subject": "performance", "name": name, "kind": "", "group": ""}
    realised, estimated = ([pick(slot, **wanted, basis=basis) for slot in slots] for basis in ("labels", "estimate"))
    figure = start_figure(escape_html(name))
    add_series(figure, slots, estimated, "estimated before labels", OPEN)
    add_series(figure, slots, realised, "on labels", FILLED)
    bounds = [find_bounds(slot, name) for slot in slots]
    add_lines(figure, slots, [one.tested for one in bounds], "on the test rows", _TESTED)
    add_lines(figure, slots, [one.limit for one in bounds], "limit", _LIMIT)
    add_lines(figure, slots, [one.floor for one in bounds], "floor", {**_LIMIT, "dash": "longdash"})
    unit = next((one.unit for one in (*realised, *estimated) if one and one.unit), "") or ""
    figure.update_yaxes(title=name_with_unit(escape_html(name), unit), automargin=True)
    caption = f"{name}; bands and bars are intervals"
    held = [value for one in bounds for value in (one.tested, one.limit, one.floor) if value is not None]
    if shown := _cut_estimates(realised, estimated, held):
        figure.update_yaxes(range=shown)
        caption += "; an estimate's that leave the figure are cut off, it says next to nothing there"
    return place(lay_out_months(figure, slots), "performance", caption)


def _cut_estimates(
    realised: Sequence[Measured | None], estimated: Sequence[Measured | None], held: Sequence[float]
) -> list[float] | None:
    """Return the ends of an axis on which all else can still be read, where intervals of estimates are far wider."""
    known, guessed = ([one for one in part if one and one.value is not None] for part in (realised, estimated))
    ends = [end for one in known for end in (one.lower, one.upper)]
    told = [value for value in (*ends, *(one.value for one in (*known, *guessed)), *held) if value is not None]
    wide = [end for one in guessed for end in (one.lower, one.upper) if end is not None]
    if not told or not wide:
        return None
    room = (max(told) - min(told) or abs(max(told))) * _MOST_ROOM
    low, high = min(told) - room, max(told) + room
    return [max(low, min(*wide, *told)), min(high, max(*wide, *told))] if min(wide) < low or max(wide) > high else None


def _draw_disparity(slots: Sequence[Slot], name: str, kind: str, grouping: str) -> Figure:
    """Draw a disparity of each month, and of all rows since the approval, and its limit."""
    wanted: dict[str, Any] = {"subject": "fairness", "name": name, "kind": kind, "group": grouping}
    month, since = ([pick(slot, **wanted, scope=scope) for slot in slots] for scope in ("month", "since approval"))
    title = f"{describe_metric(name).title}<br>{name_kind(kind)} by {escape_html(grouping)}"
    figure = start_figure(title)
    add_series(figure, slots, since, say_period("all months since the approval", slots[0].month), OPEN)
    add_series(figure, slots, month, say_period("this month", slots[0].month), FILLED)
    pairs = zip(month, since, strict=True)
    limits = [next((one.limit for one in pair if one and one.limit is not None), None) for pair in pairs]
    add_lines(figure, slots, limits, "limit", _LIMIT)
    unit = next((one.unit for one in (*month, *since) if one and one.unit), "")
    figure.update_yaxes(title=name_with_unit(name_kind(kind), unit), automargin=True, rangemode="tozero")
    caption = f"{describe_metric(name).title}, {name_kind(kind)} by {grouping}; bands and bars are intervals"
    return place(lay_out_months(figure, slots), "fairness", caption)


def _draw_drift(slots: Sequence[Slot]) -> Figure:
    """Draw the effect beside its margin by column and month: 1 is the margin."""
    import plotly.graph_objects as go

    columns = rank_columns(slots)
    shown = columns[:SHOWN_COLUMNS]
    figure = start_figure(say_period("Drift by column and month", slots[0].month))
    figure.add_trace(
        go.Heatmap(
            x=[slot.label for slot in slots],
            y=list(range(len(shown))),
            z=_lay_out(shown, _ratio),
            text=_lay_out(shown, _write_effect if len(slots) <= _MOST_WRITTEN else _sign, nothing=""),
            customdata=_lay_out(shown, _describe),
            texttemplate="%{text}",
            hovertemplate="%{x}, %{customdata}<extra></extra>",
            hoverongaps=False,
            zmin=0,
            zmax=_LARGEST_RATIO,
            colorscale=[[0.0, SKY], [1 / _LARGEST_RATIO, "#F7F7F7"], [1.0, ORANGE]],
            xgap=2,
            ygap=2,
            showscale=False,
        )
    )
    lay_out_months(figure, slots)
    # Numbers, since two long names may be alike once they are shortened.
    names = [_name_column(column.name, column.importance) for column in shown]
    figure.update_yaxes(tickvals=list(range(len(shown))), ticktext=names, range=[len(shown) - 0.5, -0.5])
    figure.update_yaxes(automargin=True, showgrid=False, zeroline=False)
    figure.update_layout(height=150 + 26 * len(shown), margin={"t": 70, "b": 80})
    left_out = f" {len(columns) - len(shown)} more columns are not drawn." if len(columns) > len(shown) else ""
    return place(figure, "drift", f"{_HOW_TO_READ}{left_out}")


def _lay_out(
    columns: Sequence[ColumnHistory], read: Callable[[ColumnDrift], Any], nothing: str | None = None
) -> list[list[Any]]:
    return [[nothing if one is None else read(one) for one in column.worst] for column in columns]


def _ratio(one: ColumnDrift) -> float | None:
    return None if one.value is None else round(one.value / max(one.margin, 1e-9), 3)


def _sign(one: ColumnDrift) -> str:
    return {"drift": "✕", "insufficient_evidence": "?"}.get(one.verdict, "")


def _write_effect(one: ColumnDrift) -> str:
    return "" if one.value is None else f"{one.value:.2f} {_sign(one)}".strip()


def _describe(one: ColumnDrift) -> str:
    return f"{escape_html(one.label)}: {format_interval(one)}, margin {one.margin:g}<br>{one.verdict.replace('_', ' ')}"


def _name_column(name: str, importance: float | None) -> str:
    """Shorten a long name in its middle, where two names are most likely to be alike."""
    half = _NAME_LETTERS // 2
    short = name if len(name) <= _NAME_LETTERS else f"{name[:half]}…{name[-half:]}"
    return escape_html(short) + ("" if importance is None else f" ({format_share(importance)})")


def _draw_carbon(slots: Sequence[Slot]) -> dict[str, Figure]:
    """Draw what scoring emitted, for 1,000 predictions and in all; nothing for a month that was not measured."""
    spent = [slot.record.carbon if slot.record else None for slot in slots]
    each = start_figure("g CO₂e for 1,000 predictions")
    by_month = [Estimate(value=one.per_thousand_g) if one else None for one in spent]
    add_series(each, slots, by_month, say_period("each month", slots[0].month), FILLED)
    total = start_figure("g CO₂e of the version so far")
    add_series(total, slots, [Estimate(value=one.total_g) if one else None for one in spent], "so far", OPEN)
    captions = "Emissions of scoring; a month without a point was not scored, or not measured", "The same added up"
    captions = say_period(captions[0], slots[0].month), captions[1]
    for figure, caption in zip((each, total), captions, strict=True):
        figure.update_yaxes(title="g CO₂e", rangemode="tozero", automargin=True)
        place(lay_out_months(figure, slots), "carbon", caption)
    return {"carbon": each, "carbon_total": total}
