from __future__ import annotations

import pytest

from rai_kedro.fairness import Disparity
from rai_kedro.fairness.verdicts import judge
from rai_kedro.report.card import FairnessRecord
from rai_kedro.report.fairness_view import list_verdicts
from rai_kedro.report.forest import ForestPanel, draw_forest

from .conftest import make_fairness, replace


def draw(*judged: tuple[str, float | None, float | None, float | None, float]) -> tuple[ForestPanel, ...]:
    """Draw disparities given as kind, value, ends of the interval and limit."""
    verdicts = tuple(
        judge(
            Disparity(
                metric="statistical_parity",
                column=f"c{number}",
                kind=kind,
                value=value,
                lower=low,
                upper=high,
                level=0.95,
            ),
            limit,
        )
        for number, (kind, value, low, high, limit) in enumerate(judged)
    )
    record: FairnessRecord = make_fairness()
    return draw_forest(list_verdicts(replace(record, gate=replace(record.gate, verdicts=verdicts))))


def test_places_are_per_cent_of_one_axis_that_begins_where_groups_are_alike() -> None:
    (panel,) = draw(("difference", 0.2, 0.1, 0.3, 0.05), ("difference", 0.4, 0.3, 0.5, 0.25))
    # The axis runs from 0 to 0.5 and 5 % of that beyond.
    first, second = panel.rows
    assert first.ends == pytest.approx((100 * 0.1 / 0.525, 100 * 0.3 / 0.525), abs=0.01)
    assert (second.value, second.limit) == pytest.approx((100 * 0.4 / 0.525, 100 * 0.25 / 0.525), abs=0.01)
    assert second.tolerated == pytest.approx((0, 100 * 0.25 / 0.525), abs=0.01)
    assert [label for _, label in panel.ticks] == ["0", "0.2", "0.4"]


def test_what_fails_lies_outside_the_shaded_part_and_what_passes_inside_whatever_the_kind() -> None:
    shown = draw(
        ("difference", 0.2, 0.1, 0.3, 0.05),
        ("difference", 0.1, 0.05, 0.2, 0.25),
        ("ratio", 0.5, 0.4, 0.6, 0.8),
        ("ratio", 0.9, 0.85, 0.97, 0.8),
    )
    assert [panel.title for panel in shown] == ["Difference (0: alike)", "Ratio (1: alike)"]
    for panel in shown:
        for row in panel.rows:
            assert row.ends is not None
            low, high = row.tolerated
            inside = low <= row.ends[0] and row.ends[1] <= high
            outside = row.ends[1] < low or row.ends[0] > high
            assert (row.line.outcome == "pass", row.line.outcome == "fail") == (inside, outside)
    (_, ratio) = shown
    assert ratio.rows[0].tolerated[1] == 100, "groups cannot be more than alike"


def test_an_open_end_reaches_the_edge_and_what_has_no_interval_draws_none() -> None:
    (panel,) = draw(("ratio", 0.5, None, 0.6, 0.8), ("ratio", None, None, None, 0.8))
    by_column = {row.line.disparity.column: row for row in panel.rows}
    assert by_column["c0"].ends is not None
    assert (by_column["c0"].ends[0], by_column["c0"].is_open) == (0.0, (True, False))
    assert (by_column["c1"].ends, by_column["c1"].value, by_column["c1"].is_open) == (None, None, (False, False))


def test_everything_drawn_lies_on_the_axis() -> None:
    panels = draw(("difference", 3e6, 1e6, 5e6, 2e6), ("wasserstein", 1e-7, 0.0, 2e-7, 1e-7), ("ratio", 1, 1, 1, 1))
    for panel in panels:
        places = [at for at, _ in panel.ticks]
        places += [at for row in panel.rows for at in (row.limit, row.value, *(row.ends or ()), *row.tolerated)]
        assert all(-0.01 <= at <= 100.01 for at in places if at is not None)
        assert 2 <= len(panel.ticks) <= 7


def test_a_disparity_that_is_not_judged_is_not_drawn() -> None:
    record = make_fairness()
    assert len(record.assessment.disparities) > len(record.gate.verdicts) == 1
    assert [len(panel.rows) for panel in draw_forest(list_verdicts(record))] == [1]
    assert draw_forest(()) == ()
