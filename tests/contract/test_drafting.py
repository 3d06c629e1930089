"""A draft describes every column, proposes, and allows nothing."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rai_kedro.contract.columns import Column, Contract, DatasetContract
from rai_kedro.contract.drafting import (
    Proposal,
    Seen,
    UndecidedError,
    draft_column,
    draft_range,
    read_proposal,
    refuse_undecided,
)

ROWS = 60


def column(values: Any, name: str = "measure", **more: Any) -> Column:
    return draft_column(pd.Series(values, name=name), Seen(**more))


def proposed(draft: Column) -> Proposal:
    proposal = read_proposal(draft.risk)
    assert proposal is not None
    return proposal


def numbers_as_text(*values: float) -> list[str]:
    return [str(value) for value in np.resize(np.array(values), ROWS)]


@pytest.mark.parametrize(
    ("values", "kind", "nullable"),
    [
        (["1.5", "2", "3"], "float", False),
        (["1", "2", "3"], "integer", False),
        (["1", None, "3"], "float", True),
        ([1, 2, 3], "integer", False),
        ([1.0, 2.0, np.nan], "float", True),
        (["true", "False", "true"], "boolean", False),
        ([True, False, True], "boolean", False),
        (["true", None, "false"], "category", True),
        (["a", "b", None], "category", True),
        (["007", "012", "007"], "category", False),
        (["1", "x", "2"], "category", False),
        ([None, None, None], "text", True),
        (pd.to_datetime(["2024-01-01", "2024-01-02", None]), "date", True),
    ],
)
def test_type_and_missing_values(values: Any, kind: str, nullable: bool) -> None:
    draft = column(values)

    assert (draft.type, draft.nullable) == (kind, nullable)


def test_nothing_is_allowed_whatever_the_column() -> None:
    table = pd.DataFrame(
        {
            "size": numbers_as_text(1.5, 2.5, 4),
            "sex": ["m", "w"] * (ROWS // 2),
            "colour": ["red", "blue"] * (ROWS // 2),
            "note": [f"number {i} was said to be very good at this and that" for i in range(ROWS)],
            "customer_id": [str(i) for i in range(ROWS)],
            "same": ["1"] * ROWS,
            "empty": [None] * ROWS,
            "day": ["2024-01-01"] * ROWS,
        }
    )

    drafts = {name: draft_column(table[name], Seen(is_date=name == "day")) for name in table}

    assert {draft.use for draft in drafts.values()} == {"audit", "forbidden"}
    assert [name for name, draft in drafts.items() if draft.use == "audit"] == ["sex"]
    assert all((draft.risk or "").startswith("undecided") for draft in drafts.values())
    uses = {name: proposed(draft).use for name, draft in drafts.items()}
    assert [name for name, use in uses.items() if use == "model"] == ["size", "colour"]
    assert drafts["sex"].flags == ("risky", "demographic")


@pytest.mark.parametrize(
    ("name", "values", "reason"),
    [
        ("customer", [f"c{i}" for i in range(ROWS)], "value of its own"),
        ("number", list(range(100, 100 + ROWS)), "value of its own"),
        ("remark", ["a long remark that is given in the very same words once more"] * ROWS, "same value"),
        ("same", ["1"] * ROWS, "same value"),
        ("empty", [None] * ROWS, "no value"),
    ],
)
def test_columns_that_stay_closed(name: str, values: list[Any], reason: str) -> None:
    draft = column(values, name)

    assert (draft.use, proposed(draft).use) == ("forbidden", "forbidden")
    assert reason in proposed(draft).reason


def test_measurements_may_all_differ() -> None:
    assert proposed(column(list(np.linspace(0.13, 9.7, ROWS)))).use == "model"


def test_an_identifying_column_is_not_even_audited() -> None:
    draft = column(["Ann Lee", "Bo Li"] * (ROWS // 2), "full_name")

    assert (draft.use, proposed(draft).use) == ("forbidden", "forbidden") and "demographic" in draft.flags


def test_sensitive_codes_become_categories_and_a_continuous_age_stays_a_number() -> None:
    assert column([1, 2] * 20, "gender").categories == ("1", "2")
    age = column([*range(20, 60)] * 2, "age")
    assert (age.type, age.use) == ("integer", "audit")


def test_codes_of_people_are_categories_however_many_and_never_cut_at_the_median() -> None:
    draft = column([*range(1, 120)] * 5, "nationality")

    assert (draft.type, draft.use, draft.range) == ("category", "audit", None)
    assert draft.categories == tuple(map(str, range(1, 120)))
    assert "as codes do" in proposed(draft).reason


@pytest.mark.parametrize("missing", [[], [None]])
@pytest.mark.parametrize("name", ["job_code", "branch", "Product Type", "store_id", "zip"])
def test_a_code_column_keeps_unseen_codes_out_with_or_without_an_empty_cell(name: str, missing: list[Any]) -> None:
    draft = column([*([11, 25, 47] * 30), *missing], name)

    assert (draft.type, draft.categories, draft.range) == ("category", ("11", "25", "47"), None)
    assert draft.nullable == bool(missing)


def test_codes_written_as_decimal_numbers_are_the_same_codes() -> None:
    assert column(["11.0", "25.0", None] * 20, "job_code").categories == ("11", "25")


@pytest.mark.parametrize("name", ["number_of_rooms", "age", "class size", "rooms", "district_population"])
def test_whole_numbers_that_are_amounts_stay_numbers(name: str) -> None:
    assert column([*range(20, 80)] * 2, name).type == "integer"


def test_more_codes_than_can_be_learned_from_stay_closed() -> None:
    draft = column([*range(10_000, 10_400)] * 3, "zip")

    assert (draft.type, draft.categories, proposed(draft).use) == ("category", None, "forbidden")
    assert "more than 200 codes" in proposed(draft).reason


def test_few_whole_numbers_without_a_telling_name_are_asked_about() -> None:
    draft = column([1, 2, 3, 4, 5] * 20, "grade")

    assert (draft.type, proposed(draft).use) == ("integer", "model")
    assert "if they are codes, make it a category" in proposed(draft).reason


def test_a_note_on_the_values_stands_in_the_description() -> None:
    assert (
        "none missing; 3 x '?' kept as a value)" in column(["a", "?", "b"], note="3 x '?' kept as a value").description
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([10.0, 20.0], (0.0, 30.0)),
        ([0.0, 10.0], (0.0, 20.0)),
        ([-5.0, 5.0], (-15.0, 15.0)),
        ([1970.0, 2024.0], (1900.0, 2100.0)),
        ([0.0012, 0.0034], (0.0, 0.0056)),
        ([3.0, 3.0], None),
        ([], None),
    ],
)
def test_range_has_room_for_later_months(values: list[float], expected: tuple[float, float] | None) -> None:
    assert draft_range(pd.Series(values, dtype=float)) == expected


def test_description_names_the_column_of_the_file_and_no_value_of_free_text() -> None:
    secret = [f"Mr. Smith no. {i} has been ill for a long time and told us so" for i in range(ROWS)]

    draft = column(secret, "remarks_made", original="Remarks (made) ${x}")

    assert "Remarks (made) $ {x}" in draft.description
    assert "Smith" not in str(draft)


def test_a_category_with_an_interpolation_is_not_listed() -> None:
    assert column(["${oc.env:HOME}", "b"] * 30).categories is None


def contract(*columns: Column) -> Contract:
    dataset = DatasetContract(
        dataset="rents.feature_store",
        owner="me",
        purpose="rents",
        key=("row",),
        time="month",
        columns={item.name: item for item in columns},
    )
    return Contract(
        use_case="rents", source="rents/catalog.yml", as_of=date(2024, 1, 1), datasets={"feature_store": dataset}
    )


def governed(name: str, risk: str | None) -> Column:
    return Column(
        name=name,
        type="float",
        description="x",
        flags=() if risk is None else ("risky",),
        risk=risk,
        use="forbidden" if risk else "model",
    )


def test_a_draft_is_refused_and_every_undecided_column_named() -> None:
    draft = contract(governed("size", "undecided: nothing against it"), governed("rooms", None))

    said = r"(?s)Nobody has decided.*rents\.feature_store\n.*1 of 2 columns.*example: *size\n.*accept the rest"
    with pytest.raises(UndecidedError, match=said) as caught:
        refuse_undecided(draft)
    assert "kedro" not in str(caught.value)


def test_a_decided_contract_passes() -> None:
    decided = contract(governed("size", None), governed("zip", "stands for income"))

    refuse_undecided(decided)


def test_amounts_that_all_differ_are_no_identifiers_and_numbers_of_rows_are() -> None:
    draw = np.random.default_rng(0)
    amounts = pd.Series(draw.choice(range(900, 40_000), 300, replace=False))

    assert proposed(column(amounts, "granted")).use == "model"
    assert proposed(column(amounts + 100_000, "price")).use == "model"
    assert proposed(column([*range(5_000, 5_300)], "granted")).use == "forbidden"
    numbers = 10_000_000 + draw.choice(89_000_000, 300, replace=False)
    assert proposed(column(numbers, "customer")).use == "forbidden"
    written = column([f"{amount:,} EUR" for amount in amounts], "granted")
    assert "amounts that are not written as plain numbers (300 rows as" in proposed(written).reason


def test_what_nobody_is_sure_of_is_proposed_for_no_model() -> None:
    draft = column(["F", "M"] * (ROWS // 2), "charge_degree")

    proposal = proposed(draft)
    assert (proposal.use, proposal.group) == ("forbidden", "unsure")
    assert draft.categories == ("F", "M"), "it may be decided otherwise"


def test_a_column_nearly_constant_where_it_is_trained_on_is_named() -> None:
    values = pd.Series(["0"] * 400 + ["1", "2"] * 100, name="bonus")
    values[[5, 6]] = "1"
    first = pd.Series(range(600)) < 400

    draft = draft_column(values, Seen(trained_on=first))

    assert "nearly constant: 2 of 400 training rows" in proposed(draft).reason
    assert proposed(draft_column(values)).use == "model"


def test_labels_of_a_codebook_make_codes_and_describe() -> None:
    labels = {"": "Marital status", "1": "Married", "2": "Divorced", "3": "Widowed"}

    draft = column([1, 2] * (ROWS // 2), "q17", labels=labels)

    assert (draft.type, draft.use, draft.categories) == ("category", "audit", ("1", "2", "3"))
    assert (
        draft.description.startswith("Marital status (2 codes")
        and "codebook: 1 Married, 2 Divorced" in draft.description
    )


@pytest.mark.parametrize(
    ("name", "closed"),
    [
        *(
            (one, True)
            for one in ("PWGTP", "PWGTP17", "WTMEC2YR", "fnlwgt", "sample_weight", "finalWeight", "poids_enquete")
        ),
        *((one, False) for one in ("weight", "body_weight", "weight_kg", "sample_count", "household_income")),
    ],
)
def test_a_weight_of_a_survey_is_proposed_for_no_model(name: str, closed: bool) -> None:
    draft = column(np.random.default_rng(0).uniform(1, 900, ROWS).round(2), name)

    assert (draft.use == "forbidden" and "weight of a survey" in proposed(draft).reason) is closed


def test_a_doubt_leaves_a_column_proposed_for_the_model_and_is_said() -> None:
    draft = column(np.random.default_rng(0).normal(size=ROWS), doubt="it alone tells repaid")

    assert (proposed(draft).use, proposed(draft).group) == ("model", "model")
    assert proposed(draft).reason.endswith("; it alone tells repaid")
