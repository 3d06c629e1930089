"""Which columns drive the predictions of a fitted model, and how predictions go with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_numeric_dtype

from rai_kedro.explanation.results import Driver, GroupDriver, Response
from rai_kedro.intervals import Estimate, largest_difference_of_means, mean_intervals

Floats = NDArray[np.float64]

MOST_ROWS = 1_000
LEAST_SHOWN = 20
"""Fewer rows than this are people that somebody may know: no value or group of so few is named."""
MOST_COLUMNS = 60
"""Of more columns those that go most with the predictions are exchanged one by one, all others together."""
_EXCHANGES = 2
_POINTS = 15
_RESPONDING = 300
_MOST_CELLS = 2_000_000
_LEAST_ROWS = 30
_FEWEST_GROUPS = 2
_HOW = "mean over rows and {n} exchanges between rows; Student's t on what each row takes and gives, model held fixed"


def take_rows(rows: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return the positions of at most 1,000 rows, in their order."""
    return np.arange(rows) if rows <= MOST_ROWS else np.sort(random.choice(rows, MOST_ROWS, replace=False))


def answer(model: Any, features: pd.DataFrame) -> Floats:
    """Return the score of each row, or the prediction of a model without scores; shape (rows,)."""
    if not hasattr(model, "predict_proba"):
        return np.asarray(model.predict(features), dtype=float)
    return np.asarray(model.predict_proba(features)[:, list(model.classes_).index(1)], dtype=float)


@dataclass(frozen=True)
class Asked:
    """A model, the rows it is asked about, and how: level of the intervals, source of the exchanges."""

    model: Any
    rows: pd.DataFrame
    level: float
    random: np.random.Generator


