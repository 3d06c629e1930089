"""Adapters of the monitoring stage. A month that cannot be scored or tested is named, passed over and tried again."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd

from rai_kedro.contract import NUMERIC_TYPES, Contract, DatasetContract, Lanes, add_sensitive, split_lanes
from rai_kedro.errors import RaiError
from rai_kedro.frames import Store
from rai_kedro.modelling import predict_rows, sensitive_input
from rai_kedro.monitoring import (
    Kind,
    MonitoringPolicy,
    MonthDrift,
    build_timeline,
    detect_drift,
    draw_timeline,
    drift_frame,
    from_frame,
)
from rai_kedro.months import month_number
from rai_kedro.pipelines.monitoring.plan import (
    MonitoringParameters,
    MonthReader,
    Problem,
    ScoredMonth,
    look_of,
    plan_scoring,
    plan_testing,
    summarise_problems,
)
from rai_kedro.release import ProductionModel

_PREDICTED = ("prediction", "score")
_log = logging.getLogger(__name__)


def select_months(
    feature_store: Store, label_store: Store, prediction_history: Store, contract: Contract
) -> tuple[MonthReader, tuple[str, ...]]:
    """List the months still to be scored, and open the stores for all nodes of the run."""
    months = plan_scoring(feature_store, label_store, prediction_history)
    _log.info("months to score: %s", ", ".join(months) or "none, all are done")
    return MonthReader(feature_store, label_store, contract), months


def score_months(
    months: tuple[str, ...],
    reader: MonthReader,
    production: ProductionModel,
    contract: Contract,
    parameters: MonitoringParameters,
) -> Iterator[tuple[dict[str, pd.DataFrame], list[Problem]]]:
    """Predict month by month with the production model only; each month is saved before the next is read."""
    problems: list[Problem] = []
    for month in months:
        scored = ScoredMonth(month, production.version)
        try:
            predictions = _score(reader, month, production, contract)
        except Exception as error:  # one bad month must not end all others
            problems.append(_pass_over(month, "not scored", error))
            yield {}, list(problems)
            continue
        _log.info("  %s scored by version %s: %d rows", month, scored.model_version, len(predictions))
        yield {scored.key: predictions}, list(problems)
        if parameters.months == "next":
            return
    yield {}, problems


def watch_drift(
    prediction_store: Store,
    drift_history: Store,
    published: Sequence[str],
    reader: MonthReader,
    references: Any,
    contract: Contract,
    parameters: MonitoringParameters,
) -> Iterator[tuple[list[MonthDrift], dict[str, pd.DataFrame], list[Problem]]]:
    """Test every scored month against the reference of the version that scored it, in production still or not.

    ``references`` gives a version's reference data, verified, and the months it was trained on. The report is published
    before the result is stored. What is stored and no longer published, because a reset was cut off or the workspace
    deleted, is published again from the result.
    """
    problems: list[Problem] = []
    for key in sorted(set(drift_history) & set(prediction_store) - set(published)):
        _log.info("  %s published again", key)
        yield [from_frame(drift_history[key]())], {}, []
    reference_of = cache(references)
    for scored in plan_testing(prediction_store, drift_history):
        try:
            reference = reference_of(scored.model_version)
            look = look_of(scored, prediction_store)
            drift = _test(scored, prediction_store[scored.key](), reader, reference, contract, parameters.policy, look)
            used = scored.month in references.months_trained_on(scored.model_version)
        except Exception as error:  # one bad month must not end all others
            problems.append(_pass_over(scored.month, "not tested", error))
            continue
        drift = drift.model_copy(update={"used_in_training": used})
        _log.info("  %s tested: %s", scored.month, drift.finding)
        yield [drift], {scored.key: drift_frame(drift)}, list(problems)
    # Kedro looks at the first item of a generator with several outputs, so there must be one.
    yield [], {}, problems


def summarise_months(
    drift_store: Store,
    reader: MonthReader,
    months: tuple[str, ...],
    inference_carbon: dict[str, Any],
    scoring_problems: list[Problem],
    testing_problems: list[Problem],
    contract: Contract,
) -> tuple[dict[str, Any], Any, str, dict[str, Any]]:
    """Put all months so far into a timeline, a figure, a page and MLflow metrics, whose step is the month's number."""
    from rai_kedro.report import render_drift_page

    records = [from_frame(load()) for load in drift_store.values()]
    timeline = build_timeline(
        records,
        digests={record.month: reader.digests(record.month) for record in records},
        gaps=[problem.gap for problem in [*scoring_problems, *testing_problems]],
    )
    for month in timeline["months"]:
        if month["stale"]:
            _log.warning("  %s is stale: %s", month["month"], month["stale"])
    figure = draw_timeline(timeline)
    metrics = _collect_metrics(timeline, min(reader.months), inference_carbon, months)
    return timeline, figure, render_drift_page(timeline, figure, use_case=contract.use_case), metrics


