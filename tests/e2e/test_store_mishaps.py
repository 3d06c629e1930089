"""What goes wrong with MLflow's store, or between two people: waited for, explained on one screen, or outranked."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from rai_kedro.files import locked

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WHO = ("--version", "1", "--reviewer", "R. Viewer", "--statement", "figures and card read")
RISK = ("--accept-risk", "teaching data, nobody is decided about")
Copy = Callable[[Any], Any]
Check = Callable[[Any], str]


def waits_for(lock: Path, pid: int) -> bool:
    """Whether a process has come to a lock: it keeps the file open as long as it waits."""
    return str(lock.resolve()) in {file.path for file in psutil.Process(pid).open_files()}


def test_a_rejection_at_the_same_moment_outranks(trained: Any, copy_of: Copy, tmp_path: Path) -> None:
    project = copy_of(trained)
    second = type(project.commands)(tmp_path / "second.txt")
    lock = project.predictions.with_name(".lock")
    try:
        with locked(lock):  # both come to the lock while it is held, and go on together
            started = time.monotonic()
            pids = [
                project.commands.start(project.root, "rai", "approve", *WHO, *RISK),
                second.start(project.root, "rai", "reject", *WHO),
            ]
            while not all(waits_for(lock, pid) for pid in pids):
                assert time.monotonic() - started < 120, project.commands.output() + second.output()
                time.sleep(0.05)
        approved, rejected = project.commands.wait(started), second.wait(started)
    finally:
        second.close()

    assert rejected.code == 0, rejected.output
    assert approved.code == 0 or "was rejected and cannot be approved" in approved.output
    assert project.query("SELECT alias FROM registered_model_aliases WHERE alias = 'production'") == []
    project.succeed("rai", "verify")
    refused = project.kedro("run", "--pipelines", "monitoring")
    assert refused.code != 0
    assert "No version of housing is in production" in refused.error


def test_a_decision_waits_for_nobody_for_long_and_names_the_holder(
    trained: Any, copy_of: Copy, assert_one_screen: Check
) -> None:
    project = copy_of(trained)
    with locked(project.predictions.with_name(".lock")):
        error = assert_one_screen(project.kedro("rai", "reject", *WHO))
    assert f"held by process {os.getpid()}" in error


def test_a_database_that_another_program_holds_is_waited_for(trained: Any, copy_of: Copy) -> None:
    project = copy_of(trained)
    with closing(sqlite3.connect(project.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        project.commands.start(project.root, "rai", "status")
        time.sleep(6)
        other.execute("COMMIT")
        outcome = project.commands.wait(started)
    assert outcome.code == 0, outcome.output


@pytest.mark.slow
def test_a_database_that_stays_locked_ends_on_one_screen(trained: Any, copy_of: Copy, assert_one_screen: Check) -> None:
    project = copy_of(trained)
    with closing(sqlite3.connect(project.database, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        error = assert_one_screen(project.kedro("rai", "status"))
    assert "in use by another program" in error
    assert "waited for 20 s" in error


@pytest.mark.parametrize("damage", ["no database", "pages"])
def test_a_damaged_database_ends_on_one_screen(
    damage: str, trained: Any, copy_of: Copy, assert_one_screen: Check
) -> None:
    project = copy_of(trained)
    content = project.database.read_bytes()
    broken = b"x" * 5000 if damage == "no database" else content[:4096] + b"\xff" * 200_000 + content[204_096:]
    project.database.write_bytes(broken)
    for command in (("rai", "status"), ("run", "--pipelines", "governance")):
        assert "damaged or no database" in assert_one_screen(project.kedro(*command))
    assert project.database.read_bytes() == broken


@pytest.mark.parametrize("kilobytes", [64, 400])
def test_a_limit_on_file_sizes_ends_on_one_screen(
    kilobytes: int, simulated: Any, copy_of: Copy, assert_one_screen: Check
) -> None:
    project = copy_of(simulated)
    error = assert_one_screen(project.kedro("run", "--pipelines", "training", file_limit=kilobytes * 1024))
    assert "ulimit -f" in error


def test_a_locale_without_utf8_changes_nothing(approved: Any, copy_of: Copy) -> None:
    project = copy_of(approved)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))}
    environment |= {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "KEDRO_ENV": "test"}
    for arguments in (("run", "--pipelines", "governance,training"), ("rai", "status"), ("rai", "verify")):
        done = subprocess.run(
            [str(Path(sys.executable).with_name("kedro")), *arguments],
            cwd=project.root,
            env=environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    card = (project.reports / "model_card_v2.md").read_text(encoding="utf-8")
    assert "–" in card or "×" in card  # noqa: RUF001 - a dash or a multiplication sign, as the card writes them


def test_an_emptied_database_is_a_finding(approved: Any, copy_of: Copy, assert_one_screen: Check) -> None:
    project = copy_of(approved)
    project.database.unlink()
    error = assert_one_screen(project.kedro("rai", "verify"))
    assert "version 1 (run " in error
    assert "but MLflow has no such version" in error


def test_what_a_terminal_would_obey_is_refused_and_written_out(
    trained: Any, copy_of: Copy, assert_one_screen: Check
) -> None:
    project = copy_of(trained)
    forged = "R. Viewer\x1b[2K\rversion 1  approved"
    error = assert_one_screen(project.kedro("rai", "reject", *WHO[:2], "--reviewer", forged, "--statement", "read"))
    assert "not shown as itself" in error
    project.succeed("rai", "reject", *WHO)
    # Behind MLflow's back, as whoever may edit a tag could.
    project.query("UPDATE model_version_tags SET value = char(27) || '[2K approved' WHERE key = 'rai.statement'")
    for command in ("status", "verify"):
        output = project.kedro("rai", command).output
        assert "\x1b[2K" not in output
        assert "\\x1b[2K approved" in output


def test_a_killed_run_is_closed_at_the_next_start(simulated: Any, copy_of: Copy) -> None:
    project = copy_of(simulated)
    started = time.monotonic()
    pid = project.commands.start(project.root, "run", "--pipelines", "training")
    tagged = "SELECT count(*) FROM tags JOIN runs USING (run_uuid) WHERE key = 'rai.process' AND status = 'RUNNING'"
    while project.query(tagged) == [(0,)]:
        assert time.monotonic() - started < 120
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    project.commands.wait(started)
    running = "SELECT count(*) FROM runs WHERE status = 'RUNNING'"
    assert project.query(running) == [(1,)]

    project.succeed("run", "--pipelines", "governance")

    assert project.query(running) == [(0,)]
    assert project.query("SELECT count(*) FROM runs WHERE status = 'KILLED'") == [(1,)]


@contextmanager
def serving(project: Any, database: Path, folder: Path) -> Iterator[None]:
    """Start a real MLflow server on a database and send the project there; killed at the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    project.edit("conf/test/globals.yml", lambda content: content.update(mlflow_uri=address))
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{database}", "--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, start_new_session=True)
    try:
        for _ in range(300):
            with suppress(OSError), urllib.request.urlopen(f"{address}/health", timeout=2):
                break
            time.sleep(0.5)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait(timeout=20)


