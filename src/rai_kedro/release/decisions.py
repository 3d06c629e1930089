"""The decisions in the evidence record: their signed form, which of them count, and how they are put into words.

A decision is an in-toto statement about the digest of a version's manifest, in a DSSE envelope signed by the reviewer.
It names its own place in the record (sequence and the hash before it), so it can be neither moved nor used again. An
approval counts only with a signature that holds; a rejection counts whoever made it, since stopping is always safe.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, ValidationError

from rai_kedro.policy import ApprovalRules
from rai_kedro.release import signing
from rai_kedro.release.keys import SigningError, SigningKey, keyid_of
from rai_kedro.release.record import Entry, is_to_come
from rai_kedro.release.versions import APPROVED, REJECTED, Tag, Version
from rai_kedro.words import in_words, make_visible

APPROVE: Final = "approve"
ROLLBACK: Final = "rollback"
REJECT: Final = "reject"
DECISIONS: Final = (APPROVE, ROLLBACK, REJECT)
PASSED: Final = "pass"
REVIEWERS_FILE: Final = "conf/base/reviewers.yml"


class Review(signing.SignedStatement):
    """A decision on a version, as it is signed and recorded; ``demo``: a demonstration decided, not a person."""

    predicate_type = "https://rai-kedro.example/decision/v1"
    decision: Literal["approved", "rejected"]
    reviewer: str
    role: str = "reviewer"
    statement: str
    reviewed_at: signing.Time
    expires_at: signing.Time = ""  # of an approval
    fairness_gate: str = ""  # what the gate said then, e.g. "pass"; empty if it was not asked
    gate_summary: str = ""  # how many verdicts do not pass, at which level and by which limits, with an example
    open_gates: tuple[str, ...] = ()  # gates of the policy whose outcome asked for an accepted risk
    loosened: tuple[str, ...] = ()  # what was looser in the policy at the approval than at the training; agreed to
    accepted_risk: str = ""  # why it was approved though not every gate passed
    rules: ApprovalRules = ApprovalRules()  # of the policy that it was made under
    # Of predictions made elsewhere: not a model is approved, but the use of these predictions by the rule on record.
    as_assessed: bool = Field(default=False, exclude_if=lambda value: not value)

    @property
    def signer(self) -> str:
        """Name of the person who decides."""
        return self.reviewer

    @property
    def signed_at(self) -> str:
        """When it was decided."""
        return self.reviewed_at

    def expired(self, now: datetime) -> bool:
        """Say whether an approval is past its time."""
        return bool(self.expires_at) and now >= datetime.fromisoformat(self.expires_at)


Decided = tuple[Review, Entry]


@dataclass(frozen=True)
class Trust:
    """Whose approvals count here."""

    reviewers: signing.Reviewers
    environment: str = ""  # of Kedro; where it is not known, no demonstration counts

    def find_fault(self, said: signing.SignedStatement, entry: Entry) -> str | None:
        """Say why what somebody signed does not count, whatever its date; None if it does."""
        if misplaced := _find_other_place(said, entry):
            return misplaced
        envelope, at = signing.Envelope.from_dict(entry.body["envelope"]), datetime.fromisoformat(said.signed_at)
        try:
            if said.demo:
                return self._find_fault_of_demo(said, envelope)
            person = signing.check_signature(envelope, self.reviewers, at)
        except SigningError as error:
            return f"{error.what} {error.example or ''}".strip()
        if person.name != said.signer or said.role not in person.roles:
            return f"the key is {person.name}'s, who may act as {', '.join(person.roles)}"
        return None

    def _find_fault_of_demo(self, said: signing.SignedStatement, envelope: signing.Envelope) -> str | None:
        signing.check_demo_signature(envelope, said.public_key)
        if (owner := self.reviewers.find(keyid_of(said.public_key))) is not None:
            return f"it calls itself a demonstration and is signed with the key of {owner.name}"
        if any(one.name.casefold() == said.signer.casefold() for one in self.reviewers.reviewers):
            return f"it is a demonstration under the name of {said.signer}, who did not sign it"
        if self.environment in self.reviewers.demo_in:
            return None
        where = f"environment '{self.environment}'" if self.environment else "an unknown environment"
        return f"a demonstration made it, which does not count in {where}"


def _find_other_place(said: signing.SignedStatement, entry: Entry) -> str | None:
    if (said.sequence, said.previous) != (entry.sequence, entry.previous):
        return f"it was signed for line {said.sequence} of a record, not for this place"
    if said.signed_at != entry.recorded_at:
        return f"it was signed at {said.signed_at} and recorded at {entry.recorded_at}"
    if is_to_come(said.signed_at):
        return f"it is dated {said.signed_at}, which is still to come"
    return None


def read_trust(project: Path, environment: str) -> Trust:
    """Read whose approvals count from the project's own base, in every environment."""
    return Trust(signing.read_reviewers(project / REVIEWERS_FILE), environment)


def sign_review(said: signing.SignedStatement, key: SigningKey) -> dict[str, Any]:
    """Return the body of its entry."""
    return {"envelope": signing.sign(said.to_statement(), key).to_dict()}


def is_covered(review: Review) -> bool:
    """Say whether an approval may have its effect: all gates passed, or somebody accepted that they did not."""
    passed = review.fairness_gate == PASSED and not review.open_gates and not review.loosened
    return passed or bool(review.fairness_gate and review.accepted_risk)


