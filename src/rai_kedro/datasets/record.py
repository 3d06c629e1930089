"""The evidence record in the catalogue: what monitoring, training and inference enter by saving it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

from kedro.io import DatasetError

from rai_kedro import release
from rai_kedro.datasets.base import PathDataset
from rai_kedro.datasets.candidate_model import handed_on
from rai_kedro.policy import Look, Plan, take_look


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


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
                release.record_months(self._filepath, data, _now())


class PlanLook(PathDataset[Plan, Look]):
    """Saving what a training would measure records a look, where a plan is registered; loading says which it is.

    In the catalogue it has the keys of `RecordDataset`.
    """

    def save(self, data: Plan) -> None:
        """Record the look before its figures are there; nothing without a plan on record."""
        with handed_on():
            look = take_look(data, self._list("plan", whole=True), self._list("look"))
            if look is not None:
                release.append_evidence(self._filepath, release.PLAN, {"look": look.to_dict()}, _now())

    def load(self) -> Look:
        """Return the newest look; one that counts nothing where there is no plan."""
        with handed_on():
            looks = self._list("look")
        return Look.from_dict(looks[-1]) if looks else Look()

    def _list(self, part: str, *, whole: bool = False) -> list[Any]:
        """Return this part of every entry on plans that has it, or those entries."""
        bodies = [entry.body for entry in release.read_evidence(self._filepath) if entry.kind == release.PLAN]
        return [body if whole else body[part] for body in bodies if part in body]


class PolicyRecord(PathDataset[dict[str, Any], NoReturn]):
    """Adds an entry for a policy that became stricter than that of the training; once for each such policy.

    In the catalogue it has the keys of `RecordDataset`.
    """

    def save(self, data: dict[str, Any]) -> None:
        """Record a `rai_kedro.release.PolicyChange`, plain, unless it stands there last; nothing where it is empty."""
        if not data:
            return
        with handed_on():
            bodies = [entry.body for entry in release.read_evidence(self._filepath) if entry.kind == release.POLICY]
            if not bodies or dict(bodies[-1]) != data:
                release.append_evidence(self._filepath, release.POLICY, data, _now())

    def load(self) -> NoReturn:
        """Refuse: the record is read by `kedro rai verify`."""
        raise DatasetError("A policy is not read from the record; conf/base has today's, the manifest the trained one.")
