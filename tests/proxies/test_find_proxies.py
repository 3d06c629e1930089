"""Verdicts on planted proxies, and on columns that nothing stands in for."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from rai_kedro.contract import DatasetContract
from rai_kedro.proxies import (
    Limits,
    ProxyError,
    ProxyPolicy,
    ProxyReport,
    Relation,
    as_typed,
    find_proxies,
    find_relations,
    list_guarded,
    refuse_disguises,
)

ROWS = 800


def make_columns(seed: int = 0, rows: int = ROWS, columns: int = 6) -> tuple[pd.DataFrame, np.random.Generator]:
    random = np.random.default_rng(seed)
    return pd.DataFrame(random.normal(size=(rows, columns))).add_prefix("x"), random


def test_a_planted_number_fails_and_its_carrier_is_named() -> None:
    columns, random = make_columns()
    income = np.sqrt(0.7) * columns["x2"] + np.sqrt(0.3) * random.normal(size=ROWS)

    (found,) = find_proxies(columns, {"income": income}).proxies

    assert (found.metric, found.outcome, found.chance) == ("R2", "fail", 0.0)
    assert found.lower is not None and found.upper is not None
    assert 0.3 < found.lower < 0.7 < found.upper
    assert found.singles[0].columns == ("x2",)


def test_a_proxy_of_two_columns_that_say_nothing_alone_is_found() -> None:
    columns, random = make_columns(rows=2000)
    race = np.where(columns["x1"] * columns["x4"] + 0.3 * random.normal(size=2000) > 0, "a", "b")

    (found,) = find_proxies(columns, {"race": race}).proxies

    assert found.outcome == "fail"
    assert found.pairs[0].columns == ("x1", "x4")
    assert found.singles[0].lower is not None and found.singles[0].lower < 0.5


def test_each_category_is_measured_and_the_best_predicted_is_named() -> None:
    columns, random = make_columns(rows=1500)
    race = np.where(columns["x0"] > 1, "rare", random.choice(["a", "b"], 1500))

    (found,) = find_proxies(columns, {"race": race}).proxies

    assert (found.outcome, found.category) == ("fail", "rare")
    assert {one.category for one in found.parts} == {"a", "b", "rare"}


def test_an_independent_column_is_no_proxy() -> None:
    columns, random = make_columns(rows=1500)

    report = find_proxies(columns, {"race": random.choice(["a", "b"], 1500), "income": random.normal(size=1500)})

    assert {one.column: one.outcome for one in report.proxies} == {"race": "pass", "income": "pass"}
    assert report.outcome == "pass"
    assert not any(one.lower is not None and one.lower > one.chance for one in report.proxies)


def test_a_category_of_few_rows_is_not_passed_over() -> None:
    columns, random = make_columns(rows=1500)
    race = random.choice(["a", "b"], 1500).astype(object)
    race[:5] = "c"

    (found,) = find_proxies(columns, {"race": race}).proxies

    assert found.outcome == "insufficient_evidence"
    assert found.not_measured == ("1 value with fewer than 20 of 1500 rows",)
    assert "1 value with fewer than 20 of 1500 rows" in found.reason


def test_identifiers_constants_and_unread_columns_are_insufficient_evidence() -> None:
    columns, _ = make_columns(rows=200)
    others = {"name": [f"n{row}" for row in range(200)], "constant": ["a"] * 200, "empty": [None] * 200}

    report = find_proxies(columns, others, never_read=["birth"])

    assert {one.column: one.outcome for one in report.proxies} == dict.fromkeys(
        ("name", "constant", "empty", "birth"), "insufficient_evidence"
    )
    assert all(len(one.not_measured) <= 6 for one in report.proxies)


def test_missing_values_tell_too() -> None:
    """A column that is missing for one group only is a proxy, though its values say nothing."""
    columns, random = make_columns(rows=1500)
    race = random.choice(["a", "b"], 1500)
    columns["x0"] = columns["x0"].where((race == "a") | (random.random(1500) < 0.1))

    (found,) = find_proxies(columns, {"race": race}).proxies

    assert (found.outcome, found.singles[0].columns) == ("fail", ("x0",))


def test_the_report_says_everything_and_survives_json() -> None:
    columns, random = make_columns(rows=3000)
    target = columns["x0"] + columns["x1"]
    policy = ProxyPolicy(limit=Limits(AUC=0.6), action="refuse")

    report = find_proxies(columns, {"race": random.choice(["a", "b"], 3000)}, target={"price": target}, policy=policy)

    assert ProxyReport.from_dict(json.loads(json.dumps(report.to_dict()))) == report
    assert report.sample == "2,000 of 3,000 rows, evenly taken"
    assert [one.text for one in report.leaks] == ["x0 and x1 add up to price"]
    assert report.to_frame()["limit"].tolist() == [0.6]
    assert "x0 and x1 add up to price" in report._repr_html_()
    assert "2,000 of 3,000 rows" in repr(report)
    assert len(report.plot().data) == 2
    plain = report.to_dict()["proxies"][0]
    assert {"column", "metric", "value", "lower", "upper", "limit", "outcome"} <= set(plain)


def test_tables_of_other_rows_are_refused() -> None:
    columns, _ = make_columns()

    with pytest.raises(ProxyError, match="not of the same rows"):
        find_proxies(columns, {"race": ["a"] * 5})


def read_contract(**columns: dict[str, object]) -> DatasetContract:
    plain = {"type": "float", "flags": [], "use": "model", "description": "a column"}
    made = {name: {"name": name, **plain, **one} for name, one in columns.items()}
    return DatasetContract.model_validate(
        {"dataset": "a.feature_store", "owner": "o", "purpose": "p", "key": ["k"], "time": "month", "columns": made}
    )


FLAGGED = {"flags": ["risky", "demographic"], "risk": "harm", "use": "audit"}
WHY = {"by": "officer", "reason": "measured", "until": "2027-01-01"}
COPY = Relation(columns=("wage",), of="income", kind="scaled", rows=100)
LEAK = Relation(columns=("wage",), of="price", kind="gives away", rows=100)
DAY = date(2026, 1, 1)


def test_a_disguise_is_refused_with_both_names_and_the_flags_it_owes() -> None:
    contract = read_contract(income=FLAGGED, wage={})

    with pytest.raises(ProxyError) as refusal:
        refuse_disguises([COPY], [], contract, on=DAY)

    text = str(refusal.value)
    assert "wage is a scaled or shifted copy of income" in text
    assert "'flags: [risky, demographic]'" in text
    assert "justification" in text


@pytest.mark.parametrize(
    ("wage", "day", "is_permitted"),
    [
        ({"flags": ["risky", "demographic"], "risk": "r", "justification": WHY}, DAY, True),
        ({"flags": ["risky"], "risk": "r", "justification": WHY}, DAY, False),  # a flag is owed
        ({"flags": ["risky", "demographic"], "risk": "r", "justification": WHY}, date(2027, 1, 2), False),  # expired
        ({"flags": ["risky", "demographic"], "risk": "r"}, DAY, False),
    ],
)
def test_a_disguise_needs_the_flags_of_its_source_and_a_justification(
    wage: dict[str, object], day: date, is_permitted: bool
) -> None:
    contract = read_contract(income=FLAGGED, wage=wage)
    if not is_permitted:
        with pytest.raises(ProxyError, match="wage"):
            refuse_disguises([COPY], [], contract, on=day)
        return

    ((relation,), _) = refuse_disguises([COPY], [], contract, on=day)
    assert relation.permitted


def test_a_leak_needs_a_flag_and_a_justification() -> None:
    with pytest.raises(ProxyError, match="wage gives away the value of price"):
        refuse_disguises([], [LEAK], read_contract(wage={}), on=DAY)

    allowed = read_contract(wage={"flags": ["risky"], "risk": "r", "justification": WHY})
    assert refuse_disguises([], [LEAK], allowed, on=DAY)[1][0].permitted


def test_codes_are_categories_where_the_contract_says_so() -> None:
    contract = read_contract(race={**FLAGGED, "type": "category"}, wage={})
    frame = as_typed(pd.DataFrame({"race": [1, 2, 3] * 100, "wage": [1.0] * 300}), contract)

    assert frame["race"].dtype == "category"
    assert list_guarded(contract, ["wage"]) == ("race",)
    assert find_relations(pd.DataFrame({"x": [1, 2, 1] * 100}), frame[["race"]])[0].kind == "category"
