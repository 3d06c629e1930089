"""The questionnaire as a conversation: one question at a time, over any pair of reading and writing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from textwrap import fill, indent

from rai_kedro.questionnaire.answers import Outcome, follow, next_question
from rai_kedro.questionnaire.tree import Answer, Question, Tree

Read = Callable[[str], str]
Write = Callable[[str], None]

PROMPT = "> "
_WIDTH = 100


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
