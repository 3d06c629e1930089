"""The month store: what goes in comes out, in plain Hive layout; bad input leaves the store as it was."""

import os
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DataCatalog, DatasetError, SharedMemoryDataCatalog
from kedro.pipeline import node, pipeline
from kedro.runner import ParallelRunner, SequentialRunner, ThreadRunner
from pandas.testing import assert_frame_equal
from pyarrow import dataset as arrow_dataset

from rai_kedro.datasets.month_store import MonthStore
from rai_kedro.datasets.partition_file import MonthStoreError, parse_key
from rai_kedro.errors import RaiError
from rai_kedro.months import key_of_month, months_from

NOBODY = 65534
TYPE = "rai_kedro.datasets.month_store.MonthStore"


def make_month(month: str, rows: int = 4, offset: float = 0.0) -> pd.DataFrame:
    return pd.DataFrame({"month": [month] * rows, "tract": np.arange(1, rows + 1), "LSTAT": np.arange(rows) + offset})


def make_prediction(month: str, version: str) -> pd.DataFrame:
    frame = pd.DataFrame({"month": month, "tract": [1, 2], "model_version": version, "prediction": [20.5, 30.25]})
    return frame


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.parquet")}


@pytest.fixture
def store(tmp_path: Path) -> MonthStore:
    return MonthStore(filepath=tmp_path / "store")


@pytest.fixture
def predictions(tmp_path: Path) -> MonthStore:
    return MonthStore(filepath=tmp_path / "predictions", partition_by=["month", "model_version"])


class TestKeys:
    def test_key_and_values_are_two_ways_of_one_thing(self) -> None:
        assert parse_key("month=2024-05/model_version=3") == {"month": "2024-05", "model_version": "3"}
        assert parse_key(key_of_month("2024-05")) == {"month": "2024-05"}

    @pytest.mark.parametrize(
        "key",
        [
            "month=2024-13",
            "month=2024-00",
            "month=2024-5",
            "month=2024-05-01",
            "month=202405",
            "month=",
            "month",
            "",
            "2024-05",
            "month=../x",
            "month=2024-05/../../x",
            "../month=2024-05",
            "/month=2024-05",
            "month=2024-05/",
            "month=2024-05\n",
            "month=٢٠٢٤-05",
            "month=2024-05/model_version=.hidden",
            "month=2024-05/model_version=a/b",
            "month=2024-05/model_version=a=b",
            "month=2024-05/month=2024-05",
            "model_version=3/month=2024-05",
            None,
            5,
        ],
    )
    def test_refuses_what_is_no_key(self, key: str, store: MonthStore) -> None:
        with pytest.raises(MonthStoreError, match="not the key of a month"):
            parse_key(key)
        with pytest.raises(MonthStoreError, match="not the key of a month"):
            store.save({key: make_month("2024-05")})
        assert store.keys() == []


