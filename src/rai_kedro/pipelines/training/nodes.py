"""Nodes of the training stage: from the stores to a fitted, assessed candidate."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro import modelling
from rai_kedro.contract import (
    Contract,
    WatchedStore,
    add_sensitive,
    fingerprint,
    load_month,
    pair_labels,
    split_lanes,
)
from rai_kedro.explanation import ExplanationError, explain_groups
from rai_kedro.fairness import (
    BiasAudit,
    BiasAuditSpec,
    FairnessSpec,
    audit_bias,
    examine_classification,
    examine_regression,
    make_groups,
    read_design,
)
from rai_kedro.frames import Series, Store
from rai_kedro.intervals import key_units
from rai_kedro.mitigation import Comparison, Uncompared
from rai_kedro.modelling import (
    ModellingError,
    ModelSplit,
    MonthAnswers,
    answer_month,
    build_estimator,
    build_model,
    build_preparation,
    choose_training_rows,
    fit_estimator,
    is_unseen,
    predict_rows,
    sensitive_input,
    split_rows,
)
from rai_kedro.monitoring import Baseline, content_digest
from rai_kedro.pipelines.parameters import TrainingParameters
from rai_kedro.pipelines.training.settings import Settings, naming_the_parameters
from rai_kedro.policy import Look
from rai_kedro.release import Candidate, Tag, require_storable
from rai_kedro.report import collect_versions

Reads: TypeAlias = list[dict[str, Any]]
"""Sensitive columns as a step read them, each a ``SensitiveRead`` as plain values."""

_MODEL_REQUIREMENTS = ("scikit-learn", "pandas", "numpy", "skops")
_EXAMPLE_ROWS = 5
# Beside the identifiers: what decides whether a row is of the training or the test rows.
_DECIDING = "(split by)"
# MLflow takes letters, digits and these in the name of a metric; a column may have others in its name.
_METRIC_NAME = re.compile(r"[^/\w.\- :]")


_NO_LOOK = Look()


@dataclass(frozen=True)
class Measured:
    """What a run measured, as its reports store it, and the rows it was measured on.

    A candidate needs all of it, so none is registered before it was assessed. What a simulation knows of the true need
    is not in it.
    """

    performance: list[dict[str, Any]]
    fairness_assessment: dict[str, Any]
    fairness_gate: dict[str, Any]
    training_carbon: dict[str, Any]
    data_fingerprint: str
    compared: Comparison | Uncompared
    split: ModelSplit
    release_gates: dict[str, Any]
    judged_by: dict[str, Any]
    proxy_report: dict[str, Any]
    explanation: dict[str, Any]
    look: Look = _NO_LOOK


@dataclass(frozen=True)
class Given:
    """What was predicted elsewhere: of the rows let in, on their index; and what is to be said of it on the card."""

    predictions: pd.DataFrame | None = None  # None where the model is trained here
    notes: tuple[str, ...] = ()


_NOTHING_GIVEN = Given()


@naming_the_parameters()
def separate_lanes(
    feature_store: Store, label_store: Store, settings: Settings
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, Series, str, Reads, Given]:
    """Let the months in, labelled rows only: model lane, audit lane, identifiers, target, their fingerprint, the reads.

    Last is what was predicted elsewhere, where that is assessed; rows without a prediction are then left out.
    Groups are made once from all rows, so that what cannot be assessed is refused before anything is fitted.
    """
    training, contract = settings.training, settings.contract
    lanes, targets, stores = [], [], _watch(feature_store, label_store, contract, "separate_lanes")
    model, answered = build_estimator(training.estimator, training.allowed_modules), dict[str, MonthAnswers]()
    for month in training.months:
        features, labels = pair_labels(*stores, contract, month, training.target)
        if is_unseen(model):
            answered[month], has = _answer_all(model, stores[0], settings, month, features)
            features, labels = features[has], labels[has]
        part = f"month={month}"
        lanes.append(split_lanes(features, settings.features, on=contract.as_of, features=training.features, part=part))
        # It may be a column that neither model nor audit sees.
        deciding = features[getattr(training.split, "column", settings.features.time)]
        lanes[-1].identifiers[_DECIDING] = deciding.to_numpy()
        targets.append(labels[training.target])
    model, audit, identifiers = (
        pd.concat([getattr(one, name) for one in lanes], ignore_index=True)
        for name in ("model", "audit", "identifiers")
    )
    for grouping in settings.fairness.groupings:
        make_groups(audit, grouping)
    target = pd.concat(targets, ignore_index=True)
    digest = fingerprint(model, audit, target.to_frame())
    return model, audit, identifiers, target, digest, _list_reads(stores), _gather(answered, settings)


def _answer_all(
    model: Any, store: WatchedStore, settings: Settings, month: str, paired: pd.DataFrame
) -> tuple[MonthAnswers, Any]:
    """Ask a model made elsewhere for a whole month; return its answers of the paired rows, and which these have."""
    governed, training = settings.features, settings.training
    whole = load_month(store, governed, month)
    lanes = split_lanes(whole, governed, on=settings.contract.as_of, features=training.features, part=f"month={month}")
    answers = answer_month(model, lanes.model)
    key = list(governed.key)
    answered = whole.loc[answers.rows.index, key].join(answers.rows)
    merged = paired[key].merge(answered, on=key, how="left", validate="one_to_one")
    has = merged["prediction"].notna().to_numpy()
    rows = merged.loc[has].drop(columns=key)
    return replace(answers, rows=rows.astype({"prediction": int if training.task == "classification" else float})), has


def _gather(answered: Mapping[str, MonthAnswers], settings: Settings) -> Given:
    """Put the answers of all months together; refused where all are the same."""
    if not answered:
        return Given()
    rows = pd.concat([one.rows for one in answered.values()], ignore_index=True)
    if rows["prediction"].nunique() == 1:
        raise ModellingError(
            "All predictions are the same, so there is nothing to assess.",
            where=f"estimator.params; months {settings.training.period}",
            how_many=f"{len(rows)} rows",
            example=f"{rows['prediction'].iloc[0]:g}",
            remedy="name the column of the predictions, the value that is the favourable one, or another rule",
        )
    return Given(rows, tuple(_describe_answers(answered, settings)))


def _describe_answers(answered: Mapping[str, MonthAnswers], settings: Settings) -> Iterator[str]:
    by = build_estimator(settings.training.estimator, settings.training.allowed_modules)
    yield f"The model itself has not been seen: {by.describe()}."
    if hasattr(by, "identify"):
        answers = pd.concat([one.rows for one in answered.values()])
        yield (
            f"What runs there is not known: {by.identify()}. The answers assessed here have the digest "
            f"{content_digest(answers)[:12]}; before each use the server is asked a few of these rows once more."
        )
    if left_out := sum(one.left_out for one in answered.values()):
        yield f"{left_out:,} rows have no prediction and are left out: nothing is known of them."
    if tied := sum(one.tied for one in answered.values()):
        yield f"{tied:,} rows tie at a cut of the rule: of them those that stand first in the month were selected."
    if against := sum(one.against for one in answered.values()):
        yield f"{against:,} decisions go against the scores: no threshold gives all the decisions."


def _watch(features: Store, labels: Store, contract: Contract, node: str) -> tuple[WatchedStore, WatchedStore]:
    """Have both stores note which sensitive columns of which months a node loads."""
    datasets, step = contract.datasets, f"training.{node}"
    return (
        WatchedStore(features, datasets["feature_store"], step),
        WatchedStore(labels, datasets["label_store"], step),
    )


def _list_reads(stores: Iterable[WatchedStore]) -> Reads:
    return [one.to_dict() for store in stores for one in store.reads]


@naming_the_parameters()
def split_months(
    model_lane: pd.DataFrame, audit_lane: pd.DataFrame, identifiers: pd.DataFrame, target: Series, settings: Settings
) -> tuple[ModelSplit, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Split the rows into train and test, and what a mitigation is chosen on, the audit lane along with them."""
    training = settings.training
    by = training.split, identifiers[_DECIDING]
    split = split_rows(model_lane, target, test_size=training.test_size, random_state=training.random_state, by=by)
    third: Any = [] if split.target_choose is None else split.target_choose.index
    audit_train, audit_choose, audit_test = (
        audit_lane.loc[rows] for rows in (split.target_train.index, third, split.target_test.index)
    )
    return split, audit_train, audit_choose, audit_test


