"""Who comes to the emergency department, how ill they are, and who needs a bed: the world before anyone records it.

One visit is made in this order; each step uses only what stands before it::

    race -> age -> payment -> residence -> comorbidities -> acuity -> vital signs -> NEWS2 -> need of admission

* Race acts through what a society attaches to it and nowhere else: Black patients are younger (the age structure of
  cities' emergency departments) and more often on Medicaid or uninsured. Patients with such a *barrier* to a doctor's
  practice also come with milder complaints. No step after payment knows race, so two patients in the same state have
  the same need: that is what "unbiased" means here, and a test holds the model to it.
* Comorbidities are logistic in age, in the barrier and in a frailty that all 22 share, so they come in clusters.
* *Acuity*, how ill a patient is, is a latent number: age, comorbidities and barrier shift it, chance does the rest.
* The vital signs follow acuity, age and comorbidities. The points of NEWS2 for them (Royal College of Physicians 2017,
  National Early Warning Score 2, chart 1, saturation scale 1) feed the need.
* Need is Bernoulli with a logistic probability in acuity, NEWS2, age and the comorbidities' weights.

The coefficients are chosen, not estimated from patients: plausible orders of size for American emergency departments.
Two are calibrated on five million visits, so that 18.8 % of the White and 14.1 % of the Black visits need admission:
``_NEED_INTERCEPT`` and ``_BARRIER_ON_ACUITY``. What staff then measure and decide is
:mod:`~rai_kedro.demo.hospital`'s part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from rai_kedro.demo.variation import MonthStreams

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
TextArray = npt.NDArray[np.str_]

WHITE, BLACK = "White", "Black"
PAYMENTS = ("private", "medicare", "medicaid", "uninsured", "other")
RESIDENCES = ("private_home", "nursing_home", "homeless", "other")
ARRIVAL_MODES = ("walk_in", "ambulance", "other")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TIMES = ("night", "morning", "afternoon", "evening")

YOUNGEST, OLDEST = 18, 95
_RETIREMENT = 65
# Beta distribution of (age - 18) / 78: means 51 and 43 years.
_AGE_SHAPE = {WHITE: (1.25, 1.70), BLACK: (1.20, 2.55)}
# Payment in the order of PAYMENTS.
_PAYMENT_BEFORE_65 = {WHITE: (0.47, 0.09, 0.26, 0.12, 0.06), BLACK: (0.29, 0.10, 0.43, 0.14, 0.04)}
_PAYMENT_FROM_65 = (0.10, 0.85, 0.02, 0.01, 0.02)
_BARRIERS = ("medicaid", "uninsured")
_SHARE_FEMALE = 0.55
# Night, morning, afternoon, evening.
_TIME_SHARES = (0.15, 0.25, 0.34, 0.26)

_NEED_INTERCEPT = -3.2786
_BARRIER_ON_ACUITY = -0.28


@dataclass(frozen=True)
class Comorbidity:
    """One yes/no diagnosis of the patient's history."""

    share: float  # of patients of 50 years and average frailty who have it
    decade: float  # change of its log-odds with each decade of age
    barrier: float  # change of its log-odds with a barrier to a doctor's practice
    weight: float  # how much it adds to acuity and to the log-odds of need, relative to the others


# The 22 conditions that the United States' survey of emergency departments (NHAMCS) asks about.
COMORBIDITIES = {
    "cm_alcohol_misuse": Comorbidity(0.05, -0.05, 0.5, 0.25),
    "cm_alzheimers_dementia": Comorbidity(0.001, 1.20, 0.0, 0.30),
    "cm_asthma": Comorbidity(0.10, -0.15, 0.2, 0.05),
    "cm_cancer": Comorbidity(0.04, 0.45, 0.0, 0.50),
    "cm_cerebrovascular_disease": Comorbidity(0.025, 0.50, 0.1, 0.35),
    "cm_chronic_kidney_disease": Comorbidity(0.03, 0.50, 0.2, 0.40),
    "cm_copd": Comorbidity(0.07, 0.40, 0.3, 0.45),
    "cm_heart_failure": Comorbidity(0.035, 0.60, 0.2, 0.60),
    "cm_coronary_artery_disease": Comorbidity(0.06, 0.60, 0.1, 0.40),
    "cm_depression": Comorbidity(0.13, 0.00, 0.2, 0.10),
    "cm_diabetes_type_1": Comorbidity(0.012, 0.00, 0.0, 0.40),
    "cm_diabetes_type_2": Comorbidity(0.10, 0.35, 0.2, 0.20),
    "cm_diabetes_unspecified": Comorbidity(0.05, 0.30, 0.2, 0.20),
    "cm_end_stage_renal_disease": Comorbidity(0.012, 0.20, 0.3, 0.70),
    "cm_thromboembolism": Comorbidity(0.02, 0.25, 0.0, 0.50),
    "cm_hiv": Comorbidity(0.008, -0.05, 0.6, 0.40),
    "cm_hyperlipidemia": Comorbidity(0.16, 0.50, 0.0, 0.00),
    "cm_hypertension": Comorbidity(0.35, 0.55, 0.1, 0.10),
    "cm_obesity": Comorbidity(0.09, -0.05, 0.1, 0.00),
    "cm_sleep_apnea": Comorbidity(0.045, 0.15, 0.0, 0.10),
    "cm_osteoporosis": Comorbidity(0.015, 0.80, 0.0, 0.05),
    "cm_substance_misuse": Comorbidity(0.07, -0.35, 0.5, 0.20),
}

