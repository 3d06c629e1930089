"""The month store in a database: what goes in comes out as from Parquet; a refusal leaves the months as they were."""

from __future__ import annotations

import pickle
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog
from pandas.testing import assert_frame_equal
from sqlalchemy import event
from sqlalchemy.engine import Engine

from rai_kedro.datasets.month_store import MonthStore
from rai_kedro.datasets.partition_file import MonthStoreError
from rai_kedro.datasets.sql_month_store import SqlMonthStore
from rai_kedro.frames import MonthLoader

TYPE = "rai_kedro.datasets.sql_month_store.SqlMonthStore"
MAY = "month=2024-05/model_version=3"
JUNE = "month=2024-06/model_version=3"
BY = ["month", "model_version"]
Make = Callable[..., SqlMonthStore]


def make_month(month: str = "2024-05", rows: int = 3, **columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"month": month, "key": np.arange(rows), "model_version": "3", "x": 1.5, **columns})


ODD = make_month(
    infinite=[1.5, np.nan, -np.inf],
    whole=pd.array([2**62, None, -1], dtype="Int64"),
    fraction=pd.array([0.1, None, 3], dtype="Float64"),
    small=np.array([1, 2, 3], dtype="int8"),
    single=np.array([0.1, 2, 3], dtype="float32"),
    yes=[True, False, True],
    maybe=pd.array([True, None, False], dtype="boolean"),
    text=["a", None, "ü\t\\N\n"],
    string=pd.array(["", None, "NULL"], dtype="string"),
    day=[date(2024, 2, 29), None, date(1999, 12, 31)],
    time=pd.to_datetime(["2024-01-01 12:00:00.123456", None, "2024-03-10"], format="mixed"),
    zoned=pd.to_datetime(["2024-01-01 12:00", None, "2024-07-10"], format="mixed").tz_localize("Europe/Berlin"),
    nothing=[None] * 3,
    **{'odd "name" %s :x(': [1, 2, 3]},
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/stores.db" if request.param == "sqlite" else request.getfixturevalue("postgres")


@pytest.fixture
def make_store(address: str, tmp_path: Path, request: pytest.FixtureRequest) -> Make:
    # A table of its own for each test, with a name that has to be quoted.
    name = f"{abs(hash(request.node.name)):x}%Predictions"
    return lambda table=name, **more: SqlMonthStore(
        filepath=tmp_path / "store", table=table, credentials={"con": address}, partition_by=BY, **more
    )


@pytest.fixture
def store(make_store: Make) -> SqlMonthStore:
    return make_store()


def test_months_come_back_as_from_parquet(store: SqlMonthStore, tmp_path: Path) -> None:
    files = MonthStore(filepath=tmp_path / "files", partition_by=BY)
    saved = {MAY: ODD, JUNE: make_month("2024-06").iloc[:0], "month=2024-07/model_version=3": make_month("2024-07")}
    assert store.load() == {}
    assert not store.exists()
    for one in (store, files):
        one.save(saved)
    assert list(store.load()) == list(files.load()) == list(saved)
    for key, read in files.load().items():
        assert_frame_equal(store.load()[key](), read())


def test_a_month_is_replaced_and_the_others_stay(store: SqlMonthStore) -> None:
    store.save({MAY: make_month(rows=5), JUNE: make_month("2024-06")})
    store.save({MAY: make_month(rows=2, x=7.0)})
    assert store.load()[MAY]()["x"].tolist() == [7.0, 7.0]
    assert len(store.load()[JUNE]()) == 3
    assert store.remove([MAY, "month=2030-01/model_version=1"]) == [MAY]
    assert store.keys() == [JUNE]
    assert store.remove() == [JUNE]
    assert store.remove() == []


def test_columns_may_come_later_and_numbers_share_one(store: SqlMonthStore) -> None:
    first, second = make_month(x=[1, 2, 3]), make_month("2024-06", x=[0.5, 1, 2], new=["a", "b", None])
    third = make_month("2024-07", x=[4, 5, 6])
    store.save({MAY: first, JUNE: second, "month=2024-07/model_version=3": third})
    for key, saved in zip(store.keys(), (first, second, third), strict=True):
        assert_frame_equal(store.load()[key](), saved)


REFUSED = {
    "another type": (make_month("2024-06", x=["a", "b", "c"]), "another type in this month(.|\n)*column x"),
    "a category": (make_month("2024-06", c=pd.Categorical(["a", "b", "a"])), "no column for this one(.|\n)*column c"),
    "a long name": (make_month("2024-06", **{"n" * 64: 1}), "no column for this one"),
    "finer times": (make_month("2024-06", t=pd.Timestamp(1)), "cannot be stored in a database"),
    "a large number": (make_month("2024-06", x=[2**60 + 1, 1, 2]), "too large"),
    "a name of the store's": (make_month("2024-06", rai_row=1), "cannot be written"),
    "another key": (make_month("2024-07"), "3 of 3 rows"),
}


@pytest.mark.parametrize(("frame", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_stored_is_refused_and_nothing_written(
    store: SqlMonthStore, frame: pd.DataFrame, said: str
) -> None:
    store.save({MAY: make_month()})
    with pytest.raises(MonthStoreError, match=said):
        store.save({JUNE: frame})
    assert store.keys() == [MAY]
    assert_frame_equal(store.load()[MAY](), make_month())


@pytest.fixture
def statements() -> Iterator[list[str]]:
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


def test_a_forbidden_column_never_leaves_the_database(make_store: Make, statements: list[str]) -> None:
    columns = {"key": {"use": "model"}, "x": {"use": "model"}, "secret": {"use": "forbidden"}}
    store = make_store(metadata={"rai": {"key": ["key"], "columns": columns}})
    store.save({MAY: make_month(secret=[1, 2, 3])})
    statements.clear()
    read = store.load()[MAY]
    assert isinstance(read, MonthLoader)
    assert "secret" not in read()
    assert not [statement for statement in statements if "secret" in statement]
    assert "x" not in read.read_closed()
    assert read.read_closed()["secret"].tolist() == [1, 2, 3]


def test_rows_that_somebody_deleted_are_noticed(store: SqlMonthStore, address: str) -> None:
    if not address.startswith("sqlite"):
        pytest.skip("one database is enough")
    store.save({MAY: make_month()})
    table = store._describe()["table"]
    with closing(sqlite3.connect(address.removeprefix("sqlite:///"))) as connection, connection:
        connection.execute(f'DELETE FROM "{table}" WHERE rai_row = 1')  # noqa: S608 - a name of ours
    with pytest.raises(MonthStoreError, match="2 rows of 3"):
        store.load()[MAY]()


def test_a_table_of_another_program_is_left_alone(make_store: Make, address: str) -> None:
    from sqlalchemy import create_engine, text

    with create_engine(address.replace("postgresql:", "postgresql+psycopg:")).begin() as connection:
        connection.execute(text("CREATE TABLE theirs (month TEXT, model_version TEXT, rai_row INTEGER)"))
    with pytest.raises(MonthStoreError, match="that the store has not made"):
        make_store("theirs").save({MAY: make_month()})


def test_writers_at_the_same_moment_wait_for_each_other(make_store: Make) -> None:
    stores = [make_store() for _ in range(4)]
    failed: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for _ in range(3):
                stores[number].save({MAY: make_month(rows=50, x=float(number))})
        except BaseException as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not failed
    found = stores[0].load()[MAY]()
    assert len(found) == 50
    assert found["x"].nunique() == 1


def test_the_address_is_shown_nowhere(tmp_path: Path) -> None:
    def make(con: Any) -> SqlMonthStore:
        return SqlMonthStore(filepath=tmp_path, table="t", credentials={"con": con})

    for wrong, said in (
        ("postgresql://me:hidden@127.0.0.1:1/x", "cannot be read"),
        ("postgresql://me:hidden@127.0.0.1:port/x", "no address"),
        ("mysql://me:hidden@127.0.0.1/x", "not in 'mysql'"),
        ("hidden", "no address"),
        (5, "have to hold its address"),
    ):
        with pytest.raises(MonthStoreError, match=said) as caught:
            store = make(wrong)
            assert "hidden" not in f"{store} {store!r} {store._describe()} {store._tables}"
            store.keys()
        assert "hidden" not in str(caught.value)


def test_the_catalogue_opens_it_with_credentials_and_readers_survive_pickling(tmp_path: Path) -> None:
    entry = {"type": TYPE, "filepath": str(tmp_path), "table": "t", "credentials": "stores", "partition_by": BY}
    catalog = DataCatalog.from_config({"store": entry}, {"stores": {"con": f"sqlite:///{tmp_path}/stores.db"}})
    catalog.save("store", {MAY: make_month()})
    readers = pickle.loads(pickle.dumps(catalog.load("store")))  # noqa: S301 - our own bytes
    assert_frame_equal(readers[MAY](), make_month())
