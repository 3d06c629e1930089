"""The gate of monitoring: the newest month of the version in production, or why nothing can be said."""

from __future__ import annotations

from typing import Any

import pytest

from rai_kedro.errors import RaiError
from rai_kedro.monitoring import (
    ColumnDrift,
    DriftPolicy,
    Finding,
    Gap,
    MonitoringPolicy,
    MonthDrift,
    MonthRecord,
    MonthVerdict,
    StoredMonths,
    Timeline,
    ask_gate,
    drift_frame,
    find_contradictions,
    from_frame,
    judge_month,
)


def record(month: str, outcome: str, version: str = "1", **changes: Any) -> MonthRecord:
    weight = "passed" if outcome == "ok" else outcome
    said = [Finding(subject="performance", key="p", weight=weight, short="MAE", text=f"it is {outcome}", advice="look")]
    said += [Finding(subject="drift", key="no drift", weight="passed", short="no drift", text="no relevant drift")]
    verdict = MonthVerdict(outcome=outcome, findings=tuple(said))
    return MonthRecord(month=month, model_version=version, look=1, verdict=verdict, **changes)


def timeline(*months: MonthRecord, gaps: tuple[Gap, ...] = ()) -> Timeline:
    return Timeline(use_case="housing", policy=MonitoringPolicy(), months=months, gaps=gaps)


@pytest.mark.parametrize(("outcome", "code", "findings"), [("ok", 0, 2), ("watch", 0, 1), ("alarm", 1, 1)])
def test_the_newest_month_decides(outcome: str, code: int, findings: int) -> None:
    found = ask_gate(timeline(record("2024-04", "alarm"), record("2024-05", outcome)), "1")
    assert (found.outcome, found.exit_code, found.month, found.problems) == (outcome, code, "2024-05", ())
    assert found.findings[0].text == f"it is {outcome}"
    assert len(found.findings) == findings


def test_rows_that_cannot_tell_end_no_alarm() -> None:
    found = ask_gate(timeline(record("2024-04", "alarm"), record("2024-05", "insufficient_evidence")), "1")
    assert (found.outcome, found.exit_code, found.month) == ("alarm", 1, "2024-05")
    assert found.findings[0].text == "in 2024-04: it is alarm"
    alone = ask_gate(timeline(record("2024-05", "insufficient_evidence")), "1")
    assert (alone.outcome, alone.exit_code) == ("insufficient_evidence", 2)


@pytest.mark.parametrize(
    ("of", "production", "problem"),
    [
        (timeline(), "1", "no month was monitored yet"),
        (timeline(record("2024-05", "ok")), None, "no version is in production"),
        (
            timeline(record("2024-05", "ok")),
            "2",
            "version 2 is in production: ask again when it has scored the next month, or have it "
            "score this one: kedro rai rescore --use-case housing --month 2024-05",
        ),
        (timeline(record("2024-05", "ok", stale="it changed")), "1", "2024-05 is stale: it changed"),
        (
            timeline(record("2024-05", "ok"), gaps=(Gap(month="2024-06", missing="not scored", reason="no rows"),)),
            "1",
            "2024-06 not scored: no rows",
        ),
    ],
)
def test_no_silence_is_good_news(of: Timeline, production: str | None, problem: str) -> None:
    found = ask_gate(of, production)
    assert (found.outcome, found.exit_code, found.findings) == ("could_not_be_evaluated", 3, ())
    assert any(problem in one for one in found.problems)


def gap(month: str, *, broken: bool) -> Gap:
    return Gap(month=month, missing="not scored", reason="why", broken=broken)


@pytest.mark.parametrize(
    ("at", "broken", "code"),
    [
        ("2024-03", False, 0),  # a month that never came, or had no row, holds nothing up for good
        ("2024-03", True, 2),  # what is broken may hide an alarm
        ("2024-06", False, 2),
        ("2024-06", True, 3),
    ],
)
def test_a_gap_leaves_the_answer_open_only_where_it_matters(at: str, broken: bool, code: int) -> None:
    found = ask_gate(timeline(record("2024-05", "ok"), gaps=(gap(at, broken=broken),)), "1")
    assert found.exit_code == code
    said = [*found.notes, *(one.text for one in found.findings), *found.problems]
    assert any(one.startswith(f"{at} not scored: why") for one in said)
    alarm = ask_gate(timeline(record("2024-05", "alarm"), gaps=(gap("2024-03", broken=broken),)), "1")
    assert alarm.exit_code == 1


