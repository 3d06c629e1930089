"""Performance before labels: known answers, coverage on simulated months, and where it has to fail."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rai_kedro.errors import RaiError
from rai_kedro.monitoring import (
    EstimatedColumns,
    PerformanceEstimate,
    Reconciled,
    estimate_performance,
    fit_estimator,
    reconcile,
    track_record,
)
from rai_kedro.monitoring.support import learn_shares, learn_support
from rai_kedro.performance import Figure, measure_classification, measure_performance

DECISIONS = EstimatedColumns(
    task="classification", features=("x",), target="y", score="score", prediction="prediction", groups=("group",)
)
AMOUNTS = EstimatedColumns(task="regression", features=("x", "kind"), target="y")
RUNS = 15
SHARES = ("accuracy", "sensitivity", "specificity", "precision")


def draw_decisions(rows: int, seed: int, shift: float = 0.0, changed: float = 0.0) -> pd.DataFrame:
    """Draw rows whose score is P(label is 1), except that group b has more positive labels than its scores say."""
    generator = np.random.default_rng(seed)
    x = np.clip(generator.normal(shift, 1, rows), -2.5, 2.5)
    group = generator.choice(["a", "b"], rows, p=[0.7, 0.3])
    logit = 1.5 * x - 0.5
    truth = 1 / (1 + np.exp(-(logit + np.where(group == "b", 0.8, 0) + changed)))
    label, score = (generator.random(rows) < truth).astype(int), 1 / (1 + np.exp(-logit))
    return pd.DataFrame({"x": x, "group": group, "y": label, "score": score, "prediction": (score > 0.5).astype(int)})


def draw_amounts(rows: int, seed: int, shift: float = 0.0, changed: float = 1.0) -> pd.DataFrame:
    """Draw rows whose error grows with x, and predictions without bias."""
    generator = np.random.default_rng(seed)
    x = np.clip(generator.normal(shift, 1, rows), -2, 2)
    error = generator.normal(size=rows) * np.exp(0.5 * x) * changed
    kind = generator.choice(["p", "q"], rows)
    return pd.DataFrame({"x": x, "kind": kind, "y": 10 + 3 * x + error, "prediction": 10 + 3 * x})


def covered(months: list[Reconciled]) -> float:
    """Return the share of figures that lay in their interval."""
    return float(np.mean([one.inside for one in months]))


def test_calibrated_scores_give_the_expected_confusion_counts() -> None:
    reference, month = (draw_decisions(rows, seed) for rows, seed in ((60_000, 1), (5_000, 2)))
    plain = DECISIONS.model_copy(update={"groups": ()})
    reference, month = (rows[rows["group"] == "a"] for rows in (reference, month))
    found = fit_estimator(reference, plain).estimate(month)
    chance, decided = month["score"], month["prediction"] == 1
    right = np.where(decided, chance, 1 - chance).mean()
    assert found.find("accuracy").value == pytest.approx(right, abs=0.004)
    assert found.find("precision").value == pytest.approx(chance[decided].mean(), abs=0.008)
    assert found.find("sensitivity").value == pytest.approx(chance[decided].sum() / chance.sum(), abs=0.008)
    assert found.find("Brier score").value == pytest.approx((chance * (1 - chance)).mean(), abs=0.003)


def test_one_score_for_all_has_a_known_interval() -> None:
    """Half of the labels are 1 whatever is decided: accuracy is a binomial share of the month's rows."""
    reference = pd.DataFrame({"x": 0.0, "y": [0, 1] * 50_000, "prediction": 1})
    month = pd.DataFrame({"x": 0.0, "prediction": [1] * 400})
    found = estimate_performance(reference, month, task="classification", features=["x"], target="y")
    figure = found.find("accuracy")
    assert figure.value == pytest.approx(0.5, abs=1e-3)
    assert figure.width == pytest.approx(2 * 1.96 * 0.5 / 20, rel=0.15)
    assert {one.name for one in found.figures} == set(SHARES)
    assert found.find("specificity").value == 0.0


