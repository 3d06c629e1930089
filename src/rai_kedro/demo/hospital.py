"""Emergency-department visits by month, with the bias of their records as a parameter.

The visits come from a generative model in two parts: :mod:`~rai_kedro.demo.hospital_model` makes patients, their
true state and their need of admission, in which race plays no part beyond age, payment and access to care;
:mod:`~rai_kedro.demo.hospital_recording` writes down features and admission, unequally if asked to. So the true,
unbiased need of every visit is known, and a mitigation can be held against it instead of against the biased record.

By default there are 12,258 visits, about 8,689 of White and 3,569 of Black patients, of whom 18.8 % and 10.6 % are
recorded as admitted: the cohort of a published study. Of the Black patients 14.1 % need admission; label bias of 0.25
hides a quarter of them.

Drift events (:mod:`~rai_kedro.demo.drift_schedule`) can be laid over the recorded features: ``mean_shift`` and
``scale`` on vital signs and pain, ``missing_values`` on the same, ``category_mix`` on text columns other than race.
They are faults of the record: need and admission stay as they are. ``label_relation`` is refused, since it moves a
label on a scale and admission has none; columns of whole numbers are left out, since drift would change their type.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from pydantic import Field, model_validator

from rai_kedro.demo.drift_injection import Injection, MonthTables, RawTables, Stream, inject_drift, key_rows, tell_drift
from rai_kedro.demo.drift_schedule import DriftEvent, SimulationParameters, resolve_columns
from rai_kedro.demo.hospital_model import MonthStreams, compute_need, draw_patients, draw_state
from rai_kedro.demo.hospital_recording import RANGES, Bias, record_admission, record_features
from rai_kedro.months import Month
from rai_kedro.typed import Typed

KEY, LABEL, NEED = "visit", "admitted", "needs_admission"
# Sizes of the published cohort.
COHORT, COHORT_BLACK = 12_258, 3_569
_FEWEST_ROWS = 2


class HospitalParameters(Typed):
    """How many visits, of whom, recorded with which bias.

    Args:
        visits: Number of visits in all months together, spread evenly over the months.
        first_month: The first month; the reference of the drift events, and never drifted itself.
        months: How many months.
        share_black: Probability that a visit is of a Black patient; the others are of White patients.
        bias: How unequally the records are made.
        seed: The seed of everything that is drawn.
        drift: Changes of recorded features from a month on, applied in this order.
    """

    visits: int = Field(default=COHORT, ge=_FEWEST_ROWS)
    first_month: Month = "2024-01"
    months: int = Field(default=8, ge=1)
    share_black: float = Field(default=COHORT_BLACK / COHORT, gt=0, lt=1)
    bias: Bias = Bias()
    seed: int = Field(ge=0)
    drift: tuple[DriftEvent, ...] = ()

    @model_validator(mode="after")
    def _parts_fit_together(self) -> HospitalParameters:
        if self.visits < _FEWEST_ROWS * self.months:
            raise ValueError(f"{self.visits} visits are too few for {self.months} months: at least two a month")
        for event in self.drift:
            if event.kind == "label_relation":
                raise ValueError(f"the {event.title} does not apply: an admission is yes or no and cannot be shifted")
        _ = self.schedule  # is valid
        return self

    @property
    def schedule(self) -> SimulationParameters:
        """Months and drift events in the form that all simulations share."""
        return SimulationParameters(
            label=(LABEL,), key=KEY, first_month=self.first_month, months=self.months, seed=self.seed, drift=self.drift
        )

    def count_visits(self, month_index: int) -> int:
        """Return the number of visits of a month; the first months take what does not divide evenly."""
        each, rest = divmod(self.visits, self.months)
        return each + int(month_index < rest)


@dataclass(frozen=True)
class Visits:
    """The simulated visits, by partition key ``month=YYYY-MM``.

    Args:
        features: month, visit (1 to n in each month) and the recorded columns; race is the last.
        labels: month, visit, ``admitted`` (0 or 1) as recorded.
        true_need: month, visit, ``needs_admission`` (0 or 1), ``need_probability``; what no hospital has.
        ground_truth: Ready for JSON. ``bias``: the parameters, and by race the visits, the share who need admission,
            the share recorded as admitted, and the share of the needy recorded as admitted. ``drift``: what was
            changed, in the form of :class:`~rai_kedro.demo.snapshots.Snapshots`.
    """

    features: dict[str, pd.DataFrame]
    labels: dict[str, pd.DataFrame]
    true_need: dict[str, pd.DataFrame]
    ground_truth: dict[str, Any]


@dataclass(frozen=True)
class _Month:
    features: pd.DataFrame
    labels: pd.DataFrame
    need: pd.DataFrame


def simulate_visits(parameters: HospitalParameters) -> Visits:
    """Make the visits of all months; SimulationError where a drift event names columns that it does not apply to.

    A month depends on the seed, its number and its size only: more months of the same size leave it as it is.
    """
    names = parameters.schedule.month_names
    months = [_make_month(parameters, index) for index in range(parameters.months)]
    reference = months[0].features
    columns = [_resolve(event, reference, parameters.seed) for event in parameters.drift]
    features, injected = {}, {}
    for index, (name, month) in enumerate(zip(names, months, strict=True)):
        changed, injected[name] = _drift_month(month, parameters, columns, index, months[0])
        features[f"month={name}"] = key_rows(changed, name, KEY)
    return Visits(
        features,
        {f"month={name}": key_rows(month.labels, name, KEY) for name, month in zip(names, months, strict=True)},
        {f"month={name}": key_rows(month.need, name, KEY) for name, month in zip(names, months, strict=True)},
        {"bias": _tell_bias(parameters, months), "drift": tell_drift(parameters.schedule, columns, injected)},
    )


def _make_month(parameters: HospitalParameters, index: int) -> _Month:
    streams = MonthStreams(parameters.seed, index)
    patients = draw_patients(parameters.count_visits(index), parameters.share_black, streams)
    state = draw_state(patients, streams)
    probability = compute_need(patients, state)
    needs = (streams.of("need").random(len(patients)) < probability).astype(np.int64)
    admitted = record_admission(needs, patients, parameters.bias, streams)
    return _Month(
        record_features(patients, state, parameters.bias, streams),
        pd.DataFrame({LABEL: admitted}),
        pd.DataFrame({NEED: needs, "need_probability": probability}),
    )


def _resolve(event: DriftEvent, features: pd.DataFrame, seed: int) -> list[str]:
    """Return the columns that an event changes, of those that can drift and keep their type and their contract."""
    floating = [str(name) for name in features.columns if types.is_float_dtype(features[name])]
    text = [str(name) for name in features.columns if types.is_string_dtype(features[name]) and name != "race"]
    return resolve_columns(event, features[text if event.kind == "category_mix" else floating], seed)


def _drift_month(
    month: _Month, parameters: HospitalParameters, columns: list[list[str]], index: int, reference: _Month
) -> tuple[pd.DataFrame, list[Injection]]:
    tables, injections = MonthTables(month.features, month.labels), []
    raw = RawTables(reference.features, reference.labels, RANGES)
    for event, names in zip(parameters.drift, columns, strict=True):
        if event.covers(parameters.schedule.month_names[index]):
            tables, new = inject_drift(tables, event, names, raw, Stream(parameters.seed, index))
            injections.extend(new)
    return tables.features, injections


def _tell_bias(parameters: HospitalParameters, months: list[_Month]) -> dict[str, Any]:
    together = pd.concat(
        [pd.concat([month.features["race"], month.labels[LABEL], month.need[NEED]], axis=1) for month in months]
    )
    groups = {}
    for race, rows in together.groupby("race"):
        needy = rows.loc[rows[NEED] == 1, LABEL]
        groups[str(race)] = {
            "visits": len(rows),
            NEED: float(rows[NEED].mean()),
            LABEL: float(rows[LABEL].mean()),
            "admitted_of_needy": float(needy.mean()) if len(needy) else None,
        }
    return {"parameters": parameters.bias.model_dump(), "groups": groups}
