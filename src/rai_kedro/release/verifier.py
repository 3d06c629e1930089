"""Checks the pack of a model version: what holds, what does not, and what cannot be checked from here.

    python verify.py [PACK] [--reviewers FILE] [--head HASH] [--anchors FILE] [--at YYYY-MM-DD]

PACK is the zip or the folder it was unpacked into; by default the folder this file lies in. It needs Python 3.11 and
the package ``cryptography``, and nothing of the project that made the pack. The exit code is 0 if nothing was found
that does not hold, else 1.

A pack can be made anew as a whole by whoever likes to. What it proves hangs on two things from *outside* of it: whose
keys count (``--reviewers``, the organisation's own ``conf/base/reviewers.yml`` or the same as JSON), and the newest
hash of the record as somebody noted it elsewhere (``--head``, or ``--anchors``: the file of `kedro rai anchor`).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import math
import re
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
    load_ssh_public_key,
)

MANIFEST: Final = "manifest.json"
RECORD: Final = "record.jsonl"
SUMS: Final = "SHA256SUMS"
REVIEWERS: Final = "keys/reviewers.json"
_STATEMENT: Final = "https://in-toto.io/Statement/v1"
_DECISION: Final = "https://rai-kedro.example/decision/v1"
_TRAINING: Final = "https://rai-kedro.example/training/v1"
_PAYLOAD: Final = "application/vnd.in-toto+json"
_APPROVALS: Final = ("approve", "rollback")
_DECISIONS: Final = (*_APPROVALS, "reject")
_ENTRY: Final = {"sequence", "recorded_at", "kind", "body", "previous", "hash"}
_SIGNED_FOLDERS: Final = {"model": "model/", "card": "model_card/"}
_CLOCKS: Final = timedelta(minutes=5)  # by which those of several machines may differ
_LARGEST: Final = 2 << 30  # bytes unpacked; a larger pack is refused before it is read
_LARGEST_INTEGER: Final = 2**53 - 1
_ESCAPES: Final = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_ESCAPED: Final = {code: f"\\u{code:04x}" for code in range(32)} | _ESCAPES


@dataclass
class Findings:
    """What was found, a sentence each."""

    holds: list[str] = field(default_factory=list)
    fails: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)


@dataclass
class Pack:
    """A pack with what is known of it so far."""

    files: Mapping[str, bytes]
    reviewers: list[dict[str, Any]]
    source: str  # of the reviewers, in words
    trusted: bool  # whether they came from outside of the pack
    now: datetime
    heads: tuple[str, ...] = ()  # hashes of entries, as they were noted elsewhere
    found: Findings = field(default_factory=Findings)
    entries: list[dict[str, Any]] = field(default_factory=list)
    manifest: dict[str, Any] = field(default_factory=dict)
    digest: str = ""  # of the manifest
    trainer: str = ""  # who signed the training; empty if no person did
    covered: set[str] = field(default_factory=set)  # files that a signed digest or the chain stands for

    def read_json(self, name: str) -> Any:
        """Return what a file says."""
        return json.loads(self.files[name])


@dataclass(frozen=True)
class Decision:
    """What one entry of the record says was decided, or trained, and by whom it is signed."""

    line: int
    kind: str
    use_case: str
    version: str
    manifest: str
    said: Mapping[str, Any]  # the predicate of the statement
    keyid: str
    signature: bytes
    signed: bytes  # what the signature covers

    @property
    def subject(self) -> tuple[str, str, str]:
        """Return which version it decides on."""
        return self.use_case, self.version, str(self.said["run_id"])

    @property
    def signer(self) -> str:
        """Return the name of who signs."""
        return str(self.said["trainer" if self.kind == "trained" else "reviewer"])

    @property
    def signed_at(self) -> str:
        """Return when, in ISO 8601."""
        return str(self.said["trained_at" if self.kind == "trained" else "reviewed_at"])

    def __str__(self) -> str:
        """Name it in a sentence."""
        return f"line {self.line}, {self.said.get('decision', self.kind)} by {self.signer}"


# ---- RFC 8785: the one form of JSON whose bytes are digested and signed ------------------------------------


def canonical(value: Any) -> bytes:
    """Return JSON in the form of RFC 8785; ValueError where it cannot hold the value."""
    return "".join(_write(value)).encode("utf-8")


def _write(value: Any) -> Iterator[str]:
    if value is None or isinstance(value, bool):
        yield {None: "null", True: "true", False: "false"}[value]
    elif isinstance(value, int):
        if abs(value) > _LARGEST_INTEGER:
            raise ValueError(f"{value} is larger than the integers that JSON holds exactly")
        yield str(value)
    elif isinstance(value, float):
        yield _write_number(value)
    elif isinstance(value, str):
        yield f'"{value.translate(_ESCAPED)}"'
    elif isinstance(value, list):
        yield "["
        for number, item in enumerate(value):
            yield "," * bool(number)
            yield from _write(item)
        yield "]"
    else:
        yield "{"
        for number, name in enumerate(sorted(value, key=lambda name: name.encode("utf-16-be"))):
            yield "," * bool(number)
            yield f'"{name.translate(_ESCAPED)}":'
            yield from _write(value[name])
        yield "}"


def _write_number(value: float) -> str:
    """Write a number as ECMAScript does (Number::toString): the shortest digits that give it back."""
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {value}")
    if value == 0:
        return "0"
    _, figures, exponent = Decimal(repr(abs(value))).normalize().as_tuple()
    digits, point = "".join(map(str, figures)), len(figures) + int(exponent)
    sign, count = "-" * (value < 0), len(digits)
    if count <= point <= 21:  # noqa: PLR2004 # the bounds are the standard's
        return f"{sign}{digits}{'0' * (point - count)}"
    if 0 < point <= 21:  # noqa: PLR2004
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:  # noqa: PLR2004
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if count > 1 else ""
    return f"{sign}{digits[0]}{fraction}e{'+' * (point > 0)}{point - 1}"


# ---- reading -----------------------------------------------------------------------------------------------


def read_files(place: Path) -> dict[str, bytes]:
    """Read every file of a pack, a zip or a folder; ValueError if it holds what no pack does."""
    if place.is_dir():
        paths = sorted(path for path in place.rglob("*") if path.is_symlink() or not path.is_dir())
        if links := [path for path in paths if path.is_symlink() or not path.is_file()]:
            raise ValueError(f"{links[0]} is no plain file")
        return {path.relative_to(place).as_posix(): path.read_bytes() for path in paths}
    with zipfile.ZipFile(place) as archive:
        names = [one.filename for one in archive.infolist() if not one.is_dir()]
        if len(set(names)) < len(names):
            raise ValueError("a file is in the zip twice")
        if sum(one.file_size for one in archive.infolist()) > _LARGEST:
            raise ValueError("it would unpack to more than 2 GB")
        return {name: archive.read(name) for name in names}


def read_reviewers(place: Path) -> list[dict[str, Any]]:
    """Read a list of reviewers, JSON or YAML; the latter needs PyYAML."""
    text = place.read_text(encoding="utf-8")
    if place.suffix == ".json":
        content = json.loads(text)
    else:
        try:
            import yaml
        except ImportError:
            raise ValueError("PyYAML is needed to read YAML: `pip install pyyaml`, or give the list as JSON") from None
        content = yaml.safe_load(text)
    return list((content or {}).get("reviewers") or [])


def _read_anchors(place: Path | None, files: Mapping[str, bytes]) -> list[str]:
    lines = place.read_text(encoding="utf-8").splitlines() if place else []
    use_case = json.loads(files[MANIFEST])["use_case"] if lines else ""
    return [one["head"] for one in map(json.loads, lines) if one["use_case"] == use_case]


def read_decision(entry: Mapping[str, Any]) -> Decision:
    """Read the signed decision in an entry; an error of any kind if it holds none."""
    envelope = entry["body"]["envelope"]
    payload, (signature,) = _decode(envelope["payload"]), envelope["signatures"]
    statement = json.loads(payload)
    if canonical(statement) != payload:
        raise ValueError("its payload is not in the form of RFC 8785")
    kinds = envelope["payloadType"], statement["_type"], statement["predicateType"]
    if kinds != (_PAYLOAD, _STATEMENT, _TRAINING if entry["kind"] == "trained" else _DECISION):
        raise ValueError("it holds no decision, or no training")
    (subject,) = statement["subject"]
    use_case, _, version = subject["name"].rpartition("/")
    return Decision(
        line=entry["sequence"],
        kind=entry["kind"],
        use_case=use_case,
        version=version,
        manifest=subject["digest"]["sha256"],
        said=statement["predicate"],
        keyid=signature["keyid"],
        signature=_decode(signature["sig"]),
        signed=_encode_to_sign(envelope["payloadType"], payload),
    )


def _encode_to_sign(kind: str, payload: bytes) -> bytes:
    """Return the bytes that a signature covers: the pre-authentication encoding of DSSE v1."""
    return b"DSSEv1 %d %b %d %b" % (len(kind.encode()), kind.encode(), len(payload), payload)


def _decode(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def fingerprint(key: str) -> str:
    """Return the fingerprint of an OpenSSH public key, as ``ssh-keygen -l`` prints it."""
    digest = hashlib.sha256(_decode(key.split()[1])).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# ---- checks, in order; each adds to what was found ---------------------------------------------------------


def check_sums(pack: Pack) -> None:
    """Compare every file with the list of digests in the pack, as ``sha256sum -c SHA256SUMS`` does."""
    lines = pack.files[SUMS].decode("utf-8").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    found = {name: _sha256(content) for name, content in pack.files.items() if name != SUMS}
    wrong = [
        f"{name} {'is gone' if name not in found else 'changed' if name in listed else 'was added'}"
        for name in sorted({*listed, *found})
        if listed.get(name) != found.get(name)
    ]
    pack.found.fails += [f"{SUMS}: {one}" for one in wrong]
    if not wrong:
        pack.found.holds.append(f"{len(found)} files are those that {SUMS} names")


def check_record(pack: Pack) -> None:
    """Check that every line of the record is canonical, in its place, and chained to the one before it."""
    previous, latest, now = "0" * 64, datetime.min.replace(tzinfo=UTC), datetime.now(UTC)
    raw = pack.files[RECORD]
    for number, line in enumerate(raw.splitlines(keepends=True), 1):
        entry = json.loads(line)
        content = {name: value for name, value in entry.items() if name != "hash"}
        if set(entry) != _ENTRY or canonical(entry) + b"\n" != line:
            raise ValueError(f"line {number} is not an entry in the form of RFC 8785")
        if (entry["sequence"], entry["previous"]) != (number, previous):
            raise ValueError(f"line {number} does not continue from the entry before it")
        if entry["hash"] != _sha256(canonical(content)):
            raise ValueError(f"line {number}: its content does not match its hash")
        time = _time(entry["recorded_at"])
        if time + _CLOCKS < latest:
            raise ValueError(f"line {number} is dated {entry['recorded_at']}, before an entry before it")
        if time > now + _CLOCKS:
            raise ValueError(f"line {number} is dated {entry['recorded_at']}, which is still to come")
        previous, latest = entry["hash"], max(latest, time)
        pack.entries.append(entry)
    pack.covered.add(RECORD)
    pack.found.holds.append(f"the record's chain of {len(pack.entries)} entries is whole; newest hash {previous}")
    _compare_head(pack)


def _time(text: str) -> datetime:
    """Read a time in ISO 8601, UTC where it names no zone."""
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _compare_head(pack: Pack) -> None:
    lines = {entry["hash"]: entry["sequence"] for entry in pack.entries}
    known = [lines[head] for head in pack.heads if head in lines]
    pack.found.fails += [f"the hash noted elsewhere, {head}, is not in the record" for head in {*pack.heads} - {*lines}]
    if known:
        pack.found.holds.append(f"up to line {max(known)} the record is as it was when its hash was noted elsewhere")
    if not known or max(known) < len(lines):
        pack.found.unchecked.append(
            f"entries removed from the end of the record, or unsigned ones after line {max(known, default=0)} written "
            "anew with a new chain: compare the newest hash with one noted elsewhere (--head HASH or --anchors FILE)"
        )


def check_manifest(pack: Pack) -> None:
    """Compare the manifest with the record's entry on the training, and every file with the manifest."""
    content = pack.files[MANIFEST]
    manifest = json.loads(content)
    if not isinstance(manifest, dict) or canonical(manifest) != content:
        raise ValueError("it is not in the form of RFC 8785")
    pack.manifest, pack.digest = manifest, _sha256(content)
    trained = [
        entry["body"]["manifest"]
        for entry in pack.entries
        if entry["kind"] == "trained"
        and (entry["body"].get("version"), entry["body"].get("run_id")) == (manifest["version"], manifest["run_id"])
    ]
    if trained[:1] == [pack.digest]:
        pack.found.holds.append(f"the manifest ({pack.digest}) is the one that training put on record")
    else:
        pack.found.fails.append(f"the manifest is not the one on record: {(trained or ['none'])[0]}")
    _compare_files(pack)


