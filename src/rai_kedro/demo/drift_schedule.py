"""The drift schedule: which columns change, from when to when, in which way and by how much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import pandas as pd
from pandas.api import types
from pydantic import Field, field_validator, model_validator

from rai_kedro.demo.variation import derive_generator
from rai_kedro.errors import RaiError
from rai_kedro.months import Month, months_from
from rai_kedro.typed import Typed

DriftKind = Literal["mean_shift", "scale", "missing_values", "category_mix", "label_relation"]

_NUMERIC_KINDS = ("mean_shift", "scale", "label_relation")


class SimulationError(RaiError):
    """The simulation's parameters do not fit the raw table."""


class DriftEvent(Typed):
    """One change of the data, in force from one month to another.

    What ``size`` means depends on ``kind``:

    * ``mean_shift``: every value moves by ``size`` sample standard deviations of the raw column (not 0);
    * ``scale``: the deviations from the raw column's mean are multiplied by ``size`` (above 0, not 1);
    * ``missing_values``: this share of the rows loses its value (between 0 and 1, both excluded);
    * ``category_mix``: this share of the rows moves to one category, drawn once per event and column
      (above 0, at most 1); fewer move when fewer rows are outside that category;
    * ``label_relation``: the label changes by ``size`` standard deviations of the raw label for each standard
      deviation that the row's column is above its raw mean (not 0). The features stay as they are.

    Numeric values are then clipped to the column's range in the contract, where it has one.

    Args:
        columns: The columns, by name. Either this or ``draw``.
        draw: How many columns to draw by seed from the features that the kind applies to. The draw depends
            on the seed, the kind, the start and ``stream`` only: other events, a new size or a new end
            leave it as it is, and drawing one column more keeps those drawn before.
        start: First month of the change, after the first month of the simulation.
        end: Last month of the change; ``None`` while it lasts to the end.
        stream: Another number draws other columns, for two draws of one kind with one start.
        kind: What changes.
        size: By how much. ``mean_shift``: standard deviations of the raw column; ``scale``: the factor;
            ``missing_values`` and ``category_mix``: the share of the rows; ``label_relation``: standard
            deviations of the label for each one of the column.
    """

    columns: tuple[str, ...] | None = None
    draw: int | None = Field(default=None, ge=1)
    start: Month
    end: Month | None = None
    kind: DriftKind
    size: float
    stream: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _parts_fit_together(self) -> DriftEvent:
        if (self.columns is None) == (self.draw is None):
            raise ValueError("give either `columns` (names) or `draw` (how many to draw), not both and not neither")
        if self.columns is not None and (not self.columns or len(set(self.columns)) < len(self.columns)):
            raise ValueError("`columns` has to name at least one column, and each only once")
        if self.end is not None and self.end < self.start:
            raise ValueError(f"the drift ends ({self.end}) before it starts ({self.start})")
        suits, rule = {
            "mean_shift": (self.size != 0, "must not be 0"),
            "scale": (self.size > 0 and self.size != 1, "has to be above 0 and other than 1"),
            "missing_values": (0 < self.size < 1, "is a share of rows: above 0 and below 1"),
            "category_mix": (0 < self.size <= 1, "is a share of rows: above 0 and at most 1"),
            "label_relation": (self.size != 0, "must not be 0"),
        }[self.kind]
        if not suits:
            raise ValueError(f"`size` of {self.kind} {rule}, not {self.size:g}")
        return self

    def covers(self, month: str) -> bool:
        """Return whether the event is in force in a month."""
        return self.start <= month and (self.end is None or month <= self.end)

    @property
    def key(self) -> tuple[str, str, int]:
        """What the event's random streams are named after."""
        return self.kind, self.start, self.stream

    @property
    def title(self) -> str:
        """The event in a few words, for messages."""
        return f"drift event {self.kind} from {self.start}"


