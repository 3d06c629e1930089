"""The fairness metrics of this project: name, task, formula and source of each.

In the formulas Y is the outcome, Ŷ the prediction, S the score, A = a the group and R the prediction of a
regression. The difference of a metric is the largest minus the smallest figure of any two groups, its ratio the
smallest over the largest; of a metric with two parts the worse part counts, as in fairlearn's equalized odds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rai_kedro.fairness.estimates import DisparityKind

Task: TypeAlias = Literal["classification", "regression"]

CLASSIFICATION: tuple[Task, ...] = ("classification",)
REGRESSION: tuple[Task, ...] = ("regression",)
BOTH: tuple[Task, ...] = ("classification", "regression")

VERMA_RUBIN = "Verma & Rubin (2018), Fairness definitions explained"
HARDT = "Hardt, Price & Srebro (2016), Equality of opportunity in supervised learning"
CHOULDECHOVA = "Chouldechova (2017), Fair prediction with disparate impact"
KLEINBERG = "Kleinberg, Mullainathan & Raghavan (2016), Inherent trade-offs in the fair determination of risk scores"
MAKHLOUF = "Makhlouf, Zhioua & Palamidessi (2021), On the applicability of machine learning fairness notions"
AGARWAL = "Agarwal, Dudík & Wu (2019), Fair regression: quantitative definitions and reduction-based algorithms"
DWORK = "Dwork, Hardt, Pitassi, Reingold & Zemel (2012), Fairness through awareness"
ZEMEL = "Zemel, Wu, Swersky, Pitassi & Dwork (2013), Learning fair representations"


@dataclass(frozen=True)
class MetricDefinition:
    """What a metric is.

    Attributes:
        name: Canonical name.
        title: Name in reports.
        tasks: Tasks it fits.
        kinds: What it is expressed as.
        formula: What is equal between groups, or holds for individuals, when it is fulfilled.
        source: Where it is defined.
        individual: Whether it compares individuals; otherwise groups.
        needs_score: Whether it needs P(Y = 1) beside the decision.
        needs_strata: Whether it needs legitimate explanatory columns.
    """

    name: str
    title: str
    tasks: tuple[Task, ...]
    kinds: tuple[DisparityKind, ...]
    formula: str
    source: str
    individual: bool = False
    needs_score: bool = False
    needs_strata: bool = False


_DIFFERENCE_AND_RATIO: tuple[DisparityKind, ...] = ("difference", "ratio")


def _decision(name: str, formula: str, source: str, *, needs_strata: bool = False) -> MetricDefinition:
    title = name.replace("_", " ")
    return MetricDefinition(
        name, title, CLASSIFICATION, _DIFFERENCE_AND_RATIO, formula, source, needs_strata=needs_strata
    )


def _score(name: str, title: str, formula: str, source: str) -> MetricDefinition:
    return MetricDefinition(name, title, CLASSIFICATION, _DIFFERENCE_AND_RATIO, formula, source, needs_score=True)


def _error(
    name: str, formula: str, source: str, kinds: tuple[DisparityKind, ...] = _DIFFERENCE_AND_RATIO
) -> MetricDefinition:
    return MetricDefinition(name, name.replace("_", " "), REGRESSION, kinds, formula, source)


def _individual(name: str, title: str, formula: str, source: str) -> MetricDefinition:
    return MetricDefinition(name, title, BOTH, _DIFFERENCE_AND_RATIO, formula, source, individual=True)


_DEFINITIONS = (
    _decision("statistical_parity", "P(Ŷ=1 | A=a)", DWORK),
    _decision(
        "conditional_statistical_parity",
        "P(Ŷ=1 | L=l, A=a) for each stratum l of the legitimate columns",
        f"Corbett-Davies et al. (2017), Algorithmic decision making and the cost of fairness; {VERMA_RUBIN}",
        needs_strata=True,
    ),
    _decision("equal_opportunity", "P(Ŷ=1 | Y=1, A=a), the true positive rate", HARDT),
    _decision("predictive_equality", "P(Ŷ=1 | Y=0, A=a), the false positive rate", CHOULDECHOVA),
    _decision("equalized_odds", "P(Ŷ=1 | Y=1, A=a) and P(Ŷ=1 | Y=0, A=a)", HARDT),
    _decision("predictive_parity", "P(Y=1 | Ŷ=1, A=a), the precision", CHOULDECHOVA),
    _decision("negative_predictive_parity", "P(Y=0 | Ŷ=0, A=a)", MAKHLOUF),
    _decision(
        "conditional_use_accuracy_equality",
        "P(Y=1 | Ŷ=1, A=a) and P(Y=0 | Ŷ=0, A=a)",
        f"Berk et al. (2018), Fairness in criminal justice risk assessments; {VERMA_RUBIN}",
    ),
    _decision("overall_accuracy_equality", "P(Ŷ=Y | A=a)", f"Berk et al. (2018); {VERMA_RUBIN}"),
    _decision("treatment_equality", "FN / FP in group a", f"Berk et al. (2018); {VERMA_RUBIN}"),
    _score("balance_positive_class", "balance for the positive class", "E(S | Y=1, A=a)", KLEINBERG),
    _score("balance_negative_class", "balance for the negative class", "E(S | Y=0, A=a)", KLEINBERG),
    _score("overall_balance", "overall balance", "E(S | Y=1, A=a) and E(S | Y=0, A=a)", f"{KLEINBERG}; {MAKHLOUF}"),
    _score("calibration", "calibration", "P(Y=1 | S in bin s, A=a) for each score bin s", CHOULDECHOVA),
    _score(
        "well_calibration",
        "well-calibration",
        "P(Y=1 | S in bin s, A=a) = E(S | S in bin s, A=a) for each score bin s, in every group",
        KLEINBERG,
    ),
    _error("mean_prediction", "E(R | A=a)", "Calders et al. (2013), Controlling attribute effect in linear regression"),
    _error("mean_absolute_error", "E(|R - Y| | A=a)", f"{AGARWAL} (bounded group loss)"),
    _error("root_mean_squared_error", "√E((R - Y)² | A=a)", f"{AGARWAL} (bounded group loss)"),
    _error(
        "mean_signed_error",
        "E(R - Y | A=a)",
        "Calders et al. (2013), Controlling attribute effect in linear regression (balanced residuals)",
        ("difference",),
    ),
    _error(
        "prediction_distribution",
        "P(R ≤ r | A=a) for every r",
        f"{AGARWAL} (statistical parity); Wasserstein distance: Jiang et al. (2020), Wasserstein fair classification",
        ("kolmogorov_smirnov", "wasserstein"),
    ),
    _individual(
        "consistency",
        "consistency",
        "ratio: 1 - mean |f(x) - mean of f over the k nearest neighbours of x|; difference: 1 - ratio",
        ZEMEL,
    ),
    _individual(
        "fairness_through_awareness",
        "fairness through awareness",
        "|f(x) - f(z)| ≤ L·d(x, z); difference: share of pairs that break it; ratio: share of pairs that keep it",
        DWORK,
    ),
)

METRICS: dict[str, MetricDefinition] = {definition.name: definition for definition in _DEFINITIONS}


def list_metrics(task: Task) -> str:
    """Return the names of the metrics that fit a task, for messages."""
    return ", ".join(one.name for one in METRICS.values() if task in one.tasks)
