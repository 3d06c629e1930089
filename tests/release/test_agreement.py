"""What a policy blocks, what somebody has to answer for, and what a policy that changed means for an approval."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from rai_kedro.policy import JUDGED_BY, Policy
from rai_kedro.release.agreement import PolicyError, check_policy
from rai_kedro.release.decisions import Trust
from rai_kedro.release.production import ProductionModel, load_production
from rai_kedro.release.record import read_evidence
from rai_kedro.release.review import ReviewRequest, approve
from rai_kedro.release.versions import ReleaseError, find_aliases

Ask = Callable[..., ReviewRequest]
Register = Callable[..., Any]
TODAY = datetime.now(UTC).date()
WHY = "a pilot of two weeks, watched by Ada"
TOLERANCE = {"metric": "mean_signed_error", "limit": 5.0, "kind": "difference", "column": None}
UNWRITTEN = {"unwritten": ("intended use",)}
MISSED = {"performance": {"metric": "R2", "at_least": 0.5}}  # and no figure of it in the facts

STRICTER: dict[str, tuple[dict[str, Any], str]] = {
    "another role": ({"approval": {"roles": ["reviewer", "officer"]}}, "another role is asked today: officer"),
    "a gate that blocks": (
        {"gates": {"performance": {"metric": "R2", "at_least": 0.5, "insufficient_evidence": "block"}}},
        "R2 was not measured",
    ),
    "a gate that asks for a risk": ({"gates": MISSED}, "nobody accepted that risk"),
}


def state(**policy: Any) -> dict[str, Any]:
    """State what a version is judged by, with a policy of these parts."""
    return {
        **dict.fromkeys(JUDGED_BY),
        "policy": Policy.from_dict(policy).to_dict(),
        "fairness": {"level": 0.95, "tolerances": [dict(TOLERANCE)]},
        "columns": {"feature_store": {"LSTAT": {"flags": ["risky"], "use": "audit"}}},
    }


@pytest.fixture
def put_into_production(
    client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
) -> Callable[..., ProductionModel]:
    """Train under a policy, approve, and load what monitoring scores with."""

    def put(policy: dict[str, Any], *, today: dict[str, Any] | None = None, **said: Any) -> ProductionModel:
        version = register(changes={"policy": policy})
        approve(client, ask(version.version, policy=today, **said), evidence_path, trust)
        return load_production(client, use_case, evidence_path, trust)

    return put


class TestGatesAtTheApproval:
    def test_what_the_policy_blocks_no_risk_opens(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(facts=UNWRITTEN)
        before = read_evidence(evidence_path)
        for risk in (None, WHY):
            with pytest.raises(ReleaseError, match="the policy blocks it") as refused:
                approve(client, ask(accept_risk=risk), evidence_path, trust)
            assert "card: nobody has written: intended use" in str(refused.value)
            assert "write what is named" in refused.value.remedy
        assert read_evidence(evidence_path) == before
        assert find_aliases(client, use_case) == {"candidate": "1"}

    def test_what_it_lets_somebody_answer_for_is_signed_by_name(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(changes={"policy": state(gates=MISSED)})
        with pytest.raises(ReleaseError, match=r"performance \(not assessed\)") as refused:
            approve(client, ask(), evidence_path, trust)
        assert "R2 was not measured on the test rows" in str(refused.value)
        review = approve(client, ask(accept_risk=WHY), evidence_path, trust).review
        assert (review.fairness_gate, review.open_gates, review.accepted_risk) == ("pass", ("performance",), WHY)
        assert load_production(client, use_case, evidence_path, trust).review.open_gates == ("performance",)

    def test_an_edited_report_is_no_report(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        # Written by a training under laxer rules than those the version's manifest names.
        register(changes={"policy": state(gates=MISSED)}, facts={"unwritten": ()}, policy_of_report={})
        with pytest.raises(ReleaseError, match="what the gates of its policy said is not known"):
            approve(client, ask(accept_risk=WHY), evidence_path, trust)


class TestPolicyOfToday:
    def test_the_same_policy_is_no_change(self, put_into_production: Callable[..., ProductionModel]) -> None:
        assert check_policy(put_into_production(state()), state(), TODAY) is None

    def test_a_looser_policy_stops_scoring_and_names_what_and_the_remedy(
        self, put_into_production: Callable[..., ProductionModel]
    ) -> None:
        production, today = put_into_production(state()), state(justification_lasts_days=700)
        today["columns"]["feature_store"]["LSTAT"]["flags"] = []
        with pytest.raises(PolicyError) as refused:
            check_policy(production, today, TODAY)
        text = str(refused.value)
        assert "2 settings are looser" in text
        assert "columns.feature_store.LSTAT.flags: risky when the version was approved, none now" in text
        assert "policy.justification_lasts_days: 365 when the version was approved, 700 now" in text
        assert "kedro rai approve" in text

    def test_a_loosening_that_was_signed_is_agreed_to_and_no_other(
        self, put_into_production: Callable[..., ProductionModel]
    ) -> None:
        today = state(justification_lasts_days=700)
        production = put_into_production(state(), today=today, accept_risk=WHY)
        assert production.review.loosened == (
            "policy.justification_lasts_days: 365 when the version was approved, 700 now",
        )
        change = check_policy(production, today, TODAY)
        assert change is not None and change.stricter == ()
        with pytest.raises(PolicyError, match="stricter policy than today's"):
            check_policy(production, state(justification_lasts_days=701), TODAY)

    def test_who_agrees_to_a_loosening_answers_for_it(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        register(changes={"policy": state()})
        with pytest.raises(ReleaseError, match="a policy that is looser now"):
            approve(client, ask(policy=state(justification_lasts_days=700)), evidence_path, trust)

    def test_a_version_approved_before_is_reviewed_again_for_a_loosening(
        self,
        client: MlflowClient,
        ask: Ask,
        put_into_production: Callable[..., ProductionModel],
        evidence_path: Path,
        trust: Trust,
    ) -> None:
        put_into_production(state())
        today = state(justification_lasts_days=700)
        again = approve(client, ask(policy=today, accept_risk=WHY), evidence_path, trust)
        assert again.recorded
        production = load_production(client, again.review.use_case, evidence_path, trust)
        assert check_policy(production, today, TODAY) is not None

    @pytest.mark.parametrize(("policy", "said"), STRICTER.values(), ids=STRICTER)
    def test_a_stricter_policy_applies_at_once(
        self, put_into_production: Callable[..., ProductionModel], policy: dict[str, Any], said: str
    ) -> None:
        with pytest.raises(PolicyError, match=said):
            check_policy(put_into_production(state()), state(**policy), TODAY)

    def test_a_narrower_limit_of_fairness_is_held_against_what_was_measured(
        self, put_into_production: Callable[..., ProductionModel]
    ) -> None:
        production, narrow, narrower = put_into_production(state()), state(), state()
        narrow["fairness"]["tolerances"][0]["limit"], narrower["fairness"]["tolerances"][0]["limit"] = 3.0, 0.1
        change = check_policy(production, narrow, TODAY)
        assert change is not None
        assert change.stricter == ("fairness.tolerances.difference.mean_signed_error of every grouping",)
        with pytest.raises(PolicyError, match="fairness: 1 verdict: 1 fail; nobody accepted that risk"):
            check_policy(production, narrower, TODAY)

    def test_a_shorter_time_ends_an_approval_at_once(self, put_into_production: Callable[..., ProductionModel]) -> None:
        production, today = put_into_production(state()), state(approval={"lasts_days": 30})
        ends = TODAY.toordinal() + 30
        assert check_policy(production, today, TODAY.fromordinal(ends)) is not None
        with pytest.raises(PolicyError, match="lasts 30 days today, so it ended on"):
            check_policy(production, today, TODAY.fromordinal(ends + 1))

    def test_a_version_without_a_policy_scores_nothing(
        self, put_into_production: Callable[..., ProductionModel]
    ) -> None:
        with pytest.raises(PolicyError, match="before versions kept their policy"):
            check_policy(put_into_production({}), state(), TODAY)


class TestJustifications:
    @pytest.mark.parametrize(
        ("by", "said"),
        [
            ("ada  reviewer", "who approves it"),
            ("ROOT", "who trained this version"),
            ("Model Risk Committee", None),
        ],
    )
    def test_nobody_approves_on_their_own_word(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        evidence_path: Path,
        trust: Trust,
        monkeypatch: pytest.MonkeyPatch,
        by: str,
        said: str | None,
    ) -> None:
        monkeypatch.setenv("LOGNAME", "root")
        column = {"use": "model", "flags": ["risky"], "justification": {"by": by, "reason": "r", "until": "2030-01-01"}}
        register(changes={"contract": {"datasets": {"label_store": {"columns": {"MEDV": column}}}}})
        if said is None:
            assert approve(client, ask(), evidence_path, trust).recorded
            return
        with pytest.raises(ReleaseError, match=said) as refused:
            approve(client, ask(), evidence_path, trust)
        assert "the use of 'MEDV' was justified by" in str(refused.value)
