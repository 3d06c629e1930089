"""Performance before labels are there: what a month's figures will be, with intervals for what the labels will show.

Decisions are estimated from calibrated scores (``confidence.py``), amounts from a model of the error (``losses.py``).
Both are learned from the reference: rows with labels that the model was not fitted on, e.g. its test rows. Both assume
that labels still depend on what the model sees as they did; whether they do, only labels show (``reconciliation.py``).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rai_kedro.monitoring.confidence import (
    Calibration,
    Drawn,
    calibrate,
    code_groups,
    count_cells,
    estimate_decisions,
)
from rai_kedro.monitoring.estimation_rows import EstimatedColumns, check_rows, read_groups, read_scores, select_seen
from rai_kedro.monitoring.losses import LossModel, estimate_losses, learn_losses
from rai_kedro.monitoring.support import KnownShares, KnownSupport, Support, learn_shares, learn_support
from rai_kedro.performance import NEED_SCORE, Figure, Task
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

ASSUMPTION = "labels depend on features, prediction and group as they did in the reference"

_FEWEST_ROWS, _FEWEST_OF_CLASS, _FEWEST_OF_GROUP = 100, 20, 30


class EstimatedFigure(Figure):
    """A figure that labels have not shown yet; its interval is for what they will show.

    ``group`` is ``COLUMN: value``, empty for all rows. ``doubt`` says why this figure may not be believed.
    """

    group: str = ""
    doubt: str = ""


class PerformanceEstimate(Typed):
    """The figures of one month as they are expected before its labels.

    Attributes:
        doubts: Why the figures of all rows may not be believed, in words; those of one group stand with its figures.
        assumes: What has to hold for the figures to be right, and cannot be seen before labels.
    """

    task: Task
    figures: tuple[EstimatedFigure, ...]
    support: Support
    doubts: tuple[str, ...] = ()
    assumes: str = ASSUMPTION

    @property
    def believable(self) -> bool:
        """Whether nothing speaks against the figures of all rows."""
        return not self.doubts

    def find(self, name: str, group: str = "") -> EstimatedFigure:
        """Return the figure of this name and group; :class:`KeyError` where there is none."""
        found = {(one.name, one.group): one for one in self.figures}
        return found[name, group]

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each figure."""
        return pd.DataFrame([one.to_dict() for one in self.figures])


@dataclass(frozen=True)
class PerformanceEstimator:
    """All that is learned from a reference, to be used for every month of a model version."""

    columns: EstimatedColumns
    level: float
    seed: int
    support: KnownSupport
    shares: KnownShares
    model: Calibration | LossModel
    reference_groups: pd.DataFrame
    doubts: tuple[str, ...]

    def estimate(self, current: pd.DataFrame) -> PerformanceEstimate:
        """Estimate the figures of a month from its features, predictions, scores and groups.

        Raises:
            RaiError: There is no row, a column is missing, or a prediction or score is missing or out of its range.
        """
        check_rows(current, self.columns, "month")
        groups, support = read_groups(current, self.columns), self.support.check(current)
        figures = [
            self._finish(drawn)
            for drawn in self._draw(current, groups)
            if self.columns.score or drawn.name not in NEED_SCORE
        ]
        doubts = tuple(doubt for doubt in (*self.doubts, support.doubt, self._doubt_month(current)) if doubt)
        return PerformanceEstimate(task=self.columns.task, figures=tuple(figures), support=support, doubts=doubts)

    def _draw(self, current: pd.DataFrame, groups: pd.DataFrame) -> Iterator[Drawn]:
        generator = np.random.default_rng(self.seed)
        named = [(column, value) for column in groups for value in sorted(groups[column].unique())]
        if isinstance(self.model, LossModel):
            seen = select_seen(current, self.columns, groups)
            members = [
                (_name(column, value), (self.reference_groups[column] == value).to_numpy(), mask.to_numpy())
                for column, value in named
                for mask in [groups[column] == value]
            ]
            return estimate_losses(self.model, seen, members, generator)
        levels = [
            list(dict.fromkeys([*known, *sorted(groups[column].unique())]))
            for column, known in zip(groups, self.model.levels, strict=True)
        ]
        score, decision = read_scores(current, self.columns)
        cells = count_cells(score, decision, code_groups(groups, levels))
        places = {column: place for place, column in enumerate(groups)}
        masks = [
            (_name(column, value), cells.codes[:, places[column]] == levels[places[column]].index(value))
            for column, value in named
        ]
        return estimate_decisions(self.model, cells, masks, generator)

    def _finish(self, drawn: Drawn) -> EstimatedFigure:
        """Make a figure of its draws; the expected value may not lie outside of its own interval."""
        name, group = drawn.name, drawn.group
        shown = drawn.draws[np.isfinite(drawn.draws)]
        if not np.isfinite(drawn.value) or not len(shown):
            return EstimatedFigure(name=name, group=group, n=0, note="no such row is expected")
        lower, upper = np.quantile(shown, [(1 - self.level) / 2, (1 + self.level) / 2])
        return EstimatedFigure(
            name=name,
            group=group,
            value=drawn.value,
            lower=float(min(lower, drawn.value)),
            upper=float(max(upper, drawn.value)),
            level=self.level,
            n=round(drawn.rows),
            how=f"{self._method}; interval for the figure that the labels of these rows will show",
            doubt=self._doubt(group),
        )

    @property
    def _method(self) -> str:
        if isinstance(self.model, LossModel):
            return f"direct loss estimation ({self.model.method})"
        return "confidence-based estimation on calibrated scores"

    def _doubt_month(self, current: pd.DataFrame) -> str:
        alike = self.shares.count_alike(read_scores(current, self.columns)[0])
        if alike >= _FEWEST_ROWS or self.shares.rows < _FEWEST_ROWS:
            return ""
        what = self.columns.numbers[-1]
        return (
            f"the rows have shifted: by {what}, the {self.shares.rows:,} rows of the reference are worth {alike:.0f} "
            f"of their kind, {_FEWEST_ROWS} are needed"
        )

    def _doubt(self, group: str) -> str:
        rows = self._group_rows.get(group, 0)
        if not group or rows >= _FEWEST_OF_GROUP:
            return ""
        return f"the reference has {rows or 'no'} rows of this group, {_FEWEST_OF_GROUP} are needed"

    @cached_property
    def _group_rows(self) -> dict[str, int]:
        """Rows of the reference by name of the group."""
        counts = {column: values.value_counts() for column, values in self.reference_groups.items()}
        return {_name(column, value): int(rows) for column, of in counts.items() for value, rows in of.items()}


