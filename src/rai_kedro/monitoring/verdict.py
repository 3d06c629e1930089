"""What a month comes to: ok, watch, alarm or insufficient evidence, with the reasons and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from rai_kedro.monitoring.outcomes import MONTH, Measured, MonthOutcome
from rai_kedro.monitoring.policy import MonitoringPolicy
from rai_kedro.monitoring.results import MonthDrift
from rai_kedro.months import say_period
from rai_kedro.typed import Typed
from rai_kedro.words import count_of, format_interval, format_number, in_words, list_some

MonthlyOutcome: TypeAlias = Literal["ok", "watch", "alarm", "insufficient_evidence"]
Weight: TypeAlias = Literal["alarm", "watch", "insufficient_evidence", "passed"]

EXIT_CODES: dict[MonthlyOutcome, int] = {"ok": 0, "watch": 0, "alarm": 1, "insufficient_evidence": 2}
_ORDER: tuple[Weight, ...] = ("alarm", "watch", "insufficient_evidence", "passed")
_COLUMNS_NAMED = 6


class Finding(Typed):
    """One thing to be said of a month.

    Attributes:
        subject: ``performance``, ``fairness``, ``drift`` or ``data``.
        key: What was found, the same in every month it is found: alarms are sent once for each.
        weight: What it makes of the month.
        short: What it is about, in a few words.
        text: The finding in one sentence.
        advice: What to do; empty where nothing is to be done.
    """

    subject: Literal["performance", "fairness", "drift", "data"]
    key: str
    weight: Weight
    short: str
    text: str
    advice: str = ""


class MonthVerdict(Typed):
    """What a month comes to, and why; the weightiest findings come first."""

    outcome: MonthlyOutcome
    findings: tuple[Finding, ...] = ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """The findings that made the outcome, in words."""
        wanted = "passed" if self.outcome == "ok" else self.outcome
        return tuple(one.text for one in self.findings if one.weight == wanted)


def judge_month(drift: MonthDrift | None, outcome: MonthOutcome | None, policy: MonitoringPolicy) -> MonthVerdict:
    """Weigh what was found in a month.

    A figure on labels, or of decisions, that is shown to lie beyond its limit is an alarm. An estimate of it is a
    reason to watch, since labels will settle it. Drift is what the policy says it is (``drift.means``); that drift
    cannot be ruled out counts only until labels show that the model still performs.
    """
    findings = [*_find_few_rows(outcome, policy), *_find_performance(outcome), *_find_fairness(outcome)]
    if drift is not None and not any(one.subject == "performance" for one in findings):
        findings.append(_UNKNOWN)  # what nobody looked at is not well
    performs = any(one.subject == "performance" and one.weight == "passed" and "labels" in one.key for one in findings)
    findings += _find_drift(drift, outcome, policy, performs=performs)
    month = outcome.month if outcome else drift.month if drift else ""
    findings = [one.model_copy(update={"advice": say_period(one.advice, month)}) for one in findings]
    findings.sort(key=lambda one: _ORDER.index(one.weight))
    worst = findings[0].weight if findings else "insufficient_evidence"
    return MonthVerdict(outcome="ok" if worst == "passed" else worst, findings=tuple(findings))


_UNKNOWN = Finding(
    subject="performance",
    key="performance is unknown",
    weight="insufficient_evidence",
    short="performance is unknown",
    text="performance could be neither measured on labels nor estimated without them",
    advice="wait for more labelled rows",
)
_WEIGHT: dict[str, Weight] = {"fail": "alarm", "pass": "passed", "insufficient_evidence": "insufficient_evidence"}


def _find_performance(outcome: MonthOutcome | None) -> Iterator[Finding]:
    judged = [] if outcome is None else [one for one in outcome.pick(subject="performance") if one.verdict]
    settled = any(one.basis == "labels" for one in judged)
    for one in judged:
        if one.basis == "estimate" and settled:
            continue
        weight = _WEIGHT[str(one.verdict)]
        if one.basis == "estimate":
            weight = "watch" if weight == "alarm" else "insufficient_evidence"
        yield Finding(
            subject="performance",
            key=f"performance {one.name} {one.kind} {one.basis}",
            weight=weight,
            short=f"{one.name}{' (estimated)' * (one.basis == 'estimate')}",
            text=_say_performance(one),
            advice=_ADVICE["performance", weight],
        )


def _find_fairness(outcome: MonthOutcome | None) -> Iterator[Finding]:
    if outcome is None:
        return
    for one in outcome.pick(subject="fairness"):
        if one.verdict:
            weight, scope = _WEIGHT[one.verdict], say_period(_SCOPES[one.scope], outcome.month)
            yield Finding(
                subject="fairness",
                key=f"fairness {one.name} {one.kind} {one.group} {one.scope}",
                weight=weight,
                short=f"{in_words(one.name)} of {one.group}",
                text=f"{in_words(one.name)} ({in_words(one.kind)}) of {one.group}, {scope}: "
                f"{format_interval(one)}, limit {format_number(one.limit)}: {_SAID[weight]}",
                advice=_ADVICE["fairness", weight],
            )


_SCOPES = {MONTH: "this month", "since approval": "since the approval"}
_SAID: dict[Weight, str] = {
    "alarm": "beyond the limit",
    "watch": "beyond the limit, as estimated",
    "insufficient_evidence": "the rows cannot tell",
    "passed": "within the limit",
}
_ADVICE: dict[tuple[str, Weight], str] = {
    ("performance", "alarm"): "look at what drifted; train on months that include the change, or stop using the model",
    ("performance", "watch"): "wait for the labels, or have a sample of rows labelled now",
    ("performance", "insufficient_evidence"): "wait for more labelled rows",
    ("performance", "passed"): "",
    ("fairness", "alarm"): "bring the case to the governance officer; compare mitigations in a new training",
    ("fairness", "insufficient_evidence"): "wait for more rows; verdicts since the approval gain with every month",
    ("fairness", "passed"): "",
}


def _say_performance(one: Measured) -> str:
    of = "estimated without labels" if one.basis == "estimate" else "on labels"
    if one.kind == "ratio":
        figure = f"{one.name} is {format_interval(one)} times the tested one ({of}), limit {format_number(one.limit)}"
    elif one.kind == "difference":
        figure = f"{word_change(one)} ({of}), limit {format_number(one.limit)}"
    else:
        figure = f"{one.name} {format_interval(one)} ({of}), floor {format_number(one.limit)}"
    said = _SAID[_WEIGHT[str(one.verdict)]]
    hedged = " as far as an estimate can tell" * (one.basis == "estimate" and one.verdict == "pass")
    return f"{figure}: {said}{hedged}"


def word_change(one: Measured) -> str:
    """Say how much a figure lost since the test, or gained, which is a loss below zero."""
    if one.value is None or one.value >= 0:
        return f"{one.name} lost {format_interval(one)} since the test"
    ends = {"lower": None if one.upper is None else -one.upper, "upper": None if one.lower is None else -one.lower}
    return f"{one.name} gained {format_interval(one.model_copy(update={'value': -one.value, **ends}))} since the test"


def _find_few_rows(outcome: MonthOutcome | None, policy: MonitoringPolicy) -> Iterator[Finding]:
    if outcome is not None and outcome.rows < policy.drift.min_rows:
        rows, least = count_of(outcome.rows, "row"), policy.drift.min_rows
        yield Finding(
            subject="data",
            key="too few rows",
            weight="insufficient_evidence",
            short=f"{rows}, at least {least} are needed",
            text=say_period(
                f"the month has {rows}; fewer than {least} can show neither drift nor how the model performs",
                outcome.month,
            ),
            advice="deliver all its rows",
        )


def _find_drift(
    drift: MonthDrift | None, outcome: MonthOutcome | None, policy: MonitoringPolicy, *, performs: bool
) -> Iterator[Finding]:
    if drift is None:
        return
    columns = [*drift.columns, *(outcome.label_drift if outcome else ())]
    drifted = list(dict.fromkeys(one.column for one in columns if one.drifted))
    for name in drifted:
        worst = max((one for one in columns if one.column == name and one.drifted), key=lambda one: one.value or 0.0)
        yield Finding(
            subject="drift",
            key=f"drift {name}",
            weight=policy.drift.means,
            short=name,
            text=f"{worst.label} drifted: {format_interval(worst)} of the rows, margin {format_number(worst.margin)}",
            advice="find out whether the world or the recording of it changed",
        )
    open_ = list(dict.fromkeys(one.column for one in columns if one.verdict == "insufficient_evidence"))
    open_ = [name for name in open_ if name not in drifted]
    if open_:
        named = list_some(open_, _COLUMNS_NAMED)
        yield Finding(
            subject="drift",
            key="drift cannot be ruled out",
            weight="passed" if performs else "insufficient_evidence",
            short="drift cannot be ruled out",
            text=f"drift of more than the margin can be neither shown nor ruled out in {named}",
            advice="a larger reference, or more rows a month, would tell",
        )
    if not drifted and not open_:
        yield Finding(
            subject="drift", key="no drift", weight="passed", short="no drift", text="no relevant drift in any column"
        )
