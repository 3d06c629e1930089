"""The page of a reviewer in a real browser, wide and on a telephone: all that decides is seen without a click."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rai_kedro.report import render_review_page
from rai_kedro.report.card import ModelCard
from rai_kedro.report.mitigation_section import MitigationRecord
from rai_kedro.report.review_page import Approval, EvidenceStatus

from ..report.conftest import card, make_fairness, mitigation, parts, register, replace  # noqa: F401 - fixtures
from ..report.test_review_page import APPROVE, compare, gate, make_pending, make_review

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# What runs over its own box where the page does not scroll sideways: commands, figures, badges.
TOO_WIDE = """
    return [...document.querySelectorAll('main p, main li, main summary, main dd, .forest td')]
        .filter(one => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1 && one.clientWidth)
        .map(one => one.textContent.trim().slice(0, 60));
"""


@pytest.fixture
def page(tmp_path: Path, card: ModelCard, mitigation: MitigationRecord) -> Path:  # noqa: F811 - the fixtures
    failing = replace(card, fairness=make_fairness(limit=0.05), mitigation=mitigation)
    gates = (
        gate("fairness", "fail", "1 verdict: 1 fail", "accept_risk"),
        gate("drift", "insufficient_evidence", "2024-02 against 2024-01: too few rows to decide of RM", "none"),
    )
    pending = make_pending(failing, gates=gates, comparison=compare(), commands=(f'{APPROVE} --accept-risk "REASON"',))
    production = Approval("2", "approved by Ada Lovelace: read and understood", "2024-06-01T00:00:00+00:00", card)
    status = EvidenceStatus(entries=7, broken="", verified_at="2024-05-01T08:00:00+00:00", verified_entries=6)
    reviews = [make_review(pending, production=production, evidence=status), make_review(use_case="hospital")]
    path = tmp_path / "review.html"
    path.write_text(render_review_page(reviews, now=datetime(2024, 5, 2, 9, 30, tzinfo=UTC)), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", [1400, 390])
def test_all_that_decides_is_seen_at_any_width(browser: Any, page: Path, width: int) -> None:
    with browser.at_width(width, page):
        browser.wait_for_texts(
            "1 version waits for a decision",
            "can be approved only with an accepted risk: fairness",
            "approval of version 2, until 2024-06-01 (30 days left)",
            "tolerated, up to the dashed limit",
            "before and after mitigation",
            "version 3 is better than version 2",
            "at entry 6: no finding",
            f'{APPROVE} --accept-risk "REASON"',
        )
        scrolled, seen = browser.widths()
        assert scrolled <= seen, "nothing but tables scrolls sideways"
        assert browser.run(TOO_WIDE) == []
        assert (browser.elsewhere(), browser.errors()) == ([], [])


def test_one_click_takes_the_whole_command(browser: Any, page: Path) -> None:
    browser.open(page.as_uri())
    (command,) = browser.driver.find_elements("css selector", ".command code")
    browser.run("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", command)
    command.click()
    taken = browser.wait_for(lambda: browser.run("return getSelection().toString()"), "a selection")
    assert taken.strip() == f'{APPROVE} --accept-risk "REASON"'
