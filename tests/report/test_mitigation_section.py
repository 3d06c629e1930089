"""The mitigation part of the card, read from a comparison as plain values."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from rai_kedro.intervals import Estimate
from rai_kedro.questionnaire import Finding, ModelAtHand, follow, load_tree, recommend
from rai_kedro.report.card import ModelCard, QuestionnaireRecord
from rai_kedro.report.mitigation_section import MitigationRecord, read_comparison
from rai_kedro.report.model_card import render_html, render_markdown
from rai_kedro.words import format_gain, format_interval

from .conftest import make_comparison, replace


def make_estimate(value: float | None, lower: float | None = None, upper: float | None = None) -> Estimate:
    return Estimate(value=value, lower=lower, upper=upper)


def test_before_and_after_stand_side_by_side(mitigation: MitigationRecord) -> None:
    assert [(p.name, p.before.value, p.after.value) for p in mitigation.performance if p.before and p.after] == [
        ("accuracy", 0.88, 0.876)
    ]
    (parity,) = mitigation.disparities
    assert (parity.name, parity.kind) == ("statistical_parity", "difference")
    assert [format_interval(one) for one in (parity.before, parity.after) if one] == [
        "0.090 [0.070, 0.110]",
        "0.030 [0.010, 0.050]",
    ]
    assert mitigation.is_mitigated


def test_only_what_differs_against_the_true_need_is_kept(mitigation: MitigationRecord) -> None:
    assert [pair.name for pair in mitigation.needs] == ["equal_opportunity"]


def test_groups_get_shares_of_their_rows(mitigation: MitigationRecord) -> None:
    first = mitigation.groups[0]
    assert (first.group, first.observed, first.needed) == ("Black", 60 / 400, 80 / 400)
    assert (first.before.value, first.after.value if first.after else None) == (0.1, 0.1)
    regression = read_comparison(make_comparison() | {"task": "regression"})
    assert regression is not None
    assert regression.groups[0].observed == 60.0


def test_refused_method_keeps_its_reason_and_has_no_figure(mitigation: MitigationRecord) -> None:
    (refused,) = mitigation.without_model
    assert (refused.name, refused.status, refused.performance) == ("threshold_optimisation", "refused", ())


def test_without_a_mitigated_choice_there_is_no_after() -> None:
    record = read_comparison(make_comparison(chosen="unmitigated"))
    assert record is not None
    assert not record.is_mitigated
    assert {pair.after for pair in (*record.performance, *record.disparities)} == {None}


def test_nothing_compared_gives_no_record_and_the_card_says_why(card: ModelCard) -> None:
    assert read_comparison({"models": [], "chosen": "unmitigated", "reason": "no method"}) is None
    for text in (render_html(card, {}), render_markdown(card)):
        assert "No mitigation was compared: no method is configured" in text


def test_figures_that_are_not_finite_are_refused() -> None:
    comparison = make_comparison()
    comparison["models"][0]["performance"][0]["value"] = float("inf")
    with pytest.raises(ValidationError, match="finite number"):
        read_comparison(comparison)


@pytest.mark.parametrize(
    ("gain", "text"),
    [
        (make_estimate(-0.004, -0.012, 0.004), "-0.004 [-0.012, +0.004]"),
        (make_estimate(0.0004), "+0.000"),
        (make_estimate(-12.34, -15.0, -9.9), "-12.3 [-15, -9.9]"),
        (make_estimate(None), "–"),  # noqa: RUF001
    ],
)
def test_gain_has_its_sign(gain: Estimate, text: str) -> None:
    assert format_gain(gain) == text


def test_card_shows_choice_reason_and_what_was_refused(card: ModelCard, mitigation: MitigationRecord) -> None:
    shown = replace(card, mitigation=mitigation)
    for text in (render_html(shown, {}), render_markdown(shown)):
        for part in ("It is shown to be nearer.", "Not permitted. Do this.", "-0.004 [-0.012, +0.004]", "0.150"):
            assert part in text
    assert "The registered model is mitigated." in render_html(shown, {})


def test_an_alternative_that_is_chosen_is_not_called_mitigated(card: ModelCard) -> None:
    comparison = make_comparison()
    comparison["models"][1] |= {"method": "", "parameters": {}, "stage": ""}
    shown = replace(card, mitigation=read_comparison(comparison))
    assert "The registered model is not mitigated." in render_html(shown, {})
    assert "chosen in the comparison as reweighing" in render_html(shown, {})


def test_two_intervals_of_one_figure_refer_to_each_other(card: ModelCard, mitigation: MitigationRecord) -> None:
    one_level = replace(card, mitigation=mitigation)
    assert "each model stands by itself" not in render_html(one_level, {})
    two_levels = replace(card, mitigation=replace(mitigation, level=0.9))
    for text in (render_html(two_levels, {}), render_markdown(two_levels)):
        assert "with an interval of level 95 %, here of 90 %" in text


def test_card_says_that_nobody_answered(card: ModelCard) -> None:
    assert "Nobody answered the questionnaire" in render_html(card, {})
    assert "Nobody answered the questionnaire" in render_markdown(card)


def test_card_shows_the_path_of_answers_the_methods_and_contradictions(card: ModelCard) -> None:
    outcome = follow(load_tree(), {"individual_or_group": "no", "task": "two_outcomes", "standard": "yes"})
    asked = QuestionnaireRecord(
        metrics=("calibration",),
        path=outcome.path,
        findings=(Finding(kind="metric_added", message="'calibration' is measured, though nobody chose it"),),
        methods=tuple(recommend(outcome.metrics, ModelAtHand("classification", True, True))),
    )
    shown = replace(card, questionnaire=asked)
    for text in (render_html(shown, {}), render_markdown(shown)):
        assert outcome.path[-1].asked[:30] in text
        assert "calibration" in text
        assert asked.methods[0].method.replace("_", " ") in text
    assert "&#39;calibration&#39; is measured" in render_html(shown, {})
