"""The column contract in ODCS, both ways; the documents are held against the standard's own schema."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

from rai_kedro.contract import Column, Contract, read
from rai_kedro.exchange import OdcsError, read_odcs, to_odcs

BASE = Path(__file__).resolve().parents[2] / "conf" / "base"
SCHEMA = json.loads(OpenDataContractStandard.json_schema())

FOREIGN = """
kind: DataContract
apiVersion: v3.0.2
id: 53581432-6c55-4ba2-a65f-72344a91553a
name: seller_payments
version: 1.1.0
status: active
description: {purpose: Payments by seller}
team: {name: payments}
servers: [{server: prod, type: postgres, host: db, port: 5432, database: p, schema: s}]
schema:
  - name: payments
    properties:
      - {name: day, logicalType: date, partitioned: true, partitionKeyPosition: 1}
      - {name: txn, logicalType: string, primaryKey: true, primaryKeyPosition: 1, required: true}
      - {name: gender, logicalType: string, required: true, enum: [{value: m}, {value: f}]}
      - {name: iban, logicalType: string}
      - {name: band, logicalType: string, classification: restricted}
      - {name: amount, logicalType: number, logicalTypeOptions: {minimum: 0, maximum: 1000}, required: true,
         quality: [{metric: nullValues, mustBe: 0}]}
      - {name: visits, logicalType: integer, logicalTypeOptions: {minimum: 0}}
      - {name: tags, logicalType: array, items: {name: one, logicalType: string}}
      - {name: seen, logicalType: timestamp}
      - {name: untold}
