"""Registering candidates and listing versions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from sklearn.neighbors import KNeighborsRegressor

from rai_kedro.release.candidate import register_candidate
from rai_kedro.release.decisions import Trust
from rai_kedro.release.model_files import ModelRefusedError
from rai_kedro.release.review import ReviewRequest, approve
from rai_kedro.release.versions import ReleaseError, find_aliases, find_reviewable, list_versions, search_versions

Register = Callable[..., Any]


class TestRegisterCandidate:
    def test_version_carries_tags_digest_and_alias(
        self, client: MlflowClient, register: Register, use_case: str
    ) -> None:
        version = register()
        tags = client.get_model_version(use_case, version.version).tags
        assert (tags["rai.use_case"], tags["rai.month"]) == (use_case, "2024-01")
        assert len(tags["rai.manifest"]) == 64
        assert version.model_uri == f"models:/{use_case}/1"
        assert find_aliases(client, use_case) == {"candidate": "1"}

    def test_run_holds_model_data_reference_and_contract(self, client: MlflowClient, register: Register) -> None:
        version = register()
        run = client.get_run(version.run_id)
        (data,) = run.inputs.dataset_inputs
        assert data.dataset.name.endswith("-training")
        assert "month=2024-01" in data.dataset.source
        assert data.tags[0].value == "training"
        paths = {item.path for item in client.list_artifacts(version.run_id)}
        assert {"contract.json", "reference"} <= paths
        assert len(run.outputs.model_outputs) == 1

    def test_model_has_signature_example_and_the_given_requirements(
        self, client: MlflowClient, register: Register
    ) -> None:
        info = mlflow.models.get_model_info(register().model_uri)
        assert info.signature.inputs.input_names() == ["RM", "AGE", "TAX"]
        assert info.signature.outputs is not None
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=info.model_uri))
        assert len(json.loads((folder / "input_example.json").read_text())["data"]) == 5
        requirements = (folder / "requirements.txt").read_text()
        assert "scikit-learn==" in requirements
        assert "skops==" in requirements

    def test_newest_version_is_the_candidate(self, client: MlflowClient, register: Register, use_case: str) -> None:
        register(0)
        assert register(1).version == "2"
        assert find_aliases(client, use_case) == {"candidate": "2"}
        assert getattr(find_reviewable(client, use_case), "number", None) == "2"

    def test_mlflow_links_the_logged_model_to_its_version(self, client: MlflowClient, register: Register) -> None:
        version = register()
        model_id = client.get_run(version.run_id).outputs.model_outputs[0].model_id
        assert json.loads(client.get_logged_model(model_id).tags["mlflow.modelVersions"]) == [
            {"name": version.name, "version": "1"}
        ]

    def test_unstorable_model_leaves_no_version_and_no_logged_model(
        self, client: MlflowClient, register: Register, use_case: str
    ) -> None:
        with pytest.raises(ModelRefusedError, match="KDTree"):
            register(0, KNeighborsRegressor(algorithm="kd_tree"))
        assert search_versions(client, use_case) == []
        experiment = mlflow.get_experiment_by_name("registry").experiment_id
        run = mlflow.last_active_run()
        models = client.search_logged_models([experiment], filter_string=f"source_run_id='{run.info.run_id}'")
        assert list(models) == []

    def test_without_a_run_nothing_is_logged(
        self, client: MlflowClient, register: Register, use_case: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
        candidate = register.__globals__["make_candidate"]()  # type: ignore[attr-defined]
        with pytest.raises(ReleaseError, match="kedro run"):
            register_candidate(candidate, use_case)
        assert search_versions(client, use_case) == []

    def test_run_of_another_thread_or_process_is_found_by_mlflows_variable(
        self, client: MlflowClient, register: Register, use_case: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with mlflow.start_run() as run:
            pass
        monkeypatch.setenv("MLFLOW_RUN_ID", run.info.run_id)
        candidate = register.__globals__["make_candidate"]()  # type: ignore[attr-defined]
        assert register_candidate(candidate, use_case).run_id == run.info.run_id
        assert mlflow.active_run() is None

    def test_nothing_is_printed_and_no_hint_about_integers_given(
        self, register: Register, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
    ) -> None:
        register()
        captured = capfd.readouterr()
        noise = [line for line in captured.err.splitlines() if "pip version" not in line]
        assert (captured.out, noise) == ("", [])
        assert [warning for warning in recwarn if issubclass(warning.category, UserWarning)] == []


class TestListVersions:
    def test_untrained_use_case_has_none(self, client: MlflowClient, use_case: str) -> None:
        assert list_versions(client, use_case) == []
        assert find_reviewable(client, use_case) is None

    def test_newest_comes_first_with_aliases_figures_and_review(
        self,
        client: MlflowClient,
        register: Register,
        ask: Callable[..., ReviewRequest],
        use_case: str,
        evidence_path: Path,
        trust: Trust,
    ) -> None:
        register(0)
        register(1)
        approve(client, ask("1", demo=True), evidence_path, trust)
        client.set_model_version_tag(use_case, "1", "rai.card", "data/08_reporting/housing/card.html")
        newest, approved = list_versions(client, use_case)
        assert (newest["version"], newest["aliases"], newest["review"]) == ("2", ["candidate"], None)
        assert newest["metrics"] == {"training.test.R2": 0.7, "training.fairness.LSTAT.parity": 0.1}
        assert (approved["version"], approved["aliases"], approved["review"]) == ("1", ["production"], "approved")
        assert (approved["reviewer"], approved["demo"]) == ("demo reviewer", True)
        assert approved["card"] == "data/08_reporting/housing/card.html"
        assert approved["created_at"].endswith("+00:00")
        assert approved["manifest"] == client.get_model_version(use_case, "1").tags["rai.manifest"]
        assert approved["expires_at"] == client.get_model_version(use_case, "1").tags["rai.expires_at"]

    def test_both_aliases_on_one_version(
        self,
        client: MlflowClient,
        register: Register,
        ask: Callable[..., ReviewRequest],
        use_case: str,
        evidence_path: Path,
        trust: Trust,
    ) -> None:
        register()
        approve(client, ask(), evidence_path, trust)
        assert list_versions(client, use_case)[0]["aliases"] == ["candidate", "production"]

    def test_figures_of_a_purged_run_are_empty(self, client: MlflowClient, register: Register, use_case: str) -> None:
        version = register()
        client.delete_run(version.run_id)
        assert list_versions(client, use_case)[0]["run_id"] == version.run_id
