"""The page of the reviewer and the page that links all others, written anew after every run."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from kedro.framework.context import KedroContext
from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog

from rai_kedro import report
from rai_kedro.files import write_text
from rai_kedro.hooks.review_page import REVIEW_PAGE, try_to_write_review

_log = logging.getLogger(__name__)
_FOLDER = "08_reporting"
_TIMELINE = "monitoring.json"


class ReportIndexHook:
    """Looks at what pages are on disk once a run is over, also one that failed; data elsewhere have no index."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._catalog: DataCatalog | None = None

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Take the root of the data from the environment's globals."""
        root = str(context.config_loader["globals"].get("data_root", "data"))
        self._folder = None if "://" in root else Path(context.project_path) / root / _FOLDER

    @hook_impl
    def after_catalog_created(self, catalog: DataCatalog) -> None:
        """Keep the catalogue, which knows where records and reports are."""
        self._catalog = catalog

    @hook_impl
    def after_pipeline_run(self) -> None:
        """Write both pages."""
        if self._catalog is not None and self._folder is not None and self._folder.is_dir():
            try_to_write_review(self._catalog, self._folder)
        self._write()

    @hook_impl
    def on_pipeline_error(self) -> None:
        """Write the index of what there is all the same; MLflow, which a review needs, may be what failed."""
        self._write()

    def _write(self) -> None:
        if self._folder is None or not self._folder.is_dir():
            return
        try:
            write_index(self._folder)
        except (OSError, ValueError) as error:
            # The run's own outcome matters more than a page of links.
            _log.warning("The index of reports could not be written: %s", error)


def write_index(folder: Path) -> None:
    """Write ``index.html`` into a folder that has one folder for each use case."""
    pages = [
        page.relative_to(folder).as_posix()
        for pattern in ("*/*.html", "*/drift/*.html")
        for page in folder.glob(pattern)
    ]
    timelines: dict[str, dict[str, Any]] = {
        path.parent.name: json.loads(path.read_text("utf-8")) for path in folder.glob(f"*/{_TIMELINE}")
    }
    review = REVIEW_PAGE if (folder / REVIEW_PAGE).is_file() else ""
    write_text(folder / "index.html", report.render_index(pages, timelines, review=review))
