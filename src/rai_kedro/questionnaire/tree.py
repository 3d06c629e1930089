"""The questionnaire's tree: its form, and the rules that a sound one fulfils; one that breaks a rule is never asked.

The tree is data (``questionnaire.yml``). It follows the published decision tree for choosing a group-fairness metric,
in words of its own, with that table's defects mended and with branches for individuals and for amounts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Literal, TypeAlias

import yaml
from pydantic import Field, StringConstraints, ValidationError

from rai_kedro.errors import RaiError
from rai_kedro.fairness import METRICS, Metric, Task
from rai_kedro.questionnaire.mapping import load_mapping
from rai_kedro.typed import Typed
from rai_kedro.yaml_files import read_yaml

Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


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


# One way through the tree: question and answer, from the start to the end.
Path: TypeAlias = tuple[tuple[str, Answer], ...]
# What can be typed beside an answer, and therefore is none.
COMMANDS = ("back", "why", "quit")


def list_paths(tree: Tree) -> list[Path]:
    """Return every way through a tree without circles, as (question name, answer) from the start to the end."""

    def walk(name: str | None, path: Path) -> Iterator[Path]:
        if name is None or name not in tree.questions:
            yield path
            return
        for answer in tree.questions[name].answers:
            yield from walk(answer.next, (*path, (name, answer)))

    return list(walk(tree.start, ()))


Rule: TypeAlias = Literal[
    "unknown_start",
    "unknown_next",
    "dead_end",
    "unreachable",
    "cycle",
    "unknown_metric",
    "unmapped_metric",
    "wrong_task",
    "too_few_answers",
    "ambiguous_answer",
]


class QuestionnaireError(RaiError):
    """The questionnaire itself is wrong: its form, or a rule that a sound tree fulfils."""


@dataclass(frozen=True)
class Fault:
    """A rule that the tree breaks, and where."""

    rule: Rule
    where: str
    what: str


@cache
def load_tree() -> Tree:
    """Return the project's own questionnaire, checked against the metrics that are computed and mapped."""
    text = resources.files("rai_kedro.questionnaire").joinpath("questionnaire.yml").read_text(encoding="utf-8")
    return read_tree(text, computed=METRICS, mapped=load_mapping().metrics)


def read_tree(text: str, *, computed: Mapping[str, Metric], mapped: frozenset[str]) -> Tree:
    """Read a questionnaire from YAML and refuse one that is not sound.

    Args:
        text: The YAML.
        computed: Metrics that are computed, by name.
        mapped: Metrics for which the mapping says what can be done.

    Raises:
        QuestionnaireError: It has not the right form, or breaks a rule; the first fault is named.
    """
    try:
        tree = Tree.model_validate(read_yaml(text))
    except (yaml.YAMLError, ValidationError) as error:
        raise QuestionnaireError(
            "The questionnaire cannot be read.",
            where="questionnaire/questionnaire.yml",
            example=str(error),
            remedy="its first lines say what a question consists of",
        ) from None
    if faults := find_faults(tree, computed=computed, mapped=mapped):
        raise QuestionnaireError(
            f"The questionnaire is not sound: {faults[0].what}.",
            where=f"questionnaire/questionnaire.yml, {faults[0].where}",
            how_many=f"{len(faults)} faults, this is the first" if len(faults) > 1 else None,
            remedy="mend the tree; nobody should be led astray by it",
        )
    return tree


def find_faults(tree: Tree, *, computed: Mapping[str, Metric], mapped: frozenset[str]) -> list[Fault]:
    """Check every rule; those about whole paths are left out while the tree has a circle."""
    faults = [*_check_links(tree), *_check_answers(tree), *_check_metrics(tree, computed, mapped)]
    circles = list(_find_circles(tree))
    if not circles:
        faults += [fault for path in list_paths(tree) for fault in _check_path(path, computed)]
    return list(dict.fromkeys([*faults, *circles]))


def _check_links(tree: Tree) -> Iterator[Fault]:
    if tree.start not in tree.questions:
        yield Fault("unknown_start", tree.start, f"it starts with '{tree.start}', which is no question")
    for name, question in tree.questions.items():
        for key, following in ((answer.key, answer.next) for answer in question.answers):
            if following is not None and following not in tree.questions:
                yield Fault("unknown_next", f"{name}, {key}", f"'{key}' leads to '{following}', no question")
    for name in sorted(set(tree.questions) - _find_reachable(tree)):
        yield Fault("unreachable", name, f"no answer leads to '{name}'")


def _find_reachable(tree: Tree) -> set[str]:
    reached: set[str] = set()
    open_ends = [tree.start]
    while open_ends:
        name = open_ends.pop()
        if name in tree.questions and name not in reached:
            reached.add(name)
            open_ends += [answer.next for answer in tree.questions[name].answers if answer.next]
    return reached


def _find_circles(tree: Tree) -> Iterator[Fault]:
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> Iterator[Fault]:
        if name in above:
            circle = " -> ".join([*above[above.index(name) :], name])
            yield Fault("cycle", name, f"the answers go round: {circle}")
        elif name in tree.questions and name not in done:
            for answer in tree.questions[name].answers:
                if answer.next:
                    yield from visit(answer.next, (*above, name))
            done.add(name)

    for name in tree.questions:
        yield from visit(name, ())


def _check_answers(tree: Tree) -> Iterator[Fault]:
    for name, question in tree.questions.items():
        keys = [answer.key for answer in question.answers]
        if len(keys) <= 1:
            yield Fault("too_few_answers", name, f"'{name}' offers no choice")
        for key in sorted({key for key in keys if keys.count(key) > 1 or key in COMMANDS}):
            yield Fault("ambiguous_answer", f"{name}, {key}", f"'{key}' stands for two things")


def _check_metrics(tree: Tree, computed: Mapping[str, Metric], mapped: frozenset[str]) -> Iterator[Fault]:
    for name, question in tree.questions.items():
        for answer in question.answers:
            for metric in answer.metrics:
                where = f"{name}, {answer.key}"
                if metric not in computed:
                    yield Fault("unknown_metric", where, f"'{metric}' is not computed")
                if metric not in mapped:
                    yield Fault("unmapped_metric", where, f"'{metric}' is not in the mapping")


def _check_path(path: Path, computed: Mapping[str, Metric]) -> Iterator[Fault]:
    if not path:
        return
    where = ", ".join(f"{name} {answer.key}" for name, answer in path)
    metrics = [metric for _, answer in path for metric in answer.metrics]
    if not metrics:
        yield Fault("dead_end", where, "the path ends without a metric")
    task = next((answer.task for _, answer in path if answer.task), None)
    for metric in (name for name in metrics if name in computed):
        tasks = computed[metric].tasks
        if not ({task} if task else {"classification", "regression"}) <= set(tasks):
            yield Fault("wrong_task", where, f"'{metric}' does not fit {task or 'every task'}")
