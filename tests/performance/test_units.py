"""Performance on rows that belong to units or carry weights."""

from __future__ import annotations

import numpy as np
import pytest

from rai_kedro.intervals import IntervalError, read_sampling
from rai_kedro.performance import Answers, measure, measure_gain

RNG = np.random.default_rng(5)
PERSON = np.repeat(np.arange(80), RNG.integers(4, 10, 80))
OWN = RNG.normal(size=80)[PERSON]
SCORE = 1 / (1 + np.exp(-(OWN + 0.4 * RNG.normal(size=len(PERSON)))))
LABEL = (OWN + RNG.normal(size=len(PERSON)) > 0).astype(float)
AMOUNT = 50 + 10 * OWN
GUESS = AMOUNT + 4 * RNG.normal(size=80)[PERSON] + RNG.normal(size=len(PERSON))


@pytest.mark.parametrize(
    ("truth", "answer", "score"), [(LABEL, (SCORE > 0.5).astype(float), SCORE), (AMOUNT, GUESS, None)]
)
def test_units_change_no_figure_and_widen_intervals(truth: np.ndarray, answer: np.ndarray, score: object) -> None:
    plain, units = (measure(truth, answer, y_score=score, **more) for more in ({}, {"unit": PERSON}))
    for one, other in zip(plain.figures, units.figures, strict=True):
        assert one.value == pytest.approx(other.value), one.name
        assert other.width >= one.width, one.name
        assert " units, by linearised variance" in other.how
    assert np.median([b.width / a.width for a, b in zip(plain.figures, units.figures, strict=True)]) > 1.15


@pytest.mark.parametrize(
    ("truth", "answer", "score"), [(LABEL, (SCORE > 0.5).astype(float), SCORE), (AMOUNT, GUESS, None)]
)
def test_a_whole_weight_is_so_many_rows(truth: np.ndarray, answer: np.ndarray, score: object) -> None:
    weights = np.arange(len(truth)) % 4
    again = np.arange(len(truth)).repeat(weights)
    repeated = measure(truth[again], answer[again], y_score=None if score is None else score[again])
    weighted = measure(truth, answer, y_score=score, sample_weight=weights)
    for one, other in zip(repeated.figures, weighted.figures, strict=True):
        assert one.value == pytest.approx(other.value), one.name


def test_one_unit_has_figures_without_intervals() -> None:
    for figure in measure(AMOUNT, GUESS, unit=np.zeros(len(AMOUNT))).figures:
        assert figure.lower is None
        assert "one unit" in figure.note


def test_unusable_weights_are_refused() -> None:
    with pytest.raises(IntervalError, match="negative"):
        measure(LABEL, LABEL, sample_weight=-np.ones(len(LABEL)))


@pytest.mark.parametrize("name", ["accuracy", "AUC", "Brier score"])
def test_gains_hold_where_rows_of_a_person_are_alike(name: str) -> None:
    """Two models that differ by noise a person: neither gains, and rows taken as independent find gains too often."""
    rng, missed = np.random.default_rng(3), {"units": 0, "rows": 0}
    person = np.repeat(np.arange(60), 8)
    sampling = read_sampling(person, None, len(person))
    for _ in range(120):
        own = rng.normal(size=60)[person]
        label = (own + rng.normal(size=len(person)) > 0).astype(float)
        new, old = (
            Answers((seen > 0).astype(float), 1 / (1 + np.exp(-seen)))
            for seen in (own + 1.5 * rng.normal(size=60)[person] for _ in range(2))
        )
        for kind, by in (("units", sampling), ("rows", None)):
            gain = measure_gain(name, label, new, old, sampling=by)
            missed[kind] += not gain.lower <= 0 <= gain.upper
    assert missed["units"] <= 0.07 * 120
    assert missed["rows"] > 0.12 * 120


def test_models_that_decide_alike_have_no_gain_but_of_a_few_units() -> None:
    """No row differs: as sure as so many independent rows as there are units, not as one."""
    answers = Answers((SCORE > 0.5).astype(float), SCORE)
    sampling = read_sampling(PERSON, None, len(PERSON))
    gain = measure_gain("accuracy", LABEL, answers, answers, sampling=sampling)
    assert gain.lower <= 0 <= gain.upper
    assert gain.width < 0.12
