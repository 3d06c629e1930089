"""Columns that look like the key of a person with several rows, and columns that only repeat."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rai_kedro.contract.repeats import find_repeats

ROWS = 1500
DRAW = np.random.default_rng(0)
_FALLING = 1 / np.arange(1, 451)


def _some(values: object) -> np.ndarray:
    return DRAW.choice(np.asarray(values), ROWS)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("patient_id", _some(range(300))),
        ("PatientID", _some(range(300)).astype(float)),
        ("household", _some(range(400))),
        ("case_no", _some(range(1000, 1200))),
        ("Kunden-Nr", _some([f"K{i:05d}" for i in range(300)])),
        ("who", _some([f"AB-{i:04d}" for i in range(300)])),
        ("who", _some([f"{i:032x}" for i in DRAW.integers(0, 2**60, 250)])),
        ("person", np.where(DRAW.random(ROWS) < 0.1, None, _some([f"p{i}" for i in range(300)]).astype(object))),
    ],
)
def test_a_key_that_repeats_is_seen(name: str, values: np.ndarray) -> None:
    (found,) = find_repeats(pd.DataFrame({name: values}))
    assert found.column == name
    assert "'unit'" in str(found)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("age", _some(range(18, 95))),
        ("customer_age", _some(range(18, 95))),
        ("number_of_days", _some(range(60))),
        ("HouseAge", _some(range(1, 52))),
        ("income", _some(range(20000, 90000, 500))),
        ("zip", _some([f"{i:05d}" for i in DRAW.integers(10000, 99999, 200)])),
        ("city", _some([f"Town {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"])),
        ("time", _some([f"{hour:02d}:{minute:02d}" for hour in range(24) for minute in (0, 15, 30, 45)])),
        ("day", _some([f"2024-{month:02d}-{day:02d}" for month in range(1, 13) for day in range(1, 28)])),
        (
            "diagnosis",
            DRAW.choice([f"I{i:02d}.{j}" for i in range(50) for j in range(9)], ROWS, p=_FALLING / _FALLING.sum()),
        ),
        ("patient_id", np.arange(ROWS)),
        ("hospital_id", _some(range(5))),
        ("smoker", _some([True, False])),
        ("distance", DRAW.normal(size=ROWS).round(1)),
    ],
)
def test_what_only_repeats_is_no_key(name: str, values: np.ndarray) -> None:
    assert find_repeats(pd.DataFrame({name: values})) == ()


def test_a_part_of_the_key_needs_no_name() -> None:
    table = pd.DataFrame({"who": np.repeat(range(300), 5), "visit": np.tile(range(5), 300)})
    assert [one.column for one in find_repeats(table, ["who", "visit"])] == ["who"]
