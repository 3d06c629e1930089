"""What a search for proxies finds: one verdict a column, the columns that carry it, and columns in disguise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import Field

from rai_kedro.errors import RaiError
from rai_kedro.intervals import Estimate, Verdict
from rai_kedro.proxies.relations import Relation
from rai_kedro.typed import Typed
from rai_kedro.words import format_interval, format_share, in_words, write_html_table

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

Metric: TypeAlias = Literal["AUC", "R2"]
CHANCE: dict[Metric, float] = {"AUC": 0.5, "R2": 0.0}


class ProxyError(RaiError):
    """Columns in which no proxies can be looked for, or a model that may not be made from the columns it has."""


class Limits(Typed):
    """How well the model's columns may predict one that it must not know.

    Attributes:
        AUC: Limit for a column of categories; 0.5 is chance.
        R2: Limit for a column of numbers; 0 is chance.
    """

    AUC: float = Field(default=0.75, ge=0.5, lt=1)
    R2: float = Field(default=0.3, ge=0, lt=1)

    def of(self, metric: Metric) -> float:
        """Return the limit of one figure."""
        return self.AUC if metric == "AUC" else self.R2


class ProxyPolicy(Typed):
    """What a proxy is, and what is done about one; the same in every environment.

    Attributes:
        limit: The model's columns together may predict no better than this.
        action: ``warn`` says it on the card; ``refuse`` also ends a training that has a column beyond the limit.
        level: Confidence level of all intervals together.
        most_rows: Of more rows an even sample is taken, which is said.
        read_forbidden: Whether this search, and nothing else, may read forbidden columns; without it nothing is known
            of them.
    """

    limit: Limits = Limits()
    action: Literal["warn", "refuse"] = "warn"
    level: float = Field(default=0.95, gt=0.5, lt=1)
    most_rows: int = Field(default=2_000, ge=100)
    read_forbidden: bool = True


class Carrier(Estimate):
    """How well one or two columns of the model predict the column by themselves."""

    columns: tuple[str, ...]


class Predicted(Estimate):
    """How well the model's columns predict one category, or a number; ``category`` is empty for a number."""

    category: str = ""
    metric: Metric
    by: str = ""  # what predicted it best


class Proxy(Predicted):
    """One column that the model must not know, and whether its columns stand in for it.

    The figure is that of the category predicted best; ``parts`` has all, ``not_measured`` what has too few rows.
    """

    column: str
    limit: float
    outcome: Verdict
    reason: str
    parts: tuple[Predicted, ...] = ()
    not_measured: tuple[str, ...] = ()
    singles: tuple[Carrier, ...] = ()
    pairs: tuple[Carrier, ...] = ()

    @property
    def chance(self) -> float:
        """The figure of a guess."""
        return CHANCE[self.metric]

    @property
    def name(self) -> str:
        """The column, and of categories the one that the figure is of."""
        return f"{self.column}: {self.category}" if self.category else self.column


class ProxyReport(Typed):
    """All verdicts, the gravest first, and the model's columns that are another one in disguise."""

    proxies: tuple[Proxy, ...]
    relations: tuple[Relation, ...] = ()  # with a column that the model must not know
    leaks: tuple[Relation, ...] = ()  # with the target
    suspicions: tuple[Relation, ...] = ()  # with the target, too: nothing refuses these
    policy: ProxyPolicy = ProxyPolicy()
    rows: int
    rows_used: int
    unseen: bool = False  # nobody knows which columns the model has: there was nothing to look at

    @property
    def outcome(self) -> Verdict:
        """The gravest of the verdicts; without a column to look at it is a pass."""
        outcomes = {one.outcome for one in self.proxies}
        return "fail" if "fail" in outcomes else "insufficient_evidence" if len(outcomes - {"pass"}) else "pass"

    @property
    def sample(self) -> str:
        """Say on how many rows proxies were looked for."""
        taken = f"{self.rows_used:,} of {self.rows:,} rows, evenly taken" if self.rows_used < self.rows else ""
        return taken or f"{self.rows:,} rows"

    def to_frame(self) -> pd.DataFrame:
        """Return one row for each column that the model must not know."""
        import pandas as pd

        shown = ["column", "category", "metric", "value", "lower", "upper", "limit", "outcome", "n", "reason"]
        rows = [
            one.model_dump(include=set(shown)) | {"carried_by": describe_carriers(one.singles[:1] + one.pairs[:1])}
            for one in self.proxies
        ]
        return pd.DataFrame(rows, columns=[*shown, "carried_by"])

    def plot(self) -> Figure:
        """Draw each column's figure with its interval, limit and chance; a panel each for AUC and R2."""
        from rai_kedro.proxies.drawing import draw_proxies

        return draw_proxies(self)

    def __repr__(self) -> str:
        lines = [f"  {one.name}: {one.metric} {format_interval(one)}: {in_words(one.outcome)}" for one in self.proxies]
        lines += [f"  {one.text}" for one in (*self.relations, *self.leaks, *self.suspicions)]
        return "\n".join([f"Proxies in {self.sample}", *(lines or ["  no column to look at"])])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        head = ["column", "figure [interval]", "limit", "verdict", "carried by"]
        rows = [
            (
                one.name,
                f"{one.metric} {format_interval(one)}",
                f"at most {one.limit:g}",
                f"{in_words(one.outcome)}: {one.reason}",
                describe_carriers(one.singles[:2] + one.pairs[:1]),
            )
            for one in self.proxies
        ]
        notes = [f"{one.text}." for one in (*self.relations, *self.leaks, *self.suspicions)]
        level = format_share(self.policy.level)
        return write_html_table(head, rows, [*notes, f"{self.sample}; level of all intervals together: {level}."])


def describe_carriers(carriers: tuple[Carrier, ...]) -> str:
    """Write which columns carry a proxy, each with its figure."""
    return "; ".join(f"{' with '.join(one.columns)} {format_interval(one)}" for one in carriers)
