"""Approving and rejecting against a real MLflow store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import mlflow
import pytest
import rfc8785
from mlflow import MlflowClient

from rai_kedro.release.decisions import Trust, list_decisions
from rai_kedro.release.production import load_production
from rai_kedro.release.record import EvidenceError, append_evidence, read_evidence
from rai_kedro.release.review import ReviewRequest, approve, reject
from rai_kedro.release.signing import Envelope
from rai_kedro.release.versions import ChangedError, IncompleteError, NotApprovedError, ReleaseError, find_aliases

Ask = Callable[..., ReviewRequest]
Register = Callable[..., Any]


def kinds(evidence_path: Path) -> list[str]:
    """Return what kinds of entries the record has, in order."""
    return [entry.kind for entry in read_evidence(evidence_path)]


class Killed(BaseException):
    """Stands for the moment of a kill."""


class DyingClient(MlflowClient):
    """A real client whose process is killed before one of its writes."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.left = writes

    def _live(self) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1

    def set_model_version_tag(self, *args: Any, **options: Any) -> None:
        self._live()
        super().set_model_version_tag(*args, **options)

    def set_registered_model_alias(self, *args: Any, **options: Any) -> None:
        self._live()
        super().set_registered_model_alias(*args, **options)

    def log_artifact(self, *args: Any, **options: Any) -> None:
        self._live()
        super().log_artifact(*args, **options)

    def delete_registered_model_alias(self, *args: Any, **options: Any) -> None:
        self._live()
        super().delete_registered_model_alias(*args, **options)


