from __future__ import annotations

import re
import subprocess
from pathlib import Path

from rai_kedro.contract import GovernedColumn
from rai_kedro.fairness import GateDecision
from rai_kedro.hooks.mlflow_run import read_commit
from rai_kedro.performance import Figure
from rai_kedro.questionnaire import Finding
from rai_kedro.release import Tag
from rai_kedro.report.attention import list_attention
from rai_kedro.report.card import CarbonFigure, ModelCard, Uses
from rai_kedro.report.mitigation_section import read_comparison
from rai_kedro.report.model_card import build_model_card, summarise

from .conftest import make_comparison, make_fairness, make_row, replace


def texts_about(card: ModelCard, topic: str) -> list[str]:
    return [point.text for point in list_attention(card) if point.topic == topic]


def replace_performance(card: ModelCard, *estimates: Figure) -> ModelCard:
    return replace(card, performance=estimates)


def test_flagged_model_column_is_named_with_its_justification(card: ModelCard) -> None:
    (text,) = texts_about(card, "Flagged column in the model")
    assert text.startswith("CRIM is flagged risky")
    assert "A. Officer, until 2024-07-31 (91 days left): published figure" in text


def test_flagged_model_column_without_justification_is_said(card: ModelCard) -> None:
    columns = tuple(replace(column, justification=None) for column in card.columns)
    (text,) = texts_about(replace(card, columns=columns), "Flagged column in the model")
    assert "no justification is recorded" in text


def test_flagged_label_is_called_a_label(card: ModelCard) -> None:
    label = replace(card.columns[-1], flags=("risky",))
    (text,) = texts_about(replace(card, columns=(label,)), "Flagged column in the model")
    assert text.startswith("MEDV is flagged risky and is what the model learns to predict")


def test_figures_without_interval_or_not_defined_are_listed(card: ModelCard) -> None:
    bare = Figure(name="MAE", split="test", value=3.3, how="m")
    undefined = Figure(name="MAPE", split="test", how="m", note="not defined: a label is 0")
    changed = replace_performance(card, bare, undefined)
    assert texts_about(changed, "No interval") == ["MAE on test: its uncertainty was not measured."]
    assert texts_about(changed, "Figure not complete") == ["MAPE on test: not defined: a label is 0."]


def test_code_without_version_control_is_said(card: ModelCard) -> None:
    data = replace(card.data, git_commit=None)
    assert "not under version control" in texts_about(replace(card, data=data), "Origin")[0]


def test_audit_column_without_a_figure_is_said(card: ModelCard) -> None:
    audited = make_row("LSTAT", use="audit", flags=["risky"], risk="class", model_uses=False)
    (text,) = texts_about(replace(card, columns=(*card.columns, audited)), "Not audited")
    assert text == "LSTAT is for the audit only and in no grouping: nothing was measured for it."


def test_gate_that_does_not_pass_comes_first_and_then_each_verdict(card: ModelCard) -> None:
    failing = replace(card, fairness=make_fairness(limit=0.05))
    points = list_attention(failing)
    assert [point.topic for point in points[:2]] == ["Fairness gate", "Fairness limit exceeded"]
    assert points[0].text == "The fairness gate says fail. Of 1 judged disparity: 1 fail."
    assert points[1].text.startswith("Statistical parity, difference by B: 0.2")
    assert points[1].text.endswith("tolerated is at most 0.05; lower for low, higher for high.")
    assert not texts_about(card, "Fairness gate")


def test_lack_of_evidence_says_what_would_settle_it(card: ModelCard) -> None:
    unsure = replace(card, fairness=make_fairness(limit=0.25))
    (text,) = texts_about(unsure, "Fairness evidence insufficient")
    assert re.search(r"To settle it: about [\d,]+ further rows behind these figures\.$", text)


def test_group_that_is_declared_and_absent_is_listed(card: ModelCard) -> None:
    record = make_fairness(declared=("low", "third"))
    changed = replace(card, fairness=record)
    assert texts_about(changed, "Group not assessed") == ["B, third: declared, but has no rows."]
    assert texts_about(changed, "Fairness not assessed")[0].endswith("To settle it: third: declared, but has no rows.")


def test_gate_that_could_not_be_evaluated_is_listed_with_every_problem(card: ModelCard) -> None:
    gate = GateDecision(outcome="could_not_be_evaluated", problems=("no tolerance is set", "no interval"))
    changed = replace(card, fairness=replace(make_fairness(), gate=gate))
    assert texts_about(changed, "Fairness gate") == [
        "The fairness gate could not be evaluated, and so stays closed: no tolerance is set."
    ]
    assert texts_about(changed, "Not evaluated") == ["no interval."]


def test_small_group_is_named_with_its_smallest_denominator(card: ModelCard) -> None:
    assert not texts_about(card, "Small group")
    small = replace(card, fairness=make_fairness(groups=("low", "high", "few")))
    assert texts_about(small, "Small group") == [
        "B: fewer than 30 rows behind a figure of few (false positive rate of 4)."
    ]


def test_metrics_that_contradict_the_answers_are_listed_and_remarks_are_not(card: ModelCard) -> None:
    findings = (
        Finding(kind="metric_added", message="'calibration' is measured, though the answers lead elsewhere"),
        Finding(kind="question_changed", message="it was worded differently", contradicts=False),
    )
    asked = replace(card.questionnaire, findings=findings)
    assert texts_about(replace(card, questionnaire=asked), "Metrics contradict the answers") == [
        "'calibration' is measured, though the answers lead elsewhere."
    ]


