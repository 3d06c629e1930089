"""The pack of a version: everything of it in one zip, for somebody who has neither this project nor its MLflow.

Files of the manifest stand under their paths in it, so that ``manifest.json`` can be held against them as it is. What
checks the pack (`verifier`) travels with it as ``verify.py``. The same version gives the same bytes.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import rfc8785
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rai_kedro.errors import RaiError
from rai_kedro.files import make_folder, move_into_place
from rai_kedro.release import verifier
from rai_kedro.release.anchors import TOKEN_SUFFIX
from rai_kedro.release.decisions import Review, Trust, read_decision
from rai_kedro.release.keys import read_public, write_public_pem
from rai_kedro.release.manifest import MANIFEST_FILE, MODEL_FOLDER, ReleaseFiles
from rai_kedro.release.record import Entry, to_line
from rai_kedro.release.signing import Envelope, Reviewers, encode_to_sign
from rai_kedro.release.versions import Version

_YEAR_ONE: Final = (1980, 1, 1, 0, 0, 0)  # the first time that a zip can hold
_PLAIN_FILE: Final = 0o100644 << 16
_README: Final = "README.txt"

_WORDS: Final = """\
{use_case}, version {version}: everything that was trained, measured, written and decided of it
{rule}
The manifest of this version has the SHA-256 {digest}.

What is in it
  verify.py            checks all of this; Python 3.11 and the package `cryptography`, nothing else
  SHA256SUMS           digest of every file
  manifest.json        what the version consists of and was made from; its own digest is what people sign
  record.jsonl         the evidence record of {use_case}: trainings and decisions, each line chained to the last
  decisions/           each signed decision by its line: envelope (.json, DSSE), the bytes that are signed (.signed),
                       the signature (.sig), the signer's key (.pub, .pem), and that for released files (.model.pem)
  anchors/             RFC 3161 time stamps of the record (.tsr) with the hash that each stamps, if there are any
  keys/                whose signature counts: reviewers.yml as the project has it, and the same as JSON
  model/               the model as MLflow stores it (skops)
  model_card/          the model card: HTML, Markdown, JSON
  contract.json        columns, flags and justifications that it was trained under
  policy.json          what it was judged by, as it stands in the manifest
  parameters.json      what it was trained with, if it is there
  reference/           the rows and figures that later months are held against
  reports/, figures/, governance/, monitoring/
                       assessment, gates, performance, comparison of mitigations, profile of the data, and monitoring
                       as far as it had come
  signatures/          of the released model and card, by model-signing; by the line of the decision
  exchange/            CycloneDX bill of materials (bom.cdx.json) and ODCS data contract (contract.odcs.yaml)
  graph/               {graph}

How to check it
  1. That nothing was damaged on the way:        sha256sum -c SHA256SUMS
  2. Everything else:                            pip install cryptography
                                                 python verify.py
     Whose keys count must come from elsewhere: take conf/base/reviewers.yml from the organisation itself, and
                                                 python verify.py --reviewers reviewers.yml
     (YAML needs PyYAML; the same as JSON needs nothing.) If somebody noted the newest hash of the record elsewhere:
                                                 python verify.py --head HASH       (or --anchors FILE)
     It prints what holds, what does not, and what could not be checked; the exit code is 0 if nothing fails.

Without any program of ours
  The fingerprint of a key, to be compared over another channel:
     ssh-keygen -l -f decisions/NNNN-approve.pub
  The signature of a decision (the answer is "Signature Verified Successfully"):
     openssl pkeyutl -verify -pubin -inkey decisions/NNNN-approve.pem -rawin \\
       -in decisions/NNNN-approve.signed -sigfile decisions/NNNN-approve.sig
  What was signed: the SHA-256 of manifest.json, which must stand in NNNN-approve.signed:
     sha256sum manifest.json
  The signatures of model and card, if they are there (pip install model-signing):
     model_signing verify key model --signature signatures/NNNN-model.sig \\
       --public_key decisions/NNNN-approve.model.pem --no-ignore-git-paths
     model_signing verify key model_card --signature signatures/NNNN-card.sig \\
       --public_key decisions/NNNN-approve.model.pem --no-ignore-git-paths

  A time stamp of the record, with the certificates of its authority:
     openssl ts -verify -in anchors/N.tsr -data anchors/N.head -CAfile root.pem [-untrusted authority.pem]

What it does not prove
  Who makes a whole pack anew, with keys of their own, gets one that agrees with itself. Only keys and a hash that were
  had from elsewhere tell the two apart. Times are those that the machines had. What nothing signed names is listed by
  verify.py.
