"""What is in production: the version that a person approved, checked against the record and its own files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rai_kedro.release.card import digest_card
from rai_kedro.release.decisions import (
    Review,
    find_last,
    find_last_decision,
    find_standing_approval,
    list_decisions_on,
    review_advice,
)
from rai_kedro.release.gate import require_covered
from rai_kedro.release.model_files import Reference, ReleaseFiles, files_of, load_trusted_sklearn
from rai_kedro.release.record import Entry, EvidenceError, read_evidence
from rai_kedro.release.verification import require_tags_agree
from rai_kedro.release.versions import (
    APPROVED,
    PRODUCTION,
    NotApprovedError,
    Tag,
    Version,
    find_aliases,
    find_reviewable,
    find_version,
    require_same,
    search_versions,
    unknown_model,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class ProductionModel:
    """The model in production and what it is compared with."""

    model: Any  # fitted scikit-learn estimator
    version: str
    run_id: str
    reference: Reference
    contract: Mapping[str, Any]  # that it was trained under
    review: Review


def load_production(client: MlflowClient, use_case: str, evidence_path: str | Path) -> ProductionModel:
    """Load the version in production after every check that it may be there, from the files they looked at.

    Alias, tags and evidence record must agree on one version, and its files must be those that were approved.
    An alias alone is not enough: in open-source MLflow, whoever may edit the model may move it.

    Raises:
        ReleaseError: Nothing is trained yet.
        NotApprovedError: No version is approved, or the alias names one whose approval is not on record or fell.
        EvidenceError: The record is not there, does not hold, or says something else than the version's tags.
        IncompleteError: Files of the version are missing.
        ChangedError: Its files, card or gate changed after the approval, or the approval does not cover its gate.
        ModelRefusedError: The model is not stored as skops, or contains types outside the reviewed list.
    """
    version, review = _find_approved(client, use_case, Path(evidence_path))
    with _open_release(version, review) as files:
        return ProductionModel(
            model=load_trusted_sklearn(files.model, f"registered model {use_case}, version {review.version}"),
            version=review.version,
            run_id=review.run_id,
            reference=files.read_reference(),
            contract=files.read_contract(),
            review=review,
        )


def load_reference(client: MlflowClient, use_case: str, version: str, evidence_path: str | Path) -> Reference:
    """Load the reference data of a version that was approved, whether or not it is in production now.

    A month keeps the version that scored it, and is compared with that version's reference data. NotApprovedError if
    no approval of it is on record; other errors are those of `load_production`.
    """
    found = find_version(client, use_case, version)
    with _open_release(found, _find_approval(found, Path(evidence_path))) as files:
        return files.read_reference()


@contextmanager
def _open_release(version: Version, review: Review) -> Iterator[ReleaseFiles]:
    with files_of(version) as files:
        found = {**files.digests, "card_digest": digest_card(version)}
        require_same(version, found, review.digests, f"the approval on {review.reviewed_at}")
        require_covered(version, review)
        yield files


def _find_approved(client: MlflowClient, use_case: str, evidence_path: Path) -> tuple[Version, Review]:
    number = find_aliases(client, use_case).get(PRODUCTION)
    if number is not None:
        version = find_version(client, use_case, number)
        return version, _require_approval(version, evidence_path)
    if not search_versions(client, use_case):
        raise unknown_model(use_case)
    reviewable = find_reviewable(client, use_case)
    raise NotApprovedError(
        f"No version of {use_case} is in production, so nothing may be scored with it.",
        where=f"registered model {use_case}, alias {PRODUCTION}",
        remedy=review_advice(reviewable)
        if reviewable
        else f"every version was rejected: train a new one with `kedro run --pipelines {use_case}`",
    )


def _require_approval(version: Version, evidence_path: Path) -> Review:
    tag = version.tags.get(Tag.REVIEW)
    record = _read_record(version, evidence_path, "is in production") if tag == APPROVED else []
    standing = find_standing_approval(record, version.use_case)
    if tag != APPROVED:
        found = f"tag {Tag.REVIEW} is {tag!r}" if tag else f"it has no tag {Tag.REVIEW}"
    elif standing is None:
        found = "the record holds no approval that stands"
    elif standing[0].subject != version.subject:
        found = f"the last approval on record is of version {standing[0].version}, run {standing[0].run_id}"
    else:
        require_tags_agree(version, *standing, evidence_path)
        return standing[0]
    raise version.refusal(
        NotApprovedError,
        f"is under alias '{PRODUCTION}', but its approval is not on record.",
        where=f"registered model {version.use_case}; evidence {evidence_path}",
        example=found,
        remedy="the alias was moved by hand, or an approval was cut off; " + review_advice(version),
    )


def _find_approval(version: Version, evidence_path: Path) -> Review:
    """Return the last approval of a version, which may have left production or been rejected since."""
    entries = _read_record(version, evidence_path, "scored months")
    last, approval = find_last_decision(entries, version), find_last(list_decisions_on(entries, version), APPROVED)
    if last is None or approval is None:
        raise version.refusal(
            NotApprovedError,
            "has no approval on record, so its reference data are not used.",
            example=f"evidence {evidence_path}",
            remedy="restore the record from a backup; or start the months over with "
            f"`kedro rai reset --use-case {version.use_case}` under an approved version",
        )
    require_tags_agree(version, *last, evidence_path)
    return approval[0]


def _read_record(version: Version, evidence_path: Path, role: str) -> list[Entry]:
    if evidence_path.is_file():
        return read_evidence(evidence_path)
    raise version.refusal(
        EvidenceError,
        f"{role}, but there is no evidence record of it.",
        where=str(evidence_path),
        remedy="restore the file from a backup or from the machine on which it was approved; "
        f"or review again: {review_advice(version)}",
    )
