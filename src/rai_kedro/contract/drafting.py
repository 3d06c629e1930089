"""Drafting a column contract from a table.

A draft decides nothing. Until a person has decided, every column is flagged ``risky``, its ``risk`` begins with
"undecided", and its use is ``audit`` where it is likely to describe people and ``forbidden`` everywhere else. So no
estimator gets any column by default, whatever these rules have overlooked. What the draft proposes is kept beside it.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pandas as pd
from pandas.api import types

from rai_kedro.contract.columns import NUMERIC_TYPES, Column, ColumnType, Contract, Use
from rai_kedro.contract.sensitivity import Suspicion, split_words, suspect
from rai_kedro.errors import RaiError
from rai_kedro.words import has_letters, list_some

UNDECIDED = "undecided"
# What stands where a person has to write: in a description or statement, and as the owner.
UNWRITTEN = "to be written"
NO_OWNER = "nobody yet"
_PROPOSED = re.compile(rf"{UNDECIDED}, proposed (?P<use>model|audit|forbidden): (?P<reason>.*)", re.DOTALL)
_MOST_CATEGORIES = 50
# More codes than this are neither amounts nor categories to learn from.
_MOST_CODES = 200
# So few whole numbers may be codes, whatever their name; of people they are taken for codes.
_FEW_NUMBERS = 10
_FEWEST_FOR_UNIQUE = 20
_NEAR_UNIQUE = 0.9
_FREE_TEXT_LENGTH = 40
_SHOWN = 10
# A whole number written as 12.0; 007.0 would be a name.
_WHOLE = re.compile(r"-?(0|[1-9]\d*)\.0+")
# Words of a name after which whole numbers are codes, and words after which they are amounts all the same.
_CODE_WORDS = (
    "code codes coded kode kod kennzahl schluessel schlussel codigo codice type typ tipo class klasse classe clase "
    "category kategorie categorie categoria group gruppe groupe grupo gruppo kind art sector sektor secteur branch "
    "branche status state region country land pays pais paese department occupation beruf industry naics isic sic icd "
    "nace station store channel product produkt segment district id"
)
_AMOUNT_WORDS = (
    "count number anzahl nombre numero size share percent percentage pct prozent rate ratio total sum amount "
    "population per years year jahre age children kinder enfants hijos figli filhos dependents income score"
)
_AMOUNT_GROUNDS = ("age",)
_ID_WORDS = {"id", "ids", "uuid", "guid", "identifier", "nr", "rowid"}


class UndecidedError(RaiError):
    """A contract is still a draft."""


@dataclass(frozen=True)
class Proposal:
    """What a drafted column proposes for a person to accept: a use, and why."""

    use: Use
    reason: str

    @property
    def risk(self) -> str:
        """The risk that stands in the draft; it names the column as undecided."""
        return f"{UNDECIDED}, proposed {self.use}: {self.reason}"

    @property
    def drafted_uses(self) -> tuple[Use, ...]:
        """What the draft says of the use; a label, which is learned anyway, is ``model`` from the beginning."""
        return ("forbidden", "model") if self.use == "model" else (self.use,)


def read_proposal(risk: str | None) -> Proposal | None:
    """Return what a drafted risk proposes, or None where a person has written the risk."""
    found = _PROPOSED.fullmatch(risk or "")
    return Proposal(cast("Use", found["use"]), found["reason"]) if found else None


@dataclass(frozen=True)
class _Values:
    """What the values of a column are."""

    type: ColumnType
    known: pd.Series[Any]  # the values that are there, as numbers if they are numbers
    rows: int  # missing ones included
    distinct: int
    code_reason: str | None = None  # why whole numbers are taken for codes

    @property
    def missing(self) -> int:
        return self.rows - len(self.known)


def draft_column(
    values: pd.Series[Any], *, is_date: bool = False, original: str | None = None, note: str = "", warning: str = ""
) -> Column:
    """Draft the contract of one column; :func:`read_proposal` tells what its risk proposes.

    ``original`` is the name it had before it was renamed, ``note`` what else a person should know of its values,
    ``warning`` why no model should get it.
    """
    name = str(values.name)
    suspicion = suspect(original or name, values)
    found = _look(values, is_date=is_date, name=original or name, suspicion=suspicion)
    proposal = _propose(name, found, suspicion, warning)
    return Column(
        name=name,
        type=found.type,
        flags=("risky",) if suspicion is None else ("risky", "demographic"),
        use=proposal.drafted_uses[0],
        description=_describe(found, original if original != name else None, note),
        range=draft_range(found.known) if found.type in NUMERIC_TYPES else None,
        categories=_categories(found) if found.type == "category" else None,
        nullable=bool(found.missing),
        risk=proposal.risk,
    )


def refuse_undecided(contract: Contract) -> None:
    """Refuse a contract that is still a draft: UndecidedError counts and names the columns."""
    columns = [(store.dataset, column) for store in contract.datasets.values() for column in store.columns.values()]
    undecided = [(dataset, column.name) for dataset, column in columns if (column.risk or "").startswith(UNDECIDED)]
    if undecided:
        raise UndecidedError(
            "Nobody has decided yet what these columns may be used for.",
            where=f"conf/base/{contract.source}, {', '.join(dict(undecided))}",
            how_many=f"{len(undecided)} of {len(columns)} columns are undecided",
            example=list_some([name for _, name in undecided], _SHOWN),
            remedy="read each proposal there and change what you disagree with; then accept the rest",
        )


def is_unwritten(text: str) -> bool:
    """Say whether a draft's words still stand where a person has to write, or none at all."""
    said = text.strip().casefold()
    return not has_letters(said) or said == NO_OWNER or UNWRITTEN in said


