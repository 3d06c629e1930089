"""The simulated visits: the cohort, what each bias does and leaves alone, months, drift, and the contract."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import ValidationError

from rai_kedro.contract import check_frame, read_contract
from rai_kedro.demo.drift_schedule import DriftEvent, SimulationError
from rai_kedro.demo.hospital import (
    RANGES,
    SPREADS,
    Bias,
    HospitalParameters,
    Visits,
    record_features,
    simulate_visits,
)
from rai_kedro.demo.hospital_model import draw_patients, draw_state
from rai_kedro.demo.variation import MonthStreams

CONF = Path(__file__).resolve().parents[2] / "conf" / "base" / "hospital"
FAIR = Bias(label=0, measurement=0, missingness=0)
MISREAD = ["pulse_oximetry", "pain_scale", "triage_level"]


def together(parts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts.values(), ignore_index=True)


def simulate(**changes: Any) -> Visits:
    return simulate_visits(HospitalParameters(**{"seed": 3, **changes}))


@pytest.fixture(scope="module")
def fair() -> Visits:
    return simulate(visits=60_000, months=2, bias=FAIR)


@pytest.fixture(scope="module")
def cohorts() -> list[dict[str, Any]]:
    """What came of the default parameters under twelve seeds."""
    return [simulate(seed=seed).ground_truth["bias"]["groups"] for seed in range(12)]


def test_the_default_is_the_published_cohort(cohorts: list[dict[str, Any]]) -> None:
    """Mean of twelve cohorts: 18.8 % and 10.6 % admitted, 8,689 and 3,569 visits, within four standard errors."""
    for race, visits, admitted in (("White", 8_689, 0.188), ("Black", 3_569, 0.106)):
        count = np.mean([groups[race]["visits"] for groups in cohorts])
        rate = np.mean([groups[race]["admitted"] for groups in cohorts])
        assert abs(count - visits) < 4 * np.sqrt(12_258 * 0.2912 * 0.7088 / len(cohorts))
        assert abs(rate - admitted) < 4 * np.sqrt(admitted * (1 - admitted) / visits / len(cohorts))
    assert all(sum(groups[race]["visits"] for race in groups) == 12_258 for groups in cohorts)


def test_every_single_cohort_is_near_the_published_rates(cohorts: list[dict[str, Any]]) -> None:
    for groups in cohorts:
        assert groups["White"]["admitted"] == pytest.approx(0.188, abs=4 * 0.0042)
        assert groups["Black"]["admitted"] == pytest.approx(0.106, abs=4 * 0.0052)


def test_the_ground_truth_counts_what_is_in_the_tables() -> None:
    visits = simulate(visits=4_000)
    rows = together(visits.features).merge(together(visits.labels)).merge(together(visits.true_need))

    for race, told in visits.ground_truth["bias"]["groups"].items():
        group = rows[rows["race"] == race]
        needy = group[group["needs_admission"] == 1]
        assert told["visits"] == len(group)
        assert told["needs_admission"] == pytest.approx(group["needs_admission"].mean())
        assert told["admitted"] == pytest.approx(group["admitted"].mean())
        assert told["admitted_of_needy"] == pytest.approx(needy["admitted"].mean())
    assert visits.ground_truth["bias"]["parameters"] == {"label": 0.25, "measurement": 0.25, "missingness": 0.05}
    json.dumps(visits.ground_truth, allow_nan=False)


def test_without_label_bias_the_record_is_the_need(fair: Visits) -> None:
    pd.testing.assert_series_equal(
        together(fair.labels)["admitted"], together(fair.true_need)["needs_admission"], check_names=False
    )


@pytest.mark.parametrize("strength", [0.1, 0.25, 0.6])
def test_label_bias_hides_that_share_of_the_needy_black_patients_only(strength: float, fair: Visits) -> None:
    biased = simulate(visits=60_000, months=2, bias=Bias(label=strength, measurement=0, missingness=0))
    black = together(biased.features)["race"] == "Black"
    need, admitted = together(biased.true_need)["needs_admission"], together(biased.labels)["admitted"]

    hidden = (need - admitted)[black & (need == 1)]
    assert hidden.mean() == pytest.approx(strength, abs=4 * np.sqrt(strength * (1 - strength) / len(hidden)))
    assert (admitted == need)[~black].all()
    assert (admitted <= need).all()
    pd.testing.assert_frame_equal(together(biased.features), together(fair.features))
    pd.testing.assert_frame_equal(together(biased.true_need), together(fair.true_need))


def test_measurement_bias_changes_three_readings_of_black_patients_only(fair: Visits) -> None:
    biased = simulate(visits=60_000, months=2, bias=Bias(label=0, measurement=2 / 3, missingness=0))
    before, after = together(fair.features), together(biased.features)
    black = before["race"] == "Black"

    pd.testing.assert_frame_equal(before.drop(columns=MISREAD), after.drop(columns=MISREAD))
    pd.testing.assert_frame_equal(before[~black], after[~black])
    pd.testing.assert_frame_equal(together(fair.labels), together(biased.labels))
    change = (after[MISREAD] - before[MISREAD])[black]
    assert (change["pulse_oximetry"].dropna() >= 0).all()
    assert (change["pain_scale"].dropna() <= 0).all()
    assert (change["triage_level"] >= 0).all()
    below_ceiling = before.loc[black, "pulse_oximetry"] < 100
    assert SPREADS["pulse_oximetry"] == 1.5  # so that 2/3 of it is one point
    assert (change.loc[below_ceiling, "pulse_oximetry"] == 1).all()
    assert change["triage_level"].mean() > 0.3


def test_spreads_are_the_standard_deviations_of_the_readings(fair: Visits) -> None:
    features = together(fair.features)

    assert features["pulse_oximetry"].std() == pytest.approx(SPREADS["pulse_oximetry"], rel=0.05)
    assert features["pain_scale"].std() == pytest.approx(SPREADS["pain_scale"], rel=0.15)  # ends cut at 0 and 10


def test_missingness_adds_that_share_to_black_patients_only(fair: Visits) -> None:
    biased = simulate(visits=60_000, months=2, bias=Bias(label=0, measurement=0, missingness=0.2))
    before, after = together(fair.features), together(biased.features)
    black = before["race"] == "Black"

    pd.testing.assert_frame_equal(before[~black], after[~black])
    pd.testing.assert_frame_equal(before.drop(columns=list(RANGES)), after.drop(columns=list(RANGES)))
    added = after[list(RANGES)].isna() & before[list(RANGES)].notna()
    assert added[black].mean().to_numpy() == pytest.approx(0.2, abs=0.02)
    kept = after[list(RANGES)].notna()
    assert (before[list(RANGES)].where(kept) == after[list(RANGES)].where(kept)).where(kept, True).all().all()


def test_without_bias_equal_state_means_equal_records() -> None:
    """Within narrow bands of acuity, triage, pain and what is left out do not depend on race; with bias they do."""
    streams = MonthStreams(seed=8, month_index=0)
    patients = draw_patients(120_000, 0.3, streams)
    state = draw_state(patients, streams)
    band = pd.qcut(state["acuity"], 100, labels=False).to_numpy()

    def standardised_gap(values: pd.Series[Any]) -> float:
        by = values.groupby([band, patients["race"]]).agg(["mean", "var", "count"]).unstack()
        squares = sum(by["var"][race] / by["count"][race] for race in ("Black", "White"))
        return float((by["mean"]["Black"] - by["mean"]["White"]).sum() / np.sqrt(squares.sum()))

    for bias, is_equal in ((FAIR, True), (Bias(), False)):
        record = record_features(patients, state, bias, streams)
        outcomes = [record["triage_level"], record["pain_scale"], record["heart_rate"].isna()]
        assert all((abs(standardised_gap(outcome)) < 4) == is_equal for outcome in outcomes)


def test_columns_are_those_of_the_recipe(fair: Visits) -> None:
    features = fair.features["month=2024-01"]

    assert list(features.columns[:2]) == ["month", "visit"]
    assert len([name for name in features.columns if name.startswith("cm_")]) == 22
    assert set(features["triage_level"]) == {1, 2, 3, 4, 5}
    assert set(features["pain_scale"].dropna()) == set(range(11))
    assert features.columns[features.isna().any()].tolist() == list(RANGES)
    assert features["cm_hypertension"].dtype == np.int64


def test_dependencies_have_the_right_direction(fair: Visits) -> None:
    rows = together(fair.features).merge(together(fair.true_need))
    numbers = rows.select_dtypes("number").corr()

    assert numbers.loc["age", "cm_hypertension"] > 0.2
    assert numbers.loc["age", "cm_substance_misuse"] < 0
    assert numbers.loc["systolic_pressure", "diastolic_pressure"] > 0.5
    assert numbers.loc["temperature", "heart_rate"] > 0.15
    assert numbers.loc["triage_level", "need_probability"] < -0.4
    assert numbers.loc["pulse_oximetry", "needs_admission"] < -0.2
    assert rows.groupby("race")["age"].mean().diff().loc["White"] > 5
    assert (rows["payment"][rows["age"] >= 65] == "medicare").mean() > 0.8
    diabetes = rows[["cm_diabetes_type_1", "cm_diabetes_type_2", "cm_diabetes_unspecified"]].sum(axis=1)
    assert diabetes.max() == 1


def test_a_sensible_model_is_between_80_and_90_percent() -> None:
    """Without the flagged columns; trees come out within 0.005 of this."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.preprocessing import StandardScaler

    visits = simulate()
    features, label = together(visits.features), together(visits.labels)["admitted"]
    hidden = ["month", "visit", "race", "sex", "age", "payment", "residence"]
    columns = pd.get_dummies(features.drop(columns=hidden), dtype=float)
    columns = StandardScaler().fit_transform(columns.fillna(columns.median()))
    test = np.arange(len(label)) % 10 >= 7
    model = LogisticRegression().fit(columns[~test], label[~test])

    assert 0.8 < roc_auc_score(label[test], model.predict_proba(columns[test])[:, 1]) < 0.9


