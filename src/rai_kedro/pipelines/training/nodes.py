"""Adapters of the training stage."""

from __future__ import annotations

import logging
import re
from dataclasses import asdict
from typing import Any

import pandas as pd

from rai_kedro.contract.columns import Contract
from rai_kedro.contract.drafting import refuse_undecided
from rai_kedro.contract.fingerprint import fingerprint
from rai_kedro.contract.lanes import split_lanes
from rai_kedro.contract.pairing import pair_labels
from rai_kedro.frames import Series, Store
from rai_kedro.mitigation.comparison import Comparison, Uncompared
from rai_kedro.modelling.estimator import build_estimator, fit_estimator, require_task
from rai_kedro.modelling.prediction import predict_rows
from rai_kedro.modelling.split import ModelSplit, split_rows
from rai_kedro.pipelines.training.fitting import build_configured, choose_fitting_rows
from rai_kedro.pipelines.training.parameters import FairnessParameters, Statements, TrainingParameters
from rai_kedro.release.candidate import Candidate
from rai_kedro.release.model_files import require_storable
from rai_kedro.release.versions import RegisteredVersion
from rai_kedro.report.card_contents import CardWithFigures

_MODEL_REQUIREMENTS = ("scikit-learn", "pandas", "numpy", "skops")
_EXAMPLE_ROWS = 5
# MLflow takes letters, digits and these in the name of a metric; a column may have others in its name.
_METRIC_NAME = re.compile(r"[^/\w.\- :]")
_log = logging.getLogger(__name__)


def separate_lanes(
    feature_store: Store, label_store: Store, contract: Contract, parameters: TrainingParameters
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, Series, str]:
    """Let the months in: labelled rows only, split into model lane and audit lane by the contract.

    Returns:
        Model lane, audit lane, identifiers and target on one common index, and the fingerprint of lanes and target.
    """
    refuse_undecided(contract)
    lanes, targets = [], []
    for month in parameters.months:
        features, labels = pair_labels(feature_store, label_store, contract, month, parameters.target)
        store, part = contract.datasets["feature_store"], f"month={month}"
        lanes.append(split_lanes(features, store, on=contract.as_of, features=parameters.features, part=part))
        targets.append(labels[parameters.target])
    model, audit, identifiers = (
        pd.concat([getattr(one, name) for one in lanes], ignore_index=True)
        for name in ("model", "audit", "identifiers")
    )
    target = pd.concat(targets, ignore_index=True)
    return model, audit, identifiers, target, fingerprint(model, audit, target.to_frame())


def split_months(
    model_lane: pd.DataFrame, audit_lane: pd.DataFrame, target: Series, parameters: TrainingParameters
) -> tuple[ModelSplit, pd.DataFrame, pd.DataFrame]:
    """Split the rows into train and test, the audit lane along with them."""
    split = split_rows(model_lane, target, test_size=parameters.test_size, random_state=parameters.random_state)
    return split, audit_lane.loc[split.target_train.index], audit_lane.loc[split.target_test.index]


def fit_model(split: ModelSplit, contract: Contract, parameters: TrainingParameters) -> Any:
    """Fit the configured estimator on the model lane, behind its preparation where one is configured.

    What could not be stored later is refused here, before anything of this run is written.
    """
    estimator = build_estimator(parameters.estimator, parameters.allowed_modules)
    require_task(estimator, parameters.task)
    model = build_configured(estimator, split.features_train, contract, parameters)
    rows = choose_fitting_rows(split, parameters)
    fitted = fit_estimator(model, split.features_train.iloc[rows], split.target_train.iloc[rows])
    require_storable(fitted)
    return fitted


def predict_splits(model: Any, split: ModelSplit) -> dict[str, pd.DataFrame]:
    """Predict train and test rows: ``prediction``, and ``score`` where the model gives one."""
    return {"train": predict_rows(model, split.features_train), "test": predict_rows(model, split.features_test)}


def assess_performance(
    split: ModelSplit, predictions: dict[str, pd.DataFrame], parameters: TrainingParameters
) -> list[dict[str, Any]]:
    """Measure how good the predictions of both splits are, each figure with its interval."""
    from rai_kedro.performance.classification import measure_classification
    from rai_kedro.performance.regression import label_estimates, measure_performance

    estimates = []
    for name, target in {"train": split.target_train, "test": split.target_test}.items():
        predicted, level = predictions[name], parameters.interval_level
        if parameters.task == "classification":
            estimates += measure_classification(
                target, predicted["prediction"], predicted["score"], split=name, level=level
            )
            continue
        measured = measure_performance(target, predicted["prediction"], level=level)
        estimates += label_estimates(measured, split=name, unit=parameters.unit)
    return [asdict(estimate) for estimate in estimates]


