"""How well columns predict another one, on rows that the predictor has not seen.

Four predictors stand beside each other, since a proxy may be of any shape: ridge regression (Hoerl & Kennard 1970) on
all columns; gradient-boosted trees (Friedman 2001) on all columns, which see bends and interactions; and the best
single column and the best pair, which say who carries the proxy. Columns and pairs are searched by the means within
cells of binned values; the best few are also tried as polynomials of degree 3, since cells are coarse. Each predictor
predicts, by cross-validation, rows that it has not learnt from: a number, or an indicator of a category.

* *Lower limit*: "it can be predicted at least this well" is true if it is true of any predictor, so the highest lower
  limit counts, all predictors, columns and pairs tried being watched at once (Bonferroni).
* *Upper limit*: the highest of the upper limits, each at its own level (intersection-union principle, Berger 1982). A
  predictor that has learnt from few rows does worse than one with many: so that of the ridge regression is taken from
  the rows it has learnt from, which flatter it by about as much. It says nothing of predictors of another kind.
* Folds are not independent. The spread of a cross-validated AUC was .8 to 1.6 times what DeLong's formula says, most
  where there is nothing to predict; both of its ends lie ``sqrt(1 + K / (K - 1))`` times as far away for K folds
  (Nadeau & Bengio 2003). That of R2 was .85 to 1.1 times what its limits allow for, so those stay as they are.

``tests/proxies`` measures how often all this is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import rankdata

from rai_kedro.intervals import Estimate
from rai_kedro.performance import measure_auc, measure_performance
from rai_kedro.proxies.reading import MOST_LEVELS, Codes, Floats, Read, bin_codes
from rai_kedro.proxies.results import Carrier, Metric, Predicted

# Of a category and of all others: with fewer an interval says nothing.
FEWEST_ROWS = 20
_FOLDS, _TREE_FOLDS = 5, 3
_SINGLE_BINS, _PAIR_BINS = 10, 5
# Pairs of so many columns are tried, those that predict best alone: their number grows with the square.
_MOST_PAIRED = 40
_CARRIERS = 3
_PENALTY = 1.0
_PRIOR_ROWS = 5.0
_PREDICTORS = 4
# A standardised value counts as no farther than this, and of a list only the first categories are crossed.
_FARTHEST, _MOST_CROSSED = 4.0, 8


@dataclass(frozen=True, eq=False)
class Wanted:
    """One figure to be predicted: a number, or whether a row is of a category; all of the same rows."""

    metric: Metric
    category: str
    values: Floats  # shape (rows,)


@dataclass(frozen=True, eq=False)
class Found:
    """How well each part of a column is predicted, and which columns carry the part predicted best."""

    parts: tuple[Predicted, ...]
    singles: tuple[Carrier, ...] = ()
    pairs: tuple[Carrier, ...] = ()


def list_wanted(column: Read) -> tuple[list[Wanted], list[str]]:
    """Return what is to be predicted of a column without missing values, and what has too few rows for that."""
    rows = len(column.codes)
    if not column.is_category and column.numbers is not None:
        return ([Wanted("R2", "", column.numbers)], []) if rows >= 2 * FEWEST_ROWS else ([], [f"{rows} rows"])
    counts = np.bincount(column.codes, minlength=len(column.levels))
    order = [int(code) for code in np.argsort(-counts, kind="stable") if counts[code]]
    enough = [code for code in order if min(counts[code], rows - counts[code]) >= FEWEST_ROWS][:MOST_LEVELS]
    left = [code for code in order if code not in enough]
    # Not which: a value of few rows may be a name, and who reads a report need not be one who may read the data.
    values = "1 value" if len(left) == 1 else f"{len(left)} values"
    few = [f"{values} with fewer than {FEWEST_ROWS} of {rows} rows"] if left else []
    if len(order) == 2:  # noqa: PLR2004 - one tells the other
        enough, few = enough[-1:], few if not enough else []
    return [Wanted("AUC", column.levels[code], (column.codes == code).astype(float)) for code in enough], few


def predict_parts(features: Sequence[Read], wanted: Sequence[Wanted], *, level: float, seed: int) -> Found:
    """Measure how well columns predict every part, all intervals together at this level.

    Columns and parts are of the same rows; at least one of each is needed.
    """
    rows, level_of_part = len(wanted[0].values), 1 - (1 - level) / len(wanted)
    y = np.stack([one.values for one in wanted], axis=1)
    y = (y - y.mean(axis=0)) / np.maximum(y.std(axis=0), 1e-12)
    place = np.random.default_rng(seed).permutation(rows)
    linear, flattered = _predict_linear(_lay_out(features), y, place % _FOLDS)
    trees = _predict_by_trees(features, y, place % _TREE_FOLDS, seed)
    cells = _Cells(features, y, place % _FOLDS)
    parts, carried = [], []
    for at, one in enumerate(wanted):
        watched = 1 - (1 - level_of_part) / _PREDICTORS
        singles, pairs = cells.rank(one, at, watched)
        tried = {
            "all columns, linear": _measure(one, linear[:, at], watched, _FOLDS),
            "all columns, trees": _measure(one, trees[:, at], watched, _TREE_FOLDS),
        } | {" with ".join(best.columns): best for best in (*singles[:1], *pairs[:1])}
        best = max(tried, key=lambda name: _floor(tried[name].lower))
        scores = [(flattered[:, at], _FOLDS), (trees[:, at], _TREE_FOLDS)]
        scores += [(cells.predict_best(key, one, at), _FOLDS) for key in (*singles[:1], *pairs[:1])]
        ceilings = [_measure(one, score, level_of_part, folds).upper for score, folds in scores]
        upper = None if None in ceilings else max(end for end in ceilings if end is not None)
        figure = tried[best].model_dump(include={"value", "lower", "n"})
        parts.append(Predicted(metric=one.metric, category=one.category, by=best, upper=upper, level=level, **figure))
        carried.append((singles, pairs))
    strongest = max(range(len(parts)), key=lambda at: _floor(parts[at].lower))
    return Found(tuple(parts), *map(tuple, carried[strongest]))


def _floor(end: float | None) -> float:
    return -np.inf if end is None else end


def _measure(wanted: Wanted, score: Floats, level: float, folds: int) -> Estimate:
    """Measure a score of rows that were held out in so many folds, with an interval of this level."""
    if wanted.metric == "AUC":
        wider = 1 - 2 * ndtr(ndtri((1 - level) / 2) * np.sqrt(1 + folds / (folds - 1)))
        return measure_auc(wanted.values, score, level=float(wider))
    values = wanted.values
    return measure_performance(values, values.mean() + score * (values.std() or 1.0), level=level)[0]


def _lay_out(features: Sequence[Read]) -> Floats:
    """Return numbers without a missing one, shape (rows, encoded): standardised, indicators of categories and gaps."""
    columns: list[Floats] = []
    for one in features:
        if one.numbers is not None:
            gap = np.isnan(one.numbers)
            known = one.numbers[~gap]
            if known.size and known.std() > 0:
                columns.append(np.where(gap, 0.0, (one.numbers - known.mean()) / known.std()))
            columns += [gap.astype(float)] if gap.any() else []
        else:
            codes = bin_codes(one, MOST_LEVELS)
            columns += [(codes == code).astype(float) for code in np.unique(codes)[1:]]
    rows = len(features[0].codes)
    laid = np.stack(columns, axis=1) if columns else np.zeros((rows, 0))
    standard: Floats = (laid - laid.mean(axis=0)) / np.maximum(laid.std(axis=0), 1e-12)
    return standard


def _predict_linear(x: Floats, y: Floats, folds: Codes) -> tuple[Floats, Floats]:
    """Return predictions of unseen rows and of the rows learnt from, shape (rows, parts)."""
    predicted = np.empty_like(y)
    for fold in range(_FOLDS):
        held = folds == fold
        predicted[held] = _ridge(x[~held], y[~held], x[held])
    return predicted, _ridge(x, y, x)


def _ridge(x: Floats, y: Floats, new: Floats) -> Floats:
    centre, mean = x.mean(axis=0), y.mean(axis=0)
    gram = (x - centre).T @ (x - centre) + _PENALTY * np.eye(x.shape[1])
    predicted: Floats = mean + (new - centre) @ np.linalg.solve(gram, (x - centre).T @ (y - mean))
    return predicted


def _predict_by_trees(features: Sequence[Read], y: Floats, folds: Codes, seed: int) -> Floats:
    from sklearn.ensemble import HistGradientBoostingRegressor

    columns = [
        one.numbers if one.numbers is not None else bin_codes(one, MOST_LEVELS).astype(float) for one in features
    ]
    x, listed = np.stack(columns, axis=1), np.array([one.numbers is None for one in features])
    settings: dict[str, Any] = {"max_iter": 15, "learning_rate": 0.2, "max_leaf_nodes": 8, "max_bins": 32}
    settings |= {"early_stopping": False, "random_state": seed, "categorical_features": listed}
    predicted = np.empty_like(y)
    for fold in range(_TREE_FOLDS):
        held = folds == fold
        for part in range(y.shape[1]):
            trees = HistGradientBoostingRegressor(**settings).fit(x[~held], y[~held, part])
            predicted[held, part] = trees.predict(x[held])
    return predicted


class _Cells:
    """Means of each part within the cells of one or two binned columns, of the rows of the other folds."""

    def __init__(self, features: Sequence[Read], y: Floats, folds: Codes) -> None:
        self._names = [one.name for one in features]
        self._single = [_dense(bin_codes(one, _SINGLE_BINS)) for one in features]
        self._coarse = [_dense(bin_codes(one, _PAIR_BINS)) for one in features]
        self._features, self._y, self._folds = features, y, folds
        self._known: dict[tuple[tuple[int, ...], int], Floats] = {}
        self._alone = [self._rate(one) for one in self._single]
        # Of each column's best part, so that no part's carrier is left out where the pairs of all are too many.
        ranked = np.argsort([-float(one.max()) for one in self._alone], kind="stable")[:_MOST_PAIRED]
        self._together = {
            (first, second): self._rate(self._cross(first, second))
            for first, second in combinations(sorted(ranked.tolist()), 2)
        }

    def rank(self, wanted: Wanted, at: int, level: float) -> tuple[list[Carrier], list[Carrier]]:
        """Return the single columns and the pairs that predict one part best, with intervals."""
        alone = {(one,): float(rates[at]) for one, rates in enumerate(self._alone)}
        together = {key: float(rates[at]) for key, rates in self._together.items()}
        part = 1 - (1 - level) / (len(alone) + len(together))
        singles, pairs = (
            [self._carry(key, wanted, at, part) for key in sorted(found, key=lambda key: -found[key])[:_CARRIERS]]
            for found in (alone, together)
        )
        return _rank(singles), _rank(pairs)

    def predict_best(self, carrier: Carrier, wanted: Wanted, at: int) -> Floats:
        """Return the predictions of one carrier: by its cells, or as a polynomial where that does better."""
        key = tuple(self._names.index(name) for name in carrier.columns)
        return self._predict_best(key, wanted, at)

    def _carry(self, key: tuple[int, ...], wanted: Wanted, at: int, level: float) -> Carrier:
        score = self._predict_best(key, wanted, at)
        figure = _measure(wanted, score, level, _FOLDS).model_dump(include={"value", "lower", "upper", "n"})
        return Carrier(columns=tuple(self._names[one] for one in key), **figure)

    def _predict_best(self, key: tuple[int, ...], wanted: Wanted, at: int) -> Floats:
        if (key, at) not in self._known:
            codes = self._single[key[0]] if len(key) == 1 else self._cross(*key)
            place, _, means = self._average(codes)
            bent, _ = _predict_linear(_bend([self._features[one] for one in key]), self._y[:, [at]], self._folds)
            both = means[at][place], bent[:, 0]
            self._known[key, at] = max(both, key=lambda score: _strength(wanted, score))
        return self._known[key, at]

    def _cross(self, first: int, second: int) -> Codes:
        other = self._coarse[second]
        return self._coarse[first] * (int(other.max(initial=0)) + 1) + other

    def _average(self, codes: Codes) -> tuple[Codes, Floats, Floats]:
        """Return each row's place, rows by place, and for each part the mean of the cell's rows in the other folds.

        It is drawn towards the overall mean where they are few; a place is a cell within a fold.
        """
        cells = int(codes.max(initial=0)) + 1
        place, size = codes * _FOLDS + self._folds, cells * _FOLDS
        count = np.bincount(place, minlength=size).astype(float)
        total = np.stack([np.bincount(place, weights=part, minlength=size) for part in self._y.T])
        own, whole = total.reshape(-1, cells, _FOLDS), count.reshape(cells, _FOLDS)
        others = whole.sum(axis=1, keepdims=True) - whole + _PRIOR_ROWS
        return place, count, ((own.sum(axis=2, keepdims=True) - own) / others).reshape(len(own), -1)

    def _rate(self, codes: Codes) -> Floats:
        """Return how much of each part's variance the means explain, shape (parts,): it ranks what is then measured."""
        place, count, means = self._average(codes)
        total = np.stack([np.bincount(place, weights=part, minlength=len(count)) for part in self._y.T])
        explained: Floats = (2 * means * total - means**2 * count).sum(axis=1) / len(place)
        return explained


