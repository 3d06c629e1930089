"""Everything that people configure for a training, checked against itself before anything is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd

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
    GroupingError,
    MetricError,
    check_columns,
    check_request,
)
from rai_kedro.mitigation import ComparisonRequest, MitigationError, Repeats, check_comparison
from rai_kedro.modelling import (
    ModellingError,
    NoSplit,
    build_estimator,
    check_split,
    is_unseen,
    require_host,
    require_task,
)
from rai_kedro.pipelines.parameters import FairnessParameters, MitigationParameters, Statements, TrainingParameters
from rai_kedro.proxies import ProxyPolicy

_USUAL_PROXIES = ProxyPolicy()


@dataclass(frozen=True)
class Settings:
    """The column contract and all parameters of the stage, as its nodes hand them on."""

    contract: Contract
    training: TrainingParameters
    fairness: FairnessParameters
    mitigation: MitigationParameters
    statements: Statements
    proxies: ProxyPolicy = _USUAL_PROXIES

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
        columns = [name for name, one in store.columns.items() if name in audited or (one.flags and name in used)]
        return [*columns, *store.sampling]

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
def check_settings(  # noqa: PLR0913, PLR0917 - one argument for each section of the file
    contract: Contract,
    training: TrainingParameters,
    fairness: FairnessParameters,
    mitigation: MitigationParameters,
    statements: Statements,
    proxies: ProxyPolicy = _USUAL_PROXIES,
) -> Settings:
    """Check that contract, estimator, metrics, tolerances and mitigations agree, without a look at any row."""
    _refuse_draft(contract)
    store = contract.datasets["feature_store"]
    training, fairness = training.keep_units_together(store.unit), fairness.sampled_as(store.unit, store.weight)
    settings = Settings(contract, training, fairness, mitigation, statements, proxies)
    estimator = build_estimator(training.estimator, training.allowed_modules)
    require_task(estimator, training.task)
    require_host(estimator, training.allowed_hosts)
    _require_unseen(estimator, settings)
    columns = [*settings.features.identifiers, *settings.features.sampling, *settings.features.columns]
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


def _require_unseen(estimator: Any, settings: Settings) -> None:
    """Refuse decisions made elsewhere as the features of an estimator, and whatever fits or changes such a model."""
    training, store, unseen = settings.training, settings.features, is_unseen(estimator)
    made = getattr(estimator, "made_elsewhere", ())
    asked = training.features if training.features is not None else store.with_use("model")
    declared = [name for name in asked if name in store.columns and store.columns[name].use == "decision"]
    faults = {
        f"'split: {{by: none}}' goes with predictions made elsewhere, and only with these: {training.split.by}": (
            "split",
            isinstance(training.split, NoSplit) != unseen,
        ),
        f"what is read as made elsewhere ({', '.join(made) or 'nothing'}) is not what the features have of use "
        f"'decision' ({', '.join(declared) or 'nothing'})": ("features", set(made) != set(declared)),
        f"the model reads a column that is not among its features ({', '.join(asked)})": (
            "features",
            not set(getattr(estimator, "reads", ())) <= set(asked),
        ),
        "a 'preparation' would change what was decided elsewhere": (
            "preparation",
            unseen and training.preparation is not None,
        ),
    }
    for what, (key, applies) in faults.items():
        if applies:
            raise ModellingError(
                f"The model and its columns do not fit together: {what}.",
                where=key,
                remedy="name under 'features' the columns that the reading names, give each 'use: decision' in the "
                "catalogue (docs/bring_your_own_data.md); an estimator that is fitted takes none of that use",
            )
    if unseen and settings.mitigation.sensitive_column is not None:
        raise MitigationError(
            "Nothing can be mitigated in a model that was made elsewhere.",
            where="parameters.yml, mitigation.sensitive_column",
            remedy="set it to null; what is found goes to those who made the decisions",
        )


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
        repeats=Repeats(mitigation.splits, mitigation.must_hold, training.random_state),
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
