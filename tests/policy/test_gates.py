"""Every gate's outcomes on known facts, and what the policy makes of each."""

from __future__ import annotations

from typing import Any

import pytest

from rai_kedro.performance import Figure
from rai_kedro.policy import DriftFact, GateFacts, GateReport, Policy, ProxyFact, judge_gates


def figure(name: str, value: float | None, half: float = 0.05) -> Figure:
    ends = {} if value is None else {"lower": value - half, "upper": value + half}
    return Figure(name=name, split="test", value=value, level=0.95, how="by hand", n=100, **ends)


def drift(**found: Any) -> DriftFact:
    return DriftFact(what="2024-02", against="2024-01", compared=4, **found)


FLOOR = {"performance": {"metric": "accuracy", "at_least": 0.7, "fail": "block"}}
CEILING = {"performance": {"metric": "MAE", "at_most": 5}}
BUDGET = {"carbon": {"most_g": 10, "insufficient_evidence": "accept_risk"}}
# The gate, the policy's gates, the facts, and outcome and consequence that follow from both by hand.
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str, str]] = [
    ("performance", {}, {}, "not_assessed", "none"),
    ("performance", FLOOR, {"performance": (figure("accuracy", 0.8),)}, "pass", "none"),
    ("performance", FLOOR, {"performance": (figure("accuracy", 0.75),)}, "pass", "none"),
    ("performance", FLOOR, {"performance": (figure("accuracy", 0.72),)}, "insufficient_evidence", "accept_risk"),
    ("performance", FLOOR, {"performance": (figure("accuracy", 0.6),)}, "fail", "block"),
    ("performance", FLOOR, {"performance": (figure("AUC", 0.9),)}, "not_assessed", "accept_risk"),
    ("performance", FLOOR, {"performance": (figure("accuracy", None),)}, "not_assessed", "accept_risk"),
    ("performance", CEILING, {"performance": (figure("MAE", 4.0, 0.5),)}, "pass", "none"),
    ("performance", CEILING, {"performance": (figure("MAE", 4.8, 0.5),)}, "insufficient_evidence", "accept_risk"),
    ("performance", CEILING, {"performance": (figure("MAE", 6.0, 0.5),)}, "fail", "accept_risk"),
    ("fairness", {}, {"fairness": "pass"}, "pass", "none"),
    ("fairness", {}, {"fairness": "fail"}, "fail", "accept_risk"),
    ("fairness", {"fairness": {"fail": "block"}}, {"fairness": "fail"}, "fail", "block"),
    ("fairness", {}, {"fairness": "insufficient_evidence"}, "insufficient_evidence", "accept_risk"),
    ("fairness", {}, {}, "not_assessed", "accept_risk"),
    ("drift", {}, {}, "not_assessed", "none"),
    ("drift", {}, {"drift": (drift(),)}, "pass", "none"),
    ("drift", {}, {"drift": (drift(), drift(undecided=("age",)))}, "insufficient_evidence", "none"),
    ("drift", {}, {"drift": (drift(drifted=("age",), undecided=("bmi",)),)}, "fail", "accept_risk"),
    ("drift", {"drift": {"insufficient_evidence": "block"}}, {}, "not_assessed", "block"),
    ("carbon", {}, {"carbon_g": 1e6}, "not_assessed", "none"),
    ("carbon", BUDGET, {"carbon_g": 10}, "pass", "none"),
    ("carbon", BUDGET, {"carbon_g": 11}, "fail", "accept_risk"),
    ("carbon", BUDGET, {}, "not_assessed", "accept_risk"),
    ("proxies", {}, {}, "not_assessed", "none"),
    ("proxies", {}, {"proxies": (ProxyFact(column="race", outcome="fail", reason="AUC 0.9"),)}, "fail", "accept_risk"),
    ("proxies", {}, {"proxies": (ProxyFact(column="race", outcome="pass"),)}, "pass", "none"),
    ("card", {}, {}, "pass", "none"),
    ("card", {}, {"unwritten": ("statements.intended_use",)}, "fail", "block"),
]


@pytest.mark.parametrize(("gate", "gates", "facts", "outcome", "consequence"), CASES)
def test_outcome_and_consequence(
    gate: str, gates: dict[str, Any], facts: dict[str, Any], outcome: str, consequence: str
) -> None:
    report = judge_gates(Policy.from_dict({"gates": gates}), GateFacts(**facts))
    found = {one.name: one for one in report.gates}
    assert list(found) == ["performance", "fairness", "drift", "carbon", "proxies", "card"]
    assert (found[gate].outcome, found[gate].consequence) == (outcome, consequence)
    assert found[gate].reason


def test_the_gravest_consequence_is_that_of_the_report() -> None:
    passed = judge_gates(Policy(), GateFacts(fairness="pass"))
    assert passed.consequence == "none"
    assert judge_gates(Policy(), GateFacts()).consequence == "accept_risk"
    blocked = judge_gates(Policy(), GateFacts(unwritten=("purpose",)))
    assert blocked.consequence == "block"
    assert [one.name for one in blocked.with_consequence("block")] == ["card"]


def test_a_report_whose_word_or_fact_was_edited_does_not_hold() -> None:
    policy = Policy.from_dict({"gates": FLOOR})
    report = judge_gates(policy, GateFacts(performance=(figure("accuracy", 0.6),), fairness="fail"))
    stored = GateReport.from_dict(report.to_dict())
    assert stored.holds(policy)
    assert not stored.holds(Policy())
    plain = report.to_dict()
    plain["gates"][0] |= {"outcome": "pass", "consequence": "none"}
    assert not GateReport.from_dict(plain).holds(policy)
    plain = report.to_dict()
    plain["facts"]["performance"][0]["lower"] = 0.9
    assert not GateReport.from_dict(plain).holds(policy)


def test_reasons_are_plain_words_with_figures() -> None:
    facts = GateFacts(
        performance=(figure("accuracy", 0.6),), drift=(drift(drifted=("age",)),), unwritten=("statements.limits, 1",)
    )
    said = {one.name: one.reason for one in judge_gates(Policy.from_dict({"gates": FLOOR}), facts).gates}
    assert said["performance"] == "accuracy 0.600 [0.550, 0.650] on the test rows, at least 0.700 is asked"
    assert said["drift"] == "2024-02 against 2024-01: beyond the margin lies age"
    assert said["card"] == "nobody has written: statements.limits, 1"
    assert said["carbon"] == "the policy sets no budget"
