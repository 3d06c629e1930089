"""Individual fairness: are similar people treated alike, under a distance that somebody has declared?

Both figures are held against the same predictions dealt out at random over the same rows, which is what predictions
that know nothing of the declared columns look like: 1 is as bad as that, 0 treats the similar alike. So a coin flip
does not pass because its rows lie far apart or its decisions are rare, and figures of different samples can be
compared.

Distances are computed in chunks on at most :attr:`SimilaritySpec.max_rows` rows, drawn at random, so that memory
stays bounded whatever the size of the data; the rows that were not drawn are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api import types
from pydantic import Field

from rai_kedro.errors import RaiError
from rai_kedro.fairness.estimates import Comparison, Disparity, DisparityKind, GroupFigure
from rai_kedro.fairness.grouping import Names
from rai_kedro.fairness.tables import Figures
from rai_kedro.intervals import make_interval, proportion_intervals
from rai_kedro.typed import Typed

ALL = "all rows"
MISSING_FEATURE = "missing value in a similarity column"
NOT_DRAWN = "not drawn into the sample of the pairwise comparison"
MAX_CATEGORIES = 200
_CHUNK_CELLS = 1 << 20

JACKKNIFE = (
    "over the same with the predictions dealt out at random; score interval with the effective number of rows from the "
    "delete-one jackknife of both, which errs on the wide side (Efron & Stein 1981)"
)
NO_SPREAD = "predictions that are all alike can treat nobody differently"
TOO_LAX = "dealt out at random these predictions would not break it either: declare a smaller 'lipschitz'"
_DEALS = 20
_CELLS = 1 << 14


class SimilarityError(RaiError):
    """The declared distance cannot be computed on these rows."""


class SimilaritySpec(Typed):
    """When two people count as similar.

    Attributes:
        columns: Columns the distance is made of. Numbers count by their scaled difference; a category counts 0 if
            equal and 1 if not.
        distance: ``euclidean`` or ``manhattan``.
        scaling: Of numbers: ``standard`` deviations, the ``range`` of the column, or ``none``.
        neighbours: Number k of nearest neighbours for the consistency.
        lipschitz: Constant L: predictions may differ by L for each unit of distance.
        max_rows: Most rows that are compared with each other.
        seed: Seed of the draw where there are more.
    """

    columns: Names
    distance: Literal["euclidean", "manhattan"]
    scaling: Literal["standard", "range", "none"] = "standard"
    neighbours: int = Field(default=5, ge=1)
    lipschitz: float = Field(default=1.0, gt=0)
    max_rows: int = Field(default=5_000, ge=3, le=50_000)
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Individuals:
    """What the metrics of individuals are computed from; arrays of shape (rows,), nan where missing."""

    decisions: Figures
    scores: Figures
    features: pd.DataFrame
    similarity: SimilaritySpec

    @cached_property
    def consistency(self) -> Unfairness:
        """Inconsistency of the decisions, measured once for intervals of any level."""
        return measure_consistency(self.decisions, self.features, self.similarity)

    @cached_property
    def awareness(self) -> Unfairness:
        """Violations by the scores, measured once for intervals of any level."""
        return measure_awareness(self.scores, self.features, self.similarity)


@dataclass(frozen=True, eq=False)
class SimilarRows:
    """Rows to be compared: coordinates under the declared distance, and what was left out."""

    positions: npt.NDArray[np.intp]
    coordinates: Figures
    left_out: dict[str, int]


def place_rows(features: pd.DataFrame, known: npt.NDArray[np.bool_], spec: SimilaritySpec) -> SimilarRows:
    """Place the rows that are ``known``, shape (rows,), in the space of the declared distance, or a draw of them."""
    absent = [column for column in spec.columns if column not in features.columns]
    if absent:
        raise SimilarityError(
            f"The distance is declared on columns that were not handed in: {', '.join(absent)}.",
            where="fairness.similarity.columns",
            example=f"there are: {', '.join(map(str, features.columns)) or 'none'}",
            remedy="Hand in the similarity columns beside the audited ones, or declare the distance on others.",
        )
    chosen = features[list(spec.columns)]
    complete = chosen.notna().all(axis=1).to_numpy()
    left_out = {MISSING_FEATURE: int(np.count_nonzero(known & ~complete))}
    positions = np.flatnonzero(known & complete)
    if len(positions) > spec.max_rows:
        left_out[NOT_DRAWN] = len(positions) - spec.max_rows
        drawn = np.random.default_rng(spec.seed).choice(positions, spec.max_rows, replace=False)
        positions = np.sort(drawn)
    blocks = [_coordinates(chosen[column].iloc[positions], spec) for column in spec.columns]
    return SimilarRows(positions, np.column_stack(blocks), {why: n for why, n in left_out.items() if n})


def consistency(values: Figures, rows: SimilarRows, spec: SimilaritySpec) -> tuple[float, float]:
    """Compare each row's value with the mean of its k nearest neighbours (Zemel et al. 2013, eq. 11).

    Returns 1 - mean |f(x) - mean of f over the neighbours| for values in [0, 1], shape (n,), n > k + 1, a row not being
    its own neighbour, and its jackknife standard error. Ties in the distance are broken in the same way each time.
    """
    near = _nearest(rows.coordinates, spec, spec.neighbours + 1)
    whole, left = _deviate(values, near)
    n = len(values)
    return 1 - whole, float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()))


def _deviate(values: Figures, near: npt.NDArray[np.intp]) -> tuple[float, Figures]:
    """Return the mean distance of each value from the mean of its neighbours, and the same without each row."""
    n, k = len(values), near.shape[1] - 1
    ordered = values[near]
    total = ordered[:, :k].sum(axis=1)
    own = np.abs(values - total / k)
    # Without one of its neighbours, a row's next nearest takes the place.
    without = np.abs(values[:, None] - (total[:, None] - ordered[:, :k] + ordered[:, k:]) / k)
    change = np.bincount(near[:, :k].ravel(), weights=(without - own[:, None]).ravel(), minlength=n)
    return float(own.mean()), (own.sum() - own + change) / (n - 1)


def violation_rate(values: Figures, rows: SimilarRows, spec: SimilaritySpec) -> float:
    """Return the share of pairs of rows that are treated more differently than they differ (Dwork et al. 2012).

    That is, of the n (n - 1) / 2 pairs those with |f(x) - f(x')| > L d(x, x'), beyond rounding.
    """
    return float(_count_broken(values, rows, spec).sum() / (len(values) * (len(values) - 1)))


def _allowed(rows: SimilarRows, spec: SimilaritySpec) -> Iterator[tuple[slice, Figures]]:
    """Yield pieces of how far the predictions of two rows may lie apart, a trifle more for rounding."""
    for part, distances in _distances(rows.coordinates, spec):
        allowed = spec.lipschitz * distances
        yield part, allowed + 1e-12 * (1 + allowed)


def _count_broken(values: Figures, rows: SimilarRows, spec: SimilaritySpec) -> npt.NDArray[np.int64]:
    """Count the pairs of each row that break the condition, shape (n,)."""
    broken = np.zeros(len(values), dtype=np.int64)
    for part, allowed in _allowed(rows, spec):
        broken[part] = np.count_nonzero(np.abs(values[part, None] - values[None, :]) > allowed, axis=1)
    return broken


def _expect_broken(values: Figures, rows: SimilarRows, spec: SimilaritySpec) -> tuple[Figures, Figures]:
    """Return which share of its pairs each row, and each value, would break if the values were dealt out at random.

    Both of shape (n,), with the same mean: from how often any two rows are allowed, and any two values lie, so far
    apart, counted in 16,384 cells of the range of the values.
    """
    n, top = len(values), float(np.ptp(values)) or 1.0

    def place(apart: Figures) -> npt.NDArray[np.intp]:
        return np.minimum(apart * (_CELLS / top), _CELLS).astype(np.intp)

    def gaps(part: slice) -> npt.NDArray[np.intp]:
        return place(np.abs(values[part, None] - values[None, :]))

    allowed, apart = np.zeros(_CELLS + 1), np.zeros(_CELLS + 1)
    for part, limit in _allowed(rows, spec):
        allowed += np.bincount(place(limit).ravel(), minlength=_CELLS + 1)
        apart += np.bincount(gaps(part).ravel(), minlength=_CELLS + 1)
    itself = np.eye(1, _CELLS + 1)[0] * n  # no row is a pair with itself
    allowed, apart = ((counts - itself) / (n * (n - 1)) for counts in (allowed, apart))
    of_row = 1 - np.cumsum(apart) + apart / 2
    of_value = np.cumsum(allowed) - allowed / 2
    # Equal values break nothing, nor does what may lie further apart than any two values do.
    of_row[0], of_row[-1], of_value[0], of_value[-1] = 1 - apart[0], 0.0, 0.0, 1 - allowed[-1]
    by_row, by_value = np.zeros(n), np.zeros(n)
    for part, limit in _allowed(rows, spec):
        by_row[part] = (of_row[place(limit)].sum(axis=1) - of_row[0]) / (n - 1)
        by_value[part] = of_value[gaps(part)].sum(axis=1) / (n - 1)
    return by_row, by_value


def _against_chance(figure: tuple[float, Figures], chance: tuple[float, Figures]) -> tuple[float, float] | None:
    """Return a figure over that by chance, and how many independent rows it is worth; None where chance gives 0.

    Each comes with what it is without each row, shape (n,).
    """
    (share, left), (expected, left_by_chance) = figure, chance
    if expected <= 0:
        return None
    n, ratios = len(left), left / np.maximum(left_by_chance, np.finfo(float).tiny)
    error = float(np.sqrt((n - 1) / n * ((ratios - ratios.mean()) ** 2).sum())) * expected
    # Nothing varies in a sample without any unfairness: a mean over pairs varies like one over disjoint ones at most.
    return share / expected, share * (1 - share) / error**2 if error > 0 and share > 0 else n / 2


class Unfairness(NamedTuple):
    """A measured metric of individuals, from which an interval of any level follows.

    Attributes:
        share: The figure over that by chance, and how many independent rows it is worth; None where there is none.
        method: How its interval is made, or why there is no figure.
        chance: What the same values give, dealt out at random.
    """

    metric: str
    spec: SimilaritySpec
    rule: str
    rows: SimilarRows
    share: tuple[float, float] | None
    method: str
    chance: float = 1.0


def assess_consistency(
    values: Figures, features: pd.DataFrame, spec: SimilaritySpec, *, level: float
) -> list[Disparity]:
    """Measure as :func:`measure_consistency`, with intervals of a level."""
    return report(measure_consistency(values, features, spec), level)


def measure_consistency(values: Figures, features: pd.DataFrame, spec: SimilaritySpec) -> Unfairness:
    """Measure the inconsistency over that of the same values dealt out at random (difference; ratio: 1 less it).

    Values, nan where missing, that lie outside [0, 1] count by their ranks. No value where there are no more than k + 1
    rows, or where all values are alike.
    """
    rows = place_rows(features, ~np.isnan(values), spec)
    drawn = values[rows.positions]
    rule = f"{_rule(spec)}, {spec.neighbours} nearest neighbours"
    if len(drawn) <= spec.neighbours + 1:
        why = f"{len(drawn)} rows are too few for {spec.neighbours} neighbours"
        return Unfairness("consistency", spec, rule, rows, None, why)
    if drawn.min() < 0 or drawn.max() > 1:
        drawn = (pd.Series(drawn).rank().to_numpy() - 0.5) / len(drawn)
        rule += ", ranks of the predictions"
    near = _nearest(rows.coordinates, spec, spec.neighbours + 1)
    own, generator, dealt = _deviate(drawn, near), np.random.default_rng(spec.seed), []
    for _ in range(_DEALS):
        order = generator.permutation(len(drawn))
        whole, left = _deviate(drawn[order], near)
        dealt.append((whole, left[np.argsort(order)]))  # by the value that is left out
    chance = float(np.mean([whole for whole, _ in dealt])), np.mean([left for _, left in dealt], axis=0)
    rule += f"; consistency of Zemel et al. {1 - own[0]:.3f}, at random {1 - chance[0]:.3f}"
    found = _against_chance(own, chance)
    return Unfairness("consistency", spec, rule, rows, found, JACKKNIFE if found else NO_SPREAD, chance[0])


def assess_awareness(values: Figures, features: pd.DataFrame, spec: SimilaritySpec, *, level: float) -> list[Disparity]:
    """Measure as :func:`measure_awareness`, with intervals of a level."""
    return report(measure_awareness(values, features, spec), level)


def measure_awareness(values: Figures, features: pd.DataFrame, spec: SimilaritySpec) -> Unfairness:
    """Measure the pairs that break the condition over those of the same values dealt out at random.

    As difference; the ratio is 1 less it. No value where none could break it.
    """
    rows = place_rows(features, ~np.isnan(values), spec)
    drawn = values[rows.positions]
    rule, n, name = f"{_rule(spec)}, L = {spec.lipschitz:g}", len(drawn), "fairness_through_awareness"
    if n < 3:  # noqa: PLR2004
        return Unfairness(name, spec, rule, rows, None, f"{n} rows make too few pairs")
    broken, expected = _count_broken(drawn, rows, spec) / (n - 1), _expect_broken(drawn, rows, spec)
    own, chance = float(broken.mean()), float(expected[0].mean())
    without = [(n * of.mean() - 2 * of) / (n - 2) for of in (broken, *expected)]
    rule += f"; {own:.2%} of all pairs break it, at random {chance:.2%}"
    found = _against_chance((own, without[0]), (chance, without[1] + without[2] - chance))
    return Unfairness(name, spec, rule, rows, found, JACKKNIFE if found else TOO_LAX, chance)


def report(measured: Unfairness, level: float) -> list[Disparity]:
    """Report unfairness over that by chance, and 1 less it, with intervals of a level."""
    metric, spec, rule, rows, found, method, chance = measured
    n, why = len(rows.positions), method if found is None else ""
    unfair = Comparison(how="none", note=why)
    if found is not None:
        share = min(found[0] * chance, 1.0)
        (ends,) = proportion_intervals(np.array([share * found[1]]), np.array([found[1]]), level)
        low, high = (float(end) / chance for end in (ends.lower or 0.0, 1.0 if ends.upper is None else ends.upper))
        unfair = Comparison(value=found[0], lower=low, upper=high, how=method)
    fair = unfair.model_copy(
        update={"value": _rest(unfair.value), "lower": _rest(unfair.upper), "upper": _rest(unfair.lower)}
    )
    of_kind: dict[DisparityKind, Comparison] = {"difference": unfair, "ratio": fair}
    return [
        Disparity(
            **outcome.model_dump(exclude={"level", "n"}),
            metric=metric,
            column=", ".join(spec.columns),
            kind=kind,
            level=level,
            groups=(GroupFigure.make(ALL, metric.replace("_", " "), n, outcome.value, ends),),
            rule=rule,
            n=n,
            not_assessed=(f"{ALL}: {why}",) if why else (),
            left_out=rows.left_out,
        )
        for kind, outcome in of_kind.items()
        for ends in [make_interval(outcome.lower, outcome.upper, "", why)]
    ]


def _rest(share: float | None) -> float | None:
    return None if share is None else max(1 - share, 0.0)


def _rule(spec: SimilaritySpec) -> str:
    return f"{spec.distance} distance on {', '.join(spec.columns)} (scaling: {spec.scaling})"


def _coordinates(values: pd.Series[Any], spec: SimilaritySpec) -> Figures:
    if types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype):
        numbers = values.to_numpy(dtype=float)
        if spec.scaling == "none" or not len(numbers):
            return numbers
        unit = float(numbers.std() if spec.scaling == "standard" else np.ptp(numbers))
        return numbers / (unit or 1.0)
    codes, different = pd.factorize(values)
    if len(different) > MAX_CATEGORIES:
        raise SimilarityError(
            f"The similarity column {values.name!r} has {len(different)} different values, too many for a category.",
            where="fairness.similarity.columns",
            example=repr(different[0]),
            remedy="Leave out a column that names each row, or hand in a number or a coarser category.",
        )
    # Two different categories differ in two coordinates, which together are to make a distance of 1.
    size = np.sqrt(0.5) if spec.distance == "euclidean" else 0.5
    marks: Figures = np.eye(len(different))[codes] * size
    return marks


def _distances(coordinates: Figures, spec: SimilaritySpec) -> Any:
    """Yield pieces of the distance matrix: the slice of rows, and their distances to all rows."""
    from scipy.spatial.distance import cdist

    n = len(coordinates)
    step = max(1, _CHUNK_CELLS // n)
    metric = "euclidean" if spec.distance == "euclidean" else "cityblock"
    for start in range(0, n, step):
        part = slice(start, min(start + step, n))
        yield part, cdist(coordinates[part], coordinates, metric)


def _nearest(coordinates: Figures, spec: SimilaritySpec, count: int) -> npt.NDArray[np.intp]:
    """Return the ``count`` nearest other rows of each row, nearest first, shape (n, count)."""
    found = []
    for part, distances in _distances(coordinates, spec):
        here = np.arange(part.start, part.stop)
        distances[np.arange(len(here)), here] = np.inf
        near = np.argpartition(distances, count - 1, axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(distances, near, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(near, order, axis=1))
    return np.concatenate(found)
