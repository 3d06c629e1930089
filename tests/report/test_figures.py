from __future__ import annotations

import json

import numpy as np
import pytest

from rai_kedro.fairness import Assessment
from rai_kedro.report.card import ModelCard
from rai_kedro.report.figures import MAX_POINTS, draw_groups, draw_predictions, draw_residuals

from .conftest import replace

Predictions = tuple[np.ndarray, np.ndarray, np.ndarray]


def test_residual_shares_are_those_of_each_split(predictions: Predictions) -> None:
    truth, predicted, splits = predictions
    figure = draw_residuals(truth, predicted, splits, unit="1000 USD")
    assert [trace.name for trace in figure.data] == ["train (339 rows)", "test (167 rows)"]
    for trace, split in zip(figure.data, ("train", "test"), strict=True):
        assert sum(trace.y) == pytest.approx(1, abs=1e-4)
        centre = np.average(np.array(trace.x[1:-1]), weights=trace.y[1:-1])
        width = trace.x[2] - trace.x[1]
        # Each share stands at the right edge of its bin: half a bin right of its middle.
        assert centre - width / 2 == pytest.approx((truth - predicted)[splits == split].mean(), abs=width / 2)
    assert figure.layout.xaxis.title.text == "label minus prediction (1000 USD)"


def test_scatter_has_every_row_and_the_line_of_equality(predictions: Predictions) -> None:
    truth, predicted, _ = predictions
    points, line = draw_predictions(truth, predicted, unit="1000 USD").data
    assert np.allclose(points.x, truth, rtol=1e-5)
    assert np.allclose(points.y, predicted, rtol=1e-5)
    assert line.x == line.y
    assert line.x[0] == pytest.approx(min(truth.min(), predicted.min()), rel=1e-5)


def test_scatter_of_many_rows_shows_a_part_and_says_so() -> None:
    values = np.arange(50_000.0)
    figure = draw_predictions(values, values)
    assert len(figure.data[0].x) == MAX_POINTS
    assert "(50,000 rows, 2,000 shown)" in figure.layout.title.text


def test_group_intervals_reach_from_lower_to_upper_with_the_rows_behind_each_rate(card: ModelCard) -> None:
    figure = draw_groups(card.fairness.assessment)

    selection, false_positives, _ = figure.data
    low = next(one for one in card.fairness.assessment.tables[0].figures if one.group == "low")
    at = selection.y.index("B: low")
    assert selection.name == "selection rate"
    assert selection.x[at] == low.value
    assert selection.error_x.array[at] == pytest.approx(low.upper - low.value)
    assert selection.error_x.arrayminus[at] == pytest.approx(low.value - low.lower)
    # Ten rows of the group lack a label; the rows of a false positive rate are the negatives only.
    assert (selection.text[at], false_positives.text[at]) == (f"n = {low.n}", "n = 195")


def test_each_rate_has_its_own_panel_with_its_unit(card: ModelCard) -> None:
    figure = draw_groups(card.fairness.assessment, unit="1000 USD")
    assert [trace.xaxis for trace in figure.data] == ["x", "x2", "x3"]
    assert figure.layout.xaxis2.title.text == "false positive rate<br>(1000 USD)"
    assert figure.layout.meta["section"] == "fairness"


def test_group_without_a_figure_keeps_its_line(card: ModelCard) -> None:
    assessment = card.fairness.assessment
    table = assessment.tables[0]
    unknown = tuple(replace(f, value=None, lower=None, upper=None) for f in table.figures[:1])
    changed = replace(table, figures=unknown + table.figures[1:])
    figure = draw_groups(replace(assessment, tables=(changed,)))
    assert figure.data[0].x[0] is None
    assert len(figure.layout.yaxis.categoryarray) == 2


def test_without_groupings_the_figure_says_so() -> None:
    assert draw_groups(Assessment()).layout.title.text == "No grouping is assessed"


def test_names_from_the_data_are_escaped(hostile_card: ModelCard, predictions: Predictions) -> None:
    truth, predicted, _ = predictions
    figures = [
        draw_groups(hostile_card.fairness.assessment),
        draw_predictions(truth, predicted, unit="<a href=x>", split="<b>"),
    ]
    for figure in figures:
        data = json.loads(figure.to_json())
        texts = json.dumps([data["data"], data["layout"]["title"], data["layout"]["xaxis"]["title"]])
        assert "<b>" not in texts
        assert "<a " not in texts
        assert "&lt;b&gt;" in texts


def test_figures_of_506_rows_stay_small(predictions: Predictions, card: ModelCard) -> None:
    truth, predicted, splits = predictions
    figures = [draw_residuals(truth, predicted, splits), draw_predictions(truth, predicted)]
    assert all(len(figure.to_json()) < 30_000 for figure in [*figures, draw_groups(card.fairness.assessment)])
