"""Nodes of the training stage that show what was measured: figures, the mitigation page, and the model card."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import pandas as pd

from rai_kedro import report
from rai_kedro.contract import SensitiveRead, build_register, sensitive_columns
from rai_kedro.explanation import Explanation
from rai_kedro.fairness import Assessment, GateDecision
from rai_kedro.hooks.carbon import NOT_MEASURED
from rai_kedro.mitigation import Comparison, Uncompared, describe_model
from rai_kedro.modelling import ModelSplit, build_estimator, is_unseen, sensitive_input
from rai_kedro.performance import Figure
from rai_kedro.pipelines.training.nodes import Given, Measured, Reads, count_left_out, name_groups
from rai_kedro.pipelines.training.settings import Settings
from rai_kedro.policy import GateReport
from rai_kedro.proxies import ProxyReport
from rai_kedro.questionnaire import AnswersError, check_consistency, follow, load_tree, recommend
from rai_kedro.release import RegisteredVersion

_log = logging.getLogger(__name__)


def draw_figures(
    split: ModelSplit,
    predictions: dict[str, pd.DataFrame],
    fairness_assessment: dict[str, Any],
    mitigation_comparison: dict[str, Any],
    proxy_report: dict[str, Any],
    explanation: dict[str, Any],
    audit_test: pd.DataFrame,
    settings: Settings,
) -> dict[str, Any]:
    """Draw every figure of the run by name: of the model, of the groups, and of the mitigations that were compared."""
    training = settings.training
    shown = "score" if "score" in predictions["test"] else "prediction"
    target = pd.concat([split.target_train, split.target_test])
    names = ["train"] * len(split.target_train) + ["test"] * len(split.target_test)
    predicted = pd.concat([predictions["train"][shown], predictions["test"][shown]])
    if training.task == "classification":
        against = report.draw_roc(split.target_test, predictions["test"][shown])
    else:
        against = report.draw_predictions(split.target_test, predictions["test"]["prediction"], unit=training.unit)
    drawn = {
        "residuals": report.draw_residuals(target, predicted, names, unit=training.unit),
        "predictions": against,
        "groups": report.draw_groups(Assessment.from_dict(fairness_assessment), unit=training.unit),
    }
    drawn |= report.draw_mitigation(mitigation_comparison, favourable=training.target)
    drawn["proxies"] = report.draw_proxies(ProxyReport.from_dict(proxy_report))
    if "drivers" in explanation:
        drawn["responses"] = report.draw_responses(Explanation.from_dict(explanation))
    return drawn | _draw_errors(split, predictions["test"], audit_test, settings)


def _draw_errors(
    split: ModelSplit, predicted: pd.DataFrame, audit_test: pd.DataFrame, settings: Settings
) -> dict[str, Any]:
    """Draw where a model errs: of a classifier by score, group and threshold, of a regression by predicted level."""
    target, unit = split.target_test, settings.training.unit
    if settings.training.task != "classification":
        return {"error_levels": report.draw_error_levels(target, predicted["prediction"], unit=unit)}
    if "score" not in predicted:  # decisions made elsewhere, without a probability
        return {}
    return {
        "calibration": report.draw_calibration(target, predicted["score"], name_groups(audit_test, settings)),
        "thresholds": report.draw_thresholds(target, predicted["score"]),
    }


def write_mitigation_page(mitigation_comparison: dict[str, Any], figures: Mapping[str, Any], settings: Settings) -> str:
    """Show the comparison to people: the recipe's five figures, the trade-off, and all models."""
    return report.render_mitigation_page(mitigation_comparison, figures, use_case=settings.contract.use_case)


def record_sensitive_reads(
    lane_reads: Reads,
    reference_reads: Reads,
    digest_reads: Reads,
    guarded_columns: pd.DataFrame,
    fairness_assessment: dict[str, Any],
    compared: Comparison | Uncompared,
    split: ModelSplit,
    audit_test: pd.DataFrame,
    reference: pd.DataFrame,
    settings: Settings,
) -> Reads:
    """Record which sensitive columns this training read: what each step loaded, and what it then did with them.

    What was loaded was noted by the stores; what was done is told by what came out, not by what was configured.
    """
    assessment = Assessment.from_dict(fairness_assessment)
    grouped = {table.column for table in assessment.tables}
    assessed = {name for one in settings.fairness.groupings if one.name in grouped for name in one.columns}
    if assessment.ll144 is not None and settings.fairness.ll144 is not None:
        assessed |= {settings.fairness.ll144.sex, settings.fairness.ll144.race}
    audited = {*map(str, audit_test)}
    mitigated = {compared.by.column} if isinstance(compared, Comparison) else set()
    fitted = {str(split.target_train.name), *map(str, split.features_train.columns)}
    months, referred = _months_of(lane_reads), _months_of(reference_reads)
    test = len(split.target_test)
    rows, kept = len(split.target_train) + test, referred or months
    guarded = {*map(str, guarded_columns)}
    uses: dict[str, tuple[str, set[str], tuple[str, ...], int]] = {
        "fit_model": ("input or label of the model", fitted, months, rows),
        "compare_mitigations": ("mitigated for, and compared by", mitigated, months, rows),
        "assess_fairness": ("groups that are compared on the test rows", assessed, months, test),
        "explain_model": ("groups and slices in which the model is explained", assessed | audited, months, test),
        "measure_proxies": ("predicted from the model's columns, to find proxies", guarded, months, rows - test),
        "choose_reference": ("kept with the version, for later months", {*map(str, reference)}, kept, len(reference)),
    }
    done = [
        SensitiveRead.of(store, name, step=f"training.{node}", purpose=purpose, months=read, rows=count).to_dict()
        for store in settings.contract.datasets.values()
        for name in sensitive_columns(store)
        for node, (purpose, columns, read, count) in uses.items()
        if name in columns
    ]
    return [*lane_reads, *reference_reads, *digest_reads, *done]


