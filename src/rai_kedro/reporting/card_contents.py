"""The model card as one tree of frozen dataclasses: the only source of its HTML, Markdown and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from pydantic import ConfigDict, JsonValue

from rai_kedro.errors import RaiError

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CANDIDATE_STATUS = "candidate: not yet reviewed; only an approved version may score"


class ModelCardError(RaiError):
    """A model card cannot be built, written or read."""


def _refuse_non_finite(owner: str, **numbers: float | None) -> None:
    for name, number in numbers.items():
        if number is not None and not math.isfinite(number):
            raise ModelCardError(
                f"{owner} carries a number that is not finite.",
                where=name,
                example=str(number),
                remedy="give None where a figure is not defined, and say why in its note",
            )


class _Part:
    """A part of the card; what a part does not know is refused when a card is read."""

    __pydantic_config__ = ConfigDict(extra="forbid")


@dataclass(frozen=True)
class Identity(_Part):
    """Which version of which model this is, and who answers for it.

    Attributes:
        use_case: Name of the use case, e.g. ``"housing"``.
        model_name: Name under which the model is registered.
        version: Registered version, as text.
        run_id: Identifier of the training run that made the version.
        created_at: Moment the card was made, ISO 8601 with a time zone.
        purpose: What the data and the model are for.
        owner: Who answers for the data and the model.
    """

    use_case: str
    model_name: str
    version: str
    run_id: str
    created_at: str
    purpose: str
    owner: str

    def __post_init__(self) -> None:
        """Refuse a moment that is not ISO 8601 with a time zone: days left are counted from it."""
        try:
            zone = datetime.fromisoformat(self.created_at).tzinfo
        except ValueError:
            zone = None
        if zone is None:
            raise ModelCardError(
                "The moment a card was made is not ISO 8601 with a time zone.",
                where="created_at",
                example=self.created_at,
                remedy="pass e.g. 2024-05-01T12:00:00+00:00",
            )

    @property
    def created_at_day(self) -> date:
        """The day the card was made; days left are counted from it."""
        return datetime.fromisoformat(self.created_at).date()


@dataclass(frozen=True)
class Estimator(_Part):
    """The estimator as configured: its import path and its parameters, as JSON values."""

    class_path: str
    params: Mapping[str, JsonValue]


@dataclass(frozen=True)
class Uses(_Part):
    """What the model is meant for and what it must not be used for; one text per item."""

    intended: tuple[str, ...]
    out_of_scope: tuple[str, ...]


@dataclass(frozen=True)
class TrainingData(_Part):
    """Where the training data came from.

    Attributes:
        stores: Names of the feature and label stores.
        month: Month of the snapshot, ``"YYYY-MM"``.
        rows_train: Rows the model was fitted on.
        rows_test: Rows held out.
        fingerprint: Digest of the data.
        git_commit: Commit of the code; ``None`` when the code is not under version control.
    """

    stores: tuple[str, ...]
    month: str
    rows_train: int
    rows_test: int
    fingerprint: str
    git_commit: str | None


@dataclass(frozen=True)
class Justification(_Part):
    """Why a flagged column may be used: by whom, for what reason, until which day (``"YYYY-MM-DD"``)."""

    by: str
    reason: str
    until: str | None


@dataclass(frozen=True)
class CardColumn(_Part):
    """One governed column: what it is, what it may be used for, its flags, and whether the model uses it."""

    dataset: str
    name: str
    type: str
    description: str
    use: str
    is_risky: bool
    is_demographic: bool
    risk: str
    justification: Justification | None
    model_uses: bool

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags the column carries, as words."""
        words = (("risky", self.is_risky), ("demographic", self.is_demographic))
        return tuple(word for word, is_set in words if is_set)

    @property
    def is_label(self) -> bool:
        """Whether it is what the model learns to predict: the column of the label store that is used."""
        return self.model_uses and self.dataset.rpartition(".")[2] == "label_store"


@dataclass(frozen=True)
class Lanes(_Part):
    """Names of the columns by what happens to them.

    Attributes:
        model: Reach the estimator as features.
        audit: Used to assess fairness only.
        forbidden: Read by nothing.
        label: What the model learns to predict.
    """

    model: tuple[str, ...]
    audit: tuple[str, ...]
    forbidden: tuple[str, ...]
    label: tuple[str, ...] = ()


