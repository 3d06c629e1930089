"""The questionnaire's tree: its form, and the rules that a sound one fulfils; one that breaks a rule is never asked.

The tree is data (``questionnaire.yml``). It follows the published decision tree for choosing a group-fairness metric,
in words of its own, with that table's defects mended and with branches for individuals and for amounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from typing import Annotated, TypeAlias

from pydantic import Field

from rai_kedro.errors import RaiError
from rai_kedro.fairness import METRICS, Metric, Task
from rai_kedro.questionnaire.mapping import Text, load_mapping, read_own, read_sound
from rai_kedro.typed import Typed


class Answer(Typed):
    """One answer that is offered, and thereby accepted."""

    key: Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")]  # what is typed and recorded
    text: Text
    metrics: tuple[str, ...] = ()  # that it adds to the result, the main one first
    next: str | None = None  # the question that follows; None ends the questionnaire
    task: Task | None = None  # that the answer says the model has
    note: str = ""  # what the person should know of this choice


class Question(Typed):
    """One question, what it means in a real case, and why it is asked."""

    text: Text
    example: Text
    why: Text
    answers: tuple[Answer, ...]
    published: int | None = None  # number in the published table; None for our own

    def accept(self, said: str) -> Answer | None:
        """Return the answer with this key, upper or lower case, blanks and hyphens as underscores; else None."""
        key = re.sub(r"[\s-]+", "_", said.strip().lower())
        return next((answer for answer in self.answers if answer.key == key), None)

    def list_keys(self) -> str:
        """Return the keys that are accepted, for messages."""
        return ", ".join(answer.key for answer in self.answers)

    def ask(self) -> str:
        """Return the question with the answers it takes, for messages."""
        return f"{self.text} Answers: {self.list_keys()}"


class Tree(Typed):
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


# A way through the tree: question and answer, from the start to the end.
Way: TypeAlias = tuple[tuple[str, Answer], ...]
# What can be typed beside an answer, and therefore is none.
COMMANDS = ("back", "why", "quit")


def find_task(path: Way) -> Task | None:
    """Return the task that the answers of a path say the model has; None where none says."""
    return next((answer.task for _, answer in path if answer.task), None)


def list_paths(tree: Tree) -> list[Way]:
    """Return every way through a tree without circles, as (question name, answer) from the start to the end."""

    def walk(name: str | None, path: Way) -> Iterator[Way]:
        if name is None or name not in tree.questions:
            yield path
            return
        for answer in tree.questions[name].answers:
            yield from walk(answer.next, (*path, (name, answer)))

    return list(walk(tree.start, ()))


class QuestionnaireError(RaiError):
    """The questionnaire itself is wrong: its form, or a rule that a sound tree fulfils."""


@dataclass(frozen=True)
class Fault:
    """A rule that the tree breaks, and where."""

    rule: str
    where: str
    what: str


@cache
def load_tree() -> Tree:
    """Return the project's own questionnaire, checked against the metrics that are computed and mapped."""
    return read_tree(read_own("questionnaire"), computed=METRICS, mapped=load_mapping().metrics)


def read_tree(text: str, *, computed: Mapping[str, Metric], mapped: frozenset[str]) -> Tree:
    """Read a questionnaire from YAML and refuse one that is not sound.

    Args:
        text: The YAML.
        computed: Metrics that are computed, by name.
        mapped: Metrics for which the mapping says what can be done.

    Raises:
        QuestionnaireError: It has not the right form, or breaks a rule; the first fault is named.
    """

    def tell_faults(tree: Tree) -> list[str]:
        return [f"{fault.where}: {fault.what}" for fault in find_faults(tree, computed=computed, mapped=mapped)]

    return read_sound(text, "questionnaire", Tree, QuestionnaireError, tell_faults)


def find_faults(tree: Tree, *, computed: Mapping[str, Metric], mapped: frozenset[str]) -> list[Fault]:
    """Check every rule; those about whole paths are left out while the tree has a circle."""
    circles = list(_find_circle(tree))
    faults = list(_check_questions(tree, computed, mapped))
    if not circles:
        paths = list_paths(tree)
        reached = {name for path in paths for name, _ in path}
        lost = sorted(set(tree.questions) - reached)
        faults += [Fault("unreachable", name, f"no answer leads to '{name}'") for name in lost]
        faults += [fault for path in paths for fault in _check_path(path, computed)]
    return list(dict.fromkeys([*faults, *circles]))


def _find_circle(tree: Tree) -> Iterator[Fault]:
    following = {name: [one.next for one in question.answers if one.next] for name, question in tree.questions.items()}
    try:
        TopologicalSorter(following).prepare()
    except CycleError as error:
        circle = error.args[1][::-1]
        yield Fault("cycle", circle[0], f"the answers go round: {' -> '.join(circle)}")


def _check_questions(tree: Tree, computed: Mapping[str, Metric], mapped: frozenset[str]) -> Iterator[Fault]:
    if tree.start not in tree.questions:
        yield Fault("unknown_start", tree.start, f"it starts with '{tree.start}', which is no question")
    for name, question in tree.questions.items():
        keys = [answer.key for answer in question.answers]
        if len(keys) <= 1:
            yield Fault("too_few_answers", name, f"'{name}' offers no choice")
        for key in sorted({key for key in keys if keys.count(key) > 1 or key in COMMANDS}):
            yield Fault("ambiguous_answer", f"{name}, {key}", f"'{key}' stands for two things")
        for answer in question.answers:
            where = f"{name}, {answer.key}"
            if answer.next is not None and answer.next not in tree.questions:
                yield Fault("unknown_next", where, f"'{answer.key}' leads to '{answer.next}', no question")
            for metric in answer.metrics:
                if metric not in computed:
                    yield Fault("unknown_metric", where, f"'{metric}' is not computed")
                if metric not in mapped:
                    yield Fault("unmapped_metric", where, f"'{metric}' is not in the mapping")


def _check_path(path: Way, computed: Mapping[str, Metric]) -> Iterator[Fault]:
    if not path:
        return
    where = ", ".join(f"{name} {answer.key}" for name, answer in path)
    metrics = [metric for _, answer in path for metric in answer.metrics]
    if not metrics:
        yield Fault("dead_end", where, "the path ends without a metric")
    task = find_task(path)
    for metric in (name for name in metrics if name in computed):
        tasks = computed[metric].tasks
        if not ({task} if task else {"classification", "regression"}) <= set(tasks):
            yield Fault("wrong_task", where, f"'{metric}' does not fit {task or 'every task'}")
