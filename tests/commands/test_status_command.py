"""Where a use case stands, in words."""

from __future__ import annotations

import pytest

from rai_kedro.commands.status import find_missing


@pytest.mark.parametrize(
    ("months", "scored", "missing"),
    [
        (["2024-01", "2024-02"], [], []),
        (["2024-11", "2025-02"], ["2024-11"], ["2024-12", "2025-01"]),
        (["2024-01", "2024-03"], ["2024-02"], []),
        ([], [], []),
    ],
)
def test_months_that_monitoring_waits_for_are_named(months: list[str], scored: list[str], missing: list[str]) -> None:
    assert find_missing(months, scored) == missing