def assess_fairness(
    split: ModelSplit,
    audit_test: pd.DataFrame,
    predictions: dict[str, pd.DataFrame],
    compared: Comparison | Uncompared,
    parameters: TrainingParameters,
    fairness: FairnessParameters,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure every configured metric on the test rows, and let the gate judge the intervals.

    Where the model was chosen among several by these very rows, the intervals allow for that.
    """
    from rai_kedro.fairness.assessment import examine_classification, examine_regression

    fairness, predicted = fairness.after_choice(compared.selectable), predictions["test"]
    if parameters.task == "classification":
        found = examine_classification(
            split.target_test, predicted["prediction"], predicted["score"], audit_test, fairness
        )
    else:
        found = examine_regression(split.target_test, predicted["prediction"], audit_test, fairness)
    return found.to_dict(), fairness.gate.judge(found.disparities).to_dict()


def collect_metrics(
    performance: list[dict[str, Any]], fairness_assessment: dict[str, Any]
) -> dict[str, dict[str, float]]:
    """Put every figure and both ends of its interval into MLflow's form; what is not defined has none."""
    named = {f"{e['split']}.{e['name']}": e for e in performance}
    named |= {f"fairness.{d['column']}.{d['metric']}.{d['kind']}": d for d in fairness_assessment["disparities"]}
    return {
        _METRIC_NAME.sub("_", f"{name}{suffix}"): {"value": float(figure[part]), "step": 0}
        for name, figure in named.items()
        for part, suffix in (("value", ""), ("lower", ".lower"), ("upper", ".upper"))
        if figure[part] is not None
    }


def draw_figures(
    split: ModelSplit,
    predictions: dict[str, pd.DataFrame],
    fairness_assessment: dict[str, Any],
    parameters: TrainingParameters,
) -> tuple[Any, Any, Any]:
    """Draw the residuals of both splits, predictions against labels (ROC of a classifier), and each group's figures."""
    from rai_kedro.fairness.assessment import Assessment
    from rai_kedro.report.figures import draw_predictions, draw_residuals, draw_roc
    from rai_kedro.report.group_figure import draw_groups

    shown = "score" if parameters.task == "classification" else "prediction"
    target = pd.concat([split.target_train, split.target_test])
    names = ["train"] * len(split.target_train) + ["test"] * len(split.target_test)
    predicted = pd.concat([predictions["train"][shown], predictions["test"][shown]])
    if parameters.task == "classification":
        against = draw_roc(split.target_test, predictions["test"]["score"])
    else:
        against = draw_predictions(split.target_test, predictions["test"]["prediction"], unit=parameters.unit)
    residuals = draw_residuals(target, predicted, names, unit=parameters.unit)
    return residuals, against, draw_groups(Assessment.from_dict(fairness_assessment), unit=parameters.unit)


def assemble_candidate(
    model: Any,
    split: ModelSplit,
    audit_test: pd.DataFrame,
    predictions: dict[str, pd.DataFrame],
    data_fingerprint: str,
    performance: list[dict[str, Any]],
    fairness_gate: dict[str, Any],
    compared: Comparison | Uncompared,
    contract: Contract,
    parameters: TrainingParameters,
) -> Candidate:
    """Gather all that belongs to the version to be registered, its reference data included.

    Performance and the gate's decision are needed here so that nothing is registered before it was assessed.
    """
    from rai_kedro.report.model_card import collect_versions

    versions = collect_versions(_MODEL_REQUIREMENTS)
    example = split.features_test.head(_EXAMPLE_ROWS)
    audit_only = audit_test[[name for name in audit_test if name not in split.features_test]]
    reference = split.features_test.join(audit_only).assign(**{parameters.target: split.target_test})
    return Candidate(
        estimator=model,
        input_example=example,
        predictions=model.predict(example),
        training_frame=split.features_train.assign(**{parameters.target: split.target_train}),
        reference=reference.join(predictions["test"]),
        target=parameters.target,
        contract=contract.model_dump(mode="json"),
        tags={
            "rai.data_fingerprint": data_fingerprint,
            "rai.month": parameters.period,
            "rai.mitigation": compared.chosen,
            "rai.fairness_gate": str(fairness_gate["outcome"]),
            "rai.figures": str(len(performance)),
        },
        pip_requirements=tuple(f"{name}=={versions[name]}" for name in _MODEL_REQUIREMENTS),
        source=f"{contract.datasets['feature_store'].dataset}/month={parameters.period}",
    )


def write_card(
    candidate: RegisteredVersion,
    model: Any,
    split: ModelSplit,
    data_fingerprint: str,
    performance: list[dict[str, Any]],
    fairness_assessment: dict[str, Any],
    fairness_gate: dict[str, Any],
    mitigation_comparison: dict[str, Any],
    training_carbon: dict[str, Any],
    residual_figure: Any,
    prediction_figure: Any,
    group_figure: Any,
    mitigation_performance_figure: Any,
    roc_by_group_figure: Any,
    performance_and_fairness_figure: Any,
    predicted_shares_figure: Any,
    predicted_numbers_figure: Any,
    trade_off_figure: Any,
    contract: Contract,
    parameters: TrainingParameters,
    fairness: FairnessParameters,
    statements: Statements,
) -> CardWithFigures:
    """Write down what a reviewer has to know of the version that was just registered."""
    from rai_kedro.pipelines.training.card import Configured, Measured, Registered, compose_card

    card = compose_card(
        Registered(candidate, model, split, data_fingerprint),
        Configured(contract, parameters, fairness, statements),
        Measured(performance, fairness_assessment, fairness_gate, mitigation_comparison, training_carbon),
    )
    for message in card.questionnaire.contradictions:
        _log.warning("The fairness metrics of %s contradict the recorded answers: %s.", contract.use_case, message)
    shares = "What share" if parameters.task == "classification" else "Mean prediction"
    figures = {
        "Residuals": residual_figure,
        "ROC curve" if parameters.task == "classification" else "Predictions": prediction_figure,
        "Each group's figures; bars are intervals, n the rows behind a figure": group_figure,
    }
    if card.mitigation is not None:
        figures |= {
            "Every compared model; bars are intervals": trade_off_figure,
            "Performance; bars are intervals": mitigation_performance_figure,
            "Performance beside fairness; bars are intervals": performance_and_fairness_figure,
            "ROC curve of each group": roc_by_group_figure,
            f"{shares} of each group; bars are intervals": predicted_shares_figure,
            "How many of each group": predicted_numbers_figure,
        }
    # A figure without data says why it has none; on the card its place is better left out.
    return CardWithFigures(card, {caption: figure for caption, figure in figures.items() if figure.data})
