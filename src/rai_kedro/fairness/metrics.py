"""The fairness metrics of this project: one object each, registered in :data:`METRICS`, found by :func:`find_metric`.

In the formulas Y is the outcome, Ŷ the prediction, S the score, A = a the group and R the prediction of a
regression. The difference of a metric is the largest minus the smallest figure of any two groups, its ratio the
smallest over the largest; of a metric with two parts the worse part counts, as in fairlearn's equalized odds.

To add a metric, add it to ``_ALL``: nothing else has to change here. It also needs an answer that leads to it in the
questionnaire, a known answer in the tests, and a cell in the coverage benchmark;
``tests/fairness/test_completeness.py`` says which of them it lacks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal, TypeAlias

from rai_kedro.errors import RaiError
from rai_kedro.fairness import beyond_rates, individual, rates
from rai_kedro.fairness.comparison import KINDS, Setting, compare_rates
from rai_kedro.fairness.estimates import Disparity, DisparityKind
from rai_kedro.fairness.tables import DistributionCounts, GroupCounts, GroupMoments, ScoreCounts, StratumCounts

Task: TypeAlias = Literal["classification", "regression"]
Table: TypeAlias = (
    GroupCounts | ScoreCounts | StratumCounts | GroupMoments | DistributionCounts | individual.Individuals
)

VERMA_RUBIN = "Verma & Rubin (2018), Fairness definitions explained"
HARDT = "Hardt, Price & Srebro (2016), Equality of opportunity in supervised learning"
CHOULDECHOVA = "Chouldechova (2017), Fair prediction with disparate impact"
KLEINBERG = "Kleinberg, Mullainathan & Raghavan (2016), Inherent trade-offs in the fair determination of risk scores"
MAKHLOUF = "Makhlouf, Zhioua & Palamidessi (2021), On the applicability of machine learning fairness notions"
AGARWAL = "Agarwal, Dudík & Wu (2019), Fair regression: quantitative definitions and reduction-based algorithms"
DWORK = "Dwork, Hardt, Pitassi, Reingold & Zemel (2012), Fairness through awareness"
ZEMEL = "Zemel, Wu, Swersky, Pitassi & Dwork (2013), Learning fair representations"
CALDERS = "Calders et al. (2013), Controlling attribute effect in linear regression"
BERK = f"Berk et al. (2018), Fairness in criminal justice risk assessments; {VERMA_RUBIN}"


class MetricError(RaiError):
    """A metric that does not exist, does not fit the task, or lacks what it needs."""


@dataclass(frozen=True)
class Metric:
    """What a metric is, in words and formula, and how it is computed.

    Attributes:
        compared: What lies apart, or is alike, between groups, in the words of somebody who decides.
        formula: What is equal between groups, or holds for individuals, when it is fulfilled.
        table: Type of the table it is computed from; what the metric needs follows from it.
        parts: Functions from the table to the rates that are compared; of several the worst counts.
        assess: How it is computed instead, where comparing rates does not do: from the table and the setting, or from
            individuals and the level of the intervals.
        question: Key of the question whose answer leads to it; None where no question does.
        other_names: Names under which it is known elsewhere.
        title: Name in reports.
    """

    name: str
    compared: str
    formula: str
    source: str
    table: type[Any] = GroupCounts
    parts: tuple[Callable[[Any], rates.Rate], ...] = ()
    assess: Callable[[Any, Any], list[Disparity]] | None = None
    kinds: tuple[DisparityKind, ...] = KINDS
    question: str | None = None
    other_names: tuple[str, ...] = ()
    title: str = ""

    def __post_init__(self) -> None:
        if not self.title:
            object.__setattr__(self, "title", self.name.replace("_", " "))

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks it fits."""
        if self.individual:
            return ("classification", "regression")
        return ("regression",) if self.table in (GroupMoments, DistributionCounts) else ("classification",)

    @property
    def individual(self) -> bool:
        """Whether it compares individuals, by a declared distance; otherwise groups."""
        return self.table is individual.Individuals

    @property
    def of_counts(self) -> bool:
        """Whether its figures are shares of rows; otherwise means, sizes of errors or odds."""
        return self.table in (GroupCounts, StratumCounts) and rates.error_ratio not in self.parts

    @property
    def needs_score(self) -> bool:
        """Whether it needs P(Y = 1) beside the decision."""
        return self.table is ScoreCounts

    @property
    def needs_label(self) -> bool:
        """Whether it needs the outcome; otherwise decisions, predictions or scores alone."""
        if self.parts:
            return not {*self.parts} <= {rates.selection_rate, rates.mean_prediction}
        return self.table is ScoreCounts

    @property
    def needs_strata(self) -> bool:
        """Whether it needs legitimate explanatory columns."""
        return self.table is StratumCounts

    def find_unit(self, kind: str, unit: str) -> str:
        """Return the unit of a disparity: that of the label where errors or predictions are subtracted, else none."""
        return unit if self.tasks == ("regression",) and kind in {"difference", "wasserstein"} else ""

    def measure(self, table: Any, setting: Setting) -> list[Disparity]:
        """Measure it on a table of its type: one disparity for each kind."""
        if self.assess is not None:
            return self.assess(table, setting)
        parts = [part(table) for part in self.parts]
        found = compare_rates(self.name, parts, setting, table.left_out)
        return [one for one in found if one.kind in self.kinds]


