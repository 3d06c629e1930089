"""Verdicts on disparities, and the one gate that every route through the project asks.

A verdict is driven by the interval and never by the point: **pass** if the whole interval lies within the tolerance,
**fail** if it lies wholly outside, **insufficient evidence** otherwise, with the number of further rows that would
settle it in about half of all cases. A declared group that is absent from the data is **not assessed**, and nothing
passes over it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from rai_kedro.fairness.estimates import Disparity, DisparityKind, name_disparity
from rai_kedro.fairness.further_rows import FurtherRows, find_further_rows
from rai_kedro.fairness.metrics import describe_metric
from rai_kedro.typed import Typed
from rai_kedro.words import format_share, in_words, list_some

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

VerdictOutcome: TypeAlias = Literal["pass", "fail", "insufficient_evidence", "not_assessed"]
GroupOutcome: TypeAlias = Literal["flagged", "cleared", "open"]
GateOutcome: TypeAlias = Literal["pass", "fail", "insufficient_evidence", "could_not_be_evaluated"]

EXIT_CODES: dict[GateOutcome, int] = {
    "pass": 0,
    "fail": 1,
    "insufficient_evidence": 2,
    "could_not_be_evaluated": 3,
}
_CLOSE = 1e-9
_SHOWN = 4


class Tolerance(Typed):
    """How far groups may lie apart on one metric.

    Attributes:
        limit: Largest difference or distance, in the unit of the metric; or smallest ratio, for example 0.8.
        column: The grouping it applies to; None for all. A tolerance that names the column goes before one that does
            not.
        metric: Name of the metric, which ``fairness.metrics`` has to measure.
        kind: Which of its disparities is limited.
    """

    metric: str
    kind: DisparityKind = "difference"
    limit: float = Field(ge=0)
    column: str | None = None

    @model_validator(mode="after")
    def _ratio_is_at_most_one(self) -> Tolerance:
        if self.kind == "ratio" and self.limit > 1:
            raise ValueError(f"{self.metric}: the limit of a ratio lies between 0 and 1, got {self.limit}")
        return self

    @field_validator("metric")
    @classmethod
    def _use_the_canonical_name(cls, name: str) -> str:
        return describe_metric(name).name

    def applies_to(self, disparity: Disparity) -> bool:
        """Return whether the disparity is of this metric and kind, and of this grouping if one is named."""
        same = (disparity.metric, disparity.kind) == (self.metric, self.kind)
        return same and self.column in (None, disparity.column)


class Verdict(Typed):
    """What the evidence allows to say of one disparity.

    Attributes:
        tolerance: The limit it was judged by.
        rows_needed: Further rows that would settle it in about half of all cases (:func:`find_further_rows`); None
            where it is settled, or no feasible number of rows is known.
        rows_by_group: Of which groups these rows are, where only some lack rows; otherwise of all, mixed as now.
        reason: The verdict in one sentence.
        by_group: Of three groups or more, each held against all others together (or the reference): ``flagged`` if it
            lies wholly beyond the limit, ``cleared`` if wholly within, ``open`` otherwise; valid for all at once.
    """

    outcome: VerdictOutcome
    tolerance: float
    disparity: Disparity
    rows_needed: int | None = None
    rows_by_group: dict[str, int] = Field(default_factory=dict)
    reason: str = ""
    by_group: dict[str, GroupOutcome] = Field(default_factory=dict, exclude_if=lambda value: not value)

    @property
    def groups(self) -> str:
        """Say which groups are flagged and open, and how many cleared; empty where groups are not judged singly."""
        if not self.by_group:
            return ""
        named = {
            outcome: [group for group, found in self.by_group.items() if found == outcome]
            for outcome in ("flagged", "open", "cleared")
        }
        told = [f"flagged: {list_some(named['flagged'], _SHOWN) or 'none'}"]
        told += [f"open: {list_some(named['open'], _SHOWN)}"] if named["open"] else []
        return "; ".join([*told, f"cleared: {len(named['cleared'])} of {len(self.by_group)} groups"])


class GateDecision(Typed):
    """The one answer of the gate.

    Attributes:
        outcome: The worst of its verdicts: could not be evaluated > fail > insufficient evidence > pass.
        verdicts: One per disparity that has a tolerance.
        problems: What could not be evaluated, and why.
        without_tolerance: Disparities reported but not judged, since no tolerance is set for them.
        exit_code: 0 for pass, 1 for fail, 2 for insufficient evidence, 3 for could not be evaluated.
        error_budget: The largest chance that any of several verdicts is a wrong pass or a wrong fail; None where there
            is one only, or each was judged by itself.
    """

    outcome: GateOutcome
    verdicts: tuple[Verdict, ...] = ()
    problems: tuple[str, ...] = ()
    without_tolerance: tuple[str, ...] = ()
    exit_code: int = Field(default_factory=lambda given: EXIT_CODES[given["outcome"]])
    error_budget: float | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def budget(self) -> str:
        """The error budget in one sentence; empty where there is none."""
        if self.error_budget is None:
            return ""
        return (
            f"The chance that any of these {len(self.verdicts)} verdicts passes or fails wrongly is at most "
            f"{format_share(self.error_budget)} for all of them together: each has to hold among the others (Holm's "
            "method for fails, Hochberg's for passes, which asks nothing more where all pass)."
        )

    def __repr__(self) -> str:
        """Return the outcome, and a line for each verdict or problem."""
        lines = [
            f"{name_disparity(one.disparity)}: {in_words(one.outcome)}: {one.reason}"
            + (f"\n    each group against the others: {one.groups}" if one.groups else "")
            for one in self.verdicts
        ]
        return "\n  ".join([in_words(self.outcome), *self.problems, *lines, *filter(None, [self.budget])])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        from rai_kedro.fairness.presentation import write_table

        return write_table([one.disparity for one in self.verdicts], self)

    def plot(self) -> Figure:
        """Draw the intervals that were judged against their limits."""
        from rai_kedro.fairness.presentation import draw_intervals

        return draw_intervals([one.disparity for one in self.verdicts], self)

    @model_validator(mode="after")
    def _exit_code_follows_from_the_outcome(self) -> GateDecision:
        if self.exit_code != EXIT_CODES[self.outcome]:
            raise ValueError(f"the exit code of {self.outcome} is {EXIT_CODES[self.outcome]}, not {self.exit_code}")
        return self

    @classmethod
    def could_not_be_evaluated(cls, problem: str) -> GateDecision:
        """Return the decision for a route on which nothing could be measured: the gate stays closed."""
        return cls(outcome="could_not_be_evaluated", problems=(problem,))


class Gate(Typed):
    """The gate that a run, the command line, CI and promotion all ask; ``level`` is the least that it accepts."""

    tolerances: tuple[Tolerance, ...]
    level: float = Field(default=0.95, gt=0, lt=1)

    @model_validator(mode="after")
    def _each_once(self) -> Gate:
        keys = [(item.metric, item.kind, item.column) for item in self.tolerances]
        doubled = sorted({str(key) for key in keys if keys.count(key) > 1})
        if doubled:
            raise ValueError(f"more than one tolerance for {', '.join(doubled)}")
        return self

    def judge(self, disparities: Sequence[Disparity]) -> GateDecision:
        """Judge every disparity that has a tolerance.

        The gate fails closed: no tolerance, a tolerance that meets no disparity, an interval that was not made, is not
        one or is of too low a level: could not be evaluated.
        """
        problems = [] if self.tolerances else ["no tolerance is set, so nothing was judged"]
        problems += [self._unmet(item) for item in self.tolerances if not any(map(item.applies_to, disparities))]
        verdicts, open_ones = [], []
        for disparity in disparities:
            tolerance = self.tolerance_for(disparity)
            if tolerance is None:
                open_ones.append(name_disparity(disparity))
                continue
            problems += self._problems(disparity)
            verdicts.append(judge(disparity, tolerance.limit))
        verdicts = hold_jointly(verdicts)
        outcome = _worst([verdict.outcome for verdict in verdicts], bool(problems))
        return GateDecision(
            outcome=outcome,
            verdicts=tuple(verdicts),
            problems=tuple(problems),
            without_tolerance=tuple(open_ones),
            error_budget=round(1 - self.level, 9) if _are_joint(verdicts) else None,
        )

    def tolerance_for(self, disparity: Disparity) -> Tolerance | None:
        """Return the tolerance that applies, the one that names the column first, or None."""
        fitting = [item for item in self.tolerances if item.applies_to(disparity)]
        return min(fitting, key=lambda item: item.column is None, default=None)

    def _problems(self, disparity: Disparity) -> list[str]:
        found = []
        if disparity.level < self.level - _CLOSE:
            found.append(f"interval at level {disparity.level:g}, the gate asks for {self.level:g}")
        if not _is_interval(disparity.lower, disparity.upper):
            found.append(f"{disparity.lower} to {disparity.upper} is not an interval")
        elif disparity.lower is None and disparity.upper is None:
            why = [disparity.note or "nothing could be compared", *disparity.not_assessed]
            found.append(f"no interval: {'; '.join(why)}")
        return [f"{name_disparity(disparity)}: {problem}" for problem in found]

    @staticmethod
    def _unmet(tolerance: Tolerance) -> str:
        where = f" of {tolerance.column}" if tolerance.column else ""
        return f"{tolerance.metric} ({tolerance.kind}){where}: a tolerance is set, but nothing was measured"


def judge(disparity: Disparity, limit: float) -> Verdict:
    """Judge the interval of one disparity by the largest difference or distance, or smallest ratio, that is tolerated.

    Only the interval decides; the value is used for the rows needed. With a declared group absent the verdict is
    ``fail`` if those present already fail (the largest difference can only grow with another group), ``not_assessed``
    otherwise. An open end never lets anything pass.
    """
    low, high = disparity.lower, disparity.upper
    inside, outside = (low, high) if disparity.kind == "ratio" else (high, low)
    extent, needed = f"{_shown(low)} to {_shown(high)}", None
    outcome: VerdictOutcome
    if not _is_interval(low, high) or (low is None and high is None):
        outcome, reason = "not_assessed", disparity.note or "no interval could be made"
    elif outside is not None and _beyond(outside, limit, disparity.kind):
        outcome, reason = "fail", f"the whole interval {extent} lies outside {limit:g}"
    elif disparity.not_assessed:
        outcome = "not_assessed"
        reason = f"{extent} among those present; not assessed: {'; '.join(disparity.not_assessed)}"
    elif inside is not None and not _beyond(inside, limit, disparity.kind):
        outcome, reason = "pass", f"the whole interval {extent} lies within {limit:g}"
    else:
        needed = find_further_rows(disparity, limit)
        outcome, reason = "insufficient_evidence", f"the interval {extent} reaches both sides of {limit:g}"
        reason += f"; {tell_rows(needed)}" if needed else ""
    rows, of_groups = (needed.total, needed.by_group) if needed else (None, {})
    return Verdict(
        outcome=outcome,
        tolerance=limit,
        disparity=disparity,
        rows_needed=rows,
        rows_by_group=of_groups,
        reason=reason,
        by_group=_judge_groups(disparity, limit),
    )


def _judge_groups(disparity: Disparity, limit: float) -> dict[str, GroupOutcome]:
    """Judge every group by the worst of its rates: flagged before open before cleared."""
    found: dict[str, list[GroupOutcome]] = {}
    least, most = (limit, math.inf if not limit else 1 / limit) if disparity.kind == "ratio" else (-limit, limit)
    for one in disparity.by_group:
        outcome: GroupOutcome = "open"
        if (one.lower is not None and one.lower > most) or (one.upper is not None and one.upper < least):
            outcome = "flagged"
        elif one.lower is not None and one.upper is not None and least <= one.lower and one.upper <= most:
            outcome = "cleared"
        found.setdefault(one.group, []).append(outcome)
    order: tuple[GroupOutcome, ...] = ("flagged", "open", "cleared")
    return {group: min(outcomes, key=order.index) for group, outcomes in found.items()}


def hold_jointly(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Take back what may be chance among so many verdicts: a pass or fail that does not hold among the others.

    Fails by S. Holm (1979), whatever their dependence; passes by Y. Hochberg (1988), which asks nothing further where
    all pass (by the intersection-union principle that needs no correction) and assumes that disparities of the same
    rows are not negatively dependent otherwise. Verdicts on disparities without joint limits stay as they are.
    """
    number = len(verdicts)

    def holds(verdict: Verdict, among: int, outcome: VerdictOutcome) -> bool:
        low, high = verdict.disparity.limits_among(among)
        inside, outside = (low, high) if verdict.disparity.kind == "ratio" else (high, low)
        end = inside if outcome == "pass" else outside
        beyond = end is not None and _beyond(end, verdict.tolerance, verdict.disparity.kind)
        return verdict.outcome == outcome and end is not None and beyond == (outcome == "fail")

    failed = 0
    while (found := sum(holds(one, number - failed, "fail") for one in verdicts)) > failed:
        failed = found
    fails_among = number - failed
    passes_among = next(
        (
            among
            for among in range(1, number + 1)
            if sum(holds(one, among, "pass") for one in verdicts) > number - among
        ),
        number,
    )
    among: dict[VerdictOutcome, int] = {"fail": max(1, fails_among), "pass": passes_among}
    return [
        _take_back(one, number, among[one.outcome])
        if one.outcome in among and not holds(one, among[one.outcome], one.outcome)
        else one
        for one in verdicts
    ]


