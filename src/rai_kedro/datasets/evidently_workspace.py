"""Evidently's workspace in the catalogue: one project a registered model, one run a month."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rai_kedro import monitoring
from rai_kedro.datasets.base import PathDataset
from rai_kedro.files import project_folder


class EvidentlyWorkspaceDataset(PathDataset[Sequence[monitoring.MonthRecord], list[str]]):
    """Publishes months into a local Evidently workspace and keeps the dashboard of the model up to date.

    It is saved from all months there are, and writes only what differs: a lost or damaged workspace is made again. Each
    month is also written as a self-contained HTML page.

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
        """Point to the workspace, which all models share, and to the pages of one model, whose name the project has."""
        super().__init__(filepath=filepath, metadata=metadata)
        # Kedro places what is called 'filepath' alone in the project, from wherever in it a run is started.
        self._html_folder, self._project = project_folder() / html_folder, project

    def load(self) -> list[str]:
        """Return the keys of the months that are there, run and page, as ``month=2024-05/model_version=3``."""
        published = monitoring.find_published(self._filepath, self._project)
        return [
            f"month={month}/model_version={of}" for month, of in sorted(published) if self._page(month, of).is_file()
        ]

    def save(self, data: Sequence[monitoring.MonthRecord]) -> None:
        """Publish of all months those that are not there or say something else by now, and the dashboard over them."""
        published = monitoring.find_published(self._filepath, self._project)
        changed = False
        for record in data:
            key, page = (record.month, record.model_version), self._page(record.month, record.model_version)
            if published.get(key) != monitoring.digest_record(record) or not page.is_file():
                monitoring.save_html(monitoring.publish_month(self._filepath, self._project, record), page)
                changed = True
        if changed:
            monitoring.rebuild_dashboard(self._filepath, self._project, data)

    def remove(self) -> None:
        """Remove the model's project and its monthly pages, for ``kedro rai reset``."""
        monitoring.remove_project(self._filepath, self._project)
        for page in self._html_folder.glob("*_version_*.html"):
            page.unlink()

    def withdraw(self, month: str, model_version: str) -> None:
        """Remove one month, before it is scored again."""
        self._page(month, model_version).unlink(missing_ok=True)
        monitoring.withdraw_month(self._filepath, self._project, month, model_version)

    def _page(self, month: str, model_version: str) -> Path:
        return self._html_folder / f"{month}_version_{model_version}.html"

    def _describe(self) -> dict[str, Any]:
        return {**super()._describe(), "project": self._project}
