"""Which use case a command is about where none is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kedro.framework.project import configure_project

from rai_kedro.commands.errors import explain
from rai_kedro.commands.project import UnknownUseCaseError, choose_use_case
from rai_kedro.pipeline_registry import register_pipelines

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project as it comes, nothing run."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (tmp_path / "conf" / "local").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KEDRO_ENV", raising=False)
    configure_project("rai_kedro")
    return tmp_path


def put_on_record(project: Path, use_case: str) -> None:
    record = project / "data" / "08_reporting" / "evidence" / f"{use_case}.jsonl"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.touch()


def add_own(project: Path, name: str) -> None:
    shutil.copytree(project / "conf/base/housing", project / "conf/base" / name)
    catalog = project / "conf/base" / name / "catalog.yml"
    catalog.write_text(catalog.read_text().replace("housing", name))


def test_nothing_is_assumed_before_anything_ran(project: Path) -> None:
    with pytest.raises(UnknownUseCaseError, match=r"(?s)which use case is meant.*none has run.*hospital, housing"):
        choose_use_case(None)


def test_the_only_one_that_ran_or_is_of_your_own_is_meant(project: Path) -> None:
    put_on_record(project, "housing")
    assert choose_use_case(None) == "housing"

    add_own(project, "rents")
    with pytest.raises(UnknownUseCaseError, match=r"(?s)2 of your own, or with a run.*housing, rents"):
        choose_use_case(None)

    shutil.rmtree(project / "data")
    assert choose_use_case(None) == "rents"


def test_a_stage_without_a_use_case_is_nobodys_once_one_of_your_own_is_there_among_others(project: Path) -> None:
    assert "monitoring" in register_pipelines()
    add_own(project, "rents")
    assert not {"monitoring", "__default__"} & set(register_pipelines())
    asked = explain(ValueError("Failed to find the pipeline named 'monitoring'. It needs to be …")) or ""
    assert "which use case is meant" in asked
    assert "hospital, housing, rents" in asked
    assert "kedro run --pipelines hospital.monitoring" in asked

    for name in ("housing", "hospital"):
        shutil.rmtree(project / "conf/base" / name)
    alone = register_pipelines()
    assert alone["monitoring"] == alone["rents.monitoring"]
