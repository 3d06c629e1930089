"""Preparation: learned on training rows only, dense and complete at prediction, rows chosen and counted."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from rai_kedro.modelling.estimator import ModellingError
from rai_kedro.modelling.preparation import (
    PreparationParameters,
    balance_rows,
    build_model,
    build_preparation,
    choose_training_rows,
)
from rai_kedro.release import trusted_types

COLUMNS = {"pulse": "float", "pressure": "float", "history": "integer", "day": "date", "mode": "category"}
METHODS = ("complete_cases", "chained_equations", "forest")
# Types that the registry has to trust beyond its list for a model with a preparation.
NEW_TYPES = {
    "rai_kedro.modelling.steps.ChainedImputer",
    "rai_kedro.modelling.steps.DateToDays",
    "sklearn.impute._iterative._ImputerTriplet",
}


def make_rows(rows: int = 400, seed: int = 0) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Pressure is twice the pulse; a fifth of the pressures is missing."""
    generator = np.random.default_rng(seed)
    pulse = generator.normal(80, 10, rows)
    pressure = 2 * pulse + generator.normal(0, 0.5, rows)
    features = pd.DataFrame(
        {
            "pulse": pulse,
            "pressure": np.where(generator.random(rows) < 0.2, np.nan, pressure),
            "history": generator.integers(0, 2, rows),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(generator.integers(0, 60, rows), unit="D"),
            "mode": generator.choice(["walk_in", "ambulance"], rows),
            "race": generator.choice(["a", "b"], rows),
        }
    )
    return features, pd.Series((pulse > 85).astype(int), name="admitted")


def fit(missing: str, columns: dict[str, str] = COLUMNS, **changes: Any) -> Any:
    parameters = PreparationParameters(missing=missing, **changes)
    features, target = make_rows()
    rows = choose_training_rows(features[list(columns)], target, parameters, seed=1)
    return build_preparation(parameters, columns, seed=1).fit(features.iloc[rows.positions])


@pytest.mark.parametrize("missing", METHODS)
def test_prepared_rows_are_dense_numbers_without_a_missing_one(missing: str) -> None:
    features, _ = make_rows(seed=1)

    prepared = fit(missing).transform(features)

    assert prepared.shape == (len(features), 4 + 2)
    assert prepared.dtype == np.float64
    assert np.isfinite(prepared).all()


@pytest.mark.parametrize(("missing", "error"), [("chained_equations", 1.0), ("forest", 6.0)])
def test_imputation_uses_the_other_columns(missing: str, error: float) -> None:
    numbers = {"pulse": "float", "pressure": "float"}
    unseen = pd.DataFrame({"pulse": [65.0, 80.0, 95.0], "pressure": [np.nan] * 3})

    imputed = fit(missing, numbers, scale=False).transform(unseen)[:, 1]

    assert imputed == pytest.approx([130, 160, 190], abs=error)


def test_complete_cases_fit_on_complete_rows_and_fill_the_median_at_prediction() -> None:
    features, target = make_rows()
    parameters = PreparationParameters(missing="complete_cases", scale=False)
    numbers = ["pulse", "pressure"]

    rows = choose_training_rows(features[numbers], target, parameters, seed=1)
    fitted = build_preparation(parameters, dict.fromkeys(numbers, "float"), seed=1).fit(features.iloc[rows.positions])

    complete = features.dropna()
    assert rows.left_out == {"missing value": len(features) - len(complete)}
    assert rows.positions.tolist() == complete.index.tolist()
    empty = pd.DataFrame({"pulse": [np.nan], "pressure": [np.nan]})
    assert fitted.transform(empty)[0] == pytest.approx(complete[numbers].median().to_numpy())


@pytest.mark.parametrize("missing", METHODS)
def test_what_is_learned_comes_from_the_training_rows_only(missing: str) -> None:
    """A row is prepared in the same way alone and among rows of quite another kind."""
    fitted = fit(missing)
    features, _ = make_rows(seed=2)
    strange = features.assign(pulse=features["pulse"] + 1000)

    together = fitted.transform(pd.concat([features.iloc[:5], strange]))[:5]

    np.testing.assert_allclose(together, np.vstack([fitted.transform(features.iloc[[i]]) for i in range(5)]), atol=1e-9)


