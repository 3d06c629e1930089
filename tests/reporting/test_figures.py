from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from rai_kedro.reporting.figures import MAX_POINTS, draw_group_gaps, draw_predictions, draw_residuals
from rai_kedro.reporting.model_card import ModelCard

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


def test_group_intervals_reach_from_lower_to_upper(card: ModelCard) -> None:
    (trace,) = draw_group_gaps(card.fairness).data
    assert trace.y == ("B: low (n = 84)", "B: high (n = 83)")
    assert trace.x == (0.38, 0.72)
    assert trace.error_x.array == pytest.approx((0.1, 0.0))
    assert trace.error_x.arrayminus == pytest.approx((0.1, 0.0))


def test_each_metric_has_its_own_panel_with_its_unit(card: ModelCard) -> None:
    share = card.fairness[0]
    gap = dataclasses.replace(share.gap, name="group MAE gap", unit="1000 USD")
    error = dataclasses.replace(share, metric="group MAE gap", gap=gap, measured="mean absolute error")
    figure = draw_group_gaps([share, error])
    assert [trace.xaxis for trace in figure.data] == ["x", "x2"]
    assert figure.layout.xaxis2.title.text == "mean absolute error (1000 USD)"
    assert [a.text for a in figure.layout.annotations] == ["demographic parity difference", "group MAE gap"]


def test_without_audited_columns_the_figure_says_so() -> None:
    assert draw_group_gaps([]).layout.title.text == "No column is audited"


def test_names_from_the_data_are_escaped(hostile_card: ModelCard, predictions: Predictions) -> None:
    truth, predicted, _ = predictions
    figures = [
        draw_group_gaps(hostile_card.fairness),
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
    assert all(len(figure.to_json()) < 30_000 for figure in [*figures, draw_group_gaps(card.fairness)])
