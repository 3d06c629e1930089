"""What Evidently is shown of a month: plain numbers, each with the tab, the panel and the series that it belongs to.

Runs store these numbers and the dashboard plots them, so both are made from the records of the months alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from rai_kedro.monitoring.outcomes import MONTH, Measured, MonthOutcome
from rai_kedro.monitoring.results import ColumnDrift, MonthDrift
from rai_kedro.monitoring.timeline import MonthRecord
from rai_kedro.monitoring.verdict import MonthlyOutcome, Weight
from rai_kedro.months import say_period
from rai_kedro.words import in_words

TABS = ("Verdict", "Drift", "Performance", "Fairness", "Carbon")
VERDICTS, FINDINGS, WHICH, EFFECTS = "Verdict", "Findings", "Which columns drifted", "Largest effects"
CARBON, CARBON_TOTAL = "g CO2e for 1,000 predictions", "g CO2e of all predictions so far"
STACKED = (VERDICTS, FINDINGS, WHICH)
MOST_SERIES = 6
"""Colours that Evidently has for a panel, before it begins anew."""
MOST_COLUMNS = 40
"""Columns of a month that are shown one by one: a page of a thousand can be neither read nor sent."""
MOST_PANELS = 12
# Raised whenever a month is shown in another way, so that workspaces made before are made again.
_EDITION = "2"
_OUTCOMES: tuple[MonthlyOutcome, ...] = ("ok", "watch", "alarm", "insufficient_evidence")
_WEIGHTS: tuple[Weight, ...] = ("passed", "watch", "alarm", "insufficient_evidence")
_BASES = {"labels": "on labels", "estimate": "estimated", "decisions": "of decisions"}


class Shown(NamedTuple):
    """One number of a month, and where it is plotted."""

    tab: str
    panel: str
    series: str
    value: float


def list_figures(record: MonthRecord) -> list[Shown]:
    """Return every number of a month that is plotted over time."""
    drift, outcome, carbon = record.drift, record.outcome, record.carbon
    weights = Counter(one.weight for one in record.verdict.findings)
    # Each in the same order, zeros too, so that a colour means the same in every panel and month.
    figures = [Shown("Verdict", VERDICTS, in_words(one), float(one == record.verdict.outcome)) for one in _OUTCOMES]
    figures += [Shown("Verdict", FINDINGS, in_words(one), float(weights[one])) for one in _WEIGHTS]
    figures += _of_drift(drift) if drift else []
    figures += _of_outcome(outcome) if outcome else []
    if carbon:
        figures.append(Shown("Carbon", CARBON, "g CO2e", carbon.per_thousand_g))
        figures.append(Shown("Carbon", CARBON_TOTAL, "g CO2e", carbon.total_g))
    return figures


def digest_record(record: MonthRecord) -> str:
    """Digest all that is known of a month and the way it is shown: what was published under it need not be again."""
    return hashlib.sha256(f"{_EDITION} {record.model_dump_json()}".encode()).hexdigest()[:32]


def choose_columns(drift: MonthDrift, most: int = MOST_COLUMNS) -> list[str]:
    """Return the columns that matter most: drifted ones, then by importance and effect; in the order of the data."""

    def rank(one: ColumnDrift) -> tuple[bool, float, float]:
        return not one.drifted, -(one.importance or 0.0), -(one.value or 0.0)

    ranked = sorted(drift.by_column.values(), key=rank)
    kept = {one.column for one in ranked[:most]}
    return [name for name in drift.tested_columns if name in kept]


def rank_columns(records: Iterable[MonthRecord]) -> list[str]:
    """Return the columns shown in any month: those that drifted most often first, then by importance and effect."""
    found: dict[str, list[ColumnDrift]] = {}
    for drift in (one.drift for one in records if one.drift):
        for name in choose_columns(drift):
            found.setdefault(name, []).append(drift.by_column[name])

    def rank(name: str) -> tuple[float, float, float, str]:
        drifted = sum(one.drifted for one in found[name])
        importance = max(one.importance or 0.0 for one in found[name])
        return -drifted, -importance, -max(one.value or 0.0 for one in found[name]), name

    return sorted(found, key=rank)


def name_effect(column: str) -> str:
    """Name the panel of one column."""
    return f"{column}: effect"


def _of_drift(drift: MonthDrift) -> Iterator[Shown]:
    for name in choose_columns(drift):
        one = drift.by_column[name]
        yield Shown("Drift", WHICH, name, float(one.drifted))
        yield Shown("Drift", EFFECTS, name, one.value or 0.0)
        yield Shown("Drift", name_effect(name), "effect", one.value or 0.0)
        yield Shown("Drift", name_effect(name), "margin", one.margin)


def _of_outcome(outcome: MonthOutcome) -> Iterator[Shown]:
    for one in outcome.figures:
        if one.value is None:
            continue
        if one.subject == "performance" and not one.group and one.scope == MONTH:
            panel = _name_change(one) if one.kind else one.name
            yield Shown("Performance", panel, _BASES[one.basis], one.value)
        elif one.subject == "fairness" and one.limit is not None:
            panel = f"{in_words(one.name)} ({one.kind}) of {one.group}"
            yield Shown(
                "Fairness",
                panel,
                say_period("this month", outcome.month) if one.scope == MONTH else one.scope,
                one.value,
            )
        else:
            continue
        if one.limit is not None:
            yield Shown(one.subject.capitalize(), panel, "limit", one.limit)


def _name_change(one: Measured) -> str:
    return f"{one.name}: times the tested one" if one.kind == "ratio" else f"{one.name}: lost since the test"


def list_panels(records: Sequence[MonthRecord]) -> dict[str, dict[str, list[str]]]:
    """Return of each tab the panels, and of each panel the series, that any of the months has a number for."""
    ranked = rank_columns(records)
    own = {name_effect(name) for name in ranked[:MOST_PANELS]}
    tabs: dict[str, dict[str, list[str]]] = {name: {} for name in TABS}
    for one in (figure for record in records for figure in list_figures(record)):
        if one.panel in (WHICH, EFFECTS):
            if one.series not in ranked[:MOST_SERIES]:
                continue
        elif one.tab == "Drift" and one.panel not in own:
            continue
        series = tabs[one.tab].setdefault(one.panel, [])
        if one.series not in series:
            series.append(one.series)
    # Changes against the test are what is judged, so they come first.
    tabs["Performance"] = dict(sorted(tabs["Performance"].items(), key=lambda item: "limit" not in item[1]))
    return tabs
