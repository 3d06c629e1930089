"""Answers lead to metrics: in conversation, from a file, and held against metrics that somebody edited."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rai_kedro.fairness import METRICS
from rai_kedro.questionnaire import (
    AnswersError,
    Outcome,
    check_consistency,
    follow,
    interview,
    load_tree,
    next_question,
    read_answers,
)
from rai_kedro.questionnaire.tree import list_paths

TREE = load_tree()
PATHS = [{name: answer.key for name, answer in path} for path in list_paths(TREE)]
EQUALIZED_ODDS = {
    "individual_or_group": "no",
    "task": "two_outcomes",
    "standard": "no",
    "reliable_label": "yes",
    "error_kind": "recall",
    "recall_threshold": "fixed",
    "recall_errors": "both",
}
WORDS = sorted({answer.key for question in TREE.questions.values() for answer in question.answers})


class Conversation:
    """A person's side: lines to type, and everything that was shown."""

    def __init__(self, *lines: str) -> None:
        self._lines = iter(lines)
        self.shown: list[str] = []

    def read(self, prompt: str) -> str:
        self.shown.append(prompt)
        try:
            return next(self._lines)
        except StopIteration:
            raise EOFError from None

    @property
    def text(self) -> str:
        return "".join(self.shown)

    def have(self, known: Mapping[str, str] | None = None) -> Outcome | None:
        return interview(TREE, self.read, self.shown.append, known=known)


def test_every_path_ends_in_metrics_that_are_computed() -> None:
    for answers in PATHS:
        outcome = follow(TREE, answers)
        assert outcome.metrics and set(outcome.metrics) <= set(METRICS)
        assert [step.question for step in outcome.path] == list(answers)


@pytest.mark.parametrize("answers", PATHS, ids=lambda a: "-".join(a.values()))
def test_conversation_and_file_agree_on_every_path(answers: dict[str, str]) -> None:
    assert Conversation(*answers.values()).have() == follow(TREE, answers)


def test_both_gives_the_metric_and_its_parts() -> None:
    outcome = follow(TREE, EQUALIZED_ODDS)

    assert outcome.metrics == ("equalized_odds", "equal_opportunity", "predictive_equality")
    assert outcome.task == "classification"
    assert "the worse of the two" in outcome.notes[0]


def test_both_in_regression_gathers_metrics_along_the_way() -> None:
    answers = ["no", "amount", "yes", "both", "both", "both"]
    outcome = Conversation(*answers).have()

    assert outcome is not None
    assert outcome.metrics == (
        "mean_prediction",
        "mean_signed_error",
        "mean_absolute_error",
        "root_mean_squared_error",
    )


def test_without_similarity_the_questions_go_on_with_groups() -> None:
    outcome = Conversation("yes", "no", "no", "two_outcomes", "yes").have()

    assert outcome is not None and outcome.metrics == ("statistical_parity",)


def test_a_question_is_shown_with_example_and_answers() -> None:
    conversation = Conversation("quit")

    assert conversation.have() is None
    question = TREE.questions["individual_or_group"]
    shown = " ".join(conversation.text.split())
    assert question.text in shown and question.example in shown
    assert all(answer.key in shown and answer.text in shown for answer in question.answers)
    assert question.why not in shown


def test_why_explains_and_asks_again() -> None:
    conversation = Conversation("why", "quit")

    assert conversation.have() is None
    assert TREE.questions["individual_or_group"].why in " ".join(conversation.text.split())
    assert conversation.text.count("> ") == 2


def test_back_undoes_the_last_answer_only() -> None:
    answers = list(EQUALIZED_ODDS.values())
    mistaken = [*answers[:4], "precision", "back", *answers[4:]]

    assert Conversation(*mistaken).have() == follow(TREE, EQUALIZED_ODDS)


def test_back_at_the_first_question_says_so() -> None:
    conversation = Conversation("back", *EQUALIZED_ODDS.values())

    assert conversation.have() == follow(TREE, EQUALIZED_ODDS)
    assert "This is the first question." in conversation.text


def test_numbers_capitals_and_blanks_are_accepted() -> None:
    outcome = Conversation("2", " NO-PE ", "1", "No", "YES", "1", "1", "false negatives").have()

    assert outcome is not None and outcome.metrics == ("equal_opportunity",)


