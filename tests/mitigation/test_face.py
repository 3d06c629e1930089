"""The face of the room: what a notebook hands in, gets back, and reads where an argument does not serve."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from rai_kedro.errors import RaiError
from rai_kedro.mitigation import Comparison, UnknownGroupError, compare
from rai_kedro.mitigation.thresholds import ThresholdOptimisation

SIZE = 1600


@pytest.fixture(scope="module")
def loans():
    random = np.random.default_rng(4)
    group = pd.Series(np.where(random.random(SIZE) < 0.4, "b", "a"), name="group")
    X = pd.DataFrame({"income": random.normal(size=SIZE) + (group == "a"), "debt": random.normal(size=SIZE)})
    y = (X["income"] - X["debt"] + random.normal(size=SIZE) > 0.5).astype(int)
    return X, y, group


def split(X, y):
    return X[:1000], y[:1000], X[1000:], y[1000:]


@pytest.fixture(scope="module")
def found(loans):
    X, y, group = loans
    return compare(LogisticRegression(), *split(X, y), sensitive_features=group, methods=["reweighing"])


def test_frames_arrays_and_parts_give_the_same(loans, found):
    X, y, group = loans
    arrays = compare(
        LogisticRegression(),
        *split(X.to_numpy(), y.to_numpy()),
        sensitive_features_train=group[:1000].to_numpy(),
        sensitive_features_test=group[1000:].tolist(),
        methods="reweighing",
    )
    for one, other in zip(arrays.models, found.models, strict=True):
        assert [gain.value for gain in one.gains] == [gain.value for gain in other.gains]
        assert one.performance == other.performance
    assert arrays.by.column == "sensitive_feature"
    assert found.by.column == "group"


def test_the_index_decides_which_row_is_whose(loans, found):
    X, y, group = loans
    shuffled = group.sample(frac=1, random_state=1)
    again = compare(LogisticRegression(), *split(X, y), sensitive_features=shuffled.to_frame(), methods=["reweighing"])
    assert again.to_dict() == found.to_dict()


def test_applicable_methods_are_those_that_serve_the_metric_and_the_permission(loans):
    X, y, group = loans
    kept = compare(LogisticRegression(), *split(X, y), sensitive_features=group, metric="equal_opportunity")
    assert [one.method for one in kept.models if one.role == "method"] == ["exponentiated_gradient", "grid_search"]
    assert not kept.models[-1].may_be_used
    free = compare(
        LogisticRegression(), *split(X, y), sensitive_features=group, metric="calibration", sensitive_at_prediction=True
    )
    assert [one.method for one in free.models if one.role == "method"] == ["group_calibration"]
    assert free.models[-1].may_be_used


def test_a_regression_and_parameters_of_a_method(loans):
    X, _, group = loans
    found = compare(
        LinearRegression(),
        *split(X[["debt"]], X["income"]),
        sensitive_features=group,
        metric="mean_prediction",
        methods={"reweighing": {"target_bins": 3}, "bounded_group_loss": {}},
        level=0.9,
    )
    assert found.models[1].parameters == {"target_bins": 3}
    assert {figure.level for model in found.models for figure in model.performance if figure.lower is not None} == {0.9}
    assert found.level == 0.9


def test_it_shows_itself_short_and_as_a_table_and_draws_itself(found):
    assert len(repr(found)) < 120
    frame = found.to_frame()
    assert frame.index.tolist() == ["unmitigated", "reweighing", "post_processed"]
    assert frame["chosen"].sum() == 1
    (gap,) = frame.loc[["unmitigated"], "statistical_parity difference"]
    assert gap == found.models[0].find_disparity(found.by).value
    assert "<table" in found._repr_html_()
    assert "is chosen." in found._repr_html_()
    assert next(trace.name for trace in found.plot().data) == "frontier"
    assert Comparison.from_dict(json.loads(json.dumps(found.to_dict()))).to_frame().equals(frame)


def test_names_from_data_do_not_act_in_a_notebook(loans):
    X, y, group = loans
    attack = "<img src=x onerror=alert(1)>"
    found = compare(LogisticRegression(), *split(X, y), sensitive_features=group.rename(attack), methods=["reweighing"])
    assert attack not in found._repr_html_()
    assert attack not in found.plot().layout.xaxis.title.text


WRONG = {
    "no sensitive column": ({"sensitive_features": None}, "sensitive_features", "has to be given once"),
    "given twice": ({"sensitive_features_train": [0]}, "sensitive_features", "has to be given once"),
    "two columns": ({"sensitive_features": pd.DataFrame({"a": [1], "b": [2]})}, "sensitive_features", "join columns"),
    "other rows": (
        {"sensitive_features": pd.Series(["a"] * 5)},
        "sensitive_features",
        "1595 rows are not",
    ),
    "an unknown metric": ({"metric": "parity"}, "", "no metric 'parity'"),
    "a metric of the other task": ({"metric": "mean_prediction"}, "", "mean_prediction"),
    "an unknown kind": ({"kind": "gap"}, "kind", "difference, ratio"),
    "an unknown figure": ({"performance": "F1"}, "performance", "accuracy, AUC"),
    "an unknown method": ({"methods": ["reweihing"]}, "methods", "did you mean 'reweighing'?"),
    "a parameter out of range": (
        {"methods": {"reweighing": {"target_bins": 1}}},
        "methods, parameters of reweighing, target_bins",
        "greater than or equal to 2",
    ),
    "a choice that is not there": ({"choose": "magic"}, "chosen", "choose one of: unmitigated"),
    "a method that is not permitted": (
        {"methods": ["threshold_optimisation"], "choose": "threshold_optimisation"},
        "chosen",
        "needs the sensitive column for every prediction",
    ),
}


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_what_does_not_serve_names_the_argument(loans, case):
    X, y, group = loans
    changes, where, words = case
    with pytest.raises(RaiError) as raised:
        compare(LogisticRegression(), *split(X, y), **({"sensitive_features": group} | changes))
    assert where in (raised.value.where or "")
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("y", "where"),
    [(np.ones(SIZE - 1), "y_test"), (np.full(SIZE, 2), "y_train"), (np.array(["yes", "no"] * 800), "y_train")],
)
def test_labels_that_do_not_serve_name_the_argument(loans, y, where):
    X, _, group = loans
    with pytest.raises(RaiError) as raised:
        compare(LogisticRegression(), *split(X, y), sensitive_features=group)
    assert raised.value.where == where


def test_a_group_that_is_not_known_can_be_caught_and_says_which(loans):
    X, y, group = loans
    model = ThresholdOptimisation(LogisticRegression(), "group").fit(X.assign(group=group), y)
    with pytest.raises(UnknownGroupError) as raised:
        model.predict(X.assign(group=group.where(X.index > 6, "c")))
    assert (raised.value.column, raised.value.groups, raised.value.rows) == ("group", ("c",), 7)
    assert "unknown: c; known: a, b" in str(raised.value)
