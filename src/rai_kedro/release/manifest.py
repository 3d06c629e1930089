"""The manifest of a version: one file that names, by digest, everything that was trained, measured and written of it.

Training ends by storing it in the run and its digest in the evidence record. From then on the digest *is* the version:
people sign it, production loads what matches it, and `verify` recomputes it. It is canonical JSON (RFC 8785), so
``sha256sum`` of the file is the digest, and of each file it names the one in it.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import rfc8785
from pydantic import ValidationError, field_validator

from rai_kedro.release.model_files import (
    BASELINE_FILE,
    CONTRACT_FILE,
    REFERENCE_FILE,
    digest_files,
    require_known_files,
)
from rai_kedro.release.record import Entry
from rai_kedro.release.versions import (
    ChangedError,
    IncompleteError,
    Tag,
    Version,
    ask,
    fetch_artifacts,
    parse_json,
)
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    from mlflow import MlflowClient

MANIFEST_FILE: Final = "manifest.json"
TRAINED: Final = "trained"
MODEL_FOLDER: Final = "model/"
_UNFINISHED: Final = "its training was cut off before the manifest was written"


class Manifest(Typed):
    """What a version consists of, and what it was made from. Digests are SHA-256 in hex."""

    schema_version: int = 1
    use_case: str
    version: str = ""  # empty until it is registered
    run_id: str
    model_id: str
    trained_by: str  # login at MLflow's server, else the account that ran the training
    trained_at: str  # UTC, ISO 8601
    git_commit: str = ""
    lock_digest: str = ""  # of requirements.lock; empty where there is none
    policy: dict[str, Any]  # what the version was judged by
    months: dict[str, dict[str, str]]  # months read: digests of their features and labels
    files: dict[str, str]  # by path in the run; those of the model begin with model/

    @field_validator("files")
    @classmethod
    def _stay_in_run(cls, files: dict[str, str]) -> dict[str, str]:
        for path in files:
            parts = PurePosixPath(path).parts
            if not parts or parts[0] == "/" or ".." in parts or "\\" in path:
                raise ValueError(f"the path {path!r} leaves the run")
        return files

    def to_bytes(self) -> bytes:
        """Return it as it is stored and digested."""
        return rfc8785.dumps(self.to_dict())

    @property
    def digest(self) -> str:
        """What is signed."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_entry(self) -> dict[str, Any]:
        """Return the body of the record's entry on the training."""
        facts = ("use_case", "version", "run_id", "trained_by", "git_commit", "months")
        return {"manifest": self.digest, **{name: getattr(self, name) for name in facts}}


@dataclass(frozen=True)
class Reference:
    """What the months of a version are held against."""

    rows: pd.DataFrame  # test split of its training: features of model and audit, label and prediction
    baseline: Mapping[str, Any]  # what training knows besides: groups and limits, importance, emissions; JSON-able
    trained_on: tuple[str, ...]  # months whose rows the model was fitted on


@dataclass(frozen=True)
class ReleaseFiles:
    """A private copy of everything that belongs to a version, each file as its manifest has it."""

    manifest: Manifest
    model: Path  # folder
    files: Mapping[str, bytes]  # those of the run, by path

    def read_reference(self) -> Reference:
        """Return what the version's months are held against."""
        rows = pd.read_parquet(BytesIO(self.files[REFERENCE_FILE]))
        baseline = parse_json(self.files[BASELINE_FILE])
        # What was read to be referred to was not fitted on. By the manifest: tags are what anybody wrote.
        referred = str(baseline.get("reference", "")).split(", ")
        return Reference(rows, baseline, tuple(one for one in sorted(self.manifest.months) if one not in referred))

    def read_contract(self) -> dict[str, Any]:
        """Return the contract that the version was trained under."""
        contract: dict[str, Any] = parse_json(self.files[CONTRACT_FILE])
        return contract


