"""The files of a stored model: their digests, which of them there may be, and loading them without pickle.

MLflow 3.17 writes the types that a skops file may contain into the model's own ``MLmodel`` file and trusts that list
when it loads. Whoever can change the model can change the list. Its switch ``MLFLOW_ALLOW_PICKLE_DESERIALIZATION``
closes every format at once, skops included. So this module does not load through MLflow: it reads ``model.skops``
itself, with the list below, and knows no other format. Others may load through MLflow, which runs what ``MLmodel``
names; so a model with another loader, code of its own or unknown files is refused, too.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import yaml

from rai_kedro.release.versions import ReleaseError
from rai_kedro.yaml_files import read_yaml

MODEL_FILE: Final = "model.skops"
CONTRACT_FILE: Final = "contract.json"
REFERENCE_FILE: Final = "reference/reference.parquet"
BASELINE_FILE: Final = "reference/baseline.json"
PARAMETERS_FILE: Final = "parameters.json"
COMPANIONS: Final = (CONTRACT_FILE, PARAMETERS_FILE, REFERENCE_FILE, BASELINE_FILE)

_LOADER: Final = "mlflow.sklearn"
_KNOWN_FILES: Final = frozenset(
    {
        "MLmodel",
        MODEL_FILE,
        "conda.yaml",
        "python_env.yaml",
        "requirements.txt",
        "input_example.json",
        "serving_input_example.json",
    }
)
# A skops file is a zip whose parts are stored as they are; of sparse matrices in it each is a compressed zip itself.
_MOST_INFLATED: Final = 256 * 2**20
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
    "rai_kedro.modelling.given.GivenAmounts",
    "rai_kedro.modelling.given.GivenDecisions",
    "rai_kedro.modelling.served.ServedAmounts",
    "rai_kedro.modelling.served.ServedDecisions",
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


@cache
def trusted_types() -> tuple[str, ...]:
    """Return the reviewed list of types that a stored model may contain."""
    from rai_kedro.mitigation import list_storable_types

    return tuple(sorted({*_TRUSTED, *list_storable_types()}))


def digest_files(folder: str | Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a model's folder by relative path, without those that only readers add."""
    digests = {}
    for file in sorted(Path(folder).rglob("*")):
        name = file.relative_to(folder).as_posix()
        if file.is_file() and name not in _WRITTEN_BY_READERS:
            with file.open("rb") as stream:
                digests[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests


def require_known_files(folder: str | Path, where: str) -> None:
    """Refuse, with `ModelRefusedError`, a model folder that is not as `register_candidate` writes one.

    MLflow's own loader would import the ``loader_module`` and run the ``code`` that ``MLmodel`` names.
    """
    flavors = _read_flavors(Path(folder) / "MLmodel", where)
    python, sklearn = flavors.get("python_function", {}), flavors.get("sklearn", {})
    unknown = sorted({*digest_files(folder)} - _KNOWN_FILES)
    types = set(sklearn.get("skops_trusted_types") or ()) - set(trusted_types())
    wrong: dict[str, list[Any]] = {
        "it holds other files": unknown,
        "it has other flavors": sorted({*flavors} - {"python_function", "sklearn"}),
        "MLmodel names another loader": [python.get("loader_module")] * (python.get("loader_module") != _LOADER),
        "MLmodel names code of its own": [flavor["code"] for flavor in flavors.values() if flavor.get("code")],
        "MLmodel names another file": [
            path for path in (python.get("model_path"), sklearn.get("pickled_model")) if path != MODEL_FILE
        ],
        "MLmodel trusts other types": sorted(types),
    }
    found = [f"{what}: {', '.join(map(str, names[:3]))}" for what, names in wrong.items() if names]
    if found:
        raise ModelRefusedError(
            "The model's folder is not as training writes it; whoever loads it with MLflow could run foreign code.",
            where=where,
            how_many=f"{len(found)} difference(s)",
            example="; ".join(found),
            remedy="train and register the model with `kedro run`; do not use this one",
        )


def _read_flavors(file: Path, where: str) -> dict[str, dict[str, Any]]:
    """Return what ``MLmodel`` says of each loader that may open the model."""
    try:
        flavors: Any = read_yaml(file.read_text(encoding="utf-8"))["flavors"]
        return {str(name): dict(flavor) for name, flavor in flavors.items()}
    except (yaml.YAMLError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OSError) as error:
        raise ModelRefusedError(
            "The model's MLmodel file cannot be read.",
            where=where,
            example=" ".join(f"{type(error).__name__}: {error}".split())[:200],
            remedy="train and register the model with `kedro run`; do not use this one",
        ) from error


def _require_not_inflated(file: Path, where: str) -> None:
    """Refuse a file that unpacks to far more than it is, before anything of it is unpacked.

    Of a part that is compressed the stated size is no bound, since a forger states it; so there may be none.
    """
    size = file.stat().st_size
    with ZipFile(file) as outer:
        parts = outer.infolist()
        compressed = any(part.compress_type != ZIP_STORED for part in parts)
        unpacked = sum(part.file_size for part in parts)
        if not compressed and unpacked <= size:
            unpacked = size + sum(_inflated(outer, part) for part in parts if part.filename.endswith(".npz"))
    if compressed or unpacked > size + _MOST_INFLATED:
        raise ModelRefusedError(
            f"The stored model would unpack to {unpacked / size:,.0f} times its size, as a zip bomb does.",
            where=where,
            how_many=f"{size:,} bytes stored, {unpacked:,} unpacked",
            remedy="do not use this model; train and register one with `kedro run`, which compresses nothing",
        )


def _inflated(outer: ZipFile, part: ZipInfo) -> int:
    """Return the size of a sparse matrix in memory, which is a zip of its own."""
    with outer.open(part) as inner, ZipFile(inner) as matrix:
        return sum(one.file_size for one in matrix.infolist())


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
        _require_not_inflated(file, where or str(file))
        return sio.load(file, trusted=list(trusted_types()))
    except ModelRefusedError:
        raise
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
