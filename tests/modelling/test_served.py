"""A model on a server is asked and never loaded; what it answers is checked, and it is known again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pandas as pd
import pytest
import skops.io as sio

from rai_kedro.modelling import ModellingError, ServedAmounts, ServedDecisions, answer_month, predict_rows, require_host
from rai_kedro.release.model_files import trusted_types

ROWS = pd.DataFrame({"income": [1.0, 2.5, None, 0.1], "city": ["a", "b", "ü", "a"]})


class Server:
    """Speaks MLflow's scoring protocol on this machine; ``answer`` and ``code`` may be changed."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.codes: list[int] = []
        self.answer: Callable[[list[list[Any]]], Any] = lambda rows: {
            "predictions": [int((r[0] or 0) > 1) for r in rows]
        }
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.reply(200, b"3.1.4")

            def do_POST(self) -> None:
                table = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["dataframe_split"]
                server.asked.append(table)
                server.headers.append(dict(self.headers))
                code = server.codes.pop(0) if server.codes else 200
                body = server.answer(table["data"])
                self.reply(code, body if isinstance(body, bytes) else json.dumps(body).encode())

            def reply(self, code: int, body: bytes) -> None:
                self.send_response(code)
                self.send_header("Location", "http://localhost/elsewhere")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/invocations"
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr("rai_kedro.modelling.served._FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("rai_kedro.modelling.served._KNOWN", {})
    made = Server()
    yield made
    made.http.shutdown()
    made.http.server_close()


def test_rows_go_in_batches_each_once_and_answers_come_back_in_their_order(server: Server) -> None:
    rows = pd.concat([ROWS, ROWS], ignore_index=True)

    answers = answer_month(ServedDecisions(url=server.url, batch_rows=3), rows)

    assert answers.rows["prediction"].tolist() == [0, 1, 0, 0] * 2
    assert [len(one["data"]) for one in server.asked] == [3, 1]
    assert server.asked[0] == {"columns": ["income", "city"], "data": [[1.0, "a"], [2.5, "b"], [None, "ü"]]}


def test_probabilities_are_scores_and_a_rule_decides_by_them(server: Server) -> None:
    server.answer = lambda rows: {"predictions": [[0.75, 0.25] if row[0] != 2.5 else [0.1, 0.9] for row in rows]}

    found = predict_rows(ServedDecisions(url=server.url, answers="probability", high="unfavourable"), ROWS)

    assert found["prediction"].tolist() == [1, 0, 1, 1]
    assert found["score"].tolist() == pytest.approx([0.75, 0.1, 0.75, 0.75])


def test_a_field_of_several_is_read(server: Server) -> None:
    server.answer = lambda rows: {"predictions": [{"amount": len(rows), "other": 0} for _ in rows]}

    assert ServedAmounts(url=server.url, field="amount").predict(ROWS).tolist() == [4.0] * 4
    with pytest.raises(ModellingError, match="several fields"):
        ServedAmounts(url=server.url).predict(ROWS.head(2))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"predictions": [0, 1]}, "one answer for each row"),
        ({"predictions": "0101"}, "one answer for each row"),
        ({"answers": [0, 1, 0, 0]}, "not JSON with 'predictions'"),
        (b"<html>", "not JSON with 'predictions'"),
        ({"predictions": ["a", "b", "c", "a"]}, "not two decisions"),
        ({"predictions": [0, 1, None, 0]}, "not two decisions"),
        ({"predictions": [[0.1, 0.2, 0.7]] * 4}, "several classes"),
    ],
)
def test_what_are_no_decisions_is_refused(server: Server, answer: Any, why: str) -> None:
    server.answer = lambda _: answer

    with pytest.raises(ModellingError, match=why):
        ServedDecisions(url=server.url).predict(ROWS)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1.5, None, "high", True])
