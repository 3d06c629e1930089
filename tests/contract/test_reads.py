"""What is noted of sensitive columns is what was really loaded."""

from __future__ import annotations

import pandas as pd
import pytest

from rai_kedro.contract import DatasetContract, WatchedStore

COLUMNS = {
    "spend": {"type": "float", "flags": [], "use": "model", "description": "in euro"},
    "age": {"type": "float", "flags": ["risky"], "use": "audit", "risk": "ageism", "description": "in years"},
    "job": {"type": "text", "flags": [], "use": "audit", "description": "as written"},
    "zip": {
        **{"type": "text", "flags": ["demographic"], "use": "model", "risk": "redlining", "description": "home"},
        "justification": {"by": "A. Officer", "reason": "delivery", "until": "2030-01-01"},
    },
    "name": {"type": "text", "flags": ["risky"], "use": "forbidden", "risk": "identity", "description": "of a person"},
}


@pytest.fixture
def contract() -> DatasetContract:
    columns = {name: {"name": name, **said} for name, said in COLUMNS.items()}
    said = {"dataset": "shop.feature_store", "owner": "x", "purpose": "y", "key": ["row"], "time": "month"}
    return DatasetContract.from_dict({**said, "columns": columns})


@pytest.fixture
def store(contract: DatasetContract) -> WatchedStore:
    def load(rows: int) -> pd.DataFrame:
        # As a store gives it: without the forbidden column.
        return pd.DataFrame({"row": range(rows), "spend": 1.0, "age": 30.0, "job": "a", "zip": "1"})

    months = {f"month=2024-0{month}": lambda month=month: load(10 * month) for month in (1, 2, 3)}
    return WatchedStore(months, contract, "training.separate_lanes")


def test_nothing_is_noted_before_something_is_loaded(store: WatchedStore) -> None:
    _ = store["month=2024-01"], list(store), len(store), "month=2024-02" in store
    assert store.reads == []


def test_months_that_were_loaded_are_noted_once_each(store: WatchedStore) -> None:
    for key in ("month=2024-03", "month=2024-01", "month=2024-01"):
        assert len(store[key]())
    found = {one.column: one for one in store.reads}
    assert set(found) == {"age", "job", "zip"}, "flagged or audited; what is forbidden never came in"
    assert {one.months for one in found.values()} == {("2024-01", "2024-03")}
    assert {one.rows for one in found.values()} == {40}
    assert found["age"].step == "training.separate_lanes"


def test_why_is_what_the_contract_says(store: WatchedStore) -> None:
    store["month=2024-02"]()
    why = {one.column: one.why for one in store.reads}
    assert why == {
        "age": "ageism",
        "job": "as written",
        "zip": "justified by A. Officer until 2030-01-01: delivery",
    }


def test_a_forbidden_column_that_comes_in_all_the_same_is_noted(contract: DatasetContract) -> None:
    frame = pd.DataFrame({"row": [1], "name": ["Ada"]})
    store = WatchedStore({"month=2024-01": lambda: frame}, contract, "x.y")
    store["month=2024-01"]()
    assert [(one.column, one.use) for one in store.reads] == [("name", "forbidden")]


def test_a_month_that_is_not_there_is_none(store: WatchedStore) -> None:
    with pytest.raises(KeyError):
        store["month=2025-01"]