def _compare_files(pack: Pack) -> None:
    named: dict[str, str] = pack.manifest["files"]
    folders = tuple(_SIGNED_FOLDERS.values())
    found = {
        name: _sha256(content) for name, content in pack.files.items() if name in named or name.startswith(folders)
    }
    wrong = [
        f"{name} {'is gone' if name not in found else 'is not what was trained' if name in named else 'was added'}"
        for name in sorted({*named, *found})
        if found.get(name) != named.get(name)
    ]
    pack.found.fails += wrong
    pack.covered |= {MANIFEST, *named}
    if not wrong:
        pack.found.holds.append(
            f"{len(named)} files are those of the manifest: model, card, contract, reference, reports"
        )


def check_copies(pack: Pack) -> None:
    """Compare what stands in the pack a second time with what it was taken from."""
    card = pack.read_json(f"model_card/model_card_v{pack.manifest['version']}.json")
    of = card.get("card", {}).get("identity", {})
    wrong = [f"the card is of another {name}" for name in ("use_case", "version", "run_id")
             if of.get(name, pack.manifest[name]) != pack.manifest[name]]  # fmt: skip
    if pack.read_json("policy.json") != pack.manifest["policy"]:
        wrong.append("policy.json is not the policy in the manifest")
    bom = pack.files.get("exchange/bom.cdx.json")
    if bom is not None and pack.digest not in bom.decode("utf-8"):
        wrong.append("exchange/bom.cdx.json is of another manifest")
    pack.covered.add("policy.json")
    pack.found.fails += wrong
    if not wrong:
        pack.found.holds.append("card, policy and bill of materials are of this manifest")


