"""Fairness as the card shows it: the gate's sentence, verdicts, and one part per grouping."""

from __future__ import annotations

from typing import get_args

import pytest

from rai_kedro.fairness import (
    METRICS,
    Disparity,
    DisparityKind,
    GateDecision,
    GateOutcome,
    GroupFigure,
    VerdictOutcome,
    describe_metric,
    judge,
    name_kind,
)
from rai_kedro.report.card import FairnessRecord, ModelCard
from rai_kedro.report.fairness_view import (
    describe_gate,
    describe_level,
    describe_open,
    list_groupings,
    list_metrics,
    list_small_groups,
    list_verdicts,
)
from rai_kedro.report.model_card import render_html, render_markdown
from rai_kedro.words import in_words

from .conftest import make_fairness, replace


def make_disparity(lower: float | None, upper: float | None, **changes: object) -> Disparity:
    figures = (
        GroupFigure(group="a", n=100, value=0.4, lower=0.3, upper=0.5),
        GroupFigure(group="b", n=100, value=0.5, lower=0.4, upper=0.6),
    )
    value = None if lower is None or upper is None else (lower + upper) / 2
    disparity = Disparity(
        metric="statistical_parity",
        column="sex",
        kind="difference",
        value=value,
        lower=lower,
        upper=upper,
        level=0.95,
        groups=figures,
        pair=("a", "b"),
        rule="a rule",
        how="a method",
    )
    return disparity.model_copy(update=changes)


def test_every_metric_kind_and_verdict_has_its_words() -> None:
    assert all(metric.compared for metric in METRICS.values())
    assert all(name_kind(kind) and "_" not in name_kind(kind) for kind in get_args(DisparityKind))


@pytest.mark.parametrize(
    ("metric", "kind", "unit"),
    [
        ("mean_absolute_error", "difference", "USD"),
        ("mean_absolute_error", "ratio", ""),
        ("prediction_distribution", "wasserstein", "USD"),
        ("prediction_distribution", "kolmogorov_smirnov", ""),
        ("statistical_parity", "difference", ""),
        ("consistency", "difference", ""),
    ],
)
def test_only_what_is_measured_in_the_labels_unit_has_it(metric: str, kind: str, unit: str) -> None:
    assert describe_metric(metric).find_unit(kind, "USD") == unit


def test_gate_in_a_sentence_for_every_outcome() -> None:
    spans = {"pass": (0.0, 0.05), "fail": (0.2, 0.3), "insufficient_evidence": (0.05, 0.2)}
    verdicts = {name: judge(make_disparity(*span), 0.1) for name, span in spans.items()}

    def say(outcome: GateOutcome, *names: str) -> str:
        return describe_gate(GateDecision(outcome=outcome, verdicts=tuple(verdicts[name] for name in names)))

    assert say("pass", "pass") == (
        "The fairness gate says pass: of 1 judged disparity, each has its whole interval within the tolerance."
    )
    assert (
        say("fail", "pass", "fail", "pass") == "The fairness gate says fail. Of 3 judged disparities: 1 fail, 2 pass."
    )
    assert say("insufficient_evidence", "pass", "insufficient_evidence") == (
        "The fairness gate says insufficient evidence. Of 2 judged disparities: 1 insufficient evidence, 1 pass."
    )
    closed = GateDecision.could_not_be_evaluated("nothing was measured")
    assert describe_gate(closed).endswith("stays closed: nothing was measured.")


def test_gravest_verdict_stands_first_with_its_limit_and_what_would_settle_it() -> None:
    spans = [(0.0, 0.05), (0.2, 0.3), (0.05, 0.14)]
    judged = [judge(make_disparity(*span, column=f"c{at}"), 0.1) for at, span in enumerate(spans)]
    absent = make_disparity(0.0, 0.05, not_assessed=("third: declared, but has no rows",))
    ratio = judge(make_disparity(0.6, 0.7, kind="ratio"), 0.8)
    gate = GateDecision(outcome="fail", verdicts=(*judged, judge(absent, 0.1), ratio))
    lines = list_verdicts(replace(make_fairness(), gate=gate))

    assert [line.verdict for line in lines] == ["fail", "fail", "not assessed", "insufficient evidence", "pass"]
    assert [line.limit for line in lines[:2]] == ["at most 0.1", "at least 0.8"]
    assert lines[2].settled_by == "third: declared, but has no rows"
    assert lines[3].settled_by == f"about {judged[2].rows_needed:,} further rows behind these figures"


