"""How much worse a figure became since the test."""

from __future__ import annotations

import math

import pytest

from rai_kedro.performance import Figure, find_loss


def figure(name: str, value: float, below: float, above: float) -> Figure:
    """A figure with an interval."""
    return Figure(name=name, value=value, lower=value - below, upper=value + above, level=0.95, n=100)


def test_a_loss_of_a_share_is_newcombes_difference() -> None:
    """56 of 70 tested and 48 of 80 now, Wilson's limits: Newcombe (1998), method 10, gives .0524 to .3339."""
    tested = Figure(name="accuracy", value=0.8, lower=0.6918, upper=0.8772, level=0.95, n=70)
    now = Figure(name="accuracy", value=0.6, lower=0.4907, upper=0.7003, level=0.95, n=80)
    loss = find_loss(now, tested)
    assert (loss.kind, loss.value) == ("difference", pytest.approx(0.2))
    assert (loss.lower, loss.upper) == (pytest.approx(0.0524, abs=1e-3), pytest.approx(0.3339, abs=1e-3))


def test_a_loss_of_an_error_is_a_ratio_whose_limits_hold_both_errors() -> None:
    loss = find_loss(figure("MAE", 2.0, 0.2, 0.2), figure("MAE", 1.0, 0.1, 0.1))
    assert (loss.kind, loss.value) == ("ratio", 2.0)
    # Of equal relative errors e the ratio's error is about e * sqrt(2).
    assert loss.upper == pytest.approx(2 * (1 + 0.1 * math.sqrt(2)), rel=0.02)
    assert loss.lower == pytest.approx(2 * (1 - 0.1 * math.sqrt(2)), rel=0.02)


def test_a_figure_without_an_interval_settles_nothing() -> None:
    loss = find_loss(Figure(name="AUC", n=5, note="one class only"), figure("AUC", 0.8, 0.1, 0.1))
    assert (loss.value, loss.note, loss.judge(0.1)) == (None, "one class only", "insufficient_evidence")
