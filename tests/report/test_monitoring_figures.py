from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rai_kedro.monitoring import Timeline
from rai_kedro.report import draw_monitoring

MONTHS = [f"2024-0{number}" for number in range(1, 9)]


def named(figure: Any, name: str) -> Any:
    return next(trace for trace in figure.data if trace.name == name)


def lines(figure: Any, name: str) -> list[Any]:
    return [shape for shape in figure.layout.shapes if (shape.name or "").startswith(name)]


def test_every_month_has_its_place_on_an_axis_of_names(housing_timeline: Timeline) -> None:
    for figure in draw_monitoring(housing_timeline).values():
        assert figure.layout.xaxis.type == "category"
        assert list(figure.layout.xaxis.categoryarray) == MONTHS, "July, which nobody scored, too"


def test_realised_and_estimated_performance_are_told_apart_without_colour(housing_timeline: Timeline) -> None:
    figure = draw_monitoring(housing_timeline)["performance_MAE"]
    realised, estimated = named(figure, "on labels"), named(figure, "estimated before labels")
    assert realised.marker.symbol != estimated.marker.symbol
    assert estimated.marker.symbol.endswith("open")
    assert realised.line.dash != estimated.line.dash
    assert dict(zip(realised.x, realised.y, strict=True))["2024-05"] == pytest.approx(14.5)
    assert realised.y[-1] is None, "August has no labels"
    assert estimated.y[-1] == pytest.approx(3.63)
    assert all((trace.line.shape or "linear") == "linear" for trace in figure.data), "no smoothed curve"


def test_interval_band_covers_the_months_that_have_one(housing_timeline: Timeline) -> None:
    figure = draw_monitoring(housing_timeline)["performance_MAE"]
    band = named(figure, "on labels: interval")
    assert band.fill == "toself"
    assert {x for x in band.x if x} == {"2024-01", "2024-02", "2024-03", "2024-04", "2024-05", "2024-06"}
    assert max(y for y in band.y if y is not None) == pytest.approx(15.0)


def test_tested_figure_and_limit_are_lines_at_their_values(housing_timeline: Timeline) -> None:
    figure = draw_monitoring(housing_timeline)["performance_MAE"]
    assert {round(line.y0, 3) for line in lines(figure, "on the test rows")} == {3.3}
    assert {round(line.y0, 3) for line in lines(figure, "limit")} == {4.125}
    assert all(line.y0 == line.y1 for line in lines(figure, "limit"))
    (limit,) = {line.y0 for line in lines(draw_monitoring(housing_timeline)["fairness_01"], "limit")}
    assert limit == pytest.approx(0.1)


def test_an_estimate_that_says_next_to_nothing_does_not_hide_the_limit(housing_timeline: Timeline) -> None:
    def widen(one: Any) -> Any:
        return one.model_copy(update={"upper": 150.0}) if one.basis == "estimate" else one

    months = [
        month.model_copy(
            update={"outcome": month.outcome.model_copy(update={"figures": tuple(map(widen, month.outcome.figures))})}
        )
        for month in housing_timeline.months
        if month.outcome
    ]
    figure = draw_monitoring(housing_timeline.model_copy(update={"months": tuple(months)}))["performance_MAE"]
    low, high = figure.layout.yaxis.range
    assert low <= 3.3
    assert 15 < high < 40
    assert "cut off" in figure.layout.meta["caption"]
    assert draw_monitoring(housing_timeline)["performance_MAE"].layout.yaxis.range is None


def test_a_limit_below_the_tested_figure_where_larger_is_better(make_timeline: Callable[..., Timeline]) -> None:
    """Of accuracy the loss is tested minus present: 0.9 tested, 0.1 allowed, so the limit is 0.8."""
    from rai_kedro.monitoring import Measured

    timeline = make_timeline([{"month": "2024-05"}])
    known = {"subject": "performance", "name": "accuracy", "lower": None, "upper": None}
    change = {"kind": "difference", "value": 0.15, "limit": 0.1, "verdict": "fail"}
    figures = tuple(Measured.from_dict(known | more) for more in ({"value": 0.75}, change))
    (record,) = timeline.months
    outcome = record.outcome.model_copy(update={"figures": figures}) if record.outcome else None
    timeline = timeline.model_copy(update={"months": (record.model_copy(update={"outcome": outcome}),)})
    figure = draw_monitoring(timeline)["performance_accuracy"]
    assert [line.y0 for line in lines(figure, "on the test rows")] == [pytest.approx(0.9)]
    assert [line.y0 for line in lines(figure, "limit")] == [pytest.approx(0.8)]