def fit_estimator(
    reference: pd.DataFrame, columns: EstimatedColumns, *, level: float = 0.95, seed: int = 0
) -> PerformanceEstimator:
    """Learn from a reference what the figures of later months are estimated by.

    Args:
        reference: Rows with labels that the model was not fitted on; features, target, prediction, score, groups.
        columns: Which column says what.
        level: Level of the intervals: the share of them that should hold the figure the labels will show.
        seed: Of all that is drawn.

    Raises:
        RaiError: There is no row, a column is missing, or a label, prediction or score is missing or out of its range.
    """
    check_rows(reference, columns, "reference", columns.target)
    label = reference[columns.target].to_numpy(dtype=np.float64)
    groups = read_groups(reference, columns)
    support = learn_support(reference, (*columns.features, *columns.numbers))
    model: Calibration | LossModel
    if columns.task == "regression":
        error = label - reference[columns.prediction].to_numpy(dtype=np.float64)
        model = learn_losses(select_seen(reference, columns, groups), error, seed)
    else:
        score, _ = read_scores(reference, columns)
        model = calibrate(score, label, groups)
    doubts = tuple(_doubt_reference(label, columns.task))
    shares = learn_shares(read_scores(reference, columns)[0])
    return PerformanceEstimator(columns, level, seed, support, shares, model, groups, doubts)


def estimate_performance(  # noqa: PLR0913 - every column by its name
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    task: Task,
    features: Sequence[str],
    target: str,
    prediction: str = "prediction",
    score: str | None = None,
    groups: Sequence[str] = (),
    level: float = 0.95,
    seed: int = 0,
) -> PerformanceEstimate:
    """Estimate how good the predictions of a month are before its labels are there.

    Args:
        reference: Rows with labels that the model was not fitted on.
        current: Rows of the month: features, predictions, and score and groups where they are named.
        task: ``classification`` (labels and predictions 0 and 1) or ``regression``.
        features: Columns the model sees.
        target: Column of the labels in the reference.
        prediction: Column of decisions or predicted amounts.
        score: Column of P(label is 1); without it AUC and Brier score are not estimated.
        groups: Columns of groups, each group to be estimated by itself.
        level: Level of the intervals.
        seed: Of all that is drawn.

    Returns:
        The figures of all rows and of each group, with what speaks against them.

    Raises:
        RaiError: As :func:`fit_estimator`, which is to be used for several months of one reference.
    """
    columns = EstimatedColumns(
        task=task, features=tuple(features), target=target, prediction=prediction, score=score, groups=tuple(groups)
    )
    return fit_estimator(reference, columns, level=level, seed=seed).estimate(current)


def _name(column: Hashable, value: Hashable) -> str:
    return f"{column}: {value}"


def _doubt_reference(label: Floats, task: Task) -> Iterator[str]:
    if len(label) < _FEWEST_ROWS:
        yield f"the reference has only {len(label)} rows, {_FEWEST_ROWS} are needed"
    rarer = int(min(label.sum(), len(label) - label.sum()))
    if task == "classification" and rarer < _FEWEST_OF_CLASS:
        yield f"the reference has only {rarer} rows of the rarer outcome, {_FEWEST_OF_CLASS} are needed"
