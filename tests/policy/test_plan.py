"""Looks at the rows of a plan: how they are counted, and that sharing the error among them holds it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from rai_kedro.policy import Look, Plan, take_look


def plan(**changes: Any) -> Plan:
    parts: dict[str, Any] = {"metrics": ("statistical_parity",), "limits": {"level": 0.95}, "methods": {}, "split": {}}
    return Plan.from_dict({**parts, "rows": "a" * 64, **changes})


def registered(one: Plan, trained_before: int = 0) -> dict[str, Any]:
    return {"plan": one.to_dict(), "trained_before": trained_before, "registered_at": "2026-01-01T00:00:00+00:00"}


def take(now: Plan, plans: list[dict[str, Any]], looks: int) -> Look:
    taken: list[dict[str, Any]] = []
    for _ in range(looks):
        look = take_look(now, plans, taken)
        assert look is not None
        taken.append(look.to_dict())
    return Look.from_dict(taken[-1])


def test_without_a_plan_nothing_is_counted_and_nothing_shared() -> None:
    assert take_look(plan(), [], []) is None
    assert Look().divisor == 1


@pytest.mark.parametrize(("planned", "looks", "divisor"), [(1, 1, 1), (3, 1, 3), (3, 3, 3), (3, 4, 4), (1, 2, 2)])
def test_the_error_is_shared_by_the_looks_planned_or_made_if_more(planned: int, looks: int, divisor: int) -> None:
    look = take(plan(looks=planned), [registered(plan(looks=planned))], looks)
    assert (look.number, look.divisor) == (looks, divisor)
    assert any("More trainings than planned" in one for one in look.warnings) == (looks > planned)


def test_another_split_of_the_same_rows_is_another_look_and_other_rows_are_not() -> None:
    first = take(plan(), [registered(plan())], 1).to_dict()
    same = take_look(plan(split={"held_out": "b"}), [registered(plan())], [first])
    other = take_look(plan(rows="b" * 64), [registered(plan())], [first])
    assert same is not None and (same.number, same.changed) == (2, ("split",))
    assert other is not None and (other.number, other.changed) == (1, ("rows",))


def test_what_makes_a_plan_worth_less_is_said() -> None:
    look = take_look(plan(metrics=("equal_opportunity",)), [registered(plan(), 2), registered(plan())], [])
    assert look is not None
    assert look.warnings == (
        "Changed since the plan: metrics.",
        "The plan was registered 2 times.",
        "Trainings before the plan: 2.",
    )


def test_whoever_stops_at_the_first_pass_passes_wrongly_no_more_often_than_promised() -> None:
    """True disparity on the limit, five looks at independent estimates, stopped at the first pass; 20,000 lives."""
    rng, looks, level = np.random.default_rng(7), 5, 0.95
    estimates = rng.normal(size=(20_000, looks))  # in standard errors above the limit
    shared = norm.ppf(1 - (1 - level) / take(plan(looks=looks), [registered(plan(looks=looks))], 1).divisor)
    passed = (estimates + shared < 0).any(axis=1).mean()
    unshared = (estimates + norm.ppf(level) < 0).any(axis=1).mean()
    assert passed <= 0.05
    assert unshared > 0.2  # what a plan guards against: 1 - 0.95^5
