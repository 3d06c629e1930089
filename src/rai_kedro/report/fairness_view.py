"""The fairness of a model as its card shows it: the gate in one sentence, verdicts, and one part per grouping."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rai_kedro import fairness
from rai_kedro.intervals import Estimate, proportion_intervals
from rai_kedro.report.card import FairnessRecord
from rai_kedro.words import count_of, format_share, in_words

# Under this many rows an interval is so wide that a group is named for it.
SMALL_GROUP = 30
GRAVEST_FIRST: tuple[fairness.VerdictOutcome, ...] = ("fail", "not_assessed", "insufficient_evidence", "pass")
_CLOSE = 1e-9
_CONSEQUENCE = (
    " Without a pass of the gate, the version can be approved only with a risk that somebody accepts and gives a "
    "reason for."
)


@dataclass(frozen=True)
class DisparityLine:
    """One disparity in words, judged or not."""

    disparity: fairness.Disparity
    metric: str
    compared: str  # what is compared, in plain words
    kind: str
    unit: str  # empty for a pure number
    apart: str  # the two groups that lie furthest apart, or why there are none
    limit: str = ""  # what is tolerated, for example "at most 0.1"
    tolerance: float | None = None  # the same as a number
    outcome: str = ""  # key of the verdict
    verdict: str = "not judged: no tolerance is set"
    settled_by: str = ""
    by_group: str = ""  # which groups are flagged, open and cleared
    each: tuple[tuple[fairness.GroupDistance, str], ...] = ()  # every group against the others, and its verdict


@dataclass(frozen=True)
class GroupLine:
    """One group's figures, in the order of the rates; None where a rate has none for it."""

    group: str
    is_small: bool
    figures: tuple[fairness.GroupFigure | None, ...]


@dataclass(frozen=True)
class SelectedShare:
    """How much of all rows, of those with the favourable decision and of the others one group makes up."""

    group: str
    rows: int
    of_all: Estimate
    of_favoured: Estimate | None
    of_others: Estimate | None


@dataclass(frozen=True)
class GroupingView:
    """Everything of one grouping."""

    column: str
    rule: str  # how the groups were made
    groups: tuple[GroupLine, ...]  # small ones too
    selected: tuple[SelectedShare, ...]  # of a classification
    reference: str  # the group that others are compared with; empty where every pair is compared
    headings: tuple[Any, ...]  # of the table of groups: the group, and each rate with its unit
    metrics: tuple[tuple[DisparityLine, ...], ...]  # of each metric a line per kind
    left_out: tuple[str, ...]  # rows left out, with the reason
    not_assessed: tuple[str, ...]  # what could not be compared, with the reason


def view_fairness(record: FairnessRecord) -> dict[str, object]:
    """Return everything that the templates of the card show of fairness, by name."""
    return {
        "gate": describe_gate(record.gate),
        "consequence": _CONSEQUENCE,
        "rows": "test rows",
        "level": describe_level(record),
        "budget": record.gate.budget,
        "verdicts": list_verdicts(record),
        "problems": record.gate.problems,
        "open": describe_open(record.gate),
        "groupings": list_groupings(record),
        "metrics": list_metrics(record),
        "ll144": record.assessment.ll144,
    }


def describe_gate(gate: fairness.GateDecision) -> str:
    """Say the outcome of the gate in one sentence."""
    counts = {outcome: sum(one.outcome == outcome for one in gate.verdicts) for outcome in GRAVEST_FIRST}
    judged = count_of(len(gate.verdicts), "judged disparity")
    if gate.outcome == "could_not_be_evaluated":
        return f"The fairness gate could not be evaluated, and so stays closed: {gate.problems[0]}."
    if gate.outcome == "pass":
        return f"The fairness gate says pass: of {judged}, each has its whole interval within the tolerance."
    parts = [f"{counts[outcome]} {in_words(outcome)}" for outcome in GRAVEST_FIRST if counts[outcome]]
    return f"The fairness gate says {in_words(gate.outcome)}. Of {judged}: {', '.join(parts)}."


