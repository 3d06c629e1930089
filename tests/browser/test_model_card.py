"""The plot of judged disparities on top of a model card, in a real browser: wide, on a telephone, dark and printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rai_kedro.fairness import Tolerance
from rai_kedro.fairness.verdicts import Gate
from rai_kedro.report import render_html
from rai_kedro.report.card import ModelCard

from ..report.conftest import card, make_fairness, parts, register, replace  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Of each row where the plot's cell begins and ends, and where its interval and limit do; in pixels.
PLACES = """
    const box = (one) => { const b = one.getBoundingClientRect(); return [b.left, b.right]; };
    return [...document.querySelectorAll('.forest tbody tr')].map((row) => ({
        cell: box(row.querySelector('.strip > svg')), bar: box(row.querySelector('.strip > svg > .interval')),
        limit: box(row.querySelector('.limit')),
        figure: row.querySelector('td.figure').scrollWidth, room: row.querySelector('td.figure').clientWidth,
    }));
"""
COLOURS = "return [...document.querySelectorAll('.forest .fail .value')].map(one => getComputedStyle(one).fill)"


@pytest.fixture
def page(tmp_path: Path, card: ModelCard) -> Path:  # noqa: F811 - the fixture
    record = make_fairness()
    limits = {"statistical_parity": 0.05, "equal_opportunity": 0.25}
    gate = Gate(tolerances=tuple(Tolerance(metric=name, limit=limit) for name, limit in limits.items()))
    judged = replace(record, gate=gate.judge(record.assessment.disparities))
    path = tmp_path / "card.html"
    path.write_text(render_html(replace(card, fairness=judged), {}), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1400, 390])
def test_intervals_are_drawn_to_scale_within_the_page_at_any_width(browser: Any, page: Path, width: int) -> None:
    with browser.at_width(width, page):
        browser.wait_for_texts("shown:", "stated:", "open:", "tolerated, up to the dashed limit")
        scrolled, seen = browser.widths()
        assert scrolled <= seen, "nothing but figures and tables scrolls sideways"
        failed, open_one = browser.run(PLACES)
        for row in (failed, open_one):
            assert row["cell"][0] - 1 <= row["bar"][0] < row["bar"][1] <= row["cell"][1] + 1 <= seen + 1
            assert row["cell"][1] - row["cell"][0] > 150
            assert row["figure"] <= row["room"], "a figure runs over its verdict"
        assert failed["bar"][0] > failed["limit"][1], "a disparity that fails lies beyond its limit"
        assert open_one["bar"][0] < open_one["limit"][0] < open_one["bar"][1]
        assert (browser.elsewhere(), browser.errors()) == ([], [])


def test_colours_follow_the_scheme_and_print(browser: Any, page: Path) -> None:
    seen = {}
    try:
        for name, media, scheme in (("light", "", "light"), ("dark", "", "dark"), ("print", "print", "light")):
            features = [{"name": "prefers-color-scheme", "value": scheme}]
            browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
            browser.open(page.as_uri())
            seen[name] = browser.wait_for(lambda: browser.run(COLOURS), "the verdict's sign")
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    assert seen["light"] == ["rgb(138, 43, 0)"]
    assert seen["dark"] == ["rgb(255, 171, 133)"]
    assert seen["print"] == ["rgb(122, 38, 0)"]
