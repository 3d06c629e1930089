"""Monthly snapshots of a table that a user brings: split by a time column, or the whole table as one month.

Nothing is simulated here. The rows are the user's, in the order of the table; only names that no store can take are
changed (``rename``), text becomes the types of the contract, and a classification label becomes 1 and 0.

Example:
    >>> import pandas as pd
    >>> raw = pd.DataFrame({"size": ["70", "95"], "day": ["2024-01-05", "2024-02-09"], "rent": ["700", "990"]})
    >>> time = TimeColumn(column="day", format="%Y-%m-%d")
    >>> made = snapshot_table(raw, OwnDataParameters(label="rent", time=time), {"size": "float", "rent": "float"})
    >>> made.features["month=2024-02"].to_dict(orient="records")
    [{'month': '2024-02', 'row': 1, 'size': 95.0}]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rai_kedro.errors import RaiError
from rai_kedro.months import Month
from rai_kedro.sources.dates import ISO, parse_dates

MONTH = "month"
_EXAMPLES = 3


class OwnDataError(RaiError):
    """The table does not fit what its parameters and its contract say."""


class TimeColumn(BaseModel):
    """The column that says when a row happened.

    Attributes:
        column: Its name (after ``rename``).
        format: How it is written, as in ``strftime``; ``ISO8601`` for 2024-05, 2024-05-31 or 2024-05-31T12:00.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str = Field(min_length=1)
    format: str = Field(default=ISO, min_length=1)


