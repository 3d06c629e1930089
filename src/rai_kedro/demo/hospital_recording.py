"""What the emergency department records of its patients, and the three ways in which a record can be unequal.

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
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import Field

from rai_kedro.demo.hospital_model import ARRIVAL_MODES, BLACK, COMORBIDITIES, FloatArray, MonthStreams
from rai_kedro.typed import Typed

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
    """How unequally the records are made; 0 is none.

    Args:
        label: Share of the Black patients needing admission who are recorded as not admitted.
        measurement: How many standard deviations pulse oximetry reads too high, and pain and urgency are judged too
            low, for Black patients.
        missingness: Further share of Black patients without each vital sign and without the pain scale.
    """

    label: float = Field(default=0.25, ge=0, lt=1)
    measurement: float = Field(default=0.25, ge=0, le=3)
    missingness: float = Field(default=0.05, ge=0, le=0.5)


def record_features(patients: pd.DataFrame, state: pd.DataFrame, bias: Bias, streams: MonthStreams) -> pd.DataFrame:
    """Return what the department writes down of each visit.

    Returns:
        n rows: background, arrival, vital signs (missing where not taken), triage level (1 most urgent to 5), pain
        scale, return within 72 hours, 22 comorbidities and race.
    """
    shift = np.where(patients["race"] == BLACK, bias.measurement, 0.0)
    readings = _read_signs(state, shift, streams)
    missing = _leave_out(patients, state, bias, streams)
    signs = {name: np.where(missing[name], np.nan, np.clip(readings[name], *RANGES[name]) + 0.0) for name in RANGES}
    pain_scale = signs.pop("pain_scale")
    background = ["sex", "age", "residence", "payment"]
    features = {
        **{name: patients[name].to_numpy() for name in background},
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


def record_admission(
    needs: npt.NDArray[np.int64], patients: pd.DataFrame, bias: Bias, streams: MonthStreams
) -> npt.NDArray[np.int64]:
    """Return the recorded admission, 0 or 1, of each visit: the need, less what label bias takes from it."""
    sent_home = (streams.of("label bias").random(len(needs)) < bias.label) & (patients["race"] == BLACK).to_numpy()
    return needs * (1 - sent_home.astype(np.int64))


def _read_signs(state: pd.DataFrame, shift: FloatArray, streams: MonthStreams) -> dict[str, FloatArray]:
    oximeter = _OXIMETER_SD * streams.of("oximeter").standard_normal(len(state))
    exact = {name: state[name].to_numpy(dtype=float) for name in ("heart_rate", "respiratory_rate")}
    exact |= {name: state[name].to_numpy(dtype=float) for name in ("systolic_pressure", "diastolic_pressure")}
    return {
        "temperature": np.round(state["temperature"].to_numpy(dtype=float), 1),
        **{name: np.round(values) for name, values in exact.items()},
        "pulse_oximetry": np.round(state["saturation"].to_numpy() + oximeter + shift * SPREADS["pulse_oximetry"]),
        "pain_scale": np.round(state["pain"].to_numpy() - shift * SPREADS["pain_scale"]),
    }


def _triage(state: pd.DataFrame, shift: FloatArray, streams: MonthStreams) -> npt.NDArray[np.int64]:
    judged = state["acuity"].to_numpy() + _JUDGEMENT_SD * streams.of("triage").standard_normal(len(state))
    return (5 - np.searchsorted(_TRIAGE_CUTS, judged - shift * SPREADS["urgency"])).astype(np.int64)


def _leave_out(
    patients: pd.DataFrame, state: pd.DataFrame, bias: Bias, streams: MonthStreams
) -> dict[str, npt.NDArray[np.bool_]]:
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


def _bring_in(patients: pd.DataFrame, state: pd.DataFrame, streams: MonthStreams) -> npt.NDArray[np.str_]:
    older = (patients["age"].to_numpy(dtype=float) - 50.0) / 10.0
    nursing = (patients["residence"] == "nursing_home").to_numpy(dtype=float)
    odds = -1.9 + 0.6 * state["acuity"].to_numpy() + 0.15 * older + 1.6 * nursing
    uniform = streams.of("arrival_mode").random(len(patients))
    walk_in, ambulance, other = ARRIVAL_MODES
    by_ambulance = uniform < (1 - _OTHER_ARRIVAL) / (1 + np.exp(-odds))
    return np.where(by_ambulance, ambulance, np.where(uniform > 1 - _OTHER_ARRIVAL, other, walk_in))


def _return_soon(patients: pd.DataFrame, streams: MonthStreams) -> npt.NDArray[np.int64]:
    odds = -3.2 + 0.5 * patients["frailty"].to_numpy()
    return (streams.of("return").random(len(patients)) < 1 / (1 + np.exp(-odds))).astype(np.int64)