def run_until(project: Any, happened: Callable[[], bool], *command: str) -> float:
    """Start a command, wait until something happened, and return when the command was started."""
    started = time.monotonic()
    project.commands.start(project.root, *command)
    while not happened():
        assert time.monotonic() - started < 180, project.commands.output()
        time.sleep(0.02)
    return started


@pytest.mark.slow
def test_a_server_that_dies_in_mid_run_is_given_up(
    simulated: Any, copy_of: Copy, assert_one_screen: Check, tmp_path: Path
) -> None:
    project = copy_of(simulated)
    with serving(project, tmp_path / "server.db", tmp_path):
        started = run_until(project, lambda: "[ 1/" in project.commands.output(), "run", "--pipelines", "training")
    died = time.monotonic()
    outcome = project.commands.wait(started)

    error = assert_one_screen(outcome)
    assert "The MLflow server stopped answering" in error
    # Without a bound it would be eight minutes. On a busy machine, the start took longer too.
    assert time.monotonic() - died < 90 + 3 * (died - started)


@pytest.mark.slow
def test_a_server_that_dies_in_the_middle_of_a_month_costs_no_month(
    approved: Any, monitored: Any, copy_of: Copy, assert_one_screen: Check, tmp_path: Path
) -> None:
    project = copy_of(approved)
    settings = (project.root / "conf/test/globals.yml").read_text()
    with serving(project, project.database, tmp_path):
        started = run_until(
            project, lambda: any(project.predictions.rglob("*.parquet")), "run", "--pipelines", "monitoring"
        )
    died = time.monotonic()
    outcome = project.commands.wait(started)

    assert_one_screen(outcome)
    # Without a bound it would be eight minutes. On a busy machine, the start took longer too.
    assert time.monotonic() - died < 90 + 3 * (died - started)
    whole = monitored.digests(monitored.predictions, monitored.drift)
    assert project.digests(project.predictions, project.drift).items() <= whole.items()

    (project.root / "conf/test/globals.yml").write_text(settings)
    project.succeed("run", "--pipelines", "monitoring")

    assert project.digests(project.predictions, project.drift) == whole
    assert project.query("SELECT count(*) FROM runs WHERE status = 'RUNNING'") == [(0,)]
