"""Approving over a fairness gate that does not pass, and every way to make it seem to pass."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from mlflow import MlflowClient

from rai_kedro.commands.review import request_approval
from rai_kedro.fairness import Disparity, Gate, GateDecision, Tolerance
from rai_kedro.hooks.progress import describe_run
from rai_kedro.release import gate as registry_gate
from rai_kedro.release.decisions import Review, Trust, describe_gate, is_covered
from rai_kedro.release.gate import StoredGate, describe_limits, judge_gate, judge_stored
from rai_kedro.release.production import load_production
from rai_kedro.release.record import EvidenceError, append_evidence, read_evidence
from rai_kedro.release.review import ReviewRequest, approve, reject
from rai_kedro.release.verification import verify
from rai_kedro.release.versions import ChangedError, ReleaseError, find_aliases, find_version, list_versions

Ask = Callable[..., ReviewRequest]
Register = Callable[..., Any]
WHY = "a pilot of two weeks, watched by Ada"


def artifact(version: Any, name: str) -> Path:
    return Path(mlflow.artifacts.download_artifacts(run_id=version.run_id)) / "reports" / f"{name}.json"


def edit(path: Path, change: Callable[[Any], None]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def narrow(assessment: Any) -> None:
    """Make the interval that was judged lie around 0."""
    for disparity in assessment["disparities"]:
        disparity.update(lower=-0.01, upper=0.01)


class TestClosedGate:
    def test_refused_in_one_screen_until_the_risk_is_accepted(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        train = f"kedro run --pipelines {use_case}"
        expected = {
            "fail": ("says fail", "1 verdict: 1 fail", "lies outside 0.1", "mitigate", train),
            "insufficient_evidence": ("says insufficient evidence", "spans 1", "further rows", train),
            None: ("says could not be evaluated", "1 problem", "no readable reports/fairness_gate.json", train),
        }
        for number, (outcome, words) in enumerate(expected.items(), start=1):
            register(gate=outcome)
            with pytest.raises(ReleaseError, match="and nobody accepted that risk") as caught:
                approve(client, ask(str(number)), evidence_path, trust)
            text = str(caught.value)
            command = f"kedro rai approve --use-case {use_case} --version {number} --reviewer NAME --statement TEXT"
            for word in (*words, f'{command} --accept-risk "REASON"'):
                assert word in text, text
            assert len(text.splitlines()) <= 5
        assert not evidence_path.exists()
        assert find_aliases(client, use_case) == {"candidate": "3"}

        # Not even what could not be evaluated is out of reach of a person who answers for it.
        review = approve(client, ask("3", accept_risk=f"  {WHY}\n"), evidence_path, trust).review
        assert (review.fairness_gate, review.accepted_risk) == ("could_not_be_evaluated", WHY)
        assert load_production(client, use_case, evidence_path, trust).review == review

    def test_the_accepted_risk_goes_into_record_tags_status_and_card(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        use_case: str,
        evidence_path: Path,
        trust: Trust,
        tmp_path: Path,
    ) -> None:
        version = register(gate="fail")
        risk = "known *gap* <b>& watched</b>"
        outcome = approve(client, ask(accept_risk=risk), evidence_path, trust)
        (entry,) = read_evidence(evidence_path)
        assert entry.body["accepted_risk"] == risk
        assert entry.body["fairness_gate"] == "fail"
        limits = "(level 95 %; mean_signed_error difference of LSTAT at most 0.1)"
        start = f"1 verdict: 1 fail {limits}; e.g. mean_signed_error (difference) of LSTAT: the whole interval"
        assert entry.body["gate_summary"].startswith(start)
        found = client.get_model_version(use_case, "1")
        assert entry.body["gate_digest"] == found.tags["rai.fairness_gate_digest"]
        assert (found.tags["rai.fairness_gate"], found.tags["rai.accepted_risk"]) == ("fail", risk)
        assert outcome.message.endswith(f"The fairness gate said: fail; risk accepted: {risk}")
        (summary,) = list_versions(client, use_case)
        assert (summary["fairness_gate"], summary["accepted_risk"]) == ("fail", risk)
        assert found.description.startswith("A model.\n\nModel card: ")
        # Escaped for MLflow, which shows a description as Markdown.
        assert found.description.endswith(
            r"fairness gate said: fail; risk accepted: known \*gap\* &lt;b&gt;&amp; watched&lt;/b&gt;)"
        )
        for folder in (tmp_path, artifact(version, "fairness_gate").parents[1] / "model_card"):
            page = (folder / "model_card_v1.html").read_text()
            assert "risk accepted: known *gap* &lt;b&gt;&amp; watched&lt;/b&gt;)</p><p>" in page
            assert r"risk accepted: known \*gap\* &lt;b&gt;" in (folder / "model_card_v1.md").read_text()
            assert json.loads((folder / "model_card_v1.json").read_text())["purpose"] == "test"

        reject(client, ask(statement="second thoughts"), evidence_path)
        found = client.get_model_version(use_case, "1")
        assert (found.tags["rai.fairness_gate"], found.tags["rai.accepted_risk"]) == ("fail", "")
        assert found.description.count("Review: ") == 1
        assert "second thoughts" in (tmp_path / "model_card_v1.html").read_text()
        assert verify(evidence_path, use_case=use_case, trust=trust, client=client).findings == ()

    def test_a_risk_that_is_not_there_is_not_accepted(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust
    ) -> None:
        register(gate="pass")
        with pytest.raises(ReleaseError, match=r"no risk to accept[\s\S]*leave --accept-risk out"):
            approve(client, ask(accept_risk=WHY), evidence_path, trust)
        assert not evidence_path.exists()
        review = approve(client, ask(), evidence_path, trust).review
        assert (review.fairness_gate, review.accepted_risk) == ("pass", "")
        with pytest.raises(ReleaseError, match="there is no risk to accept"):
            approve(client, ask(accept_risk=WHY), evidence_path, trust)

    def test_an_empty_reason_is_refused_and_a_recorded_one_stands(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust, tmp_path: Path
    ) -> None:
        version = register(gate="fail")
        for reason in ("", " \n"):
            with pytest.raises(ReleaseError, match="an empty one is not accepted"):
                approve(client, ask(accept_risk=reason), evidence_path, trust)
        with pytest.raises(ValueError, match="accepts no risk"):
            reject(client, ask(accept_risk=WHY), evidence_path)
        assert not evidence_path.exists()
        first = approve(client, ask(accept_risk=WHY), evidence_path, trust)
        # A page that cannot be marked, once a decision is on record, is named and stops nothing.
        for folder in (artifact(version, "fairness_gate").parents[1] / "model_card", tmp_path):
            (folder / "model_card_v1.md").write_text("# A model")
        for again in (ask(), ask(accept_risk="another reason")):
            second = approve(client, again, evidence_path, trust)
            assert (second.recorded, second.review) == (False, first.review)
            assert second.message.endswith("The decision could not be shown in model_card_v1.md; it is on record.")
            assert f"risk accepted: {WHY}" in second.message


class TestForgedBeforeTheReview:
    def test_edited_file(self, client: MlflowClient, register: Register, use_case: str) -> None:
        """The gate failed; whatever is edited, it does not pass, and it is said what was found."""
        version = register(gate="fail")
        edits: list[tuple[str, Callable[[Any], Any] | str | None, str]] = [
            ("fairness_gate", lambda gate: gate.update(outcome="pass"), "is not the one that training stored"),
            ("fairness_gate", lambda gate: gate.clear(), "is not the one that training stored"),
            ("fairness_assessment", narrow, "judged anew its intervals say pass"),
            ("fairness_assessment", lambda found: found["disparities"].clear(), "say could not be evaluated"),
            ("fairness_assessment", lambda found: found.clear(), "cannot be read: KeyError"),
        ]
        for name, unreadable in (("fairness_gate", "is not the one"), ("fairness_assessment", "cannot be read")):
            edits += [(name, text, unreadable) for text in ("", "[]", "{", "null", "\udcff")]
            edits += [(name, None, f"no readable reports/{name}.json")]
        for name, change, found in edits:
            path = artifact(version, name)
            before = path.read_bytes()
            if change is None:
                path.unlink()
            elif isinstance(change, str):
                path.write_bytes(change.encode(errors="surrogateescape"))
            else:
                edit(path, change)
            gate = judge_gate(find_version(client, use_case, "1"))
            assert gate.decision.outcome == "could_not_be_evaluated", (name, change)
            assert found in gate.decision.problems[0]
            path.write_bytes(before)
        assert judge_gate(find_version(client, use_case, "1")).decision.outcome == "fail"

    def test_edited_tag(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        version = register(gate="fail")
        for tag, value, found in (
            ("rai.fairness_gate", "pass", "tag rai.fairness_gate says 'pass', reports/fairness_gate.json says 'fail'"),
            ("rai.fairness_gate", None, "tag rai.fairness_gate says None"),
            ("rai.fairness_gate_digest", "0" * 64, "is not the one that training stored"),
            ("rai.fairness_gate_digest", None, "cannot be compared with that of its training"),
        ):
            before = client.get_model_version(use_case, "1").tags[tag]
            if value is None:
                client.delete_model_version_tag(use_case, "1", tag)
            else:
                client.set_model_version_tag(use_case, "1", tag, value)
            gate = judge_gate(find_version(client, use_case, "1"))
            assert gate.decision.outcome == "could_not_be_evaluated"
            assert found in gate.decision.problems[0]
            client.set_model_version_tag(use_case, "1", tag, before)

        # The word in the file and both tags edited to agree: judging anew finds it.
        path = artifact(version, "fairness_gate")
        edit(path, lambda gate: gate.update(outcome="pass", exit_code=0))
        client.set_model_version_tag(use_case, "1", "rai.fairness_gate", "pass")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        client.set_model_version_tag(use_case, "1", "rai.fairness_gate_digest", digest)
        with pytest.raises(ReleaseError, match="it says pass, but judged anew its intervals say fail"):
            approve(client, ask(), evidence_path, trust)
        # Accepted all the same, the record keeps what was found.
        review = approve(client, ask(accept_risk=WHY), evidence_path, trust).review
        assert review.fairness_gate == "could_not_be_evaluated"
        assert "judged anew its intervals say fail" in review.gate_summary


class TestCardDisagrees:
    """Decision, assessment and both tags rewritten so that they agree; the card, which is digested, says otherwise."""

    def test_what_the_card_says_is_not_approved_as_a_pass(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        use_case: str,
        evidence_path: Path,
        trust: Trust,
        stored_gate: Any,
    ) -> None:
        version = register(gate="insufficient_evidence")
        decision, _ = stored_gate("pass")
        forge(client, version, decision)
        with pytest.raises(ReleaseError, match="the model card says insufficient evidence, the stored") as caught:
            approve(client, ask(), evidence_path, trust)
        assert "says could not be evaluated" in str(caught.value)
        assert not evidence_path.exists()

    def test_as_many_verdicts_on_other_limits_are_a_contradiction(
        self, client: MlflowClient, register: Register, use_case: str, stored_gate: Any
    ) -> None:
        version = register(gate="pass")
        wider, _ = stored_gate("pass")
        wider["verdicts"][0]["tolerance"] = 100.0
        forge(client, version, wider)
        gate = judge_gate(find_version(client, use_case, "1"))
        assert gate.decision.outcome == "could_not_be_evaluated"
        assert "the verdicts on the model card are not those" in gate.summary

    def test_card_that_says_nothing_of_the_gate(
        self, client: MlflowClient, register: Register, write_card: Any, use_case: str
    ) -> None:
        version = register(gate="pass", card=False)
        assert judge_gate(find_version(client, use_case, "1")).decision.outcome == "pass"
        write_card(version, text='{"card": {"fairness": null}}')
        gate = judge_gate(find_version(client, use_case, "1"))
        assert "the model card says nothing readable of the gate" in gate.summary

    def test_an_approval_given_over_it_is_found_and_stops_production(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        use_case: str,
        evidence_path: Path,
        trust: Trust,
        stored_gate: Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        version = register(gate="fail")
        forge(client, version, stored_gate("pass")[0])
        # Approved before the card was asked.
        with monkeypatch.context() as earlier:
            earlier.setattr(registry_gate, "_find_contradicting_card", lambda *_: None)
            assert approve(client, ask(), evidence_path, trust).review.fairness_gate == "pass"
        said = "the model card says fail, the stored decision says pass"
        assert verify(evidence_path, use_case=use_case, trust=trust, client=client).findings == (f"version 1: {said}",)
        with pytest.raises(ChangedError, match=said):
            load_production(client, use_case, evidence_path, trust)


def forge(client: MlflowClient, version: Any, decision: Any) -> None:
    """Put another decision into a version's run, with the tags that go with it."""
    path = artifact(version, "fairness_gate")
    path.write_text(json.dumps(decision))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    client.set_model_version_tag(version.name, version.version, "rai.fairness_gate", decision["outcome"])
    client.set_model_version_tag(version.name, version.version, "rai.fairness_gate_digest", digest)


