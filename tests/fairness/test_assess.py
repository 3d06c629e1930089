"""The face of the room: plain columns in, an assessment with verdicts out; errors name the argument."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from rai_kedro.errors import RaiError
from rai_kedro.fairness import Assessment, FairnessSpec, GroupingSpec, Tolerance, assess, examine_classification

ROWS = 400


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"race": rng.choice(["a", "b", "c"], ROWS), "sex": rng.choice(["f", "m"], ROWS)})
    y = rng.integers(0, 2, ROWS)
    score = np.clip(rng.random(ROWS) * 0.6 + y * 0.3, 0, 1)
    return frame.assign(y=y, score=score, p=(score > 0.5).astype(int), age=rng.integers(18, 90, ROWS).astype(float))


def test_it_is_what_the_pipeline_measures(rows: pd.DataFrame) -> None:
    metrics = ("statistical_parity", "equalized_odds")
    spec = FairnessSpec(groupings=tuple(GroupingSpec(columns=(name,)) for name in ("race", "sex")), metrics=metrics)
    expected = examine_classification(rows.y, rows.p, None, rows[["race", "sex"]], spec)
    assert assess(rows.y, rows.p, sensitive_features=rows[["race", "sex"]]) == expected


@pytest.mark.parametrize(
    "stored",
    [
        list,
        np.asarray,
        lambda column: column.reset_index(drop=True),
        lambda column: pa.array(column.tolist()),
        lambda column: pa.chunked_array([column.tolist()]),
        lambda column: np.asarray(column).reshape(-1, 1),
    ],
    ids=["list", "array", "series", "arrow", "arrow chunks", "one column"],
)
def test_columns_of_every_kind_give_the_same(rows: pd.DataFrame, stored: Any) -> None:
    expected = assess(rows.y, rows.p, sensitive_features=rows[["race"]])
    made = assess(stored(rows.y), stored(rows.p), sensitive_features={"race": stored(rows.race)})
    assert made == expected
    table = pa.table({"race": rows.race.tolist()})
    assert assess(stored(rows.y), stored(rows.p), sensitive_features=table) == expected


def test_task_is_inferred_and_can_be_said(rows: pd.DataFrame) -> None:
    amounts = assess(rows.score, rows.age, sensitive_features=rows.race)
    assert {one.metric for one in amounts.disparities} == {"mean_prediction", "mean_absolute_error"}
    said = assess(rows.y, rows.p, sensitive_features=rows.race, task="regression", metrics="mean_prediction")
    assert said.disparities[0].value == pytest.approx(np.ptp(rows.p.groupby(rows.race).mean()))


def test_options_reach_the_groups(rows: pd.DataFrame) -> None:
    both = assess(
        rows.y, rows.p, sensitive_features=rows[["race", "sex"]], intersections=True, metrics="selection_rate"
    )
    assert len(both.tables[0].figures) == 6 * 3
    against = assess(rows.y, rows.p, sensitive_features=rows.race, reference="b", metrics="statistical_parity")
    assert all("b" in (one.pair or ()) for one in against.disparities)
    cut = assess(rows.y, rows.p, sensitive_features=rows.age, cuts=[30, 60], metrics="statistical_parity")
    assert {one.group for one in cut.tables[0].figures} == {"at or below 30", "above 30 to 60", "above 60"}


def test_strata_and_similarity(rows: pd.DataFrame) -> None:
    found = assess(
        rows.y,
        rows.p,
        sensitive_features=rows.race,
        metrics=["conditional_demographic_parity", "consistency"],
        strata=rows.sex,
        similarity={"features": rows[["age"]], "neighbours": 3},
    )
    assert [one.metric for one in found.disparities][::2] == ["conditional_statistical_parity", "consistency"]


def test_verdicts_by_any_name_kind_or_tolerance(rows: pd.DataFrame) -> None:
    found = assess(rows.y, rows.p, sensitive_features=rows.race, metrics=["demographic_parity", "equal_opportunity"])
    decision = found.judge(
        demographic_parity=0.9, equal_opportunity=Tolerance(metric="equal_opportunity", kind="ratio", limit=0.01)
    )
    assert decision.outcome == "pass"
    assert [(one.disparity.metric, one.disparity.kind) for one in decision.verdicts] == [
        ("statistical_parity", "difference"),
        ("equal_opportunity", "ratio"),
    ]
    open_one = found.judge(statistical_parity={"difference": found.disparities[0].value + 0.05})
    assert open_one.outcome == "insufficient_evidence"
    assert "further rows" in str(open_one)
    assert "further rows" in open_one._repr_html_()


def test_it_shows_itself(rows: pd.DataFrame) -> None:
    found = assess(rows.y, rows.p, sensitive_features={"<b>": rows.race}, metrics="statistical_parity")
    frame = found.to_frame()
    assert list(frame.kind) == ["difference", "ratio"]
    assert frame.lower.le(frame.value).all()
    assert "&lt;b&gt;" in found._repr_html_()
    assert "<b>" not in found._repr_html_()
    assert len(repr(found)) < 200
    assert len(found.plot().data) == 2
    assert len(found.judge(statistical_parity=0.1).plot().data) == 2
    assert Assessment.from_dict(found.to_dict()) == found


@pytest.mark.parametrize(
    ("options", "argument", "words"),
    [
        ({"metrics": "demographic_party"}, "metrics", "did you mean 'demographic_parity'"),
        ({"metrics": "mean_absolute_error"}, "metrics", "fits regression"),
        ({"metrics": "calibration"}, "metrics", "needs scores"),
        ({"level": 95}, "level", "less than 1"),
        ({"cuts": [3, 1]}, "cuts", "in rising order"),
        ({"reference": "z"}, "reference", "has no rows"),
        ({"favourable": "yes"}, "y_true", "'yes' as its favourable"),
        ({"y_score": [2.0] * ROWS}, "y_score", "not probabilities"),
        ({"y_score": [0.5]}, "y_true, y_score", "not of the same rows"),
        ({"sensitive_features": "race"}, "sensitive_features", "one value for each row"),
    ],
)
def test_errors_name_the_argument(rows: pd.DataFrame, options: dict[str, Any], argument: str, words: str) -> None:
    with pytest.raises(RaiError) as caught:
        assess(rows.y, rows.p, **{"sensitive_features": rows.race, **options})
    assert caught.value.where == argument
    assert words in str(caught.value)


def test_rows_in_another_order_are_refused_and_positions_count_without_an_index(rows: pd.DataFrame) -> None:
    shuffled = rows.sample(frac=1, random_state=0)
    with pytest.raises(RaiError, match="not of the same rows"):
        assess(shuffled.y, rows.p, sensitive_features=rows.race)
    kept = shuffled[shuffled.index < 300]
    found = assess(kept.y, kept.p.to_numpy(), sensitive_features=kept.race)
    assert found == assess(kept.y, kept.p, sensitive_features=kept.race)


def test_a_limit_for_what_was_not_measured_is_refused(rows: pd.DataFrame) -> None:
    found = assess(rows.y, rows.p, sensitive_features=rows.race, metrics="statistical_parity")
    with pytest.raises(RaiError, match="was not measured"):
        found.judge(equal_opportunity=0.1)
    with pytest.raises(RaiError, match="There is no metric 'parity'"):
        found.judge(parity=0.1)
