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
    Assessment,
    Disparity,
    FairnessSpec,
    Gate,
    Task,
    assess_counts,
    count_rows,
    examine_classification,
    examine_regression,
    judge,
    make_groups,
)
from rai_kedro.intervals import Estimate
from rai_kedro.monitoring.baseline import GROUP_MARK, Baseline, VersionReference
from rai_kedro.monitoring.detection import detect_drift
from rai_kedro.monitoring.estimation import PerformanceEstimate
from rai_kedro.monitoring.outcomes import MONTH, SINCE_APPROVAL, Basis, Measured, MonthOutcome
from rai_kedro.monitoring.policy import LABEL_SHARE, MonitoringPolicy
from rai_kedro.monitoring.results import ColumnDrift, Kind
from rai_kedro.months import Month, say_period
from rai_kedro.performance import FEWEST_OF_A_CLASS, LABEL_UNIT, LARGER_IS_BETTER, Figure, find_loss

_FLOOR = "floor"
_SHOWN_LEVEL = 0.95
# A smaller part of the budget asks for intervals that floating point cannot tell from the whole line.
_LEAST_RATE = 1e-9
# Errors have no largest value, and mostly few rows make up their mean: rows that may miss this share of the worst, with
# more than the probability of error of the look, let nothing pass.
_WORST_SHARE = 0.05
_BASES: tuple[Basis, ...] = ("decisions", "labels")
_DEFAULT_METRIC: dict[Task, str] = {"regression": "MAE", "classification": "accuracy"}


