"""What is compared of a column, as counts, and how it is shown: the events, the test beside them, notes and bins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from zlib import crc32

import numpy as np

from rai_kedro.monitoring.profile import ATOM_SHARE, ColumnProfile
from rai_kedro.monitoring.results import Aspect, Distribution
from rai_kedro.monitoring.statistics import Floats, category_p_value, inflated_p_value, number_p_value

_MOST_LEVELS, _GROUPS = 50, 32
_SHOWN_LEVELS = 20
_NAMED_LEVELS = 5


@dataclass(frozen=True)
class Comparison:
    """One aspect of one column as counts; ``events`` of shape (J, 2), reference and current, out of ``rows``."""

    column: str
    aspect: Aspect
    before: ColumnProfile
    after: ColumnProfile
    rows: tuple[int, int]
    events: Floats

    @property
    def empty(self) -> bool:
        """Whether a side has no row to compare."""
        return min(self.rows) == 0


def plan_column(name: str, before: ColumnProfile, after: ColumnProfile, rows: tuple[int, int]) -> Iterator[Comparison]:
    """List what can be compared of a column: its values always, the rest where there is anything of it."""
    present = rows[0] - before.missing, rows[1] - after.missing
    yield Comparison(name, "values", before, after, present, _value_events(before, after))
    if before.missing or after.missing:
        yield Comparison(name, "missing", before, after, rows, np.array([[before.missing, after.missing]], float))
    unseen = sum(count for level, count in after.levels.items() if level not in before.levels)
    if unseen and before.levels:
        once = sum(count == 1 for count in before.levels.values())
        yield Comparison(name, "new categories", before, after, present, np.array([[once, unseen]], float))


def _value_events(before: ColumnProfile, after: ColumnProfile) -> Floats:
    if before.kind == "numerical":
        pairs = [*zip(before.at_most, after.at_most, strict=True), *zip(before.equal, after.equal, strict=True)]
        return np.array(pairs, dtype=float).reshape(-1, 2)
    frequent, groups = _chosen_levels(before), np.zeros((0, 2))
    if len(before.levels) > _MOST_LEVELS:
        groups = np.column_stack([_by_name(column.levels) for column in (before, after)])
    single = np.array([(before.levels[level], after.levels.get(level, 0)) for level in frequent], dtype=float)
    return np.vstack([single.reshape(-1, 2), groups])


def _chosen_levels(before: ColumnProfile) -> list[str]:
    """Return the categories that are compared one by one; the month has no say in it."""
    least = ATOM_SHARE * sum(before.levels.values()) if len(before.levels) > _MOST_LEVELS else 0
    return sorted(level for level, count in before.levels.items() if count >= least)


def _by_name(levels: Mapping[str, int]) -> Floats:
    """Add the rows of all categories up in groups.

    By name and not by count: the rarest of a reference are partly those that it happens to have few of, and would all
    be more frequent in any other sample.
    """
    groups = [crc32(level.encode("utf-8", "surrogatepass")) % _GROUPS for level in levels]
    return np.bincount(groups, weights=list(levels.values()), minlength=_GROUPS).astype(float)


def p_value_beside(one: Comparison) -> tuple[str, float | None]:
    """Return the test that fits the column, and its p-value."""
    if one.aspect == "new categories":
        return "none", None
    rows = np.array(one.rows)
    if one.aspect == "missing":
        missing = one.events[0].astype("int64")
        return "fisher_exact_2x2", category_p_value(np.column_stack([missing, rows - missing]))
    if one.before.kind == "categorical":
        return "chi2_contingency", category_p_value(_table_of_levels(one)[1])
    at_most = np.column_stack([one.before.at_most, one.after.at_most])
    if not one.before.atoms:
        return "ks", number_p_value(at_most, rows)
    equal = np.column_stack([one.before.equal, one.after.equal])
    below = np.array(one.before.atoms) <= np.array(one.before.cuts)[:, None]
    return "shared_values_and_ks", inflated_p_value(at_most, equal, below @ equal, rows)


def describe(one: Comparison, min_rows: int) -> str:
    """Say what a reader must know of a comparison; often nothing."""
    if one.aspect == "missing":
        shares = [count / rows for count, rows in zip(one.events[0], one.rows, strict=True)]
        return f"missing: {shares[0]:.1%} in the reference, {shares[1]:.1%} in the month"
    if one.aspect == "new categories":
        return _note_unseen(one)
    if one.empty:
        sides = zip(("reference", "month"), one.rows, strict=True)
        return f"no value in the {' and the '.join(side for side, n in sides if n == 0)}"
    few = min(one.rows) < min_rows
    return f"fewer than {min_rows} values on one side: little drift can be seen" if few else ""


def _note_unseen(one: Comparison) -> str:
    unseen = sorted(set(one.after.levels) - set(one.before.levels))
    if len(unseen) <= _NAMED_LEVELS:
        return f"not in the reference: {', '.join(unseen)}"
    return (
        f"not in the reference: {len(unseen):,} levels in {int(one.events[0, 1]):,} rows, e.g. {', '.join(unseen[:3])}"
    )


def count_shown(one: Comparison) -> Distribution | None:
    """Count both samples in a few bins or levels, to be shown."""
    if one.aspect == "missing":
        missing = one.events[0].astype("int64")
        return _counted(("missing", "present"), np.column_stack([missing, np.array(one.rows) - missing]))
    if one.aspect == "new categories":
        unseen = int(one.events[0, 1])
        table = np.array([[0, one.rows[0]], [unseen, one.rows[1] - unseen]])
        return _counted(("not in the reference", "known"), table)
    if one.before.kind == "numerical":
        return _show_bins(one)
    return _show_levels(*_table_of_levels(one))


def _counted(labels: Sequence[str], table: Any) -> Distribution:
    reference, current = (tuple(row) for row in table.tolist())
    return Distribution(labels=tuple(labels), reference=reference, current=current)


def _show_bins(one: Comparison) -> Distribution | None:
    edges = one.before.edges
    if not edges:
        return None
    for write in ("{:.6g}".format, repr):
        ends = [write(edge) for edge in edges]
        if len(set(ends)) == len(ends):
            break
    within = [f"{low} to {high}" for low, high in pairwise(ends)] or [ends[0]]
    labels = [f"below {ends[0]}", *within, f"above {ends[-1]}"]
    table = np.array([one.before.bins, one.after.bins])
    shown = [index for index in range(len(labels)) if 0 < index < len(labels) - 1 or table[:, index].any()]
    return _counted([labels[index] for index in shown], table[:, shown])


def _table_of_levels(one: Comparison) -> tuple[list[str], Any]:
    names = sorted(one.before.levels.keys() | one.after.levels.keys())
    counts = [[levels.get(name, 0) for name in names] for levels in (one.before.levels, one.after.levels)]
    return names, np.array(counts, dtype="int64")


def _show_levels(names: list[str], table: Any) -> Distribution | None:
    """Count the most common levels of both samples, and the others together."""
    if not names:
        return None
    order = np.argsort(-table.sum(axis=0), kind="stable")
    kept, others = np.sort(order[:_SHOWN_LEVELS]), order[_SHOWN_LEVELS:]
    labels, counts = [names[index] for index in kept], table[:, kept]
    if len(others):
        labels.append(f"({len(others):,} other levels)")
        counts = np.column_stack([counts, table[:, others].sum(axis=1)])
    return _counted(labels, counts)
