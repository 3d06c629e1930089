"""From a fitted model to a registered candidate, with everything that has to travel with it."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rai_kedro.files import find_account, project_folder
from rai_kedro.release import model_files
from rai_kedro.release.manifest import MODEL_FOLDER, Manifest, digest_artifacts, store_manifest
from rai_kedro.release.versions import CANDIDATE, RegisteredVersion, ReleaseError, Tag, version_of

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
    months: Mapping[str, Mapping[str, str]]  # months read: digests of their features and labels
    policy: Mapping[str, Any]  # what the version is judged by; JSON-able
    pip_requirements: tuple[str, ...]  # exact, "name==version"
    source: str  # where the training data came from, a path or URI in words
    parameters: Mapping[str, Any] = field(default_factory=dict)  # it was trained with, by which it can be replayed


def register_candidate(candidate: Candidate, name: str) -> RegisteredVersion:
    """Log the model to the open run, register it as a new version and make it the candidate.

    The version appears in the registry only when its files are complete, and the alias moves last: a kill at any moment
    leaves no half version under ``candidate``. Its manifest is begun here and finished with the card.

    Raises:
        ReleaseError: No MLflow run is open.
        ModelRefusedError: The estimator cannot be stored as skops, or would not be loaded again.
    """
    from mlflow import MlflowClient

    model_files.require_storable(candidate.estimator)
    client = MlflowClient()
    with _open_run() as run_id:
        model = _log_model(candidate)
        _log_companions(client, run_id, candidate, name)
    store_manifest(client, _begin_manifest(client, candidate, name, run_id, model.model_id))
    return _register(client, name, run_id, model.model_uri, {**candidate.tags, Tag.USE_CASE: name})


def _name_trainer(client: MlflowClient) -> str:
    """Return the login at the MLflow server, else this process's account; MLflow's own tag says what LOGNAME says.

    Without a server nobody checks a login, and MLFLOW_TRACKING_USERNAME is whatever somebody wrote.
    """
    from mlflow.utils.credentials import read_mlflow_creds

    has_server = client.tracking_uri.startswith("http")
    return (read_mlflow_creds().username if has_server else None) or find_account()


def _begin_manifest(client: MlflowClient, candidate: Candidate, name: str, run_id: str, model_id: str) -> Manifest:
    """Digest what was stored, as it is read back: what a broken store has made of it must not be signed."""
    from mlflow.artifacts import download_artifacts

    tags, lock = client.get_run(run_id).data.tags, project_folder() / "requirements.lock"
    location = client.get_logged_model(model_id).artifact_location
    with tempfile.TemporaryDirectory(prefix="rai-model-") as folder:
        model = download_artifacts(artifact_uri=location, dst_path=folder, tracking_uri=client.tracking_uri)
        digests = {f"{MODEL_FOLDER}{file}": digest for file, digest in model_files.digest_files(model).items()}
    return Manifest(
        use_case=name,
        run_id=run_id,
        model_id=model_id,
        trained_by=_name_trainer(client),
        trained_at=datetime.now(UTC).isoformat(timespec="seconds"),
        git_commit=tags.get(Tag.GIT_COMMIT, ""),
        lock_digest=hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else "",
        policy=dict(candidate.policy),
        months={month: dict(digests) for month, digests in candidate.months.items()},
        files={**digests, **digest_artifacts(client, run_id, model_files.COMPANIONS)},
    )


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
        skops_trusted_types=list(model_files.trusted_types()),
    )
    return info


def _log_companions(client: MlflowClient, run_id: str, candidate: Candidate, name: str) -> None:
    import mlflow

    mlflow.log_input(_describe_data(candidate, name), context="training")
    with tempfile.TemporaryDirectory(prefix="rai-companions-") as folder:
        reference = Path(folder, model_files.REFERENCE_FILE)
        reference.parent.mkdir()
        candidate.reference.to_parquet(reference, index=False)
        plain = {
            model_files.CONTRACT_FILE: candidate.contract,
            model_files.PARAMETERS_FILE: candidate.parameters,
            model_files.BASELINE_FILE: candidate.baseline,
        }
        for file, content in plain.items():
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
