"""Counts of parts of a month add up to those of the month, whatever is measured on them."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rai_kedro.fairness import (
    METRICS,
    FairnessSpec,
    count_rows,
    examine_classification,
    examine_counts,
    examine_regression,
)
from rai_kedro.monitoring import (
    Baseline,
    MonitoringPolicy,
    TallyPlan,
    VersionReference,
    measure_month,
    profile_month,
    profile_reference,
    tally,
    tally_rows,
)

# Cut so that one part lacks a group, and another has a group of its own first.
CUTS = (0, 40, 300, 301, 900)
GROUPINGS: Any = [
    {"columns": ["side"], "reference": "west"},
    {"columns": ["side", "age"], "cuts": {"age": [30, 60]}},
]


def make_rows(seed: int = 0, rows: int = 900) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    side = np.where(np.arange(rows) < CUTS[1], "east", rng.choice(["west", "east", "north"], rows))
    frame = pd.DataFrame({"side": side, "age": rng.integers(20, 80, rows).astype(float)})
    frame["size"] = rng.normal(size=rows)
    frame.loc[::50, "size"] = np.nan
    frame["person"], frame["of"] = rng.integers(0, 200, rows), rng.choice(["a", "b"], rows)
    frame["score"] = rng.random(rows).round(2)
    frame["prediction"] = (frame["score"] > 0.5).astype(int)
    return frame.assign(y=(rng.random(rows) < frame["score"]).astype(int))


def cut(rows: pd.DataFrame) -> list[pd.DataFrame]:
    return [rows.iloc[start:stop] for start, stop in pairwise(CUTS)]


def figures(found: Any) -> list[tuple[Any, ...]]:
    return [(one.metric, one.kind, one.column, one.not_assessed, one.n) for one in found]


@pytest.mark.parametrize("unit", [None, "person"])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_fairness_of_counted_parts_is_that_of_all_rows(task: Any, unit: str | None) -> None:
    rows = make_rows()
    names = [one.name for one in METRICS.values() if task in one.tasks]
    spec = FairnessSpec(
        groupings=GROUPINGS,
        metrics=names,
        strata={"columns": ["of"]},
        similarity={"columns": ["age"], "distance": "euclidean", "max_rows": 100},
        unit=unit,
    )
    counted = [count_rows(one["y"], one["prediction"], one["score"], one, spec, task=task) for one in cut(rows)]
    found = examine_counts(reduce(add, counted), spec, task=task)
    if task == "classification":
        whole = examine_classification(rows["y"], rows["prediction"], rows["score"], rows, spec).disparities
    else:
        whole = examine_regression(rows["y"], rows["prediction"], rows, spec).disparities
    assert figures(found) == figures(whole)
    for end in ("value", "lower", "upper"):
        expected = [np.nan if getattr(one, end) is None else getattr(one, end) for one in whole]
        got = [np.nan if getattr(one, end) is None else getattr(one, end) for one in found]
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


def test_a_profile_of_parts_is_that_of_the_month() -> None:
    reference = profile_reference(make_rows(1), {"size": "numerical", "side": "categorical", "age": "numerical"})
    parts = [profile_month(reference, one) for one in cut(make_rows())]
    assert reduce(add, parts) == profile_month(reference, make_rows())


def test_performance_of_a_large_month_is_of_rows_drawn_at_random_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "SAMPLE_ROWS", 300)
    rows = make_rows()
    baseline = Baseline(
        task="classification",
        target="y",
        features=("size",),
        fairness=FairnessSpec(groupings=GROUPINGS[:1], metrics=["statistical_parity", "equal_opportunity"]),
    )
    reference = VersionReference(make_rows(1), baseline)
    plan = TallyPlan(baseline, reference.label_profile).draw_from(len(rows), len(rows))
    summed = reduce(add, (tally_rows(one, plan, number) for number, one in enumerate(cut(rows))))
    outcome = measure_month(summed, reference, MonitoringPolicy(), month="2024-05", model_version="1", look=1)
    drawn = sum(map(len, summed.known))
    assert 200 < drawn < 400
    accuracy = next(one for one in outcome.figures if (one.name, one.basis) == ("accuracy", "labels"))
    assert (outcome.rows, outcome.labelled, accuracy.n) == (900, 900, drawn)
    assert f"performance is measured on {drawn:,} rows drawn at random from 900 that have a label" in outcome.notes
    parity = next(one for one in outcome.figures if one.name == "statistical_parity")
    shares = rows.groupby("side")["prediction"].mean()
    assert parity.value == pytest.approx(shares.max() - shares.min())
