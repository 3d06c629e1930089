from __future__ import annotations

import json
import re
from datetime import date

import pytest

from rai_kedro.contract import Justification
from rai_kedro.fairness import GateDecision
from rai_kedro.policy import GateFacts, Policy, judge_gates
from rai_kedro.questionnaire import Step
from rai_kedro.report.card import ModelCard, Uses
from rai_kedro.report.model_card import build_model_card, render_html, render_json, render_markdown
from rai_kedro.report.standing import describe_standing, trace_origin

from .conftest import make_fairness, replace


def test_an_interval_within_its_limit_is_proven_and_one_that_spans_it_is_open(card: ModelCard) -> None:
    passing = describe_standing(replace(card, fairness=make_fairness(limit=0.5)))
    assert "1 of 1 judged disparity within the limit" in passing.shown
    spanning = describe_standing(replace(card, fairness=make_fairness(limit=0.2)))
    assert "1 disparity without sufficient evidence" in spanning.open
    failing = describe_standing(replace(card, fairness=make_fairness(limit=0.05)))
    assert "1 disparity beyond the limit" in failing.open
    assert not [text for text in (*spanning.shown, *failing.shown) if "within" in text]


def test_a_gate_that_could_not_be_evaluated_proves_nothing(card: ModelCard) -> None:
    record = make_fairness(limit=0.5)
    closed = GateDecision(outcome="could_not_be_evaluated", problems=("no interval",), verdicts=record.gate.verdicts)
    found = describe_standing(replace(card, fairness=replace(record, gate=closed)))
    assert not [text for text in found.shown if "within" in text]
    assert "the fairness gate, which could not be evaluated" in found.open


def test_a_figure_without_an_interval_and_code_with_changes_are_not_proven(card: ModelCard) -> None:
    assert [text for text in describe_standing(card).shown if "performance" in text]
    bare = replace(
        card,
        performance=tuple(replace(one, lower=None, upper=None) for one in card.performance),
        data=replace(card.data, git_commit="4f2c with uncommitted changes"),
    )
    found = describe_standing(bare)
    assert found.shown == ("1 of 1 judged disparity within the limit", "the training rows, by their digest")
    assert "the code, which had uncommitted changes" in found.open


def test_what_a_person_said_is_stated_unless_it_is_a_drafts(card: ModelCard) -> None:
    steps = tuple(Step(question=f"q{n}", answer="no", answered_by=by) for n, by in enumerate(("person", "parameters")))
    asked = replace(card, questionnaire=replace(card.questionnaire, path=steps))
    found = describe_standing(asked)
    assert found.stated[0] == "intended use, use out of scope, limits"
    assert "1 justification of what is in the model" in found.stated
    assert "1 answer on what is fair here" in found.stated
    drafted = replace(asked, uses=Uses(intended=("to be written: what for",), out_of_scope=("Valuing a home.",)))
    assert describe_standing(drafted).stated[0] == "use out of scope, limits"
    assert describe_standing(drafted).open[0] == "1 statement to be written"


def test_gates_of_the_policy_are_proven_or_open_and_what_the_policy_allows_is_neither(card: ModelCard) -> None:
    asked = {"performance": {"metric": "MAE", "at_most": 4.0}, "carbon": {"most_g": 1e-9}}
    facts = GateFacts(performance=card.performance[1:], fairness="pass", carbon_g=0.00065, no_drift="one month")
    gated = replace(card, gates=judge_gates(Policy.from_dict({"gates": asked}), facts))
    found = describe_standing(gated)
    assert "1 gate of the policy (performance)" in found.shown
    assert [text for text in found.open if "fail" in text] == ["carbon, fail"]
    assert not [text for text in (*found.shown, *found.open) if text.startswith(("drift", "proxies", "fairness,"))]


def test_a_justification_that_no_longer_holds_is_open(card: ModelCard) -> None:
    assert not [text for text in describe_standing(card).open if "justification" in text]
    late = Justification(by="A. Officer", reason="published figure", until=date(2024, 4, 30))  # the card is of 1 May
    columns = tuple(replace(one, justification=late) if one.justification else one for one in card.columns)
    assert [text for text in describe_standing(replace(card, columns=columns)).open if "justification" in text] == [
        "1 flagged column in the model without a justification that holds"
    ]


@pytest.mark.parametrize("words", ["to be written", "To be written (numbers from 1 to 9)", " "])
def test_a_drafts_words_are_listed_by_place(card: ModelCard, words: str) -> None:
    assert card.unwritten == ()
    drafted = replace(
        card,
        identity=replace(card.identity, owner="nobody yet"),
        uses=Uses(intended=("Showing.",), out_of_scope=(words,)),
        columns=tuple(replace(one, description=words) if one.name == "RM" else one for one in card.columns),
    )
    assert drafted.unwritten == ("owner", "use out of scope", "description of RM")
    document = json.loads(render_json(drafted))
    assert document["unwritten"] == list(drafted.unwritten)
    assert [one["topic"] for one in document["look_at_first"]].count("To be written") == 3


def test_the_way_to_the_approval_names_each_step_and_where_it_stands(card: ModelCard) -> None:
    steps = trace_origin(card)
    assert [step.name for step in steps] == ["Answers", "Metrics", "Limits", "Mitigation", "Gate", "Approval"]
    by_name = {step.name: step for step in steps}
    assert by_name["Limits"].text == "statistical parity (difference) at most 0.5"
    assert by_name["Gate"].text == "pass"
    assert by_name["Gate"].where == "reports/fairness_gate.json, run 8f1c"
    assert by_name["Approval"].where == "evidence record of housing, version 3"
    page = render_html(card, {})
    assert all(f'id="{step.section}"' in page for step in steps)


def test_top_of_the_card_says_what_is_shown_stated_and_open_on_every_form(parts: ModelCard) -> None:
    card = build_model_card(parts)
    for text in (render_html(card, {}), render_markdown(card)):
        top = re.sub(r"<[^>]+>|\*\*", "", text.partition("Summary</h2>")[0].partition("## Summary")[0])
        assert re.search(r"Shown: .+\. Stated: .+\. Open: .+\.", top)
    assert json.loads(render_json(card))["standing"] == describe_standing(card).to_dict()


def test_verdicts_are_drawn_and_near_equal_points_are_one_with_a_count(card: ModelCard) -> None:
    small = replace(card, fairness=make_fairness(limit=0.05, groups=("low", "high", "few")))
    bare = tuple(replace(one, lower=None, upper=None) for one in card.performance)
    page = render_html(replace(small, performance=bare), {})
    first = page.partition('<section class="first"')[2].partition("</section>")[0]
    assert "<b>No interval: 2</b>" in first
    assert "MAE on train: its uncertainty was not measured." in first
    assert "Fairness limit exceeded" not in first
    assert first.count('<svg class="fail"') == 1
