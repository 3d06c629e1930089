"""Where alerts go: the log, a file, or a server by HTTP; each within its time."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
import threading
import time
from collections.abc import Callable
from http.client import HTTPException
from secrets import SystemRandom
from typing import Any, Literal, Self
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from pydantic import Field, model_validator

from rai_kedro.errors import RaiError
from rai_kedro.files import append_line, project_folder
from rai_kedro.monitoring.alerts import Alert, AlertWeight
from rai_kedro.typed import Typed
from rai_kedro.words import in_words, show_plainly

SIGNATURE = "X-Rai-Signature"
_WEB = ("webhook", "slack", "teams")
_LONGEST = 2_000
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 8.0
_OK, _SERVER_ERROR = 200, 500
# Answers below 500 that a server gives for a while only.
_FOR_A_WHILE = (408, 429)
_SHOWN_IN_ASCII = re.compile(r"[!-~]+")
_log = logging.getLogger("rai_kedro.alerts")


class UndeliveredError(RaiError):
    """A receiver did not take an alert.

    ``again`` says whether it is worth another try at once, ``refused`` that the receiver itself said no.
    """

    again = False
    refused = False


class Receiver(Typed):
    """One place that alerts go to.

    Attributes:
        to: ``log``; ``file``: JSON lines; ``webhook``: the alert as JSON; ``slack``, ``teams``: a message as these take
            it, and whatever is compatible with them.
        path: Of the file, from the project's folder.
        url: Of the server; an address that is a secret belongs into the variable that ``url_env`` names.
        url_env: Environment variable with the address.
        secret_env: Environment variable with the key that signs what is sent (HMAC-SHA-256).
        timeout_s: Longest wait for one answer.
        limit_s: Longest that all alerts of a run together may take here, repetitions included.
    """

    to: Literal["log", "file", "webhook", "slack", "teams"]
    path: str = ""
    url: str = Field(default="", exclude=True)  # or it would stand among the parameters of every run in MLflow
    url_env: str = ""
    secret_env: str = ""
    timeout_s: float = Field(default=5.0, gt=0, le=60)
    limit_s: float = Field(default=20.0, gt=0, le=300)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.to == "file") != bool(self.path):
            raise ValueError("a file, and nothing else, has a path")
        if (self.to in _WEB) != (bool(self.url) != bool(self.url_env)):
            raise ValueError("webhook, slack and teams, and nothing else, have either url or url_env")
        if self.secret_env and self.to != "webhook":
            raise ValueError("only what goes to a webhook is signed; leave secret_env out")
        return self

    @property
    def name(self) -> str:
        """What log and state call it: never the whole address, which may be a secret."""
        at = self.path or self.url_env or urlsplit(self.url).hostname or ""
        return f"{self.to} {at}".strip()


class AlertParameters(Typed):
    """What is told (read from the base in every environment), and to whom.

    Attributes:
        min_weight: The least weight that is told: ``alarm``, or ``watch`` for both.
        receivers: The places that alerts go to; these may differ by environment.
    """

    min_weight: AlertWeight = "alarm"
    receivers: tuple[Receiver, ...] = (Receiver(to="log"),)

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [one.name for one in self.receivers]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ValueError(f"two receivers are called '{twice}'; give the address of one by url_env")
        return self


def send(alert: Alert, receiver: Receiver, deadline: float, sent_at: str) -> str:
    """Hand an alert to a receiver and return its answer in a few words.

    Args:
        alert: What is told.
        receiver: Whom it is told.
        deadline: Moment of ``time.monotonic()`` after which nothing is waited for; what still hangs is left behind.
        sent_at: Moment (UTC, ISO 8601) that goes into the message.

    Raises:
        UndeliveredError: It could not be handed over.
    """
    if receiver.to in _WEB:
        return _post_patiently(_request(alert, receiver, sent_at), receiver, deadline)
    return _within(deadline, receiver, lambda: _write(alert, receiver, sent_at))


def _write(alert: Alert, receiver: Receiver, sent_at: str) -> str:
    if receiver.to == "file":
        append_line(project_folder() / receiver.path, json.dumps({**alert.payload, "sent_at": sent_at}))
    else:
        _log.warning("%s", word_alert(alert))
    return "written"


def word_alert(alert: Alert) -> str:
    """Write an alert in one line in which nothing is hidden."""
    head = f"{alert.use_case}, {alert.month}, version {alert.model_version}, {in_words(alert.weight)}: {alert.text}"
    advice = f". What to do: {alert.advice}" if alert.advice else ""
    link = f" ({alert.link})" if alert.link else ""
    return show_plainly(f"{head}{advice}{link}")[:_LONGEST]


def _for_slack(alert: Alert) -> dict[str, Any]:
    # Slack takes <!channel> and <@user> as calls, programs like it @channel.
    text = word_alert(alert).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return {"text": text.replace("@", "\uff20")}


def _for_teams(alert: Alert) -> dict[str, Any]:
    # A text run, unlike a text block, knows no Markdown.
    inlines = [{"type": "TextRun", "text": word_alert(alert)}]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "RichTextBlock", "inlines": inlines}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


_BODIES: dict[str, Callable[[Alert], dict[str, Any]]] = {"slack": _for_slack, "teams": _for_teams}


def _request(alert: Alert, receiver: Receiver, sent_at: str) -> Request:
    """Make the message, signed where there is a key for it; the signature is over the bytes of the body."""
    shown = _BODIES[receiver.to](alert) if receiver.to in _BODIES else {**alert.payload, "sent_at": sent_at}
    body = json.dumps(shown).encode()
    headers = {"Content-Type": "application/json", "User-Agent": "rai_kedro", "Idempotency-Key": alert.id}
    if receiver.secret_env:
        key = _read_variable(receiver, receiver.secret_env).encode()
        headers[SIGNATURE] = f"sha256={hmac.new(key, body, hashlib.sha256).hexdigest()}"
    return Request(_read_url(receiver), data=body, headers=headers, method="POST")  # noqa: S310 - http(s) only, see there


def _read_url(receiver: Receiver) -> str:
    url = (receiver.url or _read_variable(receiver, receiver.url_env)).strip()
    # What is wrong with it is not said: the whole address may be a secret, and the libraries' complaints quote it.
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not _SHOWN_IN_ASCII.fullmatch(url):
        raise _undelivered(receiver, "its address is not one of http or https, without a user's name or a space in it")
    return url


def _read_variable(receiver: Receiver, name: str) -> str:
    if value := os.environ.get(name):
        return value
    raise _undelivered(receiver, f"the environment variable {name} is not set")


def _post_patiently(request: Request, receiver: Receiver, deadline: float) -> str:
    """Send until it is taken, refused for good, or time is up; pauses double, with a random part against stampedes."""
    pause = _FIRST_PAUSE_S
    while True:
        try:
            return _within(deadline, receiver, lambda: _post(request, receiver, deadline))
        except UndeliveredError as error:
            wait = pause * SystemRandom().uniform(0.5, 1.0)
            if not error.again or time.monotonic() + wait >= deadline:
                raise
        time.sleep(wait)
        pause = min(2 * pause, _LONGEST_PAUSE_S)


class _NoRedirect(HTTPRedirectHandler):
    """Takes a redirect for an answer: what is signed for one address goes to no other."""

    def redirect_request(self, *_: Any) -> None:
        """Follow nothing."""


def _post(request: Request, receiver: Receiver, deadline: float) -> str:
    left = max(0.01, min(receiver.timeout_s, deadline - time.monotonic()))
    try:
        with build_opener(_NoRedirect).open(request, timeout=left) as answer:
            return f"answered {answer.status}"
    except HTTPError as error:
        error.close()
        again = error.code >= _SERVER_ERROR or error.code in _FOR_A_WHILE
        redirect = ", a redirect, which is not followed" if error.code < 400 else ""  # noqa: PLR2004 - HTTP
        raise _undelivered(receiver, f"it answered {error.code}{redirect}", again=again, refused=not again) from error
    except ValueError as error:  # of an address that cannot be used, which it would quote
        raise _undelivered(receiver, f"its address cannot be used ({type(error).__name__})") from error
    except (OSError, HTTPException) as error:
        said = f"{type(error).__name__}: {getattr(error, 'reason', error)}"
        raise _undelivered(receiver, said, again=True) from error


def _within(deadline: float, receiver: Receiver, action: Callable[[], str]) -> str:
    """Do something in a thread that is left behind when time is up: a slow name server knows no timeout."""
    done: list[str | BaseException] = []

    def run() -> None:
        try:
            done.append(action())
        except Exception as error:  # is raised below
            done.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if not done:
        raise _undelivered(receiver, f"it took longer than the limit of {receiver.limit_s:g} s")
    if isinstance(done[0], UndeliveredError):
        raise done[0]
    if isinstance(done[0], BaseException):
        raise _undelivered(receiver, f"{type(done[0]).__name__}: {done[0]}") from done[0]
    return done[0]


def _undelivered(receiver: Receiver, why: str, *, again: bool = False, refused: bool = False) -> UndeliveredError:
    error = UndeliveredError(
        show_plainly(why)[:200],
        where=f"receiver '{receiver.name}'",
        remedy="nothing is lost: the next run tries again; mend the receiver under monitoring.alerts",
    )
    error.again, error.refused = again, refused
    return error
