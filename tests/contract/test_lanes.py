"""The two lanes: who may see which column, and how a refusal reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pandas as pd
import pytest

from rai_kedro.contract.columns import Contract, DatasetContract
from rai_kedro.contract.lanes import LaneError, split_lanes
from rai_kedro.contract.validation import ContractViolation

from .conftest import CATALOG, TODAY


def _justified(read: Callable[[str], Contract], until: str) -> DatasetContract:
    text = f"use: model\n          justification: {{by: the board, reason: a law asks for it, until: {until}}}"
    return read(CATALOG.replace("use: audit", text, 1)).datasets["feature_store"]


def test_columns_go_into_their_lanes(month: pd.DataFrame, features: DatasetContract) -> None:
    lanes = split_lanes(month, features, on=TODAY)
    assert list(lanes.model) == ["spend", "channel"]
    assert list(lanes.audit) == ["age"]
    assert list(lanes.identifiers) == ["month", "customer"]


def test_lanes_are_copies(month: pd.DataFrame, features: DatasetContract) -> None:
    model = split_lanes(month, features, on=TODAY).model
    model.loc[0, "spend"] = 99.0
    assert month.loc[0, "spend"] == 10.0


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        (
            ["age"],
            [
                "'age'",
                "flagged risky and demographic",
                "age discrimination",
                "leave 'age' out",
                "'justification'",
            ],
        ),
        (["note"], ["'note'", "forbidden"]),
        (["nowhere"], ["'nowhere'", "not in the contract", "spend, channel"]),
        (["customer"], ["'customer'", "identifies rows"]),
        (["spend", "spend"], ["twice", "spend"]),
        ([], ["no column left"]),
    ],
)
def test_refusal_says_what_and_the_ways_out(
    month: pd.DataFrame, features: DatasetContract, asked: list[str], parts: list[str]
) -> None:
    with pytest.raises(LaneError) as caught:
        split_lanes(month, features, on=TODAY, features=asked)
    for part in parts:
        assert part in str(caught.value)


def test_a_flagged_column_needs_a_justification(month: pd.DataFrame, read: Callable[[str], Contract]) -> None:
    contract = read(CATALOG.replace("use: audit", "use: model", 1)).datasets["feature_store"]
    with pytest.raises(LaneError, match="without a justification"):
        split_lanes(month, contract, on=TODAY)


def test_a_justified_column_enters_and_is_still_audited(month: pd.DataFrame, read: Callable[[str], Contract]) -> None:
    lanes = split_lanes(month, _justified(read, "2026-03-01"), on=TODAY)
    assert "age" in lanes.model
    assert "age" in lanes.audit


def test_a_justification_expires_the_day_after(month: pd.DataFrame, read: Callable[[str], Contract]) -> None:
    with pytest.raises(LaneError, match="has expired") as caught:
        split_lanes(month, _justified(read, "2026-03-01"), on=date(2026, 3, 2))
    assert "the board" in str(caught.value)


def test_data_is_checked_again_here(month: pd.DataFrame, features: DatasetContract) -> None:
    with pytest.raises(ContractViolation):
        split_lanes(month.assign(smuggled=1), features, on=TODAY)