"""


def contract_of(**changes: object) -> Contract:
    column = {"name": "spend", "type": "float", "flags": [], "use": "model", "description": "in euro"} | changes
    store = {"dataset": "shop.feature_store", "owner": "data team", "purpose": "predict", "key": ["customer"]}
    store |= {"time": "month", "columns": {"spend": column}}
    return Contract.from_dict(
        {"use_case": "shop", "source": "shop/catalog.yml", "as_of": "2024-01-31", "datasets": {"feature_store": store}}
    )


@pytest.mark.parametrize("use_case", ["housing", "hospital"])
def test_a_contract_goes_out_and_comes_back_the_same(use_case: str) -> None:
    contract = read(BASE / use_case / "catalog.yml")
    text = to_odcs(contract)
    assert list(Draft201909Validator(SCHEMA).iter_errors(yaml.safe_load(text))) == []
    back = read_odcs(text)
    assert back.as_contract() == contract
    assert back.notes == ()
    assert back.undecided == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"use": "mitigation", "justification": {"by": "A", "reason": "B: c", "until": "2030-02-28"}},
        {"type": "category", "categories": ["on", "2024-01", 7, True]},
        {"type": "category", "nullable": True},
        {"type": "date"},
        {"type": "text", "flags": ["risky"], "use": "forbidden", "risk": "undecided, proposed forbidden: free text"},
        {"type": "integer", "range": [-1e-9, 1e15]},
    ],
)
def test_every_key_of_a_column_comes_back(changes: dict[str, object]) -> None:
    contract = contract_of(**changes)
    assert read_odcs(to_odcs(contract)).as_contract() == contract


def test_what_stands_in_the_standard_s_own_places() -> None:
    document = yaml.safe_load(to_odcs(read(BASE / "housing" / "catalog.yml")))
    columns = {one["name"]: one for one in document["schema"][0]["properties"]}
    assert document["team"] == {"name": "data-governance"}
    assert columns["tract"]["primaryKey"] is True
    assert columns["month"]["partitionKeyPosition"] == 1
    assert columns["LSTAT"]["logicalType"] == "number"
    assert columns["LSTAT"]["logicalTypeOptions"] == {"minimum": 0.0, "maximum": 100.0}
    custom = {one["property"]: one["value"] for one in columns["LSTAT"]["customProperties"]}
    assert custom["raiUse"] == "audit"
    assert custom["raiFlags"] == ["risky", "demographic"]
    assert custom["raiRisk"] == "stands for class; drives redlining"


def test_a_foreign_document_leaves_every_use_undecided() -> None:
    found = read_odcs(FOREIGN)
    store = found.stores["payments"]
    assert (
        set(found.undecided) == set(store.columns) == {"gender", "iban", "band", "amount", "visits", "seen", "untold"}
    )
    assert {one.use for one in store.columns.values()} <= {"audit", "forbidden"}, "nothing reaches a model"
    proposed = {name: (one.risk or "").split(":")[0].split()[-1] for name, one in store.columns.items()}
    assert proposed == {
        **{"gender": "audit", "iban": "forbidden", "band": "audit", "amount": "model", "visits": "model"},
        **{"seen": "model", "untold": "model"},
    }
    assert store.columns["gender"].categories == ("m", "f")
    assert store.columns["amount"].range == (0, 1000)
    assert (store.columns["amount"].nullable, store.columns["visits"].nullable) == (False, True)
    assert (store.key, store.time, store.owner, store.purpose) == (("txn",), "day", "payments", "Payments by seller")


@pytest.mark.parametrize(
    "said",
    [
        "servers",
        "amount, not taken over: quality",
        "visits has one end of a range only",
        "tags is left out: a contract has no type for 'array'",
        "seen is a timestamp",
        "untold has no logicalType",
    ],
)
def test_what_is_not_taken_over_is_said(said: str) -> None:
    assert [note for note in read_odcs(FOREIGN).notes if said in note]


def test_a_contract_needs_what_the_document_does_not_say() -> None:
    text = FOREIGN.replace("partitioned: true, partitionKeyPosition: 1", "required: true")
    assert [note for note in read_odcs(text).notes if "0 columns partition it" in note]
    with pytest.raises(OdcsError, match="missing: time"):
        read_odcs(text).as_contract()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not valid YAML"),
        ("a: 1\na: 2", "given twice"),
        ("- a", "no 'kind: DataContract'"),
        (FOREIGN.replace("v3.0.2", "v2.2.2"), "only version 3"),
        (FOREIGN.replace("id: 5358", "identity: 5358"), "Extra inputs"),
        (FOREIGN.replace("{name: untold}", "{logicalType: string}"), "has no name"),
        (FOREIGN.partition("schema:\n")[0], "no table"),
    ],
)
def test_what_is_no_such_document_is_refused(text: str, message: str) -> None:
    with pytest.raises(OdcsError, match=message):
        read_odcs(text)


def test_a_decision_that_a_contract_cannot_hold_names_its_column() -> None:
    text = to_odcs(contract_of()).replace("value: model", "value: sell")
    with pytest.raises(OdcsError, match="property spend, use"):
        read_odcs(text)


def test_a_use_without_flags_is_no_decision() -> None:
    document = yaml.safe_load(to_odcs(contract_of()))
    column = document["schema"][0]["properties"][2]
    column["customProperties"] = [one for one in column["customProperties"] if one["property"] != "raiFlags"]
    found = read_odcs(yaml.safe_dump(document))
    assert found.undecided == ("spend",)
    assert isinstance(found.columns["spend"], Column)
    assert found.as_of == date(2024, 1, 31)


def test_unit_and_weight_go_out_and_come_back() -> None:
    contract = contract_of()
    store = contract.datasets["feature_store"].model_copy(update={"unit": "household", "weight": "w"})
    both = contract.model_copy(update={"datasets": {"feature_store": store}})

    text = to_odcs(both)

    assert read_odcs(text).as_contract() == both
    assert list(Draft201909Validator(SCHEMA).iter_errors(yaml.safe_load(text))) == []
    names = [one["name"] for one in yaml.safe_load(text)["schema"][0]["properties"]]
    assert names == ["month", "customer", "household", "w", "spend"]
