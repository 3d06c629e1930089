"""Columns whose values repeat as those of a person do: rows that belong together although nobody said so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd
from pandas.api import types

from rai_kedro.contract.sensitivity import split_words
from rai_kedro.typed import Typed

# What repeats less hardly matters, what repeats more are categories; of few values neither can be told.
_REPEATS = (1.2, 50.0)
_FEWEST = 20
# A category has favourites; of persons hardly one has so many times the rows of the others.
_FAVOURITE = 10
_SHARE = 0.9
_LONG = 5
# "customer_no" and "customer" are keys, "customer_age" and "number of visits" are not.
_MARKS = {"id", "ids", "uuid", "guid", "uid", "pid", "mrn", "ssn", "identifier", "kennung"}
_BESIDE = {"nr", "no", "num", "number", "key", "ref", "code", "hash", "nummer", "numero"}
_UNIT_WORDS = (
    "person patient customer client user household family account member student pupil employee worker applicant "
    "borrower subject respondent participant case defendant offender driver donor card policy contract tenant kunde "
    "kundin mitglied haushalt familie versicherter schueler konto paciente cliente usuario hogar familia menage"
)
_UNITS = {*_UNIT_WORDS.split()}


class Repeat(Typed):
    """A column that may name the unit of the rows: so many different values in so many rows."""

    column: str
    values: int
    rows: int

    def __str__(self) -> str:
        """Say what repeats, and what to do."""
        return (
            f"{self.column} has {self.values:,} different values in {self.rows:,} rows, as persons with several rows "
            "would: if they belong together, name it as 'unit' beside 'key' in the contract; until then every interval "
            "takes rows as independent"
        )


def find_repeats(table: pd.DataFrame, keys: Sequence[str] = ()) -> tuple[Repeat, ...]:
    """Find the columns that look like the key of a unit and repeat; columns in ``keys`` are one by what they are for.

    Others are known by a name such as ``patient_no``, or by texts that are written alike with digits, as keys are.
    """
    return tuple(_look(table, keys))


def _look(table: pd.DataFrame, keys: Sequence[str]) -> Iterator[Repeat]:
    for name in map(str, table.columns):
        known = table[name].dropna()
        if types.is_bool_dtype(known.dtype) or types.is_datetime64_any_dtype(known.dtype):
            continue
        if types.is_numeric_dtype(known.dtype) and not (known % 1 == 0).all():
            continue
        counts = known.value_counts()
        if len(counts) < _FEWEST or not _REPEATS[0] <= len(known) / len(counts) <= _REPEATS[1]:
            continue
        is_even = counts.iloc[0] <= _FAVOURITE * len(known) / len(counts)
        if is_even and (name in keys or _is_named(name) or _is_written_as_key(counts.index)):
            yield Repeat(column=name, values=len(counts), rows=len(known))


def _is_named(name: str) -> bool:
    words = {*split_words(name)}
    is_unit = bool(words & _UNITS) and words <= _UNITS | _BESIDE | _MARKS
    return is_unit or bool(words & _MARKS)


def _is_written_as_key(values: pd.Index) -> bool:
    """Whether texts are of one pattern as keys are, with letters and digits; dates, times and postal codes are not."""
    if types.is_numeric_dtype(values.dtype):
        return False
    texts = values.astype(str).to_series()
    is_mixed = (texts.str.contains(r"\d") & texts.str.contains(r"[^\W\d_]")).mean() >= _SHARE
    alike = texts.str.replace(r"\d", "9", regex=True).value_counts(normalize=True).iloc[0] >= _SHARE
    is_hash = texts.str.len().nunique() == 1 and texts.str.fullmatch(r"[0-9a-fA-F-]{16,}").all()
    return bool((is_mixed and alike and texts.str.len().min() >= _LONG) or is_hash)
