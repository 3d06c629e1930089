"""The pages of governance, and of the comparison of mitigations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from rai_kedro.contract import ColumnProfile, GovernedColumn
from rai_kedro.months import find_period
from rai_kedro.proxies import ProxyReport
from rai_kedro.report.figures import draw_proxies
from rai_kedro.report.mitigation_figures import MITIGATION_FIGURES
from rai_kedro.report.mitigation_section import Plain, read_comparison
from rai_kedro.report.page import render_page

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SPARK_WIDTH, _SPARK_HEIGHT = 100.0, 20.0


def render_governance_page(
    register: Sequence[GovernedColumn],
    profile: Sequence[ColumnProfile],
    *,
    proxies: ProxyReport | None = None,
    use_case: str,
    as_of: date,
) -> str:
    """Render the governance report as one self-contained HTML page that fetches nothing.

    ``proxies`` are those that the newest training found, None before the first; ``profile`` has one description per
    column and month; the days left of a justification are counted from ``as_of``.
    """
    flagged = [row for row in register if row.flags]
    used = [row for row in register if row.model_uses and not row.is_label]
    return render_page(
        "governance.html.j2",
        {} if proxies is None else {"proxies": draw_proxies(proxies)},
        report=proxies,
        period=(find_period(profile[0].month) if profile else None) or "month",
        use_case=use_case,
        today=as_of,
        register=register,
        datasets=list(dict.fromkeys(row.dataset for row in register)),
        flagged=flagged,
        used=used,
        flagged_used=[row for row in used if row.flags],
        columns=_describe_columns(register, profile),
        months=sorted({row.month for row in profile}),
    )


def _describe_columns(register: Sequence[GovernedColumn], profile: Sequence[ColumnProfile]) -> list[dict[str, Any]]:
    """Describe each column over its months, in the order of the register, columns unknown to it last."""
    by_column: dict[tuple[str, str], list[ColumnProfile]] = {(row.dataset, row.name): [] for row in register}
    for row in sorted(profile, key=lambda row: row.month):
        by_column.setdefault((row.dataset, row.column), []).append(row)
    return [
        {
            "dataset": dataset,
            "name": name,
            "rows": rows,
            "is_numeric": any(row.mean is not None for row in rows),
            "missing": max(row.missing_share for row in rows),
            "minimum": min((row.minimum for row in rows if row.minimum is not None), default=None),
            "maximum": max((row.maximum for row in rows if row.maximum is not None), default=None),
            **_draw_spark(rows),
        }
        for (dataset, name), rows in by_column.items()
        if rows
    ]


def _draw_spark(rows: Sequence[ColumnProfile]) -> dict[str, str]:
    """Return SVG on the column's own scale: the path of its monthly means, and the band one deviation around them."""
    known = [(index, row.mean, row.sd or 0.0) for index, row in enumerate(rows) if row.mean is not None]
    months = {index for index, _, _ in known}
    low = min((mean - sd for _, mean, sd in known), default=0.0)
    high = max((mean + sd for _, mean, sd in known), default=0.0)

    def place(index: int, value: float) -> str:
        share = (value - low) / (high - low) if high > low else 0.5
        # SVG counts downwards.
        return f"{_SPARK_WIDTH * index / max(1, len(rows) - 1):.1f},{_SPARK_HEIGHT * (1 - share):.1f}"

    # A month without a mean leaves a gap.
    line = [f"{'L' if index - 1 in months else 'M'}{place(index, mean)}" for index, mean, _ in known]
    upper = [place(index, mean + sd) for index, mean, sd in known]
    lower = [place(index, mean - sd) for index, mean, sd in reversed(known)]
    return {"line": " ".join(line), "band": " ".join([*upper, *lower])}


def render_mitigation_page(comparison: Plain, drawn: Mapping[str, Figure], *, use_case: str) -> str:
    """Render the comparison as one self-contained HTML page that fetches nothing.

    Of the figures that were drawn, those of its section that have data are shown.
    """
    record = read_comparison(comparison)
    figures = {name: drawn[name] for name in MITIGATION_FIGURES if record and name in drawn and drawn[name].data}
    contents = {"mitigation": record, "why_unmitigated": comparison["reason"], "estimator": "", "other_level": ""}
    return render_page("mitigation.html.j2", figures, use_case=use_case, **contents)
