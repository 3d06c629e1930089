"""Proxies on the card: the table, the figure, the points to look at."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from rai_kedro.proxies import ProxyReport, Relation, find_proxies
from rai_kedro.report import (
    ModelCard,
    card_from_json,
    draw_proxies,
    list_attention,
    render_governance_page,
    render_html,
    render_markdown,
)
from rai_kedro.report.model_card import render_json

COPY = Relation(columns=("x1",), of="race", kind="recoded", rows=99, permitted=True)


@pytest.fixture(scope="module")
def report() -> ProxyReport:
    random = np.random.default_rng(0)
    columns = pd.DataFrame(random.normal(size=(1200, 4))).add_prefix("x")
    others = {"race<b>": np.where(columns["x2"] > 0.3, "a", "b"), "age": random.normal(size=1200)}
    found = find_proxies(columns, others, never_read=["birth"])
    return found.model_copy(update={"relations": (COPY,)})


@pytest.mark.parametrize("language", ["html", "markdown"])
def test_the_section_ranks_names_and_escapes(card: ModelCard, report: ProxyReport, language: str) -> None:
    card = card.model_copy(update={"proxies": report})

    text = render_html(card, {}) if language == "html" else render_markdown(card)

    assert [one.outcome for one in report.proxies] == ["fail", "insufficient_evidence", "pass"]
    assert text.index("race&lt;b&gt;") < text.index("birth")
    assert "race<b>" not in text
    for part in ("no proxy", "insufficient evidence", "x1 has the same categories under other names as race", "x2 "):
        assert part in text
    assert "level of all intervals together 95 %" in text


def test_the_first_points_name_the_proxy_once_and_all_that_is_open_together(
    card: ModelCard, report: ProxyReport
) -> None:
    points = list_attention(card.model_copy(update={"proxies": report}))

    told = {point.topic: point.text for point in points if point.section == "proxies"}
    assert set(told) == {"Proxy", "Proxy evidence insufficient", "Column in disguise"}
    assert "x2" in told["Proxy"]
    assert "birth" in told["Proxy evidence insufficient"]


def test_the_card_survives_json(card: ModelCard, report: ProxyReport) -> None:
    card = card.model_copy(update={"proxies": report})

    assert card_from_json(render_json(card)) == card


def test_a_card_of_before_has_no_proxies_and_can_be_read(card: ModelCard) -> None:
    plain = render_json(card).replace('"proxies": null,', "", 1)

    assert card_from_json(plain) == card


def test_the_figure_has_each_measured_column_and_its_limit(report: ProxyReport) -> None:
    figure = draw_proxies(report)

    assert figure.layout.meta["section"] == "proxies"
    assert len(figure.data) == 4
    assert "<b>" not in "".join(name for trace in figure.data for name in trace.y)
    nothing = draw_proxies(ProxyReport(proxies=(), rows=0, rows_used=0))
    assert not nothing.data


def test_the_governance_page_shows_the_newest_training(card: ModelCard, report: ProxyReport) -> None:
    def render(proxies: ProxyReport | None) -> str:
        return render_governance_page(card.columns, [], proxies=proxies, use_case="housing", as_of=date(2026, 1, 1))

    assert "Not measured yet" in render(None)
    shown = render(report)
    assert "race&lt;b&gt;" in shown
    assert shown.count('class="plot"') == 1