class DriftSchedule(Typed):
    """Which months are made, from which seed, and the drift events, applied in this order.

    The first month is the reference of the events, and never drifted itself.

    Attributes:
        first_month: The first month.
        months: Number of months.
        seed: Seed of everything random.
        drift: The events.
    """

    first_month: Month = "2024-01"
    months: int = Field(default=8, ge=1)
    seed: int = Field(ge=0)
    drift: tuple[DriftEvent, ...] = ()

    @model_validator(mode="after")
    def _events_fit(self) -> Self:
        drawn = [event.key for event in self.drift if event.draw is not None]
        for event in self.drift:
            if event.start <= self.first_month:
                raise ValueError(
                    f"the {event.title} has to start after the first month ({self.first_month}), which is the reference"
                )
            if event.draw is not None and drawn.count(event.key) > 1:
                raise ValueError(f"more than one {event.title} would draw the same columns: give each its own `stream`")
        return self

    @property
    def month_names(self) -> tuple[str, ...]:
        """The months as ``YYYY-MM``, in order."""
        return months_from(self.first_month, self.months)


class SimulationParameters(DriftSchedule):
    """How a raw table becomes monthly snapshots, of which the first is the table exactly.

    Args:
        label: The label's column, or columns.
        key: Name of the row key that is added, numbered 1 to n within each month.
        leave_out: Raw columns that reach neither store.
        variation: ``resample`` draws the rows of each later month with replacement and adds ``noise``;
            ``exact`` makes every month a copy of the raw table.
        noise: Standard deviation of the noise on the features, in sample standard deviations of the raw
            column; held back where a column is dense (see :func:`~rai_kedro.demo.variation.add_noise`).
    """

    label: tuple[str, ...] = Field(min_length=1)
    key: str = Field(default="row", min_length=1)
    leave_out: tuple[str, ...] = ()
    variation: Literal["resample", "exact"] = "resample"
    noise: float = Field(default=0.05, ge=0, le=1)

    @field_validator("label", mode="before")
    @classmethod
    def _one_label_or_several(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value


def find_candidates(features: pd.DataFrame, kind: DriftKind) -> list[str]:
    """Return the feature columns that a kind of drift can change.

    Numeric columns that vary for ``mean_shift``, ``scale`` and ``label_relation``; columns of text, categories or truth
    values with at least two categories for ``category_mix``; for ``missing_values`` all but truth values, whose type
    has no missing value.
    """

    def suits(values: pd.Series) -> bool:
        boolean = types.is_bool_dtype(values)
        if kind == "missing_values":
            return not boolean
        numeric = types.is_numeric_dtype(values) and not boolean
        return numeric == (kind in _NUMERIC_KINDS) and values.nunique() > 1

    return [str(name) for name in features.columns if suits(features[name])]


def resolve_columns(event: DriftEvent, features: pd.DataFrame, seed: int) -> list[str]:
    """Return the columns that an event changes, in the order of the table.

    Drawing gives each candidate a lottery number from a stream of its own; the lowest win. So a column that
    is added or left out changes the draw only if it is itself among the winners.
    """
    candidates = find_candidates(features, event.kind)
    if event.draw is None:
        winners = list(event.columns or ())
        _check_named(event, features, candidates)
    elif event.draw > len(candidates):
        raise SimulationError(
            f"The {event.title} is to draw {event.draw} columns, but it applies to {len(candidates)}.",
            where="`drift`",
            how_many=f"{len(candidates)} of {features.shape[1]} feature columns suit {event.kind}",
            example=", ".join(candidates)[:120] or None,
            remedy="lower `draw`, or choose another `kind`",
        )
    else:
        numbers = {name: derive_generator(seed, "draw", *event.key, name).random() for name in candidates}
        winners = sorted(candidates, key=numbers.__getitem__)[: event.draw]
    return [str(name) for name in features.columns if name in winners]


def _check_named(event: DriftEvent, features: pd.DataFrame, candidates: Sequence[str]) -> None:
    named = event.columns or ()
    bad = [name for name in named if name not in features.columns]
    if bad:
        problem = f"The {event.title} names columns that are not among the features: {', '.join(bad)}."
        example, remedy = bad[0], f"name some of: {', '.join(candidates)}; or take the column out of `leave_out`"
    else:
        bad = [name for name in named if name not in candidates]
        if not bad:
            return
        values = features[bad[0]]
        problem = f"The {event.title} does not apply to: {', '.join(bad)}."
        example = f"{bad[0]} is of type {values.dtype}, {values.nunique()} values"
        remedy = f"name some of: {', '.join(candidates) or '(no column suits)'}; or choose another `kind`"
    how_many = f"{len(bad)} of {len(named)} named columns"
    raise SimulationError(problem, where="`drift`", how_many=how_many, example=example, remedy=remedy)
