"""Keys of people: Ed25519 in OpenSSH's format, so that ``ssh-keygen`` reads them and existing keys will do."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from rai_kedro.errors import RaiError
from rai_kedro.files import flush_folder

PASSPHRASE_VARIABLE: Final = "RAI_KEDRO_PASSPHRASE"  # noqa: S105 - a name, no secret
NEW_KEY: Final = 'make one with `kedro rai keys new --name "<your name>"`, and have its entry added to the reviewers'


class SigningError(RaiError):
    """A key or a signature cannot be used: unreadable, unknown, expired, wrong."""


class SigningKey:
    """A private Ed25519 key of a person."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    @classmethod
    def generate(cls) -> Self:
        """Make a new key."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path, passphrase: str | None = None) -> Self:
        """Read a key in OpenSSH's format; a passphrase given for a key that has none is not needed.

        Raises:
            SigningError: The file is missing, is no such key, may be read by others, or the passphrase is wrong.
        """
        content = _read_private(path)
        try:
            private = _open(content, passphrase)
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
        if not isinstance(private, Ed25519PrivateKey):
            remedy = f"{NEW_KEY}, or use one made by `ssh-keygen -t ed25519`"
            raise SigningError("The key is not an Ed25519 key.", where=str(path), remedy=remedy)
        return cls(private)

    def save(self, path: Path, passphrase: str | None) -> None:
        """Write the key to a new file that only its owner may read, and its public part beside it (``<path>.pub``).

        Raises:
            SigningError: There is a file of that name; nothing is overwritten.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        public = path.with_name(f"{path.name}.pub")
        for file in (path, public):
            require_no_key(file)
        cipher = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else None
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH)
        _write_new(path, self._private.private_bytes(*form, cipher or serialization.NoEncryption()))
        _write_new(public, f"{self.public}\n".encode())

    @property
    def public(self) -> str:
        """The public key: ``ssh-ed25519 AAAA…``."""
        return write_public(self._private.public_key())

    @property
    def keyid(self) -> str:
        """The fingerprint: ``SHA256:…``, as ``ssh-keygen -l`` prints it."""
        return keyid_of(self.public)

    def sign(self, content: bytes) -> bytes:
        """Return the signature of these bytes."""
        return self._private.sign(content)


def load_key(path: Path, ask: Callable[[Path], str] | None = None) -> SigningKey:
    """Load a key with the passphrase of RAI_KEDRO_PASSPHRASE, or that which the user is asked for if it needs one."""
    passphrase = os.environ.get(PASSPHRASE_VARIABLE)
    if not passphrase and ask and _is_locked(_read_private(path)):
        passphrase = ask(path)
    return SigningKey.load(path, passphrase)


def require_no_key(path: Path) -> None:
    """Refuse a path at which there is something: a key that is overwritten is lost."""
    if path.exists():
        what, remedy = "There is a file already.", "choose another name with --out, or move the file away"
        raise SigningError(what, where=str(path), remedy=remedy)


def keyid_of(public_key: str) -> str:
    """Return the fingerprint of a public Ed25519 key in OpenSSH's form; ``ValueError`` if it is none."""
    digest = serialization.ssh_key_fingerprint(read_public(public_key), hashes.SHA256())
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def read_public(text: str) -> Ed25519PublicKey:
    """Read a public key in OpenSSH's form, with or without a comment; ``ValueError`` if it is no Ed25519 key."""
    try:
        key = serialization.load_ssh_public_key(text.strip().encode())
    except Exception as error:  # whatever cryptography makes of it: ValueError, UnsupportedAlgorithm
        raise ValueError(f"not a public key in OpenSSH's form ({error})") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("not an Ed25519 key (it must begin with 'ssh-ed25519')")
    return key


def write_public(key: Ed25519PublicKey) -> str:
    """Write a public key in OpenSSH's form, without a comment."""
    return key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


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
