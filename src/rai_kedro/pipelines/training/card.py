"""Building the model card from what the training stage measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rai_kedro.catalogue.contract import Contract
from rai_kedro.catalogue.register import build_register
from rai_kedro.modelling.split import ModelSplit
from rai_kedro.pipelines.training.parameters import Statements, TrainingParameters
from rai_kedro.reporting.card_contents import (
    CarbonFigure,
    Estimate,
    Estimator,
    GapEstimate,
    GroupValue,
    Identity,
    ModelCard,
    TrainingData,
    Uses,
)
from rai_kedro.reporting.model_card import CardParts, build_model_card

if TYPE_CHECKING:
    from rai_kedro.registry.versions import RegisteredVersion

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
# What the figure of a group is, by metric; shares have no unit, an error has that of the label.
_SHARES = {
    "demographic parity difference": "share with the favourable prediction",
    "error rate gap": "share decided wrongly",
}
_NOT_MEASURED = "the carbon hook did not run for this task (some runners skip hooks of nodes)"


@dataclass(frozen=True)
class Configured:
    """What was configured by people: the column contract, the training parameters and the statements."""

    contract: Contract
    training: TrainingParameters
    statements: Statements


@dataclass(frozen=True)
class Measured:
    """What the run measured: performance, fairness and carbon as stored in the reports."""

    performance: list[dict[str, Any]]
    fairness: list[dict[str, Any]]
    carbon: dict[str, Any]


def compose_card(
    version: RegisteredVersion,
    split: ModelSplit,
    data_fingerprint: str,
    configured: Configured,
    measured: Measured,
) -> ModelCard:
    """Compose the card of a version that was just registered."""
    contract, training, statements = configured.contract, configured.training, configured.statements
    store = contract.datasets["feature_store"]
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
            estimator=Estimator(training.estimator.class_path, training.estimator.params),
            uses=Uses(intended=(statements.intended_use,), out_of_scope=(statements.out_of_scope_use,)),
            data=TrainingData(
                stores=tuple(dataset.dataset for dataset in contract.datasets.values()),
                month=training.month,
                rows_train=len(split.target_train),
                rows_test=len(split.target_test),
                fingerprint=data_fingerprint,
                git_commit=version.git_commit,
            ),
            register=[row.to_dict() for row in register],
            performance=[Estimate(**estimate) for estimate in measured.performance],
            fairness=gap_estimates(measured.fairness, training.unit),
            carbon=_carbon_figures(measured.carbon),
            limits=statements.limits,
            packages=_PACKAGES,
        )
    )


def gap_estimates(fairness: list[dict[str, Any]], unit: str) -> list[GapEstimate]:
    """Put stored gaps into the card's words; a parity gap is a share, any other has the label's unit."""
    return [_gap_estimate(gap, "" if gap["metric"] in _SHARES else unit) for gap in fairness]


def _gap_estimate(gap: dict[str, Any], unit: str) -> GapEstimate:
    return GapEstimate(
        metric=gap["metric"],
        column=gap["column"],
        grouping=gap["rule"],
        groups=tuple(GroupValue(**group) for group in gap["groups"]),
        gap=Estimate(
            name=gap["metric"],
            split="test",
            value=gap["value"],
            lower=gap["lower"],
            upper=gap["upper"],
            level=gap["level"],
            unit=unit,
            method=gap["method"],
            note="" if gap["value"] is not None else "fewer than two groups",
        ),
        measured=_SHARES.get(gap["metric"], "mean absolute error"),
    )


def _carbon_figures(carbon: dict[str, Any]) -> tuple[CarbonFigure, ...]:
    records = carbon or {"training": {"reason": _NOT_MEASURED}}
    return tuple(CarbonFigure(task=task, **record) for task, record in records.items())
