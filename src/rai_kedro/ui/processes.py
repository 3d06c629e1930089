"""Programs that are started together, watched, and stopped together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from pathlib import Path

import click
from kedro.utils import find_kedro_project

from rai_kedro.errors import RaiError
from rai_kedro.ui.viewers import HOST, Viewer

_LOGS = "data/08_reporting/ui_logs"
_START_SECONDS = 180.0
_STOP_SECONDS = 10.0
_TAIL = 15


class ViewerError(RaiError):
    """A viewer that cannot be started, or has ended by itself."""


@contextmanager
def in_project(farewell: str) -> Iterator[Path]:
    """Lend the project's folder to a program that runs until Ctrl-C; what was foreseen ends it in one screen."""
    # Ctrl-C, too, which a shell lets what it starts in the background ignore.
    for sent in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sent, signal.default_int_handler)
    try:
        project = find_kedro_project(Path.cwd())
        if project is None:
            raise ViewerError("This is not the folder of the project.", where=str(Path.cwd()), remedy="cd to it")
        yield project
    except KeyboardInterrupt:
        click.echo(f"\n{farewell}")
    except RaiError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


@dataclass(frozen=True)
class _Started:
    viewer: Viewer
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def running(
    viewers: Sequence[Viewer],
    project: Path,
    *,
    elsewhere: str = "python -m rai_kedro.ui --mlflow-port 5001 --viz-port 4142",
) -> Iterator[Callable[[], None]]:
    """Start viewers, wait until each answers, lend a check that none has ended, and stop them all in any case.

    ``elsewhere`` is what to type where a port is taken.
    """
    _check_ports(viewers, elsewhere)
    started: list[_Started] = []
    try:
        for viewer in viewers:
            started.append(_start(viewer, project))
        _wait_for_answers(started)
        yield partial(_check_alive, started)
    finally:
        _stop(started)


def _check_ports(viewers: Sequence[Viewer], elsewhere: str) -> None:
    ports = [viewer.port for viewer in viewers]
    for viewer in viewers:
        if ports.count(viewer.port) > 1 or not _is_free(viewer.port):
            raise ViewerError(
                f"Port {viewer.port}, which {viewer.name} needs, is taken. Nothing has been started.",
                where=viewer.url,
                remedy=f"stop what uses it, or choose another: {elsewhere}",
            )


def _is_free(port: int) -> bool:
    # Some systems lend an address that another program answers on all addresses: ask whether anybody does.
    with suppress(OSError), socket.create_connection((HOST, port), timeout=2):
        return False
    with suppress(OSError), socket.create_server((HOST, port)):
        return True
    return False


def _start(viewer: Viewer, project: Path) -> _Started:
    log = project / _LOGS / f"{viewer.name.lower()}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        # A session of its own: Ctrl-C reaches only us, and its whole process group can be stopped.
        process = subprocess.Popen(  # noqa: S603 - the command is our own
            viewer.command,
            cwd=project,
            env={**os.environ, **viewer.environment},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    return _Started(viewer, process, log)


def _wait_for_answers(started: Sequence[_Started]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    for one in started:
        while read(one.viewer.url + one.viewer.health) is None:
            _check_alive(started)
            if time.monotonic() > deadline:
                raise _failure(one, f"{one.viewer.name} does not answer after {_START_SECONDS:.0f} seconds.")
            time.sleep(0.2)


def read(url: str) -> bytes | None:
    """Return what is to be read at an address of this machine, past any proxy; None where it is not answered."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with suppress(OSError), direct.open(url, timeout=5) as response:
        return bytes(response.read()) if response.status == HTTPStatus.OK else None
    return None


def _check_alive(started: Sequence[_Started]) -> None:
    for one in started:
        code = one.process.poll()
        if code is not None:
            raise _failure(one, f"{one.viewer.name} has ended by itself (exit code {code}).")


def _failure(one: _Started, what: str) -> ViewerError:
    lines = one.log.read_text(encoding="utf-8", errors="replace").splitlines()
    return ViewerError(
        f"{what} All is stopped.",
        where=str(one.log),
        example="\n    ".join(["its last lines:", *lines[-_TAIL:]]),
        remedy="mend what the log says, then start it again",
    )


def _stop(started: Sequence[_Started]) -> None:
    for sent in (signal.SIGTERM, signal.SIGKILL):
        for one in started:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(one.process.pid, sent)
        deadline = time.monotonic() + _STOP_SECONDS
        while any(_group_exists(one) for one in started) and time.monotonic() < deadline:
            time.sleep(0.05)


def _group_exists(one: _Started) -> bool:
    one.process.poll()
    try:
        os.killpg(one.process.pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True
