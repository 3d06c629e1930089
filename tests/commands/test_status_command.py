"""Where a use case stands, in words."""

from __future__ import annotations

from typing import Any

import pytest
from click.testing import CliRunner

from rai_kedro.commands import status
from rai_kedro.contract import ContractError
from rai_kedro.errors import RaiError
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


def test_without_a_name_each_use_case_is_shown_and_a_broken_one_hides_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(use_case: str, env: str | None) -> dict[str, Any]:
        if use_case == "loans":
            raise ContractError("Its contract cannot be read.", remedy="mend it")
        return {"use_case": use_case, "versions": [], "months": [], "pending_months": [], "missing_months": []} | {
            "monitoring": [],
            "gaps": [],
        }

    monkeypatch.setattr(status, "_read_status", read)
    monkeypatch.setattr(status, "find_meant", lambda env: (["court", "housing", "loans"], ["court", "loans"]))
    outcome = CliRunner().invoke(status.status, [])
    assert "use case court" in outcome.output
    assert "use case loans: Its contract cannot be read." in outcome.output
    assert "housing" not in outcome.output
    assert isinstance(outcome.exception, RaiError)
