"""The quick look at the MLflow server or database, against real sockets, files and servers."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from rai_kedro.release.decisions import Trust
from rai_kedro.release.production import load_production
from rai_kedro.release.review import ReviewRequest, approve, reject
from rai_kedro.release.store import PROJECT_TAG, StoreError, check_server, follow_project, make_database
from rai_kedro.release.versions import find_aliases


@contextlib.contextmanager
def http_server(status: int) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def unwritable_folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder that nobody may write to; for root, permissions do not count, so a kernel one."""
    if os.geteuid() == 0:
        yield Path("/proc/self")
        return
    tmp_path.chmod(0o500)
    yield tmp_path
    tmp_path.chmod(0o700)


class TestHttp:
    def test_nobody_listens(self, free_port: int) -> None:
        uri = f"http://127.0.0.1:{free_port}"
        started = time.monotonic()
        with pytest.raises(StoreError, match=f"{uri} .mlflow_uri in conf/prod/globals.yml") as caught:
            check_server(uri, settings_file="conf/prod/globals.yml")
        assert time.monotonic() - started < 30  # without a limit of its own, the name look-up takes minutes
        assert "Connection refused" in str(caught.value)
        assert "start the server" in str(caught.value)

    def test_unknown_host(self) -> None:
        started = time.monotonic()
        with pytest.raises(StoreError, match="does not answer"):
            check_server("https://mlflow.invalid")
        assert time.monotonic() - started < 30  # without a limit of its own, the name look-up takes minutes

    def test_server_that_takes_the_connection_and_says_nothing(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            started = time.monotonic()
            with pytest.raises(StoreError, match=r"(?i)time"):
                check_server(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=1)
            assert time.monotonic() - started < 15

    def test_broken_server(self) -> None:
        with http_server(503) as uri, pytest.raises(StoreError, match="HTTP 503"):
            check_server(uri)

    @pytest.mark.parametrize("status", [200, 401, 404])
    def test_server_that_answers_is_there(self, status: int) -> None:
        with http_server(status) as uri:
            check_server(uri)


class TestLocalStores:
    def test_new_database_in_a_writable_folder(self, tmp_path: Path) -> None:
        check_server(f"sqlite:///{tmp_path}/mlflow.db")
        assert list(tmp_path.iterdir()) == []

    def test_existing_database(self, tracking_uri: str) -> None:
        check_server(tracking_uri)

    def test_relative_path_counts_from_the_working_directory(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        check_server("sqlite:///mlflow.db")
        with pytest.raises(StoreError, match="does not exist"):
            check_server("sqlite:///missing/mlflow.db")

    def test_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"folder of the MLflow database does not exist[\s\S]*/none"):
            check_server(f"sqlite:///{tmp_path}/none/mlflow.db")

    def test_unwritable_folder(self, unwritable_folder: Path) -> None:
        with pytest.raises(StoreError, match="cannot be written"):
            check_server(f"sqlite:///{unwritable_folder}/mlflow.db")

    def test_database_that_is_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "mlflow.db").mkdir()
        with pytest.raises(StoreError, match="database cannot be written"):
            check_server(f"sqlite:///{tmp_path}/mlflow.db")

    @pytest.mark.parametrize("prefix", ["", "file://"])
    def test_folder_store(self, tmp_path: Path, unwritable_folder: Path, prefix: str) -> None:
        if unwritable_folder != tmp_path:
            check_server(f"{prefix}{tmp_path}/mlruns")
        with pytest.raises(StoreError, match="cannot be written"):
            check_server(f"{prefix}{unwritable_folder}/mlruns")

    @pytest.mark.parametrize("uri", ["sqlite:///:memory:", "sqlite://", "postgresql://db/mlflow", "databricks"])
    def test_other_addresses_are_left_to_mlflow(self, uri: str) -> None:
        check_server(uri)


@pytest.mark.slow
def test_review_and_production_through_a_real_server(
    tmp_path: Path,
    evidence_path: Path,
    trust: Trust,
    free_port: int,
    ask: Callable[..., ReviewRequest],
    register: Any,
    use_case: str,
) -> None:
    uri = f"http://127.0.0.1:{free_port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(free_port)]
    command += ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--workers", "1"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path, start_new_session=True)
        try:
            wait_for(uri)
            mlflow.set_tracking_uri(uri)
            mlflow.set_experiment("registry")
            register()
            client = MlflowClient(tracking_uri=uri)
            approve(client, ask(), evidence_path, trust)
            production = load_production(client, use_case, evidence_path, trust)
            predicted = production.model.predict(production.reference.rows[["RM", "AGE", "TAX"]])
            assert list(predicted) == list(production.reference.rows["prediction"])
            reject(client, ask(), evidence_path)
            assert find_aliases(client, use_case) == {"candidate": "1"}
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=20)


def wait_for(uri: str) -> None:
    for _ in range(300):
        with contextlib.suppress(StoreError):
            check_server(uri, timeout_s=1)
            return
        time.sleep(0.5)
    check_server(uri)


def test_places_follow_from_where_another_process_has_just_moved_them(tmp_path: Path) -> None:
    database, project = tmp_path / "mlflow.db", tmp_path / "project"
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as other:
        for table in (
            "experiments (experiment_id INTEGER, artifact_location TEXT)",
            "experiment_tags (key TEXT, value TEXT, experiment_id INTEGER, PRIMARY KEY (key, experiment_id))",
            "runs (artifact_uri TEXT)",
            "logged_models (artifact_location TEXT)",
            "model_versions (storage_location TEXT, source TEXT)",
        ):
            other.execute(f"CREATE TABLE {table}")
        other.execute("INSERT INTO experiments VALUES (0, '/first/mlruns/0')")
        other.execute("INSERT INTO experiment_tags VALUES (?, '/first', 0)", (PROJECT_TAG,))
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE experiments SET artifact_location = '/second/mlruns/0'")
        other.execute("UPDATE experiment_tags SET value = '/second'")
        said: list[str | None] = []
        following = threading.Thread(target=lambda: said.append(follow_project(database, project)))
        following.start()
        time.sleep(0.5)
        other.execute("COMMIT")
        following.join()
        assert said == [f"This project was last used in /second; MLflow's 1 artifact places now point to {project}."]
        assert other.execute("SELECT artifact_location FROM experiments").fetchall() == [(f"{project}/mlruns/0",)]


@pytest.mark.slow
def test_a_command_killed_while_the_database_is_made_leaves_one_that_opens_or_none(tmp_path: Path) -> None:
    maker = (
        "import sys; from pathlib import Path; from mlflow.store.db import utils; from rai_kedro.release import store;"
        "print('ready', flush=True); store.make_database(Path(sys.argv[1]))"
    )
    started, found = time.monotonic(), []
    for number in range(4):
        database = tmp_path / f"{number}.db"
        with subprocess.Popen([sys.executable, "-c", maker, str(database)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            if number == 0:  # how long it takes, undisturbed
                started = time.monotonic()
                child.wait()
                takes = time.monotonic() - started
            else:
                time.sleep(takes * number / 5)
                child.kill()
        found.append(database.exists())
        make_database(database)
        with contextlib.closing(sqlite3.connect(database)) as connection:
            assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
            assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)
    assert not all(found), "no kill fell into the making"
