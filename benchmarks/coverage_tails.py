"""Simulated gaps in MAE and RMSE, and the figures themselves, where errors have heavy tails: before the guards and now.

A guard either keeps the lower limit at 0, or leaves the upper end open; an open end counts as holding, and the share of
intervals with both ends stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any
from unittest.mock import patch

import numpy as np

from coverage_cells import LEAST, LEVEL, SEED
from rai_kedro.intervals import error_sizes

LAYOUTS = ((50,) * 6, (50, 50), (15, 15), (200,) * 3, (50, 2_000))
TAILS = ("normal", "exponential", "t, 5", "t, 3", "lognormal", "1 % gross, x10", "1 % gross, x100", "5 % gross, x10")
SEEN = tuple(kind for kind in TAILS if "gross" not in kind)
"""Errors whose tail every few dozen rows show; a gross one may be in no row at all."""


@dataclass(frozen=True)
class Tailed:
    """One row of the table: shares of intervals that held, before and now; of lower limits above a true gap of 0."""

    errors: str
    rows: str
    gap: float
    metric: str
    before: float
    now: float
    wrong_before: float
    wrong: float
    given: float
    width: tuple[float, float]

    def __str__(self) -> str:
        wrong = f"{self.wrong_before:.1%} | {self.wrong:.1%}"
        width = f"{self.width[0]:.2f} | {self.width[1]:.2f}"
        held = f"{self.before:.1%} | {self.now:.1%}"
        key = f"{self.errors} | {self.rows} | {self.gap:g} | {self.metric}"
        return f"| {key} | {held} | {wrong} | {self.given:.0%} | {width} |"


def draw_errors(kind: str, shape: tuple[int, int], generator: np.random.Generator) -> tuple[np.ndarray, float, float]:
    """Draw errors, and say their true MAE and RMSE."""
    normal = generator.standard_normal(shape)
    if "gross" in kind:
        share, size = (float(part.split()[0].lstrip("x")) for part in kind.split(", "))
        share /= 100
        large = generator.random(shape) < share
        return (
            normal * np.where(large, size, 1),
            np.sqrt(2 / np.pi) * (1 - share + share * size),
            np.sqrt(1 - share + share * size**2),
        )
    if kind == "exponential":
        return generator.standard_exponential(shape) - 1, 2 / np.e, 1.0
    if kind == "lognormal":
        return np.exp(normal), np.exp(0.5), np.e
    if kind == "normal":
        return normal, np.sqrt(2 / np.pi), 1.0
    freedom = int(kind[-1])
    absolute = {3: 2 * np.sqrt(3) / np.pi, 5: 0.7351050 * np.sqrt(5 / 3)}[freedom]
    return generator.standard_t(freedom, shape), absolute, np.sqrt(freedom / (freedom - 2))


def tailed_cells(
    runs: int, kinds: tuple[str, ...] = TAILS, layouts: Any = LAYOUTS, gaps: tuple[float, ...] = (0.0, 0.5)
) -> Iterator[Tailed]:
    """Simulate gaps between groups whose errors differ in size only; the gap in units of the first group's figure."""
    generator = np.random.default_rng(SEED + 30)
    for kind, layout, gap in product(kinds, layouts, gaps):
        drawn = []
        for rows, scale in zip(layout, np.linspace(1, 1 + gap, len(layout)), strict=True):
            errors, mae, rmse = draw_errors(kind, (runs, rows), generator)
            looks = ((np.abs(errors) / mae * scale), (errors / rmse * scale) ** 2)
            drawn.append([(part.mean(1), part.var(1, ddof=1)) for part in looks])
        for at, metric in enumerate(("MAE", "RMSE")):
            moments = np.array([group[at] for group in drawn]).transpose(1, 2, 0)
            counted = np.broadcast_to(np.array(layout, dtype=float), moments[0].shape)
            limits = [_limits(counted, moments, root=metric == "RMSE", guarded=guarded) for guarded in (False, True)]
            name = f"{len(layout)} x {layout[0]}" if len(set(layout)) == 1 else " and ".join(map(str, layout))
            yield _tailed((kind, name, gap, metric), limits)


def _limits(rows: np.ndarray, moments: np.ndarray, *, root: bool, guarded: bool) -> Any:
    if guarded:
        return error_sizes.difference_bounds(rows, *moments, LEVEL, root=root, reference=None)
    unguarded = {"LEAST_WORTH": 0, "_stand_apart": lambda *_: np.True_}
    with patch.multiple(error_sizes, **unguarded):
        return error_sizes.difference_bounds(rows, *moments, LEVEL, root=root, reference=None)


def _tailed(key: tuple[str, str, float, str], limits: list[Any]) -> Tailed:
    gap, given = key[2], np.isfinite(limits[1][1])
    holds = [float(np.mean((low <= gap) & (gap <= high))) for low, high in limits]
    wrong = [float(np.mean(low > gap)) for low, _ in limits]
    wide = [float((high - low)[given].mean()) if given.any() else np.nan for low, high in limits]
    return Tailed(*key, *holds, *wrong, float(given.mean()), (wide[0], wide[1]))


def print_tails(cells: list[Tailed]) -> None:
    """Print the table."""
    print(
        "\n| errors | rows | gap | figure | held before | held now | lower limit too high before | now "
        "| both ends given | mean width of these before | now |\n|---|---|---|---|---|---|---|---|---|---|---|"
    )
    for cell in cells:
        print(cell)


def broken_tails(cells: list[Tailed], runs: int) -> list[str]:
    """Return the cells under 93 % whose errors show their tail, and those that claim too many gaps."""
    allowance = 2 * np.sqrt(LEAST * (1 - LEAST) / runs)
    least = LEAST - allowance
    return [str(cell) for cell in cells if (cell.errors in SEEN and cell.now < least) or 1 - cell.wrong < least]
