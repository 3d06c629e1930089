"""The pages of governance, of the comparison of mitigations, and of drift over the months."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from rai_kedro.contract import ColumnProfile, GovernedColumn
from rai_kedro.report.mitigation_figures import MITIGATION_FIGURES
from rai_kedro.report.mitigation_section import Plain, read_comparison
from rai_kedro.report.page import render_page

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SPARK_WIDTH, _SPARK_HEIGHT = 100.0, 20.0


@dataclass(frozen=True)
class ColumnHistory:
    """One column over the months, with what the overview line of the page needs."""

    dataset: str
    name: str
    rows: tuple[ColumnProfile, ...]  # the earliest month first

    @property
    def is_numeric(self) -> bool:
        """Whether any month has a mean."""
        return any(row.mean is not None for row in self.rows)

    @property
    def missing(self) -> float:
        """The largest share of missing values of any month."""
        return max(row.missing_share for row in self.rows)

    @property
    def minimum(self) -> float | None:
        """The smallest value of all months."""
        return min((row.minimum for row in self.rows if row.minimum is not None), default=None)

    @property
    def maximum(self) -> float | None:
        """The largest value of all months."""
        return max((row.maximum for row in self.rows if row.maximum is not None), default=None)

    @property
    def line(self) -> str:
        """SVG path of the monthly means; a month without a mean leaves a gap."""
        parts, is_drawing = [], False
        for index, row in enumerate(self.rows):
            if row.mean is not None:
                parts.append(f"{'L' if is_drawing else 'M'}{self._place(index, row.mean)}")
            is_drawing = row.mean is not None
        return " ".join(parts)

    @property
    def band(self) -> str:
        """SVG polygon one standard deviation around the monthly means."""
        known = [(i, row.mean, row.sd or 0.0) for i, row in enumerate(self.rows) if row.mean is not None]
        upper = [self._place(i, mean + sd) for i, mean, sd in known]
        lower = [self._place(i, mean - sd) for i, mean, sd in reversed(known)]
        return " ".join([*upper, *lower])

    def _place(self, index: int, value: float) -> str:
        """Return the point of one month on the column's own scale; SVG counts downwards."""
        known = [(row.mean, row.sd or 0.0) for row in self.rows if row.mean is not None]
        low, high = min(mean - sd for mean, sd in known), max(mean + sd for mean, sd in known)
        share = (value - low) / (high - low) if high > low else 0.5
        x = _SPARK_WIDTH * index / max(1, len(self.rows) - 1)
        return f"{x:.1f},{_SPARK_HEIGHT * (1 - share):.1f}"


def render_governance_page(
    register: Sequence[GovernedColumn], profile: Sequence[ColumnProfile], *, use_case: str, as_of: date
) -> str:
    """Render the governance report as one self-contained HTML page that fetches nothing.

    Args:
        register: Every governed column.
        profile: One description per column and month.
        use_case: Name of the use case.
        as_of: Day from which the days left of a justification are counted.
    """
    flagged = [row for row in register if row.flags]
    used = [row for row in register if row.model_uses and not row.is_label]
    return render_page(
        "governance.html.j2",
        {},
        use_case=use_case,
        today=as_of,
        register=register,
        datasets=list(dict.fromkeys(row.dataset for row in register)),
        flagged=flagged,
        used=used,
        flagged_used=[row for row in used if row.flags],
        columns=_collect_histories(register, profile),
        months=sorted({row.month for row in profile}),
    )


def _collect_histories(register: Sequence[GovernedColumn], profile: Sequence[ColumnProfile]) -> list[ColumnHistory]:
    """Group the profile by column, in the order of the register, columns unknown to it last."""
    by_column: dict[tuple[str, str], list[ColumnProfile]] = {(row.dataset, row.name): [] for row in register}
    for row in profile:
        by_column.setdefault((row.dataset, row.column), []).append(row)
    return [
        ColumnHistory(dataset, name, tuple(sorted(rows, key=lambda row: row.month)))
        for (dataset, name), rows in by_column.items()
        if rows
    ]


def render_mitigation_page(comparison: Plain, drawn: Mapping[str, Figure], *, use_case: str) -> str:
    """Render the comparison as one self-contained HTML page that fetches nothing.

    Args:
        comparison: The comparison as plain values.
        drawn: Figures of it and others by name; shown are those of its section that have data.
        use_case: Name of the use case.
    """
    record = read_comparison(comparison)
    figures = {name: drawn[name] for name in MITIGATION_FIGURES if record and name in drawn and drawn[name].data}
    contents = {"mitigation": record, "why_unmitigated": comparison["reason"], "estimator": "", "other_level": ""}
    return render_page("mitigation.html.j2", figures, use_case=use_case, **contents)


def render_drift_page(timeline: Mapping[str, Any], figure: Figure, *, use_case: str) -> str:
    """Render the timeline as one self-contained HTML page that fetches nothing; about 4.6 MB, most of it plotly.js.

    Args:
        timeline: What :func:`rai_kedro.monitoring.build_timeline` returns.
        figure: Its figure.
        use_case: Name of the use case.
    """
    return render_page(
        "drift.html.j2", {"Drifted columns over the months": figure}, timeline=timeline, use_case=use_case
    )
