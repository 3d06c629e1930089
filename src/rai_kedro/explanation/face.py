"""Explain a model in one call: drivers, responses, and the slices in which it errs most.

Slices are found by SliceLine (Sagadeeva and Boehm 2021).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from rai_kedro.explanation.drivers import (
    LEAST_SHOWN,
    Asked,
    answer,
    compare_groups,
    find_drivers,
    find_responses,
    take_rows,
)
from rai_kedro.explanation.results import Confusion, Explanation, ExplanationError, Slice
from rai_kedro.intervals import largest_difference_of_means
from rai_kedro.modelling import limit_threads
from rai_kedro.words import format_number

_STRONGEST = 6
_LEAST_ROWS = 30
# Pairs of parts of more columns take minutes to search, and the correction for the search leaves nothing to be found.
_MOST_SLICED = 40


def explain(  # noqa: PLR0913
    model: Any,
    features: pd.DataFrame,
    target: Any,
    *,
    sensitive_features: Mapping[str, Any] | pd.DataFrame | None = None,
    unit: Any = None,
    level: float = 0.95,
    seed: int = 0,
) -> Explanation:
    """Say what a model goes by and where it errs most, on rows it was not fitted on.

    Args:
        model: Fitted estimator; a classifier has the labels 0 and 1 and gives probabilities.
        features: Its inputs, shape (rows, columns); of more than 1,000 rows the drivers are measured on a sample.
        target: Label of each row, shape (rows,).
        sensitive_features: Columns by whose groups drivers and errors are looked at, each of shape (rows,). Values are
            groups: cut numbers beforehand.
        unit: Which rows belong together (a person's), shape (rows,): one row of each is looked at.
        level: Confidence level of each interval; of the slices, of all of them together.
        seed: Of sample and exchanges.

    Raises:
        ExplanationError: There are fewer than 30 rows, or the arguments differ in rows.
        ModellingError: The model's scores are no probabilities.
    """
    groups = pd.DataFrame({} if sensitive_features is None else dict(sensitive_features)).reset_index(drop=True)
    groups = groups if len(groups.columns) else pd.DataFrame(index=range(len(features)))
    return explain_groups(model, features, target, groups=groups, columns=groups, units=unit, level=level, seed=seed)


def explain_groups(  # noqa: PLR0913
    model: Any,
    features: pd.DataFrame,
    target: Any,
    *,
    groups: pd.DataFrame,
    columns: pd.DataFrame,
    units: Any = None,
    level: float = 0.95,
    seed: int = 0,
    measured_in: str = "",
) -> Explanation:
    """Explain as :func:`explain`, with groups made beforehand, and further ``columns`` that slices are made of.

    Each column of ``groups`` names the groups of one grouping, missing where a row is left out; the label is
    ``measured_in`` a unit, for the words.
    """
    random = np.random.default_rng(seed)
    truth = np.asarray(target, dtype=float)
    _check(features, truth, groups, columns)
    chosen = np.arange(len(features)) if units is None else _take_one_each(units, random)
    rows, groups, columns = (one.iloc[chosen].reset_index(drop=True) for one in (features, groups, columns))
    truth, is_score = truth[chosen], hasattr(model, "predict_proba")
    _require_enough(len(rows))
    at = take_rows(len(rows), random)
    asked = Asked(model, rows.iloc[at].reset_index(drop=True), level, random)

    def error_of(answers: Any, labels: Any = truth[at]) -> Any:
        return (answers - labels) ** 2 if is_score else np.abs(answers - labels)

    with limit_threads(len(rows)):
        drivers, others = find_drivers(asked, error_of)
        strongest = [one.column for one in drivers[:_STRONGEST] if one.share > 0]
        sampled = groups.iloc[at].reset_index(drop=True)
        by_group = [one for name in groups for one in compare_groups(asked, sampled[name], strongest)]
        responses = find_responses(asked, strongest)
        errors = error_of(answer(model, rows), truth)
        decisions = np.asarray(model.predict(rows)) if is_score else None
    names = {one.column for one in drivers[:_MOST_SLICED]}
    sliced = pd.concat([rows[[name for name in rows if str(name) in names]], columns], axis="columns")
    slices, searched = find_slices(sliced.loc[:, ~sliced.columns.duplicated()], errors, level)
    return Explanation(
        error="squared error of the score" if is_score else "absolute error",
        unit="" if is_score else measured_in,
        rows=len(at),
        level=level,
        drivers=drivers,
        others=others,
        by_group=tuple(by_group),
        responses=tuple(responses),
        slices=slices,
        searched=searched,
        confusions=() if decisions is None else tuple(_count_decisions(decisions == 1, truth == 1, groups)),
    )


def _count_decisions(decided: Any, positive: Any, groups: pd.DataFrame) -> Iterator[Confusion]:
    yield _cross("", "", decided, positive)
    for grouping in groups:
        for name, at in groups[grouping].groupby(groups[grouping], observed=True).indices.items():
            if len(at) >= LEAST_SHOWN:
                yield _cross(str(grouping), str(name), decided[at], positive[at])


def _cross(grouping: str, group: str, decided: Any, positive: Any) -> Confusion:
    return Confusion(
        grouping=grouping,
        group=group,
        true_positives=int((decided & positive).sum()),
        false_positives=int((decided & ~positive).sum()),
        false_negatives=int((~decided & positive).sum()),
        true_negatives=int((~decided & ~positive).sum()),
    )


def _check(rows: pd.DataFrame, truth: Any, groups: pd.DataFrame, columns: pd.DataFrame) -> None:
    lengths = {"target": len(truth), "sensitive_features": len(groups), "columns": len(columns)}
    wrong = {name: length for name, length in lengths.items() if length != len(rows)}
    if wrong:
        raise ExplanationError(
            "The arguments differ in rows.",
            where=", ".join(wrong),
            example=f"features {len(rows)}, {', '.join(f'{name} {length}' for name, length in wrong.items())}",
            remedy="give one value for each row of 'features'",
        )


def _take_one_each(units: Any, random: np.random.Generator) -> Any:
    """Return the position of one row of each unit, so that rows are independent."""
    mixed = random.permutation(len(units))
    first = ~pd.Series(np.asarray(units)[mixed]).duplicated().to_numpy()
    return np.sort(mixed[first])


def _require_enough(rows: int) -> None:
    if rows < _LEAST_ROWS:
        raise ExplanationError(
            f"{rows} independent rows are too few to explain a model on; at least {_LEAST_ROWS} are needed.",
            where="features",
            remedy="take more of the rows that the model was not fitted on",
        )


Floats = NDArray[np.float64]

_BINS = 4
_MOST_VALUES = 12
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
