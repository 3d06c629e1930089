"""A Kedro dataset that loads the model in production, and only a version that a person approved."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from rai_kedro.datasets.candidate_model import ModelDatasetError
from rai_kedro.errors import RaiError
from rai_kedro.registry.production import ProductionModel, load_production
from rai_kedro.registry.versions import PRODUCTION, find_aliases


class ProductionModelDataset(AbstractDataset[NoReturn, ProductionModel]):
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

    def __init__(self, *, registered_model_name: str, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the model and its record.

        Args:
            registered_model_name: Registered model, which is the use case.
            filepath: The use case's evidence record; so named because Kedro makes this key absolute.
            metadata: Any metadata for users and plugins; ignored by Kedro.
        """
        self._registered_model_name = registered_model_name
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> ProductionModel:
        """Check alias, tags, evidence record and files, then load.

        Returns:
            The model in production.

        Raises:
            ModelDatasetError: No version is approved, or one of the checks failed; the cause says which.
        """
        from mlflow import MlflowClient

        try:
            return load_production(MlflowClient(), self._registered_model_name, self._filepath)
        except RaiError as error:
            raise ModelDatasetError.of(error) from error

    def save(self, data: NoReturn) -> None:
        """Refuse: a model comes into production by a person's approval only.

        Args:
            data: Anything.

        Raises:
            DatasetError: Always.
        """
        name = self._registered_model_name
        raise DatasetError(
            f"Nothing is saved to production. A version of {name} gets there with "
            f"`kedro rai approve --use-case {name} --version N --reviewer NAME --statement TEXT`"
        )

    def _exists(self) -> bool:
        from mlflow import MlflowClient

        return PRODUCTION in find_aliases(MlflowClient(), self._registered_model_name)

    def _describe(self) -> dict[str, Any]:
        return {"registered_model_name": self._registered_model_name, "filepath": str(self._filepath)}
