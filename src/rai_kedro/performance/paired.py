"""How much better or worse one model is than another on the same rows, with an interval that uses the pairing.

Two models of the same rows err on much the same rows, so that their difference is known far better than either figure.

* Accuracy: the rows that only one of the two decides rightly, adjusted Wald interval (D. G. Bonett and R. M. Price,
  "Adjusted Wald confidence interval for a difference of binomial proportions based on paired data", Journal of
  Educational and Behavioral Statistics 37 (2012)).
* AUC: E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson, "Comparing the areas under two or more correlated receiver
  operating characteristic curves", Biometrics 44 (1988), with midranks for ties. Their interval is too short where few
  rows tell the models apart: with 10 rows of the rarer class, or areas near 1, its lower end lies above the truth in 9
  to 13 % of samples in place of 2.5 %. So each class counts two rows more, whose differences are 1/4 and -1/4 (as
  Bonett and Price add rows), and the quantile is Student's, with one degree of freedom less than rows of the rarer
  class. In simulations of 60 to 1,839 rows it is then 0 to 3 %.
* Brier score, MAE, R2: Student's t interval of the mean of the rows' differences; the variance of the label, by which
  R2 divides, is taken as known.

AUC and Brier score have no interval with fewer than 20 rows of the rarer class: so few cannot show that nothing is
lost.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rai_kedro.intervals import Estimate
from rai_kedro.performance.figure import NEED_SCORE
from rai_kedro.performance.regression import PerformanceError

Vector = npt.NDArray[np.float64]

# Figures by which two models can be compared on the same rows, and the task of each.
COMPARABLE = {
    "accuracy": "classification",
    "AUC": "classification",
    "Brier score": "classification",
    "MAE": "regression",
    "R2": "regression",
}
FEWEST_OF_A_CLASS = 20
# Difference of the two rows that are added to each class, with either sign.
_ADDED = 0.25


class Gain(Estimate):
    """How much better a model is than another on the same rows, in the unit of the figure; below zero it is worse."""

    name: str


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of rows: decisions or predicted values, and P(favourable) of a classifier; shape (rows,)."""

    prediction: Vector
    score: Any = None


def measure_gain(name: str, truth: Vector, new: Answers, old: Answers, *, level: float = 0.95) -> Gain:
    """Measure what one model gains over another on the same rows; above zero the new one is better.

    ``name`` is one of ``COMPARABLE``; labels, 0 or 1 for a classification, have shape (rows,).
    """
    if name not in COMPARABLE:
        raise PerformanceError(
            f"Models cannot be compared by {name!r}.",
            where="performance",
            remedy=f"choose one of: {', '.join(COMPARABLE)}",
        )
    if name in NEED_SCORE and (new.score is None or old.score is None):
        raise PerformanceError(
            f"Models that give no scores cannot be compared by {name!r}.",
            where="performance",
            remedy="choose accuracy, or models with predict_proba",
        )
    rows, fewest = len(truth), int(min((truth == 1).sum(), (truth == 0).sum()))
    value, error, freedom, method = _COMPARED.get(name, _compare_losses)(name, truth, new, old)
    if name in NEED_SCORE and fewest < FEWEST_OF_A_CLASS:
        error, method = np.nan, f"no interval: {fewest} rows of the rarer class, {FEWEST_OF_A_CLASS} are needed"
    gain = Gain(name=name, value=value, level=level, n=rows, how=method)
    if not np.isfinite(error):
        return gain
    # The adjusted interval's own centre lies a little nearer to zero than the figure.
    centre = value * rows / (rows + 2) if name == "accuracy" else value
    half = _quantile(freedom, level) * error
    return gain.model_copy(update={"lower": float(centre - half), "upper": float(centre + half)})


def _quantile(freedom: float, level: float) -> float:
    from scipy import stats

    tail = 0.5 + level / 2
    return float(stats.norm.ppf(tail) if np.isinf(freedom) else stats.t.ppf(tail, freedom))


# Value, standard error, degrees of freedom, and what the interval is called.
_Compared = tuple[float, float, float, str]


def _compare_accuracy(name: str, truth: Vector, new: Answers, old: Answers) -> _Compared:
    change = (new.prediction == truth).astype(float) - (old.prediction == truth)
    rows, won, lost = len(truth), float((change > 0).sum()), float((change < 0).sum())
    shares = (won + 1) / (rows + 2), (lost + 1) / (rows + 2)
    error = np.sqrt((sum(shares) - (shares[0] - shares[1]) ** 2) / (rows + 2))
    method = f"adjusted Wald interval of paired shares (Bonett & Price 2012), {won:.0f} rows won and {lost:.0f} lost"
    return float(change.mean()), float(error), np.inf, method


def _compare_auc(name: str, truth: Vector, new: Answers, old: Answers) -> _Compared:
    method = "paired interval of DeLong, DeLong & Clarke-Pearson (1988), adjusted for few rows"
    above, below = (a - b for a, b in zip(_place(truth, new.score), _place(truth, old.score), strict=True))
    value = float(above.mean())
    if np.array_equal(new.score, old.score):  # the same ranking on any rows
        return value, 0.0, np.inf, method
    added = [np.concatenate([part, [_ADDED, -_ADDED]]) for part in (above, below)]
    error = np.sqrt(sum(one.var(ddof=1) / len(one) for one in added))
    return value, float(error), min(len(above), len(below)) - 1, method


def _place(truth: Vector, score: Vector) -> tuple[Vector, Vector]:
    """Return the share of negative rows under each positive row, and of positive rows over each negative one."""
    from scipy.stats import rankdata

    positive, negative = score[truth == 1], score[truth == 0]
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[: len(positive)] - rankdata(positive)) / max(1, len(negative))
    below = 1 - (ranks[len(positive) :] - rankdata(negative)) / max(1, len(positive))
    return above, below


def _compare_losses(name: str, truth: Vector, new: Answers, old: Answers) -> _Compared:
    lost, kept = ((one.score if name == "Brier score" else one.prediction) - truth for one in (old, new))
    gains = np.abs(lost) - np.abs(kept) if name == "MAE" else lost**2 - kept**2
    if name == "R2":
        gains = gains / (float(truth.var()) or np.inf)
    rows = len(gains)
    error = float(gains.std(ddof=1) / np.sqrt(rows)) if rows > 1 else np.nan
    return float(gains.mean()), error, max(1, rows - 1), f"Student's t interval of the rows' differences, n={rows}"


_COMPARED: dict[str, Callable[[str, Vector, Answers, Answers], _Compared]] = {
    "accuracy": _compare_accuracy,
    "AUC": _compare_auc,
}