class OwnDataParameters(BaseModel):
    """How a user's table becomes monthly snapshots.

    Attributes:
        rename: New name of each column whose own name a store cannot take; everything else uses the new names.
        key: Name of the column that identifies a row within a month.
        number_rows: Whether that column is added, counting 1, 2, … within each month; if not, the table has it.
        label: The column to be predicted; it goes into the label store, every other column into the feature store.
        favourable: The value of the label that is the favourable outcome and becomes 1, any other value 0. None where
            the label is a number to be predicted as it stands.
        time: The column that says which month a row belongs to. It reaches neither store.
        month: The month of all rows, if there is no time column.
        dates: Format of each other column that holds dates.
        leave_out: Columns that reach neither store.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rename: dict[str, str] = {}
    key: str = Field(default="row", min_length=1)
    number_rows: bool = True
    label: str = Field(min_length=1)
    favourable: str | None = None
    time: TimeColumn | None = None
    month: Month | None = None
    dates: dict[str, str] = {}
    leave_out: tuple[str, ...] = ()

    @field_validator("favourable", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        return value if value is None else canonical(value)

    @model_validator(mode="after")
    def _one_source_of_months(self) -> OwnDataParameters:
        if (self.time is None) == (self.month is None):
            raise ValueError("give either `time` (a column) or `month` (of the whole table), not both and not neither")
        if self.key == MONTH or len({*self.rename.values()}) < len(self.rename):
            raise ValueError(f"`key` may not be {MONTH}, and `rename` may give each new name once")
        return self


@dataclass(frozen=True)
class OwnSnapshots:
    """The months of a user's table.

    Attributes:
        features: One frame a month by partition key ``month=YYYY-MM``: month, row key, features.
        labels: The same for the rows that have a label; a month without any label is not there.
        unlabelled: Number of rows without a label, by month.
    """

    features: dict[str, pd.DataFrame]
    labels: dict[str, pd.DataFrame]
    unlabelled: dict[str, int]


def snapshot_table(raw: pd.DataFrame, parameters: OwnDataParameters, column_types: Mapping[str, str]) -> OwnSnapshots:
    """Split a table into the monthly snapshots of a feature store and a label store.

    Args:
        raw: The table, one row a record; values may be text.
        parameters: Key, label, months.
        column_types: Type of each feature and of the label, in the words of the contract.

    Returns:
        The snapshots; each row of the table is in exactly one month.

    Raises:
        OwnDataError: A column is missing or not declared, a value does not fit its type, a row has no month or no key,
            a key is there twice in a month, or the label is not what its parameters say.
    """
    table = rename_columns(raw, parameters)
    months = _find_months(table, parameters)
    key = _make_key(table, months, parameters)
    used = {parameters.label, parameters.key, *parameters.leave_out}
    used |= {parameters.time.column} if parameters.time else set()
    names = [name for name in table.columns if name not in used]
    undeclared = [name for name in (*names, parameters.label) if name not in column_types]
    if undeclared:
        raise OwnDataError(
            "The table has columns that the contract does not know.",
            where="the table and conf/base/<use_case>/catalog.yml",
            how_many=f"{len(undeclared)} of {len(table.columns)} columns",
            example=", ".join(undeclared[:_EXAMPLES]),
            remedy="declare them in the contract, or name them under 'simulation.leave_out' in the parameters",
        )
    features = pd.DataFrame({n: _cast(table[n], column_types[n], parameters.dates.get(n)) for n in names})
    label = read_label(table[parameters.label], parameters.favourable, column_types[parameters.label])
    identifiers = pd.DataFrame({MONTH: months.astype("str"), parameters.key: key})
    return _split(identifiers, features, label)


def rename_columns(raw: pd.DataFrame, parameters: OwnDataParameters) -> pd.DataFrame:
    """Give columns the names that the parameters say, and refuse a table without a column that they name."""
    table = raw.rename(columns=parameters.rename).reset_index(drop=True)
    named = {parameters.label: "label", **dict.fromkeys(parameters.leave_out, "leave_out")}
    named |= dict.fromkeys(parameters.rename.values(), "rename")
    named |= dict.fromkeys(parameters.dates, "dates")
    named |= {parameters.time.column: "time.column"} if parameters.time else {}
    named |= {} if parameters.number_rows else {parameters.key: "key"}
    missing = {name: setting for name, setting in named.items() if name not in table.columns}
    if missing:
        name, setting = next(iter(missing.items()))
        raise OwnDataError(
            f"The table has no column '{name}', which the parameters name.",
            where=f"parameters.yml, simulation.{setting}",
            how_many=f"{len(missing)} of {len(named)} named columns",
            example=f"the table has {', '.join(map(str, raw.columns))}"[:160],
            remedy="correct the name, or bring the column back",
        )
    added = {MONTH, *([parameters.key] if parameters.number_rows else [])}
    if taken := sorted(added & set(table.columns) - ({parameters.time.column} if parameters.time else set())):
        raise OwnDataError(
            f"The table already has a column '{taken[0]}', which every store adds.",
            where="the table",
            remedy="give it another name under 'simulation.rename' in the parameters and in the contract",
        )
    return table


def _find_months(table: pd.DataFrame, parameters: OwnDataParameters) -> pd.Series[Any]:
    if parameters.time is None:
        return pd.Series(parameters.month, index=table.index, dtype="str")
    values = table[parameters.time.column]
    dates = parse_dates(values, parameters.time.format)
    if bad := int(dates.isna().sum()):
        odd = values[dates.isna()].dropna()
        raise OwnDataError(
            f"Rows have no month: '{parameters.time.column}' is missing or not written as {parameters.time.format}.",
            where=f"the table, column {parameters.time.column}, row {int(dates.isna().to_numpy().argmax()) + 1}",
            how_many=f"{bad} of {len(table)} rows, {bad - len(odd)} of them without a value",
            example=str(odd.iloc[0])[:40] if len(odd) else None,
            remedy="mend these rows, or correct 'simulation.time.format' in the parameters",
        )
    named: pd.Series[Any] = dates.dt.strftime("%Y-%m")
    return named


def _make_key(table: pd.DataFrame, months: pd.Series[Any], parameters: OwnDataParameters) -> pd.Series[Any]:
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
        raise OwnDataError(
            f"'{parameters.key}' does not identify a row within a month.",
            where=f"the table, column {parameters.key}",
            how_many=f"{int(key.isna().sum())} of {len(key)} rows without a value, {int(twice.sum())} with one that is "
            "there again in the same month",
            example=str(key[twice].iloc[0]) if twice.any() else None,
            remedy="choose another key, or have rows numbered ('simulation.number_rows: true')",
        )
    return key


def _split(identifiers: pd.DataFrame, features: pd.DataFrame, label: pd.Series[Any]) -> OwnSnapshots:
    made = OwnSnapshots({}, {}, {})
    whole = types.is_integer_dtype(label.dtype)
    for month, rows in identifiers.groupby(MONTH, sort=True).indices.items():
        keyed = identifiers.iloc[rows]
        part = f"{MONTH}={month}"
        made.features[part] = keyed.join(features.iloc[rows]).reset_index(drop=True)
        known = keyed.join(label.iloc[rows]).dropna(subset=[label.name])
        made.unlabelled[str(month)] = len(rows) - len(known)
        if len(known):
            made.labels[part] = known.astype({label.name: "int64"} if whole else {}).reset_index(drop=True)
    return made


def read_label(values: pd.Series[Any], favourable: str | None, kind: str) -> pd.Series[Any]:
    """Return the label as numbers: as it stands, or 1 for the favourable value and 0 for the other.

    Args:
        values: The label's column, shape (rows,); missing values stay missing.
        favourable: The favourable value, written as in the table; None for a number to be predicted.
        kind: Type of the label in the contract.

    Returns:
        Shape (rows,); ``Int64`` for a classification label.

    Raises:
        OwnDataError: The label does not have exactly two values, or the favourable one is not among them; or a number
            is asked for and there is something else.
    """
    if favourable is None:
        return _cast(values, kind, None)
    known = values.map(canonical, na_action="ignore")
    found = sorted(known.dropna().unique())
    if len(found) != 2 or favourable not in found:  # noqa: PLR2004 - a binary label
        raise OwnDataError(
            f"The label '{values.name}' does not have two values, of which '{favourable}' is one.",
            where=f"the table, column {values.name}",
            how_many=f"{len(found)} different values",
            example=", ".join(found[:_EXAMPLES]),
            remedy="mend the label, or correct 'simulation.favourable' in the parameters",
        )
    decided: pd.Series[Any] = (known == favourable).astype("Int64")
    return decided.where(known.notna())


def _cast(values: pd.Series[Any], kind: str, form: str | None) -> pd.Series[Any]:
    """Turn values into a type of the contract, and refuse the column if one of them is something else."""
    cast = _CASTS[kind](values, form)
    lost = values[values.notna() & cast.isna()]
    lost = lost[lost.astype(str).str.strip() != ""]
    if len(lost):
        raise OwnDataError(
            f"'{values.name}' should be {kind}, and has other values.",
            where=f"the table, column {values.name}, row {int(str(lost.index[0])) + 1}",
            how_many=f"{len(lost)} of {len(values)} rows",
            example=", ".join(str(value)[:40] for value in lost.unique()[:_EXAMPLES]),
            remedy="mend these values, or change the column's type in the contract"
            + (" or its format under 'simulation.dates'" if kind == "date" else ""),
        )
    return cast


def _to_number(values: pd.Series[Any], form: str | None) -> pd.Series[Any]:
    return pd.to_numeric(values, errors="coerce").astype("float64")


def _to_integer(values: pd.Series[Any], form: str | None) -> pd.Series[Any]:
    numbers = _to_number(values, form)
    numbers = numbers.where(np.isfinite(numbers) & (numbers % 1 == 0))
    return numbers.astype("Int64") if numbers.isna().any() else numbers.astype("int64")


def _to_boolean(values: pd.Series[Any], form: str | None) -> pd.Series[Any]:
    truth = values.map(lambda value: {"true": True, "false": False}.get(canonical(value).lower()), na_action="ignore")
    return truth.astype("boolean") if truth.isna().any() else truth.astype("bool")


def _to_text(values: pd.Series[Any], form: str | None) -> pd.Series[Any]:
    text = pd.Series(values.map(canonical, na_action="ignore"), dtype="str")
    return text.where(text != "")


def _to_date(values: pd.Series[Any], form: str | None) -> pd.Series[Any]:
    return parse_dates(values, form or ISO)


_CASTS: dict[str, Callable[[pd.Series[Any], str | None], pd.Series[Any]]] = {
    "float": _to_number,
    "integer": _to_integer,
    "boolean": _to_boolean,
    "category": _to_text,
    "text": _to_text,
    "date": _to_date,
}


def canonical(value: Any) -> str:
    """Return a value as text, a whole number without a decimal point: 1.0 and 1 are the same category."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()
