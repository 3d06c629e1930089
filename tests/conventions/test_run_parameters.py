"""MLflow shows one parameter for each leaf of the YAML."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest
import yaml
from kedro.pipeline import node
from mlflow import MlflowClient
from pydantic import ValidationError

from rai_kedro.hooks.mlflow_run import RunParametersHook, list_leaves
from rai_kedro.pipelines.parameters import MitigationParameters, Statements, TrainingParameters

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def training() -> TrainingParameters:
    text = (ROOT / "conf" / "base" / "hospital" / "parameters.yml").read_text(encoding="utf-8")
    return TrainingParameters(**yaml.safe_load(text)["hospital"]["training"])


def test_leaves_carry_the_keys_of_the_yaml(training: TrainingParameters) -> None:
    leaves = dict(list_leaves("hospital.training", training))
    assert leaves["hospital.training.estimator.class"] == training.estimator.class_path
    assert leaves["hospital.training.month"] == training.month
    methods = MitigationParameters.model_validate({"methods": [{"method": "reweighing"}, {"method": "resampling"}]})
    assert dict(list_leaves("m", methods))["m.methods.1.method"] == "resampling"


def test_long_values_and_odd_names_are_taken_by_mlflow() -> None:
    said = Statements(model_name="m", intended_use="x" * 7_000, out_of_scope_use="")
    assert len(dict(list_leaves("s", said))["s.intended_use"]) == 6_000
    config = MitigationParameters.model_validate({"alternatives": {"a & b": {"class": "sklearn.A"}}})
    assert dict(list_leaves("m", config))["m.alternatives.a _ b.class"] == "sklearn.A"


def test_a_run_logs_leaves_and_kedro_mlflow_sees_no_section(
    tmp_path: Path, new_database: Path, training: TrainingParameters
) -> None:
    from kedro.framework.hooks.manager import _create_hook_manager
    from kedro.framework.hooks.markers import hook_impl

    seen: list[Any] = []

    class Other:
        @hook_impl
        def before_node_run(self, inputs: dict[str, Any]) -> None:
            seen.append(dict(inputs))

    manager = _create_hook_manager()
    manager.register(RunParametersHook())
    manager.register(Other())
    # A node may be handed a leaf by itself, for example the names of the features.
    leaf = "params:hospital.training.reference_months"
    inputs = {"params:hospital.training": training, leaf: ("2024-01",), "rows": 1}
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(f"sqlite:///{shutil.copy(new_database, tmp_path)}")
    try:
        with mlflow.start_run(experiment_id=MlflowClient().create_experiment("leaves")) as run:
            one = node(print, list(inputs), None)
            for _ in range(2):
                manager.hook.before_node_run(node=one, catalog=None, inputs=inputs, is_async=False, run_id="1")
        logged = mlflow.get_run(run.info.run_id).data.params
    finally:
        mlflow.set_tracking_uri(before)
    assert seen == [{"params:hospital.training": {}, leaf: ["2024-01"], "rows": 1}] * 2
    assert inputs[leaf] == ("2024-01",)
    assert inputs["params:hospital.training"] is training
    assert logged == dict(list_leaves("hospital.training", training))


@pytest.mark.parametrize("tolerance", [float("inf"), float("nan"), -0.1])
def test_a_tolerance_is_a_finite_number(tolerance: float) -> None:
    with pytest.raises(ValidationError):
        MitigationParameters(tolerance=tolerance)
