"""Drafting a column contract from a table.

A draft decides nothing. Until a person has decided, every column is flagged ``risky``, its ``risk`` begins with
"undecided", and its use is ``audit`` where it is likely to describe people and ``forbidden`` everywhere else. So no
estimator gets any column by default, whatever these rules have overlooked. What the draft proposes is kept beside it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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
_PROPOSED = re.compile(rf"{UNDECIDED}, proposed (?P<use>model|audit|decision|forbidden): (?P<reason>.*)", re.DOTALL)
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
# Fewer training rows than this with another value than the usual one teach nothing.
_FEWEST_OTHERS = 10
_NEARLY_CONSTANT = 0.02
# Numbers without a gap, or all of so many digits, number rows; amounts do neither.
_DENSE = 3
_KEY_DIGITS = 6
# An amount as people write it: grouped, with a currency, a unit or a sign of percentage.
_WRITTEN_AMOUNT = re.compile(r"[<>~≈]?\s*[$€£¥]?\s*[-+]?\d[\d.,'\s]*\s*(%|[$€£¥]|[A-Za-z]{1,4}\.?)?")
# Words of a name after which whole numbers are codes, and words after which they are amounts all the same.
_CODE_WORDS = (
    "code codes coded kode kod kennzahl schluessel schlussel codigo codice type typ tipo class klasse classe clase "
    "category kategorie categorie categoria group gruppe groupe grupo gruppo kind art sector sektor secteur branch "
    "branche status state region country land pays pais paese department occupation beruf industry naics isic sic icd "
    "nace station store channel product produkt segment district id"
)
_AMOUNT_WORDS = (
    "count number anzahl nombre numero size share percent percentage pct prozent rate ratio total sum amount "
    "population per years year jahre age children kinder enfants hijos figli filhos dependents income score price "
    "amount salary wage balance value cost costs revenue betrag preis gehalt einkommen prix montant salaire precio "
    "importe salario weight fnlwgt distance days hours minutes seconds capital loan debt"
)
_AMOUNT_GROUNDS = ("age",)
_ID_WORDS = {"id", "ids", "uuid", "guid", "identifier", "nr", "rowid"}
# Names of survey weights: of their own, as parts of which digits are left out, and "weight" with one of the words
# beside it. Without one it may be that of a body.
_WEIGHTS = (
    "pwgtp wgtp fnlwgt finalwt finwgt perwt hhwt asecwt wtfinl earnwt wgt wgts pwgt hwgt hhwgt nwgt fwgt pweight "
    "fweight aweight pspwght pweght anweight dweight wtssall wtssps wtint wtmec wtsaf wtdrd repwt repwtp repwgt svywt "
    "sampwt hochrechnungsfaktor"
)
_WEIGHT_WORDS = "weight weights wt gewicht gewichtung poids peso ponderation ponderacion"
_OF_SURVEYS = (
    "sample sampling survey final person household replicate design expansion post stratification population inverse "
    "probability raking calibrated calibration interview exam base enquete encuesta muestra stichprobe"
)
_SAMPLED = "the weight of a survey, by its name: no feature; name it as 'weight' beside 'key' in the contract"
# What a warning begins with that a column gives the target away.
LEAK = "gives the target away"
# Groups of proposals in the order in which they need a decision, and what each is.
GROUPS = {
    "unsure": "nobody is sure whether they describe people: decide each",
    "leak": "may give the target away",
    "audit": "likely to describe people: audited, in no model",
    "closed": "proposed to stay closed",
    "decision": "made elsewhere, and assessed as it is",
    "model": "proposed for the model",
}


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
    def group(self) -> str:
        """The group of proposals it belongs to, one of :data:`GROUPS`."""
        if self.use == "forbidden" and self.reason.startswith("unsure"):
            return "unsure"
        if self.use == "forbidden" and self.reason.startswith(LEAK):
            return "leak"
        return self.use if self.use in ("audit", "decision", "model") else "closed"

    @property
    def drafted_uses(self) -> tuple[Use, ...]:
        """What the draft says of the use; a label, which is learned anyway, is ``model`` from the beginning."""
        return ("forbidden", self.use) if self.use in ("model", "decision") else (self.use,)


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


@dataclass(frozen=True)
class Seen:
    """What else is known of a column when it is drafted.

    Attributes:
        is_date: Whether it holds dates.
        original: The name it had before it was renamed.
        note: What a person should know of its values.
        warning: Why no model should get it.
        doubt: What is worth a question before a model gets it.
        describes_people: Whether it is a column that describes people in disguise.
        labels: What a codebook calls each of its values, and under ``""`` the column itself.
        trained_on: Which rows are those of the training, shape (rows,); all of them if None.
    """

    is_date: bool = False
    original: str | None = None
    note: str = ""
    warning: str = ""
    doubt: str = ""
    describes_people: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    trained_on: pd.Series[bool] | None = None


_NOTHING_ELSE = Seen()


def draft_column(values: pd.Series[Any], also: Seen = _NOTHING_ELSE) -> Column:
    """Draft the contract of one column; :func:`read_proposal` tells what its risk proposes.

    What nobody is meant to read is checked by its type only: a value that is new or missing in a later month, as of
    an outcome that is not there yet, then stops nothing.
    """
    name, original = str(values.name), also.original
    suspicion = suspect(original or name, values, also.labels)
    found = _look(values, also, name=original or name, suspicion=suspicion)
    trained = values if also.trained_on is None else values[also.trained_on]
    proposal = _propose(name, found, suspicion, "; ".join(filter(None, (also.warning, _constant_reason(trained)))))
    if also.doubt and proposal.use == "model":
        proposal = Proposal("model", f"{proposal.reason}; {also.doubt}")
    is_open = proposal.use != "forbidden" or (suspicion is not None and suspicion.confidence == "unsure")
    return Column(
        name=name,
        type=found.type,
        flags=("risky",) if suspicion is None and not also.describes_people else ("risky", "demographic"),
        use=proposal.drafted_uses[0],
        description=_describe(found, original if original != name else None, also),
        range=draft_range(found.known) if is_open and found.type in NUMERIC_TYPES else None,
        categories=_categories(found, also.labels) if is_open and found.type == "category" else None,
        nullable=bool(found.missing) or not is_open,
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


def _look(values: pd.Series[Any], also: Seen, *, name: str, suspicion: Suspicion | None) -> _Values:
    known = values.dropna()
    if types.is_string_dtype(known.dtype) or types.is_object_dtype(known.dtype):
        known = known[known.astype(str).str.strip() != ""]
    rows, distinct = len(values), int(known.nunique())
    if also.is_date or types.is_datetime64_any_dtype(known.dtype):
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
    if is_whole and (reason := _code_reason(name, suspicion, distinct, also.labels)):
        return _Values("category", numbers.astype("int64"), rows, distinct, reason)
    return _Values("integer" if is_whole and len(numbers) == rows else "float", numbers, rows, distinct)


def _code_reason(name: str, suspicion: Suspicion | None, distinct: int, labels: Mapping[str, str]) -> str | None:
    """Return why whole numbers are codes, as far as codebook and name tell, or None where they may be amounts."""
    words = {*split_words(name)}
    if 2 * sum(bool(value) for value in labels) >= distinct:
        return "codes of the codebook"
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


def _numbers_rows(known: pd.Series[Any], name: str) -> bool:
    """Say whether whole numbers number rows: each is there once, and they are dense, rising or of one length.

    Amounts that happen to differ are none of that.
    """
    if len(known) < _FEWEST_FOR_UNIQUE or not known.is_unique or not (known % 1 == 0).all():
        return False
    if {*split_words(name)} & ({*_AMOUNT_WORDS.split()} - {"number", "numero"}):
        return False
    is_dense = known.max() - known.min() < _DENSE * len(known)
    digits = known.abs().astype("int64").astype(str).str.len()
    return bool(is_dense or known.is_monotonic_increasing or (digits.nunique() == 1 and digits.iloc[0] >= _KEY_DIGITS))


def _constant_reason(trained: pd.Series[Any]) -> str:
    """Return that the training rows have one value only, or nearly so; nothing otherwise."""
    known = trained.dropna()
    if known.empty:
        return "has no value in any training row" if len(trained) else ""
    counts = known.value_counts()
    others = len(known) - int(counts.iloc[0])
    if others == 0:
        return "has the same value in every training row"
    if others < _FEWEST_OTHERS and others < _NEARLY_CONSTANT * len(known):
        return f"nearly constant: {others} of {len(known):,} training rows have another value than the usual one"
    return ""


def _propose(name: str, found: _Values, suspicion: Suspicion | None, warning: str) -> Proposal:
    closed = _closed_reason(name, found)
    code = f"; {found.code_reason}" if found.code_reason else ""
    if suspicion is not None:
        use = "forbidden" if closed else suspicion.proposed_use
        return Proposal(use, "; ".join(filter(None, (f"{suspicion.text}{code}", closed, warning))))
    if closed or warning:
        return Proposal(
            "forbidden", "; ".join(filter(None, (warning, closed if found.distinct > 1 else ""))) or str(closed)
        )
    few = found.distinct <= _FEW_NUMBERS and found.type in NUMERIC_TYPES and bool((found.known % 1 == 0).all())
    doubt = "; few whole numbers: if they are codes, make it a category" if few and found.distinct > 2 else ""  # noqa: PLR2004
    return Proposal("model", f"nothing seen against it{code}{doubt}")


def _closed_reason(name: str, found: _Values) -> str | None:
    """Return why neither model nor audit can use a column, or None."""
    is_named_id = bool(_ID_WORDS & {*split_words(name)}) and found.type == "integer"
    is_text = found.type in ("text", "category")
    reasons = {
        "has no value in any row": found.known.empty,
        _SAMPLED: found.type in NUMERIC_TYPES and _is_weight(name) and bool((found.known >= 0).all()),
        "has the same value in every row": found.distinct == 1,
        "a date; it tells rows apart and grows out of every range": found.type == "date",
        _say_amounts(found.known): is_text
        and not found.code_reason
        and found.distinct > _FEW_NUMBERS
        and _are_amounts(found.known),
        "nearly every row has a value of its own, as an identifier has": is_text and _is_near_unique(found.known),
        "each row has a value of its own that numbers rows, as an identifier does": found.type in NUMERIC_TYPES
        and _numbers_rows(found.known, name),
        f"more than {_MOST_CODES} codes; as amounts they mean nothing": bool(found.code_reason)
        and found.distinct > _MOST_CODES,
        "free text, or too many categories": found.type == "text",
        "its name is that of an identifier": is_named_id and found.distinct > _MOST_CATEGORIES,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _is_weight(name: str) -> bool:
    words = {*split_words(name)}
    is_weight, is_of_survey = (bool(words & {*listed.split()}) for listed in (_WEIGHT_WORDS, _OF_SURVEYS))
    return bool(words & {*_WEIGHTS.split()}) or (is_weight and is_of_survey)


def _are_amounts(known: pd.Series[Any]) -> bool:
    """Say whether texts are nearly all amounts, written so that they are not read as numbers."""
    texts = known.astype(str).str.strip()
    return bool(texts.str.fullmatch(_WRITTEN_AMOUNT).mean() >= _NEAR_UNIQUE) and not texts.str.fullmatch(r"0\d+").any()


def _say_amounts(known: pd.Series[Any]) -> str:
    texts = known.astype(str).str.strip()
    odd = texts[pd.to_numeric(texts, errors="coerce").isna()]
    example = f"{len(odd):,} rows as {odd.iloc[0][:20]!r}" if len(odd) else "all rows"
    return f"amounts that are not written as plain numbers ({example}): write them so at the source"


def _categories(found: _Values, labels: Mapping[str, str]) -> tuple[str, ...] | None:
    if labels and found.distinct <= _MOST_CODES:
        # A codebook also knows what is not in the file yet.
        values = {canonical(value) for value in (*found.known.unique(), *filter(None, labels))}
        return None if any("${" in value for value in values) else tuple(sorted(values))
    if found.code_reason:
        codes = sorted(int(value) for value in found.known.unique())
        return tuple(map(str, codes)) if len(codes) <= _MOST_CODES else None
    values = {canonical(value) for value in found.known.unique()}
    # A contract may not hold an interpolation; such a column is checked by its type only.
    return None if any("${" in value for value in values) else tuple(sorted(values))


def _describe(found: _Values, original: str | None, also: Seen) -> str:
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
    labels = [f"{value} {label}" for value, label in also.labels.items() if value]
    told = [also.note, f"codebook: {list_some(labels, _SHOWN)}" if labels else ""]
    # What the codebook says of the column is a description that somebody wrote.
    what = also.labels.get("", "").replace("${", "$ {") or UNWRITTEN
    more = "".join(f"; {one.replace('${', '$ {')}" for one in told if one)
    return f"{what} ({kind}, {missing}{more}{source})"