def measure_month(  # noqa: PLR0913 - every part by its name
    rows: pd.DataFrame,
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
            without a label.
        reference: What the version's months are held against.
        policy: What is judged, and how surely.
        month: ``YYYY-MM``.
        model_version: Number of the version that predicted.
        look: How many months of the version are judged with this one.
        past: Earlier months of the same version, for the verdicts since the approval.
        deliveries: What an earlier measurement of the same month says of them.
    """
    labelled = rows[rows[reference.baseline.target].notna()]
    in_sample = month in reference.trained_on
    if len(labelled) >= policy.drift.min_rows and len(labelled) > max(deliveries, default=0):
        deliveries = *deliveries, len(labelled)
    measuring = _Measuring(
        reference.baseline, policy, look, judges=not in_sample, deliveries=deliveries, rows=len(rows)
    )
    estimate, past = reference.estimate(rows), [one for one in past if not one.used_in_training]
    counts = measuring.count(rows, labelled)
    figures = [
        *measuring.performance(labelled, reference),
        *measuring.estimated(estimate, reference),
        *measuring.fairness(rows, labelled),
        *measuring.fairness_since_approval(rows, past, counts, len(labelled)),
    ]
    return MonthOutcome(
        month=month,
        model_version=model_version,
        look=look,
        rows=len(rows),
        labelled=len(labelled),
        deliveries=tuple(deliveries),
        used_in_training=in_sample,
        figures=tuple(figures),
        doubts=estimate.doubts,
        label_drift=measuring.label_drift(labelled, reference.rows),
        counts=counts,
        notes=tuple(say_period(note, month) for note in measuring.notes(len(rows), len(labelled))),
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
        rows: int,
    ) -> None:
        self.baseline, self.policy, self.look, self.judges = baseline, policy, look, judges
        self.rows, self.deliveries = rows, deliveries
        rate = policy.looks.rate_of(look, policy.error_rate)
        self.rate = rate if judges and rate > _LEAST_RATE else 0.0
        # The part of it that the labels of this measurement may spend; the smallest budget among them has the smallest.
        self.labels_rate = 0.0
        if self.rate and deliveries:
            smallest = self.rate * min(LABEL_SHARE, 1 / (2 * self._judged))
            self.labels_rate = self.rate * policy.looks.part_of(smallest, deliveries, rows)
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

    def label_drift(self, labelled: pd.DataFrame, reference: pd.DataFrame) -> tuple[ColumnDrift, ...]:
        """Compare the labels with those of the test rows."""
        if min(len(labelled), len(reference)) < self.policy.drift.min_rows:
            return ()
        kind: Kind = "numerical" if self.baseline.task == "regression" else "categorical"
        target, rate = self.baseline.target, self.labels_rate * LABEL_SHARE
        return detect_drift(reference, labelled, kinds={target: kind}, policy=self.policy.drift, rate=rate).columns

    def estimated(self, estimate: PerformanceEstimate, reference: VersionReference) -> Iterator[Measured]:
        """Show the estimate without labels, and judge it; at its own level, since labels will settle it."""
        for figure in estimate.figures:
            noted = figure.model_copy(update={"note": "; ".join(filter(None, [figure.note, figure.doubt]))})
            yield self._show(noted, figure.group.replace(GROUP_MARK, "", 1), "estimate")
            judged = figure.name == self.metric and not figure.group and figure.value is not None
            # Its interval is of independent rows: shown it says something, judged it would say too much.
            if judged and self.baseline.fairness.are_independent:
                yield self._judge_change(figure, reference.tested(self.metric, _SHOWN_LEVEL), "estimate")

    def fairness(self, rows: pd.DataFrame, labelled: pd.DataFrame) -> Iterator[Measured]:
        """Compare the groups of this month."""
        parts: dict[Basis, pd.DataFrame] = {"decisions": rows, "labels": labelled}
        for basis, part in parts.items():
            if self._metrics(basis) and len(part) >= self.policy.drift.min_rows:
                found = self._assess(part, self._spec(basis), basis)
                yield from self._judge_disparities(found.disparities, basis, MONTH)

    def fairness_since_approval(
        self, rows: pd.DataFrame, past: Sequence[MonthOutcome], counts: Mapping[str, Any], labelled: int
    ) -> Iterator[Measured]:
        """Compare the groups on all rows that the version predicted so far."""
        for basis in _BASES:
            if not self.rate or basis not in counts:
                continue
            of_labels = basis == "labels"
            before = [one.labelled if of_labels else one.rows for one in past]
            new = (self.deliveries or [labelled]) if of_labels else [len(rows)]
            looks = [*range(1, len(past) + 1), *(len(past) + n / len(rows) for n in new)]
            cumulated = [*np.cumsum(before).tolist(), *(sum(before) + n for n in new)]
            budget = self.policy.error_rate / 2 / self._judged
            level = self.policy.looks.level_of_cumulated(cumulated, budget, looks)
            if level < 1:
                spec = self._spec(basis).model_copy(update={"level": level})
                tables = [one.counts[basis] for one in past if basis in one.counts]
                found = assess_counts([*tables, counts[basis]], spec, rows)
                yield from self._judge_disparities(found, basis, SINCE_APPROVAL)

    def count(self, rows: pd.DataFrame, labelled: pd.DataFrame) -> dict[str, dict[str, dict[str, Any]]]:
        """Count the rows by group, so that later months can add them to their own."""
        parts: dict[Basis, pd.DataFrame] = {"decisions": rows, "labels": labelled}
        return {
            basis: count_rows(*self._answers(part, basis), part, self._spec(basis), task=self.baseline.task)
            for basis, part in parts.items()
            if self._metrics(basis) and len(part)
        }

    def notes(self, rows: int, labelled: int) -> Iterator[str]:
        """Say what limits the figures."""
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

    def _divide(self, rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
        for spec in self.baseline.fairness.groupings:
            grouping = make_groups(rows, spec)
            for at, group in enumerate(grouping.groups):
                yield f"{grouping.column}: {group}", rows[grouping.codes == at]

    def _metrics(self, basis: Basis) -> tuple[str, ...]:
        """Return the metrics of groups that labels are needed for, or not."""
        wanted = (METRICS[name] for name in self.baseline.fairness.metrics)
        return tuple(one.name for one in wanted if one.needs_label == (basis == "labels"))

    def _spec(self, basis: Basis) -> FairnessSpec:
        """Return what is assessed, at the level of this look for one disparity, both scopes sharing the budget."""
        rate = self.labels_rate if basis == "labels" else self.rate
        level = 1 - rate / 2 / self._judged if rate else _SHOWN_LEVEL
        return self.baseline.fairness.model_copy(update={"metrics": self._metrics(basis), "level": level})

    @property
    def _judged(self) -> int:
        """Disparities that are judged: a tolerance that names no grouping judges each of them."""
        names = [one.name for one in self.baseline.fairness.groupings]
        tolerances = self.baseline.tolerances
        pairs = {(of.metric, of.kind, name) for of in tolerances for name in names if of.column in (None, name)}
        return max(1, len(pairs), len(tolerances))

    def _answers(self, rows: pd.DataFrame, basis: Basis) -> tuple[Any, Any, Any]:
        """Return label, prediction and score; where no metric reads the label the prediction stands in for it."""
        truth = rows[self.baseline.target if basis == "labels" else "prediction"]
        return truth, rows["prediction"], rows.get("score")

    def _assess(self, rows: pd.DataFrame, spec: FairnessSpec, basis: Basis) -> Assessment:
        truth, prediction, score = self._answers(rows, basis)
        if self.baseline.task == "regression":
            return examine_regression(truth, prediction, rows, spec)
        return examine_classification(truth, prediction, score, rows, spec)

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
