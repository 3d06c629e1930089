"""The one way from the stores into training and into inference: rows by month, columns by what they may be used for.

Both pipelines must call this plain function to get any column at all, so no runner, hook order or environment skips it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd

from rai_kedro.contract.columns import Column, Contract, DatasetContract
from rai_kedro.contract.validation import check_frame
from rai_kedro.errors import RaiError
from rai_kedro.frames import Store


class LaneError(RaiError):
    """A column was asked for where the contract does not permit it."""


class PairingError(RaiError):
    """Features and labels do not belong together, or a month is not there."""


@dataclass(frozen=True)
class Lanes:
    """One month of data, split by what its columns may be used for; all parts have the same rows."""

    identifiers: pd.DataFrame  # time and key
    model: pd.DataFrame  # what may reach the estimator
    audit: pd.DataFrame  # what is assessed for fairness: use 'audit' or 'mitigation', flagged features; unit and weight


def model_columns(contract: DatasetContract, *, on: date, features: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the columns of the feature store that may reach the estimator, in the order asked for.

    None asks for every column of use ``model``, in contract order; justifications are judged ``on`` that day.

    Raises:
        LaneError: If a column asked for is not in the contract, may not enter the model, or is flagged and has no
            justification that still holds.
    """
    asked = tuple(features) if features is not None else contract.with_use("model")
    if not asked:
        raise LaneError("The model has no column left.", where=contract.dataset, remedy="give a column 'use: model'")
    if twice := sorted({name for name in asked if asked.count(name) > 1}):
        raise LaneError(f"A feature is asked for twice: {twice}.", where=contract.dataset, remedy="name it once")
    for name in asked:
        _admit(name, contract, on)
    return asked


def split_lanes(
    frame: pd.DataFrame, contract: DatasetContract, *, on: date, features: Sequence[str] | None = None, part: str = ""
) -> Lanes:
    """Check one month of the feature store and split it; columns of use ``forbidden`` are in no part.

    Arguments and errors are those of :func:`model_columns` and of :func:`rai_kedro.contract.validation.check_frame`.
    """
    columns = model_columns(contract, on=on, features=features)
    # Asked again here although the catalogue validates on load: that check can be switched off from outside.
    check_frame(frame, contract, part=part)
    audited = contract.with_use("audit", "mitigation")
    audit = [name for name, column in contract.columns.items() if name in audited or (column.flags and name in columns)]
    audit += contract.sampling
    return Lanes(*(frame[list(names)].copy() for names in (contract.identifiers, columns, audit)))


def mitigation_fault(contract: DatasetContract, name: str, *, on: date) -> str | None:
    """Return why, on that day, no mitigation may read a column of the feature store for every prediction, or None."""
    column = contract.columns.get(name)
    if column is None:
        return "it is not in the contract"
    if column.use not in ("mitigation", "model"):
        return f"its use is '{column.use}'"
    if (why := column.justification) is not None:
        return None if why.is_valid(on) else f"its justification ended on {why.until}; now {on}"
    return None if column.use == "model" and not column.flags else "it has no justification"


def check_justifications(contract: Contract, *, most_days: int) -> None:
    """Refuse a justification that holds for longer than ``most_days`` from the contract's day, or a label's that ended.

    That of a feature is judged where the column is asked for (:func:`model_columns`, :func:`mitigation_fault`); a label
    is asked for by nobody else.

    Raises:
        LaneError: Names the column, who answers for it, and until when it may hold.
    """
    latest = contract.as_of + timedelta(days=most_days)
    for short, store in contract.datasets.items():
        for name, column in store.columns.items():
            why = column.justification
            if why is not None and why.until > latest:
                raise LaneError(
                    f"The justification of '{name}' holds for longer than the policy allows.",
                    where=f"{store.dataset}, column {name}",
                    example=f"by {why.by} until {why.until}; now {contract.as_of}, and at most {most_days} days",
                    remedy=f"write an 'until' of {latest} or earlier, and have it justified anew by then",
                )
            if why is not None and short == "label_store" and not why.is_valid(contract.as_of):
                raise LaneError(
                    f"The justification that lets flagged column '{name}' be learned has expired.",
                    where=f"{store.dataset}, column {name}",
                    example=f"by {why.by} until {why.until}; now {contract.as_of}",
                    remedy="have it justified anew with a later 'until'; or learn another label",
                )


def add_sensitive(
    model: pd.DataFrame, audit: pd.DataFrame, name: str | None, contract: DatasetContract, *, on: date
) -> pd.DataFrame:
    """Put beside a model's columns the one that its mitigation needs for every prediction, last unless it is there.

    ``audit`` has the audited columns of the same rows; ``name`` is None if no prediction needs a sensitive column.
    LaneError where :func:`mitigation_fault` finds one.
    """
    if name is None:
        return model
    fault = mitigation_fault(contract, name, on=on)
    if fault is None:
        return model if name in model else model.assign(**{name: audit[name]})
    raise LaneError(
        f"The mitigation needs '{name}' for every prediction, which the contract does not permit.",
        where=f"{contract.dataset}, column {name}",
        example=fault,
        remedy=f"give '{name}' 'use: mitigation' with a 'justification' (by, reason, until) that holds; "
        "or train a model whose mitigation does not need it",
    )


