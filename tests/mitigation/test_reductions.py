"""Reductions: constraints kept on the training rows, predictions without chance, no model where none is to be had."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import skops.io
from fairlearn.metrics import MetricFrame, selection_rate
from fairlearn.reductions import BoundedGroupLoss, DemographicParity, ExponentiatedGradient, SquareLoss
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_estimator

from rai_kedro.mitigation.group_loss import BoundedGroupLossModel, _make_moment
from rai_kedro.mitigation.methods import build_mitigated
from rai_kedro.mitigation.reductions import CONSTRAINTS, ExponentiatedGradientModel, GridSearchModel
from rai_kedro.mitigation.scoring import number_rows
from rai_kedro.mitigation.sensitive import MitigationError


@pytest.fixture(scope="module")
def rows():
    """1,500 rows of two groups that differ in a column the outcome depends on, and in one that only tells the group."""
    rng = np.random.default_rng(11)
    group = np.where(rng.random(1500) < 0.4, "a", "b")
    x1 = rng.normal(size=1500) + 0.8 * (group == "b")
    x2 = rng.normal(size=1500)
    y = (rng.random(1500) < 1 / (1 + np.exp(-(1.5 * x1 + x2 - 0.5)))).astype(int)
    proxy = rng.normal(size=1500) + 1.5 * (group == "b")
    return pd.DataFrame({"x1": x1, "x2": x2, "proxy": proxy}), pd.Series(y), pd.Series(group)


@pytest.fixture(scope="module")
def houses():
    """Two groups, of which the small one follows a rule of its own: a pooled fit errs more in it."""
    rng = np.random.default_rng(5)
    group = np.where(rng.random(1200) < 0.2, "small", "large")
    x = rng.normal(size=1200)
    y = np.where(group == "small", 20 - 2 * x, 20 + 3 * x) + rng.normal(0, 1, 1200)
    return pd.DataFrame({"x": x}), pd.Series(y), pd.Series(group)


def measure_constraint(name, y, decisions, group):
    """The distance of groups' rates from those of all rows, straight from the definition of each constraint."""
    if name == "error_rate_parity":
        parts = [((decisions != y).astype(float), np.ones(len(y), bool))]
    else:
        outcomes = {"true_positive_rate_parity": (1,), "false_positive_rate_parity": (0,), "equalized_odds": (0, 1)}
        events = [y == outcome for outcome in outcomes[name]] if name in outcomes else [np.ones(len(y), bool)]
        parts = [(decisions, event) for event in events]
    return max(
        abs(values[event & (group == one)].mean() - values[event].mean())
        for values, event in parts
        for one in np.unique(group)
    )


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_the_mixture_keeps_every_constraint_on_the_training_rows(rows, constraint):
    X, y, group = rows
    plain = LogisticRegression().fit(X, y).predict(X)
    model = ExponentiatedGradientModel(LogisticRegression(), "race", constraint=constraint, tolerance=0.01)

    model.fit(X, y, sensitive=group)

    kept = measure_constraint(constraint, y.to_numpy(), model.favourable_shares(X), group.to_numpy())
    if constraint == "error_rate_parity":
        # A mixture errs by the average of its models' errors.
        errors = np.abs(model.favourable_shares(X) - y.to_numpy())
        kept = max(abs(errors[group == one].mean() - errors.mean()) for one in ("a", "b"))
    assert kept <= 0.011
    if constraint != "error_rate_parity":
        assert measure_constraint(constraint, y.to_numpy(), plain, group.to_numpy()) > 0.03


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_the_grid_takes_a_model_that_keeps_the_constraint(rows, constraint):
    X, y, group = rows
    tolerance = 0.06 if constraint == "equalized_odds" else 0.04
    model = GridSearchModel(LogisticRegression(), "race", constraint=constraint, tolerance=tolerance, grid_size=61)

    model.fit(X, y, sensitive=group)

    assert model.violation_ <= tolerance + 1e-3
    measured = measure_constraint(constraint, y.to_numpy(), model.predict(X), group.to_numpy())
    assert measured == pytest.approx(model.violation_, abs=1e-9)
    assert accuracy_score(y, model.predict(X)) > 0.7


