"""The figures of a run: a folder of plotly files, and one sheet of all of them."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from kedro.io import DatasetError
from plotly.graph_objects import Figure, Scatter
from plotly.subplots import make_subplots

from rai_kedro.datasets.figures import FiguresDataset


@pytest.fixture
def dataset(tmp_path: Path) -> FiguresDataset:
    return FiguresDataset(filepath=str(tmp_path / "figures"))


def draw(title: str) -> Figure:
    figure = make_subplots(rows=1, cols=2, shared_yaxes=True, subplot_titles=["left", "right"])
    figure.add_trace(Scatter(x=[1], y=[2]), row=1, col=1).add_trace(Scatter(x=[3], y=[4]), row=1, col=2)
    figure.add_vline(x=0, row=1, col=2)
    return figure.update_layout(title=title)


def test_figures_come_back_by_name_in_their_order(dataset: FiguresDataset) -> None:
    figures = {"z_last": draw("one"), "a": draw("two")}

    dataset.save(figures)

    assert list(dataset.load()) == ["z_last", "a"]
    assert dataset.load() == figures


def test_a_figure_that_is_no_longer_drawn_goes(dataset: FiguresDataset) -> None:
    dataset.save({"a": draw("one"), "b": draw("two")})
    dataset.save({"b": draw("three")})
    assert list(dataset.load()) == ["b"]


def test_nothing_yet(dataset: FiguresDataset) -> None:
    assert not dataset.exists()
    with pytest.raises(DatasetError, match="no figures"):
        dataset.load()


def test_the_preview_holds_every_figure_in_a_place_of_its_own(dataset: FiguresDataset) -> None:
    dataset.save({"a": draw("one"), "nothing": Figure(), "b": draw("two")})

    sheet = Figure(dict(dataset.preview()))

    assert [trace.xaxis for trace in sheet.data] == ["x", "x2", "x101", "x102"]
    titles = [one.text for one in sheet.layout.annotations]
    assert titles == ["left", "right", "one", "left", "right", "two"]
    ends = [sheet.layout[name].domain for name in ("xaxis", "xaxis2", "xaxis101", "xaxis102")]
    assert all(one[1] <= other[0] for one, other in pairwise(ends))
    assert {shape.xref for shape in sheet.layout.shapes} == {"x2", "x102"}
    assert sheet.layout.yaxis102.matches == "y101"
