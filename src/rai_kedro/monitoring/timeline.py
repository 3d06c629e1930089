"""The months side by side: when did drift appear, in which columns, and what of it is still to be relied on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from rai_kedro.errors import RaiError
from rai_kedro.monitoring.results import CALM_COLOUR, DRIFT_COLOUR, UNSURE_COLOUR, ColumnDrift, MonthDrift
from rai_kedro.months import Month
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

UNREADABLE = "unreadable"
"""Stands for the digest of labels that could not be read."""
_LARGEST_EXACT = 2**53
_LARGEST_RATIO = 4.0


class Gap(Typed):
    """A month that is ``not scored`` or ``not tested``, and why; every monitoring tries it again."""

    month: Month
    missing: str
    reason: str


class MonthDigests(Typed):
    """What the stores hold of a month now, as digests; empty where they hold nothing.

    ``labels`` is ``unreadable`` where there are some that cannot be read; ``unreadable`` is why the features cannot be.
    """

    features: str = ""
    labels: str = ""
    unreadable: str = ""


def build_timeline(
    records: Sequence[MonthDrift], *, digests: Mapping[str, MonthDigests] | None = None, gaps: Sequence[Gap] = ()
) -> dict[str, Any]:
    """Order the months and say of each what drifted.

    Args:
        records: One result for each month and model version, in any order.
        digests: What features and labels of each month are today. A month that is not in it is not looked at; one
            whose features are others now, or gone, is marked as stale.
        gaps: Months that could not be scored or tested.

    Returns:
        JSON-able: ``first_drift`` (a month, or None), ``months`` (in order, see the code), ``gaps``, ``columns`` (all
        tested ones) and ``meaning`` (what a verdict says and does not say).

    Raises:
        RaiError: If a month occurs twice under one model version.
    """
    ordered = sorted(records, key=lambda record: (record.month, _version_order(record.model_version)))
    keys = [(record.month, record.model_version) for record in ordered]
    doubled = [f"{month} (version {version})" for month, version in keys if keys.count((month, version)) > 1]
    if doubled:
        raise RaiError(
            "A month occurs more than once in the drift results.",
            where="drift store",
            how_many=f"{len(doubled)} results",
            example=doubled[0],
            remedy="keep one result for each month and model version",
        )
    return {
        "first_drift": next((record.month for record in ordered if record.drifted_columns), None),
        "months": [_summarise(record, (digests or {}).get(record.month)) for record in ordered],
        "gaps": [gap.to_dict() for gap in sorted(gaps, key=lambda gap: gap.month)],
        "columns": list(dict.fromkeys(column for record in ordered for column in record.tested_columns)),
        "meaning": (
            "An effect is the share of rows that lie elsewhere than in the reference. It is drift where its interval "
            "lies above the margin, no relevant drift where it lies below, and insufficient evidence otherwise: then "
            "there are too few rows to tell. A month may err with the probability of its rate, which is its part of "
            "the budget for the whole life of the model version."
        ),
    }


def draw_timeline(timeline: dict[str, Any]) -> Figure:
    """Draw the share of drifted columns by month over a heat map of effects by margin; refused without a month."""
    from plotly.subplots import make_subplots

    if not timeline["months"] and not timeline["gaps"]:
        raise RaiError("There is no month to draw.", where="drift timeline", remedy="run the monitoring pipeline first")
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.32, 0.68])
    figure.add_traces(_bars(timeline), rows=1, cols=1)
    figure.add_trace(_heat_map(timeline), row=2, col=1)
    figure.update_yaxes(title_text="drifted columns", tickformat=".0%", range=[0, 1.12], row=1, col=1)
    figure.update_yaxes(autorange="reversed", type="category", row=2, col=1)
    figure.update_xaxes(type="category", categoryorder="array", categoryarray=_labels(timeline))
    figure.update_xaxes(title_text="month", row=2, col=1)
    figure.update_layout(
        title={"text": _title(timeline), "x": 0.0, "xref": "paper", "y": 0.97, "yref": "container", "yanchor": "top"},
        template="plotly_white",
        barmode="overlay",
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"},
        margin={"t": 130, "l": 90, "r": 30},
        height=330 + 26 * len(timeline["columns"]) + 90,
    )
    return figure


def _version_order(version: str) -> tuple[int, str]:
    return (int(version), "") if version.isdecimal() else (0, version)


def _summarise(record: MonthDrift, digests: MonthDigests | None) -> dict[str, Any]:
    return {
        "month": record.month,
        "model_version": record.model_version,
        "verdict": record.verdict,
        "count": record.count,
        "share": record.share,
        "tested": len(record.tested_columns),
        "drifted_columns": list(record.drifted_columns),
        "look": record.look,
        "rate": record.rate,
        "comparisons": record.comparisons,
        "margin": record.margin,
        "visible": record.visible.to_dict(),
        "used_in_training": record.used_in_training,
        "stale": find_staleness(record, digests),
        "labels": compare_labels(record, digests),
        "effects": {name: _show_effect(entry) for name, entry in record.by_column.items()},
    }


def _show_effect(entry: ColumnDrift) -> dict[str, Any]:
    shown = {"value": entry.value, "lower": entry.lower, "upper": entry.upper, "importance": entry.importance}
    rounded = {name: None if number is None else round(number, 4) for name, number in shown.items()}
    return {"aspect": entry.aspect, "verdict": entry.verdict, "margin": entry.margin, **rounded}


def _labels(timeline: dict[str, Any]) -> list[str]:
    """Label every month; with the model version too if the months are not all of one, and with what is special."""
    months = timeline["months"]
    several = len({entry["model_version"] for entry in months}) > 1
    return [
        "<br>".join(
            [
                entry["month"],
                *([f"v{entry['model_version']}"] if several else []),
                *(["training"] if entry["used_in_training"] else []),
                *(["stale"] if entry["stale"] else []),
            ]
        )
        for entry in months
    ]


def _title(timeline: dict[str, Any]) -> str:
    months = timeline["months"]
    if not months:
        return "No month tested"
    versions = list(dict.fromkeys(entry["model_version"] for entry in months))
    first = timeline["first_drift"]
    margins = ", ".join(dict.fromkeys(f"{entry['margin']:g}" for entry in months))
    return (
        f"{'Drift from ' + first if first else 'No drift found'} "
        f"<span style='font-size:13px'>(model version {', '.join(versions)})</span><br>"
        f"<span style='font-size:12px'>Drift: the interval of a column's effect lies above the margin of {margins} "
        f"(or the column's own).<br>{_say_visible(months[-1])}</span>"
    )


def _say_visible(month: dict[str, Any]) -> str:
    """Say what a month can show at all."""
    effect, shift, excluded = (month["visible"][name] for name in ("effect", "shift", "excluded"))
    if effect is None:
        return f"{month['month']} has too few rows, or no error budget, to find any drift."
    return (
        f"{month['month']} finds an effect of {effect:.2f} (a normal column shifted by {shift:.2f} of its standard "
        f"deviations) with 80 % probability,<br>and excludes effects from {excluded or 1.0:.2f} on."
    )


def _bars(timeline: dict[str, Any]) -> list[Any]:
    from plotly.graph_objects import Bar

    styles = {
        "drift": ("drift", DRIFT_COLOUR, "/"),
        "insufficient_evidence": ("insufficient evidence", UNSURE_COLOUR, "."),
        "no_relevant_drift": ("no relevant drift", CALM_COLOUR, ""),
    }
    months = list(zip(_labels(timeline), timeline["months"], strict=True))
    bars = []
    for verdict, (name, colour, pattern) in styles.items():
        chosen = [(label, entry) for label, entry in months if entry["verdict"] == verdict]
        bars.append(
            Bar(
                name=name,
                x=[label for label, _ in chosen],
                y=[entry["share"] for _, entry in chosen],
                text=[f"{entry['count']} of {entry['tested']}" for _, entry in chosen],
                customdata=[", ".join(entry["drifted_columns"]) or "none" for _, entry in chosen],
                hovertemplate="%{x}: %{text} columns<br>%{customdata}<extra></extra>",
                textposition="outside",
                marker={"color": colour, "pattern": {"shape": pattern}},
                showlegend=True,
            )
        )
    return bars


def _heat_map(timeline: dict[str, Any]) -> Any:
    from plotly.graph_objects import Heatmap

    months, columns = timeline["months"], timeline["columns"]
    effects = [[entry["effects"].get(column) for entry in months] for column in columns]
    ratios = [
        [None if one is None or one["value"] is None else one["value"] / one["margin"] for one in row]
        for row in effects
    ]
    marks = [["drift" if one and one["verdict"] == "drift" else "" for one in row] for row in effects]
    return Heatmap(
        x=_labels(timeline),
        y=columns,
        z=ratios,
        text=marks,
        texttemplate="%{text}",
        hovertemplate="%{y}, %{x}: effect %{z:.2f} times its margin<extra></extra>",
        zmin=0,
        zmid=1,
        zmax=_LARGEST_RATIO,
        colorscale=[[0.0, CALM_COLOUR], [0.5, "#F7F7F7"], [1.0, DRIFT_COLOUR]],
        xgap=2,
        ygap=2,
        colorbar={
            "title": {"text": "effect / margin", "side": "right"},
            "len": 0.66,
            "y": 0.0,
            "yanchor": "bottom",
            "tickvals": [0, 1, 2, 3, _LARGEST_RATIO],
            "ticktext": ["0", "1 = margin", "2", "3", f"{_LARGEST_RATIO:g} or more"],
        },
    )


def content_digest(frame: pd.DataFrame) -> str:
    """Digest the values of a table: the same for the same rows in any order, with the columns in any order.

    Numbers are taken as floats (so 1 is 1.0, however a file was read; whole numbers past 2**53 as text), dates as
    nanoseconds, everything else as text, and every missing value is alike. Each row is hashed to 64 bits, and the
    sorted hashes with SHA-256, of which 32 digits are kept: proof against accidents, not against somebody who wants two
    tables to look alike.
    """
    names = sorted(map(str, frame.columns))
    plain = pd.DataFrame({name: _canonical(frame[name]) for name in names}, index=frame.index)
    rows = pd.util.hash_pandas_object(plain, index=False).sort_values().to_numpy()
    return hashlib.sha256(repr(names).encode() + rows.tobytes()).hexdigest()[:32]


def find_staleness(drift: MonthDrift, digests: MonthDigests | None) -> str:
    """Say why a month's result no longer speaks of what the store holds; empty while it does."""
    if digests is None or digests.features == drift.features_digest:
        return ""
    if digests.unreadable:
        return f"it can no longer be read: {digests.unreadable}"
    return "its features changed after it was scored" if digests.features else "the feature store no longer has it"


def compare_labels(drift: MonthDrift, digests: MonthDigests | None) -> str:
    """Say what became of a month's labels since it was tested: news of its own, no staleness of the score."""
    if digests is None or digests.labels == drift.labels_digest:
        return "unchanged" if drift.labels_digest else "none yet"
    if digests.labels == UNREADABLE:
        return "can no longer be read"
    if not drift.labels_digest:
        return "arrived since"
    return "changed since" if digests.labels else "gone since"


def _canonical(values: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(values):
        return values.astype("datetime64[ns]").astype("int64")
    if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        whole = pd.api.types.is_integer_dtype(values) and bool((values.abs() > _LARGEST_EXACT).any())
        if not whole:
            return values.astype("float64")
    return values.astype("object").map(str, na_action="ignore").where(values.notna(), None).astype("object")
