from __future__ import annotations

import numpy as np
import pytest
import skops.io as sio
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from rai_kedro.mitigation.methods import METHODS, applicable, build_mitigated
from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.questionnaire.mapping import load_mapping
from rai_kedro.release.model_files import TRUSTED_TYPES

OURS = [name for name, method in METHODS.items() if method.stage != "in"]


def test_every_method_that_the_mapping_promises_is_there():
    assert set(METHODS) == {name for name, method in load_mapping().methods.items() if method.provided}


@pytest.mark.parametrize("name", OURS)
def test_every_method_is_built_fitted_cloned_and_stored(name, admissions):
    method = METHODS[name]
    base = make_pipeline(StandardScaler(), LogisticRegression())
    model = build_mitigated(name, base, {}, "race", permitted=method.needs_sensitive_at_prediction)
    data = admissions.with_group if method.needs_sensitive_at_prediction else admissions.features
    model.fit(data, admissions.outcome, sensitive=admissions.group)

    stored = sio.dumps(model)
    again = sio.loads(stored, trusted=list(TRUSTED_TYPES))

    assert set(sio.get_untrusted_types(data=stored)) <= set(TRUSTED_TYPES)
    assert np.array_equal(again.predict(data), model.predict(data))
    assert np.array_equal(again.predict_proba(data), model.predict_proba(data))
    assert np.array_equal(
        clone(model).fit(data, admissions.outcome, sensitive=admissions.group).predict(data), model.predict(data)
    )
    assert set(np.unique(model.predict(data))) == {0, 1}
    assert model.needs_sensitive == method.needs_sensitive_at_prediction


@pytest.mark.parametrize("name", [name for name in OURS if "regression" in METHODS[name].tasks])
def test_methods_for_regression_predict_numbers(name, admissions):
    needed = METHODS[name].needs_sensitive_at_prediction
    model = build_mitigated(name, LinearRegression(), {}, "race", permitted=needed)
    data = (admissions.with_group if needed else admissions.features).drop(columns="age")
    model.fit(data, admissions.features["age"], sensitive=admissions.group)

    assert model.predict(data).mean() == pytest.approx(admissions.features["age"].mean(), abs=1)
    assert not hasattr(model, "predict_proba")


@pytest.mark.parametrize("name", [name for name in OURS if METHODS[name].needs_sensitive_at_prediction])
def test_the_sensitive_column_at_prediction_needs_permission(name):
    with pytest.raises(MitigationError, match="needs the sensitive column for every prediction") as raised:
        build_mitigated(name, LogisticRegression(), {}, "race")

    assert "use: mitigation" in raised.value.remedy
    assert name not in raised.value.remedy


@pytest.mark.parametrize(
    ("name", "task", "model", "metric", "message"),
    [
        ("threshold_optimisation", "regression", LinearRegression(), None, "is for classification"),
        ("bounded_group_loss", "classification", LogisticRegression(), None, "is for regression"),
        ("reweighing", "classification", LogisticRegression(), "calibration", "does not serve the metric"),
        ("reweighing", "classification", KNeighborsClassifier(), None, "takes no weights"),
        ("group_calibration", "classification", LinearSVC(), None, "needs a model that gives probabilities"),
    ],
)
def test_what_cannot_serve_is_refused(name, task, model, metric, message):
    assert message in applicable(name, task, model, permitted=True, metric=metric).what


def test_what_can_serve_is_not_refused():
    assert (
        applicable("reweighing", "classification", LogisticRegression(), permitted=False, metric="statistical_parity")
        is None
    )


def test_unknown_methods_and_parameters_are_refused():
    with pytest.raises(MitigationError, match="no mitigation method 'magic'"):
        build_mitigated("magic", LogisticRegression(), {}, "race")
    with pytest.raises(MitigationError, match="does not take these parameters") as raised:
        build_mitigated("uniform_resampling", LogisticRegression(), {"kind": "preferential"}, "race")
    assert raised.value.remedy == "it takes: cuts, seed"
