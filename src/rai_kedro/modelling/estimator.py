"""The estimator by configuration, from modules that were agreed on beforehand: built, fitted, and asked to predict."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from rai_kedro.errors import RaiError

if TYPE_CHECKING:
    import pandas as pd

# On fewer rows the threads of a gradient boosting wait for each other longer than they work.
_ROWS_FOR_THREADS = 20_000


class ModellingError(RaiError):
    """An estimator, its rows or its answers do not serve as asked; ``where`` names the setting."""


class EstimatorConfig(BaseModel):
    """Which estimator, with which parameters.

    Attributes:
        class_path: Full import path of the class, for example ``sklearn.linear_model.LinearRegression``.
        params: What the class is made with, by the names of its own parameters.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    class_path: str = Field(alias="class", min_length=1)
    params: dict[str, Any] = {}


def build_estimator(config: EstimatorConfig, allowed_modules: Sequence[str], key: str = "estimator") -> Any:
    """Make an unfitted estimator; ``key`` is the name of its setting, for messages.

    Only modules with the prefixes ``allowed_modules``, for example ``sklearn.``, are imported.

    Raises:
        ModellingError: The class is outside these modules or no estimator, or does not take the parameters.
    """
    module_name, _, class_name = config.class_path.rpartition(".")
    # Closed with a dot, so that 'sklearn' does not let 'sklearn_evil' in.
    prefixes = tuple(f"{module.removesuffix('.')}." for module in allowed_modules)
    if not f"{config.class_path}.".startswith(prefixes):
        raise ModellingError(
            f"The estimator '{config.class_path}' is outside the allowed modules.",
            where=f"{key}.class",
            example=f"allowed: {', '.join(allowed_modules)}",
            remedy="take a class from an allowed module, or have the module added to 'allowed_modules'",
        )
    try:
        estimator_class = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise ModellingError(
            f"The estimator '{config.class_path}' does not exist.",
            where=f"{key}.class",
            example=str(error),
            remedy="check the spelling against the library's documentation",
        ) from None
    _require_estimator(estimator_class, config.class_path, f"{key}.class")
    return _instantiate(estimator_class, config.params, f"{key}.params")


def fit_estimator(estimator: Any, features: Any, target: Any) -> Any:
    """Fit an estimator; what it cannot be fitted on is said in one screen.

    Raises:
        ModellingError: A classifier gives no probabilities or gets a label other than 0 and 1, or the rows are refused.
    """
    from sklearn.base import is_classifier

    name = _name_last_step(estimator)
    if is_classifier(estimator):
        if not hasattr(estimator, "predict_proba"):
            raise ModellingError(
                f"{name} gives no probabilities ('predict_proba'), by which classifiers are assessed and mitigated.",
                where="estimator",
                remedy="choose a classifier that does, for example sklearn.linear_model.LogisticRegression, or "
                "sklearn.calibration.CalibratedClassifierCV, which calibrates a linear support vector classifier",
            )
        require_both_classes(target)
    try:
        with limit_threads(len(features)):
            return estimator.fit(features, target)
    except ValueError as error:
        raise ModellingError(
            f"{name} cannot be fitted on these rows.",
            where="estimator",
            how_many=f"{len(features)} rows, {features.shape[1]} columns",
            example=first_line(error),
            remedy="choose an estimator for this task and these columns, or a 'preparation' that suits it",
        ) from error


