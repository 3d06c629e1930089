"""The bar over the months of a run: on a terminal only, and never in the way of the log."""

from __future__ import annotations

import io
import logging
import sys

import pytest

from rai_kedro.hooks.progress import MonthsBar, count_months


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run_bar(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch, months: int = 3) -> str:
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("TERM", "xterm")
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        bar = MonthsBar()
        bar.start(months)
        for month in range(months):
            root.warning("month %d scored", month)
            bar.advance(1)
        bar.stop()
        assert handler.stream is stream
        root.warning("afterwards")
    finally:
        root.removeHandler(handler)
    return stream.getvalue()


def test_a_terminal_shows_the_bar_and_every_line_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run_bar(Terminal(), monkeypatch)
    assert "3/3" in shown
    assert [f"month {number} scored" in shown for number in range(3)] == [True] * 3
    assert shown.endswith("afterwards\n")


@pytest.mark.parametrize("months", [0, 1, 3])
def test_a_pipe_gets_plain_lines(monkeypatch: pytest.MonkeyPatch, months: int) -> None:
    shown = run_bar(io.StringIO(), monkeypatch, months)
    assert shown.splitlines() == [*(f"month {number} scored" for number in range(months)), "afterwards"]


def test_months_to_come_are_counted_from_what_a_node_is_handed() -> None:
    stored = dict.fromkeys(["month=2024-01/model_version=1", "month=2024-02/model_version=1"])
    scoring = {"housing.months_to_score": ("2024-01", "2024-02"), "housing.scoring_model": None}
    assert count_months(scoring) == 2
    assert count_months({"housing.prediction_store": stored, "housing.drift_history": {}}) == 2
    assert count_months({"housing.prediction_store": stored, "housing.outcome_history": stored}) == 0
    assert count_months({"housing.months_to_score": ("2024-01",), "housing.timeline": None}) == 0
