"""What stands in front of a viewer that itself answers anybody who reaches its port, and also deletes for them.

A web page that a person has open elsewhere may send requests to this machine, under a name of its own that it lets
point here (DNS rebinding). So only requests to our own address are answered, and only those that read. And what is
answered may load nothing from elsewhere: Kedro-Viz would ask Google for its letters.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]
Application: TypeAlias = Callable[[_Message, _Receive, _Send], Awaitable[None]]
"""An ASGI application."""

_READING = {"GET", "HEAD", "OPTIONS"}
_NAMES = ("127.0.0.1", "localhost")
_NOTHING_FROM_ELSEWHERE = b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'"


def guard(application: Application, port: int, *, reads_by_post: str = "(?!)") -> Application:
    """Put a guard in front of an application that is served on this machine.

    Args:
        application: What answers the requests that are let through.
        port: Where it is served.
        reads_by_post: Pattern of the paths whose POST requests only read; none by default.
    """
    hosts = {f"{name}:{port}" for name in _NAMES}

    async def guarded(scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] == "lifespan":
            await application(scope, receive, send)
        elif scope["type"] == "http":
            refusal = _refuse(scope, hosts, reads_by_post)
            await (application(scope, receive, _confined(send)) if refusal is None else _answer(refusal, send))
        # Anything else is a connection that stays open, which no viewer needs: it is closed unanswered.

    return guarded


def _refuse(scope: _Message, hosts: set[str], reads_by_post: str) -> tuple[HTTPStatus, str] | None:
    asked = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
    if len(asked) != 1 or asked[0] not in hosts:
        return HTTPStatus.FORBIDDEN, f"Only requests to {' and '.join(sorted(hosts))} are answered."
    method = scope["method"]
    if method in _READING or (method == "POST" and re.fullmatch(reads_by_post, scope["path"])):
        return None
    return HTTPStatus.METHOD_NOT_ALLOWED, "This page only shows; change things by `kedro rai`."


def _confined(send: _Send) -> _Send:
    async def confined(message: _Message) -> None:
        if message["type"] == "http.response.start":
            policy = (b"content-security-policy", _NOTHING_FROM_ELSEWHERE)
            message = {**message, "headers": [*message.get("headers", ()), policy]}
        await send(message)

    return confined


async def _answer(refusal: tuple[HTTPStatus, str], send: _Send) -> None:
    status, said = refusal
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", ", ".join(sorted(_READING)).encode()))
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": f"{said}\n".encode()})
