"""The evidence record against what MLflow says of the versions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rai_kedro.errors import RaiError
from rai_kedro.release.card import CardMissingError, digest_card
from rai_kedro.release.card_pages import find_changed_page
from rai_kedro.release.chain import Entry
from rai_kedro.release.decisions import (
    APPROVE,
    REJECT,
    Review,
    find_last_decision,
    find_standing_approval,
    list_decisions,
    tags_of,
)
from rai_kedro.release.gate import find_card_trouble, find_gate_trouble, read_gate
from rai_kedro.release.record import VerificationResult, read, verify
from rai_kedro.release.versions import (
    APPROVED,
    PRODUCTION,
    REVIEW_TAG,
    find_aliases,
    search_versions,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion


class RecordContradictedError(RaiError):
    """The version's tags and the evidence record say different things."""


@dataclass(frozen=True)
class RecordReport:
    """What checking the record against MLflow found.

    Attributes:
        chain: What the record's own chain says.
        decisions: All decisions on the use case, in order; empty if the chain does not hold.
        findings: What is broken, missing or contradictory, one sentence each; empty if all is well.
    """

    chain: VerificationResult
    decisions: tuple[Review, ...]
    findings: tuple[str, ...]


def verify_record(client: MlflowClient, use_case: str, evidence_path: str | Path) -> RecordReport:
    """Check the record's chain, and every reviewed version's tags, card and fairness gate against it.

    Args:
        client: MLflow client.
        use_case: Name of the use case.
        evidence_path: The use case's evidence record.

    Returns:
        What was found; trouble is a finding, not an exception.

    Raises:
        EvidenceReadError: The record is there and cannot be read.
    """
    chain = verify(evidence_path)
    versions = search_versions(client, use_case)
    if chain.broken_line:
        return RecordReport(chain, (), (f"line {chain.broken_line} does not hold: {chain.reason}",))
    entries = read(evidence_path)
    decisions = list_decisions(entries, use_case)
    findings = [
        *_find_strange_entries(entries, decisions),
        *(text for version in versions for text in _compare_version(client, version, entries)),
        *_compare_alias(
            versions, find_aliases(client, use_case).get(PRODUCTION), find_standing_approval(entries, use_case)
        ),
    ]
    if not chain.ok and findings:
        findings.insert(0, f"versions are reviewed, but {chain.reason}")
    return RecordReport(chain, tuple(review for review, _ in decisions), tuple(findings))


def require_tags_agree(version: ModelVersion, review: Review, entry: Entry, evidence_path: Path) -> None:
    """Refuse a version whose tags say something else than the record.

    The hash on the tag is the anchor of the record: it shows that the record was rewritten with a new chain.

    Args:
        version: The version as MLflow gives it.
        review: The last decision on it.
        entry: Its entry in the record.
        evidence_path: The record, for the message.

    Raises:
        RecordContradictedError: They differ.
    """
    found = _compare_tags(version, review, entry)
    if found:
        raise RecordContradictedError(
            f"The tags of version {version.version} of {version.name} contradict the evidence record.",
            where=f"registered model {version.name}; evidence {evidence_path}, line {entry.sequence}",
            how_many=f"{len(found)} difference(s)",
            example="; ".join(found),
            remedy="find out whether the record or the tags were changed (compare with a hash kept elsewhere) and "
            f"restore the record; if the record is right, `kedro rai {entry.kind} --use-case {version.name} "
            f"--version {version.version} --reviewer NAME --statement TEXT` sets the tags from it",
        )


def _compare_tags(version: ModelVersion, review: Review, entry: Entry) -> list[str]:
    return [
        f"{tag} is {version.tags.get(tag)!r} on the version and {value!r} on record"
        for tag, value in tags_of(review, entry).items()
        if version.tags.get(tag, "") != value
    ]


def _compare_version(client: MlflowClient, version: ModelVersion, entries: list[Entry]) -> Iterator[str]:
    number, run_id = str(version.version), version.run_id or ""
    last = find_last_decision(entries, version.name, number, run_id)
    if last is None:
        if REVIEW_TAG in version.tags:
            yield f"version {number} is tagged {version.tags[REVIEW_TAG]!r}, but no decision on it is on record"
        return
    yield from (f"version {number}: {text}" for text in _compare_tags(version, *last))
    review = last[0]
    # A rejected version may have lost its files, and nothing uses them.
    if review.decision != APPROVED:
        return
    stored = read_gate(client, run_id)
    trouble = find_gate_trouble(review, stored)
    if trouble:
        yield f"version {number}: {trouble}"
    try:
        card = digest_card(client, version.name, number, run_id)
    except CardMissingError as error:
        yield f"version {number}: its model card is gone: {error.example}"
        return
    if card != review.card_digest:
        change = "changed after the approval" if review.card_digest else "is not in its approval: train a new version"
        yield f"version {number}: its model card {change}"
        return
    # A decision that changed since contradicts the card as well; that is one finding, not two.
    shown = None if trouble else find_card_trouble(client, version, review, stored)
    for text in (shown, find_changed_page(client, version)):
        if text:
            yield f"version {number}: {text}"


def _compare_alias(
    versions: list[ModelVersion], number: str | None, standing: tuple[Review, Entry] | None
) -> Iterator[str]:
    named = next((version for version in versions if str(version.version) == number), None)
    if named is not None and (standing is None or (standing[0].version, standing[0].run_id) != (number, named.run_id)):
        recorded = f"of version {standing[0].version}, run {standing[0].run_id}" if standing else "of no version"
        yield f"alias '{PRODUCTION}' names version {number}, but the approval that stands is {recorded}"


def _find_strange_entries(entries: list[Entry], decisions: list[tuple[Review, Entry]]) -> Iterator[str]:
    known = {entry.sequence for _, entry in decisions}
    for entry in entries:
        if entry.kind in {APPROVE, REJECT} and entry.sequence not in known:
            yield f"line {entry.sequence} is no readable decision on this use case"