def _months_of(reads: Reads) -> tuple[str, ...]:
    return tuple(sorted({month for one in reads for month in one["months"]}))


def write_card(
    version: RegisteredVersion,
    model: Any,
    measured: Measured,
    mitigation_comparison: dict[str, Any],
    sensitive_reads: Reads,
    figures: Mapping[str, Any],
    row_repeats: list[str],
    given: Given,
    settings: Settings,
) -> report.CardWithFigures:
    """Write down what a reviewer has to know of the version that was just registered."""
    card = _compose_card(version, model, measured, mitigation_comparison, settings)
    reads = tuple(map(SensitiveRead.from_dict, sensitive_reads))
    left_out = count_left_out(measured.split, settings.training, beside=sensitive_input(model))
    data = card.data.model_copy(update={"repeats": tuple(row_repeats), "left_out": left_out})
    card = card.model_copy(update={"sensitive_reads": reads, "data": data, "unseen": given.notes})
    use_case = settings.contract.use_case
    for message in card.questionnaire.contradictions:
        _log.warning("The fairness metrics of %s contradict the recorded answers: %s.", use_case, message)
    # A figure without data says why it has none; on the card its place is better left out.
    return report.CardWithFigures(card, {name: figure for name, figure in figures.items() if figure.data})


def _compose_card(
    version: RegisteredVersion, model: Any, measured: Measured, comparison: dict[str, Any], settings: Settings
) -> report.ModelCard:
    """Compose the card of a version; its model need not be the one that was configured."""
    contract, training, statements, store = settings.contract, settings.training, settings.statements, settings.features
    mitigation, split = report.read_comparison(comparison), measured.split
    register = build_register(contract, split.features_train.columns.tolist(), training.target)
    carbon = measured.training_carbon or {"training": {"reason": NOT_MEASURED}}
    return report.build_model_card(
        report.ModelCard(
            identity=report.Identity(
                use_case=contract.use_case,
                model_name=statements.model_name,
                version=version.version,
                run_id=version.run_id,
                created_at=version.created_at,
                purpose=store.purpose,
                owner=store.owner,
            ),
            estimator=report.describe_fitted(model),
            uses=report.Uses(intended=(statements.intended_use,), out_of_scope=(statements.out_of_scope_use,)),
            data=report.TrainingData(
                stores=tuple(dataset.dataset for dataset in contract.datasets.values()),
                month=training.period,
                rows_train=len(split.target_train),
                rows_test=len(split.target_test),
                fingerprint=measured.data_fingerprint,
                git_commit=version.git_commit,
            ),
            columns=tuple(register),
            performance=tuple(map(Figure.from_dict, measured.performance)),
            fairness=report.FairnessRecord(
                assessment=Assessment.from_dict(measured.fairness_assessment),
                gate=GateDecision.from_dict(measured.fairness_gate),
                level=settings.fairness.level,
                unit=training.unit,
            ),
            questionnaire=record_questionnaire(settings),
            mitigation=mitigation,
            why_unmitigated="" if mitigation else comparison["reason"],
            carbon=tuple(report.CarbonFigure(task=task, **record) for task, record in carbon.items()),
            limits=statements.limits,
            gates=GateReport.from_dict(measured.release_gates),
            plan=measured.look if measured.look.number else None,
            proxies=ProxyReport.from_dict(measured.proxy_report),
            unread=tuple(f"{one.dataset}: {one.unread}" for one in contract.datasets.values() if one.unread),
            explanation=Explanation.from_dict(measured.explanation) if "drivers" in measured.explanation else None,
        )
    )


def record_questionnaire(settings: Settings) -> report.QuestionnaireRecord:
    """Record the answers, where the configured metrics contradict them, and the methods for these metrics."""
    fairness, training = settings.fairness, settings.training
    outcome = None
    if fairness.questionnaire:
        with suppress(AnswersError):  # answers that lead nowhere are a finding
            outcome = follow(load_tree(), {step.question: step.answer for step in fairness.questionnaire})
    estimator = build_estimator(training.estimator, training.allowed_modules)
    at_hand = describe_model(estimator, settings.features, on=settings.contract.as_of)
    asked = () if outcome is None or is_unseen(estimator) else outcome.metrics
    return report.QuestionnaireRecord(
        metrics=fairness.metrics,
        path=fairness.questionnaire,
        findings=tuple(check_consistency(fairness.questionnaire, fairness.metrics)),
        notes=() if outcome is None else outcome.notes,
        methods=tuple(recommend(asked, at_hand)),
    )
