"""Fairness metrics and kinds in the words of somebody who decides and does not compute."""

from __future__ import annotations

from rai_kedro.fairness import METRICS

KINDS: dict[str, str] = {
    "difference": "difference",
    "ratio": "ratio",
    "kolmogorov_smirnov": "Kolmogorov-Smirnov distance",
    "wasserstein": "Wasserstein distance",
}


def name_metric(metric: str) -> str:
    """Return the metric's name in reports; an unknown one as it stands, without underscores."""
    return METRICS[metric].title if metric in METRICS else metric.replace("_", " ")


def name_kind(kind: str) -> str:
    """Return the kind of a disparity in words."""
    return KINDS.get(kind, kind.replace("_", " "))


def describe_compared(metric: str) -> str:
    """Say what is compared between groups; nothing of an unknown metric."""
    return METRICS[metric].compared if metric in METRICS else ""


def find_unit(metric: str, kind: str, unit: str) -> str:
    """Return the unit of a disparity: that of the label where errors or predictions are subtracted, else none."""
    of_label = metric in METRICS and METRICS[metric].tasks == ("regression",) and kind in {"difference", "wasserstein"}
    return unit if of_label else ""
