"""Alerts: every finding once, to receivers that answer, fail, hang or talk nonsense, within a bounded time."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rai_kedro.monitoring import (
    MOST_REFUSALS,
    Alert,
    AlertParameters,
    ColumnDrift,
    Finding,
    MonitoringPolicy,
    MonthDrift,
    MonthRecord,
    MonthVerdict,
    Receiver,
    Timeline,
    deliver,
    new_findings,
    read_alerts,
)
from rai_kedro.monitoring.receivers import SIGNATURE, word_alert

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
KEY = "performance MAE ratio labels"


def finding(weight: str, key: str = KEY, text: str = "MAE is 4 times the tested one") -> Finding:
    subject = key.partition(" ")[0]
    return Finding(subject=subject, key=key, weight=weight, short="MAE", text=text, advice="train again")


def record(month: str, *findings: Finding, version: str = "1", compared: tuple[str, ...] = ()) -> MonthRecord:
    worst = findings[0].weight if findings else "passed"
    columns = tuple(
        ColumnDrift(
            value=0.0,
            level=0.9,
            how="",
            column=name,
            kind="numerical",
            method="none",
            p_value=None,
            margin=0.1,
            verdict="insufficient_evidence",
            n_reference=100,
            n=100,
        )
        for name in compared
    )
    drift = MonthDrift(columns=columns, rate=0.01, comparisons=1, margin=0.1) if compared else None
    verdict = MonthVerdict(outcome="ok" if worst == "passed" else worst, findings=findings)
    return MonthRecord(month=month, model_version=version, look=1, verdict=verdict, drift=drift)


def timeline(*months: MonthRecord) -> Timeline:
    return Timeline(use_case="housing", policy=MonitoringPolicy(), months=months)


ALARM, WATCH, PASSED = finding("alarm"), finding("watch"), finding("passed")
[ALERT] = new_findings(timeline(record("2024-05", ALARM)))


def test_a_finding_that_lasts_is_told_once() -> None:
    months = timeline(record("2024-04", PASSED), record("2024-05", ALARM), record("2024-06", ALARM))
    [alert] = new_findings(months)
    assert (alert.month, alert.outcome, alert.text) == ("2024-05", "alarm", ALARM.text)
    assert new_findings(months, [alert]) == []
    later = timeline(*months.months, record("2024-07", ALARM))
    assert new_findings(later, [alert]) == []


def test_a_finding_that_comes_back_is_new() -> None:
    months = [record("2024-05", ALARM), record("2024-06", PASSED), record("2024-07", ALARM)]
    first, second = new_findings(timeline(*months))
    assert (first.month, second.month) == ("2024-05", "2024-07")
    assert first.id != second.id
    assert new_findings(timeline(*months), [first]) == [second]


def test_a_month_that_says_nothing_ends_no_finding() -> None:
    months = timeline(record("2024-05", ALARM), record("2024-06"), record("2024-07", ALARM))
    assert [one.month for one in new_findings(months)] == ["2024-05"]
    # Labels of the month before come later than the alert, and show the same.
    assert new_findings(timeline(record("2024-04", ALARM), *months.months), [ALERT]) == []


def test_drift_of_a_column_ends_where_it_was_looked_for_and_not_found() -> None:
    drifted = finding("watch", "drift RM")
    months = [record("2024-05", drifted, compared=("RM",)), record("2024-06", compared=("RM",))]
    months += [record("2024-07", drifted, compared=("RM",))]
    assert [one.month for one in new_findings(timeline(*months), min_weight="watch")] == ["2024-05", "2024-07"]
    months[1] = record("2024-06", compared=("LSTAT",))
    assert [one.month for one in new_findings(timeline(*months), min_weight="watch")] == ["2024-05"]


def test_weight_decides_what_is_told_and_more_weight_is_news() -> None:
    months = timeline(record("2024-05", WATCH), record("2024-06", ALARM))
    assert [one.weight for one in new_findings(months)] == ["alarm"]
    [watched] = new_findings(timeline(months.months[0]), min_weight="watch")
    [raised] = new_findings(months, [watched], min_weight="watch")
    assert (raised.weight, raised.month) == ("alarm", "2024-06")
    assert new_findings(months, [watched, raised], min_weight="watch") == []
    # A lighter finding after the alarm is the same one, still there.
    assert new_findings(timeline(*months.months, record("2024-07", WATCH)), [raised], min_weight="watch") == []


def test_a_month_scored_again_under_another_version_is_told_of_again() -> None:
    months = timeline(record("2024-05", ALARM), record("2024-05", ALARM, version="2"))
    assert [one.model_version for one in new_findings(months, [ALERT])] == ["2"]


Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A server of this machine that answers as it is told, the last answer again and again."""

    def __init__(self, *answers: Answer) -> None:
        self.requests: list[tuple[Any, bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append((self.headers, body))
                answers[min(len(outer.requests), len(answers)) - 1](self)

            def do_GET(self) -> None:
                outer.requests.append((self.headers, b"GET"))

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Server]]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("rai_kedro.monitoring.receivers._FIRST_PAUSE_S", 0.02)
    servers: list[Server] = []

    def start(*answers: Answer) -> Server:
        servers.append(Server(*answers))
        return servers[-1]

    yield start
    for one in servers:
        one.close()