def test_training_months_are_shaded_and_a_new_version_is_marked(housing_timeline: Timeline) -> None:
    for figure in draw_monitoring(housing_timeline).values():
        (shade,) = lines(figure, "month used in training")
        assert (shade.x0, shade.x1, shade.showlegend) == (-0.5, 2.5, True)
        assert [note.text for note in figure.layout.annotations] == ["version 2"]


def test_no_line_joins_the_months_of_two_versions(make_timeline: Callable[..., Timeline]) -> None:
    timeline = make_timeline([{"month": "2024-01"}, {"month": "2024-02", "version": "2"}])
    realised = named(draw_monitoring(timeline)["performance_MAE"], "on labels")
    assert list(realised.x) == ["2024-01", "2024-02", "2024-02"]
    assert realised.y[1] is None


def test_a_month_of_two_versions_has_two_places(make_timeline: Callable[..., Timeline]) -> None:
    timeline = make_timeline([{"month": "2024-01"}, {"month": "2024-01", "version": "2"}])
    figure = draw_monitoring(timeline)["drift"]
    assert list(figure.layout.xaxis.categoryarray) == ["2024-01 v1", "2024-01 v2"]


def test_disparity_is_shown_of_the_month_and_since_the_approval(housing_timeline: Timeline) -> None:
    figure = draw_monitoring(housing_timeline)["fairness_01"]
    assert named(figure, "this month").y[4] == pytest.approx(0.25)
    assert named(figure, "all months since the approval").marker.symbol.endswith("open")


def test_drift_is_relative_to_its_margin_with_drifted_columns_first(housing_timeline: Timeline) -> None:
    figure = draw_monitoring(housing_timeline)["drift"]
    (heat_map,) = figure.data
    assert list(figure.layout.yaxis.ticktext) == ["LSTAT (50 %)", "RM (25 %)", "AGE (16.7 %)"]
    assert heat_map.z[0][4] == pytest.approx(6.2), "an effect of 0.62 with a margin of 0.1"
    assert heat_map.z[0][6] is None
    assert heat_map.text[0][4] == "0.62 ✕", "the verdict can be told without colour"
    assert heat_map.text[0][0] == "0.03"
    assert heat_map.text[2][0] == "0.05 ?"


def test_carbon_has_no_point_where_a_month_was_not_scored(housing_timeline: Timeline) -> None:
    figures = draw_monitoring(housing_timeline)
    each = named(figures["carbon"], "each month")
    assert dict(zip(each.x, each.y, strict=True))["2024-07"] is None
    assert named(figures["carbon_total"], "so far").y[1] == pytest.approx(0.04)


def test_text_from_data_is_escaped_in_figures(make_timeline: Callable[..., Timeline]) -> None:
    hostile = "<script>alert(1)</script>"
    figures = draw_monitoring(make_timeline([{"month": "2024-05", "columns": {hostile: 0.5}, "version": hostile}] * 2))
    assert "<script>" not in "".join(figure.to_json() for figure in figures.values())


def test_nothing_is_drawn_of_nothing(make_timeline: Callable[..., Timeline]) -> None:
    assert draw_monitoring(make_timeline([])) == {}


def test_two_long_names_that_are_alike_when_shortened_keep_their_rows(make_timeline: Callable[..., Timeline]) -> None:
    names = [f"sensor_of_the_plant_{number:05d}_mean_of_day" for number in (1, 2)]
    figure = draw_monitoring(make_timeline([{"month": "2024-05", "columns": dict.fromkeys(names, 0.4)}]))["drift"]
    assert list(figure.data[0].y) == [0, 1]
    assert all(len(text) < 40 for text in figure.layout.yaxis.ticktext)
