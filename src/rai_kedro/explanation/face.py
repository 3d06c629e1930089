"""Explain a model in one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from rai_kedro.explanation.drivers import (
    LEAST_SHOWN,
    Asked,
    answer,
    compare_groups,
    find_drivers,
    find_responses,
    take_rows,
)
from rai_kedro.explanation.results import Confusion, Explanation, ExplanationError
from rai_kedro.explanation.slices import find_slices
from rai_kedro.modelling import limit_threads

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
