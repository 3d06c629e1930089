from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics

from rai_kedro.reporting import performance
from rai_kedro.reporting.performance import PerformanceError, label_estimates, measure_performance

Errors = Callable[[np.random.Generator, int], np.ndarray]


class TestValues:
    @pytest.mark.parametrize(("rows", "offset"), [(2, 0.0), (167, 0.0), (167, 1e6), (5000, -50.0)])
    def test_values_are_those_of_scikit_learn(self, rows: int, offset: float) -> None:
        rng = np.random.default_rng(rows)
        truth = rng.normal(22, 9, rows) + offset
        predicted = truth + rng.normal(0, 4, rows)
        r2, mae, mape, rmse = (e.value for e in measure_performance(truth, predicted, seed=0, resamples=100))
        assert r2 == pytest.approx(metrics.r2_score(truth, predicted), abs=1e-12)
        assert mae == pytest.approx(metrics.mean_absolute_error(truth, predicted), rel=1e-12)
        assert mape == pytest.approx(metrics.mean_absolute_percentage_error(truth, predicted), rel=1e-12)
        assert rmse == pytest.approx(metrics.root_mean_squared_error(truth, predicted), rel=1e-12)

    def test_perfect_predictions_have_intervals_of_no_width(self) -> None:
        truth = np.arange(1.0, 101.0)
        found = {e.name: (e.value, e.lower, e.upper) for e in measure_performance(truth, truth, seed=0)}
        assert found == {"R2": (1, 1, 1), "MAE": (0, 0, 0), "MAPE": (0, 0, 0), "RMSE": (0, 0, 0)}

    def test_labelling_fills_split_and_unit(self) -> None:
        estimates = measure_performance([1.0, 2.0, 4.0], [1.0, 2.5, 4.0], seed=0)
        labelled = label_estimates(estimates, split="test", unit="1000 USD")
        assert [e.unit for e in labelled] == ["", "1000 USD", "share of the label", "1000 USD"]
        assert {e.split for e in labelled} == {"test"}


class TestIntervals:
    def test_interval_is_the_percentile_interval_of_metrics_on_resampled_rows(self) -> None:
        """Computed the slow way, with scikit-learn on every draw, from the same random numbers."""
        rng = np.random.default_rng(5)
        truth = rng.gamma(4, 5, 60) + 2
        predicted = truth + rng.normal(0, 3, 60)
        draws = np.random.default_rng(9).integers(60, size=(300, 60))
        slow = np.array(
            [[metrics.r2_score(truth[d], predicted[d]), abs(truth[d] - predicted[d]).mean()] for d in draws]
        )
        r2, mae, *_ = measure_performance(truth, predicted, level=0.9, seed=9, resamples=300)
        for estimate, values in ((r2, slow[:, 0]), (mae, slow[:, 1])):
            assert (estimate.lower, estimate.upper) == pytest.approx(np.quantile(values, [0.05, 0.95]), rel=1e-12)

    def test_blocks_of_draws_give_the_same_interval_as_one_block(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rng = np.random.default_rng(1)
        truth = rng.normal(20, 5, 50)
        whole = measure_performance(truth, truth + 1, seed=4, resamples=101)
        monkeypatch.setattr(performance, "_BLOCK_INDICES", 50 * 7)
        assert measure_performance(truth, truth + 1, seed=4, resamples=101) == whole

    def test_seed_decides(self) -> None:
        truth = np.random.default_rng(1).normal(20, 5, 50)
        predicted = truth[::-1]
        first = measure_performance(truth, predicted, seed=1)
        assert first == measure_performance(truth, predicted, seed=1)
        assert first != measure_performance(truth, predicted, seed=2)

    def test_higher_level_is_wider(self) -> None:
        truth = np.random.default_rng(1).normal(20, 5, 50)
        predicted = truth[::-1]
        narrow, wide = (measure_performance(truth, predicted, level=level, seed=1) for level in (0.5, 0.99))
        assert all(w.upper - w.lower > n.upper - n.lower for n, w in zip(narrow, wide, strict=True))


class TestDegenerateCases:
    def test_constant_label_leaves_r2_undefined_and_says_why(self) -> None:
        r2, mae, *_ = measure_performance(np.full(20, 5.1), np.linspace(4, 6, 20), seed=0)
        assert (r2.value, r2.lower, r2.level) == (None, None, None)
        assert r2.note == "not defined: all 20 labels are equal, there is no variance to explain"
        assert mae.value is not None and mae.lower is not None

    def test_label_of_zero_leaves_mape_undefined_and_says_in_how_many_rows(self) -> None:
        truth = np.array([0.0, 1.0, 0.0, 3.0])
        _, _, mape, rmse = measure_performance(truth, truth + 1, seed=0)
        assert mape.value is None
        assert "0 in 2 of 4 rows" in mape.note
        assert rmse.value == pytest.approx(1)

    def test_too_few_distinct_labels_give_r2_without_interval(self) -> None:
        r2, *_ = measure_performance([1.0, 2.0], [1.0, 2.5], seed=0)
        assert r2.value is not None
        assert (r2.lower, r2.upper, r2.level) == (None, None, None)
        assert "no interval: not defined in" in r2.note

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
            measure_performance(truth, predicted, seed=0)

    @pytest.mark.parametrize(("level", "resamples"), [(0.0, 1000), (95, 1000), (0.95, 99)])
    def test_impossible_levels_and_resamples_are_refused(self, level: float, resamples: int) -> None:
        with pytest.raises(PerformanceError, match="No interval"):
            measure_performance([1.0, 2.0], [1.0, 2.0], level=level, seed=0, resamples=resamples)


def normal_errors(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.normal(0, 4, rows)


def skewed_errors(rng: np.random.Generator, rows: int) -> np.ndarray:
    return rng.gamma(2, 4 / np.sqrt(2), rows) - 8 / np.sqrt(2)


def measure_coverage(errors: Errors, rows: int, simulations: int = 1000) -> dict[str, float]:
    """Share of nominal 95 % intervals that hold the true value; errors have a standard deviation of 4."""
    rng = np.random.default_rng(20240501)
    spread = np.abs(errors(rng, 4_000_000)).mean()
    truths = {"R2": 1 - 16 / (64 + 16), "MAE": spread, "RMSE": 4.0}
    hits = dict.fromkeys(truths, 0)
    for seed in range(simulations):
        predicted = rng.normal(22, 8, rows)
        estimates = measure_performance(predicted + errors(rng, rows), predicted, seed=seed, resamples=500)
        for estimate in estimates:
            if estimate.name in truths:
                hits[estimate.name] += estimate.lower <= truths[estimate.name] <= estimate.upper
    return {name: count / simulations for name, count in hits.items()}


class TestCoverage:
    """What the module's documentation says about its intervals, measured."""

    def test_intervals_at_the_size_of_the_test_split_hold_their_level(self) -> None:
        coverage = measure_coverage(normal_errors, rows=167)
        assert coverage["MAE"] >= 0.92, coverage
        assert coverage["RMSE"] >= 0.92, coverage
        assert coverage["R2"] >= 0.92, coverage
        assert max(coverage.values()) <= 0.98, coverage

    def test_skewed_errors_in_few_rows_are_covered_less_as_documented(self) -> None:
        many, few = measure_coverage(skewed_errors, rows=167), measure_coverage(skewed_errors, rows=50)
        assert many["MAE"] >= 0.92, many
        assert 0.88 <= many["RMSE"] < 0.94, many
        assert 0.80 <= few["RMSE"] < 0.90, few