def test_scaling_brings_training_rows_to_mean_0_and_sd_1() -> None:
    features, _ = make_rows()

    prepared = fit("chained_equations").transform(features)

    assert prepared.mean(axis=0) == pytest.approx(np.zeros(6), abs=1e-9)
    assert prepared.std(axis=0) == pytest.approx(np.ones(6))


def test_categories_unseen_rare_and_missing() -> None:
    columns = {"mode": "category"}
    train = pd.DataFrame({"mode": ["walk_in"] * 30 + ["ambulance"] * 30 + ["boat", "sledge"] + [None] * 12})
    fitted = build_preparation(PreparationParameters(scale=False, rare=10), columns, seed=0).fit(train)

    coded = fitted.transform(pd.DataFrame({"mode": ["ambulance", "walk_in", None, "boat", "sledge", "never seen"]}))

    assert coded.shape == (6, 4)  # ambulance, walk_in, missing, rare
    assert (coded.sum(axis=1) == 1).all()
    assert len({tuple(row) for row in coded[:3]}) == 3
    assert (coded[3] == coded[4]).all() and (coded[3] == coded[5]).all()


def test_an_unseen_category_without_rare_ones_is_no_category() -> None:
    train = pd.DataFrame({"mode": ["walk_in"] * 30 + ["ambulance"] * 30})
    fitted = build_preparation(PreparationParameters(scale=False), {"mode": "category"}, seed=0).fit(train)

    assert fitted.transform(pd.DataFrame({"mode": ["boat"]})).tolist() == [[0.0, 0.0]]


def test_dates_become_days_and_missing_dates_are_imputed() -> None:
    columns = {"day": "date", "pulse": "float"}
    fitted = fit("complete_cases", columns, scale=False)
    days = pd.DataFrame({"day": pd.to_datetime(["1970-01-03 12:00", None]), "pulse": [80.0, 80.0]})

    prepared = fitted.transform(days)

    assert 2.5 in prepared[0]
    assert np.isfinite(prepared).all()


def test_a_column_without_any_value_and_truth_values_are_prepared() -> None:
    train = pd.DataFrame({"empty": [np.nan] * 20, "old": [True, False] * 10, "pulse": np.arange(20.0)})
    columns = {"empty": "float", "old": "boolean", "pulse": "float"}

    for missing in ("chained_equations", "forest"):
        prepared = build_preparation(PreparationParameters(missing=missing), columns, seed=0).fit_transform(train)
        assert prepared.shape == (20, 3)
        assert np.isfinite(prepared).all()


def test_columns_beyond_the_declared_ones_do_not_reach_the_estimator() -> None:
    features, target = make_rows()
    model = build_model(build_preparation(PreparationParameters(), COLUMNS, seed=0), LogisticRegression())
    model.fit(features, target)

    other = features.assign(race="c")

    np.testing.assert_array_equal(model.predict_proba(features), model.predict_proba(other))
    np.testing.assert_array_equal(model.predict_proba(features), model.predict_proba(features.drop(columns="race")))


@pytest.mark.parametrize("missing", METHODS)
@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        RandomForestClassifier(5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5, random_state=0),
    ],
    ids=["logistic", "forest", "boosting"],
)
def test_the_whole_model_is_stored_without_pickle(missing: str, estimator: Any) -> None:
    import skops.io

    features, target = make_rows()
    parameters = PreparationParameters(missing=missing, trees=3)
    rows = choose_training_rows(features[list(COLUMNS)], target, parameters, seed=0).positions
    model = build_model(build_preparation(parameters, COLUMNS, seed=0), estimator)
    model.fit(features.iloc[rows], target.iloc[rows])

    stored = skops.io.dumps(model)
    unknown = set(skops.io.get_untrusted_types(data=stored)) - set(trusted_types())
    loaded = skops.io.loads(stored, trusted=sorted({*trusted_types(), *NEW_TYPES}))

    assert unknown <= NEW_TYPES
    assert loaded.predict_proba(features) == pytest.approx(model.predict_proba(features), abs=1e-12)