@pytest.mark.slow
def test_the_shares_are_those_of_fairlearn(rows):
    X, y, group = rows
    theirs = ExponentiatedGradient(LogisticRegression(), DemographicParity(difference_bound=0.01), max_iter=20)
    theirs.fit(X, y, sensitive_features=group)

    ours = ExponentiatedGradientModel(LogisticRegression(), "race").fit(X, y, sensitive=group)

    assert ours.favourable_shares(X) == pytest.approx(theirs._pmf_predict(X)[:, 1])
    assert ours.fits_ == theirs.n_oracle_calls_
    assert ours.gap_ == pytest.approx(theirs.best_gap_)


def test_a_mixed_decision_has_the_rates_of_the_mixture_and_no_chance(rows):
    X, y, group = rows
    model = ExponentiatedGradientModel(LogisticRegression(), "race", decision="mixed").fit(X, y, sensitive=group)
    decided = model.predict(X)

    assert model.decision_ == "mixed"
    assert len(model.models_) > 1
    assert (model.predict(X) == decided).all()
    shuffled = np.random.default_rng(0).permutation(len(X))
    assert (model.predict(X.iloc[shuffled]) == decided[shuffled]).all()
    assert model.predict(X.iloc[[7]])[0] == decided[7]
    fresh = pd.DataFrame(np.random.default_rng(1).normal(size=(20_000, 3)), columns=X.columns)
    assert model.predict(fresh).mean() == pytest.approx(model.favourable_shares(fresh).mean(), abs=0.01)
    assert ((number_rows(X) < model.favourable_shares(X)) == decided).all()


def test_by_default_the_score_decides_only_where_it_keeps_the_constraint(rows):
    X, y, group = rows
    first = ExponentiatedGradientModel(LogisticRegression(), "race", tolerance=0.05).fit(X, y, sensitive=group)
    second = ExponentiatedGradientModel(LogisticRegression(), "race", tolerance=0.02).fit(X, y, sensitive=group)

    for model, tolerance in ((first, 0.05), (second, 0.02)):
        by_score = (model.predict_proba(X)[:, 1] > 0.5).astype(float)
        keeps = measure_constraint("demographic_parity", y, by_score, group.to_numpy()) <= tolerance + 1e-3
        assert (model.decision_ == "score") == keeps
    assert (first.decision_, second.decision_) == ("mixed", "score")
    assert (second.predict(X) == (second.predict_proba(X)[:, 1] > 0.5)).all()


def test_a_score_that_breaks_the_constraint_is_refused_if_asked_for(rows):
    X, y, group = rows
    model = ExponentiatedGradientModel(LogisticRegression(), "race", tolerance=0.001, decision="score")

    with pytest.raises(MitigationError, match="set 'decision' to 'mixed'"):
        model.fit(X, y, sensitive=group)


def test_a_ratio_is_kept(rows):
    X, y, group = rows
    model = ExponentiatedGradientModel(LogisticRegression(), "race", tolerance=0.0, ratio=0.9, decision="mixed")

    shares = model.fit(X, y, sensitive=group).favourable_shares(X)

    rates = [shares[group == one].mean() for one in ("a", "b")]
    assert min(rates) / shares.mean() >= 0.9 - 5e-3
    assert shares.mean() / max(rates) >= 0.9 - 5e-3


def test_parity_within_strata_holds_in_each(rows):
    X, y, group = rows
    X = X.assign(site=np.where(np.arange(len(X)) % 3 == 0, 1.0, 0.0))
    model = ExponentiatedGradientModel(LogisticRegression(), "race", strata_column="site", decision="mixed")

    shares = model.fit(X, y, sensitive=group).favourable_shares(X)

    for site in (0.0, 1.0):
        here = (X["site"] == site).to_numpy()
        rates = [shares[here & (group == one)].mean() for one in ("a", "b")]
        assert abs(rates[0] - rates[1]) <= 0.025


def test_a_pipeline_is_prepared_once_and_takes_text_and_missing_values(rows):
    X, y, group = rows
    X = X.mask(np.random.default_rng(0).random(X.shape) < 0.1)
    fits = []

    class CountingImputer(SimpleImputer):
        def fit(self, X, y=None):
            fits.append(len(X))
            return super().fit(X, y)

    pipeline = Pipeline(
        [("impute", CountingImputer()), ("rest", make_pipeline(StandardScaler(), LogisticRegression()))]
    )
    model = ExponentiatedGradientModel(pipeline, "race").fit(X, y, sensitive=group)

    assert fits == [1500]
    assert model.fits_ > 5
    assert len(model.predict(X)) == 1500
    frame = MetricFrame(metrics=selection_rate, y_true=y, y_pred=model.predict(X), sensitive_features=group)
    assert frame.difference() < 0.08


