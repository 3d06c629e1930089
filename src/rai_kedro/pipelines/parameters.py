"""What people configure of a use case, typed: one class for each group of ``conf/base/<use_case>/parameters.yml``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from rai_kedro.contract import Contract, DatasetContract, check_justifications
from rai_kedro.fairness import BiasAuditSpec, DisparityKind, FairnessSpec, Gate, Tolerance
from rai_kedro.mitigation import ConfiguredMethod
from rai_kedro.modelling import (
    EstimatorConfig,
    ModellingError,
    PreparationParameters,
    RandomSplit,
    SplitSpec,
    UnitSplit,
)
from rai_kedro.monitoring import AlertParameters, MonitoringPolicy
from rai_kedro.months import Month, check_month, months_between, word_period
from rai_kedro.policy import LEAST_LEVEL, LEAST_RATIO, Policy, state_policy
from rai_kedro.proxies import ProxyPolicy
from rai_kedro.questionnaire import Step, follow, load_tree
from rai_kedro.typed import Typed


class TrainingParameters(Typed):
    """What to train on, with which split and which estimator.

    Attributes:
        task: Whether the target is a number (``regression``) or one of two values (``classification``).
        month: The month of the stores to train on; with ``last_month`` the first of several.
        last_month: The last month to train on; without it the one month.
        target: The column of the label store that is predicted.
        unit: Unit of the target in figures and reports, for example ``1,000 dollars``.
        features: Columns that the model gets; without a list every column of use ``model``.
        test_size: Share of the rows, or of the units, that is held out at random to test on.
        random_state: Seed of the split and of all else that is random in a training.
        split: How rows to test on are held out; without it at random, by unit where the contract names one.
        reference_months: Labelled months that the model is not trained on and that later months are compared
            with, in place of the test rows.
        preparation: How missing values, categories and scales are treated before the estimator; without it
            nothing is done.
        estimator: The model.
        allowed_modules: An estimator may only come from a module whose name begins with one of these, for
            example ``sklearn.``.
        interval_level: Confidence level of every interval in the reports on performance.
        allowed_hosts: Hosts that a model on a server may be asked at; a further one asks for a new approval.
    """

    task: Literal["regression", "classification"] = "regression"
    month: Month
    last_month: Month | None = None
    target: str
    unit: str = ""
    features: tuple[str, ...] | None = None
    test_size: float = Field(default=0.33, gt=0, lt=1)
    random_state: int = Field(ge=0)
    split: SplitSpec = RandomSplit()
    reference_months: tuple[Month, ...] = ()
    preparation: PreparationParameters | None = None
    estimator: EstimatorConfig
    allowed_modules: tuple[str, ...] = Field(min_length=1)
    allowed_hosts: tuple[str, ...] = ()
    interval_level: float = Field(default=0.95, ge=LEAST_LEVEL, lt=1)

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

    def keep_units_together(self, unit: str | None) -> TrainingParameters:
        """Hold out whole units where the contract names a unit and no other split is asked for.

        Raises:
            ModellingError: Rows are explicitly to be held out at random: rows of one unit would be on both sides.
        """
        if unit is None or not isinstance(self.split, RandomSplit):
            return self
        if "split" in self.model_fields_set:
            raise ModellingError(
                "Rows are to be held out at random, and the contract says that they belong to units.",
                where="split",
                example=f"unit: {unit}",
                remedy="leave 'split' out (whole units are held out then), or split by months, a column or a unit",
            )
        return self.model_copy(update={"split": UnitSplit(by="unit", column=unit)})

    @field_validator("allowed_modules")
    @classmethod
    def _no_empty_prefix(cls, modules: tuple[str, ...]) -> tuple[str, ...]:
        if any(not module.strip(" .") for module in modules):
            raise ValueError("an empty module prefix would allow every module")
        return modules


class MitigationParameters(Typed):
    """Which mitigations are compared with the unmitigated model, and by what.

    Attributes:
        sensitive_column: Audited column that is mitigated for; null: no mitigation is compared.
        metric: The metric that decides what is fairer; without one the first of ``fairness.metrics``.
        kind: What of that metric decides; without it the metric's first kind.
        performance: The figure that decides what is lost: ``R2`` or ``MAE``, of a classifier ``accuracy``,
            ``AUC`` or ``Brier score``. Without one it is R2 or accuracy.
        tolerance: Loss of performance that is accepted, in the unit of that figure.
        chosen: Which model becomes the candidate whatever the rule says: ``unmitigated`` or the name of a
            method; null: the rule chooses.
        methods: The mitigations to compare.
        alternatives: Further unmitigated models, by a name of your own; the best of them is post-processed,
            too.
        true_need: Column of the store ``true_need`` with the true outcome, where a use case has one, as a
            simulation does; the chosen model is compared with it afterwards.
        splits: Number of further random splits over which the effect of each mitigation is measured; 0 for
            none.
        must_hold: Whether a mitigation counts only if it is shown to be fairer over these splits.
    """

    sensitive_column: str | None = None
    metric: str | None = None
    kind: DisparityKind | None = None
    performance: str | None = None
    tolerance: float = Field(default=0.02, ge=0)
    chosen: str | None = None
    splits: int = Field(default=0, ge=0, le=1000)
    must_hold: bool = False
    methods: tuple[ConfiguredMethod, ...] = ()
    alternatives: dict[str, EstimatorConfig] = Field(default_factory=dict)
    true_need: str | None = None


class FairnessParameters(FairnessSpec):
    """What is assessed for fairness, how far groups may lie apart, and the answers that led to the metrics.

    Attributes:
        tolerances: How far groups may lie apart; the gate judges by these.
        questionnaire: The answers that led to the metrics, as ``kedro rai questionnaire`` writes them.
        ll144: Which columns the tables of New York City's Local Law 144 are made of; without it there are none.
    """

    level: float = Field(default=0.95, ge=LEAST_LEVEL, lt=1)
    tolerances: tuple[Tolerance, ...]
    questionnaire: tuple[Step, ...] = ()
    ll144: BiasAuditSpec | None = None

    @field_validator("tolerances")
    @classmethod
    def _no_ratio_below_the_floor(cls, tolerances: tuple[Tolerance, ...]) -> tuple[Tolerance, ...]:
        for one in tolerances:
            if one.kind == "ratio" and one.limit < LEAST_RATIO:
                raise ValueError(f"{one.metric}: no ratio below {LEAST_RATIO} may be tolerated, got {one.limit}")
        return tolerances

    @model_validator(mode="before")
    @classmethod
    def _take_metrics_from_the_answers(cls, given: Any) -> Any:
        """Measure what the answers on record lead to, where nobody named the metrics."""
        if isinstance(given, dict) and not given.get("metrics") and given.get("questionnaire"):
            steps = [Step.model_validate(step) for step in given["questionnaire"]]
            outcome = follow(load_tree(), {step.question: step.answer for step in steps}, where="questionnaire")
            return {**given, "metrics": outcome.metrics}
        return given

    @model_validator(mode="after")
    def _unit_and_weight_are_the_contracts(self) -> Self:
        if not self.are_independent:
            raise ValueError("'unit' and 'weight' stand in the contract of the feature store, beside 'key'; not here")
        return self

    def sampled_as(self, unit: str | None, weight: str | None) -> FairnessParameters:
        """Say how rows were sampled, as the contract does."""
        return self.model_copy(update={"unit": unit, "weight": weight})

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
    """What a person says of the model, for its card.

    Attributes:
        model_name: Name of the model on its card.
        intended_use: What the model is meant for, and by whom it is used.
        out_of_scope_use: What it must not be used for.
        limits: What else a reader has to know: one sentence each.
    """

    model_name: str
    intended_use: str
    out_of_scope_use: str
    limits: tuple[str, ...] = ()


def check_choice(text: str) -> str:
    """Return which months to score, or raise ``ValueError`` if it is none of ``pending``, ``next`` and FIRST:LAST."""
    if text in ("pending", "next"):
        return text
    first, colon, last = text.partition(":")
    try:
        if not months_between(check_month(first), check_month(last if colon else first)):
            raise ValueError(f"the last month, {last}, lies before the first, {first}")
    except ValueError as error:
        raise ValueError(f"write pending, next, or a range as 2024-02:2024-05; {error}") from error
    return text


class Expectation(Typed):
    """What the calendar says should be there: every month, at most so many days after its end.

    Attributes:
        grace_days: Days after the end of a month until which it may come; after them it is named as missing.
    """

    grace_days: int = Field(ge=0)


class MonitoringParameters(Typed):
    """Which months to monitor and what they are judged by.

    Attributes:
        months: Which months to score: ``pending`` (all that wait), ``next`` (the first of them), or a range
            such as ``2024-02:2024-05``.
        expect: What should be there by the calendar; without it a month is missed only where a later one has
            come.
        fail_on: The outcome of the newest month that makes the run fail; ``insufficient_evidence`` includes
            alarms.
        alerts: What is told, and to whom.
        policy: What months are judged by, the same in every environment.
    """

    months: Annotated[str, AfterValidator(check_choice)] = "pending"
    expect: Expectation | None = None
    fail_on: Literal["alarm", "insufficient_evidence"] | None = None
    alerts: AlertParameters = AlertParameters()
    policy: MonitoringPolicy

    def fails(self, outcome: str) -> bool:
        """Say whether a newest month of this outcome makes the run fail."""
        return self.fail_on is not None and outcome in ("alarm", self.fail_on)

    def choose(self, waiting: Sequence[str]) -> tuple[str, ...]:
        """Return those of the waiting months that this run may score."""
        if self.months in ("pending", "next"):
            return tuple(waiting)
        first, _, last = self.months.partition(":")
        return tuple(month for month in waiting if first <= month <= (last or first))


JUDGED_BY = {
    name: f"params:{name}" for name in ("training", "fairness", "mitigation", "monitoring", "policy", "proxies")
}
"""Where :func:`note_policy` gets its groups from."""


def keep_parameters(
    training: TrainingParameters,
    fairness: FairnessParameters,
    mitigation: MitigationParameters,
    statements: Statements,
    policy: Policy,
    proxies: ProxyPolicy,
) -> dict[str, Any]:
    """Write down what a training was told, so that it can be replayed (`rai_kedro.pipelines.training.replay`)."""
    groups = {
        "training": training,
        "fairness": fairness,
        "mitigation": mitigation,
        "statements": statements,
        "policy": policy,
        "proxies": proxies,
    }
    return {name: group.to_dict() for name, group in groups.items()}


def note_policy(
    contract: Contract,
    training: TrainingParameters,
    fairness: FairnessParameters,
    mitigation: MitigationParameters,
    monitoring: MonitoringParameters,
    policy: Policy,
    proxies: ProxyPolicy,
) -> dict[str, Any]:
    """Say what a version is judged by: training keeps it with the version, every inference holds it against today's.

    Both begin here, so both refuse a justification that has expired or holds for longer than the policy allows.
    """
    check_justifications(contract, most_days=policy.justification_lasts_days)
    groups = {
        "training": training,
        "fairness": fairness,
        "mitigation": mitigation,
        "monitoring": monitoring,
        "policy": policy,
        "proxies": proxies,
    }
    return state_policy({name: group.to_dict() for name, group in groups.items()}, contract.to_dict())
