"""Sums of the scores by group, outcome and score bin, made in one pass over the rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from rai_kedro.fairness.grouping import Grouping
from rai_kedro.fairness.measures.counts import (
    MISSING_GROUP,
    MISSING_LABEL,
    MISSING_SCORE,
    Binary,
    Counts,
    Figures,
    OutcomeError,
    add_reasons,
    chunks,
    keep_complete,
    spread,
)


@dataclass(frozen=True, eq=False)
class ScoreCounts:
    """Number, sum and sum of squares of the scores.

    Attributes:
        groups: Names of the groups, G of them.
        counts: Rows by group, outcome Y and score bin, shape (G, 2, bins); the bins cut [0, 1] into equal parts, a
            score on a border belonging to the bin above it.
        sums: Sum of the scores, same shape.
        squares: Sum of the squared scores, same shape. Scores lie in [0, 1], so that nothing is lost by it.
        left_out: Rows left out, by reason.
    """

    groups: tuple[str, ...]
    counts: Counts
    sums: Figures
    squares: Figures
    left_out: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: ScoreCounts) -> ScoreCounts:
        """Add the sums of another batch of rows; groups that only one batch has are kept."""
        groups = tuple(dict.fromkeys(self.groups + other.groups))
        mine, theirs = (self.counts, self.sums, self.squares), (other.counts, other.sums, other.squares)
        counts, sums, squares = (
            spread(a, self.groups, groups) + spread(b, other.groups, groups) for a, b in zip(mine, theirs, strict=True)
        )
        return ScoreCounts(groups, counts, sums, squares, add_reasons(self.left_out, other.left_out))

    def describe(self, outcome: int) -> tuple[Counts, Figures, Figures]:
        """Return rows, mean score and sample variance (n - 1) of the rows with one outcome, each of shape (G,).

        Mean and variance are nan where there are too few rows for them.
        """
        rows = self.counts[:, outcome].sum(axis=1)
        total = self.sums[:, outcome].sum(axis=1)
        squares = self.squares[:, outcome].sum(axis=1)
        mean = total / np.where(rows > 0, rows, np.nan)
        variance = (squares - total * mean) / np.where(rows > 1, rows - 1, np.nan)
        return rows, mean, np.maximum(variance, 0)


def check_scores(score: Any) -> Figures:
    """Check that scores are probabilities.

    Args:
        score: P(Y = 1) of each row, shape (rows,).

    Returns:
        The scores as floats, nan where missing.

    Raises:
        OutcomeError: A score is no number or lies outside [0, 1].
    """
    series = pd.Series(score, copy=False)
    numbers = pd.to_numeric(series.astype("object") if series.dtype.kind == "O" else series, errors="coerce")
    wrong = (numbers.isna() & series.notna()) | (numbers < 0) | (numbers > 1)
    if wrong.any():
        raise OutcomeError(
            "The scores are not probabilities: they have to lie between 0 and 1.",
            where="score",
            how_many=f"{int(wrong.sum())} of {len(series)} rows",
            example=repr(series[wrong].iloc[0]),
            remedy="Hand in P(favourable) as predict_proba gives it, not a decision function, logit or percentage.",
        )
    return numbers.to_numpy(dtype=float, na_value=np.nan)


def count_scores(outcome: Binary, score: Figures, grouping: Grouping, *, bins: int = 10) -> ScoreCounts:
    """Sum the scores by group, outcome and bin in one pass.

    Args:
        outcome: Y of each row as 1, 0 or -1 (missing), shape (rows,).
        score: Score of each row in [0, 1], nan where missing, shape (rows,).
        grouping: Group of each row.
        bins: Number of equal bins on [0, 1].

    Returns:
        The sums; a row with anything missing is counted under the first reason that applies.
    """
    shape = (len(grouping.groups), 2, bins)
    size = int(np.prod(shape))
    totals = np.zeros((3, size))
    left_out: dict[str, int] = {}
    for part in chunks(len(outcome)):
        known = np.where(np.isnan(score[part]), -1, 0)
        columns = {MISSING_LABEL: outcome[part], MISSING_SCORE: known, MISSING_GROUP: grouping.codes[part]}
        kept = keep_complete(columns, left_out)
        values = score[part][kept]
        in_bin = np.minimum((values * bins).astype(np.int64), bins - 1)
        at = (grouping.codes[part][kept].astype(np.int64) * 2 + outcome[part][kept]) * bins + in_bin
        for row, weights in enumerate((None, values, values**2)):
            totals[row] += np.bincount(at, weights=weights, minlength=size)
    counts, sums, squares = (total.reshape(shape) for total in totals)
    return ScoreCounts(grouping.groups, counts.astype(np.int64), sums, squares, left_out)
