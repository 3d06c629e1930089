"""Bringing features and labels of one month together by their key."""

from __future__ import annotations

import pandas as pd

from rai_kedro.contract.columns import Contract, DatasetContract
from rai_kedro.errors import RaiError
from rai_kedro.frames import Store


class PairingError(RaiError):
    """Features and labels do not belong together, or a month is not there."""


def load_month(store: Store, contract: DatasetContract, month: str) -> pd.DataFrame:
    """Load one month of a store.

    Args:
        store: Loaders by partition key ``month=YYYY-MM``.
        contract: The store's contract, for the error.
        month: ``YYYY-MM``.

    Raises:
        PairingError: If the store does not have the month.
    """
    key = f"{contract.time}={month}"
    if key not in store:
        known = [name.removeprefix(f"{contract.time}=") for name in store]
        raise PairingError(
            f"The store has no month {month}.",
            where=contract.dataset,
            example=f"it has {known[0]} to {known[-1]}" if known else "it is empty",
            remedy="choose a month that is there, or make that month first",
        )
    return store[key]()


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
    key = list(feature_contract.key)
    refuse_orphans(features, labels, contract, month)
    labelled = labels.dropna(subset=[target])
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


def refuse_orphans(features: pd.DataFrame, labels: pd.DataFrame, contract: Contract, month: str) -> None:
    """Refuse labels of rows that have no features: one of the two stores is wrong.

    Raises:
        PairingError: If a label has no features; it counts them and names the first.
    """
    key = list(contract.datasets["feature_store"].key)
    merged = labels[key].merge(features[key], on=key, how="left", indicator=True)
    orphans = merged.loc[merged["_merge"] == "left_only", key]
    if len(orphans):
        raise PairingError(
            "Some labels have no features.",
            where=f"{contract.datasets['label_store'].dataset}, {month}",
            how_many=f"{len(orphans)} of {len(labels)} labels",
            example=", ".join(f"{name} {value}" for name, value in orphans.iloc[0].items()),
            remedy="write the missing rows into the feature store, or remove the labels",
        )
