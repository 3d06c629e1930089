"""Approving over a fairness gate that does not pass, and every way to make it seem to pass."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
import rfc8785
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node
from mlflow import MlflowClient

from rai_kedro.commands.review import find_demo_risk
from rai_kedro.fairness import Disparity, Gate, GateDecision, Tolerance
from rai_kedro.hooks.progress import describe_run
from rai_kedro.release.decisions import Review, Trust, describe_gate, is_covered, list_decisions, tags_of
from rai_kedro.release.gate import StoredGate, describe_limits, judge_gate, judge_stored
from rai_kedro.release.production import load_production
from rai_kedro.release.record import EvidenceError, append_evidence, read_evidence
from rai_kedro.release.review import ReviewRequest, approve, reject
from rai_kedro.release.verification import verify
from rai_kedro.release.versions import (
    ChangedError,
    IncompleteError,
    NotApprovedError,
    ReleaseError,
    find_aliases,
    find_version,
    list_versions,
)

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
            "insufficient_evidence": ("says insufficient evidence", "reaches both sides of 1", "further rows", train),
            "could_not_be_evaluated": ("says could not be evaluated", "1 problem", "nothing was measured", train),
        }
        for number, (outcome, words) in enumerate(expected.items(), start=1):
            register(gate=outcome)
            with pytest.raises(ReleaseError, match="and nobody accepted that risk") as caught:
                approve(client, ask(str(number)), evidence_path, trust)
            text = str(caught.value)
            command = f"kedro rai approve --use-case {use_case} --version {number} --statement TEXT"
            for word in (*words, f'{command} --accept-risk "REASON"'):
                assert word in text, text
            assert len(text.splitlines()) <= 5
        assert {entry.kind for entry in read_evidence(evidence_path)} == {"trained"}
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
        ((review, _),) = list_decisions(read_evidence(evidence_path), use_case)
        assert (review.accepted_risk, review.fairness_gate) == (risk, "fail")
        limits = "(level 95 %; mean_signed_error difference of LSTAT at most 0.1)"
        start = f"1 verdict: 1 fail {limits}; e.g. mean_signed_error (difference) of LSTAT: the whole interval"
        assert review.gate_summary.startswith(start)
        found = client.get_model_version(use_case, "1")
        assert (found.tags["rai.fairness_gate"], found.tags["rai.accepted_risk"]) == ("fail", risk)
        assert outcome.message.endswith(f"The fairness gate said: fail; risk accepted: {risk}")
        (summary,) = list_versions(client, use_case)
        assert (summary["fairness_gate"], summary["accepted_risk"]) == ("fail", risk)
        assert found.description.startswith("A model.\n\nModel card: ")
        # Escaped for MLflow, which shows a description as Markdown.
        assert found.description.endswith(
            r"fairness gate said: fail; risk accepted: known \*gap\* &lt;b&gt;&amp; watched&lt;/b&gt;)"
        )
        page = (tmp_path / "model_card_v1.html").read_text()
        assert "risk accepted: known *gap* &lt;b&gt;&amp; watched&lt;/b&gt;)</p><p>" in page
        assert r"risk accepted: known \*gap\* &lt;b&gt;" in (tmp_path / "model_card_v1.md").read_text()
        stored = artifact(version, "fairness_gate").parents[1] / "model_card"
        for name in ("model_card_v1.html", "model_card_v1.md"):
            assert "accepted" not in (stored / name).read_text()

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
        assert {entry.kind for entry in read_evidence(evidence_path)} == {"trained"}
        review = approve(client, ask(), evidence_path, trust).review
        assert (review.fairness_gate, review.accepted_risk) == ("pass", "")
        with pytest.raises(ReleaseError, match="there is no risk to accept"):
            approve(client, ask(accept_risk=WHY), evidence_path, trust)

    def test_an_empty_reason_is_refused_and_a_recorded_one_stands(
        self, client: MlflowClient, register: Register, ask: Ask, evidence_path: Path, trust: Trust, tmp_path: Path
    ) -> None:
        register(gate="fail")
        for reason in ("", " \n"):
            with pytest.raises(ReleaseError, match="an empty one is not accepted"):
                approve(client, ask(accept_risk=reason), evidence_path, trust)
        with pytest.raises(ValueError, match="accepts no risk"):
            reject(client, ask(accept_risk=WHY), evidence_path)
        assert {entry.kind for entry in read_evidence(evidence_path)} == {"trained"}
        first = approve(client, ask(accept_risk=WHY), evidence_path, trust)
        # A page that cannot be marked, once a decision is on record, is named and stops nothing.
        (tmp_path / "model_card_v1.md").write_text("# A model")
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
            ("fairness_gate", lambda gate: gate.update(outcome="pass"), "the stored decision cannot be read"),
            ("fairness_gate", lambda gate: gate.update(outcome="pass", exit_code=0), "intervals say fail"),
            ("fairness_gate", lambda gate: gate.clear(), "the stored decision cannot be read"),
            ("fairness_assessment", narrow, "judged anew its intervals say pass"),
            ("fairness_assessment", lambda found: found["disparities"].clear(), "say could not be evaluated"),
            ("fairness_assessment", lambda found: found.clear(), "cannot be read: KeyError"),
        ]
        for name in ("fairness_gate", "fairness_assessment"):
            edits += [(name, text, "cannot be read") for text in ("", "[]", "{", "null", "\udcff")]
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

    def test_whatever_is_rewritten_so_that_it_agrees_is_not_what_training_recorded(
        self,
        client: MlflowClient,
        register: Register,
        ask: Ask,
        use_case: str,
        evidence_path: Path,
        trust: Trust,
        stored_gate: Any,
    ) -> None:
        version = register(gate="fail")
        artifact(version, "fairness_gate").write_text(json.dumps(stored_gate("pass")[0]))
        client.set_model_version_tag(use_case, "1", "rai.fairness_gate", "pass")
        assert judge_gate(find_version(client, use_case, "1")).decision.outcome == "pass"
        with pytest.raises(ChangedError, match=r"reports/fairness_gate\.json changed"):
            approve(client, ask(), evidence_path, trust)


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
        for change in (lambda: edit(path, lambda gate: gate.update(outcome="pass")), path.unlink):
            change()
            with pytest.raises((ChangedError, IncompleteError), match=r"fairness_gate\.json"):
                load_production(client, use_case, evidence_path, trust)
            (finding,) = [
                one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings
            ]
            assert finding.startswith("version 1: ") and "fairness_gate.json" in finding
            with pytest.raises((ChangedError, IncompleteError), match=r"fairness_gate\.json"):
                approve(client, ask(), evidence_path, trust)
            path.write_bytes(before)
        for tag, value in (("rai.fairness_gate", "pass"), ("rai.accepted_risk", "")):
            client.set_model_version_tag(use_case, "1", tag, value)
            with pytest.raises(EvidenceError, match=f"{tag} is '{value}' on the version"):
                load_production(client, use_case, evidence_path, trust)
            (finding,) = [
                one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings
            ]
            assert tag in finding
            # The record is right: deciding the same again sets the tag from it.
            assert not approve(client, ask(), evidence_path, trust).recorded
        assert load_production(client, use_case, evidence_path, trust).review.accepted_risk == WHY

    def test_an_approval_rewritten_with_a_new_chain_and_new_tags_has_no_signature(
        self, client: MlflowClient, register: Register, ask: Ask, use_case: str, evidence_path: Path, trust: Trust
    ) -> None:
        register(gate="fail")
        approve(client, ask(accept_risk=WHY), evidence_path, trust)
        trained, entry = read_evidence(evidence_path)
        ((review, _),) = list_decisions([entry], use_case)
        for changes in ({"fairness_gate": "pass", "accepted_risk": ""}, {"reviewer": "Somebody Else"}):
            forged_review = review.model_copy(update=changes)
            payload = base64.b64encode(rfc8785.dumps(forged_review.to_statement())).decode()
            evidence_path.unlink()
            append_evidence(evidence_path, trained.kind, trained.body, trained.recorded_at)
            body = {"envelope": {**entry.body["envelope"], "payload": payload}}
            forged = append_evidence(evidence_path, entry.kind, body, entry.recorded_at)
            for tag, value in tags_of(forged_review, forged).items():
                client.set_model_version_tag(use_case, "1", tag, value)
            with pytest.raises(NotApprovedError, match="The signature does not fit"):
                load_production(client, use_case, evidence_path, trust)
            found = [one.what for one in verify(evidence_path, use_case=use_case, trust=trust, client=client).findings]
            assert any("The signature does not fit" in finding for finding in found)


def test_demo_and_closing_table_ask_the_gate(register: Register, use_case: str) -> None:
    steps = Pipeline([node(lambda: None, None, f"{use_case}.candidate_model")])
    for outcome, accepts in (("fail", True), ("pass", False)):
        version = register(gate=outcome)
        risk = find_demo_risk(version)
        assert (risk is not None) == accepts
        assert risk is None or risk.startswith("Demonstration: nobody answers for this risk")
        catalog = DataCatalog({f"{use_case}.candidate_model": MemoryDataset(version, copy_mode="assign")})
        lines = describe_run(steps, catalog, 1.0)
        assert any("fairness" in line and outcome in line.split() for line in lines), lines
        command = f"kedro rai approve --use-case {use_case} --version {version.version} --statement TEXT"
        assert lines[-1].strip() == command + (' --accept-risk "REASON"' if accepts else "")


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
        reviewed_at="2024-05-01T12:00:00+00:00",
        manifest="",
        fairness_gate="fail",
    )
    assert not is_covered(review)
