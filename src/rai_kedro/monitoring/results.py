"""The typed result of a month: what was compared, the effect of each comparison, and the verdict.

Results are stored by month as tables (one row for each comparison) and read back without loss.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from rai_kedro.errors import RaiError
from rai_kedro.intervals import Estimate
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

    from rai_kedro.monitoring.statistics import Visible

Kind = Literal["numerical", "categorical"]
Aspect = Literal["values", "missing", "new categories"]
Verdict = Literal["drift", "no_relevant_drift", "insufficient_evidence"]

# Okabe & Ito (2008): told apart under every common colour blindness; a pattern says it without colour.
DRIFT_COLOUR, CALM_COLOUR, UNSURE_COLOUR = "#D55E00", "#0072B2", "#999999"


class Distribution(Typed):
    """How many rows of both samples fall into each bin of numbers in order, or level (the rarest pooled)."""

    labels: tuple[str, ...]
    reference: tuple[int, ...]
    current: tuple[int, ...]


class ColumnDrift(Estimate):
    """One comparison of one column: its effect is the share of rows, 0 to 1, that lie elsewhere than in the reference.

    The figures of an estimate are those of the effect, ``n`` the rows of the month behind it, and ``level`` that of
    each of its ends alone.

    Attributes:
        aspect: ``values``: the distribution of the values; ``missing``: the share of missing ones; ``new categories``:
            the share of rows whose category the reference never had.
        method: Test whose p-value is shown beside: ``ks``, ``shared_values_and_ks``, ``chi2_contingency``,
            ``fisher_exact_2x2``, or ``none``.
        p_value: Unadjusted, and it decides nothing; None where no test is made.
        margin: Largest effect that is irrelevant.
        verdict: ``drift`` where the interval lies above the margin, ``no_relevant_drift`` where it lies below.
        importance: Share of the model's total importance that the column has; None where nobody said.
        n_reference: Reference rows behind the effect (non-missing ones for ``values``, all for ``missing``).
        distribution: Both samples, counted; None where neither has a value.
    """

    column: str
    kind: Kind
    method: str
    p_value: float | None
    margin: float
    verdict: Verdict
    n_reference: int
    n: int
    aspect: Aspect = "values"
    importance: float | None = None
    distribution: Distribution | None = None

    @property
    def drifted(self) -> bool:
        """Whether drift was found."""
        return self.verdict == "drift"

    @property
    def label(self) -> str:
        """What was compared: the column, its missing values or its new categories."""
        return self.column if self.aspect == "values" else f"{self.column} ({self.aspect})"


class MonthDrift(Typed):
    """The drift of one month under one model version, or of any two samples.

    Attributes:
        columns: One entry for each comparison, in the order of the columns.
        rate: Highest probability of any false finding of drift where no effect exceeds its margin; of this look alone.
        comparisons: Comparisons that share the rate, those included that had nothing to compare.
        margin: The general margin; a column's own is in its entry.
        look: How many months of this model version were looked at, this one included.
        month: ``YYYY-MM``; empty outside the pipeline, as is all that follows.
        run_id: MLflow run of the model version whose reference was compared with.
        used_in_training: Whether that version was trained on this month.
        features_digest: What the features were when the month was tested, see :func:`.content_digest`.
        labels_digest: The same of its labels; empty where there were none yet.
    """

    columns: tuple[ColumnDrift, ...]
    rate: float
    comparisons: int
    margin: float
    look: int = 1
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
        """Names of the columns of which at least one comparison found drift, each once."""
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
    def verdict(self) -> Verdict:
        """The month's verdict: drift if any column drifted, no relevant drift if that is shown of every column."""
        return worst_of(self.columns).verdict

    @property
    def finding(self) -> str:
        """The verdict in words."""
        return f"drift in {', '.join(self.drifted_columns)}" if self.count else self.verdict.replace("_", " ")

    @property
    def visible(self) -> Visible:
        """What a month of this size can show at all, see :func:`.smallest_visible`."""
        from rai_kedro.monitoring.statistics import smallest_visible

        rows = max(entry.n_reference for entry in self.columns), max(entry.n for entry in self.columns)
        return smallest_visible(*rows, self.margin, self.rate, self.comparisons)

    @property
    def by_column(self) -> dict[str, ColumnDrift]:
        """Of each column the comparison that counts: the one with the worst verdict, then the largest effect."""
        groups: dict[str, list[ColumnDrift]] = {}
        for entry in self.columns:
            groups.setdefault(entry.column, []).append(entry)
        return {name: worst_of(entries) for name, entries in groups.items()}

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each comparison; a number that does not exist is NaN."""
        import pandas as pd

        rows = [entry.model_dump(exclude={"distribution"}) for entry in self.columns]
        first = ["column", "aspect", "verdict", "value", "lower", "upper", "margin", "importance", "method", "p_value"]
        frame = pd.DataFrame(rows).astype(dict.fromkeys(_NUMBERS, "float64"))
        return frame[[*first, *(name for name in frame if name not in first)]]

    def plot(self) -> Figure:
        """Draw the effect of every column with its interval, and the margin as a line."""
        from plotly.graph_objects import Bar, Figure

        entries = self.by_column
        ends = [entry.error_bars for entry in entries.values()]
        bars = Bar(
            x=[entry.value for entry in entries.values()],
            y=list(entries),
            orientation="h",
            error_x={side: [bar[side][0] for bar in ends] for side in ("array", "arrayminus")},
            marker={
                "color": [DRIFT_COLOUR if entry.drifted else CALM_COLOUR for entry in entries.values()],
                "pattern": {"shape": ["/" if entry.drifted else "" for entry in entries.values()]},
            },
        )
        figure = Figure(bars, layout={"template": "plotly_white", "title": self._headline()})
        figure.add_vline(x=self.margin, line={"dash": "dash"}, annotation_text="margin")
        figure.update_xaxes(title_text="effect: share of rows that lie elsewhere", tickformat=".0%", rangemode="tozero")
        return figure.update_yaxes(autorange="reversed", type="category")

    def _headline(self) -> str:
        found = self.finding[:1].upper() + self.finding[1:]
        return f"{found} (margin {self.margin:g}, error rate {self.rate:.2g})"

    def _repr_html_(self) -> str:
        from html import escape

        table: str = self.to_frame().to_html(index=False, na_rep="")
        return f"<p><strong>{escape(self._headline())}</strong></p>{table}"


def decide(lower: float, upper: float, margin: float) -> Verdict:
    """Return the verdict on an effect whose interval is known: wholly beyond the margin, wholly within, or neither."""
    if lower > margin:
        return "drift"
    return "no_relevant_drift" if upper < margin else "insufficient_evidence"


_WORST_FIRST: tuple[Verdict, ...] = ("drift", "insufficient_evidence", "no_relevant_drift")


def worst_of(entries: Iterable[ColumnDrift]) -> ColumnDrift:
    """Return the comparison that decides over several: the worst verdict, then the largest effect beside its margin."""
    return min(entries, key=lambda entry: (_WORST_FIRST.index(entry.verdict), -(entry.value or 0.0) / entry.margin))


_NUMBERS = ("value", "lower", "upper", "level", "importance", "p_value")
_OF_MONTH = [name for name in MonthDrift.model_fields if name != "columns"]


def drift_frame(drift: MonthDrift) -> pd.DataFrame:
    """Lay out a month's result as a table to be stored: one row for each comparison, its distribution as JSON."""
    import pandas as pd

    of_month = drift.model_dump(include=set(_OF_MONTH))
    rows = [{**of_month, **entry.model_dump(), "distribution": _to_json(entry.distribution)} for entry in drift.columns]
    return pd.DataFrame(rows).astype(dict.fromkeys(_NUMBERS, "float64"))


