"""The evidence record against the versions of a real MLflow store."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from rai_kedro.release.decisions import Trust
from rai_kedro.release.production import load_production
from rai_kedro.release.record import append_evidence, read_evidence
from rai_kedro.release.review import ReviewRequest, approve, reject
from rai_kedro.release.signing import Reviewers
from rai_kedro.release.verification import verify
from rai_kedro.release.versions import NotApprovedError

from .conftest import make_store


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything of this file's versions, so that it can be put back as it was."""
    home = tmp_path_factory.mktemp("reviewed") / "home"
    home.mkdir()
    return home


@pytest.fixture(scope="module")
def tracking_uri(home: Path, new_database: Path) -> str:
    return make_store(home, new_database)


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, home: Path, tmp_path: Path) -> Path:
    return home if "run_id" in request.fixturenames else tmp_path


@pytest.fixture
def use_case(request: pytest.FixtureRequest) -> str:
    return "reviewed" if "run_id" in request.fixturenames else "another"


@pytest.fixture
def run_id(
    client: MlflowClient,
    register: Callable[..., Any],
    ask: Callable[..., ReviewRequest],
    evidence_path: Path,
    trust: Trust,
    home: Path,
) -> str:
    """Version 1 is approved as a demo, then version 2, then version 3 is rejected; return the first run."""
    kept = home.with_name("kept")
    if kept.exists():
        put_back(kept, home)
    else:
        for seed in range(3):
            register(seed)
        approve(client, ask("1", demo=True), evidence_path, trust)
        approve(client, ask("2"), evidence_path, trust)
        reject(client, ask("3"), evidence_path)
        shutil.copytree(home, kept)
    run_id: str = client.get_model_version("reviewed", "1").run_id
    return run_id


def put_back(kept: Path, home: Path) -> None:
    """Let a folder be as it was kept; into the database, which is open, its pages are written."""
    for place in kept.iterdir():
        there = home / place.name
        if place.is_dir():
            shutil.rmtree(there, ignore_errors=True)
            shutil.copytree(place, there)
        elif place.suffix == ".db":
            with closing(sqlite3.connect(place)) as before, closing(sqlite3.connect(there)) as now:
                before.backup(now)
        else:
            shutil.copy(place, there)


def test_nothing_reviewed_and_nothing_recorded_is_no_finding(
    client: MlflowClient, register: Callable[..., Any], use_case: str, evidence_path: Path, trust: Trust
) -> None:
    report = verify(evidence_path, use_case=use_case, trust=trust, client=client)
    assert (report.chain.ok, report.decisions, report.findings) == (False, (), ())
    register()
    report = verify(evidence_path, use_case=use_case, trust=trust, client=client)
    assert (report.chain.ok, report.decisions, report.findings) == (True, (), ())


def test_sound_record_lists_its_decisions(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, trust: Trust
) -> None:
    report = verify(evidence_path, use_case=use_case, trust=trust, client=client)
    assert report.findings == ()
    assert [(review.version, review.decision, review.demo) for review in report.decisions] == [
        ("1", "approved", True),
        ("2", "approved", False),
        ("3", "rejected", False),
    ]


def test_missing_record_of_reviewed_versions_is_found(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, trust: Trust
) -> None:
    evidence_path.unlink()
    first, *others = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
    assert first == "versions are reviewed, but there is no such file"
    assert len(others) == 7  # a manifest and a decision of each, and the alias


def test_broken_record_is_found(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, trust: Trust
) -> None:
    evidence_path.write_text(evidence_path.read_text().replace('"manifest":"', '"manifest":"0', 1))
    report = verify(evidence_path, use_case=use_case, trust=trust, client=client)
    assert [one.what for one in report.findings] == ["line 1 does not hold: its content does not match its hash"]


@pytest.mark.parametrize("version", ["1", "2", "3"])
def test_tags_of_every_reviewed_version_are_compared(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, trust: Trust, version: str
) -> None:
    client.set_model_version_tag(use_case, version, "rai.statement", "forged")
    (finding,) = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
    assert finding.startswith(f"version {version}: rai.statement is 'forged'")


def test_cut_off_end_is_found_by_the_tags(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, trust: Trust
) -> None:
    evidence_path.write_bytes(b"".join(evidence_path.read_bytes().splitlines(keepends=True)[:-1]))
    tag, page = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
    assert tag == "version 3: it is tagged 'rejected', but no decision on it that counts is on record"
    assert "has a status that nobody decided: rejected by" in page


