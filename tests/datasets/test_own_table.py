"""A user's file behind the catalogue."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError

from rai_kedro.commands.errors import explain


def entry(path: Path, **layout: str) -> dict[str, object]:
    return {"type": "rai_kedro.datasets.own_table.OwnTable", "filepath": str(path), "layout": layout}


def test_loads_text_as_text_and_previews(tmp_path: Path) -> None:
    path = tmp_path / "rents.csv"
    path.write_text("code;size\n007;1,5\n010;2,5\n", encoding="utf-8")
    catalog = DataCatalog.from_config({"rents.own_data": entry(path, delimiter=";", decimal=",")})

    table = catalog.load("rents.own_data")

    assert table.to_dict("list") == {"code": ["007", "010"], "size": ["1.5", "2.5"]}
    assert catalog["rents.own_data"].preview(1)["data"] == [["007", "1.5"]]
    assert catalog.exists("rents.own_data")


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rents.parquet"
    pd.DataFrame({"a": [1, 2], "b": ["x", None]}).to_parquet(path)
    catalog = DataCatalog.from_config({"rents.own_data": entry(path, format="parquet")})

    assert catalog.load("rents.own_data")["a"].tolist() == [1, 2]


def test_a_file_broken_later_is_one_screen(tmp_path: Path) -> None:
    path = tmp_path / "rents.csv"
    path.write_text("a,b\n1,2\n3\n", encoding="utf-8")
    catalog = DataCatalog.from_config({"rents.own_data": entry(path)})

    with pytest.raises(DatasetError) as caught:
        catalog.load("rents.own_data")

    explanation = explain(caught.value)
    assert explanation is not None
    assert "line 3" in explanation and "1 of 2 rows" in explanation and "do next:" in explanation


def test_is_never_written(tmp_path: Path) -> None:
    catalog = DataCatalog.from_config({"rents.own_data": entry(tmp_path / "rents.csv")})

    with pytest.raises(DatasetError, match="never writes this file"):
        catalog.save("rents.own_data", pd.DataFrame({"a": [1]}))


def test_a_misspelt_layout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="delimeter"):
        DataCatalog.from_config({"rents.own_data": entry(tmp_path / "x.csv", delimeter=";")}).load("rents.own_data")
