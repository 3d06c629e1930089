"""Whether a month of data keeps its contract.

Everything that is wrong with a frame is collected before the error is raised: one screen, all findings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pandas.api import types

from rai_kedro.contract.columns import NUMERIC_TYPES, Column, ColumnType, DatasetContract
from rai_kedro.errors import RaiError

_SHOWN = 8
_EMPTY = "the month is empty"
_TWICE = "the key is there more than once"
_NO_WEIGHT = "is 0 in every row"
_EXAMPLES = 3


def _is_text(series: pd.Series[Any]) -> bool:
    return types.is_string_dtype(series.dtype) or isinstance(series.dtype, pd.CategoricalDtype)


_TYPE_CHECKS: dict[ColumnType, Callable[[pd.Series[Any]], bool]] = {
    # Integers are floats that happen to be whole: a CSV reader decides between the two by the data it sees.
    "float": lambda s: types.is_numeric_dtype(s.dtype) and not types.is_bool_dtype(s.dtype),
    "integer": lambda s: types.is_integer_dtype(s.dtype),
    "boolean": lambda s: types.is_bool_dtype(s.dtype),
    "category": lambda s: _is_text(s) or types.is_integer_dtype(s.dtype) or types.is_bool_dtype(s.dtype),
    "text": _is_text,
    "date": lambda s: types.is_datetime64_any_dtype(s.dtype),
}


@dataclass(frozen=True)
class Breach:
    """One way in which a frame breaks its contract."""

    column: str  # or the key columns, joined by commas
    problem: str
    rows: int  # that are touched
    examples: tuple[str, ...] = ()  # up to three offending values

    def __str__(self) -> str:
        """Return the breach as one line."""
        shown = f" (e.g. {', '.join(self.examples)})" if self.examples else ""
        return f"{self.column}: {self.problem}, {self.rows} row{'s' if self.rows != 1 else ''}{shown}"


class ContractViolation(RaiError):
    """Data that does not keep its contract."""

    def __init__(self, dataset: str, part: str, breaches: Sequence[Breach], total_rows: int) -> None:
        shown = "; ".join(str(breach) for breach in breaches[:_SHOWN])
        more = f"; and {len(breaches) - _SHOWN} more" if len(breaches) > _SHOWN else ""
        super().__init__(
            f"The data of '{dataset}' breaks its contract: {shown}{more}.",
            where=f"{dataset}, {part}" if part else dataset,
            how_many=f"{len(breaches)} finding{'s' if len(breaches) != 1 else ''} in {total_rows} rows",
            remedy="mend the data at its source; or, if the data is right, change the column's contract",
        )
        self.breaches = tuple(breaches)

    @property
    def of_no_rows(self) -> bool:
        """Whether there is not a single row: nothing is broken then, there is nothing to go by."""
        return any(breach.problem == _EMPTY for breach in self.breaches)


def check_frame(frame: pd.DataFrame, contract: DatasetContract, *, part: str = "") -> pd.DataFrame:
    """Check one month of data against its contract, and return it unchanged.

    ``part`` is which part of the dataset this is (for example ``month=2024-05``), for the error.

    Raises:
        ContractViolation: If a column is unknown, missing, wrongly typed, out of range, null, infinite or of an
            unknown category, or if a key is missing or given twice.
    """
    if not isinstance(frame, pd.DataFrame):
        raise ContractViolation(contract.dataset, part, [Breach("-", f"not a table but {type(frame).__name__}", 0)], 0)
    breaches = [*_column_set_breaches(frame, contract), *_identifier_breaches(frame, contract)]
    breaches += _sampling_breaches(frame, contract)
    readable = [column for name, column in contract.columns.items() if name in frame.columns]
    breaches += _type_breaches(frame, readable)
    mistyped = {breach.column for breach in breaches}
    breaches += _value_breaches(frame, [column for column in readable if column.name not in mistyped])
    if breaches:
        raise ContractViolation(contract.dataset, part, breaches, len(frame))
    return frame


check = check_frame


class UnorderedRows(Exception):
    """The rows of a month that is read in parts are not in the order of their key."""


def check_blocks(
    blocks: Iterable[pd.DataFrame], contract: DatasetContract, *, part: str = ""
) -> Iterator[pd.DataFrame]:
    """Check a month that is read in parts, in the order of its key, and hand the parts on while nothing is wrong.

    All findings of all parts are raised together after the last one; errors as of :func:`check_frame`.

    Raises:
        UnorderedRows: The rows are not in the order of their key.
    """
    found: dict[tuple[str, str], Breach] = {}
    rows, last, key = 0, None, list(contract.key)
    for block in blocks:
        breaches = list(_forbidden_breaches(block, contract))
        try:
            check_frame(block, contract, part=part)
        except ContractViolation as violation:
            breaches += violation.breaches
        if {*key} <= {*block} and len(block) and block[key].notna().all(axis=None):
            breaches += _order_breaches(block[key], last, contract)
            last = tuple(block[key].iloc[-1])
        for one in breaches:
            known = found.get((one.column, one.problem), Breach(one.column, one.problem, 0))
            examples = tuple(dict.fromkeys([*known.examples, *one.examples]))[:_EXAMPLES]
            found[one.column, one.problem] = Breach(one.column, one.problem, known.rows + one.rows, examples)
        rows += len(block)
        if all(one.problem == _NO_WEIGHT for one in found.values()):
            yield block
    # Where one part has no weight at all another may.
    wrong = [one for one in found.values() if one.problem != _NO_WEIGHT or one.rows == rows]
    if wrong:
        raise ContractViolation(contract.dataset, part, wrong, rows)


def _forbidden_breaches(frame: pd.DataFrame, contract: DatasetContract) -> Iterator[Breach]:
    for name in contract.with_use("forbidden"):
        if name in frame:
            yield Breach(name, "may not be read, and was", len(frame))


def _order_breaches(keys: pd.DataFrame, last: tuple[Any, ...] | None, contract: DatasetContract) -> Iterator[Breach]:
    """Find a key that the part before ended with; UnorderedRows where the order is another than that of the key."""
    index = pd.MultiIndex.from_frame(keys) if keys.shape[1] > 1 else pd.Index(keys.iloc[:, 0])
    first = tuple(keys.iloc[0])
    if not index.is_monotonic_increasing or (last is not None and first < last):
        raise UnorderedRows
    if first == last:
        yield Breach(", ".join(contract.key), _TWICE, 2, (str(first),))


def _column_set_breaches(frame: pd.DataFrame, contract: DatasetContract) -> Iterator[Breach]:
    rows = len(frame)
    if not rows:
        yield Breach("-", _EMPTY, 0)
    for name in frame.columns[frame.columns.duplicated()].unique():
        yield Breach(str(name), "the column is there twice", rows)
    named = tuple(dict.fromkeys([*contract.identifiers, *contract.sampling]))
    known = {*named, *contract.columns}
    for name in frame.columns:
        if name not in known:
            yield Breach(str(name), "the contract does not know this column", rows)
    # A forbidden column is not read, so its absence is how things should be.
    for name in (*named, *contract.with_use("model", "audit", "mitigation", "decision")):
        if name not in frame.columns:
            yield Breach(name, "the column is missing", rows)


def _identifier_breaches(frame: pd.DataFrame, contract: DatasetContract) -> Iterator[Breach]:
    present = [name for name in contract.identifiers if name in frame.columns]
    for name in present:
        if nulls := int(frame[name].isna().sum()):
            yield Breach(name, "identifies rows and is null", nulls)
    if len(present) == len(contract.identifiers):
        twice = frame.duplicated(present, keep=False)
        if twice.any():
            examples = frame.loc[twice, present].drop_duplicates().head(_EXAMPLES).itertuples(index=False, name=None)
            key, rows = ", ".join(contract.key), int(twice.sum())
            yield Breach(key, _TWICE, rows, tuple(map(str, examples)))


def _sampling_breaches(frame: pd.DataFrame, contract: DatasetContract) -> Iterator[Breach]:
    """Find rows without a unit, and weights that are none; a key has findings of its own."""
    if contract.unit is not None and contract.unit in frame.columns and contract.unit not in contract.key:
        blank = frame[contract.unit].isna() | (frame[contract.unit].astype("str").str.strip() == "")
        if blank.any():
            yield Breach(contract.unit, "says which rows belong together and is null", int(blank.sum()))
    if contract.weight is not None and contract.weight in frame.columns:
        given = frame[contract.weight]
        weights = pd.to_numeric(given, errors="coerce")
        wrong = ~(weights >= 0) | (weights == math.inf)
        if wrong.any():
            yield Breach(contract.weight, "is no weight of at least 0", int(wrong.sum()), _examples(given[wrong]))
        elif not weights.any():
            yield Breach(contract.weight, _NO_WEIGHT, len(frame))


def _type_breaches(frame: pd.DataFrame, columns: Sequence[Column]) -> Iterator[Breach]:
    for column in columns:
        series = frame[column.name]
        if not isinstance(series, pd.Series) or _TYPE_CHECKS[column.type](series) or series.isna().all():
            continue
        odd = series.dropna()
        if column.type in NUMERIC_TYPES:
            numbers = pd.to_numeric(odd, errors="coerce")
            wrong = numbers.isna() if column.type == "float" else numbers.isna() | (numbers % 1 != 0)
            odd = odd[wrong] if wrong.any() else odd
        yield Breach(column.name, f"should be {column.type} and is {series.dtype}", len(odd), _examples(odd))


def _value_breaches(frame: pd.DataFrame, columns: Sequence[Column]) -> Iterator[Breach]:
    # By hand, not by a library that a variable of the environment can tell to check nothing.
    for column in columns:
        series = frame[column.name]
        null = series.isna()
        known = series[~null] if null.any() else series
        if not column.nullable and len(known) < len(series):
            yield Breach(column.name, "is null and may not be", int(null.sum()), _examples(series[null]))
        for problem, wrong in _find_wrong(known, column):
            if wrong.any():
                yield Breach(column.name, problem, int(wrong.sum()), _examples(known[wrong]))


def _find_wrong(known: pd.Series[Any], column: Column) -> Iterator[tuple[str, pd.Series[bool]]]:
    """Yield each rule on the values that are there, and which of them break it, shape (known,)."""
    if column.type in NUMERIC_TYPES:
        infinite = known.astype(float).abs() == math.inf
        yield "is infinite", infinite
        if column.range is not None:
            low, high = column.range
            # Infinite values have a finding of their own.
            yield f"is outside [{low:g}, {high:g}]", ~known.between(low, high) & ~infinite
    if column.categories is not None:
        allowed = set(column.categories)
        if set(known.unique()) <= allowed:  # as it nearly always is
            return
        yield f"is not one of {list(column.categories)}", ~known.isin(list(column.categories))


def _examples(values: pd.Series[Any]) -> tuple[str, ...]:
    return tuple(str(value)[:40] for value in values.drop_duplicates().head(_EXAMPLES))
