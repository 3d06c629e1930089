"""Compare a month with the reference of the model version, by explicit tests corrected for their number.

What is tested. The non-missing values of every column: Kolmogorov-Smirnov for numerical columns (exact up
to 10,000 rows), the two-sample chi-squared test for categorical ones with rare categories pooled, Fisher's
exact test when two categories are left. And, for every column in which either side has a missing value, the
share of missing values by Fisher's exact test.

How it is corrected. With m tests made in a month, each finds drift at p <= family_wise_rate / m
(Bonferroni), so an unchanged month raises any alarm with probability at most family_wise_rate, however the
columns depend on each other. m counts the missing-value tests too and so may differ from month to month.
That does not spoil the bound: m depends only on which columns have missing values in both samples taken
together, and Fisher's test is conditional on exactly that total.

What is not left to a test. If a column has values on one side only, that is drift without a p-value (it is
not counted in m). Boolean features are categorical.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pandas as pd

from rai_kedro.errors import RaiError
from rai_kedro.monitoring.parameters import DriftParameters
from rai_kedro.monitoring.preparation import PlannedTest, Samples, check_samples, plan_tests
from rai_kedro.monitoring.results import ColumnDrift, Kind, MonthDrift, drift_frame, from_frame

if TYPE_CHECKING:
    from evidently import Run

__all__ = [
    "ColumnDrift",
    "DriftParameters",
    "Kind",
    "MonthDrift",
    "drift_frame",
    "from_frame",
    "measure_drift",
    "month_start",
]


def month_start(month: str) -> datetime:
    """Return the first instant of a month (UTC).

    Args:
        month: ``YYYY-MM``.

    Returns:
        Midnight of the first day, with time zone.

    Raises:
        RaiError: If the text is not a month.
    """
    try:
        return datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        raise RaiError(
            "A month is not written as year and month.",
            where="month",
            example=repr(month),
            remedy="write it as YYYY-MM, for example 2024-05",
        ) from error


def measure_drift(  # noqa: PLR0913
    reference: pd.DataFrame,
    current: pd.DataFrame,
    columns: Mapping[str, Kind],
    parameters: DriftParameters,
    *,
    month: str,
    model_version: str,
) -> tuple[MonthDrift, Run]:
    """Test one month against the reference of one model version.

    Args:
        reference: Rows the model version was tested on (any other columns are ignored).
        current: Rows of the month.
        columns: The columns to test and their kinds.
        parameters: How drift is tested.
        month: ``YYYY-MM``.
        model_version: Version of the registered model.

    Returns:
        The decisions, and Evidently's run that made them (its timestamp is the first of the month, UTC; its
        metadata carry month and model version).

    Raises:
        RaiError: If a sample cannot be judged, see :func:`rai_kedro.monitoring.preparation.check_samples`.
    """
    from rai_kedro.monitoring.report import failed, p_value_of, run_report

    timestamp = month_start(month)
    samples = check_samples(reference, current, columns, min_rows=parameters.min_rows, month=month)
    plan = plan_tests(samples, parameters)
    run, metrics = run_report(samples, plan, timestamp, {"month": month, "model_version": model_version})
    entries = tuple(
        _decision(test, p_value_of(run, metrics[test]), failed(run, metrics[test]), _note(test, samples, parameters))
        for test in plan
    )
    drift = MonthDrift(
        month=month,
        model_version=model_version,
        family_wise_rate=parameters.family_wise_rate,
        columns=entries,
    )
    return drift, run


def _decision(test: PlannedTest, p_value: float | None, drifted: bool, note: str) -> ColumnDrift:
    return ColumnDrift(
        column=test.column,
        kind=test.kind,
        method=test.method,
        p_value=p_value,
        threshold=test.threshold,
        drifted=drifted,
        n_reference=test.n_reference,
        n_current=test.n_current,
        aspect=test.aspect,
        note=note,
    )


def _note(test: PlannedTest, samples: Samples, parameters: DriftParameters) -> str:
    if test.aspect == "missing":
        shares = [frame[test.column].isna().mean() for frame in (samples.reference, samples.current)]
        return f"missing: {shares[0]:.1%} in the reference, {shares[1]:.1%} in the month"
    if not test.testable:
        sides = {"reference": test.n_reference, "month": test.n_current}
        return f"no value in the {' and the '.join(side for side, n in sides.items() if n == 0)}"
    notes = []
    if min(test.n_reference, test.n_current) < parameters.min_rows:
        notes.append(f"fewer than {parameters.min_rows} values on one side: little drift can be seen")
    if test.kind == "categorical":
        unseen = set(samples.current[test.column].dropna()) - set(samples.reference[test.column].dropna())
        notes += [f"not in the reference: {', '.join(sorted(unseen))}"] if unseen else []
    return "; ".join(notes)
