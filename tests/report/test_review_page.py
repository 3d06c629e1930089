from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest

from rai_kedro.contract import Justification
from rai_kedro.monitoring import VersionComparison
from rai_kedro.monitoring.comparison import MonthGain, Shown
from rai_kedro.performance import Figure
from rai_kedro.policy import GateResult
from rai_kedro.report.card import ModelCard, Uses
from rai_kedro.report.mitigation_section import MitigationRecord
from rai_kedro.report.review_page import (
    Approval,
    EvidenceStatus,
    PendingVersion,
    UseCaseReview,
    render_review_page,
)

from .conftest import make_fairness, replace
from .test_page import PageReader

NOW = datetime(2024, 5, 2, 9, 30, tzinfo=UTC)


def gate(name: str, outcome: str, reason: str, consequence: str = "none") -> GateResult:
    parts = {"outcome": outcome, "consequence": consequence, "evidence": "reports/release_gates.json"}
    return GateResult.from_dict({"name": name, "reason": reason, **parts})


PASSES = gate("fairness", "pass", "1 verdict: 1 pass")
FAILS = gate("fairness", "fail", "1 verdict: 1 fail", "accept_risk")
APPROVE = "kedro rai approve --use-case housing --version 3 --statement TEXT"


def make_pending(card: ModelCard | None, **changes: Any) -> PendingVersion:
    parts: dict[str, Any] = {
        "version": "3",
        "created_at": "2024-05-01T12:00:00+00:00",
        "gates": (PASSES,),
        "card": card,
        "commands": (APPROVE, "kedro rai reject --use-case housing --version 3 --statement TEXT"),
    }
    return PendingVersion(**parts | changes)


def make_review(*pending: PendingVersion, **changes: Any) -> UseCaseReview:
    parts: dict[str, Any] = {"use_case": "housing", "passed_over": (), "production": None}
    return UseCaseReview(pending=pending, **parts | {"evidence": EvidenceStatus(entries=2)} | changes)


def render(*reviews: UseCaseReview) -> str:
    return render_review_page(reviews, now=NOW)


def read(text: str) -> str:
    """Return what a person reads, in one line."""
    body = text.partition("<body>")[2].partition("<script")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def compare(gain: tuple[float, float, float] = (0.4, 0.1, 0.7)) -> VersionComparison:
    """Compare version 3 with version 2 on 1,200 rows; their MAE is 5.0 and 4.6, both are judged to lie apart."""
    verdicts = make_fairness(limit=0.05).gate.verdicts
    figures = [
        Figure(name="MAE", split="months", value=one, lower=one - 0.3, upper=one + 0.3, level=0.95, how="b")
        for one in (5.0, 4.6)
    ]
    old, new = (
        Shown(version=version, review="approved", trained_on=(), performance=(figure,), fairness=verdicts)
        for version, figure in zip(("2", "3"), figures, strict=True)
    )
    value, lower, upper = gain
    return VersionComparison(
        use_case="housing",
        task="regression",
        unit="1000 USD",
        metric="MAE",
        old=old,
        new=new,
        months=("2024-02", "2024-03"),
        left_out={},
        rows=1200,
        gains=(MonthGain(name="MAE", value=value, lower=lower, upper=upper, level=0.95),),
    )


def test_page_counts_what_waits_and_gives_the_exact_command(card: ModelCard) -> None:
    text = render(make_review(make_pending(card)), make_review(use_case="hospital"))
    assert "<h1>1 version waits for a decision</h1>" in text
    assert f"<code>{APPROVE}</code>" in text
    assert "every gate passes" in text
    assert "An approval would be refused" not in text
    assert read(text).count("No version waits for a decision.") == 1
    assert "<h1>No version waits for a decision</h1>" in render(make_review())


def test_what_blocks_stands_before_what_needs_a_risk_and_both_before_what_is_only_told(card: ModelCard) -> None:
    gates = (
        gate("carbon", "not_assessed", "the policy sets no budget"),
        FAILS,
        PASSES,
        gate("proxies", "insufficient_evidence", "B: too few rows", "accept_risk"),
        gate("drift", "fail", "beyond the margin lies RM", "block"),
    )
    said = read(render(make_review(make_pending(card, gates=gates))))
    assert "cannot be approved as it is: drift" in said
    assert "An approval would be refused" in said
    places = [said.index(name) for name in ("Drift fail", "Fairness fail", "Proxies insufficient", "Carbon not")]
    assert places == sorted(places)
    assert said.count("Blocks the approval.") == 1
    assert said.count("Needs an accepted risk.") == 2
    assert "1 verdict: 1 pass" not in said


def test_a_risk_to_accept_is_said_at_once(card: ModelCard) -> None:
    failing = replace(card, fairness=make_fairness(limit=0.05))
    text = render(make_review(make_pending(failing, gates=(FAILS,))))
    assert "can be approved only with an accepted risk: fairness" in text
    assert '<svg class="fail"' in text, "the disparity against its limit"
    assert "1 disparity beyond the limit" in text


def test_unwritten_statements_block_and_are_named_once(card: ModelCard) -> None:
    drafted = replace(card, uses=Uses(intended=("to be written: what for",), out_of_scope=("Valuing a home.",)))
    said = read(render(make_review(make_pending(drafted))))
    assert "cannot be approved as it is: card" in said
    assert said.count("To be written") == 1
    assert "Intended use. Nothing is approved before a person has written them." in said


def test_a_card_that_cannot_be_read_is_no_reason_to_approve() -> None:
    text = render(make_review(make_pending(None, trouble="It has no model card.")))
    assert "cannot be approved: its card cannot be read" in text
    assert "It has no model card." in text