@pytest.mark.parametrize("said", ["maybe", "", "3", "0", "-1", "y", "yesno", "FN"])
def test_anything_else_is_refused_with_what_is_allowed(said: str) -> None:
    conversation = Conversation(said, "quit")

    assert conversation.have() is None
    assert "Type yes, no (or its number), or: back, why, quit." in conversation.text


def test_the_end_of_input_leaves_without_a_result() -> None:
    assert Conversation("no", "two_outcomes").have() is None


def test_what_the_parameters_say_is_shown_and_not_asked() -> None:
    known = TREE.find_task_answer("classification")
    conversation = Conversation("no", "yes")
    outcome = conversation.have(known)

    assert outcome is not None and outcome.metrics == ("statistical_parity",)
    assert [step.answered_by for step in outcome.path] == ["person", "parameters", "person"]
    assert "Known from the parameters" in conversation.text


def test_answers_offered_are_the_answers_accepted() -> None:
    for question in TREE.questions.values():
        offered = {answer.key for answer in question.answers}
        assert {word for word in WORDS if question.accept(word)} == offered


@settings(max_examples=200)
@given(st.lists(st.one_of(st.sampled_from([*WORDS, "1", "2", "3", "back", "why"]), st.text(max_size=5)), max_size=60))
def test_whatever_is_typed_the_result_is_one_of_the_paths(lines: list[str]) -> None:
    conversation = Conversation(*lines)
    outcome = conversation.have()

    if outcome is not None:
        assert {step.question: step.answer for step in outcome.path} in PATHS


def test_an_outcome_comes_back_from_json() -> None:
    for answers in PATHS:
        outcome = follow(TREE, answers)
        assert Outcome.from_dict(json.loads(json.dumps(outcome.to_dict()))) == outcome


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "answers.yml"


def write(file: Path, answers: Mapping[str, str]) -> Path:
    file.write_text("# why we chose so\n" + "".join(f"{name}: {said}\n" for name, said in answers.items()))
    return file


@pytest.mark.parametrize("answers", PATHS, ids=lambda a: "-".join(a.values()))
def test_a_file_with_bare_yes_and_no_is_read(answers: dict[str, str], file: Path) -> None:
    assert follow(TREE, read_answers(write(file, answers))) == follow(TREE, answers)


@pytest.mark.parametrize("missing", list(EQUALIZED_ODDS))
def test_a_missing_answer_is_named_with_what_is_allowed(missing: str, file: Path) -> None:
    write(file, {name: said for name, said in EQUALIZED_ODDS.items() if name != missing})

    with pytest.raises(AnswersError, match=f"The answer to '{missing}' is missing") as caught:
        follow(TREE, read_answers(file), where=str(file))
    assert TREE.questions[missing].list_keys() in str(caught.value)
    assert str(file) in str(caught.value)


def test_an_unknown_answer_is_named_with_what_is_allowed(file: Path) -> None:
    write(file, EQUALIZED_ODDS | {"recall_errors": "FN"})

    with pytest.raises(AnswersError, match=r"(?s)'FN' is no answer to 'recall_errors'.*false_negatives, false_pos"):
        follow(TREE, read_answers(file))


def test_an_unknown_question_is_named_with_what_was_meant(file: Path) -> None:
    write(file, EQUALIZED_ODDS | {"recall_error": "both"})

    with pytest.raises(AnswersError, match=r"(?s)no question 'recall_error'.*did you mean 'recall_errors'"):
        follow(TREE, read_answers(file))


def test_an_answer_off_the_way_is_not_ignored(file: Path) -> None:
    write(file, EQUALIZED_ODDS | {"precision_side": "both"})

    with pytest.raises(AnswersError, match="do not lead to the question 'precision_side'"):
        follow(TREE, read_answers(file))


def test_an_answer_against_the_parameters_is_refused(file: Path) -> None:
    known = TREE.find_task_answer("regression")

    with pytest.raises(AnswersError, match="'task: two_outcomes' contradicts the parameters"):
        follow(TREE, read_answers(write(file, EQUALIZED_ODDS)), known=known)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"- no\n- yes\n",
        b"just words",
        b"standard: [yes]\n",
        b"standard: 1\n",
        b"standard:\n",
        b"1: no\n",
        b"standard: yes\nstandard: no\n",
        b"standard: 'yes\n",
        b"standard: \xff\xfe\n",
    ],
)
def test_a_file_of_another_form_is_refused(content: bytes, file: Path) -> None:
    file.write_bytes(content)

    with pytest.raises(AnswersError, match="cannot be read") as caught:
        read_answers(file)
    assert str(file) in str(caught.value)


