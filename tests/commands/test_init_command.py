"""A project of one's own: what it is begun with, and that nothing is overwritten."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.framework.project import configure_project, pipelines
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from rai_kedro.commands.errors import explain
from rai_kedro.commands.init import command, make_project
from rai_kedro.errors import RaiError
from rai_kedro.files import shipped_folder

ROOT = Path(__file__).resolve().parents[2]


def test_a_project_has_the_configuration_of_this_one_and_none_of_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / 'a "quoted" näme'
    monkeypatch.chdir(tmp_path)
    outcome = CliRunner().invoke(command, [str(folder)])
    assert outcome.exit_code == 0, outcome.output
    assert "kedro rai new-use-case loans" in outcome.output

    for file in (folder / "conf").rglob("*.yml"):
        assert file.read_bytes() == (ROOT / file.relative_to(folder)).read_bytes()
    assert not list(folder.rglob("*.py"))
    assert bootstrap_project(folder).project_name == folder.name
    monkeypatch.chdir(folder)
    assert dict(pipelines) == {}
    try:
        with pytest.raises(ValueError, match="__default__") as asked:
            raise ValueError("Failed to find the pipeline named '__default__'. It needs to be generated …")
        assert "There is no use case yet" in (explain(asked.value) or "")
    finally:
        configure_project("rai_kedro")


def test_what_the_wheel_carries_is_what_a_project_begins_with(tmp_path: Path) -> None:
    make_project(tmp_path / "made")
    begun = {str(file.relative_to(tmp_path / "made")) for file in (tmp_path / "made" / "conf").rglob("*.yml")}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    carried = settings["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert carried == {name: f"rai_kedro/project/{name}" for name in begun}
    assert shipped_folder() == ROOT  # no second copy beside the code


@pytest.mark.parametrize("there", ["a folder with a file", "a file"])
def test_nothing_is_overwritten(there: str, tmp_path: Path) -> None:
    kept = tmp_path / "made" if there == "a file" else tmp_path / "made" / "kept.txt"
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("mine")
    with pytest.raises(RaiError, match=r"(?s)something here already.*name a folder that is not there"):
        make_project(tmp_path / "made")
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [kept]


def test_an_empty_folder_is_filled_and_stays_the_folder_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    make_project(tmp_path)
    assert (tmp_path / "conf/base/catalog.yml").is_file()
    assert tmp_path.stat().st_ino == before


def test_a_project_of_an_older_release_is_refused_before_anything_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "older"
    make_project(folder)
    catalog = folder / "conf" / "base" / "catalog.yml"
    text = catalog.read_text(encoding="utf-8")
    catalog.write_text(text.replace('"{use_case}.outcome_store"', '"{use_case}.results"'), encoding="utf-8")
    monkeypatch.chdir(folder)
    try:
        bootstrap_project(folder)
        with KedroSession.create(project_path=folder) as session:
            with pytest.raises(RaiError, match=r"(?s)lacks.*1 of those.*\.outcome_store.*copy .*over it"):
                session.load_context().catalog  # noqa: B018 - made when it is asked for
    finally:
        configure_project("rai_kedro")
