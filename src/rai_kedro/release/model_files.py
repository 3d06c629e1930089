"""The files of a stored model: their digest, their copy from MLflow, and loading them without pickle.

MLflow 3.17 writes the types that a skops file may contain into the model's own ``MLmodel`` file and trusts that list
when it loads. Whoever can change the model can change the list. Its switch ``MLFLOW_ALLOW_PICKLE_DESERIALIZATION``
closes every format at once, skops included. So this module does not load through MLflow: it reads ``model.skops``
itself, with the list below, and knows no other format.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from rai_kedro.release.versions import IncompleteError, ReleaseError, Version, ask, fetch_artifact

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL_FILE: Final = "model.skops"
CONTRACT_FILE: Final = "contract.json"
REFERENCE_FILE: Final = "reference/reference.parquet"
BASELINE_FILE: Final = "reference/baseline.json"
COMPANIONS: Final = (CONTRACT_FILE, REFERENCE_FILE, BASELINE_FILE)

# MLflow writes this file beside a registered model that is downloaded, even into a local artifact store.
_WRITTEN_BY_READERS: Final = frozenset({"registered_model_meta"})

# Reviewed: rebuilt from a file, these types hold arrays, numbers and other trusted objects, nothing else.
# The two tree types hold node indices that scikit-learn follows unchecked, so that a forged file could
# crash a prediction; against that stands the digest of the approved files, compared before every load.
# Types of mitigations are registered with each method, see ``list_storable_types``.
# ``partial`` only ever wraps a function that is itself trusted.
_TRUSTED: Final = (
    "functools.partial",
    "numpy.dtype",
    "rai_kedro.modelling.balanced.BalancedEstimator",
    "rai_kedro.modelling.steps.ChainedImputer",
    "rai_kedro.modelling.steps.DateToDays",
    "scipy._lib.array_api_compat.numpy._aliases.asarray",
    "scipy.interpolate._bsplines.BSpline",
    "sklearn._loss.loss.HalfTweedieLoss",
    "sklearn._loss.loss.HalfTweedieLossIdentity",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.impute._iterative._ImputerTriplet",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils.validation.check_array",
)


class ModelRefusedError(ReleaseError):
    """The model is in another format than skops, holds types outside the reviewed list, or may score nothing."""


@dataclass(frozen=True)
class Reference:
    """What the months of a version are held against."""

    rows: pd.DataFrame  # test split of its training: features of model and audit, label and prediction
    baseline: Mapping[str, Any]  # what training knows besides: groups and limits, importance, emissions; JSON-able


@dataclass(frozen=True)
class ReleaseFiles:
    """A private copy of everything that belongs to a model version."""

    model: Path  # folder
    companions: Mapping[str, bytes]  # by name

    @property
    def digests(self) -> dict[str, str]:
        """Of the model, and of all companions together; see `Review`."""
        together = _digest_all({name: hashlib.sha256(content).hexdigest() for name, content in self.companions.items()})
        return {"model_digest": digest_files(self.model), "companion_digest": together}

    def read_reference(self) -> Reference:
        """Return what the version's months are held against."""
        rows = pd.read_parquet(BytesIO(self.companions[REFERENCE_FILE]))
        return Reference(rows, json.loads(self.companions[BASELINE_FILE]))

    def read_contract(self) -> dict[str, Any]:
        """Return the contract that the version was trained under."""
        contract: dict[str, Any] = json.loads(self.companions[CONTRACT_FILE])
        return contract


@cache
def trusted_types() -> tuple[str, ...]:
    """Return the reviewed list of types that a stored model may contain."""
    from rai_kedro.mitigation import list_storable_types

    return tuple(sorted({*_TRUSTED, *list_storable_types()}))


