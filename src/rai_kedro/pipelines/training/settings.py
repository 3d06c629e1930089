"""Everything that people configure for a training, checked against itself before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, Self

import pandas as pd
from pydantic import Field, field_validator, model_validator

from rai_kedro.contract import (
    Contract,
    DatasetContract,
    LaneError,
    PairingError,
    UndecidedError,
    mitigation_fault,
    model_columns,
    refuse_undecided,
)
from rai_kedro.errors import RaiError
from rai_kedro.fairness import (
    METRICS,
    BiasAuditError,
    BiasAuditSpec,
    DisparityKind,
    FairnessSpec,
    Gate,
    GroupingError,
    MetricError,
    Tolerance,
    check_columns,
    check_request,
)
from rai_kedro.mitigation import ComparisonRequest, ConfiguredMethod, MitigationError, check_comparison
from rai_kedro.modelling import (
    EstimatorConfig,
    ModellingError,
    PreparationParameters,
    RandomSplit,
    SplitSpec,
    build_estimator,
    check_split,
    require_task,
)
from rai_kedro.months import Month, months_between, word_period
from rai_kedro.questionnaire import Step, follow, load_tree
from rai_kedro.typed import Typed


class TrainingParameters(Typed):
    """What to train on, with which split and which estimator; each key is explained in the YAML."""

    task: Literal["regression", "classification"] = "regression"
    month: Month
    last_month: Month | None = None
    target: str
    unit: str = ""
    features: tuple[str, ...] | None = None
    test_size: float = Field(gt=0, lt=1)
    random_state: int = Field(ge=0)
    split: SplitSpec = RandomSplit()
    reference_months: tuple[Month, ...] = ()
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
    def _reference_months_are_not_trained_on(self) -> Self:
        if both := sorted({*self.reference_months} & {*self.months}):
            raise ValueError(
                f"'reference_months' has {', '.join(both)}, which the model is trained on: it fits them too well"
            )
        return self

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
    ll144: BiasAuditSpec | None = None

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


@dataclass(frozen=True)
class Settings:
    """The column contract and all parameters of the stage, as its nodes hand them on."""

    contract: Contract
    training: TrainingParameters
    fairness: FairnessParameters
    mitigation: MitigationParameters
    statements: Statements

    @property
    def features(self) -> DatasetContract:
        """The contract of the feature store."""
        return self.contract.datasets["feature_store"]

    @property
    def audited(self) -> list[str]:
        """Columns of the audit lane, in the order of the contract."""
        store = self.features
        used = model_columns(store, on=self.contract.as_of, features=self.training.features)
        audited = store.with_use("audit", "mitigation")
        return [name for name, one in store.columns.items() if name in audited or (one.flags and name in used)]

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the settings themselves, which nobody can change; Kedro copies what it hands from node to node."""
        return self


@contextmanager
def naming_the_parameters() -> Iterator[None]:
    """Say of an error of the room below in which file, and in which section, its setting stands."""
    try:
        yield
    except (LaneError, PairingError) as error:
        key = "training.features" if isinstance(error, LaneError) else "training.month and training.target"
        error.where = f"{error.where}; asked for in parameters.yml, {key}"
        raise
    except BiasAuditError as error:
        error.where = f"parameters.yml, fairness.ll144{f', {error.where}' if error.where else ''}"
        raise
    except (MitigationError, ModellingError, MetricError, GroupingError) as error:
        key = error.where or ""
        if not key.startswith("parameters.yml"):
            error.where = f"parameters.yml, {_find_section(error, key)}{key}"
        raise


def _find_section(error: RaiError, key: str) -> str:
    if key.startswith(("fairness.", "mitigation.")):
        return ""
    if isinstance(error, MetricError | GroupingError):
        return "fairness.groupings, " if key.startswith("grouping ") else "fairness."
    return "training." if isinstance(error, ModellingError) or key == "estimator" else "mitigation."


def _refuse_draft(contract: Contract) -> None:
    try:
        refuse_undecided(contract)
    except UndecidedError as error:
        error.remedy += f": kedro rai accept-draft --use-case {contract.use_case} --reviewer NAME"
        raise