_ALL = (
    Metric(
        name="statistical_parity",
        compared="share of rows decided favourably",
        formula="P(Ŷ=1 | A=a)",
        source=DWORK,
        parts=(rates.selection_rate,),
        question="standard",
        other_names=("demographic_parity", "disparate_impact", "group_fairness", "selection_rate"),
    ),
    Metric(
        name="conditional_statistical_parity",
        compared="share decided favourably among rows alike in the legitimate columns",
        formula="P(Ŷ=1 | L=l, A=a) for each stratum l of the legitimate columns",
        source=f"Corbett-Davies et al. (2017), Algorithmic decision making and the cost of fairness; {VERMA_RUBIN}",
        table=StratumCounts,
        assess=beyond_rates.assess_strata,
        question="explanatory_columns",
        other_names=("conditional_demographic_parity",),
    ),
    Metric(
        name="equal_opportunity",
        compared="of the rows with the favourable outcome, the share decided favourably",
        formula="P(Ŷ=1 | Y=1, A=a), the true positive rate",
        source=HARDT,
        parts=(rates.true_positive_rate,),
        question="recall_errors",
        other_names=("true_positive_rate_parity", "true_positive_rate", "recall_parity"),
    ),
    Metric(
        name="predictive_equality",
        compared="of the rows without the favourable outcome, the share decided favourably all the same",
        formula="P(Ŷ=1 | Y=0, A=a), the false positive rate",
        source=CHOULDECHOVA,
        parts=(rates.false_positive_rate,),
        question="recall_errors",
        other_names=("false_positive_rate_parity", "false_positive_rate"),
    ),
    Metric(
        name="equalized_odds",
        compared="share decided favourably, among rows with and among rows without the favourable outcome",
        formula="P(Ŷ=1 | Y=1, A=a) and P(Ŷ=1 | Y=0, A=a)",
        source=HARDT,
        parts=(rates.true_positive_rate, rates.false_positive_rate),
        question="recall_errors",
        other_names=("separation",),
    ),
    Metric(
        name="predictive_parity",
        compared="of the rows decided favourably, the share decided rightly",
        formula="P(Y=1 | Ŷ=1, A=a), the precision",
        source=CHOULDECHOVA,
        parts=(rates.positive_predictive_value,),
        question="precision_side",
        other_names=("precision_parity", "outcome_test"),
    ),
    Metric(
        name="negative_predictive_parity",
        compared="of the rows decided unfavourably, the share decided rightly",
        formula="P(Y=0 | Ŷ=0, A=a)",
        source=MAKHLOUF,
        parts=(rates.negative_predictive_value,),
        question="precision_side",
    ),
    Metric(
        name="conditional_use_accuracy_equality",
        compared="share decided rightly, of the favourable and of the unfavourable decisions",
        formula="P(Y=1 | Ŷ=1, A=a) and P(Y=0 | Ŷ=0, A=a)",
        source=BERK,
        parts=(rates.positive_predictive_value, rates.negative_predictive_value),
        question="precision_side",
        other_names=("sufficiency",),
    ),
    Metric(
        name="overall_accuracy_equality",
        compared="share of rows decided rightly",
        formula="P(Ŷ=Y | A=a)",
        source=BERK,
        parts=(rates.accuracy,),
        question="error_kind",
        other_names=("accuracy_parity",),
    ),
    Metric(
        name="treatment_equality",
        compared="rows wrongly decided against, for each row wrongly decided in favour",
        formula="FN / FP in group a",
        source=BERK,
        parts=(rates.error_ratio,),
    ),
    Metric(
        name="balance_positive_class",
        title="balance for the positive class",
        compared="mean score of the rows with the favourable outcome",
        formula="E(S | Y=1, A=a)",
        source=KLEINBERG,
        table=ScoreCounts,
        parts=(rates.mean_score(1),),
        question="recall_scores",
    ),
    Metric(
        name="balance_negative_class",
        title="balance for the negative class",
        compared="mean score of the rows without the favourable outcome",
        formula="E(S | Y=0, A=a)",
        source=KLEINBERG,
        table=ScoreCounts,
        parts=(rates.mean_score(0),),
        question="recall_scores",
    ),
    Metric(
        name="overall_balance",
        compared="mean score of the rows with, and of those without, the favourable outcome",
        formula="E(S | Y=1, A=a) and E(S | Y=0, A=a)",
        source=f"{KLEINBERG}; {MAKHLOUF}",
        table=ScoreCounts,
        parts=(rates.mean_score(1), rates.mean_score(0)),
        question="recall_scores",
    ),
    Metric(
        name="calibration",
        compared="share with the favourable outcome among rows of about the same score",
        formula="P(Y=1 | S in bin s, A=a) for each score bin s",
        source=CHOULDECHOVA,
        table=ScoreCounts,
        assess=beyond_rates.assess_calibration,
        question="precision_scores",
        other_names=("test_fairness", "calibration_within_groups"),
    ),
    Metric(
        name="well_calibration",
        title="well-calibration",
        compared="how far the share with the favourable outcome lies from the score that promises it",
        formula="P(Y=1 | S in bin s, A=a) = E(S | S in bin s, A=a) for each score bin s, in every group",
        source=KLEINBERG,
        table=ScoreCounts,
        assess=beyond_rates.assess_well_calibration,
        question="precision_scores",
    ),
    Metric(
        name="mean_prediction",
        compared="what is predicted on average",
        formula="E(R | A=a)",
        source=CALDERS,
        table=GroupMoments,
        parts=(rates.mean_prediction,),
        question="predicted_amounts",
    ),
    Metric(
        name="mean_absolute_error",
        compared="mean size of the error",
        formula="E(|R - Y| | A=a)",
        source=f"{AGARWAL} (bounded group loss)",
        table=GroupMoments,
        parts=(rates.mean_absolute_error,),
        question="error_size",
        other_names=("mae", "MAE"),
    ),
    Metric(
        name="root_mean_squared_error",
        compared="size of the error, large errors counting more",
        formula="√E((R - Y)² | A=a)",
        source=f"{AGARWAL} (bounded group loss)",
        table=GroupMoments,
        parts=(rates.root_mean_squared_error,),
        question="error_size",
        other_names=("rmse", "RMSE"),
    ),
    Metric(
        name="mean_signed_error",
        compared="mean error with its sign: above zero is predicted too high",
        formula="E(R - Y | A=a)",
        source=f"{CALDERS} (balanced residuals)",
        table=GroupMoments,
        parts=(rates.mean_signed_error,),
        kinds=("difference",),
        question="amount_errors",
        other_names=("balanced_residuals", "bias"),
    ),
    Metric(
        name="prediction_distribution",
        compared="all predictions of a group, not only their mean",
        formula="P(R ≤ r | A=a) for every r",
        source=f"{AGARWAL} (statistical parity); Jiang et al. (2020), Wasserstein fair classification",
        table=DistributionCounts,
        assess=beyond_rates.assess_distribution,
        kinds=("kolmogorov_smirnov", "wasserstein"),
        question="predicted_amounts",
    ),
    Metric(
        name="consistency",
        compared="how far a decision lies from those of the most similar rows",
        formula="difference: mean |f(x) - mean of f over the k nearest neighbours of x|, over the same with f dealt "
        "out at random; ratio: 1 - difference",
        source=ZEMEL,
        table=individual.Individuals,
        assess=lambda of, level: individual.report(of.consistency, level),
        question="stand_in",
    ),
    Metric(
        name="fairness_through_awareness",
        compared="pairs of rows treated further apart than they are, for each such pair at random",
        formula="|f(x) - f(z)| ≤ L·d(x, z); difference: pairs that break it, over those with f dealt out at random; "
        "ratio: 1 - difference",
        source=DWORK,
        table=individual.Individuals,
        assess=lambda of, level: individual.report(of.awareness, level),
        question="similarity_measure",
        other_names=("lipschitz_fairness",),
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}
"""Every metric by its canonical name; :func:`find_metric` knows the other names, too."""
_BY_NAME = {name: metric for metric in _ALL for name in (metric.name, *metric.other_names)}


def find_metric(name: str) -> Metric:
    """Return the metric of a canonical or other name; :class:`MetricError` with the closest names if there is none."""
    if name not in _BY_NAME:
        near = get_close_matches(name, _BY_NAME, n=3)
        remedy = f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are: {', '.join(METRICS)}"
        raise MetricError(f"There is no metric {name!r}.", remedy=remedy)
    return _BY_NAME[name]


def describe_metric(name: str) -> Metric:
    """Return the metric of a name as reports word it; one that is not known (any more) has its name only."""
    return _BY_NAME.get(name) or Metric(name, compared="", formula="", source="")


def list_metrics(task: Task) -> str:
    """Return the names of the metrics that fit a task, for messages."""
    return ", ".join(one.name for one in METRICS.values() if task in one.tasks)
