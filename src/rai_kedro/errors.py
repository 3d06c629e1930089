"""The one shape of every error that a user of this project is meant to read."""

from __future__ import annotations

from typing import Any

from rai_kedro.words import make_visible


class RaiError(Exception):
    """An error that fits on one screen: what, where, how many, an example, what to do next.

    Args:
        what: One sentence that says what is wrong, in the user's words.
        where: The file, dataset, column or setting in which it was found.
        how_many: How much of the data is touched, e.g. ``"3 of 506 rows"``.
        example: One offending value, row or line.
        remedy: What the reader does next; a command where there is one.
    """

    def __init__(
        self,
        what: str,
        *,
        remedy: str,
        where: str | None = None,
        how_many: str | None = None,
        example: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.how_many = how_many
        self.example = example
        self.remedy = remedy

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
        return _rebuild, (type(self), self.what, dict(self.__dict__))


def _show(text: str) -> str:
    """Keep the line breaks of a part, and show what from the data would show nothing or act on the terminal."""
    return "\n".join(make_visible(line) for line in text.split("\n"))


def _rebuild(kind: type[RaiError], what: str, state: dict[str, Any]) -> RaiError:
    error = kind.__new__(kind)
    Exception.__init__(error, what)
    error.__dict__.update(state)
    return error
