"""What a person reads of a command: folded to the terminal's width and coloured there, as it is everywhere else."""

from __future__ import annotations

import logging
import re
import sys
import textwrap
from typing import TYPE_CHECKING, TextIO

import click

if TYPE_CHECKING:
    from rich.console import Console

# What is folded goes on under its last column, unless that begins so far right that little room is left.
_GAP = re.compile(r"\S {2,}(?=\S)")
_FURTHEST = 0.6
_NARROWEST = 40
# A command is copied whole: broken over lines a shell would take it for several.
_COPIED = re.compile(r"(?:\.venv/bin/)?(?:rai-)?kedro ")
_STYLES = {
    r"\b(?:fail|alarm|NOT SOUND|MISSING|The run stopped\.)(?!\w)": "bold red",
    r"\b(?:insufficient evidence|watch|not assessed|needs an accepted risk|could not be evaluated)\b": "yellow",
    r"(?<=\s)(?:pass|ok)(?=\s|$)|^(?:pass|ok)$|\bthe chain is whole\b": "green",
    r"^ +(?:where|how many|example|do next):|^(?:use case \S+|Next:)$": "bold",
}


def show(text: str, *, err: bool = False) -> None:
    """Print lines for a person; colour and width are those of the terminal, and neither is added anywhere else."""
    stream = sys.stderr if err else sys.stdout
    click.echo(paint(text, stream) if stream.isatty() else text, err=err, color=True if stream.isatty() else None)


def paint(text: str, stream: TextIO) -> str:
    """Return lines as the terminal of a stream is to show them; NO_COLOR leaves them without colour."""
    from rich.console import Console
    from rich.text import Text

    console: Console = Console(file=stream, highlight=False)
    with console.capture() as shown:
        for line in text.split("\n"):
            painted = Text(fold(line, console.width))
            for words, style in ({} if console.no_color else _STYLES).items():
                painted.highlight_regex(words, style)
            console.print(painted, soft_wrap=True)
    return shown.get().removesuffix("\n")


def fold(line: str, width: int) -> str:
    """Break a line between words; what follows stands under its last column. A command is left in one piece."""
    if len(line) <= width or width < _NARROWEST:
        return line
    indent = len(line) - len(line.lstrip())
    gaps = [gap.end() for gap in _GAP.finditer(line) if gap.end() <= width * _FURTHEST]
    column = gaps[-1] if gaps else indent + 2
    if _COPIED.match(line[gaps[-1] if gaps else indent :]):
        return line
    return textwrap.fill(
        line, width, subsequent_indent=" " * column, break_long_words=False, break_on_hyphens=False, tabsize=4
    )


class TerminalFormatter(logging.Formatter):
    """Lays out the lines of a run's log for a terminal, after another formatter has made them."""

    def __init__(self, plain: logging.Formatter, stream: TextIO) -> None:
        super().__init__()
        self._plain, self._stream = plain, stream

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as the terminal is to show it."""
        return paint(self._plain.format(record), self._stream)