def test_months_repeat_by_seed_and_do_not_depend_on_later_ones() -> None:
    short, long = simulate(visits=600, months=2), simulate(visits=1_500, months=5)

    pd.testing.assert_frame_equal(short.features["month=2024-02"], long.features["month=2024-02"])
    other = simulate(visits=600, months=2, seed=4)
    assert not short.features["month=2024-02"].equals(other.features["month=2024-02"])
    first, second = (short.features[f"month=2024-0{month}"].drop(columns="month") for month in (1, 2))
    assert not first.equals(second)


def test_visits_are_spread_evenly_and_keyed() -> None:
    visits = simulate(visits=1_003, months=4, first_month="2023-11")

    assert [len(frame) for frame in visits.features.values()] == [251, 251, 251, 250]
    assert list(visits.features) == ["month=2023-11", "month=2023-12", "month=2024-01", "month=2024-02"]
    for key in visits.features:
        for frame in (visits.features[key], visits.labels[key], visits.true_need[key]):
            assert frame["visit"].tolist() == list(range(1, len(frame) + 1))
            assert (frame["month"] == key.removeprefix("month=")).all()


@pytest.mark.parametrize(
    ("event", "column"),
    [
        ({"kind": "mean_shift", "size": 2, "columns": ["heart_rate"]}, "heart_rate"),
        ({"kind": "scale", "size": 2, "columns": ["temperature"]}, "temperature"),
        ({"kind": "missing_values", "size": 0.5, "columns": ["pain_scale"]}, "pain_scale"),
        ({"kind": "category_mix", "size": 0.4, "columns": ["payment"]}, "payment"),
    ],
)
def test_drift_changes_its_column_from_its_month_on(event: dict[str, Any], column: str) -> None:
    plain = simulate(visits=3_000, months=3)
    drifted = simulate(visits=3_000, months=3, drift=[DriftEvent(start="2024-03", **event)])

    for key in ("month=2024-01", "month=2024-02"):
        pd.testing.assert_frame_equal(plain.features[key], drifted.features[key])
    before, after = plain.features["month=2024-03"], drifted.features["month=2024-03"]
    assert not before[column].equals(after[column])
    pd.testing.assert_frame_equal(before.drop(columns=column), after.drop(columns=column))
    assert after[column].dtype == before[column].dtype
    pd.testing.assert_frame_equal(together(plain.true_need), together(drifted.true_need))
    pd.testing.assert_frame_equal(together(plain.labels), together(drifted.labels))
    truth = drifted.ground_truth["drift"]
    assert truth["drifted_columns"] == {"2024-01": [], "2024-02": [], "2024-03": [column]}
    assert truth["injected"][0]["realised"] == pytest.approx(event["size"], rel=0.25)


