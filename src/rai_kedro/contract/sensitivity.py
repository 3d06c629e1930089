"""Which columns of a table are likely to describe who people are, by their names and by what is in them.

The lists of :mod:`rai_kedro.contract.sensitive_words` are a net, not a proof: what they miss, and what they catch
wrongly, is for a person to decide; that is why a draft decides nothing. How sure each finding is, is said with it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import pandas as pd

from rai_kedro.contract import sensitive_words as terms
from rai_kedro.contract.columns import Use

Confidence: TypeAlias = Literal["sure", "likely", "unsure"]

_SAMPLE = 500
_FEW = 40
_EMAIL_SHARE = 0.5
_COMPOUND = 8
# From so many rows on, values may speak against a name.
_ENOUGH = 20
_MOST_CODES = 600
_OLDEST = 125
_BIRTH_YEARS = (1880, 2100)
_SHORT_CODE = 2
# So short a word that may mean many things is taken for a code, and looks like one.
_SHORT_WORD = 4
_FEW_SEXES = 12
_CODE = re.compile(r"[a-z]{0,3}\d+(\.0+)?")
_ANSWERS = {"yes", "no", "true", "false", "none", "unknown", "ja", "nein", "oui", "non", "si", "y", "n", "cellular"}


@dataclass(frozen=True)
class Suspicion:
    """Why a column may describe people, and how sure that is.

    ``sure``: hardly anything else has this name and these values; ``likely``: a part of a name, a code, or the values
    alone; ``unsure``: it may as well be something else, and a person has to look.
    """

    ground: str  # what it may describe
    because: str  # name or content that says so
    confidence: Confidence = "sure"
    identifies: bool = False  # it names a single person, so that not even the audit should read it

    @property
    def proposed_use(self) -> Use:
        """What a draft proposes: nobody reads what names a person, nor what nobody is sure of."""
        return "forbidden" if self.identifies or self.confidence == "unsure" else "audit"

    @property
    def text(self) -> str:
        """Say it in a few words."""
        how = {"sure": "describes", "likely": "may describe", "unsure": "unsure whether it describes"}
        return f"{how[self.confidence]} {self.ground} ({self.because})"


def suspect(name: str, values: pd.Series[Any], labels: Mapping[str, str] | None = None) -> Suspicion | None:
    """Return why a column may describe people, by its own name, its values, or what a codebook calls these, or None.

    ``labels`` has the label of each coded value, and under ``""`` that of the column.
    """
    labels = labels or {}
    seen = _see(values, labels)
    named = next(_by_name(name, seen), None) or next(_by_name(labels.get("", ""), seen), None)
    told = _by_content(seen)
    if named is None or (named.confidence == "unsure" and told is not None and told.confidence != "unsure"):
        return None if told is None else _temper(name, told)
    if told is not None and told.ground == named.ground:
        sure: Confidence = "sure" if told.confidence != "unsure" or named.confidence == "sure" else "likely"
        because = f"{named.because}, and {told.because.partition(', which')[0]}"
        return replace(named, because=because, confidence=sure)
    return _fit(named, seen)


@dataclass(frozen=True)
class _Seen:
    """What the values of a column are, as far as it speaks for or against people."""

    rows: int  # that have a value
    texts: frozenset[str]  # folded, if there are few
    distinct: int
    numbers: pd.Series[Any] | None  # if all of them are
    is_email: bool = False

    @property
    def is_coded(self) -> bool:
        """Whether it may hold codes: few texts, or whole numbers that are few."""
        whole = self.numbers is None or bool((self.numbers % 1 == 0).all())
        return whole and self.distinct <= _MOST_CODES

    @property
    def tells(self) -> bool:
        """Whether there are rows enough for values to speak against a name."""
        return self.rows >= _ENOUGH


def _see(values: pd.Series[Any], labels: Mapping[str, str]) -> _Seen:
    known = values.dropna()
    if pd.api.types.is_datetime64_any_dtype(known.dtype):
        return _Seen(len(known), frozenset(), int(known.nunique()), None)
    unique = known.unique()
    if pd.api.types.is_numeric_dtype(known.dtype) and not pd.api.types.is_bool_dtype(known.dtype):
        shown = {canonical_label(value, labels) for value in unique} if labels and len(unique) <= _FEW else set()
        return _Seen(len(known), frozenset(shown - {""}), len(unique), known.astype("float64"))
    texts = known.head(_SAMPLE).astype(str)
    numbers = pd.to_numeric(pd.Series(unique), errors="coerce") if len(unique) else pd.Series(dtype="float64")
    spoiled = numbers.isna().sum() > max(1, len(unique) // 10)
    few = len(unique) <= _FEW
    shown = {canonical_label(value, labels) or fold_value(value) for value in unique} if few else set()
    is_email = bool(texts.str.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+").mean() >= _EMAIL_SHARE) if len(texts) else False
    return _Seen(len(known), frozenset(shown), len(unique), None if spoiled else numbers.dropna(), is_email)


def canonical_label(value: Any, labels: Mapping[str, str]) -> str:
    """Return the folded label of a coded value, or nothing."""
    text = str(value).strip()
    return fold_value(labels.get(text) or labels.get(text.removesuffix(".0")) or "")


def fold(text: str) -> str:
    """Return text in lower case and without accents."""
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).lower()


def fold_value(value: Any) -> str:
    """Return a value in lower case, without accents, underscores between its words."""
    return re.sub(r"[\W_]+", "_", fold(str(value))).strip("_")


def split_words(name: str) -> tuple[str, ...]:
    """Split ``dateOfBirth``, ``date_of_birth``, ``HTMLPage`` or ``Date of birth`` into folded words."""
    spaced = re.sub(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return tuple(re.findall(r"[^\W\d_]+", fold(spaced)))


@lru_cache(maxsize=1)
def _lists() -> tuple[dict[str, str], dict[str, str], dict[str, str], dict[str, frozenset[str]]]:
    """Return the ground of each word, of each ambiguous one and of each code, and what a word never stands beside."""
    words, ambiguous, codes = (
        {word: ground for ground, listed in lists.items() for word in listed.split()}
        for lists in (terms.WORDS, terms.AMBIGUOUS, terms.CODES)
    )
    return words, ambiguous, codes, {word: frozenset(listed.split()) for word, listed in terms.NEVER_WITH.items()}


def _by_name(name: str, seen: _Seen) -> Iterator[Suspicion]:
    """Yield what a name says, the surest first."""
    words, ambiguous, codes, _ = _lists()
    said = split_words(name)
    whole = fold(name.strip())
    if ground := codes.get(whole):
        coded = seen.is_coded or not seen.tells
        if coded and (len(whole) > 3 or name.isupper()):  # noqa: PLR2004 - shorter ones are words in lower case
            yield Suspicion(ground, f"'{name}' is a column of public surveys")
    pairs = ("".join(pair) for pair in pairwise(said))
    for word in (*said, *pairs, "".join(said)):
        if word in words and not _stands_beside(word, said):
            yield _named(words[word], word, "sure")
    for word in said:
        yield from _by_part(word, said)
    yield from _by_stem(name, seen)
    for word in said:
        is_short = len(word) <= _SHORT_WORD and seen.tells and not seen.is_coded
        is_short = is_short and ambiguous.get(word) != terms.PERSON
        if word in ambiguous and not is_short and not _stands_beside(word, said):
            is_of_people = bool(terms.PEOPLE & {*said} - {word})
            confidence: Confidence = "likely" if is_of_people else "unsure"
            yield _named(ambiguous[word], word, confidence)


def _named(ground: str, word: str, confidence: Confidence) -> Suspicion:
    return Suspicion(ground, f"its name has '{word}'", confidence, identifies=ground == terms.PERSON)


def _stands_beside(word: str, said: Collection[str]) -> bool:
    _, _, _, never = _lists()
    return bool(never.get(word, frozenset()) & ({*said} - {word}))


def _by_part(word: str, said: Collection[str]) -> Iterator[Suspicion]:
    """Yield what a part of a word says: a compound of known pieces, a long word within it, a beginning."""
    words, ambiguous, _, _ = _lists()
    pieces = _segment(word)
    for piece in pieces:
        if piece in words and not _stands_beside(piece, (*pieces, *said)):
            yield _named(words[piece], piece, "likely")
    if any(piece in terms.PEOPLE for piece in pieces):
        for piece in pieces:
            if piece in ambiguous and not _stands_beside(piece, pieces):
                yield _named(ambiguous[piece], piece, "likely")
    for term, ground in words.items():
        if len(term) >= _COMPOUND and term in word and ground != terms.PERSON and term not in terms.WHOLE_ONLY:
            yield _named(ground, term, "likely")
    for ground, beginnings in terms.PREFIXES.items():
        for beginning in beginnings.split():
            if word.startswith(beginning):
                yield _named(ground, beginning, "likely")


@lru_cache(maxsize=4096)
def _segment(word: str) -> tuple[str, ...]:
    """Split a word that is made of known pieces only, the fewest; nothing where it is not."""
    words, ambiguous, _, _ = _lists()
    known = {*words, *ambiguous, *terms.PIECES, *terms.THINGS.split()}
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(end):
            before = best[start]
            if before is not None and word[start:end] in known and (end - start > 1 or start + 1 == end == len(word)):
                made = (*before, word[start:end])
                if best[end] is None or len(made) < len(best[end] or ()):
                    best[end] = made
    found = best[len(word)] or ()
    return found if len(found) > 1 and min(map(len, found)) > 1 else ()


def _by_stem(name: str, seen: _Seen) -> Iterator[Suspicion]:
    """Yield what short codes in capital letters say: a stem with at most two letters more, of coded values."""
    if not name.isupper() or not seen.is_coded:
        return
    for token in re.findall(r"[A-Z]+", name):
        for ground, stems in terms.STEMS.items():
            for stem in stems.split():
                rest = token.removeprefix(stem)
                begins = rest != token and (len(rest) <= _SHORT_CODE or rest.lower() in terms.PIECES)
                ends = token.endswith(stem) and len(stem) > 3 and len(token) - len(stem) <= _SHORT_CODE  # noqa: PLR2004
                if (begins or ends or (stem == "SEX" and token.endswith(stem))) and token not in terms.NO_CODES.split():
                    exact = len(token) - len(stem) <= 1
                    yield _named(ground, stem, "likely" if exact else "unsure")


def _fit(named: Suspicion, seen: _Seen) -> Suspicion | None:
    """Return what is left of a name's suspicion once the values were looked at."""
    if not seen.tells:
        return named
    if named.identifies:
        return None if _is_no_person(seen) else named
    if named.ground == terms.AGE and seen.numbers is not None and len(seen.numbers):
        return _fit_age(named, seen.numbers, is_few=seen.distinct <= _FEW)
    if named.ground == terms.SEX and seen.distinct > _FEW_SEXES and seen.numbers is None:
        return replace(named, because=f"{named.because}, but it has {seen.distinct} values", confidence="unsure")
    return named


