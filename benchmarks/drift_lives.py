"""Lives of a model version drawn as counts: no row is made, so 60 months of 100,000 rows take as long as 60 of 500.

What a column's events count is multinomial, given where the reference's quantiles lie in the population; those are
ordered uniforms, drawn as sums of gamma spacings. Limits and tails are the project's own; limits whose outcome is known
without are left out (a lower limit never exceeds its effect, an upper never falls below it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any, Literal, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from rai_kedro.intervals import hybrid_difference, pair_mask, proportion_limits
from rai_kedro.monitoring import Looks

Floats = NDArray[np.float64]
Values = Literal["continuous", "tied", "zero-inflated", "Zipf"]
MARGIN, RATE, MONTHS, CUTS = 0.1, 0.05, 60, 31
_RANKS = np.arange(1, CUTS + 1) / (CUTS + 1)
_LEVELS, _FREQUENT, _GROUPS = 200, 0.05, 32


@dataclass(frozen=True)
class Setting:
    """One simulation: rows of reference and months alike, columns, the kind of their values, and the truth."""

    rows: int
    columns: int
    values: Values
    at_margin: bool = False

    @classmethod
    def all(cls) -> Iterator[Setting]:
        """List every setting of the benchmark."""
        kinds: tuple[Values, ...] = ("continuous", "tied", "zero-inflated", "Zipf")
        for at_margin, rows, columns, values in product((True, False), (500, 5_000, 100_000), (5, 40), kinds):
            yield cls(rows, columns, values, at_margin)


class Wrong(NamedTuple):
    """Lives in which anything was wrongly called drift, and column-lives wrongly called free of it at the margin."""

    drift: int
    excluded: int | None


def simulate_lives(setting: Setting, lives: int, seed: int) -> Wrong:
    """Count lives with a wrong verdict; each column's true effect is 0, or exactly the margin at every month."""
    rng, looks = np.random.default_rng(seed), Looks(planned=MONTHS)
    rates = [looks.rate_of(look, RATE) for look in range(1, MONTHS + 1)]
    comparisons = setting.columns * (3 if setting.values == "Zipf" else 2)
    drift = excluded = 0
    for _ in range(lives):
        wrong = False
        for _ in range(setting.columns):
            reference, current = draw_column(setting, rng)
            effects = np.abs(current - reference) / setting.rows
            wrong |= _any_drift(
                reference, current, effects, setting.rows, rates[0] / (2 * comparisons * len(reference))
            )
            if setting.at_margin:
                excluded += _any_excluded(reference, current, effects, setting.rows, rates[0])
        drift += wrong
    return Wrong(drift, excluded if setting.at_margin else None)


def draw_column(setting: Setting, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw a reference and 60 months as counts of the column's events, shapes (J,) and (MONTHS, J)."""
    if setting.values == "continuous":
        return _continuous(setting, rng)
    cells = _POPULATIONS[setting.values]
    shifted = _shift_cells(cells) if setting.at_margin else cells
    before, after = rng.multinomial(setting.rows, cells), rng.multinomial(setting.rows, shifted, size=MONTHS)
    events = _level_events(before) if setting.values == "Zipf" else _number_events(before)
    return before @ events, after @ events


def _continuous(setting: Setting, rng: np.random.Generator) -> tuple[Floats, Floats]:
    ranks = np.ceil(_RANKS * setting.rows)
    spacings = rng.gamma(np.diff([0, *ranks, setting.rows + 1]))
    below = (np.cumsum(spacings) / spacings.sum())[:-1]
    # At the margin: over the middle of the population it is exceeded nowhere and reached everywhere.
    moved = below - MARGIN * np.minimum(1, np.minimum(below, 1 - below) / 0.3) if setting.at_margin else below
    cells = np.diff(np.concatenate([[0], moved, [1]]))
    return ranks, np.cumsum(rng.multinomial(setting.rows, cells, size=MONTHS), axis=1)[:, :-1]


def _number_events(before: NDArray[np.int64]) -> Floats:
    """Return which cells, numbers in order, belong to which event of a reference: at or below a cut, equal an atom."""
    passed = np.cumsum(before)
    cuts = np.unique(np.searchsorted(passed, np.ceil(_RANKS * passed[-1])))
    positions = np.arange(len(before))
    atoms = positions[(before >= _FREQUENT * passed[-1]) & (before > 1)]
    return np.column_stack([positions[:, None] <= cuts, positions[:, None] == atoms]).astype(float)


def _level_events(before: NDArray[np.int64]) -> Floats:
    positions = np.arange(len(before))
    frequent = positions[before >= _FREQUENT * before.sum()]
    groups = np.array([crc32(f"level {position}".encode()) % _GROUPS for position in positions])
    return np.column_stack([positions[:, None] == frequent, groups[:, None] == np.arange(_GROUPS)]).astype(float)


def _shift_cells(cells: Floats) -> Floats:
    """Move the margin from the most common value to the others: one event lies exactly there."""
    top = int(cells.argmax())
    others = np.delete(cells, top)
    return np.insert(others * (1 + MARGIN / others.sum()), top, cells[top] - MARGIN)


def _populations() -> dict[str, Floats]:
    tied = np.full(10, 0.05)
    tied[3:6] = 0.3, 0.2, 0.15
    inflated = np.full(101, 0.3 / 100)
    inflated[50] = 0.7
    zipf = 1 / np.arange(1, _LEVELS + 1) ** 1.2
    return {"tied": tied / tied.sum(), "zero-inflated": inflated, "Zipf": zipf / zipf.sum()}


_POPULATIONS = _populations()


def limit_effects(before: Any, after: Any, rows: int, tail: float, *, sign: int) -> Floats:
    """Return one limit of |difference of shares| of each event, as :func:`difference_limits` makes it of all.

    The limits of a share depend on its count, the rows and the tail alone, so they are looked up.
    """
    low, high = _limits_of_shares(rows, tail)
    counts = np.stack(np.broadcast_arrays(before, after), axis=-1).astype(int)
    return hybrid_difference(counts / rows, low[counts], high[counts], sign=sign)[..., *_OFF_DIAGONAL].max(axis=-1)


_OFF_DIAGONAL = np.nonzero(pair_mask(2))


@cache
def _limits_of_shares(rows: int, tail: float) -> tuple[Floats, Floats]:
    return proportion_limits(np.arange(rows + 1.0), np.full(rows + 1, float(rows)), tail)


def _any_drift(reference: Floats, current: Floats, effects: Floats, rows: int, tail: float) -> bool:
    months, events = np.nonzero(effects > MARGIN)
    return bool((limit_effects(reference[events], current[months, events], rows, tail, sign=-1) > MARGIN).any())


def _any_excluded(reference: Floats, current: Floats, effects: Floats, rows: int, tail: float) -> bool:
    months = effects.max(axis=1) < MARGIN
    return bool((limit_effects(reference, current[months], rows, tail, sign=1).max(axis=1) < MARGIN).any())
