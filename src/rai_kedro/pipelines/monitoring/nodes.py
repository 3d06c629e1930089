"""Adapters of the monitoring stage. A month that cannot be scored or tested is named, passed over and tried again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial, reduce
from operator import add
from typing import Any, TypeAlias, TypeVar

import pandas as pd

from rai_kedro import monitoring, release, report
from rai_kedro.contract import NUMERIC_TYPES, Contract, DatasetContract, Lanes, add_sensitive, split_lanes
from rai_kedro.datasets.alerts import Outbox
from rai_kedro.datasets.engine import Engine
from rai_kedro.datasets.partition_file import SpooledMonth, spool
from rai_kedro.errors import RaiError
from rai_kedro.frames import Store
from rai_kedro.modelling import answer_month, is_unseen, require_host, sensitive_input
from rai_kedro.months import month_number, month_of_key, say_period
from rai_kedro.pipelines.monitoring.blocks import Part
from rai_kedro.pipelines.monitoring.plan import (
    PREDICTED,
    MonthReader,
    Problem,
    ScoredMonth,
    by_version,
    describe_failure,
    plan_scoring,
    plan_testing,
    summarise_problems,
)
from rai_kedro.pipelines.parameters import MonitoringParameters
from rai_kedro.policy import digest_of
from rai_kedro.words import list_some

References: TypeAlias = Callable[[str], monitoring.VersionReference]
_NAMED = 6
_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)


def select_months(
    feature_store: Store,
    label_store: Store,
    prediction_history: Store,
    contract: Contract,
    engine: Engine,
    parameters: MonitoringParameters,
) -> tuple[MonthReader, tuple[str, ...]]:
    """List the months to be scored now, and open the stores for all nodes of the run."""
    waiting = plan_scoring(feature_store, prediction_history)
    months = parameters.choose(waiting)
    others = f"none of {parameters.months}; {', '.join(waiting)} wait" if waiting else "none, all are done"
    _log.info(say_period("months to score: %s", waiting[0] if waiting else ""), ", ".join(months) or others)
    reader = MonthReader(feature_store, label_store, contract, engine)
    if missing := reader.find_missing(prediction_history, parameters.expect):
        _log.warning("  not in the feature store: %s; the others go on without", list_some(missing, _NAMED))
    return reader, months


def hold_policy(
    production: release.ProductionModel, judged_by_today: dict[str, Any], contract: Contract
) -> tuple[release.ProductionModel, dict[str, Any]]:
    """Let the approved model score only under a policy that is no looser than what was agreed to, and that it passes.

    Scoring takes the model from here, so nothing scores without this.
    """
    require_host(production.model, judged_by_today["training.allowed_hosts"] or ())
    change = release.check_policy(production, judged_by_today, contract.as_of)
    return production, {} if change is None else change.to_dict()


def score_months(
    months: tuple[str, ...],
    reader: MonthReader,
    production: release.ProductionModel,
    contract: Contract,
    parameters: MonitoringParameters,
) -> Iterator[tuple[list[release.MonthEntry], dict[str, pd.DataFrame | SpooledMonth], list[Problem]]]:
    """Predict month by month with the production model only; each is recorded, then saved, before the next is read."""
    problems: list[Problem] = []
    for month in months:
        scored = ScoredMonth(month, production.version)
        try:
            digest = monitoring.TableDigest()
            blocks = _digesting(predict_blocks(reader, month, production, contract), digest)
            predictions = spool(scored.key, blocks, reader.rows[month])
        except Exception as error:  # one bad month must not end all others
            problems.append(_pass_over(month, "not scored", error))
            yield [], {}, list(problems)
            continue
        _log.info("  %s scored by version %s: %d rows", month, scored.model_version, len(predictions))
        if left_out := reader.rows[month] - len(predictions):
            _log.warning("  %s: %s", month, _say_left_out(left_out))
        entry = _enter(scored, digest.hexdigest(), reader, production, contract)
        yield [entry], {scored.key: predictions}, list(problems)
        if parameters.months == "next":
            return
    yield [], {}, problems


def watch_drift(
    prediction_store: Store,
    drift_history: Store,
    record_history: Sequence[release.Entry],
    reader: MonthReader,
    references: References,
    contract: Contract,
    parameters: MonitoringParameters,
) -> Iterator[tuple[dict[str, pd.DataFrame], list[Problem]]]:
    """Compare every scored month with the reference of the version that scored it, in production still or not."""
    problems: list[Problem] = []
    key = contract.datasets["feature_store"].key
    prediction_store = release.hold_predictions(prediction_store, record_history, key)
    tested = _read_recorded(
        drift_history, release.read_months(record_history), "drift", monitoring.from_frame, "tested"
    )
    for scored in plan_testing(prediction_store, tested):
        try:
            drift = _test(scored, prediction_store, reader, references, contract, parameters)
        except Exception as error:  # one bad month must not end all others
            problems.append(_pass_over(scored.month, "not tested", error))
            continue
        _log.info("  %s tested: %s", scored.month, drift.finding)
        reader.made.add(scored.key)
        yield {scored.key: monitoring.drift_frame(drift)}, list(problems)
    # Kedro looks at the first item of a generator with several outputs, so there must be one.
    yield {}, problems


def keep_labels(
    prediction_store: Store,
    measured_labels_history: Store,
    record_history: Sequence[release.Entry],
    reader: MonthReader,
    contract: Contract,
) -> Iterator[tuple[dict[str, pd.DataFrame | SpooledMonth], dict[str, monitoring.LabelChange]]]:
    """Keep a copy of the labels of every scored month, and say how they differ from those on record.

    A change that is on record already is handed on until there is another.
    """
    known, key = release.read_label_changes(record_history), contract.datasets["label_store"].key
    changes: dict[str, monitoring.LabelChange] = {}
    for month in sorted({*map(month_of_key, prediction_store)}):
        before, change = known.get(month, ("", None))
        digest = reader.digests(month).labels
        is_new = digest not in ("", monitoring.UNREADABLE, before)
        kept = monitoring.label_key(month, digest)
        if is_new or (digest == before and digest and kept not in measured_labels_history):
            if is_new and before:
                stored, now = release.load_kept_labels(measured_labels_history, month, before, key), reader.read_labels
                change = None if stored is None else monitoring.compare_label_rows(stored, now(month), key)
                said = "others than before, and of those no copy was kept" if change is None else change
                _log.info("  %s: labels: %s", month, said)
            if kept not in measured_labels_history:
                blocks = (monitoring.keep_labels(block, digest) for block in reader.label_blocks(month))
                yield {kept: spool(kept, blocks, reader.count(month)[1])}, dict(changes)
        if change:
            changes[month] = change
    yield {}, changes


def measure_outcomes(
    prediction_store: Store,
    outcome_history: Store,
    record_history: Sequence[release.Entry],
    reader: MonthReader,
    references: References,
    contract: Contract,
    parameters: MonitoringParameters,
) -> Iterator[tuple[dict[str, pd.DataFrame], list[Problem]]]:
    """Measure performance and fairness of every scored month, again where its labels are others now.

    What is said of all rows since the approval rests on the months before, so the months after a changed one are
    measured again, too.
    """
    problems: list[Problem] = []
    key = contract.datasets["feature_store"].key
    prediction_store = release.hold_predictions(prediction_store, record_history, key)
    stored = _read_recorded(
        outcome_history, release.read_months(record_history), "outcomes", monitoring.read_outcome, "measured"
    )
    known = {ScoredMonth.from_key(key): outcome for key, outcome in stored.items()}
    for version, months in by_version(prediction_store).items():
        past: list[monitoring.MonthOutcome] = []
        changed = False
        for look, scored in enumerate(months, start=1):
            try:
                outcome, digests = known.get(scored), reader.digests(scored.month)
                # Of a stale month what was measured stays, until it is scored again; the timeline says that it is.
                stale = outcome is not None and digests.features != outcome.features_digest
                changed = changed or outcome is None or (digests.labels != outcome.labels_digest and not stale)
                if outcome is None or (changed and not stale):
                    tally = _tally(scored, prediction_store, reader, references(version))
                    outcome = monitoring.measure_month(
                        tally,
                        references(version),
                        parameters.policy,
                        month=scored.month,
                        model_version=version,
                        look=look,
                        past=past,
                        deliveries=outcome.deliveries if outcome else (),
                    ).model_copy(update={"features_digest": digests.features, "labels_digest": digests.labels})
                    if left_out := reader.rows[scored.month] - tally.rows:
                        notes = (*outcome.notes, _say_left_out(left_out))
                        outcome = outcome.model_copy(update={"notes": notes})
                    _log.info("  %s measured: %s", scored.month, outcome.finding)
                    reader.made.add(scored.key)
                    yield {scored.key: monitoring.outcome_frame(outcome)}, list(problems)
                past.append(outcome)
            except Exception as error:  # one bad month must not end all others
                problems.append(_pass_over(scored.month, "not measured", error))
    yield {}, problems


def summarise_months(
    prediction_store: Store,
    drift_store: Store,
    outcome_store: Store,
    reader: MonthReader,
    references: References,
    inference_carbon: dict[str, Any],
    label_changes: dict[str, monitoring.LabelChange],
    scoring_problems: list[Problem],
    testing_problems: list[Problem],
    measuring_problems: list[Problem],
    contract: Contract,
    parameters: MonitoringParameters,
) -> tuple[monitoring.Timeline, list[Problem]]:
    """Judge all months so far and put them in order."""
    absent = [Problem.absent(month) for month in reader.find_missing(prediction_store, parameters.expect)]
    problems = [*scoring_problems, *testing_problems, *measuring_problems, *absent]
    scored = sorted(map(ScoredMonth.from_key, prediction_store))
    timeline = monitoring.build_timeline(
        contract.use_case,
        parameters.policy,
        scored=[(one.month, one.model_version) for one in scored],
        drifts=list(_read_whole(drift_store, monitoring.from_frame).values()),
        outcomes=list(_read_whole(outcome_store, monitoring.read_outcome).values()),
        carbon={(one.month, one.model_version): inference_carbon.get(one.key, {}) for one in scored},
        digests={one.month: reader.digests(one.month) for one in scored},
        label_changes=label_changes,
        gaps=[problem.gap for problem in problems],
        baseline=_find_baseline(scored, references),
    )
    for month in timeline.months:
        if month.stale:
            again = f"; score it again: kedro rai rescore --use-case {contract.use_case} --month {month.month}"
            # Only what can be read can be scored.
            there = reader.digests(month.month).features
            _log.warning("  %s is stale: %s%s", month.month, month.stale, again if there else "")
    return timeline, problems


def _find_baseline(scored: Sequence[ScoredMonth], references: References) -> monitoring.Baseline | None:
    """Return what training said of the newest version; months judged before it was lost are shown all the same."""
    try:
        return references(scored[-1].model_version).baseline if scored else None
    except Exception as error:
        problem = Problem.of(scored[-1].month, "", error)
        _log.warning("  what training said of the version is lost: %s", problem.error.what)
        return None


def record_months(
    timeline: monitoring.Timeline,
    prediction_store: Store,
    drift_store: Store,
    outcome_store: Store,
    reader: MonthReader,
    record_history: Sequence[release.Entry],
) -> tuple[list[release.MonthEntry], list[Problem]]:
    """Say for the record what every month holds and came to; predictions that it does not know are named."""
    stores = release.MonthStores(prediction_store, drift_store, outcome_store, reader.digests)
    known, made, problems = release.read_months(record_history), list[release.MonthEntry](), list[Problem]()
    shown = {(one["month"], one["model_version"]): digest_of(one) for one in timeline.to_json()["months"]}
    for month in timeline.months:
        scored = ScoredMonth(month.month, month.model_version)
        if scored.key in known:
            verdict, is_new = month.verdict.outcome, scored.key in reader.made
            digest = shown[month.month, month.model_version]
            entry = stores.update(known[scored.key].month, verdict, month.stale, made=is_new, shown=digest)
            made.append(entry.model_copy(update={"label_change": month.label_change}))
            continue
        error = RaiError(
            f"Its predictions by version {month.model_version} are on no record: nobody knows who made them.",
            where=f"prediction store, {scored.key}",
            remedy=f"score it again: kedro rai rescore --use-case {timeline.use_case} --month {month.month}",
        )
        problems.append(_pass_over(month.month, "not recorded", error))
    return made, problems


def store_verdicts(timeline: monitoring.Timeline, verdict_history: Store) -> dict[str, pd.DataFrame]:
    """Return a row for each month whose verdict is another than the one stored, for whoever queries the stores."""
    found = {
        ScoredMonth(month.month, month.model_version).key: monitoring.verdict_frame(month) for month in timeline.months
    }
    return {key: verdict for key, verdict in found.items() if not _is_stored(verdict, key, verdict_history)}


def _is_stored(verdict: pd.DataFrame, key: str, stored: Store) -> bool:
    with suppress(RaiError):  # what cannot be read is written again
        return key in stored and stored[key]().equals(verdict)
    return False


def show_months(
    timeline: monitoring.Timeline, contract: Contract, reader: MonthReader, scored_now: tuple[str, ...]
) -> tuple[dict[str, Any], str, dict[str, Any], dict[str, Any]]:
    """Show the months: as a file for programs, a page for people, figures, and MLflow metrics by month number."""
    figures = report.draw_monitoring(timeline)
    page = report.render_monitoring_page(timeline, figures, use_case=contract.use_case)
    return timeline.to_json(), page, figures, collect_metrics(timeline, min(reader.months), scored_now)


def record_sensitive_reads(reader: MonthReader, _timeline: monitoring.Timeline) -> list[dict[str, Any]]:
    """Record which sensitive columns of which months this run read, noted as the stores were read."""
    return [one.to_dict() for one in reader.reads]


def publish_months(timeline: monitoring.Timeline) -> list[monitoring.MonthRecord]:
    """Hand over all months; what shows them knows which it has, and whether one says something else by now."""
    return list(timeline.months)


def send_alerts(
    timeline: monitoring.Timeline,
    alerts_history: Sequence[monitoring.Alert],
    parameters: MonitoringParameters,
    _page: str,
) -> Outbox:
    """Tell the receivers of findings that are new; the months are stored by then."""
    alerts = parameters.alerts
    new = monitoring.new_findings(timeline, alerts_history, min_weight=alerts.min_weight)
    return Outbox(tuple(new), alerts.receivers)


def report_problems(
    problems: list[Problem],
    recording_problems: list[Problem],
    timeline: monitoring.Timeline,
    parameters: MonitoringParameters,
    _timeline: Any,
    _workspace: Any,
    _alerts: Any,
) -> None:
    """End the run as failed when a month is broken or is what ``fail_on`` says, after all else was done."""
    if broken := [problem for problem in (*problems, *recording_problems) if problem.broken]:
        raise summarise_problems(broken)
    if timeline.months and parameters.fails(monitoring.weigh_newest(timeline)[0]):
        raise describe_failure(timeline)


def kinds_of(reference: pd.DataFrame, governed: DatasetContract) -> dict[str, monitoring.Kind]:
    """Return what is tested: the prediction, and every column that the reference has and that may be read."""
    columns = {
        name: column for name, column in governed.columns.items() if name in reference and column.use != "forbidden"
    }
    kinds: dict[str, monitoring.Kind] = {
        name: "numerical" if column.type in NUMERIC_TYPES else "categorical"
        for name, column in columns.items()
        if column.type != "date"
    }
    # Of a classifier the score is tested: it says more than the decision made from it.
    predicted = [name for name in PREDICTED if name in reference][-1]
    return {**kinds, predicted: "numerical"}


def predict_month(
    reader: MonthReader, month: str, production: release.ProductionModel | release.ShadowModel, contract: Contract
) -> pd.DataFrame:
    """Predict a month, all of it in memory."""
    return pd.concat(predict_blocks(reader, month, production, contract), ignore_index=True)


def predict_blocks(
    reader: MonthReader, month: str, production: release.ProductionModel | release.ShadowModel, contract: Contract
) -> Iterator[pd.DataFrame]:
    """Predict a month block by block; with the predictions goes what the features were.

    What a model that was made elsewhere answers of a row may depend on the others, so it is asked for all at once.
    """
    facts = {
        "model_version": production.version,
        "run_id": production.run_id,
        "features_digest": reader.digests(month).features,
    }
    work = partial(_predict_block, model=production.model, contract=contract, month=month, facts=facts)
    return reader.score(month, work, at_once=is_unseen(production.model))


def _predict_block(part: Part, *, model: Any, contract: Contract, month: str, facts: Mapping[str, str]) -> pd.DataFrame:
    lanes = split_month(part(), contract, model, month)
    try:
        answers = answer_month(model, lanes.model)
    except RaiError as error:
        error.where = f"month {month}, version {facts['model_version']}, {error.where}"
        raise
    identifiers = lanes.identifiers.loc[answers.rows.index]
    return identifiers.assign(**facts).join(answers.rows).reset_index(drop=True)


def _digesting(blocks: Iterable[pd.DataFrame], digest: monitoring.TableDigest) -> Iterator[pd.DataFrame]:
    for block in blocks:
        digest.update(block)
        yield block


def _say_left_out(rows: int) -> str:
    return f"{rows:,} rows have no prediction and are left out: nothing is known of them"


def _enter(
    scored: ScoredMonth,
    predictions: str,
    reader: MonthReader,
    production: release.ProductionModel,
    contract: Contract,
) -> release.MonthEntry:
    """Say for the record what a month was scored with, before its predictions are stored."""
    return release.MonthEntry(
        use_case=contract.use_case,
        month=scored.month,
        model_version=scored.model_version,
        run_id=production.run_id,
        manifest=production.manifest.digest,
        features=reader.digests(scored.month).features,
        predictions=predictions,
    )


def _test(
    scored: ScoredMonth,
    predictions: Store,
    reader: MonthReader,
    references: References,
    contract: Contract,
    parameters: MonitoringParameters,
) -> monitoring.MonthDrift:
    governed, reference = contract.datasets["feature_store"], references(scored.model_version)
    look = by_version(predictions)[scored.model_version].index(scored) + 1
    before = reference.profile(kinds_of(reference.rows, governed))
    work = partial(_profile_block, before=before, side=monitoring.name_side(scored.month))
    drift = monitoring.detect_drift(
        before,
        reduce(add, reader.join(scored, predictions, work)),
        policy=parameters.policy.drift,
        rate=parameters.policy.drift_rate(look),
        look=look,
        month=scored.month,
        model_version=scored.model_version,
    )
    return drift.model_copy(
        update={
            "run_id": reader.runs[scored.key],
            "features_digest": reader.digests(scored.month).features,
            "used_in_training": scored.month in reference.trained_on,
        }
    )


def _profile_block(
    part: Part, _number: int, *, before: monitoring.ReferenceProfile, side: str
) -> monitoring.ReferenceProfile:
    return monitoring.profile_month(before, part(), side)


def _tally(
    scored: ScoredMonth, predictions: Store, reader: MonthReader, reference: monitoring.VersionReference
) -> monitoring.MonthTally:
    plan = monitoring.TallyPlan(reference.baseline, reference.label_profile).draw_from(*reader.count(scored.month))
    return reduce(add, reader.join(scored, predictions, partial(_tally_block, plan=plan)))


def _tally_block(part: Part, number: int, *, plan: monitoring.TallyPlan) -> monitoring.MonthTally:
    return monitoring.tally_rows(part(), plan, number)


def _read_recorded(
    store: Store, known: Mapping[str, release.Recorded], name: str, read: Callable[[pd.DataFrame], _Result], done: str
) -> dict[str, _Result]:
    """Read the stored results that are those on record; one that is damaged or another is made again (``done``)."""
    found: dict[str, _Result] = {}
    for key, load in store.items():
        try:
            frame = load()
            if release.is_recorded(known, name, key, frame):
                found[key] = read(frame)
                continue
            why = "what is stored is not what is on record"
        except RaiError as error:
            why = error.what
        _log.warning("  %s is %s again: %s", month_of_key(key), done, why)
    return found


def _read_whole(store: Store, read: Callable[[pd.DataFrame], _Result]) -> dict[str, _Result]:
    """Read the results that are stored; one that is damaged counts as not there."""
    found: dict[str, _Result] = {}
    for key, load in store.items():
        with suppress(RaiError):
            found[key] = read(load())
    return found


def _pass_over(month: str, missing: str, error: Exception) -> Problem:
    problem = Problem.of(month, missing, error)
    _log.warning("  %s %s: %s", month, missing, problem.error.what)
    return problem


def collect_metrics(timeline: monitoring.Timeline, first: str, scored_now: tuple[str, ...]) -> dict[str, Any]:
    """Gather the few figures of each month that a person wants to see over time; the step is the month's number.

    Carbon only of months that this run scored, or it would count twice.
    """
    metrics: dict[str, Any] = {}
    for record in timeline.months:
        for name, value in record.headline.items():
            if name.startswith("carbon.") and record.month not in scored_now:
                continue
            metrics.setdefault(name, []).append({"value": value, "step": month_number(record.month, first)})
    return metrics


def split_month(frame: pd.DataFrame, contract: Contract, model: Any, month: str) -> Lanes:
    """Split a month by use; beside the model's columns the sensitive one, if the model needs it and may."""
    sensitive, governed = sensitive_input(model), contract.datasets["feature_store"]
    lanes = split_lanes(
        frame,
        governed,
        on=contract.as_of,
        features=[name for name in model.feature_names_in_ if name != sensitive],
        part=f"month={month}",
    )
    inputs = add_sensitive(lanes.model, lanes.audit, sensitive, governed, on=contract.as_of)
    return replace(lanes, model=inputs[list(model.feature_names_in_)])
