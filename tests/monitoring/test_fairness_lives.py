"""Monthly verdicts on fairness over whole lives of a version: the small form of ``benchmarks/monitor_fairness.py``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from rai_kedro.monitoring import Looks

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

from monitor_fairness import FAIL, PASS, RATE, measure

LIVES = 400


@pytest.mark.parametrize(("gap", "wrong"), [(0.102, PASS), (0.098, FAIL)])
def test_a_life_of_looks_is_wrong_as_rarely_as_one(gap: float, wrong: int) -> None:
    share, _ = measure(gap, wrong, 500, Looks(planned=12), LIVES, seed=1)["project"]
    assert stats.binomtest(round(share * LIVES), LIVES).proportion_ci(0.998).low <= RATE


def test_rows_put_together_find_and_clear_what_a_split_budget_does_not() -> None:
    looks = Looks(planned=12)
    for gap, right in ((0.16, FAIL), (0.04, PASS)):
        found = measure(gap, right, 500, looks, 20, seed=2)
        assert found["project"][0] >= 0.8
        assert found["project"][0] > found["split budget"][0]
    assert np.isfinite(found["project"][1])