class TestLimitsOnRecord:
    def test_limits_are_in_the_summary_two_of_them_at_most(self, stored_gate: Any) -> None:
        metrics = ("mean_signed_error", "mean_absolute_error")
        assessed = [Disparity.from_dict(one) for one in stored_gate("pass")[1]["disparities"]]
        several = Gate(tolerances=tuple(Tolerance(metric=metric, limit=9) for metric in metrics)).judge(assessed)
        assert StoredGate(several).summary == (
            "of 2 verdicts: 2 pass (level 95 %; mean_signed_error difference of LSTAT at most 9, "
            "mean_absolute_error difference of LSTAT at most 9)"
        )
        three = GateDecision(outcome="pass", verdicts=(several.verdicts * 2)[:3])
        assert describe_limits(three).endswith("mean_absolute_error difference of LSTAT at most 9 and 1 more")
        ratio = several.verdicts[0].disparity.model_copy(update={"kind": "ratio", "level": 0.51})
        floor = GateDecision(
            outcome="pass", verdicts=(several.verdicts[0].model_copy(update={"disparity": ratio, "tolerance": 0.8}),)
        )
        assert describe_limits(floor) == "level 51 %; mean_signed_error ratio of LSTAT at least 0.8"
        assert not describe_limits(GateDecision.could_not_be_evaluated("nothing measured"))