def canonical(value: Any) -> str:
    """Return a value as the text of a category; a whole number without a decimal point: 1.0 and 1 are the same."""
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    text = str(value).strip()
    return text.partition(".")[0] if _WHOLE.fullmatch(text) else text


def draft_range(known: pd.Series[Any]) -> tuple[float, float] | None:
    """Return a range with room for later months, or None for values that are all the same or not there.

    Smallest and largest value, each further out by the distance between them and rounded outward to two digits; not
    below 0 if no value is.
    """
    finite = known[known.abs() < math.inf]
    if finite.empty or finite.min() == finite.max():
        return None
    low, high = float(finite.min()), float(finite.max())
    room = high - low
    if not math.isfinite(high + room):
        return None
    return (0.0 if low >= 0 and low - room < 0 else _outward(low - room, -1), _outward(high + room, 1))


def _outward(value: float, side: int) -> float:
    if value == 0 or not math.isfinite(value):
        return value
    digits = 1 - math.floor(math.log10(abs(value)))
    scaled = value * 10.0**digits
    rounded = math.ceil(scaled) if side > 0 else math.floor(scaled)
    return float(f"{rounded / 10.0**digits:.6g}")


def _look(values: pd.Series[Any], *, is_date: bool, name: str, suspicion: Suspicion | None) -> _Values:
    known = values.dropna()
    if types.is_string_dtype(known.dtype) or types.is_object_dtype(known.dtype):
        known = known[known.astype(str).str.strip() != ""]
    rows, distinct = len(values), int(known.nunique())
    if is_date or types.is_datetime64_any_dtype(known.dtype):
        return _Values("date", known, rows, distinct)
    if _is_boolean(known):
        return _Values("category" if len(known) < rows else "boolean", known, rows, distinct)
    numbers = _as_numbers(known)
    if numbers is None:
        is_long = len(known) >= _FEWEST_FOR_UNIQUE and known.astype(str).str.len().mean() > _FREE_TEXT_LENGTH
        is_text = is_long or known.empty or distinct > _MOST_CATEGORIES or _is_near_unique(known)
        return _Values("text" if is_text else "category", known, rows, distinct)
    is_whole = bool((numbers % 1 == 0).all()) and bool((numbers.abs() < 2**53).all())
    distinct = int(numbers.nunique())
    if is_whole and (reason := _code_reason(name, suspicion, distinct)):
        return _Values("category", numbers.astype("int64"), rows, distinct, reason)
    return _Values("integer" if is_whole and len(numbers) == rows else "float", numbers, rows, distinct)


def _code_reason(name: str, suspicion: Suspicion | None, distinct: int) -> str | None:
    """Return why whole numbers are codes, as far as their name tells, or None where they may be amounts."""
    words = {*split_words(name)}
    if suspicion is not None and distinct <= _FEW_NUMBERS:
        return f"{distinct} different whole numbers that describe people"
    if words & {*_AMOUNT_WORDS.split()}:
        return None
    if suspicion is not None and suspicion.ground not in _AMOUNT_GROUNDS:
        return "whole numbers that describe people, as codes do"
    if found := sorted(words & {*_CODE_WORDS.split()}):
        return f"whole numbers whose name has '{found[0]}', as codes have"
    return None


