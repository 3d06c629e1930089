"""Keys of people, in OpenSSH's format, so that ``ssh-keygen`` reads them and existing keys will do.

What a person decides is signed with Ed25519. The released files are signed with a second key, on the curve P-256, which
lies beside the first (``<key>.model``): model-signing, with which anybody can check them, knows no Ed25519.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from rai_kedro.errors import RaiError
from rai_kedro.files import flush_folder

PASSPHRASE_VARIABLE: Final = "RAI_KEDRO_PASSPHRASE"  # noqa: S105 - a name, no secret
NEW_KEY: Final = 'make one with `kedro rai keys new --name "<your name>"`, and have its entry added to the reviewers'


class SigningError(RaiError):
    """A key or a signature cannot be used: unreadable, unknown, expired, wrong."""


class SigningKey:
    """The private keys of a person: one for decisions and, if there is one, that for released files."""

    def __init__(self, private: Ed25519PrivateKey, model: EllipticCurvePrivateKey | None = None) -> None:
        self._private, self._model = private, model

    @classmethod
    def generate(cls) -> Self:
        """Make new keys."""
        return cls(Ed25519PrivateKey.generate(), generate_private_key(SECP256R1()))

    @classmethod
    def load(cls, path: Path, passphrase: str | None = None) -> Self:
        """Read a key in OpenSSH's format, and that for released files if it lies beside (``<path>.model``).

        A passphrase given for a key that has none is not needed.

        Raises:
            SigningError: The file is missing, is no such key, may be read by others, or the passphrase is wrong.
        """
        private, beside = _load(path, passphrase), _beside(path)
        if not isinstance(private, Ed25519PrivateKey):
            remedy = f"{NEW_KEY}, or use one made by `ssh-keygen -t ed25519`"
            raise SigningError("The key is not an Ed25519 key.", where=str(path), remedy=remedy)
        model = _load(beside, passphrase) if beside.exists() else None
        if not isinstance(model, EllipticCurvePrivateKey | None):
            remedy = f"make it anew: `ssh-keygen -t ecdsa -b 256 -f {beside}`"
            raise SigningError("The key for released files is not an ECDSA key.", where=str(beside), remedy=remedy)
        return cls(private, model)

    def save(self, path: Path, passphrase: str | None) -> None:
        """Write the keys to new files that only their owner may read, and ``<path>.pub`` with the public key.

        Raises:
            SigningError: There is a file of that name; nothing is overwritten.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_no_key(path)
        cipher = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else None
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH)
        for file, private in ((path, self._private), (_beside(path), self._model)):
            if private:
                _write_new(file, private.private_bytes(*form, cipher or serialization.NoEncryption()))
        _write_new(path.with_name(f"{path.name}.pub"), f"{self.public}\n".encode())

    @property
    def public(self) -> str:
        """The public key: ``ssh-ed25519 AAAA…``."""
        return write_public(self._private.public_key())

    @property
    def model_public(self) -> str | None:
        """The public key for released files: ``ecdsa-sha2-nistp256 AAAA…``; None if there is none."""
        return write_public(self._model.public_key()) if self._model else None

    @property
    def keyid(self) -> str:
        """The fingerprint: ``SHA256:…``, as ``ssh-keygen -l`` prints it."""
        return keyid_of(self.public)

    def sign(self, content: bytes) -> bytes:
        """Return the signature of these bytes."""
        return self._private.sign(content)

    def write_model_key(self, path: Path, passphrase: str) -> None:
        """Write the private key for released files as the PEM that model-signing reads.

        Raises:
            SigningError: There is no such key.
        """
        if self._model is None:
            raise SigningError(
                "There is no key to sign the released files with.",
                where=f"beside the key {self.keyid}, with .model at the end of the file's name",
                remedy="make it with `ssh-keygen -t ecdsa -b 256 -f <key file>.model`, and add its public key to your "
                "entry in conf/base/reviewers.yml as 'model_key:'",
            )
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
        cipher = serialization.BestAvailableEncryption(passphrase.encode())
        _write_new(path, self._model.private_bytes(*form, cipher))