@dataclass(frozen=True)
class Estimate(_Part):
    """One measured figure and how certain it is.

    Attributes:
        name: Name of the metric, e.g. ``"MAE"``.
        split: Rows it was measured on, e.g. ``"test"``.
        value: The figure; ``None`` where it is not defined (``note`` says why).
        lower: Lower end of the interval, or ``None``.
        upper: Upper end of the interval, or ``None``.
        level: Confidence level of the interval, e.g. 0.95, or ``None`` without an interval.
        unit: Unit of the figure; empty for a pure number.
        method: How figure and interval were made, in words.
        note: What the reader must know about this figure; usually empty.
    """

    name: str
    split: str
    value: float | None
    lower: float | None
    upper: float | None
    level: float | None
    unit: str
    method: str
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse NaN and infinity: JSON has no word for them."""
        _refuse_non_finite(f"Estimate {self.name}", value=self.value, lower=self.lower, upper=self.upper)


@dataclass(frozen=True)
class GroupValue(_Part):
    """The figure of one group of rows, with the number of rows it rests on and, where known, its interval."""

    group: str
    rows: int
    value: float | None
    lower: float | None = None
    upper: float | None = None

    def __post_init__(self) -> None:
        """Refuse NaN and infinity."""
        _refuse_non_finite(f"Group {self.group}", value=self.value, lower=self.lower, upper=self.upper)


@dataclass(frozen=True)
class GapEstimate(_Part):
    """A difference between groups of one sensitive column.

    Attributes:
        metric: What differs, e.g. ``"demographic parity difference"``.
        column: The sensitive column.
        grouping: How the groups were made, in words.
        groups: Figure and row count of each group.
        gap: The difference itself, with its interval, unit and method.
        measured: What the figure of a group is, e.g. ``"share predicted above the median"``.
    """

    metric: str
    column: str
    grouping: str
    groups: tuple[GroupValue, ...]
    gap: Estimate
    measured: str = ""


@dataclass(frozen=True)
class CarbonFigure(_Part):
    """Energy and emissions of one task; figures are ``None`` when not measured, and ``reason`` says why.

    Attributes:
        task: What was measured, e.g. ``"training"``.
        energy_kwh: Electrical energy in kilowatt hours.
        emissions_g: Emissions in grams of CO2 equivalent.
        duration_s: Duration in seconds.
        method: How it was measured or estimated, in words.
        scope: What is and is not included, in words.
        country: Country whose electricity mix was assumed.
        reason: Why it was not measured; empty when it was.
    """

    task: str
    energy_kwh: float | None = None
    emissions_g: float | None = None
    duration_s: float | None = None
    method: str = ""
    scope: str = ""
    country: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        """Refuse NaN and infinity, and a missing figure without a reason."""
        numbers = {
            "energy_kwh": self.energy_kwh,
            "emissions_g": self.emissions_g,
            "duration_s": self.duration_s,
        }
        _refuse_non_finite(f"Carbon of {self.task}", **numbers)
        if not self.is_measured and not self.reason:
            raise ModelCardError(
                f"Carbon of {self.task} is missing without a reason.",
                where="carbon",
                remedy="give energy_kwh and emissions_g, or say in `reason` why they were not measured",
            )

    @property
    def is_measured(self) -> bool:
        """Whether both energy and emissions are there."""
        return self.energy_kwh is not None and self.emissions_g is not None


@dataclass(frozen=True)
class ModelCard(_Part):
    """Everything a governance officer is told about one model version."""

    identity: Identity
    estimator: Estimator
    uses: Uses
    data: TrainingData
    columns: tuple[CardColumn, ...]
    lanes: Lanes
    performance: tuple[Estimate, ...]
    fairness: tuple[GapEstimate, ...]
    carbon: tuple[CarbonFigure, ...]
    limits: tuple[str, ...]
    versions: Mapping[str, str] = field(default_factory=dict)
    review_status: str = CANDIDATE_STATUS


@dataclass(frozen=True)
class CardWithFigures:
    """A card, and the plotly figures that its HTML shows, by caption."""

    card: ModelCard
    figures: Mapping[str, Figure]