class TestRoundTrip:
    def test_frame_comes_back_as_saved(self, store: MonthStore) -> None:
        saved = make_month("2024-05")
        store.save({"month=2024-05": saved})
        assert_frame_equal(store.load()["month=2024-05"](), saved)

    def test_column_order_is_kept_with_several_partition_columns(self, predictions: MonthStore) -> None:
        saved = make_prediction("2024-05", "3")
        predictions.save({"month=2024-05/model_version=3": saved})
        loaded = predictions.load()["month=2024-05/model_version=3"]()
        assert_frame_equal(loaded, saved)
        assert loaded["model_version"].tolist() == ["3", "3"]

    def test_a_month_without_rows_keeps_its_columns_and_types(self, store: MonthStore) -> None:
        saved = make_month("2024-05").iloc[:0]
        store.save({"month=2024-05": saved})
        assert_frame_equal(store.load()["month=2024-05"](), saved)

    @settings(max_examples=25)
    @given(
        values=st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20),
        words=st.lists(st.text(max_size=5) | st.none(), min_size=20, max_size=20),
    )
    def test_any_values_come_back(
        self, tmp_path_factory: pytest.TempPathFactory, values: list[float], words: list[str | None]
    ) -> None:
        saved = pd.DataFrame(
            {
                "x": np.array(values, dtype="float64"),
                "month": pd.Series(["1999-12"] * len(values), dtype="str"),
                "word": pd.Series(words[: len(values)], dtype="str"),
            }
        )
        store = MonthStore(filepath=tmp_path_factory.mktemp("any"))
        store.save({"month=1999-12": saved})
        assert_frame_equal(store.load()["month=1999-12"](), saved)

    def test_saving_does_not_change_the_frame_in_hand(self, store: MonthStore) -> None:
        saved = make_month("2024-05")
        before = saved.copy(deep=True)
        store.save({"month=2024-05": saved})
        assert_frame_equal(saved, before)

    def test_readers_are_lazy_and_sorted(self, store: MonthStore) -> None:
        store.save({key_of_month(month): make_month(month) for month in ["2024-11", "2024-02", "2023-12"]})
        readers = store.load()
        assert list(readers) == ["month=2023-12", "month=2024-02", "month=2024-11"]
        store.save({"month=2024-02": make_month("2024-02", offset=7)})
        assert readers["month=2024-02"]()["LSTAT"].min() == 7

    def test_saving_a_month_leaves_the_others_alone(self, store: MonthStore, tmp_path: Path) -> None:
        store.save({"month=2024-01": make_month("2024-01"), "month=2024-02": make_month("2024-02")})
        before = contents(tmp_path)
        store.save({"month=2024-02": make_month("2024-02", offset=1)})
        after = contents(tmp_path)
        assert after["store/month=2024-01/part-0.parquet"] == before["store/month=2024-01/part-0.parquet"]
        assert after["store/month=2024-02/part-0.parquet"] != before["store/month=2024-02/part-0.parquet"]

    def test_saving_the_same_again_gives_the_same_bytes(self, store: MonthStore, tmp_path: Path) -> None:
        store.save({"month=2024-01": make_month("2024-01")})
        before = contents(tmp_path)
        store.save({"month=2024-01": make_month("2024-01")})
        assert contents(tmp_path) == before

    def test_absent_store_is_empty_and_saving_nothing_makes_nothing(self, store: MonthStore, tmp_path: Path) -> None:
        assert store.load() == {}
        assert not store.exists()
        store.save({})
        assert list(tmp_path.iterdir()) == []


class TestOnDisk:
    def test_other_readers_see_one_hive_table(self, predictions: MonthStore, tmp_path: Path) -> None:
        keys = [
            "month=2024-05/model_version=3",
            "month=2024-06/model_version=3",
            "month=2024-06/model_version=4",
        ]
        predictions.save({key: make_prediction(*parse_key(key).values()) for key in keys})
        root = tmp_path / "predictions"
        arrow = arrow_dataset.dataset(root, partitioning="hive").to_table().to_pandas()
        assert arrow.groupby(["month", "model_version"]).size().to_dict() == {
            ("2024-05", 3): 2,
            ("2024-06", 3): 2,
            ("2024-06", 4): 2,
        }
        plain = pd.read_parquet(root)
        assert set(plain["month"].astype(str)) == {"2024-05", "2024-06"}
        assert plain["prediction"].sum() == pytest.approx(3 * (20.5 + 30.25))

    def test_partition_columns_are_not_in_the_file(self, predictions: MonthStore, tmp_path: Path) -> None:
        predictions.save({"month=2024-05/model_version=3": make_prediction("2024-05", "3")})
        (path,) = (tmp_path / "predictions").rglob("*.parquet")
        assert path.relative_to(tmp_path).as_posix() == "predictions/month=2024-05/model_version=3/part-0.parquet"
        inside = arrow_dataset.dataset(path, format="parquet").schema.names
        assert inside == ["tract", "prediction"]

    def test_left_over_of_a_killed_run_is_ignored_then_cleaned(self, store: MonthStore, tmp_path: Path) -> None:
        store.save({"month=2024-01": make_month("2024-01")})
        left_over = tmp_path / "store/month=2024-02/.part-0.tmp"
        left_over.parent.mkdir()
        left_over.write_bytes(b"PAR1 and then nothing")
        assert list(store.load()) == ["month=2024-01"]
        assert len(pd.read_parquet(tmp_path / "store")) == 4
        store.save({"month=2024-03": make_month("2024-03")})
        assert not left_over.exists()
        assert list(store.load()) == ["month=2024-01", "month=2024-03"]

    def test_new_files_follow_the_umask(self, store: MonthStore, tmp_path: Path) -> None:
        store.save({"month=2024-01": make_month("2024-01")})
        plain = tmp_path / "plain"
        plain.touch()
        saved = tmp_path / "store/month=2024-01/part-0.parquet"
        assert saved.stat().st_mode == plain.stat().st_mode


