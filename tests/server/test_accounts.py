"""The files of the accounts: made once, for their owner only."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from rai_kedro.server.accounts import ACCOUNTS, ServerError, account_file, read_passwords, read_secret_key


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_made_once_and_differ(tmp_path: Path) -> None:
    passwords, key = read_passwords(tmp_path / "server"), read_secret_key(tmp_path / "server")
    assert set(passwords) == set(ACCOUNTS)
    assert len({key, *passwords.values()}) == len(ACCOUNTS) + 1
    assert min(len(one) for one in (key, *passwords.values())) >= 32
    assert (read_passwords(tmp_path / "server"), read_secret_key(tmp_path / "server")) == (passwords, key)


def test_nobody_else_can_read_them_even_where_somebody_could(tmp_path: Path) -> None:
    folder = tmp_path / "server"
    read_passwords(folder)
    read_secret_key(folder)
    for path in (folder, *folder.iterdir()):
        path.chmod(0o777)
    read_passwords(folder)
    read_secret_key(folder)
    assert mode(folder) == 0o700
    assert {mode(file) for file in folder.iterdir()} == {0o600}


def test_a_shell_reads_a_login(tmp_path: Path) -> None:
    passwords = read_passwords(tmp_path)
    script = f'. "{account_file(tmp_path, "trainer")}"; env'
    shown = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, env={}).stdout
    assert "MLFLOW_TRACKING_USERNAME=trainer\n" in shown
    assert f"MLFLOW_TRACKING_PASSWORD={passwords['trainer']}\n" in shown


def test_a_file_without_a_password_is_named(tmp_path: Path) -> None:
    read_passwords(tmp_path)
    account_file(tmp_path, "reviewer").write_text("export MLFLOW_TRACKING_USERNAME=reviewer\n")
    with pytest.raises(ServerError, match=r"no password of account 'reviewer'[\s\S]*reviewer\.env"):
        read_passwords(tmp_path)
