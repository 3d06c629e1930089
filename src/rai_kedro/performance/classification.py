"""How good a binary classifier is, and how certain that is; intervals in closed form.

* Shares (accuracy, sensitivity, specificity, precision): the wider of Wilson's score (1927) and Jeffreys' limits on the
  rows behind each share, as for the rates of groups: near 1 Wilson's alone holds in 91 to 93 %, these in 96 to 99 %
  (50 rows at .99, 100 at .995, 500 at .999, 200 at .98); with 100 rows at .999 both hold in 90.5 %.
* AUC: DeLong, DeLong & Clarke-Pearson (1988), on the logit scale, with midranks for ties (Sun & Xu 2014). With under 20
  rows of the rarer class it held in 85 to 93 % of simulated samples, so there the wider of it and Newcombe's score
  interval (2006, method 5, on Hanley and McNeil's variance) is taken: it held in 97 to 99 % with normal scores, and in
  92 % where those of one class spread three times as far. Where the scores separate the classes fully they have no
  spread; then the rows of the rarer class, each beside one of the other, are so many independent pairs in the right
  order, and the exact limit of that share (Clopper & Pearson 1934) is one of the AUC.
* Brier score: limits on the log scale with a raised spread, as for the errors of a regression (:mod:`.performance`).
  Where the favourable label is rare a few rows make up the score, and Student's t held in 64 % (rate .02, 50 rows) to
  89 % (.02, 200 rows) of simulated samples; these limits in 82 % and 96 %, and in 96 to 97 % from a rate of .1 on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rai_kedro.intervals import Sampling, proportion_intervals
from rai_kedro.performance.figure import Figure
from rai_kedro.performance.regression import ONE_UNIT, PerformanceError, limit_errors, say_units

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

_DELONG = "DeLong's interval on the logit scale"
_PAIRS = "exact limit (Clopper and Pearson) of as many pairs as the rarer class has rows"
_WIDER = "the wider of DeLong's on the logit scale and Newcombe's (2006, method 5)"
# Below this many rows of the rarer class DeLong's interval holds less often than it says.
_FEW_ROWS = 20


def measure_classification(  # noqa: PLR0913 - every part by its name
    y_true: ArrayLike,
    decision: ArrayLike,
    score: ArrayLike | None,
    *,
    split: str = "",
    level: float = 0.95,
    sampling: Sampling | None = None,
) -> list[Figure]:
    """Measure accuracy, sensitivity, specificity, precision, AUC and Brier score.

    Args:
        y_true: Labels, 0 or 1, shape (n,).
        decision: Decisions, 0 or 1, shape (n,).
        score: P(label is 1), shape (n,); without it there is no AUC and no Brier score.
        split: Rows measured on, for example ``"test"``.
        level: Confidence level of the intervals.
        sampling: Unit and weight of each row; rows are independent and count alike if None.

    Returns:
        One estimate a metric; a figure that is not defined on these rows is None and its note says why.

    Raises:
        PerformanceError: If there is no row, shapes differ, or values are not binary or not probabilities.
    """
    given = (y_true, decision, decision if score is None else score)
    truth, chosen, scores = (np.asarray(values, dtype=np.float64) for values in given)
    _check(truth, chosen, scores)
    if sampling is not None:
        counting = sampling.weights > 0
        truth, chosen, scores = truth[counting], chosen[counting], scores[counting]
        sampling = sampling.take(counting)
    hit = truth == chosen
    shares = {
        "accuracy": (np.ones_like(hit), "share of rows decided as labelled"),
        "sensitivity": (truth == 1, "share of the positive rows decided positive (recall)"),
        "specificity": (truth == 0, "share of the negative rows decided negative"),
        "precision": (chosen == 1, "share of the rows decided positive that are"),
    }
    found = [
        measure_share(name, hit[among], formula, (split, level), None if sampling is None else sampling.take(among))
        for name, (among, formula) in shares.items()
    ]
    if score is None:
        return found
    auc = measure_auc(truth, scores, split=split, level=level, sampling=sampling)
    return [*found, auc, _brier(truth, scores, split, level, sampling)]


def _check(truth: Floats, chosen: Floats, scores: Floats) -> None:
    problems = {
        "there is no row": truth.size == 0,
        "labels, decisions and scores are not of the same rows": not truth.shape == chosen.shape == scores.shape,
        "labels or decisions are not 0 and 1": not np.isin(np.concatenate([truth, chosen]), (0, 1)).all(),
        "a score is not a probability": not ((scores >= 0) & (scores <= 1)).all(),
    }
    for problem in (text for text, applies in problems.items() if applies):
        raise PerformanceError(
            f"The performance cannot be measured: {problem}.",
            how_many=f"{truth.size} labels, {chosen.size} decisions, {scores.size} scores",
            remedy="hand in one label 0 or 1, one decision 0 or 1 and one score from 0 to 1 for each row",
        )


def measure_share(
    name: str, hit: NDArray[np.bool_], formula: str, where: tuple[str, float], sampling: Sampling | None = None
) -> Figure:
    """Measure the share of rows that are a hit; ``where`` is the split and the level."""
    split, level = where
    if not hit.size:
        return Figure(name=name, split=split, level=level, n=0, how=formula, note="no such row")
    value: Any = hit.mean()
    events: Any = [hit.sum()]
    rows: Any = [hit.size]
    if sampling is not None:
        ratio = sampling.measure(hit, np.ones(hit.size))
        (value,), (events, rows) = ratio.values, ratio.effective_counts(rows, (1 - level) / 2)
    (interval,) = proportion_intervals(events, rows, level)
    how = f"{formula}; {interval.how}, n={hit.size}{say_units(sampling)}"
    told = interval.model_dump(include={"lower", "upper"})
    return Figure(name=name, split=split, value=float(value), level=level, n=hit.size, how=how, **told)


def measure_auc(
    truth: Floats, scores: Floats, *, split: str = "", level: float = 0.95, sampling: Sampling | None = None
) -> Figure:
    """Measure the AUC of scores of any scale; labels are 0 or 1, all of shape (n,).

    Rows of units: the variance of Obuchowski (1997, "Nonparametric analysis of clustered ROC curve data"), and as many
    rows of a class as the units it is in are worth, for the limits of few rows.
    """
    from scipy import stats  # takes half a second, and every command imports this module

    positive, negative = scores[truth == 1], scores[truth == 0]
    rows = f"{positive.size} positive and {negative.size} negative rows{say_units(sampling)}"
    size: tuple[float, float] = (positive.size, negative.size)
    quantile = float(stats.norm.ppf(0.5 + level / 2))

    def make(ends: tuple[float | None, ...], how: str, note: str = "") -> Figure:
        told: dict[str, Any] = dict(zip(("value", "lower", "upper"), ends, strict=True))
        told |= {"how": f"area under the ROC curve; {how}, {rows}", "note": note}
        return Figure(name="AUC", split=split, level=level, n=scores.size, **told)

    if min(size) <= 1:
        return make((None, None, None), _DELONG, "fewer than two rows of a class")
    if sampling is None:
        above, below = place(truth, scores)
        auc = float(above.mean())
        error = float(np.sqrt(above.var(ddof=1) / positive.size + below.var(ddof=1) / negative.size))
    else:
        auc, error, size = measure_auc_of_units(truth, [scores], sampling)
        if len(np.unique(sampling.units)) == 1:
            return make((auc, None, None), _DELONG, ONE_UNIT)
        quantile = float(stats.t.ppf(0.5 + level / 2, max(1.0, min(size) - 1)))
    rarer = min(size)
    if not 0 < auc < 1:
        reach = float(((1 - level) / 2) ** (1 / rarer))  # all pairs in order: Clopper and Pearson's lower limit
        low, high = (reach, 1.0) if auc else (0.0, 1 - reach)
        return make((auc, low, high), _PAIRS, "the scores separate the classes fully")
    centre, half = np.log(auc / (1 - auc)), quantile * error / (auc * (1 - auc))
    low, high = (float(1 / (1 + np.exp(-end))) for end in (centre - half, centre + half))
    if rarer >= _FEW_ROWS:
        return make((auc, low, high), _DELONG)
    least, most = _limit_auc(auc, *size, level)
    few = f"{rarer} rows" if sampling is None else "few units"
    return make((auc, min(low, least), max(high, most)), _WIDER, f"only {few} of the rarer class")


def place(truth: Floats, score: Floats) -> tuple[Floats, Floats]:
    """Return the share of negative rows under each positive row, and of positive rows over each negative one."""
    from scipy.stats import rankdata

    positive, negative = score[truth == 1], score[truth == 0]
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[: len(positive)] - rankdata(positive)) / max(1, len(negative))
    below = 1 - (ranks[len(positive) :] - rankdata(negative)) / max(1, len(positive))
    return above, below


def measure_auc_of_units(
    truth: Floats, scores: Sequence[Floats], sampling: Sampling
) -> tuple[float, float, tuple[float, float]]:
    """Return the weighted AUC, or the first less the second of two, its standard error, and what each class is worth.

    The error is that of what units add to it (Obuchowski 1997; weighted, by its influence function), and not below that
    of the rows as independent ones; the worth of a class is in units of equal weight.
    """
    positive, adds, value = truth == 1, np.zeros(len(truth)), 0.0
    for sign, score in zip((1.0, -1.0), scores, strict=False):
        under = _share_below(score, score[~positive], sampling.weights[~positive])
        over = 1 - _share_below(score, score[positive], sampling.weights[positive])
        area = float(np.average(under[positive], weights=sampling.weights[positive]))
        value += sign * area
        adds += sign * (np.where(positive, under, over) - area)
    totals = [float(sampling.weights[of].sum()) for of in (positive, ~positive)]
    adds /= np.where(positive, *totals)
    ones, others = (float(sampling.measure(of, of).equal_units[0]) for of in (positive, ~positive))
    units, by_unit, by_row = max(2.0, min(ones, others)), sampling.add_up(adds)[0], sampling.weights * adds
    spread = max(units / (units - 1) * float((by_unit**2).sum()), float((by_row**2).sum()))
    return value, float(np.sqrt(spread)), (ones, others)


def _share_below(score: Floats, of: Floats, weights: Floats) -> Floats:
    """Return the weighted share of some scores that lie below each score, equal ones counting half."""
    order = np.argsort(of)
    ranked, sums = of[order], np.concatenate([[0.0], np.cumsum(weights[order])])
    low, high = sums[np.searchsorted(ranked, score, side="left")], sums[np.searchsorted(ranked, score, side="right")]
    below: Floats = (low + high) / 2 / sums[-1]
    return below


def _limit_auc(auc: float, positives: float, negatives: float, level: float) -> tuple[float, float]:
    """Return Newcombe's score limits of the AUC: those that lie z of their own standard errors from it."""
    from scipy import optimize, stats

    z, more = stats.norm.ppf(0.5 + level / 2), (positives + negatives) / 2 - 1

    def beyond(area: float) -> float:
        spread = area * (1 - area) * (1 + more * ((1 - area) / (2 - area) + area / (1 + area)))
        return float((auc - area) ** 2 - z**2 * spread / (positives * negatives))

    return float(optimize.brentq(beyond, 0.0, auc)), float(optimize.brentq(beyond, auc, 1.0))


