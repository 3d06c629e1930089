"""What two cards have in common, value by value; the replay itself is tried through the real command (tests/e2e)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rai_kedro.pipelines.training.replay import compare_cards

CARD: dict[str, Any] = {"figures": [{"value": 0.1, "interval": [0.05, 0.2]}, {"value": 1}], "notes": [], "gate": None}


def compare(now: dict[str, Any]) -> tuple[int, list[str]]:
    count, found = compare_cards(json.dumps(CARD), json.dumps(now))
    return count, [str(one) for one in found]


def test_equal_cards_differ_nowhere_and_every_value_is_counted() -> None:
    assert compare(json.loads(json.dumps(CARD))) == (6, [])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"figures": [{"value": 0.1, "interval": [0.05, 0.20000000000000004]}, {"value": 1}]},
         "figures[0].interval[1]: 0.2 in the pack, 0.20000000000000004 now"),
        ({"gate": "pass"}, 'gate: null in the pack, "pass" now'),
        ({"figures": [{"value": 0.1, "interval": [0.05, 0.2]}]}, 'figures[1].value: 1 in the pack, "(nothing)" now'),
        ({"new": 1}, 'new: "(nothing)" in the pack, 1 now'),
    ],
)  # fmt: skip
def test_a_difference_is_named_by_its_path_with_both_values(change: dict[str, Any], said: str) -> None:
    assert said in compare({**CARD, **change})[1]
