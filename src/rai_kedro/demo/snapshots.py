"""The monthly snapshots of a feature store and a label store, made from one raw table."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from pandas.api import types

from rai_kedro.demo.drift_injection import MonthTables, Range, RawTables, Snapshots, drift_months
from rai_kedro.demo.drift_schedule import SimulationError, SimulationParameters, resolve_columns
from rai_kedro.demo.variation import vary_month

# Names the month's own column in every store.
MONTH = "month"
# A standard deviation needs two rows.
_FEWEST_ROWS = 2


def simulate_snapshots(raw: pd.DataFrame, parameters: SimulationParameters, ranges: Mapping[str, Range]) -> Snapshots:
    """Make the monthly snapshots and apply the drift schedule.

    The first month is the raw table exactly, without the columns left out. Features that are whole numbers
    become floating-point in every month, so that drift (a shift, a missing value) never changes a type.

    Args:
        raw: The raw table, n rows, features and labels; each month gets n rows, too.
        parameters: Months, variation and drift.
        ranges: Lowest and highest allowed value by column, to which drifted values are clipped; ``None`` is open.

    Raises:
        SimulationError: The parameters name columns that are not there, or that a drift does not apply to;
            the raw table has fewer than two rows or already has the row key or the month as a column.
    """
    _check_fit(raw, parameters)
    table = raw.drop(columns=list(parameters.leave_out)).reset_index(drop=True)
    tables = RawTables(table.drop(columns=list(parameters.label)), table[list(parameters.label)], ranges)
    columns = [resolve_columns(event, tables.features, parameters.seed) for event in parameters.drift]
    months = (_make_month(table, tables, parameters, index) for index in range(parameters.months))
    return drift_months(months, parameters, columns, tables, parameters.key)


def _check_fit(raw: pd.DataFrame, parameters: SimulationParameters) -> None:
    wanted = {"label": parameters.label, "leave_out": parameters.leave_out}
    for setting, names in wanted.items():
        if unknown := [name for name in names if name not in raw.columns]:
            raise SimulationError(
                f"`{setting}` names columns that the raw table does not have: {', '.join(unknown)}.",
                where=f"`{setting}`",
                how_many=f"{len(unknown)} of {len(names)} named columns",
                remedy=f"name some of: {', '.join(str(name) for name in raw.columns)}",
            )
    problems = {
        "The raw table already has a column with the name of the row key.": parameters.key in raw.columns,
        f"The raw table already has a column {MONTH}, which every store adds.": MONTH in raw.columns,
        f"The row key may not be called {MONTH}.": parameters.key == MONTH,
        "A column is both a label and left out.": bool(set(parameters.label) & set(parameters.leave_out)),
        "No feature is left.": set(parameters.label) | set(parameters.leave_out) >= set(raw.columns),
        f"The raw table has {len(raw)} rows; at least {_FEWEST_ROWS} are needed.": len(raw) < _FEWEST_ROWS,
    }
    for problem, found in problems.items():
        if found:
            where = f"raw table ({len(raw)} rows; {', '.join(str(name) for name in raw.columns)})"[:160]
            remedy = "change `key`, `label` or `leave_out` or the raw table"
            raise SimulationError(problem, where=where, remedy=remedy)


def _make_month(table: pd.DataFrame, raw: RawTables, parameters: SimulationParameters, index: int) -> MonthTables:
    """Return one month, varied, from nothing but the seed and its number."""
    as_raw = index == 0 or parameters.variation == "exact"
    varied = table if as_raw else vary_month(table, parameters.label, parameters.noise, (parameters.seed, index))
    whole = [name for name in raw.features if types.is_integer_dtype(varied[name])]
    features = varied[list(raw.features)].astype(dict.fromkeys(whole, "float64"))
    return MonthTables(features, varied[list(raw.labels)].copy())
