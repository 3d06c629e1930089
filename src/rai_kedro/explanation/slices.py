"""Slices of the rows in which a model errs most, found by SliceLine (Sagadeeva and Boehm 2021)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from rai_kedro.explanation.results import Slice
from rai_kedro.intervals import largest_difference_of_means
from rai_kedro.words import format_number

Floats = NDArray[np.float64]

_BINS = 4
_MOST_VALUES = 12
_LEAST_ROWS = 30
_LEAST_SHARE = 0.02
_SHOWN = 5
_OTHER, _MISSING = "is another value", "is missing"
_HOW = (
    "mean error inside less outside; Welch's t, Bonferroni over the {n} slices of one or two columns that were searched"
)


def find_slices(columns: pd.DataFrame, errors: Floats, level: float) -> tuple[tuple[Slice, ...], int]:
    """Find where errors are largest: at most five slices of one or two columns, and how many were searched.

    Args:
        columns: What slices are made of, shape (rows, columns); numbers are cut at their quartiles.
        errors: Error of each row, shape (rows,), at least 0.
        level: Level of the intervals of all searched slices together.
    """
    from sliceline.slicefinder import Slicefinder

    least = max(_LEAST_ROWS, int(np.ceil(_LEAST_SHARE * len(errors))))
    named = pd.DataFrame({str(name): _name_values(columns[name]) for name in columns})
    searched = _count_searched(named, least)
    if not searched or not errors.any():
        return (), searched
    finder = Slicefinder(alpha=0.95, k=_SHOWN, max_l=2, min_sup=least, verbose=False)
    finder.fit(named.to_numpy(dtype=object), errors)
    told = {"level": level, "how": _HOW.format(n=searched)}
    found = []
    for values in finder.top_slices_:
        where = {str(column): value for column, value in zip(named, values, strict=True) if value is not None}
        found.append(_measure(named, where, errors, 1 - (1 - level) / searched).model_copy(update=told))
    return tuple(sorted(found, key=lambda one: -(one.lower if one.lower is not None else -np.inf))), searched


def _measure(named: pd.DataFrame, where: dict[str, str], errors: Floats, level: float) -> Slice:
    inside = np.logical_and.reduce([(named[column] == value).to_numpy() for column, value in where.items()])
    parts = errors[inside], errors[~inside]
    rows, means = [len(part) for part in parts], [float(part.mean()) if len(part) else 0.0 for part in parts]
    spreads = [float(part.var(ddof=1)) if len(part) > 1 else np.nan for part in parts]
    gap = largest_difference_of_means(rows, means, spreads, level)
    return Slice(
        value=means[0] - means[1],
        lower=gap.lower,
        upper=gap.upper,
        n=rows[0],
        note=gap.note,
        where=where,
        inside=means[0],
        outside=means[1],
    )


def _count_searched(named: pd.DataFrame, least: int) -> int:
    """Count the slices of one or two columns that have enough rows; all of them are looked at."""
    if not len(named):
        return 0
    indicators = pd.get_dummies(named, columns=list(named), dtype=np.int32, sparse=False).to_numpy()
    together = indicators.T @ indicators
    return int((np.triu(together) >= least).sum())


def _name_values(values: pd.Series) -> pd.Series:
    """Name the part of a column that each row lies in."""
    if is_numeric_dtype(values) and not is_bool_dtype(values) and values.nunique() > _BINS:
        return _cut(values.astype(float))
    texts = values.astype("object").where(values.notna(), None)
    common = set(values.value_counts().index[:_MOST_VALUES])
    return texts.map(lambda one: _MISSING if one is None else f"is {one}" if one in common else _OTHER)


def _cut(values: pd.Series) -> pd.Series:
    edges = np.unique(values.quantile(np.linspace(0, 1, _BINS + 1)).to_numpy())
    if len(edges) < 3:  # noqa: PLR2004  one value that nearly all rows have
        common = edges[0] if len(edges) else np.nan
        return values.map(lambda one: f"is {format_number(common)}" if one == common else _OTHER)
    codes = np.clip(np.searchsorted(edges, values.to_numpy(), side="right") - 1, 0, len(edges) - 2)
    # The ends are single rows' values, which are nobody's business.
    names = [f"from {format_number(low)} to {format_number(high)}" for low, high in pairwise(edges)]
    names[0], names[-1] = f"up to {format_number(edges[1])}", f"above {format_number(edges[-2])}"
    named = pd.Series([names[code] for code in codes], index=values.index, dtype="object")
    return named.where(values.notna(), _MISSING)
