"""The housing pipelines on a catalogue made by hand: real stores in a temporary folder, no session, no hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset, SharedMemoryDataCatalog

from rai_kedro.contract import Contract, read_contract
from rai_kedro.datasets.contract import ContractDataset
from rai_kedro.datasets.month_store import MonthStore
from rai_kedro.datasets.record import PlanLook
from rai_kedro.demo import SimulationParameters, simulate_snapshots
from rai_kedro.pipelines.parameters import (
    FairnessParameters,
    MitigationParameters,
    MonitoringParameters,
    Statements,
    TrainingParameters,
)
from rai_kedro.policy import Policy
from rai_kedro.proxies import ProxyPolicy

ROOT = Path(__file__).resolve().parents[2]
CATALOG = ROOT / "conf" / "base" / "housing" / "catalog.yml"
TODAY = date(2026, 1, 1)


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def raw() -> pd.DataFrame:
    return pd.read_csv(ROOT / "data" / "01_raw" / "boston.csv")


@pytest.fixture(scope="session")
def parameters() -> dict[str, Any]:
    """The parameters as shipped."""
    text = (ROOT / "conf" / "base" / "housing" / "parameters.yml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)["housing"]
    return content


@pytest.fixture(scope="session")
def contract() -> Contract:
    return read_contract(CATALOG, as_of=TODAY)


@pytest.fixture(scope="session")
def january(
    tmp_path_factory: pytest.TempPathFactory, raw: pd.DataFrame, parameters: dict[str, Any]
) -> Mapping[str, MonthStore]:
    """Feature and label store of the first month, which is the raw table exactly."""
    settings = SimulationParameters(**{**parameters["simulation"], "months": 1, "drift": ()})
    snapshots = simulate_snapshots(raw, settings, {})
    folder = tmp_path_factory.mktemp("january")
    stores = {name: MonthStore(filepath=folder / name) for name in ("feature_store", "label_store")}
    stores["feature_store"].save(snapshots.features)
    stores["label_store"].save(snapshots.labels)
    return stores


@pytest.fixture
def write_contract(tmp_path: Path) -> Callable[[Mapping[str, Mapping[str, Any]]], Path]:
    """Write the shipped contract with other keys for some columns of the feature store."""

    def write(changes: Mapping[str, Mapping[str, Any]]) -> Path:
        content = yaml.safe_load(CATALOG.read_text(encoding="utf-8"))
        columns = content["housing.feature_store"]["metadata"]["rai"]["columns"]
        for name, change in changes.items():
            columns[name] |= change
        path = tmp_path / "housing" / "catalog.yml"
        path.parent.mkdir()
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    return write


@pytest.fixture
def make_catalog(
    january: Mapping[str, MonthStore], parameters: dict[str, Any], tmp_path: Path
) -> Callable[..., DataCatalog]:
    """Make a catalogue for a slice of the training stage."""

    def make(
        contract: Path = CATALOG,
        *,
        shared: bool = False,
        fairness: Mapping[str, Any] = MappingProxyType({}),
        mitigation: Mapping[str, Any] = MappingProxyType({}),
        **training: Any,
    ) -> DataCatalog:
        settings = TrainingParameters(**{**parameters["training"], **training})
        datasets = {
            "housing.feature_store": january["feature_store"],
            "housing.label_store": january["label_store"],
            "housing.contract": ContractDataset(filepath=str(contract), as_of=TODAY),
            "housing.look": PlanLook(filepath=tmp_path / "no_plan.jsonl"),
            "params:housing.training": MemoryDataset(settings),
            "params:housing.fairness": MemoryDataset(FairnessParameters(**{**parameters["fairness"], **fairness})),
            "params:housing.mitigation": MemoryDataset(
                MitigationParameters(**{**parameters["mitigation"], **mitigation})
            ),
            "params:housing.statements": MemoryDataset(Statements(**parameters["statements"])),
            "params:housing.monitoring": MemoryDataset(MonitoringParameters(**parameters["monitoring"])),
            "params:housing.policy": MemoryDataset(Policy(**parameters["policy"])),
            "params:housing.proxies": MemoryDataset(ProxyPolicy(**parameters["proxies"])),
        }
        return (SharedMemoryDataCatalog if shared else DataCatalog)(datasets)

    return make
