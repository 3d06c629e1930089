"""Emergency-department visits by month, with the bias of their records as a parameter.

:mod:`~rai_kedro.demo.hospital_model` makes patients, their true state and their need of admission, in which race plays
no part beyond age, payment and access to care. Here features and admission are written down, unequally if asked to. So
the true, unbiased need of every visit is known, and a mitigation can be judged by it instead of by the biased record.

Every strength is 0 for a record that treats both groups alike, and each changes only what it names, because every
draw has a stream of its own: with one seed, the White patients' records are the same under any bias.

* ``label``: a Black patient who needs admission is recorded as "not admitted" with this probability. At 0 the recorded
  admission is the true need. (A label that stands for need unequally: Obermeyer et al. 2019, Science 366.)
* ``measurement``: pulse oximetry reads too high (Sjoding et al. 2020, N Engl J Med 383), and pain and urgency are
  judged too low (Hoffman et al. 2016, PNAS 113), each by this many standard deviations of the quantity.
* ``missingness``: each vital sign and the pain scale are left out of this further share of Black patients' records.

Some records are incomplete for everybody: the less urgent the case, the more often, and a visit without one vital sign
tends to be without the others. The urgency that decides this is the true one, so that ``measurement`` leaves it alone;
for an analyst, who sees the judged triage level only, values are therefore not missing completely at random.

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

from rai_kedro.demo.drift_injection import MonthTables, RawTables, drift_months, key_rows
from rai_kedro.demo.drift_schedule import DriftEvent, DriftSchedule, resolve_columns
from rai_kedro.demo.hospital_model import (
    ARRIVAL_MODES,
    BLACK,
    COMORBIDITIES,
    BoolArray,
    FloatArray,
    IntArray,
    TextArray,
    compute_need,
    draw_patients,
    draw_state,
)
from rai_kedro.demo.variation import MonthStreams
from rai_kedro.months import key_of_month
from rai_kedro.typed import Typed

KEY, LABEL, NEED = "visit", "admitted", "needs_admission"
# Sizes of the published cohort.
COHORT, COHORT_BLACK = 12_258, 3_569
_FEWEST_ROWS = 2
# Smallest and largest value that is recorded; the contract of the feature store declares the same.
RANGES: dict[str, tuple[float, float]] = {
    "temperature": (30.0, 43.0),
    "heart_rate": (20.0, 250.0),
    "respiratory_rate": (4.0, 60.0),
    "systolic_pressure": (50.0, 270.0),
    "diastolic_pressure": (20.0, 160.0),
    "pulse_oximetry": (50.0, 100.0),
    "pain_scale": (0.0, 10.0),
}
# Standard deviation of each quantity over all patients: the unit of `measurement`.
SPREADS = {"pulse_oximetry": 1.5, "pain_scale": 3.3, "urgency": 1.1}

# Judged urgency below which a visit gets triage level 5, 4, 3, 2; above the last it is level 1.
_TRIAGE_CUTS = (-2.2, -0.6, 1.3, 3.2)
_JUDGEMENT_SD = 0.45
_OXIMETER_SD = 0.4
# Share of visits without a given vital sign at average urgency, and how strongly those of one visit go together.
_MISSING_SHARE = {"pain_scale": 0.15}
_MISSING_VITAL = 0.05
_TOGETHER = 0.6
# Share of visits that come by neither ambulance nor on their own.
_OTHER_ARRIVAL = 0.02


class Bias(Typed):
    """How unequally the records are made, in the ways that :mod:`~rai_kedro.demo.hospital` tells; 0 is none.

    Attributes:
        label: Share of the Black patients who need admission and are recorded as not admitted.
        measurement: By how many standard deviations of the quantity pulse oximetry of Black patients reads too
            high, and their pain and urgency are judged too low.
        missingness: Share of the records of Black patients that lack each vital sign and the pain score, beyond
            that of everybody.
    """

    label: float = Field(default=0.25, ge=0, lt=1)
    measurement: float = Field(default=0.25, ge=0, le=3)
    missingness: float = Field(default=0.05, ge=0, le=0.5)


class HospitalParameters(DriftSchedule):
    """How many visits, of whom, recorded with which bias, and which recorded features change from a month on.

    Attributes:
        visits: Visits in all months together, spread evenly.
        share_black: Share of visits by Black patients; the others are White.
        bias: How unequally the records are made.
    """

    visits: int = Field(default=COHORT, ge=_FEWEST_ROWS)
    share_black: float = Field(default=COHORT_BLACK / COHORT, gt=0, lt=1)
    bias: Bias = Bias()

    @model_validator(mode="after")
    def _parts_fit_together(self) -> HospitalParameters:
        if self.visits < _FEWEST_ROWS * self.months:
            raise ValueError(f"{self.visits} visits are too few for {self.months} months: at least two a month")
        if tied := [event.title for event in self.drift if event.kind == "label_relation"]:
            raise ValueError(f"the {tied[0]} does not apply: an admission is yes or no and cannot be shifted")
        return self

    def count_visits(self, month_index: int) -> int:
        """Return the number of visits of a month; the first months take what does not divide evenly."""
        each, rest = divmod(self.visits, self.months)
        return each + int(month_index < rest)


@dataclass(frozen=True)
class Visits:
    """The simulated visits, by partition key ``month=YYYY-MM``."""

    features: dict[str, pd.DataFrame]  # month, visit (1 to n in each month) and the recorded columns; race is the last
    labels: dict[str, pd.DataFrame]  # month, visit, `admitted` (0 or 1) as recorded
    true_need: dict[str, pd.DataFrame]  # month, visit, `needs_admission` (0 or 1), `need_probability`: unrecorded
    # `bias`: the parameters, and by race the visits, the share who need admission, the share recorded as admitted, and
    # the share of the needy recorded as admitted. `drift`: what was changed, in the form of `Snapshots`.
    ground_truth: dict[str, Any]


def simulate_visits(parameters: HospitalParameters) -> Visits:
    """Make the visits of all months; SimulationError where a drift event names columns that it does not apply to.

    A month depends on the seed, its number and its size only: more months of the same size leave it as it is.
    """
    months = [_make_month(parameters, index) for index in range(parameters.months)]
    reference = RawTables(months[0][0].features, months[0][0].labels, RANGES)
    columns = [_resolve(event, reference.features, parameters.seed) for event in parameters.drift]
    made = drift_months((recorded for recorded, _ in months), parameters, columns, reference, KEY)
    needs = zip(parameters.month_names, months, strict=True)
    true_need = {key_of_month(name): key_rows(need, name, KEY) for name, (_, need) in needs}
    ground_truth = {"bias": _tell_bias(parameters, months), "drift": made.drift_ground_truth}
    return Visits(made.features, made.labels, true_need, ground_truth)


def _make_month(parameters: HospitalParameters, index: int) -> tuple[MonthTables, pd.DataFrame]:
    """Return what is recorded in a month, without drift, and the true need."""
    streams = MonthStreams(parameters.seed, index)
    patients = draw_patients(parameters.count_visits(index), parameters.share_black, streams)
    state = draw_state(patients, streams)
    probability = compute_need(patients, state)
    needs = (streams.of("need").random(len(patients)) < probability).astype(np.int64)
    admitted = record_admission(needs, patients, parameters.bias, streams)
    features = record_features(patients, state, parameters.bias, streams)
    recorded = MonthTables(features, pd.DataFrame({LABEL: admitted}))
    return recorded, pd.DataFrame({NEED: needs, "need_probability": probability})


def _resolve(event: DriftEvent, features: pd.DataFrame, seed: int) -> list[str]:
    """Return the columns that an event changes, of those that can drift and keep their type and their contract."""
    floating = [str(name) for name in features.columns if types.is_float_dtype(features[name])]
    text = [str(name) for name in features.columns if types.is_string_dtype(features[name]) and name != "race"]
    return resolve_columns(event, features[text if event.kind == "category_mix" else floating], seed)


def _tell_bias(parameters: HospitalParameters, months: list[tuple[MonthTables, pd.DataFrame]]) -> dict[str, Any]:
    together = pd.concat(
        [pd.concat([month.features["race"], month.labels[LABEL], need[NEED]], axis=1) for month, need in months]
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


def record_features(patients: pd.DataFrame, state: pd.DataFrame, bias: Bias, streams: MonthStreams) -> pd.DataFrame:
    """Return what the department writes down of each visit; triage level 1 is the most urgent of 5."""
    shift = np.where(patients["race"] == BLACK, bias.measurement, 0.0)
    readings = _read_signs(state, shift, streams)
    missing = _leave_out(patients, state, bias, streams)
    signs = {name: np.where(missing[name], np.nan, np.clip(readings[name], *RANGES[name]) + 0.0) for name in RANGES}
    pain_scale = signs.pop("pain_scale")
    features = {
        **{name: patients[name].to_numpy() for name in ("sex", "age", "residence", "payment")},
        "arrival_mode": _bring_in(patients, state, streams),
        "arrival_day": patients["arrival_day"].to_numpy(),
        "arrival_time": patients["arrival_time"].to_numpy(),
        **signs,
        "triage_level": _triage(state, shift, streams),
        "pain_scale": pain_scale,
        "return_within_72h": _return_soon(patients, streams),
        **{name: patients[name].to_numpy() for name in COMORBIDITIES},
        "race": patients["race"].to_numpy(),
    }
    return pd.DataFrame(features)


def record_admission(needs: IntArray, patients: pd.DataFrame, bias: Bias, streams: MonthStreams) -> IntArray:
    """Return the recorded admission, 0 or 1, of each visit: the need, less what label bias takes from it."""
    sent_home = (streams.of("label bias").random(len(needs)) < bias.label) & (patients["race"] == BLACK).to_numpy()
    return needs * (1 - sent_home.astype(np.int64))


def _read_signs(state: pd.DataFrame, shift: FloatArray, streams: MonthStreams) -> dict[str, FloatArray]:
    oximeter = _OXIMETER_SD * streams.of("oximeter").standard_normal(len(state))
    whole = ("heart_rate", "respiratory_rate", "systolic_pressure", "diastolic_pressure")
    return {
        "temperature": np.round(state["temperature"].to_numpy(dtype=float), 1),
        **{name: np.round(state[name].to_numpy(dtype=float)) for name in whole},
        "pulse_oximetry": np.round(state["saturation"].to_numpy() + oximeter + shift * SPREADS["pulse_oximetry"]),
        "pain_scale": np.round(state["pain"].to_numpy() - shift * SPREADS["pain_scale"]),
    }


def _triage(state: pd.DataFrame, shift: FloatArray, streams: MonthStreams) -> IntArray:
    judged = state["acuity"].to_numpy() + _JUDGEMENT_SD * streams.of("triage").standard_normal(len(state))
    return (5 - np.searchsorted(_TRIAGE_CUTS, judged - shift * SPREADS["urgency"])).astype(np.int64)


def _leave_out(patients: pd.DataFrame, state: pd.DataFrame, bias: Bias, streams: MonthStreams) -> dict[str, BoolArray]:
    from scipy.stats import norm

    further = bias.missingness * (patients["race"] == BLACK).to_numpy(dtype=float)
    urgency = np.exp(-0.4 * state["acuity"].to_numpy().clip(-2, 3))
    of_visit = streams.of("missing visit").standard_normal(len(state))
    missing = {}
    for name in RANGES:
        own = streams.of(f"missing {name}").standard_normal(len(state))
        uniform = norm.cdf(np.sqrt(_TOGETHER) * of_visit + np.sqrt(1 - _TOGETHER) * own)
        missing[name] = uniform < _MISSING_SHARE.get(name, _MISSING_VITAL) * urgency + further
    return missing


def _bring_in(patients: pd.DataFrame, state: pd.DataFrame, streams: MonthStreams) -> TextArray:
    older = (patients["age"].to_numpy(dtype=float) - 50.0) / 10.0
    nursing = (patients["residence"] == "nursing_home").to_numpy(dtype=float)
    odds = -1.9 + 0.6 * state["acuity"].to_numpy() + 0.15 * older + 1.6 * nursing
    uniform = streams.of("arrival_mode").random(len(patients))
    walk_in, ambulance, other = ARRIVAL_MODES
    by_ambulance = uniform < (1 - _OTHER_ARRIVAL) / (1 + np.exp(-odds))
    return np.where(by_ambulance, ambulance, np.where(uniform > 1 - _OTHER_ARRIVAL, other, walk_in))


def _return_soon(patients: pd.DataFrame, streams: MonthStreams) -> IntArray:
    odds = -3.2 + 0.5 * patients["frailty"].to_numpy()
    return (streams.of("return").random(len(patients)) < 1 / (1 + np.exp(-odds))).astype(np.int64)
