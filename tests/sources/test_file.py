"""A user's file: every way of writing a table that is read, and every way in which it is broken, with its error."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rai_kedro.sources.file import read_table
from rai_kedro.sources.layout import FileLayout, SourceError, detect_layout

GOOD = "name,size,town\nann,1.5,Bern\nbo,2.5,Köln\n"


def write(folder: Path, content: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path) -> pd.DataFrame:
    return read_table(path, detect_layout(path))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found(delimiter: str, tmp_path: Path) -> None:
    table = read(write(tmp_path, GOOD.replace(",", delimiter)))

    assert table.to_dict("list") == {"name": ["ann", "bo"], "size": ["1.5", "2.5"], "town": ["Bern", "Köln"]}


def test_a_delimiter_inside_quotes_does_not_mislead(tmp_path: Path) -> None:
    table = read(write(tmp_path, 'a;b\n"x,y,z";1\n"u,v,w";2\n"two\nlines";3\n'))

    assert table["a"].tolist() == ["x,y,z", "u,v,w", "two\nlines"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_mark_are_found(encoding: str, tmp_path: Path) -> None:
    table = read(write(tmp_path, GOOD.encode(encoding)))

    assert list(table) == ["name", "size", "town"]
    assert table["town"].tolist() == ["Bern", "Köln"]


def test_another_encoding_is_asked_for_and_then_read(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.encode("cp1252"))

    with pytest.raises(SourceError, match=r"(?s)not in utf-8.*line 3.*bo,2.5,Köln.*encoding cp1252"):
        detect_layout(path)

    assert read_table(path, detect_layout(path, encoding="cp1252"))["town"].tolist() == ["Bern", "Köln"]


def test_decimal_commas(tmp_path: Path) -> None:
    path = write(tmp_path, "a;b;c\n1,5;x;1\n-2,25;y,z;2\n")

    assert detect_layout(path).decimal == ","
    assert read(path).to_dict("list") == {"a": ["1.5", "-2.25"], "b": ["x", "y,z"], "c": ["1", "2"]}


def test_text_stays_as_written(tmp_path: Path) -> None:
    table = read(write(tmp_path, "code,size\n007,1\n010,\n"))

    assert table["code"].tolist() == ["007", "010"]
    assert table["size"].isna().tolist() == [False, True]


def test_an_unnamed_first_column_gets_a_name(tmp_path: Path) -> None:
    assert list(read(write(tmp_path, ",a,b\n0,x,1\n1,y,2\n"))) == ["column_1", "a", "b"]


def test_years_may_be_names(tmp_path: Path) -> None:
    assert list(read(write(tmp_path, "town,2020,2021,2022\nBern,1,2,3\nKöln,4,5,6\n"))) == [
        "town",
        "2020",
        "2021",
        "2022",
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n3\n4,5\n", r"another number of values.*line 3.*1 of 3 rows.*has 1 values, the header 2.*mend"),
        ("a,b\n1,2,9\n3,4,9\n", r"Every row has another.*name the first column"),
        ('a,b\n1,2\n"3,4\n5,6\n', r"row is broken.*after line 2.*quotes"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n4.7,3.2,virginica\n", r"no header.*line 1.*5.1,3.5,setosa.*first line"),
        ("1,2\n3,4\n", r"no header"),
        ("a\n1\n2\n", r"No delimiter.*delimiter"),
        ("a,b\n", r"no rows"),
        ("", r"file is empty"),
        ("\n \n", r"file is empty"),
        (b"a,b\n1,\x00\n", r"NUL characters.*line 2"),
    ],
)
def test_broken_tables_are_refused(content: str | bytes, words: str, tmp_path: Path) -> None:
    path = write(tmp_path, content)

    with pytest.raises(SourceError, match=f"(?s){words}") as caught:
        read(path)

    assert "do next:" in str(caught.value)


def test_the_declared_delimiter_is_held_against_the_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace(",", ";"))

    with pytest.raises(SourceError, match=r"fewer than two columns.*delimiter|delimiter"):
        read_table(path, FileLayout(delimiter=","))


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    for path, words in {
        tmp_path / "absent.csv": "file is missing",
        tmp_path: "cannot be read",
        write(tmp_path, "x", "table.xlsx"): re.escape("ends in '.xlsx'"),
        write(tmp_path, "no parquet at all", "table.parquet"): "Parquet file cannot be read",
    }.items():
        with pytest.raises(SourceError, match=words):
            read(path)
    with pytest.raises(SourceError, match="no encoding 'klingon'"):
        detect_layout(write(tmp_path, GOOD), encoding="klingon")


def test_parquet_keeps_its_types_and_its_named_index(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    made = pd.DataFrame(
        {"a": [1.5, np.nan], "b": ["x", "y"], "day": pd.to_datetime(["2024-01-01", None])}, index=[7, 9]
    )
    made.rename_axis("customer").to_parquet(path)

    table = read(path)

    assert list(table) == ["customer", "a", "b", "day"]
    assert table["customer"].tolist() == [7, 9]
    assert table["a"].dtype == "float64"
    assert table.index.tolist() == [0, 1]


def test_parquet_with_lists_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    pd.DataFrame({"a": [[1], [2]], "b": [1, 2]}).to_parquet(path)

    with pytest.raises(SourceError, match=r"(?s)lists, records or bytes.*1 of 2 columns.*example:\s+a"):
        read(path)
