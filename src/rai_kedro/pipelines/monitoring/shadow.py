"""Several versions scoring the same labelled months in shadow: to be compared, and stored nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from rai_kedro.contract import Contract
from rai_kedro.modelling import predict_rows
from rai_kedro.pipelines.monitoring.nodes import split_month
from rai_kedro.pipelines.monitoring.plan import MonthReader, Problem
from rai_kedro.release import ShadowModel


@dataclass(frozen=True)
class ShadowScores:
    """Labelled rows of the months, what each version says of them, on the same index, and months left out with why."""

    rows: pd.DataFrame
    answers: dict[str, pd.DataFrame]
    left_out: dict[str, str]


def score_in_shadow(
    months: Iterable[str], reader: MonthReader, contract: Contract, target: str, models: Sequence[ShadowModel]
) -> ShadowScores:
    """Score every labelled row of the months that no version was trained on; a month that cannot be is left out."""
    parts: list[pd.DataFrame] = []
    answers: dict[str, list[pd.DataFrame]] = {one.version: [] for one in models}
    left_out: dict[str, str] = {}
    for month in months:
        seen = [one.version for one in models if month in one.reference.trained_on]
        if seen:
            who = f"versions {', '.join(seen)} were" if len(seen) > 1 else f"version {seen[0]} was"
            left_out[month] = f"{who} trained on it"
            continue
        try:
            rows, predicted = _score(month, reader, contract, target, models)
        except Exception as error:  # one bad month must not end all others
            left_out[month] = Problem.of(month, "", error).error.what
            continue
        if rows.empty:
            left_out[month] = "no labels yet"
            continue
        parts.append(rows)
        for version, one in predicted.items():
            answers[version].append(one)
    return ShadowScores(_join(parts), {version: _join(found) for version, found in answers.items()}, left_out)


def _score(
    month: str, reader: MonthReader, contract: Contract, target: str, models: Sequence[ShadowModel]
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    features = reader.read(month)
    rows = reader.add_labels(features, month).set_axis(features.index).assign(month=month)
    known = rows[rows[target].notna()]
    predicted = {
        one.version: predict_rows(one.model, split_month(features.loc[known.index], contract, one.model, month).model)
        for one in (models if len(known) else ())
    }
    return known, predicted


def _join(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
