"""The evidence record against its own chain and against what MLflow says of the versions, looked at from both sides."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import field_serializer

from rai_kedro.release.card import digest_card, find_changed_page
from rai_kedro.release.decisions import (
    APPROVE,
    REJECT,
    Review,
    describe_gate,
    find_last_decision,
    find_standing_approval,
    list_decisions,
    tags_of,
)
from rai_kedro.release.gate import find_trouble
from rai_kedro.release.record import Chain, Entry, EvidenceError, check_chain
from rai_kedro.release.versions import (
    APPROVED,
    PRODUCTION,
    IncompleteError,
    Tag,
    Version,
    find_aliases,
    search_versions,
)
from rai_kedro.typed import Typed
from rai_kedro.words import make_visible

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient


class Verification(Typed):
    """What checking an evidence record found."""

    chain: Chain
    decisions: tuple[Review, ...]  # on the use case, in order; none if the chain does not hold
    findings: tuple[str, ...]  # what is broken, missing or contradictory, one sentence each
    compared: bool = True  # whether MLflow was asked, too

    @field_serializer("chain")
    def _plain_chain(self, chain: Chain) -> dict[str, Any]:
        plain = {name: getattr(chain, name) for name in ("ok", "head", "broken_line", "reason")}
        return {"path": str(chain.path), **plain, "entries": len(chain.entries), "torn_tail": bool(chain.torn)}

    def describe(self) -> list[str]:
        """Say in lines what stands in the record, and what is wrong with it."""
        chain, count = self.chain, len(self.chain.entries)
        state = "the chain is whole" if chain.ok else f"{chain.reason}"
        lines = [f"{chain.path}: {count} {'entry' if count == 1 else 'entries'}, {state}."]
        for review in self.decisions:
            label = " (demo)" if review.demo else ""
            lines += [
                f"version {review.version}  {review.decision} by {review.reviewer}{label} at {review.reviewed_at}",
                f"    the {describe_gate(review.fairness_gate, review.accepted_risk)}",
                *([f"    judged: {review.gate_summary}"] if review.gate_summary else []),
            ]
        lines += [f"NOT SOUND: {finding}" for finding in self.findings]
        if chain.torn:
            lines.append("It ends in an unfinished line, which never was an entry; the next decision sets it aside.")
        if chain.entries:
            lines.append(f"newest hash: {chain.head}")
            lines.append("Keep that hash elsewhere: a removed end of the record is only seen by comparing with it.")
        return [make_visible(line) for line in lines]

    def to_frame(self) -> pd.DataFrame:
        """Return the decisions as a table, a row each, in order."""
        import pandas as pd

        return pd.DataFrame([review.to_dict() for review in self.decisions], columns=list(Review.model_fields))

    def __repr__(self) -> str:
        return "\n".join(self.describe())

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def verify(record: str | Path, *, use_case: str | None = None, client: MlflowClient | None = None) -> Verification:
    """Check an evidence record: its own chain, and with a client every version's tags, card and gate against it.

    The record may have come from another machine; ``use_case`` is by default the name of its file. Trouble is a
    finding, not an exception; EvidenceError is a record that is there and cannot be read.
    """
    use_case = Path(record).stem if use_case is None else use_case
    chain, compared = check_chain(record), client is not None
    if chain.broken_line:
        broken = f"line {chain.broken_line} does not hold: {chain.reason}"
        return Verification(chain=chain, decisions=(), findings=(broken,), compared=compared)
    entries = chain.entries
    decisions = list_decisions(entries, use_case)
    known = {entry.sequence for _, entry in decisions}
    strange = [one.sequence for one in entries if one.kind in {APPROVE, REJECT} and one.sequence not in known]
    findings = [f"line {line} is no readable decision on this use case" for line in strange]
    if client is not None:
        findings += _compare_with_mlflow(client, use_case, entries)
    if not chain.ok and findings:
        findings.insert(0, f"versions are reviewed, but {chain.reason}")
    reviews = tuple(review for review, _ in decisions)
    return Verification(chain=chain, decisions=reviews, findings=tuple(findings), compared=compared)


def require_tags_agree(version: Version, review: Review, entry: Entry, evidence_path: Path) -> None:
    """Refuse a version whose tags say something else than the record.

    The hash on the tag is the anchor of the record: it shows that the record was rewritten with a new chain.
    """
    found = _compare_tags(version, review, entry)
    if found:
        raise EvidenceError(
            f"The tags of {version} contradict the evidence record.",
            where=f"registered model {version.use_case}; evidence {evidence_path}, line {entry.sequence}",
            how_many=f"{len(found)} difference(s)",
            example="; ".join(found),
            remedy="find out whether the record or the tags were changed (compare with a hash kept elsewhere) and "
            f"restore the record; if the record is right, `kedro rai {entry.kind} --use-case {version.use_case} "
            f"--version {version.number} --reviewer NAME --statement TEXT` sets the tags from it",
        )


def _compare_with_mlflow(client: MlflowClient, use_case: str, entries: Sequence[Entry]) -> Iterator[str]:
    versions = {version.subject: version for version in search_versions(client, use_case)}
    decided = {review.subject: review for review, _ in list_decisions(entries, use_case)}
    # Decided on, and not known to MLflow: an emptied or exchanged database hides them.
    for (number, run_id), review in decided.items():
        if (number, run_id) not in versions:
            yield (
                f"version {number} (run {run_id}) was {review.decision} on {review.reviewed_at}, but MLflow has no "
                "such version"
            )
    for version in versions.values():
        yield from _compare_version(version, entries)
    production = find_aliases(client, use_case).get(PRODUCTION)
    yield from _compare_alias(versions.keys(), production, find_standing_approval(entries, use_case))


def _compare_tags(version: Version, review: Review, entry: Entry) -> list[str]:
    return [
        f"{tag} is {version.tags.get(tag)!r} on the version and {value!r} on record"
        for tag, value in tags_of(review, entry).items()
        if version.tags.get(tag, "") != value
    ]


def _compare_version(version: Version, entries: Sequence[Entry]) -> Iterator[str]:
    number, last = version.number, find_last_decision(entries, version)
    if last is None:
        if Tag.REVIEW in version.tags:
            yield f"version {number} is tagged {version.tags[Tag.REVIEW]!r}, but no decision on it is on record"
        return
    found = _compare_tags(version, *last)
    # A rejected version may have lost its files, and nothing uses them.
    if last[0].decision == APPROVED:
        found += _compare_files(version, last[0])
    yield from (f"version {number}: {text}" for text in found)


def _compare_files(version: Version, review: Review) -> list[str]:
    changed = None
    try:
        if digest_card(version) != review.card_digest:
            later = "changed after the approval"
            changed = f"its model card {later if review.card_digest else 'is not in its approval: train a new version'}"
    except IncompleteError as error:
        changed = f"its model card is gone: {error.example}"
    # Of a card that changed no more is said, nor that it contradicts a decision which changed itself.
    gate = find_trouble(version, review, with_card=not changed)
    return [text for text in (gate, changed or find_changed_page(version)) if text]


def _compare_alias(
    known: Collection[tuple[str, str]], number: str | None, standing: tuple[Review, Entry] | None
) -> Iterator[str]:
    subject = standing[0].subject if standing else None
    if any(version == number and (version, run_id) != subject for version, run_id in known):
        recorded = f"of version {subject[0]}, run {subject[1]}" if subject else "of no version"
        yield f"alias '{PRODUCTION}' names version {number}, but the approval that stands is {recorded}"
    if number is None and subject and subject in known:
        yield (
            f"the approval of version {subject[0]} stands, but alias '{PRODUCTION}' names no version; "
            "approving it again sets the alias"
        )
