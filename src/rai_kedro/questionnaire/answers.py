"""From answers to metrics, with the path that led there: by a file, in a conversation, or as they are on record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from textwrap import fill, indent
from typing import Any, Literal, TypeAlias

import yaml
from pydantic import TypeAdapter, ValidationError, field_validator

from rai_kedro.errors import RaiError
from rai_kedro.fairness import METRICS, Task
from rai_kedro.questionnaire.tree import Answer, Question, Tree, Way, find_task, load_tree
from rai_kedro.typed import Typed
from rai_kedro.yaml_files import read_yaml

Read: TypeAlias = Callable[[str], str]
Write: TypeAlias = Callable[[str], None]
PROMPT = "> "
_WIDTH = 100
FindingKind: TypeAlias = Literal[
    "not_answered", "path_broken", "question_changed", "metric_unknown", "metric_missing", "metric_added"
]


class AnswersError(RaiError):
    """Answers from a file or a record that do not lead through the questionnaire."""


class Step(Typed):
    """One question as it was asked, and its answer.

    Attributes:
        question: Key of the question.
        answer: Key of the answer.
        asked: The question in words.
        means: The answer in words.
        answered_by: ``parameters`` where the parameters already said it and nobody was asked.
    """

    question: str
    answer: str
    asked: str = ""
    means: str = ""
    answered_by: Literal["person", "parameters"] = "person"

    @field_validator("answer", mode="before")
    @classmethod
    def _undo_yaml(cls, answer: Any) -> Any:
        return _undo_yaml(answer)


class Outcome(Typed):
    """What the questionnaire came to."""

    metrics: tuple[str, ...]  # canonical names, the main one first
    path: tuple[Step, ...]
    task: Task | None = None  # None where the path does not depend on it
    notes: tuple[str, ...] = ()  # what the person should know of the choice


class Finding(Typed):
    """One disagreement between recorded answers and configured metrics."""

    kind: FindingKind
    message: str
    metric: str | None = None
    contradicts: bool = True  # False: only worth knowing


def _walk(tree: Tree, answers: Mapping[str, str]) -> tuple[Way, str | None]:
    """Return the way that answers take, and the question it stops at for want of one; None at the end."""
    path: Way = ()
    name: str | None = tree.start
    while name is not None:
        answer = tree.questions[name].accept(answers[name]) if name in answers else None
        if answer is None:
            break
        path, name = (*path, (name, answer)), answer.next
    return path, name


def next_question(tree: Tree, answers: Mapping[str, str]) -> tuple[str, Question] | None:
    """Return the first question on the way that has no answer yet, with its name; None at the end.

    Args:
        tree: The questionnaire.
        answers: Key of the answer by question; each one an answer that the question accepts.
    """
    _, name = _walk(tree, answers)
    return None if name is None else (name, tree.questions[name])


def follow(
    tree: Tree, answers: Mapping[str, str], *, known: Mapping[str, str] | None = None, where: str = "answers"
) -> Outcome:
    """Follow answers from the first question to the end.

    Args:
        tree: The questionnaire.
        answers: Key of the answer by question.
        known: Answers that the parameters already give.
        where: Where the answers stand, for messages.

    Raises:
        AnswersError: An answer is unknown or missing, belongs to an unknown question or to one that the other
            answers do not lead to, or contradicts what is known.
    """
    known = dict(known or {})
    _check_known_words(tree, answers, known, where)
    path, open_one = _walk(tree, {**known, **answers})
    if open_one is not None:
        what, remedy = f"The answer to '{open_one}' is missing.", f"add '{open_one}: ' with one of these answers"
        raise AnswersError(what, where=where, example=tree.questions[open_one].ask(), remedy=remedy)
    if unused := [name for name in answers if name not in {asked for asked, _ in path} and name not in known]:
        raise AnswersError(
            f"The other answers do not lead to the question '{unused[0]}'.",
            where=where,
            how_many=f"{len(unused)} answers nobody asked for" if len(unused) > 1 else None,
            example=f"the way they take: {', '.join(f'{name}: {answer.key}' for name, answer in path)}",
            remedy=f"take '{unused[0]}' out, or change the answer that leads past it",
        )
    steps = tuple(
        Step(
            question=name,
            answer=answer.key,
            asked=tree.questions[name].text,
            means=answer.text,
            answered_by="parameters" if name in known else "person",
        )
        for name, answer in path
    )
    return Outcome(
        metrics=tuple(dict.fromkeys(metric for _, answer in path for metric in answer.metrics)),
        path=steps,
        task=find_task(path),
        notes=tuple(answer.note for _, answer in path if answer.note),
    )


def interview(tree: Tree, read: Read, write: Write, *, known: Mapping[str, str] | None = None) -> Outcome | None:
    """Ask until the end; None if the person left before.

    Beside the answers, ``back`` returns to the question before, ``why`` explains the question and ``quit`` ends.

    Args:
        tree: The questionnaire.
        read: Returns a line that the person types after a prompt; raises EOFError when there are no more.
        write: Shows a text.
        known: Answers that the parameters already give; they are shown and not asked.
    """
    known = dict(known or {})
    given: dict[str, str] = {}
    for name in known:
        write(f"Known from the parameters: {tree.questions[name].text} {known[name]}\n")
    while (found := next_question(tree, {**known, **given})) is not None:
        name, question = found
        write(_render(question, len(given) + 1))
        said = _listen(question, read, write)
        if isinstance(said, Answer):
            given[name] = said.key
        elif said == "quit":
            return None
        elif given:
            given.popitem()
        else:
            write("This is the first question.\n")
    return follow(tree, given, known=known)


def read_answers(path: str | Path) -> dict[str, str]:
    """Read a file of answers: ``question: answer`` in YAML, where ``yes`` and ``no`` may stand without quotes.

    Raises:
        AnswersError: It cannot be read, is no mapping of words to words, or answers a question twice.
    """
    try:
        content = read_yaml(Path(path).read_text(encoding="utf-8-sig"))
        answers = {name: _undo_yaml(answer) for name, answer in content.items()}
        return TypeAdapter(dict[str, str]).validate_python(answers, strict=True)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, ValidationError) as error:
        raise AnswersError(
            "The file of answers cannot be read.",
            where=str(path),
            example=str(error).splitlines()[0] if isinstance(error, OSError | UnicodeDecodeError) else str(error),
            remedy="write one 'question: answer' on each line; docs/choosing_a_metric.md has an example",
        ) from None


def check_consistency(
    recorded_path: Sequence[Step | Mapping[str, Any]] | None, metrics: Iterable[str], *, tree: Tree | None = None
) -> list[Finding]:
    """Say where configured metrics and the answers on record disagree; ``tree`` replaces the project's questionnaire.

    Returns:
        Empty if the answers lead to exactly these metrics.
    """
    tree = tree or load_tree()
    configured = tuple(metrics)
    findings = [
        Finding(kind="metric_unknown", message=f"'{name}' is no metric of this project", metric=name)
        for name in configured
        if name not in METRICS
    ]
    if not recorded_path:
        text = "nobody answered the questionnaire, so nothing says why these metrics were chosen"
        return [*findings, Finding(kind="not_answered", message=text, contradicts=False)]
    try:
        path = [Step.model_validate(step) for step in recorded_path]
        outcome = follow(tree, {step.question: step.answer for step in path}, where="recorded answers")
    except (ValidationError, AnswersError) as error:
        reason = str(error) if isinstance(error, ValidationError) else error.args[0]
        return [*findings, Finding(kind="path_broken", message=f"the recorded answers lead nowhere: {reason}")]
    return [*findings, *_compare(outcome, configured), *_find_changed(path, outcome)]


def _check_known_words(tree: Tree, answers: Mapping[str, str], known: Mapping[str, str], where: str) -> None:
    for name, said in answers.items():
        if name not in tree.questions:
            meant = get_close_matches(name, tree.questions, n=1)
            raise AnswersError(
                f"There is no question '{name}'.",
                where=where,
                example=f"did you mean '{meant[0]}'?" if meant else f"questions: {', '.join(tree.questions)}",
                remedy="name a question as docs/choosing_a_metric.md does",
            )
        question = tree.questions[name]
        answer = question.accept(said)
        if answer is None:
            what = f"'{said}' is no answer to '{name}'."
            raise AnswersError(what, where=where, example=question.ask(), remedy="take one of these answers")
        if name in known and answer.key != known[name]:
            raise AnswersError(
                f"'{name}: {answer.key}' contradicts the parameters, which say '{known[name]}'.",
                where=where,
                remedy="mend whichever is wrong; the estimator in the parameters decides the task",
            )


def _undo_yaml(answer: Any) -> Any:
    """YAML reads a bare yes or no as true or false."""
    return {True: "yes", False: "no"}[answer] if isinstance(answer, bool) else answer


def _compare(outcome: Outcome, configured: Sequence[str]) -> list[Finding]:
    last = outcome.path[-1]
    reason = f"the answers ({last.question}: {last.answer}) lead to {', '.join(outcome.metrics)}"
    missing = [name for name in outcome.metrics if name not in configured]
    added = [name for name in configured if name not in outcome.metrics and name in METRICS]
    return [
        *(Finding(kind="metric_missing", message=f"'{n}' is not measured, though {reason}", metric=n) for n in missing),
        *(Finding(kind="metric_added", message=f"'{n}' is measured, though {reason}", metric=n) for n in added),
    ]


def _find_changed(path: Sequence[Step], outcome: Outcome) -> list[Finding]:
    """Say where a question or an answer reads differently from what the person had before their eyes."""
    words = {step.question: (step.asked, step.means) for step in outcome.path}
    return [
        Finding(
            kind="question_changed",
            message=f"'{step.question}' was worded differently when it was answered: {step.asked} - {step.means}",
            contradicts=False,
        )
        for step in path
        if (step.asked or step.means) and words[step.question] != (step.asked, step.means)
    ]


def _listen(question: Question, read: Read, write: Write) -> Answer | str:
    """Read until there is an answer, ``back`` or ``quit``."""
    while True:
        try:
            said = read(PROMPT).strip()
        except EOFError:
            return "quit"
        command = said.lower()
        if command in {"back", "quit"}:
            return command
        if command == "why":
            write(f"{_paragraph(question.why)}\n")
            continue
        # An offered key, or the number that stands before it.
        numbered = {str(number): answer for number, answer in enumerate(question.answers, 1)}
        if (answer := numbered.get(said) or question.accept(said)) is not None:
            return answer
        shown = f"'{said}' is not among the answers. " if said else ""
        write(f"{shown}Type {question.list_keys()} (or its number), or: back, why, quit.\n")


def _render(question: Question, number: int) -> str:
    width = max(len(answer.key) for answer in question.answers)
    answers = [f"  {n}  {answer.key:<{width}}  {answer.text}" for n, answer in enumerate(question.answers, 1)]
    lines = [fill(f"{number}. {question.text}", _WIDTH), _paragraph(f"For example: {question.example}"), *answers]
    return "\n".join(["", *lines, "     (back, why, quit)", ""])


def _paragraph(text: str) -> str:
    return indent(fill(text, _WIDTH - 3), "   ")