def test_a_constant_error_is_estimated_as_that_constant() -> None:
    rows = pd.DataFrame({"x": np.arange(300.0), "kind": "p", "prediction": 1.0})
    reference = rows.assign(y=np.where(np.arange(300) % 2, 4.0, -2.0))
    found = fit_estimator(reference, AMOUNTS).estimate(rows)
    for name in ("MAE", "RMSE"):
        figure = found.find(name)
        assert (figure.value, figure.lower, figure.upper) == pytest.approx((3.0, 3.0, 3.0))


def test_perfect_predictions_have_no_error() -> None:
    rows = pd.DataFrame({"x": np.arange(200.0), "kind": "p", "prediction": 1.0, "y": 1.0})
    found = fit_estimator(rows, AMOUNTS).estimate(rows)
    assert [one.value for one in found.figures] == [0.0, 0.0]


def test_an_error_that_nothing_explains_is_the_mean_error_of_the_reference() -> None:
    generator = np.random.default_rng(3)
    reference = pd.DataFrame({"x": generator.normal(size=400), "kind": "p", "prediction": 0.0})
    reference["y"] = generator.normal(size=400)
    month = reference.iloc[:150].drop(columns="y")
    found = fit_estimator(reference, AMOUNTS).estimate(month).find("MAE")
    assert found.value == pytest.approx(reference["y"].abs().mean(), rel=1e-9)
    assert "mean error of the reference" in found.how


@pytest.mark.parametrize("shift", [0.0, 0.4, 0.8])
def test_decisions_intervals_hold_the_figures_of_labels(shift: float) -> None:
    months, naive = [], []
    for seed in range(RUNS):
        reference = draw_decisions(600, seed)
        month = draw_decisions(1_000, 1_000 + seed, shift)
        found = fit_estimator(reference, DECISIONS, seed=seed).estimate(month)
        shown = measure_classification(month["y"], month["prediction"], month["score"])
        months += reconcile(found.figures, shown)
        before = measure_classification(reference["y"], reference["prediction"], reference["score"])
        naive += [abs(old.value - new.value) for old, new in zip(before, shown, strict=True)]
    assert len(months) == RUNS * 6
    assert covered(months) >= 0.88
    if shift:
        assert np.mean([abs(one.error) for one in months]) < 0.8 * np.mean(naive)


def test_each_group_is_estimated_by_its_own_calibration() -> None:
    """Group b has more positive labels than its scores say; pooled, its sensitivity would be off by several points."""
    reference, month = draw_decisions(4_000, 1), draw_decisions(4_000, 2)
    found = fit_estimator(reference, DECISIONS).estimate(month)
    of_b = month[month["group"] == "b"]
    figures = measure_classification(of_b["y"], of_b["prediction"], of_b["score"])
    for one in figures:
        estimate = found.find(one.name, "group: b")
        assert estimate.lower <= one.value <= estimate.upper
        assert estimate.doubt == ""
    pooled = fit_estimator(reference, DECISIONS.model_copy(update={"groups": ()})).estimate(of_b)
    by_name = {one.name: one.value for one in figures}
    assert abs(pooled.find("precision").value - by_name["precision"]) > 0.02


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_amounts_intervals_hold_the_figures_of_labels(shift: float) -> None:
    months, naive = [], []
    for seed in range(RUNS):
        reference, month = draw_amounts(500, seed), draw_amounts(400, 1_000 + seed, shift)
        found = fit_estimator(reference, AMOUNTS, seed=seed).estimate(month)
        shown = measure_performance(month["y"], month["prediction"])
        months += reconcile(found.figures, shown)
        before = measure_performance(reference["y"], reference["prediction"])
        naive += [abs(b.value - s.value) for b, s in zip(before, shown, strict=True) if s.name in ("MAE", "RMSE")]
    assert len(months) == RUNS * 2
    assert covered(months) >= 0.88
    if shift:
        assert np.mean([abs(one.error) for one in months]) < 0.7 * np.mean(naive)


def test_trees_learn_the_error_of_a_large_reference() -> None:
    reference, month = draw_amounts(1_200, 1), draw_amounts(2_000, 2, 0.8)
    found = fit_estimator(reference, AMOUNTS).estimate(month)
    shown = {one.name: one.value for one in measure_performance(month["y"], month["prediction"])}
    figure = found.find("MAE")
    assert "boosted trees" in figure.how
    assert figure.lower <= shown["MAE"] <= figure.upper
    assert abs(figure.value - shown["MAE"]) < 0.15 * shown["MAE"]


