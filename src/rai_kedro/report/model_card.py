"""The model card of one version: built from plain values; HTML, Markdown and JSON from one typed object."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from importlib import metadata
from platform import python_version
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from rai_kedro.performance import Figure as PerformanceFigure
from rai_kedro.report.attention import group_attention, list_attention
from rai_kedro.report.card import ModelCard, ModelCardError
from rai_kedro.report.fairness_view import describe_gate, list_verdicts, view_fairness
from rai_kedro.report.forest import draw_forest
from rai_kedro.report.mitigation_section import describe_mitigation
from rai_kedro.report.page import render_markdown_page, render_page
from rai_kedro.report.standing import describe_standing, trace_origin
from rai_kedro.words import format_interval, format_share

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PACKAGES = (
    "rai-kedro",
    "scikit-learn",
    "pandas",
    "numpy",
    "mlflow",
    "kedro",
    "kedro-mlflow",
    "skops",
    "codecarbon",
)

# Each has its template in templates/sections, which is written once for HTML and Markdown with the macros of
# html_parts.j2 and markdown_parts.j2. A new section is one line here and its template.
SECTIONS = {
    "use": "Use",
    "columns": "Columns and flags",
    "proxies": "Proxies",
    "performance": "Performance",
    "explanation": "What the model goes by",
    "fairness": "Fairness",
    "questionnaire": "Why these metrics",
    "mitigation": "Mitigation",
    "carbon": "Carbon",
    "limits": "Limits",
    "data": "Data and origin",
}
_FORMAT = "rai_kedro.model_card/3"
_SAMPLING_LIMIT = (
    "The intervals describe the sampling of the rows measured on, with the model held fixed. They do not "
    "cover fitting again on other rows, nor later months whose data have drifted. Those of RMSE "
    "and R2 are a little too narrow (91 to 92 % at a level of 95 %) with about 50 rows and heavy-tailed errors, and "
    "more so (87 to 90 %) at any number of rows where single errors may outweigh all others together."
)


def build_model_card(card: ModelCard, packages: Iterable[str] = PACKAGES) -> ModelCard:
    """Complete the card of a new candidate with versions, and with what its intervals do not cover among its limits."""
    has_intervals = any(estimate.lower is not None for estimate in card.performance)
    limits = (*card.limits, *([_SAMPLING_LIMIT] if has_intervals else []))
    return card.model_copy(update={"limits": limits, "versions": collect_versions(packages)})


def collect_versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of Python, which stands first, and of installed packages, by distribution name.

    Raises:
        ModelCardError: A package is not installed.
    """
    versions = {"python": python_version()}
    for package in packages:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError as error:
            raise ModelCardError(
                "The version of a package cannot be put on the card: it is not installed.",
                where="packages",
                example=package,
                remedy="correct its name or take it off the list",
            ) from error
    return versions


def summarise(card: ModelCard) -> str:
    """Say in one paragraph what the version is, what it was made from and how it does on held-out rows."""
    who, data, used, audited = card.identity, card.data, card.names_of("model"), card.names_of("audit")
    flagged = [column.name for column in card.columns if column.flags and column.name in used]
    test = [e for e in card.performance if e.split == "test" and e.value is not None]
    figures = ", ".join(f"{e.name} {format_interval(e)} {e.unit}".strip() for e in test)
    mitigated = f" ({describe_mitigation(card.mitigation)})" if card.mitigation and card.mitigation.is_mitigated else ""
    is_a = "assesses what was decided elsewhere" if card.unseen else f"is a {card.estimator.name}{mitigated}"
    made = (
        (
            *card.unseen,
            f"Nothing was fitted; {data.rows_test:,} rows of {data.month} were assessed.",
            *_summarise_sample(card),
        )
        if card.unseen
        else (
            f"It was fitted on {data.rows_train:,} rows of {data.month} and tested on {data.rows_test:,} others.",
            *_summarise_sample(card),
            f"{len(used)} columns reach the estimator as features; "
            + (f"flagged among them: {', '.join(flagged)}." if flagged else "none of them is flagged."),
            *_summarise_mitigation(card),
        )
    )
    sentences = [
        f"Version {who.version} of {who.model_name} {is_a}. Purpose: {who.purpose}.",
        *made,
        f"Audited only: {', '.join(audited)}." if audited else "No column is audited.",
        f"On the test rows: {figures}." if figures else "No performance was measured on test rows.",
        describe_gate(card.fairness.gate) if card.fairness else "Fairness was not measured.",
    ]
    return " ".join(sentences)


