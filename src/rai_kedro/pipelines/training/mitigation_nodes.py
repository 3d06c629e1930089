"""Adapters of the training stage: comparing mitigations, and the report of it.

Of the audit lane, training rows reach these nodes only, after the unmitigated model was fitted without them.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from rai_kedro.contract.columns import Contract
from rai_kedro.contract.lanes import add_sensitive, permits_mitigation
from rai_kedro.contract.pairing import load_month
from rai_kedro.errors import RaiError
from rai_kedro.fairness.request import MetricError, check_columns, check_request
from rai_kedro.frames import Store
from rai_kedro.mitigation.comparison import (
    Comparison,
    ComparisonRequest,
    ConfiguredMethod,
    Rows,
    Uncompared,
    compare_methods,
)
from rai_kedro.mitigation.comparison.grouping import resolve_cuts
from rai_kedro.mitigation.comparison.need import hold_against_need as add_need
from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.modelling.estimator import build_estimator, require_both_classes
from rai_kedro.modelling.prediction import sensitive_input
from rai_kedro.modelling.split import ModelSplit
from rai_kedro.pipelines.training.fitting import build_configured, choose_fitting_rows
from rai_kedro.pipelines.training.parameters import FairnessParameters, MitigationParameters, TrainingParameters

_log = logging.getLogger(__name__)
_NOTHING = "no sensitive column is configured ('mitigation.sensitive_column')"


def settle_groups(audit_train: pd.DataFrame, contract: Contract, fairness: FairnessParameters) -> FairnessParameters:
    """Settle which groups there have to be, and on the training rows where numbers are cut.

    So the groups mitigated for are those assessed, and a category without rows is not assessed instead of passed over.
    """
    return resolve_cuts(fairness.declare_categories(contract.datasets["feature_store"]), audit_train)


def compare_mitigations(
    unmitigated_model: Any,
    split: ModelSplit,
    audit_train: pd.DataFrame,
    audit_test: pd.DataFrame,
    contract: Contract,
    parameters: TrainingParameters,
    fairness: FairnessParameters,
    mitigation: MitigationParameters,
) -> tuple[Any, Comparison | Uncompared]:
    """Fit every configured mitigation on the same rows, hold all against the test rows, and choose a model."""
    require_agreement(unmitigated_model, split, audit_test, contract, parameters, fairness, mitigation)
    column = mitigation.sensitive_column
    if column is None:
        return unmitigated_model, Uncompared(_NOTHING)
    governed = contract.datasets["feature_store"]
    train, test = _collect_rows(split, audit_train, audit_test, parameters)
    request = ComparisonRequest(
        estimator=unmitigated_model,
        train=train,
        test=test,
        sensitive_column=column,
        fairness=fairness,
        measure=_measure(parameters),
        methods=tuple(ConfiguredMethod(one.method, one.parameters, one.name) for one in mitigation.methods),
        permitted=permits_mitigation(governed, column, on=contract.as_of),
        metric=mitigation.metric,
        kind=mitigation.kind,
        performance=mitigation.performance,
        tolerance=mitigation.tolerance,
        configured=mitigation.chosen,
        alternatives={
            name: build_configured(
                build_estimator(config, parameters.allowed_modules, f"mitigation.alternatives.{name}"),
                split.features_train,
                contract,
                parameters,
            )
            for name, config in mitigation.alternatives.items()
        },
    )
    comparison = compare_methods(request)
    for one in comparison.models:
        if one.status != "fitted":
            # What mends it is on the page; a person at the terminal needs to know that it is missing, and why.
            why = one.reason.partition(" To mend it:")[0]
            _log.warning("%s gives no model (%s): %s", one.name, one.status, why)
    return comparison.chosen_estimator, comparison


def require_agreement(
    model: Any,
    split: ModelSplit,
    audit: pd.DataFrame,
    contract: Contract,
    parameters: TrainingParameters,
    fairness: FairnessParameters,
    mitigation: MitigationParameters,
) -> None:
    """Hold model, metrics, groups and mitigation against each other before any mitigation is fitted.

    Raises:
        RaiError: They do not agree; it names the key.
    """
    check_request(fairness, parameters.task, has_score=hasattr(model, "predict_proba"))
    if parameters.task == "classification":
        require_both_classes(split.target_train)
        _require_favourable(fairness)
    if mitigation.sensitive_column is not None:
        _require_audited(mitigation.sensitive_column, audit, contract)
        check_columns(fairness, audit)


def _require_favourable(fairness: FairnessParameters) -> None:
    if fairness.favourable != 1:
        raise MetricError(
            f"The favourable value of the label cannot be {fairness.favourable!r}: models score the label 1.",
            where="parameters.yml, fairness.favourable",
            remedy="leave it out, and write the label store so that 1 is the favourable outcome",
        )


def _require_audited(name: str, audit: pd.DataFrame, contract: Contract) -> None:
    if name in audit.columns:
        return
    column = contract.datasets["feature_store"].columns.get(name)
    held = "it is not in the contract" if column is None else f"its use is '{column.use}'"
    raise MitigationError(
        f"The sensitive column {name!r} is not audited: {held}.",
        where="parameters.yml, mitigation.sensitive_column",
        example=f"audited are: {', '.join(map(str, audit.columns)) or 'none'}",
        remedy="name one of these, give the column 'use: audit' in the catalogue, or null to compare nothing",
    )


def admit_inputs(
    model: Any, split: ModelSplit, audit_train: pd.DataFrame, audit_test: pd.DataFrame, contract: Contract
) -> ModelSplit:
    """Give the chosen model its inputs: with the sensitive column only if it needs it and the contract permits that."""
    column, governed, on = sensitive_input(model), contract.datasets["feature_store"], contract.as_of
    return replace(
        split,
        features_train=add_sensitive(split.features_train, audit_train, column, governed, on=on),
        features_test=add_sensitive(split.features_test, audit_test, column, governed, on=on),
    )


def hold_against_need(
    compared: Comparison | Uncompared,
    split: ModelSplit,
    audit_test: pd.DataFrame,
    identifiers: pd.DataFrame,
    true_need: Store,
    contract: Contract,
    parameters: TrainingParameters,
    fairness: FairnessParameters,
    mitigation: MitigationParameters,
) -> Comparison | Uncompared:
    """Assess every compared model against the true need, after the choice was made without it."""
    if not isinstance(compared, Comparison):
        return compared
    governed = contract.datasets["feature_store"]
    known = pd.concat([load_month(true_need, governed, month) for month in parameters.months], ignore_index=True)
    asked = identifiers.loc[split.target_test.index]
    need = asked.merge(known, on=list(governed.identifiers), how="left", validate="one_to_one")
    if mitigation.true_need not in need.columns:
        raise RaiError(
            "The column of the true need is not in its store.",
            where=f"parameters.yml, mitigation.true_need: {mitigation.true_need}",
            example=f"the store has {', '.join(known.columns)}",
            remedy="name one of its columns",
        )
    test = Rows(split.features_test, split.target_test, audit_test)
    return add_need(compared, test, need[mitigation.true_need], fairness)


def report_mitigation(
    compared: Comparison | Uncompared, contract: Contract, parameters: TrainingParameters
) -> tuple[dict[str, Any], str, Any, Any, Any, Any, Any, Any]:
    """Write the comparison down: its figures as data, the page, the recipe's five figures and the trade-off."""
    from rai_kedro.report.mitigation_report import draw_mitigation, render_mitigation_page

    plain = compared.to_dict()
    figures = draw_mitigation(plain, favourable=parameters.target)
    page = render_mitigation_page(plain, figures, use_case=contract.use_case, favourable=parameters.target)
    return (
        plain,
        page,
        figures["performance"],
        figures["roc_by_group"],
        figures["performance_and_fairness"],
        figures["predicted_shares"],
        figures["predicted_numbers"],
        figures["trade_off"],
    )


def _collect_rows(
    split: ModelSplit, audit_train: pd.DataFrame, audit_test: pd.DataFrame, parameters: TrainingParameters
) -> tuple[Any, Any]:
    rows = choose_fitting_rows(split, parameters)
    train = Rows(split.features_train.iloc[rows], split.target_train.iloc[rows], audit_train.iloc[rows])
    return train, Rows(split.features_test, split.target_test, audit_test)


def _measure(parameters: TrainingParameters) -> Any:
    from rai_kedro.performance.classification import measure_classification
    from rai_kedro.performance.regression import measure_performance

    level = parameters.interval_level
    if parameters.task == "classification":
        return partial(measure_classification, split="test", level=level)

    def measure(target: Any, predicted: Any, _scores: Any) -> Any:
        return measure_performance(target, predicted, level=level)

    return measure
