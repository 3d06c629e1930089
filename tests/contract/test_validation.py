"""Data against its contract: every breach is found, counted and shown by example."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rai_kedro.contract.columns import DatasetContract
from rai_kedro.contract.validation import ContractViolation, check_frame


def _breaches(frame: pd.DataFrame, contract: DatasetContract) -> dict[str, tuple[str, int]]:
    with pytest.raises(ContractViolation) as caught:
        check_frame(frame, contract, part="month=2024-01")
    assert "shop.feature_store, month=2024-01" in str(caught.value)
    return {breach.column: (breach.problem, breach.rows) for breach in caught.value.breaches}


def test_a_good_month_passes_unchanged(month: pd.DataFrame, features: DatasetContract) -> None:
    pd.testing.assert_frame_equal(check_frame(month, features), month)


@pytest.mark.parametrize(
    ("change", "column", "problem", "rows"),
    [
        ({"extra": 1}, "extra", "does not know", 3),
        ({"age": ["x", "40", "50"]}, "age", "should be integer", 1),
        ({"age": [30.5, 40.0, 50.0]}, "age", "should be integer", 1),
        ({"age": [30, 40, 130]}, "age", "outside [0, 120]", 1),
        ({"age": [True, False, True]}, "age", "should be integer", 3),
        ({"spend": [10.0, np.inf, 30.0]}, "spend", "is infinite", 1),
        ({"spend": [10.0, -1.0, -2.0]}, "spend", "outside [0, 10000]", 2),
        ({"channel": ["web", "phone", "web"]}, "channel", "is not one of", 1),
        ({"channel": ["web", None, "web"]}, "channel", "is null", 1),
        ({"customer": [1, 2, 2]}, "customer", "more than once", 2),
        ({"customer": [1, 2, None]}, "customer", "is null", 1),
    ],
)
def test_finds_the_breach(
    month: pd.DataFrame,
    features: DatasetContract,
    change: dict[str, object],
    column: str,
    problem: str,
    rows: int,
) -> None:
    breaches = _breaches(month.assign(**change), features)
    assert list(breaches) == [column]
    assert problem in breaches[column][0]
    assert breaches[column][1] == rows


def test_a_missing_column_is_found_but_not_a_forbidden_one(month: pd.DataFrame, features: DatasetContract) -> None:
    assert "missing" in _breaches(month.drop(columns="spend"), features)["spend"][0]


def test_an_empty_month_is_a_breach(month: pd.DataFrame, features: DatasetContract) -> None:
    assert "empty" in _breaches(month.iloc[:0], features)["-"][0]


def test_all_findings_come_at_once(month: pd.DataFrame, features: DatasetContract) -> None:
    broken = month.assign(age=[-1, 40, 200], spend=[np.inf, 1.0, 2.0]).drop(columns="channel")
    assert set(_breaches(broken, features)) == {"age", "spend", "channel"}


def test_an_all_missing_nullable_column_passes_whatever_its_dtype(
    month: pd.DataFrame, features: DatasetContract
) -> None:
    check_frame(month.assign(spend=None), features)


def test_not_a_table(features: DatasetContract) -> None:
    with pytest.raises(ContractViolation, match="not a table but list"):
        check_frame([1, 2], features)  # type: ignore[arg-type]


def test_no_switch_of_a_library_weakens_a_check(
    month: pd.DataFrame, features: DatasetContract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANDERA_VALIDATION_ENABLED", "False")
    with pytest.raises(ContractViolation, match=r"spend: is outside \[0, 10000\], 1 row \(e.g. 999999"):
        check_frame(month.assign(spend=[10.0, 999999.0, 1.0]), features)


@pytest.mark.parametrize(
    ("change", "column", "problem", "rows"),
    [
        ({"household": [1, None, 1]}, "household", "which rows belong together and is null", 1),
        ({"household": ["a", " ", "a"]}, "household", "which rows belong together and is null", 1),
        ({"weight": [1.0, -1.0, 2.0]}, "weight", "no weight of at least 0", 1),
        ({"weight": [1.0, np.nan, np.inf]}, "weight", "no weight of at least 0", 2),
        ({"weight": ["many", "1", "2"]}, "weight", "no weight of at least 0", 1),
        ({"weight": [0.0, 0.0, 0.0]}, "weight", "is 0 in every row", 3),
    ],
)
def test_finds_rows_without_a_unit_and_weights_that_are_none(
    month: pd.DataFrame, features: DatasetContract, change: dict[str, object], column: str, problem: str, rows: int
) -> None:
    sampled = DatasetContract.model_validate({**features.to_dict(), "unit": "household", "weight": "weight"})
    good = month.assign(household=["a", "a", "b"], weight=[0.0, 2.5, 1.0])
    pd.testing.assert_frame_equal(check_frame(good, sampled), good)
    breaches = _breaches(good.assign(**change), sampled)
    assert problem in breaches[column][0]
    assert breaches[column][1] == rows
    assert "is missing" in _breaches(good.drop(columns=column), sampled)[column][0]


@pytest.mark.parametrize(
    "named", [{"unit": "age"}, {"weight": "customer"}, {"unit": "month"}, {"unit": "h", "weight": "h"}]
)
def test_a_unit_or_weight_has_no_other_part(features: DatasetContract, named: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"name it once|is key, time or unit already"):
        DatasetContract.model_validate({**features.to_dict(), **named})
