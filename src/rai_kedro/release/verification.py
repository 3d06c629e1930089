"""The evidence record against its own chain and signatures, and against every version in MLflow, from both sides."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import field_serializer

from rai_kedro.release.agreement import find_overreach
from rai_kedro.release.anchors import Places, describe_hidden
from rai_kedro.release.card import find_changed_page
from rai_kedro.release.decisions import (
    DECISIONS,
    Review,
    Trust,
    describe_gate,
    describe_review,
    find_last_decision,
    find_standing_approval,
    list_approvals,
    list_decisions,
    list_decisions_on,
    read_decision,
    tags_of,
)
from rai_kedro.release.finding import RESTORE_CARD, RESTORE_CHAIN, RETRAIN, SET_CLOCK, SET_TAGS, Finding
from rai_kedro.release.manifest import checked_files, find_recorded
from rai_kedro.release.month_entries import MonthStores, check_months
from rai_kedro.release.record import Chain, Entry, EvidenceError, check_chain, is_to_come
from rai_kedro.release.training import check_trainings
from rai_kedro.release.versions import (
    PRODUCTION,
    REJECTED,
    ReleaseError,
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
    findings: tuple[Finding, ...]  # what is broken, missing or contradictory
    notes: tuple[str, ...] = ()  # what is open without being wrong
    anchors: tuple[str, ...] = ()  # where the head of the record was found kept outside
    hidden: str = ""  # what could be missing or written anew unnoticed; empty where nobody looked for anchors
    months: int | None = None  # how many were compared with the stores; None if there were no stores to compare with
    compared: bool = True  # whether MLflow was asked, too
    trusted: bool = True  # whether signatures were checked, too

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
            when = f"{review.reviewed_at}, until {review.expires_at}" if review.expires_at else review.reviewed_at
            lines += [
                f"version {review.version}  {review.decision} by {review.reviewer}{label} at {when}",
                f"    the {describe_gate(review.fairness_gate, review.accepted_risk)}",
                *([f"    judged: {review.gate_summary}"] if review.gate_summary else []),
            ]
        if self.months is not None:
            lines.append(f"{self.months} {'month' if self.months == 1 else 'months'} compared with the stores.")
        for advice in dict.fromkeys(one.advice for one in self.findings):
            lines += [f"NOT SOUND: {one}" for one in self.findings if one.advice == advice]
            lines.append(f"    do next: {advice}")
        lines += [f"Note: {note}" for note in self.notes]
        if not self.trusted:
            lines.append("Signatures were not checked: it was not said whose count (conf/base/reviewers.yml).")
        if chain.torn:
            lines.append("It ends in an unfinished line, which never was an entry; the next decision sets it aside.")
        lines += [f"anchor: {anchor}" for anchor in self.anchors]
        if chain.entries:
            lines.append(f"newest hash: {chain.head}")
            keep = "Keep that hash elsewhere: a removed end of the record is only seen by comparing with it."
            lines.append(self.hidden or keep)
        return [make_visible(line) for line in lines]

    def to_frame(self) -> pd.DataFrame:
        """Return the decisions as a table, a row each, in order."""
        import pandas as pd

        return pd.DataFrame([review.to_dict() for review in self.decisions], columns=list(Review.model_fields))

    def __repr__(self) -> str:
        return "\n".join(self.describe())

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"


def verify(  # noqa: PLR0913 - every part by its name
    record: str | Path,
    *,
    use_case: str | None = None,
    trust: Trust | None = None,
    client: MlflowClient | None = None,
    stores: MonthStores | None = None,
    places: Places | None = None,
    cards: Path | None = None,
) -> Verification:
    """Check an evidence record: its own chain, with ``trust`` its signatures, with a client every version against it.

    With ``stores`` every month is compared, too: its features, labels, predictions and what was made of them; with
    ``places`` its head with what was kept of it outside.

    The record may have come from another machine; ``use_case`` is by default the name of its file. Trouble is a
    finding, not an exception; EvidenceError is a record that is there and cannot be read.
    """
    use_case = Path(record).stem if use_case is None else use_case
    chain = check_chain(record)
    found: dict[str, Any] = {"compared": client is not None, "trusted": trust is not None}
    if chain.broken_line:
        what = f"line {chain.broken_line} does not hold: {chain.reason}"
        broken = Finding(what=what, advice=RESTORE_CHAIN)
        return Verification.model_validate({"chain": chain, "decisions": (), "findings": (broken,), **found})
    entries = chain.entries
    findings = [*_find_future(entries), *_check_decisions(entries, use_case, trust)]
    if client is not None and trust is not None:
        findings += _compare_with_mlflow(client, use_case, entries, trust, cards)
    notes: tuple[str, ...] = ()
    if trust is not None:
        wrong, unsigned = check_trainings(entries, trust)
        findings += [Finding(what=text, advice=RETRAIN) for text in wrong]
        notes += tuple(unsigned)
    if stores is not None:
        try:
            decided = list_decisions(entries, use_case)
            approvals = decided if trust is None else list_approvals(decided, trust)
            months = check_months(entries, stores, approvals)
            findings += months.findings
            notes += months.notes
            found["months"] = months.months
        except EvidenceError as error:
            findings.append(Finding(what=f"{error.what} ({error.example})"))
    if places is not None:
        anchors = places.look(entries)
        findings += anchors.findings
        notes += anchors.notes
        found["anchors"] = tuple(map(str, anchors.seen))
        found["hidden"] = describe_hidden(entries, anchors.seen)
    if not chain.ok and findings:
        findings.insert(0, Finding(what=f"versions are reviewed, but {chain.reason}"))
    reviews = tuple(review for review, _ in list_decisions(entries, use_case))
    return Verification.model_validate(
        {"chain": chain, "decisions": reviews, "findings": findings, "notes": notes, **found}
    )


def _check_decisions(entries: Sequence[Entry], use_case: str, trust: Trust | None) -> Iterator[Finding]:
    """Name every decision that cannot be read, or whose signature does not count."""
    for entry in entries:
        if entry.kind not in DECISIONS:
            continue
        decided = read_decision(entry)
        if decided is None or decided[0].use_case != use_case:
            yield Finding(what=f"line {entry.sequence} is no readable decision on this use case")
        elif trust is not None and (fault := trust.find_fault(*decided)) is not None:
            yield Finding(what=f"line {entry.sequence}, {decided[0].decision} by {decided[0].reviewer}: {fault}")


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


def _find_future(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Name what is dated ahead: nothing could be recorded after it, and an approval would last too long."""
    for entry in entries:
        if is_to_come(entry.recorded_at):
            what = f"line {entry.sequence} is dated {entry.recorded_at}, which is still to come"
            yield Finding(what=what, advice=SET_CLOCK)


