"""The groups of one audited column: a group for each value, or parts between cut points."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from rai_kedro.fairness.grouping_spec import MAX_GROUPS, MISSING, GroupingError, GroupingSpec, too_many_groups

MAX_VALUES_OF_CODES = 10
# Rows are looked at in chunks, since pandas' tables take several times the memory of what they are handed.
CHUNK = 1 << 16

Codes = npt.NDArray[np.int16]


@dataclass(frozen=True)
class ColumnGroups:
    """The groups of one column.

    Attributes:
        codes: Position of each row's group in ``names``, shape (rows,); -1 where the value is missing.
        names: Names of the groups.
        declared: Names that have to exist.
        rule: How the groups were made, in words.
    """

    codes: npt.NDArray[Any]
    names: list[str]
    declared: list[str]
    rule: str


def divide_column(values: pd.Series[Any], column: str, spec: GroupingSpec) -> ColumnGroups:
    """Make the groups of one column, as its spec and its values say.

    Args:
        values: The column on the rows assessed, shape (rows,).
        column: Its name.
        spec: Which groups are asked for.

    Raises:
        GroupingError: The column cannot be cut, or makes more than 200 groups.
    """
    said = spec.is_categorical(column)
    if column in spec.cuts and said:
        raise GroupingError(
            f"The column {column!r} has cut points, and each of its values is to be a group: only one can hold.",
            where=f"fairness.groupings, grouping {spec.name!r}",
            remedy="Leave out either 'cuts' or 'categorical' for this column.",
        )
    if types.is_datetime64_any_dtype(values.dtype) and not said:
        days = (values - pd.Timestamp(0, tz=values.dt.tz)) / pd.Timedelta(days=1)
        return _cut(days, column, spec, unit=" days since 1970-01-01")
    numeric = types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype)
    if column in spec.cuts or said is False or (said is None and numeric and not _looks_coded(values)):
        if not numeric:
            values = _as_numbers(values, column, spec)
        return _cut(values, column, spec)
    return _take_values(values, column, spec)


def _looks_coded(values: pd.Series[Any]) -> bool:
    """Whether numbers are codes of categories: at most ten different ones, all whole."""
    different: set[Any] = set()
    for start in range(0, len(values), CHUNK):
        different.update(values.iloc[start : start + CHUNK].dropna().unique())
        if len(different) > MAX_VALUES_OF_CODES or not all(float(v).is_integer() for v in different):
            return False
    return True


def _as_numbers(values: pd.Series[Any], column: str, spec: GroupingSpec) -> pd.Series[Any]:
    numbers = pd.to_numeric(values.astype("object"), errors="coerce")
    broken = values[numbers.isna() & values.notna()]
    if len(broken):
        raise GroupingError(
            f"The column {column!r} is to be cut, but holds values that are not numbers.",
            where=f"fairness.groupings, grouping {spec.name!r}",
            how_many=f"{len(broken)} of {len(values)} rows",
            example=repr(broken.iloc[0]),
            remedy=f"Set 'categorical: {{{column}: true}}' to make each value a group, or leave out its cut points.",
        )
    return numbers


def _take_values(values: pd.Series[Any], column: str, spec: GroupingSpec) -> ColumnGroups:
    """Make each value a group; values with the same name, such as 1, 1.0 and "1", are the same group."""
    codes, different = _find_values(values, spec)
    of_value = [_name(value) for value in different]
    names = sorted({name for name in of_value if name != MISSING}, key=_order)
    position = {name: at for at, name in enumerate(names)} | {MISSING: -1}
    lookup = np.array([*(position[name] for name in of_value), -1], dtype=np.int16)
    for start in range(0, len(codes), CHUNK):
        codes[start : start + CHUNK] = lookup[codes[start : start + CHUNK]]
    return ColumnGroups(codes, names, [], f"each value of {column} is a group")


def _find_values(values: pd.Series[Any], spec: GroupingSpec) -> tuple[Codes, list[Any]]:
    """Return the position of each row's value among the different ones (-1 missing), and these.

    In chunks: pandas makes a hash table as long as what it is handed, several times the size of the column.
    """
    codes = np.empty(len(values), dtype=np.int16)
    different: dict[Any, int] = {}
    for start in range(0, len(values), CHUNK):
        positions, found = pd.factorize(values.iloc[start : start + CHUNK])
        at = [different.setdefault(value, len(different)) for value in found]
        if len(different) > MAX_GROUPS:
            raise too_many_groups(values.nunique(), spec)
        codes[start : start + CHUNK] = np.array([*at, -1], dtype=np.int16)[positions]
    return codes, list(different)


def _name(value: Any) -> str:
    """Name a value so that 1, 1.0 and "1" agree; blank text is missing."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    return text or MISSING


def _order(name: str) -> tuple[float, str]:
    try:
        return float(name), ""
    except ValueError:
        return float("inf"), name


def _cut(values: pd.Series[Any], column: str, spec: GroupingSpec, *, unit: str = "") -> ColumnGroups:
    cuts = spec.cuts.get(column)
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    if cuts is None:
        median = float(np.nanmedian(numbers)) if not np.isnan(numbers).all() else float("nan")
        points: tuple[float, ...] = (median,)
        names = ["at or below median", "above median"]
        rule = f"{column} cut at its median on the rows assessed ({median:g}{unit})"
    else:
        points = cuts
        between = [f"above {low:g} to {high:g}" for low, high in pairwise(points)]
        names = [f"at or below {points[0]:g}", *between, f"above {points[-1]:g}"]
        at = f"{', '.join(f'{point:g}' for point in points)}{unit}"
        learnt = column in spec.learnt
        rule = (
            f"{column} cut at {at}, the median of the training rows"
            if learnt
            else f"{column} cut at the declared points {at}"
        )
    codes = np.searchsorted(np.asarray(points), numbers, side="left").astype(np.int16)
    codes[np.isnan(numbers)] = -1
    return ColumnGroups(codes, names, names, rule)
