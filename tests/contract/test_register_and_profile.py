"""The risk register, the data profile, pairing, fingerprint and the comparison of environments."""

from __future__ import annotations

from copy import deepcopy

import pandas as pd
import pytest
import yaml

from rai_kedro.context import ContractOverrideError, compare_with_base
from rai_kedro.contract.columns import Contract, DatasetContract
from rai_kedro.contract.lanes import PairingError, pair_labels, refuse_orphans
from rai_kedro.contract.profile import build_register, fingerprint, profile_month
from rai_kedro.contract.reading import rai_block

from .conftest import CATALOG


def test_register_lists_every_column_with_flagged_ones_first(shop: Contract) -> None:
    rows = build_register(shop, ["spend"], "returned")
    assert [row.name for row in rows] == ["age", "note", "spend", "channel", "returned"]
    assert [row.name for row in rows if row.model_uses] == ["spend", "returned"]
    assert rows[0].risk == "age discrimination"


def test_profile_describes_numbers_and_categories(month: pd.DataFrame, features: DatasetContract) -> None:
    profiles = {profile.column: profile for profile in profile_month(month, features, "2024-01")}
    assert set(profiles) == {"age", "spend", "channel"}
    assert profiles["spend"].missing_share == pytest.approx(1 / 3)
    assert (profiles["spend"].mean, profiles["spend"].maximum) == (20.25, 30.5)
    assert profiles["channel"].top == {"web": 2, "shop": 1}


def _pair(shop: Contract, month: pd.DataFrame, labels: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return pair_labels({"month=2024-01": lambda: month}, {"month=2024-01": lambda: labels}, shop, "2024-01", "returned")


def test_rows_are_paired_by_key_and_unlabelled_ones_left_out(shop: Contract, month: pd.DataFrame) -> None:
    labels = pd.DataFrame({"month": "2024-01", "customer": [3, 1], "returned": [7.0, 5.0]})
    features, paired = _pair(shop, month, labels)
    assert features["customer"].tolist() == paired["customer"].tolist() == [1, 3]
    assert paired["returned"].tolist() == [5.0, 7.0]


def test_a_label_without_features_is_counted_and_named(shop: Contract, month: pd.DataFrame) -> None:
    labels = pd.DataFrame({"month": "2024-01", "customer": [3, 9], "returned": [7.0, 5.0]})
    with pytest.raises(PairingError) as caught:
        _pair(shop, month, labels)
    assert "1 of 2 labels" in str(caught.value)
    assert "customer 9" in str(caught.value)


def test_labels_without_features_are_counted_over_all_parts_of_a_month(shop: Contract, month: pd.DataFrame) -> None:
    labels = [pd.DataFrame({"customer": keys, "returned": 1.0}) for keys in ([1, 8], [9])]
    with pytest.raises(PairingError, match=r"(?s)2 of 3 labels.*customer 8"):
        refuse_orphans([(month, part) for part in labels], shop, "2024-01")


def test_fingerprint_sees_values_order_names_and_types(month: pd.DataFrame) -> None:
    same = fingerprint(month)
    assert fingerprint(month.set_index(pd.Index([7, 8, 9]))) == same
    changed = [
        month.assign(age=[30, 40, 51]),
        month.iloc[::-1],
        month.rename(columns={"age": "ages"}),
        month.astype({"age": "float"}),
    ]
    assert len({same, *map(fingerprint, changed)}) == 5


def test_environment_may_not_say_anything_else_of_a_column() -> None:
    base = {name: rai_block(entry) for name, entry in yaml.safe_load(CATALOG).items()}
    compare_with_base("contract", base, deepcopy(base), environment="test")
    weakened = deepcopy(base)
    weakened["shop.feature_store"]["columns"]["age"]["flags"] = []
    with pytest.raises(ContractOverrideError) as caught:
        compare_with_base("contract", base, weakened, environment="test")
    assert "shop.feature_store, columns, age, flags" in str(caught.value)
    dropped = {**base, "shop.feature_store": None}
    with pytest.raises(ContractOverrideError):
        compare_with_base("contract", base, dropped, environment="test")
