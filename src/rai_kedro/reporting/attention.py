"""What to look at before approving a version: points that follow from the card's figures, never a verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rai_kedro.reporting.card_contents import Estimate, GapEstimate, ModelCard
from rai_kedro.reporting.wording import describe_validity, format_interval, format_share


@dataclass(frozen=True)
class AttentionThresholds:
    """When a figure is worth a second look.

    Attributes:
        relative_width: An interval wider than this share of its figure is listed.
        small_group: A group with fewer rows than this is listed.
    """

    relative_width: float = 0.5
    small_group: int = 30


@dataclass(frozen=True)
class AttentionPoint:
    """One thing to look at: its topic, what was found, and the section of the card that holds the figures."""

    topic: str
    text: str
    section: str


def list_attention(card: ModelCard, thresholds: AttentionThresholds | None = None) -> tuple[AttentionPoint, ...]:
    """List what a reviewer looks at before approving, the gravest kinds first.

    Args:
        card: The model card.
        thresholds: When a figure is listed; the defaults when ``None``.

    Returns:
        Points with the figures they rest on. An empty result says that no rule applied, not that the model is
        fair or good.
    """
    limits = thresholds or AttentionThresholds()
    return (
        *_list_flagged_columns(card),
        *_list_gaps(card, limits),
        *_list_performance(card, limits),
        *_list_carbon(card),
        *_list_origin(card),
    )


def _list_flagged_columns(card: ModelCard) -> Iterator[AttentionPoint]:
    today = card.identity.created_at_day
    for column in card.columns:
        if not (column.flags and column.model_uses):
            continue
        why = "no justification is recorded"
        if column.justification:
            reason = column.justification
            why = f"justified by {reason.by}, {describe_validity(reason.until, today)}: {reason.reason}"
        part = "is what the model learns to predict" if column.is_label else "reaches the estimator"
        text = f"{column.name} is flagged {' and '.join(column.flags)} and {part}; {why}."
        yield AttentionPoint("Flagged column in the model", text, "columns")
    measured = {gap.column for gap in card.fairness}
    for name in card.lanes.audit:
        if name not in measured:
            text = f"{name} is in the audit lane, but no fairness figure was measured for it."
            yield AttentionPoint("Not audited", text, "fairness")


def _list_gaps(card: ModelCard, limits: AttentionThresholds) -> Iterator[AttentionPoint]:
    if not card.fairness:
        yield AttentionPoint("Fairness not measured", "The card has no fairness figure.", "fairness")
    for metric in dict.fromkeys(gap.metric for gap in card.fairness):
        gaps = [gap for gap in card.fairness if gap.metric == metric]
        known = [gap for gap in gaps if gap.gap.value is not None]
        if known:
            yield AttentionPoint("Widest gap", _describe_gap(max(known, key=_size)), "fairness")
        for gap in gaps:
            if gap.gap.value is None:
                text = f"{metric} over {gap.column} is not defined: {gap.gap.note or gap.gap.method}."
                yield AttentionPoint("Gap not defined", text, "fairness")
    small = {(g.column, v.group, v.rows) for g in card.fairness for v in g.groups if v.rows < limits.small_group}
    for column, group, rows in sorted(small):
        text = f"{column}, group {group}: {rows} rows, fewer than {limits.small_group}: uncertain figures."
        yield AttentionPoint("Small group", text, "fairness")


def _size(gap: GapEstimate) -> float:
    return abs(gap.gap.value or 0.0)


def _describe_gap(gap: GapEstimate) -> str:
    text = f"{gap.metric} over {gap.column}: {format_interval(gap.gap)} {gap.gap.unit}".strip()
    known = sorted((g for g in gap.groups if g.value is not None), key=lambda g: g.value or 0.0)
    if not known:
        return f"{text}."
    parts = [f"{g.group} {format_interval(g)} (n = {g.rows})" for g in (known[0], known[-1])]
    return f"{text}. Lowest: {parts[0]}; highest: {parts[1]}."


def _list_performance(card: ModelCard, limits: AttentionThresholds) -> Iterator[AttentionPoint]:
    if not card.performance:
        yield AttentionPoint("Performance not measured", "The card has no performance figure.", "performance")
    for estimate in card.performance:
        where = f"{estimate.name} on {estimate.split}"
        if estimate.value is None or estimate.note:
            yield AttentionPoint("Figure not complete", f"{where}: {estimate.note}.", "performance")
        elif estimate.lower is None or estimate.upper is None:
            yield AttentionPoint("No interval", f"{where}: its uncertainty was not measured.", "performance")
        elif estimate.upper - estimate.lower > limits.relative_width * abs(estimate.value):
            share = format_share(limits.relative_width)
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


def _are_apart(one: Estimate, other: Estimate) -> bool:
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
    commit = card.data.git_commit
    if commit is None:
        yield AttentionPoint("Origin", "The code of this version is not under version control.", "data")
    elif commit.endswith("dirty"):
        text = f"The code had uncommitted changes ({commit}): this version cannot be rebuilt exactly."
        yield AttentionPoint("Origin", text, "data")
    if not card.uses.out_of_scope:
        yield AttentionPoint("Use", "No out-of-scope use is stated.", "use")
    if not card.limits:
        yield AttentionPoint("Limits", "No limit of the model is stated.", "limits")
