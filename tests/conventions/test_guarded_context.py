"""No environment, pattern or configuration folder may exchange what enforces the contract."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rai_kedro.context import ContractOverrideError
from rai_kedro.contract import ContractError
from rai_kedro.pipeline_registry import register_pipelines

from .conftest import open_catalog

EVIL = "evil/housing/catalog.yml"
Override = Callable[[dict[str, Any]], None]


CONTRACT = {"type": "rai_kedro.datasets.contract.ContractDataset", "filepath": "conf/base/housing/catalog.yml"}
PICKLE = {"type": "pickle.PickleDataset", "filepath": "model.pkl"}
VALIDATOR = "rai_kedro.datasets.contract.ContractValidator"
OPTIONS = {"filepath": "conf/base/housing/catalog.yml", "dataset": "feature_store"}
DATABASE = {
    "type": "rai_kedro.datasets.sql_month_store.SqlMonthStore",
    "table": "features",
    "credentials": {"con": "sqlite:///data/stores.db"},
}
OVERRIDES = {
    "another contract file": {"housing.contract": {**CONTRACT, "filepath": EVIL}},
    "another day": {"housing.contract": {**CONTRACT, "as_of": "2020-01-01"}},
    "a pickled contract": {"housing.contract": PICKLE},
    "a pickled production model": {"housing.production_model": PICKLE},
    "another model": {
        "housing.production_model": {
            "type": "rai_kedro.datasets.production_model.ProductionModelDataset",
            "registered_model_name": "other",
            "filepath": "data/evidence.jsonl",
        }
    },
    "a nearer pattern": {"housing.production_mode{x}": PICKLE},
    "pickled references": {"housing.references": PICKLE},
    "a validator that only warns": {
        "housing.feature_store": {"validator": {"class": VALIDATOR, "options": OPTIONS, "severity": "warn"}}
    },
    "a validator switched off": {
        "housing.feature_store": {"validator": {"class": VALIDATOR, "options": OPTIONS, "enabled": False}}
    },
    "a validator of another contract": {
        "housing.feature_store": {"validator": {"class": VALIDATOR, "options": {**OPTIONS, "filepath": EVIL}}}
    },
    "an intermediate dataset on disk": {
        "housing.model_lane": {"type": "pandas.ParquetDataset", "filepath": "lane.parquet", "versioned": True}
    },
    "an intermediate dataset that base does not declare": {"housing.audit_test": PICKLE},
    "a pattern for intermediate datasets": {"{use_case}.audit_{split}": PICKLE},
    "a pattern for whatever base does not declare": {"{anything}": PICKLE},
    "a report of another type": {"housing.fairness_gate": {"type": "json.JSONDataset", "filepath": "gate.json"}},
    "a report of another type inside": {
        "housing.fairness_gate": {
            "type": "kedro_mlflow.io.artifacts.MlflowArtifactDataset",
            "artifact_path": "reports",
            "dataset": {"type": "yaml.YAMLDataset", "filepath": "gate.json"},
        }
    },
    "a store in a database with a validator switched off": {
        "housing.feature_store": {**DATABASE, "validator": {"class": VALIDATOR, "options": OPTIONS, "enabled": False}}
    },
    "a store that is versioned": {"housing.label_store": {"versioned": True}},
    "raw data that need not be what it was": {"housing.raw_data": {"source": {"rows": 1}}},
}
# One more of a kind, each of which opens a catalogue.
MORE = {
    "another day",
    "a pickled production model",
    "another model",
    "pickled references",
    "a validator of another contract",
    "an intermediate dataset that base does not declare",
    "a pattern for intermediate datasets",
    "a report of another type",
    "a store in a database with a validator switched off",
    "another place",
    "what is in memory anyway",
}
PLACES = {
    "another place": {"housing.feature_store": {"filepath": "elsewhere/feature_store"}},
    "a database": {"housing.feature_store": DATABASE},
    "an entry that no pipeline uses": {"housing.scratch": PICKLE},
    "what is in memory anyway": {"housing.audit_test": {"type": "kedro.io.MemoryDataset"}},
}


def list_cases(overrides: dict[str, Any]) -> list[Any]:
    return [
        pytest.param(one, id=name, marks=[pytest.mark.slow] if name in MORE else []) for name, one in overrides.items()
    ]


@pytest.mark.parametrize("override", list_cases(PLACES))
def test_an_environment_may_say_where_data_lies(project: Path, override: dict[str, Any]) -> None:
    local = project / "conf" / "local" / "housing"
    local.mkdir(parents=True)
    (local / "catalog.yml").write_text(yaml.safe_dump(override), encoding="utf-8")
    catalog = open_catalog(project)
    name, entry = next(iter(override.items()))
    expected = entry.get("filepath")
    assert expected is None or str(catalog.get(name)._describe()["filepath"]).endswith(expected)


def test_another_configuration_folder_cannot_exchange_a_dataset_in_its_own_base(project: Path) -> None:
    shutil.copytree(project / "conf", project / "other")
    (project / "other" / "base" / "housing" / "catalog_more.yml").write_text(
        yaml.safe_dump({"housing.audit_test": PICKLE}), encoding="utf-8"
    )
    with pytest.raises(ContractOverrideError, match="exchanges a dataset"):
        open_catalog(project, conf_source=str(project / "other"))


def test_the_catalogue_as_shipped_is_let_through(project: Path) -> None:
    assert "housing.contract" in open_catalog(project)


@pytest.mark.parametrize("override", list_cases(OVERRIDES))
def test_an_exchanged_guard_is_refused(project: Path, override: dict[str, Any]) -> None:
    (project / "model.pkl").write_bytes(pickle.dumps("model"))
    local = project / "conf" / "local" / "housing"
    local.mkdir(parents=True)
    (local / "catalog.yml").write_text(yaml.safe_dump(override), encoding="utf-8")
    with pytest.raises(ContractOverrideError):
        open_catalog(project)


def test_another_configuration_folder_cannot_exchange_one_either(project: Path) -> None:
    shutil.copytree(project / "conf", project / "other")
    (project / "other" / "base" / "housing" / "catalog_more.yml").write_text(
        yaml.safe_dump({"housing.contract": {**CONTRACT, "filepath": EVIL}}), encoding="utf-8"
    )
    with pytest.raises(ContractOverrideError, match="puts something else"):
        open_catalog(project, conf_source=str(project / "other"))


POLICIES = {
    "another module to import from": {"housing": {"training": {"allowed_modules": ["sklearn.", "os"]}}},
    "a wider limit": {"housing": {"fairness": {"tolerances": []}}},
    "a lower level": {"housing": {"fairness": {"level": 0.6}}},
    "other answers": {"hospital": {"fairness": {"questionnaire": []}}},
    "a gate that asks less": {"housing": {"policy": {"gates": {"performance": {"at_most": 99}}}}},
    "another error rate of months": {"housing": {"monitoring": {"policy": {"error_rate": 0.9}}}},
    "a whole section by one word": {"housing.fairness": {"level": 0.6}},
}


@pytest.mark.parametrize("way", ["environment", "--params"])
@pytest.mark.parametrize("parameters", POLICIES.values(), ids=POLICIES)
def test_what_a_model_is_judged_by_is_read_from_base_alone(project: Path, parameters: dict[str, Any], way: str) -> None:
    options: dict[str, Any] = {"runtime_params": parameters}
    if way == "environment":
        (project / "conf" / "local" / "parameters.yml").write_text(yaml.safe_dump(parameters), encoding="utf-8")
        options = {}
    with pytest.raises(ContractOverrideError, match="changes what a model is judged by"):
        open_catalog(project, **options)


@pytest.mark.parametrize(("asked", "refused"), [(None, True), ("alarm", False), ("insufficient_evidence", False)])
def test_what_ends_a_run_may_become_more_and_never_less(project: Path, asked: str | None, refused: bool) -> None:
    path = project / "conf" / "base" / "housing" / "parameters.yml"
    declared = yaml.safe_load(path.read_text(encoding="utf-8"))
    declared["housing"]["monitoring"]["fail_on"] = "alarm"
    path.write_text(yaml.safe_dump(declared), encoding="utf-8")
    parameters = {"housing": {"monitoring": {"fail_on": asked}}}
    if not refused:
        assert "housing.contract" in open_catalog(project, runtime_params=parameters)
        return
    with pytest.raises(ContractOverrideError, match="changes what a model is judged by"):
        open_catalog(project, runtime_params=parameters)


def test_kedros_validation_may_not_be_switched_off(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEDRO_DATASET_VALIDATION", "off")
    with pytest.raises(ContractOverrideError, match="rows that break their contract would be stored"):
        open_catalog(project)


BROKEN = {
    "no YAML": ("catalog.yml", "other.feature_store: [unclosed"),
    "an unknown word": ("catalog.yml", "other.feature_store: {metadata: {rai: {columns: {A: {type: colour}}}}}"),
    "an alias bomb": (
        "parameters.yml",
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    ),
}


@pytest.mark.parametrize(("file", "text"), BROKEN.values(), ids=BROKEN)
def test_a_broken_use_case_stops_no_other_and_says_why(project: Path, file: str, text: str) -> None:
    other = project / "conf" / "base" / "other"
    shutil.copytree(project / "conf" / "base" / "housing", other)
    for path in other.iterdir():
        path.write_text(path.read_text(encoding="utf-8").replace("housing", "other"), encoding="utf-8")
    (other / file).write_text(text, encoding="utf-8")

    assert "housing.contract" in open_catalog(project)
    refusal = register_pipelines()["other"]
    with pytest.raises(ContractError, match=f"other/{file}"):
        refusal.nodes[0].run({})
