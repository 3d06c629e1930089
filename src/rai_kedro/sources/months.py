"""A table split into monthly tables, by a column that says when a row happened, or as one month.

Nothing is simulated here. The rows are the user's, in the order of the table; only names that no store can take are
changed (``rename``), text becomes the types of the contract, and a classification label becomes 1 and 0.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Self
from zoneinfo import available_timezones

import numpy as np
import pandas as pd
from pandas.api import types
from pydantic import Field, field_validator, model_validator

from rai_kedro.contract import canonical
from rai_kedro.errors import RaiError
from rai_kedro.months import Month, Period, find_period, key_of_month, say_period
from rai_kedro.sources.dates import AS_WRITTEN, ISO, count_offsets, name_periods, names_day, names_month, parse_dates
from rai_kedro.sources.layout import SourceError
from rai_kedro.typed import Typed

MONTH = "month"
_EXAMPLES = 3


class TimeColumn(Typed):
    """The column that says when a row happened.

    Attributes:
        column: Name of the column, after ``rename``.
        format: How dates are written, as in strftime; ``ISO8601`` for 2024-05, 2024-05-31 or 2024-05-31T12:00.
        zone: What counts where dates have different offsets from UTC: ``as written``, or a zone such as
            Europe/Berlin.
    """

    column: str = Field(min_length=1)
    format: str = Field(default=ISO, min_length=1)
    zone: str | None = None

    @model_validator(mode="after")
    def _tells_months(self) -> Self:
        if not names_month(self.format):
            raise ValueError(f"dates written as '{self.format}' do not say which month they are in")
        if self.zone not in (None, AS_WRITTEN) and self.zone not in available_timezones():
            raise ValueError(f"there is no time zone '{self.zone}'; write '{AS_WRITTEN}' or one such as Europe/Berlin")
        return self


class IngestionParameters(Typed):
    """How a table becomes monthly tables.

    Attributes:
        rename: New name of each column whose own name a store cannot take; everything else uses the new names.
        key: Name of the column that identifies a row within a month.
        number_rows: Whether that column is added, counting 1, 2, … within each month; if not, the table has it.
        label: The column to be predicted; it goes into the label store, every other column into the feature store.
        favourable: The value of the label that becomes 1, any other value 0; None for a number to be predicted.
        unfavourable: The other value; where it is stated, a table may have one of the two only.
        time: The column that says which month a row belongs to. It reaches neither store.
        month: The month of all rows, if there is no time column.
        period: Whether *months* are months, weeks (ISO 8601), quarters or years.
        dates: Format of each other column that holds dates.
        missing: Words by column that stand for a missing value there.
        leave_out: Columns that reach neither store.
    """

    rename: dict[str, str] = Field(default={})
    key: str = Field(default="row", min_length=1)
    number_rows: bool = True
    label: str = Field(min_length=1)
    favourable: str | None = None
    unfavourable: str | None = None
    time: TimeColumn | None = None
    month: Month | None = None
    period: Period = "month"
    dates: dict[str, str] = Field(default={})
    missing: dict[str, tuple[str, ...]] = Field(default={})
    leave_out: tuple[str, ...] = ()

    @field_validator("favourable", "unfavourable", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return value if value is None else canonical(value)

    @model_validator(mode="after")
    def _one_source_of_months(self) -> Self:
        if (self.time is None) == (self.month is None):
            raise ValueError("give either `time` (a column) or `month` (of the whole table), not both and not neither")
        if self.month and find_period(self.month) != self.period:
            raise ValueError(f"`month` is {self.month}, which is no {self.period}, as `period` says")
        if self.time and self.period == "week" and not names_day(self.time.format):
            raise ValueError(f"dates written as '{self.time.format}' do not say which week they are in")
        if self.key == MONTH or len({*self.rename.values()}) < len(self.rename):
            raise ValueError(f"`key` may not be {MONTH}, and `rename` may give each new name once")
        return self

    def for_month(self, month: str) -> IngestionParameters:
        """Return the same for a table of one month, whatever its time column says."""
        left_out = (*self.leave_out, *([self.time.column] if self.time else []))
        return self.model_copy(update={"time": None, "month": month, "leave_out": left_out})


@dataclass(frozen=True)
class MonthlyTables:
    """The months of a table, each by partition key ``month=YYYY-MM``."""

    features: dict[str, pd.DataFrame]  # month, row key, features
    labels: dict[str, pd.DataFrame]  # the same for the rows that have a label; a month without any is not there


def split_months(
    raw: pd.DataFrame,
    parameters: IngestionParameters,
    column_types: Mapping[str, str],
    *,
    parts: Collection[str] = ("features", "labels"),
) -> MonthlyTables:
    """Split a table into the monthly tables of a feature store and a label store.

    ``raw`` has one row a record, whose values may be text, and each row is in exactly one month; ``column_types`` has
    those of each feature and of the label, in the words of the contract. What is not among ``parts`` stays empty.

    Raises:
        SourceError: A column is missing or not declared, a value does not fit its type, a row has no month or no key,
            a key is there twice in a month, or the label is not what its parameters say.
    """
    table = hide_missing(rename_columns(raw, parameters), parameters.missing)
    months = find_months(table, parameters)
    identifiers = pd.DataFrame({MONTH: months.astype("str"), parameters.key: _make_key(table, months, parameters)})
    used = {parameters.label, parameters.key, *parameters.leave_out}
    used |= {parameters.time.column} if parameters.time else set()
    names = [name for name in table.columns if name not in used] if "features" in parts else []
    asked = (*names, *([parameters.label] if "labels" in parts else []))
    if undeclared := [name for name in asked if name not in column_types]:
        raise SourceError(
            "The table has columns that the contract does not know.",
            where="the table",
            how_many=f"{len(undeclared)} of {len(table.columns)} columns",
            example=", ".join(undeclared[:_EXAMPLES]),
            remedy="declare them in the contract, or name them under 'leave_out'",
        )
    rows = {key_of_month(str(month)): at for month, at in identifiers.groupby(MONTH, sort=True).indices.items()}
    features = pd.DataFrame({n: _cast(table[n], column_types[n], parameters.dates.get(n)) for n in names})
    made = MonthlyTables({}, {})
    if "features" in parts:
        keyed = identifiers.join(features)
        made.features.update({key: keyed.iloc[at].reset_index(drop=True) for key, at in rows.items()})
    if "labels" in parts:
        label = read_label(table[parameters.label], parameters, column_types[parameters.label])
        whole = {label.name: "int64"} if types.is_integer_dtype(label.dtype) else {}
        for key, at in rows.items():
            known = identifiers.iloc[at].join(label.iloc[at]).dropna(subset=[label.name])
            if len(known):
                made.labels[key] = known.astype(whole).reset_index(drop=True)
    return made


def find_misfits(
    raw: pd.DataFrame, parameters: IngestionParameters, column_types: Mapping[str, str]
) -> dict[str, SourceError]:
    """Return, by column, which values do not fit their type: of each column that :func:`split_months` would refuse."""
    table = hide_missing(rename_columns(raw, parameters), parameters.missing)
    misfits = dict[str, SourceError]()
    for name in (name for name in table.columns if name in column_types):
        try:
            if name == parameters.label:
                read_label(table[name], parameters, column_types[name])
            else:
                _cast(table[name], column_types[name], parameters.dates.get(name))
        except SourceError as error:
            misfits[name] = error
    return misfits


def split_readable_months(
    raw: pd.DataFrame, parameters: IngestionParameters, column_types: Mapping[str, str]
) -> tuple[MonthlyTables, dict[str, RaiError]]:
    """Split a table as :func:`split_months` does, and return why months with values that do not fit are left out.

    Raises:
        SourceError: The table cannot be split at all, or no month of it can be read.
    """
    try:
        return split_months(raw, parameters, column_types), {}
    except SourceError as error:
        of_all = error
    table = raw.reset_index(drop=True)
    months = find_months(rename_columns(table, parameters), parameters)
    made, refused = MonthlyTables({}, {}), dict[str, RaiError]()
    for month, at in table.groupby(months, sort=True).indices.items():
        try:
            one = split_months(table.iloc[at], parameters, column_types)
        except SourceError as error:
            refused[key_of_month(str(month))] = error
            continue
        made.features.update(one.features)
        made.labels.update(one.labels)
    if not made.features:
        raise of_all
    return made, refused


def rename_columns(raw: pd.DataFrame, parameters: IngestionParameters) -> pd.DataFrame:
    """Give columns the names that the parameters say, and refuse a table without a column that they name."""
    table = raw.rename(columns=parameters.rename).reset_index(drop=True)
    named = {parameters.label: "label", **dict.fromkeys(parameters.leave_out, "leave_out")}
    named |= dict.fromkeys(parameters.rename.values(), "rename")
    named |= dict.fromkeys(parameters.dates, "dates")
    named |= {parameters.time.column: "time.column"} if parameters.time else {}
    named |= {} if parameters.number_rows else {parameters.key: "key"}
    if missing := {name: setting for name, setting in named.items() if name not in table.columns}:
        name, setting = next(iter(missing.items()))
        raise SourceError(
            f"The table has no column '{name}', which the settings name.",
            where=f"setting '{setting}'",
            how_many=f"{len(missing)} of {len(named)} named columns",
            example=f"the table has {', '.join(map(str, raw.columns))}"[:160],
            remedy="correct the name, or bring the column back",
        )
    added = {MONTH, *([parameters.key] if parameters.number_rows else [])}
    allowed = {parameters.time.column} if parameters.time else set(parameters.leave_out)
    if taken := sorted(added & set(table.columns) - allowed):
        raise SourceError(
            f"The table already has a column '{taken[0]}', which every store adds.",
            where="the table",
            remedy="give it another name under 'rename', and in the contract",
        )
    return table


def hide_missing(table: pd.DataFrame, words: Mapping[str, Collection[str]]) -> pd.DataFrame:
    """Make the words by column missing that stand for a missing value; in a column that is not there, none."""
    there = {name: {canonical(word) for word in listed} for name, listed in words.items() if name in table}
    if not there:
        return table
    is_word = {
        name: table[name].map(canonical, na_action="ignore").isin(list(listed)) for name, listed in there.items()
    }
    return table.assign(**{name: table[name].mask(found) for name, found in is_word.items()})


def find_months(table: pd.DataFrame, parameters: IngestionParameters) -> pd.Series[Any]:
    """Return the month of each row, ``YYYY-MM``; SourceError where a row has none or zones are mixed."""
    if parameters.time is None:
        return pd.Series(parameters.month, index=table.index, dtype="str")
    time, values = parameters.time, table[parameters.time.column]
    _refuse_mixed_zones(values, time, parameters.period)
    dates = parse_dates(values, time.format, time.zone or AS_WRITTEN)
    if bad := int(dates.isna().sum()):
        odd, what = values[dates.isna()].dropna(), say_period("Rows have no month", parameters.period)
        raise SourceError(
            f"{what}: '{time.column}' is missing or not written as {time.format}.",
            where=f"the table, column {time.column}, row {int(dates.isna().to_numpy().argmax()) + 1}",
            how_many=f"{bad} of {len(table)} rows, {bad - len(odd)} of them without a value",
            example=str(odd.iloc[0])[:40] if len(odd) else None,
            remedy="mend these rows, or correct the setting 'time.format'",
        )
    return name_periods(dates, parameters.period)


def _refuse_mixed_zones(values: pd.Series[Any], time: TimeColumn, period: Period) -> None:
    offsets = count_offsets(values)
    is_clear = len(offsets) <= 1 if time.zone is None else "none" not in offsets
    if is_clear or time.zone == AS_WRITTEN:
        return
    raise SourceError(
        f"The dates in '{time.column}' have different offsets from UTC, so "
        + say_period("months can begin at different moments.", period)
        if time.zone is None
        else f"Dates in '{time.column}' have no offset from UTC, so they cannot be told in {time.zone}.",
        where=f"the table, column {time.column}",
        how_many="; ".join(f"{count} rows with {offset}" for offset, count in offsets.items()),
        example=str(values.dropna().iloc[0])[:40],
        remedy=f"say what counts: time zone '{AS_WRITTEN}' (the local date in each row), or one such as Europe/Berlin",
    )


def _make_key(table: pd.DataFrame, months: pd.Series[Any], parameters: IngestionParameters) -> pd.Series[Any]:
    if parameters.number_rows:
        numbered: pd.Series[Any] = table.groupby(months).cumcount() + 1
        return numbered
    values = table[parameters.key]
    numbers = pd.to_numeric(values, errors="coerce")
    as_read = values.astype(str)
    # A number that would not be written back as it was read, such as 007, is a name.
    whole = values.notna().all() and (numbers.notna() & (numbers % 1 == 0)).all() and (numbers.abs() < 2**53).all()
    if whole and (not types.is_string_dtype(values.dtype) or (numbers.astype("int64").astype(str) == as_read).all()):
        key: pd.Series[Any] = numbers.astype("int64")
    else:
        key = pd.Series(values.map(canonical, na_action="ignore"), dtype="str")
    twice = pd.DataFrame({"month": months, "key": key}).duplicated(keep=False)
    if key.isna().any() or twice.any():
        raise SourceError(
            f"'{parameters.key}' does not identify a row {say_period('within a month', parameters.period)}.",
            where=f"the table, column {parameters.key}",
            how_many=f"{int(key.isna().sum())} of {len(key)} rows without a value, {int(twice.sum())} with one that is "
            + say_period("there again in the same month", parameters.period),
            example=str(key[twice].iloc[0]) if twice.any() else None,
            remedy="choose another key, or have rows numbered ('number_rows: true')",
        )
    return key


def read_label(values: pd.Series[Any], parameters: IngestionParameters, kind: str) -> pd.Series[Any]:
    """Return the label as numbers: as it stands, or 1 for the favourable value and 0 for the other; missing if missing.

    Where the other value is not stated, both have to be there, so that it is known.
    """
    favourable, other = parameters.favourable, parameters.unfavourable
    if favourable is None:
        return _cast(values, kind, None)
    known = values.map(canonical, na_action="ignore")
    known = known.where(known != "")
    found = sorted(known.dropna().unique())
    if other is None:
        fits, wanted = len(found) == 2 and favourable in found, f"two values, of which '{favourable}' is one"  # noqa: PLR2004
    else:
        fits, wanted = {*found} <= {favourable, other}, f"only the values '{favourable}' and '{other}'"
    if not fits:
        raise SourceError(
            f"The label '{values.name}' does not have {wanted}.",
            where=f"the table, column {values.name}",
            how_many=f"{len(found)} different values",
            example=", ".join(found[:_EXAMPLES]),
            remedy="mend the label, or correct the setting 'favourable'",
        )
    decided: pd.Series[Any] = (known == favourable).astype("Int64")
    return decided.where(known.notna())


def _cast(values: pd.Series[Any], kind: str, form: str | None) -> pd.Series[Any]:
    """Turn values into a type of the contract, and refuse the column if one of them is something else."""
    cast = parse_dates(values, form or ISO) if kind == "date" else _CASTS[kind](values)
    lost = values[values.notna() & cast.isna()]
    lost = lost[lost.astype(str).str.strip() != ""]
    if len(lost):
        raise SourceError(
            f"'{values.name}' should be {kind}, and has other values.",
            where=f"the table, column {values.name}, row {int(str(lost.index[0])) + 1}",
            how_many=f"{len(lost)} of {len(values)} rows",
            example=", ".join(str(value)[:40] for value in lost.unique()[:_EXAMPLES]),
            remedy="mend these values, or change the column's type in the contract"
            + (" or its format under 'dates'" if kind == "date" else ""),
        )
    return cast


def _to_number(values: pd.Series[Any]) -> pd.Series[Any]:
    return pd.to_numeric(values, errors="coerce").astype("float64")


def _to_integer(values: pd.Series[Any]) -> pd.Series[Any]:
    numbers = _to_number(values)
    numbers = numbers.where(np.isfinite(numbers) & (numbers % 1 == 0))
    return numbers.astype("Int64") if numbers.isna().any() else numbers.astype("int64")


def _to_boolean(values: pd.Series[Any]) -> pd.Series[Any]:
    truth = values.map(lambda value: {"true": True, "false": False}.get(canonical(value).lower()), na_action="ignore")
    return truth.astype("boolean") if truth.isna().any() else truth.astype("bool")


def _to_text(values: pd.Series[Any]) -> pd.Series[Any]:
    text = pd.Series(values.map(canonical, na_action="ignore"), dtype="str")
    return text.where(text != "")


_CASTS: dict[str, Callable[[pd.Series[Any]], pd.Series[Any]]] = {
    "float": _to_number,
    "integer": _to_integer,
    "boolean": _to_boolean,
    "category": _to_text,
    "text": _to_text,
}
