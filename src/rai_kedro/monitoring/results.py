"""The typed result of a month: which tests were made, what each decided, and the verdict.

Results are stored by month as tables (one row for each test) and read back without loss.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

from rai_kedro.errors import RaiError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["numerical", "categorical"]
Aspect = Literal["values", "missing"]


@dataclass(frozen=True, kw_only=True)
class ColumnDrift:
    """One test of one column in one month.

    Attributes:
        column: Name of the data column.
        kind: How its values were tested.
        method: Name of the test: ``ks``, ``chi2_contingency``, ``fisher_exact_2x2``, or ``no_values`` when a
            side has no value at all: drift if only one side has none, no test either way.
        p_value: Unadjusted p-value; None for ``no_values``.
        threshold: The test finds drift at or below this p-value (the family-wise rate / number of tests).
        drifted: What the test decided.
        n_reference: Reference rows the test saw (non-missing ones for ``values``, all for ``missing``).
        n_current: Current rows the test saw, likewise.
        aspect: ``values``: the distribution of the values; ``missing``: the share of missing ones.
        note: What a reader must know about this test, in words; often empty.
    """

    column: str
    kind: Kind
    method: str
    p_value: float | None
    threshold: float
    drifted: bool
    n_reference: int
    n_current: int
    aspect: Aspect = "values"
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class MonthDrift:
    """The drift of one month under one model version.

    Attributes:
        month: ``YYYY-MM``.
        model_version: Version of the registered model whose reference was compared with.
        family_wise_rate: Highest probability of any false alarm in a month without drift.
        columns: One entry for each test, in the order of the columns.
    """

    month: str
    model_version: str
    family_wise_rate: float
    columns: tuple[ColumnDrift, ...]

    @property
    def tested_columns(self) -> tuple[str, ...]:
        """Names of all columns looked at, each once."""
        return tuple(dict.fromkeys(entry.column for entry in self.columns))

    @property
    def drifted_columns(self) -> tuple[str, ...]:
        """Names of the columns of which at least one test found drift, each once."""
        return tuple(dict.fromkeys(entry.column for entry in self.columns if entry.drifted))

    @property
    def count(self) -> int:
        """Number of drifted columns."""
        return len(self.drifted_columns)

    @property
    def share(self) -> float:
        """Share of the tested columns that drifted, 0 to 1."""
        return self.count / len(self.tested_columns)

    @property
    def verdict(self) -> bool:
        """Whether the month drifted: any column did."""
        return self.count > 0


def drift_frame(drift: MonthDrift) -> pd.DataFrame:
    """Lay out a month's result as a table.

    Args:
        drift: The month.

    Returns:
        One row for each test: month, model_version, family_wise_rate and the fields of
        :class:`ColumnDrift`; a p-value that does not exist is NaN.
    """
    import pandas as pd

    of_month = {
        "month": drift.month,
        "model_version": drift.model_version,
        "family_wise_rate": drift.family_wise_rate,
    }
    frame = pd.DataFrame([{**of_month, **asdict(entry)} for entry in drift.columns])
    return frame.astype({"p_value": "float64"})


def from_frame(frame: pd.DataFrame) -> MonthDrift:
    """Read a month's result back from its table.

    Args:
        frame: As made by :func:`drift_frame`, of one month and one model version.

    Returns:
        The month, equal to the one that was laid out.

    Raises:
        RaiError: If a column is missing, or the table holds no row or more than one month or model version.
    """
    of_month = ["month", "model_version", "family_wise_rate"]
    of_test = [field.name for field in fields(ColumnDrift)]
    absent = [name for name in [*of_month, *of_test] if name not in frame.columns]
    if absent:
        raise _unreadable(f"it lacks the columns {', '.join(absent)}", frame)
    if len(frame[of_month].drop_duplicates()) != 1:
        raise _unreadable("it must hold exactly one month of one model version", frame)
    month, version, rate = frame[of_month].iloc[0]
    entries = tuple(_read_entry(row) for row in frame[of_test].to_dict("records"))
    return MonthDrift(month=str(month), model_version=str(version), family_wise_rate=float(rate), columns=entries)


def _read_entry(values: Mapping[Any, Any]) -> ColumnDrift:
    row = dict(values)
    p_value = row.pop("p_value")
    row |= {"drifted": bool(row["drifted"]), "threshold": float(row["threshold"])}
    row |= {"n_reference": int(row["n_reference"]), "n_current": int(row["n_current"])}
    return ColumnDrift(**row, p_value=None if p_value is None or math.isnan(p_value) else float(p_value))


def _unreadable(why: str, frame: pd.DataFrame) -> RaiError:
    return RaiError(
        f"A stored drift result cannot be read: {why}.",
        where="drift store",
        how_many=f"{len(frame)} rows",
        remedy="write the months again: kedro rai reset, then kedro run the monitoring pipeline",
    )