def tags_of(review: Review, entry: Entry) -> dict[str, str]:
    """Return the tags that a decision gives its version, the one that makes it count last.

    Among them is the hash of its entry, an anchor of the record.
    """
    gate = {Tag.GATE: review.fairness_gate} if review.fairness_gate else {}
    return {
        Tag.REVIEWER: review.reviewer,
        Tag.STATEMENT: review.statement,
        Tag.REVIEWED_AT: review.reviewed_at,
        Tag.EXPIRES: review.expires_at,
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
    until = f", until {review.expires_at[:10]}" if review.expires_at else ""
    what = f"{review.decision} for use as assessed" if review.as_assessed else review.decision
    said = f"{what} by {review.reviewer}{label} at {review.reviewed_at}{until}: {review.statement}"
    return make_visible(f"{said} ({describe_gate(review.fairness_gate, review.accepted_risk)})")


def list_decisions(entries: Iterable[Entry], use_case: str) -> list[Decided]:
    """Return every decision on a use case with its entry, in order, whether or not it counts."""
    found = [decided for entry in entries if (decided := read_decision(entry)) is not None]
    return [decided for decided in found if decided[0].use_case == use_case]


def read_decision(entry: Entry) -> Decided | None:
    """Return the decision in an entry; None if it holds none that can be read."""
    if entry.kind in DECISIONS:
        with suppress(ValidationError, SigningError, ValueError, KeyError, TypeError):
            return Review.of_envelope(signing.Envelope.from_dict(entry.body["envelope"])), entry
    return None


def list_decisions_on(entries: Iterable[Entry], version: Version) -> list[Decided]:
    """Return every decision on one version with its entry, in order."""
    return [one for one in list_decisions(entries, version.use_case) if one[0].subject == version.subject]


def list_approvals(decisions: Iterable[Decided], trust: Trust) -> list[Decided]:
    """Return the approvals that count, whatever their date."""
    return [
        (review, entry)
        for review, entry in decisions
        if review.decision == APPROVED and is_covered(review) and trust.find_fault(review, entry) is None
    ]


def find_standing_approval(entries: Iterable[Entry], use_case: str, trust: Trust) -> Decided | None:
    """Return the approval that stands: the last that took effect, unless its version was ever rejected.

    It takes effect with the last signature that the policy asks for. A rejection outranks an approval of the same
    version in whichever order the two were recorded. Earlier approvals do not come back by themselves; going back to
    an older version is a decision of its own.
    """
    decisions = list_decisions(entries, use_case)
    last: Decided | None = None
    for number, one in enumerate(approvals := list_approvals(decisions, trust)):
        if not find_missing_roles(approvals[: number + 1], one[0]):
            last = one
    rejected = {review.subject for review, _ in decisions if review.decision == REJECTED}
    return last if last and last[0].subject not in rejected else None


def find_missing_roles(approvals: Sequence[Decided], last: Review) -> tuple[str, ...]:
    """Return the roles whose approval of the same manifest is missing after the last one; one person fills one role."""
    same = [review for review, _ in approvals if review.manifest == last.manifest and not _is_older(review, last)]
    filled = dict(_fill(last.rules.roles, same, frozenset()))
    return tuple(role for role in last.rules.roles if role not in filled)


def _is_older(review: Review, last: Review) -> bool:
    """Say whether an approval had run out when the last one was given."""
    return review.expired(datetime.fromisoformat(last.reviewed_at))


def _fill(roles: Sequence[str], reviews: Sequence[Review], taken: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield each role with who fills it, the latest first."""
    for role in roles:
        person = next(
            (one.reviewer for one in reversed(reviews) if one.role == role and one.reviewer not in taken), None
        )
        if person is not None:
            taken |= {person}
            yield role, person


def find_rejection(entries: Iterable[Entry], version: Version) -> Decided | None:
    """Return the first rejection of a version; a rejected version can never be approved again."""
    return find_last(list_decisions_on(entries, version)[::-1], REJECTED)


def find_last_decision(entries: Sequence[Entry], version: Version, trust: Trust) -> Decided | None:
    """Return the decision on one version that its tags show: its rejection, or the last approval that counts."""
    approvals = list_approvals(list_decisions_on(entries, version), trust)
    return find_rejection(entries, version) or (approvals[-1] if approvals else None)


def list_missing_roles(entries: Iterable[Entry], version: Version, trust: Trust) -> tuple[str, ...] | None:
    """Return the roles that still have to approve a version: none once it is decided on, None before the first."""
    decisions = list_decisions_on(entries, version)
    approvals = list_approvals(decisions, trust)
    if any(review.decision == REJECTED for review, _ in decisions):
        return ()
    return find_missing_roles(approvals, approvals[-1][0]) if approvals else None


def find_last(decisions: Sequence[Decided], decision: str) -> Decided | None:
    """Return the last that was decided so."""
    return next((decided for decided in reversed(decisions) if decided[0].decision == decision), None)


def approve_command(use_case: str, version: str, *, passed: bool) -> str:
    """Return the command with which a person approves a version, with capitals where the person's own words go.

    Where the fairness gate has not ``passed``, a reason to accept the risk is among them.
    """
    risk = "" if passed else ' --accept-risk "REASON"'
    return f"kedro rai approve --use-case {use_case} --version {version} --statement TEXT{risk}"


def review_advice(version: Version) -> str:
    """Say in half a sentence how a person reviews a version; the tag decides what is proposed."""
    command = approve_command(version.use_case, version.number, passed=version.tags.get(Tag.GATE) == PASSED)
    return f"look with `kedro rai status --use-case {version.use_case}`, then approve with `{command}`"
