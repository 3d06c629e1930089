from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_predict

from rai_kedro.performance.regression import PerformanceError, label_estimates, measure_performance, measure_rows

Errors = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
Draw = Callable[[np.random.Generator, tuple[int, int]], tuple[np.ndarray, np.ndarray]]


class TestValues:
    @pytest.mark.parametrize(("rows", "offset"), [(2, 0.0), (167, 0.0), (167, 1e6), (5000, -50.0)])
    def test_values_are_those_of_scikit_learn(self, rows: int, offset: float) -> None:
        rng = np.random.default_rng(rows)
        truth = rng.normal(22, 9, rows) + offset
        predicted = truth + rng.normal(0, 4, rows)
        r2, mae, mape, rmse = (e.value for e in measure_performance(truth, predicted))
        assert r2 == pytest.approx(metrics.r2_score(truth, predicted), abs=1e-12)
        assert mae == pytest.approx(metrics.mean_absolute_error(truth, predicted), rel=1e-12)
        assert mape == pytest.approx(metrics.mean_absolute_percentage_error(truth, predicted), rel=1e-12)
        assert rmse == pytest.approx(metrics.root_mean_squared_error(truth, predicted), rel=1e-12)

    def test_perfect_predictions_have_intervals_of_no_width(self) -> None:
        truth = np.arange(1.0, 101.0)
        found = {e.name: (e.value, e.lower, e.upper) for e in measure_performance(truth, truth)}
        assert found == {"R2": (1, 1, 1), "MAE": (0, 0, 0), "MAPE": (0, 0, 0), "RMSE": (0, 0, 0)}

    def test_labelling_fills_split_and_unit(self) -> None:
        estimates = measure_performance([1.0, 2.0, 4.0], [1.0, 2.5, 4.0])
        labelled = label_estimates(estimates, split="test", unit="1000 USD")
        assert [e.unit for e in labelled] == ["", "1000 USD", "share of the label", "1000 USD"]
        assert {e.split for e in labelled} == {"test"}


class TestIntervals:
    def test_many_normal_errors_have_the_interval_of_the_chi_square(self) -> None:
        """For normal errors the mean square is chi-square distributed: an exact interval to be held against."""
        rng = np.random.default_rng(5)
        truth, rows = rng.normal(20, 8, 200_000), 200_000
        *_, rmse = measure_performance(truth, truth + rng.normal(0, 3, rows))
        exact = rmse.value * np.sqrt(rows / stats.chi2.ppf([0.975, 0.025], rows))
        assert (rmse.lower, rmse.upper) == pytest.approx(exact, rel=2e-4)
        assert rmse.upper - rmse.lower == pytest.approx(exact[1] - exact[0], rel=0.02)

    def test_interval_of_r2_is_that_of_its_bootstrap_where_rows_are_many(self) -> None:
        rng = np.random.default_rng(5)
        truth = rng.normal(20, 8, 4_000)
        predicted = truth + rng.normal(0, 3, 4_000)
        r2, *_ = measure_performance(truth, predicted)
        drawn = rng.integers(4_000, size=(1_000, 4_000))
        values = 1 - ((truth - predicted)[drawn] ** 2).mean(1) / truth[drawn].var(1)
        assert (r2.lower, r2.upper) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=2e-3)

    def test_a_single_large_error_lengthens_the_interval_upwards(self) -> None:
        truth = np.arange(100.0)
        even, uneven = np.ones(100), np.r_[np.ones(99) * 0.5, 3.0]
        *_, calm = measure_performance(truth, truth + even)
        *_, wild = measure_performance(truth, truth + uneven)
        assert (calm.lower, calm.upper) == pytest.approx((1, 1))
        assert np.log(wild.upper / wild.value) > 1.3 * np.log(wild.value / wild.lower)

    def test_many_sets_at_once_give_what_each_gives_alone(self) -> None:
        rng = np.random.default_rng(2)
        truth = rng.normal(20, 5, (3, 40))
        predicted = truth + rng.normal(0, 2, (3, 40))
        together = measure_rows(truth, predicted, 0.9)
        for at in range(3):
            for alone in measure_performance(truth[at], predicted[at], level=0.9):
                assert (alone.value, alone.lower, alone.upper) == pytest.approx(together[alone.name][:, at])

    def test_five_hundred_rows_take_milliseconds(self) -> None:
        rng = np.random.default_rng(1)
        truth = rng.normal(20, 5, 506)
        # Time of this process alone: a busy machine does not count.
        begun = time.process_time()
        measure_performance(truth, truth + rng.normal(0, 2, 506))
        assert time.process_time() - begun < 0.3

    def test_higher_level_is_wider(self) -> None:
        truth = np.random.default_rng(1).normal(20, 5, 50)
        predicted = truth[::-1]
        narrow, wide = (measure_performance(truth, predicted, level=level) for level in (0.5, 0.99))
        assert all(w.upper - w.lower > n.upper - n.lower for n, w in zip(narrow, wide, strict=True))


