"""Groups: the same whatever the storage, nothing dropped, what was declared is kept on record."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from rai_kedro.fairness.grouping import (
    MISSING,
    Grouping,
    GroupingError,
    GroupingSpec,
    make_groups,
    settle_merged,
)


def _group(values: object, **spec: object) -> Grouping:
    frame = pd.DataFrame({"g": values})
    return make_groups(frame, GroupingSpec(columns=("g",), **spec))


CODES = [3, 1, 2, 10, 1, 3]


@pytest.mark.parametrize(
    "values",
    [
        CODES,
        np.array(CODES, dtype=np.uint8),
        [float(code) for code in CODES],
        [str(code) for code in CODES],
        [f" {code} " for code in CODES],
        pd.Categorical(CODES),
        pd.Categorical([str(code) for code in CODES]),
        pd.array(CODES, dtype="Int64"),
        pd.array([str(code) for code in CODES], dtype="string"),
    ],
    ids=["int", "uint8", "float", "text", "padded", "category of int", "category of text", "nullable", "string"],
)
def test_codes_give_the_same_groups_whatever_their_storage(values: object) -> None:
    grouping = _group(values)
    assert grouping.groups == ("1", "2", "3", "10")
    assert list(grouping.labels) == ["3", "1", "2", "10", "1", "3"]


@pytest.mark.parametrize(
    "values",
    [[1, None, 2], ["1", None, "2"], ["1", "", "2"], pd.Categorical([1, None, 2]), pd.array([1, None, 2], "Int64")],
)
def test_missing_values_are_a_group_of_their_own(values: object) -> None:
    assert _group(values).groups == ("1", "2", MISSING)
    assert list(_group(values).labels) == ["1", MISSING, "2"]


def test_missing_values_are_left_out_only_if_asked() -> None:
    grouping = _group(["a", None, "b"], missing="leave_out")
    assert grouping.groups == ("a", "b")
    assert list(grouping.codes) == [0, -1, 1]


def test_numbers_are_cut_at_the_median_by_default() -> None:
    grouping = _group(np.arange(11) + 0.5)
    assert grouping.groups == ("at or below median", "above median")
    assert np.bincount(grouping.codes).tolist() == [6, 5]
    assert "5.5" in grouping.rule


def test_declared_cut_points_belong_to_the_part_below() -> None:
    grouping = _group([17.0, 18, 18.5, 64, 65, 66, np.nan], cuts={"g": [18, 65]})
    assert list(grouping.labels) == [
        "at or below 18",
        "at or below 18",
        "above 18 to 65",
        "above 18 to 65",
        "above 18 to 65",
        "above 65",
        MISSING,
    ]


def test_a_part_without_rows_is_on_record() -> None:
    assert _group([20, 30], cuts={"g": [18, 65]}).absent == ("at or below 18", "above 65")


def test_cut_points_work_on_numbers_stored_as_text() -> None:
    assert list(_group(["17", "70"], cuts={"g": [18]}).labels) == ["at or below 18", "above 18"]


def test_dates_are_cut_at_the_median() -> None:
    dates = pd.to_datetime(["1950-01-01", "1960-01-01", None, "1970-01-01", "1980-01-01"])
    assert list(_group(dates).labels)[:4] == ["at or below median", "at or below median", MISSING, "above median"]


def test_declared_groups_without_rows_are_on_record() -> None:
    grouping = _group(["a", "b"], declared=("a", "b", "c"))
    assert grouping.absent == ("c",)


def test_intersections_name_every_pair_and_record_the_absent_ones() -> None:
    frame = pd.DataFrame({"race": ["w", "w", "b", None], "sex": [0, 1, 1, 0]})
    grouping = make_groups(frame, GroupingSpec(columns=("race", "sex")))
    assert grouping.column == "race & sex"
    assert list(grouping.labels) == ["w & 0", "w & 1", "b & 1", "missing & 0"]
    assert grouping.absent == ("b & 0",)
    lenient = make_groups(frame, GroupingSpec(columns=("race", "sex"), every_intersection=False))
    assert lenient.absent == ()


def test_intersections_of_values_that_hold_the_joint_stay_apart() -> None:
    frame = pd.DataFrame({"a": ["x & y", "x"], "b": ["z", "y & z"]})
    assert len(make_groups(frame, GroupingSpec(columns=("a", "b"))).groups) == 2


def test_intersection_leaves_out_rows_with_a_missing_part_if_asked() -> None:
    frame = pd.DataFrame({"a": ["x", None, "y"], "b": ["u", "u", None]})
    grouping = make_groups(frame, GroupingSpec(columns=("a", "b"), missing="leave_out"))
    assert grouping.groups == ("x & u",)
    assert grouping.codes.tolist() == [0, -1, -1]


def test_reference_is_the_largest_known_group_or_the_named_one() -> None:
    values = ["a", "b", "b", None, None, None]
    assert _group(values).reference == "b"
    assert _group(values, reference="a").reference == "a"
    with pytest.raises(GroupingError, match="no rows"):
        _group(values, reference="z")


def test_constant_and_all_missing_columns_make_one_group() -> None:
    assert _group(["a", "a"]).groups == ("a",)
    assert _group([None, None]).groups == (MISSING,)
    assert _group([np.nan, np.nan], categorical=False).groups == (MISSING,)


def test_bad_groupings_are_refused() -> None:
    with pytest.raises(GroupingError, match="not among the audited columns"):
        make_groups(pd.DataFrame({"a": [1]}), GroupingSpec(columns="b"))
    with pytest.raises(GroupingError, match="not numbers") as caught:
        _group(["1", "old"], cuts={"g": [18]})
    assert caught.value.how_many == "1 of 2 rows"
    with pytest.raises(GroupingError, match="300 groups"):
        _group([f"name {at}" for at in range(300)])
    with pytest.raises(GroupingError, match="only one can hold"):
        _group([1, 2], cuts={"g": [1.5]}, categorical=True)
    with pytest.raises(ValidationError, match="rising order"):
        GroupingSpec(columns="g", cuts={"g": [3, 2]})
    with pytest.raises(ValidationError):
        GroupingSpec(columns="g", cut={"g": [3]})


def test_labels_that_are_there_already_make_a_grouping() -> None:
    labels = pd.Series(["u", None, "v"]).to_frame("g")
    grouping = make_groups(labels, GroupingSpec(columns="g", categorical=True, declared=("w",)))
    assert (grouping.groups, grouping.absent) == (("u", "v", MISSING), ("w",))


NATIONALITIES = np.arange(1, 120)


@pytest.mark.parametrize("stored", [NATIONALITIES, NATIONALITIES.astype(float), np.r_[NATIONALITIES, np.nan]])
def test_whole_numbers_that_may_be_codes_are_not_guessed(stored: object) -> None:
    """Nationality 1 to 119 is not to be judged "above 57"; ages are to be cut where somebody says."""
    with pytest.raises(GroupingError, match="119 different whole numbers: codes, or amounts") as caught:
        _group(stored)
    assert "'cuts'" in caught.value.remedy
    assert "'categorical: true'" in caught.value.remedy
    assert len(_group(stored, categorical=True).groups) >= 119
    assert _group(stored, categorical=False).groups[0] == "at or below median"
    assert _group(pd.Categorical(stored)).groups[0] == "1"


def test_a_value_that_is_our_word_for_missing_does_not_merge_with_missing_values() -> None:
    grouping = _group(["missing", None, " ", "a", '"missing"'])
    assert list(grouping.labels) == ['"missing"', MISSING, MISSING, "a", '""missing""']
    assert "'\"missing\"' (1 rows)" in grouping.rule
    declared = _group(["missing", "a"], declared=("missing", "a"), reference="missing")
    assert (declared.absent, declared.reference) == ((), '"missing"')
    assert _group(["a", None], declared=("missing",)).absent == ()
    both = make_groups(pd.DataFrame({"a": ["missing", None], "b": ["x", "x"]}), GroupingSpec(columns=("a", "b")))
    assert list(both.labels) == ['"missing" & x', "missing & x"]


def test_texts_that_nearly_mean_missing_are_counted_in_the_rule() -> None:
    grouping = _group(["nan", "nan", "?", "a", "  "])
    assert set(grouping.groups) == {"nan", "?", "a", MISSING}
    assert "'nan' (2 rows)" in grouping.rule
    assert "'?' (1 rows)" in grouping.rule
    assert "1 blank texts count as missing" in grouping.rule
    assert _group(["a", "b"]).rule == "each value of g is a group"


def test_too_many_intersections_are_refused() -> None:
    spec = GroupingSpec(columns=("a", "b"), cuts={"b": [1, 2]}, categorical={"a": True})
    frame = pd.DataFrame([(a, b) for a in range(70) for b in (1, 2, 3)], columns=["a", "b"])
    assert len(make_groups(frame[frame.a < 60], spec).groups) == 180
    with pytest.raises(GroupingError, match="makes 210 groups"):
        make_groups(frame, spec)


def test_groups_below_the_least_are_taken_together_and_named() -> None:
    grouping = _group(["a"] * 50 + ["b"] * 40 + ["c"] * 5 + ["d"] * 3, least_rows=10)
    assert grouping.groups == ("a", "b", "other groups")
    assert grouping.labels.value_counts()["other groups"] == 8
    assert grouping.rule.endswith(
        "groups of fewer than 10 rows are taken together as 'other groups': 'c' (5 rows), 'd' (3 rows)"
    )


def test_one_small_group_alone_and_the_reference_stay_themselves() -> None:
    assert _group(["a"] * 50 + ["c"] * 5, least_rows=10).groups == ("a", "c")
    kept = _group(["a"] * 50 + ["c"] * 5 + ["d"] * 3 + ["e"] * 2, least_rows=10, reference="c")
    assert kept.groups == ("a", "c", "other groups")


def test_intersections_without_rows_do_not_have_to_exist_below_the_least() -> None:
    frame = pd.DataFrame({"g": ["a"] * 50 + ["b"] * 40, "h": ["x"] * 50 + ["x"] * 20 + ["y"] * 20})
    spec = GroupingSpec(columns=("g", "h"))
    assert make_groups(frame, spec).absent == ("a & y",)
    assert make_groups(frame, spec.model_copy(update={"least_rows": 10})).absent == ()
    named = spec.model_copy(update={"least_rows": 10, "declared": ("a & y",)})
    assert make_groups(frame, named).absent == ("a & y",)


def test_what_is_merged_is_settled_once_for_other_rows() -> None:
    spec = GroupingSpec(columns=("g",), least_rows=10)
    settled = settle_merged(spec, pd.DataFrame({"g": ["a"] * 50 + ["b"] * 20 + ["c"] * 5 + ["d"] * 3}))
    assert settled.merged == ("c", "d")
    other_rows = pd.DataFrame({"g": ["a"] * 5 + ["b"] * 3 + ["c"] * 40})
    assert make_groups(other_rows, settled).groups == ("a", "b", "other groups")
    assert settle_merged(settled, other_rows) == settled


def test_value_of_that_name_is_not_mixed_up_with_merged_groups() -> None:
    grouping = _group(["a"] * 50 + ["other groups"] * 40 + ["c"] * 5 + ["d"] * 3, least_rows=10)
    assert grouping.groups == ("a", "other groups", '"other groups"')
