"""What the months of a model version are held against: its reference, and what training knows besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd
from pydantic import Field

from rai_kedro.fairness import FairnessSpec, GroupingSpec, Task, Tolerance, make_groups
from rai_kedro.monitoring.estimation import PerformanceEstimate, PerformanceEstimator, fit_estimator
from rai_kedro.monitoring.estimation_rows import EstimatedColumns
from rai_kedro.monitoring.profile import ReferenceProfile, profile_reference
from rai_kedro.monitoring.results import Kind
from rai_kedro.months import Month
from rai_kedro.performance import NEED_SCORE, Figure, Performance, measure
from rai_kedro.typed import Typed

GROUP_MARK = " (group)"
"""Marks a column of groups made of a column that the model sees as it is."""


class Baseline(Typed):
    """What training knows of a version and its months are held against; stored with the version.

    Attributes:
        target: Column of the label.
        unit: Of the label; empty for a classification.
        features: Columns that the model sees.
        fairness: What is assessed, with the cut points that training found.
        tolerances: How far groups may lie apart.
        importance: Share of each column in what drives the predictions, 0 to 1, together 1.
        emissions_g: CO2-equivalent of the training, in grams; None where it was not measured.
        reference: What months are compared with, in words: the test rows, or months.
        unseen: Whether the predictions are made elsewhere, by a model that nobody here has seen.
    """

    task: Task
    target: str
    unit: str = ""
    features: tuple[str, ...] = ()
    fairness: FairnessSpec
    tolerances: tuple[Tolerance, ...] = ()
    importance: dict[str, float] = Field(default_factory=dict)
    emissions_g: float | None = None
    reference: str = "test rows"
    unseen: bool = False

    def measure(self, rows: pd.DataFrame, level: float, metric: str = "") -> Performance:
        """Measure rows with labels; where one metric is named, what it does not need may be left out."""
        return measure(
            rows[self.target],
            rows["prediction"],
            y_score=rows.get("score") if not metric or metric in NEED_SCORE else None,
            level=level,
            task=self.task,
            favourable=self.fairness.favourable,
            unit=rows[self.fairness.unit] if self.fairness.unit else None,
            sample_weight=rows[self.fairness.weight] if self.fairness.weight else None,
        )

    def repeat_worst(self, rows: pd.DataFrame, metric: str) -> pd.DataFrame:
        """Return the rows and once more the one that was predicted worst."""
        missed = (rows["score" if metric == "Brier score" else "prediction"] - rows[self.target]).abs()
        if metric == "MAPE":
            missed /= rows[self.target].abs()
        worst = int(missed.to_numpy(dtype=float).argmax())
        return pd.concat([rows, rows.iloc[[worst]]])


@dataclass(frozen=True)
class VersionReference:
    """What the months of a model version are held against; profile and estimator are made when they are first needed.

    Attributes:
        rows: Test rows: what model and audit see, label, prediction, and score of a classifier.
        trained_on: Months that the version was trained on.
    """

    rows: pd.DataFrame
    baseline: Baseline
    trained_on: tuple[Month, ...] = ()
    _profiles: dict[Any, ReferenceProfile] = field(default_factory=dict, compare=False, repr=False)
    _tested: dict[tuple[str, float, bool], Figure] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def estimator(self) -> PerformanceEstimator:
        """What performance is estimated by as long as a month has no labels."""
        baseline = self.baseline
        columns = EstimatedColumns(
            task=baseline.task,
            features=tuple(name for name in baseline.features if name in self.rows),
            target=baseline.target,
            score="score" if "score" in self.rows else None,
            groups=tuple(self._groupings),
        )
        return fit_estimator(self._add_groups(self.rows), columns)

    def profile(self, kinds: Mapping[str, Kind]) -> ReferenceProfile:
        """Return the rows as counts, which drift is measured from; made once."""
        key = tuple(sorted(kinds.items()))
        if key not in self._profiles:
            self._profiles[key] = profile_reference(self.rows, kinds, importance=self.baseline.importance)
        return self._profiles[key]

    @cached_property
    def label_profile(self) -> ReferenceProfile:
        """The labels of the rows as counts, with which those of a month are compared."""
        kind: Kind = "numerical" if self.baseline.task == "regression" else "categorical"
        return profile_reference(self.rows, {self.baseline.target: kind})

    def tested(self, metric: str, level: float, *, worst_twice: bool = False) -> Figure:
        """Return a figure of the rows, which every month is held against; measured once for each level."""
        key = metric, level, worst_twice
        if key not in self._tested:
            rows = self.baseline.repeat_worst(self.rows, metric) if worst_twice else self.rows
            self._tested[key] = self.baseline.measure(rows, level, metric)[metric]
        return self._tested[key]

    def estimate(self, rows: pd.DataFrame) -> PerformanceEstimate:
        """Estimate the performance on a month's rows without a look at their labels."""
        return self.estimator.estimate(self._add_groups(rows))

    @property
    def _groupings(self) -> dict[str, GroupingSpec]:
        """The groupings by the column their groups are put into: another than the model's own."""
        seen = self.baseline.features
        return {one.name + (GROUP_MARK if one.name in seen else ""): one for one in self.baseline.fairness.groupings}

    def _add_groups(self, rows: pd.DataFrame) -> pd.DataFrame:
        named = {name: make_groups(rows, spec).labels.astype(object) for name, spec in self._groupings.items()}
        return rows.assign(**named)