def labelled(month: str, weight: str, version: str = "1") -> MonthRecord:
    """A month whose labels say something of accuracy, which a month without labels does not."""
    said = Finding(subject="performance", key="on labels", weight=weight, short="accuracy", text=f"it is {weight}")
    verdict = MonthVerdict(outcome="ok" if weight == "passed" else weight, findings=(said,))
    return MonthRecord(month=month, model_version=version, look=1, verdict=verdict)


def test_an_alarm_that_late_labels_raised_stands_until_labels_say_otherwise() -> None:
    silent = record("2024-06", "ok")
    found = ask_gate(timeline(labelled("2024-05", "alarm"), silent), "1")
    assert (found.outcome, found.exit_code, found.month) == ("alarm", 1, "2024-06")
    assert [one.text for one in found.findings] == ["in 2024-05: it is alarm"]
    mended = timeline(labelled("2024-04", "alarm"), labelled("2024-05", "passed"), silent)
    assert ask_gate(mended, "1").outcome == "ok"
    replaced = timeline(labelled("2024-05", "alarm", "1"), record("2024-06", "ok", "2"))
    assert ask_gate(replaced, "2").outcome == "ok"


def test_a_month_that_was_not_monitored_yet_is_named() -> None:
    gap = Gap(month="2024-06", missing="not scored", reason="no rows")
    known = timeline(record("2024-05", "ok"), gaps=(gap,))
    found = ask_gate(known, "1", ["2024-05", "2024-06", "2024-07"])
    assert found.problems == (
        "2024-06 not scored: no rows; mend it, and run the monitoring again",
        "2024-07 was not monitored yet: kedro run --pipelines housing.monitoring",
    )
    assert ask_gate(timeline(record("2024-05", "ok")), "1", ["2024-05"]).exit_code == 0


def drifted(verdict: str) -> MonthDrift:
    entry = ColumnDrift(
        column="AGE", kind="numerical", method="ks", p_value=None, margin=0.1, verdict=verdict, n=100, n_reference=100,
        value=0.5, lower=0.3, upper=0.7, level=0.99,
    )  # fmt: skip
    return MonthDrift(columns=(entry,), rate=0.05, comparisons=1, margin=0.1, month="2024-05", model_version="1")


KEY = "month=2024-05/model_version=1"


def stored(policy: MonitoringPolicy, *keys: str) -> StoredMonths:
    return StoredMonths(policy, keys, {KEY: lambda: drift_frame(drifted("drift"))}, {})


def test_a_timeline_that_is_not_what_is_stored_opens_no_gate() -> None:
    alarms = MonitoringPolicy(drift=DriftPolicy(means="alarm"))
    genuine = record("2024-05", "alarm").model_copy(update={"verdict": judge_month(drifted("drift"), None, alarms)})
    assert find_contradictions(timeline(genuine), stored(alarms, KEY)) == []
    for edited, policy, keys, problem in (
        (timeline(record("2024-05", "ok")), alarms, [KEY], "the timeline says ok, what is stored comes to alarm"),
        (timeline(genuine), MonitoringPolicy(), [KEY], "says alarm, what is stored comes to watch"),
        (timeline(genuine), alarms, [KEY, "month=2024-06/model_version=1"], "is scored and not in the timeline"),
        (timeline(genuine), alarms, [], "is in the timeline and not scored"),
    ):
        found = find_contradictions(edited, stored(policy, *keys))
        assert problem in found[0]
        assert ask_gate(edited, "1", contradictions=found).exit_code == 3


def test_a_stored_verdict_that_does_not_follow_from_its_interval_is_refused() -> None:
    with pytest.raises(RaiError, match="AGE does not follow from its interval"):
        from_frame(drift_frame(drifted("no_relevant_drift")))
