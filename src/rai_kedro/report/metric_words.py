"""Fairness metrics, kinds and verdicts in the words of somebody who decides and does not compute."""

from __future__ import annotations

from rai_kedro.fairness.metrics import METRICS, REGRESSION
from rai_kedro.fairness.verdicts import GateOutcome, VerdictOutcome

# What lies apart, or is alike, between groups; METRICS has the formulas.
COMPARED: dict[str, str] = {
    "statistical_parity": "share of rows decided favourably",
    "conditional_statistical_parity": "share decided favourably among rows alike in the legitimate columns",
    "equal_opportunity": "of the rows with the favourable outcome, the share decided favourably",
    "predictive_equality": "of the rows without the favourable outcome, the share decided favourably all the same",
    "equalized_odds": "share decided favourably, among rows with and among rows without the favourable outcome",
    "predictive_parity": "of the rows decided favourably, the share decided rightly",
    "negative_predictive_parity": "of the rows decided unfavourably, the share decided rightly",
    "conditional_use_accuracy_equality": "share decided rightly, of the favourable and of the unfavourable decisions",
    "overall_accuracy_equality": "share of rows decided rightly",
    "treatment_equality": "rows wrongly decided against, for each row wrongly decided in favour",
    "balance_positive_class": "mean score of the rows with the favourable outcome",
    "balance_negative_class": "mean score of the rows without the favourable outcome",
    "overall_balance": "mean score of the rows with, and of those without, the favourable outcome",
    "calibration": "share with the favourable outcome among rows of about the same score",
    "well_calibration": "how far the share with the favourable outcome lies from the score that promises it",
    "mean_prediction": "what is predicted on average",
    "mean_absolute_error": "mean size of the error",
    "root_mean_squared_error": "size of the error, large errors counting more",
    "mean_signed_error": "mean error with its sign: above zero is predicted too high",
    "prediction_distribution": "all predictions of a group, not only their mean",
    "consistency": "how far a decision lies from those of the most similar rows",
    "fairness_through_awareness": "pairs of rows treated further apart than they are",
}
KINDS: dict[str, str] = {
    "difference": "difference",
    "ratio": "ratio",
    "kolmogorov_smirnov": "Kolmogorov-Smirnov distance",
    "wasserstein": "Wasserstein distance",
}
VERDICTS: dict[VerdictOutcome, str] = {
    "pass": "pass",
    "fail": "fail",
    "insufficient_evidence": "insufficient evidence",
    "not_assessed": "not assessed",
}
OUTCOMES: dict[GateOutcome, str] = {
    "pass": "pass",
    "fail": "fail",
    "insufficient_evidence": "insufficient evidence",
    "could_not_be_evaluated": "could not be evaluated",
}


def name_metric(metric: str) -> str:
    """Return the metric's name in reports; an unknown one as it stands, without underscores."""
    return METRICS[metric].title if metric in METRICS else metric.replace("_", " ")


def name_kind(kind: str) -> str:
    """Return the kind of a disparity in words."""
    return KINDS.get(kind, kind.replace("_", " "))


def describe_compared(metric: str) -> str:
    """Say what is compared between groups; nothing of an unknown metric."""
    return COMPARED.get(metric, "")


def find_unit(metric: str, kind: str, unit: str) -> str:
    """Return the unit of a disparity: that of the label where errors or predictions are subtracted, else none."""
    of_label = metric in METRICS and METRICS[metric].tasks == REGRESSION and kind in {"difference", "wasserstein"}
    return unit if of_label else ""
