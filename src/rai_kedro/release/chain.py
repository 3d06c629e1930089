"""The hash chain of the evidence record: pure functions from bytes to entries and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, NoReturn

GENESIS: Final = "0" * 64
_FIELDS: Final = frozenset({"sequence", "recorded_at", "kind", "body", "previous", "hash"})


@dataclass(frozen=True)
class Content:
    """What the caller wants recorded.

    Attributes:
        kind: What it is, e.g. ``"approve"``.
        body: Plain JSON values only.
        recorded_at: Time given by the caller, ISO 8601.
    """

    kind: str
    body: Mapping[str, Any]
    recorded_at: str


@dataclass(frozen=True)
class Entry:
    """One line of the record.

    Attributes:
        sequence: Place in the record, from 1; equals the line number.
        recorded_at: Time given by the caller, ISO 8601.
        kind: What was recorded, e.g. ``"approve"``.
        body: The content; plain JSON values only.
        previous: Hash of the entry before, ``GENESIS`` for the first.
        hash: SHA-256 (hex) over the canonical JSON of all other fields.
    """

    sequence: int
    recorded_at: str
    kind: str
    body: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True)
class Scan:
    """What the bytes of a record hold.

    Attributes:
        entries: The entries that hold, from the first.
        reason: Why the line after them does not; ``None`` if all lines hold.
        torn: Bytes of an unfinished last line, which never was an entry.
        unterminated: True if the last entry is whole but its newline is missing.
    """

    entries: tuple[Entry, ...] = ()
    reason: str | None = None
    torn: bytes = b""
    unterminated: bool = False

    @property
    def head(self) -> str:
        """Hash of the last entry that holds."""
        return self.entries[-1].hash if self.entries else GENESIS

    @property
    def next_line(self) -> int:
        """Number of the line after the entries that hold, from 1."""
        return len(self.entries) + 1


class _LineError(ValueError):
    """Why one line is not the next entry of the chain."""


def chain(sequence: int, previous: str, content: Content) -> Entry:
    """Make the entry that follows in the chain.

    Args:
        sequence: Its place, from 1.
        previous: Hash of the entry before it.
        content: What it holds.

    Returns:
        The entry with its hash.

    Raises:
        TypeError: The body holds something that JSON cannot.
        ValueError: The body holds NaN or infinity.
    """
    fields = {
        "sequence": sequence,
        "recorded_at": content.recorded_at,
        "kind": content.kind,
        "body": dict(content.body),
        "previous": previous,
    }
    digest = hashlib.sha256(_canonical(fields)).hexdigest()
    return Entry(sequence, content.recorded_at, content.kind, dict(content.body), previous, digest)


def to_line(entry: Entry) -> bytes:
    """Return an entry as its one line, newline included.

    Args:
        entry: The entry.

    Returns:
        Canonical JSON in UTF-8 and a newline.
    """
    return _canonical(asdict(entry)) + b"\n"


def scan(raw: bytes) -> Scan:
    """Check a whole record.

    Args:
        raw: The file's bytes.

    Returns:
        The entries that hold and what comes after them.
    """
    *lines, rest = raw.split(b"\n")
    entries: list[Entry] = []
    previous = GENESIS
    for line in lines:
        try:
            entry = _parse(line, len(entries) + 1, previous)
        except _LineError as error:
            return Scan(tuple(entries), reason=str(error))
        entries.append(entry)
        previous = entry.hash
    if not rest:
        return Scan(tuple(entries))
    try:
        last = _parse(rest, len(entries) + 1, previous)
    except _LineError:
        return Scan(tuple(entries), torn=rest)
    # Its hash holds, so the line is whole and only the newline is missing.
    return Scan((*entries, last), unterminated=True)


def _parse(line: bytes, sequence: int, previous: str) -> Entry:
    try:
        fields = json.loads(line, parse_constant=_refuse_constant)
    except ValueError as error:
        raise _LineError("the line is not JSON") from error
    if not isinstance(fields, dict) or set(fields) != _FIELDS or not isinstance(fields["body"], dict):
        raise _LineError(f"the line is not an entry with the fields {', '.join(sorted(_FIELDS))}")
    if fields["sequence"] != sequence:
        raise _LineError(f"its sequence is {fields['sequence']!r}, expected {sequence}")
    if fields["previous"] != previous:
        raise _LineError("it does not continue from the entry before it")
    try:
        expected = chain(sequence, previous, Content(fields["kind"], fields["body"], fields["recorded_at"]))
        is_same = to_line(expected) == line + b"\n"
    except ValueError as error:
        raise _LineError("the line is not JSON") from error
    if not is_same:
        raise _LineError("its content does not match its hash")
    return expected


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _canonical(fields: Mapping[str, Any]) -> bytes:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")
