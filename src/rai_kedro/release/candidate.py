"""From a fitted model to a registered candidate, with everything that has to travel with it."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rai_kedro.release.gate import read_gate
from rai_kedro.release.model_files import (
    BASELINE_FILE,
    CONTRACT_FILE,
    REFERENCE_FILE,
    release_files,
    require_storable,
    trusted_types,
)
from rai_kedro.release.versions import CANDIDATE, DIGESTS, RegisteredVersion, ReleaseError, Tag, version_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.data.pandas_dataset import PandasDataset
    from mlflow.models.model import ModelInfo


@dataclass(frozen=True)
class Candidate:
    """A fitted model and what has to travel with it."""

    estimator: Any  # fitted scikit-learn pipeline
    input_example: pd.DataFrame  # about five rows of the model's features
    predictions: Any  # what the estimator predicts for them, same length
    training_frame: pd.DataFrame  # the model's features and the target, all training rows
    reference: pd.DataFrame  # test split: features of model and audit, label and prediction
    target: str
    contract: Mapping[str, Any]  # JSON-able
    baseline: Mapping[str, Any]  # JSON-able: what later months are held against besides the reference data
    tags: Mapping[str, str]  # of the model version, e.g. data fingerprint and month
    pip_requirements: tuple[str, ...]  # exact, "name==version"
    source: str  # where the training data came from, a path or URI in words


def register_candidate(candidate: Candidate, name: str) -> RegisteredVersion:
    """Log the model to the open run, register it as a new version and make it the candidate.

    The version appears in the registry only when its files are complete, together with its tags and digests,
    and the alias moves last: a kill at any moment leaves no half version under ``candidate``.

    Raises:
        ReleaseError: No MLflow run is open.
        ModelRefusedError: The estimator cannot be stored as skops, or would not be loaded again.
    """
    from mlflow import MlflowClient

    require_storable(candidate.estimator)
    client = MlflowClient()
    with _open_run() as run_id:
        model = _log_model(candidate)
        _log_companions(client, run_id, candidate, name)
    location = client.get_logged_model(model.model_id).artifact_location
    with release_files(client, location, run_id) as files:
        # With what the gate decided before this model was registered; without it no version passes the gate later.
        digests = {**files.digests, "gate_digest": read_gate(client, run_id).digest}
    tags = {**candidate.tags, Tag.USE_CASE: name, **{DIGESTS[field][0]: digest for field, digest in digests.items()}}
    return _register(client, name, run_id, model.model_uri, tags)


@contextmanager
def _open_run() -> Iterator[str]:
    """Yield the id of the open run; reopen it where MLflow does not carry it over.

    MLflow keeps the active run per thread and process. In the thread of an asynchronous save or in a worker
    process it is found by ``MLFLOW_RUN_ID``, MLflow's own variable for this.
    """
    import mlflow

    active = mlflow.active_run()
    run_id = active.info.run_id if active else os.environ.get("MLFLOW_RUN_ID")
    if not run_id:
        raise ReleaseError(
            "No MLflow run is open, so the model cannot be logged.",
            where=f"MLflow at {mlflow.get_tracking_uri()}",
            remedy="run the pipeline with `kedro run` (kedro-mlflow opens the run), "
            "or in a notebook save inside `with mlflow.start_run():`",
        )
    with nullcontext() if active else mlflow.start_run(run_id=run_id):
        yield run_id


def _log_model(candidate: Candidate) -> ModelInfo:
    import mlflow.sklearn
    from mlflow.models import infer_signature

    # The hint tells the reader to declare integer columns as floats in case they have missing values; here the column
    # contract says what may be missing. A lasting filter, since `catch_warnings` is not safe with threads.
    warnings.filterwarnings("ignore", message="Hint: Inferred schema contains integer column", category=UserWarning)
    info: ModelInfo = mlflow.sklearn.log_model(
        candidate.estimator,
        name="model",
        signature=infer_signature(candidate.input_example, candidate.predictions),
        input_example=candidate.input_example,
        pip_requirements=list(candidate.pip_requirements),
        serialization_format=mlflow.sklearn.SERIALIZATION_FORMAT_SKOPS,
        skops_trusted_types=list(trusted_types()),
    )
    return info


def _log_companions(client: MlflowClient, run_id: str, candidate: Candidate, name: str) -> None:
    import mlflow

    mlflow.log_input(_describe_data(candidate, name), context="training")
    with tempfile.TemporaryDirectory(prefix="rai-companions-") as folder:
        reference = Path(folder, REFERENCE_FILE)
        reference.parent.mkdir()
        candidate.reference.to_parquet(reference, index=False)
        for file, content in {CONTRACT_FILE: candidate.contract, BASELINE_FILE: candidate.baseline}.items():
            Path(folder, file).write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")
        client.log_artifacts(run_id, folder)


def _describe_data(candidate: Candidate, name: str) -> PandasDataset:
    from mlflow.data import sources
    from mlflow.data.dataset_source_registry import resolve_dataset_source
    from mlflow.data.pandas_dataset import from_pandas

    # Given a bare path, MLflow would warn that several kinds of source match it.
    is_uri = "://" in candidate.source
    local = sources.LocalArtifactDatasetSource  # type: ignore[attr-defined] # MLflow makes it at run time
    source = resolve_dataset_source(candidate.source) if is_uri else local(uri=candidate.source)
    return from_pandas(candidate.training_frame, source=source, name=f"{name}-training", targets=candidate.target)


def _register(client: MlflowClient, name: str, run_id: str, uri: str, tags: dict[str, str]) -> RegisteredVersion:
    # Through the client: `mlflow.register_model` prints, and sets a version's tags only after making it.
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    model_id = uri.removeprefix("models:/")
    created = client.create_model_version(name, uri, run_id=run_id, tags=tags, model_id=model_id)
    version = str(created.version)
    # This tag makes MLflow's page of the logged model link to its version.
    link = json.dumps([{"name": name, "version": version}])
    client.set_logged_model_tags(model_id, {"mlflow.modelVersions": link})
    client.set_registered_model_alias(name, CANDIDATE, version)
    return version_of(client, created).plain()
