"""Conventions of the catalogue in every environment; each rule comes with an example that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog

from rai_kedro.context import ContractOverrideError, compare_with_base
from rai_kedro.contract import ContractError, find_use_cases, rai_block, read_contract
from rai_kedro.pipeline_registry import register_pipelines

ENVIRONMENTS = ("base", "local", "test", "prod")
Load = Callable[..., OmegaConfigLoader]
Catalog = Mapping[str, Mapping[str, Any]]


def override(conf: Path, environment: str, name: str, entry: Mapping[str, Any]) -> None:
    """Give an environment an entry of its own for a dataset."""
    file = conf / environment / "catalog_override.yml"
    file.write_text(yaml.safe_dump({name: entry}))


def edit_base(conf: Path, change: Callable[[Any], None]) -> Path:
    file = conf / "base" / "housing" / "catalog.yml"
    content = yaml.safe_load(file.read_text())
    change(content)
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


def find_unused(entries: Catalog) -> set[str]:
    """Return the catalogue entries and factory patterns that no registered pipeline uses."""
    used = {name for stage in register_pipelines().values() for name in stage.datasets()}
    resolver = DataCatalog.from_config(dict(entries)).config_resolver
    matched = {pattern for name in used if (pattern := resolver.match_dataset_pattern(name))}
    patterns = {name for name in entries if "{" in name}
    return (set(entries) - patterns - used) | (patterns - matched)


def find_ungoverned(entries: Catalog, use_cases: list[str]) -> set[str]:
    """Return the feature and label stores without a contract, or without the validator that enforces theirs."""
    stores = {f"{use_case}.{kind}" for use_case in use_cases for kind in ("feature_store", "label_store")}
    return {name for name in stores if not is_governed(name, entries.get(name, {}))}


def is_governed(name: str, entry: Mapping[str, Any]) -> bool:
    use_case, _, dataset = name.partition(".")
    validator = {
        "class": "rai_kedro.datasets.contract.ContractValidator",
        "options": {"filepath": f"conf/base/{use_case}/catalog.yml", "dataset": dataset},
    }
    return rai_block(entry) is not None and entry.get("validator") == validator


def find_quietly_risky(entries: Catalog) -> set[str]:
    """Return the datasets with a flagged column whose layer in kedro-viz does not say so."""

    def is_risky(entry: Mapping[str, Any]) -> bool:
        columns = (rai_block(entry) or {}).get("columns", {})
        return any(column["flags"] for column in columns.values())

    def layer(entry: Mapping[str, Any]) -> str:
        return str(entry.get("metadata", {}).get("kedro-viz", {}).get("layer", ""))

    def is_said(name: str, entry: Mapping[str, Any]) -> bool:
        _, _, note = layer(entry).rstrip(")").partition("(")
        return name.partition(".")[2] in note and note.endswith("risky")

    return {name for name, entry in entries.items() if is_risky(entry) and not is_said(name, entry)}


def find_layers_in_a_circle(entries: Catalog) -> set[frozenset[str]]:
    """Return the layers of a pipeline that lead to each other, of which kedro-viz then draws none.

    What has no layer hands on from one that has.
    """
    resolver = DataCatalog.from_config(dict(entries)).config_resolver
    found: set[frozenset[str]] = set()
    for pipeline in register_pipelines().values():
        layers = {
            name: resolver.resolve_pattern(name).get("metadata", {}).get("kedro-viz", {}).get("layer")
            for name in pipeline.datasets()
            if resolver.match_dataset_pattern(name) or name in entries
        }
        after: dict[str, set[str]] = {}
        for node in pipeline.nodes:
            for name in node.inputs:
                after.setdefault(name, set()).update(node.outputs)
        leads = {
            (layer, later) for name, layer in layers.items() if layer for later in _next_layers(name, after, layers)
        }
        found |= {frozenset(pair) for pair in leads if pair[0] != pair[1] and (pair[1], pair[0]) in leads}
    return found


def _next_layers(start: str, after: Mapping[str, set[str]], layers: Mapping[str, str | None]) -> set[str]:
    reached, waiting, seen = set(), [start], {start}
    while waiting:
        for name in after.get(waiting.pop(), set()) - seen:
            seen.add(name)
            if layer := layers.get(name):
                reached.add(layer)
            else:
                waiting.append(name)
    return reached


def contracts(loader: OmegaConfigLoader) -> dict[str, Any]:
    return {name: rai_block(entry) for name, entry in loader["catalog"].items()}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_entry_is_used(environment: str, load: Load) -> None:
    assert find_unused(load(environment)["catalog"]) == set()


def test_an_unused_entry_is_found(conf: Path, load: Load) -> None:
    override(conf, "test", "housing.leftover", {"type": "MemoryDataset"})

    assert find_unused(load("test")["catalog"]) == {"housing.leftover"}


def test_an_unused_pattern_is_found(conf: Path, load: Load) -> None:
    override(conf, "test", "{use_case}.left_{over}", {"type": "MemoryDataset"})

    assert find_unused(load("test")["catalog"]) == {"{use_case}.left_{over}"}


def test_no_layers_lead_to_each_other(load: Load) -> None:
    assert find_layers_in_a_circle(load("base")["catalog"]) == set()


def test_layers_that_lead_to_each_other_are_found(load: Load) -> None:
    entries = dict(load("base")["catalog"])
    history = {**entries["{use_case}.drift_history"], "metadata": {"kedro-viz": {"layer": "6 reporting"}}}
    found = find_layers_in_a_circle(entries | {"{use_case}.drift_history": history})

    assert found == {frozenset({"5 model output", "6 reporting"})}


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_store_of_every_use_case_is_governed(environment: str, conf: Path, load: Load) -> None:
    use_cases = find_use_cases(conf / "base")

    assert "housing" in use_cases
    assert find_ungoverned(load(environment)["catalog"], use_cases) == set()


@pytest.mark.parametrize("lost", ["metadata", "validator"])
def test_an_ungoverned_store_is_found(lost: str, conf: Path, load: Load) -> None:
    edit_base(conf, lambda content: content["housing.label_store"].pop(lost))

    assert find_ungoverned(load("base")["catalog"], ["housing"]) == {"housing.label_store"}


def test_every_governed_column_is_flagged(conf: Path) -> None:
    for use_case in find_use_cases(conf / "base"):
        contract = read_contract(conf / "base" / use_case / "catalog.yml", as_of=date.max)
        assert set(contract.datasets) >= {"feature_store", "label_store"}


@pytest.mark.parametrize("key", ["type", "flags", "use", "description"])
def test_a_column_without_a_flag_is_refused(key: str, conf: Path) -> None:
    file = edit_base(
        conf, lambda content: content["housing.feature_store"]["metadata"]["rai"]["columns"]["RM"].pop(key)
    )

    with pytest.raises(ContractError, match=rf"(?s)The key '{key}' is missing.*column RM"):
        read_contract(file, as_of=date.max)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_flags_are_identical_in_every_environment(environment: str, load: Load) -> None:
    base = contracts(load("base"))

    compare_with_base("contract", base, contracts(load(environment)), environment=environment)

    assert base["housing.feature_store"]["columns"]["LSTAT"]["flags"] == ["risky", "demographic"]


@pytest.mark.parametrize("environment", ["local", "test", "prod"])
def test_an_environment_that_weakens_a_flag_is_refused(environment: str, conf: Path, load: Load) -> None:
    weaker = {"metadata": {"rai": {"columns": {"LSTAT": {"flags": []}}}}}
    override(conf, environment, "housing.feature_store", weaker)

    with pytest.raises(ContractOverrideError, match=r"(?s)feature_store, columns, LSTAT, flags.*says \['risky'"):
        compare_with_base("contract", contracts(load("base")), contracts(load(environment)), environment=environment)


def test_an_environment_that_drops_the_metadata_is_refused(conf: Path, load: Load) -> None:
    override(conf, "prod", "housing.feature_store", {"metadata": None})

    with pytest.raises(ContractOverrideError, match=r"'prod' says None"):
        compare_with_base("contract", contracts(load("base")), contracts(load("prod")), environment="prod")


def test_an_environment_that_adds_a_column_is_refused(conf: Path, load: Load) -> None:
    added = {"metadata": {"rai": {"columns": {"EXTRA": {"flags": []}}}}}
    override(conf, "prod", "housing.feature_store", added)

    with pytest.raises(ContractOverrideError, match=r"columns, EXTRA"):
        compare_with_base("contract", contracts(load("base")), contracts(load("prod")), environment="prod")


def test_soft_merge_keeps_flags_where_only_a_path_is_overridden(conf: Path, load: Load) -> None:
    override(conf, "prod", "housing.feature_store", {"filepath": "elsewhere"})
    base = contracts(load("base"))

    loader = load("prod")

    compare_with_base("contract", base, contracts(loader), environment="prod")
    assert loader["catalog"]["housing.feature_store"]["filepath"] == "elsewhere"


def test_without_soft_merge_the_same_override_loses_the_flags(conf: Path, load: Load) -> None:
    override(conf, "prod", "housing.feature_store", {"type": "MemoryDataset"})
    base = contracts(load("base"))

    loader = load("prod", merge_strategy={})

    assert contracts(loader)["housing.feature_store"] is None
    with pytest.raises(ContractOverrideError, match=r"'prod' says None"):
        compare_with_base("contract", base, contracts(loader), environment="prod")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_layers_say_which_datasets_are_risky(environment: str, load: Load) -> None:
    assert find_quietly_risky(load(environment)["catalog"]) == set()


def test_a_risky_dataset_in_a_plain_layer_is_found(conf: Path, load: Load) -> None:
    override(conf, "local", "housing.feature_store", {"metadata": {"kedro-viz": {"layer": "feature store"}}})

    assert find_quietly_risky(load("local")["catalog"]) == {"housing.feature_store"}
