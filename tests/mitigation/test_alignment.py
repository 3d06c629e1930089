"""Alignment of a regression by group: equal distributions, or errors without a direction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skops.io
from scipy.stats import ks_2samp
from sklearn.linear_model import LinearRegression

from rai_kedro.mitigation.calibration import GroupAlignment
from rai_kedro.mitigation.sensitive import MitigationError


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(4)
    group = np.where(rng.random(4000) < 0.3, "a", "b")
    x = rng.normal(size=4000) * np.where(group == "a", 1, 2) + (group == "b")
    y = 3 * x - 2 * (group == "a") + rng.normal(size=4000)
    return pd.DataFrame({"x": x, "group": group}), pd.Series(y)


def test_distributions_of_predictions_become_equal_and_keep_their_order(rows):
    X, y = rows
    train, test = X.index < 2000, X.index >= 2000
    model = GroupAlignment(LinearRegression(), "group").fit(X[train], y[train])

    predicted, groups = model.predict(X[test]), X.loc[test, "group"].to_numpy()

    plain = LinearRegression().fit(X.loc[train, ["x"]], y[train]).predict(X.loc[test, ["x"]])
    parts = [[values[groups == one] for one in "ab"] for values in (plain, predicted)]
    assert ks_2samp(*parts[0]).statistic > 0.3
    assert ks_2samp(*parts[1]).statistic < 0.08
    for before, after in zip(*parts, strict=True):
        assert (np.diff(after[np.argsort(before)]) >= -1e-9).all()


def test_signed_errors_lose_their_direction_in_each_group(rows):
    X, y = rows
    model = GroupAlignment(LinearRegression(), "group", kind="error").fit(X, y)

    errors = (model.predict(X) - y).groupby(X["group"]).mean()

    assert errors.abs().max() < 0.02
    plain = (LinearRegression().fit(X[["x"]], y).predict(X[["x"]]) - y).groupby(X["group"]).mean()
    assert plain.abs().max() > 0.5


def test_a_stored_model_predicts_the_same(rows):
    X, y = rows
    model = GroupAlignment(LinearRegression(), "group").fit(X, y)
    stored = skops.io.dumps(model)

    loaded = skops.io.loads(stored, trusted=["rai_kedro.mitigation.calibration.GroupAlignment"])

    assert (loaded.predict(X) == model.predict(X)).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"kind": "rank"}, "cannot use 'rank'"),
        ({"folds": 1}, "greater than or equal to 2"),
        ({"folds": 9999}, "few rows"),
    ],
)
def test_parameters_are_checked(rows, parameters, message):
    with pytest.raises(MitigationError, match=message):
        GroupAlignment(LinearRegression(), "group", **parameters).fit(*rows)
