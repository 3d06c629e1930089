"""What the page of a reviewer says of versions, by the record and not by what MLflow's tags say."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from rai_kedro.hooks.review_page import note_verification, read_review
from rai_kedro.release import PRODUCTION, Tag, approve, read_manifest, reject, search_versions, verify
from rai_kedro.release.decisions import Trust
from rai_kedro.release.gate import GATES_FILE
from rai_kedro.release.review import ReviewRequest
from rai_kedro.report import UseCaseReview

from .conftest import Register

Ask = Callable[..., ReviewRequest]


@pytest.fixture
def look(
    client: MlflowClient, use_case: str, tmp_path: Path, evidence_path: Path, trust: Trust
) -> Callable[..., UseCaseReview]:
    def look(today: dict[str, Any] | None = None) -> UseCaseReview:
        """Look at a use case whose policy is, unless told otherwise, that of its training."""
        versions = [one for one in search_versions(client, use_case) if Tag.MANIFEST in one.tags]
        then = read_manifest(versions[0]).policy if versions else {}
        return read_review(client, use_case, tmp_path, evidence_path, trust=trust, today={**then, **(today or {})})

    return look


def test_a_version_waits_until_the_record_holds_a_decision_on_it(
    client: MlflowClient,
    use_case: str,
    evidence_path: Path,
    trust: Trust,
    register: Register,
    ask: Ask,
    look: Callable[..., UseCaseReview],
) -> None:
    for seed, gate in enumerate(("pass", "pass", "fail", "pass")):
        register(seed, gate=gate)
    assert [one.version for one in look().pending] == ["4", "3", "2"]
    approve(client, ask("2"), evidence_path, trust)
    found = look()
    assert ([one.version for one in found.pending], found.passed_over) == (["4", "3"], ("1",))
    assert found.production is not None
    assert found.production.said.startswith("approved by Ada Reviewer at ")
    assert found.production.expires_at
    reject(client, ask("4"), evidence_path)
    # Tags are for anyone with an account at MLflow; a forged one takes nothing off the page.
    client.set_model_version_tag(use_case, "3", Tag.REVIEW, "approved")
    (pending,) = look().pending
    (fairness,) = (gate for gate in pending.gates if gate.name == "fairness")
    assert (pending.version, fairness.outcome, fairness.consequence) == ("3", "fail", "accept_risk")
    assert pending.commands == (
        f'kedro rai approve --use-case {use_case} --version 3 --statement TEXT --accept-risk "REASON"',
        f"kedro rai reject --use-case {use_case} --version 3 --statement TEXT",
    )


def test_a_moved_alias_is_no_approval_and_takes_no_version_off_the_page(
    client: MlflowClient, use_case: str, register: Register, look: Callable[..., UseCaseReview]
) -> None:
    for seed in range(2):
        register(seed)
    client.set_registered_model_alias(use_case, PRODUCTION, "2")
    found = look()
    assert found.production is not None
    assert "no approval of it stands" in found.production.said
    assert [one.version for one in found.pending] == ["2", "1"]


def test_version_without_card_says_so_and_only_pages_that_are_there_are_linked(
    use_case: str, tmp_path: Path, register: Register, look: Callable[..., UseCaseReview]
) -> None:
    register(card=False)
    (tmp_path / "monitoring.html").touch()
    assert look().pages == (("monitoring", f"{use_case}/monitoring.html"),)
    (pending,) = look().pending
    assert (pending.card, pending.trouble) == (None, "It has no model card; training ends with it.")


def test_evidence_tells_a_broken_chain_and_what_the_last_verification_found(
    client: MlflowClient,
    use_case: str,
    evidence_path: Path,
    trust: Trust,
    register: Register,
    ask: Ask,
    look: Callable[..., UseCaseReview],
) -> None:
    register()
    approve(client, ask("1"), evidence_path, trust)
    before = look().evidence
    assert (before.verified_at, before.broken) == ("", "")
    assert before.entries >= 1
    note_verification(evidence_path, verify(evidence_path, use_case=use_case, trust=trust, client=client))
    after = look().evidence
    assert after.verified_entries == after.entries
    assert after.verified_at
    noted = evidence_path.with_suffix(".verified.json")
    noted.write_text('{"findings": 3, "unknown": []}', "utf-8")
    assert look().evidence == before, "a note that somebody edited counts for nothing"
    lines = evidence_path.read_text("utf-8").splitlines()
    edited = {**json.loads(lines[0]), "recorded_at": "2020-01-01T00:00:00+00:00"}
    evidence_path.write_text("\n".join([json.dumps(edited), *lines[1:]]) + "\n", "utf-8")
    assert look().evidence.broken
    # What a broken record says counts for nothing.
    (pending,) = look().pending
    assert pending.version == "1"


def test_gates_that_cannot_be_judged_leave_no_command_that_approves(
    client: MlflowClient, use_case: str, register: Register, look: Callable[..., UseCaseReview]
) -> None:
    client.log_dict(register().run_id, {}, GATES_FILE)
    (pending,) = look().pending
    assert [(gate.name, gate.consequence) for gate in pending.gates] == [("gates", "block")]
    assert pending.commands == (f"kedro rai reject --use-case {use_case} --version 1 --statement TEXT",)


def test_a_policy_that_is_looser_by_now_needs_an_accepted_risk(
    register: Register, look: Callable[..., UseCaseReview]
) -> None:
    register(changes={"policy": {"mitigation.tolerance": 0.02}})
    (before,) = look().pending
    assert "policy" not in {gate.name for gate in before.gates}
    (after,) = look({"mitigation.tolerance": 0.5}).pending
    (policy,) = (gate for gate in after.gates if gate.name == "policy")
    assert (policy.outcome, policy.consequence) == ("fail", "accept_risk")
    assert "mitigation.tolerance: 0.02 when the version was approved, 0.5 now" in policy.reason
    assert "--accept-risk" in after.commands[0]
