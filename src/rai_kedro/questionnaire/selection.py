"""Choosing metrics by answering questions: the room's door to it, and whether metrics agree with recorded answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import ValidationError

from rai_kedro.fairness.metrics import METRICS
from rai_kedro.questionnaire.answers import AnswersError, Outcome, Step, follow, next_question, read_answers
from rai_kedro.questionnaire.decision_tree import Tree
from rai_kedro.questionnaire.interview import interview
from rai_kedro.questionnaire.tree_rules import QuestionnaireError, load_tree

__all__ = [
    "AnswersError",
    "Finding",
    "Outcome",
    "QuestionnaireError",
    "Step",
    "check_consistency",
    "follow",
    "interview",
    "load_tree",
    "next_question",
    "read_answers",
]

FindingKind: TypeAlias = Literal[
    "not_answered", "path_broken", "question_changed", "metric_unknown", "metric_missing", "metric_added"
]


@dataclass(frozen=True)
class Finding:
    """One disagreement between recorded answers and configured metrics.

    Attributes:
        kind: What sort of disagreement.
        message: What a person reads.
        metric: The metric concerned, if it is one.
        contradicts: Whether the metrics contradict the answers; otherwise it is only worth knowing.
    """

    kind: FindingKind
    message: str
    metric: str | None = None
    contradicts: bool = field(default=True)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return asdict(self)


def check_consistency(
    recorded_path: Sequence[Step | Mapping[str, Any]] | None, metrics: Iterable[str], *, tree: Tree | None = None
) -> list[Finding]:
    """Hold configured metrics against the recorded answers.

    Args:
        recorded_path: ``fairness.questionnaire`` of the parameters.
        metrics: ``fairness.metrics`` of the parameters.
        tree: Another questionnaire than the project's own.

    Returns:
        What does not agree; empty if the answers lead to exactly these metrics.
    """
    tree = tree or load_tree()
    configured = tuple(metrics)
    findings = [
        Finding("metric_unknown", f"'{name}' is no metric of this project", name)
        for name in configured
        if name not in METRICS
    ]
    if not recorded_path:
        text = "nobody answered the questionnaire, so nothing says why these metrics were chosen"
        return [*findings, Finding("not_answered", text, contradicts=False)]
    try:
        path = [Step.model_validate(step) for step in recorded_path]
        outcome = follow(tree, {step.question: step.answer for step in path}, where="recorded answers")
    except (ValidationError, AnswersError) as error:
        reason = str(error) if isinstance(error, ValidationError) else error.args[0]
        return [*findings, Finding("path_broken", f"the recorded answers lead nowhere: {reason}")]
    return [*findings, *_compare(outcome, configured), *_find_changed(path, outcome)]


def _compare(outcome: Outcome, configured: Sequence[str]) -> list[Finding]:
    last = outcome.path[-1]
    reason = f"the answers ({last.question}: {last.answer}) lead to {', '.join(outcome.metrics)}"
    missing = [
        Finding("metric_missing", f"'{name}' is not measured, though {reason}", name)
        for name in outcome.metrics
        if name not in configured
    ]
    added = [
        Finding("metric_added", f"'{name}' is measured, though {reason}", name)
        for name in configured
        if name not in outcome.metrics and name in METRICS
    ]
    return [*missing, *added]


def _find_changed(path: Sequence[Step], outcome: Outcome) -> list[Finding]:
    """Say where a question or an answer reads differently from what the person had before their eyes."""
    words = {step.question: (step.asked, step.means) for step in outcome.path}
    return [
        Finding(
            "question_changed",
            f"'{step.question}' was worded differently when it was answered: {step.asked} - {step.means}",
            contradicts=False,
        )
        for step in path
        if (step.asked or step.means) and words[step.question] != (step.asked, step.means)
    ]
