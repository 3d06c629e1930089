from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rai_kedro.mitigation.sampling import Reweighing, compute_weights, cut_target
from rai_kedro.mitigation.sensitive import MitigationError

# Kamiran & Calders (2012), table 1: ten applicants, of either sex five; + for 4 of 5 men and 2 of 5 women.
SEX = np.array(["m", "m", "m", "m", "m", "f", "f", "f", "f", "f"])
HIRED = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 0])


def test_the_weights_of_the_published_example():
    weights = compute_weights((SEX == "m").astype(int), HIRED, ("f", "m"))

    # The paper's section 5.2: women hired .5 x .6 / .2 = 1.5, men hired .75, women not .67, men not 2.
    assert weights[(SEX == "f") & (HIRED == 1)] == pytest.approx(1.5)
    assert weights[(SEX == "m") & (HIRED == 1)] == pytest.approx(0.75)
    assert weights[(SEX == "f") & (HIRED == 0)] == pytest.approx(2 / 3)
    assert weights[(SEX == "m") & (HIRED == 0)] == pytest.approx(2.0)


def test_weighted_selection_rates_are_equal_in_all_groups(admissions):
    group = admissions.group.where(admissions.features["age"] < 60, "old")
    codes, names = pd.factorize(group)
    weights = compute_weights(codes, admissions.outcome.to_numpy(), tuple(names))

    rates = [np.average(admissions.outcome[codes == at], weights=weights[codes == at]) for at in range(len(names))]

    assert len(names) == 3
    assert rates == pytest.approx([admissions.outcome.mean()] * 3)
    assert weights.sum() == pytest.approx(len(weights))


def test_the_model_is_fitted_with_the_weights_and_predicts_without_the_group(admissions):
    base = make_pipeline(StandardScaler(), LogisticRegression())
    model = Reweighing(base, "race").fit(admissions.features, admissions.outcome, sensitive=admissions.group)
    codes = (admissions.group == "White").astype(int).to_numpy()
    weights = compute_weights(codes, admissions.outcome.to_numpy(), ("Black", "White"))
    by_hand = make_pipeline(StandardScaler(), LogisticRegression())
    by_hand.fit(admissions.features, admissions.outcome, logisticregression__sample_weight=weights)
    plain = make_pipeline(StandardScaler(), LogisticRegression()).fit(admissions.features, admissions.outcome)

    scores = model.predict_proba(admissions.features)

    assert np.array_equal(scores, by_hand.predict_proba(admissions.features))
    assert gap(model.predict(admissions.features), codes) < gap(plain.predict(admissions.features), codes)


def test_codes_text_and_categories_give_the_same_model(admissions):
    groups = [
        admissions.group,
        admissions.group.astype("category"),
        (admissions.group == "White").astype(int),
        (admissions.group == "White").astype(float),
    ]
    models = [Reweighing(LogisticRegression(), "race") for _ in groups]
    for model, group in zip(models, groups, strict=True):
        model.fit(admissions.features, admissions.outcome, sensitive=group)

    assert all(np.array_equal(model.estimator_.coef_, models[0].estimator_.coef_) for model in models)


def test_missing_group_values_are_a_group(admissions):
    group = admissions.group.mask(admissions.features["pulse"] > 90)
    model = Reweighing(LogisticRegression(), "race").fit(admissions.features, admissions.outcome, sensitive=group)

    assert model.groups_ == ["Black", "White", "missing"]


def test_regression_is_reweighed_by_parts_of_the_target(admissions):
    target = admissions.features["age"]
    parts = cut_target(target.to_numpy(), 4)
    model = Reweighing(LinearRegression(), "race", target_bins=4)
    model.fit(admissions.features[["pulse"]], target, sensitive=admissions.group)
    codes = (admissions.group == "White").astype(int).to_numpy()
    weights = model.weights_[codes, parts]

    assert np.bincount(parts) == pytest.approx([750] * 4)
    shares = [np.bincount(parts[codes == g], weights[codes == g]) / weights[codes == g].sum() for g in (0, 1)]
    assert shares[0] == pytest.approx(shares[1])


def test_one_group_is_refused(admissions):
    with pytest.raises(MitigationError, match="only one group"):
        Reweighing(LogisticRegression(), "race").fit(
            admissions.features, admissions.outcome, sensitive=np.full(len(admissions.outcome), "White")
        )


def test_a_column_without_values_is_refused(admissions):
    with pytest.raises(MitigationError, match="no value"):
        Reweighing(LogisticRegression(), "race").fit(
            admissions.features, admissions.outcome, sensitive=np.full(len(admissions.outcome), np.nan)
        )


def test_a_group_with_one_class_is_named_with_its_rows(admissions):
    outcome = admissions.outcome.where(admissions.group == "White", 0)

    with pytest.raises(MitigationError, match="every outcome") as raised:
        Reweighing(LogisticRegression(), "race").fit(admissions.features, outcome, sensitive=admissions.group)

    black = (admissions.group == "Black").sum()
    assert raised.value.example == f"group 'Black': {black} row(s), none of outcome 1"


def test_a_missing_sensitive_column_is_refused(admissions):
    with pytest.raises(MitigationError, match="'race' is not among the columns"):
        Reweighing(LogisticRegression(), "race").fit(admissions.features, admissions.outcome)


def test_a_model_without_weights_is_refused(admissions):
    with pytest.raises(MitigationError, match="KNeighborsClassifier takes no weights"):
        Reweighing(KNeighborsClassifier(), "race").fit(
            admissions.features, admissions.outcome, sensitive=admissions.group
        )


def test_a_target_that_cannot_be_cut_is_refused():
    with pytest.raises(MitigationError, match="constant"):
        cut_target(np.ones(8), 4)
    with pytest.raises(MitigationError, match="cannot use 1 here"):
        Reweighing(LinearRegression(), "race", target_bins=1).check_parameters()


def gap(decisions, codes):
    return abs(decisions[codes == 1].mean() - decisions[codes == 0].mean())
