"""The card of an assessment made from Python: one page for whoever asked, of rows that nobody else has seen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rai_kedro.errors import RaiError
from rai_kedro.fairness import Assessment, GateDecision
from rai_kedro.files import write_text
from rai_kedro.performance import Performance
from rai_kedro.report.card import FairnessRecord
from rai_kedro.report.fairness_view import list_verdicts, view_fairness
from rai_kedro.report.figures import draw_groups
from rai_kedro.report.forest import draw_forest
from rai_kedro.report.model_card import collect_versions, view_performance
from rai_kedro.report.page import render_page

_NOT_JUDGED = "No limit was given, so nothing is judged: the figures are reported as they are."
_USUAL_LEVEL = 0.95


def write_card(  # noqa: PLR0913 - every part by its name
    path: str | Path,
    *,
    fairness: Assessment | None = None,
    performance: Performance | None = None,
    limits: Mapping[str, Any] | None = None,
    title: str = "Assessment of predictions",
    about: str = "",
    unit: str = "",
) -> Path:
    """Write an assessment as one self-contained HTML page that fetches nothing, and says what it does not cover.

    Args:
        path: Where it is written; a page that is there is replaced.
        fairness: What :func:`rai_kedro.fairness.assess` found.
        performance: What :func:`rai_kedro.performance.measure` found.
        limits: By which fairness is judged, as :meth:`Assessment.judge` takes them; without any nothing is judged.
        title: What was assessed, for example the name of the model.
        about: What a reader has to know: where predictions, labels and rows come from.
        unit: Of the label, for the errors of a regression.

    Returns:
        The path.

    Raises:
        RaiError: There is nothing to write, or a limit is of nothing that was measured.
    """
    if fairness is None and performance is None:
        raise RaiError(
            "There is nothing to write a card of.",
            where="fairness, performance",
            remedy="hand in what 'assess' or 'measure' returned",
        )
    if limits and fairness is None:
        raise RaiError(
            "There are limits for fairness, which was not assessed.",
            where="limits",
            remedy="hand in what 'assess' returned as 'fairness', or leave them out",
        )
    gate = fairness.judge(**limits) if fairness is not None and limits else None
    record = None if fairness is None else _record(fairness, gate, unit)
    figures = {} if fairness is None or not fairness.tables else {"groups": draw_groups(fairness, unit=unit)}
    page = render_page(
        "assessment.html.j2",
        figures,
        title=title,
        about=about,
        made=datetime.now(UTC).isoformat(timespec="minutes"),
        fairness=None if record is None else _view(record, judged=gate is not None),
        forest=draw_forest(list_verdicts(record)) if record is not None else (),
        not_covered=list(_list_not_covered(fairness, performance, gate)),
        versions=collect_versions(("rai-kedro", "numpy", "pandas", "scipy")),
        **view_performance(() if performance is None else performance.figures),
    )
    target = Path(path)
    write_text(target, page)
    return target


def _record(found: Assessment, gate: GateDecision | None, unit: str) -> FairnessRecord:
    level = min((one.level for one in found.disparities), default=_USUAL_LEVEL)
    decided = gate or GateDecision.could_not_be_evaluated(_NOT_JUDGED)
    return FairnessRecord(assessment=found, gate=decided, level=level, unit=unit)


def _view(record: FairnessRecord, *, judged: bool) -> dict[str, object]:
    view = view_fairness(record) | {"consequence": "", "rows": "rows"}
    return view if judged else view | {"gate": _NOT_JUDGED, "problems": ()}


def _list_not_covered(
    fairness: Assessment | None, performance: Performance | None, gate: GateDecision | None
) -> Iterator[str]:
    """Say what a reader might take for covered, and is not."""
    yield (
        "Nobody approved this, and no version of a model is behind it: labels, predictions and groups were handed in "
        "from Python as they are. Where they come from, and which model made them, is not known here."
    )
    yield "The file is not signed and in no record: whoever has it can change it."
    yield (
        "The intervals describe the sampling of these rows, with the predictions held fixed. They do not cover other "
        "places or later times, and not a choice among several models that was made on these same rows."
    )
    if fairness is None:
        yield "Fairness was not assessed."
    elif fairness.sample is None:
        yield (
            "Every row counts as a person of its own. If several rows are of one person, or rows stand for different "
            "numbers of people, intervals are too narrow: say so by 'unit' and 'sample_weight'."
        )
    if fairness is not None and fairness.by_class:
        yield (
            f"Of {len(fairness.by_class)} classes the one is shown that is worst for a metric; the figures of each "
            "class against the others ('by_class') are not on this page."
        )
    if fairness is not None and gate is None:
        yield "Nothing says how far groups may lie apart ('limits'), so no figure here is good or bad."
    if performance is None:
        yield "How good the predictions are was not measured."
    yield (
        "Not looked at: which columns the model reads and which of them stand in for a sensitive one, what it goes by, "
        "whether the labels are right, drift, and what it costs in carbon. A use case of this project does "
        "(kedro rai new-use-case --prediction)."
    )
