from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from rai_kedro.mitigation.sampling import Resampling, resample
from rai_kedro.mitigation.sensitive import MitigationError

# Kamiran & Calders (2012), table 1: + for 4 of 5 men and 2 of 5 women; expected are 3 and 2 in either group.
MALE = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
HIRED = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 0])
SCORES = np.array([0.9, 0.6, 0.8, 0.95, 0.3, 0.7, 0.55, 0.1, 0.45, 0.2])


def test_preferential_drawing_takes_the_rows_at_the_border():
    rows = resample(MALE, HIRED, ("f", "m"), scores=SCORES)

    # Left out: the hired man with the lowest score (1), the refused woman with the highest (8).
    # Duplicated: the refused man (4), the hired woman with the lowest score (6).
    assert rows.tolist() == [0, 2, 3, 4, 4, 5, 6, 6, 7, 9]


def test_uniform_drawing_gives_every_cell_its_expected_size():
    rows = resample(MALE, HIRED, ("f", "m"), seed=3)

    assert np.bincount(MALE[rows] * 2 + HIRED[rows]).tolist() == [2, 3, 2, 3]
    assert set(rows[(MALE[rows] == 1) & (HIRED[rows] == 0)]) == {4}
    assert np.array_equal(rows, resample(MALE, HIRED, ("f", "m"), seed=3))


@pytest.mark.parametrize("kind", ["uniform", "preferential"])
def test_selection_rates_are_equal_in_the_drawn_rows(admissions, kind):
    model = Resampling(LogisticRegression(), "race", kind=kind)
    model.fit(admissions.features, admissions.outcome, sensitive=admissions.group)

    rates = model.rows_by_cell_[:, 1] / model.rows_by_cell_.sum(axis=1)

    # Cells have whole rows, so that a rate is exact to one row.
    assert rates == pytest.approx([admissions.outcome.mean()] * 2, abs=1 / model.rows_by_cell_.sum(axis=1).min())
    assert model.rows_by_cell_.sum() == pytest.approx(len(admissions.outcome), abs=2)


@pytest.mark.parametrize("kind", ["uniform", "preferential"])
def test_the_model_selects_more_equally(admissions, kind):
    plain = LogisticRegression().fit(admissions.features, admissions.outcome).predict(admissions.features)
    model = Resampling(LogisticRegression(), "race", kind=kind)
    mitigated = model.fit(admissions.features, admissions.outcome, sensitive=admissions.group).predict(
        admissions.features
    )

    assert gap(mitigated, admissions.group) < gap(plain, admissions.group)


def test_an_unknown_kind_is_refused(admissions):
    with pytest.raises(MitigationError, match="'stratified'"):
        Resampling(LogisticRegression(), "race", kind="stratified").fit(
            admissions.features, admissions.outcome, sensitive=admissions.group
        )


def test_preferential_drawing_needs_probabilities(admissions):
    with pytest.raises(MitigationError, match="LinearSVC gives no probabilities"):
        Resampling(LinearSVC(), "race", kind="preferential").fit(
            admissions.features, admissions.outcome, sensitive=admissions.group
        )


def test_a_group_with_one_class_is_refused(admissions):
    with pytest.raises(MitigationError, match="every outcome in every group"):
        Resampling(LogisticRegression(), "race").fit(
            admissions.features, admissions.outcome.where(admissions.group == "White", 1), sensitive=admissions.group
        )


def gap(decisions, group):
    return abs(decisions[group == "White"].mean() - decisions[group == "Black"].mean())
