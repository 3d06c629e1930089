"""What ``kedro rai new-use-case`` settles before it drafts: names, key, months, dates and the favourable value."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from rai_kedro import sources
from rai_kedro.contract import UNWRITTEN, Column, Proposal, canonical, draft_column, split_words
from rai_kedro.errors import RaiError
from rai_kedro.months import PERIOD_FORMS, Period, find_period
from rai_kedro.words import list_some

Task = Literal["regression", "classification"]
# Columns that a store or a reference table adds itself.
RESERVED = (sources.MONTH, "prediction", "score", "model_version", "run_id")
_YES = ("1", "true", "yes", "y", "t", "ja", "oui", "si", "sí", "sim")
# Words of a target's name of which "yes" is plainly what people want, and of which it plainly is not.
_WANTED = {
    *("approved", "approval", "accepted", "admitted", "admit", "admission", "granted", "repaid", "paid", "payed"),
    *("hired", "hire", "employed", "passed", "pass", "graduated", "survived", "success", "successful", "eligible"),
    *("offered", "promoted", "selected", "shortlisted", "invited", "enrolled", "recovered", "bewilligt", "genehmigt"),
    *("angenommen", "bestanden", "accepte", "accorde", "aprobado", "aprovado", "approvato", "concedido"),
}
_UNWANTED = {
    *("default", "recid", "recidivism", "recidivist", "fraud", "churn", "readmitted", "readmission", "died", "death"),
    *(
        "mortality",
        "rejected",
        "denied",
        "failed",
        "fail",
        "dropout",
        "arrest",
        "arrested",
        "bad",
        "delinquent",
        "risk",
    ),
    *("late", "attrition", "claim", "ausfall", "betrug", "impago", "defaut"),
}
_ROLES = ("target", "key", "time", "prediction", "score")
_FEWEST_ROWS = 10
# Whole numbers of so many different values or fewer may be codes, of classes or grades.
_MOST_CODES = 20
_LONGEST_NAME = 80
_SHOWN = 6


class NewUseCaseError(RaiError):
    """A use case cannot be made of these data as asked; ``option`` is the one that would settle it, if one does."""

    def __init__(self, what: str, *, option: str | None = None, **parts: Any) -> None:
        super().__init__(what, **parts)
        self.option = option


@dataclass(frozen=True)
class UseCaseRequest:
    """What the user asks for: the options of the command, which says what each means; columns as the data name them.

    What is None is found, where the data allow one reading only, or left out; one of ``data`` and ``stores`` is needed.
    """

    name: str
    target: str
    task: Task | None = None
    data: Path | None = None
    stores: str | None = None
    key: str | None = None
    time: str | None = None
    time_format: str | None = None
    time_zone: str | None = None
    month: str | None = None
    period: Period = "month"
    favourable: str | None = None
    missing: tuple[str, ...] = ()
    delimiter: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None
    contract: Path | None = None
    codebook: Path | None = None
    accept_draft: str | None = None
    # What was predicted elsewhere, in place of a model to be trained.
    prediction: str | None = None
    score: str | None = None
    favourable_prediction: str | None = None
    high_score: Literal["favourable", "unfavourable"] | None = None
    threshold: float | None = None
    top: int | None = None
    top_share: float | None = None
    per: str | None = None
    model_url: str | None = None  # of a server that is asked, in place of columns


def settle_task(raw: pd.DataFrame, request: UseCaseRequest) -> UseCaseRequest:
    """Return the request with its task: as asked, or as the values of the target plainly mean it."""
    _check_columns(raw, request)
    if request.task is not None:
        return request
    values = raw[request.target].dropna().map(canonical)
    words = {word for asked in request.missing for word in (asked, asked.rpartition("=")[2])}
    found = set(values) - {"", *sources.find_spoilers(raw[request.target]), *map(canonical, words)}
    numbers = pd.to_numeric(pd.Series(sorted(found), dtype="str"), errors="coerce")
    if len(found) <= 2 or numbers.isna().any():  # noqa: PLR2004 - binary
        return replace(request, task="classification")
    if len(found) > _MOST_CODES or (numbers % 1 != 0).any():
        return replace(request, task="regression")
    raise NewUseCaseError(
        "The values of the target may be amounts or codes.",
        where=f"--target {request.target}",
        example=f"it has {some(sorted(found, key=float))}",
        remedy="say --task regression if they are amounts or counts; if they are codes, take a target with two values",
        option="task",
    )


def _check_columns(raw: pd.DataFrame, request: UseCaseRequest) -> None:
    for option in (*_ROLES, "per"):
        name = getattr(request, option)
        if name is not None and name not in raw.columns:
            raise NewUseCaseError(
                f"The file has no column '{name}'.",
                where=f"--{option}",
                example=f"it has {some([str(column) for column in raw.columns])}",
                remedy="name a column as the file does",
            )
    chosen = [name for option in _ROLES if (name := getattr(request, option)) is not None]
    if len(set(chosen)) < len(chosen):
        raise NewUseCaseError(
            "Target, key, time, prediction and score have to be different columns.",
            example=", ".join(chosen),
            remedy="name each column once",
        )


def choose_parameters(raw: pd.DataFrame, request: UseCaseRequest, today: date) -> sources.IngestionParameters:
    """Settle names, key, months, dates and the favourable value; ``today`` tells the month if nothing else does."""
    chosen = [name for option in _ROLES if (name := getattr(request, option)) is not None]
    if request.month is not None and find_period(request.month) != request.period:
        raise NewUseCaseError(
            f"'{request.month}' is not a {request.period}.",
            where="--month",
            remedy=f"write it as YYYY-MM: {PERIOD_FORMS}",
        )
    names = name_columns([str(name) for name in raw.columns], is_time=request.time)
    missing = _find_missing(raw, request)
    raw = sources.hide_missing(raw, missing)
    time = _choose_time(raw[request.time], names[request.time], request) if request.time else None
    dates = {
        names[str(name)]: formats[0]
        for name in raw.columns
        if name not in chosen and len(formats := sources.find_date_formats(raw[name])) == 1
    }
    values = _two_values(raw[request.target], request.target) if request.task == "classification" else []
    favourable = _favourable(values, request) if values else None
    return sources.IngestionParameters(
        rename={old: new for old, new in names.items() if old != new},
        key=names[request.key] if request.key else _free_name("row", tuple(names.values())),
        number_rows=request.key is None,
        label=names[request.target],
        favourable=favourable,
        unfavourable=next((value for value in values if value != favourable), None),
        time=time,
        month=None
        if time
        else (request.month or sources.name_periods(pd.Series([pd.Timestamp(today)]), request.period).iloc[0]),
        period=request.period,
        dates=dates,
        missing={names[name]: words for name, words in missing.items()},
    )


def _find_missing(raw: pd.DataFrame, request: UseCaseRequest) -> dict[str, tuple[str, ...]]:
    """Return by column the words that stand for a missing value: those that were named, and what spoils numbers."""
    kept = (request.target, request.key, request.time)
    found = {str(name): {*(sources.find_spoilers(raw[name]) if name not in kept else ())} for name in raw.columns}
    for asked in request.missing:
        column, _, word = asked.rpartition("=")
        if column and column not in found:
            column, word = "", asked
        names = [column] if column else list(found)
        having = [name for name in names if raw[name].map(canonical, na_action="ignore").eq(canonical(word)).any()]
        if not having:
            raise NewUseCaseError(
                f"No value to be read as missing: '{word}' is in {f'no row of {column!r}' if column else 'no column'}.",
                where="--missing",
                remedy="write the word as the file does: --missing '?' for all columns, --missing income=999 for one",
            )
        for name in having:
            found[name].add(canonical(word))
    return {name: tuple(sorted(words)) for name, words in found.items() if words}


def name_columns(names: Sequence[str], *, is_time: str | None = None) -> dict[str, str]:
    """Return the name that each column has in the stores: its own where letters, digits and underscores suffice.

    MLflow, scikit-learn and YAML each refuse or bend some characters and long names; names that all of them take spare
    the user that. New names are all different and none is reserved, but for the time column, which is in no store.
    """
    taken: dict[str, str] = {
        name: name for name in names if _is_fit(name) and (name not in RESERVED or name == is_time)
    }
    for position, name in enumerate(names, start=1):
        if name in taken:
            continue
        plain = unicodedata.normalize("NFKC", name)
        words = re.sub(r"\W+", "_", plain).strip("_")[:_LONGEST_NAME].strip("_")
        if not words:
            words = f"column_{position}"
        elif words[0].isdigit() or words in RESERVED:
            words = f"own_{words}"
        taken[name] = _free_name(words, {*taken.values(), *RESERVED})
    return {name: taken[name] for name in names}


def _is_fit(name: str) -> bool:
    return name.isidentifier() and name == unicodedata.normalize("NFC", name) and len(name) <= _LONGEST_NAME


def _free_name(name: str, taken: Collection[str]) -> str:
    candidates = (name, *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
    return next(candidate for candidate in candidates if candidate not in taken)


def _choose_time(values: pd.Series[Any], name: str, request: UseCaseRequest) -> sources.TimeColumn:
    form = _time_format(values, request)
    if not sources.names_month(form):
        raise NewUseCaseError(
            f"Dates written as '{form}' do not say which month they are in.",
            where=f"--time {request.time} --time-format {form}",
            example=str(values.dropna().iloc[0])[:40],
            remedy="take a column with months; for data by year add one, for example 2024-01 for all of 2024",
        )
    offsets = sources.count_offsets(values)
    if len(offsets) > 1 and request.time_zone is None:
        raise NewUseCaseError(
            f"The dates in '{request.time}' have different offsets from UTC.",
            where=f"--time {request.time}",
            how_many="; ".join(f"{count} rows with {offset}" for offset, count in list(offsets.items())[:_SHOWN]),
            example=str(values.dropna().iloc[0])[:40],
            remedy="say what counts: --time-zone 'as written' (the local date of each row), or a name as Europe/Berlin",
        )
    try:
        return sources.TimeColumn(column=name, format=form, zone=request.time_zone)
    except ValueError:
        raise NewUseCaseError(
            f"There is no time zone '{request.time_zone}'.",
            where="--time-zone",
            remedy="write 'as written', or a name such as Europe/Berlin",
        ) from None


def _time_format(values: pd.Series[Any], request: UseCaseRequest) -> str:
    if request.time_format:
        return request.time_format
    formats = sources.find_date_formats(values)
    if len(formats) == 1:
        return formats[0]
    known, unread = values.dropna(), sources.find_unreadable_dates(values)
    raise NewUseCaseError(
        f"The dates in '{request.time}' can be read in more than one way."
        if formats
        else f"'{request.time}' is not written as a date in every row.",
        where=f"--time {request.time}",
        how_many=f"{len(formats)} ways: {', '.join(formats)}"
        if formats
        else f"{len(unread)} of {len(values)} rows in no known form, {len(values) - len(known)} more without a value",
        example=str((unread if len(unread) else known).iloc[0])[:40] if len(known) else None,
        remedy="say how they are written, for example --time-format %d/%m/%Y; a row without a date cannot be placed",
    )


def _favourable(found: Sequence[str], request: UseCaseRequest) -> str:
    """Return the favourable value that was named, or the one that target's name and values plainly mean."""
    asked, words = request.favourable, {*split_words(request.target)}
    yes = [value for value in found if value.lower() in _YES]
    plain = len(yes) == 1 and words & _WANTED and not words & (_UNWANTED | {"not", "no", "un", "nicht"})
    chosen = canonical(asked) if asked is not None else yes[0] if plain else None
    if chosen in found:
        return str(chosen)
    is_bad = len(yes) == 1 and bool(words & _UNWANTED)
    guess = next((value for value in found if value not in yes), found[0]) if is_bad else (*yes, found[0])[0]
    hint = f"; '{request.target}' sounds like nothing that people want" if is_bad else ""
    choice = " or ".join(f"--favourable '{value}'" for value in (found if not yes else [guess]))
    what = "It has to be said which value of the target is the favourable outcome."
    raise NewUseCaseError(
        what if asked is None else f"The target has no value '{asked}'.",
        where=f"--target {request.target}" if asked is None else "--favourable",
        example=f"it has {' and '.join(found)}{hint}",
        remedy=f"name the one that is good for the person: {choice}",
        option="favourable",
    )


