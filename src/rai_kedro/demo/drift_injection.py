"""Apply one drift event to one month, and say what it really changed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from rai_kedro.demo.drift_schedule import DriftEvent, DriftSchedule, SimulationError
from rai_kedro.demo.variation import MonthStreams, derive_generator
from rai_kedro.months import key_of_month

Range = tuple[float | None, float | None]


@dataclass(frozen=True)
class MonthTables:
    """One month's features and labels, n rows each, in the same order of rows."""

    features: pd.DataFrame
    labels: pd.DataFrame


@dataclass(frozen=True)
class RawTables(MonthTables):
    """What a drift event is measured against: the raw rows, and the lowest and highest value allowed by column."""

    ranges: Mapping[str, Range]


@dataclass(frozen=True)
class Snapshots:
    """The simulated months, each by partition key ``month=YYYY-MM``."""

    features: dict[str, pd.DataFrame]  # month, row key, features
    labels: dict[str, pd.DataFrame]  # the same months and rows: month, row key, labels
    # `months`; `events` with their columns and months; `injected`: month, column, kind, requested and realised change,
    # unit, column changed; `drifted_months`; `drifted_columns` and `drifted_labels` by month.
    drift_ground_truth: dict[str, Any]


@dataclass(frozen=True)
class Injection:
    """What one event did to one column in one month."""

    column: str  # that the event names or has drawn
    kind: str
    requested: float  # the event's size
    realised: float | None  # the change that is in the data, after clipping; None where it cannot be measured
    unit: str  # of both
    changed: str  # the column whose values changed: `column`, or a label
    detail: str | None = None  # what else was drawn, e.g. the category


@dataclass(frozen=True)
class _Target:
    """One column that an event changes: its raw values, its range, and the event's two random streams."""

    event: DriftEvent
    raw: pd.Series
    bounds: Range
    of_event: np.random.Generator
    of_month: np.random.Generator


@dataclass(frozen=True)
class _Change:
    values: pd.Series
    realised: float
    detail: str | None = None


def inject_drift(
    month: MonthTables, event: DriftEvent, columns: list[str], raw: RawTables, streams: MonthStreams
) -> tuple[MonthTables, list[Injection]]:
    """Return a copy of one month, changed by one event in the columns that it was resolved to, and what was changed."""
    features, labels = month.features.copy(), month.labels.copy()
    injections = []
    for name in columns:
        if event.kind == "label_relation":
            for label in labels.columns:
                change = _tie_label(labels[label], features[name], event, name, raw)
                labels[label] = change.values
                injections.append(_describe(event, name, str(label), change))
            continue
        of_event = derive_generator(streams.seed, "event", *event.key, name)
        of_month = derive_generator(streams.seed, "event rows", *event.key, name, streams.month_index)
        target = _Target(event, raw.features[name], raw.ranges.get(name, (None, None)), of_event, of_month)
        change = _CHANGES[event.kind](features[name], target)
        features[name] = change.values
        injections.append(_describe(event, name, name, change))
    return MonthTables(features, labels), injections


def drift_months(
    months: Iterable[MonthTables], schedule: DriftSchedule, columns: list[list[str]], raw: RawTables, key: str
) -> Snapshots:
    """Apply to each month every event in force, in the columns that it was resolved to, and add month and row key."""
    features, labels = {}, {}
    injected: dict[str, list[Injection]] = {}
    for index, (name, month) in enumerate(zip(schedule.month_names, months, strict=True)):
        injected[name] = []
        for event, names in zip(schedule.drift, columns, strict=True):
            if event.covers(name):
                month, new = inject_drift(month, event, names, raw, MonthStreams(schedule.seed, index))  # noqa: PLW2901
                injected[name] += new
        features[key_of_month(name)] = key_rows(month.features, name, key)
        labels[key_of_month(name)] = key_rows(month.labels, name, key)
    return Snapshots(features, labels, _tell_drift(schedule, columns, injected, {*raw.labels}))


def _describe(event: DriftEvent, column: str, changed: str, change: _Change) -> Injection:
    realised = change.realised if math.isfinite(change.realised) else None
    return Injection(column, event.kind, event.size, realised, _UNITS[event.kind], changed, change.detail)


