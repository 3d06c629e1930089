"""What is in production: the version that a person approved, checked against the record and its own files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from rai_kedro.release.card import digest_card
from rai_kedro.release.decisions import (
    Review,
    find_last_approval,
    find_last_decision,
    find_standing_approval,
    review_advice,
)
from rai_kedro.release.gate import require_covered
from rai_kedro.release.model_files import ReleaseFiles, load_trusted_sklearn, release_files
from rai_kedro.release.record import EvidenceError, read_evidence
from rai_kedro.release.verification import require_tags_agree
from rai_kedro.release.versions import (
    APPROVED,
    PRODUCTION,
    ChangedError,
    NotApprovedError,
    Tag,
    find_aliases,
    find_reviewable,
    find_version,
    search_versions,
    unknown_model,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


@dataclass(frozen=True)
class ApprovedVersion:
    """The version in production."""

    name: str  # registered model, which is the use case
    version: str
    run_id: str
    source: str  # URI of the model's files
    review: Review  # the approval that put it there


@dataclass(frozen=True)
class ProductionModel:
    """The model in production and what it is compared with."""

    model: Any  # fitted scikit-learn estimator
    version: str
    run_id: str
    reference: pd.DataFrame  # test split of its training: features of model and audit, label and prediction
    contract: Mapping[str, Any]  # that it was trained under
    review: Review


def approved_version(client: MlflowClient, use_case: str, evidence_path: str | Path) -> ApprovedVersion:
    """Return the version in production, after every check that it may be there.

    Alias, tags and evidence record must agree on one version, and its files must be those that were approved.
    An alias alone is not enough: in open-source MLflow, whoever may edit the model may move it.

    Raises:
        ReleaseError: Nothing is trained yet.
        NotApprovedError: No version is approved, or the alias names one whose approval is not on record or fell.
        EvidenceError: The record is not there, does not hold, or says something else than the version's tags.
        IncompleteError: Files of the version are missing.
        ChangedError: Its files, card or gate changed after the approval, or the approval does not cover its gate.
    """
    with _open_release(client, *_find_approved(client, use_case, Path(evidence_path))) as (approved, _):
        return approved


def load_production(client: MlflowClient, use_case: str, evidence_path: str | Path) -> ProductionModel:
    """Load the model in production after the checks of `approved_version`, from the files they looked at.

    Raises:
        RaiError: As `approved_version`.
        ModelRefusedError: The model is not stored as skops, or contains types outside the reviewed list.
    """
    with _open_release(client, *_find_approved(client, use_case, Path(evidence_path))) as (approved, files):
        return ProductionModel(
            model=load_trusted_sklearn(files.model, f"registered model {use_case}, version {approved.version}"),
            version=approved.version,
            run_id=approved.run_id,
            reference=pd.read_parquet(files.reference),
            contract=json.loads(files.contract.read_text(encoding="utf-8")),
            review=approved.review,
        )


def load_reference(client: MlflowClient, use_case: str, version: str, evidence_path: str | Path) -> pd.DataFrame:
    """Load the reference data of a version that was approved, whether or not it is in production now.

    A month keeps the version that scored it, and is compared with that version's reference data: the test split of its
    training, with features that the model and the audit use, label and prediction.

    Raises:
        NotApprovedError: No approval of the version is on record.
        RaiError: As `approved_version`.
    """
    found = find_version(client, use_case, version)
    review = _find_approval(found, Path(evidence_path))
    with _open_release(client, found, review) as (_, files):
        return pd.read_parquet(files.reference)


@contextmanager
def _open_release(
    client: MlflowClient, version: ModelVersion, review: Review
) -> Iterator[tuple[ApprovedVersion, ReleaseFiles]]:
    source = client.get_model_version_download_uri(version.name, str(version.version))
    with release_files(client, source, review.run_id) as files:
        card = digest_card(client, review.use_case, review.version, review.run_id)
        _require_as_approved(review, files, card)
        require_covered(client, version, review)
        yield ApprovedVersion(review.use_case, review.version, review.run_id, source, review), files


def _find_approved(client: MlflowClient, use_case: str, evidence_path: Path) -> tuple[ModelVersion, Review]:
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
        remedy=review_advice(find_version(client, use_case, reviewable))
        if reviewable is not None
        else f"every version was rejected: train a new one with `kedro run --pipelines {use_case}`",
    )


def _require_approval(version: ModelVersion, evidence_path: Path) -> Review:
    number, tag = str(version.version), version.tags.get(Tag.REVIEW)
    if tag != APPROVED:
        found = f"tag {Tag.REVIEW} is {tag!r}" if tag else f"it has no tag {Tag.REVIEW}"
        raise _approval_missing(version, evidence_path, found)
    if not evidence_path.is_file():
        raise _evidence_missing(version, evidence_path, "is in production")
    standing = find_standing_approval(read_evidence(evidence_path), version.name)
    if standing is None:
        raise _approval_missing(version, evidence_path, "the record holds no approval that stands")
    review, entry = standing
    if (review.version, review.run_id) != (number, version.run_id):
        found = f"the last approval on record is of version {review.version}, run {review.run_id}"
        raise _approval_missing(version, evidence_path, found)
    require_tags_agree(version, review, entry, evidence_path)
    return review


def _find_approval(version: ModelVersion, evidence_path: Path) -> Review:
    """Return the last approval of a version, which may have left production or been rejected since."""
    if not evidence_path.is_file():
        raise _evidence_missing(version, evidence_path, "scored months")
    entries = read_evidence(evidence_path)
    last, approval = find_last_decision(entries, version), find_last_approval(entries, version)
    if last is None or approval is None:
        raise NotApprovedError(
            f"Version {version.version} of {version.name} has no approval on record, "
            "so its reference data are not used.",
            where=f"registered model {version.name}, run {version.run_id or ''}; evidence {evidence_path}",
            remedy="restore the record from a backup; or start the months over with "
            f"`kedro rai reset --use-case {version.name}` under an approved version",
        )
    require_tags_agree(version, *last, evidence_path)
    return approval


def _evidence_missing(version: ModelVersion, evidence_path: Path, role: str) -> EvidenceError:
    return EvidenceError(
        f"Version {version.version} of {version.name} {role}, but there is no evidence record of it.",
        where=str(evidence_path),
        remedy="restore the file from a backup or from the machine on which it was approved; "
        f"or review again: {review_advice(version)}",
    )


def _require_as_approved(review: Review, files: ReleaseFiles, card: str) -> None:
    for approved, found, noun in (
        (review.model_digest, files.model_digest, "model files"),
        (review.companion_digest, files.companion_digest, "reference data or contract"),
        (review.card_digest, card, "model card"),
    ):
        if approved != found:
            raise ChangedError(
                f"The {noun} of version {review.version} of {review.use_case} changed after the approval.",
                where=f"registered model {review.use_case}, run {review.run_id}",
                example=f"SHA-256 {approved[:12] + '…' if approved else 'not on record'}, approved on "
                f"{review.reviewed_at}; {found[:12]}… now",
                remedy="find out who changed them and restore them from a backup; or train a new version "
                f"with `kedro run --pipelines {review.use_case}` and have it reviewed",
            )


def _approval_missing(version: ModelVersion, evidence_path: Path, found: str) -> NotApprovedError:
    return NotApprovedError(
        f"Version {version.version} of {version.name} is under alias '{PRODUCTION}', but its approval is "
        "not on record.",
        where=f"registered model {version.name}; evidence {evidence_path}",
        example=found,
        remedy="the alias was moved by hand, or an approval was cut off; " + review_advice(version),
    )
