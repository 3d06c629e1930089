"""Alerts on their way: kept until they are delivered, at least once, to every receiver.

The state is a file of JSON lines that only grows: what was raised, and for which receivers, is on disk before anything
is sent; what became of each try is added after it. A run that is killed in between sends again what it cannot know to
have arrived, under the same ``id``.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from rai_kedro.files import append_line, locked
from rai_kedro.monitoring.alerts import Alert
from rai_kedro.monitoring.receivers import Receiver, UndeliveredError, send
from rai_kedro.typed import Typed

_LOCK_WAIT_S = 5.0
MOST_REFUSALS = 5
"""Runs after which an alert that a receiver answers with a refusal is not sent to it again."""


class Raised(Typed):
    """An alert, for whom it is, in which environment, and when it was raised (UTC, ISO 8601)."""

    event: Literal["raised"] = "raised"
    at: str
    alert: Alert
    receivers: tuple[str, ...]
    environment: str = ""


class Attempt(Typed):
    """What became of an alert at a receiver; ``status`` is its answer, or why it did not take it.

    ``refused``: it answered, and no repetition will change that.
    """

    event: Literal["delivered", "not delivered"]
    at: str
    id: str
    receiver: str
    status: str
    refused: bool = False
    environment: str = ""


class Delivery(Typed):
    """What a run delivered and what it did not; what waits is tried again by the next.

    Attributes:
        waiting: Deliveries that still have to be made, those not tried for want of time included.
        given_up: Deliveries that are not tried again, since the receiver refused them :data:`MOST_REFUSALS` times.
        unreadable: Lines of the state that could not be read; what they told of may be sent twice.
    """

    attempts: tuple[Attempt, ...] = ()
    waiting: int = 0
    given_up: int = 0
    unreadable: int = 0

    @property
    def failures(self) -> tuple[Attempt, ...]:
        """Tries that did not succeed."""
        return tuple(one for one in self.attempts if one.event != "delivered")


_LINE: TypeAdapter[Raised | Attempt] = TypeAdapter(Annotated[Raised | Attempt, Field(discriminator="event")])


def read_alerts(state_path: Path, environment: str = "") -> list[Alert]:
    """Return every alert that was raised before in an environment, delivered or not."""
    return [one.alert for one in _read(state_path, environment)[0] if isinstance(one, Raised)]


def deliver(
    alerts: Sequence[Alert], receivers: Sequence[Receiver], state_path: Path, now: datetime, environment: str = ""
) -> Delivery:
    """Send new alerts, and those that wait, to every receiver, each within its own limit of time.

    A receiver that does not answer is left alone until the next run; an alert that it refuses is given up after
    :data:`MOST_REFUSALS` runs. Alerts raised before a receiver was configured are not sent to it. Each environment has
    receivers of its own, and what one of them was told, those of another were not.

    Args:
        alerts: New ones; what was raised before under the same ``id`` is not raised again.
        receivers: All that are configured.
        state_path: Where the state is kept.
        now: The moment, with its time zone.
        environment: In which environment; what others raised and delivered is left aside.

    Raises:
        LockedError: Another run is delivering.
        OSError: The state cannot be written; nothing was sent then.
    """
    at = now.isoformat(timespec="seconds")
    with locked(state_path.with_name(f".{state_path.name}.lock"), wait=_LOCK_WAIT_S):
        events, unreadable = _read(state_path, environment)
        known = {one.alert.id for one in events if isinstance(one, Raised)}
        names = tuple(one.name for one in receivers)
        # What nobody was there to be told of stays new.
        new = [
            Raised(at=at, alert=one, receivers=names, environment=environment)
            for one in alerts
            if names and one.id not in known
        ]
        for one in new:
            append_line(state_path, one.model_dump_json())
        events = [*events, *new]
        attempts = list[Attempt]()
        for receiver in receivers:
            attempts += _serve(receiver, _wait_for(receiver, events)[0], state_path, at, environment)
        left = [_wait_for(receiver, [*events, *attempts]) for receiver in receivers]
    waiting, given_up = (sum(map(len, found)) for found in zip(*left, strict=True)) if left else (0, 0)
    return Delivery(attempts=tuple(attempts), waiting=waiting, given_up=given_up, unreadable=unreadable)


def _read(path: Path, environment: str) -> tuple[list[Raised | Attempt], int]:
    """Read the state of an environment, and count lines that cannot be read, such as one that a kill cut off.

    What was written before environments were told apart is everybody's.
    """
    events, unreadable = list[Raised | Attempt](), 0
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            one = _LINE.validate_json(line)
        except ValidationError:
            unreadable += 1
            continue
        events += [one] if one.environment in ("", environment) else []
    return events, unreadable


def _wait_for(receiver: Receiver, events: Iterable[Raised | Attempt]) -> tuple[list[Alert], list[Alert]]:
    """Return what is still to be delivered to a receiver, oldest first, and what it refused too often."""
    events = list(events)
    tries = [one for one in events if isinstance(one, Attempt) and one.receiver == receiver.name]
    done = {one.id for one in tries if one.event == "delivered"}
    refused = Counter(one.id for one in tries if one.refused)
    raised = [one.alert for one in events if isinstance(one, Raised) and receiver.name in one.receivers]
    raised = [one for one in raised if one.id not in done]
    given_up = [one for one in raised if refused[one.id] >= MOST_REFUSALS]
    return [one for one in raised if one not in given_up], given_up


def _serve(receiver: Receiver, alerts: Iterable[Alert], state_path: Path, at: str, environment: str) -> list[Attempt]:
    deadline, attempts = time.monotonic() + receiver.limit_s, list[Attempt]()
    for alert in alerts:
        event: Literal["delivered", "not delivered"] = "delivered"
        gone = refused = False
        try:
            status = send(alert, receiver, deadline, at)
        except UndeliveredError as error:
            event, status, gone = "not delivered", error.what, error.again or time.monotonic() >= deadline
            refused = error.refused
        attempts.append(
            Attempt(
                event=event,
                at=at,
                id=alert.id,
                receiver=receiver.name,
                status=status,
                refused=refused,
                environment=environment,
            )
        )
        append_line(state_path, attempts[-1].model_dump_json())
        if gone:  # what was not taken in all that time is not to be expected of the next alert
            break
    return attempts
