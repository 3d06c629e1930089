"""Statements in signed envelopes, and whose signature counts.

Nothing here is of our own making: an envelope is DSSE
(https://github.com/secure-systems-lab/dsse/blob/v1.0.2/protocol.md), what it carries is an in-toto Statement v1
(https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md) in the bytes of RFC 8785. Whose signature
counts, in which role and how long, is written in ``conf/base/reviewers.yml``, which people review like code.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, NoReturn, Self

import rfc8785
import yaml
from cryptography.exceptions import InvalidSignature
from pydantic import AfterValidator, Field, StringConstraints, ValidationError, field_validator, model_validator

from rai_kedro.release.keys import (
    NEW_KEY,
    SigningError,
    SigningKey,
    keyid_of,
    load_key,
    read_model_public,
    read_public,
    write_public,
)
from rai_kedro.release.record import GENESIS
from rai_kedro.typed import Typed
from rai_kedro.words import find_hidden, has_letters
from rai_kedro.yaml_files import find_line, has_aliases, read_yaml

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
KEY_VARIABLE: Final = "RAI_KEDRO_KEY"
_NEVER_DEMO = "prod"


class Signature(Typed):
    """One signature of an envelope."""

    keyid: str  # "SHA256:…", as `ssh-keygen -l` prints it
    sig: str  # base64


class Envelope(Typed):
    """A DSSE envelope; its keys are named as the protocol names them."""

    payloadType: str
    payload: str  # base64
    signatures: tuple[Signature, ...]

    @property
    def statement(self) -> dict[str, Any]:
        """The in-toto statement inside; SigningError where there is none.

        It must be in the bytes of RFC 8785, so that no two readers see different things in one payload.
        """
        if self.payloadType != PAYLOAD_TYPE:
            _refuse("The envelope does not hold an in-toto statement.", example=f"payloadType {self.payloadType}")
        content = _decode(self.payload, "payload")
        try:
            statement = json.loads(content)
            canonical = isinstance(statement, dict) and rfc8785.dumps(statement) == content
        except (ValueError, RecursionError):  # rfc8785's own error is a ValueError
            canonical = False
        if not canonical:
            _refuse("The payload of the envelope is not a JSON object in the form of RFC 8785.")
        if statement.get("_type") != STATEMENT_TYPE:
            _refuse("The payload is not an in-toto Statement v1.", example=f"_type {statement.get('_type')!r}")
        return dict(statement)


def sign(statement: Mapping[str, Any], key: SigningKey) -> Envelope:
    """Sign an in-toto statement.

    Raises:
        SigningError: It is no in-toto Statement v1, or JSON cannot hold it.
    """
    try:
        payload = rfc8785.dumps(dict(statement))
    except ValueError as error:
        _refuse("The statement cannot be signed: JSON cannot hold it.", example=str(error))
    signature = Signature(keyid=key.keyid, sig=_encode(key.sign(encode_to_sign(PAYLOAD_TYPE, payload))))
    envelope = Envelope(payloadType=PAYLOAD_TYPE, payload=_encode(payload), signatures=(signature,))
    _ = envelope.statement  # nothing is signed that cannot be read
    return envelope


def encode_to_sign(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that a signature covers: the pre-authentication encoding of DSSE v1."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _require_shown(text: str) -> str:
    if hidden := find_hidden(text):
        raise ValueError(f"it holds {hidden}, a character that is not shown")
    if not has_letters(text):
        raise ValueError("it has no letters")
    return text


_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1), AfterValidator(_require_shown)]


def _require_time(text: str) -> str:
    if text and datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time needs its zone")
    return text


Time = Annotated[str, AfterValidator(_require_time)]  # ISO 8601, in UTC


class SignedStatement(Typed):
    """What a person signs about the manifest of a version; it names its own place in the record."""

    predicate_type: ClassVar[str]
    use_case: str
    version: str
    manifest: str  # SHA-256 of the version's manifest; 64 zeros where a version without one is rejected
    run_id: str  # version numbers start again in a new database, run ids do not
    role: str
    demo: bool = False  # a key made on the spot signs, not a person
    public_key: str = ""  # of a demonstration; a person's is in conf/base/reviewers.yml
    sequence: int = 0  # its place in the record, and the hash before it
    previous: str = GENESIS

    @property
    def subject(self) -> tuple[str, str]:
        """Which version this is about."""
        return self.version, self.run_id

    @property
    def signer(self) -> str:
        """Name of the person who signs."""
        raise NotImplementedError

    @property
    def signed_at(self) -> str:
        """When, in ISO 8601."""
        raise NotImplementedError

    def to_statement(self) -> dict[str, Any]:
        """Return it as an in-toto statement."""
        predicate = self.to_dict()
        name = f"{predicate.pop('use_case')}/{predicate.pop('version')}"
        subject = [{"name": name, "digest": {"sha256": predicate.pop("manifest")}}]
        kind = self.predicate_type
        return {"_type": STATEMENT_TYPE, "subject": subject, "predicateType": kind, "predicate": predicate}

    @classmethod
    def of_envelope(cls, envelope: Envelope) -> Self:
        """Read one that was signed; whether the signature holds is another question (`decisions.Trust`)."""
        statement = envelope.statement
        if statement.get("predicateType") != cls.predicate_type:
            raise ValueError(f"the envelope holds no {cls.predicate_type}")
        (subject,) = statement["subject"]
        use_case, _, version = str(subject["name"]).rpartition("/")
        named = {"use_case": use_case, "version": version, "manifest": subject["digest"]["sha256"]}
        return cls.from_dict({**statement["predicate"], **named})


class Reviewer(Typed):
    """A person, or a person's next key: who may sign, as what, from when to when (both days included).

    Attributes:
        name: The person's name.
        roles: What the person may sign as; a policy asks for roles.
        key: Public key in OpenSSH's form (Ed25519) that signs decisions.
        model_key: Public key in OpenSSH's form (ECDSA) that signs the files of a released model.
        valid_from: First day on which a signature counts.
        valid_until: Last day on which a signature counts.
        accounts: User names under which the person trains; nobody approves a model of their own.
    """

    name: _Text
    roles: Annotated[tuple[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$")], ...], Field(min_length=1)]
    key: str
    model_key: str | None = None
    valid_from: date
    valid_until: date
    accounts: tuple[Annotated[str, StringConstraints(min_length=1)], ...] = ()

    @field_validator("key")
    @classmethod
    def _check_key(cls, key: str) -> str:
        return write_public(read_public(key))

    @field_validator("model_key")
    @classmethod
    def _check_model_key(cls, key: str | None) -> str | None:
        return None if key is None else write_public(read_model_public(key))

    @model_validator(mode="after")
    def _check_dates(self) -> Self:
        if self.valid_until <= self.valid_from:
            raise ValueError(f"valid_until ({self.valid_until}) is not after valid_from ({self.valid_from})")
        return self

    @property
    def keyid(self) -> str:
        """The fingerprint of the key."""
        return keyid_of(self.key)

    def is_valid_on(self, day: date) -> bool:
        """Say whether a signature of that day counts."""
        return self.valid_from <= day <= self.valid_until


class Reviewers(Typed):
    """Everyone whose signature counts, now or at some time.

    Attributes:
        reviewers: The people, and their former keys.
        demo_in: Environments in which a demonstration key may stand for a person; ``prod`` is refused.
    """

    reviewers: tuple[Reviewer, ...] = ()
    demo_in: tuple[str, ...] = ()

    @field_validator("reviewers", mode="before")
    @classmethod
    def _take_none(cls, reviewers: Any) -> Any:
        return () if reviewers is None else reviewers  # `reviewers:` with nothing below it

    @field_validator("demo_in")
    @classmethod
    def _check_demo(cls, environments: tuple[str, ...]) -> tuple[str, ...]:
        if _NEVER_DEMO in environments:
            raise ValueError(f"a demonstration key may not stand for a person in '{_NEVER_DEMO}'")
        return environments

    @model_validator(mode="after")
    def _check_distinct(self) -> Self:
        for at, one in enumerate(self.reviewers):
            for other in self.reviewers[:at]:
                if one.key == other.key or (one.model_key and one.model_key == other.model_key):
                    raise ValueError(f"the key of {one.name} is that of {other.name}")
                overlap = one.valid_from <= other.valid_until and other.valid_from <= one.valid_until
                if overlap and one.name.casefold() == other.name.casefold():
                    raise ValueError(f"{one.name} has two keys at the same time; one person counts once")
        return self

    def find(self, keyid: str, role: str | None = None) -> Reviewer | None:
        """Return whose key this is; None if nobody's, or nobody's in that role."""
        known = (one for one in self.reviewers if role is None or role in one.roles)
        return next((one for one in known if one.keyid == keyid), None)


def read_reviewers(path: Path) -> Reviewers:
    """Read who may sign; nobody where there is no file.

    Raises:
        SigningError: The file is wrong. The error names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = read_yaml(text)
        if has_aliases(text):
            remedy = "write every entry out, so that whoever reviews it sees all of it"
            raise SigningError("The list of reviewers may not use aliases (*name).", where=str(path), remedy=remedy)
        return Reviewers.model_validate(content or {})
    except FileNotFoundError:
        return Reviewers()
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        raise SigningError(
            f"The file {path.name} is not valid YAML.",
            where=f"{path}, line {mark.line + 1}" if mark else str(path),
            example=getattr(error, "problem", None) or str(error),
            remedy="mend that line (indentation, quotes, a key given twice) and run again",
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        raise SigningError(
            f"The list of reviewers is not valid: {first['msg'].removeprefix('Value error, ')}.",
            where=f"{path}, line {find_line(text, first['loc'])}",
            how_many=f"{error.error_count()} findings, this is the first" if error.error_count() > 1 else None,
            example=".".join(map(str, first["loc"])) or None,
            remedy="mend that entry; `kedro rai keys new` prints a whole one",
        ) from None


def check_signature(envelope: Envelope, reviewers: Reviewers, at: datetime) -> Reviewer:
    """Return who signed an envelope.

    Args:
        envelope: The envelope with exactly one signature.
        reviewers: Whose signatures count.
        at: When it was signed or is relied on, with a time zone; the key must be valid on that day (UTC).

    Raises:
        SigningError: There is nothing to read in it, not one signature, an unknown key, a wrong signature, or a key
            that was not valid then; the error says which.
    """
    _ = envelope.statement
    signature = _only_signature(envelope)
    reviewer = reviewers.find(signature.keyid)
    if reviewer is None:
        remedy = "a signature counts only if its key is in conf/base/reviewers.yml; `kedro rai keys list` shows them"
        raise SigningError("The key of the signature is nobody's.", where=f"key {signature.keyid}", remedy=remedy)
    _verify(envelope, signature, reviewer.key)
    if at.tzinfo is None:
        _refuse("The time of the signature has no time zone.", example=at.isoformat())
    day = at.astimezone(UTC).date()
    if not reviewer.is_valid_on(day):
        raise SigningError(
            f"The key of {reviewer.name} was not valid on {day}.",
            where=f"key {signature.keyid}",
            example=f"valid from {reviewer.valid_from} until {reviewer.valid_until}",
            remedy=f"sign with a key that is valid, or {NEW_KEY}",
        )
    return reviewer


def check_demo_signature(envelope: Envelope, public_key: str) -> None:
    """Refuse an envelope that this key did not sign.

    Raises:
        SigningError: There is nothing to read in it, not one signature, another key or none, or a wrong signature.
    """
    _ = envelope.statement
    signature = _only_signature(envelope)
    try:
        keyid = keyid_of(public_key)
    except ValueError as error:
        _refuse("The key of the demonstration cannot be read.", example=str(error))
    if signature.keyid != keyid:
        _refuse("The envelope is signed with another key.", where=f"key {signature.keyid}")
    _verify(envelope, signature, public_key)


def find_signing_key(
    folder: Path, chosen: Path | None, reviewers: Reviewers, role: str, ask: Callable[[Path], str] | None = None
) -> SigningKey:
    """Find the key to sign with: the chosen file, else that of RAI_KEDRO_KEY, else one in the folder for that role.

    Args:
        folder: Where keys lie, ``conf/local/keys``.
        chosen: The file that the user named, if any.
        reviewers: Whose keys count; of those in the folder exactly one may be theirs in the role.
        role: As what to sign.
        ask: Asks the user for the passphrase of a file, where RAI_KEDRO_PASSPHRASE does not say it.

    Raises:
        SigningError: There is no such key, or more than one; the error says what to do.
    """
    if path := chosen or os.environ.get(KEY_VARIABLE):
        return load_key(Path(path), ask)
    known = dict(list_keys(folder.glob("*.key"), ask))
    usable = {path: keyid for path, keyid in known.items() if reviewers.find(keyid, role)}
    if len(usable) == 1:
        return load_key(next(iter(usable)), ask)
    several = f"name one with --key or {KEY_VARIABLE}"
    what, remedy = {
        bool(usable): (f"More than one key with which to sign as {role} is there.", several),
        not known: ("There is no key to sign with.", f"{NEW_KEY}; for a key elsewhere, {several}"),
    }.get(True, (f"None of the keys that are there may sign as {role}.", list_it(role)))
    found = "; ".join(f"{path.name} {keyid}" for path, keyid in (usable or known).items())
    raise SigningError(what, where=str(folder), example=found or None, remedy=remedy)


def list_it(role: str) -> str:
    """Say what to do about a key that nobody listed for a role."""
    return (
        f"add its public key (the .pub file beside it) below 'reviewers:' in conf/base/reviewers.yml, with '{role}' "
        "among the roles, in a change that somebody else reviews; `kedro rai keys list` shows who may sign as what"
    )


def list_keys(paths: Iterable[Path], ask: Callable[[Path], str] | None = None) -> Iterator[tuple[Path, str]]:
    """Yield each private key with its fingerprint, read from the public part where that is there."""
    for path in sorted(paths):
        public = path.with_name(f"{path.name}.pub")
        try:
            yield path, keyid_of(public.read_text(encoding="utf-8")) if public.is_file() else load_key(path, ask).keyid
        except ValueError as error:
            what, remedy = "A public key could not be read.", f"make it anew: `ssh-keygen -y -f {path} > {public}`"
            raise SigningError(what, where=str(public), example=str(error), remedy=remedy) from None


def _only_signature(envelope: Envelope) -> Signature:
    if len(envelope.signatures) != 1:
        _refuse("The envelope must have exactly one signature.", how_many=f"it has {len(envelope.signatures)}")
    return envelope.signatures[0]


def _verify(envelope: Envelope, signature: Signature, public_key: str) -> None:
    covered = encode_to_sign(envelope.payloadType, _decode(envelope.payload, "payload"))
    try:
        read_public(public_key).verify(_decode(signature.sig, "sig"), covered)
    except InvalidSignature:
        what = "The signature does not fit: what was signed was changed, or another key signed it."
        _refuse(what, where=f"key {signature.keyid}")


def _refuse(what: str, **more: str) -> NoReturn:
    raise SigningError(what, remedy="do not rely on it; ask the person named in it to sign again", **more) from None


def _encode(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _decode(text: str, part: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        _refuse(f"The '{part}' of the envelope is not base64.")
