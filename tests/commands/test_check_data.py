"""Everything that is wrong with months is said at once, and nothing that is only not there yet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset

from rai_kedro.commands.check_data import DataCheck, check_file, check_stores, describe
from rai_kedro.contract import Contract, read_contract
from rai_kedro.datasets.own_table import OwnTable
from rai_kedro.errors import RaiError

CONTRACT = """
toy.feature_store:
  metadata:
    rai:
      owner: tests
      purpose: predict y
      key: [row]
      time: month
      columns:
        size: {type: float, range: [0, 10], flags: [], use: model, description: a number}
        kind: {type: category, categories: [a, b], flags: [], use: model, description: a word}
toy.label_store:
  metadata:
    rai:
      owner: tests
      purpose: learn y
      key: [row]
      time: month
      columns:
        y: {type: float, range: [0, 9], flags: [], use: model, description: what is predicted}
"""
PARAMETERS = {"label": "y", "time": {"column": "day", "format": "%Y-%m-%d"}}


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    file = tmp_path / "toy" / "catalog.yml"
    file.parent.mkdir()
    file.write_text(CONTRACT, encoding="utf-8")
    return read_contract(file, as_of=date(2026, 1, 1))


def month(name: str, **changes: list[Any]) -> pd.DataFrame:
    rows = pd.DataFrame({"month": name, "row": [1, 2], "size": [1.0, 2.0], "kind": ["a", "b"]})
    return rows.assign(**changes)


def labels(name: str, rows: tuple[int, ...] = (1, 2)) -> pd.DataFrame:
    return pd.DataFrame({"month": pd.Series([name] * len(rows), dtype="str"), "row": list(rows), "y": 5.0})


def look(contract: Contract, features: dict[str, Any], known: dict[str, Any], only: str | None = None) -> DataCheck:
    def loaders(frames: dict[str, Any]) -> dict[str, Callable[[], Any]]:
        return {f"month={name}": one if callable(one) else lambda one=one: one for name, one in frames.items()}

    stores = {"toy.feature_store": loaders(features), "toy.label_store": loaders(known)}
    kept = {name: MemoryDataset(data, copy_mode="assign") for name, data in stores.items()}
    return check_stores(DataCatalog(kept), contract, only)


def test_months_that_keep_their_contract_are_sound_with_or_without_labels(contract: Contract) -> None:
    found = look(contract, {"2024-01": month("2024-01"), "2024-02": month("2024-02")}, {"2024-01": labels("2024-01")})
    assert found.findings == []
    assert found.rows == {"2024-01": 2, "2024-02": 2} and found.labels == {"2024-01": 2}
    assert "ok: nothing is wrong" in list(describe(found, "toy"))
    later = {"2024-01": labels("2024-01", ())}
    assert look(contract, {"2024-01": month("2024-01")}, later).findings == []


def test_everything_that_is_wrong_is_said_at_once(contract: Contract) -> None:
    def broken() -> pd.DataFrame:
        raise OSError("disk gone")

    features = {"2024-01": month("2024-01", size=[99.0, -1.0], kind=["a", "z"]), "2024-02": broken}
    features |= {"2024-04": month("2024-04")}
    found = look(contract, features, {"2024-04": labels("2024-04", (1, 7)), "2024-05": labels("2024-05")})

    said = dict(found.findings)
    assert {str(one).partition(":")[0] for one in said["2024-01"].breaches} == {"size", "kind"}  # type: ignore[attr-defined]
    assert "disk gone" in said["2024-02"].what
    assert "no such month" in said["2024-03"].what and "no such month" in said["2024-05"].what
    assert said["2024-04"].how_many == "1 of 2 labels"
    assert found.to_dict()["sound"] is False
    assert "kind: is not one of ['a', 'b'], 1 row (e.g. z)" in "\n".join(describe(found, "toy"))


def test_one_month_is_looked_at_alone_and_has_to_be_there(contract: Contract) -> None:
    stored = {"2024-01": month("2024-01", size=[99.0, 1.0]), "2024-03": month("2024-03")}
    assert look(contract, stored, {}, "2024-03").findings == []
    assert [at for at, _ in look(contract, stored, {}, "2024-01").findings] == ["2024-01"]
    ((at, error),) = look(contract, stored, {}, "2025-01").findings
    assert at == "2025-01" and error.example == "they have 2024-01 to 2024-03"


@pytest.mark.parametrize(
    ("stored", "said"), [({}, "store is empty"), ({"2024-01": None, "2024-Q2": None}, "different kinds")]
)
def test_a_store_that_nobody_can_score_says_so(contract: Contract, stored: dict[str, Any], said: str) -> None:
    assert said in look(contract, {name: month(name) for name in stored}, {}).findings[0][1].what


def test_a_file_is_checked_month_by_month_whatever_does_not_fit(contract: Contract, tmp_path: Path) -> None:
    rows = ["day,size,kind,y", "2024-01-03,1,a,5", "2024-01-04,many,q,5", "2024-02-01,77,b,", "2024-02-02,1,b,99"]
    file = tmp_path / "new.csv"
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    layout = {"format": "csv", "delimiter": ",", "encoding": "utf-8", "decimal": "."}
    own = OwnTable(filepath=str(file), layout=layout)
    catalog = DataCatalog({"toy.own_data": own, "params:toy.ingestion": MemoryDataset(PARAMETERS)})

    shown = "\n".join(describe(check_file(catalog, contract, file, None), "toy, new.csv"))

    for line in (
        "2 months, 4 rows, 3 with a label",
        "  size: should be float and is str, 1 row (e.g. many)",
        "  kind: is not one of ['a', 'b'], 1 row (e.g. q)",
        "  size: is outside [0, 10], 1 row (e.g. 77.0)",
        "  y: is outside [0, 9], 1 row (e.g. 99.0)",
    ):
        assert line in shown
    assert shown.count("should be float") == 1  # what is wrong in one month is not wrong in another
    file.write_text("\n".join([*rows, "yesterday,1,a,5"]) + "\n", encoding="utf-8")
    told = [error.what for _, error in check_file(catalog, contract, file, None).findings]
    assert "'size' should be float, and has other values." in told
    assert any("Rows have no month" in what for what in told)

    without = DataCatalog({"params:toy.ingestion": MemoryDataset(PARAMETERS)})
    ((_, error),) = check_file(without, contract, file, None).findings
    assert isinstance(error, RaiError) and "do not come from files of its own" in error.what
