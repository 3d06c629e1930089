"""Alerts in the catalogue: what was told before is loaded, what is new is delivered by saving it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from rai_kedro.files import project_folder
from rai_kedro.monitoring import MOST_REFUSALS, Alert, Delivery, Receiver, deliver, read_alerts

_PAGE = "monitoring.html"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outbox:
    """New alerts, and whom they are for."""

    alerts: tuple[Alert, ...]
    receivers: tuple[Receiver, ...]


class AlertsDataset(AbstractDataset[Outbox, list[Alert]]):
    """Delivers alerts to every receiver, keeps those that were not taken, and tries them again at the next save.

    Whatever goes wrong is logged and ends no run: its results are stored by then, and the next run delivers the rest.

    Examples:
        In the catalogue::

            "{use_case}.alerts":
              type: rai_kedro.datasets.alerts.AlertsDataset
              filepath: data/08_reporting/{use_case}/alerts.jsonl

    Attributes:
        environment: Whose receivers are told; the project's context says it.
    """

    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Take the file that keeps what was raised and what was delivered."""
        self._filepath, self.metadata = Path(filepath), metadata
        self.environment = ""

    def load(self) -> list[Alert]:
        """Return every alert raised so far in this environment, delivered or not."""
        return read_alerts(self._filepath, self.environment)

    def save(self, data: Outbox) -> None:
        """Deliver new alerts, with the path of the page that shows the month, and those that wait."""
        try:
            page, project = self._filepath.with_name(_PAGE), project_folder()
            link = str(page.relative_to(project) if page.is_relative_to(project) else page)
            alerts = [one.model_copy(update={"link": link}) for one in data.alerts]
            _report(deliver(alerts, data.receivers, self._filepath, datetime.now(UTC), self.environment))
        except Exception as error:  # an alert that cannot be sent must not undo the run that raised it
            _log.warning("  alerts not delivered, the next run tries again: %s", error)

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath)}

    def _exists(self) -> bool:
        return self._filepath.is_file()


def _report(done: Delivery) -> None:
    if done.attempts:
        _log.info("  alerts: %d delivered, %d waiting", len(done.attempts) - len(done.failures), done.waiting)
    for one in done.failures:
        _log.warning("  %s: %s", one.receiver, one.status)
    if done.given_up:
        _log.warning(
            "  alerts: %d given up after %d refusals; what they say stands in the alerts' state",
            done.given_up,
            MOST_REFUSALS,
        )
    if done.unreadable:
        _log.warning("  %d lines of the alerts' state cannot be read: an alert may be sent twice", done.unreadable)