def test_before_and_after_is_shown_only_where_a_mitigation_was_chosen(
    card: ModelCard, mitigation: MitigationRecord
) -> None:
    assert "Before and after mitigation" not in render(make_review(make_pending(card)))
    text = render(make_review(make_pending(replace(card, mitigation=mitigation))))
    row = text.partition('<th scope="row">accuracy')[2].partition("</tr>")[0]
    assert "0.880 [0.870, 0.890]" in row
    assert "0.876 [0.866, 0.886]" in row


def test_versions_stand_beside_each_other_and_are_subtracted_only_when_paired(card: ModelCard) -> None:
    theirs = tuple(replace(one, value=4.0, lower=3.5, upper=4.5) for one in card.performance)
    production = Approval("2", "approved by Ada", card=replace(card, performance=theirs))
    unpaired = render(make_review(make_pending(card), production=production))
    row = unpaired.partition('<th scope="row">MAE')[2].partition("</tr>")[0]
    assert "4.00 [3.50, 4.50]" in row
    assert "3.33 [2.90, 3.78]" in row
    assert "kedro rai compare 2 3 --use-case housing" in unpaired
    assert "Paired gain" not in unpaired
    paired = render(make_review(make_pending(card, comparison=compare()), production=production))
    assert "Version 3 is better than version 2: MAE gains +0.400 [+0.100, +0.700]." in read(paired)
    assert "Paired, on 1,200 labelled rows of 2024-02, 2024-03." in read(paired)
    assert "kedro rai compare" not in paired
    row = paired.partition('<th scope="row">MAE')[2].partition("</tr>")[0]
    assert [text in row for text in ("5.00 [4.70, 5.30]", "4.60 [4.30, 4.90]", "+0.400", "3.33")] == [True] * 3 + [
        False
    ]
    assert "Statistical parity, difference by B, at most 0.05" in read(paired)


@pytest.mark.parametrize(("day", "told"), [("2024-06-01", True), ("2025-06-01", False)])
def test_what_ends_soon_is_told_and_what_ends_late_is_not(card: ModelCard, day: str, told: bool) -> None:
    late = Justification(by="A. Officer", reason="published", until=date(2026, 1, 1))
    columns = tuple(replace(one, justification=late) if one.justification else one for one in card.columns)
    production = Approval(
        "2", "approved by Ada", expires_at=f"{day}T00:00:00+00:00", card=replace(card, columns=columns)
    )
    said = read(render(make_review(production=production)))
    assert ("approval of version 2, until 2024-06-01 (30 days left)" in said) is told
    assert ("Ends soon" in said) is told


def test_what_has_ended_comes_first(card: ModelCard) -> None:
    over = Justification(by="A. Officer", reason="published", until=date(2024, 4, 1))
    columns = tuple(replace(one, justification=over) if one.justification else one for one in card.columns)
    production = Approval("2", "ok", expires_at="2024-05-20T00:00:00+00:00", card=replace(card, columns=columns))
    said = read(render(make_review(production=production)))
    assert said.index("Justification of CRIM in version 2, EXPIRED on 2024-04-01") < said.index(
        "approval of version 2, until"
    )


def test_evidence_says_what_holds_and_when_all_of_it_was_checked() -> None:
    never = read(render(make_review()))
    assert "2 entries, the chain is whole never checked in full; kedro rai verify --use-case housing" in never
    found = EvidenceStatus(
        entries=3,
        broken="",
        verified_at="2024-05-01T08:00:00+00:00",
        verified_entries=2,
        findings=("version 1: its model was changed",),
    )
    said = read(render(make_review(evidence=found)))
    assert "everything was checked 2024-05-01 08:00 UTC, at entry 2: 1 finding version 1" in said
    assert "version 1: its model was changed" in said
    broken = read(render(make_review(evidence=EvidenceStatus(entries=1, broken="line 2 was changed"))))
    assert "line 2 was changed" in broken
    assert "the chain is whole" not in broken


def test_page_fetches_nothing_changes_nothing_and_texts_of_the_data_are_never_markup(hostile_card: ModelCard) -> None:
    attack = "<script>document.title='owned'</script><img src=x onerror=alert(1)>"
    pending = make_pending(
        hostile_card, gates=(gate(attack, "fail", attack, "block"),), commands=(attack,), trouble=attack
    )
    review = make_review(
        pending,
        use_case='"><b>x',
        production=Approval("2", attack, card=hostile_card),
        evidence=EvidenceStatus(
            entries=1, broken=attack, verified_at="2024-05-01T08:00:00+00:00", verified_entries=1, findings=(attack,)
        ),
        passed_over=(attack,),
        pages=((attack, "housing/monitoring.html"),),
    )
    page = PageReader(render(review))
    assert len(page.select("script")) == 1
    assert (
        not page.select("img") + page.select("form") + page.select("input") + page.select("button") + page.select("b>x")
    )
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
    (policy,) = [m["content"] for m in page.select("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert (policy or "").startswith("default-src 'none'; script-src 'sha256-")


def test_structure_serves_screen_readers(card: ModelCard, mitigation: MitigationRecord) -> None:
    production = Approval("2", "approved by Ada", card=card)
    page = PageReader(render(make_review(make_pending(replace(card, mitigation=mitigation)), production=production)))
    assert len(page.select("h1")) == len(page.select("main")) == 1
    assert len(page.select("caption")) == len(page.select("table")) == 3
    identifiers = {a["id"] for _, a in page.tags if "id" in a}
    assert {a["href"][1:] for a in page.select("a") if (a["href"] or "").startswith("#")} <= identifiers
