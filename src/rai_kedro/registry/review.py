"""A person's decision on a model version: recorded as evidence, shown as tags, effective as an alias."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rai_kedro.errors import RaiError
from rai_kedro.evidence.chain import Entry
from rai_kedro.evidence.log import append, read
from rai_kedro.registry.decisions import APPROVE, REJECT, Review, find_rejection, find_standing_approval
from rai_kedro.registry.examination import Digests, digests_on_tags, examine
from rai_kedro.registry.versions import (
    APPROVED,
    DEMO_TAG,
    EVIDENCE_TAG,
    PRODUCTION,
    REJECTED,
    REVIEW_TAG,
    REVIEWED_AT_TAG,
    REVIEWER_TAG,
    STATEMENT_TAG,
    find_aliases,
    find_version,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


class ReviewIncompleteError(RaiError):
    """The decision lacks its reviewer or its statement."""


class RejectedVersionError(RaiError):
    """The version was rejected and stays so."""


@dataclass(frozen=True)
class ReviewRequest:
    """What a person says about a version.

    Attributes:
        use_case: Name of the use case and of its registered model.
        version: Version number.
        reviewer: Who decides.
        statement: Why, in the reviewer's words.
        reviewed_at: When, with time zone.
        demo: True if a demonstration decides in a person's stead; recorded and shown as such.
    """

    use_case: str
    version: str
    reviewer: str
    statement: str
    reviewed_at: datetime
    demo: bool = False


@dataclass(frozen=True)
class ReviewOutcome:
    """What a decision led to.

    Attributes:
        review: The decision that stands.
        recorded: False if it stood already and no second entry was made.
        message: One or two sentences for the person.
    """

    review: Review
    recorded: bool
    message: str


def approve(client: MlflowClient, request: ReviewRequest, evidence_path: str | Path) -> ReviewOutcome:
    """Approve a version: record it, tag the version, and let alias ``production`` name it.

    The order is what makes a kill safe. The record comes first: without it `approved_version` accepts
    nothing, so nothing can be in production that is not recorded. Then the tags, ``rai.review`` last of them.
    The alias comes last: until it moves, production does not load the new version. A kill in between leaves a
    record that the alias does not follow, at which monitoring stops; approving again completes it without a
    second entry.

    Args:
        client: MLflow client.
        request: Who approves which version, and why.
        evidence_path: The use case's evidence record.

    Returns:
        The decision that stands.

    Raises:
        ReviewIncompleteError: Reviewer or statement is empty.
        UnknownModelError: The model has no versions.
        UnknownVersionError: It has others.
        RejectedVersionError: The version was rejected.
        ModelChangedError: Its files are not those that were trained.
        ReleaseIncompleteError: Some of its files are missing.
        TrainingIncompleteError: Its run lacks performance or fairness figures.
        CardMissingError: It has no model card.
        EvidenceBrokenError: The record does not hold.
        EvidenceWriteError: The record cannot be written.
    """
    _require_words(request)
    version = find_version(client, request.use_case, request.version)
    entries = read(evidence_path)
    _require_not_rejected(version, find_rejection(entries, _make_review(request, version, APPROVED, Digests())))
    review = _make_review(request, version, APPROVED, examine(client, version))
    standing = find_standing_approval(entries, request.use_case)
    recorded = standing is None or _subject(standing[0]) != _subject(review)
    if standing is None or recorded:
        entry = append(evidence_path, APPROVE, asdict(review), review.reviewed_at)
    else:
        review, entry = standing
    _tag(client, review, entry)
    client.set_registered_model_alias(review.use_case, PRODUCTION, review.version)
    return ReviewOutcome(review, recorded, _describe_approval(review, recorded))


def reject(client: MlflowClient, request: ReviewRequest, evidence_path: str | Path) -> ReviewOutcome:
    """Reject a version: record it, tag the version, and take it out of production if it is there.

    The record comes first here, too: from then on `approved_version` refuses the version, whatever its tags
    and the alias still say.

    Args:
        client: MLflow client.
        request: Who rejects which version, and why.
        evidence_path: The use case's evidence record.

    Returns:
        The decision that stands.

    Raises:
        ReviewIncompleteError: Reviewer or statement is empty.
        UnknownModelError: The model has no versions.
        UnknownVersionError: It has others.
        EvidenceBrokenError: The record does not hold.
        EvidenceWriteError: The record cannot be written.
    """
    _require_words(request)
    version = find_version(client, request.use_case, request.version)
    # From the tags: a version whose files are gone or damaged must be rejectable, too.
    review = _make_review(request, version, REJECTED, digests_on_tags(version))
    standing = find_rejection(read(evidence_path), review)
    if standing is None:
        entry = append(evidence_path, REJECT, asdict(review), review.reviewed_at)
    else:
        review, entry = standing
    _tag(client, review, entry)
    was_production = find_aliases(client, review.use_case).get(PRODUCTION) == review.version
    if was_production:
        client.delete_registered_model_alias(review.use_case, PRODUCTION)
    return ReviewOutcome(review, standing is None, _describe_rejection(review, standing is None, was_production))


def _subject(review: Review) -> tuple[str, ...]:
    return (review.version, review.run_id, review.model_digest, review.companion_digest, review.card_digest)


def _make_review(request: ReviewRequest, version: ModelVersion, decision: str, digests: Digests) -> Review:
    if request.reviewed_at.tzinfo is None:
        raise ValueError("reviewed_at must have a time zone")
    return Review(
        use_case=request.use_case,
        version=str(version.version),
        run_id=version.run_id or "",
        decision=decision,
        reviewer=request.reviewer.strip(),
        statement=request.statement.strip(),
        reviewed_at=request.reviewed_at.astimezone(UTC).isoformat(timespec="seconds"),
        model_digest=digests.model,
        companion_digest=digests.companion,
        card_digest=digests.card,
        demo=request.demo,
    )


def _require_words(request: ReviewRequest) -> None:
    missing = [name for name in ("reviewer", "statement") if not getattr(request, name).strip()]
    if missing:
        raise ReviewIncompleteError(
            f"A decision needs a {' and a '.join(missing)}; an empty one is not accepted.",
            where=f"review of {request.use_case} version {request.version}",
            remedy="say who decides and why: --reviewer NAME --statement TEXT",
        )


def _require_not_rejected(version: ModelVersion, rejection: tuple[Review, Entry] | None) -> None:
    if rejection is None and version.tags.get(REVIEW_TAG) != REJECTED:
        return
    statement = rejection[0].statement if rejection else version.tags.get(STATEMENT_TAG)
    raise RejectedVersionError(
        f"Version {version.version} of {version.name} was rejected and cannot be approved.",
        where=f"registered model {version.name}",
        example=f"the statement was: {statement}",
        remedy=f"train a new version with `kedro run --pipelines {version.name}` and have that one reviewed",
    )


def _tag(client: MlflowClient, review: Review, entry: Entry) -> None:
    tags = {
        REVIEWER_TAG: review.reviewer,
        STATEMENT_TAG: review.statement,
        REVIEWED_AT_TAG: review.reviewed_at,
        DEMO_TAG: str(review.demo).lower(),
        EVIDENCE_TAG: entry.hash,
        REVIEW_TAG: review.decision,
    }
    for name, value in tags.items():
        client.set_model_version_tag(review.use_case, review.version, name, value)


def _describe_approval(review: Review, recorded: bool) -> str:
    label = " (demo, not a person's review)" if review.demo else ""
    if recorded:
        return f"Version {review.version} of {review.use_case} is approved{label} and in production."
    return (
        f"Version {review.version} of {review.use_case} was already approved{label} by {review.reviewer} on "
        f"{review.reviewed_at}; it is in production, and nothing new was recorded."
    )


def _describe_rejection(review: Review, recorded: bool, was_production: bool) -> str:
    state = "is rejected" if recorded else f"was already rejected by {review.reviewer} on {review.reviewed_at}"
    message = f"Version {review.version} of {review.use_case} {state}."
    if was_production:
        message += (
            " It was in production: alias 'production' is removed, and monitoring stops until a version is approved."
        )
    return message