class TestDegenerateCases:
    def test_constant_label_leaves_r2_undefined_and_says_why(self) -> None:
        r2, mae, *_ = measure_performance(np.full(20, 5.1), np.linspace(4, 6, 20))
        assert (r2.value, r2.lower, r2.level) == (None, None, None)
        assert r2.note == "not defined: all 20 labels are equal, there is no variance to explain"
        assert mae.value is not None and mae.lower is not None

    def test_label_of_zero_leaves_mape_undefined_and_says_in_how_many_rows(self) -> None:
        truth = np.array([0.0, 1.0, 0.0, 3.0])
        _, _, mape, rmse = measure_performance(truth, truth + 1)
        assert mape.value is None
        assert "0 in 2 of 4 rows" in mape.note
        assert rmse.value == pytest.approx(1)

    @pytest.mark.parametrize(
        ("truth", "predicted", "message"),
        [
            ([1.0], [1.0], "at least two rows"),
            ([1.0, 2.0], [1.0], "same length"),
            ([1.0, np.nan, 3.0], [1.0, 2.0, 3.0], r"(?s)missing or infinite.*1 of 3 rows.*row 1: label nan"),
            ([1.0, 2.0], [1.0, np.inf], r"(?s)missing or infinite.*prediction inf"),
        ],
    )
    def test_unusable_pairs_are_refused(self, truth: list[float], predicted: list[float], message: str) -> None:
        with pytest.raises(PerformanceError, match=message):
            measure_performance(truth, predicted)

    @pytest.mark.parametrize("level", [0.0, 1.0, 95, float("nan")])
    def test_impossible_levels_are_refused(self, level: float) -> None:
        with pytest.raises(PerformanceError, match="No interval"):
            measure_performance([1.0, 2.0], [1.0, 2.0], level=level)

    def test_two_rows_say_nothing_of_how_large_errors_can_be(self) -> None:
        r2, *errors = measure_performance([1.0, 2.0], [1.0, 2.5])
        assert (r2.lower, [one.upper for one in errors]) == (None, [None] * 3)
        assert all(0 < one.lower <= one.value and "2 rows" in one.note for one in errors)

    def test_one_gross_error_opens_the_end_and_says_why(self) -> None:
        truth = np.arange(1.0, 101.0)
        _, mae, _, rmse = measure_performance(truth, truth + np.r_[np.ones(99), 1_000.0])
        assert (mae.upper, rmse.upper) == (None, None)
        assert "a few rows carry most of the error" in rmse.note
        assert 0.9 < rmse.lower < rmse.value


RUNS = 4_000
MONTE_CARLO = 3 * np.sqrt(0.95 * 0.05 / RUNS)


