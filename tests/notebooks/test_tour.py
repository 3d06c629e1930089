"""The tour notebook: clean as committed, and every cell runs in a copy of the project."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[2]
TOUR = ROOT / "notebooks" / "tour.ipynb"
PLOTLY = "application/vnd.plotly.v1+json"


@pytest.fixture(scope="module")
def notebook() -> Any:
    return nbformat.read(TOUR, as_version=4)


@pytest.fixture(scope="module")
def executed(notebook: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The notebook after a run, in the folder where a reader would open it."""
    project = tmp_path_factory.mktemp("project")
    for file in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / file, project)
    for folder in ("conf", "src", "data/01_raw", "notebooks"):
        shutil.copytree(ROOT / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__", "local"))
    (project / "conf" / "local").mkdir(exist_ok=True)
    copy = nbformat.from_dict(notebook)
    NotebookClient(
        copy, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(project / "notebooks")}}
    ).execute()
    return copy


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def output_of(notebook: Any, source: str) -> str:
    """Return all text that the one cell with this source has put out."""
    (cell,) = [cell for cell in code_cells(notebook) if source in cell.source]
    texts = [output.get("text", "") for output in cell.outputs]
    texts += [output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(texts)


def test_committed_without_outputs(notebook: Any) -> None:
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(notebook))


@pytest.mark.slow
class TestExecuted:
    def test_contract_shows_the_flags(self, executed: Any) -> None:
        table = output_of(executed, "read_contract(")
        assert re.search(r"LSTAT\s+audit\s+risky, demographic", table)

    def test_flagged_column_is_refused_with_the_ways_out(self, executed: Any) -> None:
        refusal = output_of(executed, "except LaneError")
        assert "The model asks for 'LSTAT'" in refusal
        assert "justification" in refusal

    def test_lanes_are_apart(self, executed: Any) -> None:
        lanes = dict(line.split(": ") for line in output_of(executed, "split_lanes(").strip().splitlines())
        assert lanes["columns for the audit only"].split() == ["B", "LSTAT"]
        assert not {"B", "LSTAT"} & set(lanes["columns the model may use"].split())

    def test_version_is_approved(self, executed: Any) -> None:
        assert "is approved (demo, not a person's review)" in output_of(executed, "ReviewRequest(")

    def test_drift_is_found_where_it_was_put(self, executed: Any) -> None:
        rows = output_of(executed, "shifted by the simulation").splitlines()
        found = {match[0]: "CRIM" in row for row in rows if (match := re.search(r"\d{4}-\d{2}", row))}
        assert found == {f"2024-{month:02d}": month >= 5 for month in range(1, 7)}

    def test_figures_are_drawn(self, executed: Any) -> None:
        drawn = [cell for cell in code_cells(executed) if any(PLOTLY in o.get("data", {}) for o in cell.outputs)]
        assert [cell.source for cell in drawn] == [
            'catalog.load("housing.figures")["groups"]',
            'catalog.load("housing.monitoring_figures")["performance_MAE"]',
        ]
