"""Unit and weight of rows in the parameters of a training: said in the contract, once."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from rai_kedro.modelling import ModellingError, ModelSplit, MonthSplit, RandomSplit, UnitSplit
from rai_kedro.pipelines.parameters import FairnessParameters, TrainingParameters
from rai_kedro.pipelines.training.nodes import choose_fitting_rows, count_left_out

GIVEN: dict[str, Any] = {
    "month": "2024-01",
    "target": "y",
    "test_size": 0.3,
    "random_state": 1,
    "estimator": {"class": "sklearn.linear_model.LinearRegression"},
    "allowed_modules": ["sklearn."],
}


def test_whole_units_are_held_out_where_the_contract_names_a_unit() -> None:
    training = TrainingParameters(**GIVEN)
    assert training.keep_units_together("person").split == UnitSplit(by="unit", column="person")
    assert training.keep_units_together(None).split == RandomSplit()


def test_another_split_that_was_asked_for_stays() -> None:
    by_month = TrainingParameters(**GIVEN, last_month="2024-02", split={"by": "months", "test": ["2024-02"]})
    assert isinstance(by_month.keep_units_together("person").split, MonthSplit)


def test_rows_of_units_cannot_be_asked_to_be_held_out_at_random() -> None:
    with pytest.raises(ModellingError, match="they belong to units"):
        TrainingParameters(**GIVEN, split={"by": "random"}).keep_units_together("person")


@pytest.mark.parametrize("named", [{"unit": "person"}, {"weight": "w"}])
def test_unit_and_weight_stand_in_the_contract_alone(named: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="beside 'key'"):
        FairnessParameters(metrics=("mean_prediction",), tolerances=(), **named)


def test_training_rows_that_were_not_fitted_on_are_counted_by_reason() -> None:
    features = pd.DataFrame({"a": [1.0, None, 3.0, 4.0, 5.0, 6.0], "read by a mitigation": [None] * 6})
    target = pd.Series([1, 0, 1, 1, 0, 1])
    split = ModelSplit(features, features[:0], target, target[:0])
    prepared = {"missing": "complete_cases", "balance": "under"}
    training = TrainingParameters(**GIVEN, preparation=prepared)

    assert count_left_out(split, training, beside="read by a mitigation") == {"missing value": 1, "under-sampling": 3}
    assert count_left_out(split, TrainingParameters(**GIVEN)) == {}
    assert len(choose_fitting_rows(split, TrainingParameters(**GIVEN))) == 6
