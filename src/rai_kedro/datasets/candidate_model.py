"""A Kedro dataset that turns a fitted model into a registered candidate."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kedro.io import AbstractDataset, DatasetError

from rai_kedro import release
from rai_kedro.errors import RaiError


class ModelDatasetError(RaiError, DatasetError):
    """An error of a release on its way through Kedro; the original is its ``__cause__``.

    Kedro wraps every other exception of a dataset into a ``DatasetError`` with a long message of its own and
    hands on those that are one already. So this is both: the user reads the original text and nothing else.
    """


@contextmanager
def handed_on() -> Iterator[None]:
    """Raise an error of a release again in the class that Kedro hands on."""
    try:
        yield
    except RaiError as error:
        parts = {"where": error.where, "how_many": error.how_many, "example": error.example}
        raise ModelDatasetError(error.what, remedy=error.remedy, **parts) from error


# One save at a time: two threads that register at once could leave the alias at the older version.
_ONE_AT_A_TIME = threading.Lock()


class CandidateModelDataset(AbstractDataset["release.Candidate", "release.RegisteredVersion"]):
    """Saves a `Candidate` to the open MLflow run and registers it; loads the version that was registered.

    kedro-mlflow's own model datasets log a model; they do not log its training data, reference and contract
    beside it, and register it before those are there.

    Example:
        In the catalogue::

            housing.candidate:
              type: rai_kedro.datasets.candidate_model.CandidateModelDataset
              registered_model_name: housing
    """

    def __init__(self, *, registered_model_name: str, metadata: dict[str, Any] | None = None) -> None:
        """Name the registered model, which is the use case; ``metadata`` is for plugins."""
        self._registered_model_name = registered_model_name
        self.metadata = metadata
        self._saved: release.RegisteredVersion | None = None

    def save(self, data: release.Candidate) -> None:
        """Log and register a model with what travels with it; an error if no run is open or it cannot be stored."""
        with _ONE_AT_A_TIME, handed_on():
            self._saved = release.register_candidate(data, self._registered_model_name)

    def load(self) -> release.RegisteredVersion:
        """Return the version this dataset saved, or else the one under alias ``candidate``; an error if there is none.

        It is the version, not the model: nobody works with a model that is not approved.
        """
        from mlflow import MlflowClient

        if self._saved is not None:
            return self._saved
        client, name = MlflowClient(), self._registered_model_name
        with handed_on():
            number = release.find_aliases(client, name).get(release.CANDIDATE)
            if number is None:
                raise release.unknown_model(name)
            return release.find_version(client, name, number).plain()

    def _exists(self) -> bool:
        from mlflow import MlflowClient

        return self._saved is not None or release.CANDIDATE in release.find_aliases(
            MlflowClient(), self._registered_model_name
        )

    def _describe(self) -> dict[str, Any]:
        return {"registered_model_name": self._registered_model_name}
