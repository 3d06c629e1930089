"""Where a use case stands, in words."""

from __future__ import annotations

import pytest

from rai_kedro.months import key_of_month
from rai_kedro.pipelines.monitoring.plan import find_missing


@pytest.mark.parametrize(
    ("months", "scored", "missing"),
    [
        (["2024-01", "2024-02"], [], []),
        (["2024-11", "2025-02"], ["2024-11"], ["2024-12", "2025-01"]),
        (["2024-01", "2024-03"], ["2024-02"], []),
        ([], [], []),
    ],
)
def test_months_that_nobody_can_score_are_named(months: list[str], scored: list[str], missing: list[str]) -> None:
    keys = [[*map(key_of_month, one)] for one in (months, months, scored)]
    assert list(find_missing(*keys)) == missing
    labels_too = [keys[0], [*keys[1], key_of_month("2030-01")], keys[2]]
    assert list(find_missing(*labels_too)) == [*missing, "2030-01"]
