"""What a month's predictions were worth: performance and fairness, on labels where there are some.

Labels come late, in part, and corrected. Decisions are compared between groups as soon as they are made; errors, and
performance, as soon as labels are there, on the rows that have one. Until then performance is estimated, and the
estimate stays beside the realised figure, so that its own error can be watched.

Every judged figure has an interval at the level that this look at the version may use (:mod:`.budget`), so that over
the whole life of a version verdicts are wrong as rarely as the policy says, if every month is measured once and its
intervals hold as far out as they are used (``docs/drift.md`` says where they do not). Fairness is judged twice: on the
month's rows, which shows a sudden change, and on all rows since the approval, which shows a small and lasting one; each
has half of the budget, shared by the disparities that have a tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rai_kedro.fairness import (
    METRICS,
    Disparity,
    FairnessSpec,
    Gate,
    Task,
    assess_counts,
    examine_counts,
    judge,
    make_groups,
)
from rai_kedro.intervals import Estimate
from rai_kedro.monitoring.baseline import GROUP_MARK, Baseline, VersionReference
from rai_kedro.monitoring.detection import detect_drift
from rai_kedro.monitoring.estimation import PerformanceEstimate
from rai_kedro.monitoring.outcomes import MONTH, SINCE_APPROVAL, Basis, Measured, MonthOutcome
from rai_kedro.monitoring.policy import LABEL_SHARE, MonitoringPolicy
from rai_kedro.monitoring.results import ColumnDrift
from rai_kedro.monitoring.tally import MonthTally, TallyPlan, spec_of, tally_rows
from rai_kedro.months import Month, say_period
from rai_kedro.performance import FEWEST_OF_A_CLASS, LABEL_UNIT, LARGER_IS_BETTER, Figure, find_loss

_FLOOR = "floor"
_SHOWN_LEVEL = 0.95
# A smaller part of the budget asks for intervals that floating point cannot tell from the whole line.
_LEAST_RATE = 1e-9
# Errors have no largest value, and mostly few rows make up their mean: rows that may miss this share of the worst, with
# more than the probability of error of the look, let nothing pass.
_WORST_SHARE = 0.05
_DEFAULT_METRIC: dict[Task, str] = {"regression": "MAE", "classification": "accuracy"}


def measure_month(  # noqa: PLR0913 - every part by its name
    rows: pd.DataFrame | MonthTally,
    reference: VersionReference,
    policy: MonitoringPolicy,
    *,
    month: Month,
    model_version: str,
    look: int,
    past: Sequence[MonthOutcome] = (),
    deliveries: Sequence[int] = (),
) -> MonthOutcome:
    """Measure performance and fairness of one month; a month that the version was trained on is not judged.

    Args:
        rows: The month: audited columns, ``prediction``, ``score`` of a classifier, and the target, missing in rows
            without a label. Or what :func:`tally_rows` made of it, summed up over its parts.
        reference: What the version's months are held against.
        policy: What is judged, and how surely.
        month: ``YYYY-MM``.
        model_version: Number of the version that predicted.
        look: How many months of the version are judged with this one.
        past: Earlier months of the same version, for the verdicts since the approval.
        deliveries: What an earlier measurement of the same month says of them.
    """
    tally = (
        rows
        if isinstance(rows, MonthTally)
        else tally_rows(rows, TallyPlan(reference.baseline, reference.label_profile))
    )
    in_sample = month in reference.trained_on
    if tally.labelled >= policy.drift.min_rows and tally.labelled > max(deliveries, default=0):
        deliveries = *deliveries, tally.labelled
    measuring = _Measuring(reference.baseline, policy, look, judges=not in_sample, deliveries=deliveries, tally=tally)
    seen, labelled = (pd.concat(parts) if len(parts) > 1 else parts[0] for parts in (tally.seen, tally.known))
    estimate, past = reference.estimate(seen), [one for one in past if not one.used_in_training]
    counts: dict[str, Any] = {basis: one.to_dict() for basis, one in tally.counted.items()}
    figures = [
        *measuring.performance(labelled, reference),
        *measuring.estimated(estimate, reference),
        *measuring.fairness(),
        *measuring.fairness_since_approval(past, counts),
    ]
    return MonthOutcome(
        month=month,
        model_version=model_version,
        look=look,
        rows=tally.rows,
        labelled=tally.labelled,
        deliveries=tuple(deliveries),
        used_in_training=in_sample,
        figures=tuple(figures),
        doubts=estimate.doubts,
        label_drift=measuring.label_drift(reference),
        counts=counts,
        notes=tuple(say_period(note, month) for note in measuring.notes(len(seen), len(labelled))),
    )


class _Measuring:
    """The measurements of one look at a version."""

    def __init__(  # noqa: PLR0913
        self,
        baseline: Baseline,
        policy: MonitoringPolicy,
        look: int,
        *,
        judges: bool,
        deliveries: Sequence[int],
        tally: MonthTally,
    ) -> None:
        self.baseline, self.policy, self.look, self.judges = baseline, policy, look, judges
        self.tally, self.deliveries = tally, deliveries
        rate = policy.looks.rate_of(look, policy.error_rate)
        self.rate = rate if judges and rate > _LEAST_RATE else 0.0
        # The part of it that the labels of this measurement may spend; the smallest budget among them has the smallest.
        self.labels_rate = 0.0
        if self.rate and deliveries:
            smallest = self.rate * min(LABEL_SHARE, 1 / (2 * self._judged))
            self.labels_rate = self.rate * policy.looks.part_of(smallest, deliveries, tally.rows)
        self.metric = policy.performance.metric or _DEFAULT_METRIC[baseline.task]

    def performance(self, labelled: pd.DataFrame, reference: VersionReference) -> Iterator[Measured]:
        """Measure on labels: every figure, the judged one by group, and how it changed since the test."""
        if len(labelled) < self.policy.drift.min_rows:
            return
        for figure in self.baseline.measure(labelled, _SHOWN_LEVEL).figures:
            yield self._show(figure)
        for group, rows in self._divide(labelled):
            if len(rows) >= self.policy.drift.min_rows:
                yield self._show(self.baseline.measure(rows, _SHOWN_LEVEL, self.metric)[self.metric], group)
        if self.labels_rate:
            # Change and floor are two questions: they share what the look may spend.
            level = 1 - 2 * self.labels_rate / (1 if self.policy.performance.floor is None else 2)
            now = self.baseline.measure(labelled, level, self.metric)[self.metric]
            change = self._judge_change(now, reference.tested(self.metric, level), "labels")
            for one in (change, *self._judge_floor(now)):
                yield one.model_copy(update=self._doubt(one, labelled, reference, level))

    def label_drift(self, reference: VersionReference) -> tuple[ColumnDrift, ...]:
        """Compare the labels with those of the test rows."""
        before, now = reference.label_profile, self.tally.labels
        if min(now.rows, before.rows) < self.policy.drift.min_rows:
            return ()
        rate = self.labels_rate * LABEL_SHARE
        return detect_drift(before, now, policy=self.policy.drift, rate=rate).columns

    def estimated(self, estimate: PerformanceEstimate, reference: VersionReference) -> Iterator[Measured]:
        """Show the estimate without labels, and judge it; at its own level, since labels will settle it."""
        for figure in estimate.figures:
            noted = figure.model_copy(update={"note": "; ".join(filter(None, [figure.note, figure.doubt]))})
            yield self._show(noted, figure.group.replace(GROUP_MARK, "", 1), "estimate")
            judged = figure.name == self.metric and not figure.group and figure.value is not None
            # Its interval is of independent rows: shown it says something, judged it would say too much.
            if judged and self.baseline.fairness.are_independent:
                yield self._judge_change(figure, reference.tested(self.metric, _SHOWN_LEVEL), "estimate")

    def fairness(self) -> Iterator[Measured]:
        """Compare the groups of this month."""
        for basis, counted in self.tally.counted.items():
            if self._rows_of(basis) >= self.policy.drift.min_rows:
                found = examine_counts(counted, self._spec(basis), task=self.baseline.task)
                yield from self._judge_disparities(found, basis, MONTH)

    def fairness_since_approval(self, past: Sequence[MonthOutcome], counts: Mapping[str, Any]) -> Iterator[Measured]:
        """Compare the groups on all rows that the version predicted so far."""
        for basis, counted in self.tally.counted.items():
            if not self.rate:
                continue
            of_labels, rows = basis == "labels", self.tally.rows
            before = [one.labelled if of_labels else one.rows for one in past]
            new = (self.deliveries or [self.tally.labelled]) if of_labels else [rows]
            looks = [*range(1, len(past) + 1), *(len(past) + n / rows for n in new)]
            cumulated = [*np.cumsum(before).tolist(), *(sum(before) + n for n in new)]
            budget = self.policy.error_rate / 2 / self._judged
            level = self.policy.looks.level_of_cumulated(cumulated, budget, looks)
            if level < 1:
                spec = self._spec(basis).model_copy(update={"level": level})
                tables = [one.counts[basis] for one in past if basis in one.counts]
                found = assess_counts([*tables, counts[basis]], spec, counted.name_groups(spec))
                yield from self._judge_disparities(found, basis, SINCE_APPROVAL)

    def notes(self, seen: int, known: int) -> Iterator[str]:
        """Say what limits the figures; ``seen`` and ``known`` are how many rows, and rows with a label, were drawn."""
        rows, labelled = self.tally.rows, self.tally.labelled
        if not self.judges:
            yield "the version was trained on this month, so its figures are shown and not judged"
        elif not self.rate:
            planned = self.policy.looks.planned
            yield (
                f"the error budget of {planned} planned months is spent, so nothing is judged any more; "
                "have a new version approved, or plan more months in the policy"
                if self.look > planned
                else "the policy spends next to nothing of the error budget on so early a month: nothing is judged yet"
            )
        if not self.baseline.fairness.are_independent:
            yield (
                "drift, and estimates without labels, take rows as independent and of equal weight, which they are "
                "not: drift is found too often, and the estimates are not judged"
            )
        if 0 < labelled < rows:
            yield f"{labelled:,} of {rows:,} rows have a label; what is said of errors holds for these"
        if 0 < labelled < self.policy.drift.min_rows:
            yield f"fewer than {self.policy.drift.min_rows} rows have a label, too few to be measured"
        if known < labelled:
            yield f"performance is measured on {known:,} rows drawn at random from {labelled:,} that have a label"
        if seen < rows:
            yield f"performance without labels is estimated on {seen:,} rows drawn at random from {rows:,}"

    def _divide(self, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        for spec in self.baseline.fairness.groupings:
            grouping = make_groups(rows, spec)
            for at, group in enumerate(grouping.groups):
                yield f"{grouping.column}: {group}", rows[grouping.codes == at]

    def _rows_of(self, basis: Basis) -> int:
        return self.tally.labelled if basis == "labels" else self.tally.rows

    def _spec(self, basis: Basis) -> FairnessSpec:
        """Return what is assessed, at the level of this look for one disparity, both scopes sharing the budget."""
        rate = self.labels_rate if basis == "labels" else self.rate
        level = 1 - rate / 2 / self._judged if rate else _SHOWN_LEVEL
        return spec_of(self.baseline, basis).model_copy(update={"level": level})

    @property
    def _judged(self) -> int:
        """Disparities that are judged: a tolerance that names no grouping judges each of them."""
        names = [one.name for one in self.baseline.fairness.groupings]
        tolerances = self.baseline.tolerances
        pairs = {(of.metric, of.kind, name) for of in tolerances for name in names if of.column in (None, name)}
        return max(1, len(pairs), len(tolerances))

    def _judge_disparities(self, found: Sequence[Disparity], basis: Basis, scope: str) -> Iterator[Measured]:
        gate = Gate(tolerances=self.baseline.tolerances) if self.baseline.tolerances else None
        for one in found:
            tolerance = gate.tolerance_for(one) if gate else None
            verdict = judge(one, tolerance.limit).outcome if tolerance and self.rate else None
            yield Measured(
                subject="fairness",
                name=one.metric,
                kind=one.kind,
                group=one.column,
                basis=basis,
                scope=scope,
                unit=METRICS[one.metric].find_unit(one.kind, self.baseline.unit),
                limit=tolerance.limit if tolerance else None,
                verdict="insufficient_evidence" if verdict == "not_assessed" else verdict,
                **{name: getattr(one, name) for name in Estimate.model_fields if name != "note"},
                note="; ".join(filter(None, [one.note, *one.not_assessed])),
            )

    def _show(self, figure: Figure, group: str = "", basis: Basis = "labels") -> Measured:
        fields = {name: getattr(figure, name) for name in Estimate.model_fields}
        unit = self.baseline.unit if figure.unit == LABEL_UNIT else figure.unit
        return Measured(subject="performance", name=figure.name, group=group, basis=basis, unit=unit, **fields)

    def _judge_change(self, now: Figure, tested: Figure, basis: Basis) -> Measured:
        """Judge how much worse a figure became since the test, both with their own error."""
        change, limit = find_loss(now, tested), self.policy.performance.worse_by
        limit = 1 + limit if change.kind == "ratio" else limit
        fields = {name: getattr(change, name) for name in Estimate.model_fields}
        return Measured(
            subject="performance",
            name=now.name,
            kind=change.kind,
            basis=basis,
            limit=limit,
            verdict=change.judge(limit),
            **fields,
        )

    def _doubt(
        self, judged: Measured, labelled: pd.DataFrame, reference: VersionReference, level: float
    ) -> dict[str, str]:
        """Take a verdict back, with the reason, where so few rows stand behind it that its interval may not hold."""
        if judged.verdict in {None, "insufficient_evidence"}:
            return {}
        needed = math.ceil(math.log(1 / self.labels_rate) / _WORST_SHARE)
        unbounded, reason = not LARGER_IS_BETTER[self.metric], ""
        if self.metric == "AUC":
            counts = [part[self.baseline.target].value_counts() for part in (labelled, reference.rows)]
            if min(int(one.min()) for one in counts) < FEWEST_OF_A_CLASS:
                reason = f"fewer than {FEWEST_OF_A_CLASS} rows of the rarer outcome: too few to judge"
        elif unbounded and judged.verdict == "pass" and len(labelled) < needed:
            reason = f"fewer than {needed} labelled rows may hold none of the worst {_WORST_SHARE:.0%}: too few to pass"
        elif unbounded and self._hangs_on_worst(judged, labelled, reference, level):
            reason = "one more row as bad as the worst would change the verdict: too few rows for errors so uneven"
        return {"verdict": "insufficient_evidence", "note": reason} if reason else {}

    def _hangs_on_worst(
        self, judged: Measured, labelled: pd.DataFrame, reference: VersionReference, level: float
    ) -> bool:
        """Say whether one more row like the worst of the month would end a pass, or of the test an alarm.

        Few rows of errors with a heavy tail mostly miss the largest, and then neither figure nor interval shows it.
        """
        passes = judged.verdict == "pass"
        rows = self.baseline.repeat_worst(labelled, self.metric) if passes else labelled
        now = self.baseline.measure(rows, level, self.metric)[self.metric]
        if judged.kind == _FLOOR:
            return next(self._judge_floor(now)).verdict != judged.verdict
        tested = reference.tested(self.metric, level, worst_twice=not passes)
        return self._judge_change(now, tested, "labels").verdict != judged.verdict

    def _judge_floor(self, now: Figure) -> Iterator[Measured]:
        floor = self.policy.performance.floor
        if floor is not None:
            verdict = now.judge(floor, larger_is_better=LARGER_IS_BETTER[now.name])
            yield self._show(now).model_copy(update={"limit": floor, "verdict": verdict, "kind": _FLOOR})
