"""What MLflow knows about the versions of a use case's model: tags, aliases, look-ups and summaries."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, TypeVar

from rai_kedro.errors import RaiError
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

_Answer = TypeVar("_Answer")
CANDIDATE: Final = "candidate"
PRODUCTION: Final = "production"

APPROVED: Final = "approved"
REJECTED: Final = "rejected"


class Tag:
    """Tags of a model version in MLflow."""

    USE_CASE: Final = "rai.use_case"
    REVIEW: Final = "rai.review"
    REVIEWER: Final = "rai.reviewer"
    STATEMENT: Final = "rai.statement"
    REVIEWED_AT: Final = "rai.reviewed_at"
    DEMO: Final = "rai.demo"
    EVIDENCE: Final = "rai.evidence"
    MODEL_DIGEST: Final = "rai.model_digest"
    COMPANION_DIGEST: Final = "rai.companion_digest"
    CARD: Final = "rai.card"
    CARD_DIGEST: Final = "rai.card_digest"
    GIT_COMMIT: Final = "rai.git_commit"
    MONTH: Final = "rai.month"
    GATE: Final = "rai.fairness_gate"
    GATE_DIGEST: Final = "rai.fairness_gate_digest"
    RISK: Final = "rai.accepted_risk"


# All digests of a version, by the field of a `Review` that keeps each: its tag, and what it is taken of.
DIGESTS: Final = {
    "model_digest": (Tag.MODEL_DIGEST, "model files"),
    "companion_digest": (Tag.COMPANION_DIGEST, "reference data or contract"),
    "card_digest": (Tag.CARD_DIGEST, "model card"),
    "gate_digest": (Tag.GATE_DIGEST, "fairness gate's decision"),
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


class VersionSummary(Typed):
    """What a person wants to see of a version in a list."""

    version: str
    created_at: str  # UTC, ISO 8601
    run_id: str
    aliases: tuple[str, ...] = ()
    review: str | None = None  # "approved" or "rejected"
    reviewer: str | None = None
    statement: str | None = None
    reviewed_at: str | None = None
    demo: bool = False  # a demonstration, not a person, decided
    model_digest: str | None = None
    card: str | None = None  # path of the model card
    fairness_gate: str | None = None  # e.g. "insufficient_evidence"; None if nothing is noted
    accepted_risk: str | None = None
    metrics: Mapping[str, float | None] = {}  # of its run, empty if that is gone; what is not defined is None


def registered_version(client: MlflowClient, version: ModelVersion) -> RegisteredVersion:
    """Describe a version as MLflow gives it in our terms, with the commit that its run was tagged with."""
    run_id = version.run_id or ""
    tags = client.get_run(run_id).data.tags if run_id else {}
    number = str(version.version)
    uri = f"models:/{version.name}/{number}"
    return RegisteredVersion(version.name, number, run_id, uri, _created(version), tags.get(Tag.GIT_COMMIT))


def list_versions(client: MlflowClient, use_case: str) -> list[VersionSummary]:
    """Summarise all versions of a use case's model, newest first; empty if nothing was trained yet."""
    aliases = find_aliases(client, use_case)
    return [_summarise(client, version, aliases) for version in search_versions(client, use_case)]


def search_versions(client: MlflowClient, use_case: str) -> list[ModelVersion]:
    """Return MLflow's own records of all versions of a use case's model, newest first."""
    found = client.search_model_versions(f"name='{use_case}'")
    return sorted(found, key=lambda version: int(version.version), reverse=True)


def find_aliases(client: MlflowClient, use_case: str) -> dict[str, str]:
    """Return the version number that each alias names; empty if the model does not exist."""
    model = ask(client.get_registered_model, use_case)
    return {alias: str(version) for alias, version in model.aliases.items()} if model else {}


def find_version(client: MlflowClient, use_case: str, version: str) -> ModelVersion:
    """Return MLflow's own record of one version.

    Raises:
        ReleaseError: The use case's model has no such version, or none at all.
    """
    found = {str(one.version): one for one in search_versions(client, use_case)}
    if version.strip() in found:
        return found[version.strip()]
    if not found:
        raise unknown_model(use_case)
    raise ReleaseError(
        f"Model {use_case} has no version {version}.",
        where=f"registered model {use_case}",
        how_many=f"existing versions: {', '.join(reversed(found))}",
        remedy=f"choose one of them; `kedro rai status --use-case {use_case}` shows them",
    )


def find_reviewable(client: MlflowClient, use_case: str) -> str | None:
    """Return the version to review next: the candidate, or the newest that is not rejected; None if there is none."""
    found = search_versions(client, use_case)
    reviewable = [str(version.version) for version in found if version.tags.get(Tag.REVIEW) != REJECTED]
    candidate = find_aliases(client, use_case).get(CANDIDATE)
    return candidate if candidate in reviewable else next(iter(reviewable), None)


def subject_of(version: ModelVersion) -> tuple[str, str]:
    """Return number and run of a version, which decisions on it name; see `Review.subject`."""
    return str(version.version), version.run_id or ""


def noted_digests(version: ModelVersion) -> dict[str, str]:
    """Return the digests that training noted on a version's tags, empty where one is not there."""
    return {field: version.tags.get(tag, "") for field, (tag, _) in DIGESTS.items()}


def require_same(version: ModelVersion, found: Mapping[str, str], known: Mapping[str, str], since: str) -> None:
    """Refuse a version of which a digest is not what was ``known`` of it; ``since`` says when that was."""
    for field, now in found.items():
        (tag, noun), then = DIGESTS[field], known[field]
        if then == now:
            continue
        raise ChangedError(
            f"The {noun} of version {version.version} of {version.name} "
            + (f"changed after {since}." if then else f"cannot be compared with those of {since}."),
            where=f"registered model {version.name}, run {version.run_id}",
            example=f"{tag}: {f'{then[:12]}… then' if then else 'not on the version or its record'}; {now[:12]}… now",
            remedy="find out who changed files or tags and restore them from a backup; or train a new version with "
            f"`kedro run --pipelines {version.name}` and have that one reviewed",
        )


def unknown_model(use_case: str) -> ReleaseError:
    """Return the error for a use case of which nothing is registered, to be raised."""
    return ReleaseError(
        f"No version of model {use_case} is registered.",
        where=f"registered model {use_case}",
        remedy=f"train one with `kedro run --pipelines {use_case}`, or check the name and --env",
    )


def _created(version: ModelVersion) -> str:
    return datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds")


def _summarise(client: MlflowClient, version: ModelVersion, aliases: Mapping[str, str]) -> VersionSummary:
    tags, number = version.tags, str(version.version)
    return VersionSummary(
        version=number,
        created_at=_created(version),
        run_id=version.run_id or "",
        aliases=tuple(sorted(alias for alias, named in aliases.items() if named == number)),
        review=tags.get(Tag.REVIEW),
        reviewer=tags.get(Tag.REVIEWER),
        statement=tags.get(Tag.STATEMENT),
        reviewed_at=tags.get(Tag.REVIEWED_AT),
        demo=tags.get(Tag.DEMO) == "true",
        model_digest=tags.get(Tag.MODEL_DIGEST),
        card=tags.get(Tag.CARD),
        fairness_gate=tags.get(Tag.GATE),
        accepted_risk=tags.get(Tag.RISK) or None,
        metrics=_find_metrics(client, version.run_id),
    )


def _find_metrics(client: MlflowClient, run_id: str | None) -> dict[str, float | None]:
    run = ask(client.get_run, run_id)
    metrics = run.data.metrics if run else {}
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


def ask(question: Callable[[str], _Answer], name: str | None) -> _Answer | None:
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
