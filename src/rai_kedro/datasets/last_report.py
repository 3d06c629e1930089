"""A report as an earlier run left it, read where there may be none yet."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from rai_kedro.datasets.base import PathDataset, ReadOnly


class LastReport(ReadOnly, PathDataset[NoReturn, dict[str, Any]]):
    """Reads a JSON report that another stage writes; an empty mapping where it has not run yet.

    Examples:
        In the catalogue::

            "{use_case}.proxy_history":
              type: rai_kedro.datasets.last_report.LastReport
              filepath: data/08_reporting/{use_case}/proxies.json
    """

    refusal = "The stage that makes this report writes it under its own entry: {filepath}."

    def load(self) -> dict[str, Any]:
        """Return the report; an empty mapping when there is none."""
        if not self._filepath.exists():
            return {}
        content: dict[str, Any] = json.loads(self._filepath.read_text(encoding="utf-8"))
        return content
