"""Slices of the training stage: the reference figures, and what reaches the estimator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog
from kedro.runner import ParallelRunner, SequentialRunner, ThreadRunner
from kedro_datasets.pickle import PickleDataset

from rai_kedro.contract import LaneError
from rai_kedro.fairness import GroupingSpec, examine_classification
from rai_kedro.fairness.assessment import FairnessSpec
from rai_kedro.pipeline_registry import register_pipelines

MODEL_COLUMNS = ["CRIM", "ZN", "INDUS", "NOX", "RM", "AGE", "DIS", "TAX", "PTRATIO"]
NOT_MITIGATED = {"sensitive_column": None}
RUNNERS = {"sequential": SequentialRunner, "thread": ThreadRunner, "parallel": ParallelRunner}


def allowed(until: str = "2026-12-31") -> dict[str, Any]:
    justification = {"by": "data officer", "reason": "compares with the published figures", "until": until}
    return {"use": "model", "justification": justification}


def run(catalog: DataCatalog, output: str) -> Any:
    """Run what an output needs, without a session and so without any hook."""
    stage = register_pipelines()["housing.training"].to_outputs(f"housing.{output}")
    return SequentialRunner().run(stage, catalog)[f"housing.{output}"].load()


def test_reference_figures(make_catalog: Callable[..., DataCatalog], write_contract: Callable[..., Path]) -> None:
    """B and LSTAT in the model, CHAS and RAD left out, January as raw: the published figures, to four decimals."""
    contract = write_contract({"B": allowed(), "LSTAT": allowed()})
    names = ("model", "performance", "predictions", "model_split", "audit_test")

    model, estimates, predictions, split, audit = (
        run(make_catalog(contract, mitigation=NOT_MITIGATED), name) for name in names
    )

    performance = {(e["split"], e["name"]): round(e["value"], 4) for e in estimates}
    # The published gaps are those of the share predicted above the median label.
    median = split.target_test.median()
    selected, above = predictions["test"]["prediction"] > median, split.target_test > median
    groupings = tuple(GroupingSpec(columns=(name,)) for name in ("B", "LSTAT"))
    spec = FairnessSpec(groupings=groupings, metrics=("statistical_parity",))
    found = examine_classification(above, selected, None, audit, spec).disparities
    parity = {one.column: round(one.value or 0, 4) for one in found if one.kind == "difference"}
    assert list(model.feature_names_in_) == [*MODEL_COLUMNS, "B", "LSTAT"]
    assert performance["train", "R2"] == 0.7231
    assert performance["test", "R2"] == 0.7029
    assert performance["test", "MAE"] == 3.3278
    assert performance["test", "MAPE"] == 0.1748
    assert parity == {"B": 0.3302, "LSTAT": 0.6758}


def test_estimator_never_sees_audited_columns(make_catalog: Callable[..., DataCatalog]) -> None:
    names = ("model", "audit_test", "fairness_assessment")
    model, audited, assessment = (run(make_catalog(), name) for name in names)

    assert list(model.feature_names_in_) == MODEL_COLUMNS
    assert list(audited) == ["B", "LSTAT"]
    assert {one["column"] for one in assessment["disparities"]} == {"B", "LSTAT"}


def test_no_edge_leads_from_the_audit_lane_to_the_estimator() -> None:
    stage = register_pipelines()["housing.training"]

    after_audit = {node.name for node in stage.from_inputs("housing.audit_test").nodes}

    assert "housing.training.assess_fairness" in after_audit
    assert "housing.training.fit_model" not in after_audit
    fit = next(node for node in stage.nodes if node.name == "housing.training.fit_model")
    assert set(fit.inputs) == {"housing.model_split", "housing.settings"}


@pytest.mark.parametrize("runner", RUNNERS.values(), ids=RUNNERS)
def test_flagged_column_is_refused_by_every_runner(runner: Any, make_catalog: Callable[..., DataCatalog]) -> None:
    catalog = make_catalog(shared=runner is ParallelRunner, features=["RM", "LSTAT"])
    stage = register_pipelines()["housing.training"].to_outputs("housing.model")

    with pytest.raises(LaneError) as refusal:
        runner().run(stage, catalog)

    text = str(refusal.value)
    assert "'LSTAT'" in text
    assert "flagged risky and demographic" in text
    assert "leave 'LSTAT' out of the model (use: audit" in text
    assert "give it 'use: model' with a 'justification'" in text


@pytest.mark.parametrize("runner", RUNNERS.values(), ids=RUNNERS)
def test_every_runner_fits_on_the_model_lane_only(
    runner: Any, make_catalog: Callable[..., DataCatalog], tmp_path: Path
) -> None:
    """The counterpart: what is allowed runs with each of them, so the refusals above are not a broken runner's."""
    catalog = make_catalog(shared=runner is ParallelRunner)
    # Shared memory ends with the parallel runner, so the model goes to a file.
    catalog["housing.model"] = PickleDataset(filepath=str(tmp_path / "model.pickle"))
    stage = register_pipelines()["housing.training"].to_outputs("housing.model")

    runner().run(stage, catalog)

    assert list(catalog.load("housing.model").feature_names_in_) == MODEL_COLUMNS


