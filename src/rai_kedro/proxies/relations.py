"""Columns that are another column in disguise: copied, rescaled, recoded, binned, or adding up to it.

No model is fitted; each rule is one that holds in all rows or nearly all, and that chance cannot bring about. What was
computed from a column is found as well as what gives it away:

* numbers: equal; on one line (squared correlation, 1 up to rounding); in the same or the reversed order (that of the
  ranks); the same with a little noise (from .99 on); a smooth function, rising and falling as it may: Chatterjee's
  (2021) correlation, which is 1 only for a function of the other, from .95 on;
* categories: the same under other names; one of them, or several put together; a finer list that gives it away.
  Goodman and Kruskal's (1954) lambda, the share of the errors that knowing the one saves in the other, from .95 on;
* a number and few values: each value has a range of its own, as bins and thresholds have; two values, which it tells
  apart with an area under the ROC curve of .99;
* two numbers that add up to it, in any proportion, or of which it is the product or ratio.

Of the target also names are asked (:func:`find_leaks`): those of what is known only after the outcome, and of earlier
predictions, which may agree with it no more than any honest column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from rai_kedro.contract import split_words
from rai_kedro.proxies.reading import MOST_LEVELS, Floats, Read, read_columns
from rai_kedro.typed import Typed

Kind: TypeAlias = Literal[
    "copy",
    "scaled",
    "monotone",
    "nearly",
    "function",
    "recoded",
    "category",
    "binned",
    "gives away",
    "sum",
    "product",
    "after",
    "prediction",
    "suspicious",
]

FEWEST_ROWS = 30
_MOST_ROWS = 5_000
_EXACT = 1 - 1e-9
_NEARLY = 0.99
# From here on one column alone tells the target so well that it is worth a question.
_SUSPICIOUS = 0.95
_FUNCTION = 0.95
_SAVED = 0.95
# Of chance bringing a rule about in one pair of columns.
_LOG_CHANCE = np.log(1e-9)
_FEWEST_VALUES = 50
_FEWEST_OF_A_VALUE = 10
_MOST_SUMMED = 60

_WORDS: dict[Kind, str] = {
    "copy": "is a copy of",
    "scaled": "is a scaled or shifted copy of",
    "monotone": "has the same order as (a monotone copy of)",
    "nearly": "is nearly a copy of",
    "function": "is computed from",
    "recoded": "has the same categories under other names as",
    "category": "is made from the categories of",
    "binned": "is made from ranges of",
    "gives away": "gives away the value of",
    "sum": "add up to",
    "product": "multiply or divide to",
    "after": "is, by its name, known only after",
    "prediction": "is, by its name, an earlier prediction of",
    "suspicious": "alone, with an AUC or correlation of .95 or more, tells",
}
# Words of names, in their order; what was said of an earlier case is known.
_AFTERWARDS = (
    "outcome|discharge|discharged|disposition|charge off|chargeoff|charged off|write off|writeoff|written off|"
    "paid back|paidback|payback date|repaid|recoveries|recovery fee|settlement|date of death|death date|deathdate|died|"
    "deceased|churn reason|churn date|cancel date|cancellation|termination|terminated|exit date|exit reason|"
    "closed date|close date|resolution|resolved|refund|default date|verdict|convicted|final result|final grade|"
    "final decision|last pymnt|total pymnt|out prncp|total rec|days from arrest|follow up|entlassung|"
    "ausgang|sterbedatum"
)
_PREDICTED = (
    "pred|preds|predicted|prediction|predictions|yhat|y hat|ypred|proba|propensity|decile score|risk score|score text|"
    "raw score|model score|own score|forecast|vorhersage|prognose"
)
_BEFOREHAND = {"previous", "prior", "prev", "past", "earlier", "history", "former", "planned", "expected", "scheduled"}


class Relation(Typed):
    """One or two columns of the model that are another column in disguise."""

    columns: tuple[str, ...]  # the model's
    of: str  # what they stand for
    kind: Kind
    rows: int  # on which it was seen
    permitted: bool = False  # by a justification

    @property
    def text(self) -> str:
        """Say it in one sentence, both names in it."""
        return f"{' and '.join(self.columns)} {_WORDS[self.kind]} {self.of}"


def find_relations(features: pd.DataFrame, others: pd.DataFrame) -> tuple[Relation, ...]:
    """Find the columns of a model that are another column in disguise; of each pair the plainest relation.

    Args:
        features: The model's columns; of more than 5,000 rows an even part is looked at.
        others: Columns of the same rows that it must not know, or the target.
    """
    rows = _spread(len(features), _MOST_ROWS)
    own, foreign = read_columns(features.iloc[rows]), read_columns(others.iloc[rows])
    found: list[Relation] = []
    for other in foreign:
        single = [one for mine in own if mine.name != other.name and (one := _relate(mine, other)) is not None]
        found += single
        if other.numbers is not None:
            taken = {one.columns[0] for one in single}
            found += _find_pairs([one for one in own if one.name not in taken and one.name != other.name], other)
    return tuple(found)


def find_leaks(features: pd.DataFrame, target: pd.DataFrame) -> tuple[Relation, ...]:
    """Find the columns of a model that give the target away, by their values or by their names.

    Args:
        features: The model's columns, read as :func:`find_relations` does.
        target: The target in one column, of the same rows.
    """
    found = find_relations(features, target)
    seen, name = {column for one in found for column in one.columns}, str(target.columns[0])
    rows = len(features)
    named = [
        Relation(columns=(column,), of=name, kind=kind, rows=rows)
        for column in map(str, features.columns)
        if column not in seen and (kind := _ask_name(column)) is not None
    ]
    return (*found, *named)


def find_suspicions(features: pd.DataFrame, target: pd.DataFrame) -> tuple[Relation, ...]:
    """Find the columns that alone tell the target suspiciously well, though not so that :func:`find_leaks` names them.

    That is a rank correlation with a number of .95 to .99, or an area under the curve of a binary target. Arguments are
    those of :func:`find_leaks`.
    """
    rows = _spread(len(features), _MOST_ROWS)
    own, (goal,) = read_columns(features.iloc[rows]), read_columns(target.iloc[rows])
    told = [(mine, mine.known & goal.known) for mine in own if mine.numbers is not None]
    enough = [(mine.take(both), goal.take(both)) for mine, both in told if both.sum() >= FEWEST_ROWS]
    return tuple(
        Relation(columns=(x.name,), of=s.name, kind="suspicious", rows=len(x.codes))
        for x, s in enough
        if _tells(x, s) >= _SUSPICIOUS and next(_find_kinds(x, s), None) is None
    )


def _tells(x: Read, s: Read) -> float:
    """Return how well a number tells a target: the area under the curve of two values, else the rank correlation."""
    if x.numbers is None:
        return 0.0
    if len(np.unique(s.codes)) == 2:  # noqa: PLR2004 - two values
        return _area(x.numbers, s.codes)
    return 0.0 if s.numbers is None else abs(_correlate(_rank(x.numbers), _rank(s.numbers)))


def drop_rescaled(made: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Return what was made of the features without columns that are one of them, shifted or scaled: those are known."""
    numbers = [one.numbers for one in read_columns(features) if one.numbers is not None]
    numeric = made.select_dtypes("number")
    if numeric.empty or not numbers:
        return made
    own, new = _standardise(np.stack(numbers, axis=1)), _standardise(numeric.to_numpy(dtype=float))
    is_known = np.any(np.abs(own.T @ new) >= _EXACT, axis=0).tolist()
    return made.drop(columns=[name for name, known in zip(numeric, is_known, strict=True) if known])


