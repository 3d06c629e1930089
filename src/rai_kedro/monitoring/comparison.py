"""Two versions side by side on the same labelled months: what one gains over the other, and how fair each is.

Both score the same rows in shadow, so that gains have paired intervals, which are far shorter than those of either
figure (:func:`rai_kedro.performance.measure_gain`). Rows of one unit of the contract count together. Without one rows
count as independent: rows whose key is in several months are counted, and it is said that the intervals of single
months are the ones to read if these are the same people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from rai_kedro.errors import RaiError
from rai_kedro.fairness import Gate, Verdict, examine_classification, examine_regression, read_design
from rai_kedro.monitoring.baseline import Baseline
from rai_kedro.months import Month, say_period
from rai_kedro.performance import (
    COMPARABLE,
    Answers,
    Figure,
    Gain,
    Task,
    measure_classification,
    measure_gain,
    measure_performance,
)
from rai_kedro.typed import Typed
from rai_kedro.words import format_gain

_DEFAULT: dict[str, str] = {"regression": "MAE", "classification": "accuracy"}


@dataclass(frozen=True)
class Contender:
    """A version that is compared, and what it says of the rows.

    Attributes:
        review: ``approved``, ``rejected`` or ``not reviewed``.
        trained_on: Months that say nothing of it, since it has seen them.
        answers: ``prediction``, and ``score`` of a classifier that has one; on the index of the rows.
    """

    version: str
    review: str
    trained_on: tuple[Month, ...]
    answers: pd.DataFrame


class Shown(Typed):
    """What was found of one version on all rows: figures, and the verdicts on its disparities."""

    version: str
    review: str
    trained_on: tuple[Month, ...]
    performance: tuple[Figure, ...]
    fairness: tuple[Verdict, ...]


class MonthGain(Gain):
    """What the new version gains over the old one in a month, or in all together where ``month`` is empty."""

    month: str = ""


class VersionComparison(Typed):
    """Two versions on the same rows; gains are of the new one over the old one, above zero is better.

    Attributes:
        metric: The figure that decides which is better.
        left_out: Months that do not count, and why.
        rows: Rows that have a label.
        of_unit: Column of the person or thing that rows belong to; empty where every row stands for itself.
        repeated: Of these, rows whose key another month has, too: maybe of the same people.
        gains: Of every figure over all months, and of the deciding one by month.
    """

    use_case: str
    task: Task
    unit: str
    metric: str
    old: Shown
    new: Shown
    months: tuple[Month, ...]
    left_out: dict[Month, str]
    rows: int
    of_unit: str = ""
    repeated: int = 0
    gains: tuple[MonthGain, ...]

    @property
    def verdict(self) -> str:
        """Which version is better by the deciding figure, in words."""
        gain = next(one for one in self.gains if one.name == self.metric and not one.month)
        said = f"{self.metric} gains {format_gain(gain)}"
        if gain.lower is None or gain.upper is None or gain.lower <= 0 <= gain.upper:
            return f"the rows cannot tell whether version {self.new.version} is better: {said}"
        compared = "better" if gain.lower > 0 else "worse"
        return f"version {self.new.version} is {compared} than version {self.old.version}: {said}"

    @property
    def assumption(self) -> str:
        """What the intervals rest on, in words."""
        of = f"rows of the same {self.of_unit} count together" if self.of_unit else "rows are taken as independent"
        said = f"Intervals of level 0.95, each by itself; {of}"
        if self.of_unit or not self.repeated:
            return f"{said}."
        return say_period(
            f"{said}. The keys of {self.repeated:,} of {self.rows:,} rows are in several months: if the same key is "
            "the same person or thing, the intervals over all months are too short, and those of single months are the "
            "ones to read.",
            self.months[0],
        )


def compare_versions(  # noqa: PLR0913 - every part by its name
    rows: pd.DataFrame,
    old: Contender,
    new: Contender,
    baseline: Baseline,
    *,
    use_case: str,
    metric: str | None = None,
    key: Sequence[str] = (),
    left_out: Mapping[Month, str] | None = None,
    level: float = 0.95,
) -> VersionComparison:
    """Compare two versions on the rows of several months.

    Args:
        rows: ``month``, the target without a missing value, and the audited columns.
        old: What is there now.
        new: What might take its place.
        baseline: Whose groups and tolerances count for both.
        use_case: Name of the use case.
        metric: Figure that decides, one of :data:`rai_kedro.performance.COMPARABLE`; MAE or accuracy if it is none.
        key: Columns that tell rows of a month apart, by which they are looked for in other months.
        left_out: Months that the caller left out, and why.
        level: Confidence level of each interval of performance by itself.

    Raises:
        RaiError: There is no row.
    """
    if rows.empty:
        raise RaiError(
            f"There is no labelled month on which versions {old.version} and {new.version} can be compared.",
            where="feature store and label store",
            how_many=f"{len(left_out or {})} months left out",
            example=next((f"{month}: {why}" for month, why in (left_out or {}).items()), None),
            remedy="wait for labels of a month that neither was trained on, or give other --months",
        )
    if metric is None or COMPARABLE.get(metric) != baseline.task:
        metric = _DEFAULT[baseline.task]
    return VersionComparison(
        use_case=use_case,
        task=baseline.task,
        unit=baseline.unit,
        metric=metric,
        old=_show(rows, old, baseline, level),
        new=_show(rows, new, baseline, level),
        months=tuple(sorted(rows["month"].unique())),
        left_out=dict(left_out or {}),
        rows=len(rows),
        of_unit=baseline.fairness.unit or "",
        repeated=_count_repeated(rows, key),
        gains=tuple(_Pair(old, new, baseline, level).gains(rows, metric)),
    )


def _count_repeated(rows: pd.DataFrame, key: Sequence[str]) -> int:
    if not key:
        return 0
    return int((rows.groupby(list(key))["month"].transform("nunique") > 1).sum())


@dataclass(frozen=True)
class _Pair:
    """Both versions, and what their answers are measured by."""

    old: Contender
    new: Contender
    baseline: Baseline
    level: float

    def gains(self, rows: pd.DataFrame, metric: str) -> Iterator[MonthGain]:
        scored = all("score" in one.answers for one in (self.old, self.new))
        names = [name for name, task in COMPARABLE.items() if task == self.baseline.task]
        for name in names if scored or self.baseline.task == "regression" else ["accuracy"]:
            yield self._gain(rows, name)
        for month, of_month in rows.groupby("month", sort=True):
            yield self._gain(of_month, metric, str(month))

    def _gain(self, rows: pd.DataFrame, name: str, month: str = "") -> MonthGain:
        new, old = (_answers(one.answers.loc[rows.index]) for one in (self.new, self.old))
        truth = rows[self.baseline.target].to_numpy(dtype=float)
        sampling = read_design(rows, self.baseline.fairness)
        gain = measure_gain(name, truth, new, old, level=self.level, sampling=sampling)
        return MonthGain(**gain.model_dump(), month=month)


def _answers(found: pd.DataFrame) -> Answers:
    score = found["score"].to_numpy(dtype=float) if "score" in found else None
    return Answers(found["prediction"].to_numpy(dtype=float), score)


def _show(rows: pd.DataFrame, one: Contender, baseline: Baseline, level: float) -> Shown:
    found = _answers(one.answers.loc[rows.index])
    truth, prediction, score = rows[baseline.target], found.prediction, found.score
    sampling = read_design(rows, baseline.fairness)
    if baseline.task == "regression":
        performance = measure_performance(truth, prediction, level=level, sampling=sampling)
        assessment = examine_regression(truth, prediction, rows, baseline.fairness)
    else:
        performance = measure_classification(truth, prediction, score, level=level, sampling=sampling)
        assessment = examine_classification(truth, prediction, score, rows, baseline.fairness)
    gate = Gate(tolerances=baseline.tolerances, level=baseline.fairness.level)
    return Shown(
        version=one.version,
        review=one.review,
        trained_on=one.trained_on,
        performance=tuple(performance),
        fairness=gate.judge(assessment.disparities).verdicts,
    )
