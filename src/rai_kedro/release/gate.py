"""What the fairness gate said of a version: read from its run and judged anew before anyone may approve it.

The decision that training stored and what the gate says now of the stored intervals must agree, or the gate could not
be evaluated and stays closed. That both files, and the card that shows them, are those of the training is for the
manifest to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rai_kedro.fairness import Disparity, Gate, GateDecision, Tolerance, Verdict
from rai_kedro.release.decisions import PASSED, approve_command
from rai_kedro.release.versions import ReleaseError, Version, parse_json, read_artifact
from rai_kedro.words import in_words, list_some

if TYPE_CHECKING:
    from mlflow import MlflowClient

GATE_FILE: Final = "reports/fairness_gate.json"
ASSESSMENT_FILE: Final = "reports/fairness_assessment.json"
_LIMITS_SHOWN: Final = 2
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


def require_open(version: Version, gate: StoredGate, accept_risk: str | None) -> None:
    """Refuse to approve over a closed gate without an accepted risk, and to accept a risk that is not there.

    Whoever counts accepted risks later would count a needless acceptance as a risk that was taken.
    """
    passed = gate.decision.outcome == PASSED
    if passed and accept_risk is not None:
        raise ReleaseError(
            f"The fairness gate of {version} passes: there is no risk to accept.",
            where=f"run {version.run_id}, {GATE_FILE}",
            remedy="leave --accept-risk out; what else should be on record belongs into --statement",
        )
    if not passed and accept_risk is None:
        raise _risk_not_accepted(version, gate.decision)


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
