"""What the evidence record says of a policy that became stricter after an approval."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NoReturn

from kedro.io import DatasetError

from rai_kedro import release
from rai_kedro.datasets.base import PathDataset
from rai_kedro.datasets.candidate_model import handed_on


class PolicyRecord(PathDataset[dict[str, Any], NoReturn]):
    """Adds an entry to the evidence record for a policy that is not that of the training; once for each such policy.

    Example:
        In the catalogue::

            housing.policy_record:
              type: rai_kedro.datasets.policy_record.PolicyRecord
              filepath: data/08_reporting/evidence/housing.jsonl
    """

    def save(self, data: dict[str, Any]) -> None:
        """Record a `rai_kedro.release.PolicyChange`, plain, unless it stands there last; nothing where it is empty."""
        if not data:
            return
        with handed_on():
            entries = [entry.body for entry in release.read_evidence(self._filepath) if entry.kind == release.POLICY]
            if not entries or dict(entries[-1]) != data:
                release.append_evidence(
                    self._filepath, release.POLICY, data, datetime.now(UTC).isoformat(timespec="seconds")
                )

    def load(self) -> NoReturn:
        """Refuse: the record is read by `kedro rai verify`."""
        raise DatasetError("A policy is not read from the record; conf/base has today's, the manifest the trained one.")
