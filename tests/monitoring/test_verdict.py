"""What a month comes to, from what was measured in it."""

from __future__ import annotations

from typing import Any

import pytest

from rai_kedro.errors import RaiError
from rai_kedro.monitoring import (
    ColumnDrift,
    Gap,
    Measured,
    MonitoringPolicy,
    MonthDrift,
    MonthOutcome,
    MonthRecord,
    Timeline,
    build_timeline,
    judge_month,
)
from rai_kedro.monitoring.verdict import EXIT_CODES, word_change

POLICY = MonitoringPolicy()


def column(name: str, verdict: str, value: float = 0.3) -> ColumnDrift:
    """One comparison of a column."""
    return ColumnDrift(
        column=name,
        kind="numerical",
        method="ks",
        p_value=0.5,
        margin=0.1,
        verdict=verdict,  # type: ignore[arg-type]
        n_reference=100,
        n=100,
        value=value,
        lower=value - 0.1,
        upper=value + 0.1,
    )


def drift(*columns: ColumnDrift, month: str = "2024-05") -> MonthDrift:
    """The drift of a month."""
    return MonthDrift(columns=columns, rate=0.001, comparisons=len(columns), margin=0.1, month=month, model_version="1")


def outcome(*figures: Measured, month: str = "2024-05", labelled: int = 100, **more: Any) -> MonthOutcome:
    """What was measured of a month."""
    return MonthOutcome(month=month, model_version="1", look=1, rows=100, labelled=labelled, figures=figures, **more)


def loss(verdict: str, basis: str = "labels", value: float = 1.5) -> Measured:
    """The judged change of the performance."""
    return Measured(
        subject="performance",
        name="MAE",
        kind="ratio",
        basis=basis,  # type: ignore[arg-type]
        value=value,
        lower=value - 0.1,
        upper=value + 0.1,
        limit=1.25,
        verdict=verdict,  # type: ignore[arg-type]
    )


def gap(verdict: str) -> Measured:
    """A judged disparity."""
    return Measured(
        subject="fairness",
        name="statistical_parity",
        kind="ratio",
        group="race",
        limit=0.8,
        verdict=verdict,  # type: ignore[arg-type]
    )


CALM, SHIFTED, OPEN = (
    column("AGE", "no_relevant_drift", 0.01),
    column("NOX", "drift"),
    column("AGE", "insufficient_evidence"),
)


@pytest.mark.parametrize(
    ("found", "measured", "wanted"),
    [
        pytest.param(drift(CALM), outcome(loss("pass"), gap("pass")), "ok", id="all well"),
        pytest.param(drift(CALM), outcome(loss("fail")), "alarm", id="performance fell"),
        pytest.param(drift(CALM), outcome(loss("pass"), gap("fail")), "alarm", id="a group is treated worse"),
        pytest.param(drift(SHIFTED), outcome(loss("pass")), "watch", id="drift without harm"),
        pytest.param(drift(CALM), outcome(loss("fail", "estimate"), labelled=0), "watch", id="estimated loss"),
        pytest.param(drift(OPEN), outcome(loss("pass")), "ok", id="drift open, performance shown on labels"),
        pytest.param(drift(OPEN), outcome(loss("pass", "estimate")), "insufficient_evidence", id="only estimated"),
        pytest.param(drift(CALM), outcome(loss("insufficient_evidence")), "insufficient_evidence", id="few labels"),
        pytest.param(
            drift(CALM), outcome(loss("pass"), loss("fail", "estimate")), "ok", id="labels settle an estimate"
        ),
        pytest.param(drift(CALM), outcome(gap("pass")), "insufficient_evidence", id="performance unknown"),
        pytest.param(drift(CALM), None, "insufficient_evidence", id="not measured"),
        pytest.param(None, None, "insufficient_evidence", id="nothing is known"),
    ],
)
def test_what_a_month_comes_to(found: MonthDrift | None, measured: MonthOutcome | None, wanted: str) -> None:
    assert judge_month(found, measured, POLICY).outcome == wanted


def test_drift_is_an_alarm_where_the_policy_says_so() -> None:
    policy = POLICY.model_copy(update={"drift": POLICY.drift.model_copy(update={"means": "alarm"})})
    assert judge_month(drift(SHIFTED), outcome(loss("pass")), policy).outcome == "alarm"


def test_the_reason_says_what_where_and_by_which_limit_and_what_to_do() -> None:
    first = judge_month(drift(SHIFTED), outcome(loss("fail", value=4.4)), POLICY).findings[0]
    assert first.text == "MAE is 4.400 [4.300, 4.500] times the tested one (on labels), limit 1.25: beyond the limit"
    assert first.advice.startswith("look at what drifted")


def test_the_key_of_a_finding_is_the_same_in_every_month() -> None:
    keys = [
        judge_month(None, outcome(loss("fail", value=v), month=m), POLICY).findings[0].key
        for m, v in (("2024-05", 2.0), ("2024-06", 3.0))
    ]
    assert keys[0] == keys[1]


def test_an_alarm_alone_fails_a_gate() -> None:
    assert EXIT_CODES == {"ok": 0, "watch": 0, "alarm": 1, "insufficient_evidence": 2}


def timeline(**more: Any) -> Any:
    """A life of three months, of which the last one fell."""
    months = ["2024-03", "2024-04", "2024-05"]
    verdicts = ["pass", "pass", "fail"]
    return build_timeline(
        "housing",
        more.pop("policy", POLICY),
        scored=[(month, "1") for month in months],
        drifts=[drift(SHIFTED if month == "2024-05" else CALM, month=month) for month in months],
        outcomes=[outcome(loss(v), month=m, labels_digest="a") for m, v in zip(months, verdicts, strict=True)],
        **more,
    )