def test_interval_with_an_open_end_is_settled_by_no_number_of_rows() -> None:
    gate = GateDecision(outcome="insufficient_evidence", verdicts=(judge(make_disparity(0.05, None), 0.1),))
    (line,) = list_verdicts(replace(make_fairness(), gate=gate))
    assert line.settled_by.startswith("no number of rows can be given")


def test_grouping_shows_every_group_with_the_rows_behind_each_rate() -> None:
    (view,) = list_groupings(make_fairness(groups=("low", "high", "few")))

    rates = [heading[0] for heading in view.headings[1:]]
    assert rates == ["selection rate", "false positive rate", "false negative rate"]
    assert [(line.group, line.is_small) for line in view.groups] == [("few", True), ("high", False), ("low", False)]
    assert [figure.n for figure in view.groups[0].figures if figure] == [8, 4, 4]
    assert view.left_out == ("10 rows: missing label",)
    verdicts = {(line.metric, line.kind): line.verdict for lines in view.metrics for line in lines}
    assert verdicts["statistical parity", "ratio"] == "not judged: no tolerance is set"
    assert verdicts["statistical parity", "difference"] in {in_words(one) for one in get_args(VerdictOutcome)}


def test_disparity_of_individuals_is_shown_without_groups() -> None:
    record = make_fairness()
    alone = make_disparity(0.1, 0.2, metric="consistency", column="age, rooms", pair=None, note="of all rows")
    assessment = replace(record.assessment, disparities=(*record.assessment.disparities, alone))
    view = list_groupings(replace(record, assessment=assessment))[-1]

    assert (view.column, view.groups, view.rule) == ("age, rooms", (), "a rule")
    assert view.metrics[0][0].apart == "of all rows"


def test_rows_left_out_of_one_metric_only_are_told_apart() -> None:
    record = make_fairness()
    first, *others = record.assessment.disparities
    changed = replace(first, left_out={"missing label": 10, "missing score": 3}, not_assessed=("x: why",))
    assessment = replace(record.assessment, disparities=(changed, *others))
    (view,) = list_groupings(replace(record, assessment=assessment))

    assert view.left_out == ("10 rows: missing label", "statistical parity: 3 rows: missing score")
    assert view.not_assessed == ("statistical parity: x: why",)


def test_level_says_why_it_is_higher_than_configured() -> None:
    record = make_fairness()
    assert describe_level(record) == "Level 95 %, of all pairs of groups of a metric and grouping at once."
    raised = tuple(replace(one, level=0.99) for one in record.assessment.disparities)
    assessment = replace(record.assessment, disparities=raised)
    text = describe_level(replace(record, assessment=assessment))
    assert "higher than the configured 95 %, since the model was chosen among 5" in text


def test_what_no_tolerance_judges_is_counted() -> None:
    assert describe_open(GateDecision(outcome="pass")) == ""
    assert describe_open(GateDecision(outcome="pass", without_tolerance=("a",))).startswith(
        "1 further disparity was measured"
    )
    assert describe_open(make_fairness().gate).startswith("3 further disparities were measured")


def test_metrics_are_explained_with_formula_and_source() -> None:
    assert [(metric.name, metric.compared) for metric in list_metrics(make_fairness())] == [
        (name, METRICS[name].compared) for name in ("statistical_parity", "equal_opportunity")
    ]


def test_small_group_is_found_at_the_threshold_only(monkeypatch: pytest.MonkeyPatch) -> None:
    record = make_fairness(groups=("low", "high", "few"))
    monkeypatch.setattr("rai_kedro.report.fairness_view.SMALL_GROUP", 5)
    assert [(column, figure.group, figure.n) for column, figure in list_small_groups(record)] == [("B", "few", 4)]
    monkeypatch.setattr("rai_kedro.report.fairness_view.SMALL_GROUP", 4)
    assert list_small_groups(record) == ()


@pytest.mark.parametrize("limit", [0.05, 0.22, 0.5])
def test_page_and_markdown_say_the_verdict_in_words(card: ModelCard, limit: float) -> None:
    record: FairnessRecord = make_fairness(limit=limit)
    word = in_words(record.gate.verdicts[0].outcome)
    changed = replace(card, fairness=record)

    assert f'">{word}</span>' in render_html(changed, {})
    assert f"\n| {word} | statistical parity (share of rows decided favourably) |" in render_markdown(changed)
    for text in (render_html(changed, {}), render_markdown(changed)):
        assert describe_gate(record.gate) in text
        assert "10 rows: missing label" in text
