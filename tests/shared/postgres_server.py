"""A PostgreSQL server of the tests' own, started for real: on this machine only, in a temporary folder."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

# With what an address has to escape; no test may ever print it.
PASSWORD = "se:cr%et/1"  # noqa: S105
_ESCAPED = "se%3Acr%25et%2F1"


def find_programs() -> Path | None:
    """Return the folder of the newest PostgreSQL of this machine, which Debian keeps out of the path."""
    installed = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    newest = max(installed, key=lambda folder: int(folder.parent.name), default=None)
    in_path = shutil.which("initdb") and shutil.which("postgres")
    return newest or (Path(in_path).parent if in_path else None)


def _account() -> dict[str, Any]:
    """Return who is to run the server, which refuses to be root."""
    if os.geteuid() != 0:
        return {}
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
    pytest.skip("PostgreSQL refuses to run as root, and there is nobody else")


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The address of a database, as it stands in credentials; skipped where PostgreSQL or its driver is missing."""
    programs = find_programs()
    if programs is None or find_spec("psycopg") is None:
        pytest.skip("PostgreSQL or psycopg is not installed")
    account = _account()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Not in pytest's own folder, which nobody but its owner may enter.
    folder = Path(tempfile.mkdtemp(prefix="rai_postgres_"))
    try:
        (folder / "password").write_text(PASSWORD)
        if account:
            for path in (folder, folder / "password"):
                os.chown(path, account["user"], account["group"])
        command = [programs / "initdb", "-D", folder / "data", "-U", "rai", f"--pwfile={folder / 'password'}"]
        command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **account)
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", f"port={port}")
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", *(word for setting in settings for word in ("-c", setting))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            **account,
        )
        address = f"postgresql://rai:{_ESCAPED}@127.0.0.1:{port}/postgres"
        try:
            _wait_for(address, server)
            yield address
        finally:
            server.terminate()
            with suppress(subprocess.TimeoutExpired):
                server.wait(timeout=5)
            server.kill()
            server.wait(timeout=20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    import psycopg

    for _ in range(300):
        assert server.poll() is None, "PostgreSQL did not start"
        with suppress(psycopg.OperationalError), psycopg.connect(address):
            return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL does not answer")