class TestJudgedAnew:
    @pytest.mark.parametrize("outcome", ["pass", "insufficient_evidence", "fail"])
    def test_an_untouched_decision_is_the_same(self, stored_gate: Any, outcome: str) -> None:
        decision, assessment = stored_gate(outcome)
        assert judge_stored(decision, assessment).to_dict() == decision
        assert decision["outcome"] == outcome

    @pytest.mark.parametrize(
        "change",
        [
            lambda gate: gate.update(outcome="pass"),
            lambda gate: gate["verdicts"][0].update(outcome="pass"),
            lambda gate: gate["verdicts"][0]["disparity"].update(lower=0.0, upper=0.05),
            lambda gate: gate.update(outcome="pass", verdicts=[]),
            lambda gate: gate.update(outcome="pass", problems=["none of it matters"]),
            lambda gate: gate.update(outcome="excellent"),
            lambda gate: gate["verdicts"].append(gate["verdicts"][0]),
            lambda gate: gate.update(without_tolerance=[]),
            lambda gate: gate["verdicts"][0]["disparity"].update(upper="wide"),
        ],
    )
    def test_an_edited_one_could_not_be_evaluated(self, stored_gate: Any, change: Any) -> None:
        decision, assessment = stored_gate("fail")
        change(decision)
        assert judge_stored(decision, assessment).outcome == "could_not_be_evaluated"

    def test_what_could_not_be_evaluated_at_training_stays_so(self, stored_gate: Any) -> None:
        decision = GateDecision.could_not_be_evaluated("no tolerance is set").to_dict()
        assert judge_stored(decision, stored_gate("pass")[1]).to_dict() == decision