class TestRefusals:
    def save_refused(self, store: MonthStore, data: object, message: str) -> None:
        store.save({"month=2024-01": make_month("2024-01")})
        root = Path(store._describe()["filepath"])
        before = contents(root)
        with pytest.raises(MonthStoreError, match=message):
            store.save(data)  # type: ignore[arg-type]
        assert contents(root) == before

    def test_value_that_is_no_frame(self, store: MonthStore) -> None:
        self.save_refused(store, {"month=2024-02": [1, 2]}, "takes data frames(.|\n)*got list")

    @pytest.mark.parametrize("wrong", ["2024-03", None, 5, "2024-02-01", pd.Timestamp("2024-02")])
    def test_column_that_disagrees_with_the_key(self, store: MonthStore, wrong: object) -> None:
        frame = make_month("2024-02").astype({"month": object})
        frame.loc[[1, 3], "month"] = wrong
        self.save_refused(store, {"month=2024-02": frame}, "2 of 4 rows")

    def test_timestamp_column_is_not_taken_for_a_month(self, store: MonthStore) -> None:
        frame = make_month("2024-02").assign(month=pd.Timestamp("2024-02-01"))
        self.save_refused(store, {"month=2024-02": frame}, "4 of 4 rows")

    def test_model_version_as_number(self, predictions: MonthStore) -> None:
        frame = make_prediction("2024-05", "3").assign(model_version=3)
        with pytest.raises(MonthStoreError, match=r"Column 'model_version'(.|\n)*2 of 2 rows"):
            predictions.save({"month=2024-05/model_version=3": frame})

    def test_missing_partition_column(self, store: MonthStore) -> None:
        frame = make_month("2024-02").drop(columns="month")
        self.save_refused(store, {"month=2024-02": frame}, "needs the partition columns")

    def test_nothing_but_partition_columns(self, store: MonthStore) -> None:
        self.save_refused(store, {"month=2024-02": make_month("2024-02")[["month"]]}, "at least one more")

    def test_repeated_or_nameless_columns(self, store: MonthStore) -> None:
        twice = make_month("2024-02").rename(columns={"LSTAT": "tract"})
        self.save_refused(store, {"month=2024-02": twice}, "each once")
        number = make_month("2024-02").rename(columns={"LSTAT": 0})
        self.save_refused(store, {"month=2024-02": number}, "named by text")

    def test_values_that_parquet_cannot_hold(self, store: MonthStore) -> None:
        mixed = make_month("2024-02").assign(LSTAT=[1, "two", 3.0, None])
        self.save_refused(store, {"month=2024-02": mixed}, "cannot be written as Parquet(.|\n)*LSTAT")

    def test_one_bad_month_keeps_the_good_one_out_too(self, store: MonthStore) -> None:
        data = {"month=2024-02": make_month("2024-02"), "month=2024-03": make_month("2024-04")}
        self.save_refused(store, data, "month=2024-03")

    def test_key_with_other_partition_columns(self, store: MonthStore, predictions: MonthStore) -> None:
        with pytest.raises(MonthStoreError, match="does not name the partition columns"):
            store.save({"month=2024-05/model_version=3": make_prediction("2024-05", "3")})
        with pytest.raises(MonthStoreError, match=r"month=…/model_version=…"):
            predictions.save({"month=2024-05": make_month("2024-05")})

    @pytest.mark.parametrize("partition_by", [[], "month", ["mon th"], [1], ["../month"]])
    def test_bad_partition_columns(self, tmp_path: Path, partition_by: list[str]) -> None:
        with pytest.raises(MonthStoreError, match="list of column names"):
            MonthStore(filepath=tmp_path, partition_by=partition_by)

    def test_remote_path(self) -> None:
        with pytest.raises(MonthStoreError, match="local file system"):
            MonthStore(filepath="s3://bucket/store")

    def test_errors_are_read_as_written(self, store: MonthStore) -> None:
        with pytest.raises(DatasetError) as caught:
            store.save({"month=2024-13": make_month("2024-12")})
        assert isinstance(caught.value, RaiError)
        assert str(caught.value).startswith("This is not the key of a month.\n")


