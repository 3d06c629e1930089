"""Groups of rows, made from one audited column or from several at once.

A value stored as a number, as text or as a category gives the same group name, and a missing value is a group of
its own. What was declared and has no rows stays on record in :attr:`Grouping.absent`. Values never merge with words of
ours: a value that is itself "missing" is named in quotation marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, product
from math import prod
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types
from pydantic import BeforeValidator, Field, field_validator

from rai_kedro.errors import RaiError
from rai_kedro.typed import Typed
from rai_kedro.words import list_some

MISSING = "missing"
OTHERS = "other groups"
_SHOWN = 8
JOIN = " & "
MAX_GROUPS = 200
MAX_INTERSECTIONS = 10_000
MAX_VALUES_OF_CODES = 10
# Texts that often stand for a missing value: groups of their own, and said to be.
NEARLY_MISSING = ("?", "-", "n/a", "na", "nan", "none", "null", "unknown")
CHUNK = 1 << 16

Codes = npt.NDArray[np.int16]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    Field(min_length=1),
]
"""Names of columns; a single one may stand without brackets."""


def cut_rows(rows: int) -> Iterator[slice]:
    """Cut rows into chunks: pandas' tables take several times the memory of what they are handed."""
    for start in range(0, rows, CHUNK):
        yield slice(start, start + CHUNK)


class GroupingError(RaiError):
    """Groups cannot be made from the audited columns as asked."""


