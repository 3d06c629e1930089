"""The months side by side."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rai_kedro.errors import RaiError
from rai_kedro.monitoring import ColumnDrift, Gap, MonthDigests, MonthDrift, build_timeline, draw_timeline
from rai_kedro.monitoring.results import STRENGTH_CAP, strength_of


def decision(column: str, p_value: float | None, *, drifted: bool | None = None) -> ColumnDrift:
    return ColumnDrift(
        column=column,
        kind="numerical",
        method="ks" if p_value is not None else "no_values",
        p_value=p_value,
        threshold=0.005,
        drifted=p_value <= 0.005 if drifted is None and p_value is not None else bool(drifted),
        n_reference=167,
        n_current=506,
    )


def month(name: str, p_values: dict[str, float | None], version: str = "1", **changes: Any) -> MonthDrift:
    columns = tuple(decision(column, p_value, **changes) for column, p_value in p_values.items())
    return MonthDrift(month=name, model_version=version, family_wise_rate=0.01, columns=columns)


RECORDS = [
    month("2024-06", {"LSTAT": 1e-9, "RM": 0.7}),
    month("2024-04", {"LSTAT": 0.3, "RM": 0.6}),
    month("2024-05", {"LSTAT": 1e-40, "RM": 0.0049}),
]


def test_months_are_sorted_and_the_first_drift_is_named() -> None:
    timeline = build_timeline(RECORDS)
    assert timeline["first_drift"] == "2024-05"
    assert [entry["month"] for entry in timeline["months"]] == ["2024-04", "2024-05", "2024-06"]
    assert [entry["verdict"] for entry in timeline["months"]] == [False, True, True]
    assert [entry["share"] for entry in timeline["months"]] == [0.0, 1.0, 0.5]
    assert timeline["months"][1]["drifted_columns"] == ["LSTAT", "RM"]
    assert timeline["months"][0]["tests"] == 2
    assert json.loads(json.dumps(timeline, allow_nan=False)) == timeline


def test_no_drift_is_said_so() -> None:
    timeline = build_timeline(RECORDS[1:2])
    assert timeline["first_drift"] is None
    assert "No drift found" in draw_timeline(timeline).layout.title.text


def test_versions_are_ordered_as_numbers() -> None:
    records = [month("2024-04", {"RM": 0.5}, version) for version in ("10", "9")]
    assert [entry["model_version"] for entry in build_timeline(records)["months"]] == ["9", "10"]


def test_the_same_month_twice_is_refused() -> None:
    with pytest.raises(RaiError, match=r"more than once(.|\n)*2024-04 \(version 1\)"):
        build_timeline([RECORDS[1], RECORDS[1]])


def test_strength_is_orders_of_magnitude_past_the_threshold() -> None:
    assert strength_of([decision("RM", 0.005)]) == 0
    assert strength_of([decision("RM", 0.5), decision("RM", 5e-6)]) == pytest.approx(3)
    assert strength_of([decision("RM", 1e-200)]) == STRENGTH_CAP
    assert strength_of([decision("RM", 0.0)]) == STRENGTH_CAP
    assert strength_of([decision("RM", None, drifted=True)]) == STRENGTH_CAP
    assert strength_of([decision("RM", 0.5), decision("RM", None, drifted=False)]) == pytest.approx(-2)


def test_the_figure_shows_every_month_and_column_and_explains_the_threshold() -> None:
    figure = draw_timeline(build_timeline(RECORDS))
    drift, no_drift, heat_map = figure.data
    assert (drift.name, list(drift.x), list(drift.y)) == ("drift", ["2024-05", "2024-06"], [1.0, 0.5])
    assert (no_drift.name, list(no_drift.x), list(no_drift.text)) == (
        "no drift found",
        ["2024-04"],
        ["0 of 2"],
    )
    assert list(heat_map.y) == ["LSTAT", "RM"]
    assert [list(row) for row in heat_map.text] == [["", "drift", "drift"], ["", "drift", ""]]
    assert drift.marker.color != no_drift.marker.color
    assert drift.marker.pattern.shape, "the verdict can be told without colour"
    assert "0.01 / 2 tests" in figure.layout.title.text
    assert list(figure.layout.xaxis.categoryarray) == ["2024-04", "2024-05", "2024-06"]


def test_a_change_of_model_version_is_labelled() -> None:
    figure = draw_timeline(build_timeline([RECORDS[1], month("2024-05", {"RM": 0.5}, "2")]))
    assert list(figure.layout.xaxis.categoryarray) == ["2024-04<br>v1", "2024-05<br>v2"]
    no_drift, heat_map = figure.data[1], figure.data[2]
    assert list(no_drift.x) == ["2024-04<br>v1", "2024-05<br>v2"]
    assert heat_map.z[0][1] is None, "LSTAT was not tested in May"


def test_nothing_to_draw_is_said_so() -> None:
    with pytest.raises(RaiError, match="no month to draw"):
        draw_timeline(build_timeline([]))


def test_months_that_training_used_and_stale_ones_are_marked() -> None:
    known = {"features_digest": "f", "labels_digest": ""}
    records = [
        MonthDrift.from_dict({**month(name, {"RM": 0.5}).to_dict(), **known, "used_in_training": name == "2024-01"})
        for name in ("2024-01", "2024-02", "2024-03", "2024-04")
    ]
    digests = {
        "2024-01": MonthDigests(features="f"),
        "2024-02": MonthDigests(features="other"),
        "2024-03": MonthDigests(),
        "2024-04": MonthDigests(features="f", labels="new"),
    }
    timeline = build_timeline(records, digests=digests)
    assert [entry["used_in_training"] for entry in timeline["months"]] == [True, False, False, False]
    assert [entry["stale"] for entry in timeline["months"]] == [
        "",
        "its features changed after it was scored",
        "the feature store no longer has it",
        "",
    ]
    assert [entry["labels"] for entry in timeline["months"]] == ["none yet"] * 3 + ["arrived since"]
    assert list(draw_timeline(timeline).layout.xaxis.categoryarray) == [
        "2024-01<br>training",
        "2024-02<br>stale",
        "2024-03<br>stale",
        "2024-04",
    ]


def test_a_month_that_could_not_be_done_is_in_the_timeline() -> None:
    timeline = build_timeline([], gaps=[Gap(month="2024-05", missing="not scored", reason="too few rows")])
    assert timeline["gaps"] == [{"month": "2024-05", "missing": "not scored", "reason": "too few rows"}]
    assert "No month tested" in draw_timeline(timeline).layout.title.text
