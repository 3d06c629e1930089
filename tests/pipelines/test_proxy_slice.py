"""Proxies in the training stage: a column in disguise stops it before anything is fitted; others are measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import ParallelRunner, SequentialRunner, ThreadRunner

from rai_kedro.datasets.contract import ContractValidator
from rai_kedro.datasets.month_store import MonthStore
from rai_kedro.pipeline_registry import register_pipelines
from rai_kedro.proxies import ProxyError, ProxyPolicy, ProxyReport

KEY = "month=2024-01"
RUNNERS = {"sequential": SequentialRunner, "thread": ThreadRunner, "parallel": ParallelRunner}


@pytest.fixture
def change_store(january: Mapping[str, MonthStore], tmp_path: Path) -> Callable[..., MonthStore]:
    """Write January with other values in some columns."""

    def change(name: str = "feature_store", **columns: Any) -> MonthStore:
        store = MonthStore(filepath=tmp_path / name)
        frame = january[name].load()[KEY]()
        store.save({KEY: frame.assign(**columns)})
        return store

    return change


def run(catalog: DataCatalog, output: str, runner: Any = SequentialRunner) -> Any:
    stage = register_pipelines()["housing.training"].to_outputs(f"housing.{output}")
    return runner().run(stage, catalog)[f"housing.{output}"].load()


def test_nothing_is_fitted_but_after_the_search_for_disguises() -> None:
    stage = register_pipelines()["housing.training"]

    before_fit = {node.short_name for node in stage.to_nodes("housing.training.fit_model").nodes}
    before_candidate = {node.short_name for node in stage.to_outputs("housing.candidate_model").nodes}

    assert "refuse_disguised" in before_fit
    assert "measure_proxies" in before_candidate


@pytest.mark.parametrize("runner", RUNNERS.values(), ids=RUNNERS)
def test_a_scaled_copy_of_an_audited_column_is_refused_by_every_runner(
    runner: Any, make_catalog: Callable[..., DataCatalog], change_store: Callable[..., MonthStore]
) -> None:
    catalog = make_catalog(shared=runner is ParallelRunner)
    catalog["housing.feature_store"] = change_store(RM=lambda frame: 1 + frame["LSTAT"] / 5)

    with pytest.raises(ProxyError) as refusal:
        run(catalog, "unmitigated_model", runner)

    assert "RM is a scaled or shifted copy of LSTAT" in str(refusal.value)
    assert "'flags: [risky, demographic]'" in str(refusal.value)


def test_a_copy_that_somebody_answers_for_is_let_in_and_said(
    make_catalog: Callable[..., DataCatalog],
    write_contract: Callable[..., Path],
    change_store: Callable[..., MonthStore],
) -> None:
    why = {"by": "data officer", "reason": "measured what it adds", "until": "2026-12-31"}
    flagged = {"flags": ["risky", "demographic"], "risk": "stands for class", "justification": why}
    catalog = make_catalog(write_contract({"RM": flagged}))
    catalog["housing.feature_store"] = change_store(RM=lambda frame: 1 + frame["LSTAT"] / 5)

    report = ProxyReport.from_dict(run(catalog, "proxy_report"))

    (relation,) = report.relations
    assert (relation.columns, relation.of, relation.permitted) == (("RM",), "LSTAT", True)


def test_a_column_that_gives_the_target_away_is_refused(
    january: Mapping[str, MonthStore], make_catalog: Callable[..., DataCatalog], change_store: Callable[..., MonthStore]
) -> None:
    value = january["label_store"].load()[KEY]()["MEDV"]
    catalog = make_catalog()
    catalog["housing.feature_store"] = change_store(TAX=1500 - 20 * value.to_numpy())

    with pytest.raises(ProxyError, match="gives the target away: TAX is a scaled or shifted copy of MEDV"):
        run(catalog, "unmitigated_model")


def test_proxies_of_housing_are_measured_on_the_training_rows(make_catalog: Callable[..., DataCatalog]) -> None:
    report = ProxyReport.from_dict(run(make_catalog(), "proxy_report"))

    found = {one.column: one for one in report.proxies}
    assert set(found) == {"B", "LSTAT"}
    assert report.rows == 339
    assert found["LSTAT"].outcome == "fail"
    assert found["LSTAT"].singles[0].columns == ("RM",)
    assert found["B"].outcome == "insufficient_evidence"


def test_a_policy_that_refuses_ends_the_training(make_catalog: Callable[..., DataCatalog]) -> None:
    catalog = make_catalog()
    catalog["params:housing.proxies"] = MemoryDataset(ProxyPolicy(action="refuse"))

    with pytest.raises(ProxyError, match="tell what it must not know: LSTAT") as refusal:
        run(catalog, "proxy_report")

    assert "RM" in str(refusal.value)
    assert "1 of 2 flagged columns" in str(refusal.value)


def test_a_binned_copy_that_lacks_one_of_the_flags_is_refused(
    make_catalog: Callable[..., DataCatalog],
    write_contract: Callable[..., Path],
    change_store: Callable[..., MonthStore],
) -> None:
    """What was let in by a flag of another kind, or of none, is not let in."""
    why = {"by": "data officer", "reason": "measured what it adds", "until": "2026-12-31"}
    catalog = make_catalog(write_contract({"RM": {"flags": ["risky"], "risk": "class", "justification": why}}))
    catalog["housing.feature_store"] = change_store(RM=lambda frame: pd.cut(frame["LSTAT"], 6, labels=False) + 2.0)

    with pytest.raises(ProxyError, match="RM is made from ranges of LSTAT"):
        run(catalog, "unmitigated_model")


@pytest.fixture
def forbid(
    write_contract: Callable[..., Path],
    make_catalog: Callable[..., DataCatalog],
    change_store: Callable[..., MonthStore],
) -> Callable[..., DataCatalog]:
    """Make a catalogue in which LSTAT is forbidden, other values in some columns, and the validator of the project."""

    def make(**columns: Any) -> DataCatalog:
        contract = write_contract({"LSTAT": {"use": "forbidden"}})
        rai = yaml.safe_load(contract.read_text(encoding="utf-8"))["housing.feature_store"]["metadata"]["rai"]
        catalog = make_catalog(
            contract, fairness={"groupings": [{"columns": ["B"]}]}, mitigation={"sensitive_column": None}
        )
        store = MonthStore(filepath=change_store(**columns)._filepath, metadata={"rai": rai})
        catalog["housing.feature_store"] = store
        loaded = ContractValidator(str(contract), "feature_store").validate(store.load())
        assert "LSTAT" not in loaded[KEY]()
        catalog["housing.feature_store"] = MemoryDataset(loaded, copy_mode="assign")
        return catalog

    return make


def test_a_copy_of_a_forbidden_column_is_refused(forbid: Callable[..., DataCatalog]) -> None:
    catalog = forbid(RM=lambda frame: 1 + frame["LSTAT"] / 5)

    with pytest.raises(ProxyError, match="RM is a scaled or shifted copy of LSTAT, whose use is 'forbidden'"):
        run(catalog, "unmitigated_model")


def test_proxies_of_a_forbidden_column_are_measured_and_it_reaches_nothing_else(
    forbid: Callable[..., DataCatalog],
) -> None:
    catalog = forbid()
    report = ProxyReport.from_dict(run(catalog, "proxy_report"))
    audited = run(catalog, "audit_train")

    assert {one.column: one.outcome for one in report.proxies}["LSTAT"] == "fail"
    assert list(audited) == ["B"]


def test_who_may_not_read_forbidden_columns_knows_nothing_of_them(forbid: Callable[..., DataCatalog]) -> None:
    catalog = forbid()
    catalog["params:housing.proxies"] = MemoryDataset(ProxyPolicy(read_forbidden=False))

    report = ProxyReport.from_dict(run(catalog, "proxy_report"))

    found = {one.column: one for one in report.proxies}["LSTAT"]
    assert (found.outcome, found.n) == ("insufficient_evidence", None)
    assert "nobody reads it" in found.reason
