"""Nodes of the training stage that look for proxies: before anything is fitted, and on the training rows."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from rai_kedro.contract import find_repeats
from rai_kedro.frames import MonthLoader, Series, Store
from rai_kedro.modelling import ModelSplit, build_estimator, count_shared_units, is_unseen
from rai_kedro.pipelines.training.settings import Settings
from rai_kedro.proxies import (
    ProxyError,
    ProxyReport,
    Relation,
    as_typed,
    describe_carriers,
    drop_rescaled,
    find_leaks,
    find_proxies,
    find_relations,
    find_suspicions,
    list_guarded,
    refuse_disguises,
)
from rai_kedro.words import count_of, format_interval, list_some

_SHOWN = 5
_PREPARED_ROWS = 5_000
_log = logging.getLogger(__name__)


def refuse_disguised(
    feature_store: Store,
    identifiers: pd.DataFrame,
    model_lane: pd.DataFrame,
    audit_lane: pd.DataFrame,
    target: Series,
    settings: Settings,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, tuple[Relation, ...]]]:
    """Let the model's columns on where none is a flagged one, or the target, in disguise without a justification.

    Nothing can be fitted but on what this returns first; second are the columns that the model must not know.
    """
    store, on = settings.features, settings.contract.as_of
    names = list_guarded(store, model_lane.columns.tolist())
    guarded = audit_lane[[name for name in names if name in audit_lane]]
    guarded = guarded.join(_read_closed(feature_store, identifiers, names, settings))
    own, others = as_typed(model_lane, store), as_typed(guarded, store)
    # A decision made elsewhere may be a flagged column, and tell the target well: that is for the assessment to find.
    given = [name for name in store.with_use("decision") if name in own]
    fed, outcome = own.drop(columns=given), target.to_frame()
    leaks = (*find_leaks(fed, outcome), *find_relations(own[given], outcome))
    relations, leaks = refuse_disguises(find_relations(fed, others), leaks, store, on=on)
    return model_lane, others, {"relations": relations, "leaks": leaks, "suspicions": find_suspicions(fed, outcome)}


def refuse_prepared(
    fitted_model: Any,
    split: ModelSplit,
    guarded_columns: pd.DataFrame,
    disguises: dict[str, tuple[Relation, ...]],
) -> Any:
    """Let a fitted model on where none of its own steps makes a flagged column out of those that were let in.

    What was let in as another column by a justification may be made from it, too.
    """
    from rai_kedro.modelling import prepare_rows  # which loads scikit-learn

    rows = split.features_train.iloc[:_PREPARED_ROWS]
    if is_unseen(fitted_model) or rows.empty:
        return fitted_model
    made = drop_rescaled(prepare_rows(fitted_model, rows), rows)
    known = [one.of for one in disguises["relations"]]
    found = find_relations(made, guarded_columns.loc[rows.index].drop(columns=known))
    if found:
        raise ProxyError(
            f"A step of the model makes a flagged column out of those that it may read: {found[0].text}.",
            where="parameters.yml, training.preparation and training.estimator",
            how_many=f"{count_of(len(found), 'relation')}, seen on {found[0].rows:,} training rows",
            example=list_some([one.text for one in found], _SHOWN),
            remedy="take out the step, or the columns that it is made from (use: audit or forbidden)",
        )
    return fitted_model


def _read_closed(
    feature_store: Store, identifiers: pd.DataFrame, names: Sequence[str], settings: Settings
) -> pd.DataFrame:
    """Read the forbidden columns among these, for the rows that are identified; none where nobody may read them."""
    store = settings.features
    wanted = [name for name in names if store.columns[name].use == "forbidden"]
    loaders = [feature_store[f"{store.time}={month}"] for month in settings.training.months] if wanted else []
    closed = [one.read_closed() for one in loaders if isinstance(one, MonthLoader) and one.read_closed]
    if not settings.proxies.read_forbidden or len(closed) < len(loaders) or not closed:
        return pd.DataFrame(index=identifiers.index)
    key, known = list(store.identifiers), pd.concat(closed, ignore_index=True)
    there = [name for name in wanted if name in known]
    return identifiers[key].merge(known[[*key, *there]], on=key, how="left")[there].set_axis(identifiers.index)


def warn_of_repeats(
    feature_store: Store, identifiers: pd.DataFrame, audit_lane: pd.DataFrame, split: ModelSplit, settings: Settings
) -> list[str]:
    """Say which columns repeat as the key of a person does, where the contract names no unit; the model's are none.

    Where it names one, say whether an own split puts rows of the same unit on both sides.
    """
    store = settings.features
    if store.unit is not None:
        told = list(_find_shared(split, audit_lane[store.unit], settings))
        for text in told:
            _log.warning("  %s", text)
        return told
    closed = [name for name in store.with_use("forbidden") if store.columns[name].type in ("text", "integer")]
    rows = identifiers[list(store.key)].join(audit_lane)
    rows = rows.join(_read_closed(feature_store, identifiers, closed, settings))
    # Where rows are numbered anew in each month, the same number is not the same row.
    by_month = identifiers.groupby(store.time)
    numbering = [name for name in store.key if by_month[name].agg(_is_numbering).all()]
    found = [str(one) for one in find_repeats(rows.drop(columns=numbering), store.key)]
    for text in found:
        _log.warning("  %s", text)
    return found


def _find_shared(split: ModelSplit, units: Series, settings: Settings) -> Iterator[str]:
    shared, tested = count_shared_units(split, units)
    if shared:
        yield (
            f"The split by {settings.training.split.by} has rows of {shared:,} of {tested:,} tested units "
            f"('{settings.features.unit}') among the training rows, too: a model that has learnt them by heart looks "
            "better on the test than it is on others; the split by unit keeps each on one side"
        )


def _is_numbering(key: Series) -> bool:
    return key.dtype.kind in "iu" and key.min() == 1 and key.max() <= 2 * len(key)


def measure_proxies(
    split: ModelSplit,
    guarded_columns: pd.DataFrame,
    disguises: dict[str, tuple[Relation, ...]],
    settings: Settings,
) -> dict[str, Any]:
    """Measure on the training rows how well the model's columns tell each column that it must not know.

    ProxyError where the policy refuses what was found.
    """
    store, policy = settings.features, settings.proxies
    # Where nothing is fitted every row may serve; what is only read as decided, or by the rule, is no model's column.
    fitted = split.features_test if split.features_train.empty else split.features_train
    read = getattr(build_estimator(settings.training.estimator, settings.training.allowed_modules), "reads", ())
    features = as_typed(fitted.drop(columns=list(read)), store)
    if features.columns.empty:
        none = ProxyReport(proxies=(), policy=policy, rows=len(features), rows_used=0, unseen=True)
        return none.to_dict()
    guarded = guarded_columns.loc[fitted.index]
    absent = [name for name in list_guarded(store, fitted.columns.tolist()) if name not in guarded]
    report = find_proxies(
        features, guarded, policy=policy, never_read=absent, seed=settings.training.random_state, disguises=disguises
    )
    proxies = [one for one in report.proxies if one.outcome == "fail"]
    for one in proxies:
        carried = describe_carriers(one.singles[:1] + one.pairs[:1])
        _log.warning("The model's columns predict %s: %s %s (%s).", one.name, one.metric, format_interval(one), carried)
    if proxies and policy.action == "refuse":
        raise ProxyError(
            f"The model's columns tell what it must not know: {', '.join(one.name for one in proxies)}.",
            where=f"{store.dataset}; parameters.yml, proxies.limit",
            how_many=f"{len(proxies)} of {len(report.proxies)} flagged columns lie beyond their limit",
            example=f"{proxies[0].metric} {format_interval(proxies[0])}, at most {proxies[0].limit:g}; "
            + describe_carriers(proxies[0].singles[:1] + proxies[0].pairs[:1]),
            remedy="take the columns that carry it out of the model, or have the limit decided anew in conf/base",
        )
    return report.to_dict()
