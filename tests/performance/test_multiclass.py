"""Performance of decisions among three classes: against scikit-learn, and intervals that hold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, recall_score

from rai_kedro.performance import PerformanceError, measure

CLASSES = np.array(["x", "y", "z"])


def draw(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    y = random.choice(CLASSES, rows, p=[0.6, 0.3, 0.1])
    scores = random.dirichlet([1, 1, 1], rows)
    scores[np.arange(rows), np.searchsorted(CLASSES, y)] += 0.5
    scores /= scores.sum(axis=1, keepdims=True)
    return y, CLASSES[scores.argmax(axis=1)], scores


def test_figures_are_those_of_scikit_learn() -> None:
    y, decided, scores = draw(600)

    found = measure(y, decided, y_score=scores)

    assert found.task == "multiclass"
    assert found["accuracy"].value == pytest.approx(accuracy_score(y, decided))
    assert found["balanced accuracy"].value == pytest.approx(balanced_accuracy_score(y, decided))
    assert found["log loss"].value == pytest.approx(log_loss(y, scores))
    recalls = recall_score(y, decided, average=None)
    assert [found[f"recall of {name}"].value for name in CLASSES] == pytest.approx(recalls)
    assert all(one.lower < one.value < one.upper for one in found.figures)


def test_the_interval_of_the_balanced_accuracy_holds() -> None:
    truth = balanced_accuracy_score(*draw(400_000, 1)[:2])
    found = [measure(*draw(150, seed)[:2])["balanced accuracy"] for seed in range(2, 302)]

    assert np.mean([one.lower <= truth <= one.upper for one in found]) >= 0.93 - 2 * np.sqrt(0.95 * 0.05 / 300)


def test_of_units_there_is_no_interval_of_the_balanced_accuracy_and_a_class_without_rows_has_no_recall() -> None:
    y, decided, _ = draw(200)

    units = measure(y, decided, unit=np.arange(200) // 2)
    absent = measure(y, decided, classes=[*CLASSES, "w"])

    assert units["balanced accuracy"].lower is None and "units" in units["balanced accuracy"].note
    assert units["recall of x"].upper - units["recall of x"].lower > 0
    assert absent["recall of w"].value is None and absent["balanced accuracy"].note == "a class has no row"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda scores: scores[:, :2], "not the probabilities of all classes"),
        (lambda scores: scores / 2, "not the probabilities of all classes"),
        (lambda scores: np.where(scores > 0.5, np.nan, scores), "not the probabilities of all classes"),
    ],
)
def test_what_are_no_probabilities_is_refused(change, why) -> None:
    y, decided, scores = draw(60)

    with pytest.raises(PerformanceError, match=why):
        measure(y, decided, y_score=change(scores))


def test_labels_beside_the_classes_named_are_refused() -> None:
    with pytest.raises(PerformanceError, match="not among the classes named"):
        measure(["a", "b", "c"], ["a", "b", "c"], classes=["a", "b", "d"])