class TestDamage:
    def test_every_flipped_bit_of_the_data_is_found(self, store: MonthStore, tmp_path: Path) -> None:
        store.save({"month=2024-01": make_month("2024-01", rows=1000)})
        path = tmp_path / "store/month=2024-01/part-0.parquet"
        whole = path.read_bytes()
        middle = len(whole) // 3
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        with pytest.raises(MonthStoreError, match=r"cannot be read(.|\n)*part-0\.parquet(.|\n)*make the month again"):
            store.load()["month=2024-01"]()

    @pytest.mark.parametrize("keep", [0, 10, 500])
    def test_cut_file_is_named(self, store: MonthStore, tmp_path: Path, keep: int) -> None:
        store.save({"month=2024-01": make_month("2024-01"), "month=2024-02": make_month("2024-02")})
        path = tmp_path / "store/month=2024-01/part-0.parquet"
        path.write_bytes(path.read_bytes()[:keep])
        readers = store.load()
        with pytest.raises(MonthStoreError, match="month=2024-01/part-0"):
            readers["month=2024-01"]()
        assert len(readers["month=2024-02"]()) == 4

    @pytest.mark.parametrize(
        "foreign",
        [
            "month=2024-01/other.parquet",
            "month=2024-13/part-0.parquet",
            "part-0.parquet",
            "a/month=2024-01/part-0.parquet",
        ],
    )
    def test_foreign_file_is_named(self, store: MonthStore, tmp_path: Path, foreign: str) -> None:
        store.save({"month=2024-01": make_month("2024-01")})
        path = tmp_path / "store" / foreign
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        with pytest.raises(MonthStoreError, match=r"has not written(.|\n)*" + foreign):
            store.load()

    def test_file_in_the_place_of_the_store(self, tmp_path: Path) -> None:
        (tmp_path / "store").write_text("not a folder")
        store = MonthStore(filepath=tmp_path / "store")
        with pytest.raises(MonthStoreError, match="cannot be read"):
            store.load()
        with pytest.raises(MonthStoreError, match="cannot be written"):
            store.save({"month=2024-01": make_month("2024-01")})


@pytest.mark.parametrize("partition", ["month=2024-05", "month=2024-04"])
def test_a_linked_month_is_neither_read_nor_written(store: MonthStore, tmp_path: Path, partition: str) -> None:
    store.save({"month=2024-04": make_month("2024-04")})
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "store" / "month=2024-04").rename(elsewhere)
    (tmp_path / "store" / "month=2024-04").symlink_to(elsewhere)

    with pytest.raises(MonthStoreError, match=r"(?s)link to another folder.*month=2024-04.*elsewhere"):
        store.load()
    with pytest.raises(MonthStoreError, match="link to another folder"):
        store.save({partition: make_month(partition.removeprefix("month="))})
    assert sorted(path.name for path in elsewhere.iterdir()) == ["part-0.parquet"]


def test_the_folder_of_a_store_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    store = MonthStore(filepath=tmp_path / "linked")

    store.save({"month=2024-05": make_month("2024-05")})

    assert store.keys() == ["month=2024-05"]


@contextmanager
def permissions(folder: Path, mode: int) -> Iterator[None]:
    """Give a folder and all in it a mode, and be a user whom modes bind (they do not bind root)."""
    inside = [folder, *folder.rglob("*")]
    above = [parent for parent in folder.parents if parent.stat().st_mode & 0o011 != 0o011]
    before = {path: path.stat().st_mode for path in [*inside, *above]}
    user = os.geteuid()
    try:
        if user == 0:
            for parent in above:
                parent.chmod(before[parent] | 0o011)
        for path in reversed(inside):
            path.chmod(mode)
        if user == 0:
            os.seteuid(NOBODY)
        yield
    finally:
        os.seteuid(user)
        for path in [*inside, *above]:
            path.chmod(before[path])


class TestPermissions:
    def test_read_only_store_names_the_path_and_stays_as_it_was(self, store: MonthStore, tmp_path: Path) -> None:
        store.save({"month=2024-01": make_month("2024-01")})
        before = contents(tmp_path)
        with permissions(tmp_path / "store", 0o555):
            with pytest.raises(MonthStoreError, match="cannot be written") as caught:
                store.save({"month=2024-01": make_month("2024-01", offset=9)})
            with pytest.raises(MonthStoreError, match="cannot be written"):
                store.remove()
            assert len(store.load()["month=2024-01"]()) == 4
        assert str(tmp_path / "store") in str(caught.value)
        assert "Permission denied" in str(caught.value)
        assert contents(tmp_path) == before

    def test_unreadable_folder_is_not_taken_for_an_empty_store(self, store: MonthStore, tmp_path: Path) -> None:
        store.save({"month=2024-01": make_month("2024-01")})
        with permissions(tmp_path / "store", 0o000), pytest.raises(MonthStoreError, match="cannot be read"):
            store.load()


