"""The short notebook on fairness: every cell runs, and what its text says is what came out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "fairness_in_five_minutes.ipynb"


@pytest.fixture(scope="module")
def notebook() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def _shown(notebook: Any) -> list[str]:
    outputs = (output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs)
    return [output["data"]["text/plain"] for output in outputs if "data" in output]


def test_outputs_are_stored_and_small(notebook: Any) -> None:
    assert all("ename" not in output for cell in notebook.cells for output in cell.get("outputs", ()))
    assert NOTEBOOK.stat().st_size < 60_000
    assert any("insufficient evidence" in text for text in _shown(notebook))


@pytest.mark.slow
def test_every_cell_runs_and_shows_what_is_stored(notebook: Any) -> None:
    again = nbformat.from_dict(notebook)
    place = {"metadata": {"path": str(NOTEBOOK.parent)}}
    NotebookClient(again, timeout=120, kernel_name="python3", resources=place).execute()
    assert _shown(again) == _shown(notebook)