def load_key(path: Path, ask: Callable[[Path], str] | None = None) -> SigningKey:
    """Load a key with the passphrase of RAI_KEDRO_PASSPHRASE, or that which the user is asked for if it needs one."""
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    if not passphrase and ask and _is_locked(_read_private(path)):
        passphrase = ask(path)
    return SigningKey.load(path, passphrase)


def require_no_key(path: Path) -> None:
    """Refuse a path where a key is, or what lies beside one: what is overwritten is lost."""
    for file in (path, _beside(path), path.with_name(f"{path.name}.pub")):
        if file.exists():
            what, remedy = "There is a file already.", "choose another name with --out, or move the file away"
            raise SigningError(what, where=str(file), remedy=remedy)


def keyid_of(public_key: str) -> str:
    """Return the fingerprint of a public Ed25519 key in OpenSSH's form; ``ValueError`` if it is none."""
    digest = serialization.ssh_key_fingerprint(read_public(public_key), hashes.SHA256())
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def read_public(text: str) -> Ed25519PublicKey:
    """Read a public key in OpenSSH's form, with or without a comment; ``ValueError`` if it is no Ed25519 key."""
    key = _read_any_public(text)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key (it must begin with 'ssh-ed25519')")
    return key


def read_model_public(text: str) -> EllipticCurvePublicKey:
    """Read a public key for released files in OpenSSH's form; ``ValueError`` if it is no ECDSA key."""
    key = _read_any_public(text)
    if not isinstance(key, EllipticCurvePublicKey):
        raise ValueError("not an ECDSA key (it must begin with 'ecdsa-sha2-nistp256')")
    return key


def write_public(key: Ed25519PublicKey | EllipticCurvePublicKey) -> str:
    """Write a public key in OpenSSH's form, without a comment."""
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


def write_public_pem(model_key: str) -> str:
    """Write a public key for released files as the PEM that the command ``model_signing verify key`` takes."""
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return read_model_public(model_key).public_bytes(*form).decode()


def _read_any_public(text: str) -> serialization.SSHPublicKeyTypes:
    try:
        return serialization.load_ssh_public_key(text.strip().encode())
    except Exception as error:  # whatever cryptography makes of it: ValueError, UnsupportedAlgorithm
        raise ValueError(f"not a public key in OpenSSH's form ({error})") from None


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.model")


def _load(path: Path, passphrase: str | None) -> serialization.SSHPrivateKeyTypes:
    content = _read_private(path)
    try:
        return _open(content, passphrase)
    except TypeError:
        remedy = f"set {PASSPHRASE_VARIABLE}, or run the command in a terminal, where it asks"
        raise SigningError("The key has a passphrase.", where=str(path), remedy=remedy) from None
    except Exception as error:  # whatever cryptography makes of it: ValueError, UnsupportedAlgorithm
        raise SigningError(
            "The key could not be read: its passphrase is wrong or the file is not an OpenSSH private key.",
            where=str(path),
            example=str(error) or None,
            remedy=f"try `ssh-keygen -y -f {path}`, which asks for the passphrase and prints the public key",
        ) from None


def _read_private(path: Path) -> bytes:
    try:
        content, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        what = f"The key could not be read: {error.strerror}."
        raise SigningError(what, where=str(path), remedy=f"give the file of a private key, or {NEW_KEY}") from None
    if mode & 0o077:
        raise SigningError("Others may read the private key.", where=str(path), remedy=f"run `chmod 600 {path}`")
    return content


def _open(content: bytes, passphrase: str | None) -> serialization.SSHPrivateKeyTypes:
    """Open a private key: TypeError if it needs a passphrase, ValueError if it is none or the passphrase is wrong."""
    if passphrase and _is_locked(content):
        return serialization.load_ssh_private_key(content, passphrase.encode())
    return serialization.load_ssh_private_key(content, None)


def _is_locked(content: bytes) -> bool:
    try:
        serialization.load_ssh_private_key(content, None)
    except TypeError:
        return True
    except Exception:  # not a key at all: loading says so
        return False
    return False


def _write_new(path: Path, content: bytes) -> None:
    # Not by write_text: the file may at no moment be there with rights for others, nor take another's place.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    flush_folder(path.parent)
