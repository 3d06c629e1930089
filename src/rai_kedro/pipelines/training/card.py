"""The model card of a version, composed of what was configured and what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rai_kedro.contract import build_register
from rai_kedro.fairness import Assessment, GateDecision
from rai_kedro.hooks.carbon import NOT_MEASURED
from rai_kedro.mitigation import describe_model
from rai_kedro.modelling import build_estimator
from rai_kedro.performance import Figure
from rai_kedro.pipelines.training.nodes import Measured
from rai_kedro.pipelines.training.parameters import FairnessParameters
from rai_kedro.pipelines.training.settings import Settings
from rai_kedro.questionnaire import AnswersError, Outcome, check_consistency, follow, load_tree, recommend
from rai_kedro.report import (
    CarbonFigure,
    FairnessRecord,
    Identity,
    ModelCard,
    QuestionnaireRecord,
    TrainingData,
    Uses,
    build_model_card,
    describe_fitted,
    read_comparison,
)

if TYPE_CHECKING:
    from rai_kedro.release import RegisteredVersion


def compose_card(
    version: RegisteredVersion, model: Any, measured: Measured, comparison: dict[str, Any], settings: Settings
) -> ModelCard:
    """Compose the card of a version that was just registered.

    Args:
        version: The version.
        model: Its fitted model, which need not be the one that was configured.
        measured: What the run measured.
        comparison: The comparison of mitigations as plain values, with what is known of the true need.
        settings: What people configured.
    """
    contract, training, statements, store = settings.contract, settings.training, settings.statements, settings.features
    mitigation = read_comparison(comparison)
    split = measured.split
    register = build_register(contract, split.features_train.columns.tolist(), training.target)
    carbon = measured.training_carbon or {"training": {"reason": NOT_MEASURED}}
    return build_model_card(
        ModelCard(
            identity=Identity(
                use_case=contract.use_case,
                model_name=statements.model_name,
                version=version.version,
                run_id=version.run_id,
                created_at=version.created_at,
                purpose=store.purpose,
                owner=store.owner,
            ),
            estimator=describe_fitted(model),
            uses=Uses(intended=(statements.intended_use,), out_of_scope=(statements.out_of_scope_use,)),
            data=TrainingData(
                stores=tuple(dataset.dataset for dataset in contract.datasets.values()),
                month=training.period,
                rows_train=len(split.target_train),
                rows_test=len(split.target_test),
                fingerprint=measured.data_fingerprint,
                git_commit=version.git_commit,
            ),
            columns=tuple(register),
            performance=tuple(map(Figure.from_dict, measured.performance)),
            fairness=FairnessRecord(
                assessment=Assessment.from_dict(measured.fairness_assessment),
                gate=GateDecision.from_dict(measured.fairness_gate),
                level=settings.fairness.level,
                unit=training.unit,
            ),
            questionnaire=record_questionnaire(settings),
            mitigation=mitigation,
            why_unmitigated="" if mitigation else comparison["reason"],
            carbon=tuple(CarbonFigure(task=task, **record) for task, record in carbon.items()),
            limits=statements.limits,
        )
    )


def record_questionnaire(settings: Settings) -> QuestionnaireRecord:
    """Record the answers, where the configured metrics contradict them, and the methods for these metrics.

    Returns:
        The record; without answers it holds the metrics and the finding that nobody answered.
    """
    fairness, training = settings.fairness, settings.training
    outcome = _follow(fairness)
    estimator = build_estimator(training.estimator, training.allowed_modules)
    at_hand = describe_model(estimator, settings.features, on=settings.contract.as_of)
    return QuestionnaireRecord(
        metrics=fairness.metrics,
        path=fairness.questionnaire,
        findings=tuple(check_consistency(fairness.questionnaire, fairness.metrics)),
        notes=() if outcome is None else outcome.notes,
        methods=() if outcome is None else tuple(recommend(outcome.metrics, at_hand)),
    )


def _follow(fairness: FairnessParameters) -> Outcome | None:
    """Return where the answers lead; None where there are none, or they lead nowhere (which is a finding)."""
    if not fairness.questionnaire:
        return None
    try:
        return follow(load_tree(), {step.question: step.answer for step in fairness.questionnaire})
    except AnswersError:
        return None
