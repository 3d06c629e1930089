"""What the card says a model is: read from the fitted model, not from what was configured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rai_kedro.mitigation.calibration import GroupCalibration
from rai_kedro.mitigation.reductions import ExponentiatedGradientModel
from rai_kedro.mitigation.thresholds import ThresholdOptimisation
from rai_kedro.report.card import ModelCard
from rai_kedro.report.fitted_model import describe_fitted
from rai_kedro.report.mitigation_section import describe_mitigation, read_comparison
from rai_kedro.report.model_card import card_from_json, render_html, render_json, render_markdown

from .conftest import make_comparison, replace

LOGISTIC = "sklearn.linear_model.LogisticRegression"


@pytest.fixture(scope="module")
def rows() -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=400), "race": np.repeat(["a", "b"], 200)})
    return frame, (frame["x"] + rng.normal(size=400) > 0).to_numpy().astype(int)


def test_a_mitigation_names_itself_its_constraint_and_the_estimator_within(rows: tuple[Any, Any]) -> None:
    within = make_pipeline(StandardScaler(), LogisticRegression(C=0.5))
    model = ThresholdOptimisation(within, "race", constraint="equalized_odds").fit(*rows)
    found = describe_fitted(model)

    assert (found.class_path, found.params) == (LOGISTIC, {"C": 0.5})
    outer, pipeline = found.wrappers
    assert outer.class_path == "rai_kedro.mitigation.thresholds.ThresholdOptimisation"
    assert (outer.params["constraint"], outer.params["sensitive_column"]) == ("equalized_odds", "race")
    assert pipeline.params == {"steps": ["sklearn.preprocessing.StandardScaler"]}
    assert found.name == "LogisticRegression inside ThresholdOptimisation"


def test_a_reduction_and_a_frozen_estimator_are_opened_too(rows: tuple[Any, Any]) -> None:
    reduced = ExponentiatedGradientModel(LogisticRegression(), "race").fit(rows[0][["x"]], rows[1], rows[0]["race"])
    assert describe_fitted(reduced).class_path == LOGISTIC
    fitted = LogisticRegression().fit(rows[0][["x"]], rows[1])
    frozen = GroupCalibration(FrozenEstimator(fitted), "race").fit(*rows)
    assert describe_fitted(frozen).name == "LogisticRegression inside GroupCalibration"


def test_a_class_is_named_as_it_is_imported_and_pipelines_step_by_step() -> None:
    prepared = make_pipeline(make_pipeline(SimpleImputer(), StandardScaler()), HistGradientBoostingClassifier())
    found = describe_fitted(prepared)
    assert found.class_path == "sklearn.ensemble.HistGradientBoostingClassifier"
    assert found.wrappers[0].params == {
        "steps": ["sklearn.impute.SimpleImputer", "sklearn.preprocessing.StandardScaler"]
    }


def test_an_ensemble_is_not_taken_for_one_of_its_trees(rows: tuple[Any, Any]) -> None:
    found = describe_fitted(RandomForestClassifier(n_estimators=3, random_state=0).fit(rows[0][["x"]], rows[1]))
    assert (found.class_path, found.wrappers) == ("sklearn.ensemble.RandomForestClassifier", ())
    assert found.params == {"n_estimators": 3, "random_state": 0}


def test_the_card_names_the_registered_model_in_summary_and_sections(card: ModelCard, rows: tuple[Any, Any]) -> None:
    model = ThresholdOptimisation(LogisticRegression(C=0.25), "race", constraint="equalized_odds").fit(*rows)
    compared = read_comparison(make_comparison())
    shown = replace(card, estimator=describe_fitted(model), mitigation=compared)
    for text in (render_html(shown, {}), render_markdown(shown)):
        assert "is a LogisticRegression inside ThresholdOptimisation (mitigation: reweighing, constraint=" in text
        assert "constraint=equalized_odds" in text
        assert "C=0.25" in text or "Parameter C: 0.25" in text
    assert card_from_json(render_json(shown)) == shown


def test_what_was_post_processed_is_named() -> None:
    comparison = make_comparison(chosen="post_processed")
    model = comparison["models"][1]
    model |= {"name": "post_processed", "method": "threshold_optimisation", "reason": "of lr, the best"}
    compared = read_comparison(comparison)
    assert compared is not None
    told = "mitigation: threshold optimisation, constraint=demographic_parity; of lr, the best"
    assert describe_mitigation(compared) == told
