"""What the fairness gate said of a version: read from its run and judged anew before anyone may approve it.

The decision that training stored and what the gate says now of the stored intervals must agree, or the gate could not
be evaluated and stays closed. The other gates of the policy are judged from the facts that training stored, the
fairness gate by what it says today. That all files, and the card that shows them, are those of the training is for the
manifest to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rai_kedro.fairness import Disparity, Gate, GateDecision, Tolerance, Verdict
from rai_kedro.policy import GateReport, GateResult, Policy, judge_gates
from rai_kedro.release.decisions import approve_command
from rai_kedro.release.manifest import read_manifest
from rai_kedro.release.versions import ReleaseError, Version, parse_json, read_artifact
from rai_kedro.words import in_words, list_some

if TYPE_CHECKING:
    from mlflow import MlflowClient

GATE_FILE: Final = "reports/fairness_gate.json"
ASSESSMENT_FILE: Final = "reports/fairness_assessment.json"
GATES_FILE: Final = "reports/release_gates.json"
_LIMITS_SHOWN: Final = 2
_POINTS_SHOWN: Final = 3
# A file that somebody edited can have any shape.
_UNREADABLE: Final = (KeyError, TypeError, ValueError, IndexError, AttributeError)


@dataclass(frozen=True)
class StoredGate:
    """The gate's decision on a version; could not be evaluated if it cannot be relied on."""

    decision: GateDecision

    @property
    def summary(self) -> str:
        """How many verdicts do not pass, by which limits, and one of them; or what could not be evaluated."""
        how_many, example = count_verdicts(self.decision), pick_example(self.decision)
        limits = describe_limits(self.decision)
        judged = f"{how_many} ({limits})" if limits else how_many
        return f"{judged}; e.g. {example}" if example else judged


def judge_gate(version: Version) -> StoredGate:
    """Say what the gate says of a version; trouble of any kind is a decision that could not be evaluated."""
    stored = read_gate(version.client, version.run_id)
    if stored.decision.problems:
        return stored
    assessment = version.read(ASSESSMENT_FILE)
    if assessment is None:
        return _closed(f"its run has no readable {ASSESSMENT_FILE}, whose intervals the gate judges")
    return StoredGate(judge_stored(stored.decision.to_dict(), parse_json(assessment)))


def read_gate(client: MlflowClient, run_id: str) -> StoredGate:
    """Return the decision as the run holds it now, without judging anew."""
    content = read_artifact(client, run_id, GATE_FILE)
    if content is None:
        return _closed(f"its run has no readable {GATE_FILE}")
    try:
        return StoredGate(GateDecision.from_dict(parse_json(content)))
    except _UNREADABLE as error:
        return _closed(_describe_unreadable(error))


def _closed(problem: str) -> StoredGate:
    return StoredGate(GateDecision.could_not_be_evaluated(problem))


def _describe_unreadable(error: Exception) -> str:
    return " ".join(f"the stored decision cannot be read: {type(error).__name__}: {error}".split())[:300]


def ask_gates(version: Version) -> GateReport:
    """Say what the gates say of a version under the policy that its manifest names, before anybody decides."""
    policy = Policy.from_dict(read_manifest(version).policy.get("policy", {}))
    return judge_policy(version, policy, judge_gate(version).decision)


def judge_policy(version: Version, policy: Policy, fairness: GateDecision) -> GateReport:
    """Judge every gate of the policy that a version was trained under by the facts of its training.

    ``fairness`` is what the fairness gate says today (:func:`judge_gate`).

    Raises:
        ReleaseError: The facts are not there, or what training stored does not follow from them.
    """
    content = version.read(GATES_FILE)
    try:
        stored = GateReport.from_dict(parse_json(content))
        wrong = None if stored.holds(policy) else "its outcomes do not follow from its facts and the version's policy"
    except _UNREADABLE as error:
        wrong = "it is not there" if content is None else f"it cannot be read: {type(error).__name__}"
    if wrong:
        raise version.refusal(
            ReleaseError,
            "may not be approved: what the gates of its policy said is not known.",
            where=f"run {version.run_id}, {GATES_FILE}",
            example=wrong,
            remedy=f"find out who changed it; or {version.retrain}",
        )
    return judge_again(policy, stored, fairness)


