"""The allow-list of estimators."""

from __future__ import annotations

import pytest
from sklearn.linear_model import LinearRegression

from rai_kedro.modelling.estimator import EstimatorConfig, ModellingError, build_estimator


def _build(
    class_path: str, params: dict[str, object] | None = None, allowed: tuple[str, ...] = ("sklearn.",)
) -> object:
    return build_estimator(EstimatorConfig(class_path=class_path, params=params or {}), allowed)


def test_builds_an_allowed_estimator_with_its_parameters() -> None:
    estimator = _build("sklearn.linear_model.LinearRegression", {"fit_intercept": False})
    assert isinstance(estimator, LinearRegression)
    assert estimator.fit_intercept is False


@pytest.mark.parametrize(
    ("class_path", "allowed", "message"),
    [
        ("os.system", ("sklearn.",), "outside the allowed modules"),
        ("sklearn_evil.Model", ("sklearn",), "outside the allowed modules"),
        ("sklearn.linear_model.LinearRegresion", ("sklearn.",), "does not exist"),
        ("sklearn.nowhere.Model", ("sklearn.",), "does not exist"),
        ("sklearn.model_selection.train_test_split", ("sklearn.",), "is not an estimator"),
        ("sklearn.preprocessing.StandardScaler", ("sklearn.",), "is not an estimator"),
    ],
)
def test_refuses_what_is_not_an_allowed_estimator(class_path: str, allowed: tuple[str, ...], message: str) -> None:
    with pytest.raises(ModellingError, match=message):
        _build(class_path, allowed=allowed)


def test_unknown_parameter_names_it() -> None:
    with pytest.raises(ModellingError) as caught:
        _build("sklearn.linear_model.LinearRegression", {"slope": 1})
    assert "slope" in str(caught.value)