def describe_level(record: FairnessRecord) -> str:
    """Say how certain the intervals are, and why they may be wider than was configured."""
    levels = sorted({disparity.level for disparity in record.assessment.disparities})
    if not levels:
        return ""
    text = f"Level {' and '.join(map(format_share, levels))}, of all pairs of groups of a metric and grouping at once"
    if levels[-1] > record.level + _CLOSE:
        models = round((1 - record.level) / (1 - levels[-1]))
        return (
            f"{text}: higher than the configured {format_share(record.level)}, since the model was chosen among "
            f"{models} on these same rows, and the intervals have to hold for whichever came out best."
        )
    return f"{text}."


def list_verdicts(record: FairnessRecord) -> tuple[DisparityLine, ...]:
    """Return one line per judged disparity, the gravest verdicts first."""
    ordered = sorted(record.gate.verdicts, key=lambda verdict: GRAVEST_FIRST.index(verdict.outcome))
    return tuple(_describe(verdict.disparity, verdict, record.unit) for verdict in ordered)


def list_groupings(record: FairnessRecord) -> tuple[GroupingView, ...]:
    """Return one part per grouping; disparities that compare individuals make a part without groups."""
    tables = {table.column: table for table in record.assessment.tables}
    columns = dict.fromkeys([*tables, *(disparity.column for disparity in record.assessment.disparities)])
    return tuple(_view(column, tables.get(column), record) for column in columns)


def describe_open(gate: fairness.GateDecision) -> str:
    """Say how much was measured that no tolerance judges; nothing where all is judged."""
    count = len(gate.without_tolerance)
    if not count:
        return ""
    were = "was" if count == 1 else "were"
    return f"{count_of(count, 'further disparity')} {were} measured without a tolerance: reported, not judged."


def list_metrics(record: FairnessRecord) -> tuple[fairness.Metric, ...]:
    """Return the metrics on the card."""
    names = dict.fromkeys(disparity.metric for disparity in record.assessment.disparities)
    return tuple(fairness.METRICS[name] for name in names if name in fairness.METRICS)


def list_small_groups(record: FairnessRecord) -> tuple[tuple[str, fairness.GroupFigure], ...]:
    """Return every group of which some figure rests on fewer rows, with its smallest such figure."""
    found: dict[tuple[str, str], fairness.GroupFigure] = {}
    for table in record.assessment.tables:
        for figure in table.figures:
            kept = found.get((table.column, figure.group))
            if (figure.n or 0) < SMALL_GROUP and (kept is None or (figure.n or 0) < (kept.n or 0)):
                found[table.column, figure.group] = figure
    return tuple((column, figure) for (column, _), figure in found.items())


def _describe(disparity: fairness.Disparity, verdict: fairness.Verdict | None, unit: str) -> DisparityLine:
    metric = fairness.describe_metric(disparity.metric)
    line = DisparityLine(
        disparity=disparity,
        metric=metric.title,
        compared=metric.compared,
        kind=fairness.name_kind(disparity.kind),
        unit=metric.find_unit(disparity.kind, unit),
        apart=_say_apart(disparity),
    )
    if verdict is None:
        return line
    return replace(
        line,
        limit=say_limit(verdict),
        tolerance=verdict.tolerance,
        outcome=verdict.outcome,
        verdict=in_words(verdict.outcome),
        settled_by=_say_what_settles(verdict),
        by_group=verdict.groups,
        each=tuple((one, verdict.by_group.get(one.group, "")) for one in disparity.by_group),
    )


def _say_apart(disparity: fairness.Disparity) -> str:
    if disparity.pair is None:
        return disparity.note
    of_class = f"; class {disparity.of_class} against the others" if disparity.of_class else ""
    return "lower: {}; higher: {}".format(*disparity.pair) + of_class


def say_limit(verdict: fairness.Verdict) -> str:
    """Say what is tolerated of a disparity: ``"at most 0.1"``."""
    return f"{'at least' if verdict.disparity.kind == 'ratio' else 'at most'} {verdict.tolerance:g}"


