"""Performance of decisions among three classes or more.

Recall of a class and accuracy are shares with Wilson's interval, as of two classes. The balanced accuracy is the mean
of the recalls; its interval is put together from theirs (G. Y. Zou and A. Donner, "Construction of confidence limits
about effect measures: a general approach", Statistics in Medicine 27 (2008)), which takes classes as independent: of
rows that belong to units there is none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rai_kedro.intervals import Sampling
from rai_kedro.performance.classification import measure_mean_loss, measure_share
from rai_kedro.performance.figure import Figure
from rai_kedro.performance.regression import PerformanceError

# The least probability that counts, as scikit-learn clips: one of 0 for what happened would be infinitely wrong.
_LEAST = float(np.finfo(float).eps)
_CLOSE = 1e-6


def measure_classes(  # noqa: PLR0913, PLR0917 - the rows, and how they are measured
    truth: NDArray[Any],
    decided: NDArray[Any],
    scores: NDArray[np.float64] | None,
    classes: Sequence[Any],
    level: float = 0.95,
    sampling: Sampling | None = None,
) -> list[Figure]:
    """Measure accuracy, balanced accuracy, log loss and the recall of each class.

    Args:
        truth: Labels, shape (rows,).
        decided: Decisions, shape (rows,).
        scores: Probability of each class in the order of ``classes``, shape (rows, classes); without it no log loss.
        classes: All classes.
        level: Confidence level of the intervals.
        sampling: Unit and weight of each row.

    Raises:
        PerformanceError: Scores are not probabilities of these classes that add up to 1.
    """
    hit = truth == decided
    whole = measure_share("accuracy", hit, "share of rows decided as labelled", ("", level), sampling)
    recalls = []
    for name in classes:
        among = truth == name
        part = None if sampling is None else sampling.take(among)
        formula = f"share of the rows labelled {name!r} that are decided so"
        recalls.append(measure_share(f"recall of {name}", hit[among], formula, ("", level), part))
    found = [whole, _balance(recalls, len(truth), level, sampling)]
    if scores is not None:
        _check(scores, len(truth), classes)
        column = np.array([list(classes).index(one) for one in truth.tolist()])
        losses = -np.log(np.clip(scores[np.arange(len(truth)), column], _LEAST, 1.0))
        found.append(
            measure_mean_loss("log loss", losses, "mean of -log P(the label)", ("", level), sampling, most=np.inf)
        )
    return [*found, *recalls]


def _balance(recalls: Sequence[Figure], rows: int, level: float, sampling: Sampling | None) -> Figure:
    how = "mean of the recalls of all classes"
    told: dict[str, Any] = {"name": "balanced accuracy", "level": level, "n": rows}
    if any(one.value is None for one in recalls):
        return Figure(how=how, note="a class has no row", **told)
    value = float(np.mean([one.value or 0.0 for one in recalls]))
    if sampling is not None:
        return Figure(value=value, how=how, note="no interval: rows belong to units or carry weights", **told)
    ends = np.array([[one.value, one.lower, one.upper] for one in recalls], dtype=float)
    below, above = (float(np.linalg.norm(ends[:, 0] - ends[:, at])) / len(recalls) for at in (1, 2))
    how += "; interval from those of the recalls (Zou and Donner 2008)"
    return Figure(value=value, lower=max(0.0, value - below), upper=min(1.0, value + above), how=how, **told)


def _check(scores: NDArray[np.float64], rows: int, classes: Sequence[Any]) -> None:
    shape, wanted = scores.shape, (rows, len(classes))
    usable = shape == wanted and bool(((scores >= 0) & (scores <= 1)).all())
    if not usable or not np.allclose(scores.sum(axis=1), 1, atol=_CLOSE):
        raise PerformanceError(
            "The scores are not the probabilities of all classes, which add up to 1.",
            where="y_score",
            how_many=f"shape {shape}, and {wanted} is needed",
            remedy="hand in a column for each class, in the order of 'classes' (or of the sorted labels)",
        )
