"""Periods as text, the one form in which the project writes, compares and counts them.

A month is ``2024-05``, a week (ISO 8601) ``2024-W18``, a quarter ``2024-Q2``, a year ``2024``: the text says which of
them it is, and texts of one kind sort by time. A use case has periods of one kind. Names say *month*, which is the
usual one; what people read says what it is (:func:`say_period`).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import AfterValidator, BeforeValidator

Period: TypeAlias = Literal["month", "week", "quarter", "year"]
PERIODS: tuple[Period, ...] = get_args(Period)
PERIOD_FORMS = "2024-05 (month), 2024-W18 (week), 2024-Q2 (quarter) or 2024 (year)"
"""How a period is written, for whoever is asked for one."""
_FORMS: dict[Period, re.Pattern[str]] = {
    "month": re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII),
    "week": re.compile(r"(\d{4})-W(0[1-9]|[1-4]\d|5[0-3])", re.ASCII),
    "quarter": re.compile(r"(\d{4})-Q([1-4])", re.ASCII),
    "year": re.compile(r"(\d{4})()", re.ASCII),
}
_PER_YEAR: dict[Period, int] = {"month": 12, "quarter": 4, "year": 1}
_KEY = "month="
_WORDS = re.compile(r"\b([Mm])onth(s|ly)?\b")


def find_period(text: str) -> Period | None:
    """Return of which kind a period is, by its text; None if it is none."""
    kind = next((one for one, form in _FORMS.items() if form.fullmatch(text)), None)
    if kind == "week":
        try:
            date.fromisocalendar(int(text[:4]), int(text[6:]), 1)
        except ValueError:  # most years have no 53rd
            return None
    return kind if text[:4] != "0000" else None


def is_month(text: str) -> bool:
    """Return whether a text is a period: a month as YYYY-MM, or a week, quarter or year."""
    return find_period(text) is not None


def check_month(text: str) -> str:
    """Return the period, or raise ``ValueError`` if it is not written as one."""
    if not is_month(text):
        raise ValueError(f"{text!r} is not a month: write it as YYYY-MM, or what the stores hold by: {PERIOD_FORMS}")
    return text


def _as_text(value: Any) -> Any:
    # YAML reads 2024 as a number.
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Month = Annotated[str, BeforeValidator(_as_text), AfterValidator(check_month)]


def months_from(first: str, count: int) -> tuple[str, ...]:
    """Return so many periods in order, beginning with the first."""
    kind, start = _number(first)
    return tuple(_write(kind, number) for number in range(start, start + count))


def months_between(first: str, last: str) -> tuple[str, ...]:
    """Return every period from first to last, both included; none if the last lies before the first."""
    return months_from(first, month_number(last, first))


def month_number(month: str, first: str) -> int:
    """Return the number of a period counted from the first one, which is 1; ``ValueError`` if they are not alike."""
    (kind, number), (of_first, start) = _number(month), _number(first)
    if kind != of_first:
        raise ValueError(f"{first} is a {of_first} and {month} a {kind}: a use case has periods of one kind")
    return number - start + 1


def month_start(month: str) -> datetime:
    """Return midnight of the first day (UTC)."""
    kind, number = _number(month)
    if kind == "week":
        first = date.fromordinal(7 * number + 1)
    else:
        parts = _PER_YEAR[kind]
        first = date(number // parts, number % parts * (12 // parts) + 1, 1)
    return datetime(first.year, first.month, first.day, tzinfo=UTC)


def month_end(month: str) -> date:
    """Return the last day."""
    return (month_start(months_from(month, 2)[1]) - timedelta(days=1)).date()


def key_of_month(month: str) -> str:
    """Return the key of a period in a store: ``month=2024-05``, ``month=2024-W18``."""
    return f"{_KEY}{month}"


def month_of_key(key: str) -> str:
    """Return the period that a key of a store begins with: ``month=2024-05/model_version=3`` gives ``2024-05``."""
    return key.partition("/")[0].removeprefix(_KEY)


def word_period(months: tuple[str, ...]) -> str:
    """Say which periods in a row are meant: ``2024-05``, or ``2024-05 to 2024-07``."""
    return months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"


def say_period(text: str, month: str | Period) -> str:
    """Put the right word for *month* into a sentence of the program; never into one that holds names or values of data.

    Args:
        text: The sentence, worded for months.
        month: A period, whose kind is meant, or the kind.
    """
    kind = month if month in PERIODS else find_period(month) or "month"
    if kind == "month":
        return text
    return _WORDS.sub(lambda found: (kind.capitalize() if found[1] == "M" else kind) + (found[2] or ""), text)


def _number(month: str) -> tuple[Period, int]:
    """Count periods of a kind since the beginning of the calendar."""
    kind = find_period(check_month(month))
    if kind is None or kind == "week":
        return "week", date.fromisocalendar(int(month[:4]), int(month[6:]), 1).toordinal() // 7
    return kind, int(month[:4]) * _PER_YEAR[kind] + int(month[5:].lstrip("Q") or 1) - 1


def _write(kind: Period, number: int) -> str:
    if kind == "week":
        year, week, _ = date.fromordinal(7 * number + 1).isocalendar()
        return f"{year:04d}-W{week:02d}"
    year, part = divmod(number, _PER_YEAR[kind])
    return {"month": f"{year:04d}-{part + 1:02d}", "quarter": f"{year:04d}-Q{part + 1}"}.get(kind, f"{year:04d}")
