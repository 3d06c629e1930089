"""The mapping leaves no metric out, and says of every method whether it applies to the model at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from rai_kedro.fairness import METRICS
from rai_kedro.questionnaire.mapping import (
    MappingError,
    ModelAtHand,
    Recommendation,
    load_mapping,
    read_mapping,
    recommend,
)

CANONICAL_METHODS = {
    "reweighing",
    "uniform_resampling",
    "preferential_resampling",
    "disparate_impact_removal",
    "correlation_removal",
    "exponentiated_gradient",
    "grid_search",
    "bounded_group_loss",
    "threshold_optimisation",
    "group_calibration",
}
LOGISTIC = ModelAtHand("classification", takes_sample_weight=True, gives_scores=True)


def raw_mapping() -> dict[str, Any]:
    text = resources.files("rai_kedro.questionnaire").joinpath("mapping.yml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    # Without the shared list that the file's anchor makes, so that a change touches one method only.
    copied: dict[str, Any] = json.loads(json.dumps(content))
    return copied


def find(recommendations: list[Recommendation], method: str) -> Recommendation:
    return next(found for found in recommendations if found.method == method)


def applicable(recommendations: list[Recommendation]) -> list[str]:
    return [found.method for found in recommendations if found.applies]


def test_every_metric_is_mapped_under_its_canonical_name() -> None:
    assert load_mapping().metrics == set(METRICS)


def test_the_methods_provided_are_the_canonical_ones() -> None:
    provided = {name for name, method in load_mapping().methods.items() if method.provided}

    assert provided == CANONICAL_METHODS


def test_constraints_are_those_of_fairlearn() -> None:
    import fairlearn.reductions
    from fairlearn.postprocessing import _threshold_optimizer

    reductions = {"exponentiated_gradient", "grid_search", "bounded_group_loss"}
    asked = {
        (name, service.constraint)
        for name, method in load_mapping().methods.items()
        for service in method.serves
        if service.constraint
    }
    assert {name for name, _ in asked} == {*reductions, "threshold_optimisation"}
    for name, constraint in asked:
        if name in reductions:
            assert hasattr(fairlearn.reductions, "".join(map(str.capitalize, constraint.split("_")))), constraint
        else:
            assert constraint in {*_threshold_optimizer.SIMPLE_CONSTRAINTS, "equalized_odds"}, constraint


def test_methods_for_statistical_parity_on_a_logistic_regression() -> None:
    found = recommend(["statistical_parity"], LOGISTIC)

    assert applicable(found) == [
        "reweighing",
        "uniform_resampling",
        "preferential_resampling",
        "exponentiated_gradient",
        "grid_search",
    ]
    assert find(found, "exponentiated_gradient").constraint == "demographic_parity"
    refused = find(found, "threshold_optimisation")
    assert (refused.stage, refused.needs_at_prediction, refused.applies) == ("post", ("sensitive",), False)
    assert "use: mitigation" in refused.why
    assert find(found, "fairness_constraints").why == "published, but this project does not provide it"


def test_a_permitted_sensitive_column_lets_the_methods_in_that_need_it() -> None:
    permitted = ModelAtHand("classification", takes_sample_weight=True, gives_scores=True, permitted=("race",))
    found = recommend(["statistical_parity"], permitted)

    assert {"threshold_optimisation", "disparate_impact_removal", "correlation_removal"} <= set(applicable(found))
    assert "permits race" in find(found, "threshold_optimisation").why


def test_a_model_without_weights_or_scores_loses_the_methods_that_need_them() -> None:
    nearest = ModelAtHand("classification", takes_sample_weight=False, gives_scores=False, permitted=("race",))
    found = recommend(["equalized_odds", "calibration"], nearest)

    assert applicable(found) == []
    assert "sample_weight" in find(found, "exponentiated_gradient").why
    assert "probabilities" in find(found, "threshold_optimisation").why
    assert "probabilities" in find(found, "group_calibration").why


def test_what_is_not_known_yet_is_said_and_not_assumed() -> None:
    found = find(recommend(["statistical_parity"], ModelAtHand()), "reweighing")

    assert found.applies
    assert found.why.endswith("provided that there is a model whose fit takes 'sample_weight'")


def test_a_method_of_another_task_is_refused() -> None:
    regression = ModelAtHand("regression", takes_sample_weight=True, gives_scores=False)

    assert applicable(recommend(["mean_absolute_error"], regression))[0] == "bounded_group_loss"
    found = recommend(["consistency"], regression)
    assert "it is for classification" in find(found, "fair_representations").why


def test_a_metric_without_a_method_gives_none_and_says_why() -> None:
    assert recommend(["treatment_equality"], LOGISTIC) == []
    assert "No published method" in load_mapping().without_method["treatment_equality"]


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_recommendations_come_back_from_json(metric: str) -> None:
    found = recommend([metric], LOGISTIC)

    assert [Recommendation.from_dict(json.loads(json.dumps(one.to_dict()))) for one in found] == found
    assert [one.applies for one in found] == sorted((one.applies for one in found), reverse=True)


@pytest.mark.parametrize("name", ["Statistical Parity", "statistical-parity", "", "accuracy"])
def test_an_unknown_metric_is_an_error_and_not_an_empty_list(name: str) -> None:
    with pytest.raises(MappingError, match=f"There is no metric '{name}'"):
        recommend([name], LOGISTIC)


def _leave_out(mapping: dict[str, Any]) -> None:
    mapping["without_method"].clear()


def _misspell(mapping: dict[str, Any]) -> None:
    mapping["methods"]["grid_search"]["serves"][0]["metric"] = "Statistical Parity"


def _cross_tasks(mapping: dict[str, Any]) -> None:
    mapping["methods"]["bounded_group_loss"]["serves"][0]["metric"] = "calibration"


def _serve_twice(mapping: dict[str, Any]) -> None:
    serves = mapping["methods"]["reweighing"]["serves"]
    serves.append(serves[0])


def _say_both(mapping: dict[str, Any]) -> None:
    mapping["without_method"]["calibration"] = "none"


def _excuse_unknown(mapping: dict[str, Any]) -> None:
    mapping["without_method"]["accuracy"] = "none"


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (_leave_out, "'treatment_equality' is left out"),
        (_misspell, "grid_search serves 'Statistical Parity', which is not computed"),
        (_cross_tasks, "bounded_group_loss serves 'calibration', a metric of another task"),
        (_serve_twice, "reweighing serves 'statistical_parity' twice"),
        (_say_both, "group_calibration serves 'calibration', said to have no method"),
        (_excuse_unknown, "'accuracy' has no method and is not computed"),
    ],
)
def test_each_rule_fails_on_a_broken_mapping(break_it: Callable[[dict[str, Any]], None], message: str) -> None:
    broken = raw_mapping()
    break_it(broken)

    with pytest.raises(MappingError, match=message):
        read_mapping(yaml.safe_dump(broken), computed=METRICS)


@pytest.mark.parametrize("key", ["stage", "source", "needs_at_prediction", "tasks", "needs_of_model", "builder"])
def test_an_entry_that_lacks_a_key_is_refused(key: str) -> None:
    broken = raw_mapping()
    broken["methods"]["reweighing"].pop(key)

    with pytest.raises(MappingError, match=rf"(?s)cannot be read.*reweighing\.{key}"):
        read_mapping(yaml.safe_dump(broken), computed=METRICS)


def test_the_page_for_people_shows_this_mapping() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "choosing_a_metric.md").read_text(encoding="utf-8")
    for name, method in load_mapping().methods.items():
        serves = ", ".join(f"{one.metric}{'' if one.effect == 'direct' else '*'}" for one in method.serves)
        needs = f"{', '.join(method.needs_at_prediction) or '-'} | {', '.join(method.needs_of_model) or '-'}"
        title = name if method.provided else f"{name} (not provided)"
        assert f"| {title} | {method.stage} | {needs} | {serves} |" in page
