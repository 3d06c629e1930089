"""An MLflow server that is not there, or does not answer, stops a command in seconds and not in minutes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

_PATIENCE_S = 10.0


@pytest.fixture
def mute_server() -> Iterator[str]:
    """Take connections and never answer."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def closed_server() -> str:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{reserved.getsockname()[1]}"


@pytest.fixture(scope="module")
def usual_s(trained: Any) -> float:
    """Seconds that a command takes on this machine as busy as it is now, with no server to wait for."""
    return float(trained.succeed("rai", "status").seconds)


@pytest.mark.parametrize("server", ["closed_server", pytest.param("mute_server", marks=pytest.mark.slow)])
@pytest.mark.parametrize("command", [("run", "--pipelines", "monitoring"), ("rai", "status")], ids=["run", "status"])
def test_unreachable_server_stops_in_seconds(
    server: str,
    command: tuple[str, ...],
    usual_s: float,
    request: pytest.FixtureRequest,
    trained: Any,
    copy_of: Callable[[Any], Any],
    assert_one_screen: Callable[[Any], str],
) -> None:
    address = request.getfixturevalue(server)
    project = copy_of(trained)
    project.edit("conf/test/globals.yml", lambda content: content.update(mlflow_uri=address))
    before = project.digests()

    outcome = project.kedro(*command)

    error = assert_one_screen(outcome)
    assert outcome.seconds < _PATIENCE_S + 2 * usual_s
    assert "The MLflow server does not answer" in error
    assert address in error
    assert "start the server or correct the address" in " ".join(error.split())
    assert project.digests() == before


def test_the_command_as_a_user_types_it(
    closed_server: str, usual_s: float, trained: Any, copy_of: Callable[[Any], Any]
) -> None:
    """The other tests fork a process in which libraries are loaded already; this one starts from nothing."""
    project = copy_of(trained)
    project.edit("conf/test/globals.yml", lambda content: content.update(mlflow_uri=closed_server))
    kedro = Path(sys.executable).with_name("kedro")
    environment = {**os.environ, "KEDRO_ENV": "test", "DO_NOT_TRACK": "true", "KEDRO_DISABLE_TELEMETRY": "true"}
    started = time.monotonic()

    ended = subprocess.run(
        [kedro, "run", "--pipelines", "training"],
        cwd=project.root,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "The MLflow server does not answer" in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    # The imports of a busy machine come on top of the wait.
    assert time.monotonic() - started < 3 * (_PATIENCE_S + 2 * usual_s)