def _rank(carriers: Sequence[Carrier]) -> list[Carrier]:
    return sorted(carriers, key=lambda one: -_floor(one.value))


def _bend(features: Sequence[Read]) -> Floats:
    """Return one or two columns as polynomials of degree 3, shape (rows, terms)."""
    plain = [np.clip(_lay_out([one]), -_FARTHEST, _FARTHEST) for one in features]
    terms = [one**power for one in plain for power in (1, 2, 3)]
    if len(plain) == 2:  # noqa: PLR2004
        first, second = (one[:, :_MOST_CROSSED] for one in plain)
        for a, b in ((first, second), (first**2, second), (first, second**2)):
            terms.append((a[:, :, np.newaxis] * b[:, np.newaxis, :]).reshape(len(a), -1))
    laid = np.concatenate(terms, axis=1)
    standard: Floats = (laid - laid.mean(axis=0)) / np.maximum(laid.std(axis=0), 1e-12)
    return standard


def _dense(codes: Codes) -> Codes:
    return np.unique(codes, return_inverse=True)[1].astype(np.int64)


def _strength(wanted: Wanted, score: Floats) -> float:
    if wanted.metric == "AUC":
        positive = wanted.values == 1
        count, rows = int(positive.sum()), len(score)
        area = (rankdata(score)[positive].sum() - count * (count + 1) / 2) / (count * (rows - count))
        return float(area)
    values = (wanted.values - wanted.values.mean()) / (wanted.values.std() or 1.0)
    return float(1 - ((values - score) ** 2).mean())
