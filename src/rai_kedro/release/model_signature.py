"""Released files signed as a whole with the ``model-signing`` package: anybody can check them, without this project.

On the command line that is ``model_signing verify key <folder> --signature <file> --public_key <pem>``; the PEM is a
reviewer's ``model_key`` by ``write_public_pem``. Every file of the folder is covered, also the names that model-signing
passes over if it is not told otherwise (``.git``, ``.gitignore`` …); a symbolic link is refused.
"""

from __future__ import annotations

import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from rai_kedro.files import write_text
from rai_kedro.release.keys import SigningError, SigningKey, write_public_pem

if TYPE_CHECKING:
    from model_signing.hashing import Config as Hashing

_NOT_RELEASED = "do not use these files; fetch them anew from where they were released"


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


def verify_folder(folder: Path, signature: Path, public_key: str) -> None:
    """Refuse a folder of which any file was changed, added or taken away since it was signed with this key.

    Args:
        folder: The released files.
        signature: The file of the signature.
        public_key: The ``model_key`` of the reviewer who signed.

    Raises:
        SigningError: A file differs, the signature is another key's, or it or the key cannot be read; the error says
            which.
    """
    from cryptography.exceptions import InvalidSignature
    from model_signing.verifying import Config

    try:
        pem = write_public_pem(public_key)
    except ValueError as error:
        _refuse("The public key cannot be read.", signature, str(error))
    with tempfile.TemporaryDirectory() as place:
        public = Path(place, "key.pem")
        public.write_text(pem, encoding="utf-8")
        config = Config().use_elliptic_key_verifier(public_key=public).set_hashing_config(_hash_everything())
        try:
            config.verify(folder, signature)
        except InvalidSignature:
            _refuse("The signature of the released files does not fit this key.", signature)
        except ValueError as error:
            said = str(error)
            differs = said.startswith("Signature mismatch")
            what = "are not what was signed" if differs else "have a signature of another key or none that can be read"
            _refuse(f"The released files {what}.", folder if differs else signature, said)
        except Exception as error:  # what a broken signature file makes the package raise is its own affair
            _refuse("The signature of the released files cannot be read.", signature, repr(error))


def _hash_everything() -> Hashing:
    from model_signing.hashing import Config

    return (
        Config().use_file_serialization(hashing_algorithm="sha256").set_ignored_paths(paths=(), ignore_git_paths=False)
    )


def _refuse(what: str, where: Path, example: str | None = None) -> NoReturn:
    raise SigningError(what, where=str(where), example=example, remedy=_NOT_RELEASED) from None
