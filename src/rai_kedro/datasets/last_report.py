"""What an earlier run left behind as JSON, read where there may be nothing yet."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

from rai_kedro.datasets.base import PathDataset, ReadOnly
from rai_kedro.files import locked, write_text

_PATIENCE_SECONDS = 30.0
_In = TypeVar("_In")


class _Kept(PathDataset[_In, dict[str, Any]]):
    def load(self) -> dict[str, Any]:
        """Return what is there; an empty mapping when there is nothing."""
        if not self._filepath.exists():
            return {}
        content: dict[str, Any] = json.loads(self._filepath.read_text(encoding="utf-8"))
        return content


class LastReport(ReadOnly, _Kept[NoReturn]):
    """Reads a JSON report that another stage writes; an empty mapping where it has not run yet.

    Examples:
        In the catalogue::

            "{use_case}.proxy_history":
              type: rai_kedro.datasets.last_report.LastReport
              filepath: data/08_reporting/{use_case}/proxies.json
    """

    refusal = "The stage that makes this report writes it under its own entry: {filepath}."


class CarbonRecord(_Kept[dict[str, Any]]):
    """Energy and emissions by task, as JSON; loading says "not measured" when nothing was written.

    The carbon hook writes it while the pipeline runs; nodes only read it. A task's record has ``energy_kwh,
    emissions_g, duration_s, method, scope, country``, or ``reason`` when it was not measured.
    """

    def save(self, data: dict[str, Any]) -> None:
        """Replace the record, whole or not at all."""
        write_text(self._filepath, json.dumps(data, indent=2) + "\n")

    def add(self, records: dict[str, Any]) -> None:
        """Put records beside those that are there, whoever else is adding to them at the moment."""
        with locked(self._filepath.with_name(f".{self._filepath.stem}.lock"), wait=_PATIENCE_SECONDS):
            self.save({**self.load(), **records})
