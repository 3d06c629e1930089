"""Run the planned tests of a month in one Evidently report, and read its decisions back.

Importing this module is cheap; calling its functions imports Evidently (7-9 s, once in a process).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rai_kedro.monitoring.preparation import PlannedTest, Samples

if TYPE_CHECKING:
    from evidently import Dataset, Run
    from evidently.core.metric_types import Metric


def run_report(
    samples: Samples, plan: list[PlannedTest], timestamp: datetime, metadata: Mapping[str, str]
) -> tuple[Run, dict[PlannedTest, Metric]]:
    """Make all planned comparisons with Evidently.

    Args:
        samples: The checked samples.
        plan: The comparisons.
        timestamp: Instant the run is filed under.
        metadata: What the run carries; the values are its tags, too.

    Returns:
        The run, and for each comparison the metric that makes it.
    """
    from evidently import Report

    from rai_kedro.monitoring.evidently_parts import AdjustedPValue, DriftByColumn, DriftedColumns

    metrics = {test: _metric(test) for test in plan}
    report = Report([DriftedColumns(), *metrics.values(), DriftByColumn(), AdjustedPValue()])
    run = report.run(
        _dataset(samples.current, plan),
        _dataset(samples.reference, plan),
        timestamp=timestamp,
        metadata=dict(metadata),
        tags=[f"{key}={value}" for key, value in metadata.items()],
        name=", ".join(f"{key.replace('_', ' ')} {value}" for key, value in metadata.items()),
    )
    return run, metrics


def p_value_of(run: Run, metric: Metric) -> float | None:
    """Return the p-value that a metric of the run computed, or None if it computes none.

    Args:
        run: Evidently's run.
        metric: One of its metrics.

    Returns:
        The p-value.
    """
    value = getattr(run.metric_results[metric.metric_id], "value", None)
    return None if value is None else float(value)


def failed(run: Run, metric: Metric) -> bool:
    """Say whether any test of a metric failed, that is found drift.

    Args:
        run: Evidently's run.
        metric: One of its metrics.

    Returns:
        The decision that Evidently shows.
    """
    return any(test.status.value == "FAIL" for test in run.metric_results[metric.metric_id].tests)


def _metric(test: PlannedTest) -> Metric:
    from evidently.metrics import MissingValueCount, ValueDrift
    from evidently.tests import gte, lt

    from rai_kedro.monitoring.evidently_parts import MISSING_SUFFIX, PValueAbove

    if test.testable:
        name = test.column + (MISSING_SUFFIX if test.aspect == "missing" else "")
        decision = PValueAbove(threshold=test.threshold)
        return ValueDrift(column=name, method=test.method, threshold=test.threshold, tests=[decision])
    # Values on one side only: the share of missing values of the month must stay below 1, or must stay 1.
    must_hold: list[Any] = []
    if test.n_reference != test.n_current:
        must_hold = [lt(1)] if test.n_current == 0 else [gte(1)]
    return MissingValueCount(column=test.column, tests=[], share_tests=must_hold)


def _dataset(frame: pd.DataFrame, plan: list[PlannedTest]) -> Dataset:
    from evidently import DataDefinition
    from evidently import Dataset as EvidentlyDataset

    from rai_kedro.monitoring.evidently_parts import MISSING_SUFFIX

    missing = {
        test.column + MISSING_SUFFIX: frame[test.column].isna().map({True: "missing", False: "present"})
        for test in plan
        if test.aspect == "missing"
    }
    kinds = {test.column: test.kind for test in plan}
    definition = DataDefinition(
        numerical_columns=[name for name, kind in kinds.items() if kind == "numerical"],
        categorical_columns=[*(name for name, kind in kinds.items() if kind == "categorical"), *missing],
    )
    # Evidently divides by the number of values of a column, which may be none here.
    with np.errstate(invalid="ignore"):
        return EvidentlyDataset.from_pandas(frame.assign(**missing), data_definition=definition)
