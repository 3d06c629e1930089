"""Splitting rows into those to fit on and those held out: at random, by a column, by months, or by unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import BeforeValidator, Field

from rai_kedro.intervals import key_units
from rai_kedro.modelling.estimator import ModellingError
from rai_kedro.months import Month
from rai_kedro.typed import Typed
from rai_kedro.words import list_some

_SHOWN = 8
_Parts = Annotated[tuple[Annotated[str, BeforeValidator(str)], ...], Field(min_length=1)]


_Share = Annotated[float, Field(gt=0, lt=1)]


class RandomSplit(Typed):
    """Rows are held out at random.

    Attributes:
        choose: Share of all rows that is kept to choose a mitigation on; nothing is fitted or judged on them.
    """

    by: Literal["random"] = "random"
    choose: _Share | None = Field(default=None, exclude_if=lambda value: value is None)


class ColumnSplit(Typed):
    """A column names the part of each row.

    Attributes:
        column: The column that names the part of each row.
        train: Parts to fit on.
        test: Parts to test on.
        choose: Parts on which a mitigation is chosen.
        leave_out: Parts that are on neither side.
    """

    by: Literal["column"]
    column: str
    train: _Parts = ("train",)
    test: _Parts = ("test",)
    choose: _Parts | None = Field(default=None, exclude_if=lambda value: value is None)
    leave_out: tuple[Annotated[str, BeforeValidator(str)], ...] = ()


class MonthSplit(Typed):
    """The rows of whole months are held out.

    Attributes:
        test: Months held out to test on.
        choose: Months on which a mitigation is chosen.
    """

    by: Literal["months"]
    test: Annotated[tuple[Month, ...], Field(min_length=1)]
    choose: Annotated[tuple[Month, ...], Field(min_length=1)] | None = Field(
        default=None, exclude_if=lambda value: value is None
    )


class UnitSplit(Typed):
    """Units are held out at random: all rows of a person, or of whatever the column names, are on one side.

    Attributes:
        column: The column that names the unit, for example a person.
        choose: Share of all units that is kept to choose a mitigation on.
    """

    by: Literal["unit"]
    column: str
    choose: _Share | None = Field(default=None, exclude_if=lambda value: value is None)


class NoSplit(Typed):
    """Every row is held out, since nothing is fitted: for what was predicted elsewhere."""

    by: Literal["none"]


SplitSpec = Annotated[RandomSplit | ColumnSplit | MonthSplit | UnitSplit | NoSplit, Field(discriminator="by")]


@dataclass(frozen=True)
class ModelSplit:
    """Features and target of the rows to fit on (train) and of those held out (test), each on its own index.

    Where a mitigation is chosen on rows of its own, these are ``choose``: nothing is fitted or judged on them.
    """

    features_train: pd.DataFrame
    features_test: pd.DataFrame
    target_train: pd.Series[Any]
    target_test: pd.Series[Any]
    features_choose: pd.DataFrame | None = None
    target_choose: pd.Series[Any] | None = None


def check_split(spec: SplitSpec, *, columns: list[str], months: tuple[str, ...]) -> None:
    """Check what can be known of a split before a row is read: ``columns`` there are, ``months`` are trained on.

    Raises:
        ModellingError: A column is not there, a month is not trained on, none is left, or a part is on both sides.
    """
    if isinstance(spec, MonthSplit):
        held = [*spec.test, *(spec.choose or ())]
        if strange := sorted(set(held) - set(months)):
            raise _refuse(
                "test", "months held out are not among those trained on", strange, f"trained on: {', '.join(months)}"
            )
        if both := sorted(set(spec.test) & set(spec.choose or ())):
            raise _refuse("choose", "months are to choose on and to test on", both, "name each month once")
        if set(held) == set(months):
            raise _refuse("test", "every month is held out", held, "leave a month to fit on")
    elif isinstance(spec, ColumnSplit | UnitSplit) and spec.column not in columns:
        raise _refuse("column", f"there is no column {spec.column!r}", columns, "name one of these, as in the contract")
    if isinstance(spec, ColumnSplit):
        named = [*spec.train, *spec.test, *(spec.choose or ()), *spec.leave_out]
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
        case (NoSplit(), _):
            parts = [target.index[:0], target.index]
        case (UnitSplit() as spec, deciding):
            parts = _split_units(deciding, spec, test_size, random_state)
        case (ColumnSplit() | MonthSplit() as spec, deciding):
            parts = _split_parts(deciding, spec)
        case (RandomSplit(choose=choose), _):
            parts = _draw(target.index, test_size, random_state, choose=choose)
        case _:
            parts = _draw(target.index, test_size, random_state)
    train, test, *further = parts
    third = (features.loc[further[0]], target.loc[further[0]]) if further else (None, None)
    return ModelSplit(features.loc[train], features.loc[test], target.loc[train], target.loc[test], *third)


def count_shared_units(split: ModelSplit, units: pd.Series[Any]) -> tuple[int, int]:
    """Return how many units have rows both fitted on and tested on, and how many are tested on at all.

    ``units`` is the unit of each row, on the index that was split.
    """
    keys = pd.Series(key_units(units), units.index)
    fitted, tested = (set(keys.loc[part.index]) for part in (split.target_train, split.target_test))
    return len(fitted & tested), len(tested)


def _draw(
    index: Any, test_size: float, random_state: int, what: str = "rows", *, choose: float | None = None
) -> list[Any]:
    """Draw rows to fit on, to test on and, of those not tested on, to choose on: a share of all."""
    from sklearn.model_selection import train_test_split

    try:
        train, test = train_test_split(index, test_size=test_size, random_state=random_state)
        if choose is None:
            return [train, test]
        rows = round(choose * len(index))
        train, third = train_test_split(train, test_size=rows, random_state=random_state)
        return [train, test, third]
    except ValueError as error:
        raise ModellingError(
            "The rows cannot be split.",
            where="test_size",
            how_many=f"{len(index)} {what}, test_size {test_size:g}",
            example=str(error),
            remedy=f"take a month with more {what}, or another 'test_size' or 'split.choose'",
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
    parts = _draw(different, test_size, random_state, "units", choose=spec.choose)
    return [units.index[units.isin(set(part))] for part in parts]


def _split_parts(deciding: pd.Series[Any], spec: ColumnSplit | MonthSplit) -> list[Any]:
    parts = deciding.astype("object").where(deciding.notna(), "(missing)").map(str)
    if isinstance(spec, MonthSplit):
        held, third = parts.isin(spec.test), parts.isin(spec.choose or ())
        fitted = ~held & ~third
    else:
        counts = parts.value_counts()
        known = {*spec.train, *spec.test, *(spec.choose or ()), *spec.leave_out}
        if strange := [f"{part}: {rows} rows" for part, rows in counts.items() if part not in known]:
            remedy = "name each value under 'train', 'test', 'choose' or 'leave_out'"
            raise _refuse("column", f"{spec.column!r} has values that name no part", strange, remedy)
        fitted, held, third = (parts.isin(named or ()) for named in (spec.train, spec.test, spec.choose))
    sides = {"train": fitted, "test": held} | ({"choose": third} if spec.choose else {})
    for side, rows in sides.items():
        if not rows.any():
            found = [f"{part}: {rows} rows" for part, rows in parts.value_counts().items()]
            raise _refuse(side, f"no row is on the side of {side}", found, "correct the values, or split otherwise")
    return [parts.index[rows] for rows in sides.values()]


def _refuse(key: str, problem: str, there: list[str], remedy: str) -> ModellingError:
    what, example = f"The rows cannot be split: {problem}.", list_some(there, _SHOWN)
    return ModellingError(what, where=f"split.{key}", example=example, remedy=remedy)