@naming_the_parameters()
def fit_model(split: ModelSplit, settings: Settings) -> Any:
    """Fit the configured estimator on the model lane, behind its preparation where one is configured.

    What could not be stored later is refused here, before anything of this run is written.
    """
    training = settings.training
    estimator = build_estimator(training.estimator, training.allowed_modules)
    if is_unseen(estimator):
        return estimator.fit(split.features_test)
    model = build_configured(estimator, split.features_train, settings.contract, training)
    rows = choose_fitting_rows(split, training)
    fitted = fit_estimator(model, split.features_train.iloc[rows], split.target_train.iloc[rows])
    require_storable(fitted)
    return fitted


def build_configured(estimator: Any, features: pd.DataFrame, contract: Contract, parameters: TrainingParameters) -> Any:
    """Put the configured preparation before an estimator, unfitted; without one the estimator stands alone.

    Rows are balanced inside the fit: thresholds, calibration, weights and folds of a mitigation need the rows as they
    are, since copies of a row must not lie on both sides of a fold.
    """
    if parameters.preparation is None:
        return estimator
    columns = contract.datasets["feature_store"].columns
    types = {name: columns[name].type for name in features.columns.tolist()}
    model = build_model(build_preparation(parameters.preparation, types, seed=parameters.random_state), estimator)
    balance = parameters.preparation.balance
    if balance == "none":
        return model

    return modelling.BalancedEstimator(model, balance, parameters.random_state)


