"""The groups that a mitigation works on: learnt when it is fitted, recognised again on new rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types

from rai_kedro.errors import RaiError
from rai_kedro.fairness import MAX_VALUES_OF_CODES, GroupingSpec, make_groups

Codes = npt.NDArray[np.intp]
Column = str | int


class MitigationError(RaiError, ValueError):
    """A mitigation cannot be done as asked; also a ``ValueError``, as scikit-learn's conventions want it."""

    def tell(self) -> str:
        """Return the error as sentences, for a table or a log."""
        found = "; ".join(part for part in (self.how_many, self.example) if part)
        return " ".join(part for part in (self.what, found and f"{found}.", f"To mend it: {self.remedy}.") if part)


class UnknownGroupError(MitigationError):
    """Rows to predict, ``rows`` of them, belong to ``groups`` of a column that a mitigation was not fitted for."""

    def __init__(self, column: str, groups: Sequence[str], rows: int, of: int, known: Sequence[str]) -> None:
        super().__init__(
            "The mitigation was not fitted for some of the groups in these rows.",
            where=f"column {column!r}",
            how_many=f"{rows} of {of} rows",
            example=f"unknown: {', '.join(groups[:5])}; known: {', '.join(known)}",
            remedy="train on data with these groups, correct the values, or decide on these rows without this model",
        )
        self.column, self.groups, self.rows = column, tuple(groups), rows


def learn_groups(
    values: Any, column: Column, cuts: Sequence[float] | None = None
) -> tuple[tuple[str, ...], tuple[float, ...] | None, Codes]:
    """Make the groups of the training rows, of which there have to be two; return names, cut points, each row's group.

    Numbers with more than ten different values, or with fractions, are cut: at ``cuts``, else at their median, which
    is kept for new rows; empty cuts make each value a group. Every other value is a group, and so are missing ones.
    """
    series = _as_series(values, column)
    if series.isna().all():
        raise MitigationError(
            f"The sensitive column {column!r} has no value.",
            how_many=f"{len(series)} of {len(series)} rows are missing",
            remedy="mitigate for a column that is recorded, or leave the mitigation out",
        )
    points = find_cut(series) if cuts is None else tuple(float(cut) for cut in cuts) or None
    grouping = make_groups(series.to_frame(), _spec(str(column), points))
    if len(grouping.groups) < 2:  # noqa: PLR2004 - a comparison needs two
        raise MitigationError(
            f"The sensitive column {column!r} makes only one group, so that there is nothing to mitigate between.",
            how_many=f"{len(series)} rows, all {grouping.groups[0]!r}",
            remedy="give training data with at least two groups, other cut points, or another sensitive column",
        )
    return grouping.groups, points, grouping.codes.astype(np.intp)


def find_groups(values: Any, column: Column, names: Sequence[str], cuts: Sequence[float] | None) -> Codes:
    """Return the position of each new row's group among the known ``names``, shape (rows,); refuse unknown groups."""
    series = _as_series(values, column)
    grouping = make_groups(series.to_frame(), _spec(str(column), tuple(cuts) if cuts else None))
    codes: Codes = pd.Index(names).get_indexer(pd.Index(grouping.groups))[grouping.codes]
    if (codes < 0).any():
        unknown = [name for name in grouping.groups if name not in names]
        raise UnknownGroupError(str(column), unknown, int((codes < 0).sum()), len(codes), names)
    return codes


def take_column(X: Any, column: Column | None) -> Any:
    """Return the sensitive column of ``X``, by name (data frame) or position (array)."""
    if isinstance(X, pd.DataFrame):
        if column not in X.columns:
            raise _absent(column, X)
        return X[column]
    array = _as_table(X)
    if isinstance(column, bool) or not isinstance(column, int | np.integer) or not 0 <= column < array.shape[1]:
        raise _absent(column, X)
    return array[:, column]


def drop_column(X: Any, column: Column | None) -> Any:
    """Return ``X`` without the sensitive column."""
    if isinstance(X, pd.DataFrame):
        return X.drop(columns=[column])
    return np.delete(_as_table(X), int(column or 0), axis=1)


def count_cells(codes: Codes, outcomes: Codes, names: Sequence[str], where: str) -> npt.NDArray[np.int64]:
    """Return the rows per group and class, shape (G, K); refuse a group that lacks a class (or bin of the target)."""
    classes = int(outcomes.max()) + 1
    cells = np.bincount(codes * classes + outcomes, minlength=len(names) * classes).reshape(len(names), classes)
    empty = np.argwhere(cells == 0)
    if len(empty):
        group, outcome = empty[0]
        raise MitigationError(
            f"{where} needs every outcome in every group, and some groups lack one.",
            where=where,
            how_many=f"{len(set(empty[:, 0]))} of {len(names)} groups",
            example=f"group {names[group]!r}: {int(cells[group].sum())} row(s), none of outcome {int(outcome)}",
            remedy="give more data on these groups, join groups that belong together, or choose another method",
        )
    return np.asarray(cells, dtype=np.int64)


def find_cut(series: pd.Series[Any]) -> tuple[float, ...] | None:
    """Return where a column is cut if nothing is declared: at its median, or None where each value is a group."""
    if not is_number(series):
        return None
    numbers = series.to_numpy(dtype=float, na_value=np.nan)
    different = pd.unique(numbers[~np.isnan(numbers)])
    if len(different) <= MAX_VALUES_OF_CODES and (different == np.rint(different)).all():
        return None
    return (float(np.nanmedian(numbers)),)


def is_number(column: pd.Series[Any]) -> bool:
    """Say whether a column holds numbers, as which true and false do not count."""
    return bool(types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype))


def _spec(column: str, points: tuple[float, ...] | None) -> GroupingSpec:
    if points is None:
        return GroupingSpec(columns=(column,), categorical=True)
    return GroupingSpec(columns=(column,), cuts={column: points}, every_intersection=False)


def _as_series(values: Any, column: Column) -> pd.Series[Any]:
    plain = values.array if isinstance(values, pd.Series) else np.asarray(values)
    return pd.Series(plain, name=str(column))


def _as_table(X: Any) -> npt.NDArray[Any]:
    array = X if isinstance(X, np.ndarray) else np.asarray(X)
    if array.ndim != 2:  # noqa: PLR2004 - rows and columns
        raise MitigationError(
            "The features are not a table of rows and columns.",
            example=f"{array.ndim} dimension(s), type {type(X).__name__}",
            remedy="give a data frame or a two-dimensional dense array; reshape your data with reshape(-1, 1) for one "
            "column, reshape(1, -1) for one row",
        )
    return array


def _absent(column: Column | None, X: Any) -> MitigationError:
    there = ", ".join(map(str, X.columns[:10])) if isinstance(X, pd.DataFrame) else f"{np.shape(X)} array"
    return MitigationError(
        f"The sensitive column {column!r} is not among the columns given.",
        example=f"there are: {there}",
        remedy="give the column to 'fit' as sensitive=..., or, if the method needs it for prediction, in the features",
    )
