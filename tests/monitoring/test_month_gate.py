"""The gate of monitoring: the newest month of the version in production, or why nothing can be said."""

from __future__ import annotations

from typing import Any

import pytest

from rai_kedro.monitoring import Finding, Gap, MonitoringPolicy, MonthRecord, MonthVerdict, Timeline, ask_gate


def record(month: str, outcome: str, version: str = "1", **changes: Any) -> MonthRecord:
    weight = "passed" if outcome == "ok" else outcome
    said = [Finding(subject="performance", key="p", weight=weight, short="MAE", text=f"it is {outcome}", advice="look")]
    said += [Finding(subject="drift", key="no drift", weight="passed", short="no drift", text="no relevant drift")]
    verdict = MonthVerdict(outcome=outcome, findings=tuple(said))
    return MonthRecord(month=month, model_version=version, look=1, verdict=verdict, **changes)


def timeline(*months: MonthRecord, gaps: tuple[Gap, ...] = ()) -> Timeline:
    return Timeline(use_case="housing", policy=MonitoringPolicy(), months=months, gaps=gaps)


@pytest.mark.parametrize(
    ("outcome", "code", "findings"), [("ok", 0, 2), ("watch", 0, 1), ("alarm", 1, 1), ("insufficient_evidence", 2, 1)]
)
def test_the_newest_month_decides(outcome: str, code: int, findings: int) -> None:
    found = ask_gate(timeline(record("2024-04", "alarm"), record("2024-05", outcome)), "1")
    assert (found.outcome, found.exit_code, found.month, found.problems) == (outcome, code, "2024-05", ())
    assert found.findings[0].text == f"it is {outcome}"
    assert len(found.findings) == findings


@pytest.mark.parametrize(
    ("of", "production", "problem"),
    [
        (timeline(), "1", "no month was monitored yet"),
        (timeline(record("2024-05", "ok")), None, "no version is in production"),
        (timeline(record("2024-05", "ok")), "2", "was scored by version 1; version 2 is in production"),
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
