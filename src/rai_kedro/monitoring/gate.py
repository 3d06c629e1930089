"""What the newest month says of the version in production: one answer for terminal, program and exit code."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias

from rai_kedro.frames import Store
from rai_kedro.monitoring.alerts import standing_alarms
from rai_kedro.monitoring.outcomes import read_outcome
from rai_kedro.monitoring.policy import MonitoringPolicy
from rai_kedro.monitoring.results import from_frame
from rai_kedro.monitoring.timeline import Gap, MonthRecord, Timeline
from rai_kedro.monitoring.verdict import EXIT_CODES, Finding, MonthlyOutcome, MonthVerdict, judge_month
from rai_kedro.months import say_period
from rai_kedro.typed import Typed
from rai_kedro.words import in_words

MonthGateOutcome: TypeAlias = MonthlyOutcome | Literal["could_not_be_evaluated"]
_NOT_EVALUATED = 3
_GAPS_NAMED = 3


class MonthGate(Typed):
    """The verdict of the newest month, or why there is none.

    Attributes:
        findings: What made the outcome.
        problems: Why the gate could not be evaluated.
        notes: What was passed over before that month and decides nothing: months without rows, or that never came.
    """

    use_case: str
    outcome: MonthGateOutcome
    month: str = ""
    model_version: str = ""
    findings: tuple[Finding, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 for ok and watch, 1 for an alarm, 2 for insufficient evidence, 3 where it could not be evaluated."""
        return _NOT_EVALUATED if self.outcome == "could_not_be_evaluated" else EXIT_CODES[self.outcome]


class StoredMonths(NamedTuple):
    """What the timeline was made from, by partition keys ``month=YYYY-MM/model_version=N``."""

    policy: MonitoringPolicy
    predictions: Iterable[str]
    drift: Store
    outcomes: Store


def find_contradictions(timeline: Timeline, stored: StoredMonths) -> list[str]:
    """Say where the timeline is not what the stores and the policy come to now: it was edited, or is out of date.

    Every month is judged anew. That says nothing of stores that were edited as well: nothing signs them.
    """
    records = {f"month={one.month}/model_version={one.model_version}": one for one in timeline.months}
    scored = set(stored.predictions)
    again = "; run the monitoring again"
    found = [f"{key} is scored and not in the timeline{again}" for key in sorted(scored - set(records))]
    found += [f"{key} is in the timeline and not scored{again}" for key in sorted(set(records) - scored)]
    for key in (key for key in records if key in scored):
        record = records[key]
        drift = from_frame(stored.drift[key]()) if key in stored.drift else None
        outcome = read_outcome(stored.outcomes[key]()) if key in stored.outcomes else None
        now = judge_month(drift, outcome, stored.policy)
        kept = {(one.key, one.weight) for one in record.verdict.findings}
        if now.outcome != record.verdict.outcome or not {(one.key, one.weight) for one in now.findings} <= kept:
            said, says = in_words(record.verdict.outcome), in_words(now.outcome)
            found.append(f"{record.month}: the timeline says {said}, what is stored comes to {says}{again}")
    return found


