"""Months without drift differ from each other and keep their distribution."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from rai_kedro.demo.variation import add_noise, derive_generator, resample_rows, vary_month

BOSTON = Path(__file__).parents[2] / "data" / "01_raw" / "boston.csv"
# Deep enough below the critical distance 0.175 of a month (506 rows) against a third of January at 0.01 / 11.
SMALL_DISTANCE = 0.04


@pytest.fixture(scope="module")
def raw() -> pd.DataFrame:
    return pd.read_csv(BOSTON).astype(float)


def _identity(frame: pd.DataFrame | pd.Series) -> np.ndarray:
    return np.arange(len(frame))


def test_rows_are_a_bootstrap(raw: pd.DataFrame) -> None:
    rows = resample_rows(raw, 1, 1)
    assert len(rows) == len(raw)
    assert 0 <= rows.min() <= rows.max() < len(raw)
    # A bootstrap leaves out a share of 1/e of the rows, with a standard deviation of about 0.014 here.
    assert 1 - len(set(rows)) / len(raw) == pytest.approx(np.exp(-1), abs=0.06)


@pytest.mark.parametrize("noise", [0.02, 0.05, 0.2])
def test_noise_keeps_the_distribution_of_every_boston_column(raw: pd.DataFrame, noise: float) -> None:
    for name in raw.columns:
        noisy = add_noise(raw[name], _identity(raw), noise, derive_generator(1, name))
        assert ks_2samp(raw[name], noisy).statistic < SMALL_DISTANCE, name


def test_noise_that_is_not_held_back_would_look_like_drift(raw: pd.DataFrame) -> None:
    """The reason for holding it back: this is what the test above guards against."""
    crime = raw["CRIM"]
    plain = crime + 0.05 * crime.std() * derive_generator(1, "CRIM").standard_normal(len(crime))
    assert ks_2samp(crime, plain.clip(crime.min(), crime.max())).statistic > 5 * SMALL_DISTANCE


def test_noise_moves_most_values_of_a_continuous_column_a_little(raw: pd.DataFrame) -> None:
    crime = raw["CRIM"]
    moved = (add_noise(crime, _identity(crime), 0.05, derive_generator(1)) - crime).abs()
    assert (moved > 0).mean() > 0.95
    assert moved.max() <= 0.05 * crime.std() * 4.5


def test_noise_on_a_bell_shaped_column_has_the_asked_size() -> None:
    values = pd.Series(derive_generator(1, "bell").normal(10, 3, 20_000))
    moved = add_noise(values, _identity(values), 0.05, derive_generator(2)) - values
    assert moved.std() == pytest.approx(0.05 * 3, rel=0.25)
    assert abs(moved.mean()) < 0.01


def test_recurring_values_stay_exact(raw: pd.DataFrame) -> None:
    rows = resample_rows(raw, 1, 3)
    month = vary_month(raw, ("MEDV",), 0.05, (1, 3))
    for name in raw.columns:
        recurring = raw[name].duplicated(keep=False).to_numpy()[rows]
        drawn = raw[name].to_numpy()[rows]
        np.testing.assert_array_equal(month[name].to_numpy()[recurring], drawn[recurring])


def test_label_and_whole_numbers_get_no_noise_and_rows_stay_together() -> None:
    raw = pd.DataFrame(
        {"x": np.arange(50) * 1.5, "whole": np.arange(50), "text": list("ab") * 25, "y": np.arange(50.0)}
    )
    month = vary_month(raw, ("y",), 0.02, (5, 1))
    rows = resample_rows(raw, 5, 1)
    for name in ("whole", "text", "y"):
        pd.testing.assert_series_equal(month[name], raw[name].iloc[rows].reset_index(drop=True))
    assert (month["x"] - raw["x"].to_numpy()[rows]).abs().between(0, 5, inclusive="right").mean() > 0.9


def test_missing_values_stay_missing_and_are_not_filled() -> None:
    values = pd.Series([1.0, np.nan, 3.0, 4.0, 5.5])
    rows = np.array([1, 1, 0, 4, 2])
    noisy = add_noise(values, rows, 0.05, derive_generator(1))
    assert noisy.isna().tolist() == [True, True, False, False, False]


def test_leaving_out_a_column_changes_nothing_in_the_others(raw: pd.DataFrame) -> None:
    whole = vary_month(raw, ("MEDV",), 0.05, (1, 2))
    part = vary_month(raw.drop(columns=["CRIM", "CHAS"]), ("MEDV",), 0.05, (1, 2))
    pd.testing.assert_frame_equal(part, whole.drop(columns=["CRIM", "CHAS"]))


def test_months_vary_as_samples_do(raw: pd.DataFrame) -> None:
    """The mean of a month scatters with the standard error of a mean of 506 rows."""
    months = [vary_month(raw, ("MEDV",), 0.05, (1, index))[["RM", "LSTAT", "NOX"]].mean() for index in range(1, 121)]
    scatter = pd.DataFrame(months).std() / (raw[["RM", "LSTAT", "NOX"]].std() / np.sqrt(len(raw)))
    assert scatter.between(0.8, 1.2).all()


@settings(max_examples=100)
@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40), st.floats(0, 1), st.integers(0, 2**32))
def test_no_value_leaves_the_raw_range_whatever_the_column(values: list[float], noise: float, seed: int) -> None:
    raw = pd.Series(values, dtype=float)
    noisy = add_noise(raw, _identity(raw), noise, derive_generator(seed))
    assert len(noisy) == len(raw)
    assert noisy.notna().all()
    assert noisy.between(raw.min(), raw.max()).all()
    assert noisy.dtype == raw.dtype