def judge_again(policy: Policy, stored: GateReport, fairness: GateDecision) -> GateReport:
    """Judge the facts of a report by a policy, with what the fairness gate says now."""
    facts = {"fairness": fairness.outcome, "fairness_summary": summarise_decision(fairness)}
    return judge_gates(policy, stored.facts.model_copy(update=facts))


def summarise_decision(decision: GateDecision) -> str:
    """Say in a line what the fairness gate found."""
    return decision.problems[0] if decision.problems else count_verdicts(decision)


def describe_gates(report: GateReport) -> list[str]:
    """Say in a line each what every gate said, and what that asks of an approval."""
    asked = {"none": "", "accept_risk": " (needs an accepted risk)", "block": " (blocks the approval)"}
    return [f"{one.name:<12} {in_words(one.outcome):<22} {one.reason}{asked[one.consequence]}" for one in report.gates]


def require_open(
    version: Version, decision: GateDecision, report: GateReport, loosened: Sequence[str], accept_risk: str | None
) -> None:
    """Refuse to approve what the policy blocks, or over an open gate without an accepted risk; nor a needless one.

    Whoever counts accepted risks later would count a needless acceptance as a risk that was taken. ``loosened`` is what
    is looser today than when the version was trained: who approves it all the same accepts that risk.
    """
    if blocking := report.with_consequence("block"):
        raise _blocked(version, blocking)
    risks = report.with_consequence("accept_risk")
    if accept_risk is not None and not risks and not loosened:
        raise ReleaseError(
            f"No gate of {version} asks for it: there is no risk to accept.",
            where=f"run {version.run_id}, {GATES_FILE}",
            remedy="leave --accept-risk out; what else should be on record belongs into --statement",
        )
    if accept_risk is not None or not (risks or loosened):
        return
    if [one.name for one in risks] == ["fairness"] and not loosened:
        raise _risk_not_accepted(version, decision)
    told = [*(f"{one.name}: {one.reason}" for one in risks), *loosened]
    names = [f"{one.name} ({in_words(one.outcome)})" for one in risks] + ["a policy that is looser now"] * bool(
        loosened
    )
    raise ReleaseError(
        f"Not all of {version} passes its policy, and nobody accepted that risk: {', '.join(names)}.",
        where=f"run {version.run_id}, {GATES_FILE}",
        how_many=f"{len(told)} open point{'s' if len(told) > 1 else ''}",
        example="; ".join(told[:_POINTS_SHOWN]),
        remedy=f"mend what is named and {version.retrain}; or answer for it, on record: "
        f"`{approve_command(version.use_case, version.number, passed=False)}`",
    )


def _blocked(version: Version, blocking: Sequence[GateResult]) -> ReleaseError:
    mend = {
        "card": "write what is named (statements in parameters.yml, descriptions in catalog.yml)",
        "fairness": "mitigate (parameters 'mitigation')",
        "carbon": "make the training smaller",
        "drift": "train on months that are alike",
        "proxies": "take out the columns that are named",
    }
    first = " and ".join(dict.fromkeys(mend.get(one.name, "mend what is named") for one in blocking))
    return version.refusal(
        ReleaseError,
        f"may not be approved: the policy blocks it ({', '.join(one.name for one in blocking)}).",
        where=f"run {version.run_id}, {GATES_FILE}",
        how_many=f"{len(blocking)} gate{'s' if len(blocking) > 1 else ''}",
        example="; ".join(f"{one.name}: {one.reason}" for one in blocking[:_POINTS_SHOWN]),
        remedy=f"{first}, and {version.retrain}",
    )


def judge_stored(decision: Mapping[str, Any], assessment: Mapping[str, Any]) -> GateDecision:
    """Return a stored decision if the gate says the same of the stored intervals today, else why it is not relied on.

    Both are as training stored them: ``GateDecision.to_dict()`` and ``Assessment.to_dict()``.
    """
    try:
        stored = GateDecision.from_dict(decision)
        unsound = _find_other_judgement(stored, [Disparity.from_dict(one) for one in assessment["disparities"]])
    except _UNREADABLE as error:
        unsound = _describe_unreadable(error)
    return GateDecision.could_not_be_evaluated(unsound) if unsound else stored