def _admit(name: str, contract: DatasetContract, on: date) -> None:
    column, example = contract.columns.get(name), None
    leave = f"leave '{name}' out of the model (use: audit keeps it for the fairness assessment)"
    remedy = f"{leave}; or give it 'use: model' with a 'justification' (by, reason, until) in the catalogue"
    if column is None:
        known = (*contract.identifiers, *contract.sampling)
        kind = "identifies rows and is no feature" if name in known else "is not in the contract"
        what = f"The model asks for '{name}', which {kind}."
        remedy = "take it out of the model's features, or declare it in the catalogue with its flags and its use"
        example = f"columns the model may use: {', '.join(contract.with_use('model'))}"
    elif column.use == "forbidden":
        what = f"The model asks for '{name}', whose use is forbidden."
        remedy = "take it out of the model's features; a forbidden column may not be read at all"
    elif column.use == "decision":
        return  # whether it is read as such, and by no estimator, the settings of the training say
    elif column.use != "model":
        reason = _flagged(column) or f"of use '{column.use}'"
        what = f"The model asks for '{name}', which is {reason}."
    elif column.flags and column.justification is None:
        what = f"'{name}' is {_flagged(column)} and enters the model without a justification."
    elif (why := column.justification) is not None and not why.is_valid(on):
        what = f"The justification that lets flagged column '{name}' into the model has expired."
        remedy = f"have it justified anew with a later 'until'; or {leave} and train again"
        example = f"{' and '.join(column.flags)}, justified by {why.by} until {why.until}; now {on}"
    else:
        return
    raise LaneError(what, where=f"{contract.dataset}, column {name}", example=example, remedy=remedy)


def _flagged(column: Column) -> str:
    return f"flagged {' and '.join(column.flags)} ({column.risk})" if column.flags else ""


def load_month(store: Store, contract: DatasetContract, month: str) -> pd.DataFrame:
    """Load one month, ``YYYY-MM``, of a store; PairingError if it is not there."""
    return find_month(store, contract, month)()


def find_month(store: Store, contract: DatasetContract, month: str) -> Callable[[], pd.DataFrame]:
    """Return the loader of one month, ``YYYY-MM``, of a store; PairingError if it is not there."""
    key = f"{contract.time}={month}"
    if key not in store:
        known = [name.removeprefix(f"{contract.time}=") for name in store]
        raise PairingError(
            f"The store has no month {month}.",
            where=contract.dataset,
            example=f"it has {known[0]} to {known[-1]}" if known else "it is empty",
            remedy="choose a month that is there, or make that month first",
        )
    return store[key]


def pair_labels(
    feature_store: Store, label_store: Store, contract: Contract, month: str, target: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Load features and labels of one month, row by row for the same key.

    Returns:
        Features and labels of the rows that have a label, in feature order, with one common index 0, 1, ….

    Raises:
        PairingError: If a month is missing, a label has no features, the target is unknown or nothing is labelled.
    """
    feature_contract, label_contract = contract.datasets["feature_store"], contract.datasets["label_store"]
    if target not in label_contract.columns:
        raise PairingError(
            f"The target '{target}' is not in the label store.",
            where=f"{label_contract.dataset}, column {target}",
            example=f"it has {', '.join(label_contract.columns)}",
            remedy="name a target that is there, or declare the column in the catalogue",
        )
    features = load_month(feature_store, feature_contract, month)
    labels = load_month(label_store, label_contract, month)
    refuse_orphans([(features, labels)], contract, month)
    key, labelled = list(feature_contract.key), labels.dropna(subset=[target])
    order = features[key].reset_index(names="position").merge(labelled, on=key, how="inner", validate="one_to_one")
    order = order.sort_values("position")
    if order.empty:
        raise PairingError(
            "No row has both features and a label.",
            where=f"{label_contract.dataset}, {month}",
            how_many=f"{len(features)} rows with features, {len(labelled)} with a label",
            remedy="wait for labels of this month, or train on an earlier one",
        )
    paired = features.loc[order["position"]].reset_index(drop=True)
    return paired, order.drop(columns="position").reset_index(drop=True)


def refuse_orphans(parts: Iterable[tuple[pd.DataFrame, pd.DataFrame]], contract: Contract, month: str) -> None:
    """Refuse, with a :class:`PairingError`, labels of rows that have no features: one of the two stores is wrong.

    ``parts`` are features and labels of the same keys, the whole month at once or part by part.
    """
    key, example = list(contract.datasets["feature_store"].key), ""
    found = total = 0
    for features, labels in parts:
        merged = labels[key].merge(features[key], on=key, how="left", indicator=True)
        orphans = merged.loc[merged["_merge"] == "left_only", key]
        if len(orphans):
            example = example or ", ".join(f"{name} {value}" for name, value in orphans.iloc[0].items())
        found, total = found + len(orphans), total + len(labels)
    if found:
        raise PairingError(
            "Some labels have no features.",
            where=f"{contract.datasets['label_store'].dataset}, {month}",
            how_many=f"{found} of {total} labels",
            example=example,
            remedy="write the missing rows into the feature store, or remove the labels",
        )