def first_line(error: Exception) -> str:
    """Return what an error of a library says, in a line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def require_task(estimator: Any, task: str) -> None:
    """Refuse an estimator of another task than ``classification`` or ``regression``, as configured."""
    from sklearn.base import is_classifier, is_regressor

    fits, kind = {
        "classification": (is_classifier, "classifier, which decides between two outcomes"),
        "regression": (is_regressor, "regressor"),
    }[task]
    if not fits(estimator):
        what = f"{_name_last_step(estimator)} is no estimator for {task}."
        raise ModellingError(what, where="task and estimator.class", remedy=f"correct 'task', or choose a {kind}")


def require_both_classes(target: Any) -> None:
    """Refuse a label that has other values than 0 and 1, or only one of them; shape (rows,)."""
    import pandas as pd

    counts = pd.Series(target).value_counts()
    if set(counts.index) == {0, 1}:
        return
    what = "The label is not binary: a classifier learns 1 (favourable) against 0."
    remedy = (
        "take a label of 0 and 1, or 'task: regression' for a number; predictions of more classes are assessed from "
        "Python (rai_kedro.fairness.assess, task='multiclass'), and not trained here"
    )
    if set(counts.index) < {0, 1}:
        what = "The label has one class only on the training rows, so that nothing can be learnt."
        remedy = "train on more months ('last_month') or rows that have both outcomes"
    raise ModellingError(
        what,
        where="target and task",
        how_many=f"{len(counts)} different values in {int(counts.sum())} training rows",
        example=", ".join(f"{value!r}: {rows} rows" for value, rows in counts.head(5).to_dict().items()),
        remedy=remedy,
    )


@contextmanager
def limit_threads(rows: int) -> Iterator[None]:
    """Fit or predict small data in one thread."""
    with _find_pools(len(sys.modules)).limit(limits=1 if rows < _ROWS_FOR_THREADS else None):
        yield


@lru_cache(maxsize=1)
def _find_pools(modules: int) -> Any:
    """Find the thread pools of all loaded libraries: 5 ms, so only when further modules were imported since."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


def sensitive_input(model: Any) -> str | None:
    """Return the sensitive column that a model's mitigation needs for every prediction, or None."""
    return str(model.sensitive_column) if getattr(model, "needs_sensitive", False) else None


def predict_rows(model: Any, features: pd.DataFrame) -> pd.DataFrame:
    """Predict rows by a fitted estimator, of a classifier with 1 for the favourable class.

    Returns column ``prediction`` and, of a classifier that gives probabilities, ``score``: P(1); on the rows' index.

    Raises:
        ModellingError: A score is no probability.
    """
    import pandas as pd

    with limit_threads(len(features)):
        predicted = pd.DataFrame({"prediction": model.predict(features)}, index=features.index)
        if hasattr(model, "predict_proba"):
            predicted["score"] = model.predict_proba(features)[:, list(model.classes_).index(1)]
    scores, name = predicted.get("score", pd.Series(dtype=float)), type(model).__name__
    # Refused before anything is computed from them or stored.
    wrong = ~scores.between(0, 1)
    if wrong.any():
        raise ModellingError(
            f"The model ({name}) gives scores that are no probabilities: they have to lie between 0 and 1.",
            where="estimator, predict_proba",
            how_many=f"{int(wrong.sum())} of {len(scores)} rows",
            example=f"{float(scores[wrong].iloc[0]):g}",
            remedy="choose a classifier whose 'predict_proba' gives probabilities, not logits or percentages",
        )
    return predicted


def _name_last_step(estimator: Any) -> str:
    from rai_kedro.modelling.balanced import find_last

    return type(find_last(estimator)).__name__


def _require_estimator(candidate: Any, class_path: str, where: str) -> None:
    from sklearn.base import BaseEstimator

    if not (isinstance(candidate, type) and issubclass(candidate, BaseEstimator) and hasattr(candidate, "predict")):
        raise ModellingError(
            f"'{class_path}' is not an estimator that predicts.",
            where=where,
            remedy="name a scikit-learn class with 'fit' and 'predict'",
        )


def _instantiate(estimator_class: Any, params: Mapping[str, Any], where: str) -> Any:
    try:
        return estimator_class(**params)
    except TypeError as error:
        raise ModellingError(
            f"{estimator_class.__name__} does not take these parameters.",
            where=where,
            example=str(error),
            remedy="check the names against the class's documentation",
        ) from None
