"""A timeline as its page and figures read it: places on the axis of months, verdicts by subject, columns by weight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from rai_kedro.intervals import Estimate
from rai_kedro.monitoring import ColumnDrift, Finding, Gap, Measured, MonthRecord, Timeline
from rai_kedro.months import months_between
from rai_kedro.words import format_number

SUBJECTS = ("performance", "fairness", "drift", "data", "carbon")
NOT_DONE = "not_done"
# What a reader sees of a state: a sign that needs no colour, and its words.
SIGNS = {"ok": "✓", "watch": "!", "alarm": "✕", "insufficient_evidence": "?", NOT_DONE: "–"}  # noqa: RUF001 - signs
MEANINGS = {
    "ok": "all that was judged lies within its limit.",
    "watch": "something calls for attention, such as drift or an estimate beyond its limit; no limit is shown to be "
    "passed.",
    "alarm": "a limit is passed: the whole interval lies beyond it.",
    "insufficient_evidence": "there are too few rows, or no labels yet, to tell whether a limit is passed.",
    NOT_DONE: "there is nothing to judge: not scored, not measured, or no limit set.",
}
_STATES = {"passed": "ok"}
_GRAVEST_FIRST = ("alarm", "watch", "insufficient_evidence", "ok")
_WORST_FIRST = ("drift", "insufficient_evidence", "no_relevant_drift")
# What became of labels without anybody having to do something about it.
_QUIET_LABELS = ("", "unchanged", "none yet")


@dataclass(frozen=True)
class Cell:
    """What one subject came to in one month, and why."""

    state: str
    why: str = ""


@dataclass(frozen=True)
class Slot:
    """One place on the axis of months: a month under one model version, or one that was not scored."""

    month: str
    label: str
    anchor: str
    record: MonthRecord | None
    gaps: tuple[Gap, ...]
    starts_version: bool = False

    @property
    def used_in_training(self) -> bool:
        """Whether the version was trained on the month."""
        return self.record is not None and self.record.used_in_training

    @property
    def state(self) -> str:
        """What the month came to."""
        return self.record.verdict.outcome if self.record else NOT_DONE

    @property
    def figures(self) -> tuple[Measured, ...]:
        """All that was measured."""
        return self.record.outcome.figures if self.record and self.record.outcome else ()

    @cached_property
    def comparisons(self) -> dict[str, tuple[ColumnDrift, ...]]:
        """All comparisons by column, the label's among them."""
        record, found = self.record, dict[str, list[ColumnDrift]]()
        drift = record.drift.columns if record and record.drift else ()
        of_label = record.outcome.label_drift if record and record.outcome else ()
        for one in (*drift, *of_label):
            found.setdefault(one.column, []).append(one)
        return {name: tuple(entries) for name, entries in found.items()}

    def judge(self, subject: str) -> Cell:
        """Say what a subject came to: the weightiest of what was found, in its own words."""
        if self.record is None:
            return Cell(NOT_DONE, "; ".join(f"{one.missing}: {one.reason}" for one in self.gaps) or "not scored")
        if subject == "carbon":
            spent = self.record.carbon
            words = f"{format_number(spent.per_thousand_g)} g for 1,000 predictions" if spent else "not measured"
            return Cell("ok" if spent else NOT_DONE, words)
        found: list[Cell] = [_read(one) for one in self.record.verdict.findings if one.subject == subject]
        if subject == "data":
            found += self._judge_data()
        found.sort(key=lambda cell: _GRAVEST_FIRST.index(cell.state))
        if not found:
            return Cell(NOT_DONE, "not measured")
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        return Cell(found[0].state, found[0].why + more)

    def _judge_data(self) -> list[Cell]:
        """Data are in order where the results still speak of what the stores hold, and nothing was passed over."""
        record = self.record
        problems = [f"{one.missing}: {one.reason}" for one in self.gaps]
        if record and record.stale:
            problems.append(f"stale: {record.stale}")
        if record and record.labels not in _QUIET_LABELS:
            problems.append(f"labels {record.labels}")
        return [Cell("watch", one) for one in problems] or [Cell("ok", "as it was when it was scored")]


def _read(finding: Finding) -> Cell:
    return Cell(_STATES.get(finding.weight, finding.weight), finding.text)


def list_slots(timeline: Timeline) -> tuple[Slot, ...]:
    """Return every month from the first to the last known one, those that nobody scored in their place."""
    names = sorted({one.month for one in timeline.months} | {gap.month for gap in timeline.gaps})
    slots: list[Slot] = []
    before = ""
    for month in months_between(names[0], names[-1]) if names else ():
        records: list[MonthRecord | None] = [one for one in timeline.months if one.month == month]
        gaps = tuple(gap for gap in timeline.gaps if gap.month == month)
        for number, record in enumerate(records or [None], start=1):
            several, version = len(records) > 1, record.model_version if record else before
            label = f"{month} v{version}" if several else month
            anchor = f"month-{month}" + (f"-{number}" if several else "")
            slots.append(Slot(month, label, anchor, record, gaps, bool(before) and version != before))
            before = version
    return tuple(slots)