def _standardise(columns: Floats) -> Floats:
    """Bring each column to mean 0 and length 1; one that is constant or has a missing value is like no other."""
    centred = columns - columns.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    scaled: Floats = np.divide(centred, length, out=np.full_like(centred, np.nan), where=length > 0)
    return scaled


def _ask_name(name: str) -> Kind | None:
    words = split_words(name)
    said = f" {' '.join(words)} "
    if any(f" {word} " in said for word in _PREDICTED.split("|")) or words == ("score",):
        return "prediction"
    is_after = any(f" {word} " in said for word in _AFTERWARDS.split("|")) and not _BEFOREHAND & {*words}
    return "after" if is_after else None


def _spread(rows: int, most: int) -> Any:
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).astype(np.int64)) if rows else np.zeros(0, np.int64)


def _relate(mine: Read, other: Read) -> Relation | None:
    both = mine.known & other.known
    rows = int(both.sum())
    if rows < FEWEST_ROWS:
        return None
    x, s = mine.take(both), other.take(both)
    kind = next(_find_kinds(x, s), None)
    return None if kind is None else Relation(columns=(mine.name,), of=other.name, kind=kind, rows=rows)


def _find_kinds(x: Read, s: Read) -> Iterator[Kind]:
    """Yield what holds between two columns without a missing value, the plainest first."""
    if min(len(np.unique(x.codes)), len(np.unique(s.codes))) <= 1:
        return
    if x.numbers is not None and s.numbers is not None:
        yield from _compare_numbers(x.numbers, s.numbers)
    yield from _compare_codes(x, s)
    if s.numbers is not None and _has_ranges(x, s.numbers):
        yield "binned"
    if x.numbers is not None and (_has_ranges(s, x.numbers) or _tells_apart(x.numbers, s)):
        yield "gives away"


