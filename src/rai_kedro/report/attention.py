"""What to look at before approving a version: points that follow from the card's figures and the gate's verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from rai_kedro.contract import GovernedColumn
from rai_kedro.fairness import JOIN, Disparity, describe_metric
from rai_kedro.performance import Figure
from rai_kedro.proxies import describe_carriers
from rai_kedro.report.card import ModelCard
from rai_kedro.report.fairness_view import (
    SMALL_GROUP,
    DisparityLine,
    describe_gate,
    list_groupings,
    list_small_groups,
    list_verdicts,
)
from rai_kedro.words import UNCOMMITTED, begin_sentence, describe_validity, format_gain, format_interval, format_share

# An interval wider than this share of its figure is wide, and a lower level of the fairness intervals is low.
_WIDE = 0.5
_LEVEL = 0.95
# A ratio without a tolerance whose interval lies wholly below: the four-fifths rule of the US Uniform Guidelines on
# Employee Selection Procedures (1978). So many of these are listed, the furthest from equal first.
_RATIO = 0.8
_UNJUDGED = 2
_VERDICT_TOPICS = {
    "fail": "Fairness limit exceeded",
    "not_assessed": "Fairness not assessed",
    "insufficient_evidence": "Fairness evidence insufficient",
}


@dataclass(frozen=True)
class AttentionPoint:
    """One thing to look at: its topic, what was found, and the section of the card that holds the figures."""

    topic: str
    text: str
    section: str


@dataclass(frozen=True)
class AttentionGroup:
    """Points of one topic and section: near-equal ones are read as one with a count."""

    topic: str
    section: str
    texts: tuple[str, ...]


def group_attention(points: Iterable[AttentionPoint]) -> tuple[AttentionGroup, ...]:
    """Put points of one topic together, in the order of their first.

    Verdicts on single disparities are left to the figure that shows them all; the gate's own point counts them.
    """
    texts: dict[tuple[str, str], list[str]] = {}
    for point in points:
        if point.topic not in _VERDICT_TOPICS.values():
            texts.setdefault((point.topic, point.section), []).append(point.text)
    return tuple(AttentionGroup(*key, tuple(found)) for key, found in texts.items())


def list_attention(card: ModelCard) -> tuple[AttentionPoint, ...]:
    """List what a reviewer looks at before approving, the gravest kinds first, with the figures that it rests on.

    No point says that no rule applied, not that the model is fair or good.
    """
    return (
        *(AttentionPoint("Model not seen", text, "data") for text in card.unseen),
        *_list_gate(card),
        *_list_unwritten(card),
        *_list_unread(card),
        *_list_questionnaire(card),
        *_list_mitigation(card),
        *_list_flagged_columns(card),
        *_list_proxies(card),
        *_list_worst_slice(card),
        *_list_level(card),
        *_list_unjudged(card),
        *_list_not_assessed(card),
        *_list_performance(card),
        *_list_carbon(card),
        *_list_origin(card),
    )


def _list_unwritten(card: ModelCard) -> Iterator[AttentionPoint]:
    for place in card.unwritten:
        section = "columns" if place.endswith(tuple(f" of {column.name}" for column in card.columns)) else "use"
        yield AttentionPoint("To be written", f"{begin_sentence(place)}: nobody has written it yet.", section)


def _list_unread(card: ModelCard) -> Iterator[AttentionPoint]:
    for said in card.unread:
        text = f"A program's proposals were accepted all at once, without going through them: {said}."
        yield AttentionPoint("Contract accepted unread", text, "columns")


def _list_gate(card: ModelCard) -> Iterator[AttentionPoint]:
    """Say what the gate says, and then each verdict that is no pass."""
    if card.fairness is None:
        yield AttentionPoint("Fairness not measured", "The card has no fairness figure.", "fairness")
        return
    gate = card.fairness.gate
    if gate.outcome != "pass":
        yield AttentionPoint("Fairness gate", describe_gate(gate), "fairness")
    # The first problem stands in the gate's sentence.
    for problem in gate.problems[1:]:
        yield AttentionPoint("Not evaluated", f"{problem}.", "fairness")
    for line in list_verdicts(card.fairness):
        if line.outcome in _VERDICT_TOPICS:
            yield AttentionPoint(_VERDICT_TOPICS[line.outcome], _describe_verdict(line), "fairness")


def _describe_verdict(line: DisparityLine) -> str:
    figure = format_interval(line.disparity) + (f" ({line.unit})" if line.unit else "")
    name = begin_sentence(line.metric)
    text = f"{name}, {line.kind} by {line.disparity.column}: {figure}, tolerated is {line.limit}"
    if line.disparity.pair is not None:
        text = f"{text}; lower for {line.disparity.pair[0]}, higher for {line.disparity.pair[1]}"
    return f"{text}." if line.outcome == "fail" else f"{text}. To settle it: {line.settled_by}."


def _list_proxies(card: ModelCard) -> Iterator[AttentionPoint]:
    """Name each proxy, once all that is undecided, and each column in disguise that somebody answers for."""
    if card.proxies is None:
        return
    for one in card.proxies.proxies:
        if one.outcome == "fail":
            figure = f"{one.metric} {format_interval(one)}, limit {one.limit:g}"
            carried = describe_carriers(one.singles[:1] + one.pairs[:1])
            yield AttentionPoint("Proxy", f"The model's columns predict {one.name}: {figure}; {carried}.", "proxies")
    if unknown := [one.column for one in card.proxies.proxies if one.outcome == "insufficient_evidence"]:
        text = f"Whether the model's columns predict {', '.join(unknown)} is not settled by these rows."
        yield AttentionPoint("Proxy evidence insufficient", text, "proxies")
    for relation in (*card.proxies.relations, *card.proxies.leaks):
        yield AttentionPoint("Column in disguise", f"{begin_sentence(relation.text)}; it is permitted.", "proxies")
    for relation in card.proxies.suspicions:
        text = f"{begin_sentence(relation.text)}; is it known when the model predicts?"
        yield AttentionPoint("Column that tells the target", text, "proxies")


def _list_worst_slice(card: ModelCard) -> Iterator[AttentionPoint]:
    """Name the worst slice, where errors are shown to be larger."""
    found = card.explanation
    if found is None:
        return
    for one in found.slices[:1]:
        if one.is_worse:
            text = f"Where {one.name} ({one.n:,} rows), the {found.error} is larger by {format_interval(one)}."
            yield AttentionPoint("Where the model errs most", text, "explanation")


def _list_level(card: ModelCard) -> Iterator[AttentionPoint]:
    if card.fairness is not None and card.fairness.level < _LEVEL:
        least, level = format_share(_LEVEL), format_share(card.fairness.level)
        text = f"The fairness intervals were asked for at a level of {level}, below {least}: a pass says less."
        yield AttentionPoint("Low confidence level", text, "fairness")


def _list_unjudged(card: ModelCard) -> Iterator[AttentionPoint]:
    """Name the groupings that no tolerance covers and whose groups are shown to lie apart, by one ratio each."""
    if card.fairness is None:
        return
    judged = {verdict.disparity.column for verdict in card.fairness.gate.verdicts}
    apart: dict[str, Disparity] = {}
    for one in sorted(card.fairness.assessment.disparities, key=lambda one: (one.upper is None, one.upper)):
        if one.kind == "ratio" and one.upper is not None and one.upper < _RATIO and one.column not in judged:
            apart.setdefault(one.column, one)
    if apart:
        told = [
            f"{column}, {describe_metric(one.metric).title.lower()}, ratio {format_interval(one)}"
            for column, one in list(apart.items())[:_UNJUDGED]
        ]
        text = f"{'; '.join(told)}: no tolerance is set for {'this grouping' if len(told) == 1 else 'these groupings'}."
        yield AttentionPoint("Measured, not judged", text, "fairness")


def _list_not_assessed(card: ModelCard) -> Iterator[AttentionPoint]:
    if card.fairness is None:
        return
    groupings = list_groupings(card.fairness)
    for grouping in groupings:
        for text in grouping.not_assessed:
            yield AttentionPoint("Group not assessed", f"{grouping.column}, {text}.", "fairness")
    measured = {column for grouping in groupings for column in grouping.column.split(JOIN)}
    if missing := [name for name in card.names_of("audit") if name not in measured]:
        are, it = ("is", "it") if len(missing) == 1 else ("are", "them")
        text = f"{', '.join(missing)} {are} for the audit only and in no grouping: nothing was measured for {it}."
        yield AttentionPoint("Not audited", text, "fairness")
    small: dict[str, list[str]] = {}
    for column, figure in list_small_groups(card.fairness):
        small.setdefault(column, []).append(f"{figure.group} ({figure.rate} of {figure.n})")
    for column, groups in small.items():
        text = f"{column}: fewer than {SMALL_GROUP} rows behind a figure of {', '.join(groups)}."
        yield AttentionPoint("Small group", text, "fairness")


def _list_questionnaire(card: ModelCard) -> Iterator[AttentionPoint]:
    for message in card.questionnaire.contradictions:
        yield AttentionPoint("Metrics contradict the answers", f"{message}.", "questionnaire")


def _list_mitigation(card: ModelCard) -> Iterator[AttentionPoint]:
    mitigation = card.mitigation
    if mitigation is None:
        return
    if mitigation.chosen_model.needs_sensitive:
        text = f"The registered model needs {mitigation.by.column} of every row that it predicts."
        yield AttentionPoint("Sensitive column at prediction", text, "mitigation")
    effect = mitigation.chosen_model.find_effect()
    if effect is not None and not (effect.lower is not None and effect.lower > 0):
        text = (
            f"{mitigation.chosen} is fairer than the unmitigated model in {effect.better} of {effect.n} further splits "
            f"({format_gain(effect)}): another split may say that it is not."
        )
        yield AttentionPoint("Mitigation not shown to be stable", text, "mitigation")
    for model in mitigation.without_model:
        # What can be done about it stands in the section.
        why = model.reason.split(". ")[0].rstrip(".")
        yield AttentionPoint(f"Mitigation {model.status}", f"{model.name}: {why}.", "mitigation")


def _list_flagged_columns(card: ModelCard) -> Iterator[AttentionPoint]:
    today = card.identity.created_at_day
    for column in card.columns:
        if not (column.flags and column.model_uses):
            continue
        why = "no justification is recorded"
        if column.justification:
            reason = column.justification
            why = f"justified by {reason.by}, {describe_validity(reason.until, today)}: {reason.reason}"
        part = _describe_use(column)
        text = f"{column.name} is flagged {' and '.join(column.flags)} and {part}; {why}."
        yield AttentionPoint("Flagged column in the model", text, "columns")


def _describe_use(column: GovernedColumn) -> str:
    if column.is_label:
        return "is what the model learns to predict"
    if column.use == "mitigation":
        return "is read by the mitigation for every prediction, by the estimator never"
    return "reaches the estimator"


def _list_performance(card: ModelCard) -> Iterator[AttentionPoint]:
    if not card.performance:
        yield AttentionPoint("Performance not measured", "The card has no performance figure.", "performance")
    for estimate in card.performance:
        where = f"{estimate.name} on {estimate.split}"
        if estimate.value is None or estimate.note:
            yield AttentionPoint("Figure not complete", f"{where}: {estimate.note}.", "performance")
        elif estimate.lower is None or estimate.upper is None:
            yield AttentionPoint("No interval", f"{where}: its uncertainty was not measured.", "performance")
        elif estimate.upper - estimate.lower > _WIDE * abs(estimate.value):
            share = format_share(_WIDE)
            text = f"{where}: {format_interval(estimate)}, wider than {share} of the figure."
            yield AttentionPoint("Wide interval", text, "performance")
    yield from _list_split_differences(card)


def _list_split_differences(card: ModelCard) -> Iterator[AttentionPoint]:
    by_split = {(e.name, e.split): e for e in card.performance}
    for name in dict.fromkeys(e.name for e in card.performance):
        train, test = by_split.get((name, "train")), by_split.get((name, "test"))
        if train and test and _are_apart(train, test):
            text = f"{name}: train {format_interval(train)}, test {format_interval(test)}: no overlap."
            yield AttentionPoint("Train and test differ", text, "performance")


def _are_apart(one: Figure, other: Figure) -> bool:
    if one.lower is None or one.upper is None or other.lower is None or other.upper is None:
        return False
    return one.upper < other.lower or other.upper < one.lower


def _list_carbon(card: ModelCard) -> Iterator[AttentionPoint]:
    if not card.carbon:
        yield AttentionPoint("Carbon not measured", "The card has no carbon figure.", "carbon")
    for figure in card.carbon:
        if not figure.is_measured:
            yield AttentionPoint("Carbon not measured", f"{figure.task}: {figure.reason}.", "carbon")


def _list_origin(card: ModelCard) -> Iterator[AttentionPoint]:
    for repeat in card.data.repeats:
        yield AttentionPoint("Rows of one unit", f"{repeat}.", "data")
    commit = card.data.git_commit
    if commit is None:
        yield AttentionPoint("Origin", "The code of this version is not under version control.", "data")
    elif commit.endswith(UNCOMMITTED):
        before = commit.removesuffix(UNCOMMITTED)
        text = f"The code had uncommitted changes after commit {before}: this version cannot be rebuilt exactly."
        yield AttentionPoint("Origin", text, "data")
    if not card.uses.out_of_scope:
        yield AttentionPoint("Use", "No out-of-scope use is stated.", "use")
    if not card.limits:
        yield AttentionPoint("Limits", "No limit of the model is stated.", "limits")
