"""The evidence record in the catalogue: monitoring enters its months by saving them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rai_kedro import release
from rai_kedro.datasets.base import PathDataset
from rai_kedro.datasets.candidate_model import handed_on


class RecordDataset(PathDataset["Sequence[release.MonthEntry]", "list[release.Entry]"]):
    """Appends an entry for every month of which the record says something else, or nothing; loads all entries.

    It only grows: what is there already is not entered again, and nothing is ever removed.

    Examples:
        In the catalogue::

            "{use_case}.record":
              type: rai_kedro.datasets.record.RecordDataset
              filepath: data/08_reporting/evidence/{use_case}.jsonl
    """

    def load(self) -> list[release.Entry]:
        """Return the entries in order, none where there is no file yet; EvidenceError if the chain does not hold."""
        with handed_on():
            return release.read_evidence(self._filepath)

    def save(self, data: Sequence[release.MonthEntry]) -> None:
        """Enter months; EvidenceError if the record does not hold or cannot be written."""
        if data:
            with handed_on():
                release.record_months(self._filepath, data, datetime.now(UTC).isoformat(timespec="seconds"))
