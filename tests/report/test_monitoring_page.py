from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from rai_kedro.monitoring import Timeline
from rai_kedro.months import months_from
from rai_kedro.report import draw_monitoring, render_monitoring_page

MEGABYTE = 2**20


def render(timeline: Timeline) -> str:
    return render_monitoring_page(timeline, draw_monitoring(timeline), use_case="housing")


def plain(page: str) -> str:
    """Return what a person reads, without the figures."""
    text = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


@pytest.fixture(scope="module")
def page(housing_timeline: Timeline) -> str:
    return render(housing_timeline)


def test_newest_verdict_leads_with_its_reasons_and_what_to_do(page: str) -> None:
    text = plain(page[page.index("<main") : page.index('id="verdicts"')])
    assert "2024-08: ! watch" in text
    assert "drift ! watch : 2 findings. Find out whether the world" in text, "advice is given once"
    assert "LSTAT drifted: 0.620 [0.560, 0.680] of the rows, margin 0.100" in text
    assert "Why the estimates before labels may not be believed: LSTAT lies outside the reference." in text
    assert "Train again, on months from 2024-05 on" in text
    assert "167 reference rows show an effect of 0.25" in text
    assert "first alarm 2024-05 · first drift 2024-05" in plain(page)


def test_stale_months_and_gaps_are_named_at_the_top(page: str) -> None:
    text = plain(page[: page.index('id="verdicts"')])
    assert "2024-04 : its features changed after it was scored" in text
    assert "2024-07 not scored: too few rows" in text


def test_grid_says_in_words_what_each_subject_came_to_and_leads_to_the_month(page: str) -> None:
    grid = page[page.index('class="grid"') : page.index('id="performance"')]
    cells = {
        label: (href, sign) for href, label, sign in re.findall(r'href="#([^"]+)"[^>]*aria-label="([^"]+)">(.)<', grid)
    }
    assert cells["2024-05, performance: alarm"] == ("month-2024-05", "✕")
    assert cells["2024-05, drift: watch"] == ("month-2024-05", "!")
    assert cells["2024-04, performance: ok"] == ("month-2024-04", "✓")
    assert cells["2024-04, data: watch"] == ("month-2024-04", "!")
    assert cells["2024-07, performance: not done"] == ("month-2024-07", "–")  # noqa: RUF001
    assert cells["2024-08, performance: insufficient evidence"] == ("month-2024-08", "?")
    assert len(cells) == 8 * 6
    for href, _ in cells.values():
        assert f'<details id="{href}"' in page
    assert "shaded months were used in training" in page
    assert "a thick line is a change of the model version" in page


def test_months_come_newest_first_with_drifted_columns_first(page: str) -> None:
    assert re.findall(r'<details id="month-([\d-]+)"', page) == [f"2024-0{number}" for number in range(8, 0, -1)]
    may = page[page.index('<details id="month-2024-05"') : page.index('<details id="month-2024-04"')]
    assert may.index("LSTAT") < may.index("RM") < may.index("MAE is")
    assert "AGE" not in may[: may.index("<ul>")]
    assert "MAE is 4.39 [4.24, 4.54] times the tested one (on labels), limit 1.25: beyond the limit" in may


def test_column_and_group_can_be_looked_into(page: str) -> None:
    text = plain(page)
    assert "LSTAT: 2 months with drift, 50 % of what drives the predictions" in text
    assert "2024-05 0.620 [0.560, 0.680] 0.1 &lt; 0.001 drift" in text
    assert "race: Black, in 2024-08 estimated before labels: 4.36 [3.46, 5.26]" in text
    assert "2024-05 17.40 [16.50, 18.30] n = 500 4.36 [3.46, 5.26]" in text


def test_data_cannot_act_on_the_page(make_timeline: Callable[..., Timeline]) -> None:
    hostile = "<script>alert(1)</script>"
    turned = "rac\u202ee"
    months = [{"month": "2024-05", "version": hostile, "columns": {hostile: 0.5, turned: 0.4}, "stale": hostile}]
    page = render(make_timeline(months, advice=hostile, visible=hostile))
    assert hostile not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\u202e" not in page
    assert r"rac\u202ee" in page


def test_a_timeline_without_a_month_says_so(make_timeline: Callable[..., Timeline]) -> None:
    page = render(make_timeline([]))
    assert "housing: no month scored yet" in page
    assert len(page) < MEGABYTE, "no figure, so no plotly.js"


def test_only_gaps_are_shown_too(make_timeline: Callable[..., Timeline]) -> None:
    from rai_kedro.monitoring import Gap

    page = render(make_timeline([], gaps=(Gap(month="2024-05", missing="not scored", reason="no rows"),)))
    assert "2024-05 not scored: no rows" in plain(page)
    assert "no month scored yet" in page


def test_one_month_and_sixty_months(make_timeline: Callable[..., Timeline]) -> None:
    assert "1 month scored by version 1" in render(make_timeline([{"month": "2024-05"}]))
    page = render(make_timeline({"month": month} for month in months_from("2020-01", 60)))
    assert 'colspan="12">2024</th>' in page
    assert page.count('<details id="month-') == 60


def test_a_quiet_month_says_what_was_judged(make_timeline: Callable[..., Timeline]) -> None:
    page = render(make_timeline([{"month": "2024-05"}]))
    assert "housing: ok in 2024-05" in page
    assert 'class="first calm"' in page
    assert "no relevant drift in any column" in plain(page)


def test_wide_data_stay_small_and_readable(make_timeline: Callable[..., Timeline]) -> None:
    """1,000 columns and 24 months, all of them drifting in the last: 5 MB at most beside plotly.js."""
    from plotly.offline import get_plotlyjs

    names = [f"column_{number:04d}_<i>" for number in range(1000)]
    months = months_from("2022-05", 24)
    effects = {month: dict.fromkeys(names, 0.5 if month == months[-1] else 0.02) for month in months}
    timeline = make_timeline({"month": month, "columns": effects[month]} for month in months)
    page = render(timeline)
    assert len(page) - len(get_plotlyjs()) < 5 * MEGABYTE
    assert "970 more columns, in the newest month only" in page
    assert "column_0999" in page
    assert "970 more columns are not drawn" in page


def test_estimates_that_missed_are_doubted_in_words_that_fit_the_period(make_timeline: Callable[..., Timeline]) -> None:
    from rai_kedro.monitoring.timeline import reconcile_months

    for weeks, said in ((2, "Do not rely on the estimates of MAE"), (1, "Some doubt about the estimates of MAE")):
        timeline = make_timeline({"month": f"2024-W{18 + at}", "error": 14.5} for at in range(weeks))
        records = reconcile_months(timeline.months)
        text = plain(render(timeline.model_copy(update={"track_record": records})))
        assert said in text
        assert f"held the figure in 0 of {weeks} week{'s' * (weeks > 1)}, 95 % were to be expected" in text
        assert "month" not in text[text.index(said) : text.index("MAE by group")]
