"""Three classes or more: each against the rest, the worst of them, and what wrong decisions cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from rai_kedro.errors import RaiError
from rai_kedro.fairness import assess

CLASSES = ["low", "mid", "high"]
LABELS, KEPT, GUESSED = np.array([0.5, 0.3, 0.2]), np.array([0.7, 0.9]), np.array([0.2, 0.3, 0.5])


def draw(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, decisions that keep the label more often for men, and sex."""
    random = np.random.default_rng(seed)
    sex = random.choice(["f", "m"], rows)
    y = random.choice(CLASSES, rows, p=LABELS)
    kept = random.random(rows) < KEPT[(sex == "m").astype(int)]
    return y, np.where(kept, y, random.choice(CLASSES, rows, p=GUESSED)), sex


def test_the_disparity_is_that_of_the_class_for_which_it_is_worst() -> None:
    y, decided, sex = draw(4000)

    found = assess(y, decided, sensitive_features={"sex": sex}, metrics=["statistical_parity", "equal_opportunity"])

    women, men = sex == "f", sex == "m"
    gaps = {name: abs((decided[women] == name).mean() - (decided[men] == name).mean()) for name in CLASSES}
    parity = found.disparities[0]
    assert (parity.metric, parity.kind) == ("statistical_parity", "difference")
    assert parity.value == pytest.approx(max(gaps.values()))
    assert parity.of_class == max(gaps, key=lambda name: gaps[name])
    assert list(found.by_class) == ["high", "low", "mid"]
    alone = assess(y == parity.of_class, decided == parity.of_class, sensitive_features={"sex": sex})
    # An interval that holds for the worst of three classes is wider than that of one which was named before.
    assert parity.lower <= alone.disparities[0].lower and parity.upper >= alone.disparities[0].upper
    recalls = [
        abs(np.diff([(decided[(sex == one) & (y == name)] == name).mean() for one in "fm"])[0]) for name in CLASSES
    ]
    opportunity = next(one for one in found.disparities if one.metric == "equal_opportunity")
    assert opportunity.value == pytest.approx(max(recalls))


def test_the_expected_cost_is_the_share_of_wrong_decisions_the_steps_or_what_a_matrix_says() -> None:
    y, decided, sex = draw(3000)
    rows, columns = (pd.Series(one).map(CLASSES.index) for one in (y, decided))
    matrix = [[0, 1, 5], [2, 0, 1], [9, 2, 0]]
    paid = {
        "multiclass": ((y != decided).astype(float), None),
        "ordinal": ((rows - columns).abs().to_numpy(dtype=float), None),
        "matrix": (np.array(matrix)[rows, columns].astype(float), matrix),
    }
    for task, (expected, costs) in paid.items():
        found = assess(
            y,
            decided,
            sensitive_features={"sex": sex},
            metrics="demographic_parity",
            task="multiclass" if task == "matrix" else task,
            classes=CLASSES,
            costs=costs,
        )
        cost = next(one for one in found.disparities if (one.metric, one.kind) == ("expected_cost", "difference"))
        means = [expected[sex == one].mean() for one in "fm"]
        assert cost.value == pytest.approx(means[0] - means[1])
        assert cost.lower < cost.value < cost.upper
        assert [one.value for one in found.tables[0].figures] == pytest.approx(means)
        assert found.judge(expected_cost=0.001).outcome == "fail"


def test_rows_of_a_person_make_intervals_wider() -> None:
    y, decided, sex = (np.repeat(one, 4) for one in draw(500))
    given: dict[str, Any] = {"sensitive_features": {"sex": sex}, "metrics": "demographic_parity"}

    alone, together = assess(y, decided, **given), assess(y, decided, unit=np.repeat(np.arange(500), 4), **given)

    for one, other in zip(alone.disparities, together.disparities, strict=True):
        assert other.upper - other.lower > 1.3 * (one.upper - one.lower)
    assert "500 units" in str(together.sample)


def test_a_class_that_a_group_lacks_leaves_the_interval_open() -> None:
    y, decided, sex = draw(600)
    kept = ~((y == "high") & (sex == "f"))

    found = assess(y[kept], decided[kept], sensitive_features={"sex": sex[kept]}, metrics="equal_opportunity")

    opportunity = found.disparities[0]
    assert opportunity.value is not None and opportunity.upper is None
    assert any("f" in one for one in opportunity.not_assessed)
    assert found.judge(equal_opportunity=0.9).outcome in ("insufficient_evidence", "could_not_be_evaluated")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"metrics": "overall_accuracy_equality"}, "does not fit more than two classes"),
        ({"metrics": "calibration"}, "does not fit more than two classes"),
        ({"classes": ["low", "mid", "top"]}, "not among the classes named"),
        ({"costs": [[0, 1], [1, 0]]}, "not one number, 0 or more, for each label and decision"),
        ({"costs": -np.ones((3, 3))}, "not one number, 0 or more, for each label and decision"),
        ({"task": "ordinal"}, "needs classes"),
        ({"favourable": "low"}, "does not take favourable"),
        ({"y_score": np.ones(90)}, "does not take y_score"),
        ({"task": "classification"}, "not binary"),
    ],
)
def test_what_does_not_fit_several_classes_is_refused(given: dict[str, Any], why: str) -> None:
    y, decided, sex = draw(90)

    with pytest.raises(RaiError, match=why):
        assess(y, decided, sensitive_features={"sex": sex}, **given)


@pytest.mark.slow
def test_the_interval_of_the_worst_class_holds() -> None:
    selected = np.abs(np.diff([kept * LABELS + (1 - kept) * GUESSED for kept in KEPT], axis=0)).max()
    runs, held = 150, 0
    for seed in range(runs):
        y, decided, sex = draw(400, seed)
        parity = assess(y, decided, sensitive_features={"sex": sex}, metrics="demographic_parity").disparities[0]
        held += parity.lower <= selected <= parity.upper

    assert held / runs >= 0.93 - 2 * np.sqrt(0.95 * 0.05 / runs)
