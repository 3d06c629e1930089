"""The questionnaire's tree is sound, and each rule has a broken tree that makes it fail."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
import yaml

from rai_kedro.fairness import METRICS
from rai_kedro.questionnaire.answers import follow, read_answers
from rai_kedro.questionnaire.mapping import load_mapping
from rai_kedro.questionnaire.tree import QuestionnaireError, Tree, find_faults, list_paths, load_tree, read_tree

CANONICAL = {
    "classification": [
        "statistical_parity",
        "conditional_statistical_parity",
        "equal_opportunity",
        "predictive_equality",
        "equalized_odds",
        "predictive_parity",
        "negative_predictive_parity",
        "conditional_use_accuracy_equality",
        "overall_accuracy_equality",
        "balance_positive_class",
        "balance_negative_class",
        "overall_balance",
        "calibration",
        "well_calibration",
    ],
    "regression": [
        "mean_prediction",
        "mean_absolute_error",
        "root_mean_squared_error",
        "mean_signed_error",
        "prediction_distribution",
    ],
    "both": ["consistency", "fairness_through_awareness"],
}
# The published table, leaf by leaf: answers to questions by their published number, and the metric at the end.
# 24 "floating" had two leaves at once; our question 'precision_scores' tells them apart.
PUBLISHED = [
    ({2: "yes", 12: "yes"}, "fairness_through_awareness"),
    ({2: "no", 4: "yes"}, "statistical_parity"),
    ({2: "no", 4: "no", 11: "no", 21: "yes"}, "conditional_statistical_parity"),
    ({2: "no", 4: "no", 11: "no", 21: "no"}, "statistical_parity"),
    ({2: "no", 4: "no", 11: "yes", 22: "both"}, "overall_accuracy_equality"),
    ({2: "no", 4: "no", 11: "yes", 22: "recall", 23: "fixed", 26: "false_negatives"}, "equal_opportunity"),
    ({2: "no", 4: "no", 11: "yes", 22: "recall", 23: "fixed", 26: "false_positives"}, "predictive_equality"),
    ({2: "no", 4: "no", 11: "yes", 22: "recall", 23: "fixed", 26: "both"}, "equalized_odds"),
    ({2: "no", 4: "no", 11: "yes", 22: "recall", 23: "floating", 27: "positive"}, "balance_positive_class"),
    ({2: "no", 4: "no", 11: "yes", 22: "recall", 23: "floating", 27: "negative"}, "balance_negative_class"),
    ({2: "no", 4: "no", 11: "yes", 22: "recall", 23: "floating", 27: "both"}, "overall_balance"),
    ({2: "no", 4: "no", 11: "yes", 22: "precision", 24: "fixed", 28: "negative"}, "negative_predictive_parity"),
    ({2: "no", 4: "no", 11: "yes", 22: "precision", 24: "fixed", 28: "positive"}, "predictive_parity"),
    ({2: "no", 4: "no", 11: "yes", 22: "precision", 24: "fixed", 28: "both"}, "conditional_use_accuracy_equality"),
]


def raw_tree() -> dict[str, Any]:
    """Return the project's tree as plain values, to break."""
    text = resources.files("rai_kedro.questionnaire").joinpath("questionnaire.yml").read_text(encoding="utf-8")
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def answer_of(tree: dict[str, Any], question: str, key: str) -> dict[str, Any]:
    found: dict[str, Any] = next(a for a in tree["questions"][question]["answers"] if a["key"] == key)
    return found


def faults_of(tree: dict[str, Any]) -> set[str]:
    faults = find_faults(Tree.model_validate(tree), computed=METRICS, mapped=load_mapping().metrics)
    return {fault.rule for fault in faults}


def test_the_projects_tree_is_sound() -> None:
    assert faults_of(raw_tree()) == set()


def test_every_canonical_metric_of_the_tree_is_reached_under_its_task() -> None:
    reached: dict[str, set[str]] = {"classification": set(), "regression": set(), "both": set()}
    for path in list_paths(load_tree()):
        task = next((answer.task for _, answer in path if answer.task), None) or "both"
        reached[task] |= {metric for _, answer in path for metric in answer.metrics}

    assert reached == {task: set(names) for task, names in CANONICAL.items()}


def test_metrics_of_the_registry_that_no_answer_leads_to_are_known() -> None:
    tree_metrics = {metric for names in CANONICAL.values() for metric in names}

    assert set(METRICS) - tree_metrics == {"treatment_equality"}


def test_every_question_has_words_of_all_kinds_that_kedro_does_not_interpolate() -> None:
    for name, question in load_tree().questions.items():
        words = [question.text, question.example, question.why, *(answer.text for answer in question.answers)]
        assert all(word and "${" not in word for word in words), name
        assert question.text.endswith("?"), name


@pytest.mark.parametrize(("numbered", "metric"), PUBLISHED)
def test_the_published_table_leads_where_it_did(numbered: dict[int, str], metric: str) -> None:
    tree = load_tree()
    names = {question.published: name for name, question in tree.questions.items() if question.published}
    answers = {names[number]: said for number, said in numbered.items()}
    known = tree.find_task_answer("classification")

    assert follow(tree, answers, known=known).metrics[0] == metric


def test_floating_precision_asks_one_question_more() -> None:
    tree = load_tree()
    floating = next(a for a in tree.questions["precision_threshold"].answers if a.key == "floating")

    assert floating.metrics == () and floating.next is not None
    leaves = {answer.key: answer.metrics for answer in tree.questions[floating.next].answers}
    assert leaves == {"same_meaning": ("calibration",), "probability": ("well_calibration",)}


