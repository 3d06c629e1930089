"""Nodes of the training stage that show what was measured: figures, the mitigation page, and the model card."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pandas as pd

from rai_kedro.modelling import ModelSplit
from rai_kedro.pipelines.training.card import compose_card
from rai_kedro.pipelines.training.nodes import Measured
from rai_kedro.pipelines.training.settings import Settings
from rai_kedro.release import RegisteredVersion
from rai_kedro.report import CardWithFigures

_log = logging.getLogger(__name__)


def draw_figures(
    split: ModelSplit,
    predictions: dict[str, pd.DataFrame],
    fairness_assessment: dict[str, Any],
    mitigation_comparison: dict[str, Any],
    settings: Settings,
) -> dict[str, Any]:
    """Draw every figure of the run by name: of the model, of the groups, and of the mitigations that were compared."""
    from rai_kedro.fairness import Assessment
    from rai_kedro.report import draw_groups, draw_mitigation, draw_predictions, draw_residuals, draw_roc

    training = settings.training
    shown = "score" if training.task == "classification" else "prediction"
    target = pd.concat([split.target_train, split.target_test])
    names = ["train"] * len(split.target_train) + ["test"] * len(split.target_test)
    predicted = pd.concat([predictions["train"][shown], predictions["test"][shown]])
    if training.task == "classification":
        against = draw_roc(split.target_test, predictions["test"]["score"])
    else:
        against = draw_predictions(split.target_test, predictions["test"]["prediction"], unit=training.unit)
    return {
        "residuals": draw_residuals(target, predicted, names, unit=training.unit),
        "predictions": against,
        "groups": draw_groups(Assessment.from_dict(fairness_assessment), unit=training.unit),
    } | draw_mitigation(mitigation_comparison, favourable=training.target)


def write_mitigation_page(mitigation_comparison: dict[str, Any], figures: Mapping[str, Any], settings: Settings) -> str:
    """Show the comparison to people: the recipe's five figures, the trade-off, and all models."""
    from rai_kedro.report import render_mitigation_page

    return render_mitigation_page(mitigation_comparison, figures, use_case=settings.contract.use_case)


def write_card(
    version: RegisteredVersion,
    model: Any,
    measured: Measured,
    mitigation_comparison: dict[str, Any],
    figures: Mapping[str, Any],
    settings: Settings,
) -> CardWithFigures:
    """Write down what a reviewer has to know of the version that was just registered."""
    card = compose_card(version, model, measured, mitigation_comparison, settings)
    use_case = settings.contract.use_case
    for message in card.questionnaire.contradictions:
        _log.warning("The fairness metrics of %s contradict the recorded answers: %s.", use_case, message)
    # A figure without data says why it has none; on the card its place is better left out.
    return CardWithFigures(card, {name: figure for name, figure in figures.items() if figure.data})