def _brier(truth: Floats, scores: Floats, split: str, level: float, sampling: Sampling | None = None) -> Figure:
    formula = "mean squared difference of score and label"
    return measure_mean_loss("Brier score", (scores - truth) ** 2, formula, (split, level), sampling, most=1.0)


def measure_mean_loss(  # noqa: PLR0913 - as measure_share, and the most it can be
    name: str,
    errors: Floats,
    formula: str,
    where: tuple[str, float],
    sampling: Sampling | None = None,
    *,
    most: float,
) -> Figure:
    """Measure the mean of losses, 0 or more, shape (rows,); ``where`` is the split and the level."""
    split, level = where
    how = f"{formula}; log scale with a raised spread, n={errors.size}{say_units(sampling)}"
    told: dict[str, Any] = {"name": name, "split": split, "level": level, "n": errors.size, "how": how}
    mean = float(np.average(errors, weights=None if sampling is None else sampling.weights))
    if errors.size <= 1:
        return Figure(value=mean, note="one row", **told)
    relative = errors / mean - 1 if mean > 0 else np.zeros_like(errors)
    _, low, high = limit_errors(np.array([mean]), relative[np.newaxis, :], level, sampling)[:, 0]
    if not np.isfinite(high):
        return Figure(value=mean, note=ONE_UNIT, **told)
    return Figure(value=mean, lower=float(low), upper=min(most, float(high)), **told)


def iterate_roc(truth: Floats, scores: Floats) -> Iterator[tuple[float, float]]:
    """Yield the points (false positive rate, true positive rate) of the ROC curve, from (0, 0) to (1, 1)."""
    order = np.argsort(-scores, kind="stable")
    hits, last = truth[order], np.flatnonzero(np.diff(scores[order], append=np.nan) != 0)
    positives, negatives = hits.sum(), (1 - hits).sum()
    yield 0.0, 0.0
    for end in last:
        found = hits[: end + 1].sum()
        yield float((end + 1 - found) / negatives), float(found / positives)
