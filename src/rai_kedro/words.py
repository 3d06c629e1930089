"""Numbers, intervals and days as a reader wants them: no more digits than are known."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Protocol

# Outside this range a plain decimal number is longer than its power of ten.
_PLAIN_FROM, _PLAIN_TO = 1e-4, 1e9
# Below this, three decimals say too little.
_DECIMALS_FROM = 0.01
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
# What the tag of the commit ends with where the code had changed since.
UNCOMMITTED = " with uncommitted changes"
# What acts as markup inside a line or cell; an interval's brackets and a column's underscore do not.
_MARKDOWN = re.compile(r"([\\`*|~]|\](?=[(\[:])|(?<!\w)_|_(?!\w))")
_SPACES = re.compile(r"\s+")
NOT_KNOWN = "–"  # noqa: RUF001 - the dash of an empty table cell
_LEAST_SHARE = 0.001


class Measured(Protocol):
    """Anything with a figure and the two ends of its interval, each None where it is not known."""

    @property
    def value(self) -> float | None:
        """The figure."""

    @property
    def lower(self) -> float | None:
        """Lower end of its interval."""

    @property
    def upper(self) -> float | None:
        """Upper end of its interval."""


def format_number(value: float | None, digits: int = 3) -> str:
    """Write a number with so many significant digits, whole digits never rounded away; a dash for None.

    For example ``"3.33"``, ``"12,258"``, ``"0.000172"``, and ``"1.72 x 10⁻⁵"`` with a real multiplication sign.
    """
    if value is None or not math.isfinite(value):
        return NOT_KNOWN
    if value == 0:
        return "0"
    if not _PLAIN_FROM <= abs(value) < _PLAIN_TO:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"  # noqa: RUF001 - a multiplication sign is meant
    decimals = max(0, digits - 1 - _magnitude(abs(value)))
    return f"{value:,.{0 if float(value).is_integer() else decimals}f}"


def format_interval(estimate: Measured) -> str:
    """Write a figure with its interval, all three numbers to the same digits: ``"3.33 [2.90, 3.78]"``.

    Three digits of the largest number, at most three decimals, more only where the interval is so narrow that its ends
    would look alike. Where there is no figure, ``"not defined"``.
    """
    value, lower, upper = estimate.value, estimate.lower, estimate.upper
    if value is None:
        return "not defined"
    if lower is None or upper is None:
        return format_number(value)
    largest, half_width = max(abs(value), abs(lower), abs(upper)), (upper - lower) / 2
    if largest < _DECIMALS_FROM:
        return f"{format_number(value)} [{format_number(lower)}, {format_number(upper)}]"
    decimals = max(0, min(3, 2 - _magnitude(largest)))
    if half_width > 0:
        decimals = max(decimals, 1 - _magnitude(half_width))
    return f"{value:,.{decimals}f} [{lower:,.{decimals}f}, {upper:,.{decimals}f}]"


def format_span(span: Measured | None) -> str:
    """Write a figure with its interval; a dash where there is none at all."""
    return NOT_KNOWN if span is None else format_interval(span)


def format_gain(gain: Measured) -> str:
    """Write a gain with its sign, to a thousandth or three digits of a larger: ``"-0.004 [-0.012, +0.004]"``."""
    known = [number for number in (gain.value, gain.lower, gain.upper) if number is not None]
    if gain.value is None:
        return NOT_KNOWN
    # A gain of less than a thousandth is none.
    numbers = [f"{number:+.3f}" if max(map(abs, known)) < 1 else f"{number:+.3g}" for number in known]
    return numbers[0] if len(numbers) <= 1 else f"{numbers[0]} [{', '.join(numbers[1:])}]"


def _magnitude(value: float) -> int:
    return math.floor(math.log10(value))


def format_share(share: float | None) -> str:
    """Write a share as per cent: ``"0 %"``, ``"2.4 %"``, ``"< 0.1 %"``; ``None`` becomes a dash."""
    if share is None or not math.isfinite(share):
        return NOT_KNOWN
    if 0 < share < _LEAST_SHARE:
        return "< 0.1 %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")


def write_parameters(parameters: Mapping[str, Any]) -> str:
    """Write parameters as ``name=value`` with commas between."""
    return ", ".join(f"{name}={value}" for name, value in parameters.items())


def in_words(name: str) -> str:
    """Write a name of the program as people do: a verdict, a method, a model."""
    return name.replace("_", " ")


def list_some(names: Sequence[str], most: int) -> str:
    """Return the first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def count_of(number: int, noun: str) -> str:
    """Write a number with its noun: ``"1 disparity"``, ``"3 disparities"``, ``"1,200 rows"``."""
    if number != 1:
        noun = f"{noun.removesuffix('y')}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number:,} {noun}"


def begin_sentence(text: str) -> str:
    """Return the text with a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def format_moment(moment: str) -> str:
    """Write an ISO 8601 moment to the minute, with its time zone: ``"2024-05-01 12:00 UTC"``."""
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M %Z}".strip()


def describe_validity(until: date, today: date) -> str:
    """Say how long a justification holds: ``"until 2024-12-31 (244 days left)"``, ``"EXPIRED on 2024-01-31"``."""
    days = (until - today).days
    if days < 0:
        return f"EXPIRED on {until}"
    return f"until {until} ({days} {'day' if days == 1 else 'days'} left)"


# Letters by their category that nobody sees, and marks that leave no trace; Unicode calls none of them invisible.
_UNSEEN = {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}


def make_visible(text: str) -> str:
    r"""Write out what a terminal or page would obey or hide instead of showing it, as Python does: ``"\x1b[2J"``.

    Control characters and escape codes can fake lines, bidirectional marks can turn words round, and zero-width
    characters can hide in a name.
    """
    return "".join(
        character.encode("unicode_escape").decode("ascii") if _is_hidden(character) else character for character in text
    )


def find_hidden(text: str) -> str | None:
    """Return the first character that is not shown as itself, written out; None if there is none."""
    return next((make_visible(character) for character in text if _is_hidden(character)), None)


def has_letters(text: str) -> bool:
    """Say whether there is a letter in the text that a reader sees."""
    return any(unicodedata.category(one).startswith("L") and not _is_hidden(one) for one in text)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or ord(character) in _UNSEEN


def escape_html(text: object) -> str:
    """Make a text from the data safe in HTML, quotes included, and in what plotly shows."""
    return html.escape(show_plainly(text))


def write_html_table(head: Sequence[str], rows: Iterable[Sequence[object]], notes: Iterable[str] = ()) -> str:
    """Write a table for a notebook, with a paragraph below it for each note."""
    lines = ["".join(f"<td>{escape_html(cell)}</td>" for cell in row) for row in rows]
    table = "".join(f"<tr>{line}</tr>" for line in ["".join(f"<th>{name}</th>" for name in head), *lines])
    return f"<table>{table}</table>" + "".join(f"<p>{escape_html(note)}</p>" for note in notes)


def escape_markdown(text: object) -> str:
    """Make a text from the data safe inside a line or cell of Markdown that may also be read as HTML."""
    return _MARKDOWN.sub(r"\\\1", html.escape(show_plainly(text), quote=False))


def show_plainly(text: object) -> str:
    """Return a text in one line in which every character is seen; a line break is a space."""
    return make_visible(_SPACES.sub(" ", str(text)))
