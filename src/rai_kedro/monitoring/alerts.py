"""What of the months somebody should hear about: every finding once, when it is new."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

from rai_kedro.monitoring.timeline import MonthRecord, Timeline
from rai_kedro.monitoring.verdict import Finding, MonthlyOutcome, Weight
from rai_kedro.months import Month
from rai_kedro.typed import Typed

AlertWeight: TypeAlias = Literal["alarm", "watch"]
_ABOVE: dict[AlertWeight, tuple[Weight, ...]] = {"alarm": ("alarm",), "watch": ("alarm", "watch")}


class Alert(Typed):
    """One new finding, as it is sent.

    Attributes:
        month: First month it was found in.
        outcome: What that month came to.
        weight: What the finding makes of the month.
        key: What was found, the same in every month it is found.
        link: Path of the page to look at.
    """

    use_case: str
    month: Month
    model_version: str
    outcome: MonthlyOutcome
    weight: AlertWeight
    key: str
    text: str
    advice: str = ""
    link: str = ""

    @property
    def id(self) -> str:
        """The same whenever this is sent, so that a receiver can tell a repetition."""
        parts = (self.use_case, self.model_version, self.key, self.weight, self.month)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    @property
    def payload(self) -> dict[str, Any]:
        """What a program is sent."""
        return {"id": self.id, **self.to_dict()}


def new_findings(timeline: Timeline, sent: Iterable[Alert] = (), *, min_weight: AlertWeight = "alarm") -> list[Alert]:
    """Return an alert for every finding that nobody was told of yet, in the order of the months.

    A finding that lasts is one, told with the first month it was found in, and told again only if it became weightier.
    It has ended when a month showed that it is over; if it comes back, that is another. A month that says nothing of
    it, because its rows cannot tell, labels are missing or the error budget is spent, ends nothing. Months that were
    scored or measured again are told of only where that found something else.

    Args:
        timeline: All months of the use case.
        sent: What was told of before.
        min_weight: ``alarm``, or ``watch`` for both.
    """
    told = list(sent)
    found = []
    for version in dict.fromkeys(one.model_version for one in timeline.months):
        months = timeline.of_version(version)
        for key in _keys(months):
            for stretch in _split(months, key, _ABOVE[min_weight]):
                record, finding = _first_weightiest(stretch, key, _ABOVE[min_weight])
                alert = _alert_of(timeline.use_case, record, finding)
                if not _was_told(alert, [one.month for one in stretch], told):
                    found.append(alert)
    return sorted(found, key=lambda one: (one.month, one.weight))


def standing_alarms(months: Sequence[MonthRecord]) -> list[tuple[MonthRecord, Finding]]:
    """Return every alarm that no later month spoke against, with the newest month it was found in, newest first.

    Args:
        months: Months of one model version, in order.
    """
    found = []
    for key in _keys(months):
        stretches = list(_split(months, key, ("alarm",)))
        if stretches and stretches[-1][-1] is months[-1]:
            found.append(_showing(stretches[-1], key, ("alarm",))[-1])
    return sorted(found, key=lambda pair: pair[0].month, reverse=True)


def _keys(months: Sequence[MonthRecord]) -> list[str]:
    return list(dict.fromkeys(finding.key for one in months for finding in one.verdict.findings))


def _find(record: MonthRecord, key: str) -> Finding | None:
    return next((one for one in record.verdict.findings if one.key == key), None)


def _split(months: Sequence[MonthRecord], key: str, heavy: tuple[Weight, ...]) -> Iterator[list[MonthRecord]]:
    """Yield the months through which a finding lasted, those in between included that say nothing of it."""
    stretch: list[MonthRecord] = []
    for record in months:
        finding = _find(record, key)
        # Rows that cannot tell do not say that it is over.
        open_ = (*heavy, "insufficient_evidence")
        ended = finding.weight not in open_ if finding else key in _looked_for(record)
        if not ended:
            stretch.append(record)
            continue
        yield from [stretch] if _showing(stretch, key, heavy) else []
        stretch = []
    yield from [stretch] if _showing(stretch, key, heavy) else []


def _showing(months: Sequence[MonthRecord], key: str, heavy: tuple[Weight, ...]) -> list[tuple[MonthRecord, Finding]]:
    """Return the months that show a finding, with it."""
    pairs = ((record, _find(record, key)) for record in months)
    return [(record, finding) for record, finding in pairs if finding and finding.weight in heavy]


def _looked_for(record: MonthRecord) -> set[str]:
    """Return the keys of drift that the month would have if there was any; other findings are in it either way."""
    features = record.drift.columns if record.drift else ()
    labels = record.outcome.label_drift if record.outcome else ()
    return {f"drift {one.column}" for one in (*features, *labels)}


def _first_weightiest(
    stretch: Sequence[MonthRecord], key: str, heavy: tuple[Weight, ...]
) -> tuple[MonthRecord, Finding]:
    return min(
        _showing(stretch, key, heavy), key=lambda pair: (pair[1].weight, pair[0].month)
    )  # "alarm" comes before "watch"


def _alert_of(use_case: str, record: MonthRecord, finding: Finding) -> Alert:
    return Alert(
        use_case=use_case,
        month=record.month,
        model_version=record.model_version,
        outcome=record.verdict.outcome,
        weight="alarm" if finding.weight == "alarm" else "watch",
        key=finding.key,
        text=finding.text,
        advice=finding.advice,
    )


def _was_told(alert: Alert, months: Sequence[Month], told: Iterable[Alert]) -> bool:
    return any(
        (one.use_case, one.model_version, one.key) == (alert.use_case, alert.model_version, alert.key)
        and one.month in months
        and one.weight in ("alarm", alert.weight)
        for one in told
    )