def _take_back(verdict: Verdict, number: int, among: int) -> Verdict:
    disparity, limit = verdict.disparity, verdict.tolerance
    needed = find_further_rows(disparity, limit, among=among)
    low, high = disparity.limits_among(among)
    reason = (
        f"{verdict.reason} by itself; among {number} judged figures that may be chance, and the interval that allows "
        f"for it, {_shown(low)} to {_shown(high)}, reaches both sides of {limit:g}"
    )
    reason += f"; {tell_rows(needed)}" if needed else ""
    rows = {"rows_needed": needed.total, "rows_by_group": needed.by_group} if needed else {}
    return verdict.model_copy(update={"outcome": "insufficient_evidence", "reason": reason, **rows})


def _are_joint(verdicts: Sequence[Verdict]) -> bool:
    return len(verdicts) > 1 and all(one.disparity.jointly is not None for one in verdicts)


def tell_rows(needed: FurtherRows) -> str:
    """Say in words how many further rows would settle a verdict, and of which groups."""
    half = "would settle it in about half of all cases"
    if not needed.by_group:
        return f"about {needed.total:,} further rows like these {half}"
    return f"about {list_rows(needed.by_group)} {half}"


def list_rows(by_group: Mapping[str, int]) -> str:
    """Name the groups that lack rows, and how many."""
    told = [
        f"{rows:,} {'' if at else 'further rows '}of {group!r}" for at, (group, rows) in enumerate(by_group.items())
    ]
    return list_some(told, _SHOWN)


def _beyond(end: float, limit: float, kind: DisparityKind) -> bool:
    return end < limit if kind == "ratio" else end > limit


def _is_interval(lower: float | None, upper: float | None) -> bool:
    finite = all(end is None or math.isfinite(end) for end in (lower, upper))
    return finite and (lower is None or upper is None or lower <= upper)


def _worst(outcomes: Sequence[VerdictOutcome], problems: bool) -> GateOutcome:
    if problems or not outcomes:
        return "could_not_be_evaluated"
    if "fail" in outcomes:
        return "fail"
    return "pass" if set(outcomes) == {"pass"} else "insufficient_evidence"


def _shown(end: float | None) -> str:
    return "(no limit)" if end is None else f"{end:.3g}"
