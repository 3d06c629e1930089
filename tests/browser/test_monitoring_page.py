"""The monitoring page in a real browser, wide and on a telephone; its timeline is made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rai_kedro.monitoring import Timeline
from rai_kedro.report import draw_monitoring, render_monitoring_page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DRAWN = "return document.querySelectorAll('.plot .main-svg:first-child').length"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, housing_timeline: Timeline) -> Path:
    path = tmp_path_factory.mktemp("page") / "monitoring.html"
    figures = draw_monitoring(housing_timeline)
    path.write_text(render_monitoring_page(housing_timeline, figures, use_case="housing"), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1400, 390])
def test_page_is_whole_at_any_width(browser: Any, page: Path, width: int) -> None:
    with browser.at_width(width, page):
        browser.wait_for(lambda: browser.run(DRAWN) == 6, "six figures")
        scrolled, seen = browser.widths()
        assert scrolled <= seen, "nothing but figures and tables scrolls sideways"
        browser.wait_for_texts(
            "housing: watch in 2024-08", "limit", "estimated before labels", "month used in training"
        )
        assert (browser.elsewhere(), browser.errors()) == ([], [])


def test_a_sign_of_may_opens_may_and_its_alarm(browser: Any, page: Path) -> None:
    browser.open(page.as_uri())
    is_open = "return document.getElementById('month-2024-05').open"
    assert not browser.run(is_open)
    sign = browser.driver.find_element("css selector", 'a[aria-label="2024-05, performance: alarm"]')
    sign.send_keys("\ue007")  # the Enter key: the signs can be reached without a mouse
    browser.wait_for(lambda: browser.run(is_open), "May opened")
    browser.wait_for_texts("MAE is 4.39 [4.24, 4.54] times the tested one", "LSTAT drifted: 0.620")