def test_the_number_of_rounds_is_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        fit("forest", rounds=1)


@pytest.mark.parametrize("missing", METHODS)
def test_the_same_seed_gives_the_same_preparation(missing: str) -> None:
    features, _ = make_rows(seed=3)

    np.testing.assert_array_equal(fit(missing).transform(features), fit(missing).transform(features))


@pytest.mark.parametrize(("method", "size"), [("none", (90, 10)), ("under", (10, 10)), ("over", (90, 90))])
def test_balancing_equals_the_classes_of_the_training_rows(method: str, size: tuple[int, int]) -> None:
    target = pd.Series([0] * 90 + [1] * 10, index=range(500, 600), name="admitted")
    features = pd.DataFrame({"row": np.arange(100)}, index=target.index)

    rows = balance_rows(target, method, seed=3)
    chosen, labels = features.iloc[rows], target.iloc[rows]

    assert ((labels == 0).sum(), (labels == 1).sum()) == size
    pd.testing.assert_index_equal(chosen.index, labels.index)
    assert (labels == (chosen["row"] >= 90)).all()
    assert chosen["row"].is_unique == (method != "over")
    if method == "over":
        assert set(chosen["row"]) == set(range(100))
    again = features.iloc[balance_rows(target, method, seed=3)]
    pd.testing.assert_frame_equal(chosen, again)


def test_another_seed_draws_other_rows() -> None:
    target = pd.Series([0] * 90 + [1] * 10)

    assert balance_rows(target, "under", seed=1).tolist() != balance_rows(target, "under", seed=2).tolist()


def test_rows_left_out_are_counted_by_reason() -> None:
    features = pd.DataFrame({"pulse": [1.0, np.nan, 3.0, 4.0, 5.0, 6.0, 7.0]})
    target = pd.Series([0.0, 0.0, np.nan, 0.0, 1.0, 1.0, 1.0], name="admitted")

    complete = PreparationParameters(missing="complete_cases", balance="under")
    rows = choose_training_rows(features, target, complete, seed=0)
    assert rows.left_out == {"missing value": 1, "missing label": 1, "under-sampling": 1}
    assert target.iloc[rows.positions].value_counts().to_dict() == {0.0: 2, 1.0: 2}

    over = PreparationParameters(missing="forest", balance="over")
    rows = choose_training_rows(features, target, over, seed=0)
    assert rows.left_out == {"missing label": 1}
    assert (rows.repeated, rows.removed) == (0, 0)
    assert len(rows.positions) == 6


def test_no_complete_row_is_said_with_the_column_to_blame() -> None:
    features = pd.DataFrame({"pulse": [1.0, 2.0], "pressure": [np.nan, np.nan]})

    with pytest.raises(ModellingError, match=r"(?s)No training row.*2 of 2 rows.*pressure is missing in 2 rows"):
        choose_training_rows(features, pd.Series([0, 1]), PreparationParameters(missing="complete_cases"), seed=0)


@pytest.mark.parametrize(
    ("target", "count"), [([1] * 10, "1 different"), (np.arange(10.0), "10 different"), ([0, 1, np.nan], "1 missing")]
)
def test_a_target_that_cannot_be_balanced_is_refused(target: Any, count: str) -> None:
    with pytest.raises(ModellingError, match=f"(?s)cannot be balanced by 'y'.*{count}"):
        balance_rows(pd.Series(target, name="y"), "over", seed=0)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({}, "has no column"),
        ({"pulse": "float", "note": "text"}, r"(?s)type 'text' cannot enter.*column note.*1 of 2"),
    ],
)
def test_columns_that_no_estimator_takes_are_refused(columns: dict[str, str], message: str) -> None:
    with pytest.raises(ModellingError, match=message):
        build_preparation(PreparationParameters(), columns, seed=0)


@pytest.mark.parametrize("wrong", [{"missing": "mean"}, {"balance": "smote"}, {"rounds": 0}, {"scaled": True}])
def test_unknown_words_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PreparationParameters(**wrong)
