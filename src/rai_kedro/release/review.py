"""A person's decision on a model version: recorded as evidence, shown as tags, effective as an alias.

Before an approval the version is examined: its own files, its card and its figures, and whether it can score today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rai_kedro.contract import Contract, mitigation_fault
from rai_kedro.modelling import sensitive_input
from rai_kedro.release.card import digest_card, mark_card, require_same_pages
from rai_kedro.release.decisions import (
    APPROVE,
    REJECT,
    Review,
    describe_gate,
    describe_review,
    find_rejection,
    find_standing_approval,
    is_covered,
    tags_of,
)
from rai_kedro.release.gate import judge_gate, require_open
from rai_kedro.release.model_files import ModelRefusedError, ReleaseFiles, files_of, load_trusted_sklearn
from rai_kedro.release.record import Entry, append_evidence, read_evidence
from rai_kedro.release.versions import (
    APPROVED,
    PRODUCTION,
    REJECTED,
    IncompleteError,
    ReleaseError,
    Tag,
    Version,
    find_aliases,
    find_version,
    require_same,
)
from rai_kedro.words import find_hidden, has_letters, make_visible

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PERFORMANCE: Final = "training.test."
_FAIRNESS: Final = "training.fairness."
# A statement may be pasted in several lines; it is kept as one.
_LINE_BREAKS: Final = str.maketrans(dict.fromkeys("\n\r\t", " "))


@dataclass(frozen=True)
class ReviewRequest:
    """What a person says about a version."""

    use_case: str
    version: str
    reviewer: str
    statement: str  # why, in the reviewer's words
    reviewed_at: datetime  # with time zone
    demo: bool = False  # a demonstration decides in a person's stead; recorded and shown as such
    accept_risk: str | None = None  # why it is approved though the fairness gate does not pass


@dataclass(frozen=True)
class ReviewOutcome:
    """What a decision led to."""

    review: Review  # the decision that stands
    recorded: bool  # False if it stood already and no second entry was made
    message: str


def approve(client: MlflowClient, request: ReviewRequest, evidence_path: str | Path) -> ReviewOutcome:
    """Approve a version: record it, tag the version, and let alias ``production`` name it.

    The order is what makes a kill safe. The record comes first: without it `load_production` accepts nothing, so
    nothing can be in production that is not recorded. Then the card's pages, which show it, and the tags,
    ``rai.review`` last of them. The alias comes last: until it moves, production does not load the new version. A kill
    in between leaves a record that the alias does not follow, at which monitoring stops; approving again completes it
    without a second entry.

    Raises:
        ReleaseError: There is no such version; it was rejected; reviewer, statement or reason is empty or hides
            something; or the fairness gate and ``accept_risk`` do not fit together.
        ChangedError: Its files or its card are not those that were trained.
        IncompleteError: Some of its files, its figures or its card are missing.
        ModelRefusedError: The model would not be loaded, or needs a column that its contract does not permit today.
        EvidenceError: The record does not hold or cannot be written.
    """
    _require_words(request)
    version = find_version(client, request.use_case, request.version)
    entries = read_evidence(evidence_path)
    _require_not_rejected(version, entries)
    gate = judge_gate(version)
    seen = {"fairness_gate": gate.decision.outcome, "gate_summary": gate.summary, "gate_digest": gate.digest}
    review = _make_review(request, version, APPROVED, {**_examine(version), **seen})
    standing = find_standing_approval(entries, request.use_case)
    known = standing[0] if standing else None
    same = known is not None and (known.subject, known.digests) == (review.subject, review.digests)
    recorded = known is None or not same or not is_covered(known)
    if recorded:
        # Else a page that a kill left half written is put right by marking it again.
        require_same_pages(version)
    if recorded or request.accept_risk is not None:
        require_open(version, gate, request.accept_risk)
    _ask_to_decide(client, review)
    if standing is None or recorded:
        entry = append_evidence(evidence_path, APPROVE, review.to_dict(), review.reviewed_at)
        # Who takes no lock could have rejected in the meantime; a rejection outranks.
        _require_not_rejected(version, read_evidence(evidence_path))
    else:
        review, entry = standing
    unmarked = mark_card(version, describe_review(review))
    _tag(client, review, entry)
    client.set_registered_model_alias(review.use_case, PRODUCTION, review.version)
    return ReviewOutcome(review, recorded, _describe_approval(review, recorded) + unmarked)


def reject(client: MlflowClient, request: ReviewRequest, evidence_path: str | Path) -> ReviewOutcome:
    """Reject a version: record it, tag the version, and take it out of production if it is there.

    The record comes first here, too: from then on `load_production` refuses the version, whatever its tags and the
    alias still say.

    Raises:
        ReleaseError: There is no such version, or reviewer or statement is empty or hides something.
        EvidenceError: The record does not hold or cannot be written.
    """
    _require_words(request)
    if request.accept_risk is not None:
        raise ValueError("a rejection accepts no risk")
    version = find_version(client, request.use_case, request.version)
    # From the tags: a version whose files are gone or damaged must be rejectable, too.
    seen = {**version.digests, "fairness_gate": version.tags.get(Tag.GATE, "")}
    review = _make_review(request, version, REJECTED, seen)
    _ask_to_decide(client, review)
    standing = find_rejection(read_evidence(evidence_path), version)
    if standing is None:
        entry = append_evidence(evidence_path, REJECT, review.to_dict(), review.reviewed_at)
    else:
        review, entry = standing
    _tag(client, review, entry)
    was_production = find_aliases(client, review.use_case).get(PRODUCTION) == review.version
    if was_production:
        client.delete_registered_model_alias(review.use_case, PRODUCTION)
    unmarked = mark_card(version, describe_review(review))
    message = _describe_rejection(review, standing is None, was_production) + unmarked
    return ReviewOutcome(review, standing is None, message)


def _make_review(request: ReviewRequest, version: Version, decision: str, seen: Mapping[str, str]) -> Review:
    if request.reviewed_at.tzinfo is None:
        raise ValueError("reviewed_at must have a time zone")
    said = {
        "use_case": request.use_case,
        "version": version.number,
        "run_id": version.run_id,
        "decision": decision,
        "reviewer": request.reviewer.strip(),
        "statement": " ".join(request.statement.split()),
        "reviewed_at": request.reviewed_at.astimezone(UTC).isoformat(timespec="seconds"),
        "accepted_risk": " ".join((request.accept_risk or "").split()),
        "demo": request.demo,
    }
    return Review.from_dict({**said, **seen})


def _require_words(request: ReviewRequest) -> None:
    said = {"reviewer": request.reviewer, "statement": request.statement}
    if request.accept_risk is not None:
        said["reason to accept the risk"] = request.accept_risk
    where = f"review of {request.use_case} version {request.version}"
    missing = [name for name, text in said.items() if not has_letters(text)]
    if missing:
        raise ReleaseError(
            f"A decision needs a {' and a '.join(missing)}; an empty one is not accepted, nor one without letters.",
            where=where,
            remedy='say who decides and why: --reviewer NAME --statement TEXT, and --accept-risk "REASON" for a risk',
        )
    for name, text in said.items():
        hidden = find_hidden(text if name == "reviewer" else text.translate(_LINE_BREAKS))
        if hidden:
            raise ReleaseError(
                f"The {name} holds a character that is not shown as itself: a control, bidirectional or invisible one.",
                where=where,
                example=f"{hidden} in {make_visible(text)[:80]!r}",
                remedy="type the words again without it",
            )


def _require_not_rejected(version: Version, entries: list[Entry]) -> None:
    rejection = find_rejection(entries, version)
    if rejection is None and version.tags.get(Tag.REVIEW) != REJECTED:
        return
    statement = rejection[0].statement if rejection else version.tags.get(Tag.STATEMENT, "")
    raise version.refusal(
        ReleaseError,
        "was rejected and cannot be approved.",
        example=f"the statement was: {make_visible(statement)}",
        remedy=f"{version.retrain} and have that one reviewed",
    )


def _ask_to_decide(client: MlflowClient, review: Review) -> None:
    """Set a tag that a server with roles lets only a reviewer set: who may not decide leaves nothing in the record."""
    client.set_model_version_tag(review.use_case, review.version, Tag.REVIEWING, review.reviewer)


def _tag(client: MlflowClient, review: Review, entry: Entry) -> None:
    for name, value in tags_of(review, entry).items():
        client.set_model_version_tag(review.use_case, review.version, name, value)


def _describe_approval(review: Review, recorded: bool) -> str:
    label = " (demo, not a person's review)" if review.demo else ""
    state = f"is approved{label} and in production."
    if not recorded:
        state = (
            f"was already approved{label} by {review.reviewer} on {review.reviewed_at}; it is in production, and "
            "nothing new was recorded."
        )
    gate = describe_gate(review.fairness_gate, review.accepted_risk)
    return f"Version {review.version} of {review.use_case} {state}\nThe {gate}"


def _describe_rejection(review: Review, recorded: bool, was_production: bool) -> str:
    state = "is rejected" if recorded else f"was already rejected by {review.reviewer} on {review.reviewed_at}"
    left = " It was in production: alias 'production' is removed, and monitoring stops until a version is approved."
    return f"Version {review.version} of {review.use_case} {state}.{left if was_production else ''}"


def _examine(version: Version) -> dict[str, str]:
    """Return a version's digests after checking that it is whole, as it was trained, and able to score today."""
    with files_of(version) as files:
        found = files.digests
        require_same(version, found, version.digests, "its training")
        _require_usable(version, files)
        _require_measured(version, files.read_contract())
    card = {"card_digest": digest_card(version)}
    require_same(version, card, version.digests, "its training")
    return {**found, **card}


def _require_usable(version: Version, files: ReleaseFiles) -> None:
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


def _require_measured(version: Version, contract: Mapping[str, Any]) -> None:
    metrics = version.client.get_run(version.run_id).data.metrics
    needed = {_PERFORMANCE: "performance"}
    columns = [one for dataset in contract.get("datasets", {}).values() for one in dataset.get("columns", {}).values()]
    # Without a column that is assessed for fairness there is no gap to measure.
    if any(column.get("use") in {"audit", "mitigation"} or column.get("flags") for column in columns):
        needed[_FAIRNESS] = "fairness"
    missing = [noun for prefix, noun in needed.items() if not any(name.startswith(prefix) for name in metrics)]
    if missing:
        raise version.refusal(
            IncompleteError,
            f"was trained only in part: its run has no {' and no '.join(missing)} metrics.",
            how_many=f"{len(metrics)} metrics",
            example=f"expected names that start with {', '.join(needed)}",
            remedy=f"run the whole stage with `kedro run --pipelines {version.use_case}` and review its version",
        )
