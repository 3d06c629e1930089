"""A raw table that is not as described is refused with a message that helps."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rai_kedro.demo.raw_source import (
    RawColumnsError,
    RawFileError,
    RawRowsError,
    RawSource,
    RawSourceError,
    RawValuesError,
    check_raw,
    check_raw_file,
)

BOSTON = Path(__file__).parents[2] / "data" / "01_raw" / "boston.csv"
RESTORE = "git checkout data/01_raw/boston.csv"
NAMES = [
    "CRIM",
    "ZN",
    "INDUS",
    "CHAS",
    "NOX",
    "RM",
    "AGE",
    "DIS",
    "RAD",
    "TAX",
    "PTRATIO",
    "B",
    "LSTAT",
    "MEDV",
]


@pytest.fixture
def source() -> RawSource:
    return RawSource(columns=NAMES, rows=506, path="data/01_raw/boston.csv", restore=RESTORE)


@pytest.fixture
def raw() -> pd.DataFrame:
    return pd.read_csv(BOSTON)


def _refuse(frame: pd.DataFrame, source: RawSource, kind: type[RawSourceError]) -> RawSourceError:
    with pytest.raises(kind) as caught:
        check_raw(frame, source)
    error = caught.value
    assert RESTORE in error.remedy
    assert "data/01_raw/boston.csv" in str(error.where)
    assert len(str(error).splitlines()) <= 8
    return error


def test_the_boston_table_passes_unchanged(raw: pd.DataFrame, source: RawSource) -> None:
    check_raw_file(BOSTON, source)
    pd.testing.assert_frame_equal(check_raw(raw, source), raw)


def test_columns_come_back_in_the_described_order_and_rows_from_zero(raw: pd.DataFrame, source: RawSource) -> None:
    checked = check_raw(raw[NAMES[::-1]].set_index(raw.index + 7), source)
    pd.testing.assert_frame_equal(checked, raw)


def test_a_missing_column_is_named(raw: pd.DataFrame, source: RawSource) -> None:
    error = _refuse(raw.drop(columns=["RM", "B"]), source, RawColumnsError)
    assert error.what == "The raw table lacks columns: RM, B."
    assert error.how_many == "2 of 14 columns missing, 0 unknown"


def test_an_unknown_column_is_named(raw: pd.DataFrame, source: RawSource) -> None:
    assert "has unknown columns: SECRET" in _refuse(raw.assign(SECRET=1.0), source, RawColumnsError).what


def test_a_repeated_column_is_named(raw: pd.DataFrame, source: RawSource) -> None:
    doubled = pd.concat([raw, raw[["ZN"]]], axis=1)
    assert "named twice: ZN" in _refuse(doubled, source, RawColumnsError).what


def test_the_original_file_with_its_counting_line_is_refused(tmp_path: Path, source: RawSource) -> None:
    file = tmp_path / "boston.csv"
    file.write_bytes(b"506,13,,,,,,,,,,,,\n" + BOSTON.read_bytes())
    error = _refuse(pd.read_csv(file), source, RawColumnsError)
    assert "the header reads 506, 13" in str(error.example)


def test_text_among_numbers_is_shown_with_its_line(tmp_path: Path, source: RawSource) -> None:
    lines = BOSTON.read_text().splitlines()
    lines[41] = lines[41].replace(",", ",many", 1)
    file = tmp_path / "boston.csv"
    file.write_text("\n".join(lines) + "\n")
    error = _refuse(pd.read_csv(file), source, RawColumnsError)
    assert error.what.startswith("Column ZN has to be of type float but was read as")
    assert error.how_many == "1 of 506 rows"
    assert error.example == f"line 42: '{lines[41].split(',')[1]}'"


def test_numbers_read_as_text_are_refused_as_a_column(raw: pd.DataFrame, source: RawSource) -> None:
    error = _refuse(raw.astype({"RM": str}), source, RawColumnsError)
    assert error.how_many == "506 of 506 rows"


@pytest.mark.parametrize(
    ("kind", "good", "bad", "misfits"),
    [
        ("float", [1.5, 2.0], [True, False], 2),
        ("float", [1, 2], ["a", "b"], 2),
        ("int", [1, 2], [1.0, 2.5], 1),
        ("int", [1.0, np.nan], ["1", "2"], 2),
        ("str", ["a", None], ["a", 3], 1),
        ("bool", [True, False], [0, 1], 2),
    ],
)
def test_each_type_takes_its_own_and_refuses_others(kind: str, good: list, bad: list, misfits: int) -> None:
    source = RawSource.model_validate({"columns": {"x": kind, "y": "int"}, "nullable": ["x"]})
    check_raw(pd.DataFrame({"x": good, "y": 1}), source)
    with pytest.raises(RawColumnsError, match=f"Column x has to be of type {kind}") as caught:
        check_raw(pd.DataFrame({"x": bad, "y": 1}), source)
    assert caught.value.how_many == f"{misfits} of 2 rows"


def test_a_header_without_rows_is_refused(raw: pd.DataFrame, source: RawSource) -> None:
    assert "no rows" in _refuse(raw.head(0), source, RawRowsError).what


def test_too_few_rows_are_a_cut_off_table(raw: pd.DataFrame, source: RawSource) -> None:
    error = _refuse(raw.head(505), source, RawRowsError)
    assert (error.what, error.how_many) == ("The raw table is cut off.", "505 of 506 rows")
    assert "line 506" in str(error.example)


def test_too_many_rows_are_refused(raw: pd.DataFrame, source: RawSource) -> None:
    error = _refuse(pd.concat([raw, raw.tail(2)]), source, RawRowsError)
    assert error.how_many == "508 of 506 rows"
    assert "line 508" in str(error.example)


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(min_value=1, max_value=BOSTON.stat().st_size - 1))
def test_a_file_cut_off_anywhere_is_refused(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """By the file check within a line, by the table check between two lines; as the program calls them."""
    source = RawSource(columns=NAMES, rows=506, path="boston.csv", restore=RESTORE)
    file = tmp_path_factory.mktemp("cut") / "boston.csv"
    file.write_bytes(BOSTON.read_bytes()[:cut])
    with pytest.raises((RawFileError, RawRowsError)) as caught:
        check_raw_file(file, source)
        check_raw(pd.read_csv(file), source)
    assert RESTORE in str(caught.value)


def test_a_last_row_cut_off_between_two_values_is_recognised_in_the_table(raw: pd.DataFrame, source: RawSource) -> None:
    raw.loc[505, ["B", "LSTAT", "MEDV"]] = np.nan
    error = _refuse(raw, source, RawRowsError)
    assert error.example == "the last row (line 507) has no value for B, LSTAT, MEDV"


@pytest.mark.parametrize(("value", "word"), [(np.nan, "missing"), (np.inf, "infinite"), (-np.inf, "infinite")])
def test_missing_and_infinite_values_are_counted_and_located(
    raw: pd.DataFrame, source: RawSource, value: float, word: str
) -> None:
    raw.loc[[9, 20, 300], "RM"] = value
    error = _refuse(raw, source, RawValuesError)
    assert error.what == f"Column RM has {word} values."
    assert (error.how_many, error.example) == ("3 of 506 rows", "line 11")
    assert error.where == "data/01_raw/boston.csv, column RM"


def test_nullable_columns_may_be_missing_even_in_the_last_row() -> None:
    source = RawSource(columns=["a", "b"], nullable=("b",))
    check_raw(pd.DataFrame({"a": [1.0, 2.0], "b": [1.0, np.nan]}), source)


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [
        (lambda file: None, "missing"),
        (lambda file: file.write_text(""), "empty"),
        (lambda file: file.write_text("\n \n"), "empty"),
        (lambda file: file.mkdir(), "cannot be read"),
        (lambda file: file.write_text("a,b\n1,2"), "cut off"),
    ],
)
def test_a_file_that_cannot_be_the_source_is_refused(
    tmp_path: Path, prepare: Callable[[Path], object], problem: str
) -> None:
    file = tmp_path / "raw.csv"
    prepare(file)
    with pytest.raises(RawFileError, match=problem) as caught:
        check_raw_file(file, RawSource(columns=["a", "b"], rows=1))
    assert str(file) in str(caught.value)
    assert caught.value.remedy


def test_a_growing_file_needs_no_newline_at_its_end(tmp_path: Path) -> None:
    file = tmp_path / "raw.csv"
    file.write_text("a,b\n1,2")
    check_raw_file(file, RawSource(columns=["a", "b"]))


def test_without_a_restoring_command_the_remedy_says_where_to_change_what() -> None:
    with pytest.raises(RawColumnsError) as caught:
        check_raw(pd.DataFrame({"a": [1.0]}), RawSource(columns=["b"], path="mine.csv"))
    assert "mine.csv" in caught.value.remedy


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"columns": []}, "at least 1 item"),
        ({"columns": ["a", "a"]}, "named twice: a"),
        ({"columns": {"a": "number"}}, "'float', 'int', 'str' or 'bool'"),
        ({"columns": ["a"], "nullable": ["z"]}, "not listed under columns: z"),
        ({"columns": ["a"], "rows": 0}, "greater than or equal to 1"),
        ({"columns": ["a"], "row": 3}, "Extra inputs"),
    ],
)
def test_a_wrong_description_is_refused(wrong: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RawSource.model_validate(wrong)


def test_errors_survive_the_way_out_of_a_worker_process(raw: pd.DataFrame, source: RawSource) -> None:
    error = _refuse(raw.drop(columns=["RM"]), source, RawColumnsError)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own bytes
