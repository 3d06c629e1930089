"""Assessments of rows that belong to units or carry weights: right, additive over batches, and said."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from rai_kedro.fairness import METRICS, assess
from rai_kedro.fairness.assessment import FairnessSpec, assess_counts, count_rows
from rai_kedro.fairness.tables import WEIGHT_OF_ZERO

CLASSIFICATION = [m.name for m in METRICS.values() if "classification" in m.tasks and not m.individual]
REGRESSION = [m.name for m in METRICS.values() if "regression" in m.tasks and not m.individual]


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    """120 persons of two groups with 5 to 12 rows each; what a person is like shows in all of them."""
    rng = np.random.default_rng(7)
    sizes = rng.integers(5, 13, 120)
    person = np.repeat(np.arange(120), sizes)
    own = rng.normal(size=120)[person]
    score = 1 / (1 + np.exp(-(own + 0.3 * rng.normal(size=len(person)))))
    frame = pd.DataFrame(
        {
            "person": person,
            "group": np.where(person % 2, "a", "b"),
            "ward": rng.choice(["x", "y"], len(person)),
            "score": score,
            "y": (own + rng.normal(size=len(person)) > 0).astype(int),
            "p": (score > 0.5).astype(int),
            "weight": rng.lognormal(sigma=0.5, size=len(person)),
        }
    )
    return frame.assign(amount=10 + own, predicted=10 + own + rng.normal(size=len(person)) + 0.5 * own)


def _assess(frame: pd.DataFrame, task: str = "classification", **more: object):
    if task == "regression":
        return assess(
            frame.amount, frame.predicted, sensitive_features=frame[["group"]], metrics=REGRESSION, task=task, **more
        )
    return assess(
        frame.y,
        frame.p,
        y_score=frame.score,
        sensitive_features=frame[["group"]],
        metrics=CLASSIFICATION,
        strata=frame[["ward"]],
        **more,
    )


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_every_metric_is_less_sure_of_rows_that_are_alike(panel: pd.DataFrame, task: str) -> None:
    plain, units = (_assess(panel, task, **more) for more in ({}, {"unit": panel.person}))
    for one, other in zip(plain.disparities, units.disparities, strict=True):
        assert one.value == pytest.approx(other.value), one.metric
        assert [f.n for f in one.groups] == [f.n for f in other.groups]
        if one.width is not None and other.width is not None:
            assert other.width >= one.width - 1e-9, (one.metric, one.kind)
    wider = [
        (b.width or np.inf) / a.width for a, b in zip(plain.disparities, units.disparities, strict=True) if a.width
    ]
    assert np.median(wider) > 1.2


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_equal_weights_change_no_figure_and_hardly_an_interval(panel: pd.DataFrame, task: str) -> None:
    plain, weighted = (_assess(panel, task, **more) for more in ({}, {"sample_weight": np.full(len(panel), 3.0)}))
    for one, other in zip(plain.disparities, weighted.disparities, strict=True):
        assert one.value == pytest.approx(other.value)
        if one.upper is not None and one.metric not in {"calibration", "well_calibration"}:
            scale = abs(one.upper) or 1.0
            assert one.upper == pytest.approx(other.upper, abs=0.06 * scale), (one.metric, one.kind)


def test_a_whole_weight_is_so_many_rows(panel: pd.DataFrame) -> None:
    weights = np.arange(len(panel)) % 3
    repeated = panel.loc[panel.index.repeat(weights)].reset_index(drop=True)
    plain, weighted = _assess(repeated), _assess(panel, sample_weight=weights)
    for one, other in zip(plain.disparities, weighted.disparities, strict=True):
        assert one.value == pytest.approx(other.value), one.metric
        assert WEIGHT_OF_ZERO in other.left_out


def test_batches_that_share_persons_are_measured_as_one(panel: pd.DataFrame) -> None:
    spec = FairnessSpec(
        groupings=({"columns": "group"},), metrics=["statistical_parity", "balance_positive_class"], unit="person"
    )
    halves = [panel.iloc[::2], panel.iloc[1::2]]
    found = [count_rows(part.y, part.p, part.score, part, spec, task="classification") for part in halves]
    counted = [json.loads(json.dumps(one.to_dict())) for one in found]
    groupings = sum(found[1:], found[0]).name_groups(spec)
    whole = _assess(panel, unit=panel.person)
    apart = assess_counts(counted, spec, groupings)
    independent = assess_counts(counted[:1], spec, groupings)
    for one in apart:
        same = next(o for o in whole.disparities if (o.metric, o.kind) == (one.metric, one.kind))
        assert one.value == pytest.approx(same.value, abs=0.02)
        assert one.width == pytest.approx(same.width, rel=0.15)
    # The second half of each person's rows says little more: a month of the same people is no new sample.
    assert apart[0].width > 0.85 * independent[0].width


def test_a_table_of_units_names_no_unit(panel: pd.DataFrame) -> None:
    spec = FairnessSpec(groupings=({"columns": "group"},), metrics=["statistical_parity"], unit="person")
    named = panel.assign(person="patient " + panel.person.astype(str))
    counted = count_rows(named.y, named.p, None, named, spec, task="classification").to_dict()
    assert "patient" not in json.dumps(counted)
    assert max(counted["group"]["GroupCounts"]["units"]["keys"]) < 256


def test_figures_say_what_their_rows_are_worth(panel: pd.DataFrame) -> None:
    found = _assess(panel, unit=panel.person).disparities[0]
    for figure in found.groups:
        assert figure.effective_n < 0.6 * figure.n
        assert "Rao and Scott" in figure.how
    assert all(figure.effective_n is None for figure in _assess(panel).disparities[0].groups)
