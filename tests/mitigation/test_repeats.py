"""Effects of mitigations over many splits: the corrected interval, units that stay together, and the choice by it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from rai_kedro.fairness import FairnessSpec, GroupingSpec
from rai_kedro.mitigation import MitigationError, compare
from rai_kedro.mitigation.compared import Comparator
from rai_kedro.mitigation.fitting import Rows, Setting
from rai_kedro.mitigation.repeats import Repeats, measure_effects, summarise


def test_the_interval_has_the_corrected_variance():
    # Mean 0.02, variance 0.0001 of 10 splits with one tested row for two fitted ones: (1/10 + 1/2) * 0.0001.
    effects = 0.02 + 0.01 * np.array([-1, -1, -1, -1, -0.5, 0.5, 1, 1, 1, 1]) / np.sqrt(8.5 / 9)

    effect = summarise("fairness", effects.tolist(), 10, 0.5, 0.95)

    assert effect.value == pytest.approx(0.02)
    assert effect.upper - effect.value == pytest.approx(2.262157 * np.sqrt(0.6 * 1e-4), rel=1e-6)
    assert (effect.better, effect.worse, effect.n) == (10, 0, 10)


def test_the_corrected_interval_covers_where_the_plain_one_does_not():
    """The gain of the mean over the median of the fitted rows as a predictor: known, and made without a model."""
    generator, found, truth = np.random.default_rng(3), [], []
    for _ in range(300):
        rows = generator.exponential(size=120)
        effects = []
        for _ in range(12):
            order = generator.permutation(rows)
            fitted, tested = order[:80], order[80:]
            losses = [np.mean((tested - by(fitted)) ** 2) for by in (np.median, np.mean)]
            effects.append(losses[0] - losses[1])
        found.append(summarise("R2", effects, 12, 0.5, 0.95))
        truth.append(np.mean(effects))
    true = np.mean(truth)

    covered = np.mean([one.lower <= true <= one.upper for one in found])
    plain = np.mean([abs(one.value - true) <= (one.upper - one.value) / np.sqrt(1 + 12 * 0.5) for one in found])

    assert covered >= 0.9
    assert plain < 0.8


def test_few_figures_have_no_interval():
    effect = summarise("fairness", [0.1, 0.2, 0.3, 0.4], 20, 0.5, 0.95)

    assert (effect.lower, effect.upper) == (None, None)
    assert effect.note == "no interval: 4 of 20 splits have a figure"


@pytest.fixture(scope="module")
def people():
    """400 people of two rows each, in two groups that earn differently."""
    generator = np.random.default_rng(0)
    person = np.repeat(np.arange(400), 2)
    group = pd.Series(np.where(generator.random(400) < 0.4, "b", "a")[person], name="group")
    X = pd.DataFrame({"income": generator.normal(size=800) + (group == "a"), "debt": generator.normal(size=800)})
    y = (X["income"] - X["debt"] + generator.normal(size=800) > 0.5).astype(int)
    return X, y, group, pd.Series(person, name="person")


def test_rows_of_a_unit_stay_on_one_side(people):
    X, y, group, person = people
    parts = [
        Rows(X[at], y[at], pd.DataFrame({"group": group, "person": person})[at]) for at in (slice(500), slice(500, 800))
    ]
    by = Comparator(metric="statistical_parity", kind="difference", column="group", performance="accuracy", tolerance=0)
    spec = FairnessSpec(groupings=(GroupingSpec(columns=("group",)),), metrics=("statistical_parity",), unit="person")
    sides = []

    def prepare(setting):
        sides.append([set(rows.audit["person"]) for rows in (setting.train, setting.test)])
        return []

    setting = Setting(LogisticRegression(), *parts, spec, by, "classification", permitted=False, level=0.95)
    measure_effects(setting, prepare, Repeats(4, seed=1), 0.95)

    assert len(sides) == 4
    assert all(not fitted & tested and len(fitted | tested) == 400 for fitted, tested in sides)


def test_a_mitigation_is_chosen_only_where_it_holds_over_splits(people):
    X, y, group, person = people
    given = {"sensitive_features": group, "methods": ["reweighing", "threshold_optimisation"], "tolerance": 0.2}
    parts = X[:500], y[:500], X[500:], y[500:]

    found = compare(
        LogisticRegression(), *parts, **given, splits=8, must_hold=True, unit=person, sensitive_at_prediction=True
    )

    effects = {model.name: model.find_effect() for model in found.models}
    assert found.chosen == "threshold_optimisation"
    assert effects[found.chosen].lower > 0
    assert effects["reweighing"].lower < 0 < effects["reweighing"].value
    assert "Not shown to be fairer over 8 splits: reweighing" in found.reason
    assert found.to_frame().loc[found.chosen, "fairer in"] == "8 of 8 splits"


def test_splits_need_the_unit_of_the_training_rows_and_a_choice_needs_splits(people):
    X, y, group, person = people
    parts = X[:500], y[:500], X[500:], y[500:]

    with pytest.raises(MitigationError, match="not one value for each training row"):
        compare(LogisticRegression(), *parts, sensitive_features=group, splits=5, unit=person[500:].to_list())
    with pytest.raises(MitigationError, match="0 'splits' cannot show"):
        compare(LogisticRegression(), *parts, sensitive_features=group, must_hold=True)
