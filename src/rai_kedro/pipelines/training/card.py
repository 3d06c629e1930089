"""Building the model card from what the training stage measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rai_kedro.contract.columns import Contract
from rai_kedro.contract.register import build_register
from rai_kedro.fairness.assessment import Assessment
from rai_kedro.fairness.verdicts import GateDecision
from rai_kedro.hooks.carbon import NOT_MEASURED
from rai_kedro.modelling.split import ModelSplit
from rai_kedro.pipelines.training.parameters import FairnessParameters, Statements, TrainingParameters
from rai_kedro.pipelines.training.questionnaire import record_questionnaire
from rai_kedro.report.card_contents import (
    CarbonFigure,
    Estimate,
    FairnessRecord,
    Identity,
    ModelCard,
    TrainingData,
    Uses,
)
from rai_kedro.report.card_mitigation import read_comparison
from rai_kedro.report.fitted_model import describe_fitted
from rai_kedro.report.model_card import CardParts, build_model_card

if TYPE_CHECKING:
    from rai_kedro.release.versions import RegisteredVersion

_PACKAGES = (
    "rai-kedro",
    "scikit-learn",
    "pandas",
    "numpy",
    "mlflow",
    "kedro",
    "kedro-mlflow",
    "skops",
    "codecarbon",
)


@dataclass(frozen=True)
class Registered:
    """What was registered: the version, its fitted model, and the rows with the columns that reached it."""

    version: RegisteredVersion
    model: Any
    split: ModelSplit
    data_fingerprint: str


@dataclass(frozen=True)
class Configured:
    """What was configured by people: the column contract, the parameters and the statements."""

    contract: Contract
    training: TrainingParameters
    fairness: FairnessParameters
    statements: Statements


@dataclass(frozen=True)
class Measured:
    """What the run measured, as stored in the reports: assessment, gate and comparison as plain values."""

    performance: list[dict[str, Any]]
    assessment: dict[str, Any]
    gate: dict[str, Any]
    comparison: dict[str, Any]
    carbon: dict[str, Any]


def compose_card(registered: Registered, configured: Configured, measured: Measured) -> ModelCard:
    """Compose the card of a version that was just registered.

    Args:
        registered: The version and its model, which need not be the one that was configured.
        configured: What people configured.
        measured: What the run measured.
    """
    version, split = registered.version, registered.split
    contract, training, statements = configured.contract, configured.training, configured.statements
    store = contract.datasets["feature_store"]
    mitigation = read_comparison(measured.comparison)
    register = build_register(contract, split.features_train.columns.tolist(), training.target)
    return build_model_card(
        CardParts(
            identity=Identity(
                use_case=contract.use_case,
                model_name=statements.model_name,
                version=version.version,
                run_id=version.run_id,
                created_at=version.created_at,
                purpose=store.purpose,
                owner=store.owner,
            ),
            estimator=describe_fitted(registered.model),
            uses=Uses(intended=(statements.intended_use,), out_of_scope=(statements.out_of_scope_use,)),
            data=TrainingData(
                stores=tuple(dataset.dataset for dataset in contract.datasets.values()),
                month=training.period,
                rows_train=len(split.target_train),
                rows_test=len(split.target_test),
                fingerprint=registered.data_fingerprint,
                git_commit=version.git_commit,
            ),
            register=[row.to_dict() for row in register],
            performance=[Estimate(**estimate) for estimate in measured.performance],
            fairness=_fairness_record(configured, measured),
            questionnaire=record_questionnaire(configured.fairness, contract, training),
            mitigation=mitigation,
            why_unmitigated="" if mitigation else measured.comparison["reason"],
            carbon=_carbon_figures(measured.carbon),
            limits=statements.limits,
            packages=_PACKAGES,
        )
    )


def _fairness_record(configured: Configured, measured: Measured) -> FairnessRecord:
    return FairnessRecord(
        assessment=Assessment.from_dict(measured.assessment),
        gate=GateDecision.from_dict(measured.gate),
        level=configured.fairness.level,
        unit=configured.training.unit,
    )


def _carbon_figures(carbon: dict[str, Any]) -> tuple[CarbonFigure, ...]:
    records = carbon or {"training": {"reason": NOT_MEASURED}}
    return tuple(CarbonFigure(task=task, **record) for task, record in records.items())
