"""What MLflow knows about the versions of a use case's model: tags, aliases, look-ups and summaries."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rai_kedro.errors import RaiError
from rai_kedro.release.store import find_refusal

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

# MLflow draws a progress bar for every copy of a few small files; a user's own setting stands.
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
_Answer = TypeVar("_Answer")
_Refusal = TypeVar("_Refusal", bound=RaiError)
CANDIDATE: Final = "candidate"
PRODUCTION: Final = "production"

APPROVED: Final = "approved"
REJECTED: Final = "rejected"

CARD_FOLDER: Final = "model_card"


class Tag:
    """Tags of a model version in MLflow."""

    USE_CASE: Final = "rai.use_case"
    REVIEWING: Final = "rai.reviewing"
    REVIEW: Final = "rai.review"
    REVIEWER: Final = "rai.reviewer"
    STATEMENT: Final = "rai.statement"
    REVIEWED_AT: Final = "rai.reviewed_at"
    DEMO: Final = "rai.demo"
    EVIDENCE: Final = "rai.evidence"
    MANIFEST: Final = "rai.manifest"  # SHA-256 of the manifest
    EXPIRES: Final = "rai.expires_at"
    CARD: Final = "rai.card"
    GIT_COMMIT: Final = "rai.git_commit"
    MONTH: Final = "rai.month"
    GATE: Final = "rai.fairness_gate"
    RISK: Final = "rai.accepted_risk"


# What only a decision sets. A server with roles lets nobody set them but a reviewer (`rai_kedro.server`).
DECIDED: Final = frozenset(
    {
        Tag.REVIEWING,
        Tag.REVIEW,
        Tag.REVIEWER,
        Tag.STATEMENT,
        Tag.REVIEWED_AT,
        Tag.EXPIRES,
        Tag.DEMO,
        Tag.EVIDENCE,
        Tag.RISK,
    }
)

# What a list of versions says of each by its tags.
_LISTED: Final = {
    "review": Tag.REVIEW,
    "reviewer": Tag.REVIEWER,
    "statement": Tag.STATEMENT,
    "reviewed_at": Tag.REVIEWED_AT,
    "expires_at": Tag.EXPIRES,
    "manifest": Tag.MANIFEST,
    "card": Tag.CARD,
    "fairness_gate": Tag.GATE,
    "accepted_risk": Tag.RISK,
}


class ReleaseError(RaiError):
    """A version cannot be registered, reviewed or used as asked."""


class ChangedError(ReleaseError):
    """Files, card or gate of a version are not those that were trained or approved."""


class IncompleteError(ReleaseError):
    """A version lacks files, figures or the card that must travel with it."""


class NotApprovedError(ReleaseError):
    """No recorded approval puts the version into production."""


@dataclass(frozen=True)
class RegisteredVersion:
    """One version of a registered model."""

    name: str  # registered model, which is the use case
    version: str
    run_id: str
    model_uri: str  # models:/<name>/<version>
    created_at: str = ""  # UTC, ISO 8601
    git_commit: str | None = None  # of the code that trained it


@dataclass(frozen=True)
class Version:
    """One version of a use case's registered model as MLflow had it when it was asked, and that MLflow."""

    client: MlflowClient
    use_case: str  # which is the name of the registered model
    number: str
    run_id: str
    tags: Mapping[str, str]
    description: str
    created_at: str  # UTC, ISO 8601

    def __str__(self) -> str:
        """Return number and use case as words inside a sentence."""
        return f"version {self.number} of {self.use_case}"

    @property
    def subject(self) -> tuple[str, str]:
        """Number and run, which decisions on it name; see `Review.subject`."""
        return self.number, self.run_id

    @property
    def retrain(self) -> str:
        """What to do where nothing else helps."""
        return f"train a new version with `kedro run --pipelines {self.use_case}`"

    @cached_property
    def card(self) -> bytes | None:
        """The JSON of its model card, read once; None if it is not there or cannot be read."""
        return self.read(f"{CARD_FOLDER}/{card_file(self.number)}")

    def plain(self) -> RegisteredVersion:
        """Return it as the nodes of a run see it, with the commit that its run was tagged with."""
        tags = self.client.get_run(self.run_id).data.tags if self.run_id else {}
        uri, commit = f"models:/{self.use_case}/{self.number}", tags.get(Tag.GIT_COMMIT)
        return RegisteredVersion(self.use_case, self.number, self.run_id, uri, self.created_at, commit)

    def read(self, artifact: str) -> bytes | None:
        """Return the content of one of its run's files; None if it is not there or cannot be read."""
        return read_artifact(self.client, self.run_id, artifact)

    def refusal(self, kind: type[_Refusal], what: str, *, remedy: str, where: str = "", **parts: str) -> _Refusal:
        """Return the error that says what the version is or does, to be raised."""
        place = f"registered model {self.use_case}, version {self.number}, run {self.run_id}"
        return kind(f"Version {self.number} of {self.use_case} {what}", where=where or place, remedy=remedy, **parts)


