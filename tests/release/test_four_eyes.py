"""Who may approve what they see, with whom, for how long, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from rai_kedro.files import find_account
from rai_kedro.policy import ApprovalRules
from rai_kedro.release import decisions
from rai_kedro.release.decisions import Trust, sign_review, tags_of
from rai_kedro.release.keys import SigningError, SigningKey
from rai_kedro.release.production import load_production
from rai_kedro.release.record import append_evidence
from rai_kedro.release.review import ReviewRequest, approve, find_previous
from rai_kedro.release.signing import Reviewers
from rai_kedro.release.verification import verify
from rai_kedro.release.versions import NotApprovedError, ReleaseError, find_aliases

Ask = Callable[..., ReviewRequest]
Register = Callable[..., Any]
KEYS = {name: SigningKey.generate() for name in ("Ada", "Ben", "Cem")}


def trusting(roles: dict[str, list[str]], **changes: Any) -> Trust:
    """Let these people act in these roles."""
    today = datetime.now(UTC).date()
    reviewers = [
        {
            "name": name,
            "roles": held,
            "key": KEYS[name].public,
            "valid_from": today - timedelta(days=9),
            "valid_until": today + timedelta(days=9),
            **changes,
        }
        for name, held in roles.items()
    ]
    return Trust(Reviewers.from_dict({"reviewers": reviewers}), "prod")


def said_by(ask: Ask, name: str, role: str = "reviewer", version: str = "1", **more: Any) -> ReviewRequest:
    return ask(version, reviewer=name, key=KEYS[name], role=role, **more)


def test_two_people_of_distinct_roles_are_needed_where_the_policy_says_so(
    client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path
) -> None:
    trust = trusting({"Ada": ["reviewer", "risk"], "Ben": ["risk"]})
    register(changes={"policy": {"policy": {"approval": {"roles": ["reviewer", "risk"]}}}})
    first = approve(client, said_by(ask, "Ada"), evidence_path, trust)
    assert "waits for the approval of: risk" in first.message
    assert "production" not in find_aliases(client, use_case)
    # One person fills one role, however many they hold.
    again = approve(client, said_by(ask, "Ada", "risk"), evidence_path, trust)
    assert "waits for the approval of:" in again.message
    client.set_registered_model_alias(use_case, "production", "1")
    with pytest.raises(NotApprovedError, match="no approval that stands"):
        load_production(client, use_case, evidence_path, trust)
    client.delete_registered_model_alias(use_case, "production")
    approve(client, said_by(ask, "Ben", "risk"), evidence_path, trust)
    assert load_production(client, use_case, evidence_path, trust).version == "1"


@pytest.mark.slow
def test_a_waiting_approval_of_a_new_version_leaves_the_old_one_in_production(
    client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path
) -> None:
    trust = trusting({"Ada": ["reviewer"], "Ben": ["risk"]})
    policy = {"policy": {"policy": {"approval": {"roles": ["reviewer", "risk"]}}}}
    register(0, changes=policy)
    register(1, changes=policy)
    for name, role in (("Ada", "reviewer"), ("Ben", "risk")):
        approve(client, said_by(ask, name, role), evidence_path, trust)
    approve(client, said_by(ask, "Ada", version="2"), evidence_path, trust)
    client.set_model_version_tag(use_case, "1", "rai.review", "approved")
    assert load_production(client, use_case, evidence_path, trust).version == "1"


def test_who_trained_cannot_approve_unless_the_policy_says_so(
    client: MlflowClient, register: Register, ask: Ask, evidence_path: Path
) -> None:
    trust = trusting({"Ada": ["reviewer"]}, accounts=[find_account()])
    register()
    with pytest.raises(ReleaseError, match="was trained by Ada, who cannot approve it alone"):
        approve(client, said_by(ask, "Ada"), evidence_path, trust)
    register(1, changes={"policy": {"policy": {"approval": {"trainer_may_approve": True}}}})
    assert approve(client, said_by(ask, "Ada", version="2"), evidence_path, trust).recorded


@pytest.mark.parametrize(
    ("trust", "name", "role", "found"),
    [
        (trusting({"Ada": ["reviewer"]}), "Cem", "reviewer", "The key of the signature is nobody's"),
        (trusting({"Ada": ["reviewer"]}), "Ada", "risk", "who may act as reviewer"),
        (
            trusting({"Ada": ["reviewer"]}, valid_until=datetime.now(UTC).date() - timedelta(days=1)),
            "Ada",
            "reviewer",
            "was not valid on",
        ),
    ],
    ids=["unknown", "another role", "expired"],
)
def test_a_key_that_will_not_count_approves_nothing(
    client: MlflowClient,
    register: Register,
    ask: Ask,
    evidence_path: Path,
    trust: Trust,
    name: str,
    role: str,
    found: str,
) -> None:
    register()
    with pytest.raises(SigningError, match=found):
        approve(client, said_by(ask, name, role), evidence_path, trust)


def test_an_approval_runs_out_and_can_be_given_again_before(
    client: MlflowClient,
    register: Register,
    ask: Ask,
    use_case: str,
    evidence_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decisions, "is_to_come", lambda moment: False)  # days go by here
    trust, now = trusting({"Ada": ["reviewer"]}), datetime.now(UTC)
    register(changes={"policy": {"policy": {"approval": {"lasts_days": 40}}}})
    approve(client, said_by(ask, "Ada"), evidence_path, trust)
    assert load_production(client, use_case, evidence_path, trust, now=now + timedelta(days=39)).version == "1"
    with pytest.raises(NotApprovedError, match="the approval ran out on"):
        load_production(client, use_case, evidence_path, trust, now=now + timedelta(days=41))
    assert not approve(client, said_by(ask, "Ada"), evidence_path, trust).recorded
    later = said_by(ask, "Ada", reviewed_at=now + timedelta(days=8))
    assert not approve(client, later, evidence_path, trust).recorded  # 32 days are left
    trust = trusting({"Ada": ["reviewer"]}, valid_until=now.date() + timedelta(days=60))
    again = said_by(ask, "Ada", reviewed_at=now + timedelta(days=11))
    assert approve(client, again, evidence_path, trust).recorded
    assert load_production(client, use_case, evidence_path, trust, now=now + timedelta(days=45)).version == "1"


def test_the_way_back_is_a_decision_of_its_own_and_leads_to_what_was_approved(
    client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path
) -> None:
    trust = trusting({"Ada": ["reviewer"]})
    for seed in range(3):
        register(seed)
    with pytest.raises(ReleaseError, match="nothing to go back to"):
        find_previous(use_case, evidence_path, trust)
    for version in ("1", "2"):
        approve(client, said_by(ask, "Ada", version=version), evidence_path, trust)
    with pytest.raises(ReleaseError, match="was never approved"):
        approve(client, said_by(ask, "Ada", version="3", rollback=True), evidence_path, trust)
    assert find_previous(use_case, evidence_path, trust) == "1"
    back = said_by(ask, "Ada", version="1", rollback=True)
    assert approve(client, back, evidence_path, trust).recorded
    assert load_production(client, use_case, evidence_path, trust).version == "1"
    with pytest.raises(ReleaseError, match="nothing to go back to"):
        find_previous(use_case, evidence_path, trust)


@pytest.mark.parametrize(
    ("claimed", "found"),
    [
        ({"expires_at": "9999-12-31T00:00:00+00:00"}, "365 days are allowed"),
        (
            {"fairness_gate": "pass", "accepted_risk": "", "open_gates": ()},
            "it says that the fairness gate said 'pass'; it said 'fail'",
        ),
        ({"rules": ApprovalRules(trainer_may_approve=True)}, "under other rules"),
        ({}, "trained the version"),
    ],
    ids=["lasts", "gate", "rules", "trainer"],
)
def test_what_a_reviewers_key_signs_without_the_command_is_asked_again(
    client: MlflowClient,
    register: Register,
    ask: Ask,
    use_case: str,
    evidence_path: Path,
    claimed: dict[str, Any],
    found: str,
) -> None:
    honest, trainer = trusting({"Ada": ["reviewer"]}), trusting({"Ada": ["reviewer"]}, accounts=[find_account()])
    register(gate="fail")
    before = evidence_path.read_bytes()
    review = approve(client, said_by(ask, "Ada", accept_risk="a pilot"), evidence_path, honest).review
    forged = review.model_copy(update=claimed)
    evidence_path.write_bytes(before)
    entry = append_evidence(evidence_path, "approve", sign_review(forged, KEYS["Ada"]), forged.reviewed_at)
    for tag, value in tags_of(forged, entry).items():
        client.set_model_version_tag(use_case, "1", tag, value)
    trust = honest if claimed else trainer
    with pytest.raises(NotApprovedError, match="that its policy does not allow") as caught:
        load_production(client, use_case, evidence_path, trust)
    assert found in str(caught.value.example)
    findings = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
    assert any(found in finding for finding in findings)
