"""A draft names columns that give the target away, and those that are one that describes people."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rai_kedro.commands.draft_files import Known, UseCaseDraft, draft_use_case
from rai_kedro.commands.use_case_choices import UseCaseRequest
from rai_kedro.contract import read_proposal
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
    reasons = {name: one.reason for name, one in proposed.items() if one is not None}
    assert "scaled or shifted copy of age" in reasons["seniority_score"]
