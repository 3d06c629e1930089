"""A flag is one word in the contract: register, governance page and card show whatever words there are."""

from __future__ import annotations

from datetime import date
from typing import get_args

import pytest

from rai_kedro.contract import Flag
from rai_kedro.report.card import ModelCard
from rai_kedro.report.model_card import render_html, render_json, render_markdown
from rai_kedro.report.pages import render_governance_page

from .conftest import make_row, replace


@pytest.mark.parametrize("flag", get_args(Flag))
def test_every_flag_shows_in_register_card_and_page(flag: str, card: ModelCard) -> None:
    row = make_row("ZONE", flags=[flag], risk="stands for who lives there", use="audit", model_uses=False)
    card = replace(card, columns=(row,))
    page = render_governance_page([row], [], use_case="housing", as_of=date(2024, 5, 1))

    assert row.to_dict()["flags"] == [flag]
    assert f'<span class="flag">{flag}</span>' in page
    assert f'<span class="flag">{flag}</span>' in render_html(card, {})
    assert flag in render_markdown(card) and f'"{flag}"' in render_json(card)