def _compare_numbers(x: Floats, s: Floats) -> Iterator[Kind]:
    if np.array_equal(x, s):
        yield "copy"
    # Two values are on one line whatever they are: those are compared as codes.
    if min(len(np.unique(x)), len(np.unique(s))) <= 2:  # noqa: PLR2004
        return
    line, order = _correlate(x, s) ** 2, _correlate(_rank(x), _rank(s)) ** 2
    if line >= _EXACT:
        yield "scaled"
    if order >= _EXACT:
        yield "monotone"
    if max(line, order) >= _NEARLY:
        yield "nearly"
    if _depends(x, s) >= _FUNCTION:
        yield "function"
    if _depends(s, x) >= _FUNCTION:
        yield "gives away"


def _correlate(x: Floats, s: Floats) -> float:
    x, s = x - x.mean(), s - s.mean()
    scale = float(np.sqrt((x @ x) * (s @ s)))
    return float(x @ s) / scale if scale > 0 else 0.0


def _depends(response: Floats, on: Floats) -> float:
    """Return Chatterjee's correlation: how far ``response`` is a function of ``on``; 0 where ties leave it open."""
    if len(np.unique(on)) < max(_FEWEST_VALUES, len(on) // 3) or len(np.unique(response)) < _FEWEST_VALUES:
        return 0.0
    ordered = response[np.lexsort((response, on))]
    rank, above = _rank(ordered, "max"), _rank(-ordered, "max")
    rows = len(ordered)
    return float(1 - rows * np.abs(np.diff(rank)).sum() / (2 * (above * (rows - above)).sum()))


def _compare_codes(x: Read, s: Read) -> Iterator[Kind]:
    (own, mine), (foreign, theirs) = (np.unique(one.codes, return_inverse=True) for one in (x, s))
    # A list as long as the rows determines everything: it says nothing.
    if max(len(own), len(foreign)) > len(x.codes) // 5:
        return
    size = len(own), len(foreign)
    table = np.bincount(mine * size[1] + theirs, minlength=size[0] * size[1]).reshape(size)
    forth = size[1] <= MOST_LEVELS and _saves(table) >= _SAVED and _is_no_chance(table)
    back = max(size) <= MOST_LEVELS and _saves(table.T) >= _SAVED and _is_no_chance(table.T)
    if forth and back:
        yield "recoded"
    if back:
        yield "category"
    if forth:
        yield "gives away"


def _saves(table: Any) -> float:
    """Return lambda: the share of the errors in the column's code that knowing the row's code saves."""
    rows, usual = table.sum(), table.sum(axis=0).max()
    return float((table.max(axis=1).sum() - usual) / (rows - usual)) if rows > usual else 0.0


def _is_no_chance(table: Any) -> bool:
    """Say whether chance can hardly let each row's code have one column's code only: it is one of many orders."""
    ways = table.shape[0] * np.log(table.shape[1])
    return bool(ways - _log_orders(table.sum(axis=0)) < _LOG_CHANCE)


def _log_orders(counts: Any) -> float:
    return float(_log_factorial(counts.sum()) - _log_factorial(counts).sum())


def _log_factorial(numbers: Any) -> Any:
    from scipy.special import gammaln  # a second, which a command that only reads results is spared; ranks likewise

    return gammaln(numbers + 1)


def _rank(values: Floats, method: Literal["average", "max"] = "average") -> Any:
    from scipy.stats import rankdata

    return rankdata(values, method)


def _has_ranges(few: Read, numbers: Floats) -> bool:
    """Say whether each value of a column has a range of numbers of its own, and chance can hardly bring that about."""
    values, codes, counts = np.unique(few.codes, return_inverse=True, return_counts=True)
    if not 2 <= len(values) <= MOST_LEVELS or len(np.unique(numbers)) < len(values):  # noqa: PLR2004
        return False
    low, high = np.full(len(values), np.inf), np.full(len(values), -np.inf)
    np.minimum.at(low, codes, numbers)
    np.maximum.at(high, codes, numbers)
    order = np.argsort(low, kind="stable")
    apart = bool((low[order][1:] > high[order][:-1]).all())
    return apart and float(_log_factorial(len(values))) - _log_orders(counts) < _LOG_CHANCE


def _tells_apart(numbers: Floats, s: Read) -> bool:
    """Say whether a number tells two values apart in nearly all pairs of rows: an area under the curve of .99."""
    return _area(numbers, s.codes) >= _NEARLY


def _area(numbers: Floats, of: Any) -> float:
    """Return the area under the curve by which numbers tell two values apart, in either direction; 0 of few rows."""
    values, codes, counts = np.unique(of, return_inverse=True, return_counts=True)
    if len(values) != 2 or counts.min() < _FEWEST_OF_A_VALUE:  # noqa: PLR2004
        return 0.0
    ranks = _rank(numbers)[codes == 1].sum() - counts[1] * (counts[1] + 1) / 2
    area = float(ranks / (counts[0] * counts[1]))
    return max(area, 1 - area)


def _find_pairs(own: Sequence[Read], other: Read) -> list[Relation]:
    """Find two numbers that add up, multiply or divide to another one."""
    if other.numbers is None:
        return []
    numeric = [one for one in own if one.numbers is not None and len(one.levels) > 1]
    found: list[Relation] = []
    complete = ~np.isnan(other.numbers)
    numeric = [one for one in numeric if not np.isnan(one.numbers[complete]).any()][:_MOST_SUMMED]  # type: ignore[index]
    rows = int(complete.sum())
    if len(numeric) <= 1 or rows < FEWEST_ROWS or len(other.levels) <= 2:  # noqa: PLR2004
        return []
    x, s = np.stack([one.numbers[complete] for one in numeric]), other.numbers[complete]  # type: ignore[index]
    kinds: list[tuple[Kind, Floats, Floats, list[int]]] = [("sum", x, s, list(range(len(numeric))))]
    positive = [at for at in range(len(numeric)) if (x[at] > 0).all()]
    if (s > 0).all() and len(positive) > 1:
        kinds.append(("product", np.log(x[positive]), np.log(s), positive))
    for kind, columns, wanted, at in kinds:
        for first, second in _explained(columns, wanted):
            names = numeric[at[first]].name, numeric[at[second]].name
            if not any(one.columns == names for one in found):
                found.append(Relation(columns=names, of=other.name, kind=kind, rows=rows))
    return found


def _explained(columns: Floats, wanted: Floats) -> Iterator[tuple[int, int]]:
    """Yield the pairs of columns, shape (columns, rows), that add up to the wanted one while neither does alone."""
    with np.errstate(divide="ignore", invalid="ignore"):
        all_of_them = np.atleast_2d(np.corrcoef(np.vstack([columns, wanted])))
    between, own = all_of_them[:-1, :-1], all_of_them[:-1, -1]
    for first, second in combinations(range(len(columns)), 2):
        r, a, b = between[first, second], own[first], own[second]
        if not np.isfinite([r, a, b]).all() or r**2 >= _EXACT or max(a**2, b**2) >= _NEARLY:
            continue
        if (a**2 + b**2 - 2 * a * b * r) / (1 - r**2) >= 1 - 1e-6:
            yield first, second
