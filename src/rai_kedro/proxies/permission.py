"""What the column contract makes of a relation: whose flags a column inherits, and whether somebody answers for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

import pandas as pd

from rai_kedro.contract import Column, DatasetContract
from rai_kedro.proxies.relations import Relation
from rai_kedro.proxies.results import ProxyError
from rai_kedro.words import list_some

_SHOWN = 5


def list_guarded(contract: DatasetContract, features: Collection[str]) -> tuple[str, ...]:
    """Return the flagged columns that a model of these features must not know, in the order of the contract."""
    return tuple(name for name, column in contract.columns.items() if column.flags and name not in features)


def as_typed(frame: pd.DataFrame, contract: DatasetContract) -> pd.DataFrame:
    """Return a frame in which numbers that the contract calls categories are categories."""
    coded = [name for name, one in contract.columns.items() if name in frame and one.type == "category"]
    return frame.astype(dict.fromkeys(coded, "category"))


def refuse_disguises(
    relations: Sequence[Relation], leaks: Sequence[Relation], contract: DatasetContract, *, on: date
) -> tuple[tuple[Relation, ...], tuple[Relation, ...]]:
    """Refuse a model with a column that is a flagged one, or the target, in disguise; return what is permitted.

    A derived column inherits the flags of what it is derived from: it has to carry them itself, and with them the
    justification that every flagged column of a model needs. One that gives the target away has to be flagged
    ``risky``.

    Raises:
        ProxyError: A column lacks a flag, or a justification that holds on that day; both columns are named.
    """
    judged = []
    for found in (relations, leaks):
        marked = tuple(one.model_copy(update={"permitted": _is_permitted(one, contract, on)}) for one in found)
        if refused := [one for one in marked if not one.permitted]:
            raise _refuse(refused, contract, is_leak=found is leaks)
        judged.append(marked)
    return judged[0], judged[1]


def _is_permitted(relation: Relation, contract: DatasetContract, on: date) -> bool:
    owed = _flags_owed(relation, contract)
    return all(_answers(contract.columns.get(name), owed, on) for name in relation.columns)


def _flags_owed(relation: Relation, contract: DatasetContract) -> tuple[str, ...]:
    source = contract.columns.get(relation.of)
    return source.flags if source is not None and source.flags else ("risky",)


def _answers(column: Column | None, owed: Collection[str], on: date) -> bool:
    if column is None or column.justification is None or not column.justification.is_valid(on):
        return False
    return {*owed} <= {*column.flags}


def _refuse(refused: Sequence[Relation], contract: DatasetContract, *, is_leak: bool) -> ProxyError:
    first = refused[0]
    flags = f"[{', '.join(_flags_owed(first, contract))}]"
    what = f"A column of the model gives the target away: {first.text}."
    if not is_leak:
        use = contract.columns[first.of].use if first.of in contract.columns else "audit"
        what = f"A column of the model is a flagged one in disguise: {first.text}, whose use is '{use}'."
    return ProxyError(
        what,
        where=f"{contract.dataset}, {' and '.join(first.columns)}",
        how_many=f"{len(refused)} {'relation' if len(refused) == 1 else 'relations'}, seen on {first.rows:,} rows",
        example=list_some([one.text for one in refused], _SHOWN),
        remedy=f"take {' and '.join(first.columns)} out of the model (use: audit or forbidden); or, if somebody "
        f"answers for it, give it 'flags: {flags}', a 'risk' and a 'justification' (by, reason, until)",
    )
