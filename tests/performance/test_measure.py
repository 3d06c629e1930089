"""The face of the room: plain columns in, figures with intervals out; errors name the argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from rai_kedro.performance import Performance, PerformanceError, measure, measure_classification, measure_performance

Y, P, S = [1, 0, 1, 1, 0, 1, 0, 0], [1, 0, 1, 0, 0, 1, 1, 0], [0.9, 0.1, 0.8, 0.4, 0.2, 0.7, 0.6, 0.3]


def test_figures_are_those_of_the_pipeline() -> None:
    assert list(measure(Y, P, y_score=S).figures) == measure_classification(Y, P, S)
    amounts = np.arange(10.0), np.arange(10.0) + np.tile([0.5, -1.0], 5)
    assert list(measure(*amounts, level=0.9).figures) == measure_performance(*amounts, level=0.9)


@pytest.mark.parametrize("stored", [np.asarray, pd.Series, pa.array])
def test_columns_of_every_kind_give_the_same(stored: Any) -> None:
    assert measure(stored(Y), stored(P)) == measure(Y, P)


def test_labels_may_be_words() -> None:
    words = [["no", "yes"][value] for value in Y], [["no", "yes"][value] for value in P]
    assert measure(*words, favourable="yes") == measure(Y, P)


def test_it_shows_itself() -> None:
    found = measure(Y, P, y_score=S)
    assert found["AUC"].value == pytest.approx(1 - 1 / 16)
    assert list(found.to_frame()["name"]) == [one.name for one in found.figures]
    assert "sensitivity" in found._repr_html_()
    assert len(found.plot().data) == 6
    assert Performance.from_dict(found.to_dict()) == found
    with pytest.raises(KeyError, match="there are: accuracy"):
        found["F1"]


@pytest.mark.parametrize(
    ("asked", "argument"),
    [
        (((Y, P[:3]), {}), "y_true, y_pred"),
        (((Y, ["a"] * 8), {"task": "regression"}), "y_pred"),
        ((([0, 1, 2] * 3, [0, 1, 2] * 3), {"task": "classification"}), "y_true, favourable"),
        (((Y, [np.nan, *P[1:]]), {}), "y_pred"),
        ((("y", P), {}), "y_true"),
    ],
)
def test_errors_name_the_argument(asked: Any, argument: str) -> None:
    arguments, options = asked
    with pytest.raises(PerformanceError) as caught:
        measure(*arguments, **options)
    assert caught.value.where == argument