def status(code: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {**headers, "Content-Length": "0"}.items():
            handler.send_header(name, value)
        handler.end_headers()

    return answer


def hang(_: BaseHTTPRequestHandler) -> None:
    time.sleep(20)


def garbage(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"\x00\xff what? \r\n\r\n")


def drip(handler: BaseHTTPRequestHandler) -> None:
    with suppress(OSError):  # the other side does not wait for the end
        for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: slow\r\n" * 4:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.1)


def webhook(url: str, **changes: Any) -> Receiver:
    return Receiver(**{"to": "webhook", "url": url, "timeout_s": 1.5, "limit_s": 3.0, **changes})


def test_a_webhook_gets_signed_json_once(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(status(200))
    monkeypatch.setenv("HOOK_SECRET", "between us")
    receiver = webhook(server.url, secret_env="HOOK_SECRET")  # noqa: S106 - a name
    for _ in range(2):
        done = deliver([ALERT], [receiver], tmp_path / "alerts.jsonl", NOW)
    [(headers, body)] = server.requests
    assert headers[SIGNATURE] == "sha256=" + hmac.new(b"between us", body, hashlib.sha256).hexdigest()
    assert headers["Idempotency-Key"] == ALERT.id
    said = json.loads(body)
    assert said == {**ALERT.to_dict(), "id": ALERT.id, "sent_at": "2024-06-01T12:00:00+00:00"}
    assert (done.attempts, done.waiting) == ((), 0)
    state = [json.loads(line) for line in (tmp_path / "alerts.jsonl").read_text().splitlines()]
    assert [one["event"] for one in state] == ["raised", "delivered"]
    assert state[1] == {
        "event": "delivered",
        "at": "2024-06-01T12:00:00+00:00",
        "id": ALERT.id,
        "receiver": "webhook 127.0.0.1",
        "status": "answered 200",
        "refused": False,
        "environment": "",
    }
    assert read_alerts(tmp_path / "alerts.jsonl") == [ALERT]


@pytest.mark.parametrize("bad", [status(500), status(503), status(429), status(408), garbage])
def test_what_passes_is_tried_again(serve: Callable[..., Server], tmp_path: Path, bad: Answer) -> None:
    server = serve(bad, status(204))
    done = deliver([ALERT], [webhook(server.url)], tmp_path / "alerts.jsonl", NOW)
    assert [one.status for one in done.attempts] == ["answered 204"]
    assert len(server.requests) == 2


def test_what_is_refused_is_not_tried_again_before_the_next_run(serve: Callable[..., Server], tmp_path: Path) -> None:
    server, state = serve(status(400), status(200)), tmp_path / "alerts.jsonl"
    done = deliver([ALERT], [webhook(server.url)], state, NOW)
    assert (len(server.requests), done.waiting) == (1, 1)
    assert "answered 400" in done.failures[0].status
    done = deliver([], [webhook(server.url)], state, NOW)
    assert (len(server.requests), done.waiting, done.failures) == (2, 0, ())


def test_a_refusal_is_not_asked_for_for_ever_and_holds_up_nothing_else(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    server, state = serve(status(404)), tmp_path / "alerts.jsonl"
    waiting = [deliver([ALERT], [webhook(server.url)], state, NOW).waiting for _ in range(MOST_REFUSALS + 2)]
    assert waiting == [1] * (MOST_REFUSALS - 1) + [0] * 3
    assert len(server.requests) == MOST_REFUSALS
    last = deliver([ALERT.model_copy(update={"key": "other"})], [webhook(server.url)], state, NOW)
    assert (last.waiting, last.given_up, len(last.attempts)) == (1, 1, 1)


def test_a_server_that_is_down_is_tried_in_every_run(serve: Callable[..., Server], tmp_path: Path) -> None:
    server, state = serve(status(503)), tmp_path / "alerts.jsonl"
    for _ in range(MOST_REFUSALS + 1):
        done = deliver([ALERT], [webhook(server.url, limit_s=0.1)], state, NOW)
    assert (done.waiting, done.given_up) == (1, 0)


def test_what_one_environment_was_told_another_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rai_kedro.monitoring.receivers.project_folder", lambda: tmp_path)
    state, log, file = tmp_path / "alerts.jsonl", Receiver(to="log"), Receiver(to="file", path="out.jsonl")
    deliver([ALERT], [log], state, NOW, "test")
    assert (read_alerts(state, "test"), read_alerts(state, "prod")) == ([ALERT], [])
    done = deliver([ALERT], [log, file], state, NOW, "prod")
    assert [(one.receiver, one.event) for one in done.attempts] == [
        ("log", "delivered"), ("file out.jsonl", "delivered"),
    ]  # fmt: skip
    assert deliver([ALERT], [log], state, NOW, "test").attempts == ()


@pytest.mark.parametrize("bad", [hang, drip, garbage, status(500)])
def test_a_bad_receiver_takes_no_longer_than_its_limit(
    serve: Callable[..., Server], tmp_path: Path, bad: Answer
) -> None:
    server, good = serve(bad), serve(status(200))
    alerts = [ALERT, ALERT.model_copy(update={"key": "fairness"}), ALERT.model_copy(update={"key": "drift"})]
    began = time.monotonic()
    receivers = [webhook(server.url, timeout_s=0.5, limit_s=1.0), webhook(good.url, to="slack")]
    done = deliver(alerts, receivers, tmp_path / "alerts.jsonl", NOW)
    assert time.monotonic() - began < 1.0 + 7.0  # one that hangs would take 20 s
    assert len(good.requests) == 3
    assert done.waiting == 3
    assert len(done.failures) == 1


def test_nobody_there_is_said_and_kept(serve: Callable[..., Server], tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/hook"
    done = deliver([ALERT], [webhook(url, limit_s=0.3)], tmp_path / "alerts.jsonl", NOW)
    assert "ConnectionRefusedError" in done.failures[0].status or "refused" in done.failures[0].status
    assert "/hook" not in (tmp_path / "alerts.jsonl").read_text()


def test_a_redirect_is_not_followed(serve: Callable[..., Server], tmp_path: Path) -> None:
    elsewhere = serve(status(200))
    server = serve(status(302, Location=elsewhere.url))
    done = deliver([ALERT], [webhook(server.url)], tmp_path / "alerts.jsonl", NOW)
    assert "redirect, which is not followed" in done.failures[0].status
    assert (len(server.requests), elsewhere.requests) == (1, [])


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://user:word@127.0.0.1/", "nowhere"])
def test_other_addresses_are_refused(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", url)
    done = deliver([ALERT], [webhook("", url_env="HOOK")], tmp_path / "alerts.jsonl", NOW)
    assert "http or https" in done.failures[0].status
    assert "word" not in (tmp_path / "alerts.jsonl").read_text().replace("password", "")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/hook/SE CRET",
        "http://127.0.0.1:9/hook/SE\x7fCRET",
        "http://127.0.0.1:9/hook/SECRÉT",
        "http://127.0.0.1:SECRET/",
        "http://[SECRET/",
        "http://ex\u2100-SECRET.test/",
        "http://.SECRET../",
    ],
)
def test_an_address_that_cannot_be_used_is_not_quoted_and_stops_no_other_receiver(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK", url)
    done = deliver(
        [ALERT], [webhook("", url_env="HOOK", limit_s=1), Receiver(to="log")], tmp_path / "alerts.jsonl", NOW
    )
    assert [one.event for one in done.attempts] == ["not delivered", "delivered"]
    assert not any(part in (tmp_path / "alerts.jsonl").read_text() for part in ("SECR", "SE CRET", "CRET"))


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    receivers = [webhook("", url_env="NO_SUCH_URL"), webhook("http://127.0.0.1:9/", secret_env="NO_SUCH_KEY")]  # noqa: S106 - a name
    done = deliver([ALERT], receivers, tmp_path / "alerts.jsonl", NOW)
    assert [("NO_SUCH_URL" in one.status, "NO_SUCH_KEY" in one.status) for one in done.failures] == [
        (True, False),
        (False, True),
    ]


HOSTILE = ALERT.model_copy(update={"text": "<!channel> @all <@U1> & \x1b[2J\u202e\nMAE", "advice": "**look**"})


def test_texts_call_nobody_and_hide_nothing(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(status(200))
    receivers = [webhook(server.url, to="slack"), webhook(server.url, to="teams")]
    deliver([HOSTILE], receivers, tmp_path / "alerts.jsonl", NOW)
    slack, teams = (json.loads(body) for _, body in server.requests)
    assert set(slack) == {"text"}
    assert "&lt;!channel&gt; \uff20all &lt;\uff20U1&gt; &amp; \\x1b[2J\\u202e MAE" in slack["text"]
    [card] = teams["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    [block] = card["content"]["body"]
    assert block == {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": word_alert(HOSTILE)}]}
    assert "\n" not in word_alert(HOSTILE)
    assert "\x1b" not in word_alert(HOSTILE)


def test_log_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr("rai_kedro.monitoring.receivers.project_folder", lambda: tmp_path)
    (tmp_path / "out.jsonl").write_text('{"torn')
    done = deliver([ALERT], [Receiver(to="log"), Receiver(to="file", path="out.jsonl")], tmp_path / "a.jsonl", NOW)
    assert [one.status for one in done.attempts] == ["written", "written"]
    assert json.loads((tmp_path / "out.jsonl").read_text().splitlines()[1])["id"] == ALERT.id
    assert "housing, 2024-05, version 1, alarm: MAE is 4 times the tested one. What to do: train again" in caplog.text


def test_a_damaged_state_loses_no_alert(tmp_path: Path) -> None:
    state = tmp_path / "alerts.jsonl"
    deliver([ALERT], [Receiver(to="log")], state, NOW)
    state.write_text(state.read_text() + '{"event": "deliv')
    done = deliver([HOSTILE.model_copy(update={"key": "other"})], [Receiver(to="log")], state, NOW)
    assert (done.unreadable, len(done.attempts), done.waiting) == (1, 1, 0)
    assert len(read_alerts(state)) == 2


def test_a_receiver_added_later_is_spared_what_was_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rai_kedro.monitoring.receivers.project_folder", lambda: tmp_path)
    deliver([ALERT], [Receiver(to="log")], tmp_path / "alerts.jsonl", NOW)
    done = deliver([], [Receiver(to="file", path="out.jsonl")], tmp_path / "alerts.jsonl", NOW)
    assert (done.attempts, done.waiting) == ((), 0)


def test_a_run_without_receivers_swallows_no_alert(tmp_path: Path) -> None:
    state = tmp_path / "alerts.jsonl"
    assert deliver([ALERT], [], state, NOW).attempts == ()
    assert read_alerts(state) == []
    assert [one.event for one in deliver([ALERT], [Receiver(to="log")], state, NOW).attempts] == ["delivered"]


@pytest.mark.parametrize(
    "receiver",
    [
        {"to": "webhook"},
        {"to": "webhook", "url": "http://a", "url_env": "B"},
        {"to": "file"},
        {"to": "log", "url": "http://a"},
        {"to": "slack", "url": "http://a", "secret_env": "KEY"},
    ],
)
def test_receivers_that_make_no_sense_are_refused(receiver: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Receiver(**receiver)


def test_an_address_does_not_go_where_parameters_are_logged() -> None:
    assert "SECRET" not in str(Receiver(to="slack", url="https://hooks.test/SECRET").to_dict())


def test_two_receivers_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"two receivers are called 'webhook a\.org'"):
        AlertParameters(receivers=(webhook("http://a.org/1"), webhook("http://a.org/2")))


def test_an_alert_survives_its_file() -> None:
    assert Alert.from_dict(ALERT.to_dict()).id == ALERT.id