def test_card_that_changed_or_is_gone_is_found(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, trust: Trust
) -> None:
    card = Path(mlflow.artifacts.download_artifacts(run_id=run_id)) / "model_card" / "model_card_v1.json"
    card.write_text("{}")
    (finding,) = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
    assert "not those that were trained" in finding
    assert "(model_card/model_card_v1.json changed)" in finding
    card.unlink()
    (finding,) = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
    assert finding.startswith("version 1: Version 1 of")
    assert "model_card_v1.json" in finding


def test_alias_moved_by_hand_is_found(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, trust: Trust
) -> None:
    client.set_registered_model_alias(use_case, "production", "1")
    (finding,) = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
    assert finding.startswith("alias 'production' names version 1, but the approval that counts is of version 2")


def test_what_is_no_decision_or_was_signed_for_another_place_is_found(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, trust: Trust
) -> None:
    before = read_evidence(evidence_path)
    append_evidence(evidence_path, "reject", {"version": "8"}, before[-1].recorded_at)
    append_evidence(evidence_path, "approve", before[4].body, before[-1].recorded_at)
    found = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
    assert found == [
        "line 7 is no readable decision on this use case",
        "line 8, approved by Ada Reviewer: it was signed for line 5 of a record, not for this place",
    ]


def test_an_approval_with_a_key_that_is_nobodys_counts_for_nothing(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, trust: Trust
) -> None:
    """Who holds the disk rewrites record and tags together, and cannot sign."""
    stranger = Trust(Reviewers(), trust.environment)
    with pytest.raises(NotApprovedError, match="The key of the signature is nobody's"):
        load_production(client, use_case, evidence_path, stranger)
    found = [one.what for one in verify(evidence_path, use_case=use_case, trust=stranger, client=client).findings]
    assert any("line 5, approved by Ada Reviewer: The key of the signature is nobody's." in one for one in found)


def test_an_emptied_database_is_found_from_the_record(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, trust: Trust
) -> None:
    client.delete_registered_model(use_case)
    findings = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
    assert len(findings) == 3
    assert all("but MLflow has no such version" in finding for finding in findings)
    assert findings[0].startswith(f"version 1 (run {run_id}) was approved on")


def test_a_lost_alias_is_found_from_the_record(
    client: MlflowClient, run_id: str, use_case: str, evidence_path: Path, trust: Trust
) -> None:
    client.delete_registered_model_alias(use_case, "production")
    (finding,) = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
    assert finding.startswith("the approval of version 2 stands, but alias 'production' names no version")


def test_the_record_alone_shows_its_decisions(run_id: str, use_case: str, evidence_path: Path, trust: Trust) -> None:
    found = verify(evidence_path, use_case=use_case)
    assert (found.findings, found.compared) == ((), False)
    assert list(found.to_frame()["version"]) == ["1", "2", "3"]
    assert "Ada Reviewer" in found._repr_html_()
    assert json.loads(json.dumps(found.to_dict()))["decisions"][2]["decision"] == "rejected"


def test_a_rejection_outranks_whatever_was_signed_around_it(
    client: MlflowClient,
    run_id: str,
    ask: Callable[..., ReviewRequest],
    use_case: str,
    evidence_path: Path,
    trust: Trust,
) -> None:
    """Two reviewers at the same moment, or a program that takes no lock."""
    before = evidence_path.read_bytes()
    reject(client, ask("2", statement="second thoughts"), evidence_path)
    *_, rejection = read_evidence(evidence_path)
    evidence_path.write_bytes(before)
    for tag in ("rai.review", "rai.reviewing"):
        client.delete_model_version_tag(use_case, "2", tag)
    approve(client, ask("1"), evidence_path, trust)
    approve(client, ask("2", reviewer="Somebody Else"), evidence_path, trust)
    append_evidence(evidence_path, "reject", rejection.body, rejection.recorded_at)
    client.set_registered_model_alias(use_case, "production", "2")
    with pytest.raises(NotApprovedError, match="no approval of it counts now"):
        load_production(client, use_case, evidence_path, trust)
    found = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
    assert any("but no approval counts" in finding for finding in found)
