"""The contract as a dataset and as a validator behind Kedro's own catalogue validation."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, DatasetError
from kedro.validation import DataValidationError

from rai_kedro.datasets.contract import ContractDataset

_COLUMN = {
    "type": "float",
    "description": "spend in euro",
    "range": [0, 100],
    "flags": [],
    "use": "model",
}
CONTRACT = {
    "owner": "data team",
    "purpose": "predict returns",
    "key": ["customer"],
    "time": "month",
    "columns": {
        "spend": _COLUMN,
        "note": {**_COLUMN, "type": "text", "range": None, "flags": ["risky"], "risk": "gossip", "use": "forbidden"},
    },
}


@pytest.fixture
def contract_file(tmp_path: Path) -> Path:
    path = tmp_path / "shop" / "catalog.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump({"shop.feature_store": {"metadata": {"rai": CONTRACT}}}), encoding="utf-8")
    return path


def _catalog(contract_file: Path, metadata: dict[str, Any] | None) -> DataCatalog:
    return DataCatalog.from_config(
        {
            "shop.feature_store": {
                "type": "rai_kedro.datasets.month_store.MonthStore",
                "filepath": str(contract_file.parent / "store"),
                "validator": {
                    "class": "rai_kedro.datasets.contract.ContractValidator",
                    "options": {"filepath": str(contract_file), "dataset": "feature_store"},
                },
                "metadata": metadata,
            }
        }
    )


def _month(month: str, spend: float) -> pd.DataFrame:
    return pd.DataFrame({"month": month, "customer": [1, 2], "spend": [spend, 1.0], "note": ["rude", "nice"]})


def test_saving_checks_every_month_before_writing_any(contract_file: Path) -> None:
    catalog = _catalog(contract_file, {"rai": CONTRACT})
    months = {"month=2024-01": _month("2024-01", 5.0), "month=2024-02": _month("2024-02", 500.0)}
    with pytest.raises(DataValidationError, match=r"outside \[0, 100\]"):
        catalog.save("shop.feature_store", months)
    assert catalog.load("shop.feature_store") == {}


def test_a_broken_month_stops_only_those_who_read_it(contract_file: Path) -> None:
    catalog = _catalog(contract_file, {"rai": CONTRACT})
    store = catalog["shop.feature_store"]
    store.save({"month=2024-01": _month("2024-01", 5.0), "month=2024-02": _month("2024-02", 500.0)})
    loaded = catalog.load("shop.feature_store")
    assert len(loaded["month=2024-01"]()) == 2
    with pytest.raises(DataValidationError, match="month=2024-02"):
        loaded["month=2024-02"]()


def test_a_forbidden_column_stays_on_disk(contract_file: Path) -> None:
    catalog = _catalog(contract_file, {"rai": CONTRACT})
    catalog.save("shop.feature_store", {"month=2024-01": _month("2024-01", 5.0)})
    assert list(catalog.load("shop.feature_store")["month=2024-01"]()) == ["month", "customer", "spend"]


def test_a_store_whose_metadata_were_dropped_cannot_read_a_forbidden_column(contract_file: Path) -> None:
    catalog = _catalog(contract_file, None)
    catalog.save("shop.feature_store", {"month=2024-01": _month("2024-01", 5.0)})
    with pytest.raises(DataValidationError, match="note: may not be read"):
        catalog.load("shop.feature_store")["month=2024-01"]()


def test_contract_dataset_reads_and_never_writes(contract_file: Path) -> None:
    dataset = ContractDataset(filepath=str(contract_file), as_of="2026-03-01")
    assert dataset.load().as_of == date(2026, 3, 1)
    with pytest.raises(DatasetError, match="never written by a run"):
        dataset.save("anything")  # type: ignore[arg-type]