def _lead_nowhere(tree: dict[str, Any]) -> None:
    answer_of(tree, "similarity_measure", "no").pop("next")


def _lead_to_unknown(tree: dict[str, Any]) -> None:
    answer_of(tree, "standard", "no")["next"] = "reliable_lable"


def _start_elsewhere(tree: dict[str, Any]) -> None:
    tree["start"] = "beginning"


def _orphan(tree: dict[str, Any]) -> None:
    answer_of(tree, "precision_threshold", "floating").update(next=None, metrics=["calibration"])


def _go_round(tree: dict[str, Any]) -> None:
    answer_of(tree, "precision_side", "both")["next"] = "error_kind"


def _go_round_unreached(tree: dict[str, Any]) -> None:
    # A circle that no answer leads into.
    tree["questions"]["island"] = {
        **tree["questions"]["standard"],
        "answers": [
            {"key": "yes", "text": "a", "next": "island"},
            {"key": "no", "text": "b", "metrics": ["consistency"]},
        ],
    }


def _misspell_metric(tree: dict[str, Any]) -> None:
    answer_of(tree, "standard", "yes")["metrics"] = ["Statistical Parity"]


def _wrong_task(tree: dict[str, Any]) -> None:
    answer_of(tree, "error_size", "typical")["metrics"] = ["equalized_odds"]


def _no_choice(tree: dict[str, Any]) -> None:
    tree["questions"]["standard"]["answers"] = tree["questions"]["standard"]["answers"][1:]


def _same_answer_twice(tree: dict[str, Any]) -> None:
    answer_of(tree, "recall_errors", "both")["key"] = "false_positives"


def _answer_like_a_command(tree: dict[str, Any]) -> None:
    answer_of(tree, "recall_errors", "both")["key"] = "back"


@pytest.mark.parametrize(
    ("rule", "break_it"),
    [
        ("dead_end", _lead_nowhere),
        ("unknown_next", _lead_to_unknown),
        ("unknown_start", _start_elsewhere),
        ("unreachable", _orphan),
        ("cycle", _go_round),
        ("cycle", _go_round_unreached),
        ("unknown_metric", _misspell_metric),
        ("unmapped_metric", _misspell_metric),
        ("wrong_task", _wrong_task),
        ("too_few_answers", _no_choice),
        ("ambiguous_answer", _same_answer_twice),
        ("ambiguous_answer", _answer_like_a_command),
    ],
)
def test_each_rule_fails_on_a_broken_tree(rule: str, break_it: Callable[[dict[str, Any]], None]) -> None:
    broken = raw_tree()
    break_it(broken)

    assert rule in faults_of(broken)
    with pytest.raises(QuestionnaireError, match="not sound"):
        read_tree(yaml.safe_dump(broken), computed=METRICS, mapped=load_mapping().metrics)


def test_a_metric_computed_but_not_mapped_is_found() -> None:
    mapped = load_mapping().metrics - {"calibration"}
    faults = find_faults(load_tree(), computed=METRICS, mapped=mapped)

    assert [(fault.rule, fault.where) for fault in faults] == [("unmapped_metric", "precision_scores, same_meaning")]


def test_a_metric_mapped_but_not_computed_is_found() -> None:
    computed = {name: metric for name, metric in METRICS.items() if name != "well_calibration"}
    faults = find_faults(load_tree(), computed=computed, mapped=load_mapping().metrics)

    assert [(fault.rule, fault.where) for fault in faults] == [("unknown_metric", "precision_scores, probability")]


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: tree["questions"]["standard"].pop("example"),
        lambda tree: tree["questions"]["standard"].pop("why"),
        lambda tree: tree["questions"]["standard"].update(exmaple="x"),
        lambda tree: tree["questions"]["standard"].update(text=" "),
        lambda tree: answer_of(tree, "standard", "yes").update(key="1"),
        lambda tree: answer_of(tree, "standard", "yes").update(key=True),
    ],
)
def test_a_malformed_question_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    broken = raw_tree()
    change(broken)

    with pytest.raises(QuestionnaireError, match="cannot be read"):
        read_tree(yaml.safe_dump(broken), computed=METRICS, mapped=load_mapping().metrics)


def test_a_question_given_twice_is_refused() -> None:
    text = "start: a\nquestions:\n  a: {}\n  a: {}\n"

    with pytest.raises(QuestionnaireError, match="given twice"):
        read_tree(text, computed=METRICS, mapped=load_mapping().metrics)


def test_the_page_for_people_shows_this_tree() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "choosing_a_metric.md").read_text(encoding="utf-8")
    for name, question in load_tree().questions.items():
        answers = "<br>".join(
            f"`{answer.key}` → "
            + " + ".join(
                [*(f"**{metric}**" for metric in answer.metrics), *([f"`{answer.next}`"] if answer.next else [])]
            )
            for answer in question.answers
        )
        assert f"| `{name}` | {question.text} | {answers} |" in page


def test_the_answers_on_the_page_lead_where_it_says(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "choosing_a_metric.md").read_text(encoding="utf-8")
    example = page.partition("# answers.yml\n")[2].partition("```")[0]
    (tmp_path / "answers.yml").write_text(example, encoding="utf-8")
    answers = read_answers(tmp_path / "answers.yml")
    outcome = follow(load_tree(), answers, known={"task": "two_outcomes"})

    shown = page.partition("Fairness metrics for hospital:\n")[2].partition("```")[0]
    assert [line.split(":")[0].strip() for line in shown.splitlines() if "P(" in line] == list(outcome.metrics)