class TestApprove:
    def test_record_tags_and_alias_agree(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        version = register()
        request = ask()
        outcome = approve(client, request, evidence_path, trust)
        trained, entry = read_evidence(evidence_path)
        tags = client.get_model_version(use_case, "1").tags
        assert outcome.recorded
        assert (trained.kind, entry.kind) == ("trained", "approve")
        signed = Envelope.from_dict(entry.body["envelope"]).statement
        assert signed["subject"] == [{"name": f"{use_case}/1", "digest": {"sha256": tags["rai.manifest"]}}]
        assert signed["predicate"]["run_id"] == version.run_id
        assert (signed["predicate"]["sequence"], signed["predicate"]["previous"]) == (2, trained.hash)
        assert trained.body["manifest"] == tags["rai.manifest"] == outcome.review.manifest
        assert (tags["rai.review"], tags["rai.reviewer"], tags["rai.demo"]) == (
            "approved",
            "Ada Reviewer",
            "false",
        )
        assert tags["rai.reviewed_at"] == f"{request.reviewed_at:%Y-%m-%dT%H:%M:%S}+00:00"
        assert tags["rai.expires_at"] == f"{request.reviewed_at + timedelta(days=365):%Y-%m-%dT%H:%M:%S}+00:00"
        assert tags["rai.evidence"] == entry.hash
        assert find_aliases(client, use_case) == {"candidate": "1", "production": "1"}

    def test_words_are_stripped_and_times_are_utc(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        now = datetime.now(UTC).replace(microsecond=0)
        local = now.astimezone(timezone(timedelta(hours=2)))
        review = approve(
            client, ask(reviewer="  Ada ", statement=" ok\n", reviewed_at=local), evidence_path, trust
        ).review
        assert (review.reviewer, review.statement) == ("Ada", "ok")
        assert review.reviewed_at == f"{now:%Y-%m-%dT%H:%M:%S}+00:00"

    def test_demo_is_labelled_everywhere(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        outcome = approve(client, ask(demo=True), evidence_path, trust)
        assert "demo, not a person's review" in outcome.message
        assert client.get_model_version(use_case, "1").tags["rai.demo"] == "true"
        (demo,) = list_decisions(read_evidence(evidence_path), use_case)
        assert demo[0].demo
        assert load_production(client, use_case, evidence_path, trust).review == demo[0]
        with pytest.raises(NotApprovedError, match="does not count in environment 'prod'"):
            load_production(client, use_case, evidence_path, Trust(trust.reviewers, "prod"))

    def test_approving_again_records_nothing_new(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        first = approve(client, ask(), evidence_path, trust)
        second = approve(client, ask(reviewer="Somebody Else"), evidence_path, trust)
        assert not second.recorded
        assert second.review == first.review
        assert "already approved by Ada Reviewer" in second.message
        assert kinds(evidence_path) == ["trained", "approve"]

    def test_going_back_to_an_older_version_is_a_decision_of_its_own(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(0)
        register(1)
        for version in ("1", "2", "1"):
            assert approve(client, ask(version), evidence_path, trust).recorded
        decided = list_decisions(read_evidence(evidence_path), use_case)
        assert [review.version for review, _ in decided] == ["1", "2", "1"]
        assert load_production(client, use_case, evidence_path, trust).version == "1"

    @pytest.mark.parametrize("empty", [{"reviewer": " "}, {"statement": "\n"}, {"reviewer": "", "statement": ""}])
    def test_empty_words_are_refused_and_leave_nothing(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        evidence_path: Path,
        trust: Trust,
        empty: dict[str, str],
    ) -> None:
        register()
        with pytest.raises(ReleaseError, match=f"needs a {' and a '.join(empty)}"):
            approve(client, ask(**empty), evidence_path, trust)
        with pytest.raises(ReleaseError, match=f"needs a {' and a '.join(empty)}"):
            reject(client, ask(**empty), evidence_path)
        assert set(kinds(evidence_path)) <= {"trained"}
        assert find_aliases(client, ask().use_case) == {"candidate": "1"}

    def test_unknown_version_lists_the_existing_ones(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        register(0)
        register(1)
        for version in ("7", "one"):
            with pytest.raises(ReleaseError, match="existing versions: 1, 2"):
                approve(client, ask(version), evidence_path, trust)

    def test_untrained_use_case_says_how_to_train(
        self, client: MlflowClient, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        with pytest.raises(ReleaseError, match=f"kedro run --pipelines {use_case}"):
            approve(client, ask(), evidence_path, trust)

    def test_rejected_version_cannot_be_approved_even_if_its_tags_were_removed(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        reject(client, ask(statement="gap too large"), evidence_path)
        client.delete_model_version_tag(use_case, "1", "rai.review")
        with pytest.raises(ReleaseError, match=r"gap too large[\s\S]*train a new version"):
            approve(client, ask(), evidence_path, trust)

    def test_rejected_tag_counts_even_if_the_record_was_cut_off(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        reject(client, ask(), evidence_path)
        evidence_path.write_bytes(b"")
        with pytest.raises(ReleaseError, match="was rejected and cannot be approved"):
            approve(client, ask(), evidence_path, trust)

    @pytest.mark.parametrize(
        "file", ["model.skops", "contract.json", "reference/reference.parquet", "model_card/model_card_v1.json"]
    )
    def test_files_changed_since_training_are_not_approved(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust, file: str
    ) -> None:
        path = stored_file(client, register(), file)
        path.write_bytes(path.read_bytes() + b" ")
        with pytest.raises(ChangedError, match=rf"not those that were trained[\s\S]*{file} changed"):
            approve(client, ask(), evidence_path, trust)
        assert kinds(evidence_path) == ["trained"]

    def test_model_and_tag_exchanged_before_the_review_are_found(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        version = register()
        model, manifest = (stored_file(client, version, name) for name in ("model.skops", "manifest.json"))
        model.write_bytes(stored_file(client, register(1), "model.skops").read_bytes())
        content = json.loads(manifest.read_text())
        content["files"]["model/model.skops"] = hashlib.sha256(model.read_bytes()).hexdigest()
        manifest.write_bytes(rfc8785.dumps(content))
        client.set_model_version_tag(use_case, "1", "rai.manifest", hashlib.sha256(manifest.read_bytes()).hexdigest())
        with pytest.raises(ChangedError, match=r"manifest is not the one that was recorded[\s\S]*the evidence record"):
            approve(client, ask(), evidence_path, trust)

    def test_version_whose_manifest_was_not_noted_is_not_approved(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        client.delete_model_version_tag(use_case, "1", "rai.manifest")
        with pytest.raises(ChangedError, match=r"nothing… in tag rai\.manifest"):
            approve(client, ask(), evidence_path, trust)

    @pytest.mark.parametrize(
        ("metrics", "missing"),
        [
            ({}, "no performance and no fairness metrics"),
            ({"training.test.R2": 0.7}, "no fairness metrics"),
            ({"training.fairness.LSTAT.parity": 0.1}, "no performance metrics"),
        ],
    )
    def test_version_trained_in_part_is_not_approved(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        evidence_path: Path,
        trust: Trust,
        metrics: Any,
        missing: str,
    ) -> None:
        register(metrics=metrics)
        with pytest.raises(IncompleteError, match=rf"only in part: its run has {missing}[\s\S]*whole stage"):
            approve(client, ask(), evidence_path, trust)
        assert set(kinds(evidence_path)) <= {"trained"}

    def test_version_without_card_is_not_approved(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        register(card=False)
        with pytest.raises(IncompleteError, match="cut off before the manifest was written"):
            approve(client, ask(), evidence_path, trust)
        stored_file(client, register(), "model_card/model_card_v2.json").unlink()
        with pytest.raises(IncompleteError, match=r"model_card_v2\.json"):
            approve(client, ask("2"), evidence_path, trust)
        assert set(kinds(evidence_path)) <= {"trained"}

    @pytest.mark.parametrize("file", ["contract.json", "reference/reference.parquet"])
    def test_version_without_its_companions_is_not_approved(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust, file: str
    ) -> None:
        stored_file(client, register(), file).unlink()
        with pytest.raises(IncompleteError, match="must travel with it"):
            approve(client, ask(), evidence_path, trust)

    def test_broken_record_takes_no_decision(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        append_evidence(evidence_path, "note", {"a": 1}, datetime.now(UTC).isoformat())
        evidence_path.write_text(evidence_path.read_text().replace('"a":1', '"a":2'))
        with pytest.raises(EvidenceError, match="line 2"):
            approve(client, ask(), evidence_path, trust)
        with pytest.raises(EvidenceError, match="line 2"):
            reject(client, ask(), evidence_path)
        assert "rai.review" not in client.get_model_version(use_case, "1").tags

    def test_record_that_knows_nothing_of_the_training_moves_no_alias(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, tmp_path: Path, trust: Trust
    ) -> None:
        register()
        (tmp_path / "file").touch()
        for record in (tmp_path / "another.jsonl", tmp_path / "file" / "housing.jsonl"):
            with pytest.raises(ChangedError, match="nothing… in the evidence record"):
                approve(client, ask(), record, trust)
        assert find_aliases(client, use_case) == {"candidate": "1"}

    def test_time_without_zone_is_a_programming_error(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        with pytest.raises(ValueError, match="time zone"):
            approve(client, ask(reviewed_at=datetime(2024, 5, 1)), evidence_path, trust)


class TestReject:
    def test_candidate_is_kept_out(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        outcome = reject(client, ask(), evidence_path)
        assert outcome.message == f"Version 1 of {use_case} is rejected."
        assert client.get_model_version(use_case, "1").tags["rai.review"] == "rejected"
        assert "production" not in find_aliases(client, use_case)
        assert kinds(evidence_path) == ["trained", "reject"]

    def test_version_in_production_is_taken_out(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        approve(client, ask(), evidence_path, trust)
        outcome = reject(client, ask(), evidence_path)
        assert "alias 'production' is removed, and monitoring stops" in outcome.message
        assert find_aliases(client, use_case) == {"candidate": "1"}

    def test_another_version_in_production_stays(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(0)
        register(1)
        approve(client, ask("1"), evidence_path, trust)
        reject(client, ask("2"), evidence_path)
        assert load_production(client, use_case, evidence_path, trust).version == "1"

    def test_rejecting_again_records_nothing_new(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        reject(client, ask(), evidence_path)
        again = reject(client, ask(reviewer="Somebody Else"), evidence_path)
        assert not again.recorded
        assert "already rejected by Ada Reviewer" in again.message
        assert kinds(evidence_path) == ["trained", "reject"]

    def test_version_without_files_can_be_rejected(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        stored_file(client, register(), "model.skops").unlink()
        assert reject(client, ask(), evidence_path).recorded


class TestKill:
    # The tag that asks, the record; nine tags, the alias.
    @pytest.mark.parametrize("writes", [1, 2, 9, 10])
    def test_approval_cut_off_anywhere_is_never_in_production_unrecorded_and_can_be_completed(
        self, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust, writes: int
    ) -> None:
        register(0)
        register(1)
        client = MlflowClient()
        approve(client, ask("1"), evidence_path, trust)
        with pytest.raises(Killed):
            approve(DyingClient(writes), ask("2"), evidence_path, trust)
        with pytest.raises(NotApprovedError, match="the last approval on record is of version 2"):
            load_production(client, use_case, evidence_path, trust)
        outcome = approve(client, ask("2"), evidence_path, trust)
        assert not outcome.recorded
        assert kinds(evidence_path) == ["trained", "trained", "approve", "approve"]
        assert load_production(client, use_case, evidence_path, trust).version == "2"

    # The tag that asks, the record; nine tags, the alias.
    @pytest.mark.parametrize("writes", [1, 2, 9, 10])
    def test_rejection_cut_off_anywhere_stops_production_at_once_and_can_be_completed(
        self, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust, writes: int
    ) -> None:
        register()
        client = MlflowClient()
        approve(client, ask(), evidence_path, trust)
        with pytest.raises(Killed):
            reject(DyingClient(writes), ask(), evidence_path)
        with pytest.raises(NotApprovedError, match=r"no approval of it counts now|is in production"):
            load_production(client, use_case, evidence_path, trust)
        reject(client, ask(), evidence_path)
        assert kinds(evidence_path) == ["trained", "approve", "reject"]
        assert find_aliases(client, use_case) == {"candidate": "1"}

    def test_what_the_server_does_not_let_decide_leaves_nothing_in_the_record(
        self, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        register()
        with pytest.raises(Killed):
            approve(DyingClient(0), ask(), evidence_path, trust)
        with pytest.raises(Killed):
            reject(DyingClient(0), ask(), evidence_path)
        assert kinds(evidence_path) == ["trained"]


def stored_file(client: MlflowClient, version: Any, name: str) -> Path:
    """Return where the local artifact store keeps one of a version's files."""
    if name == "model.skops":
        uri = client.get_model_version_download_uri(version.name, version.version)
    else:
        uri = client.get_run(version.run_id).info.artifact_uri
    return Path(mlflow.artifacts.download_artifacts(artifact_uri=uri)) / name


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"reviewer": "Ada\x1b[2K\rEve"}, r"\\x1b"),
        ({"reviewer": "Ada\nversion 2  approved by Eve"}, r"\\n"),
        ({"reviewer": "Ada\u202eevE"}, r"\\u202e"),
        ({"reviewer": "A\u200bda"}, r"\\u200b"),
        ({"statement": "read\x07"}, r"\\x07"),
        ({"statement": "read \u2066not\u2069"}, r"\\u2066"),
    ],
)
def test_characters_that_are_not_shown_as_themselves_are_refused(
    client: MlflowClient,
    ask: Callable[..., ReviewRequest],
    evidence_path: Path,
    trust: Trust,
    changes: dict[str, str],
    shown: str,
) -> None:
    with pytest.raises(ReleaseError, match=rf"not shown as itself[\s\S]*{shown}"):
        approve(client, ask(**changes), evidence_path, trust)
    with pytest.raises(ReleaseError, match="not shown as itself"):
        reject(client, ask(**changes), evidence_path)
    assert set(kinds(evidence_path)) <= {"trained"}


@pytest.mark.parametrize("name", ["", " ", "...", "\u3164\u3164", "42"])
def test_a_name_needs_visible_letters(
    client: MlflowClient, ask: Callable[..., ReviewRequest], evidence_path: Path, trust: Trust, name: str
) -> None:
    with pytest.raises(ReleaseError, match="A decision needs a reviewer"):
        approve(client, ask(reviewer=name), evidence_path, trust)


def test_names_of_any_script_and_statements_of_several_lines_are_kept(
    client: MlflowClient,
    register: Callable[..., Any],
    ask: Callable[..., ReviewRequest],
    evidence_path: Path,
    trust: Trust,
) -> None:
    register()
    review = approve(client, ask(reviewer="Żaneta 李", statement="figures\nand card read"), evidence_path, trust).review
    assert (review.reviewer, review.statement) == ("Żaneta 李", "figures and card read")
