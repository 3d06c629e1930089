"""What docs/stores.md gives to be copied: its catalogues resolve, and its queries give the table that it promises."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, DatasetError
from pandas.testing import assert_frame_equal

from rai_kedro.datasets.existing_store import ExistingStore
from rai_kedro.datasets.month_store import MonthStore
from rai_kedro.datasets.sql_month_store import SqlMonthStore

ROOT = Path(__file__).resolve().parents[2]
STORE = "data/07_model_output/housing"
BY = ["month", "model_version"]


def block(first_line: str) -> str:
    text = (ROOT / "docs" / "stores.md").read_text(encoding="utf-8")
    (found,) = [one for one in re.findall(r"```\w+\n(.*?)```", text, re.S) if one.startswith(first_line)]
    return str(found)


def test_every_store_of_the_base_is_in_the_catalogue_for_postgresql() -> None:
    entries = yaml.safe_load(block("# conf/prod/catalog.yml"))
    base = {}
    for file in ("catalog.yml", "housing/catalog.yml"):
        base |= yaml.safe_load(re.sub(r"\$\{globals:data_root\}", "data", (ROOT / "conf/base" / file).read_text()))
    stores = {name for name, entry in base.items() if entry.get("type", "").endswith(".MonthStore")}
    assert set(entries) == stores
    merged = {name: {**base[name], **entry, "metadata": None} for name, entry in entries.items()}
    catalog = DataCatalog.from_config(merged, {"stores": {"con": "sqlite:///stores.db"}})
    for name in stores:
        entry = catalog.get(name.format(use_case="housing"))
        assert isinstance(entry, SqlMonthStore)
        assert "{" not in entry._describe()["table"]


def test_the_warehouses_of_others_resolve() -> None:
    entries = yaml.safe_load(block("# A warehouse"))
    catalog = DataCatalog.from_config(entries, yaml.safe_load(block("# credentials.yml")))
    assert {type(catalog.get(name)) for name in entries} == {ExistingStore}


def test_a_folder_in_an_object_store_is_read_as_the_page_has_it() -> None:
    lake = fsspec.filesystem("memory")
    for month in ("2024-01", "2024-02"):
        with lake.open(f"/lake/loans/month={month}/part-0.parquet", "wb") as file:
            pd.DataFrame({"loan": [1, 2], "income": [1.5, None], "repaid": [0, 1]}).to_parquet(file)
    (entry,) = yaml.safe_load(block("# A folder month=")).values()
    entry["dataset"] = {"type": "pandas.ParquetDataset", "filepath": "memory:///lake/loans"}
    entry["metadata"] = {"rai": {"columns": {"income": {"type": "float", "use": "model"}}}}
    months = DataCatalog.from_config({"store": entry}).load("store")
    assert list(months) == ["month=2024-01", "month=2024-02"]
    assert list(months["month=2024-02"]().columns) == ["month", "loan", "income"]

    with pytest.raises(DatasetError, match="not on this machine is read as a dataset"):
        DataCatalog.from_config({"store": {**entry, "dataset": None, "filepath": "s3://lake/loans"}}).load("store")


@pytest.fixture
def promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """Stores of two months, one of them under two versions and one without a verdict yet, and the table promised."""
    monkeypatch.chdir(tmp_path)
    predictions, verdicts = (
        MonthStore(filepath=f"{STORE}/{name}", partition_by=BY) for name in ("prediction_store", "verdict_store")
    )
    rows = []
    for month, version, verdict in (("2024-01", "1", "ok"), ("2024-01", "10", "alarm"), ("2024-02", "10", None)):
        key, said = f"month={month}/model_version={version}", {"month": month, "model_version": version}
        frame = pd.DataFrame({**said, "tract": [1, 2], "prediction": [20.5, 30.25]})
        predictions.save({key: frame.assign(run_id="a", features_digest="b")})
        if verdict:
            verdicts.save({key: pd.DataFrame([{**said, "verdict": verdict, "summary": verdict, "is_stale": False}])})
        rows.append(frame.assign(verdict=verdict, is_stale=False if verdict else None))
    return pd.concat(rows, ignore_index=True)


def by_duckdb(query: str) -> pd.DataFrame:
    duckdb: Any = pytest.importorskip("duckdb")
    frame: pd.DataFrame = duckdb.connect().execute(query).df()
    return frame


def by_pandas(program: str) -> pd.DataFrame:
    names: dict[str, Any] = {}
    exec(program, names)  # noqa: S102 - a page of ours
    frame: pd.DataFrame = names["scored"]
    return frame


@pytest.mark.parametrize(("first_line", "run"), [("-- DuckDB", by_duckdb), ("# pandas", by_pandas)])
def test_a_query_gives_the_table_promised(
    first_line: str, run: Callable[[str], pd.DataFrame], promised: pd.DataFrame
) -> None:
    found = run(block(first_line)).astype(dict.fromkeys(BY, "str")).sort_values([*BY, "tract"], ignore_index=True)
    assert_frame_equal(found.astype(object).where(found.notna(), None), promised.astype(object), check_dtype=False)
