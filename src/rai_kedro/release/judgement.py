"""Stored decisions of the fairness gate: judged anew, and put into words. Neither MLflow nor a file is needed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from rai_kedro.fairness.estimates import Disparity
from rai_kedro.fairness.verdicts import Gate, GateDecision, Tolerance, Verdict

_LIMITS_SHOWN: Final = 2


class _DecisionUnsoundError(ValueError):
    """Why a stored decision is not one that the gate can be said to have made."""


def judge_stored(decision: Mapping[str, Any], assessment: Mapping[str, Any]) -> GateDecision:
    """Return a stored decision if the gate says the same of the stored intervals today.

    Args:
        decision: ``GateDecision.to_dict()`` as training stored it.
        assessment: ``Assessment.to_dict()`` as training stored it.

    Returns:
        The decision; or that it could not be evaluated, and why.
    """
    try:
        stored = GateDecision.from_dict(decision)
        _require_same_judgement(stored, [Disparity.from_dict(one) for one in assessment["disparities"]])
    except _DecisionUnsoundError as error:
        return GateDecision.could_not_be_evaluated(str(error))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        # A file that somebody edited can have any shape; whatever it is, the gate stays closed.
        problem = f"the stored decision cannot be read: {type(error).__name__}: {error}"
        return GateDecision.could_not_be_evaluated(" ".join(problem.split())[:300])
    return stored


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
    """Say at which level which limits were judged, since whoever sets them wide opens the gate.

    Args:
        decision: Any decision.

    Returns:
        E.g. ``"level 95 %; statistical_parity difference of origin at most 0.1"``, two limits at most; empty without a
        verdict.
    """
    if not decision.verdicts:
        return ""
    limits = [
        f"{of.metric} {of.kind} of {of.column} at {'least' if of.kind == 'ratio' else 'most'} {verdict.tolerance:g}"
        for verdict in decision.verdicts
        for of in (verdict.disparity,)
    ]
    shown, more = limits[:_LIMITS_SHOWN], len(limits) - _LIMITS_SHOWN
    level = 100 * min(verdict.disparity.level for verdict in decision.verdicts)
    return f"level {level:.4g} %; {', '.join(shown)}" + (f" and {more} more" if more > 0 else "")


def find_difference(shown: GateDecision, stored: GateDecision) -> str | None:
    """Say how the decision that a model card shows differs from the stored one.

    Args:
        shown: What the card says.
        stored: What the gate's own file says.

    Returns:
        The difference in one sentence; None if there is none.
    """
    if shown.outcome != stored.outcome:
        return f"the model card says {in_words(shown.outcome)}, the stored decision says {in_words(stored.outcome)}"
    if len(shown.verdicts) != len(stored.verdicts):
        return f"the model card shows {count_verdicts(shown)}; the stored decision has {count_verdicts(stored)}"
    if _by_disparity(shown) != _by_disparity(stored):
        return "the verdicts on the model card are not those of the stored decision"
    return None


def pick_example(decision: GateDecision) -> str | None:
    """Return the worst there is to say: a problem, a failed verdict, or one that is open; None if all pass."""
    if decision.problems:
        return decision.problems[0]
    for outcome in ("fail", "insufficient_evidence", "not_assessed"):
        for verdict in decision.verdicts:
            if verdict.outcome == outcome:
                return describe_verdict(verdict)
    return None


def in_words(outcome: str) -> str:
    """Return an outcome as people write it."""
    return outcome.replace("_", " ")


def _require_same_judgement(stored: GateDecision, disparities: list[Disparity]) -> None:
    if stored.problems or not stored.verdicts:
        # Nothing to judge anew: whoever could not evaluate may not say anything else.
        if stored.outcome != "could_not_be_evaluated":
            raise _DecisionUnsoundError(f"it says {in_words(stored.outcome)} and names no verdict, or problems")
        return
    tolerances = tuple(
        Tolerance(metric=of.metric, kind=of.kind, limit=verdict.tolerance, column=of.column)
        for verdict in stored.verdicts
        for of in (verdict.disparity,)
    )
    level = min(verdict.disparity.level for verdict in stored.verdicts)
    now = Gate(tolerances=tolerances, level=level).judge(disparities)
    if now.outcome != stored.outcome:
        raise _DecisionUnsoundError(
            f"it says {in_words(stored.outcome)}, but judged anew its intervals say {in_words(now.outcome)}"
        )
    if _by_disparity(now) != _by_disparity(stored) or sorted(now.without_tolerance) != sorted(stored.without_tolerance):
        raise _DecisionUnsoundError("its verdicts are not on the intervals that were measured")


def _by_disparity(decision: GateDecision) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Key each verdict; with what decides it, and without wording, which a later version may change."""
    return {
        (one.disparity.metric, one.disparity.kind, one.disparity.column): (
            one.outcome,
            one.tolerance,
            one.disparity.lower,
            one.disparity.upper,
            one.disparity.level,
        )
        for one in decision.verdicts
    }
