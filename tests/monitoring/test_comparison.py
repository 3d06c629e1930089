"""Two versions on the same rows: gains against closed forms, verdicts, groups, months."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rai_kedro.errors import RaiError
from rai_kedro.fairness import FairnessSpec, GroupingSpec, Tolerance
from rai_kedro.monitoring import Baseline, Contender, VersionComparison, compare_versions

SPEC = FairnessSpec(groupings=(GroupingSpec(columns=("side",)),), metrics=("mean_absolute_error",))
BASELINE = Baseline(
    task="regression",
    target="price",
    unit="1,000 dollars",
    fairness=SPEC,
    tolerances=(Tolerance(metric="mean_absolute_error", limit=0.5),),
)


def months(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "month": np.where(np.arange(rows) % 2, "2024-03", "2024-02"),
            "side": np.where(rng.random(rows) < 0.5, "east", "west"),
            "price": rng.normal(20, 5, rows),
        }
    )


def contender(version: str, prediction: Any, **changes: Any) -> Contender:
    return Contender(version, "approved", ("2024-01",), pd.DataFrame({"prediction": prediction, **changes}))


def compare(rows: pd.DataFrame, old: Contender, new: Contender, baseline: Baseline = BASELINE) -> VersionComparison:
    return compare_versions(rows, old, new, baseline, use_case="housing", left_out={"2024-01": "trained on it"})


def test_the_gain_is_students_interval_of_the_paired_differences() -> None:
    rows, rng = months(), np.random.default_rng(4)
    shared = rng.normal(0, 3, len(rows))
    old, new = rows["price"] + shared, rows["price"] + 0.95 * shared
    found = compare(rows, contender("1", old), contender("2", new))
    saved = (old - rows["price"]).abs() - (new - rows["price"]).abs()
    low, high = stats.t.interval(0.95, len(rows) - 1, loc=saved.mean(), scale=stats.sem(saved))
    gain = next(one for one in found.gains if one.name == "MAE" and not one.month)
    assert (gain.value, gain.lower, gain.upper) == pytest.approx((saved.mean(), low, high))
    # The pairing is worth something: the two figures' own intervals overlap widely.
    mae = {one.version: next(f for f in one.performance if f.name == "MAE") for one in (found.old, found.new)}
    assert mae["2"].upper > mae["1"].lower
    assert gain.lower > 0
    assert found.verdict.startswith("version 2 is better than version 1: MAE gains")
    assert (found.rows, found.months, found.left_out) == (400, ("2024-02", "2024-03"), {"2024-01": "trained on it"})


def test_each_month_has_its_own_gain() -> None:
    rows = months()
    error = np.where(rows["month"] == "2024-02", 1.0, 3.0)
    found = compare(rows, contender("1", rows["price"] + 2), contender("2", rows["price"] + error))
    by_month = {one.month: one.value for one in found.gains if one.name == "MAE"}
    assert by_month == pytest.approx({"": 0.0, "2024-02": 1.0, "2024-03": -1.0})
    assert found.verdict.startswith("the rows cannot tell whether version 2 is better")


def test_a_worse_version_is_said_to_be_worse() -> None:
    rows = months()
    noise = np.random.default_rng(5).normal(0, 1, len(rows))
    found = compare(rows, contender("1", rows["price"] + noise), contender("2", rows["price"] + 2 * noise))
    assert found.verdict.startswith("version 2 is worse than version 1")


def test_both_are_judged_for_fairness_by_the_same_groups_and_limits() -> None:
    rows, rng = months(2000), np.random.default_rng(6)
    noise = rng.normal(0, 1, len(rows))
    unfair = rows["price"] + noise * np.where(rows["side"] == "east", 3, 1)
    found = compare(rows, contender("1", unfair), contender("2", rows["price"] + noise))
    [old], [new] = found.old.fairness, found.new.fairness
    assert (old.outcome, new.outcome, old.tolerance) == ("fail", "pass", 0.5)
    assert old.disparity.column == new.disparity.column == "side"


def test_classifiers_are_compared_by_decision_and_score() -> None:
    rng = np.random.default_rng(7)
    rows = months(600).assign(ill=rng.integers(0, 2, 600))
    score = np.clip(0.25 + 0.5 * rows["ill"] + rng.normal(0, 0.2, 600), 0, 1)
    coin = rng.random(600)
    baseline = BASELINE.model_copy(
        update={
            "task": "classification",
            "target": "ill",
            "fairness": SPEC.model_copy(update={"metrics": ("statistical_parity",)}),
            "tolerances": (Tolerance(metric="demographic_parity", limit=0.3),),
        }
    )
    old = contender("1", (coin > 0.5).astype(int), score=coin)
    new = contender("2", (score > 0.5).astype(int), score=score)
    found = compare(rows, old, new, baseline)
    gains = {one.name: one.value for one in found.gains if not one.month}
    assert list(gains) == ["accuracy", "AUC", "Brier score"]
    assert min(gains.values()) > 0.1
    right = [(one.answers["prediction"] == rows["ill"]).mean() for one in (old, new)]
    assert gains["accuracy"] == pytest.approx(right[1] - right[0])
    unscored = contender("2", new.answers["prediction"])
    assert [one.name for one in compare(rows, old, unscored, baseline).gains if not one.month] == ["accuracy"]


def test_without_a_labelled_row_nothing_is_compared() -> None:
    with pytest.raises(RaiError, match="no labelled month") as raised:
        compare(pd.DataFrame(), contender("1", []), contender("2", []))
    assert "2024-01: trained on it" in str(raised.value)


def test_the_result_survives_its_file() -> None:
    rows = months()
    found = compare(rows, contender("1", rows["price"] + 1), contender("2", rows["price"] + 2))
    assert VersionComparison.from_dict(found.to_dict()) == found


def test_keys_that_several_months_have_are_counted_and_said_not_to_be_independent() -> None:
    rows = months().assign(person=np.arange(400) % 250)
    made = contender("1", rows["price"] + 1), contender("2", rows["price"] + 2)
    found = compare_versions(rows, *made, BASELINE, use_case="housing", key=("person",))
    assert (found.repeated, "400 rows are in several months" in found.assumption) == (0, False)
    rows["person"] = np.arange(400) % 125
    found = compare_versions(rows, *made, BASELINE, use_case="housing", key=("person",))
    assert found.repeated == 400 - len(rows.drop_duplicates("person", keep=False)) > 0
    assert f"The keys of {found.repeated} of 400 rows are in several months" in found.assumption


def test_rows_of_one_unit_count_together_and_that_is_said() -> None:
    rows, rng = months().assign(person=np.arange(400) // 4), np.random.default_rng(5)
    shared = np.repeat(rng.normal(0, 3, 100), 4)
    made = contender("1", rows["price"] + shared), contender("2", rows["price"] + 0.95 * shared)
    of_unit = BASELINE.model_copy(update={"fairness": SPEC.model_copy(update={"unit": "person"})})
    apart, together = (compare(rows, *made, of) for of in (BASELINE, of_unit))
    assert "rows of the same person count together" in together.assumption
    widths = [one.gains[0].upper - one.gains[0].lower for one in (apart, together)]
    assert widths[1] > 1.5 * widths[0]


def test_the_page_of_a_comparison_says_what_the_terminal_does() -> None:
    from rai_kedro.report import render_comparison_page

    rows = months()
    found = compare(rows, contender("1", rows["price"] + 2), contender("<2>", rows["price"] + 1))
    page = render_comparison_page(found)
    assert "Version &lt;2&gt; is better than version 1: MAE gains +1 [+1, +1]" in page
    assert "rows are taken as independent" in page
    assert page.count('<th scope="row">2024-0') == 2
    assert "mean absolute error" in page