def ask_gate(
    timeline: Timeline, production: str | None, waiting: Iterable[str] = (), contradictions: Iterable[str] = ()
) -> MonthGate:
    """Answer by the newest month, and by alarms of earlier ones as :func:`weigh_newest` does.

    It could not be evaluated where that month is of another version, its features changed since, or it, or a later
    one, is broken: no silence counts as good news. A later month without rows, and an earlier one that is broken, leave
    the answer open: insufficient evidence. Earlier ones without rows, or that never came, hold nothing up for good.

    Args:
        timeline: The months that were monitored.
        production: The version in production.
        waiting: Months that have features; those after the last of the timeline are named.
        contradictions: What :func:`find_contradictions` found.
    """
    newest = timeline.months[-1] if timeline.months else None
    reached = newest.month if newest else ""
    broken = [gap for gap in timeline.gaps if gap.broken and gap.month >= reached]
    problems = [*contradictions, *(f"{_word_gap(gap)}; mend it, and run the monitoring again" for gap in broken)]
    # Earlier ones may be left out on purpose.
    last = max([*(one.month for one in timeline.months), *(gap.month for gap in timeline.gaps)], default="")
    run = f"kedro run --pipelines {timeline.use_case}.monitoring"
    problems += [f"{month} was not monitored yet: {run}" for month in sorted(waiting) if month > last]
    if production is None:
        problems.append(
            f"no version is in production: have one approved, kedro rai status --use-case {timeline.use_case}"
        )
    if newest is None:
        return _closed(timeline, [*problems, f"no {timeline.period} was monitored yet: {run}"])
    again = f"kedro rai rescore --use-case {timeline.use_case} --month {newest.month}"
    if production not in (None, newest.model_version):
        scored = f"{newest.month}, the newest {timeline.period}, was scored by version {newest.model_version}"
        problems.append(
            f"{scored}; version {production} is in production: ask again when it has scored the next "
            f"{timeline.period}, or have it score this one: {again}"
        )
    if newest.stale:
        problems.append(f"{newest.month} is stale: {newest.stale}; score it again: {again}")
    if problems:
        return _closed(timeline, problems, newest)
    outcome, findings = weigh_newest(timeline)
    return MonthGate(
        use_case=timeline.use_case,
        outcome=outcome,
        month=newest.month,
        model_version=newest.model_version,
        findings=findings,
        notes=tuple(_word_gap(gap) for gap in timeline.gaps if not (gap.broken or gap.month > reached)),
    )


def _word_gap(gap: Gap) -> str:
    return f"{gap.month} {gap.missing}: {gap.reason}"


def weigh_newest(timeline: Timeline) -> tuple[MonthlyOutcome, tuple[Finding, ...]]:
    """Return what the newest month comes to, and why.

    An alarm of an earlier month of its version stands until a later month says otherwise: labels come late, so that the
    newest month often has none, and what they show is found in months before it. Where nothing is worse, a month that
    is broken, or came after it without rows or not at all, is insufficient evidence.
    """
    newest = timeline.months[-1]
    standing = standing_alarms(timeline.of_version(newest.model_version))
    if not standing:
        gaps = [gap for gap in timeline.gaps if gap.broken or gap.month > newest.month]
        open_ = tuple(map(_find_gap, gaps[:_GAPS_NAMED]))
        if len(gaps) > _GAPS_NAMED:
            more = f"{open_[-1].text}; and {len(gaps) - _GAPS_NAMED} more, the last of them {gaps[-1].month}"
            open_ = (*open_[:-1], open_[-1].model_copy(update={"text": more}))
        if not open_:
            return newest.verdict.outcome, decisive(newest.verdict)
        found = decisive(newest.verdict) if newest.verdict.outcome == "insufficient_evidence" else ()
        return "insufficient_evidence", (*found, *open_)
    return "alarm", tuple(
        found if record is newest else found.model_copy(update={"text": f"in {record.month}: {found.text}"})
        for record, found in standing
    )


def _find_gap(gap: Gap) -> Finding:
    return Finding(
        subject="data",
        key=f"{gap.month} {gap.missing}",
        weight="insufficient_evidence",
        short=f"{gap.month} {gap.missing}",
        text=_word_gap(gap),
        advice=say_period(
            "mend the month, or take it out of the store" if gap.broken else "deliver its rows", gap.month
        ),
    )


def _closed(timeline: Timeline, problems: list[str], newest: MonthRecord | None = None) -> MonthGate:
    return MonthGate(
        use_case=timeline.use_case,
        outcome="could_not_be_evaluated",
        month=newest.month if newest else "",
        model_version=newest.model_version if newest else "",
        problems=tuple(problems),
    )


def decisive(verdict: MonthVerdict) -> tuple[Finding, ...]:
    """Return the findings that made the outcome."""
    wanted = "passed" if verdict.outcome == "ok" else verdict.outcome
    return tuple(one for one in verdict.findings if one.weight == wanted)
