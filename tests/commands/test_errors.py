"""What a server refuses is told from a server that is lost, and said on one screen."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient

from rai_kedro.commands.errors import explain, is_server_lost

_GUARD = json.dumps({"error_code": "PERMISSION_DENIED", "message": "account trainer lacks the role reviewer"})


class _Refusing(BaseHTTPRequestHandler):
    status, said = 401, ""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.said.encode())

    do_POST = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("HOME", str(tmp_path))  # MLflow also reads ~/.mlflow/credentials
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    before = mlflow.get_tracking_uri()
    with HTTPServer(("127.0.0.1", 0), _Refusing) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{serving.server_port}"
        mlflow.set_tracking_uri(address)
        yield address
        mlflow.set_tracking_uri(before)
        serving.shutdown()


def _fail(address: str) -> str:
    with pytest.raises(mlflow.MlflowException) as caught:
        MlflowClient(address).get_run("some-run")
    assert not is_server_lost(caught.value)
    return explain(caught.value) or ""


@pytest.mark.parametrize(
    ("status", "said", "account", "expected"),
    [
        (
            401,
            "You are not authenticated.",
            None,
            ["asks who you are", "no user name is set", "_PASSWORD"],
        ),
        (401, "You are not authenticated.", "eve", ["refuses this login", "user name 'eve'", "credentials.yml"]),
        (403, "Permission denied", "trainer", ["account 'trainer' may not do this", "Permission denied"]),
        (403, _GUARD, "trainer", ["account 'trainer' may not", "account trainer lacks the role reviewer"]),
    ],
)
def test_a_refusal_names_the_account_and_what_to_do(
    server: str, monkeypatch: pytest.MonkeyPatch, status: int, said: str, account: str | None, expected: list[str]
) -> None:
    monkeypatch.setattr(_Refusing, "status", status)
    monkeypatch.setattr(_Refusing, "said", said)
    if account:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", account)
    shown = _fail(server)
    for part in [*expected, server]:
        assert part in shown
    assert len(shown.splitlines()) < 12


def test_an_error_of_the_server_itself_is_no_refusal(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_Refusing, "status", 404)
    with pytest.raises(mlflow.MlflowException) as caught:
        MlflowClient(server).get_run("some-run")
    assert "stopped answering" in (explain(caught.value) or "")
