"""What a month's predictions were worth, against figures that are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rai_kedro.fairness import FairnessSpec, GroupingSpec, Tolerance, assess_counts, count_rows
from rai_kedro.fairness.tables import GroupCounts, GroupMoments, standardise_batches
from rai_kedro.intervals import largest_difference_of_proportions
from rai_kedro.monitoring import (
    Baseline,
    Looks,
    Measured,
    MonitoringPolicy,
    MonthOutcome,
    PerformancePolicy,
    VersionReference,
    measure_month,
    outcome_frame,
    read_outcome,
)

REGRESSION = Baseline(
    task="regression",
    target="y",
    unit="euros",
    fairness=FairnessSpec(
        groupings=(GroupingSpec(columns=("side",)),), metrics=("mean_prediction", "mean_absolute_error")
    ),
    tolerances=(Tolerance(metric="mean_absolute_error", limit=0.5),),
)
CLASSIFICATION = Baseline(
    task="classification",
    target="y",
    fairness=FairnessSpec(
        groupings=(GroupingSpec(columns=("side",)),), metrics=("statistical_parity", "equal_opportunity")
    ),
    tolerances=(Tolerance(metric="statistical_parity", limit=0.1), Tolerance(metric="equal_opportunity", limit=0.1)),
)
POLICY = MonitoringPolicy(looks=Looks(planned=12))


def amounts(rows: int, seed: int, error: float = 1.0, east: float = 1.0) -> pd.DataFrame:
    """Labels, and predictions off by ``error`` on average; in the east by ``east`` times as much."""
    random = np.random.default_rng(seed)
    side = np.where(random.random(rows) < 0.5, "east", "west")
    truth = random.normal(20, 5, rows)
    size = error * np.sqrt(np.pi / 2) * np.where(side == "east", east, 1.0)
    return pd.DataFrame({"side": side, "y": truth, "prediction": truth + random.normal(0, 1, rows) * size})


def decisions(rows: int, seed: int, gap: float = 0.0) -> pd.DataFrame:
    """Labels, and decisions that the east gets more often by ``gap``."""
    random = np.random.default_rng(seed)
    side = np.where(random.random(rows) < 0.5, "east", "west")
    score = np.clip(random.random(rows) * 0.8 + 0.1, 0, 1)
    truth = (random.random(rows) < score).astype(float)
    chosen = (random.random(rows) < 0.4 + np.where(side == "east", gap, 0.0)).astype(float)
    return pd.DataFrame({"side": side, "y": truth, "prediction": chosen, "score": score})


def measured(
    rows: pd.DataFrame, reference: pd.DataFrame, baseline: Baseline, look: int = 1, **more: Any
) -> MonthOutcome:
    """Measure a month under the usual policy."""
    of = VersionReference(reference, baseline)
    policy = more.pop("policy", POLICY)
    return measure_month(rows, of, policy, month="2024-05", model_version="1", look=look, **more)


def judged(outcome: MonthOutcome) -> Measured:
    """Return the judged change of performance on labels."""
    (found,) = (one for one in outcome.pick(subject="performance", basis="labels") if one.verdict)
    return found


def spent(outcome: MonthOutcome) -> float:
    """Return what the interval of the judged change may miss."""
    return 1 - (judged(outcome).level or 0)


def test_the_loss_is_the_ratio_of_the_two_errors() -> None:
    month, reference = amounts(2_000, 1, error=2.0), amounts(2_000, 2)
    (loss,) = measured(month, reference, REGRESSION).pick(subject="performance", kind="ratio", basis="labels")
    by_hand = (month["y"] - month["prediction"]).abs().mean() / (reference["y"] - reference["prediction"]).abs().mean()
    assert loss.value == pytest.approx(by_hand)
    assert (loss.verdict, loss.limit) == ("fail", 1.25)


def test_an_unchanged_month_passes_with_rows_enough_and_is_open_without() -> None:
    for rows, verdict in {5_000: "pass", 100: "insufficient_evidence"}.items():
        (loss,) = measured(amounts(rows, 3), amounts(rows, 4), REGRESSION).pick(
            subject="performance", kind="ratio", basis="labels"
        )
        assert loss.verdict == verdict


def test_a_floor_is_judged_whatever_was_tested() -> None:
    policy = POLICY.model_copy(update={"performance": POLICY.performance.model_copy(update={"floor": 0.5})})
    found = measured(amounts(2_000, 5), amounts(2_000, 6), REGRESSION, policy=policy)
    assert [one.verdict for one in found.pick(kind="floor")] == ["fail"]


def test_without_labels_decisions_are_judged_and_errors_are_not() -> None:
    month = decisions(4_000, 7, gap=0.3).assign(y=np.nan)
    found = measured(month, decisions(4_000, 8), CLASSIFICATION)
    assert found.labelled == 0
    assert {one.name for one in found.pick(subject="fairness")} == {"statistical_parity"}
    assert {one.verdict for one in found.pick(name="statistical_parity", kind="difference")} == {"fail"}
    assert not list(found.pick(subject="performance", basis="labels"))


def test_labels_in_part_are_said_to_be_in_part() -> None:
    month = decisions(1_000, 9)
    month.loc[200:, "y"] = np.nan
    found = measured(month, decisions(1_000, 10), CLASSIFICATION)
    assert found.labelled == 200
    assert found.notes == ("200 of 1,000 rows have a label; what is said of errors holds for these",)
    assert next(found.pick(name="accuracy", kind="", basis="labels")).n == 200


def test_labels_that_are_floats_because_some_are_missing_have_not_drifted() -> None:
    reference, month = decisions(1_000, 9).astype({"y": int}), decisions(1_000, 9)
    month.loc[900:, "y"] = np.nan
    found = measured(month, reference, CLASSIFICATION)
    assert not [one.label for one in found.label_drift if one.drifted]


def test_few_labels_are_not_measured() -> None:
    month = decisions(1_000, 11)
    month.loc[12:, "y"] = np.nan
    found = measured(month, decisions(1_000, 12), CLASSIFICATION)
    assert not list(found.pick(subject="performance", basis="labels"))
    assert "fewer than 30 rows have a label" in found.notes[1]


def test_after_the_planned_months_nothing_is_judged_and_that_is_said() -> None:
    found = measured(amounts(500, 13, error=9.0), amounts(500, 14), REGRESSION, look=13)
    assert not [one for one in found.figures if one.verdict and one.basis != "estimate"]
    assert "the error budget of 12 planned months is spent" in found.notes[0]


def test_a_lasting_gap_is_found_on_all_rows_before_it_is_on_those_of_a_month() -> None:
    past: list[MonthOutcome] = []
    for look in range(1, 13):
        month = decisions(1_500, 100 + look, gap=0.17)
        past.append(measured(month, decisions(1_500, 15), CLASSIFICATION, look=look, past=tuple(past)))
    wanted = {"name": "statistical_parity", "kind": "difference"}
    last = past[-1]
    assert next(last.pick(scope="since approval", **wanted)).verdict == "fail"
    assert next(last.pick(scope="month", **wanted)).verdict == "insufficient_evidence"


def test_a_change_for_everybody_is_no_gap_between_groups_whose_mix_changed() -> None:
    """The east is rare while errors are small and common once they are large, in both groups alike."""
    spec = REGRESSION.fairness.model_copy(update={"metrics": ("mean_absolute_error",)})
    months = [amounts(4_000, 16), amounts(4_000, 17, error=10.0)]
    months[0] = months[0][(months[0]["side"] == "west") | (np.arange(4_000) % 10 == 0)]
    months[1] = months[1][(months[1]["side"] == "east") | (np.arange(4_000) % 10 == 0)]
    counted = [count_rows(one["y"], one["prediction"], None, one, spec, task="regression") for one in months]
    found = assess_counts([one.to_dict() for one in counted], spec, counted[1].name_groups(spec))
    (difference,) = [one for one in found if one.kind == "difference"]
    plain = pd.concat(months)
    pooled = (plain["y"] - plain["prediction"]).abs().groupby(plain["side"]).mean()
    assert pooled["east"] - pooled["west"] > 4
    assert difference.value == pytest.approx(0, abs=0.6)


def at_rate(group: str, rate: float, rows: int, month: int) -> GroupCounts:
    """Decisions of one group in a month, drawn at a rate."""
    chosen = np.random.default_rng(1_000 * month + len(group)).binomial(rows, rate)
    return GroupCounts((group,), np.array([[[rows - chosen, 0], [0, chosen]]]))


def test_a_group_that_came_late_is_not_blamed_for_what_changed_for_everybody_before() -> None:
    """Both groups rise from .3 to .6 in the month in which the second one first appears."""
    rates = np.repeat([0.3, 0.6], [10, 15])
    tables = [at_rate("a", rate, 500, month) for month, rate in enumerate(rates)]
    late = [table + at_rate("late", 0.6, 500, month) if month >= 10 else table for month, table in enumerate(tables)]
    both = standardise_batches(late)
    shares = both.total((1, 1)) / both.counts.sum(axis=(1, 2))
    assert dict(zip(both.groups, shares, strict=True)) == {g: pytest.approx(0.6, abs=0.02) for g in ("a", "late")}
    before_it_had_half = standardise_batches(late[:12])
    assert before_it_had_half.counts.sum(axis=(1, 2)).tolist() == [6_000, 0], "named as not assessed, and never a pass"


def test_intervals_since_the_approval_hold_where_a_group_was_scarce_in_months_unlike_the_others() -> None:
    """Every sixth month has 5 rows in place of 200 of a group, and a rate of .5 in place of .02; the true gap is .1."""
    random, missed, lives = np.random.default_rng(7), 0, 300
    rows, rates = np.tile([[1_000, 200]], (30, 1)), np.tile([[0.12, 0.02]], (30, 1))
    rows[5::6, 1], rates[5::6] = 5, (0.6, 0.5)
    for _ in range(lives):
        chosen = random.binomial(rows, rates)
        cells = np.stack([np.stack([rows - chosen, 0 * rows], -1), np.stack([0 * rows, chosen], -1)], -2)
        total = standardise_batches([GroupCounts(("a", "b"), of) for of in cells])
        found = largest_difference_of_proportions(total.total((1, 1)), total.counts.sum(axis=(1, 2)), 0.98)
        missed += found.lower > 0.1 or found.upper < 0.1
    assert missed <= stats.binom.ppf(0.999, lives, 0.02)


def test_means_of_less_than_one_weighted_row_are_weighed_as_all_others() -> None:
    small, large = ([10.0, 1.0], [1_000.0, 10.0])
    tables = [
        GroupMoments(("a", "b"), np.array(rows), np.full((5, 2), mean), np.zeros((5, 2)))
        for rows, mean in [(small, 0.0), (small, 30.0), (small, 60.0), (large, 30.0)]
    ]
    np.testing.assert_allclose(standardise_batches(tables).means, 30.0)


def test_a_tolerance_that_names_no_grouping_shares_its_budget_between_those_it_judges() -> None:
    fairness = REGRESSION.fairness.model_copy(update={"groupings": tuple(GroupingSpec(columns=(c,)) for c in "ab")})
    months = [amounts(900, seed).rename(columns={"side": "a"}).assign(b=np.arange(900) % 2) for seed in (21, 22)]
    found = measured(*months, REGRESSION.model_copy(update={"fairness": fairness}))
    levels = [one.level for one in found.pick(subject="fairness", scope="month") if one.verdict]
    assert levels == pytest.approx([1 - 0.05 / 12 / 2 / 2] * 2)


def test_change_and_floor_share_what_performance_may_spend() -> None:
    policy = POLICY.model_copy(update={"performance": POLICY.performance.model_copy(update={"floor": 0.5})})
    found = measured(amounts(500, 23), amounts(500, 24), REGRESSION, policy=policy)
    levels = [one.level for one in found.pick(subject="performance", basis="labels") if one.verdict]
    assert levels == pytest.approx([1 - 2 * 0.05 / 12 / 2] * 2)


def test_rows_that_may_hold_none_of_the_largest_errors_let_nothing_pass() -> None:
    policy = POLICY.model_copy(update={"performance": POLICY.performance.model_copy(update={"worse_by": 3.0})})
    for rows, verdict in {109: "insufficient_evidence", 110: "pass"}.items():
        found = measured(amounts(rows, 25), amounts(500, 26), REGRESSION, policy=policy)
        (loss,) = found.pick(subject="performance", kind="ratio", basis="labels")
        assert loss.upper is not None
        assert (loss.upper < 4, loss.verdict) == (True, verdict)
        assert ("none of the worst 5%" in loss.note) == (verdict != "pass")


def test_a_verdict_that_one_more_row_as_bad_as_the_worst_would_change_is_none() -> None:
    """Few rows of errors with a heavy tail mostly miss the largest."""
    reference, month = amounts(500, 32), amounts(200, 33)
    policy = MonitoringPolicy(performance=PerformancePolicy(metric="RMSE", worse_by=0.45))
    assert judged(measured(month, reference, REGRESSION, policy=policy)).verdict == "pass"
    month.loc[7, "prediction"] += 6
    found = judged(measured(month, reference, REGRESSION, policy=policy))
    assert found.upper is not None
    assert found.upper < 1.45
    assert (found.verdict, "as bad as the worst" in found.note) == ("insufficient_evidence", True)
    # Nor is it an alarm where the test rows might have missed what the month shows.
    policy = MonitoringPolicy(performance=PerformancePolicy(metric="RMSE", worse_by=0.25))
    month = amounts(500, 34, error=2.2)
    few = amounts(60, 35)
    assert judged(measured(month, few, REGRESSION, policy=policy)).verdict == "fail"
    few.loc[3, "prediction"] += 1.75
    found = judged(measured(month, few, REGRESSION, policy=policy))
    assert found.lower is not None
    assert found.lower > 1.25
    assert (found.verdict, "as bad as the worst" in found.note) == ("insufficient_evidence", True)


def test_an_auc_of_few_rows_of_one_outcome_is_not_judged() -> None:
    policy = MonitoringPolicy(performance=PerformancePolicy(metric="AUC", worse_by=0.05))
    reference, month = decisions(2_000, 36), decisions(600, 37).assign(score=0.5)
    assert judged(measured(month, reference, CLASSIFICATION, policy=policy)).verdict == "fail"
    few = pd.concat([month[month["y"] == 0], month[month["y"] == 1].head(19)])
    found = judged(measured(few, reference, CLASSIFICATION, policy=policy))
    assert (found.verdict, "fewer than 20 rows" in found.note) == ("insufficient_evidence", True)


def test_labels_that_come_in_parts_share_what_their_month_may_spend() -> None:
    month, reference = amounts(900, 38), amounts(900, 39)
    levels, deliveries = list[float](), tuple[int, ...]()
    for labelled in (300, 600, 600, 900):
        rows = month.assign(y=month["y"].where(np.arange(900) < labelled))
        found = measured(rows, reference, REGRESSION, deliveries=deliveries)
        deliveries = found.deliveries
        levels.append(spent(found))
    assert deliveries == (300, 600, 900)
    assert levels[1] == levels[2], "corrected labels ask nothing new"
    whole = spent(measured(month, reference, REGRESSION))
    assert levels[0] == pytest.approx(whole / 3), "a third of the labels spends a third"
    assert max(levels) < whole < levels[0] + levels[1] + levels[3], "which costs less than a split would"


def test_batches_of_one_mix_add_up_to_the_rows_themselves() -> None:
    spec = CLASSIFICATION.fairness
    rows = decisions(3_000, 18)
    rows["side"] = np.where(np.arange(3_000) % 2, "east", "west")
    parts = [rows.iloc[start : start + 1_000] for start in (0, 1_000, 2_000)]
    of = [count_rows(one["y"], one["prediction"], one["score"], one, spec, task="classification") for one in parts]
    whole = count_rows(rows["y"], rows["prediction"], rows["score"], rows, spec, task="classification")
    groupings = whole.name_groups(spec)
    together = assess_counts([one.to_dict() for one in of], spec, groupings)
    at_once = assess_counts([whole.to_dict()], spec, groupings)
    assert [one.value for one in together] == pytest.approx([one.value for one in at_once])
    assert [one.upper for one in together] == pytest.approx([one.upper for one in at_once])


def test_what_was_stored_is_read_back_as_it_was() -> None:
    found = measured(decisions(500, 19), decisions(500, 20), CLASSIFICATION)
    assert read_outcome(outcome_frame(found)) == found


def test_a_month_the_version_was_trained_on_is_shown_and_judged_in_no_way() -> None:
    of = VersionReference(amounts(500, 21), REGRESSION, trained_on=("2024-04",))
    first = measure_month(amounts(500, 22, error=9.0), of, POLICY, month="2024-04", model_version="1", look=1)
    assert first.used_in_training
    assert next(first.pick(name="MAE", basis="labels", kind="", group="")).value > 5
    assert not [one for one in first.figures if one.verdict and one.basis != "estimate"]
    assert first.notes == ("the version was trained on this month, so its figures are shown and not judged",)
    with_it, without = (
        measure_month(amounts(500, 23), of, POLICY, month="2024-05", model_version="1", look=2, past=past)
        for past in ([first], [])
    )
    of_approval = [[one.value for one in found.pick(scope="since approval")] for found in (with_it, without)]
    assert of_approval[0] == of_approval[1]


def test_rows_of_the_same_people_are_no_new_sample_in_every_month() -> None:
    """Each of 300 people is there in both months, decided alike every time."""
    people = decisions(300, 21, gap=0.2).assign(person=range(300))
    panel = people.loc[people.index.repeat(8)].reset_index(drop=True)
    sampled = CLASSIFICATION.model_copy(
        update={"fairness": CLASSIFICATION.fairness.model_copy(update={"unit": "person"})}
    )
    widths = {}
    for name, baseline in {"rows": CLASSIFICATION, "people": sampled}.items():
        first = measured(panel, panel, baseline)
        second = measured(panel, panel, baseline, look=2, past=[first])
        gaps = second.pick(name="statistical_parity", kind="difference")
        widths[name] = {one.scope: one.width for one in gaps}
        assert judged(second).width is not None
    for scope, width in widths["people"].items():
        assert width > 2 * widths["rows"][scope], scope
    assert any("take rows as independent" in note for note in second.notes)
    assert not [one for one in second.pick(basis="estimate") if one.verdict]
