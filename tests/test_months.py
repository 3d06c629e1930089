"""Periods as text: read, counted and written for every kind."""

from __future__ import annotations

from datetime import date

import pytest

from rai_kedro.months import (
    check_month,
    find_period,
    month_end,
    month_number,
    month_start,
    months_between,
    months_from,
    say_period,
)


@pytest.mark.parametrize(
    ("first", "count", "last"),
    [
        ("2023-11", 4, "2024-02"),
        ("2020-W52", 3, "2021-W01"),  # 2020 has 53 weeks
        ("2021-W52", 2, "2022-W01"),
        ("2023-Q3", 4, "2024-Q2"),
        ("2023", 3, "2025"),
    ],
)
def test_periods_follow_each_other_and_sort_by_time(first: str, count: int, last: str) -> None:
    made = months_from(first, count)
    assert made[-1] == last
    assert made == months_between(first, last) == tuple(sorted(made))
    assert [month_number(one, first) for one in made] == list(range(1, count + 1))
    assert months_between(last, first) == ()


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2020-W53", date(2020, 12, 28), date(2021, 1, 3)),
        ("2024-W01", date(2024, 1, 1), date(2024, 1, 7)),
        ("2024-Q4", date(2024, 10, 1), date(2024, 12, 31)),
        ("2024", date(2024, 1, 1), date(2024, 12, 31)),
    ],
)
def test_a_period_has_a_first_and_a_last_day(period: str, first: date, last: date) -> None:
    assert (month_start(period).date(), month_end(period)) == (first, last)


@pytest.mark.parametrize("text", ["2024-13", "2024-W54", "2021-W53", "2024-W1", "2024-Q5", "0000", "", "2024-05-01"])
def test_what_is_no_period_is_refused_with_how_each_is_written(text: str) -> None:
    assert find_period(text) is None
    with pytest.raises(ValueError, match=r"YYYY-MM.*2024-W18.*2024-Q2.*2024"):
        check_month(text)


def test_periods_of_two_kinds_are_not_counted_together() -> None:
    with pytest.raises(ValueError, match="2024-05 is a month and 2024-W20 a week"):
        months_between("2024-05", "2024-W20")


def test_sentences_name_the_period_they_are_about() -> None:
    text = "Month by month: 3 months, monthly; months_since_hire and remonths stay"
    assert say_period(text, "2024-05") == text
    assert say_period(text, "2024-W18") == "Week by week: 3 weeks, weekly; months_since_hire and remonths stay"
    assert say_period("the month", "quarter") == "the quarter"
