"""Mitigation in the training stage: what is compared and chosen, and what a prediction may read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline, node
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from rai_kedro.contract import Contract, LaneError, read_contract
from rai_kedro.datasets.month_store import MonthStore
from rai_kedro.mitigation import Comparison, MitigationError, Uncompared
from rai_kedro.monitoring import MonitoringPolicy
from rai_kedro.pipeline_registry import register_pipelines
from rai_kedro.pipelines.monitoring.nodes import record_sensitive_reads, score_months
from rai_kedro.pipelines.monitoring.plan import MonthReader, Problem
from rai_kedro.pipelines.parameters import FairnessParameters, MonitoringParameters, TrainingParameters
from rai_kedro.release import ProductionModel

NEEDS_LSTAT = {"methods": [{"method": "correlation_removal"}], "chosen": "correlation_removal"}


def permitted(until: str = "2026-12-31") -> dict[str, dict[str, Any]]:
    justification = {"by": "data officer", "reason": "lower errors where incomes are low", "until": until}
    return {"LSTAT": {"use": "mitigation", "justification": justification}}


def score(
    stores: tuple[Mapping[str, Any], Mapping[str, Any]], production: ProductionModel, contract: Contract
) -> tuple[dict[str, pd.DataFrame], list[Problem]]:
    """Score every month; what was saved, and what was passed over."""
    reader, parameters = MonthReader(*stores, contract), MonitoringParameters(policy=MonitoringPolicy())
    chunks = list(score_months(tuple(reader.months), reader, production, contract, parameters))
    return {key: frame for _, saved, _ in chunks for key, frame in saved.items()}, chunks[-1][2]


def scoring(model: Any) -> ProductionModel:
    """Stand for version 1: scoring reads model and version; how one comes to production is tested in tests/registry."""
    manifest: Any = SimpleNamespace(digest="5e88")
    return ProductionModel(model, "1", "a run", pd.DataFrame(), {}, manifest, review=None, trainer=None)  # type: ignore[arg-type]


def run(catalog: DataCatalog, *outputs: str) -> dict[str, Any]:
    wanted = [f"housing.{output}" for output in outputs]
    # What another node reads on is let go by the runner, so the outputs are gathered while the pipeline runs.
    gather = node(lambda *values: dict(zip(outputs, values, strict=True)), inputs=wanted, outputs="gathered")
    stage = register_pipelines()["housing.training"].to_outputs(*wanted) + Pipeline([gather])
    found: dict[str, Any] = SequentialRunner().run(stage, catalog)["gathered"].load()
    return found


def test_the_comparison_holds_every_model_against_the_same_rows(make_catalog: Callable[..., DataCatalog]) -> None:
    found = run(make_catalog(), "compared_models", "mitigation_comparison", "mitigation_page")

    compared = found["compared_models"]
    assert [one.name for one in compared.models] == ["unmitigated", "bounded_group_loss", "post_processed"]
    assert {one.status for one in compared.models} == {"fitted"}
    assert {len(one.outcomes) for one in compared.models} == {2}
    assert {sum(group.rows for group in one.outcomes) for one in compared.models} == {compared.rows_test}
    assert found["mitigation_comparison"]["chosen"] == compared.chosen
    assert compared.reason in found["mitigation_page"].replace("&#39;", "'")


def test_what_needs_the_sensitive_column_is_compared_but_not_chosen_without_permission(
    make_catalog: Callable[..., DataCatalog],
) -> None:
    methods = [{"method": "correlation_removal"}]

    compared = run(make_catalog(mitigation={"methods": methods}), "compared_models")["compared_models"]

    refused = next(one for one in compared.models if one.method == "correlation_removal")
    assert (refused.status, refused.may_be_used) == ("refused", False)
    assert "use: mitigation" in refused.reason
    assert not next(one for one in compared.models if one.role == "yardstick").may_be_used


def test_choosing_what_is_not_permitted_stops_the_run(make_catalog: Callable[..., DataCatalog]) -> None:
    with pytest.raises(MitigationError, match=r"(?s)configured choice 'correlation_removal' cannot be used"):
        run(make_catalog(mitigation=NEEDS_LSTAT), "model")


def test_the_permitted_mitigation_travels_with_the_model(
    make_catalog: Callable[..., DataCatalog],
    write_contract: Callable[..., Path],
    january: Mapping[str, MonthStore],
) -> None:
    """From training to scoring: the column is read, and only because the contract of the day permits it."""
    path = write_contract(permitted())
    found = run(make_catalog(path, mitigation=NEEDS_LSTAT), "model", "model_inputs", "predictions")
    model, inputs = found["model"], found["model_inputs"]
    assert list(inputs.features_test)[-1] == "LSTAT"
    assert "LSTAT" not in model.estimator_.feature_names_in_

    stores = january["feature_store"].load(), january["label_store"].load()
    production = scoring(model)
    today = read_contract(path, as_of=date(2026, 6, 1))
    scored, problems = score(stores, production, today)

    assert not problems
    frame = next(iter(scored.values()))
    assert frame["prediction"].loc[inputs.features_test.index].tolist() == pytest.approx(
        found["predictions"]["test"]["prediction"].tolist()
    )
    assert "LSTAT" not in frame

    expired = read_contract(path, as_of=date(2027, 1, 1))
    scored, [problem] = score(stores, production, expired)
    assert scored == {}
    assert isinstance(problem.error, LaneError)
    assert re.search(r"(?s)needs 'LSTAT' for every prediction.*ended on 2026-12-31", str(problem.error))


def test_use_mitigation_without_justification_permits_nothing(
    make_catalog: Callable[..., DataCatalog], write_contract: Callable[..., Path]
) -> None:
    path = write_contract({"LSTAT": {"use": "mitigation"}})

    with pytest.raises(MitigationError, match="cannot be used"):
        run(make_catalog(path, mitigation=NEEDS_LSTAT), "model")


def test_without_a_sensitive_column_the_model_goes_on_as_it_is(make_catalog: Callable[..., DataCatalog]) -> None:
    found = run(
        make_catalog(mitigation={"sensitive_column": None}),
        "model",
        "unmitigated_model",
        "compared_models",
        "mitigation_page",
        "figures",
    )

    assert found["compared_models"] == Uncompared(reason=found["compared_models"].reason)
    assert found["model"].coef_.tolist() == found["unmitigated_model"].coef_.tolist()
    assert "o sensitive column is configured" in found["mitigation_page"].replace("&#39;", "'")


def test_the_gate_allows_for_the_choice_among_models(make_catalog: Callable[..., DataCatalog]) -> None:
    catalog = make_catalog()

    found = run(catalog, "compared_models", "fairness_assessment")

    compared: Comparison = found["compared_models"]
    assert compared.selectable == 2  # the yardstick may not be chosen
    assert compared.model_copy(update={"apart": True}).selectable == 1  # chosen on other rows than those judged on
    levels = {one["level"] for one in found["fairness_assessment"]["disparities"]}
    assert sorted(levels) == pytest.approx([0.975])
    # A configured choice is no cheaper: it may have been configured after a look at these very figures.
    configured = run(make_catalog(mitigation={"chosen": "unmitigated"}), "compared_models")["compared_models"]
    assert configured.selectable == 2


def test_the_groups_assessed_are_those_that_the_methods_know(make_catalog: Callable[..., DataCatalog]) -> None:
    """An undeclared cut is the median of the training rows, everywhere."""
    found = run(make_catalog(), "compared_models", "fairness_assessment", "audit_train", "audit_test")

    median = found["audit_train"]["LSTAT"].median()
    assert median != found["audit_test"]["LSTAT"].median()
    compared: Comparison = found["compared_models"]
    for name in ("bounded_group_loss", "post_processed"):
        assert compared.estimators[name].cuts_ == [median]
    below = int((found["audit_test"]["LSTAT"] <= median).sum())
    assert {one.outcomes[0].rows for one in compared.models} == {below}
    table = next(one for one in found["fairness_assessment"]["tables"] if one["column"] == "LSTAT")
    assert table["rule"] == f"LSTAT cut at {median:g}, the median of the training rows"
    mean = next(one for one in table["figures"] if one["rate"] == "mean prediction")
    assert (mean["group"], mean["n"]) == (f"at or below {median:g}", below)


def test_monitoring_notes_the_sensitive_columns_of_the_months_it_reads(
    january: Mapping[str, MonthStore], contract: Contract
) -> None:
    reader = MonthReader(january["feature_store"].load(), january["label_store"].load(), contract)
    assert record_sensitive_reads(reader, None) == []  # type: ignore[arg-type]
    reader.read("2024-01")
    found = {(one["column"], *one["months"], one["rows"]) for one in record_sensitive_reads(reader, None)}  # type: ignore[arg-type]
    assert found == {("B", "2024-01", 506), ("LSTAT", "2024-01", 506)}


def test_levels_are_divided_among_the_models() -> None:
    spec = FairnessParameters(metrics=("statistical_parity",), level=0.95, tolerances=())
    assert spec.after_choice(1).level == pytest.approx(0.95)
    assert spec.after_choice(5).level == pytest.approx(0.99)


def test_true_need_reaches_no_model_no_choice_and_no_candidate() -> None:
    stage = register_pipelines()["hospital.training"]

    after = {one.name.rpartition(".")[2] for one in stage.from_inputs("hospital.true_need").nodes}

    assert after == {
        "hold_against_need",
        "record_comparison",
        "draw_figures",
        "write_mitigation_page",
        "write_card",
    }
    assert not any("true_need" in name for name in register_pipelines()["housing.training"].datasets())


def test_several_months_are_trained_on_together(
    tmp_path: Path, make_catalog: Callable[..., DataCatalog], january: Mapping[str, MonthStore]
) -> None:
    catalog = make_catalog(last_month="2024-02")
    for name in ("feature_store", "label_store"):
        store = MonthStore(filepath=tmp_path / name)
        first = january[name].load()["month=2024-01"]()
        store.save({"month=2024-01": first, "month=2024-02": first.assign(month="2024-02")})
        catalog[f"housing.{name}"] = store

    lanes = run(catalog, "model_lane", "identifiers", "audit_lane", "target")

    assert {len(lane) for lane in lanes.values()} == {1012}
    assert lanes["identifiers"]["month"].value_counts().to_dict() == {"2024-01": 506, "2024-02": 506}
    assert all(isinstance(lane.index, pd.RangeIndex) for lane in lanes.values())


def test_the_last_month_is_not_before_the_first(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="'last_month' 2023-12 lies before 'month' 2024-01"):
        TrainingParameters(**{**parameters["training"], "last_month": "2023-12"})
    months = TrainingParameters(**{**parameters["training"], "month": "2023-11", "last_month": "2024-02"})
    assert months.months == ("2023-11", "2023-12", "2024-01", "2024-02")
    assert months.period == "2023-11 to 2024-02"


def test_a_month_with_a_group_the_mitigation_has_not_met_is_passed_over(
    make_catalog: Callable[..., DataCatalog], write_contract: Callable[..., Path], january: Mapping[str, MonthStore]
) -> None:
    path = write_contract(permitted())
    model = run(make_catalog(path, mitigation=NEEDS_LSTAT), "model")["model"]
    first = january["feature_store"].load()["month=2024-01"]()
    odd = first.assign(month="2024-02", LSTAT=first["LSTAT"].mask(first.index == 3))
    last = first.assign(month="2024-03")
    features = {"month=2024-01": first.copy, "month=2024-02": odd.copy, "month=2024-03": last.copy}
    production = scoring(model)
    contract = read_contract(path, as_of=date(2026, 6, 1))
    nullable = contract.datasets["feature_store"].columns["LSTAT"].model_copy(update={"nullable": True})
    store = contract.datasets["feature_store"]
    store = store.model_copy(update={"columns": {**store.columns, "LSTAT": nullable}})
    contract = contract.model_copy(update={"datasets": {**contract.datasets, "feature_store": store}})

    scored, [problem] = score((features, {}), production, contract)

    assert list(scored) == ["month=2024-01/model_version=1", "month=2024-03/model_version=1"]
    assert (problem.month, problem.missing) == ("2024-02", "not scored")
    assert isinstance(problem.error, MitigationError)
    assert re.search(r"(?s)not fitted for some of the groups.*month 2024-02, version 1", str(problem.error))


def test_categories_that_the_contract_allows_have_to_be_among_the_groups() -> None:
    contract = read_contract("conf/base/hospital/catalog.yml", as_of=date(2026, 1, 1)).datasets["feature_store"]
    spec = FairnessParameters(
        metrics=("statistical_parity",), groupings=[{"columns": "sex"}, {"columns": ["age"]}], tolerances=()
    )

    assert [one.declared for one in spec.declare_categories(contract).groupings] == [("female", "male"), ()]
