"""Why these metrics: the recorded answers, whether the metrics agree with them, and what mitigates them."""

from __future__ import annotations

from rai_kedro.contract.columns import Contract
from rai_kedro.mitigation.model_at_hand import describe_model
from rai_kedro.modelling.estimator import build_estimator
from rai_kedro.pipelines.training.parameters import FairnessParameters, TrainingParameters
from rai_kedro.questionnaire.mapping import recommend
from rai_kedro.questionnaire.selection import AnswersError, Outcome, check_consistency, follow, load_tree
from rai_kedro.report.card_contents import QuestionnaireRecord


def record_questionnaire(
    fairness: FairnessParameters, contract: Contract, training: TrainingParameters
) -> QuestionnaireRecord:
    """Record the answers, where the configured metrics contradict them, and the methods for these metrics.

    Args:
        fairness: Metrics and answers as configured.
        contract: Says which sensitive columns a mitigation may read.
        training: Says which model the methods have to fit.

    Returns:
        The record; without answers it holds the metrics and the finding that nobody answered.
    """
    outcome = _follow(fairness)
    estimator, store = build_estimator(training.estimator, training.allowed_modules), contract.datasets["feature_store"]
    at_hand = describe_model(estimator, store, on=contract.as_of)
    methods = () if outcome is None else tuple(recommend(outcome.metrics, at_hand))
    return QuestionnaireRecord(
        metrics=fairness.metrics,
        path=fairness.questionnaire,
        findings=tuple(check_consistency(fairness.questionnaire, fairness.metrics)),
        notes=() if outcome is None else outcome.notes,
        methods=methods,
    )


def _follow(fairness: FairnessParameters) -> Outcome | None:
    """Return where the answers lead; None where there are none, or they lead nowhere (which is a finding)."""
    if not fairness.questionnaire:
        return None
    try:
        return follow(load_tree(), {step.question: step.answer for step in fairness.questionnaire})
    except AnswersError:
        return None
