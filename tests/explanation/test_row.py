"""Reasons for one prediction, replayed through the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from rai_kedro.commands.explain import describe
from rai_kedro.explanation import explain_row


class Loan:
    """Approves where income is at least 30 and there are no debts."""

    classes_ = np.array([0, 1])

    def predict_proba(self, rows: pd.DataFrame) -> Any:
        yes = np.where((rows["income"] >= 30) & (rows["debts"] == "none"), 0.9, 0.2)
        return np.column_stack([1 - yes, yes])

    def predict(self, rows: pd.DataFrame) -> Any:
        return (self.predict_proba(rows)[:, 1] >= 0.5).astype(int)


OTHERS = pd.DataFrame({"income": np.arange(100.0), "debts": ["none", "some"] * 50, "shoe": [40, 41] * 50})


def ask(income: float, debts: str) -> Any:
    return explain_row(Loan(), pd.DataFrame({"income": [income], "debts": [debts], "shoe": [42]}), OTHERS)


def test_the_nearest_change_is_found_and_turns_the_decision() -> None:
    found = ask(25, "none")
    assert (found.prediction, found.answer) == (0, 0.2)
    assert list(found.nearest.columns) == ["income"]
    assert 30 <= found.nearest.columns["income"] <= 36
    assert found.nearest.after == 0.9
    assert found.nearest.distance == pytest.approx(0.05, abs=0.011)


def test_two_columns_together_where_none_does_alone() -> None:
    assert set(ask(5, "some").nearest.columns) == {"income", "debts"}


def test_reasons_are_answers_of_the_model() -> None:
    found = ask(80, "some")
    moves = {one.column: one.moves for one in found.reasons}
    # Of the others half have no debts, with which 80 is approved: 0.2 - (0.9 + 0.2) / 2.
    assert moves == {"debts": pytest.approx(-0.35), "income": 0.0, "shoe": 0.0}
    assert found.reasons[0].column == "debts"
    assert found.usual == pytest.approx(0.2 + 0.7 * 0.35)


def test_a_decision_that_nothing_turns_says_how_much_was_tried() -> None:
    never = LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    never.coef_[:], never.intercept_[:] = 0, -5
    row = pd.DataFrame({"x": [0.5]})
    found = explain_row(never, row, pd.DataFrame({"x": np.linspace(0, 1, 50)}))
    assert found.nearest is None
    assert found.tried > 0


def test_a_regression_has_a_decision_only_by_a_number() -> None:
    class Price:
        def predict(self, rows: pd.DataFrame) -> Any:
            return rows["income"] / 2

    row = OTHERS.iloc[[10]]
    assert explain_row(Price(), row, OTHERS).nearest is None
    found = explain_row(Price(), row, OTHERS, below=20)
    assert found.nearest is not None and found.nearest.after >= 20


def test_a_score_that_is_as_high_as_its_decision_is_a_score_still() -> None:
    class Sure(Loan):
        def predict_proba(self, rows: pd.DataFrame) -> Any:
            yes = (rows["income"] >= 30).astype(float)
            return np.column_stack([1 - yes, yes])

    found = explain_row(Sure(), OTHERS.iloc[[80]], OTHERS)
    assert (found.prediction, found.answer) == (1, 1)
    said = "\n".join(describe(found, "", None))
    assert "score 1" in said and "decided 1" in said and "nearest change that turns it: income" in said
