"""Calendar months as text, ``YYYY-MM``: the one form in which the project writes, compares and counts them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
_KEY = "month="


def is_month(text: str) -> bool:
    """Return whether a text is a month as YYYY-MM."""
    return _MONTH.fullmatch(text) is not None


def check_month(text: str) -> str:
    """Return the month, or raise ``ValueError`` if it is not written as YYYY-MM."""
    if not is_month(text):
        raise ValueError(f"{text!r} is not a month: write it as YYYY-MM, e.g. 2024-05")
    return text


Month = Annotated[str, AfterValidator(check_month)]


def months_from(first: str, count: int) -> tuple[str, ...]:
    """Return so many months in order, beginning with the first."""
    start = _ordinal(first)
    return tuple(f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(start, start + count))


def months_between(first: str, last: str) -> tuple[str, ...]:
    """Return every month from first to last, both included; none if the last lies before the first."""
    return months_from(first, _ordinal(last) - _ordinal(first) + 1)


def month_number(month: str, first: str) -> int:
    """Return the number of a month counted from the first one, which is 1."""
    return _ordinal(month) - _ordinal(first) + 1


def month_start(month: str) -> datetime:
    """Return midnight of the first day (UTC)."""
    return datetime.strptime(check_month(month), "%Y-%m").replace(tzinfo=UTC)


def key_of_month(month: str) -> str:
    """Return the key of a month in a store: ``month=2024-05``."""
    return f"{_KEY}{month}"


def month_of_key(key: str) -> str:
    """Return the month that a key of a store begins with: ``month=2024-05/model_version=3`` gives ``2024-05``."""
    return key.partition("/")[0].removeprefix(_KEY)


def read_period(period: str) -> tuple[str, ...]:
    """Return the months of a period worded as ``2024-05`` or ``2024-05 to 2024-07``; none where it is neither."""
    first, _, last = period.partition(" to ")
    if not (is_month(first) and is_month(last or first)):
        return ()
    return months_between(first, last or first)


def word_period(months: tuple[str, ...]) -> str:
    """Say which months in a row are meant: ``2024-05``, or ``2024-05 to 2024-07``."""
    return months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"


def _ordinal(month: str) -> int:
    year, number = check_month(month).split("-")
    return int(year) * 12 + int(number) - 1
