"""Nodes of the training stage that compare mitigations.

Of the audit lane, training rows reach these nodes only, after the unmitigated model was fitted without them.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.contract import add_sensitive, load_month
from rai_kedro.errors import RaiError
from rai_kedro.fairness import settle_merged
from rai_kedro.frames import Series, Store
from rai_kedro.mitigation import Comparison, Rows, Uncompared, compare_methods, resolve_cuts
from rai_kedro.mitigation import hold_against_need as add_need
from rai_kedro.modelling import ModelSplit, is_unseen, require_both_classes, sensitive_input
from rai_kedro.pipelines.parameters import TrainingParameters
from rai_kedro.pipelines.training.nodes import build_configured, choose_fitting_rows
from rai_kedro.pipelines.training.settings import Settings, naming_the_parameters, request_comparison

_log = logging.getLogger(__name__)
_UNSEEN = "the decisions were made elsewhere, so nothing can be mitigated here"
_NOTHING = "no sensitive column is configured ('mitigation.sensitive_column')"


def settle_groups(audit_train: pd.DataFrame, audit_test: pd.DataFrame, settings: Settings) -> Settings:
    """Settle which groups there have to be, on the training rows where numbers are cut, on the others which are small.

    So the groups mitigated for are those assessed, and a category without rows is not assessed instead of passed over.
    Where nothing was fitted the assessed rows say where numbers are cut.
    """
    declared = settings.fairness.declare_categories(settings.features)
    cut = resolve_cuts(declared, audit_test if audit_train.empty else audit_train)
    groupings = tuple(settle_merged(one, audit_test) for one in cut.groupings)
    return replace(settings, fairness=cut.model_copy(update={"groupings": groupings}))


@naming_the_parameters()
def compare_mitigations(
    unmitigated_model: Any,
    split: ModelSplit,
    audit_train: pd.DataFrame,
    audit_choose: pd.DataFrame,
    audit_test: pd.DataFrame,
    settings: Settings,
) -> tuple[Any, Comparison | Uncompared]:
    """Fit every configured mitigation on the same rows, compare all on the same others, and choose a model.

    The others are the test rows, or rows of their own where the split keeps some to choose on.
    """
    training = settings.training
    if is_unseen(unmitigated_model):
        return unmitigated_model, Uncompared(reason=_UNSEEN)
    if training.task == "classification":
        require_both_classes(split.target_train)
    request = request_comparison(settings, unmitigated_model)
    if request is None:
        return unmitigated_model, Uncompared(reason=_NOTHING)
    prepared = {
        name: build_configured(one, split.features_train, settings.contract, training)
        for name, one in request.alternatives.items()
    }
    rows = choose_fitting_rows(split, training)
    train = Rows(split.features_train.iloc[rows], split.target_train.iloc[rows], audit_train.iloc[rows])
    compared_on = _rows_to_choose_on(split, audit_choose, audit_test)
    repeats = replace(request.repeats, admit=lambda features, target: _can_be_fitted(features, target, training))
    comparison = compare_methods(replace(request, alternatives=prepared, repeats=repeats), train, compared_on)
    comparison = comparison.model_copy(update={"apart": split.target_choose is not None})
    for one in comparison.models:
        if one.status != "fitted":
            # What mends it is on the page; a person at the terminal needs to know that it is missing, and why.
            why = one.reason.partition(" To mend it:")[0]
            _log.warning("%s gives no model (%s): %s", one.name, one.status, why)
    return comparison.chosen_estimator, comparison


def _can_be_fitted(features: pd.DataFrame, target: Series, training: TrainingParameters) -> npt.NDArray[np.bool_]:
    fitted = np.zeros(len(target), dtype=bool)
    fitted[choose_fitting_rows(ModelSplit(features, features[:0], target, target[:0]), training)] = True
    return fitted


def _rows_to_choose_on(split: ModelSplit, audit_choose: pd.DataFrame, audit_test: pd.DataFrame) -> Rows:
    if split.features_choose is None or split.target_choose is None:
        return Rows(split.features_test, split.target_test, audit_test)
    return Rows(split.features_choose, split.target_choose, audit_choose)


def admit_inputs(
    model: Any, split: ModelSplit, audit_train: pd.DataFrame, audit_test: pd.DataFrame, settings: Settings
) -> ModelSplit:
    """Give the chosen model its inputs: with the sensitive column only if it needs it and the contract permits that."""
    column, governed, on = sensitive_input(model), settings.features, settings.contract.as_of
    return replace(
        split,
        features_train=add_sensitive(split.features_train, audit_train, column, governed, on=on),
        features_test=add_sensitive(split.features_test, audit_test, column, governed, on=on),
    )


def hold_against_need(
    compared: Comparison | Uncompared,
    split: ModelSplit,
    audit_choose: pd.DataFrame,
    audit_test: pd.DataFrame,
    identifiers: pd.DataFrame,
    true_need: Store,
    settings: Settings,
) -> Comparison | Uncompared:
    """Assess every compared model against the true need, after the choice was made without it."""
    if not isinstance(compared, Comparison):
        return compared
    governed, name = settings.features, settings.mitigation.true_need
    months = settings.training.months
    known = pd.concat([load_month(true_need, governed, month) for month in months], ignore_index=True)
    if name not in known:
        raise RaiError(
            "The column that holds the true need is not known.",
            where=f"parameters.yml, mitigation.true_need: {name or 'not set'}",
            example=f"the store 'true_need' has: {', '.join(map(str, known.columns))}",
            remedy="name one of these columns, or take 'true_need' out of the catalogue",
        )
    rows = _rows_to_choose_on(split, audit_choose, audit_test)
    asked = identifiers.loc[rows.target.index]
    need = asked.merge(known, on=list(governed.identifiers), how="left", validate="one_to_one")[name]
    return add_need(compared, rows, need, settings.fairness)


def record_comparison(compared: Comparison | Uncompared) -> dict[str, Any]:
    """Write the comparison down as data."""
    return compared.to_dict()
