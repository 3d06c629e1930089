"""The notebook that reads the stores as a dashboard does, on stores made for it."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pandas as pd
import pytest
from nbclient import NotebookClient

from rai_kedro.datasets.month_store import MonthStore

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "dashboard.ipynb"


@pytest.mark.slow
def test_every_month_is_shown_with_its_verdict(tmp_path: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    (tmp_path / "pyproject.toml").touch()
    for month, verdict in (("2024-01", "ok"), ("2024-02", "alarm")):
        said, key = {"month": month, "model_version": "1"}, f"month={month}/model_version=1"
        frames = {
            "prediction_store": pd.DataFrame({**said, "tract": [1, 2], "prediction": [20.5, 30.5]}),
            "verdict_store": pd.DataFrame([{**said, "verdict": verdict, "summary": f"{verdict}: MAE"}]),
        }
        for name, frame in frames.items():
            folder = tmp_path / "data/07_model_output/housing" / name
            MonthStore(filepath=folder, partition_by=["month", "model_version"]).save({key: frame})

    NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}).execute()

    table, figure = (cell.outputs[-1]["data"] for cell in notebook.cells if cell.cell_type == "code" and cell.outputs)
    assert "alarm: MAE" in table["text/plain"]
    assert "25.5" in table["text/plain"]
    assert {trace["name"] for trace in figure["application/vnd.plotly.v1+json"]["data"]} == {"ok", "alarm"}
