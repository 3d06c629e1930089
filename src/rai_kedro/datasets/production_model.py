"""Kedro datasets that load the model in production and reference data: only of versions that a person approved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from kedro.io import AbstractDataset, DatasetError

from rai_kedro.datasets.candidate_model import handed_on
from rai_kedro.months import read_period

if TYPE_CHECKING:
    import pandas as pd

    from rai_kedro.release import ProductionModel

_Loaded = TypeVar("_Loaded")


class _ApprovedDataset(AbstractDataset[NoReturn, _Loaded]):
    """What is loaded of a registered model by the approvals in its evidence record; nothing is ever saved."""

    def __init__(self, *, registered_model_name: str, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the registered model and its evidence record, ``filepath`` because Kedro makes this key absolute."""
        self._registered_model_name = registered_model_name
        self._filepath = Path(filepath)
        self.metadata = metadata

    def _describe(self) -> dict[str, Any]:
        return {"registered_model_name": self._registered_model_name, "filepath": str(self._filepath)}


class ProductionModelDataset(_ApprovedDataset["ProductionModel"]):
    """Loads the approved version under alias ``production`` with its reference data and contract.

    The check is here and not in a hook, because Kedro runs no dataset hooks in the workers of a
    ``ParallelRunner``.

    Example:
        In the catalogue::

            housing.production_model:
              type: rai_kedro.datasets.production_model.ProductionModelDataset
              registered_model_name: housing
              filepath: data/08_reporting/evidence/housing.jsonl
    """

    def load(self) -> ProductionModel:
        """Load after checking alias, tags, evidence record and files; an error says which check failed."""
        from mlflow import MlflowClient

        from rai_kedro.release import load_production

        with handed_on():
            return load_production(MlflowClient(), self._registered_model_name, self._filepath)

    def save(self, data: NoReturn) -> None:
        """Refuse with a ``DatasetError``: a model comes into production by a person's approval only."""
        name = self._registered_model_name
        raise DatasetError(
            f"Nothing is saved to production. A version of {name} gets there with "
            f"`kedro rai approve --use-case {name} --version N --reviewer NAME --statement TEXT`"
        )

    def _exists(self) -> bool:
        from mlflow import MlflowClient

        from rai_kedro.release import PRODUCTION, find_aliases

        return PRODUCTION in find_aliases(MlflowClient(), self._registered_model_name)


class ReferencesDataset(_ApprovedDataset["References"]):
    """Loads a function from version number to that version's reference data, each checked when it is asked for.

    In the catalogue it has the keys of `ProductionModelDataset`.
    """

    def load(self) -> References:
        """Return the look-up, which can be sent to a worker process and raises as `load_reference` does."""
        return References(self._registered_model_name, self._filepath)

    def save(self, data: NoReturn) -> None:
        """Refuse with a ``DatasetError``: reference data belong to their version from its training on."""
        raise DatasetError("Nothing is saved as reference data: training stores them with the version.")

    def _exists(self) -> bool:
        return self._filepath.is_file()


@dataclass(frozen=True)
class References:
    """What months are compared with: the reference data of a version, and the months it was trained on."""

    name: str
    evidence_path: Path

    def __call__(self, version: str) -> pd.DataFrame:
        """Return the version's reference data, checked."""
        from mlflow import MlflowClient

        from rai_kedro.release import load_reference

        return load_reference(MlflowClient(), self.name, version, self.evidence_path)

    def months_trained_on(self, version: str) -> tuple[str, ...]:
        """Return the months the version was trained on; none where its tag does not say."""
        from mlflow import MlflowClient

        from rai_kedro.release import Tag, find_version

        return read_period(find_version(MlflowClient(), self.name, version).tags.get(Tag.MONTH, ""))
