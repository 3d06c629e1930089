"""Unit and weight of rows in the parameters of a training: said in the contract, once."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rai_kedro.modelling import ModellingError, MonthSplit, RandomSplit, UnitSplit
from rai_kedro.pipelines.parameters import FairnessParameters, TrainingParameters

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
