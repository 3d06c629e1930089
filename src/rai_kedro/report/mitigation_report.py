"""The before/after report of a mitigation as one page: the recipe's five figures, the trade-off, and all models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rai_kedro.report.card_mitigation import find_before_and_after, index_disparities, make_estimate, read_estimate
from rai_kedro.report.figures import draw_nothing
from rai_kedro.report.metric_words import name_metric
from rai_kedro.report.mitigation_figures import (
    draw_numbers,
    draw_performance,
    draw_roc,
    draw_shares,
    draw_side_by_side,
    draw_trade_off,
)
from rai_kedro.report.page import render_page
from rai_kedro.words import NOT_KNOWN, format_gain, format_span, write_parameters

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


@dataclass(frozen=True)
class ModelRow:
    """One line of the table of all models, as a reader sees it."""

    name: str
    stage: str
    parameters: str
    performance: str
    gains: list[str]
    disparity: str
    note: str
    needs_sensitive: bool
    is_chosen: bool
    on_frontier: bool


@dataclass(frozen=True)
class GapRow:
    """One disparity before and after, as a reader sees it."""

    metric: str
    kind: str
    before: str
    after: str


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


def render_mitigation_page(comparison: Plain, drawn: Mapping[str, Figure], *, use_case: str, favourable: str) -> str:
    """Render the report as one self-contained HTML page.

    Args:
        comparison: The comparison as plain values.
        drawn: Its figures by name, see `draw_mitigation`; others are left out.
        use_case: Name of the use case.
        favourable: What the favourable decision is; of a regression, the label's name.

    Returns:
        HTML that fetches nothing; about 4.7 MB, most of it plotly.js. A short page where nothing was compared.
    """
    if not comparison["models"]:
        return render_page("unmitigated.html.j2", {}, use_case=use_case, reason=comparison["reason"])
    figures = {name: drawn[name] for name in _FIGURES if name in drawn and drawn[name].data}
    return render_page(
        "mitigation.html.j2",
        figures,
        comparison=comparison,
        use_case=use_case,
        favourable=favourable,
        rows=list_models(comparison),
        left_out=[model for model in comparison["models"] if model["status"] != "fitted"],
        gaps=list_gaps(comparison, "assessment"),
        need_gaps=list_gaps(comparison, "need_assessment"),
        is_mitigated=len(find_before_and_after(comparison)) > 1,
    )


def list_models(comparison: Plain) -> list[ModelRow]:
    """Return one line for each fitted model, in the order of the comparison."""
    return [_describe(model, comparison) for model in comparison["models"] if model["status"] == "fitted"]


def list_gaps(comparison: Plain, against: str) -> list[GapRow]:
    """Return every disparity of the decisive column before and after.

    Args:
        comparison: The comparison.
        against: ``assessment``: the recorded label; ``need_assessment``: the true need, where it is known.
    """
    models = find_before_and_after(comparison)
    found = [index_disparities(model[against], comparison["by"]["column"]) for model in models]
    return [
        GapRow(
            name_metric(metric), kind, _write(before), _write(found[-1].get((metric, kind))) if len(found) > 1 else ""
        )
        for (metric, kind), before in found[0].items()
    ]


def _describe(model: Plain, comparison: Plain) -> ModelRow:
    by = comparison["by"]
    performance = next((one for one in model["performance"] if one["name"] == by["performance"]), None)
    disparity = index_disparities(model["assessment"], by["column"]).get((by["metric"], by["kind"]))
    return ModelRow(
        name=_word(model["name"]),
        stage={"pre": "before", "in": "during", "post": "after"}.get(model["stage"], NOT_KNOWN),
        parameters=write_parameters(model.get("parameters", {})),
        performance=_write(performance),
        gains=[_write_gain(gain, named=len(model["gains"]) > 1) for gain in model["gains"]],
        disparity=_write(disparity),
        note=model["reason"],
        needs_sensitive=model["needs_sensitive"],
        is_chosen=model["name"] == comparison["chosen"],
        on_frontier=model["on_frontier"],
    )


def _write(figure: Plain | None) -> str:
    return format_span(read_estimate(figure))


def _write_gain(gain: Plain, *, named: bool) -> str:
    text = format_gain(make_estimate(gain["value"], gain["lower"], gain["upper"]))
    return f"{gain['name']} {text}" if named else text


def _word(name: str) -> str:
    return name.replace("_", " ")
