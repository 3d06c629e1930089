"""Performance of a classifier: equal to scikit-learn and to a published DeLong interval; simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from rai_kedro.performance import PerformanceError, measure_auc
from rai_kedro.performance.classification import (
    _brier,
    iterate_roc,
    measure_classification,
    measure_share,
)


def _rows(seed: int, rows: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = (rng.random(rows) < 0.3).astype(int)
    score = 1 / (1 + np.exp(-(rng.normal(size=rows) + 1.5 * truth - 1)))
    return truth, (score > 0.5).astype(int), score.round(2)


@pytest.mark.parametrize("seed", range(5))
def test_figures_equal_scikit_learn(seed: int) -> None:
    truth, decision, score = _rows(seed)
    found = {estimate.name: estimate.value for estimate in measure_classification(truth, decision, score, split="test")}
    expected = {
        "accuracy": metrics.accuracy_score(truth, decision),
        "sensitivity": metrics.recall_score(truth, decision),
        "specificity": metrics.recall_score(truth, decision, pos_label=0),
        "precision": metrics.precision_score(truth, decision),
        "AUC": metrics.roc_auc_score(truth, score),
        "Brier score": metrics.brier_score_loss(truth, score),
    }
    assert found == pytest.approx(expected, abs=1e-12)


def test_intervals_cover_the_truth() -> None:
    # Scores of the classes are normal with means 0 and 1: the true AUC is Phi(1 / sqrt(2)).
    from scipy.stats import norm

    rng, truth = np.random.default_rng(1), np.repeat([1, 0], [40, 160])
    true_auc, covered, runs = float(norm.cdf(1 / np.sqrt(2))), 0, 600
    for _ in range(runs):
        score = norm.cdf(rng.normal(size=200) + truth)
        auc = next(e for e in measure_classification(truth, score > 0.5, score, split="test") if e.name == "AUC")
        assert auc.lower is not None and auc.upper is not None
        covered += auc.lower <= true_auc <= auc.upper
    assert 0.925 <= covered / runs <= 0.975


@pytest.mark.parametrize(("rate", "rows"), [(0.1, 50), (0.1, 200), (0.3, 200)])
def test_interval_of_the_brier_score_covers_the_truth(rate: float, rows: int) -> None:
    """Labels are drawn with the probability that the score states, so that the true figure is E(s (1 - s))."""
    rng, runs, held = np.random.default_rng(4), 800, 0
    true_brier = 0.8 * rate * (1 - rate)  # a b / ((a + b) (a + b + 1)) for Beta(a, b) with a + b = 4
    for _ in range(runs):
        score = rng.beta(4 * rate, 4 * (1 - rate), rows)
        truth = rng.random(rows) < score
        brier = _brier(truth.astype(float), score, "test", 0.95)
        assert brier.lower is not None and brier.upper is not None
        held += brier.lower <= true_brier <= brier.upper
    assert 0.94 <= held / runs <= 0.99


def test_scores_without_any_error_have_an_interval_of_no_width() -> None:
    brier = _brier(np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0]), "test", 0.95)
    assert (brier.value, brier.lower, brier.upper) == (0, 0, 0)


@pytest.mark.parametrize(("rows", "rate"), [(50, 0.99), (100, 0.995), (500, 0.999), (200, 0.98)])
def test_interval_of_a_share_near_one_holds(rows: int, rate: float) -> None:
    """Exact coverage over all outcomes; Wilson's interval alone holds in 91 to 93 % of them."""
    from scipy.stats import binom

    covered = 0.0
    for wrong in range(int(rows * (1 - rate) * 6) + 8):
        decision = np.repeat([0, 1], [wrong, rows - wrong])
        accuracy = measure_share("accuracy", decision == 1, "", ("test", 0.95))
        assert accuracy.lower is not None and accuracy.upper is not None
        covered += binom.pmf(wrong, rows, 1 - rate) * (accuracy.lower <= rate <= accuracy.upper)
    assert covered >= 0.945


@pytest.mark.parametrize(("positive", "shift"), [(5, 2.0), (10, 1.5)])
def test_interval_of_the_auc_holds_with_few_rows_of_a_class(positive: int, shift: float) -> None:
    """DeLong's alone held in 85 and 92 % of such samples."""
    from scipy.stats import norm

    rng, runs, covered = np.random.default_rng(2), 500, 0
    truth, true_auc = np.repeat([1.0, 0.0], [positive, 90]), float(norm.cdf(shift / np.sqrt(2)))
    for _ in range(runs):
        auc = measure_auc(truth, rng.normal(size=truth.size) + shift * truth)
        assert auc.lower is not None and auc.upper is not None
        covered += auc.lower <= true_auc <= auc.upper
    assert auc.note == f"only {positive} rows of the rarer class" or auc.value == 1
    assert covered / runs >= 0.95


@pytest.mark.parametrize("is_reversed", [False, True])
def test_scores_that_separate_the_classes_have_an_exact_limit(is_reversed: bool) -> None:
    """Seven pairs in order: at the limit they are so with probability .025."""
    truth = np.repeat([1.0, 0.0], [7, 30])
    score = np.linspace(0, 1, 37) if is_reversed else np.linspace(1, 0, 37)
    auc = measure_auc(truth, score)
    assert auc.lower is not None and auc.upper is not None
    inner = 1 - auc.upper if is_reversed else auc.lower
    assert inner**7 == pytest.approx(0.025)
    assert (auc.lower if is_reversed else 1 - auc.upper) == 0
    assert "separate the classes fully" in auc.note


def test_roc_runs_from_corner_to_corner_and_has_the_area() -> None:
    truth, _, score = _rows(3)
    points = np.array(list(iterate_roc(truth.astype(float), score)))
    assert points[0].tolist() == [0, 0]
    assert points[-1].tolist() == [1, 1]
    assert np.trapezoid(points[:, 1], points[:, 0]) == pytest.approx(metrics.roc_auc_score(truth, score))


def test_undefined_figures_say_why() -> None:
    found = {e.name: e for e in measure_classification([0, 0], [0, 0], [0.1, 0.2], split="test")}
    assert found["sensitivity"].value is None and found["sensitivity"].note == "no such row"
    assert found["AUC"].value is None and "fewer than two" in found["AUC"].note


@pytest.mark.parametrize(
    ("truth", "decision", "score", "message"),
    [
        ([], [], [], "no row"),
        ([0, 2], [0, 1], [0.1, 0.2], "not 0 and 1"),
        ([0, 1], [0, 1], [0.1, 1.2], "not a probability"),
        ([0, 1], [0, 1], [0.1, float("nan")], "not a probability"),
        ([0, 1], [0], [0.1, 0.2], "not of the same rows"),
    ],
)
def test_bad_input(truth: list[int], decision: list[int], score: list[float], message: str) -> None:
    with pytest.raises(PerformanceError, match=message):
        measure_classification(truth, decision, score, split="test")
