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

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from rai_kedro.intervals import Estimate, Sampling, UnitRatio, part_level
from rai_kedro.performance.classification import measure_auc_of_units, place
from rai_kedro.performance.figure import NEED_SCORE
from rai_kedro.performance.regression import PerformanceError, say_units

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
_DRAWS, _MIXES, _SEED = 20_000, 8, 20250301


class Gain(Estimate):
    """How much better a model is than another on the same rows, in the unit of the figure; below zero it is worse."""

    name: str


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of rows: decisions or predicted values, and P(favourable) of a classifier; shape (rows,)."""

    prediction: Vector
    score: Any = None


def measure_gain(  # noqa: PLR0913 - every part by its name
    name: str,
    truth: Vector,
    new: Answers,
    old: Answers,
    *,
    level: float = 0.95,
    sampling: Sampling | None = None,
) -> Gain:
    """Measure what one model gains over another on the same rows; above zero the new one is better.

    ``name`` is one of ``COMPARABLE``; labels, 0 or 1 for a classification, have shape (rows,). ``sampling`` says which
    rows belong to one unit and how much each counts.
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
    if sampling is None:
        value, error, freedom, method = _COMPARED.get(name, _compare_losses)(name, truth, new, old)
    else:
        value, error, freedom, method = _compare_units(name, truth, new, old, sampling)
        fewest = min(fewest, *(len(np.unique(sampling.units[truth == of])) for of in (0, 1)))
    if name in NEED_SCORE and fewest < FEWEST_OF_A_CLASS:
        error, method = np.nan, f"no interval: {fewest} rows of the rarer class, {FEWEST_OF_A_CLASS} are needed"
    gain = Gain(name=name, value=value, level=level, n=rows, how=method)
    if not np.isfinite(error):
        return gain
    # The adjusted interval's own centre lies a little nearer to zero than the figure.
    centre = value * rows / (rows + 2) if name == "accuracy" and sampling is None else value
    half = _quantile(freedom, level) * error
    return gain.model_copy(update={"lower": float(centre - half), "upper": float(centre + half)})


def joint_level(  # noqa: PLR0913 - as measure_gain
    names: Sequence[str],
    truth: Vector,
    models: Sequence[Answers],
    old: Answers,
    *,
    level: float = 0.95,
    sampling: Sampling | None = None,
) -> float:
    """Return the level of each model's gains at which those of all models hold at once, so also of the one chosen.

    The largest of the models' standardised errors is drawn from their covariance on these rows (the paired multiplier
    bootstrap with normal multipliers: V. Chernozhukov, D. Chetverikov and K. Kato, "Gaussian approximations and
    multiplier bootstrap for maxima", Annals of Statistics 41 (2013)), with a fixed seed: models that err on the same
    rows ask for little more than one. Of several figures of a model none is corrected for the others, since all of
    them have to hold; models may differ in the one that does not, so mixtures of figures are tried as well. Never
    wider than Bonferroni's.
    """
    if len(models) < 2:  # noqa: PLR2004 - nothing was chosen among
        return level
    told = np.stack([[_standardise(name, truth, one, old, sampling) for name in names] for one in models])
    generator, number, kinds = np.random.default_rng(_SEED), len(models), len(names)
    mixes = [np.full(number, at) for at in range(kinds)]
    mixes += list(generator.integers(0, kinds, (_MIXES, number))) if kinds > 1 else []
    noise = generator.standard_normal((_DRAWS, number))
    found = []
    for mix in mixes:
        chosen = told[np.arange(number), mix]
        shares, directions = np.linalg.eigh(chosen @ chosen.T)
        drawn = noise @ (directions * np.sqrt(np.maximum(shares, 0.0))).T
        found.append(float(np.quantile(drawn.max(axis=1), 0.5 + level / 2)))
    return float(np.clip(2 * NormalDist().cdf(max(found)) - 1, level, part_level(level, number)))