def from_frame(frame: pd.DataFrame) -> MonthDrift:
    """Read a month's result back from its table; :class:`RaiError` if it is not one month of one model version."""
    absent = [name for name in [*_OF_MONTH, *ColumnDrift.model_fields] if name not in frame.columns]
    if absent:
        raise _unreadable(f"it lacks the columns {', '.join(absent)}", frame)
    if len(frame[_OF_MONTH].drop_duplicates()) != 1:
        raise _unreadable("it must hold exactly one month of one model version", frame)
    of_month = frame[_OF_MONTH].head(1).to_dict("records")[0]
    entries = [_read_entry(row) for row in frame[[*ColumnDrift.model_fields]].to_dict("records")]
    for one in entries:
        if one.lower is not None and one.upper is not None and one.verdict != decide(one.lower, one.upper, one.margin):
            raise _unreadable(
                f"the verdict on {one.label} does not follow from its interval; somebody edited it", frame
            )
    return MonthDrift.from_dict({**of_month, "columns": entries})


def _to_json(distribution: Distribution | None) -> str:
    return "" if distribution is None else distribution.model_dump_json()


def _read_entry(row: Mapping[Any, Any]) -> ColumnDrift:
    distribution = Distribution.model_validate_json(row["distribution"]) if row["distribution"] else None
    numbers = {name: None if row[name] is None or math.isnan(row[name]) else row[name] for name in _NUMBERS}
    return ColumnDrift.from_dict({**row, **numbers, "distribution": distribution})


def _unreadable(why: str, frame: pd.DataFrame) -> RaiError:
    return RaiError(
        f"A stored drift result cannot be read: {why}.",
        where="drift store",
        how_many=f"{len(frame)} rows",
        remedy="run the monitoring again: it makes anew what it cannot read",
    )