def test_the_timeline_names_the_first_month_of_each_kind() -> None:
    found = timeline()
    assert (found.first_drift, found.first_alarm) == ("2024-05", "2024-05")
    assert [one.verdict.outcome for one in found.months] == ["ok", "ok", "alarm"]
    assert [one.look for one in found.months] == [1, 2, 3]


def test_carbon_is_of_months_that_were_scored_and_adds_up() -> None:
    spent = {
        ("2024-03", "1"): {"emissions_g": 2.0, "energy_kwh": 1.0},
        ("2024-05", "1"): {"emissions_g": 3.0, "energy_kwh": 1.0},
    }
    of = [one.carbon for one in timeline(carbon=spent).months]
    assert of[1] is None
    assert [(one.emissions_g, one.total_g, one.per_thousand_g) for one in of if one] == [
        (2.0, 2.0, 20.0),
        (3.0, 5.0, 30.0),
    ]


def test_labels_that_are_late_are_asked_for() -> None:
    policy = POLICY.model_copy(update={"label_delay": 1})
    found = build_timeline(
        "housing",
        policy,
        scored=[("2024-03", "1"), ("2024-04", "1"), ("2024-05", "1")],
        outcomes=[outcome(month=month, labelled=0) for month in ("2024-03", "2024-04", "2024-05")],
    )
    late = [[one.text for one in month.verdict.findings if one.key == "labels are late"] for month in found.months]
    assert late == [["no label yet, 2 months on; they were to come after 1"], [], []]


def test_a_file_of_the_timeline_is_read_back() -> None:
    found = timeline()
    assert type(found).model_validate(found.to_json()).months[2].verdict == found.months[2].verdict


def test_the_same_month_twice_is_refused() -> None:
    with pytest.raises(RaiError, match="more than once"):
        build_timeline("housing", POLICY, scored=[("2024-05", "1")], drifts=[drift(CALM), drift(CALM)])


def test_versions_are_ordered_as_numbers() -> None:
    found = build_timeline("housing", POLICY, scored=[("2024-05", "10"), ("2024-05", "9")])
    assert [one.model_version for one in found.months] == ["9", "10"]


def test_a_month_that_could_not_be_done_is_in_the_timeline() -> None:
    found = build_timeline(
        "housing", POLICY, scored=[], gaps=[Gap(month="2024-05", missing="not scored", reason="few")]
    )
    assert [one.to_dict() for one in found.gaps] == [
        {"month": "2024-05", "missing": "not scored", "reason": "few", "broken": True}
    ]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.079, "accuracy lost 0.079 [0.058, 0.100] since the test"),
        (-0.079, "accuracy gained 0.079 [0.058, 0.100] since the test"),
        (0.0, "accuracy lost 0.000 [-0.021, 0.021] since the test"),
    ],
)
def test_a_gain_is_not_worded_as_a_loss_below_zero(value: float, said: str) -> None:
    change = Measured(
        subject="performance", name="accuracy", kind="difference", value=value, lower=value - 0.021,
        upper=value + 0.021, level=0.95, n=100,
    )  # fmt: skip
    assert word_change(change) == said


def test_a_month_of_few_rows_says_so_and_is_no_news_of_anything_else() -> None:
    few = outcome(labelled=5).model_copy(update={"rows": 5})
    found = judge_month(drift(CALM), few, POLICY)
    assert found.outcome == "insufficient_evidence"
    assert found.reasons[0].startswith("the month has 5 rows; fewer than 30 can show neither drift")
    record = MonthRecord(month="2024-05", model_version="1", look=1, verdict=found)
    assert record.summary == "insufficient evidence: 5 rows, at least 30 are needed"


def test_headline_has_few_figures_of_what_is_judged(housing_timeline: Timeline) -> None:
    may = next(one for one in housing_timeline.months if one.month == "2024-05")
    assert set(may.headline) == {
        "verdict",
        "performance.MAE",
        "performance.estimated.MAE",
        "fairness.worst_by_limit",
        "drift.share",
        "carbon.per_thousand_g",
    }
    assert may.headline["verdict"] == 1
    assert may.headline["fairness.worst_by_limit"] == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("kind", "value", "limit", "share"),
    [
        ("difference", 0.05, 0.1, 0.5),
        ("ratio", 0.4, 0.8, 2.0),
        ("ratio", 0.0, 0.8, None),
        ("difference", 1, None, None),
    ],
)
def test_share_of_limit_is_above_one_beyond_it(kind: str, value: float, limit: float | None, share: float) -> None:
    ends = {"value": value, "lower": 0, "upper": 1, "level": 0.95, "n": 9, "kind": kind, "limit": limit}
    assert Measured.from_dict({"subject": "fairness", "name": "x", **ends}).share_of_limit == share


def test_estimates_of_a_new_version_are_not_trusted_for_what_those_of_the_old_one_were_worth() -> None:
    def both(month: str, version: str, labels: float) -> MonthOutcome:
        estimate: dict[str, Any] = {"value": 1.5, "lower": 1.0, "upper": 2.0, "level": 0.95, "basis": "estimate"}
        shown: dict[str, Any] = {"value": labels, "level": 0.95}
        figures = [Measured(subject="performance", name="MAE", **said) for said in (estimate, shown)]
        return outcome(*figures, month=month).model_copy(update={"model_version": version})

    right = [both(f"2024-0{number}", "1", 1.5) for number in range(1, 7)]
    wrong = [both(f"2024-0{number}", "2", 3.0) for number in (7, 8)]
    scored = [(one.month, one.model_version) for one in (*right, *wrong)]
    (record,) = build_timeline("toy", POLICY, scored=scored, outcomes=[*right, *wrong]).track_record
    assert (record.months, record.coverage) == (2, 0.0)
    assert "do not rely on estimates" in record.doubt