class Exchanged:
    """Predictions of the same rows with the values of a column exchanged between them, as in Breiman (2001).

    Columns that say the same share what they are worth.

    Attributes:
        before: The model's answers, shape (rows,).
        after: Those after each exchange by name, shape (exchanges, rows) each.
    """

    def __init__(self, asked: Asked, parts: Mapping[str, list[Any]], within: Sequence[NDArray[np.int64]]) -> None:
        """Ask about exchanges of each of the named parts of the columns ``within`` sets of rows, by their positions."""
        self.level = asked.level
        self.before = answer(asked.model, asked.rows)
        self.orders = [_exchange(len(asked.rows), within, asked.random) for _ in range(_EXCHANGES)]
        self.after: dict[str, Floats] = {}
        # Asked about many columns at once a model answers much faster, as far as memory goes.
        step = max(1, _MOST_CELLS // (_EXCHANGES * max(1, asked.rows.size)))
        for start in range(0, len(parts), step):
            some = list(parts)[start : start + step]
            rows = pd.concat([self._exchange(asked.rows, parts[name]) for name in some], ignore_index=True)
            answers = answer(asked.model, rows).reshape(len(some), _EXCHANGES, -1)
            self.after |= dict(zip(some, answers, strict=True))

    def _exchange(self, rows: pd.DataFrame, columns: list[Any]) -> pd.DataFrame:
        changed = pd.concat([rows] * _EXCHANGES, ignore_index=True)
        changed[columns] = rows[columns].iloc[np.concatenate(self.orders)].reset_index(drop=True)
        return changed

    def moves(self, column: str) -> Floats:
        """Return how far each row's prediction moves; shape (exchanges, rows)."""
        return np.abs(self.after[column] - self.before)

    def weigh(self, changes: Floats, rows: Any = slice(None)) -> tuple[float, float]:
        """Return the mean of changes, shape (exchanges, rows), and the variance behind it, of some or all rows.

        Each exchange has a row that takes a value and one that gives it, so that the mean is a statistic of pairs
        (Hoeffding 1948): its variance is that of what a row takes plus what its value does to others.
        """
        taken = changes.mean(axis=0)
        given = np.zeros_like(taken)
        for order, change in zip(self.orders, changes, strict=True):
            given[order] += change / len(self.orders)
        return float(taken[rows].mean()), float((taken + given)[rows].var(ddof=1))

    def estimate(self, changes: Floats, rows: Any = slice(None)) -> Estimate:
        """Return the mean of changes with its interval, of some or all rows."""
        mean, spread = self.weigh(changes, rows)
        return estimate_mean(len(self.before[rows]), mean, spread, self.level, _HOW.format(n=len(self.orders)))


def _exchange(rows: int, within: Sequence[NDArray[np.int64]], random: np.random.Generator) -> NDArray[np.int64]:
    order = np.arange(rows)
    for part in within:
        order[part] = random.permutation(part)
    return order


def estimate_mean(rows: int, mean: float, variance: float, level: float, how: str = "") -> Estimate:
    """Return a mean with its interval, from rows, mean and variance."""
    interval = mean_intervals([rows], [mean], [variance], level)[0]
    return interval.model_copy(update={"value": mean, "level": level, "n": rows, "how": how or interval.how})


def find_drivers(
    asked: Asked, error_of: Callable[[Floats], Floats], *, most: int = MOST_COLUMNS
) -> tuple[tuple[Driver, ...], Driver | None]:
    """Measure at most so many columns one by one, what moves predictions most first, and all others together.

    ``error_of`` turns answers for the rows, shape (..., rows), into errors.
    """
    singles = _choose_columns(asked, most)
    parts = {str(name): [name] for name in singles}
    others = [name for name in asked.rows if name not in set(singles)]
    together = f"{len(others)} other columns together"
    exchanged = Exchanged(asked, parts | ({together: others} if others else {}), [np.arange(len(asked.rows))])
    errors = error_of(exchanged.before)
    found = {
        name: (_at_least_zero(exchanged.estimate(exchanged.moves(name))), exchanged.estimate(error_of(after) - errors))
        for name, after in exchanged.after.items()
    }
    total = sum(moves.value or 0.0 for moves, _ in found.values())
    drivers = [
        Driver(column=name, moves=moves, costs=costs, share=(moves.value or 0.0) / total if total else 0.0)
        for name, (moves, costs) in found.items()
    ]
    ordered = sorted(drivers, key=lambda one: -one.share)
    return (
        tuple(one for one in ordered if one.column in parts),
        next((one for one in ordered if one.column not in parts), None),
    )


def _choose_columns(asked: Asked, most: int) -> list[Any]:
    """Return the columns, of too many those whose values go most with the model's answers."""
    if asked.rows.shape[1] <= most:
        return list(asked.rows)
    answers = pd.Series(answer(asked.model, asked.rows)).rank()

    def go_together(values: pd.Series) -> float:
        ranks = values.rank() if is_numeric_dtype(values) else answers.groupby(values, observed=True).transform("mean")
        return abs(float(ranks.corr(answers))) if ranks.nunique() > 1 else 0.0

    # Columns that say the same come in together, though the model may use one: most leaves room for that.
    together = {name: go_together(values) for name, values in asked.rows.items()}
    return sorted(together, key=lambda name: -together[name])[:most]


def _at_least_zero(moves: Estimate) -> Estimate:
    return moves if moves.lower is None else moves.model_copy(update={"lower": max(0.0, moves.lower)})


def compare_groups(asked: Asked, groups: pd.Series, columns: Sequence[str]) -> list[GroupDriver]:
    """Measure columns within each group of at least 30 rows, values exchanged between rows of the same group.

    ``groups`` names the group of each row, shape (rows,).
    """
    found = {str(name): at for name, at in groups.groupby(groups, observed=True).indices.items()}
    parts = {name: np.asarray(at) for name, at in found.items() if len(at) >= _LEAST_ROWS}
    if len(parts) < _FEWEST_GROUPS:
        return []
    exchanged = Exchanged(asked, {name: [name] for name in columns}, list(parts.values()))
    return [_compare_column(exchanged, parts, column, str(groups.name)) for column in columns]


def _compare_column(exchanged: Exchanged, parts: dict[str, Any], column: str, grouping: str) -> GroupDriver:
    moves = exchanged.moves(column)
    weighed = [exchanged.weigh(moves, at) for at in parts.values()]
    means, spreads = [mean for mean, _ in weighed], [spread for _, spread in weighed]
    gap = largest_difference_of_means([len(at) for at in parts.values()], means, spreads, exchanged.level)
    return GroupDriver(
        grouping=grouping,
        column=column,
        groups={name: _at_least_zero(exchanged.estimate(moves, at)) for name, at in parts.items()},
        gap=gap.model_copy(update={"value": max(means) - min(means), "level": exchanged.level}),
    )


def find_responses(asked: Asked, columns: Sequence[str]) -> list[Response]:
    """Return the mean prediction with each of at most 15 values of a column set for each of at most 300 rows."""
    rows = asked.rows.iloc[:_RESPONDING]
    values = {name: _choose_values(asked.rows[name]) for name in columns}
    if not columns:
        return []
    changed = pd.concat([_set_values(rows, name, of) for name, of in values.items()], ignore_index=True)
    answers = answer(asked.model, changed).reshape(-1, len(rows))
    means = [estimate_mean(len(rows), float(one.mean()), float(one.var(ddof=1)), asked.level) for one in answers]
    found, start = [], 0
    for name, of in values.items():
        shown = tuple(float(one) if is_numeric_dtype(rows[name]) else str(one) for one in of)
        found.append(Response(column=str(name), values=shown, predictions=tuple(means[start : start + len(of)])))
        start += len(of)
    return found


def _set_values(rows: pd.DataFrame, column: str, values: Sequence[Any]) -> pd.DataFrame:
    changed = pd.concat([rows] * len(values), ignore_index=True) if len(values) else rows.iloc[:0].copy()
    changed[column] = pd.Series(np.repeat(np.asarray(values), len(rows)), dtype=rows[column].dtype)
    return changed


def _choose_values(values: pd.Series) -> list[Any]:
    """Return evenly spaced quantiles of numbers, or the most frequent categories."""
    known = values.dropna()
    distinct = known.unique()
    if is_numeric_dtype(known) and len(distinct) > _POINTS:
        return list(dict.fromkeys(known.quantile(np.linspace(0.02, 0.98, _POINTS), interpolation="nearest")))
    if is_numeric_dtype(known):
        return sorted(distinct)
    counts = known.value_counts()
    return list(counts.index[counts >= LEAST_SHOWN][:_POINTS])
