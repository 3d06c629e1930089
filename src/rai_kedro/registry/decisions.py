"""The decisions in the evidence record: their shape, and which of them stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from typing import Final

from rai_kedro.evidence.chain import Entry
from rai_kedro.registry.versions import APPROVED, REJECTED

APPROVE: Final = "approve"
REJECT: Final = "reject"


@dataclass(frozen=True)
class Review:
    """A decision as it is recorded; the body of its evidence entry.

    Attributes:
        use_case: Name of the use case and of its registered model.
        version: Version number, as text.
        run_id: MLflow run that trained it; version numbers start again in a new database, run ids do not.
        decision: ``"approved"`` or ``"rejected"``.
        reviewer: Who decided.
        statement: Why.
        reviewed_at: UTC, ISO 8601.
        model_digest: SHA-256 of the model's files; empty if a rejected version had none on record.
        companion_digest: SHA-256 of reference data and contract; likewise.
        card_digest: SHA-256 of the model card's JSON; likewise.
        demo: True if a demonstration decided.
    """

    use_case: str
    version: str
    run_id: str
    decision: str
    reviewer: str
    statement: str
    reviewed_at: str
    model_digest: str
    companion_digest: str
    card_digest: str = ""
    demo: bool = False


def find_standing_approval(entries: Iterable[Entry], use_case: str) -> tuple[Review, Entry] | None:
    """Return the approval that stands: the last one recorded, unless its version was rejected after it.

    Earlier approvals do not come back by themselves; going back to an older version is a decision of its own.

    Args:
        entries: The evidence record, in order.
        use_case: Name of the use case.

    Returns:
        The review and its entry, or ``None``.
    """
    standing: tuple[Review, Entry] | None = None
    for review, entry in list_decisions(entries, use_case):
        if review.decision == APPROVED:
            standing = (review, entry)
        elif standing is not None and _is_same_version(review, standing[0]):
            standing = None
    return standing


def find_rejection(entries: Iterable[Entry], review: Review) -> tuple[Review, Entry] | None:
    """Return the rejection of a review's version; a rejected version can never be approved again.

    Args:
        entries: The evidence record, in order.
        review: Any review of the version.

    Returns:
        The rejection and its entry, or ``None``.
    """
    for recorded, entry in list_decisions(entries, review.use_case):
        if recorded.decision == REJECTED and _is_same_version(recorded, review):
            return recorded, entry
    return None


def find_last_decision(
    entries: Iterable[Entry], use_case: str, version: str, run_id: str
) -> tuple[Review, Entry] | None:
    """Return the last decision on one version, which is the one its tags show.

    Args:
        entries: The evidence record, in order.
        use_case: Name of the use case.
        version: Version number, as text.
        run_id: MLflow run that trained it.

    Returns:
        The review and its entry, or ``None``.
    """
    found = [
        (review, entry)
        for review, entry in list_decisions(entries, use_case)
        if (review.version, review.run_id) == (version, run_id)
    ]
    return found[-1] if found else None


def list_decisions(entries: Iterable[Entry], use_case: str) -> list[tuple[Review, Entry]]:
    """Return every decision on a use case.

    Args:
        entries: The evidence record, in order.
        use_case: Name of the use case.

    Returns:
        Reviews with their entries, in order.
    """
    return [
        (Review(**entry.body), entry) for entry in entries if _is_decision(entry) and entry.body["use_case"] == use_case
    ]


def _is_decision(entry: Entry) -> bool:
    # What has a default came later: records written before it still count.
    names = {field.name for field in fields(Review)}
    needed = {field.name for field in fields(Review) if field.default is MISSING}
    return entry.kind in {APPROVE, REJECT} and needed <= set(entry.body) <= names


def _is_same_version(one: Review, other: Review) -> bool:
    return (one.version, one.run_id) == (other.version, other.run_id)