@dataclass(frozen=True)
class ColumnHistory:
    """One column over the months.

    Attributes:
        importance: Share of the model's total importance, as last known.
        entries: Its comparisons in each slot; none where it was not tested.
    """

    name: str
    importance: float | None
    entries: tuple[tuple[ColumnDrift, ...], ...]

    @property
    def worst(self) -> tuple[ColumnDrift | None, ...]:
        """Of each slot the comparison that counts: the worst verdict, then the largest effect beside its margin."""
        return tuple(min(found, key=_badness) if found else None for found in self.entries)

    @property
    def drifted_months(self) -> int:
        """Number of months in which it drifted."""
        return sum(any(one.drifted for one in found) for found in self.entries)

    @property
    def newest(self) -> ColumnDrift | None:
        """The comparison that counts of the newest month it was tested in."""
        return next((one for one in reversed(self.worst) if one), None)


def _badness(one: ColumnDrift) -> tuple[int, float]:
    return _WORST_FIRST.index(one.verdict), -(one.value or 0.0) / max(one.margin, 1e-9)


def sort_drifted_first(entries: Sequence[ColumnDrift]) -> list[ColumnDrift]:
    """Put what drifted first, the largest effect beside its margin leading."""
    return sorted(entries, key=_badness)


def rank_columns(slots: Sequence[Slot]) -> list[ColumnHistory]:
    """Return all columns, those that drift now first, then by months with drift and by importance."""
    names = dict.fromkeys(name for slot in slots for name in slot.comparisons)
    found = []
    for name in names:
        entries = tuple(slot.comparisons.get(name, ()) for slot in slots)
        importance = next(
            (one.importance for part in reversed(entries) for one in part if one.importance is not None), None
        )
        found.append(ColumnHistory(name, importance, entries))

    def weight(column: ColumnHistory) -> tuple[float, ...]:
        newest = column.newest
        ratio = _badness(newest)[1] if newest else 0.0
        return -bool(newest and newest.drifted), -column.drifted_months, -(column.importance or 0.0), ratio

    return sorted(found, key=weight)


def find_metrics(slots: Sequence[Slot]) -> tuple[str, ...]:
    """Return the names of all figures of performance, the judged ones first."""
    shown = [one for slot in slots for one in slot.figures if one.subject == "performance"]
    return tuple(dict.fromkeys([*(one.name for one in shown if one.verdict), *(one.name for one in shown)]))


def find_groups(slots: Sequence[Slot], metric: str) -> tuple[str, ...]:
    """Return the groups of people for which a figure of performance was measured or estimated."""
    shown = [one for slot in slots for one in slot.figures if one.subject == "performance" and one.name == metric]
    return tuple(dict.fromkeys(one.group for one in shown if one.group))


def find_disparities(slots: Sequence[Slot], *, judged: bool = True) -> tuple[tuple[str, str, str], ...]:
    """Return metric, kind and grouping of each disparity, in the order they were measured."""
    shown = [one for slot in slots for one in slot.figures if one.subject == "fairness"]
    return tuple(dict.fromkeys((one.name, one.kind, one.group) for one in shown if not judged or one.limit is not None))


def pick(slot: Slot, **wanted: object) -> Measured | None:
    """Return the figure of a month whose fields have these values; None if there is none."""
    return next(
        (one for one in slot.figures if all(getattr(one, field) == value for field, value in wanted.items())), None
    )


@dataclass(frozen=True)
class Bounds:
    """What a figure of performance is held against in one month, in its own unit."""

    tested: float | None = None
    limit: float | None = None
    floor: float | None = None


def find_bounds(slot: Slot, metric: str) -> Bounds:
    """Return what the figure came to on the test rows, worked out from how it changed since, and its limits."""
    floor = pick(slot, subject="performance", name=metric, kind="floor", group="")
    for now, change in _list_changes(slot, metric):
        if now.value is None or change.value is None or change.limit is None:
            continue
        if change.kind == "ratio" and change.value:
            tested = now.value / change.value
            return Bounds(tested, tested * change.limit, floor.limit if floor else None)
        if change.kind == "difference":
            # The loss of what is better large is the tested figure minus the present one.
            tested = now.value + change.value
            return Bounds(tested, tested - change.limit, floor.limit if floor else None)
    return Bounds(floor=floor.limit if floor else None)


def _list_changes(slot: Slot, metric: str) -> Iterator[tuple[Estimate, Measured]]:
    for basis in ("labels", "estimate"):
        now = pick(slot, subject="performance", name=metric, kind="", group="", basis=basis)
        for kind in ("ratio", "difference"):
            change = pick(slot, subject="performance", name=metric, kind=kind, group="", basis=basis)
            if now and change:
                yield now, change
