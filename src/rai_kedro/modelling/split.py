"""Splitting rows into those to fit on and those held out: at random, by a column, by months, or by unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field

from rai_kedro.modelling.estimator import ModellingError
from rai_kedro.months import Month
from rai_kedro.typed import Typed
from rai_kedro.words import list_some

_SHOWN = 8
_Parts = Annotated[tuple[Annotated[str, BeforeValidator(str)], ...], Field(min_length=1)]


class RandomSplit(Typed):
    """Rows are held out at random."""

    by: Literal["random"] = "random"


class ColumnSplit(Typed):
    """A column names the part of each row; rows of parts in ``leave_out`` are on neither side."""

    by: Literal["column"]
    column: str
    train: _Parts = ("train",)
    test: _Parts = ("test",)
    leave_out: tuple[Annotated[str, BeforeValidator(str)], ...] = ()


class MonthSplit(Typed):
    """The rows of these months are held out."""

    by: Literal["months"]
    test: Annotated[tuple[Month, ...], Field(min_length=1)]


class UnitSplit(Typed):
    """Units are held out at random: all rows of a person, or of whatever the column names, are on one side."""

    by: Literal["unit"]
    column: str


SplitSpec = Annotated[RandomSplit | ColumnSplit | MonthSplit | UnitSplit, Field(discriminator="by")]


@dataclass(frozen=True)
class ModelSplit:
    """Features and target of the rows to fit on (train) and of those held out (test), each on its own index."""

    features_train: pd.DataFrame
    features_test: pd.DataFrame
    target_train: pd.Series[Any]
    target_test: pd.Series[Any]


def check_split(spec: SplitSpec, *, columns: list[str], months: tuple[str, ...]) -> None:
    """Check what can be known of a split before a row is read: ``columns`` there are, ``months`` are trained on.

    Raises:
        ModellingError: A column is not there, a month is not trained on, none is left, or a part is on both sides.
    """
    if isinstance(spec, MonthSplit):
        if strange := sorted(set(spec.test) - set(months)):
            raise _refuse(
                "test", "months of the test are not among those trained on", strange, f"trained on: {', '.join(months)}"
            )
        if set(spec.test) == set(months):
            raise _refuse("test", "every month is held out", list(spec.test), "leave a month to fit on")
    elif isinstance(spec, ColumnSplit | UnitSplit) and spec.column not in columns:
        raise _refuse("column", f"there is no column {spec.column!r}", columns, "name one of these, as in the contract")
    if isinstance(spec, ColumnSplit):
        named = [*spec.train, *spec.test, *spec.leave_out]
        if twice := sorted({part for part in named if named.count(part) > 1}):
            raise _refuse("train and test", "parts are named twice", twice, "name each part once")


def split_rows(
    features: pd.DataFrame,
    target: pd.Series[Any],
    *,
    test_size: float,
    random_state: int,
    by: tuple[SplitSpec, pd.Series[Any]] | None = None,
) -> ModelSplit:
    """Split rows, by default at random; ``target`` is on the index of ``features``.

    ``test_size`` is the share of rows, or of units, that is held out at random. ``by`` says how to split otherwise, and
    what decides: the column of parts or units, or the month of each row, on the same index.

    Raises:
        ModellingError: One side would have no row, or the column does not say on which side a row is.
    """
    match by:
        case (UnitSplit() as spec, deciding):
            train, test = _split_units(deciding, spec, test_size, random_state)
        case (ColumnSplit() | MonthSplit() as spec, deciding):
            train, test = _split_parts(deciding, spec)
        case _:
            train, test = _draw(target.index, test_size, random_state)
    return ModelSplit(features.loc[train], features.loc[test], target.loc[train], target.loc[test])


def _draw(index: Any, test_size: float, random_state: int, what: str = "rows") -> list[Any]:
    from sklearn.model_selection import train_test_split

    try:
        return list(train_test_split(index, test_size=test_size, random_state=random_state))
    except ValueError as error:
        raise ModellingError(
            "The rows cannot be split.",
            where="test_size",
            how_many=f"{len(index)} {what}, test_size {test_size:g}",
            example=str(error),
            remedy=f"take a month with more {what}, or another 'test_size'",
        ) from None


def _split_units(units: pd.Series[Any], spec: UnitSplit, test_size: float, random_state: int) -> list[Any]:
    if units.isna().any():
        found = f"{int(units.isna().sum())} of {len(units)} rows have none"
        raise _refuse("column", f"{spec.column!r} names no unit for some rows", [found], "fill it, or split otherwise")
    # In the order of their names, so that the order of the rows does not decide.
    different = np.array(sorted(units.unique(), key=str), dtype=object)
    if len(different) == 1:
        found = f"all {len(units)} rows are of {different[0]!r}"
        raise _refuse("column", f"{spec.column!r} names one unit only", [found], "take a column with more units")
    train = set(_draw(different, test_size, random_state, "units")[0])
    fitted = units.isin(train)
    return [units.index[fitted], units.index[~fitted]]


def _split_parts(deciding: pd.Series[Any], spec: ColumnSplit | MonthSplit) -> list[Any]:
    parts = deciding.astype("object").where(deciding.notna(), "(missing)").map(str)
    if isinstance(spec, MonthSplit):
        held = parts.isin(spec.test)
        fitted = ~held
    else:
        counts = parts.value_counts()
        known = {*spec.train, *spec.test, *spec.leave_out}
        if strange := [f"{part}: {rows} rows" for part, rows in counts.items() if part not in known]:
            remedy = "name each value under 'train', 'test' or 'leave_out'"
            raise _refuse("column", f"{spec.column!r} has values that name no part", strange, remedy)
        fitted, held = parts.isin(spec.train), parts.isin(spec.test)
    for side, rows in (("train", fitted), ("test", held)):
        if not rows.any():
            found = [f"{part}: {rows} rows" for part, rows in parts.value_counts().items()]
            raise _refuse(side, f"no row is on the side of {side}", found, "correct the values, or split otherwise")
    return [parts.index[fitted], parts.index[held]]


def _refuse(key: str, problem: str, there: list[str], remedy: str) -> ModellingError:
    what, example = f"The rows cannot be split: {problem}.", list_some(there, _SHOWN)
    return ModellingError(what, where=f"split.{key}", example=example, remedy=remedy)
