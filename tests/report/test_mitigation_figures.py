"""The before/after report, from a comparison as plain values."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from typing import Any

import pytest

from rai_kedro.report.mitigation_figures import draw_mitigation
from rai_kedro.report.mitigation_section import MitigationRecord
from rai_kedro.report.pages import render_mitigation_page

Plain = dict[str, Any]


def make_gap(metric: str, value: float, kind: str = "difference") -> Plain:
    return {
        "metric": metric, "column": "race", "kind": kind, "level": 0.95, "value": value,
        "lower": value - 0.02, "upper": value + 0.02,
    }  # fmt: skip


def make_model(name: str, accuracy: float, gap: float, **changes: Any) -> Plain:
    figures = [
        {"name": what, "value": value, "lower": value - 0.01, "upper": value + 0.02}
        for what, value in (("accuracy", accuracy), ("AUC", accuracy - 0.02))
    ]
    outcomes = [
        {
            "group": group, "rows": rows, "observed": 60.0, "predicted": rows * share, "share": share,
            "lower": share - 0.02, "upper": share + 0.03, "needed": 70.0,
        }
        for group, rows, share in (("Black", 400, 0.1), ("White", 600, 0.1 + gap))
    ]  # fmt: skip
    curves = [
        {
            "group": group, "rows": 400, "auc": 0.8,
            "false_positive_rates": [0.0, 0.2, 1.0], "true_positive_rates": [0.0, 0.8, 1.0],
        }
        for group in ("Black", "White")
    ]  # fmt: skip
    gaps = [make_gap("statistical_parity", gap), make_gap("statistical_parity", 1 - gap, "ratio")]
    return {
        "name": name, "stage": "pre", "status": "fitted", "reason": "", "may_be_used": True, "needs_sensitive": False,
        "performance": figures, "gains": [], "outcomes": outcomes, "curves": curves, "on_frontier": True,
        "assessment": {"disparities": gaps}, "need_assessment": {"disparities": [make_gap("mean_signed_error", gap)]},
    } | changes  # fmt: skip


@pytest.fixture
def comparison() -> Plain:
    gains = [
        {"name": "accuracy", "value": -0.004, "lower": -0.012, "upper": 0.004},
        {"name": "AUC", "value": -0.008, "lower": None, "upper": None},
    ]
    refused = make_model("threshold_optimisation", 0, 0, status="refused", reason="not permitted", assessment=None)
    view = make_model("post_processed", 0.87, 0.01, may_be_used=False, needs_sensitive=True, reason="to compare only")
    return {
        "task": "classification", "level": 0.95, "rows_train": 2000, "rows_test": 1000, "chosen": "reweighing",
        "reason": "It is shown to be fairer.", "rule": "The rule.",
        "by": {
            "metric": "statistical_parity", "kind": "difference", "column": "race", "performance": "accuracy",
            "tolerance": 0.02, "guards": ["AUC"],
        },
        "models": [
            make_model("unmitigated", 0.88, 0.09, stage=""), make_model("reweighing", 0.876, 0.03, gains=gains),
            refused, view,
        ],
    }  # fmt: skip


def render(comparison: Plain, *, use_case: str, favourable: str) -> str:
    drawn = draw_mitigation(comparison, favourable=favourable)
    return render_mitigation_page(comparison, drawn, use_case=use_case)


def test_the_recipes_five_figures_and_the_trade_off(comparison: Plain) -> None:
    figures = draw_mitigation(comparison, favourable="admitted")

    assert list(figures) == [
        "trade_off", "performance", "performance_and_fairness", "roc_by_group", "predicted_shares", "predicted_numbers",
    ]  # fmt: skip
    assert all(len(figure.to_json()) < 30_000 for figure in figures.values())


def test_performance_has_every_figure_before_and_after_with_its_interval(comparison: Plain) -> None:
    before, after = draw_mitigation(comparison, favourable="admitted")["performance"].data

    assert (before.name, after.name) == ("before: unmitigated", "after: reweighing")
    assert before.x == pytest.approx((0.88, 0.86))
    assert after.x == pytest.approx((0.876, 0.856))
    assert after.error_x.array == pytest.approx((0.02, 0.02))
    assert after.error_x.arrayminus == pytest.approx((0.01, 0.01))
    # The two stand on either side of the same line.
    assert [round(y) for y in before.y] == [round(y) for y in after.y] == [0, 1]
    assert before.y[0] < after.y[0]


def test_roc_has_a_curve_for_each_group_before_and_after(comparison: Plain) -> None:
    figure = draw_mitigation(comparison, favourable="admitted")["roc_by_group"]

    names = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert [name.split(" (")[0] for name in names] == [
        "Black, before", "White, before", "Black, after", "White, after",
    ]  # fmt: skip
    assert figure.data[0].y == (0.0, 0.8, 1.0)


def test_side_by_side_shows_performance_left_and_disparity_right(comparison: Plain) -> None:
    figure = draw_mitigation(comparison, favourable="admitted")["performance_and_fairness"]

    right = [trace for trace in figure.data if trace.xaxis == "x2"]
    assert [trace.x for trace in right] == [(0.09,), (0.03,)]
    assert figure.layout.yaxis2.ticktext == ("statistical parity",)
    assert figure.layout.yaxis.ticktext == ("accuracy", "AUC")


def test_shares_and_numbers_of_each_group(comparison: Plain) -> None:
    figures = draw_mitigation(comparison, favourable="admitted")
    before, after, record, need = figures["predicted_shares"].data

    assert before.y == pytest.approx((0.1, 0.19))
    assert after.y == pytest.approx((0.1, 0.13))
    assert after.error_y.array == pytest.approx((0.03, 0.03))
    assert record.y == pytest.approx((60 / 400, 60 / 600))
    assert need.y == pytest.approx((70 / 400, 70 / 600))
    assert after.x == ("Black (n = 400)", "White (n = 600)")
    numbers = figures["predicted_numbers"].data
    assert [trace.y for trace in numbers[:2]] == [(40, 114), (40, 78)]
    assert numbers[0].text == ("40", "114")


def test_the_trade_off_has_intervals_on_both_axes_the_frontier_and_the_chosen_one(comparison: Plain) -> None:
    comparison["models"][1]["on_frontier"] = False
    frontier, plain, chosen, view = draw_mitigation(comparison, favourable="admitted")["trade_off"].data

    assert frontier.x == (0.01, 0.09)
    assert frontier.y == (0.87, 0.88)
    assert (plain.x, plain.y) == ((0.09,), (0.88,))
    assert plain.error_x.array == pytest.approx((0.02,))
    assert plain.error_y.arrayminus == pytest.approx((0.01,))
    assert chosen.name == "reweighing (chosen)"
    assert chosen.marker.symbol == "star"
    assert view.name == "post processed (for the view only)"
    assert view.marker.symbol.endswith("-open")


def test_tables_say_what_the_figures_show(comparison: Plain) -> None:
    page = render(comparison, use_case="hospital", favourable="admitted")
    models, before_after, needs, _ = re.findall("<table.*?</table>", page, re.DOTALL)

    assert re.findall('<th scope="row">([^<]*?) *<', models) == ["unmitigated", "reweighing", "post processed"]
    assert "accuracy -0.004 [-0.012, +0.004]<br>AUC -0.008" in models
    assert "0.030 [0.010, 0.050]" in models
    assert re.findall('class="flagged".*?>([^<>]*?) *<span class="flag">chosen', models) == ["reweighing"]
    gap = [re.sub("<[^>]*>", "|", line) for line in before_after.splitlines() if ">difference<" in line]
    assert "|statistical parity||difference||0.090 [0.070, 0.110]||0.030 [0.010, 0.050]|" in gap[0]
    assert ">ratio<" in before_after
    assert re.findall('<th scope="row">([^<]*)<', needs) == ["mean signed error"]


def test_the_page_holds_all_of_it_and_fetches_nothing(comparison: Plain) -> None:
    page = render(comparison, use_case="hospital", favourable="admitted")

    for text in (
        "It is shown to be fairer.", "not permitted", "to compare only", "Against the true need",
        "needs race at prediction", "0.030 [0.010, 0.050]", "default-src &#39;none&#39;",
    ):  # fmt: skip
        assert text in page
    assert page.count('class="plot"') == 6
    assert "http-equiv" in page


def test_without_a_mitigation_only_the_state_before_is_shown(comparison: Plain) -> None:
    comparison["chosen"] = "unmitigated"

    assert len(MitigationRecord.from_dict(comparison).shown) == 1
    assert len(draw_mitigation(comparison, favourable="admitted")["performance"].data) == 1
    assert "no mitigation chosen</h1>" in render(comparison, use_case="hospital", favourable="admitted")


def test_where_nothing_was_compared_page_and_figures_say_so() -> None:
    nothing = {"models": [], "chosen": "unmitigated", "reason": "no sensitive column is configured"}

    assert "No mitigation was compared: no sensitive column is configured." in render(
        nothing, use_case="x", favourable="y"
    )
    figures = draw_mitigation(nothing, favourable="y")
    assert len(figures) == 6
    assert {figure.layout.title.text for figure in figures.values()} == {"No mitigation was compared"}


def test_without_a_choice_there_is_no_before(comparison: Plain) -> None:
    comparison["chosen"] = "unmitigated"
    figures = draw_mitigation(comparison, favourable="admitted")
    names = {str(trace.name) for name, figure in figures.items() for trace in figure.data}
    assert not [name for name in names if "before" in name or "after" in name]
    assert "unmitigated" in names
    page = render(comparison, use_case="hospital", favourable="admitted")
    assert '<th scope="col" class="figure">Before</th>' not in page


def test_page_shows_the_parameters_of_a_method(comparison: Plain) -> None:
    comparison["models"][1]["parameters"] = {"constraint": "equalized_odds", "tolerance": 0.01}
    page = render(comparison, use_case="hospital", favourable="admitted")
    assert "constraint=equalized_odds, tolerance=0.01" in page


def test_a_regression_has_means_and_neither_curves_nor_numbers(comparison: Plain) -> None:
    comparison["task"] = "regression"
    for model in comparison["models"]:
        model["curves"] = []
        for one in model["outcomes"]:
            one["needed"] = None
    figures = draw_mitigation(comparison, favourable="MEDV")

    performance = figures["performance"]
    assert len({trace.xaxis for trace in performance.data}) == 2  # accuracy and AUC, each on an axis of its own
    assert [trace.name for trace in performance.data if trace.showlegend] == [
        "before: unmitigated",
        "after: reweighing",
    ]
    assert "no scores" in figures["roc_by_group"].layout.title.text
    assert figures["predicted_numbers"].data == ()
    assert figures["predicted_shares"].layout.title.text == "Mean predicted MEDV by group, before and after"
    assert [trace.name for trace in figures["predicted_shares"].data][2:] == ["on record"]


def test_texts_of_the_data_do_not_act(comparison: Plain) -> None:
    attack = "<img src=x onerror=alert(1)>"
    hostile = deepcopy(comparison)
    hostile["by"]["column"] = hostile["reason"] = attack
    for model in hostile["models"]:
        model["reason"] = attack
        for one in [*model["outcomes"], *model["curves"]]:
            one["group"] = attack
        for one in (model["assessment"] or {"disparities": []})["disparities"]:
            one["column"] = attack

    page = render(hostile, use_case=attack, favourable=attack)

    assert attack not in page
    for figure in draw_mitigation(hostile, favourable=attack).values():
        assert "<img" not in json.dumps(json.loads(figure.to_json())["data"])
        assert "<img" not in json.dumps(json.loads(figure.to_json())["layout"].get("title"))
