"""How the evidence record counts the trainings that looked at the rows of a registered plan."""

from __future__ import annotations

from datetime import UTC, datetime

from rai_kedro import release
from rai_kedro.datasets.base import PathDataset
from rai_kedro.datasets.candidate_model import handed_on
from rai_kedro.policy import Look, Plan, take_look


class PlanLook(PathDataset[Plan, Look]):
    """Saving what a training would measure records a look, where a plan is registered; loading says which it is.

    Example:
        In the catalogue::

            housing.look:
              type: rai_kedro.datasets.plan_look.PlanLook
              filepath: data/08_reporting/evidence/housing.jsonl
    """

    def save(self, data: Plan) -> None:
        """Record the look before its figures are there; nothing without a plan on record."""
        with handed_on():
            bodies = [entry.body for entry in release.read_evidence(self._filepath) if entry.kind == release.PLAN]
            registered = [one for one in bodies if "plan" in one]
            looks = [one["look"] for one in bodies if "look" in one]
            look = take_look(data, registered, looks)
            if look is not None:
                now = datetime.now(UTC).isoformat(timespec="seconds")
                release.append_evidence(self._filepath, release.PLAN, {"look": look.to_dict()}, now)

    def load(self) -> Look:
        """Return the newest look; one that counts nothing where there is no plan."""
        with handed_on():
            entries = [entry for entry in release.read_evidence(self._filepath) if entry.kind == release.PLAN]
        looks = [entry.body["look"] for entry in entries if "look" in entry.body]
        return Look.from_dict(looks[-1]) if looks else Look()
