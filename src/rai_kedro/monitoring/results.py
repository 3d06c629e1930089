"""The typed result of a month: which tests were made, what each decided, and the verdict.

Results are stored by month as tables (one row for each test) and read back without loss.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from rai_kedro.errors import RaiError
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

Kind = Literal["numerical", "categorical"]
Aspect = Literal["values", "missing"]

STRENGTH_CAP = 10.0
"""Orders of magnitude past the threshold from which figures are saturated."""
# Okabe & Ito (2008): told apart under every common colour blindness; a pattern says it without colour.
DRIFT_COLOUR, CALM_COLOUR = "#D55E00", "#0072B2"


class Distribution(Typed):
    """How many rows of both samples fall into each bin of numbers in order, or level (the rarest pooled)."""

    labels: tuple[str, ...]
    reference: tuple[int, ...]
    current: tuple[int, ...]


class ColumnDrift(Typed):
    """One test of one column.

    Attributes:
        method: Name of the test: ``ks``, ``chi2_contingency``, ``fisher_exact_2x2``, or ``no_values`` when a
            side has no value at all: drift if only one side has none, no test either way.
        p_value: Unadjusted p-value; None for ``no_values``.
        threshold: The test finds drift at or below this p-value (the family-wise rate / number of tests).
        n_reference: Reference rows the test saw (non-missing ones for ``values``, all for ``missing``).
        aspect: ``values``: the distribution of the values; ``missing``: the share of missing ones.
        note: What a reader must know about this test, in words; often empty.
        distribution: Both samples, counted; None where neither has a value.
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
    distribution: Distribution | None = None

    @property
    def label(self) -> str:
        """What was compared: the column, or its missing values."""
        return self.column if self.aspect == "values" else f"{self.column} (missing)"


class MonthDrift(Typed):
    """The drift of one month under one model version, or of any two samples.

    Attributes:
        columns: One entry for each test, in the order of the columns.
        family_wise_rate: Highest probability of any false alarm where nothing drifted.
        month: ``YYYY-MM``; empty outside the pipeline, as is all that follows.
        run_id: MLflow run of the model version whose reference was compared with.
        used_in_training: Whether that version was trained on this month.
        features_digest: What the features were when the month was tested, see :func:`.content_digest`.
        labels_digest: The same of its labels; empty where there were none yet.
    """

    columns: tuple[ColumnDrift, ...]
    family_wise_rate: float
    month: str = ""
    model_version: str = ""
    run_id: str = ""
    used_in_training: bool = False
    features_digest: str = ""
    labels_digest: str = ""

    @property
    def tested_columns(self) -> tuple[str, ...]:
        """Names of all columns looked at, each once."""
        return tuple(dict.fromkeys(entry.column for entry in self.columns))

    @property
    def drifted_columns(self) -> tuple[str, ...]:
        """Names of the columns of which at least one test found drift, each once."""
        return tuple(dict.fromkeys(entry.column for entry in self.columns if entry.drifted))

    @property
    def tests(self) -> int:
        """Number of tests that have a p-value, which the threshold is divided by."""
        return sum(entry.p_value is not None for entry in self.columns)

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
        """Whether there is drift: in any column."""
        return self.count > 0

    @property
    def finding(self) -> str:
        """The verdict in words."""
        return f"drift in {', '.join(self.drifted_columns)}" if self.verdict else "no drift found"

    @property
    def strengths(self) -> dict[str, float]:
        """How far the strongest test of each column is past its threshold, see :func:`strength_of`."""
        return {
            name: strength_of(entry for entry in self.columns if entry.column == name) for name in self.tested_columns
        }

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each test; a p-value that does not exist is NaN."""
        import pandas as pd

        rows = [entry.model_dump(exclude={"distribution"}) for entry in self.columns]
        return pd.DataFrame(rows).astype({"p_value": "float64"})

    def plot(self) -> Figure:
        """Draw how far each column is past the threshold, in orders of magnitude; above 0 it drifted."""
        from plotly.graph_objects import Bar, Figure

        drifted = [name in self.drifted_columns for name in self.strengths]
        bars = Bar(
            x=list(self.strengths.values()),
            y=list(self.strengths),
            orientation="h",
            marker={
                "color": [DRIFT_COLOUR if found else CALM_COLOUR for found in drifted],
                "pattern": {"shape": ["/" if found else "" for found in drifted]},
            },
        )
        figure = Figure(bars, layout={"template": "plotly_white", "title": self._headline()})
        figure.update_xaxes(title_text="log10(threshold / p); above 0: drift")
        return figure.update_yaxes(autorange="reversed", type="category")

    def _headline(self) -> str:
        found = self.finding[:1].upper() + self.finding[1:]
        return f"{found} (p at or below {self.family_wise_rate:g} / {self.tests} tests)"

    def _repr_html_(self) -> str:
        from html import escape

        table: str = self.to_frame().to_html(index=False, na_rep="")
        return f"<p><strong>{escape(self._headline())}</strong></p>{table}"


def strength_of(entries: Iterable[ColumnDrift]) -> float:
    """Say how far the strongest test of a column is past its threshold: log10(threshold / p), at most 10.

    Positive is drift, 0 exactly at the threshold; drift without a p-value counts as 10.
    """
    strengths = [
        min(STRENGTH_CAP, math.log10(entry.threshold / entry.p_value)) if entry.p_value else STRENGTH_CAP
        for entry in entries
        if entry.p_value is not None or entry.drifted
    ]
    return round(max(strengths, default=0.0), 4)


_OF_MONTH = [name for name in MonthDrift.model_fields if name != "columns"]


def drift_frame(drift: MonthDrift) -> pd.DataFrame:
    """Lay out a month's result as a table to be stored: one row for each test, its distribution as JSON."""
    import pandas as pd

    of_month = drift.model_dump(include=set(_OF_MONTH))
    rows = [{**of_month, **entry.model_dump(), "distribution": _to_json(entry.distribution)} for entry in drift.columns]
    return pd.DataFrame(rows).astype({"p_value": "float64"})


def from_frame(frame: pd.DataFrame) -> MonthDrift:
    """Read a month's result back from its table; :class:`RaiError` if it is not one month of one model version."""
    absent = [name for name in [*_OF_MONTH, *ColumnDrift.model_fields] if name not in frame.columns]
    if absent:
        raise _unreadable(f"it lacks the columns {', '.join(absent)}", frame)
    if len(frame[_OF_MONTH].drop_duplicates()) != 1:
        raise _unreadable("it must hold exactly one month of one model version", frame)
    of_month = frame[_OF_MONTH].head(1).to_dict("records")[0]
    entries = [_read_entry(row) for row in frame[[*ColumnDrift.model_fields]].to_dict("records")]
    return MonthDrift.from_dict({**of_month, "columns": entries})


def _to_json(distribution: Distribution | None) -> str:
    return "" if distribution is None else distribution.model_dump_json()


def _read_entry(row: Mapping[Any, Any]) -> ColumnDrift:
    distribution = Distribution.model_validate_json(row["distribution"]) if row["distribution"] else None
    p_value = None if row["p_value"] is None or math.isnan(row["p_value"]) else row["p_value"]
    return ColumnDrift.from_dict({**row, "p_value": p_value, "distribution": distribution})


def _unreadable(why: str, frame: pd.DataFrame) -> RaiError:
    return RaiError(
        f"A stored drift result cannot be read: {why}.",
        where="drift store",
        how_many=f"{len(frame)} rows",
        remedy="write the months again: reset the use case, then run its monitoring",
    )