def test_a_drawn_event_takes_only_columns_that_can_drift() -> None:
    event = DriftEvent(draw=7, kind="missing_values", size=0.1, start="2024-02")

    drawn = simulate(visits=500, months=2, drift=[event]).ground_truth["drift"]["events"][0]["columns"]

    assert drawn == list(RANGES)


@pytest.mark.parametrize(
    ("kind", "column"),
    [("mean_shift", "age"), ("mean_shift", "triage_level"), ("category_mix", "race"), ("missing_values", "sex")],
)
def test_a_column_that_cannot_drift_is_refused(kind: str, column: str) -> None:
    event = DriftEvent(columns=[column], kind=kind, size=0.5, start="2024-02")

    with pytest.raises(SimulationError, match=f"(?s)not among the features: {column}.*name some of"):
        simulate(visits=500, months=2, drift=[event])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"drift": [{"columns": ["pain_scale"], "kind": "label_relation", "size": 1, "start": "2024-02"}]},
            "yes or no",
        ),
        ({"drift": [{"columns": ["pain_scale"], "kind": "scale", "size": 2, "start": "2024-01"}]}, "after the first"),
        ({"visits": 10, "months": 6}, "too few for 6 months"),
        ({"bias": {"label": 1.0}}, "less than 1"),
        ({"bias": {"missing": 0.1}}, "Extra inputs"),
        ({"share_black": 0.0}, "greater than 0"),
        ({"seed": -1}, "greater than or equal to 0"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        HospitalParameters(**{"seed": 1, **changes})


def test_the_configured_visits_keep_their_contract() -> None:
    contract = read_contract(CONF / "catalog.yml", as_of=date(2026, 1, 1))
    configured = yaml.safe_load((CONF / "parameters.yml").read_text())["hospital"]["simulation"]
    visits = simulate_visits(HospitalParameters.model_validate(configured))
    store, labels = contract.datasets["feature_store"], contract.datasets["label_store"]

    for key, frame in visits.features.items():
        assert list(frame.columns) == [*store.identifiers, *store.columns]
        check_frame(frame, store, part=key)
        check_frame(visits.labels[key], labels, part=key)
    assert {name: store.columns[name].range for name in RANGES} == RANGES
    assert {name for name, column in store.columns.items() if column.nullable} == set(RANGES)
    flagged = {name for name, column in store.columns.items() if column.flags}
    assert {"race", "sex", "age", "payment"} <= flagged
    assert not flagged & set(store.with_use("model"))