def _compare_with_mlflow(
    client: MlflowClient, use_case: str, entries: Sequence[Entry], trust: Trust, cards: Path | None
) -> Iterator[Finding]:
    versions = {version.subject: version for version in search_versions(client, use_case)}
    decided = {review.subject: review for review, _ in list_decisions(entries, use_case)}
    # Decided on, and not known to MLflow: an emptied or exchanged database hides them.
    for (number, run_id), review in decided.items():
        if (number, run_id) not in versions:
            said = f"version {number} (run {run_id}) was {review.decision} on {review.reviewed_at}"
            yield Finding(what=f"{said}, but MLflow has no such version", where="MLflow")
    for version in versions.values():
        for one in _compare_version(version, entries, trust, cards):
            yield one.model_copy(update={"what": f"version {version.number}: {one.what}"})
    production = find_aliases(client, use_case).get(PRODUCTION)
    yield from _compare_alias(versions.keys(), production, find_standing_approval(entries, use_case, trust))


def _compare_tags(version: Version, review: Review, entry: Entry) -> list[str]:
    return [
        f"{tag} is {version.tags.get(tag)!r} on the version and {value!r} on record"
        for tag, value in tags_of(review, entry).items()
        if version.tags.get(tag, "") != value
    ]


def _compare_version(version: Version, entries: Sequence[Entry], trust: Trust, cards: Path | None) -> Iterator[Finding]:
    last = find_last_decision(entries, version, trust)
    tagged = partial(Finding, where=f"MLflow, tags of version {version.number}", advice=SET_TAGS)
    if last is not None:
        yield from (tagged(what=text) for text in _compare_tags(version, *last))
    elif Tag.REVIEW in version.tags:
        yield tagged(what=f"it is tagged {version.tags[Tag.REVIEW]!r}, but no decision on it that counts is on record")
    # A rejected version may have lost its files, and nothing uses them; one that was cut off has no manifest.
    is_rejected = last is not None and last[0].decision == REJECTED
    recorded = find_recorded(entries, version)
    if is_rejected or (last is None and recorded is None and Tag.MANIFEST not in version.tags):
        return
    decided = list_decisions_on(entries, version)
    shown = [describe_review(review) for review, _ in decided]
    try:
        with checked_files(version, entries, last[0].manifest if last else None) as files:
            if changed := find_changed_page(version, files.manifest, shown, cards):
                yield Finding(what=changed, where=f"card of version {version.number}", advice=RESTORE_CARD)
            for review, entry in list_approvals(decided, trust):
                if fault := find_overreach(files, review, entries, trust):
                    yield Finding(what=f"line {entry.sequence}, {review.decision} by {review.reviewer}: {fault}")
    except ReleaseError as error:
        yield Finding(what=f"{error.what} ({error.example})", where=f"MLflow, files of version {version.number}")


def _compare_alias(
    known: Collection[tuple[str, str]], number: str | None, standing: tuple[Review, Entry] | None
) -> Iterator[Finding]:
    moved = partial(Finding, where="MLflow, aliases", advice=SET_TAGS)
    subject = standing[0].subject if standing else None
    if any(version == number and (version, run_id) != subject for version, run_id in known):
        counts = f"the approval that counts is of version {subject[0]}, run {subject[1]}" if subject else ""
        yield moved(what=f"alias '{PRODUCTION}' names version {number}, but {counts or 'no approval counts'}")
    if number is None and subject and subject in known:
        yield moved(what=f"the approval of version {subject[0]} stands, but alias '{PRODUCTION}' names no version")
