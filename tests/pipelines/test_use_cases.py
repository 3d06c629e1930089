"""A use case is a folder of YAML: adding one registers its pipelines and resolves its datasets."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DataCatalog

from rai_kedro.pipeline_registry import register_pipelines
from rai_kedro.settings import CONFIG_LOADER_ARGS

STAGES = ("simulation", "governance", "training", "monitoring")


@pytest.fixture
def project(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(root / "conf", tmp_path / "conf", ignore=shutil.ignore_patterns("local"))
    (tmp_path / "conf" / "local").mkdir()
    shutil.copy(root / "pyproject.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def add_use_case(project: Path, name: str) -> None:
    source, target = project / "conf" / "base" / "housing", project / "conf" / "base" / name
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_text(file.read_text().replace("housing", name))


def test_registered_pipelines(project: Path) -> None:
    pipelines = register_pipelines()

    assert set(pipelines) >= {"housing", "__default__", *STAGES, *(f"housing.{stage}" for stage in STAGES)}
    assert pipelines["__default__"] == pipelines["housing"]
    stages = {tag for node in pipelines["housing"].nodes for tag in node.tags if tag in STAGES}
    assert stages == {"simulation", "governance", "training"}


def test_a_folder_adds_a_use_case(project: Path) -> None:
    assert "other" not in register_pipelines()

    add_use_case(project, "other")

    pipelines = register_pipelines()
    assert {"other", *(f"other.{stage}" for stage in STAGES)} <= set(pipelines)
    assert {node.namespace for node in pipelines["other"].nodes} == {
        "other.simulation",
        "other.governance",
        "other.training",
    }
    assert not any("housing" in name for name in pipelines["other"].datasets())


def test_every_dataset_of_a_new_use_case_resolves(project: Path) -> None:
    add_use_case(project, "other")
    loader = OmegaConfigLoader(conf_source=str(project / "conf"), **CONFIG_LOADER_ARGS)
    catalog = DataCatalog.from_config(loader["catalog"])

    used = {name for stage in STAGES for name in register_pipelines()[f"other.{stage}"].datasets()}
    in_memory = {"target", "identifiers", "data_fingerprint", "unmitigated_model", "model", "model_split"}
    in_memory |= {"audit_train", "audit_test", "compared_models", "model_inputs", "predictions", "months_to_score"}
    in_memory |= {"settings", "settled_settings", "measured", "scoring_problems", "testing_problems"}
    in_memory |= {"measuring_problems", "problems", "reference", "judged_by", "training_drift", "month_digests"}
    in_memory |= {"admitted_lane", "guarded_columns", "disguises", "lane_reads", "reference_reads", "digest_reads"}
    in_memory |= {"judged_by_today", "recording_problems", "plan", "kept_parameters", "given"}
    in_memory |= {"row_repeats", "audit_choose", "fitted_model", "label_changes"}

    unresolved = {name for name in used if not name.startswith("params:") and name not in catalog}
    assert unresolved == {f"other.{name}" for name in in_memory}
    assert {name.removeprefix("params:").split(".")[1] for name in used if name.startswith("params:")} <= set(
        loader["parameters"]["other"]
    )


def test_a_folder_without_catalogue_is_no_use_case(project: Path) -> None:
    (project / "conf" / "base" / "drafts").mkdir()

    assert "drafts" not in register_pipelines()
