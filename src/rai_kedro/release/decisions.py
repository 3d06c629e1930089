"""The decisions in the evidence record: their shape, which of them stands, and how they are put into words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from typing import TYPE_CHECKING, Final

from rai_kedro.release.chain import Entry
from rai_kedro.release.versions import (
    APPROVED,
    DEMO_TAG,
    EVIDENCE_TAG,
    GATE_TAG,
    REJECTED,
    REVIEW_TAG,
    REVIEWED_AT_TAG,
    REVIEWER_TAG,
    RISK_TAG,
    STATEMENT_TAG,
)

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

APPROVE: Final = "approve"
REJECT: Final = "reject"
PASSED: Final = "pass"


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
        card_digest: SHA-256 of the model card's JSON, which holds the digests of its pages; likewise.
        demo: True if a demonstration decided.
        fairness_gate: What the fairness gate said when this was decided, e.g. ``"pass"``; empty in records made before
            it was asked.
        gate_summary: How many of its verdicts do not pass, at which level and by which limits, with an example.
        gate_digest: SHA-256 of the gate's decision; empty if there was none.
        accepted_risk: Why it was approved though the gate did not pass; empty otherwise.
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
    fairness_gate: str = ""
    gate_summary: str = ""
    gate_digest: str = ""
    accepted_risk: str = ""


def is_covered(review: Review) -> bool:
    """Return whether an approval may have its effect: the gate passed, or somebody accepted that it did not.

    Args:
        review: An approval.

    Returns:
        False, too, for an approval that says nothing of the gate.
    """
    return review.fairness_gate == PASSED or bool(review.fairness_gate and review.accepted_risk)


def tags_of(review: Review, entry: Entry) -> dict[str, str]:
    """Return the tags that a decision gives its version, the one that makes it count last.

    Args:
        review: The decision.
        entry: Its entry in the record; its hash on the version is the record's anchor.

    Returns:
        Value by tag. What the gate said is left out where the decision does not know it.
    """
    gate = {GATE_TAG: review.fairness_gate} if review.fairness_gate else {}
    return {
        REVIEWER_TAG: review.reviewer,
        STATEMENT_TAG: review.statement,
        REVIEWED_AT_TAG: review.reviewed_at,
        DEMO_TAG: str(review.demo).lower(),
        **gate,
        RISK_TAG: review.accepted_risk,
        EVIDENCE_TAG: entry.hash,
        REVIEW_TAG: review.decision,
    }


def describe_gate(outcome: str | None, accepted_risk: str | None) -> str:
    """Say in a line what the fairness gate said of a version, and why that was accepted if it did not pass.

    Args:
        outcome: E.g. ``"insufficient_evidence"``; None or empty if it is not known.
        accepted_risk: The reason, if there is one.

    Returns:
        E.g. ``"fairness gate said: fail; risk accepted: a pilot of two weeks"``.
    """
    said = (outcome or "nothing, it was not asked").replace("_", " ")
    return f"fairness gate said: {said}" + (f"; risk accepted: {accepted_risk}" if accepted_risk else "")


def describe_review(review: Review) -> str:
    """Say in a line who decided what, when and why, and what the fairness gate said.

    Args:
        review: The decision.

    Returns:
        The line, as card and description show it.
    """
    label = " (demonstration, not a person's review)" if review.demo else ""
    return (
        f"{review.decision} by {review.reviewer}{label} at {review.reviewed_at}: {review.statement} "
        f"({describe_gate(review.fairness_gate, review.accepted_risk)})"
    )


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


def approve_command(use_case: str, version: str, *, passed: bool) -> str:
    """Return the command with which a person approves a version.

    Args:
        use_case: Name of the use case.
        version: Version number.
        passed: Whether the fairness gate passes; if not, a reason to accept the risk is needed.

    Returns:
        The command, with words in capitals where the person's own go.
    """
    risk = "" if passed else ' --accept-risk "REASON"'
    return f"kedro rai approve --use-case {use_case} --version {version} --reviewer NAME --statement TEXT{risk}"


def review_advice(version: ModelVersion) -> str:
    """Say how a person reviews a version; the tag decides what is proposed, while approving asks the gate itself.

    Args:
        version: The version as MLflow gives it.

    Returns:
        Both commands, in half a sentence.
    """
    command = approve_command(version.name, str(version.version), passed=version.tags.get(GATE_TAG) == PASSED)
    return f"look with `kedro rai status --use-case {version.name}`, then approve with `{command}`"


def _is_decision(entry: Entry) -> bool:
    # What has a default came later: records written before it still count.
    names = {field.name for field in fields(Review)}
    needed = {field.name for field in fields(Review) if field.default is MISSING}
    return entry.kind in {APPROVE, REJECT} and needed <= set(entry.body) <= names


def _is_same_version(one: Review, other: Review) -> bool:
    return (one.version, one.run_id) == (other.version, other.run_id)
