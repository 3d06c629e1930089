"""Weighted sums of cells by unit and group: what a table holds beside its counts where rows are not independent.

Sums of a unit add up over batches also where it has rows in several. Stored, they are those of 256 random groups of
units, by a hash of the unit, so that it is in the same one in every batch. Their variance estimates the same (method of
random groups: Wolter 2007, *Introduction to Variance Estimation*, chapter 2), and no unit is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.intervals import Sampling, UnitRatio, measure_ratio

RANDOM_GROUPS = 256

Figures = npt.NDArray[np.float64]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class UnitSums:
    """Sums of P pairs of unit and group, as N single values.

    Attributes:
        keys: Unit of each pair, shape (P,).
        group: Position of its group, shape (P,).
        pair: Pair that a value belongs to, shape (N,).
        cell: Cell that it belongs to, shape (N,).
        value: The value times the weight of its row, shape (N,).
        row_cells: So many first cells count rows; those after them sum values.
    """

    keys: npt.NDArray[np.uint64]
    group: Positions
    pair: Positions
    cell: Positions
    value: Figures
    row_cells: int

    def measure(self, top: Mapping[int, float], bottom: Mapping[int, float], groups: int) -> UnitRatio:
        """Measure the ratio of two sums of cells, each by its factor, in each of so many groups."""
        return measure_ratio(self.add_up(top), self.add_up(bottom), self.group, groups)

    def add_up(self, factors: Mapping[int, float]) -> Figures:
        """Return the sum of some cells, each times a factor, of each pair, shape (P,)."""
        of_cell = np.zeros(max(int(self.cell.max(initial=0)), *factors, 0) + 1)
        of_cell[list(factors)] = list(factors.values())
        return np.bincount(self.pair, weights=self.value * of_cell[self.cell], minlength=len(self.keys)).astype(float)

    def count(self, groups: int) -> Figures:
        """Return the weights of the rows of each group together, shape (G,)."""
        rows = self.add_up(dict.fromkeys(range(self.row_cells), 1.0))
        return np.bincount(self.group, weights=rows, minlength=groups).astype(float)

    def select(self, first: int, cells: int) -> UnitSums:
        """Return the sums of so many cells alone, which become the first ones."""
        kept = (self.cell >= first) & (self.cell < first + cells)
        return replace(self, pair=self.pair[kept], cell=self.cell[kept] - first, value=self.value[kept])

    def standardise(self, rows: npt.NDArray[Any], tail: float) -> tuple[Figures, Figures, float]:
        """Return favourable predictions and rows by stratum and group, weighted, and what a row is worth at a tail.

        The cells are those of a confusion matrix in each stratum; ``rows`` as they are, shape (S, G). The worth is the
        smallest of any group, for its rate standardised to the strata's shares of all rows.
        """
        strata, groups = rows.shape
        size, shape = len(self.keys) * strata, (strata, len(self.keys))
        at = self.cell // 4 * len(self.keys) + self.pair
        chosen = np.bincount(at, weights=self.value * (self.cell % 2), minlength=size).reshape(shape)
        there = np.bincount(at, weights=self.value, minlength=size).reshape(shape)
        selected, weighted = (
            np.stack([np.bincount(self.group, weights=one, minlength=groups).astype(float) for one in part])
            for part in (chosen, there)
        )
        present = np.where(weighted > 0, weighted, np.nan)
        rate, share = np.nan_to_num(selected / present), (weighted > 0) * weighted.sum(axis=1, keepdims=True)
        share = share / np.maximum(share.sum(axis=0), np.finfo(float).tiny)
        residual = (np.nan_to_num(share / present)[:, self.group] * (chosen - rate[:, self.group] * there)).sum(axis=0)
        independent = np.nan_to_num(share**2 * rate * (1 - rate) / np.where(rows > 0, rows, np.nan)).sum(axis=0)
        ratio = measure_ratio(chosen.sum(axis=0), there.sum(axis=0), self.group, groups)
        return selected, weighted, ratio.find_worth(residual, independent, self.group, rows.sum(axis=0), tail)

    def weigh(self, weight: Figures) -> UnitSums:
        """Let each row of a group count so many times more; weights of shape (G,)."""
        return replace(self, value=self.value * weight[self.group[self.pair]])

    def regroup(self, positions: Sequence[int]) -> UnitSums:
        """Give the groups other positions."""
        return replace(self, group=np.asarray(positions, dtype=np.intp)[self.group])

    def __add__(self, other: UnitSums) -> UnitSums:
        keys, group, value, cell = (
            np.concatenate([getattr(one, name) for one in (self, other)]) for name in ("keys", "group", "value", "cell")
        )
        pair = np.concatenate([self.pair, other.pair + len(self.keys)])
        return _make(keys[pair], group[pair], cell, value, self.row_cells)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, of random groups of units."""
        bucket = (self.keys % RANDOM_GROUPS)[self.pair]
        folded = _make(bucket, self.group[self.pair], self.cell, self.value, self.row_cells)
        cells = int(folded.cell.max(initial=0)) + 1
        places, which = np.unique(folded.pair * cells + folded.cell, return_inverse=True)
        return {
            "keys": folded.keys.tolist(),
            "group": folded.group.tolist(),
            "pair": (places // cells).tolist(),
            "cell": (places % cells).tolist(),
            "value": np.bincount(which, weights=folded.value, minlength=len(places)).tolist(),
            "row_cells": folded.row_cells,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> UnitSums:
        """Rebuild the sums from :meth:`to_dict`."""
        pair, cell, group = (np.array(plain[name], dtype=np.intp) for name in ("pair", "cell", "group"))
        keys, value = np.array(plain["keys"], dtype=np.uint64), np.array(plain["value"], dtype=float)
        return cls(keys, group, pair, cell, value, plain["row_cells"])


def gather(rows: Sequence[tuple[Sampling, npt.NDArray[Any], npt.NDArray[Any], Figures]], row_cells: int) -> UnitSums:
    """Sum by unit and group what rows add to cells: sampling, group (n,), cells and values (n, values a row)."""
    if not rows:
        nothing = np.zeros(0, dtype=np.intp)
        return UnitSums(nothing.astype(np.uint64), nothing, nothing, nothing, nothing.astype(float), row_cells)
    parts = []
    for sampled, group, cells, values in rows:
        each = cells.shape[1]
        weighted = values * sampled.weights[:, None]
        parts.append((sampled.units.repeat(each), group.repeat(each), cells.ravel(), weighted.ravel()))
    keys, groups, cell, value = (np.concatenate(part) for part in zip(*parts, strict=True))
    return _make(keys, groups.astype(np.intp), cell.astype(np.intp), value, row_cells)


def _make(keys: npt.NDArray[np.uint64], group: Positions, cell: Positions, value: Figures, row_cells: int) -> UnitSums:
    """Make the sums of single values, each with its unit and group; all of shape (N,)."""
    of_unit, units = pd.factorize(keys)
    groups = int(group.max(initial=0)) + 1
    pair, pairs = pd.factorize(of_unit * groups + group)
    return UnitSums(units[pairs // groups], pairs % groups, pair, cell, value, row_cells)