def _two_values(values: pd.Series[Any], target: str) -> list[str]:
    found = sorted(set(values.dropna().map(canonical)) - {""})
    if len(found) != 2:  # noqa: PLR2004 - binary
        raise NewUseCaseError(
            "The target of a classification has two values.",
            where=f"--target {target}",
            how_many=f"{len(found)} different values in {len(values)} rows",
            example=some([value[:40] for value in found]),
            remedy=_say_third(found) or "take another target, or --task regression if it is a number",
        )
    return found


def _say_third(found: Sequence[str]) -> str:
    """Return what to do about a third value that seems to stand for a missing one."""
    odd = [value for value in found if sources.find_spoilers(pd.Series([value, "1"], dtype="str"))]
    return f"if '{odd[0]}' stands for a missing value, say so: --missing '{odd[0]}'" if odd else ""


def draft_label(values: pd.Series[Any], request: UseCaseRequest) -> Column:
    """Draft the label's column, and refuse a target that cannot be learned."""
    draft = draft_column(values)
    known = values.dropna()
    known = known[known.astype(str).str.strip() != ""]
    if known.nunique() < 2 or len(known) < _FEWEST_ROWS:  # noqa: PLR2004 - one value teaches nothing
        raise NewUseCaseError(
            "Nothing can be learned from this target.",
            where=f"--target {request.target}",
            how_many=f"{len(known)} of {len(values)} rows have a value, {known.nunique()} of them different",
            remedy=f"take a target with at least two values in at least {_FEWEST_ROWS} rows",
        )
    risk = Proposal("model", "is learned; may record how people were treated").risk
    drafted = {"use": "model", "risk": risk, "nullable": False, "flags": ("risky",), "categories": None}
    if request.task == "classification":
        text = f"{UNWRITTEN} (1: {request.favourable or 'the favourable value'}, 0: the other value)"
        return draft.model_copy(update=drafted | {"type": "integer", "range": (0.0, 1.0), "description": text})
    numbers = pd.to_numeric(known, errors="coerce")
    if numbers.isna().any():
        raise NewUseCaseError(
            "The target of a regression is a number.",
            where=f"--target {request.target}",
            how_many=f"{int(numbers.isna().sum())} of {len(known)} values are none",
            example=some([str(value)[:40] for value in known[numbers.isna()].unique()[:3]]),
            remedy="mend these values, say which word means missing (--missing '?'), take another target, or --task "
            "classification; see also --decimal",
        )
    return draft.model_copy(update=drafted | {"type": "float"})


def some(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    return list_some(names, _SHOWN) or "none"
