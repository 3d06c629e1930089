"""The decisions in the evidence record: their shape, which of them stands, and how they are put into words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, Literal

from pydantic import ValidationError

from rai_kedro.release.record import Entry
from rai_kedro.release.versions import APPROVED, DIGESTS, REJECTED, Tag, Version
from rai_kedro.typed import Typed
from rai_kedro.words import in_words, make_visible

APPROVE: Final = "approve"
REJECT: Final = "reject"
PASSED: Final = "pass"


class Review(Typed):
    """A decision as it is recorded; the body of its evidence entry. Digests are SHA-256, empty where none is known."""

    use_case: str
    version: str
    run_id: str  # version numbers start again in a new database, run ids do not
    decision: Literal["approved", "rejected"]
    reviewer: str
    statement: str
    reviewed_at: str  # UTC, ISO 8601
    model_digest: str
    companion_digest: str  # of reference data and contract
    card_digest: str = ""  # of the card's JSON, which holds the digests of its pages
    demo: bool = False  # a demonstration decided, not a person
    fairness_gate: str = ""  # what the gate said then, e.g. "pass"; empty if it was not asked
    gate_summary: str = ""  # how many verdicts do not pass, at which level and by which limits, with an example
    gate_digest: str = ""
    accepted_risk: str = ""  # why it was approved though the gate did not pass

    @property
    def subject(self) -> tuple[str, str]:
        """Which version this decides on."""
        return self.version, self.run_id

    @property
    def digests(self) -> dict[str, str]:
        """Of what it decides on."""
        return {field: getattr(self, field) for field in DIGESTS}


Decided = tuple[Review, Entry]


def is_covered(review: Review) -> bool:
    """Say whether an approval may have its effect: the gate passed, or somebody accepted that it did not."""
    return review.fairness_gate == PASSED or bool(review.fairness_gate and review.accepted_risk)


def tags_of(review: Review, entry: Entry) -> dict[str, str]:
    """Return the tags that a decision gives its version, the one that makes it count last.

    Among them is the hash of its entry, the record's anchor.
    """
    gate = {Tag.GATE: review.fairness_gate} if review.fairness_gate else {}
    return {
        Tag.REVIEWER: review.reviewer,
        Tag.STATEMENT: review.statement,
        Tag.REVIEWED_AT: review.reviewed_at,
        Tag.DEMO: str(review.demo).lower(),
        **gate,
        Tag.RISK: review.accepted_risk,
        Tag.EVIDENCE: entry.hash,
        Tag.REVIEW: review.decision,
    }


def describe_gate(outcome: str | None, accepted_risk: str | None) -> str:
    """Say in a line what the gate said, and why that was accepted: ``"fairness gate said: fail; risk accepted: …"``."""
    said = in_words(outcome or "nothing, it was not asked")
    return make_visible(f"fairness gate said: {said}" + (f"; risk accepted: {accepted_risk}" if accepted_risk else ""))


def describe_review(review: Review) -> str:
    """Say in a line, as card and description show it, who decided what, when and why, and what the gate said."""
    label = " (demonstration, not a person's review)" if review.demo else ""
    said = f"{review.decision} by {review.reviewer}{label} at {review.reviewed_at}: {review.statement}"
    return make_visible(f"{said} ({describe_gate(review.fairness_gate, review.accepted_risk)})")


def list_decisions(entries: Iterable[Entry], use_case: str) -> list[Decided]:
    """Return every decision on a use case with its entry, in order."""
    found: list[Decided] = []
    for entry in entries:
        if entry.kind in {APPROVE, REJECT}:
            with suppress(ValidationError):
                found.append((Review.from_dict(entry.body), entry))
    return [decided for decided in found if decided[0].use_case == use_case]


def list_decisions_on(entries: Iterable[Entry], version: Version) -> list[Decided]:
    """Return every decision on one version with its entry, in order."""
    return [one for one in list_decisions(entries, version.use_case) if one[0].subject == version.subject]


def find_standing_approval(entries: Iterable[Entry], use_case: str) -> Decided | None:
    """Return the approval that stands: the last one recorded, unless its version was ever rejected.

    A rejection outranks an approval of the same version in whichever order the two were recorded. Earlier approvals
    do not come back by themselves; going back to an older version is a decision of its own.
    """
    decisions = list_decisions(entries, use_case)
    last = find_last(decisions, APPROVED)
    rejected = {review.subject for review, _ in decisions if review.decision == REJECTED}
    return last if last and last[0].subject not in rejected else None


def find_rejection(entries: Iterable[Entry], version: Version) -> Decided | None:
    """Return the first rejection of a version; a rejected version can never be approved again."""
    return find_last(list_decisions_on(entries, version)[::-1], REJECTED)


def find_last_decision(entries: Sequence[Entry], version: Version) -> Decided | None:
    """Return the decision on one version that its tags show: the last one, or its rejection."""
    return find_rejection(entries, version) or find_last(list_decisions_on(entries, version), APPROVED)


def find_last(decisions: Sequence[Decided], decision: str) -> Decided | None:
    """Return the last that was decided so."""
    return next((decided for decided in reversed(decisions) if decided[0].decision == decision), None)


def approve_command(use_case: str, version: str, *, passed: bool) -> str:
    """Return the command with which a person approves a version, with capitals where the person's own words go.

    Where the fairness gate has not ``passed``, a reason to accept the risk is among them.
    """
    risk = "" if passed else ' --accept-risk "REASON"'
    return f"kedro rai approve --use-case {use_case} --version {version} --reviewer NAME --statement TEXT{risk}"


def review_advice(version: Version) -> str:
    """Say in half a sentence how a person reviews a version; the tag decides what is proposed."""
    command = approve_command(version.use_case, version.number, passed=version.tags.get(Tag.GATE) == PASSED)
    return f"look with `kedro rai status --use-case {version.use_case}`, then approve with `{command}`"
