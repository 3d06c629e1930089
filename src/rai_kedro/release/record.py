"""An append-only record in JSON Lines, each entry chained to the one before it by SHA-256.

One line is one entry; line ``n`` has sequence ``n``. An entry's hash covers its canonical JSON (sorted keys,
no spaces, UTF-8), which contains the hash of the entry before it.

What the chain proves, and what it does not:

* An entry that was changed, removed from the middle, inserted or moved is found, and the line is named.
* Someone who may rewrite the whole file can also compute a new chain. Only an anchor kept elsewhere (the hash
  of the last entry, written down, mailed, or tagged on the approved model version) shows that.
* Entries removed from the end leave a shorter but valid chain. That, too, is only seen against an outside
  anchor.
* Times are those the caller passed in; the chain proves the order of the entries, not the clock.

The file is locked with ``flock`` while it is read or written, so it may be shared by the processes of one
machine. Whether a network file system honours that lock depends on the file system.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rai_kedro.errors import RaiError
from rai_kedro.release.chain import GENESIS, Content, Entry, Scan, chain, scan, to_line

REPAIR: Final = "repair"


class EvidenceBrokenError(RaiError):
    """The record's chain does not hold: a line was changed, removed, inserted or moved."""


class EvidenceWriteError(RaiError):
    """The record could not be written; it is as it was before."""


class EvidenceReadError(RaiError):
    """The record is there and cannot be read."""


@dataclass(frozen=True)
class VerificationResult:
    """What checking a record found.

    Attributes:
        path: The record's file.
        ok: True if the file exists and every entry holds.
        entries: Number of entries that hold, counted from the first.
        head: Hash of the last entry that holds, ``GENESIS`` if none; keep it elsewhere to see a cut-off end.
        broken_line: First line that does not hold, from 1.
        reason: Why, in words.
        torn_tail: True if the file ends in the beginning of a line that a kill or a full disk left behind. It
            never was an entry, so it does not break the chain; the next append sets it aside in a ``repair``
            entry.
    """

    path: Path
    ok: bool
    entries: int
    head: str
    broken_line: int | None = None
    reason: str | None = None
    torn_tail: bool = False


def append(path: str | Path, kind: str, body: Mapping[str, Any], recorded_at: str) -> Entry:
    """Append one entry, whole or not at all, and flush it to the disk.

    The chain is verified first: nothing is added to a record that does not hold. The beginning of a line left
    by a killed writer is kept as text in a ``repair`` entry, put before the new one.

    Args:
        path: The record's file; made, with its folders, if it does not exist.
        kind: What is recorded; not empty.
        body: Plain JSON values (no NaN, no infinity).
        recorded_at: Time of the entry, ISO 8601; this module takes no clock.

    Returns:
        The entry as written.

    Raises:
        EvidenceBrokenError: The existing record does not hold.
        EvidenceWriteError: The file cannot be written.
        ValueError: ``kind`` or ``recorded_at`` is empty, or ``body`` holds NaN or infinity.
        TypeError: ``body`` holds something that JSON cannot.
    """
    if not kind or not recorded_at:
        raise ValueError("kind and recorded_at of an evidence entry must not be empty")
    path = Path(path)
    try:
        with _locked_for_writing(path) as descriptor:
            return _append_locked(descriptor, path, Content(kind, body, recorded_at))
    except OSError as error:
        raise EvidenceWriteError(
            f"The evidence record cannot be written: {error.strerror or error}.",
            where=str(path),
            remedy="make the folder writable and its disk not full, then run the same command again; "
            "nothing was recorded",
        ) from error


def read(path: str | Path) -> list[Entry]:
    """Return all entries, after verifying the chain.

    Args:
        path: The record's file.

    Returns:
        The entries in order; an empty list if the file does not exist, because nothing was recorded yet.

    Raises:
        EvidenceBrokenError: The chain does not hold; the error names the line.
        EvidenceReadError: The file is there and cannot be read.
    """
    path = Path(path)
    found = scan(_read_locked(path))
    if found.reason:
        raise _broken(path, found)
    return list(found.entries)


def verify(path: str | Path) -> VerificationResult:
    """Check a record; a broken chain is a result, not an exception.

    Args:
        path: The record's file.

    Returns:
        What was found. A file that does not exist is not ok: there is nothing that could be proved.

    Raises:
        EvidenceReadError: The file is there and cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        return VerificationResult(path, ok=False, entries=0, head=GENESIS, reason="there is no such file")
    found = scan(_read_locked(path))
    return VerificationResult(
        path,
        ok=found.reason is None,
        entries=len(found.entries),
        head=found.head,
        broken_line=found.next_line if found.reason else None,
        reason=found.reason,
        torn_tail=bool(found.torn),
    )


def _append_locked(descriptor: int, path: Path, content: Content) -> Entry:
    raw = _read_all(descriptor)
    found = scan(raw)
    if found.reason:
        raise _broken(path, found)
    lines = b"\n" if found.unterminated else b""
    sequence, previous = found.next_line, found.head
    if found.torn:
        repair = chain(sequence, previous, Content(REPAIR, _describe_torn(found.torn), content.recorded_at))
        lines += to_line(repair)
        sequence, previous = sequence + 1, repair.hash
    entry = chain(sequence, previous, content)
    _write_whole(descriptor, lines + to_line(entry), len(raw) - len(found.torn))
    return entry


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


def _broken(path: Path, found: Scan) -> EvidenceBrokenError:
    line = found.next_line
    return EvidenceBrokenError(
        f"The evidence record does not hold at line {line}: {found.reason}.",
        where=f"{path}, line {line}",
        how_many=f"the {len(found.entries)} entries before it hold",
        remedy="restore the file from a backup or find out who changed it; if that cannot be done, move it "
        "aside (keep it) and approve the version in production again, which starts a new record",
    )


@contextmanager
def _locked_for_writing(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    # No O_APPEND: a torn tail is overwritten in place, so that no moment exists in which it is lost.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
        if is_new:
            _sync_folder(path.parent)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a power cut, not only its content."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_locked(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except (FileNotFoundError, NotADirectoryError):
        return b""
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return _read_all(descriptor)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)


def _unreadable(path: Path, error: OSError) -> EvidenceReadError:
    return EvidenceReadError(
        f"The evidence record cannot be read: {error.strerror or error}.",
        where=str(path),
        remedy="make the file readable (it must be a plain file), then run the same command again",
    )


def _read_all(descriptor: int) -> bytes:
    chunks = []
    offset = 0
    while chunk := os.pread(descriptor, 1 << 20, offset):
        chunks.append(chunk)
        offset += len(chunk)
    return b"".join(chunks)