def test_concept_change_is_not_seen_before_labels_and_said_after() -> None:
    """Nothing in features or scores changes, so the estimate stays believable and is wrong: only labels can tell."""
    estimator = fit_estimator(draw_decisions(2_000, 1), DECISIONS)
    changed, calm = [], []
    for seed in range(10, 14):
        for months, change in ((changed, 1.5), (calm, 0.0)):
            month = draw_decisions(1_500, seed, changed=change)
            found = estimator.estimate(month.drop(columns="y"))
            assert found.believable
            months.extend(
                reconcile(found.figures, measure_classification(month["y"], month["prediction"], month["score"]))
            )
    records = {one.name: one for one in track_record(changed)}
    assert records["sensitivity"].coverage == 0.0
    assert "0 of 4 months" in records["sensitivity"].doubt
    assert all(not one.doubt for one in track_record(calm))


def test_a_record_doubts_two_misses_in_a_row_and_not_one() -> None:
    miss = Reconciled(name="MAE", estimated=1.0, realised=2.0, error=-1.0, level=0.95, inside=False)
    assert [one.doubt for one in track_record([miss])] == [""]
    held = miss.model_copy(update={"inside": True})
    assert [one.doubt for one in track_record([miss, held, miss])] == [""]
    (record,) = track_record([miss, miss])
    assert (record.months, record.mean_absolute_error, record.coverage) == (2, 1.0, 0.0)
    assert "0 of 2 months, 95 %" in record.doubt
    (record,) = track_record([miss, held])
    assert "1 of 2 months, 95 % were to be expected: estimates that are right do no better in 9.8 %" in record.caution
    (record,) = track_record([held, held])
    assert (record.doubt, record.caution) == ("", "")
    assert track_record([]) == ()


def test_only_figures_that_both_sides_have_are_reconciled() -> None:
    reference = draw_amounts(300, 1)
    found = fit_estimator(reference, AMOUNTS).estimate(reference)
    shown = [Figure(name="MAE", value=1.0), Figure(name="R2", value=0.5), Figure(name="RMSE", note="no label")]
    assert [one.name for one in reconcile(found.figures, shown)] == ["MAE"]


def test_rows_outside_the_support_are_doubted_and_named() -> None:
    reference, month = draw_amounts(400, 1), draw_amounts(400, 2)
    estimator = fit_estimator(reference, AMOUNTS)
    assert estimator.estimate(month).believable
    found = estimator.estimate(month.assign(x=month["x"] + 2, kind=np.where(np.arange(400) % 5, "p", "new")))
    assert not found.believable
    assert "outside what the reference has seen" in found.doubts[0]
    shares = {one.column: one.share for one in found.support.columns}
    assert shares["kind"] == pytest.approx(0.2)
    assert shares["x"] > 0.2
    (kind,) = (one for one in found.support.columns if one.column == "kind")
    assert kind.example == "new"


def test_missing_values_are_outside_where_the_reference_has_none() -> None:
    reference, month = draw_amounts(400, 1), draw_amounts(100, 2)
    holed = month.assign(x=month["x"].where(np.arange(100) % 2 == 0))
    assert fit_estimator(reference, AMOUNTS).estimate(holed).support.share >= 0.5
    known = reference.assign(x=reference["x"].where(np.arange(400) % 10 != 0))
    assert fit_estimator(known, AMOUNTS).estimate(holed).believable


def test_unchanged_data_outside_a_small_reference_are_not_doubted() -> None:
    """Of 30 columns a reference of 120 rows leaves a third of all rows outside anyway."""
    names = tuple(f"x{place}" for place in range(30))
    doubted, shares = 0, []
    for seed in range(20):
        generator = np.random.default_rng(seed)
        reference, month = (pd.DataFrame(generator.normal(size=(rows, 30)), columns=list(names)) for rows in (120, 300))
        found = learn_support(reference, names).check(month)
        doubted += bool(found.doubt)
        shares.append((found.share, found.expected))
    assert doubted <= 1
    seen, expected = np.mean(shares, axis=0)
    assert seen == pytest.approx(expected, abs=0.05)
    assert expected > 0.3


