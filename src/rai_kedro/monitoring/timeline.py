"""The months side by side: when did drift appear, in which columns, and what of it is still to be relied on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from rai_kedro.errors import RaiError
from rai_kedro.monitoring.results import CALM_COLOUR, DRIFT_COLOUR, STRENGTH_CAP, MonthDrift
from rai_kedro.months import Month
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

UNREADABLE = "unreadable"
"""Stands for the digest of labels that could not be read."""
_LARGEST_EXACT = 2**53


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
        "first_drift": next((record.month for record in ordered if record.verdict), None),
        "months": [_summarise(record, (digests or {}).get(record.month)) for record in ordered],
        "gaps": [gap.to_dict() for gap in sorted(gaps, key=lambda gap: gap.month)],
        "columns": list(dict.fromkeys(column for record in ordered for column in record.tested_columns)),
        "meaning": (
            "A verdict is a test decision, not an estimate: in a month without drift, any column is "
            "named with probability at most family_wise_rate. "
            "No drift found does not prove that there is none."
        ),
    }


def draw_timeline(timeline: dict[str, Any]) -> Figure:
    """Draw the share of drifted columns by month over a heat map of log10(threshold / p); refused without a month."""
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
        "family_wise_rate": record.family_wise_rate,
        "tests": record.tests,
        "threshold": max((entry.threshold for entry in record.columns), default=None),
        "used_in_training": record.used_in_training,
        "stale": find_staleness(record, digests),
        "labels": compare_labels(record, digests),
        "strength": record.strengths,
    }


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
    rates = ", ".join(dict.fromkeys(f"{entry['family_wise_rate']:.3g}" for entry in months))
    tests = sorted({entry["tests"] for entry in months})
    number = str(tests[0]) if len(tests) == 1 else f"{tests[0]} to {tests[-1]}"
    return (
        f"{'Drift from ' + first if first else 'No drift found'} "
        f"<span style='font-size:13px'>(model version {', '.join(versions)})</span><br>"
        f"<span style='font-size:12px'>Test decisions, not estimates. A month drifts if any column does: "
        f"p at or below {rates} / {number} tests.<br>"
        f"So a month without drift raises any alarm with probability at most {rates}.</span>"
    )


def _bars(timeline: dict[str, Any]) -> list[Any]:
    from plotly.graph_objects import Bar

    styles = {True: ("drift", DRIFT_COLOUR, "/"), False: ("no drift found", CALM_COLOUR, "")}
    months = list(zip(_labels(timeline), timeline["months"], strict=True))
    bars = []
    for verdict, (name, colour, pattern) in styles.items():
        chosen = [(label, entry) for label, entry in months if entry["verdict"] is verdict]
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
    strengths = [[entry["strength"].get(column) for entry in months] for column in columns]
    marks = [["drift" if column in entry["drifted_columns"] else "" for entry in months] for column in columns]
    return Heatmap(
        x=_labels(timeline),
        y=columns,
        z=strengths,
        text=marks,
        texttemplate="%{text}",
        hovertemplate="%{y}, %{x}: %{z:.1f} orders of magnitude past the threshold<extra></extra>",
        zmin=-STRENGTH_CAP,
        zmid=0,
        zmax=STRENGTH_CAP,
        colorscale=[[0.0, CALM_COLOUR], [0.5, "#F7F7F7"], [1.0, DRIFT_COLOUR]],
        xgap=2,
        ygap=2,
        colorbar={
            "title": {"text": "log10(threshold / p)<br>above 0: drift", "side": "right"},
            "len": 0.66,
            "y": 0.0,
            "yanchor": "bottom",
            "tickvals": [-10, -5, 0, 5, 10],
            "ticktext": ["-10", "-5", "0 = threshold", "5", "10 or more"],
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
