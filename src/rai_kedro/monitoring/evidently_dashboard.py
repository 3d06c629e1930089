"""The dashboard over the months of a model: a tab for each subject, bars by month, and the newest verdict in words.

Bars throughout: Evidently draws a line through the months as a smooth curve, which shows values that nobody measured.
It has neither limit lines nor colours to choose, so a limit is a bar beside the others, and no panel has more series
than there are colours. Importing this module imports Evidently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID, uuid5

from evidently.sdk.models import DashboardModel, DashboardPanelPlot, DashboardTabModel, PanelMetric
from evidently.sdk.panels import bar_plot_panel, text_panel

from rai_kedro.monitoring.evidently_figures import CARBON, EFFECTS, FINDINGS, STACKED, VERDICTS, WHICH, list_panels
from rai_kedro.monitoring.timeline import MonthRecord
from rai_kedro.months import say_period

_MOST_SAID = 6
_FULL = (WHICH, EFFECTS)
_SAID = {
    VERDICTS: "One block a month; its reasons are in the report of the month",
    FINDINGS: "How many findings made the verdicts",
    WHICH: "One block for each drifted column, of those that drifted most often or weigh most in the model",
    EFFECTS: "Share of rows that lie elsewhere than in the reference, of the same columns",
    CARBON: "Of months that were scored while it was measured",
}


def lay_out(project: UUID, records: Sequence[MonthRecord]) -> DashboardModel:
    """Describe the dashboard; the ids of its panels come of the project's, so twice the same is the same document."""
    tabs, panels, newest = [], [], records[-1].month if records else ""
    for title, series in list_panels(records).items():
        if not series:
            continue
        drawn = [
            *_introduce(title, records),
            *(_draw(panel, names, newest) for panel, names in series.items()),
        ]
        placed = [panel.copy(update={"id": uuid5(project, f"{title} {panel.title}")}) for panel in drawn]
        tabs.append(
            DashboardTabModel(id=uuid5(project, f"tab {title}"), title=title, panels=[panel.id for panel in placed])
        )
        panels += placed
    return DashboardModel(tabs=tabs, panels=panels)


def _introduce(tab: str, records: Sequence[MonthRecord]) -> Iterator[DashboardPanelPlot]:
    """Head a tab by what was found last; Evidently's page of this release shows all tabs one below the other."""
    newest = records[-1]
    if tab == "Verdict":
        said = newest.verdict.reasons
        yield text_panel(f"{newest.month}, model version {newest.model_version}: {newest.summary}", _say(said))
        return
    found = (one for one in newest.verdict.findings if one.subject == tab.lower() and one.weight != "passed")
    yield text_panel(tab, _say([f"{newest.month}: {one.text}" for one in found]))
    if tab == "Drift":
        count = PanelMetric(metric="DriftedColumns", legend="columns", metric_labels={"value_type": "count"})
        yield bar_plot_panel("Number of drifted columns", [count], "A column drifts beyond its margin")


def _say(found: Sequence[str]) -> str:
    most = [*found[:_MOST_SAID], f"and {len(found) - _MOST_SAID} more"] if len(found) > _MOST_SAID else found
    return "; ".join(most)


def _draw(panel: str, names: Sequence[str], month: str) -> DashboardPanelPlot:
    series = [
        PanelMetric(metric="MonthFigures", legend=name, metric_labels={"of": panel, "label": name}) for name in names
    ]
    said = say_period(_SAID.get(panel, ""), month) or None
    return bar_plot_panel(panel, series, said, "full" if panel in _FULL else "half", panel in STACKED)
