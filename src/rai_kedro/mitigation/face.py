"""The comparison from a notebook: plain arrays, Series and data frames in, the engine of the pipeline behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from rai_kedro.fairness import DisparityKind, FairnessSpec, GroupingSpec, check_request, find_metric
from rai_kedro.frames import read_column
from rai_kedro.mitigation.compared import Comparison
from rai_kedro.mitigation.comparing import ComparisonRequest, ConfiguredMethod, compare_methods
from rai_kedro.mitigation.fitting import Rows
from rai_kedro.mitigation.methods import METHODS, applicable
from rai_kedro.mitigation.repeats import Repeats
from rai_kedro.mitigation.sensitive import MitigationError

OF_EACH_ROW = " of each row"
UNIT, WEIGHT = f"unit{OF_EACH_ROW}", f"sample_weight{OF_EACH_ROW}"
Methods = str | Sequence[str | ConfiguredMethod] | Mapping[str, Mapping[str, Any]]


def compare(  # noqa: PLR0913 - the face of the room: every setting by its name
    estimator: Any,
    X_train: Any,
    y_train: Any,
    X_test: Any,
    y_test: Any,
    *,
    sensitive_features: Any = None,
    sensitive_features_train: Any = None,
    sensitive_features_test: Any = None,
    metric: str = "demographic_parity",
    kind: DisparityKind | None = None,
    performance: str | None = None,
    tolerance: float = 0.02,
    methods: Methods = "applicable",
    sensitive_at_prediction: bool = False,
    alternatives: Mapping[str, Any] | None = None,
    choose: str | None = None,
    cuts: Sequence[float] | None = None,
    level: float = 0.95,
    splits: int = 0,
    must_hold: bool = False,
    unit: Any = None,
    sample_weight: Any = None,
) -> Comparison:
    """Fit mitigations of a model on the same rows, compare them on the same test rows, and choose one.

    Args:
        estimator: A scikit-learn classifier with ``predict_proba``, a regressor, or a Pipeline that ends with one.
        X_train: Features to fit on, shape (rows, columns): an array or a data frame.
        y_train: Labels, shape (rows,); of a classifier 0 and 1, with 1 the favourable outcome.
        X_test: Features to compare on.
        y_test: Their labels.
        sensitive_features: The sensitive column of training and test rows: a Series, or a data frame of one column, in
            which the index of both ``X_train`` and ``X_test`` is found. Otherwise give the next two.
        sensitive_features_train: The sensitive column of the training rows, shape (rows,).
        sensitive_features_test: That of the test rows.
        metric: Fairness metric that decides, by any of its names.
        kind: ``difference``, ``ratio`` or a distance; by default the metric's first.
        performance: accuracy, AUC, Brier score, MAE or R2; by default accuracy, or R2 of a regression.
        tolerance: Loss of performance that is accepted, in its unit.
        methods: ``"applicable"``: every method that serves the metric and suits the model; else names, or names with
            their parameters.
        sensitive_at_prediction: Whether predictions may read the sensitive column. If not, methods that need it are
            left out or refused, and the post-processed model is there for the view only.
        alternatives: Further unmitigated models by name; the best of all is the one post-processed.
        choose: Name of the model to choose whatever the rule says.
        cuts: Cut points of a continuous sensitive column; by default its median on the training rows.
        level: Confidence level of every interval.
        splits: Over how many further random splits of all rows the effect of each mitigation is measured, each with a
            fit of everything; 20 say whether an improvement is stable.
        must_hold: A mitigation is chosen only if it is shown to be fairer over these splits.
        unit: The person, household or hospital of each test row, where several belong to one; keep each on one side of
            the split. With ``splits`` a Series in whose index the rows of ``X_train`` are found as well.
        sample_weight: How many rows of the population each test row stands for. Fitting does not use it.

    Returns:
        The comparison: ``chosen``, ``reason``, ``estimators``, ``to_frame()``, ``plot()``, ``to_dict()``.

    Raises:
        RaiError: An argument does not serve; ``where`` names it.
    """
    features = _read_features(X_train, "X_train"), _read_features(X_test, "X_test")
    sensitive = _read_sensitive(sensitive_features, (sensitive_features_train, sensitive_features_test), features)
    column = str(sensitive[0].name)
    named = GroupingSpec(columns=(column,), cuts={} if cuts is None else {column: tuple(cuts)})
    sampled = {UNIT: unit, WEIGHT: sample_weight}
    fairness = FairnessSpec(
        groupings=(named,),
        metrics=(find_metric(metric).name,),
        level=level,
        unit=None if unit is None else UNIT,
        weight=None if sample_weight is None else WEIGHT,
    )
    request = ComparisonRequest(
        estimator=estimator,
        sensitive_column=column,
        fairness=fairness,
        permitted=sensitive_at_prediction,
        kind=kind,
        performance=performance,
        tolerance=tolerance,
        configured=choose,
        alternatives=alternatives or {},
        level=level,
        repeats=Repeats(splits, must_hold),
    )
    check_request(fairness, request.task, has_score=hasattr(estimator, "predict_proba"))
    request = replace(request, methods=_list_methods(methods, request))
    train, test = (
        Rows(part, _read_target(target, part, name, request.task), known.to_frame())
        for part, target, name, known in zip(features, (y_train, y_test), ("y_train", "y_test"), sensitive, strict=True)
    )
    design = {name: _read_design(values, name, test) for name, values in sampled.items() if values is not None}
    if splits:
        fitted = {name: _read_design(sampled[name], name, train, of="training") for name in design}
        train = replace(train, audit=train.audit.assign(**fitted))
    return compare_methods(request, train, replace(test, audit=test.audit.assign(**design)))


def _read_design(values: Any, name: str, rows: Rows, of: str = "test") -> Any:
    """Read unit or weight of each row of a part; of a Series that has all rows, those of its index."""
    column, index = read_column(values, name, MitigationError), rows.features.index
    if isinstance(values, pd.Series) and column.index.is_unique and index.isin(column.index).all():
        return column.loc[index].to_numpy()
    if len(column) != len(rows.target) or of == "training":
        found = f"{len(column)} values for {len(rows.target)} {of} rows"
        remedy = (
            "give a Series whose index has all rows of X_train and X_test" if of == "training" else "give one a row"
        )
        raise _refuse(name.removesuffix(OF_EACH_ROW), f"is not one value for each {of} row", found, remedy)
    return column.to_numpy()


def _list_methods(methods: Methods, request: ComparisonRequest) -> tuple[ConfiguredMethod, ...]:
    if methods == "applicable":
        at_hand: dict[str, Any] = {"permitted": request.permitted, "metric": request.fairness.metrics[0]}
        methods = [name for name in METHODS if applicable(name, request.task, request.estimator, **at_hand) is None]
    if isinstance(methods, str):
        methods = [methods]
    if isinstance(methods, Mapping):
        return tuple(ConfiguredMethod(name, dict(parameters or {})) for name, parameters in methods.items())
    return tuple(one if isinstance(one, ConfiguredMethod) else ConfiguredMethod(one) for one in methods)


def _read_features(X: Any, name: str) -> pd.DataFrame:
    X = X.to_pandas() if hasattr(X, "to_pandas") else X
    if isinstance(X, pd.DataFrame):
        return X
    table = np.asarray(X)
    if table.ndim != 2:  # noqa: PLR2004 - rows and columns
        raise _refuse(name, "is not a table of rows and columns", f"shape {table.shape}", "give a data frame")
    return pd.DataFrame(table).add_prefix("x")


def _read_target(y: Any, X: pd.DataFrame, name: str, task: str) -> pd.Series[Any]:
    values = read_column(y, name, MitigationError).to_numpy()
    if len(values) != len(X):
        raise _refuse(name, f"does not have one label for each row of X{name[1:]}", f"{len(values)} labels", "give it")
    different = pd.unique(values).tolist()
    if task == "classification" and not set(different) <= {0, 1}:
        example = ", ".join(map(repr, different[:5]))
        raise _refuse(name, "has other labels than 0 and 1", example, "write the favourable outcome as 1, the other 0")
    return pd.Series(values.astype(float if task == "regression" else int), index=X.index, name="label")


def _read_sensitive(whole: Any, parts: tuple[Any, Any], features: tuple[pd.DataFrame, ...]) -> list[pd.Series[Any]]:
    given = [part is not None for part in parts]
    if any(given) != all(given) or any(given) == (whole is not None):
        raise _refuse(
            "sensitive_features",
            "has to be given once: for all rows, or as sensitive_features_train and sensitive_features_test",
            None,
            "give one Series whose index has all rows, or the two parts",
        )
    if whole is None:
        named = zip(parts, ("sensitive_features_train", "sensitive_features_test"), features, strict=True)
        train, test = (_read_sensitive_column(part, name, X) for part, name, X in named)
        return [train, test.rename(str(train.name))]
    column = _read_sensitive_column(whole, "sensitive_features")
    missing = sum(int((~X.index.isin(column.index)).sum()) for X in features)
    if missing or not column.index.is_unique:
        remedy = "give a Series on the index of the features, or the parts as sensitive_features_train and _test"
        problem = "does not have each row of X_train and X_test once"
        raise _refuse("sensitive_features", problem, f"{missing} rows are not in its index", remedy)
    return [column.loc[X.index] for X in features]


def _read_sensitive_column(values: Any, name: str, X: pd.DataFrame | None = None) -> pd.Series[Any]:
    if isinstance(values, pd.DataFrame) and values.shape[1] > 1:
        remedy = "give one column; to mitigate for intersections, join columns into one text column"
        raise _refuse(name, "has more than one column", ", ".join(map(str, values.columns)), remedy)
    column = read_column(values, name, MitigationError)
    column = column.rename("sensitive_feature" if column.name is None else str(column.name))
    if X is not None and len(column) != len(X):
        raise _refuse(name, "is not of the same rows as the features", f"{len(column)} of {len(X)} rows", "give them")
    return column if X is None else column.set_axis(X.index)


def _refuse(argument: str, problem: str, example: str | None, remedy: str) -> MitigationError:
    return MitigationError(f"'{argument}' {problem}.", where=argument, example=example, remedy=remedy)