def _fit_age(named: Suspicion, numbers: pd.Series[Any], *, is_few: bool) -> Suspicion:
    low, high = float(numbers.min()), float(numbers.max())
    if low >= 0 and high <= _OLDEST and (high > 1 or is_few):
        return replace(named, confidence="likely") if named.confidence == "unsure" else named
    if low >= 0 and high <= 1:  # a share of people, or an age on another scale
        return replace(named, confidence="likely")
    if (low >= _BIRTH_YEARS[0] and high <= _BIRTH_YEARS[1]) or "birth" in named.because:
        return named
    return replace(named, because=f"{named.because}, but values go from {low:g} to {high:g}", confidence="unsure")


def _is_no_person(seen: _Seen) -> bool:
    """Say whether values cannot name single persons: codes, answers, or a few numbers."""
    if seen.numbers is not None and seen.distinct <= _FEW:
        return True
    return bool(seen.texts) and all(_CODE.fullmatch(text) or text in _ANSWERS for text in seen.texts)


def _temper(name: str, told: Suspicion) -> Suspicion:
    """Return what values alone say; of a colour they say nothing sure of people."""
    is_colour = told.ground == terms.RACE and {*split_words(name)} & {"colour", "color", "farbe", "couleur", "wine"}
    return replace(told, confidence="unsure") if is_colour else told


