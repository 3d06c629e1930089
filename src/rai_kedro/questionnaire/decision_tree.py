"""The form of the questionnaire's tree.

The tree is data (``questionnaire.yml``). It follows the published decision tree for choosing a group-fairness metric,
in words of its own, with that table's defects mended and with branches for individuals and for amounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from rai_kedro.fairness.metrics import Task

Text = Annotated[str, Field(min_length=1)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Answer(_Frozen):
    """One answer that is offered, and thereby accepted.

    Attributes:
        key: What is typed and recorded.
        text: What it means, in words.
        metrics: Metrics that it adds to the result, the main one first.
        next: The question that follows; None ends the questionnaire.
        task: Task that the answer says the model has.
        note: What the person should know of this choice.
    """

    key: Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")]
    text: Text
    metrics: tuple[str, ...] = ()
    next: str | None = None
    task: Task | None = None
    note: str = ""


class Question(_Frozen):
    """One question.

    Attributes:
        text: The question.
        example: What it means in a real case.
        why: Why it is asked.
        answers: The answers offered.
        published: Number in the published table; None for our own.
    """

    text: Text
    example: Text
    why: Text
    answers: tuple[Answer, ...]
    published: int | None = None

    def accept(self, said: str) -> Answer | None:
        """Return the answer with this key, upper or lower case, blanks and hyphens as underscores; else None."""
        key = re.sub(r"[\s-]+", "_", said.strip().lower())
        return next((answer for answer in self.answers if answer.key == key), None)

    def list_keys(self) -> str:
        """Return the keys that are accepted, for messages."""
        return ", ".join(answer.key for answer in self.answers)


class Tree(_Frozen):
    """All questions by name, and the first one."""

    start: str
    questions: dict[str, Question]

    def find_task_answer(self, task: Task) -> dict[str, str]:
        """Return the question about the task with the answer that says this one; empty if nobody asks for it."""
        for name, question in self.questions.items():
            for answer in question.answers:
                if answer.task == task:
                    return {name: answer.key}
        return {}


Path: TypeAlias = tuple[tuple[str, Answer], ...]
"""One way through the tree: question and answer, from the start to the end."""


def list_paths(tree: Tree) -> list[Path]:
    """Return every way through a tree without circles, as (question name, answer) from the start to the end."""

    def walk(name: str | None, path: Path) -> Iterator[Path]:
        if name is None or name not in tree.questions:
            yield path
            return
        for answer in tree.questions[name].answers:
            yield from walk(answer.next, (*path, (name, answer)))

    return list(walk(tree.start, ()))
