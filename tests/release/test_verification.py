"""The evidence record against the versions of a real MLflow store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from rai_kedro.release.record import append, read
from rai_kedro.release.review import ReviewRequest, approve, reject
from rai_kedro.release.verification import verify_record


@pytest.fixture
def run_id(
    client: MlflowClient, register: Callable[..., Any], ask: Callable[..., ReviewRequest], evidence_path: Path
) -> str:
    """Approve version 1 as a demo, then version 2, then reject version 3; return the first run."""
    run_id: str = register(0).run_id
    register(1)
    register(2)
    approve(client, ask("1", demo=True), evidence_path)
    approve(client, ask("2"), evidence_path)
    reject(client, ask("3"), evidence_path)
    return run_id


def test_nothing_reviewed_and_nothing_recorded_is_no_finding(
    client: MlflowClient, register: Callable[..., Any], use_case: str, evidence_path: Path
) -> None:
    register()
    report = verify_record(client, use_case, evidence_path)
    assert (report.chain.ok, report.decisions, report.findings) == (False, (), ())


def test_sound_record_lists_its_decisions(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path
) -> None:
    report = verify_record(client, use_case, evidence_path)
    assert report.findings == ()
    assert [(review.version, review.decision, review.demo) for review in report.decisions] == [
        ("1", "approved", True),
        ("2", "approved", False),
        ("3", "rejected", False),
    ]


def test_missing_record_of_reviewed_versions_is_found(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path
) -> None:
    evidence_path.unlink()
    first, *others = verify_record(client, use_case, evidence_path).findings
    assert first == "versions are reviewed, but there is no such file"
    assert len(others) == 4


def test_broken_record_is_found(client: MlflowClient, run_id: str, use_case: str, evidence_path: Path) -> None:
    evidence_path.write_text(evidence_path.read_text().replace("Ada", "Eve", 1))
    report = verify_record(client, use_case, evidence_path)
    assert report.findings == ("line 1 does not hold: its content does not match its hash",)


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_tags_of_every_reviewed_version_are_compared(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, version: str
) -> None:
    client.set_model_version_tag(use_case, version, "rai.statement", "forged")
    (finding,) = verify_record(client, use_case, evidence_path).findings
    assert finding.startswith(f"version {version}: rai.statement is 'forged'")


def test_cut_off_end_is_found_by_the_tags(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path
) -> None:
    evidence_path.write_bytes(b"".join(evidence_path.read_bytes().splitlines(keepends=True)[:2]))
    (finding,) = verify_record(client, use_case, evidence_path).findings
    assert finding == "version 3 is tagged 'rejected', but no decision on it is on record"


def test_card_that_changed_or_is_gone_is_found(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path
) -> None:
    card = Path(mlflow.artifacts.download_artifacts(run_id=run_id)) / "model_card" / "model_card_v1.json"
    card.write_text("{}")
    (finding,) = verify_record(client, use_case, evidence_path).findings
    assert finding == "version 1: its model card changed after the approval"
    card.unlink()
    (finding,) = verify_record(client, use_case, evidence_path).findings
    assert finding.startswith("version 1: its model card is gone")


def test_alias_moved_by_hand_is_found(client: MlflowClient, run_id: str, use_case: str, evidence_path: Path) -> None:
    client.set_registered_model_alias(use_case, "production", "1")
    (finding,) = verify_record(client, use_case, evidence_path).findings
    assert finding.startswith("alias 'production' names version 1, but the approval that stands is of version 2")


def test_unreadable_decision_is_found_and_one_from_before_cards_still_counts(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path
) -> None:
    entry = read(evidence_path)[-1]
    older = {name: value for name, value in entry.body.items() if name != "card_digest"}
    append(evidence_path, "reject", {**older, "version": "9"}, entry.recorded_at)
    report = verify_record(client, use_case, evidence_path)
    assert (report.findings, report.decisions[-1].version) == ((), "9")
    append(evidence_path, "reject", {"version": "8"}, entry.recorded_at)
    assert verify_record(client, use_case, evidence_path).findings == (
        "line 5 is no readable decision on this use case",
    )
