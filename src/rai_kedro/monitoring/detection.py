"""Compare a sample with a reference, by explicit tests corrected for their number.

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

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from rai_kedro.errors import RaiError
from rai_kedro.monitoring.results import Aspect, ColumnDrift, Distribution, Kind, MonthDrift
from rai_kedro.monitoring.statistics import (
    category_p_value,
    contingency_table,
    missing_table,
    number_p_value,
    pool_rare,
)
from rai_kedro.typed import Typed

_BINS = 20
_SHOWN_LEVELS = 20
_NAMED_LEVELS = 5
_LEAST_RATE, _LARGEST_RATE = 1e-6, 0.2
_METHODS: dict[tuple[Kind, Aspect], str] = {
    ("numerical", "values"): "ks",
    ("categorical", "values"): "chi2_contingency",
    ("numerical", "missing"): "fisher_exact_2x2",
    ("categorical", "missing"): "fisher_exact_2x2",
}


class DriftParameters(Typed):
    """How drift is tested: Kolmogorov-Smirnov for numbers, two-sample chi-squared for categories, Bonferroni.

    Evidently's own ``chisquare`` is not used: it takes the reference for exact, and alarms on unchanged data.

    Attributes:
        family_wise_rate: Highest probability of any false alarm in a month in which nothing changed; from 1e-6 to 0.2,
            since beyond that no month, or every month, would be called drifted.
        min_rows: Fewest rows a month, and the reference, must have to be judged.
    """

    family_wise_rate: float = Field(default=0.01, ge=_LEAST_RATE, le=_LARGEST_RATE)
    min_rows: int = Field(default=30, ge=2)


class Samples(NamedTuple):
    """Both samples, checked: float64 for numerical and object (str or None) for categorical columns."""

    reference: pd.DataFrame
    current: pd.DataFrame
    kinds: Mapping[str, Kind]


class PlannedTest(NamedTuple):
    """One comparison to be made; its fields are those of the :class:`ColumnDrift` that comes of it."""

    column: str
    kind: Kind
    aspect: Aspect
    method: str
    threshold: float
    n_reference: int
    n_current: int


def detect_drift(  # noqa: PLR0913
    reference: Any,
    current: Any,
    *,
    kinds: Mapping[str, Kind] | None = None,
    false_alarm_rate: float = 0.01,
    min_rows: int = 30,
    month: str = "",
    model_version: str = "",
) -> MonthDrift:
    """Test whether a sample still has the distribution of a reference, column by column.

    Args:
        reference: Rows to compare with, e.g. those the model was tested on: a pandas DataFrame, another kind of table
            that has ``to_pandas``, or what ``pandas.DataFrame`` accepts.
        current: New rows with the same columns; further ones are left aside.
        kinds: The columns to test and their kinds. By default all columns of the reference: numbers as
            ``numerical``, texts, booleans and categories as ``categorical``.
        false_alarm_rate: Highest probability of any false alarm, over all columns together, where nothing
            drifted; 1e-6 to 0.2.
        min_rows: Fewest rows either sample must have to be judged.
        month: Kept with the result, and named in errors.
        model_version: Kept with the result.

    Returns:
        The decisions: a table in a notebook, ``to_frame()``, ``plot()``, ``drifted_columns``.

    Raises:
        RaiError: There is no column to test, a column is missing or not of its kind, a value is infinite, a
            sample has too few rows, or the rate is out of its range.
    """
    if not _LEAST_RATE <= false_alarm_rate <= _LARGEST_RATE:
        raise RaiError(
            "The false-alarm rate is out of its range: no sample, or nearly every one, would be called drifted.",
            where="false_alarm_rate",
            example=repr(false_alarm_rate),
            remedy=f"give a probability from {_LEAST_RATE:g} to {_LARGEST_RATE:g}",
        )
    before, after = _table(reference), _table(current)
    samples = check_samples(before, after, infer_kinds(before) if kinds is None else kinds, min_rows, month)
    columns = tuple(_make_test(test, samples, min_rows) for test in plan_tests(samples, false_alarm_rate))
    return MonthDrift(month=month, model_version=model_version, family_wise_rate=false_alarm_rate, columns=columns)


def infer_kinds(frame: pd.DataFrame) -> dict[str, Kind]:
    """Return how each column is tested when nobody says so; a date is refused, since time itself always drifts."""
    kinds: dict[str, Kind] = {}
    for name, values in frame.items():
        if pd.api.types.is_datetime64_any_dtype(values):
            raise RaiError(
                "A column holds dates, which are different in every sample.",
                where=str(name),
                remedy="leave it out, or name the columns to test: kinds={'age': 'numerical', ...}",
            )
        number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        kinds[str(name)] = "numerical" if number else "categorical"
    return kinds


def check_samples(
    reference: pd.DataFrame, current: pd.DataFrame, kinds: Mapping[str, Kind], min_rows: int, month: str = ""
) -> Samples:
    """Check both samples and bring them to plain types; errors as of :func:`detect_drift`."""
    if not kinds:
        raise RaiError(
            "No column was given to test for drift.",
            where=f"month {month}" if month else None,
            remedy="name at least one column",
        )
    sides = {}
    named = f"data of month {month}" if month else "current data"
    for side, frame in {"reference data": reference, named: current}.items():
        _check_columns_present(frame, kinds, side)
        _check_enough_rows(frame, min_rows, side)
        sides[side] = pd.DataFrame({name: _plain(frame[name], kind, side) for name, kind in kinds.items()})
    plain_reference, plain_current = sides.values()
    return Samples(plain_reference.reset_index(drop=True), plain_current.reset_index(drop=True), dict(kinds))


def plan_tests(samples: Samples, family_wise_rate: float) -> list[PlannedTest]:
    """List the comparisons of a month in the order of the columns: values, and missing values where there are any."""
    sizes: dict[tuple[str, Aspect], tuple[int, int]] = {}
    everything = len(samples.reference), len(samples.current)
    for column in samples.kinds:
        present = int(samples.reference[column].notna().sum()), int(samples.current[column].notna().sum())
        sizes[column, "values"] = present
        if present != everything:
            sizes[column, "missing"] = everything
    threshold = family_wise_rate / max(1, sum(min(pair) > 0 for pair in sizes.values()))
    return [
        PlannedTest(column, kind, aspect, _METHODS[kind, aspect] if min(pair) > 0 else "no_values", threshold, *pair)
        for (column, aspect), pair in sizes.items()
        for kind in [samples.kinds[column]]
    ]


def _table(data: Any) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        return data
    if hasattr(data, "to_pandas"):
        return pd.DataFrame(data.to_pandas())
    return pd.DataFrame(data).rename(columns=str)


def _make_test(test: PlannedTest, samples: Samples, min_rows: int) -> ColumnDrift:
    reference, current = samples.reference[test.column], samples.current[test.column]
    distribution: Distribution | None
    if test.aspect == "missing":
        table, shares = missing_table(reference, current), [sample.isna().mean() for sample in (reference, current)]
        note = f"missing: {shares[0]:.1%} in the reference, {shares[1]:.1%} in the month"
        distribution = _counted(("missing", "present"), table)
    elif test.kind == "numerical":
        note, distribution = "", _count_numbers(reference, current)
    else:
        table = contingency_table(reference, current)
        note, distribution = _note_levels(table, reference, current), _count_levels(table, reference, current)
    if test.method == "no_values":
        sides = {"reference": test.n_reference, "month": test.n_current}
        note = f"no value in the {' and the '.join(side for side, n in sides.items() if n == 0)}"
        # With values on one side only there is nothing to test, and no doubt either.
        p_value, drifted = None, test.n_reference != test.n_current
    else:
        p_value = number_p_value(reference, current) if test.method == "ks" else category_p_value(table)
        drifted = p_value <= test.threshold
        if test.aspect == "values" and min(test.n_reference, test.n_current) < min_rows:
            few = f"fewer than {min_rows} values on one side: little drift can be seen"
            note = f"{few}; {note}" if note else few
    return ColumnDrift(**test._asdict(), p_value=p_value, drifted=drifted, note=note, distribution=distribution)


def _note_levels(table: np.ndarray, reference: pd.Series, current: pd.Series) -> str:
    unseen = sorted(set(current.dropna()) - set(reference.dropna()))
    notes = []
    if len(unseen) > _NAMED_LEVELS:
        rows = int(current.isin(unseen).sum())
        notes.append(f"not in the reference: {len(unseen):,} levels in {rows:,} rows, e.g. {', '.join(unseen[:3])}")
    elif unseen:
        notes.append(f"not in the reference: {', '.join(unseen)}")
    if table.shape[1] > 2 and (pooled := table.shape[1] - pool_rare(table).shape[1]) > 0:  # noqa: PLR2004 - a table of two is tested exactly
        notes.append(f"{pooled + 1:,} rare levels tested as one")
    return "; ".join(notes)


def _counted(labels: Sequence[str], table: np.ndarray) -> Distribution:
    reference, current = (tuple(row) for row in table.tolist())
    return Distribution(labels=tuple(labels), reference=reference, current=current)


def _count_numbers(reference: pd.Series, current: pd.Series) -> Distribution | None:
    numbers = [sample.dropna().to_numpy() for sample in (reference, current)]
    pooled = np.concatenate(numbers)
    with np.errstate(over="ignore"):
        if not len(pooled) or not np.isfinite(np.ptp(pooled)):
            return None
    try:
        edges = np.histogram_bin_edges(pooled, bins=_BINS)
    except ValueError:  # numbers that differ by less than a float can say have no bins
        return None
    labels = [f"{low:.6g} to {high:.6g}" for low, high in pairwise(edges)]
    if len(set(labels)) < len(labels):
        labels = [f"{float(low)!r} to {float(high)!r}" for low, high in pairwise(edges)]
    return _counted(labels, np.array([np.histogram(sample, edges)[0] for sample in numbers]))


def _count_levels(table: np.ndarray, reference: pd.Series, current: pd.Series) -> Distribution | None:
    """Count the most common levels of both samples, and the others together."""
    names = sorted(set(reference.dropna()) | set(current.dropna()))
    if not names:
        return None
    order = np.argsort(-table.sum(axis=0), kind="stable")
    kept, others = np.sort(order[:_SHOWN_LEVELS]), order[_SHOWN_LEVELS:]
    labels, counts = [names[index] for index in kept], table[:, kept]
    if len(others):
        labels.append(f"({len(others):,} other levels)")
        counts = np.column_stack([counts, table[:, others].sum(axis=1)])
    return _counted(labels, counts)


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
