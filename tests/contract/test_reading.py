"""The contract as read from YAML: typed, frozen, and strict about every word."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from rai_kedro.contract.columns import Contract
from rai_kedro.contract.reading import ContractError

from .conftest import CATALOG

Read = Callable[[str], Contract]


def test_reads_every_key(shop: Contract) -> None:
    age = shop.datasets["feature_store"].columns["age"]
    assert (age.type, age.range, age.use, age.flags) == (
        "integer",
        (0, 120),
        "audit",
        ("risky", "demographic"),
    )
    assert shop.datasets["feature_store"].identifiers == ("month", "customer")
    assert shop.use_case == "shop"


def test_contract_is_frozen(shop: Contract) -> None:
    features = shop.datasets["feature_store"]
    with pytest.raises(ValidationError):
        features.columns["age"].use = "model"  # type: ignore[misc]
    with pytest.raises(TypeError):
        features.columns["age"] = features.columns["spend"]  # type: ignore[index]


def test_contract_survives_pickling(shop: Contract) -> None:
    assert pickle.loads(pickle.dumps(shop)) == shop  # noqa: S301 - our own bytes


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "flags: [risky, demographic]",
            "flag: [risky, demographic]",
            ["Unknown key 'flag'", "did you mean 'flags'", "column age"],
        ),
        (
            "use: audit",
            "use: audited",
            ["Unknown word for 'use'", "'model', 'audit', 'mitigation', 'decision' or 'forbidden'", "column age"],
        ),
        ("type: integer", "type: int", ["Unknown word for 'type'", "'integer'", "column age"]),
        ("flags: [risky, demographic]", "flags: [risqué]", ["Unknown word for 'flags'", "'demographic'", "column age"]),
        ("flags: [risky, demographic]", "flags: [risky, risky]", ["a flag twice", "column age"]),
        ("flags: [risky, demographic]", "flags: risky", ["'flags' must be a list", "column age"]),
        ("          flags: [risky, demographic]\n", "", ["The key 'flags' is missing", "column age"]),
        ("nullable: true", "nullable: 'yes'", ["must be true or false", "column spend"]),
        ("          risk: age discrimination\n", "", ["'risk' must say which harm", "column age"]),
        ("          use: audit\n", "", ["The key 'use' is missing", "column age"]),
        ("range: [0, 120]", "range: [120, 0]", ["from low to high", "column age"]),
        ("categories: [shop, web]", "range: [0, 1]", ["'range' goes with a numeric type", "column channel"]),
        (
            "owner: data team",
            "owner: data team\n      colour: red",
            ["Unknown key 'colour'", "shop.feature_store"],
        ),
        ("key: [customer]", "key: [age]", ["key or time and stands under 'columns' too"]),
        ("description: age in years", "description: ${globals:x}", ["may not use interpolation", "age"]),
        ("categories: [shop, web]", "categories: [shop, '${globals:x}']", ["may not use interpolation", "channel"]),
        ("use: audit", "use: audit\n          use: model", ["not valid YAML", "'use' is given twice"]),
        ("columns:\n        age:", "columns:\n        spend: 3\n        age:", ["given twice"]),
        ("    rai:\n      owner", "    rai\n      owner", ["not valid YAML", "line"]),
        (
            "use: audit",
            "use: audit\n          justification: {by: me}",
            ["'reason' is missing", "column age"],
        ),
    ],
)
def test_refuses_and_names_the_place(read: Read, old: str, new: str, expected: list[str]) -> None:
    with pytest.raises(ContractError) as caught:
        read(CATALOG.replace(old, new, 1))
    message = str(caught.value)
    assert "catalog.yml" in message
    for part in expected:
        assert part in message, message


def test_justification_is_only_for_a_flagged_column_in_the_model(read: Read) -> None:
    justification = "use: audit\n          justification: {by: me, reason: because, until: 2026-12-31}"
    with pytest.raises(ContractError, match="only for a flagged column with use 'model'"):
        read(CATALOG.replace("use: audit", justification, 1))


def test_refuses_a_file_that_governs_nothing(read: Read) -> None:
    with pytest.raises(ContractError, match="No dataset of this use case is governed"):
        read("shop.raw: {type: pandas.CSVDataset}\n")


def test_refuses_a_missing_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    from rai_kedro.contract.reading import read_contract

    from .conftest import TODAY

    with pytest.raises(ContractError, match="does not exist"):
        read_contract(tmp_path / "catalog.yml", as_of=TODAY)
