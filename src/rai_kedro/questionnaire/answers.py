"""From answers to metrics, with the path that led there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator

from rai_kedro.errors import RaiError
from rai_kedro.fairness.metrics import Task
from rai_kedro.questionnaire.decision_tree import Answer, Question, Tree
from rai_kedro.yaml_files import read_yaml

By: TypeAlias = Literal["person", "parameters"]


class AnswersError(RaiError):
    """Answers from a file or a record that do not lead through the questionnaire."""


class Step(BaseModel):
    """One question as it was asked, and its answer; the form of ``fairness.questionnaire`` in the parameters.

    Attributes:
        question: Name of the question.
        answer: Key of the answer.
        asked: The question in words.
        means: The answer in words.
        answered_by: ``parameters`` where the parameters already said it and nobody was asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str
    answer: str
    asked: str = ""
    means: str = ""
    answered_by: By = "person"

    @field_validator("answer", mode="before")
    @classmethod
    def _undo_yaml(cls, answer: Any) -> Any:
        return _undo_yaml(answer)


@dataclass(frozen=True)
class Outcome:
    """What the questionnaire came to.

    Attributes:
        metrics: Canonical names, the main one first.
        path: Every question on the way, with its answer.
        task: The task of the model; None where the path does not depend on it.
        notes: What the person should know of the choice.
    """

    metrics: tuple[str, ...]
    path: tuple[Step, ...]
    task: Task | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON and YAML can hold."""
        return {
            "metrics": list(self.metrics),
            "path": [step.model_dump() for step in self.path],
            "task": self.task,
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Outcome:
        """Rebuild it from :meth:`to_dict`."""
        path = tuple(Step.model_validate(step) for step in plain["path"])
        return cls(tuple(plain["metrics"]), path, plain["task"], tuple(plain["notes"]))


def next_question(tree: Tree, answers: Mapping[str, str]) -> tuple[str, Question] | None:
    """Return the first question on the way that has no answer yet.

    Args:
        tree: The questionnaire.
        answers: Key of the answer by question; each one an answer that the question accepts.

    Returns:
        Its name and itself; None at the end.
    """
    name: str | None = tree.start
    while name is not None:
        question = tree.questions[name]
        answer = question.accept(answers[name]) if name in answers else None
        if answer is None:
            return name, question
        name = answer.next
    return None


def follow(
    tree: Tree, answers: Mapping[str, str], *, known: Mapping[str, str] | None = None, where: str = "answers"
) -> Outcome:
    """Follow answers from the first question to the end.

    Args:
        tree: The questionnaire.
        answers: Key of the answer by question.
        known: Answers that the parameters already give.
        where: Where the answers stand, for messages.

    Returns:
        Metrics and path.

    Raises:
        AnswersError: An answer is unknown or missing, belongs to an unknown question or to one that the other
            answers do not lead to, or contradicts what is known.
    """
    known = dict(known or {})
    _check_known_words(tree, answers, known, where)
    given = {**known, **answers}
    path: list[tuple[str, Question, Answer]] = []
    name: str | None = tree.start
    while name is not None:
        question = tree.questions[name]
        if name not in given:
            raise _missing(name, question, where)
        answer = question.accept(given[name])
        assert answer is not None, "checked above"  # noqa: S101 - for the type checker
        path.append((name, question, answer))
        name = answer.next
    if unused := [name for name in answers if name not in {step[0] for step in path} and name not in known]:
        raise AnswersError(
            f"The other answers do not lead to the question '{unused[0]}'.",
            where=where,
            how_many=f"{len(unused)} answers nobody asked for" if len(unused) > 1 else None,
            example=f"the way they take: {', '.join(f'{n}: {a.key}' for n, _, a in path)}",
            remedy=f"take '{unused[0]}' out, or change the answer that leads past it",
        )
    return _conclude(path, known)


def read_answers(path: str | Path) -> dict[str, str]:
    """Read a file of answers: ``question: answer`` in YAML.

    Args:
        path: The file.

    Returns:
        What it says; ``yes`` and ``no`` may stand without quotes.

    Raises:
        AnswersError: It cannot be read, is no mapping of words to words, or answers a question twice.
    """
    try:
        content = read_yaml(Path(path).read_text(encoding="utf-8-sig"))
        return TypeAdapter(dict[str, str]).validate_python(
            {name: _undo_yaml(answer) for name, answer in content.items()}, strict=True
        )
    except (OSError, UnicodeDecodeError, yaml.YAMLError, AttributeError, ValidationError) as error:
        raise AnswersError(
            "The file of answers cannot be read.",
            where=str(path),
            example=str(error).splitlines()[0] if isinstance(error, OSError | UnicodeDecodeError) else str(error),
            remedy="write one 'question: answer' on each line; docs/choosing_a_metric.md has an example",
        ) from None


def _conclude(path: Sequence[tuple[str, Question, Answer]], known: Mapping[str, str]) -> Outcome:
    steps = tuple(
        Step(
            question=name,
            answer=answer.key,
            asked=question.text,
            means=answer.text,
            answered_by="parameters" if name in known else "person",
        )
        for name, question, answer in path
    )
    return Outcome(
        metrics=tuple(dict.fromkeys(metric for _, _, answer in path for metric in answer.metrics)),
        path=steps,
        task=next((answer.task for _, _, answer in path if answer.task), None),
        notes=tuple(answer.note for _, _, answer in path if answer.note),
    )


def _check_known_words(tree: Tree, answers: Mapping[str, str], known: Mapping[str, str], where: str) -> None:
    for name, said in answers.items():
        if name not in tree.questions:
            raise AnswersError(
                f"There is no question '{name}'.",
                where=where,
                example=_suggest(name, tree.questions),
                remedy="name a question as docs/choosing_a_metric.md does",
            )
        question = tree.questions[name]
        answer = question.accept(said)
        if answer is None:
            raise AnswersError(
                f"'{said}' is no answer to '{name}'.",
                where=where,
                example=f"{question.text} Answers: {question.list_keys()}",
                remedy="take one of these answers",
            )
        if name in known and answer.key != known[name]:
            raise AnswersError(
                f"'{name}: {answer.key}' contradicts the parameters, which say '{known[name]}'.",
                where=where,
                remedy="mend whichever is wrong; the estimator in the parameters decides the task",
            )


def _missing(name: str, question: Question, where: str) -> AnswersError:
    return AnswersError(
        f"The answer to '{name}' is missing.",
        where=where,
        example=f"{question.text} Answers: {question.list_keys()}",
        remedy=f"add '{name}: ' with one of these answers",
    )


def _suggest(name: str, questions: Iterable[str]) -> str:
    names = list(questions)
    meant = get_close_matches(name, names, n=1)
    return f"did you mean '{meant[0]}'?" if meant else f"questions: {', '.join(names)}"


def _undo_yaml(answer: Any) -> Any:
    """YAML reads a bare yes or no as true or false."""
    return {True: "yes", False: "no"}[answer] if isinstance(answer, bool) else answer
