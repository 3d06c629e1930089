"""The comparison on simulated hospital visits, and the rule of choice on figures made by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from rai_kedro.demo import HospitalParameters, simulate_visits
from rai_kedro.fairness import Assessment, Disparity, GroupingSpec, examine_classification
from rai_kedro.fairness.assessment import FairnessSpec
from rai_kedro.mitigation.compared import Comparator, ComparedModel, Comparison
from rai_kedro.mitigation.comparing import (
    ComparisonRequest,
    ConfiguredMethod,
    check_comparison,
    choose_model,
    compare_methods,
    mark_frontier,
)
from rai_kedro.mitigation.evaluation import hold_against_need
from rai_kedro.mitigation.fitting import Rows
from rai_kedro.mitigation.sensitive import MitigationError
from rai_kedro.modelling import PreparationParameters, build_model, build_preparation
from rai_kedro.performance import Figure, Gain

SPEC = FairnessSpec(
    groupings=(GroupingSpec(columns=("race",), reference="White"),), metrics=("statistical_parity", "equal_opportunity")
)
METHODS = ("reweighing", "exponentiated_gradient", "grid_search", "correlation_removal", "threshold_optimisation")


@pytest.fixture(scope="module")
def recorded():
    """6,000 visits, 70 % for training, a logistic regression behind an imputation; and the need of the test rows."""
    visits = simulate_visits(HospitalParameters(visits=6000, months=1, seed=7))
    features, labels, need = (next(iter(d.values())) for d in (visits.features, visits.labels, visits.true_need))
    model_columns = features.drop(columns=["month", "visit", "race", "sex", "age", "residence", "payment"])
    kinds = {"f": "float", "i": "integer"}
    types = {name: kinds.get(column.dtype.kind, "category") for name, column in model_columns.items()}
    preparation = build_preparation(PreparationParameters(missing="complete_cases"), types, seed=0)
    order = np.random.default_rng(0).permutation(len(features))

    def take(at):
        return Rows(model_columns.iloc[at], labels["admitted"].iloc[at], features[["race"]].iloc[at])

    request = ComparisonRequest(
        estimator=build_model(preparation, LogisticRegression(max_iter=1000)),
        sensitive_column="race",
        fairness=SPEC,
        methods=tuple(ConfiguredMethod(name) for name in METHODS),
        permitted=True,
    )
    return request, (take(order[:4200]), take(order[4200:])), need["needs_admission"].iloc[order[4200:]]


@pytest.fixture(scope="module")
def request_(recorded):
    return recorded[0]


@pytest.fixture(scope="module")
def rows(recorded):
    return recorded[1]


@pytest.fixture(scope="module")
def true_need(recorded):
    return recorded[2]


@pytest.fixture(scope="module")
def comparison(request_, rows):
    return compare_methods(request_, *rows)


def value(model, metric="statistical_parity", against="assessment", kind="difference"):
    return next(one.value for one in getattr(model, against).disparities if (one.metric, one.kind) == (metric, kind))


def test_every_model_is_there_and_the_yardstick_always(comparison):
    assert [model.name for model in comparison.models] == ["unmitigated", *METHODS, "post_processed"]
    assert all(model.status == "fitted" for model in comparison.models)
    assert comparison.models[-1].role == "yardstick"
    assert [model.stage for model in comparison.models] == ["", "pre", "in", "in", "pre", "post", "post"]


def test_figures_are_those_of_the_test_rows(rows, comparison):
    test = rows[1]
    for model in comparison.models:
        features = test.features.assign(race=test.audit["race"]) if model.needs_sensitive else test.features
        predicted = comparison.estimators[model.name].predict(features)
        found = examine_classification(test.target, pd.Series(predicted, test.audit.index), None, test.audit, SPEC)
        assert model.assessment.disparities == found.disparities
        assert model.performance[0].value == pytest.approx((predicted == test.target).mean())
        assert [one.predicted for one in model.outcomes] == [
            predicted[(test.audit["race"] == one.group).to_numpy()].sum() for one in model.outcomes
        ]


def test_mitigation_narrows_the_gap_and_the_unmitigated_model_has_it(comparison):
    gap = {model.name: value(model) for model in comparison.models}
    assert gap["unmitigated"] > 0.04
    for name in ("exponentiated_gradient", "grid_search", "threshold_optimisation", "post_processed"):
        assert gap[name] < gap["unmitigated"] - 0.02


def test_the_chosen_model_is_vouched_for_by_its_intervals(comparison):
    chosen = comparison.chosen_model
    plain = comparison.models[0].find_disparity(comparison.by)

    assert comparison.chosen_estimator is comparison.estimators[comparison.chosen]
    assert chosen.find_disparity(comparison.by).upper <= plain.upper
    assert [gain.name for gain in chosen.gains] == ["accuracy", "AUC"]
    assert all(gain.lower >= -0.02 for gain in chosen.gains)
    fairer = [
        model
        for model in comparison.models
        if model.find_disparity(comparison.by).upper < chosen.find_disparity(comparison.by).upper
    ]
    # Whatever is fairer has lost more than is accepted, or may have.
    assert all(min(gain.lower for gain in model.gains) < -0.02 for model in fairer)


def test_against_true_need_the_shares_of_the_groups_are_held_against_their_need(rows, true_need, comparison):
    held, test = hold_against_need(comparison, rows[1], true_need, SPEC), rows[1]
    model = held.models[0]
    predicted = comparison.estimators["unmitigated"].predict(test.features)
    off = pd.Series(predicted - true_need.to_numpy()).groupby(test.audit["race"].to_numpy()).mean()

    measured = value(model, "mean_signed_error", "need_assessment")

    assert measured == pytest.approx(abs(off["White"] - off["Black"]))
    assert (held.chosen, held.reason) == (comparison.chosen, comparison.reason)
    assert all(one.need_assessment is not None for one in held.models)
    assert value(model, "equal_opportunity", "need_assessment") != value(model, "equal_opportunity")
    needed = {one.group: one.needed for one in model.outcomes}
    assert needed["Black"] == true_need[test.audit["race"] == "Black"].sum()


def test_roc_curves_of_the_groups_reach_from_corner_to_corner(comparison):
    for model in comparison.models:
        assert [curve.group for curve in model.curves] == [one.group for one in model.outcomes]
        for curve in model.curves:
            assert (curve.false_positive_rates[0], curve.true_positive_rates[0]) == (0, 0)
            assert (curve.false_positive_rates[-1], curve.true_positive_rates[-1]) == (1, 1)
            area = np.trapezoid(curve.true_positive_rates, curve.false_positive_rates)
            assert area == pytest.approx(curve.auc, abs=0.01)


def test_a_comparison_goes_through_json_unchanged(comparison):
    text = json.dumps(comparison.to_dict(), allow_nan=False)

    assert Comparison.from_dict(json.loads(text)) == comparison.model_copy(update={"estimators": {}})


def test_without_permission_methods_are_refused_and_the_yardstick_is_for_the_view(request_, rows):
    narrow = replace(request_, permitted=False, methods=tuple(map(ConfiguredMethod, ("reweighing", *METHODS[3:]))))

    found = compare_methods(narrow, *rows)

    by_name = {model.name: model for model in found.models}
    for name in METHODS[3:]:
        assert by_name[name].status == "refused"
        assert "contract does not permit" in by_name[name].reason
        assert not by_name[name].may_be_used
        assert name not in found.estimators
    assert by_name["post_processed"].status == "fitted"
    assert not by_name["post_processed"].may_be_used
    assert "for the view only" in by_name["post_processed"].reason
    assert found.chosen in {"unmitigated", "reweighing"}
    with pytest.raises(MitigationError, match="'post_processed' cannot be used"):
        compare_methods(replace(narrow, methods=(), configured="post_processed"), *rows)


def test_a_method_without_a_model_is_on_record_and_not_chosen(request_, rows):
    impossible = ConfiguredMethod("grid_search", {"tolerance": 0.0, "grid_size": 2, "grid_limit": 0.01})
    found = compare_methods(replace(request_, methods=(impossible,)), *rows)

    failed = next(model for model in found.models if model.name == "grid_search")

    assert failed.status == "failed"
    assert "not kept on the training rows" in failed.reason
    assert "raise 'tolerance'" in failed.reason
    assert failed.performance == ()
    with pytest.raises(MitigationError, match="not kept"):
        compare_methods(replace(request_, methods=(impossible,), configured="grid_search"), *rows)


def test_the_best_of_several_unmitigated_models_is_post_processed(request_, rows):
    # A stump decides nearly everyone alike and ranks worse than the regression behind its imputation.
    stump = build_model(request_.estimator.named_steps["preparation"], DecisionTreeClassifier(max_depth=1))
    swapped = replace(
        request_, estimator=stump, alternatives={"logistic": request_.estimator}, methods=(), performance="AUC"
    )

    found = compare_methods(swapped, *rows)

    assert [model.role for model in found.models] == ["unmitigated", "alternative", "yardstick"]
    assert not found.models[1].may_be_used
    assert "of logistic, the best by cross-validation" in found.models[-1].reason
    assert found.by.guards == ()


def test_a_boosted_model_with_every_metric_a_yardstick_does_not_serve(request_, rows):
    spec = SPEC.model_copy(update={"metrics": ("overall_accuracy_equality", "treatment_equality")})
    estimator = build_model(
        request_.estimator.named_steps["preparation"], HistGradientBoostingClassifier(max_iter=20, random_state=0)
    )
    changed = replace(request_, estimator=estimator, fairness=spec, methods=(ConfiguredMethod("reweighing"),))
    found = compare_methods(changed, *rows)

    assert "no post-processing aims at overall_accuracy_equality" in found.models[-1].reason
    assert found.models[1].reason == "reweighing does not aim at overall_accuracy_equality"


def test_a_regression_is_compared_and_has_a_yardstick():
    rng = np.random.default_rng(3)
    group = np.where(rng.random(1600) < 0.4, "a", "b")
    x = rng.normal(size=1600) + (group == "b")
    y = pd.Series(2 * x + (group == "b") + rng.normal(size=1600))
    frame, audit = pd.DataFrame({"x": x}), pd.DataFrame({"group": group})
    halves = [Rows(frame.iloc[at], y.iloc[at], audit.iloc[at]) for at in (slice(0, 1000), slice(1000, None))]
    found = compare_methods(
        ComparisonRequest(
            estimator=LinearRegression(),
            sensitive_column="group",
            fairness=FairnessSpec(
                groupings=(GroupingSpec(columns=("group",)),), metrics=("mean_prediction", "mean_absolute_error")
            ),
            methods=(ConfiguredMethod("bounded_group_loss"), ConfiguredMethod("reweighing")),
            tolerance=0.05,
        ),
        *halves,
    )

    assert found.task == "regression"
    assert [model.status for model in found.models] == ["fitted"] * 4
    gap = {model.name: value(model, "mean_prediction") for model in found.models}
    assert gap["unmitigated"] > 1.5
    assert gap["post_processed"] < 0.25
    assert found.models[-1].method == "group_alignment"
    assert not found.models[-1].may_be_used
    assert found.by.performance == "R2"
    again = Comparison.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False)))
    assert again == found.model_copy(update={"estimators": {}})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metric": "predictive_parity"}, "not among those assessed"),
        ({"sensitive_column": "sex"}, "no grouping by 'sex'"),
        ({"performance": "F1"}, "by 'F1'"),
        ({"performance": "MAE"}, "MAE is no figure of a classification"),
        ({"kind": "wasserstein"}, "not expressed as wasserstein"),
        ({"tolerance": -0.1}, "tolerance is below zero"),
        ({"guards": ("F1",)}, "a guard is none of"),
        ({"methods": (ConfiguredMethod("reweighing"), ConfiguredMethod("reweighing"))}, "have the name 'reweighing'"),
        ({"methods": (ConfiguredMethod("magic"),)}, "no mitigation method 'magic'"),
        ({"methods": (ConfiguredMethod("reweighing", {"strength": 2}),)}, "does not take these parameters"),
    ],
)
def test_what_cannot_be_compared_is_an_error(request_, rows, changes, message):
    with pytest.raises(MitigationError, match=message):
        compare_methods(replace(request_, **changes), *rows)


def test_settings_are_checked_before_any_row_is_read(request_):
    assert check_comparison(request_).guards == ("AUC",)
    for changes, where in (
        ({"methods": (ConfiguredMethod("correlation_removal", {"alpha": 3}),)}, "correlation_removal, alpha"),
        ({"configured": "magic"}, "chosen"),
        ({"alternatives": {"line": LinearRegression()}}, "alternatives.line"),
        ({"estimator": LinearSVC()}, "estimator"),
        ({"metric": "predictive_parity"}, "metric"),
    ):
        with pytest.raises(MitigationError) as raised:
            check_comparison(replace(request_, **changes))
        assert raised.value.where.endswith(where)


def test_rows_of_different_length_or_without_label_are_refused():
    frame, target = pd.DataFrame({"x": [1.0, 2.0]}), pd.Series([0.0, 1.0])
    with pytest.raises(MitigationError, match="2, 2, 1 rows"):
        Rows(frame, target, frame.head(1))
    with pytest.raises(MitigationError, match="1 without a label"):
        Rows(frame, pd.Series([np.nan, 1.0]), frame)


BY = Comparator(metric="statistical_parity", kind="difference", column="race", performance="accuracy", tolerance=0.02)


def change(model, **changes):
    return model.model_copy(update=changes)


def make_gain(name, value, lower, upper):
    return Gain(name=name, value=value, lower=lower, upper=upper, level=0.95)


def make_disparity(value, lower, upper, **changes):
    named = {"metric": "statistical_parity", "column": "race", "kind": "difference", "level": 0.95}
    return Disparity(value=value, lower=lower, upper=upper, **named, **changes)


def ends(model):
    found = model.find_disparity(BY)
    return found.value, found.lower, found.upper


def make_model(name, accuracy, gap, gain=None, **changes):
    """A model whose gap is (value, lower, upper) and whose gain likewise."""
    disparity = make_disparity(*gap)
    gains = () if gain is None else (make_gain("accuracy", *gain),)
    figure = Figure(name="accuracy", value=accuracy)
    model = ComparedModel(name=name, method=name, performance=(figure,), gains=gains)
    return change(model, assessment=Assessment(disparities=(disparity,)), **changes)


PLAIN = make_model("unmitigated", 0.90, (0.10, 0.07, 0.13))
FAIRER = make_model("fairer", 0.895, (0.05, 0.02, 0.08), (-0.005, -0.015, 0.005))
FAIREST = make_model("fairest", 0.85, (0.01, 0.0, 0.03), (-0.05, -0.07, -0.03))
UNSURE = make_model("unsure", 0.90, (0.02, 0.0, 0.05), (0.0, -0.03, 0.03))
WORSE = make_model("worse", 0.85, (0.06, 0.03, 0.09), (-0.05, -0.07, -0.03))


def test_the_fairest_model_that_is_shown_to_keep_its_performance_is_chosen():
    choice = choose_model([PLAIN, FAIRER, FAIREST, UNSURE], BY)

    assert choice.name == "fairer"
    assert "at most 0.08, and at most 0.13 without mitigation" in choice.reason
    assert "accuracy -0.005 [-0.015, +0.005]" in choice.reason
    assert "2 further models" in choice.reason


def test_a_wider_tolerance_lets_the_fairest_in_and_the_interval_decides_not_the_value():
    assert choose_model([PLAIN, FAIRER, UNSURE], change(BY, tolerance=0.03)).name == "unsure"
    # A smaller value with a wider interval is less that can be vouched for.
    loose = make_model("loose", 0.90, (0.01, 0.0, 0.2), (0.0, -0.001, 0.001))
    assert choose_model([PLAIN, FAIRER, loose], BY).name == "fairer"


def test_a_guard_keeps_a_model_out():
    ranks_worse = change(FAIRER, gains=(*FAIRER.gains, make_gain("AUC", -0.08, -0.1, -0.06)))

    assert choose_model([PLAIN, ranks_worse], change(BY, guards=("AUC",))).name == "unmitigated"


def test_without_a_fairer_eligible_model_the_unmitigated_one_stays():
    choice = choose_model([PLAIN, FAIREST], BY)

    assert choice.name == "unmitigated"
    assert "no eligible mitigation is shown to be fairer" in choice.reason


def test_a_ratio_is_vouched_for_by_its_lower_end():
    by = change(BY, kind="ratio")

    def as_ratio(model, lower):
        (gap,) = model.assessment.disparities
        ratio = gap.model_copy(update={"kind": "ratio", "value": 0.9, "lower": lower, "upper": 1.0})
        return change(model, assessment=Assessment(disparities=(ratio,)))

    assert choose_model([as_ratio(PLAIN, 0.5), as_ratio(FAIRER, 0.8)], by).name == "fairer"
    assert choose_model([as_ratio(PLAIN, 0.8), as_ratio(FAIRER, 0.5)], by).name == "unmitigated"


def test_what_is_for_the_view_only_is_never_chosen():
    shown = change(FAIRER, may_be_used=False)

    assert choose_model([PLAIN, shown], BY).name == "unmitigated"
    with pytest.raises(MitigationError, match="for the view only"):
        choose_model([PLAIN, shown], BY, "fairer")
    with pytest.raises(MitigationError, match="not in the comparison"):
        choose_model([PLAIN], BY, "fairer")


def test_a_configured_choice_says_what_the_rule_would_be():
    assert "Configured. The rule would choose fairer." in choose_model([PLAIN, FAIRER, FAIREST], BY, "fairest").reason
    assert "The rule chooses it too." in choose_model([PLAIN, FAIRER], BY, "fairer").reason


def test_the_frontier_holds_what_no_other_beats():
    marked = mark_frontier([PLAIN, FAIRER, FAIREST, WORSE], BY)

    assert [model.on_frontier for model in marked] == [True, True, True, False]
    twins = mark_frontier([PLAIN, change(PLAIN, name="twin")], BY)
    assert all(model.on_frontier for model in twins)


def test_a_model_that_leaves_a_group_without_a_figure_is_not_chosen():
    gap = make_disparity(0.01, 0.0, 0.03, not_assessed=("C: no rows",))
    dropping = change(FAIRER, name="dropping", assessment=Assessment(disparities=(gap,)))
    assert choose_model([PLAIN, FAIRER, dropping], BY).name == "fairer"

    # Where the rows lack the group for every model, nothing is held against a single one.
    lacking = [
        change(one, assessment=Assessment(disparities=(make_disparity(*ends(one), not_assessed=("C: no rows",)),)))
        for one in (PLAIN, FAIRER)
    ]
    assert choose_model([*lacking, dropping], BY).name == "dropping"
