"""The gates of a policy, judged by what a training found: one pure function from facts to a report."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from rai_kedro.fairness import GateOutcome
from rai_kedro.performance import Figure
from rai_kedro.policy.rules import CarbonRule, CardRule, GateRule, PerformanceRule, Policy
from rai_kedro.typed import Typed
from rai_kedro.words import format_interval, format_number, in_words, list_some

Outcome: TypeAlias = Literal["pass", "fail", "insufficient_evidence", "not_assessed"]
Consequence: TypeAlias = Literal["none", "accept_risk", "block"]
_ORDER: tuple[Consequence, ...] = ("none", "accept_risk", "block")
_SHOWN = 3


class DriftFact(Typed):
    """Two parts of the training data that were held against each other, and in which columns they differ.

    Attributes:
        what: The part that was compared, in words.
        against: What with.
        drifted: Columns that lie apart by more than the margin.
        undecided: Columns for which the rows are too few to say.
        compared: How many columns were compared.
    """

    what: str
    against: str
    drifted: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    compared: int


class ProxyFact(Typed):
    """Whether the columns of the model give a flagged column away."""

    column: str
    outcome: Outcome
    reason: str = ""


class GateFacts(Typed):
    """What a training found, as far as the gates ask.

    Attributes:
        performance: The figures on the test rows.
        fairness: What the fairness gate says, and its verdicts in one sentence.
        drift: Comparisons within the training data; None where none could be made, for the reason in ``no_drift``.
        carbon_g: Emissions of the training in grams of CO2 equivalent; None where they were not measured.
        proxies: None where nobody looked for any.
        unwritten: Statements that the card needs and nobody has written.
    """

    performance: tuple[Figure, ...] = ()
    fairness: GateOutcome = "could_not_be_evaluated"
    fairness_summary: str = ""
    drift: tuple[DriftFact, ...] | None = None
    no_drift: str = ""
    carbon_g: float | None = Field(default=None, ge=0)
    proxies: tuple[ProxyFact, ...] | None = None
    unwritten: tuple[str, ...] = ()


class GateResult(Typed):
    """What one gate says, what that means for the approval, and the file that holds what it rests on."""

    name: str
    outcome: Outcome
    reason: str
    consequence: Consequence
    evidence: str


class GateReport(Typed):
    """What every gate of a policy says of a version; ``policy`` is the digest of that policy."""

    policy: str
    facts: GateFacts
    gates: tuple[GateResult, ...]

    @property
    def consequence(self) -> Consequence:
        """The gravest consequence of any gate."""
        return max((one.consequence for one in self.gates), key=_ORDER.index, default="block")

    def with_consequence(self, consequence: Consequence) -> tuple[GateResult, ...]:
        """Return the gates that ask for it."""
        return tuple(one for one in self.gates if one.consequence == consequence)

    def holds(self, policy: Policy) -> bool:
        """Say whether the policy comes to this report from its facts; whoever edits a verdict edits no fact."""
        return judge_gates(policy, self.facts) == self


_Judged: TypeAlias = tuple[Outcome, str]


def judge_gates(policy: Policy, facts: GateFacts) -> GateReport:
    """Judge every gate; an outcome's consequence is that of the policy."""
    rules = policy.gates
    asked = rules.performance.metric is not None, rules.carbon.most_g is not None
    results = (
        _conclude("performance", _judge_performance(rules.performance, facts), rules.performance, asked=asked[0]),
        _conclude("fairness", _judge_fairness(facts), rules.fairness),
        _conclude("drift", _judge_drift(facts), rules.drift),
        _conclude("carbon", _judge_carbon(rules.carbon, facts), rules.carbon, asked=asked[1]),
        _conclude("proxies", _judge_proxies(facts), rules.proxies),
        _conclude("card", _judge_card(facts), rules.card),
    )
    return GateReport(policy=policy.digest, facts=facts, gates=results)