def check_training(pack: Pack) -> None:
    """Check the signature under the training of this version, if it has one."""
    subject = pack.manifest["version"], pack.manifest["run_id"]
    for entry in pack.entries:
        body = entry["body"]
        if entry["kind"] != "trained" or (body.get("version"), body.get("run_id")) != subject:
            continue
        if "envelope" in body:
            training = read_decision(entry)
            _judge(pack, training, entry)
            if training.manifest != pack.digest:
                raise ValueError(f"{training}: another manifest was signed, {training.manifest}")
            pack.trainer = "" if training.said["demo"] else training.signer
        break
    if not pack.trainer:
        account = pack.manifest["trained_by"]
        pack.found.unchecked.append(f"who trained it: no person signed the training, the manifest names {account!r}")


def check_monitoring(pack: Pack) -> None:
    """Compare what the pack shows of every month with the record's latest entry on it."""
    name = "monitoring/monitoring.json"
    if name not in pack.files:
        return
    latest: dict[tuple[str, str], Mapping[str, Any]] = {}
    for entry in pack.entries:
        body = entry["body"]
        if entry["kind"] == "month":
            latest[body["month"], body["model_version"]] = body
        elif entry["kind"] in ("reset", "rescore"):
            latest = {key: one for key, one in latest.items() if body.get("month") not in (None, key[0])}
    shown = pack.read_json(name)["months"]
    wrong = [
        f"{name}: {one['month']} by version {one['model_version']} is not what its entry in the record says"
        for one in shown
        if latest.get((one["month"], one["model_version"]), {}).get("shown") != _sha256(canonical(one))
    ]
    wrong += [f"{name}: {month} by version {version} is gone" for month, version in sorted(
        {*latest} - {(one["month"], one["model_version"]) for one in shown})]  # fmt: skip
    pack.covered.add(name)
    if wrong and not any("shown" in one for one in latest.values()):
        pack.found.unchecked.append(f"{name}: the record was written before its entries covered it")
        return
    if wrong:
        wrong[0] += " (a monitoring that was cut off leaves it so: run it again, and export a new pack)"
    pack.found.fails += wrong
    if not wrong:
        pack.found.holds.append(f"{len(shown)} months of {name} are as the record has them; its page is not compared")


