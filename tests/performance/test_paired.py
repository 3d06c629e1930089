"""Paired gains: published and hand-made values, and how often the interval holds the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from rai_kedro.performance import Answers, PerformanceError, joint_level, measure_gain


def make_decisions(won: int, lost: int, both: int, neither: int):
    """Decisions of two models on rows that are all positive."""
    new = [1] * won + [0] * lost + [1] * both + [0] * neither
    old = [0] * won + [1] * lost + [1] * both + [0] * neither
    return np.ones(len(new)), Answers(np.array(new, float)), Answers(np.array(old, float))


def test_accuracy_has_the_published_interval():
    # Bonett & Price (2012): p12 = (n12 + 1)/(n + 2), p21 = (n21 + 1)/(n + 2), here 22/102 and 10/102.
    truth, new, old = make_decisions(21, 9, 60, 10)

    gain = measure_gain("accuracy", truth, new, old)

    half = 1.959964 * np.sqrt((22 / 102 + 10 / 102 - (12 / 102) ** 2) / 102)
    assert gain.value == pytest.approx(0.12)
    assert (gain.lower, gain.upper) == pytest.approx((12 / 102 - half, 12 / 102 + half))


def test_auc_gain_is_the_difference_of_the_areas_and_its_interval_that_of_the_pairs():
    rng = np.random.default_rng(0)
    truth = (rng.random(60) < 0.4).astype(float)
    scores = [np.round(truth * shift + rng.normal(size=60), 1) for shift in (1.0, 0.5)]

    def kernel(score):
        up, down = score[truth == 1], score[truth == 0]
        return (up[:, None] > down) + 0.5 * (up[:, None] == down)

    pairs = kernel(scores[0]) - kernel(scores[1])
    gain = measure_gain("AUC", truth, *(Answers(truth, score) for score in scores))

    by_row, by_column = pairs.mean(axis=1), pairs.mean(axis=0)
    # Two rows are added to each class, and the quantile is of the rarer class: 22 rows.
    parts = [np.append(part, [0.25, -0.25]) for part in (by_row, by_column)]
    error = np.sqrt(sum(part.var(ddof=1) / len(part) for part in parts))
    assert gain.value == pytest.approx(pairs.mean())
    assert gain.upper - gain.lower == pytest.approx(2 * stats.t.ppf(0.975, min(pairs.shape) - 1) * error)


@pytest.mark.parametrize(
    ("rows", "share", "shifts"), [(150, 0.2, (1.2, 1.8)), (60, 0.5, (2.5, 3.0)), (200, 0.3, (1.2, 1.5))]
)
def test_a_loss_of_auc_is_not_denied_by_few_rows(rows, share, shifts):
    """The lower end decides who may be chosen: above the truth in 2.5 % of samples, up to chance of 400."""
    rng = np.random.default_rng(5)
    correlation = 0.9 if share < 0.5 else 0.8

    def draw(n):
        truth = (rng.random(n) < share).astype(float)
        noise = rng.multivariate_normal([0, 0], [[1, correlation], [correlation, 1]], size=n, method="cholesky")
        return truth, [Answers(truth, noise[:, at] + shift * truth) for at, shift in enumerate(shifts)]

    areas = [stats.norm.cdf(shift / np.sqrt(2)) for shift in shifts]
    gains = [measure_gain("AUC", truth, *answers) for truth, answers in (draw(rows) for _ in range(400))]
    lower = [gain.lower for gain in gains if gain.lower is not None]
    assert len(lower) > 380
    assert np.mean(np.array(lower) > areas[0] - areas[1]) < 0.045


@pytest.mark.parametrize("name", ["AUC", "Brier score"])
def test_few_of_a_class_show_nothing(name):
    rng = np.random.default_rng(6)
    answers = [Answers(np.ones(400), rng.random(400)) for _ in range(2)]

    few, enough = (measure_gain(name, (np.arange(400) < events).astype(float), *answers) for events in (19, 20))

    assert (few.lower, few.upper) == (None, None)
    assert few.how == "no interval: 19 rows of the rarer class, 20 are needed"
    assert enough.lower < enough.value < enough.upper


def test_the_same_answers_gain_nothing():
    rng = np.random.default_rng(1)
    truth, answers = (rng.random(50) < 0.5).astype(float), Answers(np.ones(50), rng.random(50))
    for name in ("AUC", "Brier score", "MAE", "R2"):
        gain = measure_gain(name, truth, answers, answers)
        assert (gain.value, gain.lower, gain.upper) == (0, 0, 0)
    # No row tells the models apart, which is not the same as none ever would.
    assert measure_gain("accuracy", truth, answers, answers).lower < 0


def test_smaller_errors_are_a_gain():
    truth = np.arange(40, dtype=float)
    near, far = Answers(truth + np.tile([1, -1], 20)), Answers(truth + np.tile([3, -3], 20))

    assert measure_gain("MAE", truth, near, far).value == pytest.approx(2)
    assert measure_gain("R2", truth, near, far).value == pytest.approx(8 / truth.var())
    assert measure_gain("MAE", truth, far, near).upper < 0


def test_the_interval_of_accuracy_holds_the_truth():
    rng = np.random.default_rng(2)
    drawn = rng.multinomial(200, [0.06, 0.03, 0.8, 0.11], size=2000)
    held = 0
    for won, lost, both, neither in drawn:
        gain = measure_gain("accuracy", *make_decisions(won, lost, both, neither))
        held += gain.lower <= 0.03 <= gain.upper
    assert 0.94 <= held / 2000 <= 0.98


def test_what_cannot_be_held_against_each_other_is_refused():
    truth, answers = np.ones(3), Answers(np.ones(3))
    with pytest.raises(PerformanceError, match="by 'F1'"):
        measure_gain("F1", truth, answers, answers)
    with pytest.raises(PerformanceError, match="give no scores"):
        measure_gain("AUC", truth, answers, answers)


def test_one_row_has_no_interval():
    gain = measure_gain("MAE", np.ones(1), Answers(np.zeros(1)), Answers(np.ones(1)))
    assert (gain.value, gain.lower, gain.upper) == (-1, None, None)


def _harmful(models, correlation, generator, rows=1_000):
    """Models that truly lose .0201 of accuracy against one that is right on 80 % of the rows."""
    truth, right = (generator.random(rows) < 0.4).astype(float), generator.random(rows) < 0.8
    common = generator.standard_normal(rows)
    spoilt = 0.06
    mended = (0.8 * spoilt - 0.0201) / 0.2
    made = []
    for _ in range(models):
        own = generator.standard_normal(rows)
        share = ndtr(np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)
        made.append(Answers(np.where(np.where(right, share > spoilt, share < mended), truth, 1 - truth)))
    return truth, made, Answers(np.where(right, truth, 1 - truth))


def test_harmful_models_are_rarely_admitted_whichever_of_ten_is_chosen():
    generator, admitted = np.random.default_rng(4), np.zeros(2)
    for _ in range(100):
        truth, models, old = _harmful(10, 0.0, generator)
        joint = joint_level(["accuracy"], truth, models, old)
        for at, level in enumerate((0.95, joint)):
            gains = [measure_gain("accuracy", truth, one, old, level=level) for one in models]
            admitted[at] += any(gain.lower >= -0.02 for gain in gains)
    assert admitted[0] > 12  # each by itself: about a fifth
    assert admitted[1] <= 7


def test_models_that_err_alike_ask_for_less_than_bonferroni():
    generator = np.random.default_rng(5)
    levels = [joint_level(["accuracy"], *_harmful(10, alike, generator, 5_000)) for alike in (0.0, 0.97)]
    assert 0.95 < levels[1] < levels[0] <= 1 - 0.05 / 10
    truth, models, old = _harmful(1, 0.0, generator)
    assert joint_level(["accuracy"], truth, models, old) == 0.95
    assert joint_level(["accuracy"], truth, models * 4, old) == pytest.approx(0.95, abs=0.003)
