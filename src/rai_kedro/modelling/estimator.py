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


def build_estimator(config: EstimatorConfig, allowed_modules: Sequence[str]) -> Any:
    """Make an unfitted estimator.

    Args:
        config: Class and parameters.
        allowed_modules: Module prefixes, for example ``sklearn.``; nothing else is imported.

    Returns:
        A scikit-learn compatible estimator.

    Raises:
        EstimatorError: If the class is outside the allowed modules, does not exist, is no estimator, or does not
            take the parameters.
    """
    where = "parameters.yml, training.estimator"
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
        EstimatorError: If the estimator refuses the rows, for example a classifier that gets a continuous label.
    """
    try:
        with limit_threads(len(features)):
            return estimator.fit(features, target)
    except ValueError as error:
        raise EstimatorError(
            f"{type(estimator).__name__} cannot be fitted on this month.",
            where="parameters.yml, training.estimator",
            how_many=f"{len(features)} rows, {features.shape[1]} columns",
            example=str(error).strip().splitlines()[0][:200],
            remedy="choose an estimator for this task and these columns, or a 'training.preparation' that suits it",
        ) from error


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