def _shift_mean(values: pd.Series, target: _Target) -> _Change:
    spread = float(target.raw.std())
    shifted = (values + target.event.size * spread).clip(*target.bounds)
    return _Change(shifted, float(shifted.mean() - values.mean()) / spread)


def _scale_deviations(values: pd.Series, target: _Target) -> _Change:
    centre = float(target.raw.mean())
    scaled = (centre + target.event.size * (values - centre)).clip(*target.bounds)
    before = float(values.std())
    return _Change(scaled, float(scaled.std()) / before if before else math.nan)


def _remove_values(values: pd.Series, target: _Target) -> _Change:
    chosen = target.of_month.permutation(len(values))[: round(target.event.size * len(values))]
    gone = np.zeros(len(values), dtype=bool)
    gone[chosen] = True
    newly = gone & values.notna().to_numpy()
    return _Change(values.mask(pd.Series(gone, index=values.index)), float(newly.mean()))


def _move_to_category(values: pd.Series, target: _Target) -> _Change:
    categories = sorted(target.raw.dropna().unique().tolist(), key=str)
    category: Any = categories[int(target.of_event.integers(len(categories)))]
    others = np.flatnonzero((values != category).to_numpy(dtype=bool, na_value=False) & values.notna().to_numpy())
    chosen = target.of_month.permutation(others)[: round(target.event.size * len(values))]
    moved = values.copy()
    moved.iloc[chosen] = category
    return _Change(moved, len(chosen) / len(values), str(category))


def _tie_label(label: pd.Series, feature: pd.Series, event: DriftEvent, column: str, raw: RawTables) -> _Change:
    """Add the standardised feature to the label; where the feature is missing the label stays."""
    if not types.is_float_dtype(label):
        raise SimulationError(
            f"The {event.title} would change label {label.name}, which is of type {label.dtype}.",
            where=f"`drift`; raw column {label.name}",
            example=repr(label.iloc[0]),
            remedy="use label_relation with a floating-point label only, or choose another `kind`",
        )
    source, label_raw = raw.features[column], raw.labels[label.name]
    spread = float(label_raw.std())
    score = ((feature - float(source.mean())) / float(source.std())).fillna(0.0).astype(float)
    changed = (label + event.size * spread * score).clip(*raw.ranges.get(str(label.name), (None, None)))
    variance = float(score.var())
    slope = float((changed - label).cov(score)) / (spread * variance) if variance and spread else math.nan
    return _Change(changed, slope)


_CHANGES: Mapping[str, Callable[[pd.Series, _Target], _Change]] = {
    "mean_shift": _shift_mean,
    "scale": _scale_deviations,
    "missing_values": _remove_values,
    "category_mix": _move_to_category,
}

_UNITS: Mapping[str, str] = {
    "mean_shift": "standard deviations of the raw column",
    "scale": "factor of the standard deviation",
    "missing_values": "share of rows made missing",
    "category_mix": "share of rows moved",
    "label_relation": "standard deviations of the label per standard deviation of the column",
}


def key_rows(frame: pd.DataFrame, month: str, key: str) -> pd.DataFrame:
    """Return a month's rows with the month and a key, 1 to n, in front."""
    keyed = frame.copy()
    keyed.insert(0, "month", month)
    keyed.insert(1, key, np.arange(1, len(frame) + 1, dtype=np.int64))
    return keyed


def _tell_drift(
    schedule: DriftSchedule, columns: list[list[str]], injected: Mapping[str, list[Injection]], labels: set[Any]
) -> dict[str, Any]:
    """Return the ground truth of the drift, ready for JSON, from the columns of each event and the changes by month."""
    events = [
        {
            "columns": names,
            "drawn": event.draw is not None,
            "months": [month for month in injected if event.covers(month)],
            **event.model_dump(include={"kind", "size", "start", "end"}),
        }
        for event, names in zip(schedule.drift, columns, strict=True)
    ]
    changed = {month: {entry.changed for entry in made} for month, made in injected.items()}
    return {
        "months": list(injected),
        "events": events,
        "injected": [{"month": month, **vars(entry)} for month, made in injected.items() for entry in made],
        "drifted_months": [month for month, made in injected.items() if made],
        "drifted_columns": {month: sorted(names - labels) for month, names in changed.items()},
        "drifted_labels": {month: sorted(names & labels) for month, names in changed.items()},
    }
