"""Released files signed as a whole with the ``model-signing`` package: anybody can check them, without this project.

On the command line that is ``model_signing verify key <folder> --signature <file> --public_key <pem>``; the PEM is a
reviewer's ``model_key`` by ``write_public_pem``. Every file of the folder is covered, also the names that model-signing
passes over unless told ``--no-ignore-git-paths`` (``.git``, ``.gitignore`` …); a symbolic link is refused.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from rai_kedro.files import write_text
from rai_kedro.release.decisions import Decided, Trust, list_approvals, list_decisions_on
from rai_kedro.release.keys import SigningError, SigningKey
from rai_kedro.release.manifest import MODEL_FOLDER, ReleaseFiles, checked_files
from rai_kedro.release.record import Entry
from rai_kedro.release.signing import Reviewer
from rai_kedro.release.versions import CARD_FOLDER, ReleaseError, Version

if TYPE_CHECKING:
    from model_signing.hashing import Config as Hashing

SIGNATURES: Final = "signatures"  # folder of the run


def sign_folder(folder: Path, key: SigningKey, out: Path) -> None:
    """Sign every file of a folder.

    Args:
        folder: The released files, model and card; no link among them.
        key: The keys of the person who releases them.
        out: The file of the signature, outside the folder, in Sigstore's bundle format.

    Raises:
        SigningError: The key has no part for released files, or the folder cannot be signed.
    """
    if out.resolve().is_relative_to(folder.resolve()):
        what, remedy = "The signature would lie among what it covers.", "put it beside the folder"
        raise SigningError(what, where=str(out), remedy=remedy)
    from model_signing.signing import Config

    with tempfile.TemporaryDirectory() as place:
        private, made, passphrase = Path(place, "key.pem"), Path(place, "signature"), secrets.token_hex()
        key.write_model_key(private, passphrase)
        # It asks for a text and takes only bytes.
        config = Config().use_elliptic_key_signer(private_key=private, password=cast("Any", passphrase.encode()))
        try:
            config.set_hashing_config(_hash_everything()).sign(folder, made)
        except (OSError, ValueError) as error:
            what, remedy = "The folder cannot be signed.", "it must hold files and folders only, no links"
            raise SigningError(what, where=str(folder), example=str(error), remedy=remedy) from None
        write_text(out, made.read_text(encoding="utf-8"))


def sign_release(version: Version, entries: Sequence[Entry], key: SigningKey, trust: Trust) -> str:
    """Sign model and card of a version for those who have neither this project nor its record, and say what came of it.

    That is done by whoever approved it, with their key for released files; signatures are logged to the run under the
    line of the decision. They are beside the manifest, not in it: the approval stands, with them or without.
    """
    from mlflow.exceptions import MlflowException

    owner = trust.reviewers.find(key.keyid)
    own = [one for one in list_approvals(list_decisions_on(entries, version), trust) if _is_by(one, owner, key)]
    if not own:
        return "Model and card are not signed themselves: nobody approved them with this key."
    review, entry = own[-1]
    stem = f"{SIGNATURES}/{entry.sequence:04d}"
    if review.demo or owner is None:
        why = "a demonstration stands for nobody"
    elif owner.model_key is None or owner.model_key != key.model_public:
        why = f"the key of {owner.name} has no part for released files, or reviewers.yml has another 'model_key'"
    else:
        try:
            there = {one.path for one in version.client.list_artifacts(version.run_id, SIGNATURES)}
            if there >= {f"{stem}-model.sig", f"{stem}-card.sig"}:
                return f"Model and card are signed already ({stem}-model.sig and {stem}-card.sig of the run)."
            with checked_files(version, entries, review.manifest) as found:
                _log_signatures(version, found, key, entry.sequence)
            return f"Model and card are signed, too ({stem}-model.sig and {stem}-card.sig of the run)."
        except (ReleaseError, SigningError, MlflowException, OSError) as error:
            why = str(error).splitlines()[0]
    return f"Model and card are not signed themselves: {why}. The approval covers them by the manifest."


def _is_by(decided: Decided, owner: Reviewer | None, key: SigningKey) -> bool:
    review = decided[0]
    return review.public_key == key.public if review.demo else owner is not None and owner.name == review.reviewer


def _log_signatures(version: Version, found: ReleaseFiles, key: SigningKey, sequence: int) -> None:
    prefix = f"{CARD_FOLDER}/"
    model = [name.removeprefix(MODEL_FOLDER) for name in found.manifest.files if name.startswith(MODEL_FOLDER)]
    released = {
        "model": {name: (found.model / name).read_bytes() for name in model},
        "card": {name.removeprefix(prefix): one for name, one in found.files.items() if name.startswith(prefix)},
    }
    with tempfile.TemporaryDirectory(prefix="rai-signing-") as place:
        for kind, files in released.items():
            for name, content in files.items():
                file = Path(place, kind, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
            signature = Path(place, f"{sequence:04d}-{kind}.sig")
            sign_folder(Path(place, kind), key, signature)
            version.client.log_artifact(version.run_id, str(signature), SIGNATURES)


def _hash_everything() -> Hashing:
    from model_signing.hashing import Config

    return (
        Config().use_file_serialization(hashing_algorithm="sha256").set_ignored_paths(paths=(), ignore_git_paths=False)
    )
