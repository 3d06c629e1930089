"""The evidence record in the catalogue: monitoring enters its months by saving them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rai_kedro.datasets.base import PathDataset
from rai_kedro.datasets.candidate_model import handed_on

if TYPE_CHECKING:
    from rai_kedro.release import Entry, MonthEntry


class RecordDataset(PathDataset["Sequence[MonthEntry]", "list[Entry]"]):
    """Appends an entry for every month of which the record says something else, or nothing; loads all entries.

    It only grows: what is there already is not entered again, and nothing is ever removed.

    Examples:
        In the catalogue::

            "{use_case}.record":
              type: rai_kedro.datasets.record.RecordDataset
              filepath: data/08_reporting/evidence/{use_case}.jsonl
    """

    def load(self) -> list[Entry]:
        """Return the entries in order, none where there is no file yet; EvidenceError if the chain does not hold."""
        from rai_kedro.release import read_evidence

        with handed_on():
            return read_evidence(self._filepath)

    def save(self, data: Sequence[MonthEntry]) -> None:
        """Enter months; EvidenceError if the record does not hold or cannot be written."""
        from rai_kedro.release import record_months

        if data:
            with handed_on():
                record_months(self._filepath, data, datetime.now(UTC).isoformat(timespec="seconds"))