def _say_what_settles(verdict: fairness.Verdict) -> str:
    if verdict.outcome == "insufficient_evidence":
        if verdict.rows_needed is None:
            return "no number of rows can be given: none is feasible, or it is not known for this metric"
        if verdict.rows_by_group:
            return f"about {fairness.list_rows(verdict.rows_by_group)} behind these figures"
        return f"about {verdict.rows_needed:,} further rows behind these figures"
    if verdict.outcome == "not_assessed":
        return "; ".join(verdict.disparity.not_assessed) or verdict.reason
    return "settled"


def _view(column: str, table: fairness.GroupTable | None, record: FairnessRecord) -> GroupingView:
    disparities = [one for one in record.assessment.disparities if one.column == column]
    verdicts = {
        (one.disparity.metric, one.disparity.kind): one
        for one in record.gate.verdicts
        if one.disparity.column == column
    }
    by_metric: dict[str, list[DisparityLine]] = {}
    for one in disparities:
        line = _describe(one, verdicts.get((one.metric, one.kind)), record.unit)
        by_metric.setdefault(one.metric, []).append(line)
    rates = tuple(dict.fromkeys(figure.rate for figure in table.figures)) if table else ()
    return GroupingView(
        column=column,
        rule=table.rule if table else disparities[0].rule,
        groups=tuple(_list_groups(table, rates)) if table else (),
        selected=_share_selected(table, record.level) if table else (),
        reference=next((one.reference for one in disparities if one.reference), "") or "",
        headings=("Group", *((rate, "figure", record.unit) for rate in rates)),
        metrics=tuple(map(tuple, by_metric.values())),
        left_out=_list_once(
            _say_left_out(table.left_out if table else {}), [(one, _say_left_out(one.left_out)) for one in disparities]
        ),
        not_assessed=_list_once(table.not_assessed if table else (), [(one, one.not_assessed) for one in disparities]),
    )


def _list_groups(table: fairness.GroupTable, rates: Sequence[str]) -> Iterable[GroupLine]:
    figures = {(figure.group, figure.rate): figure for figure in table.figures}
    for group in dict.fromkeys(figure.group for figure in table.figures):
        of_group = tuple(figures.get((group, rate)) for rate in rates)
        rows = [figure.n or 0 for figure in of_group if figure is not None]
        is_small = min(rows, default=0) < SMALL_GROUP
        yield GroupLine(group, is_small, of_group)


def _share_selected(table: fairness.GroupTable, level: float) -> tuple[SelectedShare, ...]:
    """Say how much each group makes up of those who were selected, and of those who were not."""
    rates = {one.group: one for one in table.figures if one.rate == "selection rate" and one.n}
    rows = {group: one.n or 0 for group, one in rates.items()}
    chosen = {group: round(rows[group] * (one.value or 0.0)) for group, one in rates.items()}
    others = {group: rows[group] - count for group, count in chosen.items()}
    parts = [
        proportion_intervals(list(counts.values()), [total] * len(counts), level) if total else [None] * len(counts)
        for counts in (rows, chosen, others)
        for total in (sum(counts.values()),)
    ]
    return tuple(SelectedShare(*one) for one in zip(rows, rows.values(), *parts, strict=True))


def _say_left_out(left_out: Mapping[str, int]) -> list[str]:
    return [f"{rows:,} rows: {reason}" for reason, rows in left_out.items()]


def _list_once(of_all: Iterable[str], of_each: Iterable[tuple[fairness.Disparity, Iterable[str]]]) -> tuple[str, ...]:
    """Return what holds for all figures, and what holds for a metric only, each once."""
    lines = dict.fromkeys(of_all)
    for disparity, texts in of_each:
        title = fairness.describe_metric(disparity.metric).title
        lines |= dict.fromkeys(f"{title}: {text}" for text in texts if text not in lines)
    return tuple(lines)
