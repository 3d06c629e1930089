"""Who trained a version: the account that the manifest names and, where a trainer's key was set, who signed it.

The signature stands in the record's entry on the training. From then on no one who lacks the trainer's key can put
another model, manifest and entry in their place before the version is reviewed. Whether it is asked for is decided by
the day of the approval, which its reviewer signs, and not by that of the training, which nobody else may vouch for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import ValidationError

from rai_kedro.policy import ApprovalRules
from rai_kedro.release import signing
from rai_kedro.release.decisions import Trust, sign_review
from rai_kedro.release.keys import SigningError, SigningKey
from rai_kedro.release.manifest import TRAINED, Manifest, find_trained
from rai_kedro.release.record import Entry, append_evidence
from rai_kedro.words import list_some, make_visible

ROLE: Final = "trainer"
DEMO_KEY_FILE: Final = "demo-trainer.key"
"""Where `kedro rai demo` makes the key that signs trainings in nobody's name."""
_SHOWN: Final = 6
_DEMO_TRAINER: Final = "demo trainer (no person)"


class Training(signing.SignedStatement):
    """That somebody trained a version, as the trainer signs it."""

    predicate_type = "https://rai-kedro.example/training/v1"
    role: Literal["trainer"] = ROLE
    trainer: str
    trained_at: signing.Time  # when it is entered in the record

    @property
    def signer(self) -> str:
        """Name of the person who trained."""
        return self.trainer

    @property
    def signed_at(self) -> str:
        """When the training was entered."""
        return self.trained_at


class TrainerKey(NamedTuple):
    """The key that signs a training, and in whose name."""

    key: SigningKey
    name: str
    demo: bool = False


@dataclass(frozen=True)
class Trainer:
    """Who trained a version, and how that is known.

    Attributes:
        account: The account or login that the manifest names, by its own word.
        signer: Whose signature holds; empty where none does.
        demo: Whether a demonstration's key signed it, which names nobody.
        fault: Why a signature that is there does not count; empty where it does, or none is there.
    """

    account: str
    signer: str = ""
    demo: bool = False
    fault: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Every name and account under which the trainer is known."""
        return tuple(filter(None, (self.signer, self.account)))

    def __str__(self) -> str:
        """Say who it was in half a sentence."""
        return describe_trainer(self.account, self.signer, demo=self.demo)


def describe_trainer(account: str, signer: str, *, demo: bool = False) -> str:
    """Say who trained a version, and whose word that is."""
    if signer:
        return make_visible(f"{signer}, who signed it (account {account})")
    how = "signed by a demonstration, which names nobody" if demo else "not signed: nobody but that account says so"
    return make_visible(f"account {account}, {how}")


def find_trainer_key(folder: Path, trust: Trust) -> TrainerKey | None:
    """Find the key with which a training is signed; None where it is signed by nobody.

    The file that RAI_KEDRO_KEY names, or the one in the folder whose owner is a trainer; else that of the
    demonstration, where demonstrations count.

    Raises:
        SigningError: A trainer's key cannot be opened, is not valid today, or is one of several.
    """
    people, today = trust.reviewers, datetime.now(UTC).date()
    if _names_a_trainer(folder, people):
        key = signing.find_signing_key(folder, None, people, ROLE)
        owner = people.find(key.keyid, ROLE)
        if owner is None or not owner.is_valid_on(today):
            until = f"{owner.valid_from} to {owner.valid_until}" if owner else "not at all"
            raise SigningError(
                "The key that is set cannot sign a training today.",
                where=f"key {key.keyid}, {signing.KEY_VARIABLE} or {folder}",
                example=f"valid as {ROLE}: {until}",
                remedy=f"{signing.list_it(ROLE)}; or take the key away, and the training is signed by nobody",
            )
        return TrainerKey(key, owner.name)
    demo = folder / DEMO_KEY_FILE
    if demo.is_file() and trust.environment in people.demo_in:
        return TrainerKey(SigningKey.load(demo), _DEMO_TRAINER, demo=True)
    return None


def _names_a_trainer(folder: Path, people: signing.Reviewers) -> bool:
    """Say whether a key that is set is, or once was, a trainer's: who has a reviewer's only signs no training."""
    chosen = os.environ.get(signing.KEY_VARIABLE)
    paths = [Path(chosen)] if chosen else folder.glob("*.key")
    return any(people.find(keyid, ROLE) for _, keyid in signing.list_keys(paths))


def record_training(record: Path, manifest: Manifest, key: TrainerKey | None) -> Entry:
    """Enter a training in the record, signed where there is a key."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    facts = manifest.to_entry()

    def body(sequence: int, previous: str) -> dict[str, Any]:
        if key is None:
            return facts
        said = Training(
            use_case=manifest.use_case,
            version=manifest.version,
            manifest=manifest.digest,
            run_id=manifest.run_id,
            trainer=key.name,
            trained_at=now,
            demo=key.demo,
            public_key=key.key.public if key.demo else "",
            sequence=sequence,
            previous=previous,
        )
        return {**facts, **sign_review(said, key.key)}

    return append_evidence(record, TRAINED, body, now)