def choose_fitting_rows(split: ModelSplit, parameters: TrainingParameters) -> npt.NDArray[np.int64]:
    """Return the positions of the training rows that models are handed: each once, without balancing."""
    if parameters.preparation is None:
        return np.arange(len(split.target_train), dtype=np.int64)
    unbalanced = parameters.preparation.model_copy(update={"balance": "none"})
    chosen = choose_training_rows(split.features_train, split.target_train, unbalanced, seed=parameters.random_state)
    return chosen.positions


def count_left_out(split: ModelSplit, parameters: TrainingParameters, beside: str | None = None) -> dict[str, int]:
    """Count the training rows that the configured model was not fitted on, by reason.

    ``beside`` is the column that a mitigation was given beside those of the model.
    """
    if parameters.preparation is None or split.target_train.empty:
        return {}
    features = split.features_train.drop(columns=[beside or ""], errors="ignore")
    prepared, seed = parameters.preparation, parameters.random_state
    return choose_training_rows(features, split.target_train, prepared, seed=seed).left_out


@naming_the_parameters()
def predict_splits(model: Any, split: ModelSplit, given: Given = _NOTHING_GIVEN) -> dict[str, pd.DataFrame]:
    """Predict train and test rows: ``prediction``, and ``score`` where the model gives one."""
    if given.predictions is not None:
        parts = {"train": split.features_train, "test": split.features_test}
        return {name: given.predictions.loc[part.index] for name, part in parts.items()}
    return {"train": predict_rows(model, split.features_train), "test": predict_rows(model, split.features_test)}


def assess_performance(
    split: ModelSplit,
    predictions: dict[str, pd.DataFrame],
    settings: Settings,
    audit_train: pd.DataFrame,
    audit_test: pd.DataFrame,
) -> list[dict[str, Any]]:
    """Measure how good the predictions of both splits are, each figure with its interval."""
    from rai_kedro.performance import label_estimates, measure_classification, measure_performance

    training, estimates = settings.training, []
    for name, target in {"train": split.target_train, "test": split.target_test}.items():
        rows, level = predictions[name], training.interval_level
        if target.empty:
            continue
        sampling = read_design({"train": audit_train, "test": audit_test}[name], settings.fairness)
        if training.task == "classification":
            estimates += measure_classification(
                target, rows["prediction"], rows.get("score"), split=name, level=level, sampling=sampling
            )
            estimates += _measure_ranking(split.features_test, target, settings, sampling)
        else:
            measured = measure_performance(target, rows["prediction"], level=level, sampling=sampling)
            estimates += label_estimates(measured, split=name, unit=training.unit)
    return [estimate.to_dict() for estimate in estimates]


