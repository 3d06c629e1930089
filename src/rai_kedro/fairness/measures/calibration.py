"""Well-calibration: in every group, a score means what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rai_kedro.fairness.estimates import Disparity, GroupFigure
from rai_kedro.fairness.measures.comparison import Comparison, Kind, worst
from rai_kedro.fairness.measures.counts import Counts, Figures
from rai_kedro.fairness.measures.disparities import KINDS, Beside, Setting, report
from rai_kedro.fairness.measures.scores import ScoreCounts
from rai_kedro.intervals import intervals
from rai_kedro.intervals.estimate import Estimate, make_interval

UNDEFINED = "no rows with a label and a score"


@dataclass(frozen=True, eq=False)
class _Cells:
    """Cells of group and score bin that have rows, each array of shape (cells,)."""

    groups: tuple[str, ...]
    names: tuple[str, ...]
    rows: Counts
    events: Counts
    scores: Figures

    def intervals(self, level: float) -> list[Estimate]:
        return intervals.proportion_intervals(self.events, self.rows, level) if len(self.rows) else []


def assess_well_calibration(sums: ScoreCounts, setting: Setting) -> list[Disparity]:
    """Measure how far the scores of each group are from the share of favourable labels.

    Args:
        sums: Sums of the scores by group, outcome and bin.
        setting: Groups and level.

    Returns:
        Difference: the largest |P(Y=1 | bin) - mean score in the bin| over groups and bins; ratio: the smallest of
        one of the two over the other. Every cell's interval holds at the Bonferroni level; labels with unequal
        probabilities vary less than the binomial it assumes, so that it errs on the wide side.
    """
    cells = _find_cells(sums)
    shares = cells.events / np.maximum(cells.rows, 1)
    figures = tuple(
        GroupFigure.make(
            group, name, int(n), float(p - s), make_interval(_minus(i.lower, s), _minus(i.upper, s), i.how, i.note)
        )
        for group, name, n, p, s, i in zip(
            cells.groups, cells.names, cells.rows, shares, cells.scores, cells.intervals(setting.level), strict=True
        )
    )
    missing = [f"{group}: {UNDEFINED}" for group in sums.groups if group not in cells.groups]
    together = cells.intervals(intervals.part_level(setting.level, max(len(shares), 1)))
    made = []
    for kind in KINDS:
        parts = [_deviate(p, s, i, kind) for p, s, i in zip(shares, cells.scores, together, strict=True)]
        nothing = Comparison(None, None, make_interval(None, None, "none", UNDEFINED))
        outcome = worst(parts or [nothing], kind, setting.level)
        made.append(report("well_calibration", kind, outcome, Beside(figures, missing, sums.left_out), setting))
    return made


def _find_cells(sums: ScoreCounts) -> _Cells:
    rows = sums.counts.sum(axis=1)
    bins = rows.shape[1]
    group_at, bin_at = np.nonzero(rows)
    title = "favourable labels minus mean score, scores"
    behind = rows[group_at, bin_at]
    return _Cells(
        tuple(sums.groups[at] for at in group_at),
        tuple(f"{title} {at / bins:g} to {(at + 1) / bins:g}" for at in bin_at),
        behind,
        sums.counts[:, 1][group_at, bin_at],
        sums.sums.sum(axis=1)[group_at, bin_at] / np.maximum(behind, 1),
    )


def _deviate(share: float, score: float, interval: Estimate, kind: Kind) -> Comparison:
    """Hold a share, known to lie in an interval, against the mean score."""
    ends: Any = (interval.lower, interval.upper)
    covered = ends[0] <= score <= ends[1]
    if kind == "difference":
        near, far = sorted(abs(end - score) for end in ends)
        return Comparison(
            abs(float(share - score)),
            None,
            interval.model_copy(update={"lower": near * (not covered), "upper": far}),
        )
    far, near = sorted(_smaller_ratio(end, score) for end in ends)
    found = interval.model_copy(update={"lower": far, "upper": 1.0 if covered else near})
    return Comparison(_smaller_ratio(float(share), score), None, found)


def _smaller_ratio(a: float, b: float) -> float:
    return 1.0 if a == b else float(min(a, b) / max(a, b))


def _minus(end: float | None, score: float) -> float | None:
    return None if end is None else float(end - score)
