"""Adapters of the training stage."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pandas as pd

from rai_kedro.catalogue.contract import NUMERIC_TYPES, Contract
from rai_kedro.catalogue.fingerprint import fingerprint
from rai_kedro.catalogue.lanes import split_lanes
from rai_kedro.catalogue.pairing import pair_labels
from rai_kedro.frames import Series, Store
from rai_kedro.modelling.estimator import build_estimator
from rai_kedro.modelling.split import ModelSplit, split_rows
from rai_kedro.pipelines.training.parameters import Statements, TrainingParameters
from rai_kedro.registry.candidate import Candidate
from rai_kedro.registry.versions import RegisteredVersion
from rai_kedro.reporting.card_contents import CardWithFigures

_MODEL_REQUIREMENTS = ("scikit-learn", "pandas", "numpy", "skops")
_EXAMPLE_ROWS = 5


def separate_lanes(
    feature_store: Store, label_store: Store, contract: Contract, parameters: TrainingParameters
) -> tuple[pd.DataFrame, pd.DataFrame, Series, str]:
    """Let one month in: labelled rows only, split into model lane and audit lane by the contract.

    Returns:
        Model lane, audit lane and target on one common index, and the fingerprint of all three.
    """
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


def fit_model(split: ModelSplit, parameters: TrainingParameters) -> Any:
    """Fit the configured estimator on the model lane."""
    estimator = build_estimator(parameters.estimator, parameters.allowed_modules)
    return estimator.fit(split.features_train, split.target_train)


def predict_splits(model: Any, split: ModelSplit) -> dict[str, Series]:
    """Predict train and test rows, on the rows' index."""
    parts = {"train": split.features_train, "test": split.features_test}
    return {name: pd.Series(model.predict(part), index=part.index) for name, part in parts.items()}


def assess_performance(
    split: ModelSplit, predictions: dict[str, Series], parameters: TrainingParameters
) -> list[dict[str, Any]]:
    """Measure R2, MAE, MAPE and RMSE on both splits, each with its interval."""
    from rai_kedro.reporting.performance import label_estimates, measure_performance

    estimates = []
    for name, target in {"train": split.target_train, "test": split.target_test}.items():
        measured = measure_performance(
            target,
            predictions[name],
            level=parameters.interval_level,
            seed=parameters.random_state,
            resamples=parameters.resamples,
        )
        estimates += label_estimates(measured, split=name, unit=parameters.unit)
    return [asdict(estimate) for estimate in estimates]


def assess_fairness(
    split: ModelSplit,
    audit_test: pd.DataFrame,
    predictions: dict[str, Series],
    contract: Contract,
    parameters: TrainingParameters,
) -> list[dict[str, Any]]:
    """Measure the gaps between the groups of every audited column on the test rows."""
    from rai_kedro.fairness.gaps import demographic_parity_gap, mean_absolute_error_gap
    from rai_kedro.fairness.groups import group_rows

    columns = contract.datasets["feature_store"].columns
    selected = predictions["test"] > split.target_test.median()
    level = parameters.interval_level
    gaps = []
    for name, values in audit_test.items():
        categorical = columns[str(name)].type not in NUMERIC_TYPES
        grouping = group_rows(values, column=str(name), categorical=categorical)
        gaps.append(demographic_parity_gap(selected, grouping, level=level))
        gaps.append(mean_absolute_error_gap(split.target_test, predictions["test"], grouping, level=level))
    return [asdict(gap) for gap in gaps]


def collect_metrics(performance: list[dict[str, Any]], fairness: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Put every figure and both ends of its interval into MLflow's form."""
    named = {f"{e['split']}.{e['name']}": e for e in performance}
    named |= {f"fairness.{g['column']}.{g['metric'].replace(' ', '_')}": g for g in fairness}
    return {
        f"{name}{suffix}": {"value": float(figure[part]), "step": 0}
        for name, figure in named.items()
        for part, suffix in (("value", ""), ("lower", ".lower"), ("upper", ".upper"))
        if figure[part] is not None
    }


def draw_figures(
    split: ModelSplit,
    predictions: dict[str, Series],
    fairness: list[dict[str, Any]],
    parameters: TrainingParameters,
) -> tuple[Any, Any, Any]:
    """Draw the residuals of both splits, predictions against labels, and the figures of each group."""
    from rai_kedro.pipelines.training.card import gap_estimates
    from rai_kedro.reporting.figures import draw_group_gaps, draw_predictions, draw_residuals

    target = pd.concat([split.target_train, split.target_test])
    names = ["train"] * len(split.target_train) + ["test"] * len(split.target_test)
    predicted = pd.concat([predictions["train"], predictions["test"]])
    return (
        draw_residuals(target, predicted, names, unit=parameters.unit),
        draw_predictions(split.target_test, predictions["test"], unit=parameters.unit),
        draw_group_gaps(gap_estimates(fairness, parameters.unit)),
    )


def assemble_candidate(
    model: Any,
    split: ModelSplit,
    audit_test: pd.DataFrame,
    predictions: dict[str, Series],
    data_fingerprint: str,
    contract: Contract,
    parameters: TrainingParameters,
) -> Candidate:
    """Gather all that belongs to the version to be registered, its reference data included."""
    from rai_kedro.reporting.model_card import collect_versions

    versions = collect_versions(_MODEL_REQUIREMENTS)
    example = split.features_test.head(_EXAMPLE_ROWS)
    audit_only = audit_test[[name for name in audit_test if name not in split.features_test]]
    reference = split.features_test.join(audit_only).assign(
        **{parameters.target: split.target_test, "prediction": predictions["test"]}
    )
    return Candidate(
        estimator=model,
        input_example=example,
        predictions=model.predict(example),
        training_frame=split.features_train.assign(**{parameters.target: split.target_train}),
        reference=reference,
        target=parameters.target,
        contract=contract.model_dump(mode="json"),
        tags={"rai.data_fingerprint": data_fingerprint, "rai.month": parameters.month},
        pip_requirements=tuple(f"{name}=={versions[name]}" for name in _MODEL_REQUIREMENTS),
        source=f"{contract.datasets['feature_store'].dataset}/month={parameters.month}",
    )


def write_card(
    candidate: RegisteredVersion,
    split: ModelSplit,
    data_fingerprint: str,
    performance: list[dict[str, Any]],
    fairness: list[dict[str, Any]],
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
        Measured(performance, fairness, training_carbon),
    )
    figures = {"Residuals": residual_figure, "Predictions": prediction_figure, "Groups": gap_figure}
    return CardWithFigures(card, figures)
