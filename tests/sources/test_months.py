"""Snapshots of a user's table: months, keys, types, labels, and every way in which they do not fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from rai_kedro.sources.dates import find_date_formats, find_unreadable_dates
from rai_kedro.sources.layout import SourceError
from rai_kedro.sources.months import IngestionParameters, TimeColumn, split_months, split_readable_months

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


def parameters(**changes: Any) -> IngestionParameters:
    made: dict[str, Any] = {
        "rename": {"House No.": "house"},
        "label": "price",
        "time": {"column": "sold", "format": "%d.%m.%Y"},
    }
    return IngestionParameters.model_validate({**made, **changes})


def test_rows_go_to_the_month_of_their_time_in_the_order_of_the_file() -> None:
    made = split_months(TABLE, parameters(), TYPES)

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


@pytest.mark.parametrize(
    ("period", "keys"),
    [
        ("week", ["month=2024-W01", "month=2024-W05", "month=2024-W09"]),
        ("quarter", ["month=2024-Q1"]),
        ("year", ["month=2024"]),
    ],
)
def test_rows_go_to_the_week_quarter_or_year_of_their_time(period: str, keys: list[str]) -> None:
    made = split_months(TABLE, parameters(period=period), TYPES)
    assert list(made.features) == keys
    assert sum(map(len, made.features.values())) == len(TABLE)
    assert made.features[keys[0]]["month"].unique().tolist() == [keys[0].removeprefix("month=")]


def test_a_week_of_iso_8601_may_belong_to_another_year_than_its_day() -> None:
    table = TABLE.assign(sold=["29.12.2024", "30.12.2024", "31.12.2023", "01.01.2021"])
    assert list(split_months(table, parameters(period="week"), TYPES).features) == [
        "month=2020-W53", "month=2023-W52", "month=2024-W52", "month=2025-W01",
    ]  # fmt: skip


def test_dates_that_do_not_say_the_week_are_refused_for_weeks() -> None:
    with pytest.raises(ValidationError, match="do not say which week"):
        parameters(period="week", time={"column": "sold", "format": "%m.%Y"})
    with pytest.raises(ValidationError, match="is 2024-05, which is no quarter"):
        parameters(period="quarter", time=None, month="2024-05")


def test_a_month_with_a_value_that_does_not_fit_is_left_out_and_the_others_are_taken() -> None:
    table = TABLE.assign(size=["70", "80.5", "big", "60"])  # "big" is of February
    made, refused = split_readable_months(table, parameters(), TYPES)
    assert list(made.features) == ["month=2024-01"]
    assert list(refused) == ["month=2024-02"] and "size" in str(refused["month=2024-02"])
    whole, none = split_readable_months(TABLE, parameters(), TYPES)
    assert (list(whole.features), none) == (["month=2024-01", "month=2024-02"], {})
    with pytest.raises(SourceError):
        split_readable_months(TABLE.assign(size="big"), parameters(), TYPES)


def test_dates_that_cannot_be_read_are_told_from_empty_ones() -> None:
    values = pd.Series(["31.01.2024", "01.02.2024", "soon", None, "13.02.2024"])
    assert find_unreadable_dates(values).tolist() == ["soon"]


def test_rows_without_label_have_features_only() -> None:
    made = split_months(TABLE, parameters(), TYPES)

    assert made.labels["month=2024-02"].to_dict("list") == {"month": ["2024-02"], "row": [1], "price": [2.0]}
    assert {part: len(frame) for part, frame in made.features.items()} == {"month=2024-01": 2, "month=2024-02": 2}


def test_a_month_without_any_label_is_not_in_the_label_store() -> None:
    unlabelled = TABLE.assign(price=["1", None, None, "4"])

    made = split_months(unlabelled, parameters(), TYPES)

    assert list(made.labels) == ["month=2024-01"]


def test_the_favourable_value_becomes_one() -> None:
    types = {**TYPES, "good": "integer"}

    made = split_months(TABLE, parameters(label="good", favourable="no"), types)

    values = pd.concat(made.labels.values())["good"]
    assert values.tolist() == [0, 0, 1]
    assert values.dtype == "int64"


@pytest.mark.parametrize(("values", "favourable"), [([True, False, True, False], True), ([1.0, 0.0, np.nan, 1.0], 1)])
def test_typed_labels_are_compared_as_written(values: list[Any], favourable: Any) -> None:
    table = TABLE.assign(good=values)

    made = split_months(table, parameters(label="good", favourable=favourable), {**TYPES, "good": "integer"})

    assert pd.concat(made.labels.values())["good"].isin([0, 1]).all()


def test_one_snapshot_without_time() -> None:
    made = split_months(TABLE, parameters(time=None, month="2023-07", leave_out=["sold"]), TYPES)

    assert {key: len(frame) for key, frame in made.features.items()} == {"month=2023-07": 4}
    assert made.features["month=2023-07"]["row"].tolist() == [1, 2, 3, 4]


def test_a_key_of_the_table_is_kept_as_written() -> None:
    table = TABLE.assign(**{"House No.": ["007", "8", "9", "010"]})

    made = split_months(table, parameters(key="house", number_rows=False), TYPES)

    assert made.features["month=2024-01"]["house"].tolist() == ["007", "010"]
    assert "row" not in made.features["month=2024-01"]


def test_a_numeric_key_is_a_number() -> None:
    table = TABLE.assign(**{"House No.": ["7", "8", "9", "10"]})

    made = split_months(table, parameters(key="house", number_rows=False), TYPES)

    assert made.features["month=2024-01"]["house"].tolist() == [7, 10]


def test_dates_and_nullable_integers() -> None:
    table = TABLE.assign(built=["1.2.1999", None, "3.4.2001", "5.6.2002"], rooms=["1", None, "3", "4"])
    types = {**TYPES, "built": "date", "rooms": "integer"}

    made = split_months(table, parameters(dates={"built": "%d.%m.%Y"}), types)

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
        ({}, TABLE.drop(columns="price"), r"no column 'price'.*setting 'label'"),
        ({"leave_out": ["gone"]}, TABLE, r"no column 'gone'.*setting 'leave_out'"),
        ({"key": "heat", "number_rows": False}, TABLE, r"does not identify.*1 of 4 rows without a value"),
        ({"key": "good", "number_rows": False}, TABLE.assign(good="x"), r"does not identify.*4 with one"),
        ({"label": "heat", "favourable": "steam"}, TABLE, r"does not have two values.*'steam'"),
        ({"label": "size", "favourable": "60"}, TABLE, r"does not have two values.*4 different|3 different"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], table: pd.DataFrame, words: str) -> None:
    with pytest.raises(SourceError, match=f"(?s){words}"):
        split_months(table, parameters(**changes), TYPES)


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


LATE, EARLY = "2024-01-31T23:30:00-02:00", "2024-02-01T00:30:00+01:00"


def months_of(sold: list[str], zone: str | None = None) -> dict[str, int]:
    made = split_months(TABLE.assign(sold=sold), parameters(time=TimeColumn(column="sold", zone=zone)), TYPES)
    return {key.removeprefix("month="): len(frame) for key, frame in made.features.items()}


@pytest.mark.parametrize(("text", "month"), [(LATE, "2024-01"), (EARLY, "2024-02"), ("2024-01-31 23:59Z", "2024-01")])
def test_the_local_month_that_is_written_counts_not_that_of_utc(text: str, month: str) -> None:
    assert months_of([text] * 4) == {month: 4}


def test_a_column_with_a_time_zone_counts_by_its_own_clock() -> None:
    moments = pd.Series(pd.to_datetime([EARLY] * 4, utc=True)).dt.tz_convert("Europe/Berlin")

    made = split_months(TABLE.assign(sold=moments), parameters(time=TimeColumn(column="sold")), TYPES)

    assert list(made.features) == ["month=2024-02"]


def test_mixed_offsets_are_asked_about_and_then_read_as_said() -> None:
    mixed = [LATE, EARLY, EARLY, "2024-01-01"]

    with pytest.raises(SourceError, match=r"(?s)different offsets.*2 rows with \+01:00; 1 rows with.*as written"):
        months_of(mixed)
    with pytest.raises(SourceError, match=r"(?s)no offset from UTC.*Europe/Berlin.*1 rows with none"):
        months_of(mixed, "Europe/Berlin")

    assert months_of(mixed, "as written") == {"2024-01": 2, "2024-02": 2}
    assert months_of([LATE, EARLY, EARLY, EARLY], "Europe/Berlin") == {"2024-02": 4}
    assert months_of([LATE, EARLY, EARLY, EARLY], "UTC") == {"2024-01": 3, "2024-02": 1}


@pytest.mark.parametrize("changes", [{"format": "%Y"}, {"format": "%d %H:%M"}, {"zone": "Berlin"}])
def test_a_time_column_that_tells_no_month_or_an_unknown_zone_is_refused(changes: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match=r"which month|no time zone"):
        TimeColumn(column="sold", **changes)


def test_a_label_written_as_decimal_numbers_and_a_month_with_one_value_only() -> None:
    table = TABLE.assign(heat=["1.0", "0.0", "1.0", "1.0"])
    two = {"label": "heat", "favourable": "1", "unfavourable": "0"}

    made = split_months(table, parameters(**two), {**TYPES, "heat": "integer", "price": "float"})
    assert made.labels["month=2024-01"]["heat"].tolist() == [1, 1]

    with pytest.raises(SourceError, match="only the values '1' and '0'"):
        split_months(table.assign(heat=["1", "2", "1", "0"]), parameters(**two), {**TYPES, "price": "float"})