def test_a_shift_that_leaves_too_few_rows_of_the_reference_is_doubted() -> None:
    """Shifted by d standard deviations, m rows are worth about m / exp(d * d)."""
    reference = draw_amounts(150, 1)
    estimator = fit_estimator(reference, AMOUNTS)
    assert estimator.estimate(draw_amounts(400, 2)).doubts == ()
    doubts = estimator.estimate(draw_amounts(400, 2, 1.0).assign(x=0.0)).doubts
    assert any("by prediction, the 150 rows of the reference are worth" in doubt for doubt in doubts)
    assert fit_estimator(draw_amounts(900, 1), AMOUNTS).estimate(draw_amounts(400, 2, 1.0).assign(x=0.0)).doubts == ()
    alike = learn_shares(np.random.default_rng(1).normal(size=10_000)).count_alike(
        np.random.default_rng(2).normal(0.5, size=10_000)
    )
    assert alike == pytest.approx(10_000 / np.exp(0.25), rel=0.05)


def test_a_small_reference_and_a_group_without_rows_are_doubted() -> None:
    reference, month = draw_decisions(80, 1), draw_decisions(500, 2)
    found = fit_estimator(reference[reference["group"] == "a"], DECISIONS).estimate(month)
    assert any("rows, 100 are needed" in doubt for doubt in found.doubts)
    assert found.find("accuracy", "group: b").doubt.startswith("the reference has no rows of this group")
    assert found.find("accuracy", "group: b").width > found.find("accuracy", "group: a").width


def test_a_reference_of_one_outcome_still_gives_an_interval() -> None:
    reference = draw_decisions(200, 1).assign(y=0)
    found = fit_estimator(reference, DECISIONS).estimate(draw_decisions(300, 2))
    assert any("rarer outcome" in doubt for doubt in found.doubts)
    assert 0.5 < found.find("specificity").value < 1


def test_two_new_groups_are_told_apart() -> None:
    month = draw_decisions(300, 2)
    month["group"] = np.resize(["c", "d", "a"], 300)
    month.loc[month["score"] < 0.1, "group"] = None
    found = fit_estimator(draw_decisions(400, 1), DECISIONS).estimate(month)
    rows = {one.group: one.n for one in found.figures if one.name == "accuracy"}
    counted = month["group"].fillna("missing").value_counts()
    assert rows == {"": 300, **{f"group: {name}": int(number) for name, number in counted.items()}}


def test_no_row_decided_positive_has_no_precision() -> None:
    month = draw_decisions(200, 2).assign(prediction=0)
    figure = fit_estimator(draw_decisions(400, 1), DECISIONS).estimate(month).find("precision")
    assert (figure.value, figure.note) == (None, "no such row is expected")


def test_an_estimate_is_the_same_twice_and_survives_json() -> None:
    estimator = fit_estimator(draw_decisions(400, 1), DECISIONS)
    first, second = (estimator.estimate(draw_decisions(300, 2)) for _ in range(2))
    assert first == second
    assert PerformanceEstimate.from_dict(first.to_dict()) == first
    assert set(first.to_frame()["group"]) == {"", "group: a", "group: b"}
    with pytest.raises(KeyError):
        first.find("R2")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"score": 1.5}, "score has values that are not probabilities"),
        ({"prediction": 0.3}, "prediction has values that are not 0 or 1"),
        ({"prediction": None}, "prediction has values that are not 0 or 1"),
    ],
)
def test_what_cannot_be_estimated_from_is_named(change: dict[str, float], said: str) -> None:
    estimator = fit_estimator(draw_decisions(400, 1), DECISIONS)
    with pytest.raises(RaiError, match=said):
        estimator.estimate(draw_decisions(20, 2).assign(**change))


def test_missing_columns_and_empty_months_are_refused() -> None:
    reference = draw_amounts(200, 1)
    with pytest.raises(RaiError, match="columns are missing"):
        fit_estimator(reference.drop(columns="x"), AMOUNTS)
    with pytest.raises(RaiError, match="y has values that are not finite numbers"):
        fit_estimator(reference.assign(y=np.nan), AMOUNTS)
    with pytest.raises(RaiError, match="no row"):
        fit_estimator(reference, AMOUNTS).estimate(reference.iloc[:0])