class TestRemove:
    def test_named_months_go_and_leave_no_folder(self, predictions: MonthStore, tmp_path: Path) -> None:
        keys = [
            "month=2024-05/model_version=3",
            "month=2024-06/model_version=3",
            "month=2024-06/model_version=4",
        ]
        predictions.save({key: make_prediction(*parse_key(key).values()) for key in keys})
        removed = predictions.remove([keys[0], keys[1], "month=2030-01/model_version=1"])
        assert removed == keys[:2]
        assert predictions.keys() == [keys[2]]
        assert not (tmp_path / "predictions/month=2024-05").exists()

    def test_all_months_go(self, store: MonthStore) -> None:
        store.save({"month=2024-01": make_month("2024-01"), "month=2024-02": make_month("2024-02")})
        assert store.remove() == ["month=2024-01", "month=2024-02"]
        assert not store.exists()
        assert store.remove() == []

    def test_malformed_key_removes_nothing(self, store: MonthStore) -> None:
        store.save({"month=2024-01": make_month("2024-01")})
        with pytest.raises(MonthStoreError, match="not the key"):
            store.remove(["month=2024-01", "month=*"])
        assert store.keys() == ["month=2024-01"]


def double_months(features: dict) -> dict:
    return {key: read().assign(LSTAT=lambda frame: frame["LSTAT"] * 2) for key, read in features.items()}


def yield_months(features: dict):
    for key, read in features.items():
        yield {key: read()}


class TestInKedro:
    def catalog(self, tmp_path: Path, kind: type[DataCatalog] = DataCatalog) -> DataCatalog:
        entries = {
            name: {"type": TYPE, "filepath": str(tmp_path / name), "metadata": {"rai": {"owner": "me"}}}
            for name in ["first", "second", "third"]
        }
        return kind.from_config(entries)

    @pytest.mark.parametrize("runner", [SequentialRunner, ThreadRunner, ParallelRunner])
    def test_every_runner_saves_all_months(self, tmp_path: Path, runner: type) -> None:
        kind = SharedMemoryDataCatalog if runner is ParallelRunner else DataCatalog
        catalog = self.catalog(tmp_path, kind)
        catalog.save("first", {key_of_month(month): make_month(month) for month in months_from("2024-01", 4)})
        flow = pipeline([node(double_months, "first", "second"), node(double_months, "second", "third")])
        runner().run(flow, catalog)
        third = catalog.load("third")
        assert list(third) == [f"month=2024-0{month}" for month in range(1, 5)]
        assert third["month=2024-03"]()["LSTAT"].tolist() == [0, 4, 8, 12]

    def test_generator_node_saves_month_by_month(self, tmp_path: Path) -> None:
        catalog = self.catalog(tmp_path)
        catalog.save("first", {"month=2024-01": make_month("2024-01"), "month=2024-02": make_month("2024-02")})
        SequentialRunner().run(pipeline([node(yield_months, "first", "second")]), catalog)
        assert list(catalog.load("second")) == ["month=2024-01", "month=2024-02"]

    def test_store_and_readers_survive_pickling(self, store: MonthStore) -> None:
        store.save({"month=2024-01": make_month("2024-01")})
        again = pickle.loads(pickle.dumps(store))  # noqa: S301 - our own bytes
        readers = pickle.loads(pickle.dumps(again.load()))  # noqa: S301 - our own bytes
        assert_frame_equal(readers["month=2024-01"](), make_month("2024-01"))

    def test_description_and_metadata(self, tmp_path: Path) -> None:
        store = MonthStore(filepath=tmp_path, partition_by=["month"], metadata={"rai": {"owner": "me"}})
        assert store._describe() == {"filepath": str(tmp_path), "partition_by": ["month"]}
        assert store.metadata == {"rai": {"owner": "me"}}

    def test_preview_is_the_first_rows_of_the_first_month(self, store: MonthStore) -> None:
        assert store.preview() == {"index": [], "columns": [], "data": []}
        store.save({"month=2024-02": make_month("2024-02"), "month=2024-01": make_month("2024-01")})
        preview = store.preview(nrows=2)
        assert preview["columns"] == ["month", "tract", "LSTAT"]
        assert preview["data"] == [["2024-01", 1, 0.0], ["2024-01", 2, 1.0]]

    def test_preview_names_the_flags_of_a_column(self, tmp_path: Path) -> None:
        flags = {"LSTAT": {"flags": ["risky", "demographic"]}, "tract": {"flags": []}}
        store = MonthStore(filepath=str(tmp_path / "store"), metadata={"rai": {"columns": flags}})
        store.save({"month=2024-01": make_month("2024-01")})
        assert store.preview()["columns"] == ["month", "tract", "LSTAT (risky, demographic)"]
