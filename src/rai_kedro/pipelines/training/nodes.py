"""Adapters of the training stage."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Any

import pandas as pd

from rai_kedro.catalogue.contract import NUMERIC_TYPES, Contract
from rai_kedro.catalogue.drafting import refuse_undecided
from rai_kedro.catalogue.fingerprint import fingerprint
from rai_kedro.catalogue.lanes import split_lanes
from rai_kedro.catalogue.pairing import pair_labels
from rai_kedro.frames import Series, Store
from rai_kedro.modelling.estimator import build_estimator, fit_estimator
from rai_kedro.modelling.prediction import predict_rows
from rai_kedro.modelling.split import ModelSplit, split_rows
from rai_kedro.pipelines.training.parameters import FairnessParameters, Statements, TrainingParameters
from rai_kedro.registry.candidate import Candidate
from rai_kedro.registry.versions import RegisteredVersion
from rai_kedro.reporting.card_contents import CardWithFigures

_MODEL_REQUIREMENTS = ("scikit-learn", "pandas", "numpy", "skops")
_EXAMPLE_ROWS = 5
# MLflow takes letters, digits and these in the name of a metric; a column may have others in its name.
_METRIC_NAME = re.compile(r"[^/\w.\- :]")


def separate_lanes(
    feature_store: Store, label_store: Store, contract: Contract, parameters: TrainingParameters
) -> tuple[pd.DataFrame, pd.DataFrame, Series, str]:
    """Let one month in: labelled rows only, split into model lane and audit lane by the contract.

    Returns:
        Model lane, audit lane and target on one common index, and the fingerprint of all three.
    """
    refuse_undecided(contract)
    features, labels = pair_labels(feature_store, label_store, contract, parameters.month, parameters.target)
    lanes = split_lanes(
        features,
        contract.datasets["feature_store"],
        on=contract.as_of,
        features=parameters.features,
        part=f"month={parameters.month}",
    )
    target = labels[parameters.target]
    return lanes.model, lanes.audit, target, fingerprint(lanes.model, lanes.audit, target.to_frame())


def split_month(
    model_lane: pd.DataFrame, audit_lane: pd.DataFrame, target: Series, parameters: TrainingParameters
) -> tuple[ModelSplit, pd.DataFrame]:
    """Split the month's rows into train and test; of the audit lane only the test rows go on."""
    split = split_rows(model_lane, target, test_size=parameters.test_size, random_state=parameters.random_state)
    return split, audit_lane.loc[split.target_test.index]


def fit_model(split: ModelSplit, contract: Contract, parameters: TrainingParameters) -> Any:
    """Fit the configured estimator on the model lane, behind its preparation where one is configured."""
    from rai_kedro.modelling.preparation import build_model, build_preparation, choose_training_rows

    estimator = build_estimator(parameters.estimator, parameters.allowed_modules)
    features, target = split.features_train, split.target_train
    if parameters.preparation is not None:
        seed = parameters.random_state
        columns = contract.datasets["feature_store"].columns
        types = {name: columns[name].type for name in features.columns.tolist()}
        rows = choose_training_rows(features, target, parameters.preparation, seed=seed)
        estimator = build_model(build_preparation(parameters.preparation, types, seed=seed), estimator)
        features, target = features.iloc[rows.positions], target.iloc[rows.positions]
    return fit_estimator(estimator, features, target)


def predict_splits(model: Any, split: ModelSplit) -> dict[str, pd.DataFrame]:
    """Predict train and test rows: ``prediction``, and ``score`` where the model gives one."""
    return {"train": predict_rows(model, split.features_train), "test": predict_rows(model, split.features_test)}


def assess_performance(
    split: ModelSplit, predictions: dict[str, pd.DataFrame], parameters: TrainingParameters
) -> list[dict[str, Any]]:
    """Measure how good the predictions of both splits are, each figure with its interval."""
    from rai_kedro.reporting.classification import measure_classification
    from rai_kedro.reporting.performance import label_estimates, measure_performance

    estimates = []
    for name, target in {"train": split.target_train, "test": split.target_test}.items():
        predicted, level = predictions[name], parameters.interval_level
        if parameters.task == "classification":
            estimates += measure_classification(
                target, predicted["prediction"], predicted["score"], split=name, level=level
            )
            continue
        measured = measure_performance(
            target,
            predicted["prediction"],
            level=level,
            seed=parameters.random_state,
            resamples=parameters.resamples,
        )
        estimates += label_estimates(measured, split=name, unit=parameters.unit)
    return [asdict(estimate) for estimate in estimates]


