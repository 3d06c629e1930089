"""The drift timeline as one page that opens anywhere, MLflow's artifact view included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rai_kedro.report.page import render_page

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


def render_drift_page(timeline: Mapping[str, Any], figure: Figure, *, use_case: str) -> str:
    """Render the timeline as one self-contained HTML page.

    Args:
        timeline: What :func:`rai_kedro.monitoring.timeline.build_timeline` returns.
        figure: Its figure.
        use_case: Name of the use case.

    Returns:
        HTML that fetches nothing; about 4.6 MB, most of it plotly.js.
    """
    return render_page(
        "drift.html.j2", {"Drifted columns over the months": figure}, timeline=timeline, use_case=use_case
    )
