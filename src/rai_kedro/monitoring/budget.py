"""One error budget for the whole life of a model version, however often its months are looked at.

A *look* is a scored month, counted from 1 for each version. Two questions are asked of the looks:

* of each month by itself (:meth:`Looks.rate_of`): the budget is split over the looks, so the probability of any error
  in the life of the version is at most the budget whatever the dependence of the months (union bound). They do depend
  on each other: the reference they are compared with is the same.
* of all rows so far (:meth:`Looks.level_of_cumulated`): what a cumulated figure did at one look it nearly does at the
  next, and that is used: the intervals of all looks hold together and are shorter than a split budget would make them.
Labels that come in parts are no further looks: a month spends its part as its labels come (:meth:`Looks.part_of`), so
that all its measurements together are wrong as rarely as one. A month scored again by another version takes the part of
its place in the order, which may be spent already.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from rai_kedro.errors import RaiError
from rai_kedro.typed import Typed

Spending = Literal["uniform", "obrien_fleming", "endless"]

_LARGEST_Z = 8.0
# Fewer new rows than this share of all so far and the step is too short for the numerical integration.
_LEAST_STEP = 2e-4


class Looks(Typed):
    """How the error budget of a version is spent over its months.

    Attributes:
        spending: ``uniform``: the same at each planned look. ``obrien_fleming``: next to nothing at first and most at
            the end (Lan and DeMets 1983). ``endless``: 1 / (k (k + 1)) of it at look k, without an end.
        planned: Looks that share the budget; after them nothing is left. ``endless`` only takes from it for how many
            looks its intervals of cumulated rows are tuned.
    """

    spending: Spending = "uniform"
    planned: int = Field(default=60, ge=1, le=600)

    def rate_of(self, look: int, rate: float) -> float:
        """Return what a look, counted from 1, may spend of ``rate``; 0 once all is spent."""
        _check(look, rate)
        return self._spent(look, rate) - self._spent(look - 1, rate)

    def part_of(self, rate: float, labelled: Sequence[int], rows: int) -> float:
        """Return the part of a month's rate that the newest of several measurements may spend.

        The rate is spent in proportion to the rows that have a label (Lan and DeMets 1983), so that a month whose
        labels came at once has all of it. Labels are taken to come in no order that has to do with errors.

        Args:
            rate: What may be spent in one direction; a larger one may use the same part.
            labelled: Rows with a label at each measurement, ascending.
            rows: All rows of the month.
        """
        from scipy import special

        spent = tuple(2 * rate * min(1.0, n / rows) for n in labelled)
        (*_, boundary) = _spending_boundaries(tuple(map(float, labelled)), spent)
        return min(1.0, float(special.ndtr(-boundary)) / rate)

    def level_of_cumulated(self, rows: Sequence[float], rate: float, looks: Sequence[float] | None = None) -> float:
        """Return the last of :meth:`levels_of_cumulated`."""
        return self.levels_of_cumulated(rows, rate, looks)[-1]

    def levels_of_cumulated(
        self, rows: Sequence[float], rate: float, looks: Sequence[float] | None = None
    ) -> tuple[float, ...]:
        """Return the two-sided level of the interval on all rows so far at each look, so that all hold together.

        The boundaries are those of Lan and DeMets (1983; 1989 for spending by calendar), integrated with the true
        correlation of the looks, sqrt(n_j / n_k) (Armitage, McPherson and Rowe 1969); ``endless`` takes Robbins' (1970)
        normal mixture, which holds at all times (Howard et al. 2021; for estimates that are normal in the limit
        Waudby-Smith et al. 2024). A level does not depend on later looks.

        Args:
            rows: Rows cumulated at looks 1, 2, …; a month without rows repeats the number before it.
            rate: The budget: probability that the interval of any look misses, at most.
            looks: Number of each look, 1, 2, … if not said; 2.4 where 40 % of the labels of look 3 have come.

        Returns:
            The levels for normal intervals; 1 if nothing is left to spend or there are no rows: then there is none.
        """
        _check(len(rows), rate)
        if any(later < earlier for earlier, later in pairwise(rows)) or min(rows) < 0:
            raise RaiError(
                "Cumulated rows cannot become fewer.",
                where="rows",
                example=str(list(rows)[:6]),
                remedy="give all rows up to each look",
            )
        information = tuple(float(n) for n in rows)
        if self.spending == "endless":
            found = _mixture_boundaries(information, rate, self.planned)
        else:
            planned = [look for look in looks or range(1, len(rows) + 1) if look <= self.planned]
            spent = tuple(self._spent(look, rate) for look in planned)
            found = _spending_boundaries(information[: len(spent)], spent)
        # Beyond 8 standard errors a level is 1 in floating point; what is spent there in vain is 1e-15.
        levels = [
            math.erf(min(z, _LARGEST_Z) / math.sqrt(2)) if n > 0 else 1.0 for z, n in zip(found, rows, strict=False)
        ]
        return (*levels, *[1.0] * (len(rows) - len(levels)))

    def _spent(self, look: float, rate: float) -> float:
        """Return what all looks up to this one may have spent together."""
        from scipy import special

        if self.spending == "endless":
            return rate * look / (look + 1)
        share = min(look, self.planned) / self.planned
        if self.spending == "uniform" or share in {0, 1}:
            return rate * share
        return float(4 * special.ndtr(special.ndtri(rate / 4) / math.sqrt(share)))


def _check(look: int, rate: float) -> None:
    if look < 1 or not 0 < rate < 1:
        raise RaiError(
            "A look is counted from 1, and its error budget is a probability.",
            example=f"look {look}, rate {rate}",
            remedy="count the scored months of a model version from 1, and give a rate between 0 and 1",
        )


def _mixture_boundaries(rows: tuple[float, ...], rate: float, planned: int) -> tuple[float, ...]:
    """Robbins' boundary in standard errors, tuned to be shortest at sqrt(planned) times the first look's rows.

    The boundary is nearly as short up to ten times before and after what it is tuned for, so the middle (on a log
    scale) of the planned looks serves them all.
    """
    from scipy import special

    first = next((n for n in rows if n > 0), 1.0)
    tuned = first * math.sqrt(planned) / (-float(special.lambertw(-(rate**2) / math.e, -1).real) - 1)
    return tuple(
        math.sqrt((1 + tuned / n) * math.log((n + tuned) / (tuned * rate**2))) if n > 0 else _LARGEST_Z for n in rows
    )


@lru_cache(maxsize=128)
def _spending_boundaries(rows: tuple[float, ...], spent: tuple[float, ...]) -> tuple[float, ...]:
    """Return the boundary of each look in standard errors, by recursive integration over the looks before."""
    points, density = np.zeros(1), np.ones(1)
    before = paid = last = 0.0
    found: list[float] = []
    for n, allowed in zip(rows, spent, strict=True):
        if n == last:
            found.append(found[-1] if found else _LARGEST_Z)  # nothing new: what was not spent waits for the next look
            continue
        if n - before <= _LEAST_STEP * n:
            # Too few new rows to integrate over: this look takes its part of the budget as if it stood alone.
            found.append(_boundary_alone(allowed - paid))
        else:
            step = math.sqrt(n - before)
            bound = _solve(points, density, step, allowed - paid)
            nodes, weights = _nodes(bound, step)
            kernel = np.exp(-(((nodes[:, None] - points[None, :]) / step) ** 2) / 2) / (step * math.sqrt(2 * math.pi))
            points, density, before = nodes, (kernel @ density) * weights, n
            found.append(bound / math.sqrt(n))
        paid, last = allowed, n
    return tuple(found)


def _boundary_alone(rate: float) -> float:
    from scipy import special

    return float(-special.ndtri(rate / 2)) if rate > 0 else _LARGEST_Z


def _solve(points: NDArray[np.float64], density: NDArray[np.float64], step: float, rate: float) -> float:
    """Return the sum beyond which those still within lie with probability ``rate`` after one more step."""
    from scipy import special

    low, high = 0.0, float(np.abs(points).max()) + 40 * step
    for _ in range(50):
        middle = (low + high) / 2
        tails = special.ndtr((points - middle) / step) + special.ndtr((-points - middle) / step)
        low, high = (middle, high) if float(tails @ density) > rate else (low, middle)
    return high


def _nodes(bound: float, step: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = _legendre(int(min(1600, max(48, 24 * math.ceil(bound / step / 8)))))
    return nodes * bound, weights * bound


@lru_cache(maxsize=32)
def _legendre(count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return nodes, weights