def digest_artifacts(client: MlflowClient, run_id: str, names: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 of files of a run by name; MlflowException or OSError if one cannot be read."""
    found = fetch_artifacts(client, run_id, names)
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}


def store_manifest(client: MlflowClient, manifest: Manifest) -> None:
    """Store it in its run, unfinished or whole."""
    with tempfile.TemporaryDirectory(prefix="rai-manifest-") as folder:
        file = Path(folder, MANIFEST_FILE)
        file.write_bytes(manifest.to_bytes())
        client.log_artifact(manifest.run_id, str(file))


def read_manifest(version: Version) -> Manifest:
    """Return a version's manifest as its run holds it now; IncompleteError if there is none that can be read."""
    found = version.read(MANIFEST_FILE)
    try:
        return Manifest.from_dict(parse_json(found))
    except ValidationError as error:
        wrong = _UNFINISHED if found is None else f"it cannot be read: {error.errors()[0]['msg']}"
        raise _incomplete(version, wrong) from error


def find_trained(entries: Iterable[Entry], subject: tuple[str, str]) -> Entry | None:
    """Return the entry on the training of a version, by number and run: the first, since there is one training."""
    for entry in entries:
        if entry.kind == TRAINED and (entry.body.get("version"), entry.body.get("run_id")) == subject:
            return entry
    return None


def find_recorded(entries: Iterable[Entry], version: Version) -> str | None:
    """Return the digest that training put on record for a version; None if there is no such entry."""
    entry = find_trained(entries, version.subject)
    return str(entry.body.get("manifest")) if entry else None


def require_recorded(version: Version, entries: Sequence[Entry], digest: str | None = None) -> Manifest:
    """Return a version's manifest after holding it against the record, the tag, and ``digest`` if one was signed.

    Raises:
        IncompleteError: There is no manifest, in MLflow or on record.
        ChangedError: It is not the one that training recorded, or that was signed.
    """
    manifest = read_manifest(version)
    entry = find_trained(entries, version.subject)
    recorded = str(entry.body.get("manifest")) if entry else None
    if not version.tags.get(Tag.MANIFEST) and recorded is None:
        raise _incomplete(version, _UNFINISHED)
    then = {
        "the evidence record": recorded or "nothing",
        f"tag {Tag.MANIFEST}": version.tags.get(Tag.MANIFEST, "nothing"),
        **({"the approval": digest} if digest is not None else {}),
    }
    other = [f"{manifest.digest[:12]}… now, {known[:12]}… in {place}" for place, known in then.items()
             if known != manifest.digest]  # fmt: skip
    if entry is not None and not other:
        facts = manifest.to_entry().items()
        other = [f"{name} is another in line {entry.sequence}" for name, one in facts if entry.body.get(name) != one]
    if other:
        raise _changed(version, "manifest is not the one that was recorded", other)
    return manifest


@contextmanager
def checked_files(version: Version, entries: Sequence[Entry], digest: str | None = None) -> Iterator[ReleaseFiles]:
    """Lend a private copy of a version's files after comparing every one with its manifest, and that with the record.

    What is compared is what the caller then loads; nobody can swap a file in between.

    Raises:
        IncompleteError: A file is missing.
        ChangedError: A file is not the one that was trained, or one is there that was not.
        ModelRefusedError: The model's folder holds what no model of ours has.
    """
    manifest = require_recorded(version, entries, digest)
    with tempfile.TemporaryDirectory(prefix="rai-release-") as folder:
        model, files = _download(version, manifest, Path(folder))
        changed = _find_changes(manifest, model, files)
        if changed:
            raise _changed(version, "files are not those that were trained", changed)
        require_known_files(model, str(version))
        yield ReleaseFiles(manifest, model, files)


def _download(version: Version, manifest: Manifest, folder: Path) -> tuple[Path, dict[str, bytes]]:
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    client = version.client
    try:
        uri = client.get_model_version_download_uri(version.use_case, version.number)
        model = download_artifacts(artifact_uri=uri, dst_path=str(folder), tracking_uri=client.tracking_uri)
        names = [name for name in manifest.files if not name.startswith(MODEL_FOLDER)]
        return Path(model), fetch_artifacts(client, version.run_id, names)
    except (MlflowException, OSError) as error:
        said = str(error).strip()
        raise _incomplete(version, said.splitlines()[-1] if said else type(error).__name__) from error


def _find_changes(manifest: Manifest, model: Path, files: Mapping[str, bytes]) -> list[str]:
    found = {f"{MODEL_FOLDER}{name}": digest for name, digest in digest_files(model).items()}
    found |= {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return [
        f"{name} {'is gone' if name not in found else 'changed' if name in manifest.files else 'was added'}"
        for name in sorted({*found, *manifest.files})
        if found.get(name) != manifest.files.get(name)
    ]


def _changed(version: Version, what: str, examples: Sequence[str]) -> ChangedError:
    return ChangedError(
        f"The {what}, of {version}.",
        where=f"registered model {version.use_case}, run {version.run_id}",
        how_many=f"{len(examples)} of them",
        example="; ".join(examples[:3]),
        remedy="find out who changed files, tags or record and restore them from a backup; "
        f"or {version.retrain} and have that one reviewed",
    )


def _incomplete(version: Version, wrong: str) -> IncompleteError:
    run = ask(version.client.get_run, version.run_id)
    place = f"; expected below {run.info.artifact_uri}" if run else ", which MLflow does not know"
    return version.refusal(
        IncompleteError,
        "lacks files that must travel with it.",
        where=f"MLflow run {version.run_id}{place}",
        example=wrong,
        remedy="restore the run's artifacts (a project folder is moved or copied as a whole, `mlruns` and the "
        f"database included); or {version.retrain}, the whole stage, and have that one reviewed",
    )
