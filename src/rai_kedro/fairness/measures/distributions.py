"""How far the distributions of a regression's predictions lie apart between groups."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from rai_kedro.fairness.estimates import Disparity, GroupFigure
from rai_kedro.fairness.grouping import Grouping
from rai_kedro.fairness.measures.comparison import FEWER_THAN_TWO, Comparison
from rai_kedro.fairness.measures.counts import (
    MISSING_GROUP,
    MISSING_PREDICTION,
    Counts,
    Figures,
    add_reasons,
    chunks,
    keep_complete,
    spread,
)
from rai_kedro.fairness.measures.disparities import Beside, Setting, report
from rai_kedro.intervals import intervals
from rai_kedro.intervals.distances import Distance, distribution_distances
from rai_kedro.intervals.estimate import make_interval

BINS = 256
METRIC = "prediction_distribution"


@dataclass(frozen=True, eq=False)
class DistributionCounts:
    """Predictions of each group on a grid.

    Attributes:
        groups: Names of the groups, G of them.
        edges: Edges of equal bins, shape (B + 1,), in the unit of the label; what lies outside counts in the end bins.
        counts: Rows by group and bin, shape (G, B).
        left_out: Rows left out, by reason.
    """

    groups: tuple[str, ...]
    edges: Figures
    counts: Counts
    left_out: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: DistributionCounts) -> DistributionCounts:
        """Add the counts of another batch of rows on the same grid."""
        if not np.array_equal(self.edges, other.edges):
            raise ValueError("counts on different grids cannot be added: declare one range for all batches")
        groups = tuple(dict.fromkeys(self.groups + other.groups))
        counts = spread(self.counts, self.groups, groups) + spread(other.counts, other.groups, groups)
        return DistributionCounts(groups, self.edges, counts, add_reasons(self.left_out, other.left_out))


def count_distribution(
    prediction: Figures, grouping: Grouping, *, bounds: tuple[float, float] | None = None
) -> DistributionCounts:
    """Count predictions of each group on a grid of 256 equal bins in one pass.

    Args:
        prediction: Prediction of each row, nan where missing, shape (rows,), in the unit of the label.
        grouping: Group of each row.
        bounds: Range of the grid; from the smallest to the largest prediction if None.

    Returns:
        The counts. The distances are those of the grid, off by no more than one bin can hide.
    """
    if bounds is None:
        known = bool(len(prediction)) and not np.isnan(prediction).all()
        bounds = (float(np.nanmin(prediction)), float(np.nanmax(prediction))) if known else (0.0, 1.0)
    low, high = bounds if bounds[0] < bounds[1] else (bounds[0] - 0.5, bounds[0] + 0.5)
    size = len(grouping.groups) * BINS
    totals = np.zeros(size, dtype=np.int64)
    left_out: dict[str, int] = {}
    for part in chunks(len(prediction)):
        missing = np.where(np.isnan(prediction[part]), np.int16(-1), np.int16(0))
        kept = keep_complete({MISSING_PREDICTION: missing, MISSING_GROUP: grouping.codes[part]}, left_out)
        place = (prediction[part][kept] - low) * (BINS / (high - low))
        at = grouping.codes[part][kept].astype(np.int64) * BINS + np.clip(place, 0, BINS - 1).astype(np.int64)
        totals += np.bincount(at, minlength=size)
    edges = np.linspace(low, high, BINS + 1)
    return DistributionCounts(grouping.groups, edges, totals.reshape(-1, BINS), left_out)


def assess_distribution(counts: DistributionCounts, setting: Setting) -> list[Disparity]:
    """Measure the largest Kolmogorov-Smirnov and Wasserstein-1 distance between the predictions of two groups.

    Args:
        counts: Predictions on a grid.
        setting: Groups and level.

    Returns:
        One disparity for each distance; the figure of a group is its distance to the rows of all other groups.
    """
    present = counts.counts.sum(axis=1) > 0
    missing = [f"{group}: no rows" for group, there in zip(counts.groups, present, strict=True) if not there]
    made = []
    distances: tuple[Distance, ...] = ("kolmogorov_smirnov", "wasserstein")
    for distance in distances:
        figures = _describe(counts, distance, setting.level)
        outcome = _compare(counts, distance, setting)
        made.append(report(METRIC, distance, outcome, Beside(figures, missing, counts.left_out), setting))
    return made


def _compare(counts: DistributionCounts, distance: Distance, setting: Setting) -> Comparison:
    present = np.flatnonzero(counts.counts.sum(axis=1) > 0)
    groups = [counts.groups[at] for at in present]
    reference = setting.reference
    if len(groups) < 2 or (reference is not None and reference not in groups):  # noqa: PLR2004
        return Comparison(None, None, make_interval(None, None, "none", FEWER_THAN_TWO))
    rows = counts.counts[present]
    apart = distribution_distances(rows, counts.edges, distance=distance)
    at = None if reference is None else groups.index(reference)
    if at is not None:
        apart = np.where(np.arange(len(groups))[:, None] == at, apart, 0.0)
    first, second = np.unravel_index(int(np.argmax(apart)), apart.shape)
    pair = (groups[first], groups[second if first != second else (first + 1) % len(groups)])
    found = intervals.largest_distribution_distance(rows, counts.edges, setting.level, distance=distance, reference=at)
    return Comparison(float(apart.max()), pair, found)


def _describe(counts: DistributionCounts, distance: Distance, level: float) -> tuple[GroupFigure, ...]:
    name = f"{distance.replace('_', '-')} distance to the other groups' predictions"
    total = counts.counts.sum(axis=0)
    figures = []
    for group, own in zip(counts.groups, counts.counts, strict=True):
        two = np.array([own, total - own])
        if not own.sum() or own.sum() == total.sum():
            figures.append(GroupFigure(group=group, rate=name, n=int(own.sum()), note=FEWER_THAN_TWO))
            continue
        value = float(distribution_distances(two, counts.edges, distance=distance)[0, 1])
        found = intervals.largest_distribution_distance(two, counts.edges, level, distance=distance)
        figures.append(GroupFigure.make(group, name, int(own.sum()), value, found))
    return tuple(figures)
