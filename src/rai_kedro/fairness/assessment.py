"""Assess predictions for fairness, on every grouping and metric that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from rai_kedro.fairness import rates
from rai_kedro.fairness.bias_audit import BiasAudit
from rai_kedro.fairness.comparison import NO_ROWS, Setting, describe
from rai_kedro.fairness.estimates import Disparity, DisparityKind, GroupFigure, Limits, name_disparity
from rai_kedro.fairness.grouping import (
    Grouping,
    GroupingSpec,
    GroupRows,
    count_only,
    make_groups,
    require_columns,
)
from rai_kedro.fairness.individual import Individuals, SimilaritySpec
from rai_kedro.fairness.metrics import METRICS, MetricError, Task, describe_metric, find_metric, list_metrics
from rai_kedro.fairness.tables import (
    DistributionCounts,
    Figures,
    GroupCounts,
    GroupMoments,
    OutcomeError,
    ScoreCounts,
    StratumCounts,
    check_numbers,
    check_scores,
    count_distribution,
    count_groups,
    count_scores,
    count_strata,
    encode_outcome,
    standardise_batches,
    sum_moments,
)
from rai_kedro.fairness.verdicts import Gate, GateDecision, Tolerance
from rai_kedro.intervals import Sampling, part_level, read_sampling
from rai_kedro.typed import Typed
from rai_kedro.words import format_interval

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

_TABLES = (GroupCounts, StratumCounts, ScoreCounts, GroupMoments, DistributionCounts)
_LABEL, _PREDICTION, _SCORE = " label", " prediction", " score"  # no column is named so
# The rates of every group that are shown whatever metric was asked for.
_SHOWN: dict[type[Any], tuple[Callable[[Any], rates.Rate], ...]] = {
    GroupCounts: (rates.selection_rate, rates.false_positive_rate, rates.false_negative_rate),
    GroupMoments: (
        rates.mean_prediction,
        rates.mean_absolute_error,
        rates.root_mean_squared_error,
        rates.mean_signed_error,
    ),
}


class FairnessSpec(Typed):
    """What is assessed.

    Attributes:
        groupings: The audited columns and intersections.
        metrics: Names of metrics; other names become the canonical ones.
        level: Confidence level of every interval.
        favourable: The favourable value of label and prediction (classification).
        compare: ``all_pairs`` of groups, or each with the ``reference`` group only.
        strata: The legitimate columns of conditional statistical parity, made into strata as groups are.
        strata_summary: ``standardised``: rates standardised over the strata; ``worst``: the worst stratum counts.
        score_bins: Equal bins on [0, 1] for calibration.
        prediction_range: Range of the grid for the distribution of predictions; if None each value is counted.
        similarity: The declared distance of individual fairness.
        unit: Column of the audit that says which rows belong together; the contract's, training fills it in.
        weight: Column of the audit that says how much a row counts; likewise.
    """

    groupings: tuple[GroupingSpec, ...] = ()
    metrics: tuple[str, ...] = Field(min_length=1)
    level: float = Field(default=0.95, gt=0.5, lt=1)
    favourable: bool | int | str = 1
    compare: Literal["all_pairs", "reference"] = "all_pairs"
    strata: GroupingSpec | None = None
    strata_summary: Literal["standardised", "worst"] = "standardised"
    score_bins: int = Field(default=10, ge=2, le=100)
    prediction_range: tuple[float, float] | None = None
    similarity: SimilaritySpec | None = None
    unit: str | None = Field(default=None, exclude_if=lambda value: value is None)
    weight: str | None = Field(default=None, exclude_if=lambda value: value is None)

    @property
    def are_independent(self) -> bool:
        """Whether rows are independent and count alike: no unit and no weight is declared."""
        return self.unit is None and self.weight is None

    @field_validator("metrics")
    @classmethod
    def _check_metrics(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(dict.fromkeys(find_metric(name).name for name in names))
        except MetricError as error:
            raise ValueError(f"{error.what.rstrip('.')}; {error.remedy}") from None


class GroupTable(Typed):
    """The figures of each group that are shown whatever metric was asked for, each with the rows behind it.

    Attributes:
        reference: The named or the largest group.
        figures: Selection rate, false positive rate and false negative rate, or the error figures of a regression.
        left_out: Rows left out, by reason.
        not_assessed: Declared groups without rows.
    """

    column: str
    rule: str
    reference: str | None
    figures: tuple[GroupFigure, ...]
    left_out: dict[str, int]
    not_assessed: tuple[str, ...]


class SampleSize(Typed):
    """What rows are worth that belong to units or carry weights.

    Attributes:
        unit: Column that says which rows belong together; empty where each row is a unit of its own.
        weight: Column that says how much a row counts; empty where all count alike.
        rows: Rows that count.
        units: Units they are of.
        design_effect: How many times larger variances are than those of independent rows, on average over all figures.
        effective_rows: Rows divided by it.
    """

    unit: str = ""
    weight: str = ""
    rows: int
    units: int
    design_effect: float
    effective_rows: float

    def __str__(self) -> str:
        """Say it in a sentence."""
        of = f" of {self.units:,} units ('{self.unit}')" if self.unit else ""
        weighed = f", weighted by '{self.weight}'" if self.weight else ""
        return (
            f"{self.rows:,} rows{of}{weighed} are worth about {self.effective_rows:,.0f} independent ones "
            f"(mean design effect {self.design_effect:.2g}); every interval allows for it"
        )


class Assessment(Typed):
    """Everything found: what was asked for, the figures of each group, and the tables of Local Law 144 if asked for.

    ``sample`` is there where rows belong to units or carry weights; ``by_class`` has each of several classes against
    the rest, of which ``disparities`` are the worst.
    """

    disparities: tuple[Disparity, ...] = ()
    tables: tuple[GroupTable, ...] = ()
    sample: SampleSize | None = Field(default=None, exclude_if=lambda value: value is None)
    ll144: BiasAudit | None = Field(default=None, exclude_if=lambda value: value is None)
    by_class: dict[str, Assessment] = Field(default_factory=dict, exclude_if=lambda value: not value)

    def __repr__(self) -> str:
        """Return a line for each disparity."""
        lines = [f"  {name_disparity(one)}: {format_interval(one)}" for one in self.disparities]
        told = [] if self.sample is None else [f"  {self.sample}"]
        return "\n".join([f"Assessment of {len(self.disparities)} disparities", *told, *lines])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        from rai_kedro.fairness.presentation import write_table

        return write_table(self.disparities)

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each disparity: metric, kind, grouping, figure, interval, groups, rows."""
        from rai_kedro.fairness.presentation import make_frame

        return make_frame(self.disparities)

    def plot(self) -> Figure:
        """Draw every disparity with its interval; those of a kind share a panel."""
        from rai_kedro.fairness.presentation import draw_intervals

        return draw_intervals(self.disparities)

    def to_card(self, path: str | Path, *, limits: Mapping[str, Any] | None = None, **parts: Any) -> Path:
        """Write the assessment as one HTML page that says what it does not cover.

        ``limits`` are those of :meth:`judge`; ``performance``, ``title``, ``about`` and ``unit`` are further parts of
        the page (:func:`rai_kedro.report.write_card`).
        """
        # The one way up: a page is for the user of this result, who should not have to know which room writes it.
        from rai_kedro.report import write_card

        return write_card(path, fairness=self, limits=limits, **parts)

    def judge(self, **limits: float | dict[DisparityKind, float] | Tolerance) -> GateDecision:
        """Judge the disparities by what is tolerated.

        Args:
            **limits: By name or other name of a metric: the largest difference (or distance), for example
                ``demographic_parity=0.1``; by kind, for example ``{"ratio": 0.8}``; or a :class:`Tolerance`.

        Raises:
            MetricError: A limit is of no metric, or of one that was not measured.
            ValueError: A limit is negative, or that of a ratio above 1.
        """
        measured = dict.fromkeys(one.metric for one in self.disparities)
        tolerances: list[Tolerance] = []
        for name, limit in limits.items():
            metric = describe_metric(name) if name in measured else find_metric(name)
            if metric.name not in measured:
                raise MetricError(
                    f"A limit is given for {name!r}, which was not measured.",
                    where=name,
                    example=f"measured are: {', '.join(measured) or 'none'}",
                    remedy="give limits for what was measured, or have it measured ('metrics')",
                )
            by_kind = limit if isinstance(limit, dict) else {metric.kinds[0]: limit}
            tolerances += [
                one if isinstance(one, Tolerance) else Tolerance(metric=metric.name, kind=kind, limit=one)
                for kind, one in by_kind.items()
            ]
        level = min((one.level for one in self.disparities), default=0.95)
        return Gate(tolerances=tuple(tolerances), level=level).judge(self.disparities)


