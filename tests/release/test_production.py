"""What may be in production, checked against a real MLflow store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import mlflow.sklearn
import numpy as np
import pytest
from mlflow import MlflowClient
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression

from rai_kedro.release import candidate as release_candidate
from rai_kedro.release import manifest as release_manifest
from rai_kedro.release import review as release_review
from rai_kedro.release.decisions import Trust
from rai_kedro.release.model_files import ModelRefusedError
from rai_kedro.release.production import load_production, load_reference
from rai_kedro.release.record import EvidenceError, append_evidence, read_evidence
from rai_kedro.release.review import ReviewRequest, approve, reject
from rai_kedro.release.versions import ChangedError, IncompleteError, NotApprovedError, ReleaseError

Ask = Callable[..., ReviewRequest]
Register = Callable[..., Any]


class TestProduction:
    def test_approved_version_is_found(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        version = register()
        review = approve(client, ask(), evidence_path, trust).review
        found = load_production(client, use_case, evidence_path, trust)
        assert (found.version, found.run_id) == ("1", version.run_id)
        assert found.review == review

    def test_untrained_use_case_says_how_to_train(
        self, client: MlflowClient, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        with pytest.raises(ReleaseError, match=f"kedro run --pipelines {use_case}"):
            load_production(client, use_case, evidence_path, trust)

    def test_without_approval_the_command_is_given_with_the_candidates_number(
        self, client: MlflowClient, register: Register, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(0)
        register(1)
        command = f"kedro rai approve --use-case {use_case} --version 2 --statement TEXT"
        with pytest.raises(NotApprovedError, match=command) as caught:
            load_production(client, use_case, evidence_path, trust)
        assert f"kedro rai status --use-case {use_case}" in str(caught.value)

    def test_rejected_candidate_is_not_proposed(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(0)
        register(1)
        reject(client, ask("2"), evidence_path)
        with pytest.raises(NotApprovedError, match="--version 1 "):
            load_production(client, use_case, evidence_path, trust)
        reject(client, ask("1"), evidence_path)
        with pytest.raises(NotApprovedError, match="every version was rejected"):
            load_production(client, use_case, evidence_path, trust)

    def test_alias_moved_by_hand_is_not_enough(
        self, client: MlflowClient, register: Register, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        client.set_registered_model_alias(use_case, "production", "1")
        with pytest.raises(NotApprovedError, match=r"it has no tag rai\.review"):
            load_production(client, use_case, evidence_path, trust)

    def test_alias_and_tags_set_by_hand_are_not_enough(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(0)
        register(1)
        client.set_registered_model_alias(use_case, "production", "2")
        client.set_model_version_tag(use_case, "2", "rai.review", "approved")
        with pytest.raises(NotApprovedError, match="no approval that stands"):
            load_production(client, use_case, evidence_path, trust)
        reject(client, ask("1"), evidence_path)
        with pytest.raises(NotApprovedError, match="no approval that stands"):
            load_production(client, use_case, evidence_path, trust)

    def test_alias_moved_back_by_hand_to_a_version_approved_earlier_is_seen(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(0)
        register(1)
        approve(client, ask("1"), evidence_path, trust)
        approve(client, ask("2"), evidence_path, trust)
        client.set_registered_model_alias(use_case, "production", "1")
        with pytest.raises(NotApprovedError, match="the last approval on record is of version 2"):
            load_production(client, use_case, evidence_path, trust)

    def test_rejected_version_put_back_by_hand_is_refused(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        approve(client, ask(), evidence_path, trust)
        reject(client, ask(), evidence_path)
        client.set_registered_model_alias(use_case, "production", "1")
        with pytest.raises(NotApprovedError, match="is 'rejected'"):
            load_production(client, use_case, evidence_path, trust)
        client.set_model_version_tag(use_case, "1", "rai.review", "approved")
        with pytest.raises(NotApprovedError, match="no approval that stands"):
            load_production(client, use_case, evidence_path, trust)

    def test_record_of_another_database_does_not_count(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        approve(client, ask(), evidence_path, trust)
        client.delete_registered_model(use_case)
        register(1)
        client.set_registered_model_alias(use_case, "production", "1")
        client.set_model_version_tag(use_case, "1", "rai.review", "approved")
        with pytest.raises(NotApprovedError, match="the last approval on record is of version 1, run "):
            load_production(client, use_case, evidence_path, trust)
        assert approve(client, ask(), evidence_path, trust).recorded
        assert load_production(client, use_case, evidence_path, trust).version == "1"

    def test_missing_record_is_an_error(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        approve(client, ask(), evidence_path, trust)
        evidence_path.unlink()
        with pytest.raises(EvidenceError, match="restore the file"):
            load_production(client, use_case, evidence_path, trust)

    def test_broken_record_is_an_error(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        approve(client, ask(), evidence_path, trust)
        evidence_path.write_text(evidence_path.read_text().replace('"keyid":"SHA', '"keyid":"ABC'))
        with pytest.raises(EvidenceError, match="line 2: its content does not match its hash"):
            load_production(client, use_case, evidence_path, trust)

    def test_model_changed_after_approval_is_refused(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        source = approve_and_find_source(client, ask, evidence_path, trust)
        with (source / "model.skops").open("ab") as file:
            file.write(b"x")
        with pytest.raises(
            ChangedError, match=r"not those that were trained, of version 1[\s\S]*model/model.skops changed"
        ):
            load_production(client, use_case, evidence_path, trust)

    def test_contract_changed_after_approval_is_refused(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        version = register()
        approve(client, ask(), evidence_path, trust)
        run = Path(mlflow.artifacts.download_artifacts(run_id=version.run_id))
        (run / "contract.json").write_text('{"columns": {"LSTAT": {"use": "model"}}}')
        with pytest.raises(ChangedError, match=r"contract\.json changed"):
            load_production(client, use_case, evidence_path, trust)

    def test_deleted_model_files_are_a_clear_error(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        source = approve_and_find_source(client, ask, evidence_path, trust)
        source.rename(source.parent / "gone")
        with pytest.raises((IncompleteError, ChangedError)):
            load_production(client, use_case, evidence_path, trust)


class TestLoadProduction:
    @pytest.mark.parametrize("estimator", [LinearRegression(), RandomForestRegressor(10)], ids=["linear", "forest"])
    def test_model_reference_and_contract_come_back_as_they_were(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        evidence_path: Path,
        trust: Trust,
        estimator: object,
    ) -> None:
        version = register(0, estimator)
        approve(client, ask(), evidence_path, trust)
        production = load_production(client, version.name, evidence_path, trust)
        assert (production.version, production.run_id) == ("1", version.run_id)
        assert production.contract["datasets"]["feature_store"]["columns"] == {"LSTAT": {"use": "audit"}}
        assert list(production.reference.rows) == ["RM", "AGE", "TAX", "LSTAT", "MEDV", "prediction"]
        predicted = production.model.predict(production.reference.rows[["RM", "AGE", "TAX"]])
        np.testing.assert_array_equal(predicted, production.reference.rows["prediction"])

    def test_later_training_changes_nothing_until_it_is_approved(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(0)
        approve(client, ask(), evidence_path, trust)
        before = load_production(client, use_case, evidence_path, trust).reference.rows
        register(1)
        assert load_production(client, use_case, evidence_path, trust).reference.rows.equals(before)
        approve(client, ask("2"), evidence_path, trust)
        assert not load_production(client, use_case, evidence_path, trust).reference.rows.equals(before)

    def test_approved_pickle_is_still_not_opened(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        use_case: str,
        evidence_path: Path,
        trust: Trust,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def pickled(candidate: Any) -> Any:
            return mlflow.sklearn.log_model(
                candidate.estimator,
                name="model",
                serialization_format="pickle",
                pip_requirements=["scikit-learn"],
            )

        with monkeypatch.context() as forged:
            forged.setattr(release_candidate, "_log_model", pickled)
            register()
        with pytest.raises(ModelRefusedError, match=r"it holds other files: model\.pkl"):
            approve(client, ask(), evidence_path, trust)
        # Approved by a program that looks at nothing; production looks again.
        with monkeypatch.context() as careless:
            careless.setattr(release_review, "_require_usable", lambda *_: None)
            careless.setattr(release_manifest, "require_known_files", lambda *_: None)
            approve(client, ask(), evidence_path, trust)
            with pytest.raises(ModelRefusedError, match="pickle, cloudpickle and other formats"):
                load_production(client, use_case, evidence_path, trust)
        with pytest.raises(ModelRefusedError, match=r"it holds other files: model\.pkl"):
            load_production(client, use_case, evidence_path, trust)


class TestCard:
    def test_card_changed_after_approval_stops_production(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        version = register()
        approve(client, ask(), evidence_path, trust)
        run = Path(mlflow.artifacts.download_artifacts(run_id=version.run_id))
        (run / "model_card" / "model_card_v1.json").write_text('{"purpose": "another"}')
        with pytest.raises(ChangedError, match=r"model_card_v1\.json changed"):
            load_production(client, use_case, evidence_path, trust)


class TestContradiction:
    @pytest.mark.parametrize("tag", ["rai.evidence", "rai.reviewer", "rai.statement", "rai.demo"])
    def test_changed_tag_stops_production_and_both_values_are_named(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        use_case: str,
        evidence_path: Path,
        trust: Trust,
        tag: str,
    ) -> None:
        register()
        approve(client, ask(), evidence_path, trust)
        true = client.get_model_version(use_case, "1").tags[tag]
        client.set_model_version_tag(use_case, "1", tag, "forged")
        with pytest.raises(EvidenceError, match=f"{tag} is 'forged' on the version and '{true}' on record"):
            load_production(client, use_case, evidence_path, trust)
        approve(client, ask(), evidence_path, trust)
        assert load_production(client, use_case, evidence_path, trust).version == "1"

    def test_record_rewritten_with_a_valid_chain_is_seen(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        approve(client, ask(), evidence_path, trust)
        entries = read_evidence(evidence_path)
        evidence_path.unlink()
        append_evidence(evidence_path, entries[0].kind, {**entries[0].body, "git_commit": "0"}, entries[0].recorded_at)
        append_evidence(evidence_path, entries[1].kind, entries[1].body, entries[1].recorded_at)
        with pytest.raises(NotApprovedError, match=r"it was signed for line 2 of a record, not for this place"):
            load_production(client, use_case, evidence_path, trust)


class TestLoadReference:
    def test_version_that_left_production_or_was_rejected_keeps_its_reference(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(0)
        register(1)
        approve(client, ask("1"), evidence_path, trust)
        first = load_production(client, use_case, evidence_path, trust).reference.rows
        approve(client, ask("2"), evidence_path, trust)
        assert load_reference(client, use_case, "1", evidence_path, trust).rows.equals(first)
        assert not load_reference(client, use_case, "2", evidence_path, trust).rows.equals(first)
        reject(client, ask("1"), evidence_path)
        assert load_reference(client, use_case, "1", evidence_path, trust).rows.equals(first)

    def test_never_approved_version_has_none(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        for seed in range(3):
            register(seed)
        approve(client, ask("1"), evidence_path, trust)
        reject(client, ask("3"), evidence_path)
        for version in ("2", "3"):
            with pytest.raises(NotApprovedError, match=f"Version {version} .* has no approval on record"):
                load_reference(client, use_case, version, evidence_path, trust)
        with pytest.raises(ReleaseError, match="no version 7"):
            load_reference(client, use_case, "7", evidence_path, trust)

    def test_changed_reference_is_refused(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        version = register(0)
        register(1)
        approve(client, ask("1"), evidence_path, trust)
        approve(client, ask("2"), evidence_path, trust)
        run = Path(mlflow.artifacts.download_artifacts(run_id=version.run_id))
        other = load_reference(client, use_case, "2", evidence_path, trust).rows
        other.to_parquet(run / "reference" / "reference.parquet")
        with pytest.raises(ChangedError, match=r"reference\.parquet changed"):
            load_reference(client, use_case, "1", evidence_path, trust)

    def test_missing_artifacts_of_a_project_copied_in_part_are_named(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        version = register()
        approve(client, ask(), evidence_path, trust)
        run = Path(mlflow.artifacts.download_artifacts(run_id=version.run_id))
        run.rename(run.with_name("elsewhere"))
        with pytest.raises(IncompleteError, match="copied as a whole, `mlruns` and the database included") as caught:
            load_reference(client, use_case, "1", evidence_path, trust)
        run.with_name("elsewhere").rename(run)
        assert str(run) in str(caught.value.where)


def approve_and_find_source(client: MlflowClient, ask: Ask, evidence_path: Path, trust: Trust) -> Path:
    use_case = approve(client, ask(), evidence_path, trust).review.use_case
    source = client.get_model_version_download_uri(use_case, "1")
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=source))
