"""A draft names columns that give the target away, and those that are one that describes people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rai_kedro.commands.draft_files import Known, UseCaseDraft, draft_use_case
from rai_kedro.commands.use_case_choices import UseCaseRequest
from rai_kedro.contract import read_proposal
from rai_kedro.proxies import find_leaks
from rai_kedro.sources import IngestionParameters

ROWS = 200


def draft() -> UseCaseDraft:
    random = np.random.default_rng(0)
    age, base, extra = random.integers(18, 90, ROWS), random.normal(900, 200, ROWS), random.normal(300, 100, ROWS)
    table = {
        "age": age,
        "seniority_score": 2 * age - 7,
        "base": base,
        "extra": extra,
        "rooms": random.integers(1, 6, ROWS),
        "yearly": 12 * (base + extra),
        "rent": base + extra,
    }
    # As a text file is read: everything is text.
    text = pd.DataFrame(table).astype(str)
    parameters = IngestionParameters(label="rent", month="2024-01")
    request = UseCaseRequest(name="rents", target="rent", task="regression")
    return draft_use_case(text, request, parameters, Known())


def test_leaks_and_copies_are_named_and_no_model_gets_them() -> None:
    made = draft()

    proposed = {column.name: read_proposal(column.risk) for column in made.columns}
    uses = {name: None if one is None else one.use for name, one in proposed.items()}
    assert uses == {
        "age": "audit",
        "seniority_score": "forbidden",
        "base": "forbidden",
        "extra": "forbidden",
        "rooms": "model",
        "yearly": "forbidden",
    }
    assert made.disguises == (
        "yearly is a scaled or shifted copy of rent",
        "base and extra add up to rent",
        "seniority_score is a scaled or shifted copy of age",
    )
    copied = next(column for column in made.columns if column.name == "seniority_score")
    assert copied.flags == ("risky", "demographic"), "a copy inherits what its source is flagged with"
    closed = [column for column in made.columns if column.name in ("base", "extra", "yearly")]
    assert all(column.nullable and column.range is None for column in closed), "an outcome may not be there yet"
    assert [column.name for column in made.columns][:3] == ["base", "extra", "yearly"], "what needs a decision is first"
    reasons = {name: one.reason for name, one in proposed.items() if one is not None}
    assert "scaled or shifted copy of age" in reasons["seniority_score"]


def test_names_of_what_comes_afterwards_or_predicts_are_leaks() -> None:
    names = ["discharge_date", "chargeOff", "previous_outcome", "decile_score", "pred", "credit_score", "predominant"]
    random = np.random.default_rng(0)
    features = pd.DataFrame({name: random.normal(size=ROWS) for name in names})

    leaks = find_leaks(features, pd.DataFrame({"repaid": random.integers(0, 2, ROWS)}))

    assert {one.columns[0]: one.kind for one in leaks} == {
        "discharge_date": "after",
        "chargeOff": "after",
        "decile_score": "prediction",
        "pred": "prediction",
    }
    assert leaks[0].text == "discharge_date is, by its name, known only after repaid"
