"""The page of a comparison: two versions on the same labelled months, with the gains by figure and by month."""

from __future__ import annotations

from rai_kedro.monitoring import VersionComparison
from rai_kedro.months import find_period
from rai_kedro.report.page import render_page


def render_comparison_page(found: VersionComparison) -> str:
    """Render a comparison of two versions as one self-contained HTML page."""
    overall = {one.name: one for one in found.gains if not one.month}
    performance = [
        (old, new, overall.get(old.name)) for old, new in zip(found.old.performance, found.new.performance, strict=True)
    ]
    return render_page(
        "comparison.html.j2",
        {},
        period=find_period(found.months[0]) or "month",
        found=found,
        performance=performance,
        by_month=[one for one in found.gains if one.month],
        fairness=list(zip(found.old.fairness, found.new.fairness, strict=True)),
    )
