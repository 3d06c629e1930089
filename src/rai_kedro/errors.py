"""The one shape of every error that a user of this project is meant to read."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Any

from rai_kedro.words import make_visible


@dataclass(eq=False, repr=False)
class RaiError(Exception):
    """An error that fits on one screen: what, where, how many, an example, what to do next."""

    what: str  # one sentence that says what is wrong, in the user's words
    _: KW_ONLY
    remedy: str  # what the reader does next; a command where there is one
    where: str | None = None  # the file, dataset, column or setting in which it was found
    how_many: str | None = None  # how much of the data is touched, e.g. "3 of 506 rows"
    example: str | None = None  # one offending value, row or line

    def __post_init__(self) -> None:
        """Let it be an exception with this sentence."""
        super().__init__(self.what)

    def __str__(self) -> str:
        """Return the error as a few labelled lines; absent parts are left out."""
        parts = {
            "where": self.where,
            "how many": self.how_many,
            "example": self.example,
            "do next": self.remedy,
        }
        lines = [f"  {label + ':':<10}{_show(text)}" for label, text in parts.items() if text]
        return "\n".join([_show(self.what), *lines])

    def __reduce__(self) -> tuple[Any, ...]:
        """Survive the trip out of a worker process, which keyword-only arguments would break."""
        return type(self).__new__, (type(self), self.what), dict(self.__dict__)


def _show(text: str) -> str:
    """Keep the line breaks of a part, and show what from the data would show nothing or act on the terminal."""
    return "\n".join(make_visible(line) for line in text.split("\n"))