def _summarise_sample(card: ModelCard) -> Iterable[str]:
    if card.fairness is not None and card.fairness.assessment.sample is not None:
        yield f"Of the test rows: {card.fairness.assessment.sample}."


def _summarise_mitigation(card: ModelCard) -> Iterable[str]:
    for column in card.columns:
        if column.name in card.names_of("mitigation"):
            flags = f" (flagged {' and '.join(column.flags)})" if column.flags else ""
            yield f"{column.name}{flags} is read by the mitigation for every prediction; the estimator never sees it."


def render_html(card: ModelCard, figures: Mapping[str, Figure]) -> str:
    """Render the card as one self-contained HTML file: 4.6 MB with figures (plotly.js, once), 30 kB without."""
    return render_page("model_card.html.j2", figures, **_contents(card))


def render_markdown(card: ModelCard) -> str:
    """Render the card as Markdown, for places that show text: a registry's description, a merge request."""
    return render_markdown_page("model_card.md.j2", **_contents(card))


def render_json(card: ModelCard) -> str:
    """Render the card as JSON, figures not rounded, with what is derived from it; `card_from_json` reads it back."""
    document = {
        "format": _FORMAT,
        "summary": summarise(card),
        "standing": describe_standing(card).to_dict(),
        "unwritten": list(card.unwritten),
        "origin": [step._asdict() for step in trace_origin(card)],
        "look_at_first": [{"topic": point.topic, "text": point.text} for point in list_attention(card)],
        "card": card.to_dict(),
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def card_from_json(text: str) -> ModelCard:
    """Read a card that `render_json` wrote; it is equal to the one that was rendered.

    Raises:
        ModelCardError: The text is not JSON, not a card of this format, or a part is missing, unknown or of
            the wrong type.
    """
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _unreadable("it is not JSON", f"line {error.lineno}, column {error.colno}", error.msg) from error
    found = document.get("format") if isinstance(document, dict) else None
    if found != _FORMAT:
        raise _unreadable(f"its format is not {_FORMAT}", "format", str(found))
    try:
        return ModelCard.model_validate_json(json.dumps(document.get("card")), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, ("card", *first["loc"])))
        raise _unreadable(first["msg"], place, str(first["input"])[:80]) from error


def _unreadable(what: str, where: str, example: str) -> ModelCardError:
    return ModelCardError(
        f"The model card cannot be read: {what}.",
        where=where,
        example=example,
        remedy="take the card from the artifacts of the version's run",
    )


def _contents(card: ModelCard) -> dict[str, Any]:
    """Return what both templates show: the card and what is derived from it."""
    return view_performance(card.performance) | {
        "card": card,
        "summary": summarise(card),
        "standing": describe_standing(card),
        "origin": trace_origin(card),
        "attention": group_attention(list_attention(card)),
        "forest": draw_forest(list_verdicts(card.fairness)) if card.fairness else (),
        "today": card.identity.created_at_day,
        "mitigation": card.mitigation,
        "why_unmitigated": card.why_unmitigated,
        "estimator": card.estimator.name,
        "fairness": None if card.fairness is None else view_fairness(card.fairness),
        "other_level": _explain_levels(card),
        "sections": SECTIONS,
    }


def view_performance(figures: Iterable[PerformanceFigure]) -> dict[str, Any]:
    """Return what the section on performance shows, under the names of its template."""
    figures = tuple(figures)
    splits = list(dict.fromkeys(one.split for one in figures))
    by_metric: dict[tuple[str, str], dict[str, PerformanceFigure]] = {}
    for one in figures:
        by_metric.setdefault((one.name, one.unit), {})[one.split] = one
    return {
        "card": {"performance": figures},
        "splits": splits,
        "levels": sorted({format_share(one.level) for one in figures if one.level}),
        "performance": by_metric,
        "performance_headings": ["Metric", *([split or "all rows", "figure"] for split in splits), "Unit"],
    }


def _explain_levels(card: ModelCard) -> str:
    """Say why fairness and mitigation give one figure two intervals; nothing where they do not."""
    found = card.fairness.assessment.disparities if card.fairness else ()
    if card.mitigation is None or not found or math.isclose(found[0].level, card.mitigation.level):
        return ""
    there, here = format_share(found[0].level), format_share(card.mitigation.level)
    return (
        f"The same figure stands in the fairness section with an interval of level {there}, here of {here}: there one "
        "model is judged that was chosen among several by these rows, which its interval allows for; here each model "
        "stands by itself."
    )
