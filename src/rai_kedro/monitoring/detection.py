"""Compare a sample with a reference: how many rows lie elsewhere, and is that more than the margin?

One scale for all. The *effect* of a comparison is a share of rows, from 0 to 1:

* numbers: the largest difference, over the reference's quantile cut points, of the shares of rows at or below them, and
  of the shares of any value that at least 5 % of the reference rows have (a zero-inflated or tied column);
* categories: the largest difference of the shares of a category. Beyond 50 categories the frequent ones are taken so,
  and all together in groups by their name, which no count has a say in;
* missing values: the difference of their shares;
* new categories: the share of rows whose category the reference never had, less what a reference of its size leaves
  unseen by chance.

It is *drift* where the interval of the effect lies above the margin, *no relevant drift* where it lies below, and
*insufficient evidence* otherwise. The lower limit holds over all events and comparisons of the month at once; the upper
limit needs no correction (see :func:`.difference_limits`). A p-value is shown beside and decides nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rai_kedro.errors import RaiError
from rai_kedro.monitoring.comparisons import Comparison, count_shown, describe, p_value_beside, plan_column
from rai_kedro.monitoring.policy import DriftPolicy
from rai_kedro.monitoring.profile import ReferenceProfile, profile_month, profile_reference
from rai_kedro.monitoring.results import ColumnDrift, Kind, MonthDrift, Verdict, decide
from rai_kedro.monitoring.statistics import LEAST_TAIL, difference_limits, unseen_limits
from rai_kedro.months import say_period

_SPENT = "the error budget of this model version is spent or not yet given to this look: nothing can be decided"
_TOO_FEW = "{rows} rows in the {side}, at least {least} are needed: nothing can be decided"
_HOW = "lower limit over {events} shares of rows and {comparisons} comparisons at once, upper limit of each alone"


def detect_drift(  # noqa: PLR0913
    reference: Any,
    current: Any,
    *,
    kinds: Mapping[str, Kind] | None = None,
    policy: DriftPolicy | None = None,
    rate: float = 0.05,
    look: int = 1,
    month: str = "",
    model_version: str = "",
) -> MonthDrift:
    """Measure how far a sample lies from a reference, column by column, and judge it by a margin.

    Args:
        reference: Rows to compare with, e.g. those the model was tested on: a pandas DataFrame, another kind of table
            that has ``to_pandas``, or what ``pandas.DataFrame`` accepts; or the :class:`ReferenceProfile` of them.
        current: New rows with the same columns; further ones are left aside. Or what :func:`profile_month` made of
            them, which for a month too large for memory is summed up over its parts.
        kinds: The columns to compare and their kinds. By default all columns of the reference: numbers as
            ``numerical``, texts, booleans and categories as ``categorical``. A profile has its own.
        policy: Margins, and the fewest rows either sample must have for anything to be decided.
        rate: Highest probability of calling anything drift that is within its margin, over all columns together; the
            same again for calling a column that lies beyond its margin free of relevant drift. 0 where no error may be
            made any more: then nothing is decided.
        look: Kept with the result.
        month: Kept with the result, and named in errors.
        model_version: Kept with the result.

    Returns:
        The comparisons: a table in a notebook, ``to_frame()``, ``plot()``, ``drifted_columns``.

    Raises:
        RaiError: There is no column to compare, a column is missing or not of its kind, a value is infinite, a
            sample has no row, or the rate is no probability.
    """
    policy = policy or DriftPolicy()
    if not 0 <= rate < 1:
        raise RaiError(
            "The error rate is no probability.", where="rate", example=repr(rate), remedy="give one from 0 to below 1"
        )
    before, side = _profile(reference, kinds), name_side(month)
    after = current if isinstance(current, ReferenceProfile) else profile_month(before, _table(current), side)
    sides = {"reference data": before.rows, side: after.rows}
    for named, rows in sides.items():
        _refuse_no_rows(rows, named)
    few = [
        _TOO_FEW.format(rows=n, side=name, least=policy.min_rows) for name, n in sides.items() if n < policy.min_rows
    ]
    found = compare_profiles(before, after, policy, 0.0 if few else rate, "; ".join(few))
    # A note on new categories names some of them, and they are not ours to reword.
    entries = [
        one if one.aspect == "new categories" else one.model_copy(update={"note": say_period(one.note, month)})
        for one in found.columns
    ]
    return found.model_copy(
        update={"columns": tuple(entries), "look": look, "month": month, "model_version": model_version}
    )


def name_side(month: str) -> str:
    """Return how errors name the new rows."""
    return say_period("data of month ", month) + month if month else "current data"


def infer_kinds(frame: pd.DataFrame) -> dict[str, Kind]:
    """Return how each column is compared when nobody says so; a date is refused, since time itself always drifts."""
    kinds: dict[str, Kind] = {}
    for name, values in frame.items():
        if pd.api.types.is_datetime64_any_dtype(values):
            raise RaiError(
                "A column holds dates, which are different in every sample.",
                where=str(name),
                remedy="leave it out, or name the columns to test: kinds={'age': 'numerical', ...}",
            )
        number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
        kinds[str(name)] = "numerical" if number else "categorical"
    return kinds


def compare_profiles(
    reference: ReferenceProfile, current: ReferenceProfile, policy: DriftPolicy, rate: float, undecided: str = ""
) -> MonthDrift:
    """Compare counts on one grid: all of :func:`detect_drift` that is not counting rows.

    ``undecided`` is why nothing can be decided at rate 0, where that is not a spent budget.
    """
    planned = [
        comparison
        for name, before in reference.columns.items()
        for comparison in plan_column(name, before, current.columns[name], (reference.rows, current.rows))
    ]
    # All that may be compared share the rate, so that what is there to compare has no influence on it.
    number = sum(2 if column.kind == "numerical" else 3 for column in reference.columns.values())
    limits = _limit_all(planned, rate, number)
    entries = [
        _judge(one, limits[index], policy, (rate, number), undecided or _SPENT) for index, one in enumerate(planned)
    ]
    return MonthDrift(columns=tuple(entries), rate=rate, comparisons=number, margin=policy.margin)


def _limit_all(planned: Sequence[Comparison], rate: float, number: int) -> list[tuple[float, float, float] | None]:
    """Return effect, lower and upper limit of every comparison, None where a side has no row; alike ones in one go."""
    found: list[tuple[float, float, float] | None] = [None] * len(planned)
    alike: dict[int, list[int]] = defaultdict(list)
    for index, one in enumerate(planned):
        if one.empty:
            continue
        if one.aspect == "new categories":
            found[index] = _limit_unseen(one, _tails(rate, number))
        else:
            alike[len(one.events)].append(index)
    for events, indexes in alike.items():
        counts = np.array([planned[index].events for index in indexes])
        rows = np.broadcast_to(np.array([planned[index].rows for index in indexes], float)[:, None, :], counts.shape)
        effect = np.abs(np.diff(counts / rows, axis=-1)).max(axis=(-2, -1))
        tails = _tails(rate, number * events)
        if tails[0] < LEAST_TAIL:
            lower, upper = np.zeros(len(indexes)), np.ones(len(indexes))
        else:
            lower, upper = difference_limits(counts, rows, tails)
        for index, *limits in zip(indexes, effect, lower, upper, strict=True):
            found[index] = (float(limits[0]), float(limits[1]), float(limits[2]))
    return found


def _tails(rate: float, parts: int) -> tuple[float, float]:
    # Two signs of a difference for the lower limit: either may be beyond the margin.
    return rate / (2 * parts), rate


def _limit_unseen(one: Comparison, tails: tuple[float, float]) -> tuple[float, float, float]:
    once, unseen = one.events[0].astype(int).tolist()
    twice = sum(count == 2 for count in one.before.levels.values())  # noqa: PLR2004 - seen twice
    reference = one.rows[0], once, twice
    if tails[0] < LEAST_TAIL:
        return max(0.0, unseen / one.rows[1] - once / one.rows[0]), 0.0, 1.0
    return unseen_limits(unseen, one.rows[1], reference, tails)


def _judge(
    one: Comparison,
    limits: tuple[float, float, float] | None,
    policy: DriftPolicy,
    shared: tuple[float, int],
    undecided: str,
) -> ColumnDrift:
    rate, comparisons = shared
    margin, notes = policy.margin_of(one.column), [describe(one, policy.min_rows)]
    value, lower, upper = limits or (None, None, None)
    if limits is None:
        # Values on neither side are no change; on one side only there is nothing to compare them with.
        verdict: Verdict = "insufficient_evidence" if any(one.rows) else "no_relevant_drift"
    else:
        verdict = decide(*limits[1:], margin)
        notes += [undecided] if _tails(rate, comparisons * len(one.events))[0] < LEAST_TAIL else []
    method, p_value = ("none", None) if one.empty else p_value_beside(one)
    return ColumnDrift(
        column=one.column,
        kind=one.before.kind,
        aspect=one.aspect,
        method=method,
        p_value=p_value,
        margin=margin,
        verdict=verdict,
        importance=one.before.importance,
        n_reference=one.rows[0],
        value=value,
        lower=lower,
        upper=upper,
        level=1 - rate,
        n=one.rows[1],
        how=_HOW.format(events=len(one.events), comparisons=comparisons),
        note="; ".join(filter(None, notes)),
        distribution=count_shown(one),
    )


def _profile(reference: Any, kinds: Mapping[str, Kind] | None) -> ReferenceProfile:
    if isinstance(reference, ReferenceProfile):
        return reference
    frame = _table(reference)
    return profile_reference(frame, infer_kinds(frame) if kinds is None else kinds)


def _table(data: Any) -> pd.DataFrame:
    if isinstance(data, pd.DataFrame):
        return data
    if hasattr(data, "to_pandas"):
        return pd.DataFrame(data.to_pandas())
    return pd.DataFrame(data).rename(columns=str)


def _refuse_no_rows(rows: int, side: str) -> None:
    if not rows:
        raise RaiError(
            f"There is no row in the {side}, so that nothing can be compared.", where=side, remedy="deliver its rows"
        )
