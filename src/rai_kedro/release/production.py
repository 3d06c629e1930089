"""What is in production, or is compared with it: a version checked against the record and its own manifest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rai_kedro.policy import GateReport
from rai_kedro.release import versions
from rai_kedro.release.agreement import find_overreach
from rai_kedro.release.decisions import (
    Decided,
    Review,
    Trust,
    find_last_decision,
    find_standing_approval,
    list_approvals,
    list_decisions_on,
    review_advice,
)
from rai_kedro.release.gate import ASSESSMENT_FILE, GATES_FILE
from rai_kedro.release.manifest import Manifest, Reference, ReleaseFiles, checked_files
from rai_kedro.release.model_files import load_trusted_sklearn
from rai_kedro.release.record import Entry, EvidenceError, read_evidence
from rai_kedro.release.training import Trainer, find_trainer
from rai_kedro.release.verification import require_tags_agree

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
    manifest: Manifest
    review: Review
    trainer: Trainer  # who trained it, and whose word that is
    gates: GateReport | None = None  # what the gates said at its training; None where that was not kept
    disparities: tuple[Mapping[str, Any], ...] = ()  # which the fairness gate judges; as JSON holds them


def load_production(
    client: MlflowClient, use_case: str, evidence_path: str | Path, trust: Trust, *, now: datetime | None = None
) -> ProductionModel:
    """Load the version in production after every check that it may be there, from the files they looked at.

    Alias, tags and a signed approval on record must agree on one version, the approval must not have run out, and the
    version's files must be those that were signed. An alias alone is not enough: in open-source MLflow, whoever may
    edit the model may move it.

    Raises:
        ReleaseError: Nothing is trained yet.
        NotApprovedError: No version is approved, its approval ran out, or the alias names one whose approval is not on
            record, does not count, or fell.
        EvidenceError: The record is not there, does not hold, or says something else than the version's tags.
        IncompleteError: Files of the version are missing.
        ChangedError: Its files changed after they were trained or approved.
        ModelRefusedError: The model is not stored as skops, or contains types outside the reviewed list.
    """
    version = _find_in_production(client, use_case)
    entries = _read_record(version, Path(evidence_path), "is in production")
    review = _require_approval(version, entries, trust, Path(evidence_path), now or datetime.now(UTC))
    with checked_files(version, entries, review.manifest) as files:
        _require_allowed(version, files, entries, trust)
        return ProductionModel(
            model=load_trusted_sklearn(files.model, f"registered model {use_case}, version {review.version}"),
            version=review.version,
            run_id=review.run_id,
            reference=files.read_reference(),
            contract=files.read_contract(),
            manifest=files.manifest,
            review=review,
            trainer=find_trainer(files.manifest, entries, trust),
            **_read_judged(files),
        )


def _read_judged(files: ReleaseFiles) -> dict[str, Any]:
    """Return what a stricter policy is held against; the files are those of the manifest."""
    gates, assessment = (versions.parse_json(files.files.get(name)) for name in (GATES_FILE, ASSESSMENT_FILE))
    return {
        "gates": None if gates is None else GateReport.from_dict(gates),
        "disparities": tuple((assessment or {}).get("disparities", ())),
    }


def load_reference(
    client: MlflowClient, use_case: str, version: str, evidence_path: str | Path, trust: Trust
) -> Reference:
    """Load the reference data of a version that was approved, whether or not it is in production now.

    A month keeps the version that scored it, and is compared with that version's reference data. NotApprovedError if
    no approval of it is on record; other errors are those of `load_production`.
    """
    found = versions.find_version(client, use_case, version)
    entries = _read_record(found, Path(evidence_path), "scored months")
    review = _find_approval(found, entries, trust, Path(evidence_path))
    with checked_files(found, entries, review.manifest) as files:
        return files.read_reference()


def _find_in_production(client: MlflowClient, use_case: str) -> versions.Version:
    number = versions.find_aliases(client, use_case).get(versions.PRODUCTION)
    if number is not None:
        return versions.find_version(client, use_case, number)
    if not versions.search_versions(client, use_case):
        raise versions.unknown_model(use_case)
    reviewable = versions.find_reviewable(client, use_case)
    raise versions.NotApprovedError(
        f"No version of {use_case} is in production, so nothing may be scored with it.",
        where=f"registered model {use_case}, alias {versions.PRODUCTION}",
        remedy=review_advice(reviewable)
        if reviewable
        else f"every version was rejected: train a new one with `kedro run --pipelines {use_case}`",
    )


def _require_approval(
    version: versions.Version, entries: list[Entry], trust: Trust, evidence: Path, now: datetime
) -> Review:
    standing = find_standing_approval(entries, version.use_case, trust)
    tag = version.tags.get(versions.Tag.REVIEW)
    if tag != versions.APPROVED:
        found = f"tag {versions.Tag.REVIEW} is {tag!r}" if tag else f"it has no tag {versions.Tag.REVIEW}"
    elif standing is None:
        found = _find_faults(entries, version, trust) or "the record holds no approval that stands"
    elif standing[0].subject != version.subject:
        found = f"the last approval on record is of version {standing[0].version}, run {standing[0].run_id}"
    elif standing[0].expired(now):
        found = f"the approval ran out on {standing[0].expires_at}"
    else:
        require_tags_agree(version, *standing, evidence)
        return standing[0]
    raise version.refusal(
        versions.NotApprovedError,
        f"is under alias '{versions.PRODUCTION}', but no approval of it counts now.",
        where=f"registered model {version.use_case}; evidence {evidence}",
        example=found,
        remedy="it ran out, was cut off, or somebody moved the alias; " + review_advice(version),
    )


def _find_faults(entries: list[Entry], version: versions.Version, trust: Trust) -> str | None:
    """Say why the last approval of a version does not count, so that nobody looks for it elsewhere."""
    approvals = [one for one in list_decisions_on(entries, version) if one[0].decision == versions.APPROVED]
    if not approvals:
        return None
    review, entry = approvals[-1]
    fault = trust.find_fault(review, entry)
    return f"line {entry.sequence}, by {review.reviewer}: {fault}" if fault else None


def _require_allowed(version: versions.Version, files: ReleaseFiles, entries: list[Entry], trust: Trust) -> None:
    """Ask of every approval of what is loaded, of whatever role, what the command asked before it was signed."""
    for review, entry in list_approvals(list_decisions_on(entries, version), trust):
        if review.manifest == files.manifest.digest and (fault := find_overreach(files, review, entries, trust)):
            raise version.refusal(
                versions.NotApprovedError,
                "is under an approval that its policy does not allow.",
                where=f"evidence record, line {entry.sequence}, by {review.reviewer}",
                example=fault,
                remedy=f"find out how it was signed; reject the version, or {version.retrain}",
            )


def _find_approval(version: versions.Version, entries: list[Entry], trust: Trust, evidence_path: Path) -> Review:
    """Return the last approval of a version, which may have left production or been rejected since."""
    approvals: list[Decided] = list_approvals(list_decisions_on(entries, version), trust)
    last = find_last_decision(entries, version, trust)
    if last is None or not approvals:
        raise version.refusal(
            versions.NotApprovedError,
            "has no approval on record that counts, so its reference data are not used.",
            example=_find_faults(entries, version, trust) or f"evidence {evidence_path}",
            remedy="restore the record from a backup; or start the months over with "
            f"`kedro rai reset --use-case {version.use_case}` under an approved version",
        )
    require_tags_agree(version, *last, evidence_path)
    return approvals[-1][0]


def _read_record(version: versions.Version, evidence_path: Path, role: str) -> list[Entry]:
    if evidence_path.is_file():
        return read_evidence(evidence_path)
    raise version.refusal(
        EvidenceError,
        f"{role}, but there is no evidence record of it.",
        where=str(evidence_path),
        remedy="restore the file from a backup or from the machine on which it was approved; "
        f"or review again: {review_advice(version)}",
    )


# The words for what an alias means where two versions compete.
_ALIASES = {
    "champion": versions.PRODUCTION,
    "challenger": versions.CANDIDATE,
    versions.PRODUCTION: versions.PRODUCTION,
    versions.CANDIDATE: versions.CANDIDATE,
}
NOT_REVIEWED = "not reviewed"


@dataclass(frozen=True)
class ShadowModel:
    """A version as it is compared: checked against its manifest, whether or not anybody approved it."""

    model: Any  # fitted scikit-learn estimator
    version: str
    review: str  # "approved", "rejected" or "not reviewed", as the evidence record has it
    run_id: str
    reference: Reference


def load_shadow(
    client: MlflowClient, use_case: str, named: str, evidence_path: str | Path, trust: Trust
) -> ShadowModel:
    """Load a version by number, or as ``champion`` (in production) or ``challenger`` (the newest candidate).

    Raises:
        ReleaseError: There is no such version.
        IncompleteError: Files of the version are missing.
        ChangedError: Its files changed after its training.
        ModelRefusedError: The model is not stored as skops, or contains types outside the reviewed list.
    """
    found = versions.find_version(client, use_case, _find_number(client, use_case, named))
    entries = read_evidence(evidence_path)
    with checked_files(found, entries) as files:
        return ShadowModel(
            model=load_trusted_sklearn(files.model, f"registered model {use_case}, version {found.number}"),
            version=found.number,
            review=_find_review(found, entries, trust),
            run_id=found.run_id,
            reference=files.read_reference(),
        )


def _find_number(client: MlflowClient, use_case: str, named: str) -> str:
    if named not in _ALIASES:
        return named
    aliases = versions.find_aliases(client, use_case)
    if (number := aliases.get(_ALIASES[named])) is not None:
        return number
    raise versions.ReleaseError(
        f"There is no {named} of {use_case}: no version has the alias '{_ALIASES[named]}'.",
        where=f"registered model {use_case}",
        remedy=f"name a version by its number; `kedro rai status --use-case {use_case}` shows them",
    )


def _find_review(version: versions.Version, entries: Sequence[Entry], trust: Trust) -> str:
    last = find_last_decision(entries, version, trust)
    return last[0].decision if last else NOT_REVIEWED