def examine_classification(y: Any, prediction: Any, score: Any, audit: pd.DataFrame, spec: FairnessSpec) -> Assessment:
    """Assess the decisions of a binary classifier.

    Args:
        y: Labels, shape (rows,); missing where not known.
        prediction: Decisions with the same values, shape (rows,); missing where withheld.
        score: P(favourable) of each row, shape (rows,), or None.
        audit: Audited columns, and those of strata and similarity, on the same rows, shape (rows, columns).
        spec: What is assessed.

    Returns:
        One disparity per grouping, metric and kind (individual metrics: per metric and kind), and per grouping the
        selection rate, false positive rate and false negative rate of each group.

    Raises:
        MetricError: A metric does not fit the task, or lacks score, strata, distance or groups.
        OutcomeError: Labels or decisions are not binary, scores are not probabilities, or rows do not match.
        GroupingError: Groups cannot be made.
        SimilarityError: The distance cannot be computed.
    """
    makers, answers = _read_classification(y, prediction, score, audit, spec)
    return _examine(makers, answers, audit, spec)


def examine_regression(y: Any, prediction: Any, audit: pd.DataFrame, spec: FairnessSpec) -> Assessment:
    """Assess the predictions of a regression, in the unit of the label.

    Arguments and errors are those of :func:`examine_classification`, without a score; labels and predictions have to be
    finite numbers. The tables hold mean prediction, absolute, root squared and signed error.
    """
    makers, answers = _read_regression(y, prediction, audit, spec)
    return _examine(makers, answers, audit, spec)


