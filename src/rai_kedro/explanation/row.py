"""Why one row came out as it did: the columns that count, and the nearest change that turns the decision."""

from __future__ import annotations

from itertools import combinations, product
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from pydantic import JsonValue

from rai_kedro.explanation.drivers import answer
from rai_kedro.modelling import limit_threads
from rai_kedro.typed import Typed

_STEPS = 21
_PAIRED = 6


class Reason(Typed):
    """One column's part in a prediction.

    Attributes:
        value: What the row has.
        moves: The prediction less the mean prediction when the column has the values of other rows: above 0, the row's
            own value raises it.
    """

    column: str
    value: JsonValue
    moves: float


class Change(Typed):
    """A change of one or two columns after which the model decides otherwise.

    Attributes:
        columns: The new values.
        distance: How far it goes: the share of other rows whose values lie in between (numbers), 1 for another
            category; of two columns the sum.
        after: The prediction, or score, that the model then gives.
    """

    columns: dict[str, JsonValue]
    distance: float
    after: float


class RowExplanation(Typed):
    """The reasons for one prediction, the strongest first, and the nearest change that turns a decision.

    Attributes:
        prediction: What was decided or predicted.
        answer: Score, or the prediction of a regression.
        is_decision: Whether the prediction decides by a score.
        usual: Mean answer of the rows that it is compared with.
        nearest: None where no change of one or two columns, within the values that other rows have, turns it, and for
            a regression without ``below``.
    """

    prediction: float
    answer: float
    is_decision: bool
    usual: float
    reasons: tuple[Reason, ...]
    nearest: Change | None = None
    tried: int = 0


def explain_row(model: Any, row: pd.DataFrame, others: pd.DataFrame, *, below: float | None = None) -> RowExplanation:
    """Explain one prediction by asking the model about the same row with other values.

    Nothing is approximated: each figure is an answer of the model. Whether a person can change a column, or should have
    to, the model does not know.

    Args:
        model: Fitted estimator.
        row: The one row, shape (1, columns).
        others: Rows to compare with, shape (rows, columns), for example those that the model was tested on.
        below: For a regression: a prediction on the other side of this number counts as another decision.
    """
    with limit_threads(len(others)):
        return _explain(model, row, others, below)


def _explain(model: Any, row: pd.DataFrame, others: pd.DataFrame, below: float | None) -> RowExplanation:
    own, is_decision = float(answer(model, row)[0]), hasattr(model, "predict_proba")
    decided = float(np.asarray(model.predict(row))[0])
    reasons = [
        Reason(column=str(name), value=_plain(row[name].iloc[0]), moves=own - mean)
        for name, mean in _mean_otherwise(model, row, others).items()
    ]
    reasons.sort(key=lambda one: -abs(one.moves))
    nearest, tried = None, 0
    if is_decision or below is not None:

        def turns(changed: pd.DataFrame) -> Any:
            if below is None or is_decision:
                return np.asarray(model.predict(changed)) != decided
            return (answer(model, changed) < below) != (own < below)

        nearest, tried = _find_nearest(model, row, others, [one.column for one in reasons], turns)
    return RowExplanation(
        prediction=decided,
        answer=own,
        is_decision=is_decision,
        usual=float(answer(model, others).mean()),
        reasons=tuple(reasons),
        nearest=nearest,
        tried=tried,
    )


def _mean_otherwise(model: Any, row: pd.DataFrame, others: pd.DataFrame) -> dict[str, float]:
    """Return the mean answer with the values of other rows in place of the row's own, for each column."""
    changed = []
    for name in row:
        one = _repeat(row, len(others))
        one[name] = others[name].astype(row[name].dtype).to_numpy()
        changed.append(one.astype(row.dtypes))
    answers = answer(model, pd.concat(changed, ignore_index=True)).reshape(len(changed), -1)
    # What does not move at all is exactly the same answer, which a mean of many would round.
    means = np.where(np.ptp(answers, axis=1) == 0, answers[:, 0], answers.mean(axis=1))
    return dict(zip(map(str, row), map(float, means), strict=True))


def _repeat(row: pd.DataFrame, times: int) -> pd.DataFrame:
    return row.iloc[np.zeros(times, dtype=int)].reset_index(drop=True)


def _find_nearest(
    model: Any, row: pd.DataFrame, others: pd.DataFrame, columns: list[str], turns: Any
) -> tuple[Change | None, int]:
    """Try each column alone, then pairs of the strongest six, and take the shortest way."""
    steps = {name: _list_steps(row[name].iloc[0], others[name]) for name in columns}
    tried = 0
    for names in (combinations(columns, 1), combinations(columns[:_PAIRED], 2)):
        ways = [
            (sum(one[1] for one in way), dict(zip(chosen, (one[0] for one in way), strict=True)))
            for chosen in names
            for way in product(*(steps[name] for name in chosen))
        ]
        if not ways:
            continue
        ways.sort(key=lambda one: one[0])
        tried += len(ways)
        changed = _repeat(row, len(ways))
        for name in {column for _, way in ways for column in way}:
            values = [way.get(name, row[name].iloc[0]) for _, way in ways]
            changed[name] = pd.Series(values, dtype=row[name].dtype)
        turned = np.flatnonzero(turns(changed))
        if len(turned):
            distance, way = ways[turned[0]]
            after = float(answer(model, changed.iloc[[turned[0]]])[0])
            return Change(columns={n: _plain(v) for n, v in way.items()}, distance=distance, after=after), tried
    return None, tried


def _list_steps(own: Any, others: pd.Series) -> list[tuple[Any, float]]:
    """Return other values that rows have, with how far they lie from the row's own."""
    known = others.dropna()
    if not is_numeric_dtype(known) or is_bool_dtype(known) or pd.isna(own):
        return [(value, 1.0) for value in known.value_counts().index[:_STEPS] if pd.isna(own) or value != own]
    values = np.unique(known.quantile(np.linspace(0, 1, _STEPS), interpolation="nearest"))
    ranks = np.sort(known.to_numpy(dtype=float))
    position = np.searchsorted(ranks, [float(own), *values.astype(float)]) / max(1, len(ranks))
    return [
        (value, abs(float(at - position[0]))) for value, at in zip(values, position[1:], strict=True) if value != own
    ]


def _plain(value: Any) -> JsonValue:
    if pd.isna(value):
        return None
    return (
        value.item()
        if isinstance(value, np.generic)
        else value
        if isinstance(value, bool | int | float)
        else str(value)
    )
