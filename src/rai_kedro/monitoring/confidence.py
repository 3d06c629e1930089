"""Performance of decisions before labels: confidence-based estimation on calibrated scores.

With P(label is 1) of every row known, the confusion counts of a month are known in expectation: eight in ten
rows decided positive with P = .8 are true positives (CBPE: Garg et al. 2022, *Leveraging unlabeled data to predict
out-of-distribution performance*; Bialek et al. 2023, *Estimating model performance under covariate shift without
labels*, arXiv 2401.08348; NannyML's documentation). P is learned from the reference, rows with labels that the model
was not fitted on:

- a logistic regression on the logit of the score (Platt 1999), bent at up to four knots where the reference has enough
  rows of both classes (spline calibration: Lucena 2018, arXiv 1809.07751);
- every group has an intercept and a slope of its own, drawn towards those of all rows by a normal prior, so that a
  large group is calibrated by its own rows and a small one borrows from the others. A group that the reference never
  had keeps the prior, and with it a wide interval.

The calibration is not known exactly: it is drawn from its posterior (Laplace approximation), which for large references
is what a bootstrap of the reference gives, without its cost and without its failing where a group has one class only.
Labels of the month are then drawn for each calibration. So the interval is one for the figure *that the labels will
show*. Rows of equal score and group are counted together: cost does not grow with the month.

That P(label | score, group) stays as it was is assumed. No method sees a change of it before labels come.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

DRAWS = 500
_MOST_CELLS, _FEWEST_CELLS, _CELLS_IN_ALL = 128, 32, 2_000
_MOST_KNOTS, _ROWS_PER_KNOT = 4, 100
# Standard deviations of the priors, on the logit scale, for scores brought to variance 1.
_WIDE, _BEND, _GROUP_LEVEL, _GROUP_SLOPE = 3.0, 1.0, 1.0, 0.5
_STEPS, _CLOSE = 50, 1e-6
_SMALLEST, _LARGEST_FLOOR = 1e-6, 0.1


class Drawn(NamedTuple):
    """One figure of one group: what is expected, what the labels may show (draws), the rows behind it."""

    name: str
    group: str
    value: float
    draws: Floats
    rows: float


class Cells(NamedTuple):
    """Rows of a month counted by score and groups, ordered by score.

    Attributes:
        place: Number of the score, shape (cells,), ascending.
        score: Mean score, shape (cells,).
        square: Sum of squared scores, shape (cells,).
        codes: Code of each grouping, shape (cells, groupings).
        counts: Rows decided 0 and 1, shape (cells, 2).
    """

    place: Integers
    score: Floats
    square: Floats
    codes: Integers
    counts: Integers


@dataclass(frozen=True)
class Scale:
    """How a score becomes the columns of the calibration: logit, brought to mean 0 and variance 1, and its knots."""

    floor: float
    centre: float
    spread: float
    knots: Floats

    def place(self, score: Floats) -> Floats:
        """Return the standardised logits."""
        return (_logit(score, self.floor) - self.centre) / self.spread

    def bend(self, score: Floats) -> Floats:
        """Return the columns that all rows share: 1, logit, and logit above each knot."""
        logit = self.place(score)
        return np.column_stack([np.ones_like(logit), logit, np.maximum(logit[:, np.newaxis] - self.knots, 0)])


@dataclass(frozen=True)
class Calibration:
    """P(label is 1) given score and groups: coefficients, and a root of their covariance.

    ``levels`` are the groups of each grouping that the reference has; a higher code is a group it never had.
    """

    scale: Scale
    levels: tuple[tuple[str, ...], ...]
    coefficients: Floats
    root: Floats

    def design(self, score: Floats, codes: Integers) -> Floats:
        """Return the columns of the calibration, shape (rows, coefficients)."""
        shared, logit = self.scale.bend(score), self.scale.place(score)
        parts = [shared]
        for code, levels in zip(codes.T, self.levels, strict=True):
            member = np.eye(len(levels) + 1)[np.minimum(code, len(levels))]
            parts += [member, member * logit[:, np.newaxis]]
        return np.hstack(parts)

    def probabilities(self, score: Floats, codes: Integers) -> Floats:
        """Return P(label is 1) of each row."""
        return _expit(self.design(score, codes) @ self.coefficients)


def code_groups(groups: pd.DataFrame, levels: Sequence[Sequence[str]]) -> Integers:
    """Return the number of each row's group among the levels of each grouping, shape (rows, groupings)."""
    codes = [pd.Index(known).get_indexer(pd.Index(groups[name])) for name, known in zip(groups, levels, strict=True)]
    return np.column_stack(codes).astype(np.int64) if codes else np.zeros((len(groups), 0), dtype=np.int64)


