"""Measuring performance from a notebook: plain columns in, figures out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from rai_kedro.frames import read_column
from rai_kedro.intervals import read_sampling
from rai_kedro.performance.classification import measure_classification
from rai_kedro.performance.figure import Performance, Task
from rai_kedro.performance.multiclass import measure_classes
from rai_kedro.performance.regression import PerformanceError, measure_performance

_OUTCOMES = 2


def measure(  # noqa: PLR0913 - every option by its name
    y_true: Any,
    y_pred: Any,
    *,
    y_score: Any = None,
    level: float = 0.95,
    task: Task | None = None,
    favourable: Any = 1,
    classes: Sequence[Any] | None = None,
    unit: Any = None,
    sample_weight: Any = None,
) -> Performance:
    """Measure how good predictions are, each figure with its interval.

    Args:
        y_true: Labels, one a row: a list, an array, or a column of pandas, Polars or Arrow.
        y_pred: Predictions for the same rows: decisions, or amounts in the unit of the label.
        y_score: P(favourable) of each row; AUC and Brier score need it. Of several classes the probability of each,
            shape (rows, classes); the log loss needs it.
        level: Confidence level of the intervals.
        task: ``classification``, ``multiclass`` (three classes or more) or ``regression``; if None, two different
            values or fewer are a classification, and more that are no numbers multiclass.
        favourable: The label that counts as 1 in a classification.
        classes: Of several classes all there are, in the order of ``y_score``; those found, sorted, if None.
        unit: The person, household or hospital of each row, where several rows belong to one.
        sample_weight: How many rows of the population each row stands for, as a survey gives it.

    Returns:
        The figures: accuracy, sensitivity, specificity, precision, AUC and Brier score; of several classes accuracy,
            balanced accuracy, log loss and the recall of each; or R2, MAE, MAPE and RMSE.

    Raises:
        PerformanceError: An argument is not one value a row, or does not fit the task; it is named.
    """
    given = {"y_true": y_true, "y_pred": y_pred}
    columns = {name: _read(values, name) for name, values in given.items()}
    if task is None:
        several = columns["y_true"].nunique() > _OUTCOMES
        amounts = types.is_numeric_dtype(columns["y_true"].dtype)
        task = "classification" if not several else "regression" if amounts else "multiclass"
    if y_score is not None and task != "multiclass":
        columns["y_score"] = _read(y_score, "y_score")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise PerformanceError(
            "The arguments are not of the same rows.",
            where=", ".join(lengths),
            how_many=", ".join(f"{name}: {rows} rows" for name, rows in lengths.items()),
            remedy="hand in one value for each row",
        )
    sampling = read_sampling(unit, sample_weight, len(columns["y_true"]))
    if task == "multiclass":
        named = _list_classes(columns, classes)
        scores = None if y_score is None else np.asarray(y_score, dtype=float)
        truth, decided = (columns[name].to_numpy() for name in ("y_true", "y_pred"))
        return Performance(task=task, figures=tuple(measure_classes(truth, decided, scores, named, level, sampling)))
    if task == "regression":
        numbers = [_as_numbers(columns[name], name) for name in ("y_true", "y_pred")]
        return Performance(task=task, figures=tuple(measure_performance(*numbers, level=level, sampling=sampling)))
    known = columns["y_true"].unique().tolist()
    truth, decision = (_encode(columns[name], name, favourable, known) for name in ("y_true", "y_pred"))
    score = None if y_score is None else _as_numbers(columns["y_score"], "y_score")
    figures = measure_classification(truth, decision, score, level=level, sampling=sampling)
    return Performance(task=task, figures=tuple(figures))


def _list_classes(columns: dict[str, pd.Series[Any]], classes: Sequence[Any] | None) -> list[Any]:
    found = list(dict.fromkeys(one for column in columns.values() for one in column.unique().tolist()))
    named = sorted(found, key=lambda one: (isinstance(one, str), one)) if classes is None else list(classes)
    if strange := [one for one in found if one not in named]:
        raise PerformanceError(
            "Some labels or decisions are not among the classes named.",
            where="classes",
            example=", ".join(map(repr, strange[:3])),
            remedy="name every class",
        )
    return named


def _read(values: Any, name: str) -> pd.Series[Any]:
    column = read_column(values, name, PerformanceError)
    if column.isna().any():
        raise PerformanceError(
            f"{name} has missing values.",
            where=name,
            how_many=f"{int(column.isna().sum())} of {len(column)} rows",
            remedy="measure on the rows that have both a label and a prediction",
        )
    return column


def _as_numbers(column: pd.Series[Any], name: str) -> Any:
    numbers = pd.to_numeric(column, errors="coerce")
    if numbers.isna().any():
        raise PerformanceError(
            f"{name} is not numbers.",
            where=name,
            example=repr(column[numbers.isna()].iloc[0]),
            remedy="hand in numbers, or task='classification' for two outcomes",
        )
    return numbers.to_numpy(dtype=float)


def _encode(column: pd.Series[Any], name: str, favourable: Any, known: list[Any]) -> Any:
    different = list(dict.fromkeys([*column.unique().tolist(), *known]))
    coded = all(value in (0, 1) for value in different) and favourable in (0, 1)
    if len(different) > _OUTCOMES or not (coded or favourable in different):
        raise PerformanceError(
            f"{name} is not two outcomes of which {favourable!r} is the favourable one.",
            where=f"{name}, favourable",
            how_many=f"{len(different)} different values",
            example=", ".join(map(repr, different[:3])),
            remedy="name the favourable label as 'favourable', or hand in task='regression' for amounts",
        )
    return np.where(column == favourable, 1.0, 0.0)
