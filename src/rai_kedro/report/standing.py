"""What the top of a card says: what is shown, stated and open, and the way from an answer to the approval."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from rai_kedro.contract import GovernedColumn
from rai_kedro.fairness import describe_metric
from rai_kedro.policy import GateResult
from rai_kedro.report.card import ModelCard
from rai_kedro.report.fairness_view import list_verdicts
from rai_kedro.report.mitigation_section import describe_mitigation
from rai_kedro.typed import Typed
from rai_kedro.words import UNCOMMITTED, count_of, in_words


class Standing(Typed):
    """How far a card can be relied on, a few words an item.

    Attributes:
        shown: What digests, tests or whole intervals show.
        stated: What rests on a person's word.
        open: What is neither: beyond a limit, without evidence, not measured, not written.
    """

    shown: tuple[str, ...]
    stated: tuple[str, ...]
    open: tuple[str, ...]


class Origin(NamedTuple):
    """One step from the answers to the approval: what it came to, the section that shows it, and where it stands."""

    name: str
    text: str
    section: str
    where: str


def describe_standing(card: ModelCard) -> Standing:
    """Say what figures show, what a person stated, and what is open."""
    shown, stated, left = _list_shown(card), _list_stated(card), _list_open(card)
    return Standing(shown=tuple(shown), stated=tuple(stated), open=tuple(left))


def trace_origin(card: ModelCard) -> tuple[Origin, ...]:
    """Trace the decision on a version back: answers, metrics, limits, mitigation, gate, approval."""
    who = card.identity
    run = f"run {who.run_id[:8]}"
    asked = card.questionnaire
    people = sum(step.answered_by == "person" for step in asked.path)
    answers = f"{count_of(len(asked.path), 'answer')}, {people} by a person" if asked.path else "nobody answered"
    metrics = ", ".join(describe_metric(name).title for name in asked.metrics) or "none"
    verdicts = list_verdicts(card.fairness) if card.fairness else ()
    limits = "; ".join(dict.fromkeys(f"{one.metric} ({one.kind}) {one.limit}" for one in verdicts)) or "none"
    mitigated = describe_mitigation(card.mitigation).removeprefix("mitigation: ") if card.mitigation else "none"
    gate = in_words(card.fairness.gate.outcome) if card.fairness else "not asked"
    return (
        Origin("Answers", answers, "questionnaire", "parameters, fairness.questionnaire"),
        Origin("Metrics", metrics, "fairness", "parameters, fairness.metrics"),
        Origin("Limits", limits, "fairness", "parameters, fairness.tolerances"),
        Origin("Mitigation", mitigated, "mitigation", f"mitigation_comparison.json, {run}"),
        Origin("Gate", gate, "fairness", f"reports/fairness_gate.json, {run}"),
        Origin("Approval", "see the status", "status", f"evidence record of {who.use_case}, version {who.version}"),
    )


def _list_shown(card: ModelCard) -> Iterator[str]:
    judged = card.fairness.gate.verdicts if card.fairness and not card.fairness.gate.problems else ()
    if passed := sum(verdict.outcome == "pass" for verdict in judged):
        yield f"{passed} of {count_of(len(judged), 'judged disparity')} within the limit"
    if names := [gate.name for gate in _list_gates(card) if gate.outcome == "pass"]:
        yield f"{count_of(len(names), 'gate')} of the policy ({', '.join(names)})"
    measured = [one for one in card.performance if one.split == "test" and None not in (one.lower, one.upper)]
    if measured:
        rows = count_of(card.data.rows_test, "test row")
        yield f"{count_of(len(measured), 'figure')} of performance with an interval on {rows}"
    yield "the training rows, by their digest"
    if card.identity.is_signed:
        yield "who trained it, by a signature"
    if not _say_why_not_rebuilt(card):
        yield "the code, by its commit"


def _list_stated(card: ModelCard) -> Iterator[str]:
    stated = {"intended use": card.uses.intended, "use out of scope": card.uses.out_of_scope, "limits": card.limits}
    if names := [name for name, texts in stated.items() if texts and name not in card.unwritten]:
        yield ", ".join(names)
    yield f"flags and risks of {count_of(len(card.columns), 'column')}"
    if justified := [column for column in card.columns if column.justification and column.model_uses]:
        yield f"{count_of(len(justified), 'justification')} of what is in the model"
    if people := sum(step.answered_by == "person" for step in card.questionnaire.path):
        yield f"{count_of(people, 'answer')} on what is fair here"


def _list_open(card: ModelCard) -> Iterator[str]:
    if card.unwritten:
        yield f"{count_of(len(card.unwritten), 'statement')} to be written"
    yield from _list_open_fairness(card)
    yield from (f"{gate.name}, {in_words(gate.outcome)}" for gate in _list_gates(card) if gate.consequence != "none")
    if not card.questionnaire.path:
        yield "why these metrics: nobody answered the questionnaire"
    if bare := [column for column in card.columns if _lacks_justification(column, card)]:
        yield f"{count_of(len(bare), 'flagged column')} in the model without a justification that holds"
    if not card.identity.is_signed:
        yield "who trained it: no person signed"
    if not card.performance:
        yield "performance, not measured"
    if not card.carbon or not all(figure.is_measured for figure in card.carbon):
        yield "carbon, not measured throughout"
    if why := _say_why_not_rebuilt(card):
        yield why


def _list_open_fairness(card: ModelCard) -> Iterator[str]:
    if card.fairness is None:
        yield "fairness, not measured"
        return
    gate = card.fairness.gate
    if gate.problems:
        yield "the fairness gate, which could not be evaluated"
        return
    counts = Counter(verdict.outcome for verdict in gate.verdicts)
    if counts["fail"]:
        yield f"{count_of(counts['fail'], 'disparity')} beyond the limit"
    if counts["insufficient_evidence"]:
        yield f"{count_of(counts['insufficient_evidence'], 'disparity')} without sufficient evidence"
    if counts["not_assessed"]:
        yield f"{count_of(counts['not_assessed'], 'disparity')} not assessed"
    if gate.without_tolerance:
        yield f"{count_of(len(gate.without_tolerance), 'disparity')} measured and not judged"


def _list_gates(card: ModelCard) -> list[GateResult]:
    """Return the policy's gates that are not told in figures of their own here."""
    return [gate for gate in card.gates.gates if gate.name not in ("fairness", "card")] if card.gates else []


def _lacks_justification(column: GovernedColumn, card: ModelCard) -> bool:
    if not (column.flags and column.model_uses):
        return False
    return column.justification is None or not column.justification.is_valid(card.identity.created_at_day)


def _say_why_not_rebuilt(card: ModelCard) -> str:
    commit = card.data.git_commit
    if commit is None:
        return "the code, which is not under version control"
    return "the code, which had uncommitted changes" if commit.endswith(UNCOMMITTED) else ""