@naming_the_parameters()
def check_settings(
    contract: Contract,
    training: TrainingParameters,
    fairness: FairnessParameters,
    mitigation: MitigationParameters,
    statements: Statements,
) -> Settings:
    """Check that contract, estimator, metrics, tolerances and mitigations agree, without a look at any row."""
    settings = Settings(contract, training, fairness, mitigation, statements)
    _refuse_draft(contract)
    estimator = build_estimator(training.estimator, training.allowed_modules)
    require_task(estimator, training.task)
    columns = [*settings.features.identifiers, *settings.features.columns]
    check_split(training.split, columns=columns, months=training.months)
    check_request(fairness, training.task, has_score=hasattr(estimator, "predict_proba"))
    if training.task == "classification":
        _require_favourable(fairness)
    if mitigation.sensitive_column is not None:
        _require_audited(mitigation.sensitive_column, settings)
    if (request := request_comparison(settings, estimator)) is not None:
        check_comparison(request)
    check_columns(fairness, pd.DataFrame(columns=settings.audited))
    _require_measured(fairness)
    if fairness.ll144 is not None:
        _require_auditable(fairness.ll144, settings, has_score=hasattr(estimator, "predict_proba"))
    return settings


def request_comparison(settings: Settings, estimator: Any) -> ComparisonRequest | None:
    """Say what is to be compared with an estimator, the alternatives unfitted; None where nothing is."""
    mitigation, training = settings.mitigation, settings.training
    alternatives = {
        name: build_estimator(config, training.allowed_modules, f"mitigation.alternatives.{name}")
        for name, config in mitigation.alternatives.items()
    }
    if mitigation.sensitive_column is None:
        return None
    return ComparisonRequest(
        estimator=estimator,
        sensitive_column=mitigation.sensitive_column,
        fairness=settings.fairness,
        methods=mitigation.methods,
        permitted=mitigation_fault(settings.features, mitigation.sensitive_column, on=settings.contract.as_of) is None,
        metric=mitigation.metric,
        kind=mitigation.kind,
        performance=mitigation.performance,
        tolerance=mitigation.tolerance,
        configured=mitigation.chosen,
        alternatives=alternatives,
        level=training.interval_level,
    )


def _require_favourable(fairness: FairnessParameters) -> None:
    if fairness.favourable != 1:
        raise MetricError(
            f"The favourable value of the label cannot be {fairness.favourable!r}: models score the label 1.",
            where="parameters.yml, fairness.favourable",
            remedy="leave it out, and write the label store so that 1 is the favourable outcome",
        )


def _require_audited(name: str, settings: Settings) -> None:
    if name in settings.audited:
        return
    column = settings.features.columns.get(name)
    held = "it is not in the contract" if column is None else f"its use is '{column.use}'"
    raise MitigationError(
        f"The sensitive column {name!r} is not audited: {held}.",
        where="parameters.yml, mitigation.sensitive_column",
        example=f"audited are: {', '.join(settings.audited) or 'none'}",
        remedy="name one of these, give the column 'use: audit' in the catalogue, or null to compare nothing",
    )


def _require_auditable(spec: BiasAuditSpec, settings: Settings, *, has_score: bool) -> None:
    """Refuse tables of Local Law 144 for which a column or the output is not there."""
    if missing := [name for name in (spec.sex, spec.race) if name not in settings.audited]:
        raise BiasAuditError(
            f"The tables of Local Law 144 need {missing[0]!r}, which is not audited.",
            example=f"audited are: {', '.join(settings.audited) or 'none'}",
            remedy="name one of these, or give the column 'use: audit' in the catalogue",
        )
    is_regression = settings.training.task == "regression"
    if (spec.measure == "selection" and is_regression) or (
        spec.measure == "scoring" and not (is_regression or has_score)
    ):
        raise BiasAuditError(
            f"The model has no {'decision' if is_regression else 'score'} to measure a {spec.measure} rate of.",
            where="measure",
            remedy="leave 'measure' out",
        )


def _require_measured(fairness: FairnessParameters) -> None:
    """Refuse a tolerance that would meet no figure: the gate could never be evaluated."""
    for what, there in _find_unmeasured(fairness):
        raise RaiError(
            f"A tolerance is set for {what}.",
            where="parameters.yml, fairness.tolerances",
            example=f"there are: {', '.join(there)}",
            remedy="take the tolerance out, or have what it judges measured ('fairness.metrics' and "
            "'fairness.groupings')",
        )


def _find_unmeasured(fairness: FairnessParameters) -> Iterator[tuple[str, Iterable[str]]]:
    groupings = [grouping.name for grouping in fairness.groupings]
    for tolerance in fairness.tolerances:
        name, metric = tolerance.metric, METRICS.get(tolerance.metric)
        if metric is None or name not in fairness.metrics:
            yield f"the metric {name!r}, which is not measured", fairness.metrics
        elif tolerance.kind not in metric.kinds:
            yield f"the {tolerance.kind} of {name}, which is not made", metric.kinds
        elif not metric.individual and tolerance.column not in (None, *groupings):
            yield f"{name} by {tolerance.column!r}, which is no grouping", groupings
