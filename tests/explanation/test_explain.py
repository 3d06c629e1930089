"""What a model goes by, against models whose answers are known on paper."""

from __future__ import annotations

import json
from math import pi, sqrt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from rai_kedro.explanation import ExplanationError, explain
from rai_kedro.explanation.drivers import Asked, find_drivers
from rai_kedro.explanation.face import find_slices


class Linear:
    """Twice the first column less half the second; the third says nothing."""

    def predict(self, rows: pd.DataFrame) -> Any:
        return 2 * rows["first"] - 0.5 * rows["second"]


def make_rows(rows: int, random: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(random.normal(0, 1, (rows, 3)), columns=["first", "second", "third"])


def test_how_far_predictions_move_is_covered_as_often_as_claimed() -> None:
    """Two independent standard normals lie 2 / sqrt(pi) apart on average."""
    covered = []
    for seed in range(150):
        random = np.random.default_rng(seed)
        drivers, _ = find_drivers(Asked(Linear(), make_rows(120, random), 0.95, random), np.abs)
        moves = {one.column: one.moves for one in drivers}
        true = {"first": 4 / sqrt(pi), "second": 1 / sqrt(pi)}
        covered += [moves[name].lower <= value <= moves[name].upper for name, value in true.items()]  # type: ignore[operator]
        assert moves["third"].value == moves["third"].upper == 0
    assert np.mean(covered) >= 0.92


def test_columns_are_ranked_by_what_they_move_and_cost() -> None:
    random = np.random.default_rng(1)
    rows = make_rows(600, random)
    found = explain(Linear(), rows, 2 * rows["first"] + random.normal(0, 0.1, 600))

    assert [one.column for one in found.drivers] == ["first", "second", "third"]
    assert [round(one.share, 1) for one in found.drivers] == [0.8, 0.2, 0.0]
    first, second, _ = found.drivers
    assert first.costs.lower is not None and first.costs.lower > 1  # without it the error is that of chance
    assert second.costs.lower is not None and second.costs.lower < 0.2  # the label knows nothing of it
    assert [one.column for one in found.responses] == ["first", "second"]
    ends = found.responses[0].predictions[0].value, found.responses[0].predictions[-1].value
    slope = (ends[1] - ends[0]) / (found.responses[0].values[-1] - found.responses[0].values[0])  # type: ignore[operator]
    assert slope == pytest.approx(2)


def test_of_a_wide_table_the_columns_that_count_are_found_and_the_others_measured_together() -> None:
    random = np.random.default_rng(6)
    rows = pd.DataFrame(random.normal(0, 1, (400, 90)), columns=[f"x{at}" for at in range(90)])
    rows["kind"] = random.choice(["a", "b"], 400)

    class FewOfMany:
        def predict(self, asked: pd.DataFrame) -> Any:
            return asked["x7"] + 3.0 * (asked["kind"] == "a") + 0.1 * asked[["x80", "x81"]].sum(axis=1)

    found = explain(FewOfMany(), rows, FewOfMany().predict(rows))

    assert [one.column for one in found.drivers[:2]] == ["kind", "x7"]
    assert len(found.drivers) == 60
    assert found.others is not None
    assert found.others.column == "31 other columns together"
    assert found.others.share < 0.1
    assert sum(one.share for one in (*found.drivers, found.others)) == pytest.approx(1)
    assert len(found.to_frame()) == 61


def test_a_column_that_counts_in_one_group_only_is_named() -> None:
    random = np.random.default_rng(2)
    rows, sex = make_rows(800, random), np.array(["f", "m"] * 400)
    rows["second"] *= np.where(sex == "f", 6, 0.5)
    found = explain(Linear(), rows, rows["first"], sensitive_features={"sex": sex})

    apart = {one.column: one.differs for one in found.by_group}
    assert apart == {"first": False, "second": True}


def test_a_planted_slice_is_found_and_chance_is_not() -> None:
    random = np.random.default_rng(3)
    columns = pd.DataFrame({"age": random.uniform(18, 80, 1500), "site": random.choice(["a", "b", "c"], 1500)})
    planted = (columns["age"] > 64) & (columns["site"] == "b")
    slices, searched = find_slices(columns, random.exponential(np.where(planted, 4, 1)), 0.95)
    assert slices[0].is_worse
    assert slices[0].where == {"age": slices[0].where["age"], "site": "is b"}
    assert slices[0].where["age"].startswith("above 6")
    assert searched == 4 + 3 + 4 * 3

    alarms = [
        any(one.is_worse for one in find_slices(columns, np.random.default_rng(seed).exponential(1, 1500), 0.95)[0])
        for seed in range(25)
    ]
    assert sum(alarms) <= 4  # 5 % are allowed; more than 4 of 25 have a probability below 1 %


def test_confusions_count_every_row_and_no_small_group() -> None:
    random = np.random.default_rng(4)
    rows = make_rows(300, random)
    label = (rows["first"] + random.normal(0, 1, 300) > 0).astype(int)
    model = LogisticRegression().fit(rows, label)
    group = ["few"] * 10 + ["many"] * 290
    found = explain(model, rows, label, sensitive_features={"group": group})

    every, many = found.confusions
    right = int((model.predict(rows) == label).sum())
    assert every.true_positives + every.true_negatives == right
    assert every.false_positives + every.false_negatives == 300 - right
    assert (many.grouping, many.group) == ("group", "many")
    assert "few" not in json.dumps(found.to_dict())


def test_rows_of_a_person_count_once() -> None:
    rows = make_rows(60, np.random.default_rng(5))
    ten = pd.concat([rows] * 10, ignore_index=True)
    person = list(range(60)) * 10
    once = explain(Linear(), rows, rows["first"])
    found = explain(Linear(), ten, ten["first"], unit=person)
    assert found.rows == 60
    assert found.drivers[0].moves.width == pytest.approx(once.drivers[0].moves.width, rel=0.5)


def test_a_rare_value_is_named_nowhere() -> None:
    random = np.random.default_rng(6)
    rows = pd.DataFrame({"x": random.normal(0, 1, 500), "illness": ["rare"] * 5 + ["common"] * 495})

    class ByIllness:
        def predict(self, rows: pd.DataFrame) -> Any:
            return rows["x"] + 3 * (rows["illness"] == "rare")

    assert "rare" not in json.dumps(explain(ByIllness(), rows, rows["x"]).to_dict())


def test_missing_values_and_categories_are_rows_like_others() -> None:
    random = np.random.default_rng(7)
    rows = pd.DataFrame({"x": random.normal(0, 1, 200), "kind": pd.Categorical(random.choice(["a", "b"], 200))})
    rows.loc[:40, "x"] = np.nan

    class Patient:
        def predict(self, rows: pd.DataFrame) -> Any:
            assert isinstance(rows["kind"].dtype, pd.CategoricalDtype)
            return rows["x"].fillna(0) + (rows["kind"] == "a")

    found = explain(Patient(), rows, np.zeros(200))
    assert {one.column for one in found.responses} == {"x", "kind"}
    assert any("is missing" in one.name for one in found.slices) or found.searched > 0


@pytest.mark.parametrize(("rows", "labels", "word"), [(20, 20, "too few"), (50, 40, "differ in rows")])
def test_what_cannot_be_explained_is_said(rows: int, labels: int, word: str) -> None:
    with pytest.raises(ExplanationError, match=word):
        explain(Linear(), make_rows(rows, np.random.default_rng(8)), np.zeros(labels))


def test_an_explanation_shows_itself() -> None:
    rows = make_rows(100, np.random.default_rng(9))
    found = explain(LinearRegression().fit(rows, rows["first"]), rows, rows["first"])
    assert "first 100 %" in repr(found)
    assert "<table" in found._repr_html_()
    assert found.to_frame()["column"].iloc[0] == "first"
    assert len(found.plot().data) > 0
