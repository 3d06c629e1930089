from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from rai_kedro.mitigation.calibration import GroupCalibration, apply_curve, fit_isotonic, fit_sigmoid
from rai_kedro.mitigation.sensitive import MitigationError


def test_platt_recovers_a_known_distortion():
    random = np.random.default_rng(2)
    scores = random.uniform(0.02, 0.98, 200_000)
    outcomes = (random.random(200_000) < expit(0.5 * logit(scores) - 1)).astype(int)

    slope, intercept = fit_sigmoid(scores, outcomes).ravel()

    assert slope == pytest.approx(0.5, abs=0.02)
    assert intercept == pytest.approx(-1, abs=0.02)


def test_platt_stays_finite_where_the_scores_separate_the_outcomes():
    scores, outcomes = np.array([0.1, 0.2, 0.8, 0.9]), np.array([0, 0, 1, 1])
    calibrated = apply_curve("sigmoid", fit_sigmoid(scores, outcomes), scores)

    # Platt's targets for two of each: 1/4 and 3/4.
    assert calibrated.mean() == pytest.approx(0.5)
    assert 0.1 < calibrated[0] < 0.3
    assert 0.7 < calibrated[-1] < 0.9


def test_isotonic_pools_neighbours_that_violate_the_order():
    curve = fit_isotonic(np.array([0.1, 0.2, 0.3, 0.4]), np.array([0, 1, 0, 1]))

    assert apply_curve("isotonic", curve, np.array([0.0, 0.2, 0.3, 0.35, 1.0])) == pytest.approx([0, 0.5, 0.5, 0.75, 1])


@pytest.mark.parametrize("method", ["auto", "sigmoid"])
def test_a_group_whose_scores_are_too_high_gets_its_own_rate(admissions, method):
    half = slice(0, 1500), slice(1500, None)
    plain = LogisticRegression().fit(admissions.features[half[0]], admissions.outcome[half[0]])
    model = GroupCalibration(FrozenEstimator(plain), "race", method=method)
    model.fit(admissions.with_group[half[1]], admissions.outcome[half[1]])
    data, outcome = admissions.with_group[half[1]], admissions.outcome[half[1]]

    black = (data["race"] == "Black").to_numpy()
    before = plain.predict_proba(admissions.features[half[1]])[black, 1].mean()
    after = model.predict_proba(data)[black, 1].mean()

    assert before - outcome[black].mean() > 0.04
    assert after == pytest.approx(outcome[black].mean(), abs=0.01)
    assert model.kinds_ == (["sigmoid", "isotonic"] if method == "auto" else ["sigmoid", "sigmoid"])


def test_decisions_follow_the_calibrated_score_and_do_not_depend_on_the_batch(admissions):
    model = GroupCalibration(LogisticRegression(), "race").fit(admissions.with_group, admissions.outcome)
    scores, decisions = model.predict_proba(admissions.with_group), model.predict(admissions.with_group)

    assert np.array_equal(decisions, scores[:, 1] > 0.5)
    assert scores.sum(axis=1) == pytest.approx(1)
    alone = [model.predict_proba(admissions.with_group.iloc[[row]])[0, 1] for row in range(20)]
    assert alone == pytest.approx(scores[:20, 1])


def test_a_small_group_is_refused_with_its_count(admissions):
    data = admissions.with_group
    data.loc[:29, "race"] = "Asian"

    with pytest.raises(MitigationError, match="'Asian' is too small") as raised:
        GroupCalibration(LogisticRegression(), "race").fit(data, admissions.outcome)

    rarer = min(admissions.outcome[:30].sum(), 30 - admissions.outcome[:30].sum())
    assert raised.value.how_many == f"30 rows with {rarer} of the rarer outcome; 50 and 10 are needed"


def test_isotonic_on_a_group_below_a_thousand_rows_is_refused(admissions):
    with pytest.raises(MitigationError, match=r"'Black' is too small .*isotonic"):
        GroupCalibration(LogisticRegression(), "race", method="isotonic").fit(admissions.with_group, admissions.outcome)


def test_an_unknown_method_is_refused(admissions):
    with pytest.raises(MitigationError, match="'beta'"):
        GroupCalibration(LogisticRegression(), "race", method="beta").fit(admissions.with_group, admissions.outcome)
