"""What the Evidently dashboard of a registered model shows: its panels and tabs, as one document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

from rai_kedro.monitoring.results import MonthDrift

if TYPE_CHECKING:
    from evidently.sdk.models import DashboardModel, DashboardPanelPlot, PanelMetric


def lay_out_dashboard(project: UUID, drift: MonthDrift) -> DashboardModel:
    """Describe the dashboard of a project.

    Args:
        project: Id of the project; the ids of its panels are derived from it, so the same dashboard
            twice is the same document.
        drift: A month that names the tested columns and the family-wise rate.

    Returns:
        Two tabs: the overview (share, count and names of drifted columns, all p-values), and the p-values
        of each column on their own.
    """
    from evidently.sdk.models import DashboardModel as Dashboard
    from evidently.sdk.models import DashboardTabModel

    tabs = {
        "Overview": _overview(drift),
        "Columns": [_column_panel(name, drift) for name in drift.tested_columns],
    }
    panels = {
        title: [panel.copy(update={"id": uuid5(project, panel.title)}) for panel in of_tab]
        for title, of_tab in tabs.items()
    }
    return Dashboard(
        tabs=[
            DashboardTabModel(id=uuid5(project, f"tab {title}"), title=title, panels=[panel.id for panel in of_tab])
            for title, of_tab in panels.items()
        ],
        panels=[panel for of_tab in panels.values() for panel in of_tab],
    )


def _overview(drift: MonthDrift) -> list[DashboardPanelPlot]:
    from evidently.sdk.panels import bar_plot_panel, line_plot_panel

    columns = drift.tested_columns
    return [
        line_plot_panel(
            "Share of drifted columns",
            [_series("DriftedColumns", "share", value_type="share")],
            f"A month drifts if any of its {len(columns)} columns does. {_rule(drift)}",
            "half",
        ),
        bar_plot_panel(
            "Number of drifted columns",
            [_series("DriftedColumns", "count", value_type="count")],
            f"Out of {len(columns)} columns tested each month",
            "half",
        ),
        bar_plot_panel(
            "Which columns drifted",
            [_series("DriftByColumn", name, label=name) for name in columns],
            "One block for each drifted column. Colours repeat after six: hover for the name.",
            stacked=True,
        ),
        line_plot_panel(
            "Adjusted p-value of every column",
            [_series("AdjustedPValue", name, label=name) for name in columns],
            f"p times the number of tests, at most 1. Drift: at most {drift.family_wise_rate:g}.",
        ),
    ]


def _column_panel(name: str, drift: MonthDrift) -> DashboardPanelPlot:
    from evidently.sdk.panels import line_plot_panel

    return line_plot_panel(
        f"{name}: adjusted p-value",
        [_series("AdjustedPValue", name, label=name)],
        f"Drift is at or below {drift.family_wise_rate:g}",
        "half",
    )


def _rule(drift: MonthDrift) -> str:
    return f"Any false alarm in a month without drift: probability at most {drift.family_wise_rate:g}."


def _series(metric: str, legend: str, **labels: Any) -> PanelMetric:
    from evidently.sdk.models import PanelMetric as Series

    return Series(metric=metric, legend=legend, metric_labels=labels)