def test_refused_mitigation_and_sensitive_column_at_prediction_are_listed(card: ModelCard) -> None:
    plain = read_comparison(make_comparison())
    needy = read_comparison(make_comparison(needs_sensitive=True))
    assert texts_about(replace(card, mitigation=plain), "Sensitive column at prediction") == []
    changed = replace(card, mitigation=needy)
    assert texts_about(changed, "Sensitive column at prediction") == [
        "The registered model needs race of every row that it predicts."
    ]
    assert texts_about(changed, "Mitigation refused") == ["threshold_optimisation: Not permitted."]


def test_uncommitted_changes_are_said_in_the_words_of_the_tag(card: ModelCard, tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)  # noqa: S607

    git("init")
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "--allow-empty", "-m", "first")
    clean = read_commit(str(tmp_path))[Tag.GIT_COMMIT]
    (tmp_path / "changed").touch()
    changed = read_commit(str(tmp_path))[Tag.GIT_COMMIT]
    texts = [
        texts_about(replace(card, data=replace(card.data, git_commit=commit)), "Origin") for commit in (clean, changed)
    ]
    assert texts == [
        [],
        [f"The code had uncommitted changes after commit {clean}: this version cannot be rebuilt exactly."],
    ]


def test_low_level_is_listed(card: ModelCard) -> None:
    assert card.fairness is not None
    assert not texts_about(card, "Low confidence level")
    low = replace(card, fairness=replace(card.fairness, level=0.8))
    assert texts_about(low, "Low confidence level") == [
        "The fairness intervals were asked for at a level of 80 %, below 95 %: a pass says less."
    ]


def test_grouping_that_nobody_judges_is_named_where_it_lies_apart(card: ModelCard) -> None:
    record = card.fairness
    assert record is not None
    # By B there is a verdict; without one, its ratio 0.67 [0.57, 0.76] is shown to be below four fifths.
    assert not texts_about(card, "Measured, not judged")
    unjudged = replace(record, gate=replace(record.gate, verdicts=()))
    (text,) = texts_about(replace(card, fairness=unjudged), "Measured, not judged")
    assert re.fullmatch(r"B, \S+ \S+, ratio 0\.\d+ \[0\.\d+, 0\.7\d+\]: no tolerance is set for this grouping\.", text)
    near = tuple(replace(one, upper=0.81) for one in record.assessment.disparities)
    found = replace(unjudged, assessment=replace(record.assessment, disparities=near))
    assert not texts_about(replace(card, fairness=found), "Measured, not judged")


def test_column_that_only_the_mitigation_reads_is_told_alike_everywhere(
    parts: ModelCard, register: list[GovernedColumn]
) -> None:
    sensitive = make_row("race", use="mitigation", flags=["risky", "demographic"], risk="race")
    card = build_model_card(replace(parts, columns=(*register, sensitive)))
    told = [text for text in texts_about(card, "Flagged column in the model") if text.startswith("race")]
    assert told == [
        "race is flagged risky and demographic and is read by the mitigation for every prediction, by the estimator "
        "never; no justification is recorded."
    ]
    assert card.names_of("mitigation") == ["race"]
    said = "race (flagged risky and demographic) is read by the mitigation for every prediction; the estimator never"
    assert said in summarise(card)


def test_wide_interval_is_listed_and_a_narrow_one_is_not(card: ModelCard) -> None:
    wide = Figure(name="R2", split="test", value=0.6, lower=0.4, upper=0.8, level=0.95, how="m")
    narrow = Figure(name="MAE", split="test", value=3.3, lower=2.9, upper=3.8, level=0.95, how="m")
    assert texts_about(replace_performance(card, wide, narrow), "Wide interval") == [
        "R2 on test: 0.600 [0.400, 0.800], wider than 50 % of the figure."
    ]


def test_train_and_test_are_listed_only_when_intervals_do_not_overlap(card: ModelCard) -> None:
    assert not texts_about(card, "Train and test differ")
    train, test = card.performance
    apart = replace(train, value=1.0, lower=0.9, upper=1.1)
    assert texts_about(replace_performance(card, apart, test), "Train and test differ") == [
        "MAE: train 1.00 [0.90, 1.10], test 3.33 [2.90, 3.78]: no overlap."
    ]


def test_what_was_not_measured_or_stated_is_listed(card: ModelCard) -> None:
    bare = replace(
        card,
        performance=(),
        fairness=None,
        carbon=(CarbonFigure(task="training", reason="switched off"),),
        limits=(),
        uses=Uses(intended=(), out_of_scope=()),
        data=replace(card.data, git_commit="4f2c with uncommitted changes"),
    )
    topics = [point.topic for point in list_attention(bare)]
    expected = {
        "Performance not measured",
        "Fairness not measured",
        "Carbon not measured",
        "Limits",
        "Use",
        "Origin",
    }
    assert expected <= set(topics)
    assert texts_about(bare, "Carbon not measured") == ["training: switched off."]


def test_points_lead_to_sections_that_the_page_has(card: ModelCard) -> None:
    from rai_kedro.report.model_card import render_html

    html = render_html(card, {})
    assert all(f'id="{point.section}"' in html for point in list_attention(card))


def test_no_point_says_more_than_the_gate(card: ModelCard) -> None:
    card = replace(card, fairness=make_fairness(limit=0.05))
    words = " ".join(point.text for point in list_attention(card)).lower().split()
    assert not {"fair", "unfair", "biased", "unbiased", "safe", "acceptable"} & set(words)