@pytest.mark.parametrize("name", ["exponentiated_gradient", "grid_search"])
def test_a_stored_model_predicts_the_same(rows, name):
    X, y, group = rows
    model = build_mitigated(name, LogisticRegression(), {"tolerance": 0.03}, "race").fit(X, y, sensitive=group)
    stored = skops.io.dumps(model)

    types = skops.io.get_untrusted_types(data=stored)
    loaded = skops.io.loads(stored, trusted=types)

    assert all(one.startswith("rai_kedro.mitigation.reductions.") for one in types)
    assert (loaded.predict(X) == model.predict(X)).all()
    assert (loaded.predict_proba(X) == model.predict_proba(X)).all()


def test_what_does_not_converge_is_no_model(rows):
    X, y, group = rows
    model = ExponentiatedGradientModel(LogisticRegression(), "race", tolerance=0.001, max_iter=1)

    with pytest.raises(MitigationError, match=r"no model") as refused:
        model.fit(X, y, sensitive=group)

    assert "max_iter" in str(refused.value)
    assert not hasattr(model, "models_")


def test_a_grid_without_a_model_that_keeps_the_constraint_says_how_near_it_came(rows):
    X, y, group = rows
    model = GridSearchModel(LogisticRegression(), "race", tolerance=0.0, grid_size=4, grid_limit=0.01)

    with pytest.raises(MitigationError, match=r"rates lie up to 0\.\d+ from that of all rows; 0 is allowed"):
        model.fit(X, y, sensitive=group)


def test_a_model_that_cannot_tell_rows_apart_is_refused(rows):
    X, y, group = rows
    for model in (
        ExponentiatedGradientModel(DummyClassifier(), "race", largest_gap=1.0),
        GridSearchModel(DummyClassifier(), "race"),
    ):
        with pytest.raises(MitigationError, match="decided alike"):
            model.fit(X, y, sensitive=group)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ExponentiatedGradientModel(KNeighborsClassifier(), "race"), "takes no weights"),
        (ExponentiatedGradientModel(FrozenEstimator(LogisticRegression()), "race"), "frozen"),
        (ExponentiatedGradientModel(LogisticRegression(), "race", constraint="parity"), "cannot use 'parity'"),
        (ExponentiatedGradientModel(LogisticRegression(), "race", tolerance=-1), "cannot use -1"),
        (ExponentiatedGradientModel(LogisticRegression(), "race", ratio=1.2), "cannot use 1.2"),
        (ExponentiatedGradientModel(LogisticRegression(), "race", decision="coin"), "cannot use 'coin'"),
        (ExponentiatedGradientModel(LogisticRegression(), "race", max_iter=0), "cannot use 0"),
        (GridSearchModel(LogisticRegression(), "race", grid_size=1), "too small to try every direction"),
    ],
)
def test_what_does_not_serve_is_refused(rows, model, message):
    X, y, group = rows
    with pytest.raises(MitigationError, match=message):
        model.fit(X, y, sensitive=group)


@pytest.mark.parametrize("build", [ExponentiatedGradientModel, GridSearchModel])
def test_a_group_without_positives_is_refused_where_the_constraint_needs_them(rows, build):
    X, y, group = rows
    y = y.where(group != "a", 0)

    with pytest.raises(MitigationError, match="1 of 2 groups"):
        build(LogisticRegression(), "race", constraint="true_positive_rate_parity").fit(X, y, sensitive=group)


def test_the_worst_group_of_a_regression_gets_the_smallest_loss_there_is(houses):
    X, y, group = houses
    pooled = (y - LinearRegression().fit(X, y).predict(X)) ** 2
    model = BoundedGroupLossModel(LinearRegression(), "group", grid_size=41).fit(X, y, sensitive=group)

    # With squared loss and one slope, the losses of both groups meet where the worst is smallest.
    losses = {one: ((y - model.predict(X)) ** 2)[group == one].mean() for one in ("large", "small")}

    assert dict(zip(model.groups_, model.group_losses_, strict=True)) == pytest.approx(losses)
    assert max(losses.values()) < 0.6 * max(pooled[group == one].mean() for one in ("large", "small"))
    assert abs(losses["large"] - losses["small"]) < 0.1 * losses["small"]


