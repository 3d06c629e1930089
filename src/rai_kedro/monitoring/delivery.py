"""Alerts on their way: kept until they are delivered, at least once, to every receiver.

The state is a file of JSON lines that only grows: what was raised, and for which receivers, is on disk before anything
is sent; what became of each try is added after it. A run that is killed in between sends again what it cannot know to
have arrived, under the same ``id``.
"""

from __future__ import annotations

import time
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


class Raised(Typed):
    """An alert, for whom it is, and when it was raised (UTC, ISO 8601)."""

    event: Literal["raised"] = "raised"
    at: str
    alert: Alert
    receivers: tuple[str, ...]


class Attempt(Typed):
    """What became of an alert at a receiver; ``status`` is its answer, or why it did not take it."""

    event: Literal["delivered", "not delivered"]
    at: str
    id: str
    receiver: str
    status: str


class Delivery(Typed):
    """What a run delivered and what it did not; what waits is tried again by the next.

    Attributes:
        waiting: Deliveries that still have to be made, those not tried for want of time included.
        unreadable: Lines of the state that could not be read; what they told of may be sent twice.
    """

    attempts: tuple[Attempt, ...] = ()
    waiting: int = 0
    unreadable: int = 0

    @property
    def failures(self) -> tuple[Attempt, ...]:
        """Tries that did not succeed."""
        return tuple(one for one in self.attempts if one.event != "delivered")


_LINE: TypeAdapter[Raised | Attempt] = TypeAdapter(Annotated[Raised | Attempt, Field(discriminator="event")])


def read_alerts(state_path: Path) -> list[Alert]:
    """Return every alert that was raised before, delivered or not."""
    return [one.alert for one in _read(state_path)[0] if isinstance(one, Raised)]


def deliver(alerts: Sequence[Alert], receivers: Sequence[Receiver], state_path: Path, now: datetime) -> Delivery:
    """Send new alerts, and those that wait, to every receiver, each within its own limit of time.

    A receiver that does not answer is left alone until the next run. Alerts raised before a receiver was configured
    are not sent to it.

    Args:
        alerts: New ones; what was raised before under the same ``id`` is not raised again.
        receivers: All that are configured.
        state_path: Where the state is kept.
        now: The moment, with its time zone.

    Raises:
        LockedError: Another run is delivering.
        OSError: The state cannot be written; nothing was sent then.
    """
    at = now.isoformat(timespec="seconds")
    with locked(state_path.with_name(f".{state_path.name}.lock"), wait=_LOCK_WAIT_S):
        events, unreadable = _read(state_path)
        known = {one.alert.id for one in events if isinstance(one, Raised)}
        names = tuple(one.name for one in receivers)
        # What nobody was there to be told of stays new.
        new = [Raised(at=at, alert=one, receivers=names) for one in alerts if names and one.id not in known]
        for one in new:
            append_line(state_path, one.model_dump_json())
        events = [*events, *new]
        attempts = list[Attempt]()
        for receiver in receivers:
            attempts += _serve(receiver, _wait_for(receiver, events), state_path, at)
        waiting = sum(len(_wait_for(receiver, [*events, *attempts])) for receiver in receivers)
    return Delivery(attempts=tuple(attempts), waiting=waiting, unreadable=unreadable)


def _read(path: Path) -> tuple[list[Raised | Attempt], int]:
    """Read the state, and count lines that cannot be read, such as one that a kill cut off."""
    events, unreadable = list[Raised | Attempt](), 0
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            events.append(_LINE.validate_json(line))
        except ValidationError:
            unreadable += 1
    return events, unreadable


def _wait_for(receiver: Receiver, events: Iterable[Raised | Attempt]) -> list[Alert]:
    """Return what is still to be delivered to a receiver, oldest first."""
    events = list(events)
    done = {
        one.id
        for one in events
        if isinstance(one, Attempt) and one.event == "delivered" and one.receiver == receiver.name
    }
    raised = [one for one in events if isinstance(one, Raised) and receiver.name in one.receivers]
    return [one.alert for one in raised if one.alert.id not in done]


def _serve(receiver: Receiver, alerts: Iterable[Alert], state_path: Path, at: str) -> list[Attempt]:
    deadline, attempts = time.monotonic() + receiver.limit_s, list[Attempt]()
    for alert in alerts:
        event: Literal["delivered", "not delivered"] = "delivered"
        gone = False
        try:
            status = send(alert, receiver, deadline, at)
        except UndeliveredError as error:
            event, status, gone = "not delivered", error.what, error.again or time.monotonic() >= deadline
        attempts.append(Attempt(event=event, at=at, id=alert.id, receiver=receiver.name, status=status))
        append_line(state_path, attempts[-1].model_dump_json())
        if gone:  # what was not taken in all that time is not to be expected of the next alert
            break
    return attempts