class GroupingSpec(Typed):
    """Which groups are compared.

    Attributes:
        columns: One audited column, or several for the intersections of their groups.
        cuts: Cut points of continuous columns, in the unit of the column; a value equal to a cut point belongs to
            the part below it.
        categorical: Whether each value is a group, for all columns or by column. Where it is not said: text and
            categories are; numbers are if there are no cut points and at most ten different whole numbers; more
            whole numbers may be codes or amounts, and one of the two has to be said; every other number, and a date, is
            cut at its cut points or else at its median.
        declared: Groups that have to exist; one without rows is reported as not assessed. The parts that cut points
            make, and the intersections of the groups found (see ``every_intersection``), count as declared.
        every_intersection: Whether each combination of the groups found has to have rows.
        reference: The group that others are held against; the largest if None.
        learnt: Columns whose cut point is the median of the training rows; training fills it in, for the words only.
        least_rows: Groups of fewer rows are taken together as "other groups", and intersections without rows do not
            have to exist; 0 for none. The reference is never among them, and one small group alone stays itself.
        merged: The groups taken together, where that is settled: training counts the rows it assesses.
        missing: ``group``: missing values are the group "missing"; ``leave_out``: such rows are counted and left out.
    """

    columns: Names
    cuts: dict[str, tuple[float, ...]] = Field(default_factory=dict)
    categorical: bool | dict[str, bool] | None = None
    declared: tuple[str, ...] = ()
    every_intersection: bool = True
    reference: str | None = None
    learnt: tuple[str, ...] = ()
    least_rows: int = Field(default=0, ge=0)
    merged: tuple[str, ...] | None = Field(default=None, exclude_if=lambda value: value is None)
    missing: Literal["group", "leave_out"] = "group"

    @field_validator("cuts")
    @classmethod
    def _check_cuts(cls, cuts: dict[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
        for column, points in cuts.items():
            if not points or not np.isfinite(points).all() or list(points) != sorted(set(points)):
                raise ValueError(f"cut points of {column} must be finite numbers in rising order, not {list(points)}")
        return cuts

    @property
    def name(self) -> str:
        """Name of the grouping in reports."""
        return JOIN.join(self.columns)

    def is_categorical(self, column: str) -> bool | None:
        """Return what is said of a column; None where nothing is."""
        return self.categorical.get(column) if isinstance(self.categorical, dict) else self.categorical


def _refuse(spec: GroupingSpec, what: str, **told: str) -> GroupingError:
    return GroupingError(what, where=f"fairness.groupings, grouping {spec.name!r}", **told)


def _too_many_groups(groups: int, spec: GroupingSpec) -> GroupingError:
    return _refuse(
        spec,
        f"{spec.name} makes {groups} groups; at most {MAX_GROUPS} are compared.",
        remedy="Intersect fewer columns, declare cut points for a number, or derive a coarser column before the audit.",
    )


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which group every row belongs to.

    Attributes:
        rule: How the groups were made, in words.
        groups: Names of the groups that have rows.
        codes: Position of each row's group in ``groups``, shape (rows,); -1 where the row is left out.
        declared: Groups that have to exist.
        reference: The group that others are compared with; None without groups.
    """

    column: str
    rule: str
    groups: tuple[str, ...]
    codes: Codes
    index: pd.Index[Any]
    declared: tuple[str, ...] = ()
    reference: str | None = None

    @cached_property
    def labels(self) -> pd.Series[Any]:
        """Group name of each row, as a category; shape (rows,)."""
        names = pd.Categorical.from_codes(self.codes, categories=pd.Index(self.groups, dtype="object"))
        return pd.Series(names, index=self.index, name=self.column)

    @property
    def absent(self) -> tuple[str, ...]:
        """Declared groups without rows."""
        return tuple(name for name in self.declared if name not in self.groups)


def make_groups(frame: pd.DataFrame, spec: GroupingSpec) -> Grouping:
    """Assign every row to a group.

    Returns:
        The groups, those of numbers in numerical and others in alphabetical order, "missing" last.

    Raises:
        GroupingError: A column is not there, cannot be cut, or makes more than 200 groups; the named reference has
            no rows.
    """
    require_columns(spec.columns, frame, f"fairness.groupings, grouping {spec.name!r}")
    parts = [divide_column(frame[column], column, spec) for column in spec.columns]
    part = _with_missing(parts[0], spec) if len(parts) == 1 else _intersect(parts, spec)
    codes, groups = _drop_empty(part.codes, part.names)
    if len(groups) > MAX_GROUPS:
        raise _too_many_groups(len(groups), spec)
    made = tuple(part.declared if not (spec.least_rows and len(parts) > 1) else ())
    declared = tuple(dict.fromkeys([*(_find_name(name, groups) for name in spec.declared), *made]))
    reference = _find_reference(codes, groups, spec)
    grouping = Grouping(spec.name, part.rule, groups, codes, frame.index, declared, reference)
    return _merge_small(grouping, spec) if spec.least_rows else grouping


@dataclass(frozen=True)
class GroupRows:
    """The groups of a batch of rows, which add up over batches: how many rows each has, and one of them.

    Attributes:
        sizes: Rows of each group.
        examples: The grouped columns of one row of each group, in the same order.
    """

    sizes: dict[str, int]
    examples: pd.DataFrame

    @classmethod
    def of(cls, grouping: Grouping, frame: pd.DataFrame, spec: GroupingSpec) -> GroupRows:
        """Count the groups made of a frame."""
        first = np.zeros(len(grouping.groups) + 1, dtype=np.int64)
        first[grouping.codes[::-1]] = np.arange(len(frame))[::-1]
        sizes = _count_rows(grouping.codes, len(grouping.groups)).tolist()
        examples = frame[list(spec.columns)].iloc[first[:-1]].reset_index(drop=True)
        return cls(dict(zip(grouping.groups, sizes, strict=True)), examples)

    def __add__(self, other: GroupRows) -> GroupRows:
        new = [at for at, name in enumerate(other.sizes) if name not in self.sizes]
        sizes = {name: self.sizes.get(name, 0) + other.sizes.get(name, 0) for name in {**self.sizes, **other.sizes}}
        examples = pd.concat([self.examples, other.examples.iloc[new]], ignore_index=True) if new else self.examples
        return GroupRows(sizes, examples)

    def name(self, spec: GroupingSpec) -> Grouping:
        """Return the groups as :func:`make_groups` names and orders them for all rows; its codes are of the examples.

        Errors are those of :func:`make_groups`.
        """
        grouping = make_groups(self.examples, count_only(spec))
        rows = np.array([self.sizes[name] for name in grouping.groups], dtype=np.int64)
        return replace(grouping, reference=_choose_reference(rows, grouping.groups, spec))


def count_only(spec: GroupingSpec) -> GroupingSpec:
    """Return a grouping for a batch of rows: its reference has to have rows in all of them, not in each."""
    return spec.model_copy(update={"reference": None})


def settle_merged(spec: GroupingSpec, frame: pd.DataFrame) -> GroupingSpec:
    """Settle on some rows which groups are too small to stand alone, so that other rows are grouped alike."""
    if not spec.least_rows or spec.merged is not None:
        return spec
    alone = make_groups(frame, spec.model_copy(update={"merged": ()}))
    return spec.model_copy(update={"merged": tuple(_find_small(alone, spec))})


def _find_small(grouping: Grouping, spec: GroupingSpec) -> dict[str, int]:
    """Return the groups of fewer rows than the least, with their rows; one alone cannot be merged with any."""
    rows = _count_rows(grouping.codes, len(grouping.groups)).tolist()
    small = {
        name: n
        for name, n in zip(grouping.groups, rows, strict=True)
        if n < spec.least_rows and name != grouping.reference
    }
    return small if len(small) > 1 else {}


def _merge_small(grouping: Grouping, spec: GroupingSpec) -> Grouping:
    """Take small groups together, as settled or else by the rows at hand, and say so in the rule."""
    names, rows = grouping.groups, _count_rows(grouping.codes, len(grouping.groups)).tolist()
    found = _find_small(grouping, spec) if spec.merged is None else spec.merged
    small = [name for name in names if name in found]
    if not found:
        return grouping
    others = OTHERS
    while others in names:  # a value of the data may have that name
        others = f'"{others}"'
    kept = [name for name in names if name not in small]
    groups = (*kept, others) if small else tuple(kept)
    position = {name: at for at, name in enumerate(groups)}
    lookup = np.array([*(position[others if name in small else name] for name in names), -1], dtype=np.int16)
    counted = dict(zip(names, rows, strict=True))
    told = list_some([f"{name!r} ({counted.get(name, 0):,} rows)" for name in found], _SHOWN)
    codes = lookup[grouping.codes]
    return replace(
        grouping,
        groups=groups,
        codes=codes,
        reference=_find_reference(codes, groups, spec),
        declared=tuple(name for name in grouping.declared if name not in found),
        rule=f"{grouping.rule}; groups of fewer than {spec.least_rows:,} rows are taken together as {others!r}: {told}",
    )


def require_columns(columns: Sequence[str], frame: pd.DataFrame, where: str) -> None:
    """Raise :class:`GroupingError` unless all columns are in a frame; ``where`` they are asked for."""
    for column in columns:
        if column not in frame.columns:
            raise GroupingError(
                f"The column {column!r} that groups are to be made of is not among the audited columns.",
                where=where,
                example=f"there are: {', '.join(map(str, frame.columns)) or 'none'}",
                remedy="Name a column of use 'audit' in the contract, or correct what names this one.",
            )


def _find_name(name: str, groups: Sequence[str]) -> str:
    """Return the name of a group as it is among the groups: a value "missing" stands in quotation marks."""
    return f'"{name}"' if name.strip('"') == MISSING and f'"{name}"' in groups else name


def _with_missing(part: ColumnGroups, spec: GroupingSpec) -> ColumnGroups:
    """Make missing values a group of their own, unless such rows are to be left out."""
    if spec.missing == "leave_out":
        return part
    codes = np.where(part.codes < 0, len(part.names), part.codes).astype(np.int16)
    return ColumnGroups(codes, [*part.names, MISSING], part.declared, part.rule)


def _intersect(parts: list[ColumnGroups], spec: GroupingSpec) -> ColumnGroups:
    full = [_with_missing(part, spec) for part in parts]
    possible = prod(len(part.names) for part in full)
    if possible > MAX_INTERSECTIONS:
        raise _too_many_groups(possible, spec)
    flat = np.zeros(len(full[0].codes), dtype=np.int16)
    left_out = np.zeros(len(flat), dtype=bool)
    for part in full:
        flat *= np.int16(len(part.names))
        flat += part.codes
        left_out |= part.codes < 0
    flat[left_out] = -1
    declared = [_join(names) for names in product(*(part.names for part in parts))] if spec.every_intersection else []
    rule = f"intersections: {'; '.join(part.rule for part in parts)}"
    return ColumnGroups(flat, [_join(names) for names in product(*(part.names for part in full))], declared, rule)


def _join(names: tuple[str, ...]) -> str:
    """Join names; one that holds the joint itself is quoted, so that no two intersections share a name."""
    return JOIN.join(f'"{name}"' if JOIN in name else name for name in names)


def _drop_empty(codes: npt.NDArray[Any], names: list[str]) -> tuple[Codes, tuple[str, ...]]:
    """Keep the groups that have rows."""
    kept = np.flatnonzero(_count_rows(codes, len(names)))
    if len(kept) < len(names):
        lookup = np.full(len(names) + 1, -1, dtype=np.int16)
        lookup[kept] = np.arange(len(kept))
        codes = lookup[codes]
    return codes.astype(np.int16, copy=False), tuple(names[at] for at in kept)


def _count_rows(codes: npt.NDArray[Any], groups: int) -> npt.NDArray[np.int64]:
    """Count the rows of each group, in chunks because counting widens the codes; shape (groups,)."""
    rows = np.zeros(groups, dtype=np.int64)
    for part in cut_rows(len(codes)):
        piece = codes[part]
        rows += np.bincount(piece[piece >= 0], minlength=groups)
    return rows


def _find_reference(codes: Codes, groups: tuple[str, ...], spec: GroupingSpec) -> str | None:
    return _choose_reference(_count_rows(codes, len(groups)), groups, spec)


def _choose_reference(rows: npt.NDArray[np.int64], groups: tuple[str, ...], spec: GroupingSpec) -> str | None:
    if spec.reference is not None:
        reference = _find_name(spec.reference, groups)
        if reference not in groups:
            raise _refuse(
                spec,
                f"The reference group {spec.reference!r} has no rows.",
                example=f"groups with rows: {', '.join(groups) or 'none'}",
                remedy="Name one of these as 'reference', or leave it out: then the largest group is taken.",
            )
        return reference
    if not groups:
        return None
    known = [at for at, name in enumerate(groups) if name != MISSING] or list(range(len(groups)))
    return groups[max(known, key=lambda at: rows[at])]


@dataclass(frozen=True)
class ColumnGroups:
    """The groups of one column; ``codes`` are positions in ``names``, shape (rows,), -1 where the value is missing."""

    codes: npt.NDArray[Any]
    names: list[str]
    declared: list[str]
    rule: str


def divide_column(values: pd.Series[Any], column: str, spec: GroupingSpec) -> ColumnGroups:
    """Make the groups of one column; :class:`GroupingError` if it cannot be cut, or makes more than 200."""
    said = spec.is_categorical(column)
    if column in spec.cuts and said:
        raise _refuse(
            spec,
            f"The column {column!r} has cut points, and each of its values is to be a group: only one can hold.",
            remedy="Leave out either 'cuts' or 'categorical' for this column.",
        )
    if types.is_datetime64_any_dtype(values.dtype) and not said:
        days = (values - pd.Timestamp(0, tz=values.dt.tz)) / pd.Timedelta(days=1)
        return _cut(days, column, spec, unit=" days since 1970-01-01")
    numeric = types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype)
    if column in spec.cuts or said is False or (said is None and numeric and not _are_codes(values, column, spec)):
        if not numeric:
            values = _as_numbers(values, column, spec)
        return _cut(values, column, spec)
    return _take_values(values, column, spec)


def _are_codes(values: pd.Series[Any], column: str, spec: GroupingSpec) -> bool:
    """Whether numbers are codes of categories: at most ten different ones, all whole; more of them are not guessed."""
    different: set[Any] = set()
    for part in cut_rows(len(values)):
        different.update(values.iloc[part].dropna().unique())
        if not all(float(v).is_integer() for v in different):
            return False
    if len(different) > MAX_VALUES_OF_CODES:
        raise _refuse(
            spec,
            f"The column {column!r} holds {len(different)} different whole numbers: codes, or amounts?",
            example=", ".join(f"{value:g}" for value in sorted(different)[:5]),
            remedy="Give 'cuts' if they are amounts, or say 'categorical: true' if each is a group of its own "
            "('categorical: false' cuts them at their median).",
        )
    return True


def _as_numbers(values: pd.Series[Any], column: str, spec: GroupingSpec) -> pd.Series[Any]:
    numbers = pd.to_numeric(values.astype("object"), errors="coerce")
    broken = values[numbers.isna() & values.notna()]
    if len(broken):
        raise _refuse(
            spec,
            f"The column {column!r} is to be cut, but holds values that are not numbers.",
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
    rule = f"each value of {column} is a group"
    nearly = [at for at, name in enumerate(of_value) if name.lower() in NEARLY_MISSING or name.strip('"') == MISSING]
    if nearly:
        rows = _count_rows(codes, len(different))
        told = ", ".join(f"{of_value[at]!r} ({rows[at]:,} rows)" for at in nearly)
        rule += f"; written in the data, and so not counted as missing: {told}"
    blank = [at for at, name in enumerate(of_value) if name == MISSING]
    if blank:
        rule += f"; {int(_count_rows(codes, len(different))[blank].sum()):,} blank texts count as missing"
    lookup = np.array([*(position[name] for name in of_value), -1], dtype=np.int16)
    for part in cut_rows(len(codes)):
        codes[part] = lookup[codes[part]]
    return ColumnGroups(codes, names, [], rule)


def _find_values(values: pd.Series[Any], spec: GroupingSpec) -> tuple[Codes, list[Any]]:
    """Return the position of each row's value among the different ones (-1 missing), and these."""
    codes = np.empty(len(values), dtype=np.int16)
    different: dict[Any, int] = {}
    for part in cut_rows(len(values)):
        positions, found = pd.factorize(values.iloc[part])
        at = [different.setdefault(value, len(different)) for value in found]
        if len(different) > MAX_GROUPS:
            raise _too_many_groups(values.nunique(), spec)
        codes[part] = np.array([*at, -1], dtype=np.int16)[positions]
    return codes, list(different)


def _name(value: Any) -> str:
    """Name a value so that 1, 1.0 and "1" agree; blank text is missing, and the word for it is put in quotes."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    return f'"{text}"' if text.strip('"') == MISSING else text or MISSING


def _order(name: str) -> tuple[float, str]:
    try:
        return float(name), ""
    except ValueError:
        return float("inf"), name


def _cut(values: pd.Series[Any], column: str, spec: GroupingSpec, *, unit: str = "") -> ColumnGroups:
    points = spec.cuts.get(column, ())
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    if not points:
        median = float(np.nanmedian(numbers)) if not np.isnan(numbers).all() else float("nan")
        points, names = (median,), ["at or below median", "above median"]
        rule = f"{column} cut at its median on the rows assessed ({median:g}{unit})"
    else:
        between = [f"above {low:g} to {high:g}" for low, high in pairwise(points)]
        names = [f"at or below {points[0]:g}", *between, f"above {points[-1]:g}"]
        at = f"{', '.join(f'{point:g}' for point in points)}{unit}"
        declared = f"{column} cut at the declared points {at}"
        rule = f"{column} cut at {at}, the median of the training rows" if column in spec.learnt else declared
    codes = np.searchsorted(np.asarray(points), numbers, side="left").astype(np.int16)
    codes[np.isnan(numbers)] = -1
    return ColumnGroups(codes, names, names, rule)