def describe_verdict(verdict: Verdict) -> str:
    """Say in one line what was judged and why it was judged so."""
    disparity = verdict.disparity
    return f"{disparity.metric} ({disparity.kind}) of {disparity.column}: {verdict.reason}"


def count_verdicts(decision: GateDecision) -> str:
    """Say how many verdicts there are of each outcome, or how many problems."""
    if decision.problems:
        return f"{len(decision.problems)} problem{'s' if len(decision.problems) > 1 else ''}"
    if not decision.verdicts:
        return "no verdict"
    counted = Counter(verdict.outcome for verdict in decision.verdicts)
    named = ", ".join(f"{count} {in_words(outcome)}" for outcome, count in counted.items())
    return f"of {len(decision.verdicts)} verdicts: {named}" if len(decision.verdicts) > 1 else f"1 verdict: {named}"


def describe_limits(decision: GateDecision) -> str:
    """Say at which level which limits were judged, two at most: whoever sets them wide opens the gate."""
    if decision.problems or not decision.verdicts:  # with problems no verdict counts, so no limit was applied
        return ""
    limits = [
        f"{of.metric} {of.kind} of {of.column} at {'least' if of.kind == 'ratio' else 'most'} {verdict.tolerance:g}"
        for verdict in decision.verdicts
        for of in (verdict.disparity,)
    ]
    level = 100 * min(verdict.disparity.level for verdict in decision.verdicts)
    return f"level {level:.4g} %; {list_some(limits, _LIMITS_SHOWN)}"


def pick_example(decision: GateDecision) -> str | None:
    """Return the worst there is to say: a problem, a failed verdict, or one that is open; None if all pass."""
    if decision.problems:
        return decision.problems[0]
    for outcome in ("fail", "insufficient_evidence", "not_assessed"):
        if found := next((verdict for verdict in decision.verdicts if verdict.outcome == outcome), None):
            return describe_verdict(found)
    return None


def _find_other_judgement(stored: GateDecision, disparities: list[Disparity]) -> str | None:
    """Say why a stored decision is not what the gate says today of what was measured; None if it is."""
    if stored.problems or not stored.verdicts:
        # Nothing to judge anew: whoever could not evaluate may not say anything else.
        closed = stored.outcome == "could_not_be_evaluated"
        return None if closed else f"it says {in_words(stored.outcome)} and names no verdict, or problems"
    tolerances = tuple(
        Tolerance(metric=of.metric, kind=of.kind, limit=verdict.tolerance, column=of.column)
        for verdict in stored.verdicts
        for of in (verdict.disparity,)
    )
    level = min(verdict.disparity.level for verdict in stored.verdicts)
    now = Gate(tolerances=tolerances, level=level).judge(disparities)
    if now.outcome != stored.outcome:
        return f"it says {in_words(stored.outcome)}, but judged anew its intervals say {in_words(now.outcome)}"
    if _essence(now) != _essence(stored) or sorted(now.without_tolerance) != sorted(stored.without_tolerance):
        return "its verdicts are not on the intervals that were measured"
    return None


def _essence(decision: GateDecision) -> set[tuple[Any, ...]]:
    """Return each verdict with what decides it, without wording, which a later version may change."""
    return {
        (of.metric, of.kind, of.column, of.lower, of.upper, of.level, verdict.outcome, verdict.tolerance)
        for verdict in decision.verdicts
        for of in (verdict.disparity,)
    }


def _risk_not_accepted(version: Version, decision: GateDecision) -> ReleaseError:
    command = approve_command(version.use_case, version.number, passed=False)
    needed = [verdict.rows_needed for verdict in decision.verdicts if verdict.rows_needed]
    rows = f"train on about {max(needed):,} further rows like these, or " if needed else "train on more rows, or "
    first = {
        "fail": "mitigate (parameters 'mitigation') and ",
        "insufficient_evidence": f"{rows}mitigate (parameters 'mitigation'), and ",
    }.get(decision.outcome, "mend what is named (or find out who changed it) and ")
    return ReleaseError(
        f"The fairness gate of {version} says {in_words(decision.outcome)}, and nobody accepted that risk.",
        where=f"run {version.run_id}, {GATE_FILE}",
        how_many=count_verdicts(decision),
        example=pick_example(decision),
        remedy=f"{first}{version.retrain}; or answer for it, on record: `{command}`",
    )
