"""Groups of rows, made from one audited column or from several at once.

A value stored as a number, as text or as a category gives the same group name, and a missing value is a group of
its own. What was declared and has no rows stays on record in :attr:`Grouping.absent`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.fairness.column_groups import CHUNK, MAX_VALUES_OF_CODES, Codes, ColumnGroups, divide_column
from rai_kedro.fairness.grouping_spec import JOIN, MAX_GROUPS, MISSING, GroupingError, GroupingSpec, too_many_groups

__all__ = [
    "JOIN",
    "MAX_GROUPS",
    "MAX_VALUES_OF_CODES",
    "MISSING",
    "Codes",
    "Grouping",
    "GroupingError",
    "GroupingSpec",
    "make_groups",
]

MAX_INTERSECTIONS = 10_000


@dataclass(frozen=True, eq=False)
class Grouping:
    """Which group every row belongs to.

    Attributes:
        column: The audited column, or several joined by `` & ``.
        rule: How the groups were made, in words.
        groups: Names of the groups that have rows.
        codes: Position of each row's group in ``groups``, shape (rows,); -1 where the row is left out.
        index: Index of the rows.
        declared: Groups that have to exist.
        reference: The group that others are held against; None without groups.
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

    Args:
        frame: Audited columns on the rows assessed, shape (rows, columns).
        spec: Which columns, and how they are cut.

    Returns:
        The groups, those of numbers in numerical and others in alphabetical order, "missing" last.

    Raises:
        GroupingError: A column is not there, cannot be cut, or makes more than 200 groups; the named reference has
            no rows.
    """
    parts = []
    for column in spec.columns:
        if column not in frame.columns:
            raise GroupingError(
                f"The column {column!r} that groups are to be made of is not among the audited columns.",
                where=f"fairness.groupings, grouping {spec.name!r}",
                example=f"there are: {', '.join(map(str, frame.columns)) or 'none'}",
                remedy="Name a column of use 'audit' in the contract, or correct the grouping.",
            )
        parts.append(divide_column(frame[column], column, spec))
    part = _with_missing(parts[0], spec) if len(parts) == 1 else _intersect(parts, spec)
    codes, groups = _drop_empty(part.codes, part.names)
    if len(groups) > MAX_GROUPS:
        raise too_many_groups(len(groups), spec)
    declared = tuple(dict.fromkeys([*spec.declared, *part.declared]))
    return Grouping(spec.name, part.rule, groups, codes, frame.index, declared, _find_reference(codes, groups, spec))


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
        raise too_many_groups(possible, spec)
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
    for start in range(0, len(codes), CHUNK):
        part = codes[start : start + CHUNK]
        rows += np.bincount(part[part >= 0], minlength=groups)
    return rows


def _find_reference(codes: Codes, groups: tuple[str, ...], spec: GroupingSpec) -> str | None:
    if spec.reference is not None:
        if spec.reference not in groups:
            raise GroupingError(
                f"The reference group {spec.reference!r} has no rows.",
                where=f"fairness.groupings, grouping {spec.name!r}",
                example=f"groups with rows: {', '.join(groups) or 'none'}",
                remedy="Name one of these as 'reference', or leave it out: then the largest group is taken.",
            )
        return spec.reference
    if not groups:
        return None
    known = [at for at, name in enumerate(groups) if name != MISSING] or list(range(len(groups)))
    rows = _count_rows(codes, len(groups))
    return groups[max(known, key=lambda at: rows[at])]