def digest_files(folder: str | Path) -> str:
    """Return one SHA-256 over the sorted relative paths of a folder's files, each followed by that of its content."""
    digests = {}
    for file in Path(folder).rglob("*"):
        if file.is_file() and (name := file.relative_to(folder).as_posix()) not in _WRITTEN_BY_READERS:
            with file.open("rb") as stream:
                digests[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return _digest_all(digests)


def _digest_all(digests: Mapping[str, str]) -> str:
    lines = (f"{len(name.encode())}:{name}:{digest}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@contextmanager
def release_files(client: MlflowClient, model_uri: str, run_id: str) -> Iterator[ReleaseFiles]:
    """Lend a private copy of a version's model, reference data and contract.

    What is digested is what the caller then loads; nobody can swap the files in between.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    with tempfile.TemporaryDirectory(prefix="rai-release-") as folder:
        try:
            model = download_artifacts(artifact_uri=model_uri, dst_path=folder, tracking_uri=client.tracking_uri)
            companions = {name: fetch_artifact(client, run_id, name) for name in COMPANIONS}
        except (MlflowException, OSError) as error:
            raise _incomplete(client, model_uri, run_id, error) from error
        yield ReleaseFiles(Path(model), companions)


def files_of(version: Version) -> AbstractContextManager[ReleaseFiles]:
    """Lend a private copy of a registered version's files."""
    uri = version.client.get_model_version_download_uri(version.use_case, version.number)
    return release_files(version.client, uri, version.run_id)


def load_trusted_sklearn(folder: str | Path, where: str = "") -> Any:
    """Load a model stored as skops, with the reviewed list of types only; pickle formats are never opened.

    ``where`` names in messages a folder that is gone when they are read; by default its path does.
    """
    import skops.io as sio
    from skops.io.exceptions import UntrustedTypesFoundException

    file = Path(folder) / MODEL_FILE
    if not file.is_file():
        found = ", ".join(sorted(path.name for path in Path(folder).glob("*"))) or "nothing"
        raise ModelRefusedError(
            f"The model is not stored as {MODEL_FILE}; pickle, cloudpickle and other formats can run any "
            "code when they are opened and are refused.",
            where=where or str(folder),
            example=f"found: {found}",
            remedy="train and register the model with `kedro run`, which stores it in the skops format",
        )
    try:
        return sio.load(file, trusted=list(trusted_types()))
    except UntrustedTypesFoundException as error:
        raise _untrusted(sio.get_untrusted_types(file=file), where or str(file)) from error
    except Exception as error:
        # skops documents no common class for a damaged or forged file: bad zip, missing keys, wrong JSON, …
        raise ModelRefusedError(
            "The stored model cannot be read.",
            where=where or str(file),
            example=f"{type(error).__name__}: {error}".replace(str(file), MODEL_FILE),
            remedy="the file is damaged or was written by other versions of scikit-learn or skops; "
            "restore it or train a new version with `kedro run`",
        ) from error


def require_storable(estimator: Any) -> None:
    """Refuse with `ModelRefusedError` an estimator that skops cannot store, or with types outside the reviewed list."""
    import skops.io as sio

    try:
        stored = sio.dumps(estimator)
    except Exception as error:
        # skops raises whatever the object's own state raises.
        raise ModelRefusedError(
            f"The model {type(estimator).__name__} cannot be stored in the skops format.",
            example=f"{type(error).__name__}: {error}",
            remedy="use an estimator made of importable scikit-learn parts, without lambdas",
        ) from error
    types = sio.get_untrusted_types(data=stored)
    if set(types) - set(trusted_types()):
        raise _untrusted(types, type(estimator).__name__)


def _incomplete(client: MlflowClient, model_uri: str, run_id: str, error: Exception) -> IncompleteError:
    run = ask(client.get_run, run_id)
    place = run.info.artifact_uri if run else "a run that MLflow does not know"
    return IncompleteError(
        f"The model version lacks files that must travel with it: its model, {', '.join(COMPANIONS)}.",
        where=f"MLflow run {run_id}; expected in {model_uri} and {place}",
        example=str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__,
        remedy="restore the run's artifacts (a project folder is moved or copied as a whole, `mlruns` and the "
        "database included), or train and review a new version here with `kedro run`; a version that another tool "
        "registered cannot be used here",
    )


def _untrusted(types: list[str], where: str) -> ModelRefusedError:
    unknown = sorted(set(types) - set(trusted_types()))
    return ModelRefusedError(
        "The model contains types that are not on the reviewed list and are therefore not loaded.",
        where=where,
        how_many=f"{len(unknown)} type(s)",
        example=", ".join(unknown[:5]),
        remedy="choose an estimator from scikit-learn's linear models, trees, forests or gradient boosting; "
        "or, after reviewing what the type does when it is loaded, add it to the trusted types in "
        "release/model_files.py",
    )
