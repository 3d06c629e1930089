"""The before/after report of a mitigation as one page: the recipe's five figures, the trade-off, and all models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rai_kedro.report.card_mitigation import read_comparison
from rai_kedro.report.figures import draw_nothing
from rai_kedro.report.mitigation_figures import (
    draw_numbers,
    draw_performance,
    draw_roc,
    draw_shares,
    draw_side_by_side,
    draw_trade_off,
)
from rai_kedro.report.page import render_page

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

Plain = Mapping[str, Any]

_NOTHING = "No mitigation was compared"
_FIGURES = (
    "trade_off",
    "performance",
    "performance_and_fairness",
    "roc_by_group",
    "predicted_shares",
    "predicted_numbers",
)


def draw_mitigation(comparison: Plain, *, favourable: str) -> dict[str, Figure]:
    """Draw the recipe's five figures and the trade-off.

    Args:
        comparison: The comparison as plain values, see `rai_kedro.mitigation.comparison.Comparison.to_dict`.
        favourable: What the favourable decision is, for example ``"admitted"``; of a regression, the label's name.

    Returns:
        Figures by a name fit for a file, in the order of `_FIGURES`; empty ones that say so where nothing was compared.
    """
    if not comparison["models"]:
        return {name: draw_nothing(_NOTHING) for name in _FIGURES}
    return {
        "trade_off": draw_trade_off(comparison),
        "performance": draw_performance(comparison),
        "performance_and_fairness": draw_side_by_side(comparison),
        "roc_by_group": draw_roc(comparison),
        "predicted_shares": draw_shares(comparison, favourable=favourable),
        "predicted_numbers": draw_numbers(comparison, favourable=favourable),
    }


def render_mitigation_page(comparison: Plain, drawn: Mapping[str, Figure], *, use_case: str) -> str:
    """Render the report as one self-contained HTML page.

    Args:
        comparison: The comparison as plain values.
        drawn: Its figures by name, see `draw_mitigation`; others are left out.
        use_case: Name of the use case.

    Returns:
        HTML that fetches nothing; about 4.7 MB, most of it plotly.js. A short page where nothing was compared.
    """
    record = read_comparison(comparison)
    figures = {name: drawn[name] for name in _FIGURES if record and name in drawn and drawn[name].data}
    contents = {"mitigation": record, "why_unmitigated": comparison["reason"], "estimator": "", "other_level": ""}
    return render_page("mitigation.html.j2", figures, use_case=use_case, **contents)
