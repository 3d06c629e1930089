"""What can be tested in a month: the checks of the two samples, and the plan of the tests.

Nothing is passed over in silence: a sample that cannot be judged stops with an error, and a column without
values on one side becomes a result of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rai_kedro.errors import RaiError
from rai_kedro.monitoring.parameters import DriftParameters
from rai_kedro.monitoring.results import Aspect, Kind


@dataclass(frozen=True)
class Samples:
    """Reference and current rows of the tested columns, checked and of plain types.

    Attributes:
        reference: Reference rows, float64 for numerical and object (str or None) for categorical columns.
        current: Current rows, likewise.
        kinds: The tested columns, in order, and how their values are tested.
    """

    reference: pd.DataFrame
    current: pd.DataFrame
    kinds: Mapping[str, Kind]


@dataclass(frozen=True)
class PlannedTest:
    """One comparison to be made: the values of a column, or its share of missing values.

    Attributes:
        column: Name of the data column.
        kind: How its values are tested.
        aspect: What is compared.
        method: Evidently's name of the statistical test; ``no_values`` if there is nothing to test.
        threshold: Drift is found at or below this p-value.
        n_reference: Reference rows that take part.
        n_current: Current rows that take part.
    """

    column: str
    kind: Kind
    aspect: Aspect
    method: str
    threshold: float
    n_reference: int
    n_current: int

    @property
    def testable(self) -> bool:
        """Whether both sides have rows, so that there is a p-value."""
        return self.n_reference > 0 and self.n_current > 0


def check_samples(
    reference: pd.DataFrame, current: pd.DataFrame, kinds: Mapping[str, Kind], *, min_rows: int, month: str
) -> Samples:
    """Check both samples and bring them to plain types.

    Args:
        reference: Reference rows of the model version.
        current: Rows of the month.
        kinds: The columns to test.
        min_rows: Fewest rows either sample may have.
        month: Named in errors, ``YYYY-MM``.

    Returns:
        New frames with the tested columns only.

    Raises:
        RaiError: If there is no column to test, a column is missing from either sample or not of its kind,
            a value is infinite, or a sample has too few rows.
    """
    if not kinds:
        raise RaiError(
            "No column was given to test for drift.",
            where=f"month {month}",
            remedy="name at least one column that the contract lets the model or the auditor use",
        )
    sides = {}
    for side, frame in {"reference data": reference, f"data of month {month}": current}.items():
        _check_columns_present(frame, kinds, side)
        _check_enough_rows(frame, min_rows, side)
        sides[side] = pd.DataFrame({name: _plain(frame[name], kind, side) for name, kind in kinds.items()})
    plain_reference, plain_current = sides.values()
    return Samples(plain_reference.reset_index(drop=True), plain_current.reset_index(drop=True), dict(kinds))


def plan_tests(samples: Samples, parameters: DriftParameters) -> list[PlannedTest]:
    """List the comparisons of a month, each with its method and its threshold.

    Every column's values are compared; its share of missing values too if either side has a missing value.
    The threshold is the family-wise rate divided by the number of comparisons that have a p-value.

    Args:
        samples: The checked samples.
        parameters: How drift is tested.

    Returns:
        The comparisons in the order of the columns, values before missing.
    """
    sizes: dict[tuple[str, Aspect], tuple[int, int]] = {}
    everything = len(samples.reference), len(samples.current)
    for column in samples.kinds:
        present = int(samples.reference[column].notna().sum()), int(samples.current[column].notna().sum())
        sizes[column, "values"] = present
        if present != everything:
            sizes[column, "missing"] = everything
    threshold = parameters.family_wise_rate / max(1, sum(min(pair) > 0 for pair in sizes.values()))
    return [
        PlannedTest(
            column=column,
            kind=samples.kinds[column],
            aspect=aspect,
            method=_method(parameters, samples.kinds[column], aspect) if min(pair) > 0 else "no_values",
            threshold=threshold,
            n_reference=pair[0],
            n_current=pair[1],
        )
        for (column, aspect), pair in sizes.items()
    ]


def _method(parameters: DriftParameters, kind: Kind, aspect: Aspect) -> str:
    if aspect == "missing":
        return "fisher_exact_2x2"
    return parameters.numerical_method if kind == "numerical" else parameters.categorical_method


def _check_columns_present(frame: pd.DataFrame, kinds: Mapping[str, Kind], side: str) -> None:
    absent = [name for name in kinds if name not in frame.columns]
    if absent:
        raise RaiError(
            f"A column to test for drift is missing from the {side}.",
            where=", ".join(absent),
            how_many=f"{len(absent)} of {len(kinds)} columns",
            remedy="deliver the column, or take it out of the columns that are monitored",
        )


def _check_enough_rows(frame: pd.DataFrame, min_rows: int, side: str) -> None:
    if len(frame) < min_rows:
        raise RaiError(
            f"There are too few rows in the {side} to say anything about drift.",
            where=side,
            how_many=f"{len(frame)} rows, at least {min_rows} are needed",
            remedy="deliver all rows, or lower the drift parameter min_rows: less drift is then seen",
        )


def _plain(values: pd.Series, kind: Kind, side: str) -> pd.Series:
    if kind == "categorical":
        return values.astype("object").map(str, na_action="ignore").where(values.notna(), None).astype("object")
    if values.notna().any() and not pd.api.types.is_numeric_dtype(values):
        raise RaiError(
            f"A column to be tested as numerical holds no numbers in the {side}.",
            where=str(values.name),
            example=repr(values.dropna().iloc[0]),
            remedy="deliver numbers, or declare the column as categorical",
        )
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    infinite = np.isinf(numbers)
    if infinite.any():
        raise RaiError(
            f"A column to test for drift holds infinite values in the {side}.",
            where=str(values.name),
            how_many=f"{int(infinite.sum())} of {len(numbers)} rows",
            remedy="correct the values at their source; an infinite value cannot be compared",
        )
    return numbers
