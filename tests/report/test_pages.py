from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from rai_kedro.contract import ColumnProfile, GovernedColumn
from rai_kedro.report.pages import render_governance_page

TODAY = date(2024, 5, 1)


def make_profile_row(column: str, month: str, **changes: Any) -> ColumnProfile:
    numbers = {"mean": 6.28, "sd": 0.7, "minimum": 3.56, "maximum": 8.78, "distinct": 446, "top": None}
    row = {
        "dataset": "housing.feature_store",
        "column": column,
        "month": month,
        "rows": 506,
        "missing_share": 0.0,
    }
    return ColumnProfile.from_dict(row | numbers | changes)


@pytest.fixture
def profile() -> list[ColumnProfile]:
    numbers = {"mean": None, "sd": None, "minimum": None, "maximum": None, "distinct": 2}
    return [
        make_profile_row("RM", "2024-02", mean=7.7, maximum=9.9, missing_share=0.024),
        make_profile_row("RM", "2024-01"),
        make_profile_row("CHAS", "2024-01", **numbers, top={"no": 471, "<i>yes</i>": 35}),
    ]


def render(register: list[GovernedColumn], profile: list[ColumnProfile]) -> str:
    return render_governance_page(register, profile, use_case="housing", as_of=TODAY)


def test_flagged_columns_come_first_with_their_justification(register: list[GovernedColumn]) -> None:
    page = render(register, [])
    first = page[page.index('class="first"') : page.index('id="register"')]
    assert "A. Officer, until 2024-07-31 (91 days left): published figure" in first
    assert "assessed for fairness, not seen by the model" in first
    assert "5 columns are governed; 2 carry a flag" in page
    assert "The model would use 2 columns as features, 1 of them flagged" in page


def test_expired_and_missing_justifications_stand_out(register: list[GovernedColumn]) -> None:
    ended = register[1].justification.model_copy(update={"until": date(2024, 4, 30)})
    register[1] = register[1].model_copy(update={"justification": ended})
    assert "EXPIRED on 2024-04-30" in render(register, [])
    register[1] = register[1].model_copy(update={"justification": None})
    assert "no justification is recorded" in render(register, [])


def test_label_is_told_from_features(register: list[GovernedColumn]) -> None:
    assert render(register, []).count("<td>as label</td>") == 1
    register[-1] = register[-1].model_copy(update={"flags": ("risky",)})
    assert "the model would learn to predict it" in render(register, [])


def test_register_without_flags_claims_nothing(register: list[GovernedColumn]) -> None:
    page = render(register[:1], [])
    assert "not that no column is sensitive" in page
    assert "No data have been profiled yet" in page


def test_profile_is_ordered_by_month_and_summarised(
    register: list[GovernedColumn], profile: list[ColumnProfile]
) -> None:
    page = render(register, profile)
    assert "2 months, 2024-01 to 2024-02" in page
    assert 'aria-label="Mean of RM from 6.28 to 7.70"' in page
    # Means 6.28 and 7.70, bands 5.58 to 8.40: the line rises from 5.04 to 15.04 of 20, counted from above.
    assert '<path d="M0.0,15.0 L100.0,5.0"/>' in page
    assert "2.4 %" in page
    assert "no 93.1 %" in page


def test_month_without_values_leaves_a_gap_in_the_line(register: list[GovernedColumn]) -> None:
    empty = {"mean": None, "sd": None, "minimum": None, "maximum": None}
    rows = [make_profile_row("RM", f"2024-0{n}", **(empty if n == 2 else {})) for n in (1, 2, 3)]
    assert '<path d="M0.0,10.0 M100.0,10.0"/>' in render(register, rows)


def test_constant_column_is_drawn(register: list[GovernedColumn]) -> None:
    rows = [make_profile_row("RM", month, sd=0.0) for month in ("2024-01", "2024-02")]
    assert '<path d="M0.0,10.0 L100.0,10.0"/>' in render(register, rows)


def test_texts_of_the_data_are_escaped(register: list[GovernedColumn], profile: list[ColumnProfile]) -> None:
    register[0] = register[0].model_copy(update={"description": "<script>alert(1)</script>"})
    page = render(register, profile)
    assert "<script>alert(1)" not in page
    assert "<i>yes" not in page
    assert "&lt;i&gt;yes" in page