def report_problems(
    scoring_problems: list[Problem], testing_problems: list[Problem], _timeline: dict[str, Any]
) -> None:
    """End the run as failed when a month was passed over, after all else was done and is in the timeline."""
    if problems := [*scoring_problems, *testing_problems]:
        raise summarise_problems(problems)


def kinds_of(reference: pd.DataFrame, governed: DatasetContract) -> dict[str, Kind]:
    """Return what is tested: the prediction, and every column that the reference has and that may be read."""
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
    key, predicted = list(governed.key), [name for name in _PREDICTED if name in predictions]
    return features.merge(predictions[[*key, *predicted]], on=key, how="inner", validate="one_to_one")


def _score(reader: MonthReader, month: str, production: ProductionModel, contract: Contract) -> pd.DataFrame:
    """Predict a month; with the predictions goes what the features were."""
    lanes = _split(reader.read(month), contract, production, month)
    try:
        predicted = predict_rows(production.model, lanes.model)
    except RaiError as error:
        error.where = f"month {month}, version {production.version}, {error.where}"
        raise
    return lanes.identifiers.assign(
        model_version=production.version, run_id=production.run_id, features_digest=reader.digests(month).features
    ).join(predicted)


def _test(
    scored: ScoredMonth,
    predictions: pd.DataFrame,
    reader: MonthReader,
    reference: pd.DataFrame,
    contract: Contract,
    policy: MonitoringPolicy,
    look: int,
) -> MonthDrift:
    governed = contract.datasets["feature_store"]
    features, digests = reader.read(scored.month), reader.digests(scored.month)
    if digests.features != predictions["features_digest"].iloc[0]:
        raise RaiError(
            "The features of the month changed after it was scored, so its predictions are of other rows.",
            where=f"feature store, {scored.month}",
            remedy=f"score it again: kedro rai rescore --use-case {contract.use_case} --month {scored.month}",
        )
    drift = detect_drift(
        reference,
        join_predictions(features, predictions, governed),
        kinds=kinds_of(reference, governed),
        policy=policy.drift,
        rate=policy.looks.rate_of(look, policy.error_rate),
        look=look,
        month=scored.month,
        model_version=scored.model_version,
    )
    known = {"features_digest": digests.features, "labels_digest": digests.labels}
    return drift.model_copy(update={"run_id": str(predictions["run_id"].iloc[0]), **known})


def _pass_over(month: str, missing: str, error: Exception) -> Problem:
    problem = Problem.of(month, missing, error)
    _log.warning("  %s %s: %s", month, missing, problem.error.what)
    return problem


def _collect_metrics(
    timeline: dict[str, Any], first: str, inference_carbon: dict[str, Any], scored_now: tuple[str, ...]
) -> dict[str, Any]:
    """Gather the figures of each month; carbon only of those that this run scored, or it would count twice."""
    metrics: dict[str, Any] = {}
    for month in timeline["months"]:
        figures = {"drift.share": month["share"], "drift.count": month["count"]}
        figures["drift.verdict"] = month["verdict"] == "drift"
        if month["month"] in scored_now:
            carbon = inference_carbon.get(ScoredMonth(month["month"], month["model_version"]).key, {})
            figures |= {f"carbon.{name}": carbon[name] for name in ("energy_kwh", "emissions_g") if name in carbon}
        for name, value in figures.items():
            entry = {"value": float(value), "step": month_number(month["month"], first)}
            metrics.setdefault(name, []).append(entry)
    return metrics


def _split(frame: pd.DataFrame, contract: Contract, production: ProductionModel, month: str) -> Lanes:
    """Split a month by use; beside the model's columns the sensitive one, if the model needs it and may."""
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