# NEWS2: upper ends of the bands (inclusive), and the points of each band.
_NEWS2: dict[str, tuple[tuple[float, ...], tuple[int, ...]]] = {
    "respiratory_rate": ((8, 11, 20, 24), (3, 1, 0, 2, 3)),
    "saturation": ((91, 93, 95), (3, 2, 1, 0)),
    "systolic_pressure": ((90, 100, 110, 219), (3, 2, 1, 0, 3)),
    "heart_rate": ((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3)),
    "temperature": ((35.0, 36.0, 38.0, 39.0), (3, 1, 0, 1, 2)),
}


def draw_patients(count: int, share_black: float, streams: MonthStreams) -> pd.DataFrame:
    """Draw who comes, Black with probability ``share_black``, else White; age is in years, 18 to 95.

    Comorbidities are 0 or 1; ``frailty`` is standard normal and never recorded.
    """
    black = streams.of("race").random(count) < share_black
    age = _draw_age(black, streams.of("age"))
    payment = _draw_payment(black, age, streams.of("payment"))
    barrier = np.isin(payment, _BARRIERS).astype(float)
    frailty = streams.of("frailty").standard_normal(count)
    patients = {
        "race": np.where(black, BLACK, WHITE),
        "sex": np.where(streams.of("sex").random(count) < _SHARE_FEMALE, "female", "male"),
        "age": age,
        "payment": payment,
        "residence": _draw_residence(age, barrier, streams.of("residence")),
        "arrival_day": _choose(DAYS, np.full((count, 7), 1 / 7), streams.of("arrival_day")),
        "arrival_time": _choose(TIMES, np.tile(_TIME_SHARES, (count, 1)), streams.of("arrival_time")),
        **_draw_comorbidities(age, barrier, frailty, streams),
        "frailty": frailty,
    }
    return pd.DataFrame(patients)


def draw_state(patients: pd.DataFrame, streams: MonthStreams) -> pd.DataFrame:
    """Draw how ill the patients are: the true state, of which records show a part.

    ``acuity`` is latent, about standard normal; temperature is in degrees Celsius, heart and respiratory rate per
    minute, pressures in mmHg, ``saturation`` of arterial oxygen in %, ``pain`` from 0 to 10.
    """
    count = len(patients)
    noise = {name: streams.of(f"state {name}").standard_normal(count) for name in _STATE}
    acuity = _acuity(patients, noise["acuity"])
    severe = np.maximum(acuity, 0.0) ** 1.5
    older = patients["age"].to_numpy(dtype=float) - 50.0
    lungs = patients["cm_copd"].to_numpy(dtype=float)
    heart = patients["cm_heart_failure"].to_numpy(dtype=float)
    fever = streams.of("fever").random(count) < _logistic(-3.3 + 0.5 * acuity)
    temperature = 36.75 + 0.32 * noise["temperature"] + fever * streams.of("fever height").uniform(0.8, 2.6, count)
    systolic = 131 + 17 * noise["systolic"] + 0.35 * older + 7 * patients["cm_hypertension"].to_numpy() - 5 * severe
    saturation = 99.0 - 0.90 * np.exp(0.75 * noise["saturation"]) - 0.9 * severe - 1.5 * lungs - 0.8 * heart
    state = {
        "acuity": acuity,
        "temperature": temperature,
        "heart_rate": 83 + 13 * noise["heart"] + 4 * acuity + 8 * (temperature - 36.8) - 0.10 * older,
        "respiratory_rate": 17.4 + 1.8 * noise["respiration"] + 1.1 * severe + 1.2 * lungs + 0.8 * heart,
        "systolic_pressure": systolic,
        "diastolic_pressure": 78 + 8 * noise["diastolic"] + 0.36 * (systolic - 134) - 0.10 * older,
        "saturation": np.minimum(saturation, 100.0),
        "pain": 5.2 + 3.3 * noise["pain"] + 0.3 * acuity,
    }
    return pd.DataFrame(state, index=patients.index)


_STATE = ("acuity", "temperature", "heart", "respiration", "systolic", "diastolic", "saturation", "pain")