def draw_boston(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels and cross-validated predictions of a linear model on the Boston data."""
    labels, predicted = predict_boston()
    drawn = rng.integers(len(labels), size=shape)
    return labels[drawn], predicted[drawn]


@cache
def predict_boston() -> tuple[np.ndarray, np.ndarray]:
    table = pd.read_csv(Path(__file__).parents[2] / "data" / "01_raw" / "boston.csv")
    features, labels = table.drop(columns="MEDV"), table["MEDV"].to_numpy(float)
    folds = KFold(10, shuffle=True, random_state=0)
    return labels, cross_val_predict(LinearRegression(), features, labels, cv=folds)


def draw_from(errors: Errors) -> Draw:
    """Return a drawing of predictions around 60 and labels with these errors beside them."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        predicted = rng.normal(60, 8, shape)
        return predicted + errors(rng, shape), predicted

    return draw


def measure_coverage(draw: Draw, rows: int, truth: dict[str, float]) -> dict[str, float]:
    """Share of nominal 95 % intervals that hold the true value."""
    figures = measure_rows(*draw(np.random.default_rng(20240501), (RUNS, rows)), 0.95)
    return {name: float(np.mean((figures[name][1] <= t) & (t <= figures[name][2]))) for name, t in truth.items()}


ERRORS: dict[str, Errors] = {
    "normal": lambda rng, shape: rng.normal(0, 4, shape),
    "skewed": lambda rng, shape: rng.gamma(2, 4 / np.sqrt(2), shape) - 8 / np.sqrt(2),
    "t5": lambda rng, shape: 4 * rng.standard_t(5, shape) / np.sqrt(5 / 3),
    "lognormal": lambda rng, shape: rng.lognormal(size=shape),
    "gross": lambda rng, shape: rng.normal(size=shape) * np.where(rng.random(shape) < 0.01, 100, 1),
    "t3": lambda rng, shape: 4 * rng.standard_t(3, shape) / np.sqrt(3),
}
TRUTH = {"R2": 1 - 16 / 80, "RMSE": 4.0}


class TestCoverage:
    """What the module's documentation says about its intervals, measured."""

    @pytest.mark.parametrize("rows", [167, 339])
    def test_boston_residuals_are_covered_at_the_level(self, rows: int) -> None:
        labels, predicted = predict_boston()
        truth = {
            name: float(figures[0, 0]) for name, figures in measure_rows(labels[None], predicted[None], 0.95).items()
        }
        coverage = measure_coverage(draw_boston, rows, truth)
        assert min(coverage.values()) >= 0.95 - MONTE_CARLO, coverage

    def test_percentile_bootstrap_would_not_have_passed(self) -> None:
        labels, predicted = predict_boston()
        rng, squares, held = np.random.default_rng(4), (labels - predicted) ** 2, []
        for _ in range(300):
            test = squares[rng.integers(len(squares), size=167)]
            values = test[rng.integers(167, size=(300, 167))].mean(1)
            low, high = np.quantile(values, [0.025, 0.975])
            held.append(low <= squares.mean() <= high)
        assert np.mean(held) < 0.92

    @pytest.mark.parametrize("errors", ["lognormal", "gross"])
    def test_too_few_rows_to_know_the_tail_claim_no_upper_limit(self, errors: str) -> None:
        truth = {"RMSE": np.e if errors == "lognormal" else np.sqrt(0.99 + 0.01 * 1e4)}
        assert measure_coverage(draw_from(ERRORS[errors]), 15, truth)["RMSE"] >= 0.975 - MONTE_CARLO

    @pytest.mark.parametrize("errors", ["normal", "skewed", "t5"])
    def test_intervals_hold_their_level_without_being_idle(self, errors: str) -> None:
        coverage = measure_coverage(draw_from(ERRORS[errors]), 167, TRUTH)
        assert min(coverage.values()) >= 0.95 - MONTE_CARLO, coverage
        assert max(coverage.values()) <= 0.975, coverage

    def test_few_rows_and_errors_without_a_fourth_moment_are_covered_less_as_documented(self) -> None:
        labels, predicted = predict_boston()
        truth = {"RMSE": float(np.sqrt(np.mean((labels - predicted) ** 2)))}
        assert 0.90 <= measure_coverage(draw_boston, 50, truth)["RMSE"] < 0.94
        assert 0.84 <= measure_coverage(draw_from(ERRORS["t3"]), 167, TRUTH)["RMSE"] < 0.90