@pytest.mark.parametrize(("constraint", "power"), [("square_loss", 2), ("absolute_loss", 1)])
def test_a_bound_is_kept_in_every_group(houses, constraint, power):
    X, y, group = houses
    best = BoundedGroupLossModel(LinearRegression(), "group", constraint=constraint).fit(X, y, sensitive=group)
    bound = 1.15 * float(best.group_losses_.max())
    model = BoundedGroupLossModel(LinearRegression(), "group", constraint=constraint, upper_bound=bound)

    losses = (y - model.fit(X, y, sensitive=group).predict(X)).abs() ** power

    scale = float(((y - y.mean()).abs() ** power).mean())
    assert all(losses[group == one].mean() <= bound + 1e-3 * scale for one in ("large", "small"))
    # The bound leaves room, and the mean loss uses it.
    assert losses.mean() < (y - best.predict(X)).abs().pow(power).mean()


def test_a_bound_that_no_model_keeps_is_an_error_that_names_the_group(houses):
    X, y, group = houses
    model = BoundedGroupLossModel(LinearRegression(), "group", upper_bound=1.1)

    with pytest.raises(MitigationError, match=r"not kept in every group.*\n.*\n.*group '(small|large)': \d"):
        model.fit(X, y, sensitive=group)


def test_weights_of_rows_are_those_of_fairlearn(houses):
    X, y, group = houses
    theirs, ours = BoundedGroupLoss(SquareLoss(-99, 99), upper_bound=1), _make_moment("square_loss", 1.0, 1.0)
    for moment in (theirs, ours):
        moment.load_data(X, y, sensitive_features=group)
    weight = pd.Series([0.7, 0.3], index=theirs.index)

    assert ours.signed_weights(weight).tolist() == pytest.approx(theirs.signed_weights(weight).tolist())
    assert ours.signed_weights().tolist() == theirs.signed_weights().tolist()
    predict = LinearRegression().fit(X, y).predict
    assert ours.gamma(predict).tolist() == pytest.approx(theirs.gamma(predict).tolist())
    objectives = [moment.default_objective() for moment in (theirs, ours)]
    for objective in objectives:
        objective.load_data(X, y, sensitive_features=group)
    assert objectives[0].signed_weights().tolist() == objectives[1].signed_weights().tolist()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"constraint": "log_loss"}, "log_loss"), ({"upper_bound": 0}, "upper_bound"), ({"max_iter": 0}, "max_iter")],
)
def test_parameters_of_a_bound_are_checked(houses, parameters, message):
    X, y, group = houses
    with pytest.raises(MitigationError, match=message):
        BoundedGroupLossModel(Ridge(), "group", **parameters).fit(X, y, sensitive=group)


def test_a_constant_target_has_no_loss(houses):
    X, y, group = houses
    with pytest.raises(MitigationError, match="constant"):
        BoundedGroupLossModel(Ridge(), "group").fit(X, y * 0, sensitive=group)


class GroupOfRow:
    def _read_sensitive(self, X):
        # The first salt for which the checks' smallest data sets have each class in both groups.
        return np.where(number_rows(X, salt=3) < 0.5, "a", "b")


class GradientModel(GroupOfRow, ExponentiatedGradientModel):
    pass


class GridModel(GroupOfRow, GridSearchModel):
    pass


class LossModel(GroupOfRow, BoundedGroupLossModel):
    pass


LENIENT = {"tolerance": 0.5}
CASES = [
    GradientModel(DecisionTreeClassifier(random_state=0), 0, max_iter=2, largest_gap=1.0, **LENIENT),
    GridModel(LogisticRegression(), 0, grid_size=5, **LENIENT),
    GridModel(DecisionTreeClassifier(random_state=0), 0, grid_size=5, **LENIENT),
    LossModel(Ridge(), 0, grid_size=5),
]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("estimator", CASES, ids=[type(one).__name__ for one in CASES])
def test_the_reductions_follow_the_conventions_of_scikit_learn(estimator):
    results = check_estimator(estimator, on_fail=None, on_skip=None)

    failed = {one["check_name"]: repr(one["exception"]) for one in results if one["status"] == "failed"}
    assert not failed
    assert sum(one["status"] == "passed" for one in results) > 40