def score_news2(state: pd.DataFrame) -> IntArray:
    """Return the NEWS2 points of the five vital signs in the state, 0 to 15.

    Source: Royal College of Physicians (2017), National Early Warning Score (NEWS) 2, chart 1, saturation scale 1.
    Values are rounded as a chart would have them: temperature to a tenth, the others to whole numbers. Points for
    supplementary oxygen and consciousness are left out; nothing here knows them.
    """
    points = np.zeros(len(state), dtype=np.int64)
    for name, (upper, scores) in _NEWS2.items():
        charted = np.round(state[name].to_numpy(dtype=float), 1 if name == "temperature" else 0)
        points += np.asarray(scores)[np.searchsorted(upper, charted, side="left")]
    return points


def compute_need(patients: pd.DataFrame, state: pd.DataFrame) -> FloatArray:
    """Return each patient's probability of needing admission, from the true state alone; shape (n,)."""
    return _logistic(
        _NEED_INTERCEPT
        + 1.50 * state["acuity"].to_numpy()
        + 0.50 * score_news2(state)
        + 0.20 * _decades(patients["age"].to_numpy(dtype=float))
        + 0.80 * weigh_burden(patients)
    )


def weigh_burden(patients: pd.DataFrame) -> FloatArray:
    """Return the summed weights of the comorbidities that each patient has; shape (n,)."""
    weights = np.array([comorbidity.weight for comorbidity in COMORBIDITIES.values()])
    burden: FloatArray = patients[list(COMORBIDITIES)].to_numpy(dtype=float) @ weights
    return burden


def _acuity(patients: pd.DataFrame, noise: FloatArray) -> FloatArray:
    barrier = patients["payment"].isin(_BARRIERS).to_numpy(dtype=float)
    decades = _decades(patients["age"].to_numpy(dtype=float))
    return 0.10 * decades + 0.35 * weigh_burden(patients) + _BARRIER_ON_ACUITY * barrier + noise


def _draw_age(black: BoolArray, generator: np.random.Generator) -> IntArray:
    """Draw whole years; each visit uses one uniform number, so that race changes no other visit's age."""
    from scipy.stats import beta

    uniform = generator.random(len(black))
    first, second = (np.where(black, _AGE_SHAPE[BLACK][i], _AGE_SHAPE[WHITE][i]) for i in (0, 1))
    share = np.asarray(beta.ppf(uniform, first, second))
    years: IntArray = np.floor(YOUNGEST + share * (OLDEST + 1 - YOUNGEST)).astype(np.int64)
    return years.clip(YOUNGEST, OLDEST)


def _draw_payment(black: BoolArray, age: IntArray, generator: np.random.Generator) -> TextArray:
    before = np.where(black[:, None], _PAYMENT_BEFORE_65[BLACK], _PAYMENT_BEFORE_65[WHITE])
    return _choose(PAYMENTS, np.where(age[:, None] >= _RETIREMENT, _PAYMENT_FROM_65, before), generator)


def _draw_residence(age: IntArray, barrier: FloatArray, generator: np.random.Generator) -> TextArray:
    nursing = np.where(age >= _RETIREMENT, 0.06, 0.005)
    homeless = np.where(barrier > 0, 0.03, 0.004)
    other = np.full(len(age), 0.015)
    return _choose(RESIDENCES, np.column_stack([1 - nursing - homeless - other, nursing, homeless, other]), generator)


def _draw_comorbidities(
    age: IntArray, barrier: FloatArray, frailty: FloatArray, streams: MonthStreams
) -> dict[str, IntArray]:
    drawn = {}
    for name, one in COMORBIDITIES.items():
        odds = np.log(one.share / (1 - one.share)) + one.decade * _decades(age) + one.barrier * barrier + 0.5 * frailty
        drawn[name] = (streams.of(name).random(len(age)) < _logistic(odds)).astype(np.int64)
    # A patient has one type of diabetes.
    first = drawn["cm_diabetes_type_1"]
    drawn["cm_diabetes_type_2"] *= 1 - first
    drawn["cm_diabetes_unspecified"] *= (1 - first) * (1 - drawn["cm_diabetes_type_2"])
    return drawn


def _decades(age: npt.NDArray[np.generic]) -> FloatArray:
    """Return decades from 50 years, held between 20 and 85 years."""
    return np.clip((np.asarray(age, dtype=float) - 50.0) / 10.0, -3.0, 3.5)


def _logistic(values: FloatArray) -> FloatArray:
    return 1.0 / (1.0 + np.exp(-values))


def _choose(categories: Sequence[str], probabilities: FloatArray, generator: np.random.Generator) -> TextArray:
    """Draw one category a row; probabilities of shape (rows, categories)."""
    uniform = generator.random(len(probabilities))[:, None]
    chosen = (uniform > np.cumsum(probabilities, axis=1)[:, :-1]).sum(axis=1)
    drawn: TextArray = np.asarray(categories)[chosen]
    return drawn
