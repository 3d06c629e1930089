"""Snapshots of a user's table: months, keys, types, labels, and every way in which they do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from rai_kedro.sources.dates import find_date_formats
from rai_kedro.sources.months import OwnDataError, OwnDataParameters, TimeColumn, snapshot_table

TABLE = pd.DataFrame(
    {
        "House No.": ["a", "b", "a", "c"],
        "size": ["70", "80.5", "", "60"],
        "heat": ["gas", None, "oil ", "gas"],
        "sold": ["31.01.2024", "01.02.2024", "28.02.2024", "01.01.2024"],
        "good": ["yes", "no", None, "yes"],
        "price": ["1", "2", None, "4"],
    }
)
TYPES = {"house": "text", "size": "float", "heat": "category", "good": "category", "price": "float"}


def parameters(**changes: Any) -> OwnDataParameters:
    made: dict[str, Any] = {
        "rename": {"House No.": "house"},
        "label": "price",
        "time": {"column": "sold", "format": "%d.%m.%Y"},
    }
    return OwnDataParameters.model_validate({**made, **changes})


def test_rows_go_to_the_month_of_their_time_in_the_order_of_the_file() -> None:
    made = snapshot_table(TABLE, parameters(), TYPES)

    assert list(made.features) == ["month=2024-01", "month=2024-02"]
    january = made.features["month=2024-01"]
    assert january[["month", "row", "house", "size"]].values.tolist() == [
        ["2024-01", 1, "a", 70.0],
        ["2024-01", 2, "c", 60.0],
    ]
    assert list(january) == ["month", "row", "house", "size", "heat", "good"]
    february = made.features["month=2024-02"]
    assert np.isnan(february["size"][1])
    assert february["heat"].tolist()[1] == "oil"


def test_rows_without_label_have_features_only() -> None:
    made = snapshot_table(TABLE, parameters(), TYPES)

    assert made.labels["month=2024-02"].to_dict("list") == {"month": ["2024-02"], "row": [1], "price": [2.0]}
    assert made.unlabelled == {"2024-01": 0, "2024-02": 1}


def test_a_month_without_any_label_is_not_in_the_label_store() -> None:
    unlabelled = TABLE.assign(price=["1", None, None, "4"])

    made = snapshot_table(unlabelled, parameters(), TYPES)

    assert list(made.labels) == ["month=2024-01"]


def test_the_favourable_value_becomes_one() -> None:
    types = {**TYPES, "good": "integer"}

    made = snapshot_table(TABLE, parameters(label="good", favourable="no"), types)

    values = pd.concat(made.labels.values())["good"]
    assert values.tolist() == [0, 0, 1]
    assert values.dtype == "int64"


@pytest.mark.parametrize(("values", "favourable"), [([True, False, True, False], True), ([1.0, 0.0, np.nan, 1.0], 1)])
def test_typed_labels_are_compared_as_written(values: list[Any], favourable: Any) -> None:
    table = TABLE.assign(good=values)

    made = snapshot_table(table, parameters(label="good", favourable=favourable), {**TYPES, "good": "integer"})

    assert pd.concat(made.labels.values())["good"].isin([0, 1]).all()


def test_one_snapshot_without_time() -> None:
    made = snapshot_table(TABLE, parameters(time=None, month="2023-07", leave_out=["sold"]), TYPES)

    assert {key: len(frame) for key, frame in made.features.items()} == {"month=2023-07": 4}
    assert made.features["month=2023-07"]["row"].tolist() == [1, 2, 3, 4]


def test_a_key_of_the_table_is_kept_as_written() -> None:
    table = TABLE.assign(**{"House No.": ["007", "8", "9", "010"]})

    made = snapshot_table(table, parameters(key="house", number_rows=False), TYPES)

    assert made.features["month=2024-01"]["house"].tolist() == ["007", "010"]
    assert "row" not in made.features["month=2024-01"]


def test_a_numeric_key_is_a_number() -> None:
    table = TABLE.assign(**{"House No.": ["7", "8", "9", "10"]})

    made = snapshot_table(table, parameters(key="house", number_rows=False), TYPES)

    assert made.features["month=2024-01"]["house"].tolist() == [7, 10]


def test_dates_and_nullable_integers() -> None:
    table = TABLE.assign(built=["1.2.1999", None, "3.4.2001", "5.6.2002"], rooms=["1", None, "3", "4"])
    types = {**TYPES, "built": "date", "rooms": "integer"}

    made = snapshot_table(table, parameters(dates={"built": "%d.%m.%Y"}), types)

    january = made.features["month=2024-01"]
    assert january["built"][0] == pd.Timestamp(1999, 2, 1)
    assert january["rooms"].tolist() == [1, 4]


@pytest.mark.parametrize(
    ("changes", "table", "words"),
    [
        ({}, TABLE.assign(sold=["31.01.2024", "x", None, "1.1.2024"]), r"no month.*row 2.*2 of 4 rows, 1 of.*x"),
        ({}, TABLE.assign(size=["70", "big", "huge", "1"]), r"'size' should be float.*row 2.*2 of 4.*big, huge"),
        ({}, TABLE.assign(extra=1), r"contract does not know.*1 of 7.*extra"),
        ({}, TABLE.drop(columns="size").assign(month=1, size="1"), r"already has a column 'month'"),
        ({}, TABLE.drop(columns="price"), r"no column 'price'.*simulation.label"),
        ({"leave_out": ["gone"]}, TABLE, r"no column 'gone'.*simulation.leave_out"),
        ({"key": "heat", "number_rows": False}, TABLE, r"does not identify.*1 of 4 rows without a value"),
        ({"key": "good", "number_rows": False}, TABLE.assign(good="x"), r"does not identify.*4 with one"),
        ({"label": "heat", "favourable": "steam"}, TABLE, r"does not have two values.*'steam'"),
        ({"label": "size", "favourable": "60"}, TABLE, r"does not have two values.*4 different|3 different"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], table: pd.DataFrame, words: str) -> None:
    with pytest.raises(OwnDataError, match=f"(?s){words}"):
        snapshot_table(table, parameters(**changes), TYPES)


@pytest.mark.parametrize(
    "changes", [{"time": None}, {"month": "2024-01"}, {"key": "month"}, {"tim": 1}, {"rename": {"a": "x", "b": "x"}}]
)
def test_parameters_that_contradict_themselves(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        parameters(**changes)


@pytest.mark.parametrize(
    ("values", "formats"),
    [
        (["2024-01-05", None, "2024-02-09"], ("ISO8601",)),
        (["2024-01", "2024-02"], ("ISO8601",)),
        (["2024-01-05T10:00:00+02:00", "2024-01-05T11:00:00Z"], ("ISO8601",)),
        (["13/01/2024", "01/02/2024"], ("%d/%m/%Y",)),
        (["01/13/2024", "01/02/2024"], ("%m/%d/%Y",)),
        (["01/02/2024", "03/02/2024"], ("%d/%m/%Y", "%m/%d/%Y")),
        (["01/01/2024", "02/02/2024"], ("%d/%m/%Y",)),
        (["24.12.2024", "1.1.2024"], ("%d.%m.%Y",)),
        (["4 Mar 2024", "5 May 2024"], ("%d %b %Y",)),
        (["1.2500", "3.1415"], ()),
        (["20240101", "20240201"], ()),
        (["2024-01-01", "soon"], ()),
        ([None, None], ()),
    ],
)
def test_formats_of_dates(values: list[Any], formats: tuple[str, ...]) -> None:
    assert find_date_formats(pd.Series(values)) == formats


def test_an_offset_is_put_into_utc() -> None:
    table = TABLE.assign(sold=["2024-01-31T23:30:00-02:00", *["2024-01-01"] * 3])

    made = snapshot_table(table, parameters(time=TimeColumn(column="sold")), TYPES)

    assert {key: len(frame) for key, frame in made.features.items()} == {"month=2024-01": 3, "month=2024-02": 1}
