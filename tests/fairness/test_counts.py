"""Counts, score sums and moments: right, additive over batches, and open about what they leave out."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_kedro.fairness.grouping import CHUNK, Grouping, GroupingSpec, make_groups
from rai_kedro.fairness.tables import (
    BINS,
    MISSING_GROUP,
    MISSING_LABEL,
    MISSING_PREDICTION,
    QUANTITIES,
    GroupCounts,
    OutcomeError,
    check_numbers,
    check_scores,
    count_distribution,
    count_groups,
    count_scores,
    count_strata,
    encode_outcome,
    sum_moments,
)


def _grouping(labels: object, **spec: object) -> Grouping:
    return make_groups(pd.DataFrame({"g": labels}), GroupingSpec(columns=("g",), categorical=True, **spec))


def _part(grouping: Grouping, part: slice) -> Grouping:
    return Grouping(grouping.column, grouping.rule, grouping.groups, grouping.codes[part], grouping.index[part])


def test_counts_are_those_of_a_cross_table() -> None:
    rng = np.random.default_rng(3)
    rows = 3 * CHUNK + 17
    frame = pd.DataFrame(
        {"g": rng.choice(list("abc"), rows), "y": rng.integers(0, 2, rows), "p": rng.integers(0, 2, rows)}
    )
    counts = count_groups(encode_outcome(frame.y, what="label"), encode_outcome(frame.p, what="p"), _grouping(frame.g))
    expected = frame.value_counts(["g", "y", "p"], sort=False).sort_index().to_numpy().reshape(3, 2, 2)
    assert (counts.counts == expected).all()
    assert counts.left_out == {}
    again = GroupCounts.from_dict(json.loads(json.dumps(counts.to_dict())))
    assert again.groups == counts.groups
    assert (again.counts == counts.counts).all()


def test_each_row_left_out_is_counted_once() -> None:
    y = encode_outcome([1, None, 0, None, 1], what="label")
    p = encode_outcome([1, 1, None, None, 0], what="prediction")
    counts = count_groups(y, p, _grouping(["a", "a", "a", None, None], missing="leave_out"))
    assert counts.left_out == {MISSING_LABEL: 2, MISSING_PREDICTION: 1, MISSING_GROUP: 1}
    assert counts.counts.sum() == 1


@settings(max_examples=40)
@given(st.integers(1, 200), st.integers(0, 200), st.integers(0, 2**32 - 1))
def test_batches_add_up_to_the_whole(first: int, second: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = first + second
    grouping = _grouping(rng.choice(["a", "b", "c", None], rows))
    y = encode_outcome(pd.Series(rng.choice([0, 1, np.nan], rows)), what="label")
    p = encode_outcome(pd.Series(rng.choice([0, 1, np.nan], rows)), what="prediction")
    score, number = rng.random(rows), rng.normal(1e6, 1, rows)
    parts = (slice(0, first), slice(first, rows))
    whole = count_groups(y, p, grouping)
    left, right = (count_groups(y[part], p[part], _part(grouping, part)) for part in parts)
    assert ((left + right).counts == whole.counts).all()
    assert (left + right).left_out == whole.left_out
    sums = count_scores(y, score, grouping)
    left_sums, right_sums = (count_scores(y[part], score[part], _part(grouping, part)) for part in parts)
    np.testing.assert_allclose((left_sums + right_sums).squares, sums.squares)
    moments = sum_moments(number, number + score, grouping)
    a, b = (sum_moments(number[part], (number + score)[part], _part(grouping, part)) for part in parts)
    np.testing.assert_allclose((a + b).means, moments.means)
    np.testing.assert_allclose((a + b).deviations, moments.deviations, rtol=1e-6, atol=1e-6)
    bounds = (0.0, 1.0)
    c, d = (count_distribution(score[part], _part(grouping, part), bounds=bounds) for part in parts)
    assert ((c + d).counts == count_distribution(score, grouping, bounds=bounds).counts).all()


def test_batches_with_different_groups_add_up() -> None:
    one, zero = encode_outcome([1, 1], what="label"), encode_outcome([0, 0], what="prediction")
    total = count_groups(one, zero, _grouping(["a", "b"])) + count_groups(one, zero, _grouping(["b", "c"]))
    assert dict(zip(total.groups, total.total((1, 0)), strict=True)) == {"a": 1, "b": 2, "c": 1}


def test_strata_add_up_to_the_groups() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, (2, 500)).astype(np.int8)
    grouping, strata = _grouping(rng.choice(list("ab"), 500)), _grouping(rng.choice(list("xyz"), 500))
    counts = count_strata(y, p, grouping, strata)
    assert counts.counts.shape == (3, 2, 2, 2)
    assert (counts.counts.sum(axis=0) == count_groups(y, p, grouping).counts).all()


def test_moments_are_those_of_pandas_even_far_from_zero() -> None:
    rng = np.random.default_rng(5)
    rows = CHUNK + 99
    frame = pd.DataFrame({"g": rng.choice(list("ab"), rows), "y": rng.normal(1e9, 1, rows)})
    frame["r"] = frame.y + rng.normal(size=rows)
    moments = sum_moments(check_numbers(frame.y, what="y"), check_numbers(frame.r, what="r"), _grouping(frame.g))
    error = frame.r - frame.y
    truth = dict(zip(QUANTITIES, (frame.y, frame.r, error, error.abs(), error**2), strict=True))
    for quantity, values in truth.items():
        _, mean, variance = moments.describe(quantity)
        np.testing.assert_allclose(mean, values.groupby(frame.g).mean())
        np.testing.assert_allclose(variance, values.groupby(frame.g).var(), rtol=1e-6)


def test_score_sums_are_those_of_pandas() -> None:
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"g": rng.choice(list("ab"), 400), "y": rng.integers(0, 2, 400), "s": rng.random(400)})
    sums = count_scores(encode_outcome(frame.y, what="y"), check_scores(frame.s), _grouping(frame.g), bins=4)
    rows, mean, variance = sums.describe(1)
    positive = frame[frame.y == 1].groupby("g").s
    assert rows.tolist() == positive.size().tolist()
    np.testing.assert_allclose(mean, positive.mean())
    np.testing.assert_allclose(variance, positive.var())
    in_bin = frame.groupby(["g", "y", np.minimum(np.floor(frame.s * 4), 3)]).size().to_numpy()
    assert sums.counts.ravel().tolist() == in_bin.tolist()


def test_a_score_of_one_is_in_the_last_bin() -> None:
    sums = count_scores(np.array([1, 1], np.int8), np.array([0.0, 1.0]), _grouping(["a", "a"]), bins=5)
    assert sums.counts[0, 1].tolist() == [1, 0, 0, 0, 1]


def test_the_grid_takes_constant_predictions_and_those_outside() -> None:
    constant = count_distribution(np.array([2.0, 2.0]), _grouping(["a", "b"]))
    assert constant.counts.sum() == 2
    outside = count_distribution(np.array([-9.0, 9.0]), _grouping(["a", "a"]), bounds=(0, 1))
    assert (outside.counts[0, 0], outside.counts[0, BINS - 1]) == (1, 1)


@pytest.mark.parametrize(
    ("values", "favourable"),
    [
        ([0, 1, None], 1),
        ([False, True, None], 1),
        ([0.0, 1.0, np.nan], 1),
        (["no", "yes", None], "yes"),
        ([5, 2, None], 2),
    ],
)
def test_outcomes_are_encoded_by_the_favourable_value(values: list[object], favourable: object) -> None:
    assert encode_outcome(values, what="label", favourable=favourable).tolist() == [0, 1, -1]


def test_one_class_alone_is_encoded() -> None:
    assert encode_outcome([0, 0], what="label").tolist() == [0, 0]
    assert encode_outcome(["no"], what="label", favourable="yes").tolist() == [0]
    assert encode_outcome([None, None], what="label").tolist() == [-1, -1]


@pytest.mark.parametrize(("values", "favourable"), [([0, 1, 2], 1), (["a", "b"], "yes"), ([2, 3], 1), ([7], 1)])
def test_a_target_that_is_not_binary_is_refused(values: list[object], favourable: object) -> None:
    with pytest.raises(OutcomeError, match="not binary"):
        encode_outcome(values, what="label", favourable=favourable)


def test_a_value_that_turns_up_late_counts_like_an_early_one() -> None:
    values = np.zeros(2 * CHUNK + 5)
    values[-2:] = 1, np.nan
    assert np.flatnonzero(encode_outcome(values, what="label")).tolist() == [2 * CHUNK + 3, 2 * CHUNK + 4]
    values[-1] = 2
    with pytest.raises(OutcomeError, match="not binary") as caught:
        encode_outcome(values, what="label")
    assert caught.value.how_many == f"3 different values in {len(values)} rows"


def test_encoding_takes_less_memory_than_the_column() -> None:
    values = np.random.default_rng(0).integers(0, 2, 1_000_000)
    tracemalloc.start()
    encode_outcome(values, what="label")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(values) < peak < values.nbytes


@pytest.mark.parametrize("score", [[0.5, 1.2], [-0.1, 0.5], ["high", 0.2], [0.5, np.inf]])
def test_scores_outside_zero_and_one_are_refused(score: list[object]) -> None:
    with pytest.raises(OutcomeError, match="not probabilities") as caught:
        check_scores(score)
    assert caught.value.how_many == "1 of 2 rows"


def test_labels_that_are_no_numbers_are_refused_for_regression() -> None:
    with pytest.raises(OutcomeError, match="not a finite number"):
        check_numbers([1.0, "many"], what="label")
    with pytest.raises(OutcomeError, match="not a finite number"):
        check_numbers([1.0, np.inf], what="label")
