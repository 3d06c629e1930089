"""The generative model of the visits: known points of NEWS2, and no race beyond payment."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rai_kedro.demo.hospital_model import (
    COMORBIDITIES,
    compute_need,
    draw_patients,
    draw_state,
    score_news2,
)
from rai_kedro.demo.variation import MonthStreams

NORMAL = {
    "respiratory_rate": 16,
    "saturation": 97,
    "systolic_pressure": 120,
    "heart_rate": 70,
    "temperature": 37.0,
}


@pytest.mark.parametrize(
    ("sign", "bands"),
    [
        # The published chart: value, points.
        ("respiratory_rate", [(8, 3), (9, 1), (11, 1), (12, 0), (20, 0), (21, 2), (24, 2), (25, 3)]),
        ("saturation", [(91, 3), (92, 2), (93, 2), (94, 1), (95, 1), (96, 0)]),
        ("systolic_pressure", [(90, 3), (91, 2), (100, 2), (101, 1), (110, 1), (111, 0), (219, 0), (220, 3)]),
        ("heart_rate", [(40, 3), (41, 1), (50, 1), (51, 0), (90, 0), (91, 1), (110, 1), (111, 2), (130, 2), (131, 3)]),
        ("temperature", [(35.0, 3), (35.1, 1), (36.0, 1), (36.1, 0), (38.0, 0), (38.1, 1), (39.0, 1), (39.1, 2)]),
    ],
)
def test_news2_points_are_those_of_the_published_chart(sign: str, bands: list[tuple[float, int]]) -> None:
    state = pd.DataFrame([{**NORMAL, sign: value} for value, _ in bands])

    assert score_news2(state).tolist() == [points for _, points in bands]


def test_news2_points_add_up() -> None:
    worst = {"respiratory_rate": 30, "saturation": 85, "systolic_pressure": 80, "heart_rate": 140, "temperature": 34}

    assert score_news2(pd.DataFrame([NORMAL, worst])).tolist() == [0, 15]


def test_race_has_no_way_to_state_and_need_but_through_age_payment_and_diagnoses() -> None:
    """The same patients called by the other name are as ill and need as much."""
    streams = MonthStreams(seed=5, month_index=0)
    patients = draw_patients(5_000, 0.3, streams)
    renamed = patients.assign(race=patients["race"].map({"White": "Black", "Black": "White"}))

    state, other = draw_state(patients, streams), draw_state(renamed, streams)

    pd.testing.assert_frame_equal(state, other)
    np.testing.assert_array_equal(compute_need(patients, state), compute_need(renamed, other))


def test_the_need_is_calibrated_as_stated() -> None:
    """18.8 % and 14.1 % need admission."""
    streams = MonthStreams(seed=11, month_index=0)
    patients = draw_patients(300_000, 0.2912, streams)
    need = compute_need(patients, draw_state(patients, streams))

    by_race = pd.Series(need).groupby(patients["race"].to_numpy()).mean()
    assert by_race["White"] == pytest.approx(0.188, abs=0.002)
    assert by_race["Black"] == pytest.approx(0.1413, abs=0.003)


def test_there_are_22_comorbidities_and_each_is_there() -> None:
    patients = draw_patients(20_000, 0.3, MonthStreams(seed=1, month_index=0))

    assert len(COMORBIDITIES) == 22
    assert patients[list(COMORBIDITIES)].mean().between(0.003, 0.45).all()


def test_each_step_has_a_stream_of_its_own() -> None:
    """The share of Black patients changes who is there, not the draws of those who stay what they were."""
    few, many = (draw_patients(4_000, share, MonthStreams(2, 0)) for share in (0.2, 0.6))
    same = few["race"] == many["race"]

    assert same.mean() == pytest.approx(0.6, abs=0.04)
    pd.testing.assert_frame_equal(few[same], many[same])