def assess_gaps(
    split: ModelSplit,
    audit_test: pd.DataFrame,
    predictions: dict[str, pd.DataFrame],
    contract: Contract,
    parameters: TrainingParameters,
) -> list[dict[str, Any]]:
    """Measure the first two gaps between the groups of every audited column on the test rows.

    A classifier's favourable outcome is its decision for 1; a regression's, a prediction above the median label.
    """
    from rai_kedro.fairness.gaps import demographic_parity_gap, error_rate_gap, mean_absolute_error_gap
    from rai_kedro.fairness.groups import group_rows

    columns = contract.datasets["feature_store"].columns
    predicted, level = predictions["test"]["prediction"], parameters.interval_level
    decides = parameters.task == "classification"
    threshold = 0.5 if decides else split.target_test.median()
    gaps = []
    for name, values in audit_test.items():
        categorical = columns[str(name)].type not in NUMERIC_TYPES
        grouping = group_rows(values, column=str(name), categorical=categorical)
        gaps.append(demographic_parity_gap(predicted > threshold, grouping, level=level))
        if decides:
            gaps.append(error_rate_gap(predicted != split.target_test, grouping, level=level))
        else:
            gaps.append(mean_absolute_error_gap(split.target_test, predicted, grouping, level=level))
    return [asdict(gap) for gap in gaps]


def assess_fairness(
    split: ModelSplit,
    audit_test: pd.DataFrame,
    predictions: dict[str, pd.DataFrame],
    parameters: TrainingParameters,
    fairness: FairnessParameters,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure every configured metric on the test rows, and let the gate judge the intervals."""
    from rai_kedro.fairness.assessment import examine_classification, examine_regression

    predicted = predictions["test"]
    if parameters.task == "classification":
        found = examine_classification(
            split.target_test, predicted["prediction"], predicted["score"], audit_test, fairness
        )
    else:
        found = examine_regression(split.target_test, predicted["prediction"], audit_test, fairness)
    return found.to_dict(), fairness.gate.judge(found.disparities).to_dict()


def collect_metrics(
    performance: list[dict[str, Any]], fairness_gaps: list[dict[str, Any]]
) -> dict[str, dict[str, float]]:
    """Put every figure and both ends of its interval into MLflow's form."""
    named = {f"{e['split']}.{e['name']}": e for e in performance}
    named |= {f"fairness.{g['column']}.{g['metric'].replace(' ', '_')}": g for g in fairness_gaps}
    return {
        _METRIC_NAME.sub("_", f"{name}{suffix}"): {"value": float(figure[part]), "step": 0}
        for name, figure in named.items()
        for part, suffix in (("value", ""), ("lower", ".lower"), ("upper", ".upper"))
        if figure[part] is not None
    }


def draw_figures(
    split: ModelSplit,
    predictions: dict[str, pd.DataFrame],
    fairness_gaps: list[dict[str, Any]],
    parameters: TrainingParameters,
) -> tuple[Any, Any, Any]:
    """Draw the residuals of both splits, predictions against labels (ROC of a classifier), and each group's figures."""
    from rai_kedro.pipelines.training.card import gap_estimates
    from rai_kedro.reporting.figures import draw_group_gaps, draw_predictions, draw_residuals, draw_roc

    shown = "score" if parameters.task == "classification" else "prediction"
    target = pd.concat([split.target_train, split.target_test])
    names = ["train"] * len(split.target_train) + ["test"] * len(split.target_test)
    predicted = pd.concat([predictions["train"][shown], predictions["test"][shown]])
    if parameters.task == "classification":
        against = draw_roc(split.target_test, predictions["test"]["score"])
    else:
        against = draw_predictions(split.target_test, predictions["test"]["prediction"], unit=parameters.unit)
    residuals = draw_residuals(target, predicted, names, unit=parameters.unit)
    return residuals, against, draw_group_gaps(gap_estimates(fairness_gaps, parameters.unit))


def assemble_candidate(
    model: Any,
    split: ModelSplit,
    audit_test: pd.DataFrame,
    predictions: dict[str, pd.DataFrame],
    data_fingerprint: str,
    performance: list[dict[str, Any]],
    fairness_gate: dict[str, Any],
    contract: Contract,
    parameters: TrainingParameters,
) -> Candidate:
    """Gather all that belongs to the version to be registered, its reference data included.

    Performance and the gate's decision are needed here so that nothing is registered before it was assessed.
    """
    from rai_kedro.reporting.model_card import collect_versions

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
            "rai.month": parameters.month,
            "rai.fairness_gate": str(fairness_gate["outcome"]),
            "rai.figures": str(len(performance)),
        },
        pip_requirements=tuple(f"{name}=={versions[name]}" for name in _MODEL_REQUIREMENTS),
        source=f"{contract.datasets['feature_store'].dataset}/month={parameters.month}",
    )


def write_card(
    candidate: RegisteredVersion,
    split: ModelSplit,
    data_fingerprint: str,
    performance: list[dict[str, Any]],
    fairness_gaps: list[dict[str, Any]],
    training_carbon: dict[str, Any],
    residual_figure: Any,
    prediction_figure: Any,
    gap_figure: Any,
    contract: Contract,
    parameters: TrainingParameters,
    statements: Statements,
) -> CardWithFigures:
    """Write down what a reviewer has to know of the version that was just registered."""
    from rai_kedro.pipelines.training.card import Configured, Measured, compose_card

    card = compose_card(
        candidate,
        split,
        data_fingerprint,
        Configured(contract, parameters, statements),
        Measured(performance, fairness_gaps, training_carbon),
    )
    figures = {"Residuals": residual_figure, "Predictions": prediction_figure, "Groups": gap_figure}
    return CardWithFigures(card, figures)
