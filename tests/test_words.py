from __future__ import annotations

from datetime import date

import pytest

from rai_kedro.intervals import Estimate
from rai_kedro.words import (
    describe_validity,
    escape_html,
    escape_markdown,
    format_interval,
    format_moment,
    format_number,
    format_share,
    show_plainly,
)


def make_estimate(value: float | None, lower: float | None = None, upper: float | None = None) -> Estimate:
    return Estimate(value=value, lower=lower, upper=upper, level=0.95)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.3278, "3.33"),
        (12258, "12,258"),
        (12258.4, "12,258"),
        (0, "0"),
        (-0.17241, "-0.172"),
        (0.000172, "0.000172"),
        (1.72e-6, "1.72 × 10⁻⁶"),  # noqa: RUF001
        (None, "–"),  # noqa: RUF001
        (float("nan"), "–"),  # noqa: RUF001
    ],
)
def test_numbers_keep_three_digits(value: float | None, text: str) -> None:
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((3.3278, 2.9012, 3.7811), "3.33 [2.90, 3.78]"),
        ((4.93, 3.64, 6.45), "4.93 [3.64, 6.45]"),
        ((0.6785, 0.46, 0.8), "0.678 [0.460, 0.800]"),
        ((0.035, -0.02, 0.09), "0.035 [-0.020, 0.090]"),
        ((3.3278, 3.3251, 3.3305), "3.3278 [3.3251, 3.3305]"),
        ((12258.2, 11000.1, 13400.9), "12,258 [11,000, 13,401]"),
        ((0.00012, 0.0001, 0.0002), "0.000120 [0.000100, 0.000200]"),
        ((0.0, 0.0, 0.0), "0 [0, 0]"),
        ((1.0, 1.0, 1.0), "1.00 [1.00, 1.00]"),
        ((3.3278, None, None), "3.33"),
        ((None, None, None), "not defined"),
    ],
)
def test_interval_digits(numbers: tuple[float | None, float | None, float | None], text: str) -> None:
    assert format_interval(make_estimate(*numbers)) == text


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (0.024, "2.4 %"), (0.0002, "< 0.1 %"), (1, "100 %"), (0.5, "50 %")]
)
def test_shares(share: float, text: str) -> None:
    assert format_share(share) == text


@pytest.mark.parametrize(
    ("until", "text"),
    [
        ("2024-05-01", "until 2024-05-01 (0 days left)"),
        ("2024-05-02", "until 2024-05-02 (1 day left)"),
        ("2024-04-30", "EXPIRED on 2024-04-30"),
    ],
)
def test_validity_counts_the_last_day_in(until: str, text: str) -> None:
    assert describe_validity(date.fromisoformat(until), date(2024, 5, 1)) == text


def test_moment_is_written_to_the_minute_with_its_zone() -> None:
    assert format_moment("2024-05-01T12:00:31+00:00") == "2024-05-01 12:00 UTC"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Zoë O'Neill, 北京", "Zoë O'Neill, 北京"),
        ("ok\x1b[2K\rfake", r"ok\x1b[2K fake"),
        ("two\nlines\tand a tab", "two lines and a tab"),
        ("admin\u202etxt", r"admin\u202etxt"),
        ("pay\u200bload\ufeff", r"pay\u200bload\ufeff"),
    ],
)
def test_what_shows_nothing_is_made_visible(text: str, shown: str) -> None:
    assert show_plainly(text) == shown


def test_texts_are_escaped_for_where_they_are_shown() -> None:
    attack = '<b a="1">*x* [a](javascript:1) | `c` _d_\n# no heading'
    assert escape_html(attack).startswith("&lt;b a=&quot;1&quot;&gt;*x*")
    assert escape_markdown(attack) == (r'&lt;b a="1"&gt;\*x\* [a\](javascript:1) \| \`c\` \_d\_ # no heading')
    assert escape_markdown("3.33 [2.90, 3.78] of serum_sodium") == "3.33 [2.90, 3.78] of serum_sodium"
