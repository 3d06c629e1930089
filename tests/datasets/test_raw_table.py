"""An original file is the published one to the byte, or is refused with what, where and what to do."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, DatasetError

from rai_kedro.commands.errors import explain

ROOT = Path(__file__).parents[2]
BOSTON = ROOT / "data" / "01_raw" / "boston.csv"
ENTRY = yaml.safe_load((ROOT / "conf/base/housing/catalog.yml").read_text(encoding="utf-8"))["housing.raw_data"]
RESTORE = "git checkout data/01_raw/boston.csv"


def catalog(path: Path) -> DataCatalog:
    return DataCatalog.from_config({"housing.raw_data": {**ENTRY, "filepath": str(path)}})


def refused(path: Path) -> str:
    with pytest.raises(DatasetError) as caught:
        catalog(path).load("housing.raw_data")
    text = explain(caught.value)
    assert text is not None
    assert str(path) in text and RESTORE in text
    assert len(text.splitlines()) <= 5
    return text


def test_the_published_file_loads_with_the_stated_types() -> None:
    table = catalog(BOSTON).load("housing.raw_data")

    pd.testing.assert_frame_equal(table, pd.read_csv(BOSTON))
    assert list(table.columns) == list(ENTRY["columns"])
    assert catalog(BOSTON)["housing.raw_data"].preview(2)["data"][1][0] == table["CRIM"][1]


@pytest.mark.parametrize("cut", [0, 1, *random.Random(1).sample(range(2, BOSTON.stat().st_size), 40)])  # noqa: S311
def test_a_file_cut_off_anywhere_is_refused(cut: int, tmp_path: Path) -> None:
    file = tmp_path / "boston.csv"
    file.write_bytes(BOSTON.read_bytes()[:cut])

    text = refused(file)

    assert "not the published one" in text and f"{cut:,} bytes" in text and "SHA-256" in text


@pytest.mark.parametrize(
    ("prepare", "problem"),
    [(lambda file: None, "No such file"), (lambda file: file.mkdir(), "Is a directory")],
)
def test_a_file_that_cannot_be_read_is_refused(prepare: Callable[[Path], object], problem: str, tmp_path: Path) -> None:
    file = tmp_path / "boston.csv"
    prepare(file)

    assert problem in refused(file)


def test_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="never writes this file"):
        catalog(tmp_path / "boston.csv").save("housing.raw_data", pd.DataFrame({"a": [1]}))