def test_what_is_no_probability_is_refused(server: Server, wrong: Any) -> None:
    server.answer = lambda rows: {"predictions": [0.5, wrong, 0.5, 0.5]}

    with pytest.raises(ModellingError, match="1 of 4 answers are no probabilities"):
        ServedDecisions(url=server.url, answers="probability").predict(ROWS)


def test_a_server_that_fails_for_the_moment_is_asked_again_and_not_for_ever(server: Server) -> None:
    server.codes = [503, 429]
    assert ServedDecisions(url=server.url).predict(ROWS).tolist() == [0, 1, 0, 0]

    server.codes = [503] * 9
    with pytest.raises(ModellingError, match="it answered 503, 3 times"):
        ServedDecisions(url=server.url, retries=2).predict(ROWS.head(1).assign(income=7.0))
    assert len(server.codes) == 6


@pytest.mark.parametrize(("code", "why"), [(400, "it answered 400"), (302, "a redirect, which is not followed")])
def test_a_refusal_is_final(server: Server, code: int, why: str) -> None:
    server.codes = [code]

    with pytest.raises(ModellingError, match=why):
        ServedDecisions(url=server.url).predict(ROWS)
    assert len(server.asked) == 1


def test_nobody_who_answers_and_a_slow_server_are_said(server: Server) -> None:
    with pytest.raises(ModellingError, match="2 times"):
        ServedDecisions(url="http://127.0.0.1:9/invocations", retries=1).predict(ROWS)
    gate = threading.Event()
    server.answer = lambda rows: gate.wait(5) or {"predictions": [0] * len(rows)}
    with pytest.raises(ModellingError, match="timed out"):
        ServedDecisions(url=server.url, retries=0, timeout_s=0.2).predict(ROWS)
    gate.set()


def test_a_token_is_taken_from_the_environment_and_stands_nowhere(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = ServedDecisions(url=server.url, token_env="SCORES_TOKEN")  # noqa: S106 - the name of a variable
    with pytest.raises(ModellingError, match="SCORES_TOKEN is not set"):
        model.predict(ROWS)
    monkeypatch.setenv("SCORES_TOKEN", "s3cret")

    model.fit(ROWS)

    assert server.headers[-1]["Authorization"] == "Bearer s3cret"
    assert b"s3cret" not in sio.dumps(model)


@pytest.mark.parametrize(
    "url",
    [
        "http://scores.example/invocations",
        "https://user:pass@scores.example/invocations",
        "https://scores.example/invocations?key=1",
        "ftp://scores.example/x",
        "file:///etc/passwd",
        "https:///x",
        "https://scores.example:0/x",
    ],
)
def test_an_address_that_is_none_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(ModellingError, match="cannot be used") as caught:
        require_host(ServedDecisions(url=url), ["scores.example"])
    assert url not in str(caught.value)


def test_a_host_has_to_be_on_the_list() -> None:
    model = ServedDecisions(url="https://Scores.example/invocations")
    require_host(model, ["scores.example"])
    for others in ([], ["example"], ["evil-scores.example"]):
        with pytest.raises(ModellingError, match="not among those that may be asked"):
            require_host(model, others)


def test_a_stored_model_is_known_again_and_another_behind_the_same_address_is_refused(server: Server) -> None:
    stored = sio.dumps(ServedDecisions(url=server.url).fit(ROWS))
    loaded = sio.loads(stored, trusted=trusted_types())
    later = ROWS.assign(income=[9.0, 0.0, 0.0, 0.0])

    server.answer = lambda rows: {"predictions": [1 - int((row[0] or 0) > 1) for row in rows]}
    with pytest.raises(ModellingError, match="answers otherwise than the one that was assessed"):
        loaded.predict(later)
    server.answer = lambda rows: {"predictions": [int((row[0] or 0) > 1) for row in rows]}
    assert loaded.predict(later).tolist() == [1, 0, 0, 0]
    assert loaded.identify() == "the server gives its version as 3.1.4"
