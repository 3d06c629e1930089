"""The largest difference between groups, with an interval that is valid whatever pair turns out largest.

A percentile bootstrap of "largest minus smallest" never covers a true gap of zero. Here every pair of groups
gets its own interval at level ``1 - alpha / pairs`` (Bonferroni), so that all of them hold at once with the
stated level; the interval of the largest absolute difference follows from theirs: its lower end is the largest
lower end of any pair, its upper end the largest upper end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from rai_kedro.fairness.groups import Grouping

NEWCOMBE = (
    "largest absolute difference over all pairs of groups; Newcombe's hybrid score interval (1998, method 10) for "
    "each pair at the Bonferroni level, so that it holds for all pairs at once"
)
WELCH = (
    "largest absolute difference over all pairs of groups; Welch's t interval for each pair at the Bonferroni level, "
    "so that it holds for all pairs at once"
)


@dataclass(frozen=True)
class GroupFigure:
    """The figure of one group; the interval is None where the group is too small for one."""

    group: str
    rows: int
    value: float
    lower: float | None
    upper: float | None


@dataclass(frozen=True)
class Gap:
    """The largest absolute difference between two groups of one column.

    Attributes:
        metric: What is compared.
        column: The audited column.
        rule: How the groups were made.
        groups: The figure of each group, each with its own interval at ``level``.
        value: Largest absolute difference; None with fewer than two groups.
        lower: Lower end of its interval, or None.
        upper: Upper end of its interval, or None.
        level: Confidence level of all intervals.
        method: How the interval was made.
    """

    metric: str
    column: str
    rule: str
    groups: tuple[GroupFigure, ...]
    value: float | None
    lower: float | None
    upper: float | None
    level: float
    method: str


@dataclass(frozen=True)
class _Sample:
    """What an interval needs to know of one group: size, mean and sample variance (n - 1)."""

    group: str
    rows: int
    mean: float
    variance: float


_Interval = tuple[float, float] | None


def demographic_parity_gap(selected: pd.Series[bool], grouping: Grouping, *, level: float) -> Gap:
    """Measure how far the selection rates of the groups lie apart (demographic parity difference).

    Args:
        selected: Whether the prediction is favourable, shape (rows,).
        grouping: Group of each row.
        level: Confidence level, for example 0.95.

    Returns:
        Difference of the largest and the smallest P(selected | group), with its interval.
    """
    return _measure(
        "demographic parity difference",
        selected.astype(float),
        grouping,
        level,
        (_wilson, _newcombe, NEWCOMBE),
    )


def error_rate_gap(wrong: pd.Series[bool], grouping: Grouping, *, level: float) -> Gap:
    """Measure how far the error rates of the groups lie apart (overall accuracy equality, as a difference).

    Args:
        wrong: Whether the decision differs from the label, shape (rows,).
        grouping: Group of each row.
        level: Confidence level, for example 0.95.

    Returns:
        Difference of the largest and the smallest P(decision is not label | group), with its interval.
    """
    return _measure("error rate gap", wrong.astype(float), grouping, level, (_wilson, _newcombe, NEWCOMBE))


def mean_absolute_error_gap(
    target: pd.Series[Any], prediction: pd.Series[Any], grouping: Grouping, *, level: float
) -> Gap:
    """Measure how far the mean absolute errors of the groups lie apart.

    Args:
        target: True values, shape (rows,), in the unit of the label.
        prediction: Predicted values, same shape and unit.
        grouping: Group of each row.
        level: Confidence level, for example 0.95.

    Returns:
        Difference of the largest and the smallest E(abs(Y - prediction) | group), with its interval.
    """
    errors = (target - prediction).abs()
    return _measure("mean absolute error gap", errors, grouping, level, (_student, _welch, WELCH))


def _measure(
    metric: str,
    values: pd.Series[float],
    grouping: Grouping,
    level: float,
    recipe: tuple[Callable[[_Sample, float], _Interval], Callable[[_Sample, _Sample, float], _Interval], str],
) -> Gap:
    of_group, of_pair, method = recipe
    samples = [
        _Sample(
            str(name),
            len(part),
            float(part.mean()),
            float(part.var(ddof=1)) if len(part) > 1 else float("nan"),
        )
        for name, part in values.groupby(grouping.labels, sort=True)
    ]
    figures = tuple(GroupFigure(s.group, s.rows, s.mean, *(of_group(s, 1 - level) or (None, None))) for s in samples)
    pairs = list(combinations(samples, 2))
    value = max((abs(a.mean - b.mean) for a, b in pairs), default=None)
    intervals = [of_pair(a, b, (1 - level) / len(pairs)) for a, b in pairs]
    lower, upper = _largest_absolute(intervals)
    return Gap(metric, grouping.column, grouping.rule, figures, value, lower, upper, level, method)


def _largest_absolute(intervals: list[_Interval]) -> tuple[float | None, float | None]:
    """Turn simultaneous intervals of signed differences into one of the largest absolute difference."""
    if not intervals or any(interval is None for interval in intervals):
        return None, None
    bounds = np.array([interval for interval in intervals if interval is not None])
    low, high = bounds[:, 0], bounds[:, 1]
    nearest_zero = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    return float(nearest_zero.max()), float(np.maximum(np.abs(low), np.abs(high)).max())


def _wilson(sample: _Sample, alpha: float) -> tuple[float, float]:
    """Return Wilson's score interval (1927) of a proportion."""
    z = float(stats.norm.ppf(1 - alpha / 2))
    n, p = sample.rows, sample.mean
    centre = p + z**2 / (2 * n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return max(0.0, float((centre - half) / (1 + z**2 / n))), min(1.0, float((centre + half) / (1 + z**2 / n)))


def _newcombe(first: _Sample, second: _Sample, alpha: float) -> tuple[float, float]:
    """Return Newcombe's hybrid score interval (1998, method 10) of a difference of proportions."""
    low_1, high_1 = _wilson(first, alpha)
    low_2, high_2 = _wilson(second, alpha)
    difference = first.mean - second.mean
    return (
        float(difference - np.hypot(first.mean - low_1, high_2 - second.mean)),
        float(difference + np.hypot(high_1 - first.mean, second.mean - low_2)),
    )


def _student(sample: _Sample, alpha: float) -> _Interval:
    if sample.rows <= 1 or not sample.variance > 0:
        return None  # without spread the variance is not known, only seen to be small
    half = float(stats.t.ppf(1 - alpha / 2, sample.rows - 1)) * np.sqrt(sample.variance / sample.rows)
    return max(0.0, float(sample.mean - half)), float(sample.mean + half)  # what is averaged is never negative


def _welch(first: _Sample, second: _Sample, alpha: float) -> _Interval:
    if min(first.rows, second.rows) <= 1:
        return None
    parts = np.array([first.variance / first.rows, second.variance / second.rows])
    difference = first.mean - second.mean
    if not parts.sum() > 0:
        return None  # without any spread in either group, their variance is not known, only seen to be small
    freedom = parts.sum() ** 2 / (parts**2 / np.array([first.rows - 1, second.rows - 1])).sum()
    half = float(stats.t.ppf(1 - alpha / 2, freedom)) * np.sqrt(parts.sum())
    return float(difference - half), float(difference + half)