def _is_boolean(known: pd.Series[Any]) -> bool:
    words = {*known.astype(str).str.strip().str.lower().unique()}
    return words == {"true", "false"} or (types.is_bool_dtype(known.dtype) and not known.empty)


def _as_numbers(known: pd.Series[Any]) -> pd.Series[Any] | None:
    """Return the values as numbers; None if one is none, or if some are written with zeros in front, as codes are."""
    if known.empty:
        return None
    if types.is_numeric_dtype(known.dtype):
        return known.astype("float64")
    texts = known.astype(str).str.strip()
    if texts.str.fullmatch(r"0\d+").any():
        return None
    numbers = pd.to_numeric(texts, errors="coerce")
    return None if numbers.isna().any() else numbers.astype("float64")


def _is_near_unique(known: pd.Series[Any]) -> bool:
    return len(known) >= _FEWEST_FOR_UNIQUE and known.nunique() >= _NEAR_UNIQUE * len(known)


def _propose(name: str, found: _Values, suspicion: Suspicion | None, warning: str) -> Proposal:
    closed = _closed_reason(name, found)
    code = f"; {found.code_reason}" if found.code_reason else ""
    if suspicion is not None:
        what = f"may describe {suspicion.ground} ({suspicion.because})"
        if suspicion.identifies or closed:
            return Proposal("forbidden", f"{what}{'; ' + closed if closed else ''}")
        return Proposal("audit", f"{what}{code}{'; ' + warning if warning else ''}")
    if closed or warning:
        return Proposal("forbidden", "; ".join(filter(None, (warning, closed))))
    few = found.distinct <= _FEW_NUMBERS and found.type in NUMERIC_TYPES and bool((found.known % 1 == 0).all())
    doubt = "; few whole numbers: if they are codes, make it a category" if few and found.distinct > 2 else ""  # noqa: PLR2004
    return Proposal("model", f"nothing seen against it{code}{doubt}")


def _closed_reason(name: str, found: _Values) -> str | None:
    """Return why neither model nor audit can use a column, or None."""
    is_named_id = bool(_ID_WORDS & {*split_words(name)}) and found.type == "integer"
    reasons = {
        "has no value in any row": found.known.empty,
        "has the same value in every row": found.distinct == 1,
        "a date; it tells rows apart and grows out of every range": found.type == "date",
        "nearly every row has a value of its own, as an identifier has": _is_near_unique(found.known)
        and found.type in ("text", "category", "integer"),
        f"more than {_MOST_CODES} codes; as amounts they mean nothing": bool(found.code_reason)
        and found.distinct > _MOST_CODES,
        "free text, or too many categories": found.type == "text",
        "its name is that of an identifier": is_named_id and found.distinct > _MOST_CATEGORIES,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _categories(found: _Values) -> tuple[str, ...] | None:
    if found.code_reason:
        codes = sorted(int(value) for value in found.known.unique())
        return tuple(map(str, codes)) if len(codes) <= _MOST_CODES else None
    values = {canonical(value) for value in found.known.unique()}
    # A contract may not hold an interpolation; such a column is checked by its type only.
    return None if any("${" in value for value in values) else tuple(sorted(values))


def _describe(found: _Values, original: str | None, note: str) -> str:
    kind = {
        "float": "numbers",
        "integer": "whole numbers",
        "boolean": "true or false",
        "category": f"{found.distinct} {'codes' if found.code_reason else 'categories'}",
        "text": f"text, {found.distinct} different values",
        "date": "dates",
    }[found.type]
    if found.type in NUMERIC_TYPES and len(found.known):
        kind += f" from {found.known.min():g} to {found.known.max():g}"
    missing = f"{100 * found.missing / found.rows:.3g} % missing" if found.missing else "none missing"
    source = f"; in the file '{original.replace('${', '$ {')}'" if original else ""
    more = f"; {note.replace('${', '$ {')}" if note else ""
    return f"{UNWRITTEN} ({kind}, {missing}{more}{source})"
