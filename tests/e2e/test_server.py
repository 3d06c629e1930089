"""`make serve` for real: train, approve and score through it, each account doing what it may and no more."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

Login = Mapping[str, str]
WHO = ("--version", "1", "--reviewer", "R. Viewer", "--statement", "figures and card read")


def approve(project: Any, login: Login) -> Any:
    risk = ("--accept-risk", "teaching data, nobody is decided about")
    return project.kedro("rai", "approve", *WHO, *risk, environment=login)


@contextmanager
def serving(root: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """Start the server as `make serve` does, wait until it says how to stop it, and stop it in any case."""
    with (root / "serve.txt").open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "rai_kedro.server", "--port", str(port)],
            cwd=root,
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 180
        while "Ctrl-C stops it." not in said(root):
            assert server.poll() is None, said(root)
            assert time.monotonic() < deadline, said(root)
            time.sleep(0.2)
        yield server
    finally:
        with suppress(ProcessLookupError):
            server.terminate()
        server.wait(timeout=60)


def said(root: Path) -> str:
    return (root / "serve.txt").read_text(encoding="utf-8")


def login_of(root: Path, account: str) -> dict[str, str]:
    """Return the environment of a person who has read the file of an account."""
    lines = (root / f"conf/local/server/{account}.env").read_text(encoding="utf-8")
    return {**dict(re.findall(r"^export (\w+)=(\S+)$", lines, re.MULTILINE)), "KEDRO_ENV": "prod"}


def ask(address: str, login: Login, place: str, body: Mapping[str, Any], method: str = "POST") -> tuple[int, str]:
    """Send a request past every client."""
    pair = f"{login['MLFLOW_TRACKING_USERNAME']}:{login['MLFLOW_TRACKING_PASSWORD']}"
    headers = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{address}/{place}", json.dumps(body).encode(), headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def alias(address: str, login: Login) -> str | None:
    _, answer = ask(address, login, "api/2.0/mlflow/registered-models/get?name=housing", {}, "GET")
    named = {one["alias"]: one["version"] for one in json.loads(answer)["registered_model"].get("aliases", [])}
    return named.get("production")


def test_each_account_does_what_it_may_and_no_more(
    simulated: Any, copy_of: Callable[[Any], Any], assert_one_screen: Callable[[Any], str]
) -> None:
    project = copy_of(simulated)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    # The small data of environment `test`, under the settings of `prod`.
    project.edit("conf/prod/globals.yml", lambda content: content.update(mlflow_uri=address, data_root="data/test"))
    shutil.copytree(project.root / "conf/test/housing", project.root / "conf/prod/housing")

    with serving(project.root, port) as server:
        trainer, reviewer = login_of(project.root, "trainer"), login_of(project.root, "reviewer")
        nobody = {"KEDRO_ENV": "prod", "MLFLOW_TRACKING_USERNAME": "", "MLFLOW_TRACKING_PASSWORD": ""}
        wrong = {**trainer, "MLFLOW_TRACKING_PASSWORD": "wrong"}
        assert "asks who you are" in assert_one_screen(project.kedro("rai", "status", environment=nobody))
        error = assert_one_screen(project.kedro("run", "--pipelines", "training", environment=wrong))
        assert "refuses this login" in error
        assert "'trainer'" in error

        trained = project.kedro("run", "--pipelines", "governance,training", environment=trainer)
        assert trained.code == 0, trained.output

        recorded = project.evidence.read_bytes()
        error = assert_one_screen(approve(project, trainer))
        assert "The account 'trainer' may not do this" in error
        assert "that takes the role 'reviewer'" in error
        assert project.evidence.read_bytes() == recorded
        version = {"name": "housing", "version": "1"}
        for place, body, method in (
            ("api/2.0/mlflow/registered-models/alias", {**version, "alias": "production"}, "POST"),
            ("ajax-api/2.0/mlflow/registered-models/alias", {**version, "alias": "production"}, "POST"),
            ("api/2.0/mlflow/model-versions/set-tag", {**version, "key": "rai.review", "value": "approved"}, "POST"),
            ("api/2.0/mlflow/model-versions/delete", version, "DELETE"),
            ("api/2.0/mlflow/registered-models/rename", {"name": "housing", "new_name": "old"}, "POST"),
            ("api/3.0/mlflow/roles/assign", {"username": "trainer", "role_id": 2}, "POST"),
            ("api/2.0/mlflow/users/update-admin", {"username": "trainer", "is_admin": True}, "PATCH"),
        ):
            assert ask(address, trainer, place, body, method)[0] == 403, place
        assert alias(address, trainer) is None

        approved = approve(project, reviewer)
        assert approved.code == 0, approved.output
        assert alias(address, trainer) == "1"

        monitored = project.kedro("run", "--pipelines", "monitoring", environment=trainer)
        assert monitored.code == 0, monitored.output
        assert list(project.predictions.rglob("*.parquet"))
        assert "may not" in assert_one_screen(project.kedro("rai", "reject", *WHO, environment=trainer))
        body = {"name": "housing", "alias": "production"}
        assert ask(address, trainer, "api/2.0/mlflow/registered-models/alias", body, "DELETE")[0] == 403
        assert alias(address, trainer) == "1"

        os.kill(server.pid, signal.SIGINT)
        assert server.wait(timeout=60) == 0
    assert said(project.root).endswith("Stopped.\n")
    assert "Traceback" not in said(project.root)

    # The next start finds accounts, versions and decisions.
    with serving(project.root, port):
        assert login_of(project.root, "trainer") == trainer
        in_file = {name: value for name, value in trainer.items() if name.startswith("MLFLOW_")}
        project.edit("conf/prod/credentials.yml", lambda content: content.update(mlflow=in_file))
        verified = project.kedro("rai", "verify", environment=nobody)
        assert verified.code == 0, verified.output
    log = (project.root / "data/08_reporting/ui_logs/mlflow.log").read_text(encoding="utf-8")
    for login in (trainer, reviewer, login_of(project.root, "admin")):
        assert login["MLFLOW_TRACKING_PASSWORD"] not in said(project.root) + log
