"""Splits: at random as ever, by a column, by months, by unit; and what does not say on which side a row is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError
from sklearn.model_selection import train_test_split

from rai_kedro.modelling import ModellingError, SplitSpec, check_split, count_shared_units, split_rows

ROWS = pd.DataFrame({"x": np.arange(120.0)}, index=pd.RangeIndex(1000, 1120))
TARGET = pd.Series(np.arange(120) % 2, index=ROWS.index)
MONTHS = ("2024-01", "2024-02", "2024-03")


def read(**spec):
    return TypeAdapter(SplitSpec).validate_python(spec)


def split(deciding=None, size=0.25, seed=7, **spec):
    by = None if not spec else (read(**spec), pd.Series(deciding, index=ROWS.index))
    return split_rows(ROWS, TARGET, test_size=size, random_state=seed, by=by)


def test_at_random_it_is_the_split_of_scikit_learn():
    train, test = train_test_split(ROWS.index, test_size=0.25, random_state=7)
    for made in (split(), split(range(120), by="random")):
        assert made.target_train.index.equals(train)
        assert made.features_test.index.equals(test)


def test_a_column_names_the_part_whatever_its_type_and_parts_can_be_left_out():
    made = split(
        ["fit", "check", "later"] * 40, by="column", column="p", train=["fit"], test=["check"], leave_out=["later"]
    )
    assert (made.target_train.index % 3 == 1).all()
    assert (len(made.target_train), len(made.target_test)) == (40, 40)
    numbers = split([1, 1, 2] * 40, by="column", column="p", train=[1], test=[2])
    assert (len(numbers.target_train), len(numbers.target_test)) == (80, 40)


def test_months_are_held_out_whole():
    made = split(np.repeat(MONTHS, 40), by="months", test=["2024-03"])
    assert made.features_test["x"].tolist() == list(range(80, 120))


def test_all_rows_of_a_unit_are_on_one_side_and_the_order_of_rows_does_not_matter():
    units = pd.Series([f"person {at // 3}" for at in range(120)], index=ROWS.index)
    made = split(units.to_numpy(), by="unit", column="person")
    sides = [set(units[part.index]) for part in (made.target_train, made.target_test)]
    assert not sides[0] & sides[1]
    assert len(sides[1]) == 10
    turned = ROWS.iloc[::-1]
    by = read(by="unit", column="person"), units[::-1]
    again = split_rows(turned, TARGET[::-1], test_size=0.25, random_state=7, by=by)
    assert set(again.target_test.index) == set(made.target_test.index)


COLUMN = {"by": "column", "column": "p"}
UNIT = {"by": "unit", "column": "p"}


@pytest.mark.parametrize(
    ("deciding", "spec", "words"),
    [
        (["train"] * 120, COLUMN, "no row is on the side of test"),
        (["train", "tset"] * 60, COLUMN, "tset: 60 rows"),
        (["train", "test", None] * 40, COLUMN, "(missing): 40 rows"),
        (["2024-01"] * 120, {"by": "months", "test": ["2024-01"]}, "no row is on the side of train"),
        (["one"] * 120, UNIT, "all 120 rows are of 'one'"),
        (["one", None] * 60, UNIT, "60 of 120 rows have none"),
    ],
)
def test_values_that_do_not_say_on_which_side_a_row_is_are_refused(deciding, spec, words):
    with pytest.raises(ModellingError) as raised:
        split(deciding, **spec)
    assert words in str(raised.value)
    assert raised.value.where.startswith("split.")


def test_too_few_rows_for_the_share_are_refused():
    with pytest.raises(ModellingError, match="cannot be split"):
        split_rows(ROWS[:1], TARGET[:1], test_size=0.5, random_state=0)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"by": "column", "column": "part"}, "there is no column 'part'"),
        ({"by": "unit", "column": "person"}, "there is no column 'person'"),
        ({"by": "months", "test": ["2024-05"]}, "not among those trained on"),
        ({"by": "months", "test": MONTHS}, "every month is held out"),
        ({"by": "column", "column": "p", "train": ["a"], "test": ["a"]}, "parts are named twice"),
    ],
)
def test_what_can_be_known_before_a_row_is_read_is_refused_then(spec, words):
    with pytest.raises(ModellingError) as raised:
        check_split(read(**spec), columns=["p", "q"], months=MONTHS)
    assert words in str(raised.value)
    check_split(read(by="random"), columns=[], months=MONTHS)


@pytest.mark.parametrize(
    "spec",
    [
        {"by": "chance"},
        {"by": "months"},
        {"by": "months", "test": ["January"]},
        {"by": "column"},
        {"by": "random", "x": 1},
    ],
)
def test_a_split_is_read_strictly(spec):
    with pytest.raises(ValidationError):
        read(**spec)


@pytest.mark.parametrize(
    ("deciding", "spec"),
    [
        (range(120), {"by": "random", "choose": 0.2}),
        (np.repeat(MONTHS, 40), {"by": "months", "test": ["2024-03"], "choose": ["2024-02"]}),
        (["train", "test", "valid"] * 40, {"by": "column", "column": "p", "choose": ["valid"]}),
        (np.arange(120) // 3, {"by": "unit", "column": "person", "choose": 0.2}),
    ],
    ids=["random", "months", "column", "unit"],
)
def test_a_third_part_is_kept_to_choose_on(deciding, spec):
    made = split(deciding, **spec)
    parts = [set(part.index) for part in (made.target_train, made.target_test, made.target_choose)]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 120
    assert len(parts[2]) == (24 if spec["by"] in {"random", "unit"} else 40)
    assert made.features_choose.index.equals(made.target_choose.index)
    if spec["by"] == "random":  # the rows tested on are those without a third part
        assert parts[1] == set(split().target_test.index)


def test_months_to_choose_on_are_others_than_those_of_the_test():
    spec = read(by="months", test=["2024-03"], choose=["2024-03"])
    with pytest.raises(ModellingError, match="to choose on and to test on"):
        check_split(spec, columns=[], months=MONTHS)


def test_share_to_choose_on_has_to_leave_rows_to_fit_on():
    with pytest.raises(ModellingError, match="cannot be split"):
        split(range(120), by="random", choose=0.8)


def test_units_with_rows_on_both_sides_are_counted():
    persons = pd.Series(np.arange(120) % 50, index=ROWS.index)
    by_month = split(np.repeat(MONTHS, 40), by="months", test=["2024-03"])

    # Rows 80 to 119 are of persons 30 to 49 and 0 to 19, all of whom have earlier rows.
    assert count_shared_units(by_month, persons) == (40, 40)
    assert count_shared_units(by_month, pd.Series(np.arange(120) // 40, index=ROWS.index)) == (0, 1)
