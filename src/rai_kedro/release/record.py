"""An append-only record in JSON Lines, each entry chained to the one before it by SHA-256.

One line is one entry; line ``n`` has sequence ``n``. An entry's hash covers its canonical JSON (RFC 8785),
which contains the hash of the entry before it.

What the chain proves, and what it does not:

* An entry that was changed, removed from the middle, inserted or moved is found, and the line is named.
* Someone who may rewrite the whole file can also compute a new chain, though not sign a decision in it (`decisions`),
  and entries removed from the end leave a shorter but valid one. Only an anchor kept elsewhere (the hash of the last
  entry, written down, mailed, or tagged on the approved model version) shows that.
* Times are those the caller passed in; the chain proves the order of the entries, not the clock. None lies more than
  five minutes before the latest of the entries before it, so nothing can be dated back.

The file is locked with ``flock`` while it is read or written, so the processes of one machine may share it; whether a
network file system honours that lock depends on the file system.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from typing import Any, Final, TypeAlias

import rfc8785

from rai_kedro.errors import RaiError
from rai_kedro.files import flush_folder, make_folder

_Body: TypeAlias = Mapping[str, Any] | Callable[[int, str], Mapping[str, Any]]
GENESIS: Final = "0" * 64
CLOCKS: Final = timedelta(minutes=5)
"""By how much the clocks of several machines may differ, and so the times of the record from their order."""
_BEGINNING: Final = datetime.min.replace(tzinfo=UTC)
REPAIR: Final = "repair"
PLAN: Final = "plan"
"""Kind of an entry on a plan registered before the first fit, and on each training that looked at its rows."""


class EvidenceError(RaiError):
    """The evidence record is broken, missing or contradicted, or it cannot be read or written."""


@dataclass(frozen=True)
class Entry:
    """One line of the record."""

    sequence: int  # from 1; equals the line number
    recorded_at: str  # given by the caller, ISO 8601
    kind: str
    body: Mapping[str, Any]
    previous: str  # hash of the entry before, GENESIS for the first
    hash: str  # SHA-256 (hex) over the canonical JSON of all other fields


@dataclass(frozen=True)
class Chain:
    """What a record holds, and why it holds no more."""

    path: Path
    entries: tuple[Entry, ...] = ()  # that hold, counted from the first
    reason: str | None = None  # why the record does not hold as a whole
    broken_line: int | None = None  # from 1; None if there is no file
    # A kill or a full disk left the beginning of a line. It never was an entry, so the chain holds; the next append
    # sets it aside in a `repair` entry.
    torn: bytes = b""
    unterminated: bool = False  # the last line is whole but for its end
    latest: datetime = _BEGINNING  # of the times of the entries

    @property
    def ok(self) -> bool:
        """Whether the file exists and every entry holds."""
        return self.reason is None

    @property
    def head(self) -> str:
        """Hash of the last entry that holds; keep it elsewhere to see a cut-off end."""
        return self.entries[-1].hash if self.entries else GENESIS


def append_evidence(path: str | Path, kind: str, body: _Body, recorded_at: str) -> Entry:
    """Append one entry, whole or not at all, and flush it to the disk.

    A body that has to name its own place, as a signed decision does, is a function of its sequence and of the hash
    before it; the record is locked meanwhile.

    The chain is verified first: nothing is added to a record that does not hold. The beginning of a line left
    by a killed writer is kept as text in a ``repair`` entry, put before the new one.

    The file is made, with its folders, if it does not exist. ``recorded_at`` is in ISO 8601; no clock is taken here.

    Raises:
        EvidenceError: The existing record does not hold, or the file cannot be written.
        ValueError: ``kind`` is empty, ``recorded_at`` no ISO 8601 time, or ``body`` holds what canonical JSON cannot.
    """
    if not kind:
        raise ValueError("the kind of an evidence entry must not be empty")
    return _append(Path(path), lambda found: [(kind, body)], recorded_at)[-1]


def extend_evidence(
    path: str | Path, choose: Callable[[Sequence[Entry]], Iterable[tuple[str, Mapping[str, Any]]]], recorded_at: str
) -> list[Entry]:
    """Append what ``choose`` makes of the entries so far, kind and body of each; it may be nothing.

    The record is locked meanwhile, so that two who would add the same add it once. A kill leaves the first of them,
    each whole. Otherwise as :func:`append_evidence`.
    """
    return _append(Path(path), lambda found: list(choose(found.entries)), recorded_at)


def _append(path: Path, choose: Callable[[Chain], Sequence[tuple[str, _Body]]], recorded_at: str) -> list[Entry]:
    if not recorded_at:
        raise ValueError("the time of an evidence entry must not be empty")
    try:
        with _locked_for_writing(path) as file:
            raw = file.read()
            found = _require_whole(_scan(path, raw))
            chosen = choose(found)
            if not chosen:
                return []
            _require_later(path, recorded_at, found)
            entries = _continue(found, chosen, recorded_at)
            lines = b"".join([b"\n" if found.unterminated else b"", *map(to_line, entries)])
            _write_whole(file.fileno(), lines, len(raw) - len(found.torn))
            return entries
    except OSError as error:
        raise EvidenceError(
            f"The evidence record cannot be written: {error.strerror or error}.",
            where=str(path),
            remedy="make the folder writable and its disk not full, then run the same command again; "
            "nothing was recorded",
        ) from error


def read_evidence(path: str | Path) -> list[Entry]:
    """Return all entries, none if there is no file yet; EvidenceError if the chain does not hold or cannot be read."""
    path = Path(path)
    return list(_require_whole(_scan(path, _read_locked(path))).entries)


def check_chain(path: str | Path) -> Chain:
    """Check a record; a broken chain or a missing file is a result, EvidenceError a file that cannot be read."""
    path = Path(path)
    return _scan(path, _read_locked(path)) if path.is_file() else Chain(path, reason="there is no such file")


def chain(sequence: int, previous: str, kind: str, body: Mapping[str, Any], recorded_at: str) -> Entry:
    """Make the entry that follows in the chain; ValueError where canonical JSON cannot hold its body."""
    return _seal(sequence, previous, kind, body, recorded_at)[0]


def to_line(entry: Entry) -> bytes:
    """Return an entry as its one line: canonical JSON in UTF-8 and a newline."""
    return rfc8785.dumps(vars(entry)) + b"\n"


def _seal(sequence: int, previous: str, kind: str, body: Mapping[str, Any], recorded_at: str) -> tuple[Entry, bytes]:
    """Make an entry and its line, with the one pass over its body that takes the time."""
    rest: dict[str, Any] = {"kind": kind, "previous": previous, "recorded_at": recorded_at, "sequence": sequence}
    content = rfc8785.dumps({"body": dict(body), **rest})
    entry = Entry(sequence, recorded_at, kind, dict(body), previous, hashlib.sha256(content).hexdigest())
    # Canonical keys are in order, so the hash stands between the body and what follows it.
    end = rfc8785.dumps(rest)[1:]
    return entry, content[: -len(end)] + f'"hash":"{entry.hash}",'.encode() + end + b"\n"


class _LineError(ValueError):
    """Why one line is not the next entry of the chain."""


# By path what this process has read and checked already, byte by byte, so that appending hashes new lines only.
_CHECKED: dict[Path, tuple[bytes, Chain]] = {}


def _scan(path: Path, raw: bytes) -> Chain:
    checked, before = _CHECKED.get(path, (b"", Chain(path)))
    if not raw.startswith(checked):
        checked, before = b"", Chain(path)
    *lines, rest = raw[len(checked) :].split(b"\n")
    entries, latest = list(before.entries), before.latest
    for line in [*lines, rest] if rest else lines:
        number = len(entries) + 1
        try:
            entries.append(_parse(line, number, entries[-1].hash if entries else GENESIS, latest))
        except _LineError as error:
            is_torn = len(entries) == len(before.entries) + len(lines)
            found = Chain(path, tuple(entries), latest=latest)
            return replace(found, torn=rest) if is_torn else replace(found, reason=str(error), broken_line=number)
        latest = max(latest, time_of(entries[-1].recorded_at))
    # Where there is a rest, its hash holds, so the line is whole and only the newline is missing.
    found = Chain(path, tuple(entries), unterminated=bool(rest), latest=latest)
    if not rest:
        _CHECKED[path] = raw, found
    return found


def _parse(line: bytes, sequence: int, previous: str, latest: datetime) -> Entry:
    try:
        found = Entry(**json.loads(line))
        expected, expected_line = _seal(sequence, previous, found.kind, found.body, found.recorded_at)
        is_same = line + b"\n" == expected_line
    except TypeError as error:
        names = sorted(field.name for field in fields(Entry))
        raise _LineError(f"the line is not an entry with the fields {', '.join(names)}") from error
    except (ValueError, RecursionError) as error:  # NaN and infinity, too, which Python reads and JSON does not know
        raise _LineError("the line is not JSON") from error
    if found.sequence != sequence:
        raise _LineError(f"its sequence is {found.sequence!r}, expected {sequence}")
    if found.previous != previous:
        raise _LineError("it does not continue from the entry before it")
    if not is_same:
        raise _LineError("its content does not match its hash")
    try:
        is_dated_back = _is_dated_back(found.recorded_at, latest)
    except (ValueError, TypeError) as error:
        raise _LineError(f"its time is no ISO 8601 time: {found.recorded_at!r:.60}") from error
    if is_dated_back:
        raise _LineError(f"it is dated {found.recorded_at}, before an entry before it ({latest.isoformat()})")
    return expected


def _is_dated_back(recorded_at: str, latest: datetime) -> bool:
    return time_of(recorded_at) + CLOCKS < latest


def is_to_come(recorded_at: str) -> bool:
    """Say whether a time lies ahead of this machine's clock: what is dated so would count for longer than it may."""
    return time_of(recorded_at) > datetime.now(UTC) + CLOCKS


