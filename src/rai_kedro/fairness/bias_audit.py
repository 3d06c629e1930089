"""The tables that New York City's Local Law 144 asks for of a tool for employment decisions.

6 RCNY § 5-300 and § 5-301 (Department of Consumer and Worker Protection, final rule of April 2023): for sex, race or
ethnicity and their crossing the *selection rate* of each category, or of a tool that scores the *scoring rate* (the
share above the sample's median score), and the *impact ratio*: that rate divided by the highest one of its table.
People whose category is unknown are counted and left out. A category with less than 2 % of the data may be left out of
the impact ratios, with a reason; its rate is shown all the same.

The rule asks for no interval. They are here because a ratio of few people says little. The tables are no bias audit in
the sense of the law: that is done by an independent auditor, on data of the tool's use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from rai_kedro.errors import RaiError
from rai_kedro.fairness.grouping import JOIN
from rai_kedro.frames import read_column
from rai_kedro.intervals import (
    Estimate,
    Sampling,
    critical_tails,
    hybrid_ratio,
    proportion_intervals,
    proportion_limits,
    read_sampling,
)
from rai_kedro.typed import Typed

Measure = Literal["selection", "scoring"]
SMALL_SHARE = 0.02
_COMPARABLE = 2
_HOW_RATIO = (
    "rate divided by the highest of its table; limits over all pairs of categories at once (Tukey), hybrid of the "
    "rates' own (Donner and Zou 2012)"
)
_HOW_SCORE = "share above the sample's median score, which the interval takes as fixed"


class BiasAuditError(RaiError):
    """The tables cannot be made as asked."""


class BiasAuditSpec(Typed):
    """Which columns hold sex and race or ethnicity, what counts as unknown, and what is left out for which reason.

    Attributes:
        measure: ``selection`` by the decision, ``scoring`` by the score; None: by the decision of a classifier, and by
            the prediction of a regression.
        unknown: Values that mean an unknown category; a missing value does so anyway.
        leave_out: Categories without an impact ratio, each with its reason; one of a crossing as ``Asian & Female``.
        level: Confidence level of the intervals, of the ratios of one table together.
        sex: Audited column that holds sex.
        race: Audited column that holds race or ethnicity.
    """

    sex: str
    race: str
    measure: Measure | None = None
    unknown: tuple[str, ...] = ("unknown",)
    leave_out: dict[str, str] = Field(default_factory=dict)
    level: float = Field(default=0.95, gt=0.5, lt=1)


class CategoryRate(Typed):
    """One category of a table; ``rate`` is of those counted in ``people``, ``left_out`` the reason for no ratio."""

    category: str
    people: int
    favoured: int  # selected, or above the median
    share: float  # of all people in the tables
    rate: Estimate
    impact_ratio: Estimate
    left_out: str = ""


class CategoryTable(Typed):
    """The categories of sex, of race or ethnicity, or of their crossing."""

    by: str
    rows: tuple[CategoryRate, ...]


class BiasAudit(Typed):
    """The three tables, and how many people are in none of them because a category of theirs is unknown."""

    measure: Measure
    tables: tuple[CategoryTable, ...]
    people: int
    unknown: int
    median: float | None = None  # of the scores of everybody, unknown categories included
    sampled: str = ""  # how rows of one unit, and weights, are dealt with; empty where neither is declared

    def to_frame(self) -> pd.DataFrame:
        """Return one row a category: table, category, people, rate and impact ratio with their intervals."""
        return pd.DataFrame(
            [
                {
                    "by": table.by,
                    **row.model_dump(include={"category", "people", "favoured", "share", "left_out"}),
                    **{f"rate{end}": value for end, value in _ends(row.rate).items()},
                    **{f"impact_ratio{end}": value for end, value in _ends(row.impact_ratio).items()},
                }
                for table in self.tables
                for row in table.rows
            ]
        )


def audit_bias(  # noqa: PLR0913 - every option by its name
    *,
    sex: Any,
    race: Any,
    selected: Any = None,
    scores: Any = None,
    unknown: tuple[str, ...] = ("unknown",),
    leave_out: Mapping[str, str] | None = None,
    level: float = 0.95,
    unit: Any = None,
) -> BiasAudit:
    """Make the tables of Local Law 144 from columns: people by sex and race, and whom the tool selected or scored how.

    Args:
        sex: Category of sex of each person; a list, an array or a column.
        race: Category of race or ethnicity of each person.
        selected: Whether the person was selected (1 or True), or else ``scores``.
        scores: The score of each person, where the tool scores.
        unknown: Values that mean an unknown category, in any case of letters; a missing value does so anyway.
        leave_out: Categories of less than 2 % that get no impact ratio, with the reason for each.
        level: Confidence level of the intervals; those of the ratios of one table hold together.
        unit: The person each row is of, where several rows may be of one: rates count rows all the same, as the rule
            counts applications, and intervals allow for it.

    Raises:
        BiasAuditError: Neither or both outputs are given, one is missing for somebody, the columns differ in length,
            nobody is left, or a category that is left out is not there or not small.
    """
    if (selected is None) == (scores is None):
        raise BiasAuditError(
            "The tables are made of selections or of scores.", remedy="give one of `selected` and `scores`"
        )
    output = selected if scores is None else scores
    rows = _read_rows(sex, race, output)
    favoured, median = rows["output"] == 1, None
    if selected is not None and not rows["output"].isin([0, 1]).all():
        odd = rows["output"][~rows["output"].isin([0, 1])]
        raise BiasAuditError(
            "A person is selected or is not.",
            where="selected",
            how_many=f"{len(odd)} of {len(rows)} rows are neither 0 nor 1",
            example=str(odd.iloc[0]),
            remedy="write 1 for selected and 0 for not; or hand the values in as `scores`",
        )
    if scores is not None:
        median = float(rows["output"].median())
        favoured = rows["output"] > median
    hidden = {word.casefold() for word in unknown}
    is_known = ~pd.concat([_is_unknown(rows[name], hidden) for name in ("sex", "race")], axis=1).any(axis=1)
    known, favoured = rows[is_known], favoured[is_known]
    if known.empty:
        raise BiasAuditError(
            "Nobody has a known sex and a known race or ethnicity.",
            where="sex, race",
            how_many=f"{len(rows)} rows",
            remedy="hand in columns with categories; see what `unknown` names",
        )
    by = {"sex": known["sex"], "race": known["race"], "race & sex": known["race"] + JOIN + known["sex"]}
    reasons = dict(leave_out or {})
    _require_small(reasons, by)
    sampling = read_sampling(None if unit is None else pd.Series(unit).reset_index(drop=True), None, len(rows))
    sampling = None if sampling is None else sampling.take(is_known.to_numpy())
    tables = tuple(_tabulate(name, column, favoured, reasons, level, sampling) for name, column in by.items())
    if scores is not None:
        tables = tuple(_say_how(table, _HOW_SCORE) for table in tables)
    measure: Measure = "selection" if scores is None else "scoring"
    sampled = ""
    if sampling is not None:
        units = len(np.unique(sampling.units))
        sampled = f"Counted are rows, which are of {units:,} units; intervals allow for rows of one unit being alike."
    return BiasAudit(
        measure=measure,
        tables=tables,
        people=len(known),
        unknown=int((~is_known).sum()),
        median=median,
        sampled=sampled,
    )


def ratio_limits(events: Any, rows: Any, level: float) -> tuple[Any, Any]:
    """Return limits of each group's rate divided by the highest rate, shape (..., G), all at once at the level.

    A group's ratio is the smallest of its ratios to every other group, and at most 1; so are its limits.
    """
    events, rows = np.asarray(events, dtype=float), np.asarray(rows, dtype=float)
    tail = critical_tails(events.shape[-1], level).lower
    rate, (low, high) = events / rows, proportion_limits(events, rows, tail)
    itself = np.eye(events.shape[-1], dtype=bool)
    lower, upper = (np.where(itself, 1.0, hybrid_ratio(rate, low, high, sign=sign)) for sign in (-1, 1))
    return np.clip(lower.min(axis=-1), 0, 1), np.clip(upper.min(axis=-1), 0, 1)


def _read_rows(sex: Any, race: Any, output: Any) -> pd.DataFrame:
    given = {"sex": sex, "race": race, "output": output}
    columns = {name: read_column(values, name, BiasAuditError).reset_index(drop=True) for name, values in given.items()}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise BiasAuditError(
            "The columns are not of the same people.",
            how_many=", ".join(f"{name}: {rows}" for name, rows in lengths.items()),
            remedy="hand in one value a person in each, in the same order",
        )
    rows = pd.DataFrame(columns)
    rows["output"] = pd.to_numeric(rows["output"], errors="coerce")
    if missing := int(rows["output"].isna().sum()):
        raise BiasAuditError(
            "The tool's output is missing or no number for some people.",
            how_many=f"{missing} of {len(rows)} rows",
            remedy="hand in those whom the tool assessed",
        )
    return rows.assign(**{name: rows[name].astype("string").str.strip() for name in ("sex", "race")})


def _is_unknown(column: pd.Series[Any], hidden: set[str]) -> pd.Series[bool]:
    return column.isna() | (column == "") | column.str.casefold().isin(hidden).fillna(True).astype(bool)


def _require_small(reasons: Mapping[str, str], by: Mapping[str, pd.Series[Any]]) -> None:
    shares: dict[Any, float] = {}
    for column in by.values():
        shares |= column.value_counts(normalize=True).to_dict()
    for category, reason in reasons.items():
        share = shares.get(category)
        if share is not None and share < SMALL_SHARE and reason.strip():
            continue
        small = [name for name, one in shares.items() if one < SMALL_SHARE]
        raise BiasAuditError(
            "A category is left out without a reason."
            if share is not None and share < SMALL_SHARE
            else "Only a category with less than 2 % of the data may be left out.",
            where=f"leave_out: {category}",
            how_many="nobody is in it" if share is None else f"{100 * share:.1f} % of the data",
            example=f"smaller than that: {', '.join(small[:6]) or 'none'}",
            remedy="name one of those with the auditor's reason, or leave nothing out",
        )


def _tabulate(  # noqa: PLR0913, PLR0917 - the rows of a table, and how it is made
    by: str,
    column: pd.Series[Any],
    favoured: pd.Series[bool],
    reasons: Mapping[str, str],
    level: float,
    sampling: Sampling | None = None,
) -> CategoryTable:
    counts = favoured.astype(int).groupby(column.to_numpy()).agg(["sum", "size"]).sort_index()
    events, rows = counts["sum"].to_numpy(), counts["size"].to_numpy()
    compared = np.array([name not in reasons for name in counts.index])
    worth = events, rows
    if sampling is not None:
        worth = _find_worth([(column == name).to_numpy() for name in counts.index], favoured, sampling, level)
    ratios = iter(_ratios(worth[0][compared], worth[1][compared], level))
    rates = proportion_intervals(*worth, level)
    return CategoryTable(
        by=by,
        rows=tuple(
            CategoryRate(
                category=str(name),
                people=int(n),
                favoured=int(k),
                share=float(n / rows.sum()),
                rate=rate.model_copy(update={"value": float(k / n), "n": int(n), "level": level}),
                impact_ratio=next(ratios) if counted else Estimate(note="left out"),
                left_out=reasons.get(str(name), ""),
            )
            for name, k, n, rate, counted in zip(counts.index, events, rows, rates, compared, strict=True)
        ),
    )


def _find_worth(
    categories: Sequence[Any], favoured: pd.Series[bool], sampling: Sampling, level: float
) -> tuple[Any, Any]:
    """Return of each category how many independent rows in its favour, and in all, would be as sure."""
    hits = favoured.to_numpy(dtype=float)
    found = [
        sampling.take(among).measure(hits[among], np.ones(among.sum())).effective_counts([among.sum()], (1 - level) / 2)
        for among in categories
    ]
    return np.array([float(one[0]) for one, _ in found]), np.array([float(one[0]) for _, one in found])


def _ratios(events: Any, rows: Any, level: float) -> list[Estimate]:
    if not events.any():
        return [Estimate(n=int(n), note="nobody is in this table's favour: no ratio") for n in rows]
    values = (events / rows) / (events / rows).max()
    if len(events) < _COMPARABLE:
        return [Estimate(value=1.0, n=int(rows[0]), note="the only category")]
    lower, upper = ratio_limits(events, rows, level)
    return [
        Estimate(value=float(v), lower=float(a), upper=float(b), level=level, n=int(n), how=_HOW_RATIO)
        for v, a, b, n in zip(values, lower, upper, rows, strict=True)
    ]


def _say_how(table: CategoryTable, how: str) -> CategoryTable:
    rows = tuple(
        row.model_copy(update={"rate": row.rate.model_copy(update={"how": f"{how}; {row.rate.how}"})})
        for row in table.rows
    )
    return table.model_copy(update={"rows": rows})


def _ends(figure: Estimate) -> dict[str, float | None]:
    return {"": figure.value, "_lower": figure.lower, "_upper": figure.upper}
