"""Balanced rows stay inside the fit: what a mitigation learns from, and promises, are the rows as they are."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from rai_kedro.contract import read_contract
from rai_kedro.mitigation.calibration import GroupCalibration
from rai_kedro.mitigation.methods import applicable
from rai_kedro.mitigation.reductions import ExponentiatedGradientModel, GridSearchModel
from rai_kedro.mitigation.sampling import Resampling, Reweighing
from rai_kedro.mitigation.thresholds import ThresholdOptimisation
from rai_kedro.modelling import BalancedEstimator, ModelSplit, PreparationParameters, balance_rows
from rai_kedro.pipelines.parameters import TrainingParameters
from rai_kedro.pipelines.training.nodes import build_configured, choose_fitting_rows
from rai_kedro.release import require_storable

CATALOG = Path(__file__).resolve().parents[2] / "conf" / "base" / "hospital" / "catalog.yml"
CONTRACT = read_contract(CATALOG, as_of=date(2026, 11, 1))
NUMBERS = [name for name, one in CONTRACT.datasets["feature_store"].columns.items() if one.type == "float"][:4]


def draw(rows: int, seed: int):
    """Two groups; one outcome in ten is favourable."""
    random = np.random.default_rng(seed)
    group = (random.random(rows) < 0.3).astype(int)
    values = random.normal(size=(rows, 4))
    values[:, 0] -= 0.6 * group
    target = (values[:, 0] + 0.5 * values[:, 1] + random.logistic(size=rows) > 2.5).astype(int)
    features = pd.DataFrame(values, columns=NUMBERS).assign(g=np.where(group, "B", "A"))
    return features, pd.Series(target, name="y")


@pytest.fixture(scope="module")
def rows():
    return draw(1500, 0)


@pytest.fixture(scope="module")
def new_rows():
    return draw(20000, 1)


def configure(estimator, features, target, balance):
    """The model and the rows that the training stage hands to the mitigations."""
    split = ModelSplit(features.drop(columns="g"), features.drop(columns="g"), target, target)
    parameters = TrainingParameters(
        task="classification",
        month="2024-01",
        target="y",
        test_size=0.3,
        random_state=0,
        preparation=PreparationParameters(balance=balance),
        estimator={"class": "sklearn.linear_model.LogisticRegression"},
        allowed_modules=("sklearn.",),
    )
    at = choose_fitting_rows(split, parameters)
    model = build_configured(estimator, split.features_train, CONTRACT, parameters)
    return model, features.iloc[at], target.iloc[at]


@pytest.mark.parametrize("balance", ["over", "under"])
def test_thresholds_keep_on_new_rows_what_they_promise(rows, new_rows, balance):
    """With copies of a row on both sides of a fold, the promised gap was 0.003 and the real one 0.19."""
    forest = RandomForestClassifier(30, random_state=0)
    model, features, target = configure(forest, *rows, balance)

    fitted = ThresholdOptimisation(model, "g").fit(features, target)

    decided = pd.Series(fitted.predict(new_rows[0])).groupby(new_rows[0]["g"].to_numpy()).mean()
    promised = dict(zip(fitted.groups_, fitted.rates_[:, 2], strict=True))
    assert {group: decided[group] for group in "AB"} == pytest.approx(promised, abs=0.05)
    assert abs(decided["A"] - decided["B"]) < 0.05


@pytest.mark.parametrize("balance", ["over", "under"])
def test_calibrated_scores_average_to_the_prevalence(rows, new_rows, balance):
    model, features, target = configure(LogisticRegression(), *rows, balance)

    scores = GroupCalibration(model, "g").fit(features, target).predict_proba(new_rows[0])[:, 1]

    assert scores.mean() == pytest.approx(new_rows[1].mean(), abs=0.02)
    raw = clone(model).fit(features.drop(columns="g"), target).predict_proba(new_rows[0].drop(columns="g"))[:, 1]
    assert raw.mean() > 0.3  # balancing shifts the scores of the model itself, as the parameters say


@pytest.mark.parametrize("balance", ["over", "under"])
def test_the_model_is_the_one_fitted_on_balanced_rows(rows, balance):
    features, target = rows[0].drop(columns="g"), rows[1]
    drawn = balance_rows(target, balance, seed=3)
    plain = LogisticRegression().fit(features.iloc[drawn], target.iloc[drawn])

    balanced = BalancedEstimator(LogisticRegression(), balance, 3).fit(features, target)

    assert balanced.predict_proba(features).tolist() == plain.predict_proba(features).tolist()
    assert balanced.predict(features).tolist() == plain.predict(features).tolist()
    assert balanced.classes_.tolist() == [0, 1]
    assert is_classifier(balanced)
    require_storable(balanced)


def test_weights_follow_the_rows_that_are_drawn(rows):
    features, target = rows[0].drop(columns="g"), rows[1]
    weights = np.random.default_rng(0).random(len(target))
    at = balance_rows(target, "over", seed=0)
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    plain = clone(tree).fit(features.iloc[at], target.iloc[at], sample_weight=weights[at])

    through = BalancedEstimator(make_pipeline(StandardScaler(), tree)).fit(features, target, sample_weight=weights)

    assert through.predict_proba(features).tolist() == plain.predict_proba(features).tolist()


@pytest.mark.parametrize("method", [Reweighing, Resampling])
def test_methods_before_the_fit_weigh_the_rows_as_they_are(rows, method):
    model, features, target = configure(LogisticRegression(), *rows, "over")
    inputs, group = features.drop(columns="g"), features["g"]

    fitted = method(model, "g").fit(inputs, target, sensitive=group)
    plain = method(LogisticRegression(), "g").fit(inputs, target, sensitive=group)

    learnt = "weights_" if method is Reweighing else "rows_by_cell_"
    assert getattr(fitted, learnt).tolist() == getattr(plain, learnt).tolist()
    assert fitted.predict(inputs).mean() > 2 * plain.predict(inputs).mean()  # the fit itself is balanced


@pytest.mark.parametrize("method", [ExponentiatedGradientModel, GridSearchModel])
def test_reductions_keep_the_constraint_on_the_rows_as_they_are(rows, method):
    model, features, target = configure(LogisticRegression(), *rows, "over")
    inputs, group = features.drop(columns="g"), features["g"]

    fitted = method(model, "g", tolerance=0.03).fit(inputs, target, sensitive=group)

    decided = pd.Series(fitted.predict(inputs)).groupby(group.to_numpy()).mean()
    assert abs(decided["A"] - decided["B"]) < 0.08
    unbalanced = method(LogisticRegression(), "g", tolerance=0.03).fit(inputs, target, sensitive=group)
    assert decided.mean() > 2 * unbalanced.predict(inputs).mean()


def test_a_model_without_weights_is_refused_by_its_own_name():
    from sklearn.neighbors import KNeighborsClassifier

    refusal = applicable("reweighing", "classification", BalancedEstimator(KNeighborsClassifier()), permitted=False)
    assert refusal is not None and "KNeighborsClassifier takes no weights" in refusal.what
