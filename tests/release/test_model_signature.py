"""Released files signed with model-signing, checked by its own command line as a stranger would."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rai_kedro.release.keys import SigningError, SigningKey, write_public_pem
from rai_kedro.release.model_signature import sign_folder


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture
def released(tmp_path: Path) -> Path:
    folder = tmp_path / "released"
    for name in ("model/MLmodel", "model/model.skops", "model_card/card.html"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    return folder


@pytest.fixture
def signature(released: Path, key: SigningKey) -> Path:
    path = released.with_name("released.sig")
    sign_folder(released, key, path)
    return path


def ask_stranger(folder: Path, signature: Path, public_key: str | None) -> subprocess.CompletedProcess[str]:
    pem = signature.with_name("key.pem")
    pem.write_text(write_public_pem(public_key or ""))
    command = [sys.executable, "-m", "model_signing", "verify", "key", folder, "--signature", signature]
    return subprocess.run([*command, "--public_key", pem], capture_output=True, text=True, check=False)


def verify_folder(folder: Path, signature: Path, key: SigningKey) -> None:
    """Do what that command does with ``--no-ignore-git-paths``, in this process."""
    from model_signing.hashing import Config as Hashing
    from model_signing.verifying import Config

    pem = signature.with_name("key.pem")
    pem.write_text(write_public_pem(str(key.model_public)))
    everything = Hashing().use_file_serialization().set_ignored_paths(paths=(), ignore_git_paths=False)
    Config().use_elliptic_key_verifier(public_key=pem).set_hashing_config(everything).verify(folder, signature)


def _change(folder: Path) -> None:
    (folder / "model/model.skops").write_text("another model")


def _add(folder: Path) -> None:
    (folder / "model/extra.py").write_text("print()")


def _remove(folder: Path) -> None:
    (folder / "model_card/card.html").unlink()


def _rename(folder: Path) -> None:
    (folder / "model/MLmodel").rename(folder / "model/MLmodel2")


def _hide(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git/hooks.py").write_text("print()")


class TestSigned:
    def test_the_folder_is_as_it_was_wherever_it_lies(self, released: Path, signature: Path, key: SigningKey) -> None:
        elsewhere = shutil.copytree(released, released.with_name("copied elsewhere"))
        verify_folder(elsewhere, signature, key)

    @pytest.mark.parametrize(
        ("damage", "named"),
        [
            (_change, "model/model.skops"),
            (_add, "model/extra.py"),
            (_remove, "model_card/card.html"),
            (_rename, "model/MLmodel2"),
            (_hide, ".git/hooks.py"),
        ],
    )
    def test_what_differs_is_named(
        self, released: Path, signature: Path, key: SigningKey, damage: Callable[[Path], None], named: str
    ) -> None:
        damage(released)
        with pytest.raises(ValueError, match="Signature mismatch") as refused:
            verify_folder(released, signature, key)
        assert named in str(refused.value)

    def test_a_link_is_neither_signed_nor_accepted(self, released: Path, signature: Path, key: SigningKey) -> None:
        target = released.with_name("target")
        target.write_text("content of model/MLmodel")
        (released / "model/MLmodel").unlink()
        (released / "model/MLmodel").symlink_to(target)
        with pytest.raises(ValueError, match="symlink"):
            verify_folder(released, signature, key)
        with pytest.raises(SigningError, match="cannot be signed"):
            sign_folder(released, key, signature)

    def test_another_key_is_refused(self, released: Path, signature: Path) -> None:
        with pytest.raises(ValueError, match="Key mismatch"):
            verify_folder(released, signature, SigningKey.generate())

    def test_a_signature_inside_the_folder_is_refused(self, released: Path, key: SigningKey) -> None:
        with pytest.raises(SigningError, match="among what it covers"):
            sign_folder(released, key, released / "model" / "released.sig")

    def test_a_key_without_a_part_for_files_says_how_to_make_one(
        self, released: Path, key: SigningKey, tmp_path: Path
    ) -> None:
        key.save(tmp_path / "ada.key", None)
        (tmp_path / "ada.key.model").unlink()
        with pytest.raises(SigningError, match="no key to sign the released files") as refused:
            sign_folder(released, SigningKey.load(tmp_path / "ada.key"), tmp_path / "released.sig")
        assert "ssh-keygen -t ecdsa" in str(refused.value)
        assert not (tmp_path / "released.sig").exists()


@pytest.mark.slow
@pytest.mark.parametrize("damage", [None, _change, _add, _remove, _rename])
def test_a_stranger_checks_it_with_the_command_of_model_signing(
    released: Path, signature: Path, key: SigningKey, damage: Callable[[Path], None] | None
) -> None:
    if damage:
        damage(released)
    done = ask_stranger(released, signature, key.model_public)
    assert (done.returncode == 0) is (damage is None), done.stdout + done.stderr
    assert ("Verification succeeded" in done.stdout) is (damage is None)


@pytest.mark.slow
def test_a_stranger_sees_another_key(released: Path, signature: Path) -> None:
    assert ask_stranger(released, signature, SigningKey.generate().model_public).returncode != 0


def test_the_key_for_files_is_kept_and_found_beside_the_first(tmp_path: Path) -> None:
    key = SigningKey.generate()
    key.save(tmp_path / "ada.key", "secret")
    assert SigningKey.load(tmp_path / "ada.key", "secret").model_public == key.model_public
    (tmp_path / "ada.key.model").chmod(0o644)
    with pytest.raises(SigningError, match="Others may read"):
        SigningKey.load(tmp_path / "ada.key", "secret")
