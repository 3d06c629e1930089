"""Adapters of the monitoring stage."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pandas as pd

from rai_kedro.contract.columns import NUMERIC_TYPES, Contract, DatasetContract
from rai_kedro.contract.lanes import Lanes, add_sensitive, split_lanes
from rai_kedro.contract.pairing import load_month, refuse_orphans
from rai_kedro.errors import RaiError
from rai_kedro.frames import Store
from rai_kedro.modelling.prediction import predict_rows, sensitive_input
from rai_kedro.monitoring import Kind, MonthDrift, build_timeline, detect_drift, draw_timeline, drift_frame, from_frame
from rai_kedro.months import month_number
from rai_kedro.pipelines.monitoring.parameters import MonitoringParameters
from rai_kedro.pipelines.monitoring.plan import ScoredMonth, plan_scoring, plan_testing
from rai_kedro.release.production import ProductionModel

References = Callable[[str], pd.DataFrame]

_PREDICTED = ("prediction", "score")
_log = logging.getLogger(__name__)


def select_months(
    feature_store: Store,
    label_store: Store,
    prediction_history: Store,
    contract: Contract,
    parameters: MonitoringParameters,
) -> tuple[str, ...]:
    """List the months still to be scored, after a look at each: one bad month stops the run before any is written."""
    months = plan_scoring(feature_store, label_store, prediction_history, only_next=parameters.months == "next")
    for month in months:
        _load_paired(feature_store, label_store, contract, month)
    _log.info("months to score: %s", ", ".join(months) or "none, all are done")
    return months


def score_months(
    months: tuple[str, ...],
    feature_store: Store,
    label_store: Store,
    production: ProductionModel,
    contract: Contract,
) -> Iterator[dict[str, pd.DataFrame]]:
    """Predict month by month with the production model only; each month is saved before the next is read.

    A mitigation that goes by group cannot answer for a group it has not met: then no month is written.
    """
    if sensitive_input(production.model) is not None:
        for month in months:
            frame = _load_paired(feature_store, label_store, contract, month)
            _try_month(_split(frame, contract, production, month), production, month)
    for month in months:
        frame = _load_paired(feature_store, label_store, contract, month)
        lanes = _split(frame, contract, production, month)
        scored = ScoredMonth(month, production.version)
        predictions = lanes.identifiers.assign(model_version=scored.model_version, run_id=production.run_id).join(
            predict_rows(production.model, lanes.model)
        )
        _log.info("  %s scored by version %s: %d rows", month, scored.model_version, len(predictions))
        yield {scored.key: predictions}


def watch_drift(
    prediction_store: Store,
    drift_history: Store,
    feature_store: Store,
    references: References,
    contract: Contract,
    parameters: MonitoringParameters,
) -> Iterator[tuple[list[MonthDrift], dict[str, pd.DataFrame]]]:
    """Test every scored month against the reference of the version that scored it, in production still or not.

    The report is published before the result is stored: a month whose result is there has been published.
    """
    nothing_waiting = True
    governed = contract.datasets["feature_store"]
    for scored in plan_testing(prediction_store, drift_history):
        reference, predictions = references(scored.model_version), prediction_store[scored.key]()
        drift = detect_drift(
            reference,
            join_predictions(load_month(feature_store, governed, scored.month), predictions, governed),
            kinds=kinds_of(reference, governed),
            false_alarm_rate=parameters.drift.family_wise_rate,
            min_rows=parameters.drift.min_rows,
            month=scored.month,
            model_version=scored.model_version,
        ).model_copy(update={"run_id": str(predictions["run_id"].iloc[0])})
        found = f"drift in {', '.join(drift.drifted_columns)}" if drift.verdict else "no drift found"
        _log.info("  %s tested: %s", scored.month, found)
        nothing_waiting = False
        yield [drift], {scored.key: drift_frame(drift)}
    if nothing_waiting:
        # Kedro looks at the first item of a generator with several outputs, so there must be one.
        yield [], {}


def summarise_months(
    drift_store: Store, feature_store: Store, inference_carbon: dict[str, Any], contract: Contract
) -> tuple[dict[str, Any], Any, str, dict[str, Any]]:
    """Put all months so far into a timeline, a figure, a page and MLflow metrics, whose step is the month's number."""
    from rai_kedro.report.drift_page import render_drift_page

    timeline = build_timeline([from_frame(load()) for load in drift_store.values()])
    first = min(feature_store).removeprefix("month=")
    metrics: dict[str, Any] = {}
    for month in timeline["months"]:
        carbon = inference_carbon.get(ScoredMonth(month["month"], month["model_version"]).key, {})
        figures = {f"drift.{name}": month[name] for name in ("share", "count", "verdict")}
        figures |= {f"carbon.{name}": carbon[name] for name in ("energy_kwh", "emissions_g") if name in carbon}
        for name, value in figures.items():
            entry = {"value": float(value), "step": month_number(month["month"], first)}
            metrics.setdefault(name, []).append(entry)
    figure = draw_timeline(timeline)
    return timeline, figure, render_drift_page(timeline, figure, use_case=contract.use_case), metrics


def _try_month(lanes: Lanes, production: ProductionModel, month: str) -> None:
    """Predict a month for nothing but the error, which then says the month and the version."""
    try:
        predict_rows(production.model, lanes.model)
    except RaiError as error:
        error.where = f"month {month}, version {production.version}, {error.where}"
        raise


def _load_paired(feature_store: Store, label_store: Store, contract: Contract, month: str) -> pd.DataFrame:
    """Load the features of a month, and refuse labels that belong to none of its rows."""
    frame = load_month(feature_store, contract.datasets["feature_store"], month)
    if f"month={month}" in label_store:
        labels = load_month(label_store, contract.datasets["label_store"], month)
        refuse_orphans(frame, labels, contract, month)
    return frame


def kinds_of(reference: pd.DataFrame, governed: DatasetContract) -> dict[str, Kind]:
    """Return what is tested: the prediction, and every column of both lanes that the reference has."""
    columns = {
        name: column for name, column in governed.columns.items() if name in reference and column.use != "forbidden"
    }
    kinds: dict[str, Kind] = {
        name: "numerical" if column.type in NUMERIC_TYPES else "categorical"
        for name, column in columns.items()
        if column.type != "date"
    }
    # Of a classifier the score is tested: it says more than the decision made from it.
    predicted = [name for name in _PREDICTED if name in reference][-1]
    return {**kinds, predicted: "numerical"}


def join_predictions(features: pd.DataFrame, predictions: pd.DataFrame, governed: DatasetContract) -> pd.DataFrame:
    """Put features and predictions of a month side by side, as the reference has them."""
    key = list(governed.key)
    predicted = [name for name in _PREDICTED if name in predictions]
    return features.merge(predictions[[*key, *predicted]], on=key, how="inner", validate="one_to_one")


def _split(frame: pd.DataFrame, contract: Contract, production: ProductionModel, month: str) -> Lanes:
    """Split a month into lanes; beside the model lane the sensitive column, if the model needs it and may."""
    sensitive, governed = sensitive_input(production.model), contract.datasets["feature_store"]
    lanes = split_lanes(
        frame,
        governed,
        on=contract.as_of,
        features=[name for name in production.model.feature_names_in_ if name != sensitive],
        part=f"month={month}",
    )
    inputs = add_sensitive(lanes.model, lanes.audit, sensitive, governed, on=contract.as_of)
    return replace(lanes, model=inputs[list(production.model.feature_names_in_)])
