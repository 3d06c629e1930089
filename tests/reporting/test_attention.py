from __future__ import annotations

import dataclasses

from rai_kedro.reporting.attention import AttentionThresholds, list_attention
from rai_kedro.reporting.card_contents import (
    CarbonFigure,
    Estimate,
    Lanes,
    ModelCard,
    Uses,
)


def texts_about(card: ModelCard, topic: str) -> list[str]:
    return [point.text for point in list_attention(card) if point.topic == topic]


def replace_performance(card: ModelCard, *estimates: Estimate) -> ModelCard:
    return dataclasses.replace(card, performance=estimates)


def test_flagged_model_column_is_named_with_its_justification(card: ModelCard) -> None:
    (text,) = texts_about(card, "Flagged column in the model")
    assert text.startswith("CRIM is flagged risky")
    assert "A. Officer, until 2024-07-31 (91 days left): published figure" in text


def test_flagged_model_column_without_justification_is_said(card: ModelCard) -> None:
    columns = tuple(dataclasses.replace(column, justification=None) for column in card.columns)
    (text,) = texts_about(dataclasses.replace(card, columns=columns), "Flagged column in the model")
    assert "no justification is recorded" in text


def test_flagged_label_is_called_a_label(card: ModelCard) -> None:
    label = dataclasses.replace(card.columns[-1], is_risky=True)
    (text,) = texts_about(dataclasses.replace(card, columns=(label,)), "Flagged column in the model")
    assert text.startswith("MEDV is flagged risky and is what the model learns to predict")


def test_figures_without_interval_or_not_defined_are_listed(card: ModelCard) -> None:
    bare = Estimate("MAE", "test", 3.3, None, None, None, "", "m")
    undefined = Estimate("MAPE", "test", None, None, None, None, "", "m", note="not defined: a label is 0")
    changed = replace_performance(card, bare, undefined)
    assert texts_about(changed, "No interval") == ["MAE on test: its uncertainty was not measured."]
    assert texts_about(changed, "Figure not complete") == ["MAPE on test: not defined: a label is 0."]


def test_code_without_version_control_is_said(card: ModelCard) -> None:
    data = dataclasses.replace(card.data, git_commit=None)
    assert "not under version control" in texts_about(dataclasses.replace(card, data=data), "Origin")[0]


def test_audit_column_without_a_figure_is_said(card: ModelCard) -> None:
    lanes = Lanes(card.lanes.model, ("B", "LSTAT"), ())
    (text,) = texts_about(dataclasses.replace(card, lanes=lanes), "Not audited")
    assert text.startswith("LSTAT is in the audit lane")


def test_widest_gap_of_a_metric_is_named_with_lowest_and_highest_group(card: ModelCard) -> None:
    narrow = card.fairness[0]
    gap = dataclasses.replace(narrow.gap, value=-0.5, lower=-0.6, upper=-0.4)
    wide = dataclasses.replace(narrow, column="LSTAT", gap=gap, groups=narrow.groups[::-1])
    (text,) = texts_about(dataclasses.replace(card, fairness=(narrow, wide)), "Widest gap")
    assert text == (
        "demographic parity difference over LSTAT: -0.500 [-0.600, -0.400] share. "
        "Lowest: low 0.380 [0.280, 0.480] (n = 84); highest: high 0.720 (n = 83)."
    )


def test_small_group_is_listed_at_the_threshold_only(card: ModelCard) -> None:
    assert not texts_about(card, "Small group")
    small = list_attention(card, AttentionThresholds(small_group=84))
    assert [p.text for p in small if p.topic == "Small group"] == [
        "B, group high: 83 rows, fewer than 84: uncertain figures."
    ]


def test_undefined_gap_is_listed_and_is_not_the_widest(card: ModelCard) -> None:
    gap = card.fairness[0]
    undefined = dataclasses.replace(gap.gap, value=None, lower=None, upper=None, note="a group has no rows")
    changed = dataclasses.replace(card, fairness=(dataclasses.replace(gap, gap=undefined),))
    assert not texts_about(changed, "Widest gap")
    assert texts_about(changed, "Gap not defined") == [
        "demographic parity difference over B is not defined: a group has no rows."
    ]


def test_wide_interval_is_listed_and_a_narrow_one_is_not(card: ModelCard) -> None:
    wide = Estimate("R2", "test", 0.6, 0.4, 0.8, 0.95, "", "m")
    narrow = Estimate("MAE", "test", 3.3, 2.9, 3.8, 0.95, "", "m")
    assert texts_about(replace_performance(card, wide, narrow), "Wide interval") == [
        "R2 on test: 0.600 [0.400, 0.800], wider than 50 % of the figure."
    ]


def test_train_and_test_are_listed_only_when_intervals_do_not_overlap(card: ModelCard) -> None:
    assert not texts_about(card, "Train and test differ")
    train, test = card.performance
    apart = dataclasses.replace(train, value=1.0, lower=0.9, upper=1.1)
    assert texts_about(replace_performance(card, apart, test), "Train and test differ") == [
        "MAE: train 1.00 [0.90, 1.10], test 3.33 [2.90, 3.78]: no overlap."
    ]


def test_what_was_not_measured_or_stated_is_listed(card: ModelCard) -> None:
    bare = dataclasses.replace(
        card,
        performance=(),
        fairness=(),
        carbon=(CarbonFigure("training", reason="switched off"),),
        limits=(),
        uses=Uses((), ()),
        data=dataclasses.replace(card.data, git_commit="4f2c-dirty"),
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
    from rai_kedro.reporting.model_card import render_html

    html = render_html(card, {})
    assert all(f'id="{point.section}"' in html for point in list_attention(card))


def test_no_point_is_a_verdict(card: ModelCard) -> None:
    words = " ".join(point.text for point in list_attention(card)).lower().split()
    assert not {"fair", "unfair", "biased", "unbiased", "safe", "acceptable", "passed", "failed"} & set(words)
