"""Every use case has an MLflow experiment of its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from kedro.pipeline import Pipeline, node

from rai_kedro.hooks.mlflow_run import ExperimentHook


def stage(*use_cases: str) -> Pipeline:
    """Make one node for each use case."""
    return Pipeline([node(lambda: 1, None, f"{one}.out", name=one, namespace=f"{one}.stage") for one in use_cases])


@pytest.fixture
def context() -> Any:
    """Kedro's context, as far as it is asked; it keeps the experiments that kedro-mlflow was told to set up."""
    told: list[str] = []
    experiment = SimpleNamespace(name="project")
    settings = SimpleNamespace(tracking=SimpleNamespace(experiment=experiment))
    settings.setup = lambda _: told.append(experiment.name)
    return SimpleNamespace(mlflow=settings, told=told)


def run(hook: ExperimentHook, *use_cases: str) -> None:
    hook.before_pipeline_run(pipeline=stage(*use_cases))


def test_each_use_case_has_its_own_and_several_share_the_projects(context: Any) -> None:
    hook = ExperimentHook()
    hook.after_context_created(context=context)
    for use_cases in (("housing",), ("housing",), ("hospital",), ("hospital", "housing"), ("housing",)):
        run(hook, *use_cases)
    assert context.told == ["project.housing", "project.hospital", "project", "project.housing"]


def test_a_run_that_is_open_keeps_its_experiment(context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = ExperimentHook()
    hook.after_context_created(context=context)
    monkeypatch.setattr("mlflow.active_run", object)
    run(hook, "housing")
    assert context.told == []


def test_without_kedro_mlflow_nothing_is_done() -> None:
    hook = ExperimentHook()
    hook.after_context_created(context=cast("Any", SimpleNamespace()))
    run(hook, "housing")
