"""The model card as one tree of frozen dataclasses: the only source of its HTML, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING

from pydantic import JsonValue

from rai_kedro.contract.columns import GovernedColumn
from rai_kedro.intervals.estimate import refuse_non_finite
from rai_kedro.performance.figure import Figure as PerformanceFigure
from rai_kedro.report.card_base import CardPart, ModelCardError
from rai_kedro.report.card_fairness import FairnessRecord, QuestionnaireRecord
from rai_kedro.report.card_mitigation import MitigationRecord

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = [
    "CANDIDATE_STATUS",
    "CarbonFigure",
    "CardWithFigures",
    "Estimator",
    "FairnessRecord",
    "Identity",
    "Lanes",
    "MitigationRecord",
    "ModelCard",
    "ModelCardError",
    "QuestionnaireRecord",
    "TrainingData",
    "Uses",
    "Wrapper",
]

CANDIDATE_STATUS = "candidate: not yet reviewed; only an approved version may score"


@dataclass(frozen=True)
class Identity(CardPart):
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
class Wrapper(CardPart):
    """What stands around an estimator, a mitigation or a pipeline: its import path and its parameters."""

    class_path: str
    params: Mapping[str, JsonValue]

    @property
    def name(self) -> str:
        """Name of the class."""
        return self.class_path.rpartition(".")[2]


@dataclass(frozen=True)
class Estimator(CardPart):
    """The estimator as registered.

    Attributes:
        class_path: Import path of the innermost estimator, the one that learnt to predict.
        params: Its parameters, as JSON values.
        wrappers: What stands around it, the outermost first.
    """

    class_path: str
    params: Mapping[str, JsonValue]
    wrappers: tuple[Wrapper, ...] = ()

    @property
    def name(self) -> str:
        """Name of the class, and of the mitigations around it."""
        inner = self.class_path.rpartition(".")[2]
        around = [wrapper.name for wrapper in self.wrappers if not wrapper.class_path.startswith("sklearn.")]
        return f"{inner} inside {' inside '.join(reversed(around))}" if around else inner


@dataclass(frozen=True)
class Uses(CardPart):
    """What the model is meant for and what it must not be used for; one text per item."""

    intended: tuple[str, ...]
    out_of_scope: tuple[str, ...]


@dataclass(frozen=True)
class TrainingData(CardPart):
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
class Lanes(CardPart):
    """Names of the columns by what happens to them.

    Attributes:
        model: Reach the estimator as features.
        audit: Used to assess fairness, and by mitigations while they learn; no prediction sees them.
        mitigation: Read by the mitigation for every prediction, and by the estimator never.
        forbidden: Read by nothing.
        label: What the model learns to predict.
    """

    model: tuple[str, ...]
    audit: tuple[str, ...]
    forbidden: tuple[str, ...]
    label: tuple[str, ...] = ()
    mitigation: tuple[str, ...] = ()


@dataclass(frozen=True)
class CarbonFigure(CardPart):
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
        refuse_non_finite(f"Carbon of {self.task}", **numbers)
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
class ModelCard(CardPart):
    """Everything a governance officer is told about one model version.

    ``fairness`` is None where nothing was measured, ``mitigation`` where nothing was compared; the reason for the
    latter is ``why_unmitigated``.
    """

    identity: Identity
    estimator: Estimator
    uses: Uses
    data: TrainingData
    columns: tuple[GovernedColumn, ...]
    lanes: Lanes
    performance: tuple[PerformanceFigure, ...]
    fairness: FairnessRecord | None
    questionnaire: QuestionnaireRecord
    mitigation: MitigationRecord | None
    carbon: tuple[CarbonFigure, ...]
    limits: tuple[str, ...]
    why_unmitigated: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    review_status: str = CANDIDATE_STATUS


@dataclass(frozen=True)
class CardWithFigures:
    """A card, and the plotly figures that its HTML shows, by caption."""

    card: ModelCard
    figures: Mapping[str, Figure]