"""


class PackError(RaiError):
    """A pack cannot be written."""


def require_new(output: Path) -> None:
    """Refuse a path where something is: a pack overwrites nothing."""
    if output.exists():
        raise PackError(
            "There is a file already, and a pack overwrites nothing.",
            where=str(output),
            remedy="choose another name with --output, or move that file away",
        )


def collect_pack(
    version: Version, found: ReleaseFiles, entries: Iterable[Entry], trust: Trust, listed: bytes
) -> dict[str, bytes]:
    """Return a version's files by their path in a pack, without those that only other rooms can make.

    Args:
        version: The version.
        found: Its files as its manifest has them.
        entries: The evidence record of its use case.
        trust: Whose approvals count.
        listed: The list of reviewers as it stands in ``conf/base``.
    """
    entries = tuple(entries)
    model = {f"{MODEL_FOLDER}{path.relative_to(found.model).as_posix()}": path for path in found.model.rglob("*")}
    return {
        **_read_run(version),
        **found.files,
        **{name: path.read_bytes() for name, path in model.items() if name in found.manifest.files},
        MANIFEST_FILE: found.manifest.to_bytes(),
        verifier.RECORD: b"".join(map(to_line, entries)),
        "policy.json": _dump(found.manifest.policy),
        "keys/reviewers.yml": listed,
        verifier.REVIEWERS: _dump(trust.reviewers.to_dict()),
        **{name: content for entry in entries for name, content in _split_decision(entry, trust.reviewers)},
    }


def collect_stamps(record: Path, entries: Sequence[Entry]) -> dict[str, bytes]:
    """Return the RFC 3161 time stamps that lie beside a record, each with the hash that it stamps."""
    found = {}
    for entry in entries:
        token = record.with_name(f"{record.stem}.{entry.sequence}{TOKEN_SUFFIX}")
        if token.is_file():
            found[f"anchors/{entry.sequence}{TOKEN_SUFFIX}"] = token.read_bytes()
            found[f"anchors/{entry.sequence}.head"] = entry.hash.encode()
    return found


def complete_pack(files: Mapping[str, bytes], found: ReleaseFiles, graph: str) -> dict[str, bytes]:
    """Add to a pack what is in it (``graph``: what the graph is), what checks it, and the digest of every file."""
    manifest = found.manifest
    title = {"use_case": manifest.use_case, "version": manifest.version, "digest": manifest.digest, "graph": graph}
    whole = {
        **files,
        _README: _WORDS.format(**title, rule="=" * 70).encode(),
        "verify.py": Path(verifier.__file__).read_bytes(),
    }
    sums = "".join(f"{hashlib.sha256(whole[name]).hexdigest()}  {name}\n" for name in sorted(whole))
    return {**whole, verifier.SUMS: sums.encode()}


def read_pack(place: Path) -> dict[str, bytes]:
    """Read every file of a pack, a zip or a folder; ValueError, OSError or BadZipFile where that cannot be done."""
    return verifier.read_files(place)


def write_pack(output: Path, files: Mapping[str, bytes]) -> str:
    """Write a zip, whole or not at all, and return its SHA-256; the same files give the same bytes.

    Raises:
        PackError: There is a file of that name; nothing is overwritten.
    """
    require_new(output)
    make_folder(output.parent)
    temporary = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, _YEAR_ONE)
                entry.external_attr, entry.compress_type, entry.create_system = _PLAIN_FILE, zipfile.ZIP_DEFLATED, 3
                archive.writestr(entry, files[name])
        with temporary.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        move_into_place(temporary, output)
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def _read_run(version: Version) -> dict[str, bytes]:
    """Return all that the training's run holds but its model, which is taken as the manifest has it."""
    with tempfile.TemporaryDirectory(prefix="rai-pack-") as folder:
        place = Path(version.client.download_artifacts(version.run_id, "", folder))
        found = {path.relative_to(place).as_posix(): path for path in place.rglob("*") if path.is_file()}
        return {name: path.read_bytes() for name, path in found.items() if not name.startswith(MODEL_FOLDER)}


def _split_decision(entry: Entry, reviewers: Reviewers) -> Iterator[tuple[str, bytes]]:
    """Yield the parts of a signed decision as files for public tools."""
    decided = read_decision(entry)
    if decided is None:
        return
    stem, envelope = f"decisions/{entry.sequence:04d}-{entry.kind}", Envelope.from_dict(entry.body["envelope"])
    (signature,) = envelope.signatures
    yield f"{stem}.json", rfc8785.dumps(envelope.to_dict())
    yield f"{stem}.signed", encode_to_sign(envelope.payloadType, rfc8785.dumps(envelope.statement))
    yield f"{stem}.sig", base64.b64decode(signature.sig)
    key, model_key = _find_keys(decided[0], signature.keyid, reviewers)
    if key:
        yield f"{stem}.pub", f"{key}\n".encode()
        yield f"{stem}.pem", read_public(key).public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if model_key:
        yield f"{stem}.model.pem", write_public_pem(model_key).encode()


def _find_keys(review: Review, keyid: str, reviewers: Reviewers) -> tuple[str, str | None]:
    reviewer = reviewers.find(keyid)
    if reviewer is not None and not review.demo:
        return reviewer.key, reviewer.model_key
    return review.public_key, None


def _dump(value: Any) -> bytes:
    return f"{json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)}\n".encode()