def check_decisions(pack: Pack) -> None:
    """Check every signed decision of the record, and what those on this version come to."""
    counting = []
    for entry in pack.entries:
        if entry["kind"] not in _DECISIONS:
            continue
        try:
            decision = read_decision(entry)
            _judge(pack, decision, entry)
        except _UNREADABLE as error:
            pack.found.fails.append(f"line {entry['sequence']} holds no decision that can be relied on: {error}")
        else:
            counting.append(decision)
            _compare_decision_files(pack, decision, entry)
    names = {f"decisions/{entry['sequence']:04d}-{entry['kind']}" for entry in pack.entries}
    stray = [
        name for name in pack.files if name.startswith("decisions/") and name.partition(".")[0] not in names
    ]  # fmt: skip
    pack.found.fails += [f"{name} belongs to no decision on record" for name in stray]
    _judge_version(pack, counting)


def _judge(pack: Pack, decision: Decision, entry: Mapping[str, Any]) -> None:
    """Refuse with ValueError a decision whose place, signature or signer is wrong; add what is to be said else."""
    said = decision.said
    if (said["sequence"], said["previous"]) != (entry["sequence"], entry["previous"]):
        raise ValueError(f"{decision} was signed for another place in a record")
    if decision.signed_at != entry["recorded_at"]:
        raise ValueError(f"{decision} was signed at {decision.signed_at} and recorded at {entry['recorded_at']}")
    if said["demo"]:
        _verify(decision, said["public_key"])
        if (owner := _find_reviewer(pack, decision)) is not None:
            raise ValueError(
                f"{decision}: it calls itself a demonstration and is signed with the key of {owner['name']}"
            )
        pack.found.unchecked.append(f"{decision}: a demonstration with a key made on the spot; no person decided")
        return
    reviewer = _find_reviewer(pack, decision)
    if reviewer is None and decision.kind == "reject":
        pack.found.unchecked.append(
            f"{decision}: the key {decision.keyid} is nobody's; a rejection counts all the same"
        )
        return
    if reviewer is None:
        raise ValueError(f"{decision}: the key {decision.keyid} is of nobody in {pack.source}")
    _verify(decision, reviewer["key"])
    day = _time(decision.signed_at).astimezone(UTC).date()
    if not _day(reviewer["valid_from"]) <= day <= _day(reviewer["valid_until"]):
        raise ValueError(f"{decision}: the key was not valid on {day}")
    if (decision.signer, said["role"] in reviewer["roles"]) != (reviewer["name"], True):
        raise ValueError(f"{decision} as {said['role']}: the key is {reviewer['name']}'s, as {reviewer['roles']}")
    where = "" if pack.trusted else " (by the pack's own list of keys)"
    pack.found.holds.append(f"{decision} as {said['role']}: signature and place hold, key {decision.keyid}{where}")


