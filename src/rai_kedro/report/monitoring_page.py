"""The page of monitoring: the newest verdict and what to do, then everything over the months behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rai_kedro.monitoring import ColumnDrift, Finding, Measured, Timeline
from rai_kedro.report import monitoring_view
from rai_kedro.report.monitoring_figures import SHOWN_COLUMNS
from rai_kedro.report.page import render_page

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_SHOWN_FINDINGS = 20
_SHOWN_GROUPS = 24


@dataclass(frozen=True)
class _Pair:
    """A figure of one month, as labels show it and as it was estimated."""

    slot: monitoring_view.Slot
    realised: Measured | None
    estimated: Measured | None


@dataclass(frozen=True)
class _Findings:
    """Findings of one weight on one subject that ask for the same; ``more`` of them are not shown."""

    subject: str
    weight: str
    advice: str
    texts: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class _MonthView:
    """What the section of one month shows; what it leaves out is counted."""

    slot: monitoring_view.Slot
    findings: tuple[_Findings, ...]
    drifted: tuple[ColumnDrift, ...]
    more_drifted: int


def render_monitoring_page(timeline: Timeline, figures: Mapping[str, Figure], *, use_case: str) -> str:
    """Render monitoring as one self-contained HTML page that fetches nothing; most of its size is plotly.js.

    Args:
        timeline: All months so far.
        figures: What :func:`.draw_monitoring` drew of it.
        use_case: Name of the use case.
    """
    slots = monitoring_view.list_slots(timeline)
    columns = monitoring_view.rank_columns(slots)
    metrics = monitoring_view.find_metrics(slots)
    scored = [slot for slot in slots if slot.record]
    newest = scored[-1] if scored else None
    return render_page(
        "monitoring.html.j2",
        figures,
        period=timeline.period,
        use_case=use_case,
        timeline=timeline,
        slots=slots,
        years=_count_years(slots),
        scored=scored,
        newest=_view_month(newest) if newest else None,
        unscored_since=[slot for slot in slots if newest and slot.month > newest.month],
        rows={subject: [slot.judge(subject) for slot in slots] for subject in monitoring_view.SUBJECTS},
        total=[monitoring_view.Cell(slot.state, _say_total(slot)) for slot in slots],
        signs=monitoring_view.SIGNS,
        meanings=monitoring_view.MEANINGS,
        metrics=metrics,
        groups=_list_groups(scored, metrics[0]) if metrics else {},
        disparities=_list_disparities(scored),
        columns=columns[:SHOWN_COLUMNS],
        others=columns[SHOWN_COLUMNS:],
        months=[_view_month(slot) for slot in reversed(slots)],
    )


def _say_total(slot: monitoring_view.Slot) -> str:
    reasons = slot.record.verdict.reasons if slot.record else ()
    return "; ".join(reasons[:2]) + (f"; and {len(reasons) - 2} more" if len(reasons) > 2 else "")  # noqa: PLR2004


def _count_years(slots: Sequence[monitoring_view.Slot]) -> dict[str, int]:
    years: dict[str, int] = {}
    for slot in slots:
        years[slot.month[:4]] = years.get(slot.month[:4], 0) + 1
    return years


def _view_month(slot: monitoring_view.Slot) -> _MonthView:
    findings = slot.record.verdict.findings if slot.record else ()
    drifted = monitoring_view.sort_drifted_first(
        [one for part in slot.comparisons.values() for one in part if one.drifted]
    )
    return _MonthView(slot, _gather(findings), tuple(drifted[:_SHOWN_FINDINGS]), len(drifted[_SHOWN_FINDINGS:]))


def _gather(findings: Sequence[Finding]) -> tuple[_Findings, ...]:
    """Put together what asks for the same, so that advice is given once."""
    texts: dict[tuple[str, str, str], list[str]] = {}
    for one in findings:
        texts.setdefault((one.subject, one.weight, one.advice), []).append(one.text)
    return tuple(
        _Findings(*key, tuple(found[:_SHOWN_FINDINGS]), len(found[_SHOWN_FINDINGS:])) for key, found in texts.items()
    )


def _list_groups(slots: Sequence[monitoring_view.Slot], metric: str) -> dict[str, list[_Pair]]:
    """Return the judged figure of each group, the newest month first."""
    found: dict[str, list[_Pair]] = {}
    for group in monitoring_view.find_groups(slots, metric)[:_SHOWN_GROUPS]:
        wanted = {"subject": "performance", "name": metric, "kind": "", "group": group}
        pairs = [
            _Pair(
                slot,
                monitoring_view.pick(slot, **wanted, basis="labels"),
                monitoring_view.pick(slot, **wanted, basis="estimate"),
            )
            for slot in slots
        ]
        found[group] = [pair for pair in reversed(pairs) if pair.realised or pair.estimated]
    return found


def _list_disparities(slots: Sequence[monitoring_view.Slot]) -> list[tuple[monitoring_view.Slot, Measured]]:
    """Return the newest figure of each disparity, of the month and since the approval, the judged ones first."""
    found = []
    for name, kind, grouping in monitoring_view.find_disparities(slots, judged=False):
        for scope in ("month", "since approval"):
            wanted = {"subject": "fairness", "name": name, "kind": kind, "group": grouping, "scope": scope}
            shown = [(slot, one) for slot in reversed(slots) if (one := monitoring_view.pick(slot, **wanted))]
            found += shown[:1]
    return sorted(found, key=lambda pair: pair[1].limit is None)
