"""Reading dates that people wrote: which way of writing fits a whole column, and whether more than one does.

A date with an offset from UTC counts as it is written: half past midnight on 1 June in Berlin is June, though it is
still May in UTC. Where a column mixes offsets, a person has to say what counts; see :func:`count_offsets`.
"""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
from pandas.api import types

from rai_kedro.months import Period

ISO = "ISO8601"
# What counts is the date and clock time as written, whatever the offset beside them.
AS_WRITTEN = "as written"
# Day and month can change places; which of the two is meant cannot be seen from values that fit both.
_DAYS = (
    *("%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y"),
)
_MONTHS = ("%m/%Y", "%b %Y", "%B %Y")
_MOMENTS = (
    *("%Y/%m/%d %H:%M:%S", "%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"),
    *("%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"),
)
FORMATS = (ISO, *_DAYS, *_MONTHS, *_MOMENTS)
_SAMPLE = 200
# 'YYYY-MM' is the shortest text that is taken for a date: four digits are a year or just a number.
_SHORTEST = 6
_SHORTEST_ISO = 7
_NUMBER = r"[-+]?\d*[.,]?\d*"
# An offset stands behind a clock time; without one '2024-05-31' would have the offset -31.
_OFFSET = r"^(.*(?:T\d{2}|:\d{2}(?:[.,]\d+)?))\s*(Z|z|UTC|GMT|[-+]\d{2}(?::?\d{2})?)$"
_NAMES_DAY = re.compile(r"%[-#]?[djcxDFuaAUWV]")
_NAMES_MONTH = re.compile(r"%[-#]?[mbBjcxDF]")


def names_month(form: str) -> bool:
    """Return whether dates written in this format say which month they are in; ``%Y`` alone does not."""
    return form == ISO or _NAMES_MONTH.search(form) is not None


def names_day(form: str) -> bool:
    """Return whether dates written in this format may say which day they are, and with it the week."""
    return form == ISO or _NAMES_DAY.search(form) is not None


def name_periods(dates: pd.Series[Any], period: Period) -> pd.Series[Any]:
    """Return the period in which each date lies, as text; weeks are those of ISO 8601."""
    if period == "week":
        parts = dates.dt.isocalendar().astype("int64")
        named = [f"{year:04d}-W{week:02d}" for year, week in zip(parts["year"], parts["week"], strict=True)]
    elif period == "quarter":
        named = [f"{year:04d}-Q{quarter}" for year, quarter in zip(dates.dt.year, dates.dt.quarter, strict=True)]
    else:
        named = dates.dt.strftime("%Y-%m" if period == "month" else "%Y").tolist()
    return pd.Series(named, index=dates.index, dtype="str")


def parse_dates(values: pd.Series[Any], form: str, zone: str = AS_WRITTEN) -> pd.Series[Any]:
    """Return text or dates as dates without a time zone; NaT where a value is missing or does not fit.

    ``form`` is a format of ``strftime``, or ``ISO8601``; ``zone`` the one in which the dates are to be told.
    """
    if types.is_datetime64_any_dtype(values.dtype):
        dates = pd.Series(values)
        if dates.dt.tz is not None and zone != AS_WRITTEN:
            dates = dates.dt.tz_convert(zone)
        naive: pd.Series[Any] = dates.dt.tz_localize(None)
        return naive
    text = values.astype("str").where(values.notna()).str.strip()
    parts = text.str.extract(_OFFSET)
    clock = parts[0].fillna(text)
    told: pd.Series[Any] = pd.to_datetime(clock, format=form.replace("%z", "").rstrip(), errors="coerce")
    if form == ISO:
        told = told.where(clock.str.len() >= _SHORTEST_ISO)
    if zone == AS_WRITTEN:
        return told
    utc = (told - parts[1].map(_read_offset, na_action="ignore")).dt.tz_localize("UTC")
    return parse_dates(utc, form, zone)


def count_offsets(values: pd.Series[Any]) -> dict[str, int]:
    """Count the offsets from UTC that are written in a column of text; ``none`` for dates without one."""
    if types.is_datetime64_any_dtype(values.dtype):
        return {}
    text = values.dropna().astype("str").str.strip()
    counts = text.str.extract(_OFFSET)[1].fillna("none").value_counts()
    return {str(offset): int(count) for offset, count in counts.items()}


def _read_offset(offset: str) -> pd.Timedelta:
    digits = re.sub(r"\D", "", offset).ljust(4, "0")
    minutes = 60 * int(digits[:2]) + int(digits[2:])
    return pd.Timedelta(minutes=-minutes if offset.startswith("-") else minutes)


def find_date_formats(values: pd.Series[Any]) -> tuple[str, ...]:
    """Return every known format in which all values that are there can be read and that give different dates.

    None if these are no dates; more than one if day and month may have changed places.
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


def find_unreadable_dates(values: pd.Series[Any]) -> pd.Series[Any]:
    """Return the values that are there and that the known format which reads most of them cannot read."""
    known = values.dropna()
    leftovers = [known[parse_dates(known, form).isna()] for form in FORMATS]
    return min(leftovers, key=len)