def _find_reviewer(pack: Pack, decision: Decision) -> dict[str, Any] | None:
    return next((one for one in pack.reviewers if fingerprint(one["key"]) == decision.keyid), None)


def _verify(decision: Decision, key: str) -> None:
    public = load_ssh_public_key(key.encode())
    if not isinstance(public, Ed25519PublicKey) or fingerprint(key) != decision.keyid:
        raise ValueError(f"{decision}: it is signed with another key")
    try:
        public.verify(decision.signature, decision.signed)
    except InvalidSignature:
        raise ValueError(f"{decision}: the signature does not fit") from None


def _day(value: str | date) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def _compare_decision_files(pack: Pack, decision: Decision, entry: Mapping[str, Any]) -> None:
    stem = f"decisions/{decision.line:04d}-{decision.kind}"
    expected = {".json": canonical(entry["body"]["envelope"]), ".signed": decision.signed, ".sig": decision.signature}
    for ending, content in expected.items():
        if pack.files.get(stem + ending) != content:
            pack.found.fails.append(f"{stem}{ending} is not what the record holds")
    reviewer = _find_reviewer(pack, decision) or {}
    model_key = reviewer.get("model_key")
    keys = {".pub": decision.keyid, ".pem": decision.keyid, ".model.pem": fingerprint(model_key) if model_key else ""}
    for ending, keyid in keys.items():
        key = pack.files.get(stem + ending)
        if key is not None and _fingerprint_of_file(key) != keyid:
            pack.found.fails.append(f"{stem}{ending} is not the signer's key")
    pack.covered |= {stem + ending for ending in {**expected, **keys}}


