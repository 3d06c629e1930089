"""The head of a record kept outside it: a line in a file elsewhere, an annotated git tag, an RFC 3161 time stamp.

A chain shows that nothing in it was changed, not that nothing was cut from its end, nor that it was not written anew as
a whole. The hash of one entry, kept where whoever may write the record may not, shows both for all entries up to it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import rfc8785
from pydantic import Field, ValidationError

from rai_kedro.errors import RaiError
from rai_kedro.files import append_line, write_bytes
from rai_kedro.release.finding import RESTORE_RECORD, Finding
from rai_kedro.release.record import Entry
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

ANCHOR: Final = "anchor"
TOKEN_SUFFIX: Final = ".tsr"  # noqa: S105 - of a file
_TAGS: Final = "rai-anchor"
_WAIT_S: Final = 20.0


class AnchorError(RaiError):
    """The head of a record could not be kept where it was asked to be."""


class Anchor(Typed):
    """What is kept: the hash of one entry, which covers all before it."""

    use_case: str
    sequence: int = Field(ge=1)
    head: str
    anchored_at: str

    def to_line(self) -> str:
        """Return it as one line of canonical JSON."""
        return rfc8785.dumps(self.to_dict()).decode()


@dataclass(frozen=True)
class Seen:
    """An anchor that was found again: where, of which line, when it was made, and the SHA-256 of the hash it keeps."""

    place: str
    sequence: int
    at: str
    imprint: str

    def __str__(self) -> str:
        """Return it as words."""
        return f"{self.place} keeps line {self.sequence} since {self.at}"


_Said: TypeAlias = Iterator[Seen | tuple[bool, str]]
"""An anchor, or whether something is wrong and what there is to say."""


@dataclass(frozen=True)
class Anchors:
    """The anchors of a record that were seen, and what is wrong or open about others."""

    seen: tuple[Seen, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()


# ---- keeping -----------------------------------------------------------------------------------------------


def keep_in_file(anchor: Anchor, path: Path) -> dict[str, str]:
    """Append the anchor to a file; return what the entry says of the place."""
    try:
        append_line(path, anchor.to_line())
    except OSError as error:
        raise AnchorError(
            f"The anchor cannot be written: {error.strerror or error}.",
            where=str(path),
            remedy="name a file on a disk that is there and may be written",
        ) from error
    return {"file": str(path)}


def keep_as_tag(anchor: Anchor, project: Path) -> dict[str, str]:
    """Make an annotated tag at the commit that is checked out; return what the entry says of the place."""
    name = f"{_TAGS}/{anchor.use_case}/{anchor.sequence}"
    try:
        _git(project, "tag", "--annotate", name, "--message", anchor.to_line())
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip()
        raise AnchorError(
            "Git did not make the tag.",
            where=name,
            example=said.splitlines()[0] if said else None,
            remedy="run it in a Git repository with a commit and a user.name; or anchor with --file PATH",
        ) from error
    return {"git_tag": name}


def keep_as_time_stamp(anchor: Anchor, url: str, record: Path, authorities: Path) -> dict[str, str]:
    """Have an authority stamp the hash and store its token beside the record; return what the entry says of the place.

    Where ``authorities`` (certificates in PEM) exists, one of them must have signed.
    """
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, decode_timestamp_response

    request = TimestampRequestBuilder().data(anchor.head.encode()).hash_algorithm(HashAlgorithm.SHA256).build()
    token = _ask_authority(url, request.as_bytes())
    try:
        response = decode_timestamp_response(token)
        fault = _find_token_fault(response, anchor.head.encode(), _read_certificates(authorities), request.nonce)
    except ValueError as error:
        fault = f"its answer cannot be read ({error})"
    if fault:
        raise AnchorError(
            f"The time stamp does not hold: {fault}.",
            where=url,
            remedy=f"see that the address is that of an RFC 3161 authority, and its root certificate in {authorities}",
        )
    path = record.with_name(f"{record.stem}.{anchor.sequence}{TOKEN_SUFFIX}")
    write_bytes(path, token)
    return {"rfc3161": url, "token": path.name}


def _ask_authority(url: str, request: bytes) -> bytes:
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    if not url.startswith(("https://", "http://")):
        raise AnchorError("An authority has a web address.", where=url, remedy="give it as https://…")
    asked = Request(url, request, {"Content-Type": "application/timestamp-query"})  # noqa: S310 - looked at above
    try:
        with urlopen(asked, timeout=_WAIT_S) as answer:  # noqa: S310
            return bytes(answer.read())
    except (URLError, OSError) as error:
        raise AnchorError(
            f"The authority did not answer: {getattr(error, 'reason', error)}.",
            where=url,
            remedy="try again later, or anchor with --file PATH or --git-tag; nothing was recorded",
        ) from error


# ---- finding them again ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Places:
    """Where anchors of a record may be."""

    record: Path  # time stamps lie beside it
    use_case: str
    project: Path  # whose Git repository may have tags
    authorities: Path  # certificates (PEM) of those who make time stamps; none is checked without
    extra: tuple[Path, ...] = ()  # files and time stamps elsewhere

    def look(self, entries: Sequence[Entry]) -> Anchors:
        """Look for anchors of these entries, also wherever they name one."""
        anchored = [entry for entry in entries if entry.kind == ANCHOR]
        said = list(self._look(entries, [entry.body for entry in anchored if _is_readable(entry.body)]))
        said += [
            (True, f"Line {entry.sequence} of the record is no readable entry '{ANCHOR}'")
            for entry in anchored
            if not _is_readable(entry.body)
        ]
        seen = tuple(one for one in said if isinstance(one, Seen))
        told = [one for one in said if not isinstance(one, Seen)]
        wrong, notes = (tuple(text for is_wrong, text in told if is_wrong is wanted) for wanted in (True, False))
        found = (
            Finding(what=text, where="anchors", advice=RESTORE_RECORD) for text in (*_compare(seen, entries), *wrong)
        )
        return Anchors(seen, tuple(found), notes)

    def _look(self, entries: Sequence[Entry], named: Sequence[Any]) -> _Said:
        # One that was given by hand has to be there; one that an entry names may lie on another machine.
        files = {Path(body["file"]): False for body in named if "file" in body}
        files |= {one.resolve(): True for one in self.extra if not _is_token(one)}
        for path, must_exist in files.items():
            yield from _read_file(path, self.use_case, named, must_exist=must_exist)
        yield from _read_tags(self.project, self.use_case, [body["git_tag"] for body in named if "git_tag" in body])
        beside = self.record.parent.glob(f"{self.record.stem}.*{TOKEN_SUFFIX}")
        tokens = {path.name: path for path in (*beside, *filter(_is_token, self.extra))}
        for name in sorted(tokens):
            yield from _read_token(tokens[name], entries, self.authorities)
        for name in (body["token"] for body in named if "token" in body and body["token"] not in tokens):
            yield False, f"the time stamp {name} is not beside the record any more"


def _is_readable(body: Any) -> bool:
    """Say whether an entry has the form that the program gives it."""
    kinds = {"sequence": int, "head": str, "file": str, "git_tag": str, "token": str}
    return {"sequence", "head"} <= {*body} and all(isinstance(body[key], kinds[key]) for key in kinds if key in body)


def describe_hidden(entries: Sequence[Entry], seen: Sequence[Seen]) -> str:
    """Say what could still be missing from a record, or have been written anew, without anybody noticing."""
    if not seen:
        return "No anchor was seen: a record cut at its end or written anew as a whole would not be noticed."
    last = max(one.sequence for one in seen)
    after = [entry for entry in entries[last:] if entry.kind != ANCHOR]
    if not after:
        return f"Nothing but the anchoring itself came after line {last}, which is anchored."
    lines = "line" if len(after) == 1 else "lines"
    return f"{len(after)} {lines} came after line {last}, the last that is anchored: cut off, they would not be missed."


def _compare(seen: Sequence[Seen], entries: Sequence[Entry]) -> Iterator[str]:
    for one in seen:
        if one.sequence > len(entries):
            yield f"{one}, but the record has {len(entries)} lines: its end was cut off"
        elif _imprint(entries[one.sequence - 1].hash) != one.imprint:
            yield f"{one}, and that line is another one now: the record was written anew"


def _read_file(path: Path, use_case: str, named: Sequence[Any], *, must_exist: bool) -> _Said:
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is no file")  # a device never ends
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        yield must_exist, f"the anchors in {path} could not be looked at: {reason}"
        return
    kept: set[tuple[int, str]] = set()
    for number, line in enumerate(lines, start=1):
        try:
            anchor = Anchor.from_dict(json.loads(line))
        except (ValidationError, ValueError):
            yield False, f"line {number} of {path} is no anchor"
            continue
        if anchor.use_case == use_case:
            kept.add((anchor.sequence, anchor.head))
            yield Seen(str(path), anchor.sequence, anchor.anchored_at, _imprint(anchor.head))
    for body in named:
        if body.get("file") == str(path) and (body["sequence"], body["head"]) not in kept:
            yield True, f"the anchor of line {body['sequence']} is no longer in {path}"


def _read_tags(project: Path, use_case: str, named: Sequence[str]) -> _Said:
    found: set[str] = set()
    with suppress(OSError, subprocess.CalledProcessError):
        form = "%(refname:short)%09%(contents:subject)"
        for line in _git(project, "for-each-ref", f"refs/tags/{_TAGS}/{use_case}", f"--format={form}").splitlines():
            name, _, text = line.partition("\t")
            with suppress(ValidationError, ValueError):
                anchor = Anchor.from_dict(json.loads(text))
                found.add(name)
                yield Seen(f"git tag {name}", anchor.sequence, anchor.anchored_at, _imprint(anchor.head))
    for name in sorted({*named} - found):
        yield False, f"git tag {name} is not in this repository"


def _read_token(path: Path, entries: Sequence[Entry], authorities: Path) -> _Said:
    from rfc3161_client import decode_timestamp_response

    number = path.name.removesuffix(TOKEN_SUFFIX).rpartition(".")[2]
    try:
        response, sequence = decode_timestamp_response(path.read_bytes()), int(number)
        made: datetime = response.tst_info.gen_time
        imprint = response.tst_info.message_imprint.message.hex()
    except (OSError, ValueError) as error:
        yield True, f"the time stamp {path.name} cannot be read: {error}"
        return
    roots = _read_certificates(authorities)
    head = entries[sequence - 1].hash if 0 < sequence <= len(entries) else ""
    # That it is of another line is said where anchors are compared.
    if _imprint(head) == imprint and (fault := _find_token_fault(response, head.encode(), roots)):
        yield True, f"the time stamp {path.name} does not hold: {fault}"
        return
    if not roots:
        yield False, f"who made the time stamp {path.name} was not checked: there is no {authorities.name}"
    yield Seen(f"time stamp {path.name}", sequence, made.isoformat(), imprint)


def _find_token_fault(response: Any, message: bytes, roots: Sequence[Certificate], nonce: int | None = None) -> str:
    """Say why a token is none on this message; empty if it is. Without roots its signature is not looked at."""
    from rfc3161_client import PKIStatus, VerificationError, VerifierBuilder

    if PKIStatus(response.status) != PKIStatus.GRANTED:
        return f"the authority refused ({', '.join(response.status_string) or 'it does not say why'})"
    if nonce is not None and response.tst_info.nonce != nonce:
        return "it answers another request"
    if response.tst_info.message_imprint.message != hashlib.sha256(message).digest():
        return "it is of other content"
    if not roots:
        return ""
    builder = VerifierBuilder()
    for root in roots:
        builder = builder.add_root_certificate(root)
    try:
        builder.build().verify_message(response, message)
    except VerificationError as error:
        return str(error)
    return ""


def _read_certificates(path: Path) -> list[Certificate]:
    from cryptography.x509 import load_pem_x509_certificates

    return load_pem_x509_certificates(path.read_bytes()) if path.is_file() else []


def _is_token(path: Path) -> bool:
    return path.suffix == TOKEN_SUFFIX


def _imprint(head: str) -> str:
    return hashlib.sha256(head.encode()).hexdigest()


def _git(project: Path, *arguments: str) -> str:
    command = ["git", "-C", str(project), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=_WAIT_S).stdout  # noqa: S603
