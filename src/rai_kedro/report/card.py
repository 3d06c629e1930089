"""The model card as one tree of typed parts: the only source of its HTML, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, JsonValue, model_validator

from rai_kedro.contract import GovernedColumn, SensitiveRead, is_unwritten
from rai_kedro.errors import RaiError
from rai_kedro.explanation import Explanation
from rai_kedro.fairness import Assessment, GateDecision
from rai_kedro.performance import Figure as PerformanceFigure
from rai_kedro.policy import GateReport, Look
from rai_kedro.proxies import ProxyReport
from rai_kedro.questionnaire import Finding, Recommendation, Step
from rai_kedro.report.mitigation_section import MitigationRecord
from rai_kedro.typed import Typed

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CANDIDATE_STATUS = "candidate: not yet reviewed; only an approved version may score"


class ModelCardError(RaiError):
    """A model card cannot be built, written or read."""


class Identity(Typed):
    """Which version of which model this is, and who answers for it; ``created_at`` is ISO 8601 with a time zone.

    ``trained_by`` says who trained it and whose word that is, ``is_signed`` whether a person signed the training; both
    are filled in where the card is stored.
    """

    use_case: str
    model_name: str
    version: str
    run_id: str
    created_at: str
    purpose: str
    owner: str
    trained_by: str = ""
    is_signed: bool = False

    @model_validator(mode="after")
    def _has_a_moment_with_a_zone(self) -> Self:
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
        return self

    @property
    def created_at_day(self) -> date:
        """The day the card was made; days left are counted from it."""
        return datetime.fromisoformat(self.created_at).date()


class Wrapper(Typed):
    """What stands around an estimator, a mitigation or a pipeline: its import path and its parameters."""

    class_path: str
    params: dict[str, JsonValue]  # of an estimator those that differ from the defaults

    @property
    def name(self) -> str:
        """Name of the class."""
        return self.class_path.rpartition(".")[2]


class Estimator(Wrapper):
    """The estimator as registered: the innermost one, which learnt to predict, and what stands around it."""

    wrappers: tuple[Wrapper, ...] = ()  # the outermost first

    @property
    def name(self) -> str:
        """Name of the class, and of the mitigations around it."""
        around = [wrapper.name for wrapper in self.wrappers if not wrapper.class_path.startswith("sklearn.")]
        return " inside ".join([super().name, *reversed(around)])


class Uses(Typed):
    """What the model is meant for and what it must not be used for; one text per item."""

    intended: tuple[str, ...]
    out_of_scope: tuple[str, ...]


class TrainingData(Typed):
    """Where the training data came from; ``git_commit`` is None where the code is not under version control.

    ``repeats`` says which columns may name persons with several rows, where no unit is declared, and of how many
    declared units rows are on both sides of the split; ``left_out`` counts training rows that were not fitted on.
    """

    stores: tuple[str, ...]
    month: str
    rows_train: int
    rows_test: int
    fingerprint: str
    git_commit: str | None
    repeats: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    left_out: dict[str, int] = Field(default_factory=dict, exclude_if=lambda value: not value)


class FairnessRecord(Typed):
    """What was found on the test rows, and what the gate says of it."""

    assessment: Assessment
    gate: GateDecision
    level: float = 0.95  # as configured; that of the intervals is higher where a model was chosen on these rows
    unit: str = ""  # of the label, for the errors of a regression


class QuestionnaireRecord(Typed):
    """Why these metrics were chosen; ``path`` is empty where nobody answered."""

    metrics: tuple[str, ...] = ()
    path: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    methods: tuple[Recommendation, ...] = ()

    @property
    def contradictions(self) -> tuple[str, ...]:
        """Where the configured metrics contradict the answers."""
        return tuple(finding.message for finding in self.findings if finding.contradicts)


class CarbonFigure(Typed):
    """Energy and emissions (grams of CO2 equivalent) of one task; where they are None, ``reason`` says why."""

    task: str
    energy_kwh: float | None = None
    emissions_g: float | None = None
    duration_s: float | None = None
    method: str = ""
    scope: str = ""
    country: str = ""
    reason: str = ""

    @model_validator(mode="after")
    def _is_measured_or_says_why(self) -> Self:
        if not self.is_measured and not self.reason:
            raise ModelCardError(
                f"Carbon of {self.task} is missing without a reason.",
                where="carbon",
                remedy="give energy_kwh and emissions_g, or say in `reason` why they were not measured",
            )
        return self

    @property
    def is_measured(self) -> bool:
        """Whether both energy and emissions are there."""
        return self.energy_kwh is not None and self.emissions_g is not None


class ModelCard(Typed):
    """Everything a governance officer is told about one model version.

    ``fairness``, ``proxies`` and ``explanation`` are None where nothing was measured, ``mitigation`` where nothing was
    compared; the reason for the latter is ``why_unmitigated``.
    """

    identity: Identity
    estimator: Estimator
    uses: Uses
    data: TrainingData
    columns: tuple[GovernedColumn, ...]
    performance: tuple[PerformanceFigure, ...]
    fairness: FairnessRecord | None
    questionnaire: QuestionnaireRecord
    mitigation: MitigationRecord | None
    carbon: tuple[CarbonFigure, ...]
    limits: tuple[str, ...]
    sensitive_reads: tuple[SensitiveRead, ...] = ()
    why_unmitigated: str = ""
    gates: GateReport | None = None  # of the policy; None where nobody asked them
    plan: Look | None = None  # how the training stands to a plan registered before; None where there is none
    proxies: ProxyReport | None = None
    unread: tuple[str, ...] = ()  # of each store whose draft was accepted at once: how much of it, by whom and when
    explanation: Explanation | None = None  # None where the test rows were too few
    unseen: tuple[str, ...] = ()  # what is to be said of predictions made elsewhere; empty where a model was trained
    versions: dict[str, str] = Field(default_factory=dict)
    review_status: str = CANDIDATE_STATUS

    @property
    def unwritten(self) -> tuple[str, ...]:
        """Where a draft's words still stand in a person's place, or none at all: ``"intended use"``."""
        stated = [
            ("purpose", self.identity.purpose),
            ("owner", self.identity.owner),
            *(("intended use", text) for text in self.uses.intended),
            *(("use out of scope", text) for text in self.uses.out_of_scope),
            *(("limits", text) for text in self.limits),
            *((f"description of {column.name}", column.description) for column in self.columns),
            *((f"risk of {column.name}", column.risk) for column in self.columns if column.risk is not None),
        ]
        return tuple(dict.fromkeys(place for place, text in stated if is_unwritten(text)))

    def names_of(self, part: Literal["model", "label", "audit", "mitigation", "decision", "forbidden"]) -> list[str]:
        """Return the names of the columns that take this part; the card's section of columns says what it is."""
        return [one.name for one in self.columns if _find_part(one) == part]


def _find_part(column: GovernedColumn) -> str:
    if column.model_uses:
        return "label" if column.is_label else column.use if column.use in ("mitigation", "decision") else "model"
    # A column that the mitigation may read is audited where no prediction needs it.
    return {"mitigation": "audit", "model": "unused"}.get(column.use, column.use)


@dataclass(frozen=True)
class CardWithFigures:
    """A card, and the plotly figures that its HTML shows, by name."""

    card: ModelCard
    figures: Mapping[str, Figure]