def _fingerprint_of_file(content: bytes) -> str:
    try:
        key = load_pem_public_key(content) if content.startswith(b"-----") else load_ssh_public_key(content)
        return fingerprint(key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
    except _UNREADABLE:
        return ""


def _judge_version(pack: Pack, decisions: list[Decision]) -> None:
    manifest = pack.manifest
    subject = manifest["use_case"], manifest["version"], manifest["run_id"]
    name = f"version {manifest['version']} of {manifest['use_case']}"
    own = [one for one in decisions if one.subject == subject]
    approvals = [one for one in own if one.kind in _APPROVALS]
    for one in own:
        if one.kind == "reject":
            pack.found.fails.append(f"{name} was rejected: {one}: {one.said['statement']}")
        elif fault := _find_fault(pack, one):
            pack.found.fails.append(f"{one}: {fault}")
    if not approvals:
        pack.found.unchecked.append(f"nobody has approved {name}, so no signature stands for its files")
        return
    last = approvals[-1]
    if missing := _find_missing_roles(approvals, last):
        pack.found.unchecked.append(f"the approval of {name} waits for: {', '.join(missing)}")
    if _time(last.said["expires_at"]) <= pack.now:
        pack.found.fails.append(f"{last}: it ran out on {last.said['expires_at']} (--at checks another day)")
    if later := [one for one in decisions if one.line > last.line and one.kind in _APPROVALS and one not in own]:
        pack.found.unchecked.append(f"{later[-1]} is of version {later[-1].version}, which came after {name}")


def _find_fault(pack: Pack, approval: Decision) -> str:
    """Say why an approval with a good signature does not stand for this version; empty if it does."""
    return next(_find_faults(pack, approval), "")


def _find_faults(pack: Pack, approval: Decision) -> Iterator[str]:
    said, rules = approval.said, approval.said["rules"]
    asked = pack.manifest["policy"].get("policy", {}).get("approval", rules)
    if approval.manifest != pack.digest:
        yield f"it is of another manifest, {approval.manifest}"
    if _time(said["expires_at"]) > _time(said["reviewed_at"]) + timedelta(days=asked["lasts_days"]):
        yield f"it says to last until {said['expires_at']}; the policy allows {asked['lasts_days']} days"
    yield from _find_other_gates(pack, said)
    asking = [
        *([] if said["fairness_gate"] == "pass" else ["fairness gate"]),
        *said.get("open_gates", ()),
        *said.get("loosened", ()),
    ]
    if asking and not (said["accepted_risk"] and said["fairness_gate"]):
        yield f"nobody accepted what it asked for: {', '.join(asking)}"
    if {name: rules[name] for name in asked} != asked:
        yield "it was given under other rules than those of the manifest"
    reviewer = None if said["demo"] else _find_reviewer(pack, approval)
    names = {reviewer["name"], *reviewer.get("accounts", ())} if reviewer else set()
    if names & {pack.manifest["trained_by"], pack.trainer} and not rules["trainer_may_approve"]:
        yield f"{approval.signer} trained the version and may not approve it alone"
    yield from _find_unsigned(pack, approval, asks=asked.get("signed_training", False))


def _find_unsigned(pack: Pack, approval: Decision, *, asks: bool) -> Iterator[str]:
    """Say that the trainer's signature lacks, which the policy asks for, or that somebody is listed as trainer."""
    day = _time(approval.signed_at).astimezone(UTC).date()
    listed = [one["name"] for one in pack.reviewers if "trainer" in one["roles"]
              and _day(one["valid_from"]) <= day <= _day(one["valid_until"])]  # fmt: skip
    if not pack.trainer and not approval.said["demo"] and (asks or listed):
        why = f"{listed[0]} is listed as one" if listed else "the policy asks for it"
        yield f"no trainer signed the training, though {why}"


def _find_other_gates(pack: Pack, said: Mapping[str, Any]) -> Iterator[str]:
    """Hold what an approval says of the gates against the reports of the training and the policy, not its own word."""
    outcome = pack.read_json("reports/fairness_gate.json")["outcome"]
    if said["fairness_gate"] != outcome:
        yield f"it says that the fairness gate said {said['fairness_gate']!r}; it said {outcome!r}"
    rules = pack.manifest["policy"].get("policy", {}).get("gates", {})
    for gate in pack.read_json("reports/release_gates.json")["gates"]:
        name, result = gate["name"], gate["outcome"]
        kind = {"pass": "", "fail": "fail"}.get(result, "insufficient_evidence")
        asked = "none" if not kind else rules.get(name, {}).get(kind, gate["consequence"])
        if asked == "block":
            yield f"the policy blocks it: {name}: {result}"
        if asked == "accept_risk" and not said["accepted_risk"]:
            yield f"nobody accepted the risk of {name}: {result}"


def _find_missing_roles(approvals: list[Decision], last: Decision) -> list[str]:
    taken: set[str] = set()
    missing = []
    for role in last.said["rules"]["roles"]:
        people = [
            one.said["reviewer"]
            for one in approvals
            if one.said["role"] == role and one.said["expires_at"] > last.said["reviewed_at"]
        ]
        free = [name for name in people if name not in taken]
        taken |= set(free[-1:])
        missing += [role] * (not free)
    return missing


def check_signed_folders(pack: Pack) -> None:
    """Check the signatures of the released model and card, as ``model_signing verify key`` does."""
    signatures = [name for name in pack.files if name.startswith("signatures/")]
    for name in signatures:
        match = re.fullmatch(r"signatures/(\d+)-(model|card)\.sig", name)
        if match is None:
            pack.found.fails.append(f"{name} is no signature of a pack")
            continue
        try:
            decision = read_decision(pack.entries[int(match[1]) - 1])
            signed = _read_bundle(pack, decision, pack.files[name])
            folder = _SIGNED_FOLDERS[match[2]]
            found = {path.removeprefix(folder): _sha256(content) for path, content in pack.files.items()
                     if path.startswith(folder)}  # fmt: skip
        except _UNREADABLE as error:
            pack.found.fails.append(f"{name}: {error}")
            continue
        pack.covered.add(name)
        if signed == found:
            pack.found.holds.append(
                f"{name}: {decision.said['reviewer']} signed the files of {folder} as they are here"
            )
        else:
            pack.found.fails.append(f"{name}: the files of {folder} are not those that were signed")
    if not signatures:
        pack.found.unchecked.append("model and card have no signature of their own (model-signing); the manifest has")


def _read_bundle(pack: Pack, decision: Decision, content: bytes) -> dict[str, str]:
    """Return the digests by file that a bundle of model-signing stands for, once its signature holds."""
    reviewer = _find_reviewer(pack, decision)
    key = load_ssh_public_key(reviewer["model_key"].encode()) if reviewer and reviewer.get("model_key") else None
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError(f"{pack.source} has no model_key of {decision.said['reviewer']}")
    envelope = json.loads(content)["dsseEnvelope"]
    payload = _decode(envelope["payload"])
    try:
        signature = _decode(envelope["signatures"][0]["sig"])
        key.verify(signature, _encode_to_sign(envelope["payloadType"], payload), ECDSA(SHA256()))
    except InvalidSignature:
        raise ValueError("the signature does not fit") from None
    return {one["name"]: one["digest"] for one in json.loads(payload)["predicate"]["resources"]}


def check_stamps(pack: Pack) -> None:
    """Compare each RFC 3161 time stamp with the line that it is of; its authority is asked by other tools."""
    hashes = {f"anchors/{entry['sequence']}": entry["hash"].encode() for entry in pack.entries}
    for name in [name for name in pack.files if name.startswith("anchors/")]:
        stem, _, ending = name.rpartition(".")
        head = hashes.get(stem, b"")
        if ending == "head":
            right = pack.files[name] == head
        else:
            right = bool(head) and hashlib.sha256(head).digest() in pack.files[name]
        if not right:
            pack.found.fails.append(f"{name} is not of that line of the record")
        elif ending == "tsr":
            pack.found.unchecked.append(
                f"{name} stamps line {stem[8:]}: who made it is for `openssl ts -verify` to say"
            )
        pack.covered.add(name)


def check_keys(pack: Pack) -> None:
    """Say whose the keys are, and whether anything outside the pack says so."""
    known = [f"{one['name']} {fingerprint(one['key'])}" for one in pack.reviewers]
    pack.covered |= {name for name in pack.files if name.startswith("keys/")}
    if pack.trusted:
        pack.found.holds.append(f"keys are those of {pack.source}: {', '.join(known) or 'nobody'}")
    else:
        pack.found.unchecked.append(
            f"whose the keys are: they come from the pack itself ({', '.join(known) or 'nobody'}). Compare them with a "
            "source outside of it: --reviewers FILE, the organisation's conf/base/reviewers.yml"
        )


def list_uncovered(pack: Pack) -> None:
    """Name what no signature stands for."""
    rest = sorted({*pack.files} - pack.covered - {SUMS, "README.txt", "verify.py"})
    if rest:
        folders = sorted({name.rpartition("/")[0] or name for name in rest})
        pack.found.unchecked.append(
            f"{len(rest)} files that nothing signed names, only {SUMS}: in {', '.join(folders)}"
        )
    pack.found.unchecked.append("this program itself: take verify.py from where the project is published, if in doubt")


# RecursionError: JSON that is nested without end.
_UNREADABLE = (LookupError, TypeError, ValueError, AttributeError, RecursionError, UnsupportedAlgorithm)
_CHECKS: Final[dict[str, Callable[[Pack], None]]] = {
    SUMS: check_sums,
    "the record": check_record,
    "the manifest": check_manifest,
    "the pack's copies": check_copies,
    "the training": check_training,
    "the decisions": check_decisions,
    "the months": check_monitoring,
    "the signatures of model and card": check_signed_folders,
    "the time stamps": check_stamps,
    "the keys": check_keys,
    "the rest": list_uncovered,
}


def check(pack: Pack) -> Findings:
    """Make every check; what cannot be read is something that does not hold."""
    for what, one in _CHECKS.items():
        try:
            one(pack)
        except _UNREADABLE as error:
            why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            pack.found.fails.append(f"{what} cannot be relied on: {why}")
    return pack.found


def describe(pack: Pack) -> Iterator[str]:
    """Say in lines what was found, with nothing in them that a terminal would obey."""
    named = {name: pack.manifest.get(name, "?") for name in ("use_case", "version", "trained_by", "trained_at")}
    yield "{use_case}, version {version}, trained by {trained_by} at {trained_at}".format_map(named)
    for title, lines in {
        "HOLDS": pack.found.holds,
        "COULD NOT BE CHECKED": pack.found.unchecked,
        "DOES NOT HOLD": pack.found.fails,
    }.items():
        yield from ["", title, *(f"  - {line}" for line in lines or ["nothing"])]


def _show(text: str) -> str:
    return "".join(one if one.isprintable() else f"\\u{{{ord(one):x}}}" for one in text)


def main(arguments: list[str] | None = None) -> int:
    """Check a pack as the command line says, print what was found, and return the exit code."""
    parser = argparse.ArgumentParser(description="Check the pack of a model version.")
    parser.add_argument("pack", nargs="?", type=Path, default=Path(__file__).parent, help="zip or folder")
    parser.add_argument("--reviewers", type=Path, help="whose keys count, from a source outside the pack")
    parser.add_argument("--head", action="append", default=[], help="hash of an entry, as it was noted elsewhere")
    parser.add_argument("--anchors", type=Path, help="file in which `kedro rai anchor` noted such hashes")
    parser.add_argument("--at", type=date.fromisoformat, help="the day on which approvals must be in force; today")
    given = parser.parse_args(arguments)
    now = datetime.now(UTC) if given.at is None else datetime.combine(given.at, datetime.min.time(), UTC)
    try:
        files = read_files(given.pack)
        inside = json.loads(files.get(REVIEWERS, b"{}")).get("reviewers", [])
        reviewers = inside if given.reviewers is None else read_reviewers(given.reviewers)
        heads = [*given.head, *_read_anchors(given.anchors, files)]
    except (OSError, *_UNREADABLE, zipfile.BadZipFile) as error:
        sys.stdout.write(_show(f"Nothing could be checked: {error}") + "\n")
        return 1
    source = REVIEWERS if given.reviewers is None else str(given.reviewers)
    pack = Pack(files, reviewers, source, given.reviewers is not None, now, tuple(heads))
    check(pack)
    sys.stdout.write("".join(f"{_show(line)}\n" for line in describe(pack)))
    return 1 if pack.found.fails else 0


if __name__ == "__main__":
    sys.exit(main())