def _standardise(name: str, truth: Vector, new: Answers, old: Answers, sampling: Sampling | None) -> Vector:
    """Return how far each row, or unit, moves the gain, in standard errors of it; zeros where nothing differs."""
    if name == "AUC":
        moved = np.zeros(len(truth))
        parts = zip(place(truth, new.score), place(truth, old.score), strict=True)
        for outcome, (mine, theirs) in zip((1, 0), parts, strict=True):
            change = mine - theirs
            moved[truth == outcome] = (change - change.mean()) / len(change) if len(change) else 0.0
    else:
        gains = _find_gains(name, truth, new, old, float(truth.var()))
        moved = gains - gains.mean()
    if sampling is not None:
        (moved,) = sampling.add_up(moved)
    size = float(np.linalg.norm(moved))
    standardised: Vector = moved / size if size else moved
    return standardised


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
    above, below = (a - b for a, b in zip(place(truth, new.score), place(truth, old.score), strict=True))
    value = float(above.mean())
    if np.array_equal(new.score, old.score):  # the same ranking on any rows
        return value, 0.0, np.inf, method
    added = [np.concatenate([part, [_ADDED, -_ADDED]]) for part in (above, below)]
    error = np.sqrt(sum(one.var(ddof=1) / len(one) for one in added))
    return value, float(error), min(len(above), len(below)) - 1, method


def _compare_losses(name: str, truth: Vector, new: Answers, old: Answers) -> _Compared:
    gains = _find_gains(name, truth, new, old, float(truth.var()))
    rows = len(gains)
    error = float(gains.std(ddof=1) / np.sqrt(rows)) if rows > 1 else np.nan
    return float(gains.mean()), error, max(1, rows - 1), f"Student's t interval of the rows' differences, n={rows}"


def _find_gains(name: str, truth: Vector, new: Answers, old: Answers, variance: float) -> Vector:
    """Return what each row adds to the gain, shape (rows,); ``variance`` is that of the label."""
    if name == "accuracy":
        won: Vector = (new.prediction == truth).astype(float) - (old.prediction == truth)
        return won
    lost, kept = ((one.score if name == "Brier score" else one.prediction) - truth for one in (old, new))
    gains: Vector = np.abs(lost) - np.abs(kept) if name == "MAE" else lost**2 - kept**2
    return gains / (variance or np.inf) if name == "R2" else gains


def _compare_units(name: str, truth: Vector, new: Answers, old: Answers, sampling: Sampling) -> _Compared:
    """Compare by what each unit adds; the error is not below that of the rows as independent ones."""
    told, rows = f"Student's t interval of what units add, n={len(truth)}{say_units(sampling)}", np.array([len(truth)])
    if name == "AUC":
        value, error, sizes = measure_auc_of_units(truth, [new.score, old.score], sampling)
        added = 2 * _ADDED**2 * sum(1 / (size + 2) ** 2 for size in sizes)
        same = np.array_equal(new.score, old.score)
        return value, 0.0 if same else float(np.sqrt(error**2 + added)), max(1.0, min(sizes) - 1), told
    mean = np.average(truth, weights=sampling.weights)
    variance = float(np.average((truth - mean) ** 2, weights=sampling.weights))
    gains = _find_gains(name, truth, new, old, variance)
    ratio = sampling.measure(gains, np.ones(len(gains)))
    (worth,), (value,), (spread,) = ratio.effective_moments(rows, [gains.var(ddof=1)])
    error = np.sqrt(spread / worth) if ratio.units[0] > 1 else np.nan
    if name == "accuracy":
        error = max(error, _adjust_accuracy(gains, ratio, sampling))
    return float(value), float(error), max(1.0, float(worth) - 1), told


def _adjust_accuracy(gains: Vector, ratio: UnitRatio, sampling: Sampling) -> float:
    """Return the adjusted Wald error (Bonett & Price 2012) of as many rows as the rows are worth."""
    rows, won = np.array([len(gains)]), float(ratio.values[0])
    differing = sampling.measure(gains != 0, np.ones(len(gains)))
    worths = differing.effective_rows(rows), ratio.effective_rows_of_mean(rows, [gains.var(ddof=1)])
    worth, share = float(np.min(worths)), float(differing.values[0])
    shares = [(part * worth + 1) / (worth + 2) for part in ((share + won) / 2, (share - won) / 2)]
    return float(np.sqrt((sum(shares) - (shares[0] - shares[1]) ** 2) / (worth + 2)))


_COMPARED: dict[str, Callable[[str, Vector, Answers, Answers], _Compared]] = {
    "accuracy": _compare_accuracy,
    "AUC": _compare_auc,
}
