"""What policy and plan enter in the evidence record."""

from __future__ import annotations

from pathlib import Path

import pytest
from kedro.io import DatasetError

from rai_kedro.datasets.record import PlanLook, PolicyRecord
from rai_kedro.policy import Look, Plan
from rai_kedro.release import PLAN, append_evidence, check_chain, read_evidence

AT = "2026-01-01T00:00:00+00:00"
FIRST = {"version": "1", "trained_under": "a", "today": "b", "stricter": ["fairness.level"], "agreed": []}
MEASURED = Plan(metrics=("R2",), limits={}, methods={}, split={}, rows="a" * 64)


def test_a_policy_is_entered_once_until_it_is_another(tmp_path: Path) -> None:
    record = PolicyRecord(filepath=str(tmp_path / "evidence.jsonl"))
    for change in ({}, FIRST, FIRST, {**FIRST, "today": "c"}, FIRST):
        record.save(change)
    entries = read_evidence(tmp_path / "evidence.jsonl")
    assert [(entry.kind, entry.body["today"]) for entry in entries] == [
        ("policy", "b"),
        ("policy", "c"),
        ("policy", "b"),
    ]
    with pytest.raises(DatasetError, match="not read from the record"):
        record.load()


def test_trainings_are_counted_from_the_plan_on_and_not_without_one(tmp_path: Path) -> None:
    path = tmp_path / "evidence.jsonl"
    look = PlanLook(filepath=str(path))
    look.save(MEASURED)
    assert (look.load(), path.exists()) == (Look(), False)

    plan = MEASURED.model_copy(update={"looks": 2})
    append_evidence(path, PLAN, {"plan": plan.to_dict(), "trained_before": 1, "registered_at": AT}, AT)
    for number, divisor in ((1, 2), (2, 2), (3, 3)):
        look.save(MEASURED)
        # Another process reads what this one saved.
        found = PlanLook(filepath=str(path)).load()
        assert (found.number, found.divisor, found.trained_before) == (number, divisor, 1)
    assert check_chain(path).ok