class TestForgedAfterTheApproval:
    def test_edited_decision_or_tag_stops_production_and_is_found(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        version = register(gate="fail")
        approve(client, ask(accept_risk=WHY), evidence_path, trust)
        path = artifact(version, "fairness_gate")
        before = path.read_bytes()
        for change, trouble in (
            (lambda: edit(path, lambda gate: gate.update(outcome="pass")), "decision changed after the approval"),
            (path.unlink, "its decision is gone"),
        ):
            change()
            with pytest.raises(ChangedError, match=rf"may not be used: .*{trouble}") as caught:
                load_production(client, use_case, evidence_path, trust)
            assert f"risk accepted: {WHY}" in str(caught.value.example)
            (finding,) = verify(evidence_path, use_case=use_case, trust=trust, client=client).findings
            assert finding.startswith("version 1: ") and trouble in finding
            with pytest.raises(ReleaseError, match="could not be evaluated"):
                approve(client, ask(), evidence_path, trust)
            path.write_bytes(before)
        for tag, value in (("rai.fairness_gate", "pass"), ("rai.accepted_risk", "")):
            client.set_model_version_tag(use_case, "1", tag, value)
            with pytest.raises(EvidenceError, match=f"{tag} is '{value}' on the version"):
                load_production(client, use_case, evidence_path, trust)
            (finding,) = verify(evidence_path, use_case=use_case, trust=trust, client=client).findings
            assert tag in finding
            # The record is right: deciding the same again sets the tag from it.
            assert not approve(client, ask(), evidence_path, trust).recorded
        assert load_production(client, use_case, evidence_path, trust).review.accepted_risk == WHY

    def test_edited_record_is_found_with_and_without_a_new_chain_and_new_tags(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(gate="fail")
        approve(client, ask(accept_risk=WHY), evidence_path, trust)
        (entry,) = read_evidence(evidence_path)
        evidence_path.write_text(evidence_path.read_text().replace('"fairness_gate":"fail"', '"fairness_gate":"pass"'))
        with pytest.raises(EvidenceError, match="line 1"):
            load_production(client, use_case, evidence_path, trust)
        assert verify(evidence_path, use_case=use_case, trust=trust, client=client).findings

        for gate, risk, trouble in (
            ("pass", "", "says that the fairness gate passes, the decision says fail"),
            ("fail", "", "accepts no risk"),
            ("", WHY, "accepts no risk"),
        ):
            evidence_path.unlink()
            body = {**entry.body, "fairness_gate": gate, "accepted_risk": risk}
            forged = append_evidence(evidence_path, entry.kind, body, entry.recorded_at)
            tags = {"rai.fairness_gate": gate, "rai.accepted_risk": risk, "rai.evidence": forged.hash}
            for tag, value in tags.items():
                client.set_model_version_tag(use_case, "1", tag, value)
            with pytest.raises(ChangedError, match=trouble):
                load_production(client, use_case, evidence_path, trust)
            (finding,) = verify(evidence_path, use_case=use_case, trust=trust, client=client).findings
            assert finding.startswith("version 1: its approval")

    def test_approval_from_before_the_gate_was_asked_has_to_be_given_again(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(gate=None)
        approve(client, ask(accept_risk=WHY), evidence_path, trust)
        (entry,) = read_evidence(evidence_path)
        evidence_path.unlink()
        new = {"fairness_gate", "gate_summary", "gate_digest", "accepted_risk"}
        older = {name: value for name, value in entry.body.items() if name not in new}
        anchor = append_evidence(evidence_path, entry.kind, older, entry.recorded_at).hash
        client.set_model_version_tag(use_case, "1", "rai.evidence", anchor)
        client.set_model_version_tag(use_case, "1", "rai.accepted_risk", "")
        with pytest.raises(ChangedError, match="accepts no risk"):
            load_production(client, use_case, evidence_path, trust)
        with pytest.raises(ReleaseError, match="and nobody accepted that risk"):
            approve(client, ask(), evidence_path, trust)
        assert approve(client, ask(accept_risk=WHY), evidence_path, trust).recorded
        assert load_production(client, use_case, evidence_path, trust).version == "1"


def test_demo_and_closing_table_ask_the_gate(register: Register, use_case: str) -> None:
    steps = Pipeline([node(lambda: None, None, f"{use_case}.candidate_model")])
    for outcome, accepts in (("fail", True), ("pass", False)):
        version = register(gate=outcome)
        request = request_approval(version)
        assert request.demo
        assert (request.accept_risk is not None) == accepts
        if request.accept_risk is not None:
            assert request.accept_risk.startswith("Demonstration: nobody answers for this risk")
        catalog = DataCatalog({f"{use_case}.candidate_model": MemoryDataset(version, copy_mode="assign")})
        lines = describe_run(steps, catalog, 1.0)
        assert any(line.split()[:3] == ["fairness", "gate:", outcome] for line in lines), lines
        command = f"kedro rai approve --use-case {use_case} --version {version.version} --reviewer NAME"
        risk = ' --accept-risk "REASON"' if accepts else ""
        assert lines[-1].strip() == f"{command} --statement TEXT{risk}"


def test_real_card_has_the_lines_that_a_decision_goes_into() -> None:
    from rai_kedro import report
    from rai_kedro.release.card import STATUS_LINES

    templates = Path(report.__file__).parent / "templates"
    for ending, line in STATUS_LINES.items():
        assert len(line.findall((templates / f"model_card.{ending}.j2").read_text())) == 1


def test_words_of_the_gate() -> None:
    assert describe_gate(None, None) == "fairness gate said: nothing, it was not asked"
    assert describe_gate("pass", "") == "fairness gate said: pass"
    review = Review(
        use_case="a",
        version="1",
        run_id="run",
        decision="approved",
        reviewer="Ada",
        statement="ok",
        reviewed_at="2024",
        model_digest="",
        companion_digest="",
        fairness_gate="fail",
    )
    assert not is_covered(review)