def card_file(version: object, ending: str = "json") -> str:
    """Return the name of one of a card's files."""
    return f"model_card_v{version}.{ending}"


def version_of(client: MlflowClient, record: ModelVersion) -> Version:
    """Return MLflow's own record of a version in our terms."""
    created = datetime.fromtimestamp(record.creation_timestamp / 1000, UTC).isoformat(timespec="seconds")
    number, run_id = str(record.version), record.run_id or ""
    return Version(client, record.name, number, run_id, record.tags, record.description or "", created)


def list_versions(client: MlflowClient, use_case: str) -> list[dict[str, Any]]:
    """Summarise all versions of a use case's model as JSON holds them, newest first; what is not known is None.

    Each has its aliases, what its tags say, and the metrics of its run, of which none are left if that is gone.
    """
    aliases = find_aliases(client, use_case)
    return [
        {
            "version": version.number,
            "created_at": version.created_at,
            "run_id": version.run_id,
            "aliases": sorted(alias for alias, number in aliases.items() if number == version.number),
            **{name: version.tags.get(tag) or None for name, tag in _LISTED.items()},
            "demo": version.tags.get(Tag.DEMO) == "true",
            "metrics": _find_metrics(version),
        }
        for version in search_versions(client, use_case)
    ]


def _find_metrics(version: Version) -> dict[str, float | None]:
    run = ask(version.client.get_run, version.run_id)
    metrics = run.data.metrics if run else {}
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


def search_versions(client: MlflowClient, use_case: str) -> list[Version]:
    """Return all versions of a use case's model, newest first."""
    found = [version_of(client, record) for record in client.search_model_versions(f"name='{use_case}'")]
    return sorted(found, key=lambda version: int(version.number), reverse=True)


def find_aliases(client: MlflowClient, use_case: str) -> dict[str, str]:
    """Return the version number that each alias names; empty if the model does not exist."""
    model = ask(client.get_registered_model, use_case)
    return {alias: str(version) for alias, version in model.aliases.items()} if model else {}


def find_version(client: MlflowClient, use_case: str, number: str) -> Version:
    """Return one version; ReleaseError if the use case's model has no such version, or none at all."""
    found = {version.number: version for version in search_versions(client, use_case)}
    if number.strip() in found:
        return found[number.strip()]
    if not found:
        raise unknown_model(use_case)
    raise ReleaseError(
        f"Model {use_case} has no version {number}.",
        where=f"registered model {use_case}",
        how_many=f"existing versions: {', '.join(reversed(found))}",
        remedy=f"choose one of them; `kedro rai status --use-case {use_case}` shows them",
    )


def find_reviewable(client: MlflowClient, use_case: str) -> Version | None:
    """Return the version to review next: the candidate, or the newest that is not rejected; None if there is none."""
    found = [one for one in search_versions(client, use_case) if one.tags.get(Tag.REVIEW) != REJECTED]
    candidate = find_aliases(client, use_case).get(CANDIDATE)
    return next((one for one in found if one.number == candidate), found[0] if found else None)


def unknown_model(use_case: str) -> ReleaseError:
    """Return the error for a use case of which nothing is registered, to be raised."""
    return ReleaseError(
        f"No version of model {use_case} is registered.",
        where=f"registered model {use_case}",
        remedy=f"train one with `kedro run --pipelines {use_case}`, or check the name and --env",
    )


def ask(question: Callable[[str], _Answer], name: str) -> _Answer | None:
    """Return what MLflow answers; None where there is no name, or it knows nothing of it."""
    from mlflow.exceptions import MlflowException

    if not name:
        return None
    try:
        return question(name)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise


def fetch_artifacts(client: MlflowClient, run_id: str, names: Iterable[str]) -> dict[str, bytes]:
    """Return the content of a run's files by name; MlflowException or OSError if one cannot be read."""
    from mlflow.artifacts import download_artifacts

    # By the place of the run's files, looked up once: by the run, MLflow asks its database anew for each of them, and
    # prefers a file of the same name in a model that the run has logged.
    root, uri = client.get_run(run_id).info.artifact_uri, client.tracking_uri
    with tempfile.TemporaryDirectory(prefix="rai-artifact-") as folder:
        files = ((name, download_artifacts(f"{root}/{name}", dst_path=folder, tracking_uri=uri)) for name in names)
        return {name: Path(file).read_bytes() for name, file in files}


def read_artifact(client: MlflowClient, run_id: str, artifact: str) -> bytes | None:
    """Return the content of one of a run's files; None if it is not there or cannot be read."""
    from mlflow.exceptions import MlflowException

    try:
        return fetch_artifacts(client, run_id, [artifact])[artifact]
    except (MlflowException, OSError) as error:
        if "API request to" in str(error) or find_refusal(error):  # nothing is known of the file
            raise
        return None


def parse_json(content: bytes | None) -> Any:
    """Return what a file says that somebody may have edited; None if it is not there or cannot be read."""
    try:
        return None if content is None else json.loads(content)
    except (ValueError, RecursionError):  # nested without end
        return None