def _by_content(seen: _Seen) -> Suspicion | None:
    if seen.is_email:
        return Suspicion(terms.PERSON, "its values are e-mail addresses", "sure", identifies=True)
    if not seen.texts or seen.distinct > _FEW:
        return None
    for letters in terms.LETTERS:
        if letters <= seen.texts and seen.texts - letters <= terms.BESIDE_LETTERS:
            shown = " and ".join(repr(one) for one in sorted(letters))
            return Suspicion(terms.SEX, f"its values are {shown}, which may mean something else", "unsure")
    for ground, listed in terms.VALUES.items():
        found = {text: one for text in sorted(seen.texts) if (one := _find_value(text, {*listed.split()})) is not None}
        telling = {*found.values()}
        if len(telling) < 2 and not (len(found) > 1 and telling - terms.COMMON_VALUES):  # noqa: PLR2004 - a pair
            continue
        shown = " and ".join(repr(text) for text in list(found)[:2])
        clear = bool(telling - terms.COMMON_VALUES) and 2 * len(found) >= len(seen.texts)
        if clear or (telling <= terms.COMMON_VALUES and {*found} == {*seen.texts}):
            return Suspicion(ground, f"its values include {shown}", "likely" if clear else "unsure")
    return None


def _find_value(text: str, listed: Collection[str]) -> str | None:
    """Return the word of a list that a value is or has, words joined by underscores included."""
    if text in listed:
        return text
    padded = f"_{text}_"
    return next((word for word in sorted(listed, key=len, reverse=True) if f"_{word}_" in padded), None)
