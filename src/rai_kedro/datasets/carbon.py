"""What a run's carbon measurement left behind."""

from __future__ import annotations

import json
from typing import Any

from rai_kedro.datasets.base import PathDataset
from rai_kedro.files import locked, write_text

_PATIENCE_SECONDS = 30.0


class CarbonRecord(PathDataset[dict[str, Any], dict[str, Any]]):
    """Energy and emissions by task, as JSON; loading says "not measured" when nothing was written.

    The carbon hook writes it while the pipeline runs; nodes only read it. A task's record has ``energy_kwh,
    emissions_g, duration_s, method, scope, country``, or ``reason`` when it was not measured.
    """

    def load(self) -> dict[str, Any]:
        """Return the records by task; an empty mapping when there is none."""
        if not self._filepath.exists():
            return {}
        content: dict[str, Any] = json.loads(self._filepath.read_text(encoding="utf-8"))
        return content

    def save(self, data: dict[str, Any]) -> None:
        """Replace the record, whole or not at all."""
        write_text(self._filepath, json.dumps(data, indent=2) + "\n")

    def add(self, records: dict[str, Any]) -> None:
        """Put records beside those that are there, whoever else is adding to them at the moment."""
        with locked(self._filepath.with_name(f".{self._filepath.stem}.lock"), wait=_PATIENCE_SECONDS):
            self.save({**self.load(), **records})
