"""Counts of the confusion matrix by group, made in one pass over the rows.

All metrics that depend on the confusion matrix are computed from these few numbers, so that an interval, or a
thousand resamples, costs the same whatever the number of rows. Rows are read in chunks: next to the columns
themselves the pass needs about a megabyte.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.errors import RaiError
from rai_kedro.fairness.grouping import Grouping

CHUNK = 1 << 16
MISSING_LABEL = "missing label"
MISSING_PREDICTION = "withheld or missing prediction"
MISSING_GROUP = "missing group"
MISSING_STRATUM = "missing stratum"
MISSING_SCORE = "missing score"

Binary = npt.NDArray[np.int8]
Counts = npt.NDArray[np.int64]
Figures = npt.NDArray[np.float64]


class OutcomeError(RaiError):
    """Labels, predictions or scores are not what a fairness metric needs."""


@dataclass(frozen=True, eq=False)
class GroupCounts:
    """Confusion matrix of each group.

    Attributes:
        groups: Names of the groups, G of them.
        counts: Rows by group, outcome Y and prediction, shape (G, 2, 2); index 1 is the favourable outcome.
        left_out: Rows left out, by reason.
    """

    groups: tuple[str, ...]
    counts: Counts
    left_out: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: GroupCounts) -> GroupCounts:
        """Add the counts of another batch of rows; groups that only one batch has are kept."""
        groups = tuple(dict.fromkeys(self.groups + other.groups))
        return GroupCounts(
            groups,
            spread(self.counts, self.groups, groups) + spread(other.counts, other.groups, groups),
            add_reasons(self.left_out, other.left_out),
        )

    @property
    def rows(self) -> Counts:
        """Rows of each group, shape (G,)."""
        rows: Counts = self.counts.sum(axis=(1, 2))
        return rows

    @property
    def selected(self) -> Counts:
        """Rows predicted favourable, shape (G,)."""
        selected: Counts = self.counts[:, :, 1].sum(axis=1)
        return selected

    @property
    def true_positives(self) -> Counts:
        """Rows with Y = 1 that are predicted 1, shape (G,)."""
        return self.counts[:, 1, 1]

    @property
    def false_positives(self) -> Counts:
        """Rows with Y = 0 that are predicted 1, shape (G,)."""
        return self.counts[:, 0, 1]

    @property
    def false_negatives(self) -> Counts:
        """Rows with Y = 1 that are predicted 0, shape (G,)."""
        return self.counts[:, 1, 0]

    @property
    def true_negatives(self) -> Counts:
        """Rows with Y = 0 that are predicted 0, shape (G,)."""
        return self.counts[:, 0, 0]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        return {"groups": list(self.groups), "counts": self.counts.tolist(), "left_out": dict(self.left_out)}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> GroupCounts:
        """Rebuild the counts from :meth:`to_dict`."""
        counts = np.array(plain["counts"], dtype=np.int64).reshape(-1, 2, 2)
        return cls(tuple(plain["groups"]), counts, dict(plain["left_out"]))


@dataclass(frozen=True, eq=False)
class StratumCounts:
    """Confusion matrix of each group within each stratum.

    Attributes:
        strata: Names of the strata, S of them.
        groups: Names of the groups, G of them.
        counts: Rows by stratum, group, outcome and prediction, shape (S, G, 2, 2).
        left_out: Rows left out, by reason.
    """

    strata: tuple[str, ...]
    groups: tuple[str, ...]
    counts: Counts
    left_out: dict[str, int] = field(default_factory=dict)


def encode_outcome(values: Any, *, what: str, favourable: Any = 1) -> Binary:
    """Turn labels or predictions into 1 (favourable), 0 (not) and -1 (missing).

    Args:
        values: Labels or predictions, shape (rows,).
        what: What they are, for the error: ``"label"`` or ``"prediction"``.
        favourable: The favourable value. Booleans count as 0 and 1.

    Returns:
        Codes, shape (rows,).

    Raises:
        OutcomeError: There are more than two values, or two of which neither is the favourable one.
    """
    series = pd.Series(values, copy=False)
    codes = np.empty(len(series), dtype=np.int8)
    different: dict[Any, bool] = {}
    # In chunks: pandas makes a hash table as long as what it is handed, several times the size of the column.
    for part in chunks(len(series)):
        positions, found = pd.factorize(series.iloc[part])
        flags = [different.setdefault(value, bool(value == favourable)) for value in found]
        codes[part] = np.array([*flags, -1], dtype=np.int8)[positions]
    codes_only = favourable in (0, 1) and all(value in (0, 1) for value in different)
    only_the_other = len(different) <= 1 and isinstance(favourable, str)
    if len(different) > 2 or not (any(different.values()) or codes_only or only_the_other):  # noqa: PLR2004
        raise OutcomeError(
            f"The {what} is not binary with {favourable!r} as its favourable value.",
            where=f"{what}; parameters.yml, fairness.favourable",
            how_many=f"{len(different)} different values in {len(series)} rows",
            example=", ".join(repr(value) for value in islice(different, 5)),
            remedy="Name the favourable value ('favourable'), or assess a numerical target as regression.",
        )
    return codes


def count_groups(outcome: Binary, prediction: Binary, grouping: Grouping) -> GroupCounts:
    """Count the confusion matrix of each group in one pass.

    Args:
        outcome: Y of each row as 1, 0 or -1 (missing), shape (rows,).
        prediction: Prediction of each row, likewise.
        grouping: Group of each row.

    Returns:
        The counts; a row with anything missing is counted under the first reason that applies.
    """
    size = len(grouping.groups) * 4
    totals = np.zeros(size, dtype=np.int64)
    left_out: dict[str, int] = {}
    for part in chunks(len(outcome)):
        columns: dict[str, npt.NDArray[Any]] = {
            MISSING_LABEL: outcome[part],
            MISSING_PREDICTION: prediction[part],
            MISSING_GROUP: grouping.codes[part],
        }
        kept = keep_complete(columns, left_out)
        at = grouping.codes[part][kept].astype(np.int64) * 4 + outcome[part][kept] * 2 + prediction[part][kept]
        totals += np.bincount(at, minlength=size)
    return GroupCounts(grouping.groups, totals.reshape(-1, 2, 2), left_out)


def count_strata(outcome: Binary, prediction: Binary, grouping: Grouping, strata: Grouping) -> StratumCounts:
    """Count the confusion matrix of each group within each stratum in one pass.

    Args:
        outcome: Y of each row as 1, 0 or -1 (missing), shape (rows,).
        prediction: Prediction of each row, likewise.
        grouping: Group of each row.
        strata: Stratum of each row: groups made of the legitimate columns.

    Returns:
        The counts, with the rows left out and why.
    """
    width = len(grouping.groups)
    size = len(strata.groups) * width * 4
    totals = np.zeros(size, dtype=np.int64)
    left_out: dict[str, int] = {}
    for part in chunks(len(outcome)):
        columns: dict[str, npt.NDArray[Any]] = {
            MISSING_LABEL: outcome[part],
            MISSING_PREDICTION: prediction[part],
            MISSING_GROUP: grouping.codes[part],
            MISSING_STRATUM: strata.codes[part],
        }
        kept = keep_complete(columns, left_out)
        cell = strata.codes[part][kept].astype(np.int64) * width + grouping.codes[part][kept]
        totals += np.bincount(cell * 4 + outcome[part][kept] * 2 + prediction[part][kept], minlength=size)
    return StratumCounts(strata.groups, grouping.groups, totals.reshape(-1, width, 2, 2), left_out)


def chunks(rows: int) -> Iterator[slice]:
    """Cut rows into pieces that fit the cache."""
    for start in range(0, rows, CHUNK):
        yield slice(start, start + CHUNK)


def keep_complete(columns: Mapping[str, npt.NDArray[Any]], left_out: dict[str, int]) -> npt.NDArray[np.bool_]:
    """Find the rows in which no code is -1; add the others to ``left_out`` under their first reason."""
    kept = np.ones(len(next(iter(columns.values()))), dtype=bool)
    for reason, codes in columns.items():
        before = int(np.count_nonzero(kept))
        kept &= codes >= 0
        dropped = before - int(np.count_nonzero(kept))
        if dropped:
            left_out[reason] = left_out.get(reason, 0) + dropped
    return kept


def spread(values: npt.NDArray[Any], groups: tuple[str, ...], onto: tuple[str, ...]) -> npt.NDArray[Any]:
    """Put the values of some groups, shape (G, ...), into their places among more groups; zero elsewhere."""
    placed = np.zeros((len(onto), *values.shape[1:]), dtype=values.dtype)
    placed[[onto.index(group) for group in groups]] = values
    return placed


def add_reasons(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    """Add up rows left out, by reason."""
    return {reason: first.get(reason, 0) + second.get(reason, 0) for reason in {**first, **second}}
