"""The months side by side."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rai_kedro.errors import RaiError
from rai_kedro.monitoring import ColumnDrift, Gap, MonthDigests, MonthDrift, build_timeline, draw_timeline


def compared(column: str, value: float | None, **changes: Any) -> ColumnDrift:
    verdict = "insufficient_evidence" if value is None else "drift" if value > 0.2 else "no_relevant_drift"
    ends = {} if value is None else {"lower": max(0.0, value - 0.05), "upper": min(1.0, value + 0.05)}
    figures = {"column": column, "value": value, "verdict": verdict, "margin": 0.1, **ends, **changes}
    return ColumnDrift(kind="numerical", method="ks", p_value=None, n_reference=167, n=506, **figures)


def month(name: str, effects: dict[str, float | None], version: str = "1", **changes: Any) -> MonthDrift:
    columns = tuple(compared(column, value, **changes) for column, value in effects.items())
    figures = {"rate": 0.01, "comparisons": 4, "margin": 0.1, "look": 3}
    return MonthDrift(month=name, model_version=version, columns=columns, **figures)


RECORDS = [
    month("2024-06", {"LSTAT": 0.6, "RM": 0.02}),
    month("2024-04", {"LSTAT": 0.03, "RM": 0.04}),
    month("2024-05", {"LSTAT": 0.9, "RM": 0.3}),
]


def test_months_are_sorted_and_the_first_drift_is_named() -> None:
    timeline = build_timeline(RECORDS)
    assert timeline["first_drift"] == "2024-05"
    assert [entry["month"] for entry in timeline["months"]] == ["2024-04", "2024-05", "2024-06"]
    assert [entry["verdict"] for entry in timeline["months"]] == ["no_relevant_drift", "drift", "drift"]
    assert [entry["share"] for entry in timeline["months"]] == [0.0, 1.0, 0.5]
    assert timeline["months"][1]["drifted_columns"] == ["LSTAT", "RM"]
    assert {name: timeline["months"][0][name] for name in ("look", "rate", "comparisons", "margin")} == {
        "look": 3,
        "rate": 0.01,
        "comparisons": 4,
        "margin": 0.1,
    }
    assert timeline["months"][1]["effects"]["RM"] == {
        "aspect": "values",
        "verdict": "drift",
        "margin": 0.1,
        "value": 0.3,
        "lower": 0.25,
        "upper": 0.35,
        "importance": None,
    }
    assert timeline["months"][1]["visible"]["effect"] == pytest.approx(0.3, abs=0.1)
    assert json.loads(json.dumps(timeline, allow_nan=False)) == timeline


def test_no_drift_is_said_so() -> None:
    timeline = build_timeline(RECORDS[1:2])
    assert timeline["first_drift"] is None
    assert "No drift found" in draw_timeline(timeline).layout.title.text


def test_versions_are_ordered_as_numbers() -> None:
    records = [month("2024-04", {"RM": 0.05}, version) for version in ("10", "9")]
    assert [entry["model_version"] for entry in build_timeline(records)["months"]] == ["9", "10"]


def test_the_same_month_twice_is_refused() -> None:
    with pytest.raises(RaiError, match=r"more than once(.|\n)*2024-04 \(version 1\)"):
        build_timeline([RECORDS[1], RECORDS[1]])


def test_of_a_column_the_comparison_with_the_worst_verdict_counts() -> None:
    entries = (
        compared("RM", 0.9, aspect="missing"),
        compared("RM", None),
        compared("AGE", 0.01),
        compared("AGE", None),
    )
    drift = RECORDS[0].model_copy(update={"columns": entries})
    assert {name: (entry.aspect, entry.verdict) for name, entry in drift.by_column.items()} == {
        "RM": ("missing", "drift"),
        "AGE": ("values", "insufficient_evidence"),
    }
    assert drift.verdict == "drift"
    assert drift.model_copy(update={"columns": entries[2:]}).verdict == "insufficient_evidence"
    assert drift.model_copy(update={"columns": entries[2:3]}).verdict == "no_relevant_drift"


def test_the_figure_shows_every_month_and_column_and_explains_the_margin() -> None:
    figure = draw_timeline(build_timeline(RECORDS))
    drift, unsure, calm, heat_map = figure.data
    assert (drift.name, list(drift.x), list(drift.y)) == ("drift", ["2024-05", "2024-06"], [1.0, 0.5])
    assert (unsure.name, list(unsure.x)) == ("insufficient evidence", [])
    assert (calm.name, list(calm.x), list(calm.text)) == ("no relevant drift", ["2024-04"], ["0 of 2"])
    assert list(heat_map.y) == ["LSTAT", "RM"]
    assert [list(row) for row in heat_map.text] == [["", "drift", "drift"], ["", "drift", ""]]
    assert [list(row) for row in heat_map.z] == [
        [pytest.approx(v) for v in row] for row in ([0.3, 9, 6], [0.4, 3, 0.2])
    ]
    assert len({bar.marker.color for bar in (drift, unsure, calm)}) == 3
    assert drift.marker.pattern.shape, "the verdict can be told without colour"
    assert "margin of 0.1" in figure.layout.title.text
    assert "2024-06 finds an effect of 0." in figure.layout.title.text
    assert list(figure.layout.xaxis.categoryarray) == ["2024-04", "2024-05", "2024-06"]


def test_a_month_that_can_show_nothing_is_said_so() -> None:
    blind = RECORDS[1].model_copy(update={"rate": 0.0})
    assert "too few rows, or no error budget" in draw_timeline(build_timeline([blind])).layout.title.text


def test_a_change_of_model_version_is_labelled() -> None:
    figure = draw_timeline(build_timeline([RECORDS[1], month("2024-05", {"RM": 0.05}, "2")]))
    assert list(figure.layout.xaxis.categoryarray) == ["2024-04<br>v1", "2024-05<br>v2"]
    calm, heat_map = figure.data[2], figure.data[3]
    assert list(calm.x) == ["2024-04<br>v1", "2024-05<br>v2"]
    assert heat_map.z[0][1] is None, "LSTAT was not tested in May"


def test_nothing_to_draw_is_said_so() -> None:
    with pytest.raises(RaiError, match="no month to draw"):
        draw_timeline(build_timeline([]))


def test_months_that_training_used_and_stale_ones_are_marked() -> None:
    known = {"features_digest": "f", "labels_digest": ""}
    records = [
        MonthDrift.from_dict({**month(name, {"RM": 0.05}).to_dict(), **known, "used_in_training": name == "2024-01"})
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
