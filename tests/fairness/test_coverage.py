"""A smaller version of ``benchmarks/coverage.py``: the same code, fewer cells and runs."""

import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from rai_kedro.fairness.uncertainty.intervals import largest_difference_of_proportions

MONTE_CARLO = 0.012
"""Three standard errors of a share of 95 % in 3,000 runs."""


@pytest.fixture(scope="module")
def bench():
    path = Path(__file__).parents[2] / "benchmarks" / "coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_rows_to_beat_are_beaten(bench):
    rows = bench.headlines()
    assert {row.what: row.text for row in rows if not row.beaten} == {}


def test_rates_hold_in_every_cell(bench):
    effort = bench.Effort(groups=(2, 3), rates=(0.02, 0.3), runs=3_000)
    cells = list(bench.rate_cells(effort))
    assert min(cell.coverage for cell in cells) >= bench.LEAST - MONTE_CARLO / 3
    assert [cell for cell in cells if cell.why == "?"] == []


def test_percentile_bootstrap_would_not_have_passed(bench):
    """The construction this one replaces never holds a true gap of 0, so the simulation can tell."""
    generator = np.random.default_rng(0)
    lowest = []
    for _ in range(50):
        rates = generator.binomial(500, 0.3, 3) / 500
        again = generator.binomial(500, rates, (400, 3)) / 500
        lowest.append(np.quantile(again.max(1) - again.min(1), 0.025))
    assert min(lowest) > 0


@pytest.mark.slow
def test_quick_version_of_the_benchmark_keeps_its_promises(bench, capsys):
    assert bench.main(["--quick"]) == 0
    assert "RMSE, heavy-tailed" in capsys.readouterr().out


def test_a_broken_promise_is_told(bench):
    good = bench.Cell("difference", 2, "50", 0.0, 0.95, 0.1, 15.0)
    short = bench.Cell("difference", 2, "50", 0.0, 0.92, 0.1, 15.0)
    loose = bench.Cell("difference", 2, "50", 0.0, 0.99, 0.1, 15.0)
    assert len(bench.broken([good, short, loose])) == 2


def test_cost_does_not_depend_on_rows():
    """4 groups and 3 metrics: a millisecond's work each, for a thousand rows as for a million."""
    largest_difference_of_proportions([1, 2], [5, 5], 0.95)
    taken = {}
    for rows in (1_000, 1_000_000):
        begun = time.perf_counter()
        for share in (0.2, 0.5, 0.8):
            largest_difference_of_proportions([rows * share / 4] * 4, [rows / 4] * 4, 0.95)
        taken[rows] = time.perf_counter() - begun
    assert max(taken.values()) < 0.5
