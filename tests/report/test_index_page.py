from __future__ import annotations

import re

from rai_kedro.report import render_index

PAGES = [
    "housing/model_card_v2.html",
    "housing/model_card_v10.html",
    "housing/governance.html",
    "housing/monitoring.html",
    "housing/drift/2024-04_version_1.html",
    "housing/drift/2024-05_version_2.html",
    "hospital/mitigation.html",
    "index.html",
    "hospital/performance.json",
]
TIMELINE = {"months": [{"month": "2024-05", "model_version": "2", "verdict": {"outcome": "alarm"}}]}


def test_everything_on_disk_is_linked_and_nothing_else() -> None:
    page = render_index(PAGES, {"housing": TIMELINE})
    linked = re.findall(r'href="([^#"]+)"', page)
    assert sorted(linked) == sorted(PAGES[:7])
    assert linked.index("housing/monitoring.html") < linked.index("housing/governance.html")
    assert linked.index("housing/model_card_v10.html") < linked.index("housing/model_card_v2.html")
    assert linked.index("housing/drift/2024-05_version_2.html") < linked.index("housing/drift/2024-04_version_1.html")


def test_weeks_are_called_weeks_and_a_comparison_by_its_versions() -> None:
    week = {"month": "2024-W18", "model_version": "1", "verdict": {"outcome": "ok"}}
    page = render_index(
        ["sales/drift/2024-W18_version_1.html", "sales/comparison_1_2.html"], {"sales": {"months": [week]}}
    )
    assert "Drift of each week, by Evidently (1)" in page
    assert ">2024-W18, version 1</a>" in page
    assert ">Comparison: version 2 beside version 1</a>" in page


def test_newest_verdict_stands_beside_its_use_case() -> None:
    page = render_index(PAGES, {"housing": TIMELINE})
    assert re.search(r'housing <span class="state alarm"><span aria-hidden="true">.</span> alarm</span>', page)
    assert "Verdict of 2024-05, made by version 2." in page
    assert page.count("Nothing was judged yet.") == 1, "of hospital"


def test_a_name_can_neither_act_nor_break_its_link() -> None:
    page = render_index(['<b>"x/a b.html'], {"empty": {"months": []}})
    assert "<b>" not in page.replace("&lt;b&gt;", "")
    assert 'href="%3Cb%3E%22x/a%20b.html"' in page


def test_no_page_yet() -> None:
    assert "no page was made yet" in render_index([], {})
