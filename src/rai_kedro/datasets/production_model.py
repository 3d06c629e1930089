"""Kedro datasets that load the model in production and reference data: only of versions that a person approved."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NoReturn, TypeVar

from rai_kedro import monitoring, release
from rai_kedro.datasets.base import ModelDataset, ReadOnly, Trusting
from rai_kedro.datasets.candidate_model import handed_on

Out = TypeVar("Out")


class _Approved(Trusting, ModelDataset[NoReturn, Out]):
    """What is loaded only with an approval that counts: by a reviewer of conf/base/reviewers.yml."""


class ProductionModelDataset(ReadOnly, _Approved["release.ProductionModel"]):
    """Loads the approved version under alias ``production`` with its reference data and contract.

    Its file is the model's evidence record, which holds the approvals.

    The check is here and not in a hook, because Kedro runs no dataset hooks in the workers of a
    ``ParallelRunner``.

    Example:
        In the catalogue::

            housing.production_model:
              type: rai_kedro.datasets.production_model.ProductionModelDataset
              registered_model_name: housing
              filepath: data/08_reporting/evidence/housing.jsonl
    """

    refusal = (
        "Nothing is saved to production. A version of {registered_model_name} gets there with "
        "`kedro rai approve --use-case {registered_model_name} --version N --statement TEXT`"
    )

    def load(self) -> release.ProductionModel:
        """Load after checking alias, tags, evidence record, signature and files; an error says which check failed."""
        from mlflow import MlflowClient

        with handed_on():
            return release.load_production(MlflowClient(), self._registered_model_name, self._filepath, self.trust)

    def _exists(self) -> bool:
        from mlflow import MlflowClient

        return release.PRODUCTION in release.find_aliases(MlflowClient(), self._registered_model_name)


class ReferencesDataset(ReadOnly, _Approved["References"]):
    """Loads a function from version number to that version's reference data, each checked when it is asked for.

    In the catalogue it has the keys of `ProductionModelDataset`.
    """

    refusal = "Nothing is saved as reference data: training stores them with the version."

    @cached_property
    def _references(self) -> References:
        return References(self._registered_model_name, self._filepath, self.trust)

    def load(self) -> References:
        """Return the look-up, which raises as `load_reference` does; of one dataset always the same."""
        return self._references


@dataclass(frozen=True)
class References:
    """What months are held against, by model version; each version is checked and read once, even if in vain.

    Else a server that is gone would be waited for in every month anew.
    """

    name: str
    evidence_path: Path
    trust: release.Trust
    _known: dict[str, monitoring.VersionReference | Exception] = field(default_factory=dict, compare=False, repr=False)

    def __call__(self, version: str) -> monitoring.VersionReference:
        """Return what the version's months are held against, checked."""
        if version not in self._known:
            try:
                self._known[version] = self._read(version)
            except Exception as error:  # whatever it is, it is raised below
                self._known[version] = error
        found = self._known[version]
        if isinstance(found, Exception):
            raise found
        return found

    def _read(self, version: str) -> monitoring.VersionReference:
        from mlflow import MlflowClient

        client = MlflowClient()
        found = release.load_reference(client, self.name, version, self.evidence_path, self.trust)
        return monitoring.VersionReference(
            found.rows, monitoring.Baseline.from_dict(dict(found.baseline)), found.trained_on
        )
