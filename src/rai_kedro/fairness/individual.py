"""Individual fairness: are similar people treated alike, under a distance that somebody has declared?

Distances are computed in chunks on at most :attr:`SimilaritySpec.max_rows` rows, drawn at random, so that memory
stays bounded whatever the size of the data; the rows that were not drawn are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

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
_CHUNK_CELLS = 1 << 21

CONSISTENCY_METHOD = (
    "score interval with the effective number of rows from the delete-one jackknife, which errs on the wide side "
    "(Efron & Stein 1981); neighbours are recomputed for each deletion"
)
LIPSCHITZ_METHOD = (
    "score interval with half as many trials as rows: a mean over all pairs varies at most as much as one over "
    "disjoint pairs (Hoeffding 1963, section 5)"
)


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
    level: float


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
    k, n = spec.neighbours, len(values)
    near = _nearest(rows.coordinates, spec, k + 1)
    ordered = values[near]
    total = ordered[:, :k].sum(axis=1)
    own = 1 - np.abs(values - total / k)
    # Without one of its neighbours, a row's next nearest takes the place.
    without = 1 - np.abs(values[:, None] - (total[:, None] - ordered[:, :k] + ordered[:, k:]) / k)
    change = np.bincount(near[:, :k].ravel(), weights=(without - own[:, None]).ravel(), minlength=n)
    left = (own.sum() - own + change) / (n - 1)
    return float(own.mean()), float(np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum()))


def violation_rate(values: Figures, rows: SimilarRows, spec: SimilaritySpec) -> float:
    """Return the share of pairs of rows that are treated more differently than they differ (Dwork et al. 2012).

    That is, of the n (n - 1) / 2 pairs those with |f(x) - f(x')| > L d(x, x'), beyond rounding.
    """
    n = len(values)
    broken = 0
    for part, distances in _distances(rows.coordinates, spec):
        allowed = spec.lipschitz * distances
        allowed += 1e-12 * (1 + allowed)
        broken += int(np.count_nonzero(np.abs(values[part, None] - values[None, :]) > allowed))
    return broken / (n * (n - 1))


def assess_consistency(
    values: Figures, features: pd.DataFrame, spec: SimilaritySpec, *, level: float
) -> list[Disparity]:
    """Measure the consistency, as ratio (1: neighbours are treated alike) and as difference (1 - ratio).

    Values, nan where missing, that lie outside [0, 1] are divided by their range on the rows drawn. No value where
    there are no more than k + 1 rows.
    """
    rows = place_rows(features, ~np.isnan(values), spec)
    drawn = values[rows.positions]
    rule = f"{_rule(spec)}, {spec.neighbours} nearest neighbours"
    if len(drawn) <= spec.neighbours + 1:
        why = f"{len(drawn)} rows are too few for {spec.neighbours} neighbours"
        return _report("consistency", None, (spec, rule, level), rows, why)
    if drawn.min() < 0 or drawn.max() > 1:
        drawn = (drawn - drawn.min()) / (float(np.ptp(drawn)) or 1.0)
        rule += ", predictions divided by their range"
    value, error = consistency(drawn, rows, spec)
    share = 1 - value
    # Nothing varies in a sample without any inconsistency; then each row counts with its neighbours as one.
    effective = share * (1 - share) / error**2 if error > 0 else len(drawn) / (spec.neighbours + 1)
    return _report("consistency", (share, effective), (spec, rule, level), rows, CONSISTENCY_METHOD)


def assess_awareness(values: Figures, features: pd.DataFrame, spec: SimilaritySpec, *, level: float) -> list[Disparity]:
    """Measure fairness through awareness, as violation rate (difference) and as share of pairs in order (ratio)."""
    rows = place_rows(features, ~np.isnan(values), spec)
    drawn = values[rows.positions]
    settings = (spec, f"{_rule(spec)}, L = {spec.lipschitz:g}", level)
    if len(drawn) < 2:  # noqa: PLR2004
        return _report("fairness_through_awareness", None, settings, rows, f"{len(drawn)} rows make no pair")
    share = violation_rate(drawn, rows, spec)
    return _report("fairness_through_awareness", (share, len(drawn) // 2), settings, rows, LIPSCHITZ_METHOD)


def _report(
    metric: str,
    share: tuple[float, float] | None,
    settings: tuple[SimilaritySpec, str, float],
    rows: SimilarRows,
    method: str,
) -> list[Disparity]:
    """Report a share of unfairness with its effective number of trials; without one, ``method`` says why."""
    spec, rule, level = settings
    n, why = len(rows.positions), method if share is None else ""
    unfair = Comparison(how="none", note=why)
    if share is not None:
        (found,) = proportion_intervals(np.array([share[0] * share[1]]), np.array([share[1]]), level)
        unfair = Comparison(value=share[0], lower=found.lower, upper=found.upper, how=method)
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
    return None if share is None else 1 - share


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