def time_of(text: str) -> datetime:
    """Read a time in ISO 8601, UTC where it names no zone."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _continue(found: Chain, chosen: Iterable[tuple[str, _Body]], recorded_at: str) -> list[Entry]:
    """Return the new entries, after one that sets aside what a killed writer left."""
    made: list[Entry] = []
    sequence, previous = len(found.entries) + 1, found.head
    for kind, body in [*([(REPAIR, _describe_torn(found.torn))] if found.torn else []), *chosen]:
        content = body(sequence, previous) if callable(body) else body
        made.append(chain(sequence, previous, kind, content, recorded_at))
        sequence, previous = sequence + 1, made[-1].hash
    return made


def _write_whole(descriptor: int, data: bytes, offset: int) -> None:
    """Write at the end of the last whole line; on failure cut the file back to it."""
    try:
        written = 0
        while written < len(data):
            written += os.pwrite(descriptor, data[written:], offset + written)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, offset)
        raise


def _describe_torn(torn: bytes) -> dict[str, Any]:
    return {
        "why": "the file ended in an unfinished line, as a killed writer leaves it; it was never an entry",
        "text": torn.decode("utf-8", errors="replace"),
        "bytes": len(torn),
        "sha256": hashlib.sha256(torn).hexdigest(),
    }


def _require_later(path: Path, recorded_at: str, found: Chain) -> None:
    if _is_dated_back(recorded_at, found.latest):
        raise EvidenceError(
            "What happens now cannot be dated before what is on record.",
            where=f"{path}, line {len(found.entries)}",
            example=f"on record: {found.latest.isoformat()}; now: {recorded_at}",
            remedy="set the clock of this machine right, then run the same command again; nothing was recorded",
        )


def _require_whole(found: Chain) -> Chain:
    if found.ok:
        return found
    raise EvidenceError(
        f"The evidence record does not hold at line {found.broken_line}: {found.reason}.",
        where=f"{found.path}, line {found.broken_line}",
        how_many=f"the {len(found.entries)} entries before it hold",
        remedy="restore the file from a backup or find out who changed it; if that cannot be done, move it "
        "aside (keep it) and approve the version in production again, which starts a new record",
    )


@contextmanager
def _locked_for_writing(path: Path) -> Iterator[FileIO]:
    make_folder(path.parent)
    is_new = not path.exists()
    # No O_APPEND: a torn tail is overwritten in place, so that no moment exists in which it is lost.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    with FileIO(descriptor, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
        if is_new:
            flush_folder(path.parent)


def _read_locked(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            return file.read()
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise EvidenceError(
            f"The evidence record cannot be read: {error.strerror or error}.",
            where=str(path),
            remedy="make the file readable (it must be a plain file), then run the same command again",
        ) from error
