from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fairlearn.postprocessing import ThresholdOptimizer
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.mitigation.thresholds import ThresholdOptimisation, find_threshold


@pytest.fixture(scope="module")
def frozen(admissions):
    return FrozenEstimator(LogisticRegression().fit(admissions.features, admissions.outcome))


@pytest.mark.parametrize(
    ("constraint", "counted"),
    [
        ("demographic_parity", None),
        ("true_positive_rate_parity", 1),
        ("false_negative_rate_parity", 1),
        ("false_positive_rate_parity", 0),
        ("true_negative_rate_parity", 0),
    ],
)
def test_one_threshold_per_group_makes_the_rate_equal(admissions, frozen, constraint, counted):
    model = ThresholdOptimisation(frozen, "race", constraint=constraint).fit(admissions.with_group, admissions.outcome)
    rows = admissions.outcome.eq(counted) if counted is not None else admissions.outcome.notna()

    before = rates(frozen.predict(admissions.features), admissions.group, rows)
    after = rates(model.predict(admissions.with_group), admissions.group, rows)

    assert abs(before[0] - before[1]) > 0.05
    # One row more or less is the finest step that a threshold can make.
    assert after[0] == pytest.approx(after[1], abs=2 / (admissions.group[rows] == "Black").sum())


def test_of_two_in_a_group_the_higher_score_is_never_refused_for_the_lower(admissions, frozen):
    model = ThresholdOptimisation(frozen, "race").fit(admissions.with_group, admissions.outcome)
    scores, decisions = model.predict_proba(admissions.with_group)[:, 1], model.predict(admissions.with_group)

    for name in ("White", "Black"):
        mine = (admissions.group == name).to_numpy()
        assert scores[mine & (decisions == 1)].min() > scores[mine & (decisions == 0)].max()


@pytest.mark.parametrize("constraint", ["demographic_parity", "equalized_odds"])
def test_mixed_rules_are_those_of_fairlearn(admissions, frozen, constraint):
    model = ThresholdOptimisation(frozen, "race", constraint=constraint, decision="mixed")
    model.fit(admissions.with_group, admissions.outcome)
    theirs = ThresholdOptimizer(estimator=frozen, constraints=constraint, prefit=True, predict_method="predict_proba")
    theirs.fit(admissions.features, admissions.outcome, sensitive_features=admissions.group)
    shares = theirs._pmf_predict(admissions.features, sensitive_features=admissions.group)[:, 1]

    assert model.favourable_shares(admissions.with_group) == pytest.approx(shares)
    assert model.predict(admissions.with_group).mean() == pytest.approx(shares.mean(), abs=0.02)


def test_equalized_odds_are_reached_over_many_rows(admissions, frozen):
    model = ThresholdOptimisation(frozen, "race", constraint="equalized_odds")
    model.fit(admissions.with_group, admissions.outcome)
    decisions = model.predict(admissions.with_group)

    assert model.rates_[0, :2] == pytest.approx(model.rates_[1, :2], abs=0.005)
    for outcome in (0, 1):
        after = rates(decisions, admissions.group, admissions.outcome == outcome)
        assert after[0] == pytest.approx(after[1], abs=0.05)


@pytest.mark.parametrize("constraint", ["demographic_parity", "equalized_odds"])
def test_a_row_is_always_decided_in_the_same_way(admissions, frozen, constraint):
    data = admissions.with_group
    model = ThresholdOptimisation(frozen, "race", constraint=constraint).fit(data, admissions.outcome)
    decisions = pd.Series(model.predict(data), index=data.index)
    shuffled = data.sample(frac=1, random_state=0)

    assert np.array_equal(model.predict(shuffled), decisions[shuffled.index])
    assert [model.predict(data.iloc[[row]])[0] for row in range(40)] == decisions[:40].tolist()


def test_thresholds_of_a_forest_come_from_rows_that_it_has_not_seen(admissions):
    forest = RandomForestClassifier(30, random_state=0)
    model = ThresholdOptimisation(forest, "race").fit(admissions.with_group.head(2000), admissions.outcome.head(2000))
    new = slice(2000, None)

    after = rates(model.predict(admissions.with_group[new]), admissions.group[new], admissions.outcome[new].notna())
    in_sample = ThresholdOptimisation(FrozenEstimator(model.estimator_), "race")
    in_sample.fit(admissions.with_group.head(2000), admissions.outcome.head(2000))

    assert after[0] == pytest.approx(after[1], abs=0.1)
    # On its own rows the forest is nearly always right; that accuracy is not what thresholds are to be chosen on.
    assert in_sample.rates_[:, 1].min() > 0.9 > model.rates_[:, 1].max()


def test_a_threshold_lies_between_two_scores():
    scores = np.array([0.1, 0.2, 0.2, 0.7, 0.9])

    assert find_threshold(scores, 0.4) == pytest.approx(0.45)
    assert find_threshold(scores, 0.0) == float("inf")
    assert find_threshold(scores, 1.0) == float("-inf")
    # Two tied scores are decided alike: .6 cannot be had.
    assert find_threshold(scores, 0.55) == pytest.approx(0.45)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"constraint": "parity"}, "'parity'"),
        ({"objective": "f1"}, "'f1'"),
        ({"decision": "random"}, "'random'"),
        ({"constraint": "equalized_odds", "decision": "single"}, "'single'"),
        ({"constraint": "equalized_odds", "tolerance": 0.1}, r"0\.1"),
        ({"constraint": "equalized_odds", "objective": "selection_rate"}, "'selection_rate'"),
        ({"folds": 1}, "greater than or equal to 2"),
        ({"folds": 5000}, "too few rows"),
    ],
)
def test_parameters_that_do_not_serve_are_refused(admissions, parameters, message):
    with pytest.raises(MitigationError, match=message):
        ThresholdOptimisation(LogisticRegression(), "race", **parameters).fit(admissions.with_group, admissions.outcome)


def test_a_model_without_probabilities_is_refused(admissions):
    with pytest.raises(MitigationError, match="LinearSVC gives no probabilities"):
        ThresholdOptimisation(LinearSVC(), "race").fit(admissions.with_group, admissions.outcome)


def test_a_target_of_three_classes_is_refused(admissions):
    with pytest.raises(MitigationError, match="Only binary classification"):
        ThresholdOptimisation(LogisticRegression(), "race").fit(
            admissions.with_group, admissions.outcome + (admissions.features["age"] > 60)
        )


def test_a_group_with_one_class_is_refused(admissions):
    with pytest.raises(MitigationError, match="every outcome in every group"):
        ThresholdOptimisation(LogisticRegression(), "race").fit(
            admissions.with_group, admissions.outcome.where(admissions.group == "White", 0)
        )


def rates(decisions, group, rows):
    decided = pd.Series(np.asarray(decisions), index=group.index)[rows]
    return decided.groupby(group[rows]).mean().tolist()