def _measure_ranking(features: pd.DataFrame, target: Series, settings: Settings, sampling: Any) -> list[Any]:
    """Measure the AUC of a score made elsewhere that ranks the rows and is no probability."""
    from rai_kedro.performance import measure_auc

    model = build_estimator(settings.training.estimator, settings.training.allowed_modules)
    if not is_unseen(model) or model.score is None or hasattr(model, "predict_proba"):
        return []
    ranked, level = model.rank(features), settings.training.interval_level
    return [measure_auc(target.to_numpy(dtype=float), ranked, split="test", level=level, sampling=sampling)]


@naming_the_parameters()
def assess_fairness(
    split: ModelSplit,
    audit_test: pd.DataFrame,
    predictions: dict[str, pd.DataFrame],
    compared: Comparison | Uncompared,
    settings: Settings,
    look: Look = _NO_LOOK,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Measure every configured metric on the test rows, and let the gate judge the intervals.

    Where the model was chosen among several by these very rows, or a plan lets several trainings look at them, the
    intervals allow for that.
    """
    fairness = settings.fairness.after_choice(compared.selectable * look.divisor)
    predicted = predictions["test"]
    if settings.training.task == "classification":
        found = examine_classification(
            split.target_test, predicted["prediction"], predicted.get("score"), audit_test, fairness
        )
    else:
        found = examine_regression(split.target_test, predicted["prediction"], audit_test, fairness)
    if fairness.ll144 is not None:
        audit = _tabulate_ll144(fairness, fairness.ll144, audit_test, predicted, settings.training.task)
        found = found.model_copy(update={"ll144": audit})
    return found.to_dict(), fairness.gate.judge(found.disparities).to_dict()


def _tabulate_ll144(
    fairness: FairnessSpec, spec: BiasAuditSpec, audit: pd.DataFrame, predicted: pd.DataFrame, task: str
) -> BiasAudit:
    by_score = spec.measure == "scoring" or task == "regression"
    output = predicted["score" if by_score and task == "classification" else "prediction"]
    made = audit_bias(
        sex=audit[spec.sex],
        race=audit[spec.race],
        selected=None if by_score else output,
        scores=output if by_score else None,
        unknown=spec.unknown,
        leave_out=spec.leave_out,
        level=spec.level,
        unit=None if fairness.unit is None else audit[fairness.unit],
    )
    if fairness.weight is None:
        return made
    unweighted = f"Weights ('{fairness.weight}') are not used: the rule counts."
    return made.model_copy(update={"sampled": f"{made.sampled} {unweighted}".strip()})


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


def name_groups(audit: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Return the name of each row's group, a column for each grouping; shape (rows, groupings)."""
    groupings = settings.fairness.groupings
    return pd.DataFrame({one.name: make_groups(audit, one).labels for one in groupings}, index=audit.index)


@naming_the_parameters()
def explain_model(model: Any, split: ModelSplit, audit_test: pd.DataFrame, settings: Settings) -> dict[str, Any]:
    """Say what the model goes by, overall and in each group, and in which slices of the test rows it errs most."""
    store = settings.features
    if is_unseen(model):
        return {"reason": "The model has not been seen."}
    try:
        found = explain_groups(
            model,
            split.features_test,
            split.target_test,
            groups=name_groups(audit_test, settings),
            columns=audit_test.drop(columns=[store.unit, store.weight], errors="ignore"),
            units=None if store.unit is None else audit_test[store.unit],
            level=settings.training.interval_level,
            seed=settings.training.random_state,
            measured_in=settings.training.unit,
        )
    except ExplanationError as error:
        return {"reason": error.what}
    return found.to_dict()


@naming_the_parameters()
def choose_reference(
    model: Any,
    split: ModelSplit,
    audit_test: pd.DataFrame,
    predictions: dict[str, pd.DataFrame],
    feature_store: Store,
    label_store: Store,
    settings: Settings,
) -> tuple[pd.DataFrame, Reads]:
    """Choose what later months are compared with: the test rows, or labelled months that were named for it."""
    training, contract, on = settings.training, settings.contract, settings.contract.as_of
    unit = settings.features.unit
    if not training.reference_months:
        return _lay_out(split.features_test, audit_test, split.target_test, predictions["test"], unit), []
    parts, stores = [], _watch(feature_store, label_store, contract, "choose_reference")
    for month in training.reference_months:
        features, labels = pair_labels(*stores, contract, month, training.target)
        lanes = split_lanes(features, settings.features, on=on, features=training.features, part=f"month={month}")
        if is_unseen(model):
            answers, has = _answer_all(model, stores[0], settings, month, features)
            known = answers.rows.set_index(features.index[has])
            parts.append(_lay_out(lanes.model[has], lanes.audit[has], labels[training.target][has], known, unit))
            continue
        inputs = add_sensitive(lanes.model, lanes.audit, sensitive_input(model), settings.features, on=on)
        parts.append(_lay_out(inputs, lanes.audit, labels[training.target], predict_rows(model, inputs), unit))
    return pd.concat(parts, ignore_index=True), _list_reads(stores)


def _lay_out(
    features: pd.DataFrame, audit: pd.DataFrame, target: Series, predictions: pd.DataFrame, unit: str | None
) -> pd.DataFrame:
    if unit is not None:  # the version is kept for long: no identifier of a person goes with it
        audit = audit.assign(**{unit: [f"{key:016x}" for key in key_units(audit[unit])]})
    audit_only = audit[[name for name in audit if name not in features]]
    return features.join(audit_only).assign(**{str(target.name): target}).join(predictions)


def digest_months(
    feature_store: Store, label_store: Store, settings: Settings
) -> tuple[dict[str, dict[str, str]], Reads]:
    """Digest what the stores hold of every month that is trained on or referred to."""
    training, datasets = settings.training, settings.contract.datasets
    watched = _watch(feature_store, label_store, settings.contract, "digest_months")
    stores = {"features": (watched[0], "feature_store"), "labels": (watched[1], "label_store")}
    digests = {
        month: {
            name: content_digest(load_month(store, datasets[of], month), datasets[of].key)
            for name, (store, of) in stores.items()
        }
        for month in sorted({*training.months, *training.reference_months})
    }
    return digests, _list_reads(watched)


def assemble_candidate(
    model: Any,
    reference: pd.DataFrame,
    measured: Measured,
    month_digests: dict[str, dict[str, str]],
    kept_parameters: dict[str, Any],
    settings: Settings,
) -> Candidate:
    """Gather all that belongs to the version to be registered, its reference data included."""
    training, split, versions = settings.training, measured.split, collect_versions(_MODEL_REQUIREMENTS)
    example = split.features_test.head(_EXAMPLE_ROWS)
    fitted = (
        split
        if not split.features_train.empty
        else replace(split, features_train=split.features_test, target_train=split.target_test)
    )
    return Candidate(
        estimator=model,
        input_example=example,
        predictions=reference["prediction"].head(len(example)) if is_unseen(model) else model.predict(example),
        training_frame=fitted.features_train.assign(**{training.target: fitted.target_train}),
        reference=reference,
        target=training.target,
        contract=settings.contract.model_dump(mode="json"),
        baseline=_make_baseline(model, measured, settings).to_dict(),
        tags={
            "rai.data_fingerprint": measured.data_fingerprint,
            Tag.MONTH: training.period,
            "rai.mitigation": measured.compared.chosen,
            Tag.GATE: str(measured.fairness_gate["outcome"]),
            "rai.figures": str(len(measured.performance)),
        },
        months=month_digests,
        policy=measured.judged_by,
        pip_requirements=tuple(f"{name}=={versions[name]}" for name in _MODEL_REQUIREMENTS),
        source=f"{settings.features.dataset}/month={training.period}",
        parameters=kept_parameters,
    )


def _make_baseline(model: Any, measured: Measured, settings: Settings) -> Baseline:
    training = settings.training
    emitted = [task["emissions_g"] for task in measured.training_carbon.values() if "emissions_g" in task]
    unseen = is_unseen(model)
    return Baseline(
        task=training.task,
        target=training.target,
        unit=training.unit,
        features=tuple(map(str, measured.split.features_test)),
        fairness=FairnessSpec(**{name: getattr(settings.fairness, name) for name in FairnessSpec.model_fields}),
        tolerances=settings.fairness.tolerances,
        importance={one["column"]: one["share"] for one in measured.explanation.get("drivers", ())},
        emissions_g=sum(emitted) if emitted else None,
        reference=", ".join(training.reference_months) or ("assessed rows" if unseen else "test rows"),
        unseen=unseen,
    )
