"""Individual fairness: by hand, against scikit-learn, and on samples."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from rai_kedro.fairness import individual
from rai_kedro.fairness.assessment import FairnessSpec, examine_classification
from rai_kedro.fairness.individual import (
    MISSING_FEATURE,
    NOT_DRAWN,
    SimilarityError,
    SimilaritySpec,
    assess_awareness,
    assess_consistency,
    consistency,
    place_rows,
    violation_rate,
)

from .conftest import assess_classification


def _spec(**settings: object) -> SimilaritySpec:
    return SimilaritySpec(**({"columns": ("x",), "distance": "euclidean", "scaling": "none"} | settings))


def _place(frame: pd.DataFrame, spec: SimilaritySpec):  # type: ignore[no-untyped-def]
    return place_rows(frame, np.ones(len(frame), dtype=bool), spec)


def test_consistency_by_hand() -> None:
    # Two clusters of three; k = 2 takes the rest of a row's own cluster. Differences: 0 (x3), 1, .5, .5.
    frame = pd.DataFrame({"x": [0.0, 1, 2, 100, 101, 102]})
    values = np.array([1.0, 1, 1, 1, 0, 0])
    value, error = consistency(values, _place(frame, _spec(neighbours=2)), _spec(neighbours=2))
    assert value == pytest.approx(1 - 2 / 6)
    assert error > 0


def test_consistency_equals_scikit_learn_neighbours() -> None:
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list("abc"))
    values = rng.random(300)
    spec = _spec(columns=("a", "b", "c"), neighbours=7)
    near = NearestNeighbors(n_neighbors=7).fit(frame.to_numpy()).kneighbors(return_distance=False)
    expected = 1 - np.abs(values - values[near].mean(axis=1)).mean()
    assert consistency(values, _place(frame, spec), spec)[0] == pytest.approx(expected)


def test_jackknife_equals_deleting_each_row() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"x": rng.random(40)})
    values, spec = rng.random(40), _spec(neighbours=3)
    _, error = consistency(values, _place(frame, spec), spec)
    deleted = np.array(
        [consistency(np.delete(values, at), _place(frame.drop(index=at), spec), spec)[0] for at in range(40)]
    )
    assert error == pytest.approx(np.sqrt(39 / 40 * ((deleted - deleted.mean()) ** 2).sum()))


def test_violation_rate_by_hand() -> None:
    # Distances 1, 3, 2; differences of f .5, 1, .5: with L = .4 only the first pair breaks .4 (and 1 <= 1.2, .5 <= .8).
    frame = pd.DataFrame({"x": [0.0, 1, 3]})
    values = np.array([0.0, 0.5, 1.0])
    for constant, share in ((0.4, 1 / 3), (0.3, 2 / 3), (0.2, 1.0), (0.5, 0.0)):
        spec = _spec(lipschitz=constant)
        assert violation_rate(values, _place(frame, spec), spec) == pytest.approx(share), constant


@pytest.mark.parametrize("distance", ["euclidean", "manhattan"])
def test_two_categories_are_one_apart(distance: str) -> None:
    frame = pd.DataFrame({"c": ["u", "v", "u"], "x": [1.0, 1.0, 1.0]})
    values = np.array([0.0, 1.0, 0.0])
    for constant, share in ((1.0, 0.0), (0.99, 2 / 3)):
        spec = _spec(columns=("c", "x"), distance=distance, lipschitz=constant)
        assert violation_rate(values, _place(frame, spec), spec) == pytest.approx(share)


def test_a_smooth_score_keeps_the_condition_and_a_jump_breaks_it() -> None:
    frame = pd.DataFrame({"x": np.linspace(0, 1, 200)})
    smooth, jump = frame.x.to_numpy(), (frame.x > 0.5).to_numpy().astype(float)
    difference, ratio = assess_awareness(smooth, frame, _spec(), level=0.95)
    assert (difference.value, ratio.value) == (0.0, 1.0)
    assert difference.upper is not None
    assert 0 < difference.upper < 0.1
    broken = assess_awareness(jump, frame, _spec(), level=0.95)[0]
    assert broken.value == pytest.approx(1, abs=0.05)


def test_scaling_is_in_standard_deviations_or_ranges() -> None:
    frame = pd.DataFrame({"x": [0.0, 10, 20]})
    assert np.ptp(_place(frame, _spec(scaling="range")).coordinates) == pytest.approx(1)
    assert _place(frame, _spec(scaling="standard")).coordinates.std() == pytest.approx(1)
    constant = pd.DataFrame({"x": [3.0, 3, 3]})
    assert np.ptp(_place(constant, _spec(scaling="standard")).coordinates) == 0


def test_a_sample_is_drawn_by_seed_and_the_rest_is_counted() -> None:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"x": rng.random(1000)})
    frame.loc[:9, "x"] = np.nan
    values = rng.random(1000)
    spec = _spec(max_rows=200)
    first, again = (assess_consistency(values, frame, spec, level=0.95) for _ in range(2))
    assert first == again
    assert first[0].left_out == {MISSING_FEATURE: 10, NOT_DRAWN: 790}
    assert first[0].groups[0].n == 200
    assert assess_consistency(values, frame, _spec(max_rows=200, seed=1), level=0.95) != first


def test_memory_stays_bounded() -> None:
    import tracemalloc

    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"x": rng.random(5000), "z": rng.random(5000)})
    spec = _spec(columns=("x", "z"))
    tracemalloc.start()
    assess_awareness(rng.random(5000), frame, spec, level=0.95)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6  # The full matrix of distances alone would be 200 MB.


@pytest.mark.parametrize("assess", [assess_consistency, assess_awareness])
def test_a_coin_is_as_unfair_as_chance_and_the_interval_says_so(assess) -> None:  # type: ignore[no-untyped-def]
    """A coin that knows nothing of x has a figure of 1, whatever its rate; the interval holds it and is not idle."""
    rng = np.random.default_rng(11)
    found = []
    for _ in range(150):
        frame = pd.DataFrame({"x": rng.random(150), "z": rng.random(150)})
        found.append(
            assess((rng.random(150) < 0.3) * 1.0, frame, _spec(columns=("x", "z"), neighbours=4), level=0.95)[0]
        )
    assert np.mean([one.lower <= 1 <= one.upper for one in found]) >= 0.92
    spread = 2 * 1.96 * np.std([one.value for one in found])
    assert np.mean([one.upper - one.lower for one in found]) < 1.8 * spread


def test_a_coin_in_five_columns_does_not_pass() -> None:
    """At L = 1 it breaks .4 % of the pairs only, since rows lie far apart in five columns."""
    rng = np.random.default_rng(12)
    frame = pd.DataFrame(rng.normal(size=(1_000, 5)), columns=list("abcde"))
    spec = _spec(columns=tuple("abcde"), scaling="standard")
    difference, ratio = assess_awareness((rng.random(1_000) < 0.5) * 1.0, frame, spec, level=0.95)
    assert "0.4" in difference.rule or "0.3" in difference.rule
    assert 0.9 < difference.lower < 1 < difference.upper < 1.1
    assert ratio.upper < 0.1


def test_consistency_of_a_coin_does_not_change_with_rows_or_rate() -> None:
    rng = np.random.default_rng(13)
    for rows, rate in ((300, 0.5), (3_000, 0.5), (3_000, 0.05)):
        frame = pd.DataFrame({"x": rng.random(rows)})
        found = assess_consistency((rng.random(rows) < rate) * 1.0, frame, _spec(), level=0.95)[0]
        assert found.lower < 1 < found.upper, (rows, rate)


def test_a_bound_that_nothing_could_break_is_not_assessed() -> None:
    frame = pd.DataFrame({"x": np.arange(100.0)})
    values = np.linspace(0.4, 0.6, 100)
    (difference, _) = assess_awareness(values, frame, _spec(lipschitz=5), level=0.95)
    assert difference.value is None
    assert "declare a smaller 'lipschitz'" in difference.note
    assert assess_consistency(np.full(100, 0.5), frame, _spec(), level=0.95)[0].value is None


def test_too_few_rows_are_not_assessed() -> None:
    frame = pd.DataFrame({"x": [1.0, 2, 3]})
    for one in assess_consistency(np.array([0.0, 1, 0]), frame, _spec(), level=0.95):
        assert (one.value, one.lower, one.upper) == (None, None, None)
        assert one.not_assessed == ("all rows: 3 rows are too few for 5 neighbours",)
    assert assess_awareness(np.array([0.0, np.nan, np.nan]), frame, _spec(), level=0.95)[0].not_assessed


def test_amounts_count_by_their_ranks_so_that_one_of_many_changes_nothing() -> None:
    """One monstrous prediction would shrink all others to nothing if they were divided by their range."""
    rng = np.random.default_rng(9)
    frame = pd.DataFrame({"x": rng.random(2_000)})
    values = rng.normal(size=2_000)
    wild = np.where(np.arange(2_000) == 7, 1e6, values)
    plain, scaled, other = (
        assess_consistency(v, frame, _spec(), level=0.95)[0] for v in (values, values * 50 - 7, wild)
    )
    assert scaled.value == pytest.approx(plain.value)
    assert other.value == pytest.approx(plain.value, abs=0.005)
    assert "ranks of the predictions" in scaled.rule


def test_bad_distances_are_refused() -> None:
    frame = pd.DataFrame({"x": [1.0, 2], "name": ["u", "v"]})
    with pytest.raises(SimilarityError, match="not handed in: age"):
        _place(frame, _spec(columns=("age",)))
    names = pd.DataFrame({"x": [f"name {at}" for at in range(201)]})
    with pytest.raises(SimilarityError, match="too many for a category"):
        _place(names, _spec())
    with pytest.raises(ValidationError):
        SimilaritySpec(columns=("x",))
    with pytest.raises(ValidationError):
        _spec(lipschitz=0)


def test_decisions_are_compared_for_consistency_and_scores_for_awareness() -> None:
    frame = pd.DataFrame({"x": np.linspace(0, 1, 100)})
    score = frame.x * 0.5
    decision = (frame.index % 2).to_numpy()
    spec = FairnessSpec(metrics=("consistency", "fairness_through_awareness"), similarity=_spec())
    found = {(one.metric, one.kind): one for one in assess_classification(decision, decision, score, frame, spec)}
    assert found["fairness_through_awareness", "difference"].value == 0
    assert found["consistency", "ratio"].value is not None
    assert found["consistency", "ratio"].value < 0.6


def test_pairs_are_compared_once_whatever_the_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("measure_consistency", "measure_awareness"):
        original = getattr(individual, name)
        monkeypatch.setattr(individual, name, lambda *of, name=name, make=original: calls.append(name) or make(*of))
    rng = np.random.default_rng(3)
    frame, score = pd.DataFrame({"x": rng.random(60)}), rng.random(60)
    spec = FairnessSpec(metrics=("consistency", "fairness_through_awareness"), similarity=_spec())
    found = examine_classification(score > 0.5, score > 0.5, score, frame, spec)
    assert all(one.jointly is not None for one in found.disparities)
    assert sorted(calls) == ["measure_awareness", "measure_consistency"]
