"""What cannot be compared is never passed over: ratios without events, strata and bins that lack a group."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from rai_kedro.fairness.assessment import FairnessSpec
from rai_kedro.fairness.comparison import worst
from rai_kedro.fairness.estimates import Comparison, Disparity
from rai_kedro.fairness.verdicts import judge
from rai_kedro.intervals import make_interval

from .conftest import assess_classification

Cell = tuple[str, str, int, int, float, int]
"""Group, stratum, label, decision, score, rows."""


def _assess(cells: list[Cell], metric: str, kind: str, **spec: Any) -> Disparity:
    rows = [cell[:5] for cell in cells for _ in range(cell[5])]
    frame = pd.DataFrame(rows, columns=["g", "s", "y", "p", "score"])
    grouping = {"columns": ("g",), "reference": "R"} if spec.get("compare") else {"columns": ("g",)}
    asked = FairnessSpec(groupings=(grouping,), metrics=(metric,), **spec)
    found = assess_classification(frame.y, frame.p, frame.score, frame[["g", "s"]], asked)
    return next(one for one in found if one.kind == kind)


def _both(*cells: tuple[str, int, int, float, int]) -> list[Cell]:
    """Give two groups the same rows: nothing is unfair in what can be compared."""
    return [(group, *cell) for group in "AB" for cell in cells]


STRATA = {"strata": {"columns": ("s",)}}
WORST = STRATA | {"strata_summary": "worst"}


@pytest.mark.parametrize(
    ("metric", "cells", "spec", "part"),
    [
        (
            "equalized_odds",
            _both(("s", 1, 1, 0.9, 720), ("s", 1, 0, 0.1, 80), ("s", 0, 0, 0.1, 100)),
            {},
            "false positive rate",
        ),
        (
            "calibration",
            _both(("s", 1, 1, 0.95, 930), ("s", 0, 1, 0.95, 70), ("s", 0, 0, 0.05, 40)),
            {},
            "favourable labels among scores 0 to 0.1",
        ),
        (
            "conditional_statistical_parity",
            _both(("s1", 0, 1, 0.5, 930), ("s1", 0, 0, 0.5, 70), ("s2", 0, 0, 0.5, 20)),
            WORST,
            "selection rate in stratum s2",
        ),
        (
            "conditional_use_accuracy_equality",
            _both(("s", 1, 1, 0.5, 900), ("s", 0, 1, 0.5, 60), ("s", 1, 0, 0.5, 15)),
            {},
            "negative predictive value",
        ),
    ],
)
def test_ratio_of_a_part_without_events_is_unknown(metric: str, cells: list[Cell], spec: Any, part: str) -> None:
    """The other part alone would pass: its figures are equal and its rows many."""
    ratio = _assess(cells, metric, "ratio", **spec)
    assert (ratio.value, ratio.lower, ratio.upper) == (1.0, 0.0, 1.0)
    verdict = judge(ratio, 0.8)
    assert verdict.outcome == "not_assessed"
    assert f"{part}: a ratio needs" in verdict.reason
    difference = _assess(cells, metric, "difference", **spec)
    assert difference.not_assessed == ()
    assert difference.upper is not None


def test_part_without_a_value_leaves_the_end_of_a_difference_open() -> None:
    known = Comparison.make(0.02, ("a", "b"), make_interval(0.0, 0.05, "known"))
    unknown = Comparison.nothing("cannot be compared")
    found = worst([known, unknown], "difference", 0.95)
    assert (found.value, found.upper, found.note) == (0.02, None, "cannot be compared")


def _gap_beside(small: str) -> list[Cell]:
    """A and B are .8 apart in the stratum of most rows, which a third group lacks."""
    cells: list[Cell] = []
    for group, rows in (("A", 500), ("B", 500), (small, 200)):
        cells += [(group, "s1", 0, decision, 0.5, rows) for decision in (0, 1)]
    cells += [("A", "s2", 0, 1, 0.5, 4500), ("A", "s2", 0, 0, 0.5, 500)]
    return [*cells, ("B", "s2", 0, 1, 0.5, 500), ("B", "s2", 0, 0, 0.5, 4500)]


@pytest.mark.parametrize("small", ["C", None], ids=["named", "missing"])
@pytest.mark.parametrize(("kind", "limit"), [("difference", 0.1), ("ratio", 0.8)])
def test_stratum_that_lacks_a_group_still_compares_the_others(small: Any, kind: str, limit: float) -> None:
    found = _assess(_gap_beside(small), "conditional_statistical_parity", kind, **STRATA)
    assert judge(found, limit).outcome == "fail"
    share = 10_000 / 12_400  # of s2 among the rows of the strata of A and B
    rates = {"A": (1 - share) * 0.5 + share * 0.9, "B": (1 - share) * 0.5 + share * 0.1}
    expected = rates["A"] - rates["B"] if kind == "difference" else rates["B"] / rates["A"]
    assert found.pair == ("B", "A")
    assert found.value == pytest.approx(expected)
    assert [figure.value for figure in found.groups] == pytest.approx([rates["A"], rates["B"], 0.5])
    assert found.not_assessed == ()


def test_groups_that_share_no_stratum_are_named() -> None:
    cells: list[Cell] = [("A", "s1", 0, d, 0.5, 2000) for d in (0, 1)] + [("C", "s2", 0, d, 0.5, 2000) for d in (0, 1)]
    cells += [("B", s, 0, d, 0.5, 2000) for s in ("s1", "s2") for d in (0, 1)]
    cells += [("D", "s3", 0, d, 0.5, 50) for d in (0, 1)]
    found = _assess(cells, "conditional_statistical_parity", "difference", **STRATA)
    assert found.not_assessed == (
        "D: no other group has rows there to compare with",
        "A and C: no stratum holds rows of both",
    )
    assert found.left_out == {"stratum in which only one group has rows": 100}
    assert judge(found, 0.1).outcome == "not_assessed"
    assert [figure.n for figure in found.groups] == [4000, 8000, 4000, 0]


@pytest.mark.parametrize(
    ("metric", "spec"),
    [
        ("calibration", {}),
        ("conditional_statistical_parity", WORST),
        ("conditional_statistical_parity", STRATA),
    ],
    ids=["calibration", "worst stratum", "standardised"],
)
def test_group_never_held_against_the_reference_is_not_assessed(metric: str, spec: Any) -> None:
    """R has rows in the first bin and stratum only, Z in the second only; X has rows in both and is like R."""
    cells: list[Cell] = [("R", "s1", 0, 0, 0.05, 4500), ("R", "s1", 1, 1, 0.05, 500)]
    cells += [("X", "s1", 0, 0, 0.05, 1800), ("X", "s1", 1, 1, 0.05, 200)]
    cells += [("X", "s2", 1, 1, 0.95, 1800), ("X", "s2", 0, 0, 0.95, 200)]
    cells += [("Z", "s2", 1, 1, 0.95, 200), ("Z", "s2", 0, 0, 0.95, 1800)]
    found = _assess(cells, metric, "difference", compare="reference", **spec)
    assert found.not_assessed == ("Z: the reference group has no rows there to compare with",)
    assert judge(found, 0.1).outcome == "not_assessed"
    assert found.pair is not None and set(found.pair) == {"R", "X"}
    assert judge(_assess(cells, metric, "difference", **spec), 0.1).outcome == "fail"
