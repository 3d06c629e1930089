"""A person's decision on a model version: signed, recorded as evidence, shown as tags, effective as an alias.

Before an approval the version is examined: its files against the manifest, its figures, and whether it can score today.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rai_kedro.contract import Contract, mitigation_fault
from rai_kedro.modelling import sensitive_input
from rai_kedro.policy import ApprovalRules, Policy, find_loosened
from rai_kedro.release import versions
from rai_kedro.release.agreement import is_same_person, require_independent
from rai_kedro.release.card import find_changed_page, mark_card
from rai_kedro.release.decisions import (
    APPROVE,
    REJECT,
    ROLLBACK,
    Decided,
    Review,
    Trust,
    describe_gate,
    describe_review,
    find_missing_roles,
    find_rejection,
    find_standing_approval,
    list_approvals,
    list_decisions,
    list_decisions_on,
    sign_review,
    tags_of,
)
from rai_kedro.release.gate import judge_gate, judge_policy, require_open
from rai_kedro.release.keys import SigningError, SigningKey
from rai_kedro.release.manifest import Manifest, ReleaseFiles, checked_files
from rai_kedro.release.model_files import ModelRefusedError, load_trusted_sklearn
from rai_kedro.release.record import GENESIS, Entry, append_evidence, chain, read_evidence
from rai_kedro.release.training import Trainer, find_trainer, find_unsigned
from rai_kedro.words import find_hidden, has_letters, make_visible

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PERFORMANCE: Final = "training.test."
_FAIRNESS: Final = "training.fairness."
_RENEWABLE_DAYS: Final = 30
# A statement may be pasted in several lines; it is kept as one.
_LINE_BREAKS: Final = str.maketrans(dict.fromkeys("\n\r\t", " "))


@dataclass(frozen=True)
class ReviewRequest:
    """What a person says about a version, and the key that signs it."""

    use_case: str
    version: str
    reviewer: str
    statement: str  # why, in the reviewer's words
    reviewed_at: datetime  # with time zone
    key: SigningKey
    role: str = "reviewer"
    demo: bool = False  # a demonstration decides in a person's stead; recorded and shown as such
    accept_risk: str | None = None  # why it is approved though not every gate passes
    policy: Mapping[str, Any] | None = None  # what a version is judged by today, which may be looser than at training
    rollback: bool = False  # back to a version that was approved before


@dataclass(frozen=True)
class ReviewOutcome:
    """What a decision led to."""

    review: Review  # the decision that stands
    recorded: bool  # False if it stood already and no second entry was made
    message: str


def approve(client: MlflowClient, request: ReviewRequest, evidence_path: str | Path, trust: Trust) -> ReviewOutcome:
    """Approve a version: sign its manifest, record that, tag the version, and let alias ``production`` name it.

    The order is what makes a kill safe. The record comes first: without it `load_production` accepts nothing, so
    nothing can be in production that is not recorded. Then the card's copy on disk, which shows it, and the tags,
    ``rai.review`` last of them. The alias comes last: until it moves, production does not load the new version. A kill
    in between leaves a record that the alias does not follow, at which monitoring stops; approving again completes it
    without a second entry. Where the policy asks for several roles, the last of them moves the alias.

    Raises:
        ReleaseError: There is no such version; it was rejected; the words are empty or hide something; who signs is
            not known, or trained it; or the fairness gate and ``accept_risk`` do not fit together.
        ChangedError: Its files are not those that were trained, or its card on disk is not.
        IncompleteError: Some of its files or figures are missing.
        ModelRefusedError: The model would not be loaded, or needs a column that its contract does not permit today.
        EvidenceError: The record does not hold or cannot be written.
    """
    _require_words(request)
    version = versions.find_version(client, request.use_case, request.version)
    entries = read_evidence(evidence_path)
    _require_not_rejected(version, entries)
    _require_approved_before(version, entries, request, trust)
    with checked_files(version, entries) as files:
        _require_usable(version, files)
        _require_measured(version, files.read_contract())
        manifest = files.manifest
        contract = files.read_contract()
        as_assessed = bool(files.read_reference().baseline.get("unseen"))
    policy, gate = Policy.from_dict(manifest.policy.get("policy", {})), judge_gate(version)
    report = judge_policy(version, policy, gate.decision)
    loosened = find_loosened(manifest.policy, request.policy) if request.policy else ()
    known = _find_in_force(entries, request, manifest, loosened, trust)
    if known is None or request.accept_risk is not None:
        require_open(version, gate.decision, report, loosened, request.accept_risk)
    if known is not None:
        return _put_into_effect(version, known, entries, trust, recorded=False)
    _require_page(version, manifest)
    trainer = find_trainer(manifest, entries, trust)
    _require_signed_training(version, trainer, policy.approval, request, trust)
    if not request.demo:
        require_independent(version, trainer, contract, trust.reviewers, request.reviewer)
    seen = {
        "fairness_gate": gate.decision.outcome,
        "gate_summary": gate.summary,
        "open_gates": tuple(one.name for one in report.with_consequence("accept_risk")),
        "loosened": loosened,
        "as_assessed": as_assessed,
    }
    _require_other_person(request, version, trainer, trust, allowed=policy.approval.trainer_may_approve)
    review = _make_approval(request, version, manifest, seen, trust)
    _ask_to_decide(client, review)
    decided = _append(evidence_path, ROLLBACK if request.rollback else APPROVE, review, request.key)
    entries = read_evidence(evidence_path)
    # Who takes no lock could have rejected in the meantime; a rejection outranks.
    _require_not_rejected(version, entries)
    return _put_into_effect(version, decided, entries, trust, recorded=True)


def reject(client: MlflowClient, request: ReviewRequest, evidence_path: str | Path) -> ReviewOutcome:
    """Reject a version: record it, tag the version, and take it out of production if it is there.

    The record comes first here, too: from then on `load_production` refuses the version, whatever its tags and the
    alias still say. Stopping is always safe, so a rejection counts whoever signed it.

    Raises:
        ReleaseError: There is no such version, or reviewer or statement is empty or hides something.
        EvidenceError: The record does not hold or cannot be written.
    """
    _require_words(request)
    if request.accept_risk is not None:
        raise ValueError("a rejection accepts no risk")
    version = versions.find_version(client, request.use_case, request.version)
    standing = find_rejection(read_evidence(evidence_path), version)
    if standing is None:
        # From the tags: a version whose files are gone or damaged must be rejectable, too.
        noted = {
            "manifest": version.tags.get(versions.Tag.MANIFEST, GENESIS),
            "fairness_gate": version.tags.get(versions.Tag.GATE, ""),
        }
        review = _make_review(request, version, versions.REJECTED, **noted)
        _ask_to_decide(client, review)
        decided = _append(evidence_path, REJECT, review, request.key)
    else:
        decided = standing
    review = decided[0]
    _tag(client, *decided)
    was_production = versions.find_aliases(client, review.use_case).get(versions.PRODUCTION) == review.version
    if was_production:
        client.delete_registered_model_alias(review.use_case, versions.PRODUCTION)
    unmarked = mark_card(version, describe_review(review))
    message = _describe_rejection(review, standing is None, was_production) + unmarked
    return ReviewOutcome(review, standing is None, message)


def find_previous(use_case: str, evidence_path: str | Path, trust: Trust) -> str:
    """Return the last version first approved before the one whose approval stands; ReleaseError if there is none.

    By first approvals, so that going back twice goes back further, and not to what was left.
    """
    entries = read_evidence(evidence_path)
    decisions = list_decisions(entries, use_case)
    rejected = {review.subject for review, _ in decisions if review.decision == versions.REJECTED}
    standing = find_standing_approval(entries, use_case, trust)
    first = list(dict.fromkeys(review.subject for review, _ in list_approvals(decisions, trust)))
    before = first[: first.index(standing[0].subject)] if standing else first
    for version, run_id in reversed(before):
        if (version, run_id) not in rejected:
            return version
    raise versions.ReleaseError(
        f"No version of {use_case} was approved before, so there is nothing to go back to.",
        where=str(evidence_path),
        remedy=f"`kedro rai status --use-case {use_case}` shows what was approved",
    )


def _append(evidence_path: str | Path, kind: str, review: Review, key: SigningKey) -> Decided:
    """Sign a decision for the place that it gets in the record, and put it there."""

    def body(sequence: int, previous: str) -> dict[str, Any]:
        return sign_review(review.model_copy(update={"sequence": sequence, "previous": previous}), key)

    entry = append_evidence(evidence_path, kind, body, review.reviewed_at)
    return review.model_copy(update={"sequence": entry.sequence, "previous": entry.previous}), entry


def _make_approval(
    request: ReviewRequest, version: versions.Version, manifest: Manifest, seen: Mapping[str, Any], trust: Trust
) -> Review:
    """Return the approval as it will be signed, once it is sure that it will count."""
    rules = Policy.from_dict(manifest.policy.get("policy", {})).approval
    expires = request.reviewed_at.astimezone(UTC) + timedelta(days=rules.lasts_days)
    review = _make_review(
        request,
        version,
        versions.APPROVED,
        manifest=manifest.digest,
        expires_at=expires.isoformat(timespec="seconds"),
        rules=rules,
        **seen,
    )
    _require_counts(review, request.key, trust)
    return review


def _require_counts(review: Review, key: SigningKey, trust: Trust) -> None:
    """Ask of an approval what production will ask, before it is recorded for good."""
    entry = chain(review.sequence, review.previous, APPROVE, sign_review(review, key), review.reviewed_at)
    fault = trust.find_fault(review, entry)
    if fault:
        raise SigningError(
            f"An approval by {review.reviewer} with this key would not count: {fault}",
            where=f"key {key.keyid}",
            remedy="sign with your own key, which people have entered in conf/base/reviewers.yml "
            "(`kedro rai keys new` makes one, `kedro rai keys list` shows who may sign)",
        )


def _make_review(request: ReviewRequest, version: versions.Version, decision: str, **seen: Any) -> Review:
    if request.reviewed_at.tzinfo is None:
        raise ValueError("reviewed_at must have a time zone")
    said = {
        "use_case": request.use_case,
        "version": version.number,
        "run_id": version.run_id,
        "decision": decision,
        "reviewer": request.reviewer.strip(),
        "role": request.role,
        "statement": " ".join(request.statement.split()),
        "reviewed_at": request.reviewed_at.astimezone(UTC).isoformat(timespec="seconds"),
        "accepted_risk": " ".join((request.accept_risk or "").split()),
        "demo": request.demo,
        "public_key": request.key.public if request.demo else "",
    }
    return Review.from_dict({**said, **seen})


def _find_in_force(
    entries: Sequence[Entry], request: ReviewRequest, manifest: Manifest, loosened: tuple[str, ...], trust: Trust
) -> Decided | None:
    """Return what makes another approval needless: the one that stands, or this person's own that waits for others.

    One that soon runs out can be given again.
    """
    standing = find_standing_approval(entries, request.use_case, trust)
    after, said = standing[1].sequence if standing else 0, (request.reviewer.strip(), request.role)
    own = [
        one
        for one in list_approvals(list_decisions(entries, request.use_case), trust)
        if one[1].sequence > after and (one[0].reviewer, one[0].role) == said
    ]
    soon = request.reviewed_at + timedelta(days=_RENEWABLE_DAYS)
    known = [one for one in (standing, *own) if one is not None and one[0].loosened == loosened]
    return next((one for one in known if one[0].manifest == manifest.digest and not one[0].expired(soon)), None)


def _put_into_effect(
    version: versions.Version, decided: Decided, entries: Sequence[Entry], trust: Trust, *, recorded: bool
) -> ReviewOutcome:
    """Show an approval, and let the alias follow it once every role that the policy names has approved."""
    review, entry = decided
    missing = find_missing_roles(list_approvals(list_decisions_on(entries, version), trust), review)
    unmarked = mark_card(version, describe_review(review))
    _tag(version.client, review, entry)
    if not missing:
        version.client.set_registered_model_alias(review.use_case, versions.PRODUCTION, review.version)
    return ReviewOutcome(review, recorded, _describe_approval(review, missing, recorded=recorded) + unmarked)


def _require_words(request: ReviewRequest) -> None:
    said = {"reviewer": request.reviewer, "statement": request.statement}
    if request.accept_risk is not None:
        said["reason to accept the risk"] = request.accept_risk
    where = f"review of {request.use_case} version {request.version}"
    missing = [name for name, text in said.items() if not has_letters(text)]
    if missing:
        raise versions.ReleaseError(
            f"A decision needs a {' and a '.join(missing)}; an empty one is not accepted, nor one without letters.",
            where=where,
            remedy='say who decides and why: --reviewer NAME --statement TEXT, and --accept-risk "REASON" for a risk',
        )
    for name, text in said.items():
        hidden = find_hidden(text if name == "reviewer" else text.translate(_LINE_BREAKS))
        if hidden:
            raise versions.ReleaseError(
                f"The {name} holds a character that is not shown as itself: a control, bidirectional or invisible one.",
                where=where,
                example=f"{hidden} in {make_visible(text)[:80]!r}",
                remedy="type the words again without it",
            )


def _require_not_rejected(version: versions.Version, entries: Sequence[Entry]) -> None:
    rejection = find_rejection(entries, version)
    if rejection is None and version.tags.get(versions.Tag.REVIEW) != versions.REJECTED:
        return
    statement = rejection[0].statement if rejection else version.tags.get(versions.Tag.STATEMENT, "")
    raise version.refusal(
        versions.ReleaseError,
        "was rejected and cannot be approved.",
        example=f"the statement was: {make_visible(statement)}",
        remedy=f"{version.retrain} and have that one reviewed",
    )


def _ask_to_decide(client: MlflowClient, review: Review) -> None:
    """Set a tag that a server with roles lets only a reviewer set: who may not decide leaves nothing in the record."""
    client.set_model_version_tag(review.use_case, review.version, versions.Tag.REVIEWING, review.reviewer)


def _tag(client: MlflowClient, review: Review, entry: Entry) -> None:
    for name, value in tags_of(review, entry).items():
        client.set_model_version_tag(review.use_case, review.version, name, value)


def _describe_approval(review: Review, missing: Sequence[str], *, recorded: bool) -> str:
    label = " (demo, not a person's review)" if review.demo else ""
    effect = f"waits for the approval of: {', '.join(missing)}" if missing else "is in production"
    use = " for use as assessed" if review.as_assessed else ""
    state = f"is approved{use}{label} until {review.expires_at[:10]}, and {effect}."
    if not recorded:
        state = (
            f"was already approved{use}{label} by {review.reviewer} on {review.reviewed_at}, until "
            f"{review.expires_at[:10]}; it {effect}, and nothing new was recorded."
        )
    agreed = "".join(f"\nAgreed to: {one}" for one in review.loosened)
    gate = describe_gate(review.fairness_gate, review.accepted_risk)
    return f"Version {review.version} of {review.use_case} {state}{agreed}\nThe {gate}"


def _describe_rejection(review: Review, recorded: bool, was_production: bool) -> str:
    state = "is rejected" if recorded else f"was already rejected by {review.reviewer} on {review.reviewed_at}"
    left = " It was in production: alias 'production' is removed, and monitoring stops until a version is approved."
    return f"Version {review.version} of {review.use_case} {state}.{left if was_production else ''}"


def _require_approved_before(
    version: versions.Version, entries: Sequence[Entry], request: ReviewRequest, trust: Trust
) -> None:
    if request.rollback and not list_approvals(list_decisions_on(entries, version), trust):
        raise version.refusal(
            versions.ReleaseError,
            "was never approved, so there is nothing to go back to.",
            remedy=f"`kedro rai status --use-case {version.use_case}` shows what was; a new version is approved with "
            "`kedro rai approve`",
        )


def _require_other_person(
    request: ReviewRequest, version: versions.Version, trainer: Trainer, trust: Trust, *, allowed: bool
) -> None:
    """Refuse who trained the version, unless the policy lets them approve; a demonstration is nobody."""
    reviewer = None if request.demo else trust.reviewers.find(request.key.keyid)
    if request.demo or allowed:
        return
    if reviewer is not None and is_same_person(trainer.names, reviewer.name, trust.reviewers):
        raise version.refusal(
            versions.ReleaseError,
            f"was trained by {reviewer.name}, who cannot approve it alone.",
            example=f"trained by {trainer}",
            remedy="let another reviewer read and approve it; or allow it in conf/base, where it is said on the card: "
            f"{version.use_case}.policy.approval.trainer_may_approve: true, and train again",
        )


def _require_signed_training(
    version: versions.Version, trainer: Trainer, rules: ApprovalRules, request: ReviewRequest, trust: Trust
) -> None:
    """Refuse a training with a signature that does not hold; to a person, one without the signature that is asked."""
    fault = find_unsigned(trainer, rules, trust.reviewers, request.reviewed_at.astimezone(UTC).date())
    if fault is None or (request.demo and not trainer.fault):
        return
    if trainer.fault:
        remedy = f"find out who changed manifest, record or list of keys, and restore them; or {version.retrain}"
        raise version.refusal(versions.ChangedError, "is not what its trainer signed.", example=fault, remedy=remedy)
    raise version.refusal(
        versions.ReleaseError,
        "may not be approved: its training is signed by nobody.",
        example=fault,
        remedy=f"set a trainer's key (RAI_KEDRO_KEY, or in conf/local/keys) and {version.retrain}; "
        "`kedro rai keys new --role trainer` makes one",
    )


def _require_page(version: versions.Version, manifest: Manifest) -> None:
    trouble = find_changed_page(version, manifest)
    if trouble:
        raise version.refusal(
            versions.ChangedError,
            "cannot be approved on what its model card shows.",
            example=trouble,
            remedy="find out who changed it and restore it from the artifacts of its run in MLflow; "
            f"or {version.retrain} and have that one reviewed",
        )


def _require_usable(version: versions.Version, files: ReleaseFiles) -> None:
    """Load the model as production will, and hold what it needs against the contract that travels with it."""
    where = f"registered model {version.use_case}, version {version.number}"
    column = sensitive_input(load_trusted_sklearn(files.model, where))
    if column is None:
        return
    try:
        store = Contract.model_validate(files.read_contract()).datasets["feature_store"]
        fault = mitigation_fault(store, column, on=datetime.now(UTC).date())
    except (KeyError, ValueError):  # pydantic's, too
        fault = "the version's contract cannot be read"
    if fault is None:
        return
    raise version.refusal(
        ModelRefusedError,
        f"cannot score: its mitigation needs '{column}' for every prediction, which its contract does not permit.",
        example=fault,
        remedy=f"have '{column}' justified (by, reason, until) with 'use: mitigation' in the catalogue and "
        f"{version.retrain}; or let a mitigation be chosen that does not need it",
    )


def _require_measured(version: versions.Version, contract: dict[str, Any]) -> None:
    metrics = version.client.get_run(version.run_id).data.metrics
    needed = {_PERFORMANCE: "performance"}
    columns = [one for dataset in contract.get("datasets", {}).values() for one in dataset.get("columns", {}).values()]
    # Without a column that is assessed for fairness there is no gap to measure.
    if any(column.get("use") in {"audit", "mitigation"} or column.get("flags") for column in columns):
        needed[_FAIRNESS] = "fairness"
    missing = [noun for prefix, noun in needed.items() if not any(name.startswith(prefix) for name in metrics)]
    if missing:
        raise version.refusal(
            versions.IncompleteError,
            f"was trained only in part: its run has no {' and no '.join(missing)} metrics.",
            how_many=f"{len(metrics)} metrics",
            example=f"expected names that start with {', '.join(needed)}",
            remedy=f"run the whole stage with `kedro run --pipelines {version.use_case}` and review its version",
        )
