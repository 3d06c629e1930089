"""An assessment and its verdicts as a frame, as a table in a notebook, and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import pandas as pd

from rai_kedro.fairness.estimates import Disparity
from rai_kedro.fairness.metrics import describe_metric
from rai_kedro.words import format_interval, format_share, in_words, write_html_table

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from rai_kedro.fairness.verdicts import GateDecision, Verdict

_COLOURS = {"pass": "#009E73", "fail": "#D55E00", "insufficient_evidence": "#E69F00", "not_assessed": "#999999"}
_SYMBOLS = {"pass": "circle", "fail": "x", "insufficient_evidence": "diamond-open", "not_assessed": "square-open"}
_PLAIN = "#0072B2"


def make_frame(disparities: Sequence[Disparity]) -> pd.DataFrame:
    """Return one row for each disparity; the groups compared stand in ``lower_group`` and ``higher_group``."""
    shown = ["metric", "kind", "column", "value", "lower", "upper", "level"]
    shown += ["lower_group", "higher_group", "n", "not_assessed", "note"]
    rows = [
        one.to_dict()
        | dict(zip(("lower_group", "higher_group"), one.pair or (None, None), strict=True))
        | {"not_assessed": "; ".join(one.not_assessed)}
        for one in disparities
    ]
    of_classes = any(one.of_class for one in disparities)
    return pd.DataFrame(rows, columns=[*shown[:3], "of_class", *shown[3:]] if of_classes else shown)


def write_table(disparities: Sequence[Disparity], decision: GateDecision | None = None) -> str:
    """Write an HTML table: metric, kind, groups, figure with interval, and the verdict where there is one."""
    verdicts = _index(decision)
    judged = ["tolerated", "verdict"] if decision else []
    head = ["metric", "kind", "grouping", "lower group", "higher group", "figure [interval]", *judged]
    lines = []
    for one in disparities:
        cells = [
            describe_metric(one.metric).title,
            in_words(one.kind),
            f"{one.column}; class {one.of_class}" if one.of_class else one.column,
            *(one.pair or ("", "")),
            format_interval(one),
        ]
        verdict = verdicts.get(_key(one))
        if decision:
            cells += [_limit(verdict), f"{in_words(verdict.outcome)}: {verdict.reason}" if verdict else ""]
        lines.append(cells)
    told = dict.fromkeys(why for one in disparities for why in (*one.not_assessed, *_left_out(one)))
    levels = ", ".join(sorted({format_share(one.level) for one in disparities}))
    notes = [f"Level of the intervals, for all pairs of groups at once: {levels}.", *(f"{why}." for why in told)]
    if decision:
        notes = [f"Gate: {in_words(decision.outcome)}.", *decision.problems, *notes]
    return write_html_table(head, lines, notes)


def draw_intervals(disparities: Sequence[Disparity], decision: GateDecision | None = None) -> Figure:
    """Draw disparities with their intervals, a panel for each kind, and the limits they were judged by."""
    from plotly.graph_objects import Scatter
    from plotly.subplots import make_subplots

    verdicts = _index(decision)
    kinds = list(dict.fromkeys(one.kind for one in disparities)) or ["difference"]
    titles = [f"{in_words(kind)} ({'1' if kind == 'ratio' else '0'} is equal)" for kind in kinds]
    figure = make_subplots(rows=1, cols=len(kinds), subplot_titles=titles, shared_yaxes=True)
    for one in disparities:
        if one.value is None:
            continue
        at, name = kinds.index(one.kind) + 1, f"{escape(describe_metric(one.metric).title)}<br>{escape(one.column)}"
        verdict = verdicts.get(_key(one))
        colour = _COLOURS[verdict.outcome] if verdict else _PLAIN
        marker = {"color": colour, "size": 10, "symbol": _SYMBOLS[verdict.outcome] if verdict else "circle"}
        hover = f"{name}<br>{format_interval(one)}" + (f"<br>{in_words(verdict.outcome)}" if verdict else "")
        point = Scatter(
            x=[one.value], y=[name], error_x=one.error_bars, mode="markers", marker=marker, hovertext=[hover]
        )
        figure.add_trace(point, row=1, col=at)
        if verdict:
            tick = {"symbol": "line-ns", "size": 22, "line": {"width": 2, "color": "#555555"}}
            told = [f"tolerated: {_limit(verdict)}"]
            limit = Scatter(x=[verdict.tolerance], y=[name], mode="markers", marker=tick, hovertext=told)
            figure.add_trace(limit, row=1, col=at)
    lines = len({(one.metric, one.column) for one in disparities})
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure.update_layout(template="plotly_white", showlegend=False, height=60 * lines + 120)


def _key(one: Disparity) -> tuple[str, str, str]:
    return one.metric, one.kind, one.column


def _index(decision: GateDecision | None) -> dict[tuple[str, str, str], Verdict]:
    return {_key(one.disparity): one for one in decision.verdicts} if decision else {}


def _limit(verdict: Verdict | None) -> str:
    if verdict is None:
        return ""
    return f"at {'least' if verdict.disparity.kind == 'ratio' else 'most'} {verdict.tolerance:g}"


def _left_out(one: Disparity) -> list[str]:
    return [f"{rows:,} rows left out: {reason}" for reason, rows in one.left_out.items()]
