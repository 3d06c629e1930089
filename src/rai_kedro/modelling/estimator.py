"""The estimator by configuration, from modules that were agreed on beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from rai_kedro.errors import RaiError
from rai_kedro.modelling.threads import limit_threads


class EstimatorError(RaiError):
    """The configured estimator cannot be used."""


class EstimatorConfig(BaseModel):
    """Which estimator, with which parameters.

    Attributes:
        class_path: Full import path of the class (``class`` in YAML).
        params: Keyword arguments of its constructor.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    class_path: str = Field(alias="class", min_length=1)
    params: dict[str, Any] = {}


def build_estimator(config: EstimatorConfig, allowed_modules: Sequence[str], key: str = "training.estimator") -> Any:
    """Make an unfitted estimator.

    Args:
        config: Class and parameters.
        allowed_modules: Module prefixes, for example ``sklearn.``; nothing else is imported.
        key: Where in the parameters it is configured, for messages.

    Returns:
        A scikit-learn compatible estimator.

    Raises:
        EstimatorError: If the class is outside the allowed modules, does not exist, is no estimator, or does not
            take the parameters.
    """
    where = f"parameters.yml, {key}"
    module_name, _, class_name = config.class_path.rpartition(".")
    if not any(f"{config.class_path}.".startswith(_as_prefix(prefix)) for prefix in allowed_modules):
        raise EstimatorError(
            f"The estimator '{config.class_path}' is outside the allowed modules.",
            where=f"{where}.class",
            example=f"allowed: {', '.join(allowed_modules)}",
            remedy="take a class from an allowed module, or have the module added to 'training.allowed_modules'",
        )
    try:
        estimator_class = getattr(import_module(module_name), class_name)
    except (ImportError, AttributeError) as error:
        raise EstimatorError(
            f"The estimator '{config.class_path}' does not exist.",
            where=f"{where}.class",
            example=str(error),
            remedy="check the spelling against the library's documentation",
        ) from None
    _require_estimator(estimator_class, config.class_path, f"{where}.class")
    return _instantiate(estimator_class, config.params, f"{where}.params")


def fit_estimator(estimator: Any, features: Any, target: Any) -> Any:
    """Fit an estimator; what it cannot be fitted on is said in one screen.

    Raises:
        EstimatorError: If a classifier gives no probabilities or gets a label that is not 0 and 1, or the estimator
            refuses the rows.
    """
    from sklearn.base import is_classifier

    name = _name_last_step(estimator)
    if is_classifier(estimator):
        _require_scores(estimator, name)
        require_both_classes(target)
    try:
        with limit_threads(len(features)):
            return estimator.fit(features, target)
    except ValueError as error:
        raise EstimatorError(
            f"{name} cannot be fitted on these rows.",
            where="parameters.yml, training.estimator",
            how_many=f"{len(features)} rows, {features.shape[1]} columns",
            example=(str(error).strip() or type(error).__name__).splitlines()[0][:200],
            remedy="choose an estimator for this task and these columns, or a 'training.preparation' that suits it",
        ) from error


def require_task(estimator: Any, task: str) -> None:
    """Refuse an estimator of another task than the one that is configured.

    Args:
        estimator: The estimator.
        task: ``classification`` or ``regression``.

    Raises:
        EstimatorError: The estimator is of the other.
    """
    from sklearn.base import is_classifier, is_regressor

    fits = {"classification": is_classifier, "regression": is_regressor}[task](estimator)
    if not fits:
        raise EstimatorError(
            f"{_name_last_step(estimator)} is no estimator for {task}.",
            where="parameters.yml, training.task and training.estimator.class",
            remedy="correct 'task', or choose a "
            + ("classifier, which decides between two outcomes" if task == "classification" else "regressor"),
        )


def require_both_classes(target: Any) -> None:
    """Refuse a label from which a binary classifier cannot be learnt.

    Args:
        target: Label of the training rows, shape (rows,).

    Raises:
        EstimatorError: It has other values than 0 and 1, or only one of them.
    """
    import pandas as pd

    counts = pd.Series(target).value_counts()
    if set(counts.index) == {0, 1}:
        return
    one = set(counts.index) < {0, 1}
    shown = ", ".join(f"{value!r}: {rows} rows" for value, rows in counts.head(5).to_dict().items())
    raise EstimatorError(
        "The label has one class only on the training rows, so that nothing can be learnt."
        if one
        else "The label is not binary: a classifier learns 1 (favourable) against 0.",
        where="parameters.yml, training.target and training.task",
        how_many=f"{len(counts)} different values in {int(counts.sum())} training rows",
        example=shown,
        remedy="train on more months ('last_month') or rows that have both outcomes"
        if one
        else "take a label of 0 and 1, or 'task: regression' for a number",
    )


def _require_scores(estimator: Any, name: str) -> None:
    if not hasattr(estimator, "predict_proba"):
        raise EstimatorError(
            f"{name} gives no probabilities ('predict_proba'), by which classifiers are assessed and mitigated.",
            where="parameters.yml, training.estimator",
            remedy="choose a classifier that does, for example sklearn.linear_model.LogisticRegression, or "
            "sklearn.calibration.CalibratedClassifierCV, which calibrates a linear support vector classifier",
        )


def _name_last_step(estimator: Any) -> str:
    """Return the class that was configured: of a Pipeline that of its last step."""
    from rai_kedro.modelling.balanced import find_last

    return type(find_last(estimator)).__name__


def _as_prefix(module: str) -> str:
    """Close a prefix with a dot, so that 'sklearn' does not let 'sklearn_evil' in."""
    return module if module.endswith(".") else f"{module}."


def _require_estimator(candidate: Any, class_path: str, where: str) -> None:
    from sklearn.base import BaseEstimator

    if not (isinstance(candidate, type) and issubclass(candidate, BaseEstimator) and hasattr(candidate, "predict")):
        raise EstimatorError(
            f"'{class_path}' is not an estimator that predicts.",
            where=where,
            remedy="name a scikit-learn class with 'fit' and 'predict'",
        )


def _instantiate(estimator_class: Any, params: Mapping[str, Any], where: str) -> Any:
    try:
        return estimator_class(**params)
    except TypeError as error:
        raise EstimatorError(
            f"{estimator_class.__name__} does not take these parameters.",
            where=where,
            example=str(error),
            remedy="check the names against the class's documentation",
        ) from None
