"""Which columns of a table are likely to describe who people are, by their names and by what is in them.

The lists are a net, not a proof: they find the usual names in English, German, French, Spanish, Portuguese, Italian and
Dutch. What they miss, and what they catch wrongly, is for a person to decide; that is why a draft decides nothing.
The grounds are those of Article 21 of the EU Charter of Fundamental Rights, with columns that stand in for them.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import pandas as pd

_SAMPLE = 500
_FEW = 12
_EMAIL_SHARE = 0.5


@dataclass(frozen=True)
class Suspicion:
    """Why a column may describe people."""

    ground: str  # what it may describe
    because: str  # name or content that says so
    identifies: bool = False  # it names a single person, so that not even the audit should read it


# Whole words of a name, without accents; a word of eight letters or more may also be part of a compound.
_WORDS: dict[str, str] = {
    "sex or gender": "sex gender geschlecht sexe genre sexo genero sesso genere geslacht kon male female mujer femme "
    "woman gender_identity anrede salutation",
    "race or ethnic origin": "race races ethnic ethnicity ethnie raza etnia etnico raca razza cor hautfarbe skin "
    "skincolor black white hispanic latino herkunft abstammung origine origen origem afkomst caste tribe indigenous",
    "age": "age ages alter edad eta idade leeftijd birth birthday birthdate birthyear dob yob geburt geburtsdatum "
    "geburtsjahr jahrgang naissance nacimiento nascimento nascita geboorte geboortedatum senior",
    "religion or belief": "religion religious religione religiao religie konfession confession belief creed faith "
    "church kirche",
    "nationality or migration": "nationality nationalitat nationalite nacionalidad nacionalidade nazionalita "
    "nationaliteit citizen citizenship staatsangehorigkeit staatsburgerschaft staatsburger citoyennete ciudadania "
    "cittadinanza cidadania migrant immigrant migration immigration auslander foreign foreigner birthplace geburtsland "
    "geburtsort refugee native",
    "language": "language sprache muttersprache langue idioma lengua lingua taal accent dialect",
    "disability or health": "disability disabled behinderung behindert schwerbehinderung handicap discapacidad "
    "deficiencia disabilita invalid invalidity pregnant pregnancy schwanger schwangerschaft enceinte embarazo gravidez "
    "hiv diagnosis diagnose mental impairment",
    "family status": "marital married marriage familienstand verheiratet matrimonial marie casado civil spouse husband "
    "wife ehepartner children kinder enfants hijos filhos figli divorced widowed parent dependents relationship",
    "sexual orientation": "orientation lgbt lgbtq homosexual transgender",
    "political opinion or union": "political politics party partei parti partido union gewerkschaft syndicat sindicato",
    "origin by place": "zip zipcode postcode postal plz postleitzahl codigopostal cap neighborhood neighbourhood "
    "district stadtteil quartier barrio bairro quartiere wijk borough census",
}
_IDENTIFYING = (
    "name firstname lastname surname forename fullname vorname nachname familienname nom prenom nombre apellido "
    "apellidos nome cognome sobrenome naam achternaam email mail phone telephone telefon telefono mobile handy ssn "
    "passport iban address adresse anschrift strasse street direccion indirizzo endereco adres "
    "socialsecurity taxid"
)
# Pairs of values that give a column away.
_CODES: dict[str, str] = {
    "sex or gender": "m f|m w|h f|h m|male female|man woman|men women|mannlich weiblich|mann frau|homme femme|"
    "hombre mujer|masculino femenino|masculino feminino|maschio femmina|man vrouw",
    "race or ethnic origin": "white black|white asian|caucasian african_american|hispanic non_hispanic|blanco negro|"
    "branca preta",
    "religion or belief": "christian muslim|catholic protestant|katholisch evangelisch|hindu muslim",
    "family status": "married single|verheiratet ledig|casado soltero",
}
# Values that may stand beside a pair of codes without making it another kind of column.
_BESIDE = {"x", "d", "o", "u", "n", "other", "unknown", "divers", "diverse", "nonbinary", "non binary", "autre", "otro"}
_COMPOUND = 8


def suspect(name: str, values: pd.Series[Any]) -> Suspicion | None:
    """Return why a column may describe people, by its own name or its values, or None."""
    return _by_name(name) or _by_content(values)


def fold(text: str) -> str:
    """Return text in lower case and without accents."""
    decomposed = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).lower()


def split_words(name: str) -> tuple[str, ...]:
    """Split ``dateOfBirth``, ``date_of_birth`` or ``Date of birth`` into folded words."""
    spaced = re.sub(r"(?<=[a-z\d])(?=[A-Z])", " ", name)
    return tuple(re.findall(r"[^\W\d_]+", fold(spaced)))


def _by_name(name: str) -> Suspicion | None:
    words = split_words(name)
    joined = "".join(words)
    if found := _match(words, joined, _IDENTIFYING.split()):
        return Suspicion("a single person", f"its name has '{found}'", identifies=True)
    for ground, terms in _WORDS.items():
        if found := _match(words, joined, terms.split()):
            return Suspicion(ground, f"its name has '{found}'")
    return None


def _match(words: tuple[str, ...], joined: str, terms: list[str]) -> str | None:
    whole = (term for term in terms if term in words or term == joined)
    return next(whole, None) or next((term for term in terms if len(term) >= _COMPOUND and term in joined), None)


def _by_content(values: pd.Series[Any]) -> Suspicion | None:
    known = values.dropna()
    if known.empty or pd.api.types.is_numeric_dtype(known.dtype):
        return None
    texts = known.head(_SAMPLE).astype(str)
    if texts.str.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+").mean() >= _EMAIL_SHARE:
        return Suspicion("a single person", "its values are e-mail addresses", identifies=True)
    unique = known.unique()
    if len(unique) > _FEW:
        return None
    found = {re.sub(r"[\W_]+", " ", fold(str(value))).strip() for value in unique}
    for ground, pairs in _CODES.items():
        for pair in ({word.replace("_", " ") for word in words.split()} for words in pairs.split("|")):
            # Single letters are taken for codes only where nothing else is in the column: 'm' is also a size.
            if pair <= found and (found - pair <= _BESIDE or min(map(len, pair)) > 1):
                return Suspicion(ground, f"its values include {' and '.join(repr(v) for v in sorted(pair))}")
    return None