def calibrate(score: Floats, label: Floats, groups: pd.DataFrame) -> Calibration:
    """Learn P(label is 1) from the reference.

    Args:
        score: Scores, or decisions 0 and 1 where the model gives no score, shape (m,).
        label: Labels 0 and 1, shape (m,).
        groups: The group of each row as text, one column a grouping; may have no column.
    """
    inside = np.concatenate([score[score > 0], 1 - score[score < 1]])
    floor = float(np.clip(inside.min() / 2, _SMALLEST, _LARGEST_FLOOR))  # 0 and 1 have no logit
    logits = _logit(score, floor)
    spread = float(logits.std()) or 1.0
    scale = Scale(floor, float(logits.mean()), spread, np.zeros(0))
    rarer = int(min(label.sum(), (1 - label).sum()))
    knots = min(_MOST_KNOTS, rarer // _ROWS_PER_KNOT) if len(np.unique(score)) > _MOST_KNOTS + 2 else 0
    inner = np.quantile(scale.place(score), np.arange(1, knots + 1) / (knots + 1))
    scale = Scale(floor, scale.centre, spread, np.unique(inner))
    levels = tuple(tuple(sorted(groups[name].unique())) for name in groups)
    empty = Calibration(scale, levels, np.zeros(0), np.zeros((0, 0)))
    design = empty.design(score, code_groups(groups, levels))
    prior = np.zeros(design.shape[1])
    prior[:2] = scale.centre, spread  # as if the scores were calibrated
    deviations = [_WIDE, _WIDE, *[_BEND] * len(scale.knots)]
    for known in levels:
        deviations += [_GROUP_LEVEL] * (len(known) + 1) + [_GROUP_SLOPE] * (len(known) + 1)
    coefficients, precision = _maximise(design, label, prior, np.array(deviations) ** -2.0)
    return Calibration(scale, levels, coefficients, np.linalg.inv(np.linalg.cholesky(precision)).T)


def count_cells(score: Floats, decision: Floats, codes: Integers) -> Cells:
    """Count the rows of a month by score (quantiles where there are many different ones), groups and decision."""
    kinds = len(np.unique(_number(codes))) if codes.shape[1] else 1
    number = int(np.clip(_CELLS_IN_ALL // kinds, _FEWEST_CELLS, _MOST_CELLS))
    different, place = np.unique(score, return_inverse=True)
    if len(different) > number:
        edges = np.unique(np.quantile(score, np.arange(1, number) / number))
        place = np.searchsorted(edges, score, side="right")
    keys = np.column_stack([place, codes])
    _, first, cell = np.unique(_number(keys), return_index=True, return_inverse=True)
    rows = np.bincount(cell)
    counts = np.bincount(cell * 2 + decision.astype(np.int64), minlength=2 * len(rows)).reshape(-1, 2)
    sums, squares = (np.bincount(cell, score**power).astype(np.float64) for power in (1, 2))
    return Cells(keys[first, 0], sums / rows, squares, codes[first], counts)


def _number(keys: Integers) -> Integers:
    """Return one number for each row of keys, ordered as the rows are."""
    return np.asarray(np.ravel_multi_index(tuple(keys.T), tuple(keys.max(axis=0) + 1)), dtype=np.int64)


def estimate_decisions(
    calibration: Calibration,
    cells: Cells,
    groups: Sequence[tuple[str, NDArray[np.bool_]]],
    generator: np.random.Generator,
) -> Iterator[Drawn]:
    """Yield the figures of all rows and of each group (its name, its cells)."""
    design = calibration.design(cells.score, cells.codes)
    expected = cells.counts * _expit(design @ calibration.coefficients)[:, np.newaxis]
    noise = generator.standard_normal((design.shape[1], DRAWS))
    chances = _expit(design @ (calibration.coefficients[:, np.newaxis] + calibration.root @ noise)).T
    # One table for each decision, so that sums over cells run through memory in its order.
    drawn = [np.zeros((DRAWS, len(cells.counts)), dtype=np.float64) for _ in (0, 1)]
    for decision in (0, 1):
        filled = cells.counts[:, decision] > 0
        drawn[decision][:, filled] = generator.binomial(cells.counts[filled, decision], chances[:, filled])
    names = ["", *(name for name, _ in groups)]
    members = np.column_stack([np.ones(len(cells.score), dtype=bool), *(mask for _, mask in groups)])
    values, rows = _figures([expected[np.newaxis, :, 0], expected[np.newaxis, :, 1]], cells, members)
    draws, _ = _figures(drawn, cells, members)
    for part, name in enumerate(names):
        for figure in values:
            yield Drawn(figure, name, float(values[figure][0, part]), draws[figure][:, part], float(rows[figure][part]))


def _figures(
    positive: Sequence[Floats], cells: Cells, members: NDArray[np.bool_]
) -> tuple[dict[str, Floats], dict[str, Floats]]:
    """Work out the figures of many months at once from their positive labels.

    Args:
        positive: Positive labels among the rows decided 0 and 1, shape (months, cells) each.
        cells: The rows of a month.
        members: Which cells belong to which part of the rows, shape (cells, parts).

    Returns:
        The figures by name, shape (months, parts), NaN where one is not defined, and the rows behind each.
    """
    of = members.astype(np.float64)
    missed, found = positive[0] @ of, positive[1] @ of
    decided = cells.counts.T @ of
    spared, alarms, rows = decided[0] - missed, decided[1] - found, decided.sum(axis=0)
    each = positive[0] + positive[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        figures = {
            "accuracy": (found + spared) / rows,
            "sensitivity": found / (found + missed),
            "specificity": spared / (spared + alarms),
            "precision": found / (found + alarms),
            "AUC": np.column_stack([_areas(each[:, mask], cells, mask) for mask in members.T]),
            "Brier score": (cells.square @ of + each @ (of * (1 - 2 * cells.score)[:, np.newaxis])) / rows,
        }
    behind = {"sensitivity": (found + missed)[0], "specificity": (spared + alarms)[0], "precision": (found + alarms)[0]}
    return figures, {name: behind.get(name, rows) for name in figures}


def _areas(positive: Floats, cells: Cells, mask: NDArray[np.bool_]) -> Floats:
    """Return the area under the curve of many months, shape (months,), from the positive labels of some cells."""
    starts = np.flatnonzero(np.diff(cells.place[mask], prepend=-1))
    high = np.add.reduceat(positive, starts, axis=1)
    low = np.add.reduceat(cells.counts[mask].sum(axis=1), starts) - high
    below = np.cumsum(low, axis=1) - low / 2
    return np.asarray((high * below).sum(axis=1) / (high.sum(axis=1) * low.sum(axis=1)))


def _maximise(design: Floats, label: Floats, prior: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the most likely coefficients under independent normal priors, and their precision.

    Newton's method; a step that makes the fit worse is halved, since from a far start it would go back and forth.
    """

    def cost(at: Floats) -> float:
        logit = design @ at
        return float((np.logaddexp(0, logit) - label * logit).sum() + (weight * (at - prior) ** 2).sum() / 2)

    coefficients, now = prior.copy(), cost(prior)
    for _ in range(_STEPS):
        chance = _expit(design @ coefficients)
        precision = (design * (chance * (1 - chance))[:, np.newaxis]).T @ design + np.diag(weight)
        step = np.linalg.solve(precision, design.T @ (label - chance) - weight * (coefficients - prior))
        while (after := cost(coefficients + step)) > now and np.abs(step).max() > _CLOSE:
            step /= 2
        coefficients, now = coefficients + step, after
        if np.abs(step).max() < _CLOSE:
            break
    return coefficients, precision


def _logit(score: Floats, floor: float) -> Floats:
    held = np.clip(score, floor, 1 - floor)
    return np.log(held / (1 - held))


def _expit(logit: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(logit, -40, 40)))
