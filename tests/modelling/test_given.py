"""What others predict, read as a model: who is selected by a score, and what is left out or said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from rai_kedro.modelling import (
    DecisionRule,
    GivenAmounts,
    GivenDecisions,
    ModellingError,
    answer_month,
    is_unseen,
    predict_rows,
)
from rai_kedro.modelling.given import select_rows

ROWS = pd.DataFrame(
    {
        "said": ["low", "high", "low", "high", "low"],
        "decile": [1.0, 9.0, 4.0, 7.0, 7.0],
        "p": [0.1, 0.9, 0.4, 0.7, 0.7],
        "court": ["N", "N", "S", "S", "S"],
    }
)


def decide(**params: Any) -> list[int]:
    return list(answer_month(GivenDecisions(**params), ROWS).rows["prediction"])


def test_decisions_are_taken_as_they_are() -> None:
    assert decide(prediction="said", favourable="low") == [1, 0, 1, 0, 1]
    amounts = answer_month(GivenAmounts(prediction="decile"), ROWS).rows
    assert list(amounts) == ["prediction"] and list(amounts["prediction"]) == list(ROWS["decile"])


def test_a_threshold_a_number_and_a_share_select_the_highest_scores() -> None:
    assert decide(score="p", rule={"threshold": 0.7}) == [0, 1, 0, 1, 1]
    assert decide(score="p", rule={"top": 1}) == [0, 1, 0, 0, 0]
    assert decide(score="p", rule={"top_share": 0.4}) == [0, 1, 0, 1, 0]
    # Per court: one of two, and one of three, since a share is never exceeded.
    assert decide(score="p", rule={"top_share": 0.5, "per": "court"}) == [0, 1, 0, 1, 0]
    # Being selected by a score of risk is the unfavourable decision.
    assert decide(score="decile", probability=False, high="unfavourable", rule={"top": 1}) == [1, 0, 1, 1, 1]


def test_equal_scores_at_a_cut_are_counted_and_decided_by_their_order() -> None:
    selected, tied = select_rows(np.array([3.0, 5.0, 5.0, 5.0]), DecisionRule(top=2))
    assert selected.tolist() == [False, True, True, False] and tied == 3
    assert select_rows(np.array([3.0, 5.0, 5.0]), DecisionRule(top=2))[1] == 0


def test_a_share_selects_exactly_so_many_whatever_binary_numbers_make_of_it() -> None:
    for rows in range(10, 200, 10):
        selected, _ = select_rows(np.arange(float(rows)), DecisionRule(top_share=0.1))
        assert selected.sum() == rows // 10


def test_only_a_probability_is_a_score() -> None:
    assert predict_rows(GivenDecisions(score="p", rule={"threshold": 0.5}), ROWS)["score"].tolist() == [*ROWS["p"]]
    turned = predict_rows(GivenDecisions(score="p", high="unfavourable", rule={"threshold": 0.5}), ROWS)
    assert turned["score"].tolist() == pytest.approx([*(1 - ROWS["p"])])
    assert "score" not in predict_rows(GivenDecisions(score="decile", probability=False, rule={"top": 1}), ROWS)


def test_rows_without_a_prediction_are_left_out_and_counted() -> None:
    rows = ROWS.assign(said=["low", None, "low", "high", None])
    answers = answer_month(GivenDecisions(prediction="said", favourable="low"), rows)
    assert list(answers.rows.index) == [0, 2, 3] and answers.left_out == 2
    with pytest.raises(ModellingError, match="for any row"):
        answer_month(GivenDecisions(prediction="said"), rows.assign(said=None))


def test_decisions_against_their_score_are_counted() -> None:
    given = {"prediction": "said", "favourable": "low", "score": "decile", "probability": False}
    # 7 is once low and once high, so no threshold gives both.
    assert answer_month(GivenDecisions(**given, high="unfavourable"), ROWS).against == 1
    assert answer_month(GivenDecisions(**given, high="favourable"), ROWS).against == 2


def test_more_than_there_are_cannot_be_selected() -> None:
    with pytest.raises(ModellingError, match="fewer rows") as caught:
        decide(score="p", rule={"top": 3, "per": "court"})
    assert "N: 2 rows" in str(caught.value)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"score": "p"},
        {"rule": {"top": 1}},
        {"score": "p", "rule": {"top": 1, "threshold": 0.5}},
        {"score": "p", "rule": {"threshold": 0.5, "per": "court"}},
        {"score": "p", "rule": {"top_share": 1.5}},
        {"score": "p", "prediction": "said", "rule": {"top": 1}},
    ],
)
def test_what_does_not_say_who_was_selected_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ModellingError, match="what was decided"):
        decide(**params)


def test_a_score_outside_zero_and_one_is_no_probability() -> None:
    with pytest.raises(ModellingError, match="no probabilities"):
        decide(score="decile", rule={"threshold": 5})


def test_a_reading_is_told_from_a_model() -> None:
    from sklearn.linear_model import LinearRegression

    assert is_unseen(GivenAmounts(prediction="decile")) and not is_unseen(LinearRegression())