# Where in a run's artifacts the evidence of a gate lies; that of the others is among the facts of the report itself.
_EVIDENCE = {
    "performance": "reports/performance.json",
    "fairness": "reports/fairness_gate.json",
    "proxies": "reports/proxies.json",
}
_REPORT = "reports/release_gates.json"


def _conclude(name: str, judged: _Judged, rule: GateRule | CardRule, *, asked: bool = True) -> GateResult:
    outcome, reason = judged
    action = rule.fail if outcome == "fail" else rule.insufficient_evidence
    return GateResult(
        name=name,
        outcome=outcome,
        reason=reason,
        consequence="none" if outcome == "pass" or not asked or action == "allow" else action,
        evidence=_EVIDENCE.get(name, _REPORT),
    )


def _judge_performance(rule: PerformanceRule, facts: GateFacts) -> _Judged:
    if rule.metric is None:
        return "not_assessed", "the policy sets no limit"
    figure = next((one for one in facts.performance if one.name == rule.metric), None)
    if figure is None or figure.value is None:
        return "not_assessed", f"{rule.metric} was not measured on the test rows"
    at_least, limit = rule.at_least is not None, rule.at_least if rule.at_least is not None else rule.at_most
    asked = f"{'at least' if at_least else 'at most'} {format_number(limit)} is asked"
    said = f"{rule.metric} {format_interval(figure)} on the test rows, {asked}"
    if figure.lower is None or figure.upper is None or limit is None:
        return "insufficient_evidence", f"{said}; it has no interval"
    worst, best = (figure.lower, figure.upper) if at_least else (-figure.upper, -figure.lower)
    bound = limit if at_least else -limit
    return ("pass" if worst >= bound else "fail" if best < bound else "insufficient_evidence"), said


def _judge_fairness(facts: GateFacts) -> _Judged:
    said = facts.fairness_summary or in_words(facts.fairness)
    return ("not_assessed" if facts.fairness == "could_not_be_evaluated" else facts.fairness), said


def _judge_drift(facts: GateFacts) -> _Judged:
    if not facts.drift:
        return "not_assessed", facts.no_drift or "nothing was compared"
    several, first = len(facts.drift) > 1, facts.drift[0]
    said = f"{first.what}{f' and {len(facts.drift) - 1} more' if several else ''} against {first.against}"
    drifted, undecided = (
        [f"{column} in {one.what}" if several else column for one in facts.drift for column in getattr(one, part)]
        for part in ("drifted", "undecided")
    )
    if drifted:
        return "fail", f"{said}: beyond the margin lies {list_some(drifted, _SHOWN)}"
    if undecided:
        return "insufficient_evidence", f"{said}: too few rows to decide of {list_some(undecided, _SHOWN)}"
    return "pass", f"{said}: no column lies beyond the margin"


def _judge_carbon(rule: CarbonRule, facts: GateFacts) -> _Judged:
    if rule.most_g is None:
        return "not_assessed", "the policy sets no budget"
    if facts.carbon_g is None:
        return "not_assessed", "the emissions of the training were not measured"
    said = f"{format_number(facts.carbon_g)} g CO2eq, at most {format_number(rule.most_g)} g is asked"
    return ("pass" if facts.carbon_g <= rule.most_g else "fail"), said


def _judge_proxies(facts: GateFacts) -> _Judged:
    if not facts.proxies:
        why = "no column is flagged" if facts.proxies is not None else "nobody looked for proxies"
        return "not_assessed", why
    for outcome in ("fail", "insufficient_evidence", "not_assessed"):
        if found := [one for one in facts.proxies if one.outcome == outcome]:
            return outcome, "; ".join(f"{one.column}: {one.reason}" for one in found[:_SHOWN])
    return "pass", f"the model's columns give none of {len(facts.proxies)} flagged columns away"


def _judge_card(facts: GateFacts) -> _Judged:
    if facts.unwritten:
        return "fail", f"nobody has written: {list_some(facts.unwritten, _SHOWN)}"
    return "pass", "every statement is written"
