"""`make serve` before anything is started: what it refuses, and where secrets go."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rai_kedro.server.__main__ import main, make_server


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text('[tool.kedro]\npackage_name = "rai_kedro"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RAI_SERVER_DATABASE", raising=False)
    # What the command changes of its own process must not last into other tests.
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr(os, "umask", lambda _: 0)
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])  # noqa: S104
def test_another_address_than_this_machine_is_refused(host: str, project: Path) -> None:
    ended = run("--host", host)
    assert ended.exit_code == 1
    assert "serves this machine only" in ended.output
    assert not (project / "conf").exists()


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ("no address", "no address of a database"),
        ("mongodb://127.0.0.1/x", "no address of a database"),
        ("mysql+cymysql://me:hidden@127.0.0.1/x", "driver is not installed"),
    ],
)
def test_a_database_that_cannot_be_opened_is_refused_and_its_password_not_shown(database: str, said: str) -> None:
    ended = run("--database", database)
    assert ended.exit_code == 1
    assert said in ended.output
    assert "hidden" not in ended.output


def test_a_taken_port_is_named_with_what_to_type() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("--port", str(taken.getsockname()[1]))
    assert ended.exit_code == 1
    assert 'make serve SERVE="--port 5001"' in ended.output


def test_secrets_reach_the_server_by_its_environment_only(project: Path) -> None:
    server, passwords = make_server(project, 5001, "sqlite:///x.db?password=hidden")
    shown = " ".join(server.command)
    for secret in (*passwords.values(), "hidden", server.environment["MLFLOW_FLASK_SERVER_SECRET_KEY"]):
        assert secret not in shown
    assert "127.0.0.1" in shown
    assert server.environment["MLFLOW_AUTH_ADMIN_PASSWORD"] == passwords["admin"]


def test_what_it_makes_is_not_for_git(project: Path) -> None:
    make_server(project, 5001, None)
    made = {str(path.relative_to(project)) for path in project.rglob("*") if path.is_file()} - {"pyproject.toml"}
    assert made
    assert all(path.startswith(("conf/local/", "data/")) for path in made)
