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

from rai_kedro.mitigation.methods import METHODS, applicable, build_mitigated, load_builder
from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.mitigation.wrapping import Parameters
from rai_kedro.release import trusted_types

from .test_estimator_conventions import CASES
from .test_reductions import CASES as REDUCTIONS

CONVENTIONS = [*(case for case, _ in CASES), *REDUCTIONS]
OURS = [name for name, method in METHODS.items() if method.stage != "in"]


def find_lacks(name, method):
    """What a method lacks to be complete; whoever adds one reads here what."""
    if method.builder is None:
        return ["a builder"]
    try:
        built = load_builder(method.builder)
    except (ImportError, AttributeError):
        return [f"a class {method.builder}"]
    held = [built, *(load_builder(one) for one in method.stores)]
    paths = {f"{one.__module__}.{one.__qualname__}" for one in held}
    covered = {parent for case in CONVENTIONS for parent in type(case).__mro__}
    lacks = {
        "a source": not method.source,
        "parameters that can be checked": not issubclass(built, Parameters),
        "needs_at_prediction as its class has it": built.needs_sensitive != method.needs_sensitive,
        "metrics it serves": not method.constraints,
        f"reviewed types of a stored model: {paths}": not paths <= set(trusted_types()),
        "a convention test": built not in covered,
        "fixed parameters that its class takes": bool(set(method.fixed) - set(built().get_params())),
    }
    return [what for what, lacking in lacks.items() if lacking]


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_complete(name):
    assert find_lacks(name, METHODS[name]) == []


def test_a_method_that_lacks_something_is_told_what():
    complete = METHODS["threshold_optimisation"]
    without = complete.model_copy(update={"needs_at_prediction": (), "serves": ()})
    assert find_lacks("magic", without) == ["needs_at_prediction as its class has it", "metrics it serves"]
    assert find_lacks("magic", complete.model_copy(update={"builder": "thresholds:Magic"})) == [
        "a class thresholds:Magic"
    ]
    assert find_lacks("magic", complete.model_copy(update={"builder": "calibration:GroupAlignment"})) == [
        "a convention test"
    ]
    (lack,) = find_lacks("magic", complete.model_copy(update={"stores": ("wrapping:MitigatedModel",)}))
    assert lack.startswith("reviewed types")


@pytest.mark.parametrize("name", METHODS)
def test_a_parameter_out_of_its_range_is_refused_before_anything_is_fitted(name):
    wrong = {
        "reweighing": {"target_bins": 1},
        "uniform_resampling": {"seed": -1},
        "preferential_resampling": {"seed": -1},
        "disparate_impact_removal": {"repair_level": 3},
        "correlation_removal": {"alpha": 1.5},
        "exponentiated_gradient": {"tolerance": 1.0},
        "grid_search": {"ratio": 0.0},
        "bounded_group_loss": {"upper_bound": -1.0},
        "threshold_optimisation": {"folds": 1},
        "group_calibration": {"min_rows": 0},
    }[name]
    base = LinearRegression() if METHODS[name].tasks == ("regression",) else LogisticRegression()
    (parameter,) = wrong
    with pytest.raises(MitigationError, match="cannot use") as raised:
        build_mitigated(name, base, wrong, "race", permitted=True)
    assert raised.value.where == f"methods, parameters of {name}, {parameter}"


@pytest.mark.parametrize("name", OURS)
def test_every_method_is_built_fitted_cloned_and_stored(name, admissions):
    method = METHODS[name]
    base = make_pipeline(StandardScaler(), LogisticRegression())
    model = build_mitigated(name, base, {}, "race", permitted=method.needs_sensitive)
    data = admissions.with_group if method.needs_sensitive else admissions.features
    model.fit(data, admissions.outcome, sensitive=admissions.group)

    stored = sio.dumps(model)
    again = sio.loads(stored, trusted=list(trusted_types()))

    assert set(sio.get_untrusted_types(data=stored)) <= set(trusted_types())
    assert np.array_equal(again.predict(data), model.predict(data))
    assert np.array_equal(again.predict_proba(data), model.predict_proba(data))
    assert np.array_equal(
        clone(model).fit(data, admissions.outcome, sensitive=admissions.group).predict(data), model.predict(data)
    )
    assert set(np.unique(model.predict(data))) == {0, 1}
    assert model.needs_sensitive == method.needs_sensitive


@pytest.mark.parametrize("name", [name for name in OURS if "regression" in METHODS[name].tasks])
def test_methods_for_regression_predict_numbers(name, admissions):
    needed = METHODS[name].needs_sensitive
    model = build_mitigated(name, LinearRegression(), {}, "race", permitted=needed)
    data = (admissions.with_group if needed else admissions.features).drop(columns="age")
    model.fit(data, admissions.features["age"], sensitive=admissions.group)

    assert model.predict(data).mean() == pytest.approx(admissions.features["age"].mean(), abs=1)
    assert not hasattr(model, "predict_proba")


@pytest.mark.parametrize("name", [name for name in OURS if METHODS[name].needs_sensitive])
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
        ("group_calibration", "classification", LinearSVC(), None, "LinearSVC gives no probabilities"),
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