@dataclass(frozen=True)
class CountedRows:
    """Rows reduced to counts, by grouping; they add up over batches of rows.

    Attributes:
        groups: Rows of each group, and an example that names it.
        tables: By grouping and kind of table, what every metric that adds up is measured on.
        rows: Label, prediction, score and audited columns of all rows where a metric that was asked for does not add
            up: strata, distributions without a range, individuals. None otherwise.
    """

    groups: dict[str, GroupRows]
    tables: dict[str, dict[type[Any], Any]]
    rows: tuple[pd.DataFrame, ...] | None = None

    def __add__(self, other: CountedRows) -> CountedRows:
        groups = {name: one + other.groups[name] for name, one in self.groups.items()}
        tables = {
            name: {of: table + other.tables[name][of] for of, table in tables.items()}
            for name, tables in self.tables.items()
        }
        return CountedRows(groups, tables, None if self.rows is None else (*self.rows, *(other.rows or ())))

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return the tables as plain values, by grouping and kind."""
        return {name: {of.__name__: one.to_dict() for of, one in made.items()} for name, made in self.tables.items()}

    def name_groups(self, spec: FairnessSpec) -> dict[str, Grouping]:
        """Return the groups of each grouping, as all rows together have them."""
        return {one.name: self.groups[one.name].name(one) for one in spec.groupings}


def count_rows(  # noqa: PLR0913
    y: Any, prediction: Any, score: Any, audit: pd.DataFrame, spec: FairnessSpec, *, task: Task
) -> CountedRows:
    """Count a batch of rows, so that it can be added to others and measured by :func:`examine_counts`.

    Arguments and errors are those of :func:`examine_classification`. What :func:`assess_counts` takes is ``to_dict()``
    of the result.
    """
    makers, _ = _read(y, prediction, score, audit, spec, task)
    wanted = {METRICS[name].table for name in spec.metrics}
    added = wanted & _additive(spec).keys()
    groups, tables = dict[str, GroupRows](), dict[str, dict[type[Any], Any]]()
    for one in spec.groupings:
        grouping = make_groups(audit, count_only(one))
        groups[one.name] = GroupRows.of(grouping, audit, one)
        tables[one.name] = {of: make(grouping) for of, make in makers.items() if of in added}
    rows = None
    if wanted - added:
        answers = pd.DataFrame({_LABEL: y, _PREDICTION: prediction, _SCORE: score}, index=audit.index)
        rows = (answers.join(audit[_needed(spec)]),)
    return CountedRows(groups, tables, rows)


def examine_counts(counted: CountedRows, spec: FairnessSpec, *, task: Task) -> list[Disparity]:
    """Measure rows that were counted by :func:`count_rows`: the disparities of :func:`examine_classification`.

    Errors are those of :func:`examine_classification`.
    """
    groupings, audit, people = counted.name_groups(spec), None, None
    makers: dict[type[Any], Callable[[Grouping], Any]] = {}
    if counted.rows is not None:
        audit = pd.concat(counted.rows, ignore_index=True)
        score = None if audit[_SCORE].isna().all() else audit[_SCORE]
        makers, answers = _read(audit[_LABEL], audit[_PREDICTION], score, audit, spec, task)
        people = None if spec.similarity is None else Individuals(*answers, audit, spec.similarity)
    wanted, made = {METRICS[name].table for name in spec.metrics}, list[tuple[Any, Grouping]]()
    for one in spec.groupings:
        grouping, tables = groupings[one.name], counted.tables[one.name]
        of_rows = grouping if audit is None else make_groups(audit, one)
        for of in _TABLES:
            if of in tables:
                made.append((tables[of].arrange(grouping.groups), grouping))
            elif of in wanted and of in makers:
                made.append((makers[of](of_rows), of_rows))
    return list(hold_together(partial(_measure, made, people, spec), spec.level))


def assess_counts(
    batches: Sequence[Mapping[str, Any]], spec: FairnessSpec, groupings: Mapping[str, Grouping]
) -> list[Disparity]:
    """Measure all rows of several batches together, each counted by :func:`count_rows`.

    Args:
        batches: Counts as plain values, at least one.
        spec: What is measured, at which level.
        groupings: By name, as the last batch has them (:meth:`CountedRows.name_groups`); they name the groups.
    """
    found = []
    for one in spec.groupings:
        for name, of in {of.__name__: of for of in _additive(spec)}.items():
            tables = [of.from_dict(batch[one.name][name]) for batch in batches if name in batch.get(one.name, {})]
            if tables:
                total = standardise_batches(tables)
                found += compare_table(total, replace(groupings[one.name], groups=total.groups), spec)
    return found


def _needed(spec: FairnessSpec) -> list[str]:
    """Return the audited columns that are read."""
    groupings = [*spec.groupings, *([spec.strata] if spec.strata else [])]
    names = [name for one in groupings for name in one.columns]
    names += [] if spec.similarity is None else spec.similarity.columns
    return list(dict.fromkeys([*names, *(name for name in (spec.unit, spec.weight) if name)]))


def _read(  # noqa: PLR0913, PLR0917
    y: Any, prediction: Any, score: Any, audit: pd.DataFrame, spec: FairnessSpec, task: Task
) -> tuple[dict[type[Any], Callable[[Grouping], Any]], tuple[Figures, Figures]]:
    if task == "regression":
        return _read_regression(y, prediction, audit, spec)
    return _read_classification(y, prediction, score, audit, spec)


def _additive(spec: FairnessSpec) -> dict[type[Any], None]:
    tables: tuple[type[Any], ...] = (GroupCounts, ScoreCounts, GroupMoments)
    return dict.fromkeys([*tables, DistributionCounts] if spec.prediction_range else tables)


def _read_classification(
    y: Any, prediction: Any, score: Any, audit: pd.DataFrame, spec: FairnessSpec
) -> tuple[dict[type[Any], Callable[[Grouping], Any]], tuple[Figures, Figures]]:
    """Check the columns, and return how each kind of table is made of them, with decisions and scores."""
    check_request(spec, "classification", has_score=score is not None)
    check_columns(spec, audit)
    check_rows({"label": y, "prediction": prediction, "score": score}, audit)
    outcome = encode_outcome(y, what="label", favourable=spec.favourable)
    decision = encode_outcome(prediction, what="prediction", favourable=spec.favourable)
    scores = None if score is None else check_scores(score)
    decided = np.where(decision < 0, np.nan, decision)
    used = decided if scores is None else scores
    sampling = read_design(audit, spec)
    makers: dict[type[Any], Callable[[Grouping], Any]] = {
        GroupCounts: lambda grouping: count_groups(outcome, decision, grouping, sampling=sampling),
        StratumCounts: lambda grouping: count_strata(
            outcome, decision, grouping, make_groups(audit, spec.strata or spec.groupings[0]), sampling=sampling
        ),
        ScoreCounts: lambda grouping: count_scores(outcome, used, grouping, bins=spec.score_bins, sampling=sampling),
    }
    return makers, (decided, used)


def _read_regression(
    y: Any, prediction: Any, audit: pd.DataFrame, spec: FairnessSpec
) -> tuple[dict[type[Any], Callable[[Grouping], Any]], tuple[Figures, Figures]]:
    check_request(spec, "regression", has_score=False)
    check_columns(spec, audit)
    check_rows({"label": y, "prediction": prediction}, audit)
    target, predicted = check_numbers(y, what="label"), check_numbers(prediction, what="prediction")
    sampling = read_design(audit, spec)
    makers: dict[type[Any], Callable[[Grouping], Any]] = {
        GroupMoments: lambda grouping: sum_moments(target, predicted, grouping, sampling=sampling),
        DistributionCounts: lambda grouping: count_distribution(
            predicted, grouping, bounds=spec.prediction_range, sampling=sampling
        ),
    }
    return makers, (predicted, predicted)


def _examine(
    makers: dict[type[Any], Callable[[Grouping], Any]],
    answers: tuple[Figures, Figures],
    audit: pd.DataFrame,
    spec: FairnessSpec,
) -> Assessment:
    """Make of each grouping the tables that the metrics need, each once, and measure on them."""
    wanted = {METRICS[name].table for name in spec.metrics}
    made = [
        (make(grouping), grouping)
        for grouping in (make_groups(audit, one) for one in spec.groupings)
        for of, make in makers.items()
        if of in wanted or of in _SHOWN
    ]

    people = None if spec.similarity is None else Individuals(*answers, audit, spec.similarity)
    measure = partial(_measure, made, people, spec)
    tables = [tabulate(table, grouping, level=spec.level) for table, grouping in made if type(table) in _SHOWN]
    sample = _size_sample(read_design(audit, spec), spec, tables)
    return Assessment(disparities=tuple(hold_together(measure, spec.level)), tables=tuple(tables), sample=sample)


def _measure(
    made: Sequence[tuple[Any, Grouping]], people: Individuals | None, spec: FairnessSpec, level: float, each: bool
) -> list[Disparity]:
    at = spec.model_copy(update={"level": level})
    found = [one for table, grouping in made for one in compare_table(table, grouping, at, each=each)]
    return found + _measure_individuals(people, at)


def hold_together(measure: Callable[[float, bool], list[Disparity]], level: float) -> list[Disparity]:
    """Measure at the level, and give each the limits at which all of them hold at once."""
    found = measure(level, True)
    if len(found) < 2:  # noqa: PLR2004 - one disparity is held by itself
        return found
    joint = measure(part_level(level, len(found)), False)
    return [
        one.model_copy(update={"jointly": Limits(level=wide.level, lower=wide.lower, upper=wide.upper)})
        for one, wide in zip(found, joint, strict=True)
    ]


def _measure_individuals(people: Individuals | None, spec: FairnessSpec) -> list[Disparity]:
    if people is None:
        return []
    metrics = [METRICS[name] for name in spec.metrics]
    found = [
        one for metric in metrics if metric.individual and metric.assess for one in metric.assess(people, spec.level)
    ]
    if spec.are_independent:
        return found
    # Their intervals are of independent rows that count alike.
    why = "no interval: rows belong to units or carry weights, which this metric does not allow for"
    return [one.model_copy(update={"lower": None, "upper": None, "note": why}) for one in found]


def _size_sample(sampling: Sampling | None, spec: FairnessSpec, tables: Sequence[GroupTable]) -> SampleSize | None:
    if sampling is None:
        return None
    figures = [(one.n or 0, one.effective_n) for table in tables for one in table.figures]
    effects = [n / worth for n, worth in figures if worth]
    rows, effect = int((sampling.weights > 0).sum()), float(np.mean(effects)) if effects else 1.0
    return SampleSize(
        unit=spec.unit or "",
        weight=spec.weight or "",
        rows=rows,
        units=len(np.unique(sampling.units[sampling.weights > 0])),
        design_effect=effect,
        effective_rows=rows / effect,
    )


def compare_table(table: Any, grouping: Grouping, spec: FairnessSpec, *, each: bool = True) -> list[Disparity]:
    """Measure every metric asked for that is computed from a table of this type (counts, scores, moments) alone."""
    setting = Setting(grouping, spec.level, spec.compare == "reference", spec.strata_summary == "worst", each)
    wanted = (METRICS[name] for name in spec.metrics)
    return [one for metric in wanted if metric.table is type(table) for one in metric.measure(table, setting)]


def tabulate(table: GroupCounts | GroupMoments, grouping: Grouping, *, level: float) -> GroupTable:
    """Show the usual figures of each group, whatever was asked for, with the rows behind each."""
    return GroupTable(
        column=grouping.column,
        rule=grouping.rule,
        reference=grouping.reference,
        figures=tuple(figure for rate in _SHOWN[type(table)] for figure in describe(rate(table), level)),
        left_out=dict(table.left_out),
        not_assessed=tuple(f"{group}: {NO_ROWS}" for group in grouping.absent),
    )


def check_request(spec: FairnessSpec, task: Task, *, has_score: bool) -> None:
    """Raise :class:`MetricError` if a metric does not fit the task, or lacks scores, strata, distance or groups."""
    for name in spec.metrics:
        metric = METRICS[name]
        lacking = {
            f"fits {' and '.join(metric.tasks)}, not {task}": task not in metric.tasks,
            "needs scores, P(favourable), and none were handed in": metric.needs_score and not has_score,
            "needs legitimate columns ('strata'), and none are named": metric.needs_strata and spec.strata is None,
            "needs a declared distance ('similarity'), and there is none": metric.individual and not spec.similarity,
            "needs groups ('groupings'), and none are named": not metric.individual and not spec.groupings,
        }
        for problem, applies in lacking.items():
            if applies:
                raise MetricError(
                    f"The metric {name!r} {problem}.",
                    where="fairness.metrics",
                    remedy=f"Give it what it needs, or choose another metric. For {task}: {list_metrics(task)}.",
                )


def read_design(audit: pd.DataFrame, spec: FairnessSpec) -> Sampling | None:
    """Read unit and weight of the rows from the audited columns; None where neither is declared."""
    for name, what in ((spec.unit, "unit"), (spec.weight, "weight")):
        if name is not None:
            require_columns([name], audit, f"the contract's '{what}'")
    unit, weight = (None if name is None else audit[name] for name in (spec.unit, spec.weight))
    return read_sampling(unit, weight, len(audit))


def check_columns(spec: FairnessSpec, audit: pd.DataFrame) -> None:
    """Raise :class:`GroupingError` if a grouping or a stratum is to be made of a column that is not audited."""
    for grouping in spec.groupings:
        require_columns(grouping.columns, audit, "fairness.groupings")
    if spec.strata is not None:
        require_columns(spec.strata.columns, audit, "fairness.strata")


def check_rows(columns: Mapping[str, Any], audit: pd.DataFrame) -> None:
    """Raise :class:`OutcomeError` unless all columns have as many rows, under the same index where there is one."""
    for what, values in columns.items():
        if values is None:
            continue
        same = len(values) == len(audit)
        if same and isinstance(values, pd.Series):
            same = values.index is audit.index or values.index.equals(audit.index)
        if not same:
            raise OutcomeError(
                f"The {what} and the audited columns are not of the same rows.",
                where=what,
                how_many=f"{len(values)} rows against {len(audit)}",
                remedy="Hand in columns of the same rows in the same order, under one index.",
            )