def test_a_file_that_is_not_there_is_named(file: Path) -> None:
    with pytest.raises(AnswersError, match=r"(?s)cannot be read.*answers\.yml.*No such file"):
        read_answers(file)


def recorded() -> list[dict[str, Any]]:
    path: list[dict[str, Any]] = follow(TREE, EQUALIZED_ODDS).to_dict()["path"]
    return path


def kinds(path: Any, metrics: list[str]) -> list[tuple[str, str | None]]:
    return [(finding.kind, finding.metric) for finding in check_consistency(path, metrics)]


@pytest.mark.parametrize("answers", PATHS, ids=lambda a: "-".join(a.values()))
def test_what_the_answers_lead_to_is_consistent(answers: dict[str, str]) -> None:
    outcome = follow(TREE, answers)

    assert check_consistency(outcome.path, outcome.metrics) == []
    assert check_consistency(outcome.to_dict()["path"], list(reversed(outcome.metrics))) == []


def test_a_metric_put_in_by_hand_is_reported() -> None:
    metrics = ["equalized_odds", "equal_opportunity", "predictive_equality", "statistical_parity"]
    (finding,) = check_consistency(recorded(), metrics)

    assert (finding.kind, finding.metric, finding.contradicts) == ("metric_added", "statistical_parity", True)
    assert "recall_errors: both" in finding.message and "equalized_odds" in finding.message


def test_a_metric_taken_out_by_hand_is_reported() -> None:
    assert kinds(recorded(), ["equalized_odds", "equal_opportunity"]) == [("metric_missing", "predictive_equality")]


def test_a_misspelt_metric_is_reported_as_unknown_and_the_right_one_as_missing() -> None:
    found = kinds(recorded(), ["Equalized odds", "equal_opportunity", "predictive_equality"])

    assert found == [("metric_unknown", "Equalized odds"), ("metric_missing", "equalized_odds")]


def test_a_record_that_lost_an_answer_or_was_changed_is_reported() -> None:
    metrics = ["equalized_odds", "equal_opportunity", "predictive_equality"]
    lost = recorded()[:-1]
    changed = [*recorded()[:-1], recorded()[-1] | {"answer": "sometimes"}]
    malformed = [{"question": "standard"}]

    assert kinds(lost, metrics) == kinds(changed, metrics) == kinds(malformed, metrics) == [("path_broken", None)]


def test_an_answer_changed_by_hand_in_the_record_contradicts_the_metrics() -> None:
    changed = [*recorded()[:-1], {"question": "recall_errors", "answer": "false_positives"}]
    found = kinds(changed, ["equalized_odds"])

    assert found == [("metric_missing", "predictive_equality"), ("metric_added", "equalized_odds")]


def test_bare_yes_and_no_in_a_record_are_understood() -> None:
    bare = [step | {"answer": {"yes": True, "no": False}.get(step["answer"], step["answer"])} for step in recorded()]

    assert check_consistency(bare, follow(TREE, EQUALIZED_ODDS).metrics) == []


@pytest.mark.parametrize("nothing", [None, []])
def test_no_record_is_worth_knowing_and_no_contradiction(nothing: Any) -> None:
    (finding,) = check_consistency(nothing, ["statistical_parity"])

    assert (finding.kind, finding.contradicts) == ("not_answered", False)


def test_a_question_worded_anew_since_is_worth_knowing() -> None:
    old = [recorded()[0] | {"asked": "Individuals or groups?"}, *recorded()[1:]]
    (finding,) = check_consistency(old, follow(TREE, EQUALIZED_ODDS).metrics)

    assert (finding.kind, finding.contradicts) == ("question_changed", False)


def test_the_next_question_is_the_first_without_an_answer() -> None:
    found = next_question(TREE, {"individual_or_group": "no", "standard": "no"})

    assert found is not None and found[0] == "task"
    assert next_question(TREE, EQUALIZED_ODDS) is None