def find_trainer(manifest: Manifest, entries: Iterable[Entry], trust: Trust) -> Trainer:
    """Say who trained a version, and whether the signature under it, if there is one, is of this manifest."""
    entry = find_trained(entries, (manifest.version, manifest.run_id))
    found = Trainer(manifest.trained_by) if entry is None else read_trainer(entry, trust)
    is_other = entry is not None and entry.body.get("manifest") != manifest.digest
    return replace(found, account=manifest.trained_by, fault="it is of another manifest" if is_other else found.fault)


def read_trainer(entry: Entry, trust: Trust) -> Trainer:
    """Say who trained by the record's entry on it alone."""
    body, account = entry.body, str(entry.body.get("trained_by", ""))
    if "envelope" not in body:
        return Trainer(account)
    try:
        said = Training.of_envelope(signing.Envelope.from_dict(body["envelope"]))
    except (ValidationError, SigningError, ValueError, KeyError, TypeError):
        return Trainer(account, fault="it cannot be read")
    if (*said.subject, said.manifest) != (body.get("version"), body.get("run_id"), body.get("manifest")):
        return Trainer(account, fault=f"{said.trainer} signed another manifest, {said.manifest[:12]}…")
    if said.demo and trust.environment not in trust.reviewers.demo_in:
        return Trainer(account)  # where demonstrations do not count, it is a training that nobody signed
    if fault := trust.find_fault(said, entry):
        return Trainer(account, fault=fault)
    return Trainer(account, "" if said.demo else said.trainer, demo=said.demo)


def check_trainings(entries: Iterable[Entry], trust: Trust) -> tuple[list[str], list[str]]:
    """Return what of the signatures under trainings does not hold, and which trainings no person signed."""
    wrong, without = [], []
    for entry in (one for one in entries if one.kind == TRAINED):
        trainer, version = read_trainer(entry, trust), str(entry.body.get("version"))
        if trainer.fault:
            wrong.append(f"line {entry.sequence}, training of version {version}: {trainer.fault}")
        elif not trainer.signer:
            without.append(f"{version} (demonstration)" if trainer.demo else version)
    note = (
        f"no person signed the training of version{'s' * (len(without) > 1)} {list_some(without, _SHOWN)}: "
        "who trained, and that nothing was exchanged before the first decision, rests on the record alone"
    )
    return wrong, [note] if without else []


def find_unsigned(trainer: Trainer, rules: ApprovalRules, people: signing.Reviewers, on: date) -> str | None:
    """Say why a version may not be approved on a day for want of its trainer's signature; None if it may.

    A signature that is there and does not hold is never passed over. None at all is, unless the policy asks for one or
    somebody is listed as trainer with a key that is valid on that day.
    """
    if trainer.fault:
        return f"the trainer's signature does not count: {trainer.fault}"
    listed = [one.name for one in people.reviewers if ROLE in one.roles and one.is_valid_on(on)]
    if trainer.signer or not (rules.signed_training or listed):
        return None
    why = f"{listed[0]} is listed as {ROLE}" if listed else "the policy asks for it (approval.signed_training)"
    return f"no trainer signed the training, though {why}"
