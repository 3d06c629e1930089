"""Assessing fairness from a notebook: plain columns in, an assessment out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pandas as pd
from pandas.api import types
from pydantic import ValidationError

from rai_kedro.errors import RaiError
from rai_kedro.fairness.assessment import Assessment, FairnessSpec, examine_classification, examine_regression
from rai_kedro.fairness.grouping import GroupingSpec
from rai_kedro.fairness.individual import SimilaritySpec
from rai_kedro.fairness.metrics import Task
from rai_kedro.fairness.multiclass import examine_classes
from rai_kedro.fairness.tables import OutcomeError
from rai_kedro.frames import as_frame, read_column

_DEFAULT: dict[Task, tuple[str, ...]] = {
    "classification": ("statistical_parity", "equalized_odds"),
    "regression": ("mean_prediction", "mean_absolute_error"),
}
_OUTCOMES = 2
_SEVERAL = ("multiclass", "ordinal")
# Names that no sensitive feature has.
UNIT, WEIGHT = "unit of each row", "sample_weight of each row"
# What settings call it, and what the argument is called here.
_ARGUMENTS = {
    "fairness.groupings": "sensitive_features",
    "fairness.metrics": "metrics",
    "fairness.strata": "strata",
    "fairness.similarity.columns": "similarity",
    "label": "y_true",
    "prediction": "y_pred",
    "score": "y_score",
}


def assess(  # noqa: PLR0913 - every option by its name
    y_true: Any,
    y_pred: Any,
    *,
    sensitive_features: Any,
    metrics: str | Sequence[str] | None = None,
    y_score: Any = None,
    task: Task | Literal["multiclass", "ordinal"] | None = None,
    level: float = 0.95,
    favourable: Any = 1,
    classes: Sequence[Any] | None = None,
    costs: Any = None,
    intersections: bool = False,
    reference: str | Mapping[str, str] | None = None,
    cuts: Sequence[float] | Mapping[str, Sequence[float]] | None = None,
    categorical: bool | Mapping[str, bool] | None = None,
    least_rows: int = 0,
    strata: Any = None,
    similarity: Mapping[str, Any] | None = None,
    unit: Any = None,
    sample_weight: Any = None,
) -> Assessment:
    """Assess how differently predictions treat groups of people, each figure with its interval.

    Args:
        y_true: Labels, one a row: a list, an array, or a column of pandas, Polars or Arrow.
        y_pred: Predictions for the same rows: decisions, or amounts in the unit of the label.
        sensitive_features: One column, a dictionary of columns, or a frame; each column is a grouping of its own.
        metrics: Names or other names of metrics, see :data:`METRICS`; statistical parity and equalized odds if None,
            or mean prediction and mean absolute error of a regression.
        y_score: P(favourable) of each row, for the metrics that need it.
        task: ``classification`` or ``regression``; ``multiclass`` for three classes or more: each against the rest, the
            worst of them, and what wrong decisions cost; ``ordinal`` if they have an order. If None, two different
            labels or fewer are a classification, and more that are no numbers multiclass.
        level: Confidence level, holding for all pairs of groups of a metric at once.
        favourable: The favourable value of label and prediction.
        classes: Of several classes all there are; of ordered ones in their order (numbers have theirs).
        costs: Of several classes what a decision costs: a row for each label, a column for each decision, in the order
            of ``classes``. By default 1 for each wrong decision, or of ordered classes the steps between them.
        intersections: Whether the groups are those of all sensitive columns at once.
        reference: The group that all others are compared with; by column where there are several.
        cuts: Cut points of a continuous column; by column where there are several.
        categorical: Whether each value of a column of numbers is a group; by column where there are several.
        least_rows: Groups of fewer rows are taken together as "other groups".
        strata: Legitimate columns, for conditional statistical parity.
        similarity: For the metrics of individuals: ``features`` (a frame) and the fields of :class:`SimilaritySpec`.
        unit: The person, household or hospital of each row, where several rows belong to one: rows of a unit are alike,
            and every interval is then made of how far units differ.
        sample_weight: How many rows of the population each row stands for, as a survey gives it.

    Returns:
        The assessment: ``to_frame()``, ``plot()``, ``judge(demographic_parity=0.1)``, ``to_dict()``.

    Raises:
        RaiError: An argument cannot be used as it is; the error names it.
    """
    features = _read_frame(sensitive_features, "sensitive_features", "sensitive feature")
    given = {"y_true": y_true, "y_pred": y_pred} | ({} if y_score is None else {"y_score": y_score})
    columns = {name: read_column(values, name, OutcomeError) for name, values in given.items()}
    extra = _read_extra(strata, similarity, {UNIT: unit, WEIGHT: sample_weight})
    indexed = given | {"sensitive_features": sensitive_features, "strata": strata, UNIT: unit, WEIGHT: sample_weight}
    indexed["similarity"] = (similarity or {}).get("features")
    _require_same_rows({**columns, "sensitive_features": features, **extra}, indexed)
    if task is None:
        several = columns["y_true"].nunique() > _OUTCOMES
        amounts = types.is_numeric_dtype(columns["y_true"].dtype)
        task = "classification" if not several else "regression" if amounts else "multiclass"
    _check_task(task, columns, (favourable, classes, costs))
    names = list(map(str, features.columns))
    usual = _DEFAULT["regression" if task == "regression" else "classification"]
    wanted = usual if metrics is None else (metrics,) if isinstance(metrics, str) else tuple(metrics)

    def of(given: Any, column: str) -> Any:
        return given.get(column) if isinstance(given, Mapping) else given

    groupings = [
        {
            "columns": asked,
            "cuts": {name: points for name in asked if (points := of(cuts, name)) is not None},
            "categorical": {name: said for name in asked if (said := of(categorical, name)) is not None} or None,
            "reference": of(reference, " & ".join(asked)),
            "least_rows": least_rows,
        }
        for asked in ([names] if intersections else [[name] for name in names])
    ]
    audit = pd.concat([part.reset_index(drop=True) for part in (features, *extra.values())], axis=1)
    audit.columns = audit.columns.map(str)
    audit = audit.loc[:, ~audit.columns.duplicated()]
    try:
        spec = FairnessSpec(
            groupings=tuple(GroupingSpec.model_validate(one) for one in groupings),
            metrics=wanted,
            level=level,
            favourable=favourable,
            compare="all_pairs" if reference is None else "reference",
            strata=None if strata is None else GroupingSpec(columns=tuple(map(str, extra["strata"].columns))),
            similarity=_make_similarity(similarity, extra),
            unit=UNIT if unit is not None else None,
            weight=WEIGHT if sample_weight is not None else None,
        )
        truth, answer, *score = (column.reset_index(drop=True) for column in columns.values())
        if task == "regression":
            return examine_regression(truth, answer, audit, spec)
        if task in _SEVERAL:
            paid = "steps" if costs is None and task == "ordinal" else costs
            return examine_classes(truth, answer, audit, spec, classes=classes, costs=paid)
        return examine_classification(truth, answer, score[0] if score else None, audit, spec)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]) if first["loc"] else "cuts"
        told = first["msg"].removeprefix("Value error, ").rstrip("?.")
        raise RaiError(f"{name}: {told}.", where=name, remedy="correct this argument") from error
    except RaiError as error:
        where = error.where or ""
        renamed = next((argument for key, argument in _ARGUMENTS.items() if where.startswith(key)), error.where)
        error.where = "reference" if error.what.startswith("The reference group") else renamed
        raise


def _check_task(task: str, columns: Mapping[str, pd.Series[Any]], given: tuple[Any, Any, Any]) -> None:
    """Refuse arguments of several classes where there are two, and of two where there are several."""
    favourable, classes, costs = given
    several, ordered = task in _SEVERAL, task == "ordinal"
    is_text = not types.is_numeric_dtype(columns["y_true"].dtype)
    faults = {
        "classes": not several and classes is not None,
        "costs": not several and costs is not None,
        "favourable": several and favourable != 1,
        "y_score": several and "y_score" in columns,
        "classes, which have no order by themselves": ordered and is_text and classes is None,
    }
    for name in (name for name, applies in faults.items() if applies):
        told = "needs" if "order" in name else "does not take"
        remedy = "name them in their order" if "order" in name else "leave it out, or name another task"
        raise OutcomeError(f"The task {task!r} {told} {name}.", where=name.partition(",")[0], remedy=remedy)


def _read_frame(values: Any, name: str, column: str) -> pd.DataFrame:
    try:
        return as_frame(values, column)
    except (TypeError, ValueError) as error:
        remedy = "hand in a column, a dictionary of columns by name, or a frame"
        raise OutcomeError(f"{name} cannot be read: {error}.", where=name, remedy=remedy) from error


def _read_extra(
    strata: Any, similarity: Mapping[str, Any] | None, design: Mapping[str, Any]
) -> dict[str, pd.DataFrame]:
    extra = {} if strata is None else {"strata": _read_frame(strata, "strata", "stratum")}
    extra |= {
        name: read_column(values, name, OutcomeError).to_frame(name)
        for name, values in design.items()
        if values is not None
    }
    if similarity is not None and "features" in similarity:
        extra["similarity"] = _read_frame(similarity["features"], "similarity", "feature")
    return extra


def _make_similarity(given: Mapping[str, Any] | None, extra: dict[str, pd.DataFrame]) -> SimilaritySpec | None:
    if given is None:
        return None
    columns = tuple(map(str, extra["similarity"].columns)) if "similarity" in extra else ()
    fields = {key: value for key, value in given.items() if key != "features"}
    return SimilaritySpec.model_validate({"columns": columns, "distance": "euclidean"} | fields)


def _require_same_rows(columns: Mapping[str, pd.Series[Any] | pd.DataFrame], given: Mapping[str, Any]) -> None:
    """Refuse columns of different lengths, or under indexes that contradict each other."""
    first, *others = columns.items()
    for name, column in others:
        same = len(column) == len(first[1])
        both = (given[name], given[first[0]])
        if same and all(isinstance(one, pd.Series | pd.DataFrame) for one in both):
            # Without an index of its own on one side positions count; the same labels in another order never do.
            counted = any(isinstance(one.index, pd.RangeIndex) for one in both)
            shuffled = both[0].index.sort_values().equals(both[1].index.sort_values())
            same = both[0].index.equals(both[1].index) or (counted and not shuffled)
        if not same:
            raise OutcomeError(
                f"{first[0]} and {name} are not of the same rows.",
                where=f"{first[0]}, {name}",
                how_many=f"{len(first[1])} and {len(column)} rows",
                remedy="hand in columns of the same rows in the same order (pandas: under one index)",
            )
