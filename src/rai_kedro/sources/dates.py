"""Reading dates that people wrote: which way of writing fits a whole column, and whether more than one does."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pandas.api import types

ISO = "ISO8601"
# Day and month can change places; which of the two is meant cannot be seen from values that fit both.
FORMATS = (
    ISO,
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%m/%Y",
    "%b %Y",
    "%B %Y",
    "%Y/%m/%d %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
)
_SAMPLE = 200
# 'YYYY-MM' is the shortest text that is taken for a date: four digits are a year or just a number.
_SHORTEST = 6
_NUMBER = r"[-+]?\d*[.,]?\d*"


def parse_dates(values: pd.Series[Any], form: str) -> pd.Series[Any]:
    """Return the values as dates without a time zone; NaT where a value is missing or does not fit.

    Args:
        values: Text or dates, shape (rows,).
        form: A format of ``strftime``, or ``ISO8601``. Text with an offset is put into UTC.
    """
    if types.is_datetime64_any_dtype(values.dtype):
        dates = pd.Series(values)
    else:
        utc = form == ISO or "%z" in form
        dates = pd.to_datetime(values.astype("str").where(values.notna()), format=form, errors="coerce", utc=utc)
    return dates.dt.tz_convert("UTC").dt.tz_localize(None) if dates.dt.tz is not None else dates


def find_date_formats(values: pd.Series[Any]) -> tuple[str, ...]:
    """Return every known format in which all values that are there can be read and that give different dates.

    Args:
        values: Text, shape (rows,).

    Returns:
        Formats; none if these are no dates, more than one if day and month may have changed places.
    """
    if types.is_datetime64_any_dtype(values.dtype):
        return (ISO,)
    known = values.dropna()
    if known.empty or not (types.is_string_dtype(known.dtype) or types.is_object_dtype(known.dtype)):
        return ()
    known = known.astype(str).str.strip()
    if known.str.len().min() < _SHORTEST or known.str.fullmatch(_NUMBER).any():
        return ()
    fitting: dict[str, pd.Series[Any]] = {}
    for form in FORMATS:
        if parse_dates(known.head(_SAMPLE), form).notna().all():
            dates = parse_dates(known, form)
            if dates.notna().all() and not any(dates.equals(other) for other in fitting.values()):
                fitting[form] = dates
    return tuple(fitting)