def test_use_model_without_justification_is_refused(
    make_catalog: Callable[..., DataCatalog], write_contract: Callable[..., Path]
) -> None:
    catalog = make_catalog(write_contract({"B": {"use": "model"}}))

    with pytest.raises(LaneError, match=r"'B' is flagged .* without a justification"):
        run(catalog, "model")


def test_expired_justification_is_refused(
    make_catalog: Callable[..., DataCatalog], write_contract: Callable[..., Path]
) -> None:
    catalog = make_catalog(write_contract({"B": allowed(until="2025-12-31")}))

    with pytest.raises(LaneError, match=r"(?s)'B' into the model has expired.*until 2025-12-31"):
        run(catalog, "model")


def test_justification_holds_on_its_last_day(
    make_catalog: Callable[..., DataCatalog], write_contract: Callable[..., Path]
) -> None:
    catalog = make_catalog(write_contract({"B": allowed(until="2026-01-01")}))

    assert "B" in run(catalog, "model").feature_names_in_


def test_forbidden_column_reaches_nobody(
    make_catalog: Callable[..., DataCatalog], write_contract: Callable[..., Path]
) -> None:
    contract = write_contract({"LSTAT": {"use": "forbidden"}})

    catalog = make_catalog(contract, mitigation=NOT_MITIGATED, fairness={"groupings": [{"columns": ["B"]}]})

    assert "LSTAT" not in run(catalog, "model").feature_names_in_
    assert list(run(catalog, "audit_test")) == ["B"]


def test_sensitive_reads_are_those_of_the_run(make_catalog: Callable[..., DataCatalog]) -> None:
    """B is assessed, LSTAT assessed and mitigated for; neither reaches the model, and no other column is sensitive."""
    found = run(make_catalog(), "sensitive_reads")
    steps = {(one["column"], one["step"].removeprefix("training.")): one for one in found}
    loaded = {"separate_lanes", "digest_months"}
    assert {step for column, step in steps if column == "B"} == loaded | {
        "assess_fairness",
        "choose_reference",
        "explain_model",
        "measure_proxies",
    }
    assert {step for column, step in steps if column == "LSTAT"} == loaded | {
        *("assess_fairness", "choose_reference", "compare_mitigations", "explain_model", "measure_proxies")
    }
    assert {column for column, _ in steps} == {"B", "LSTAT"}
    assert {(*one["months"],) for one in found} == {("2024-01",)}
    assert (steps["B", "separate_lanes"]["rows"], steps["B", "assess_fairness"]["rows"]) == (506, 167)
    assert steps["LSTAT", "assess_fairness"]["why"] == "stands for class; drives redlining"


def test_nothing_is_said_to_be_mitigated_for_where_nothing_was(
    make_catalog: Callable[..., DataCatalog], write_contract: Callable[..., Path]
) -> None:
    contract = write_contract({"B": allowed(), "LSTAT": allowed()})
    found = run(make_catalog(contract, mitigation=NOT_MITIGATED), "sensitive_reads")
    steps = {one["step"] for one in found if one["column"] == "B"}
    assert "training.compare_mitigations" not in steps
    assert "training.fit_model" in steps, "it is flagged, and in the model by its justification"
    assert next(one for one in found if one["column"] == "B")["why"].startswith("justified by data officer until")
