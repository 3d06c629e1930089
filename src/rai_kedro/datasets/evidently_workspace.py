"""Evidently's workspace in the catalogue: one project a registered model, one run a month."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from rai_kedro.monitoring import MonthDrift, publish_month, rebuild_dashboard, remove_project, save_html


class EvidentlyWorkspaceDataset(AbstractDataset[Sequence[MonthDrift], Path]):
    """Publishes months into a local Evidently workspace and keeps the dashboard of the model up to date.

    Saving a month again replaces it. Each month is also written as a self-contained HTML page.

    Examples:
        In the catalogue::

            "{use_case}.evidently_workspace":
              type: rai_kedro.datasets.evidently_workspace.EvidentlyWorkspaceDataset
              filepath: data/08_reporting/evidently
              html_folder: data/08_reporting/{use_case}/drift
              project: "{use_case}"
    """

    def __init__(
        self, *, filepath: str, html_folder: str, project: str, metadata: dict[str, Any] | None = None
    ) -> None:
        """Point to the workspace.

        Args:
            filepath: Folder of the workspace, shared by all models.
            html_folder: Folder for the monthly pages.
            project: Name of the Evidently project: the registered model's name.
            metadata: Anything for tools such as kedro-viz.
        """
        self._filepath = Path(filepath)
        self._html_folder = Path(html_folder)
        self._project = project
        self.metadata = metadata

    def load(self) -> Path:
        """Return the workspace folder, for ``evidently ui --workspace``."""
        return self._filepath

    def save(self, data: Sequence[MonthDrift]) -> None:
        """Publish months, then rebuild the dashboard from the last of them; nothing happens for no months."""
        for drift in data:
            run = publish_month(self._filepath, self._project, drift)
            save_html(run, self._html_folder / f"{drift.month}_version_{drift.model_version}.html")
        if data:
            rebuild_dashboard(self._filepath, self._project, data[-1])

    def remove(self) -> None:
        """Remove the model's project and its monthly pages, for ``kedro rai reset``."""
        remove_project(self._filepath, self._project)
        for page in self._html_folder.glob("*_version_*.html"):
            page.unlink()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "project": self._project}

    def _exists(self) -> bool:
        return self._filepath.exists()
