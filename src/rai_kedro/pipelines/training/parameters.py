"""``<use_case>.training``, ``fairness`` and ``statements`` of the parameters, typed."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from rai_kedro.contract import DatasetContract
from rai_kedro.fairness import DisparityKind, FairnessSpec, Gate, Tolerance
from rai_kedro.mitigation import ConfiguredMethod
from rai_kedro.modelling import EstimatorConfig, PreparationParameters, RandomSplit, SplitSpec
from rai_kedro.months import months_between, word_period
from rai_kedro.questionnaire import Step, follow, load_tree
from rai_kedro.typed import Typed

_MONTH = r"^\d{4}-(0[1-9]|1[0-2])$"


class TrainingParameters(Typed):
    """What to train on, with which split and which estimator; each key is explained in the YAML."""

    task: Literal["regression", "classification"] = "regression"
    month: str = Field(pattern=_MONTH)
    last_month: str | None = Field(default=None, pattern=_MONTH)
    target: str
    unit: str = ""
    features: tuple[str, ...] | None = None
    test_size: float = Field(gt=0, lt=1)
    random_state: int = Field(ge=0)
    split: SplitSpec = RandomSplit()
    preparation: PreparationParameters | None = None
    estimator: EstimatorConfig
    allowed_modules: tuple[str, ...] = Field(min_length=1)
    interval_level: float = Field(default=0.95, gt=0.5, lt=1)

    @property
    def months(self) -> tuple[str, ...]:
        """The months trained on, first to last."""
        return months_between(self.month, self.last_month or self.month)

    @property
    def period(self) -> str:
        """The months trained on, in words."""
        return word_period(self.months)

    @model_validator(mode="after")
    def _last_month_is_not_before_the_first(self) -> Self:
        if self.last_month is not None and self.last_month < self.month:
            raise ValueError(f"'last_month' {self.last_month} lies before 'month' {self.month}")
        return self

    @field_validator("allowed_modules")
    @classmethod
    def _no_empty_prefix(cls, modules: tuple[str, ...]) -> tuple[str, ...]:
        if any(not module.strip(" .") for module in modules):
            raise ValueError("an empty module prefix would allow every module")
        return modules


class MitigationParameters(Typed):
    """Which mitigations are compared with the unmitigated model, and by what; each key is explained in the YAML."""

    sensitive_column: str | None = None
    metric: str | None = None
    kind: DisparityKind | None = None
    performance: str | None = None
    tolerance: float = Field(default=0.02, ge=0)
    chosen: str | None = None
    methods: tuple[ConfiguredMethod, ...] = ()
    alternatives: dict[str, EstimatorConfig] = Field(default_factory=dict)
    true_need: str | None = None


class FairnessParameters(FairnessSpec):
    """What is assessed for fairness, how far groups may lie apart, and the answers that led to the metrics."""

    tolerances: tuple[Tolerance, ...]
    questionnaire: tuple[Step, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _take_metrics_from_the_answers(cls, given: Any) -> Any:
        """Measure what the answers on record lead to, where nobody named the metrics."""
        if isinstance(given, dict) and not given.get("metrics") and given.get("questionnaire"):
            steps = [Step.model_validate(step) for step in given["questionnaire"]]
            outcome = follow(load_tree(), {step.question: step.answer for step in steps}, where="questionnaire")
            return {**given, "metrics": outcome.metrics}
        return given

    @property
    def gate(self) -> Gate:
        """The gate these tolerances make."""
        return Gate(tolerances=self.tolerances, level=self.level)

    def declare_categories(self, contract: DatasetContract) -> FairnessParameters:
        """Count the categories that the contract allows as groups that have to exist.

        A group that has no row among those assessed is then not assessed, and not passed over.
        """
        groupings = []
        for spec in self.groupings:
            columns = {name: contract.columns[name] for name in spec.columns if name in contract.columns}
            allowed = next(iter(columns.values())).categories or () if len(spec.columns) == len(columns) == 1 else ()
            declared = tuple(dict.fromkeys([*spec.declared, *map(str, allowed)]))
            # Of a category each value is a group, be they written as numbers or not.
            said = {name: spec.is_categorical(name) for name in spec.columns}
            for name, column in columns.items():
                if said[name] is None and column.type == "category" and name not in spec.cuts:
                    said[name] = True
            categorical = {name: answer for name, answer in said.items() if answer is not None} or None
            groupings.append(spec.model_copy(update={"declared": declared, "categorical": categorical}))
        return self.model_copy(update={"groupings": tuple(groupings)})

    def after_choice(self, models: int) -> FairnessParameters:
        """Widen all intervals so that they hold for whichever of several models these rows made look fairest.

        By Bonferroni: intervals at 1 - (1 - level) / models hold for all the models at once, so also for the chosen.
        """
        return self.model_copy(update={"level": 1 - (1 - self.level) / models})


class Statements(Typed):
    """What a person says of the model, for its card."""

    model_name: str
    intended_use: str
    out_of_scope_use: str
    limits: tuple[str, ...] = ()
