from __future__ import annotations

import json
import re
from importlib import metadata
from itertools import pairwise

import pytest
from pydantic import ValidationError

from rai_kedro.contract import SensitiveRead
from rai_kedro.fairness import audit_bias
from rai_kedro.performance import Figure
from rai_kedro.report.card import CANDIDATE_STATUS, CarbonFigure, Identity, ModelCard, ModelCardError
from rai_kedro.report.mitigation_section import MitigationRecord
from rai_kedro.report.model_card import (
    build_model_card,
    card_from_json,
    collect_versions,
    render_html,
    render_json,
    render_markdown,
)

from .conftest import make_fairness, replace


def count_cells(line: str) -> int:
    """Count the cells of a line of a Markdown table; an escaped bar ends none."""
    return line.replace("\\|", "").count("|") - 1


class TestBuilding:
    def test_lanes_and_columns_come_from_the_register(self, card: ModelCard) -> None:
        assert (card.names_of("model"), card.names_of("audit")) == (["RM", "CRIM"], ["B"])
        assert (card.names_of("forbidden"), card.names_of("label")) == (["ID"], ["MEDV"])
        assert [column.flags for column in card.columns] == [(), ("risky",), ("risky", "demographic"), (), ()]
        assert card.review_status == CANDIDATE_STATUS

    def test_column_that_a_mitigation_may_read_is_audited_unless_predictions_need_it(self, parts: ModelCard) -> None:
        row = parts.columns[2].model_copy(update={"name": "race", "use": "mitigation"})
        free, needed = (
            build_model_card(replace(parts, columns=[*parts.columns, replace(row, model_uses=uses)]))
            for uses in (False, True)
        )
        assert free.names_of("audit") == ["B", "race"]
        assert (needed.names_of("audit"), needed.names_of("mitigation")) == (["B"], ["race"])
        assert "race" not in needed.names_of("model")

    def test_limit_of_the_intervals_is_added_when_there_are_intervals(self, parts: ModelCard) -> None:
        bare = [replace(e, lower=None, upper=None) for e in parts.performance]
        assert len(build_model_card(parts).limits) == 2
        assert len(build_model_card(replace(parts, performance=bare)).limits) == 1

    def test_versions_are_those_installed(self) -> None:
        versions = collect_versions(["numpy", "scikit-learn"])
        assert list(versions) == ["python", "numpy", "scikit-learn"]
        assert versions["numpy"] == metadata.version("numpy")

    def test_package_that_is_not_installed_is_refused(self) -> None:
        with pytest.raises(ModelCardError, match=r"(?s)not installed.*no-such-package"):
            collect_versions(["no-such-package"])

    @pytest.mark.parametrize("moment", ["yesterday", "2024-05-01T12:00:00"])
    def test_moment_without_zone_is_refused(self, moment: str) -> None:
        with pytest.raises(ModelCardError, match="time zone"):
            Identity(use_case="h", model_name="h", version="1", run_id="r", created_at=moment, purpose="p", owner="o")

    def test_numbers_that_are_not_finite_are_refused(self) -> None:
        with pytest.raises(ValidationError, match="finite number"):
            Figure(name="R2", split="test", value=float("nan"))

    def test_carbon_that_is_missing_needs_a_reason(self) -> None:
        with pytest.raises(ModelCardError, match="without a reason"):
            CarbonFigure(task="training", energy_kwh=0.1)


class TestJson:
    def test_card_survives_the_round_trip(self, card: ModelCard, hostile_card: ModelCard) -> None:
        assert card_from_json(render_json(card)) == card
        assert card_from_json(render_json(hostile_card)) == hostile_card

    def test_parameter_types_survive(self, card: ModelCard) -> None:
        params = card_from_json(render_json(card)).estimator.params
        assert [(name, type(value)) for name, value in params.items()] == [
            ("alpha", float),
            ("copy_X", bool),
            ("solver", type(None)),
            ("steps", list),
        ]

    def test_figures_are_not_rounded(self, card: ModelCard) -> None:
        assert json.loads(render_json(card))["card"]["performance"][1]["value"] == 3.3278

    def test_what_to_look_at_is_in_it(self, card: ModelCard) -> None:
        topics = [point["topic"] for point in json.loads(render_json(card))["look_at_first"]]
        assert topics == ["Flagged column in the model"]
        failing = replace(card, fairness=make_fairness(limit=0.05))
        first = json.loads(render_json(failing))["look_at_first"][0]
        assert first["topic"] == "Fairness gate"
        assert "says fail" in first["text"]

    @pytest.mark.parametrize(
        ("path", "value", "message"),
        [
            (("format",), "rai_kedro.model_card/1", "its format is not rai_kedro.model_card/3"),
            (("card", "identity", "version"), 3, r"(?s)card.identity.version"),
            (("card", "identity", "unknown"), "x", r"(?s)card.identity.unknown"),
            (("card", "columns"), None, r"(?s)card.columns"),
        ],
    )
    def test_a_changed_document_is_refused_by_place(
        self, card: ModelCard, path: tuple[str, ...], value: object, message: str
    ) -> None:
        document = json.loads(render_json(card))
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value
        with pytest.raises(ModelCardError, match=message):
            card_from_json(json.dumps(document))

    @pytest.mark.parametrize("text", ["", "{", "[]", "null"])
    def test_what_is_no_card_is_refused(self, text: str) -> None:
        with pytest.raises(ModelCardError, match="cannot be read"):
            card_from_json(text)


class TestMarkdown:
    def test_it_holds_the_figures_with_their_intervals(self, card: ModelCard) -> None:
        text = render_markdown(card)
        assert "| MAE | 3.70 [3.30, 4.20] | 3.33 [2.90, 3.78] | 1000 USD |" in text
        parity = card.fairness.gate.verdicts[0].disparity
        assert parity.value == pytest.approx(0.2, abs=0.02)
        assert (
            f"| pass | statistical parity (share of rows decided favourably) | B | difference | {parity.value:.3f} ["
            in text
        )
        assert "| low | " in text
        assert CANDIDATE_STATUS in text

    def test_texts_of_the_data_act_neither_as_html_nor_as_markdown(self, hostile_card: ModelCard) -> None:
        text = render_markdown(hostile_card)
        assert "<script" not in text
        assert "<img" not in text
        assert not re.search(r"(?<!\\)\]\(javascript", text)
        assert any(line.startswith("| ") and "owned" in line for line in text.splitlines())

    @pytest.mark.parametrize("name", ["card", "hostile_card"])
    def test_every_table_has_as_many_cells_in_each_row(self, name: str, request: pytest.FixtureRequest) -> None:
        lines = render_markdown(request.getfixturevalue(name)).splitlines()
        for line, following in pairwise(lines):
            if line.startswith("|") and following.startswith("|"):
                assert count_cells(line) == count_cells(following), (line, following)

    def test_empty_sections_say_so(self, card: ModelCard) -> None:
        bare = replace(card, performance=(), fairness=None, carbon=(), limits=())
        text = render_markdown(bare)
        assert text.count("Not measured.") == 4
        assert "Not stated." in text


class TestHtml:
    def test_it_holds_the_figures_and_the_status(self, card: ModelCard) -> None:
        text = render_html(card, {})
        for part in ("3.33 [2.90, 3.78]", "1.72 × 10⁻⁶", CANDIDATE_STATUS, "4f2c9d1", "What to look at"):  # noqa: RUF001
            assert part in text

    def test_summary_is_made_of_the_cards_own_figures(self, card: ModelCard) -> None:
        text = render_html(card, {})
        assert "Version 3 of housing is a Ridge. Purpose: predict values." in text
        assert "fitted on 339 rows of 2024-01 and tested on 167 others" in text
        assert "flagged among them: CRIM" in text

    def test_carbon_that_was_not_measured_says_why(self, card: ModelCard) -> None:
        bare = replace(card, carbon=(CarbonFigure(task="training", reason="no tracker"),))
        assert "not measured</span>: no tracker" in render_html(bare, {})

    def test_empty_sections_say_so(self, card: ModelCard) -> None:
        bare = replace(card, performance=(), fairness=None, carbon=(), limits=())
        text = render_html(bare, {})
        assert text.count("Not measured.") == 4
        assert "Not stated." in text


def test_every_part_of_a_card_refuses_what_it_does_not_know(card: ModelCard, mitigation: MitigationRecord) -> None:
    card = replace(card, mitigation=mitigation)

    def add_unknown(value: object) -> int:
        """Add an unknown key to every object with fixed fields; return how many were refused."""
        refused = 0
        for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
            refused += add_unknown(child)
        if isinstance(value, dict) and not set(value) <= {"missing label"} and not any(value is one for one in free):
            value["unknown"] = 1
            with pytest.raises(ModelCardError, match="unknown"):
                card_from_json(json.dumps(document))
            del value["unknown"]
            refused += 1
        return refused

    document = json.loads(render_json(card))
    document["card"]["estimator"]["params"] = {}
    free = [document["card"]["estimator"]["params"], document["card"]["versions"]]
    free += [model["parameters"] for model in document["card"]["mitigation"]["models"]]
    # The card and its five single parts; columns; a justification; estimates; carbon; fairness and its assessment, a
    # table of two groups and three rates, four disparities of two groups with limits that hold jointly, the gate, the
    # verdict with its disparity.
    fairness = 2 + (1 + 2 * 3) + 4 * (1 + 2 + 1) + 1 + (1 + 1 + 2 + 1)
    # A comparison: itself, by what, three models, a gain; of the two that are shown a figure, an assessment with one
    # disparity, one against the need with two, and two groups.
    mitigated = 1 + 1 + 3 + 1 + 2 * (1 + 2 + 3 + 2)
    assert add_unknown(document["card"]) == 6 + 5 + 1 + 2 + 1 + fairness + mitigated


def test_tables_of_local_law_144_are_on_the_card_where_they_were_asked_for(card: ModelCard) -> None:
    assert card.fairness is not None
    assert "Local Law" not in render_markdown(card)
    assert "ll144" not in render_json(card)
    audit = audit_bias(
        sex=["<i>m</i>"] * 300 + ["f"] * 300 + ["x"] * 3 + [None],
        race=["a"] * 604,
        selected=[1, 0, 0] * 100 + [1, 0, 0, 0] * 75 + [1, 1, 1] + [1],
        leave_out={"x": "three people"},
    )
    assessment = card.fairness.assessment.model_copy(update={"ll144": audit})
    asked = replace(card, fairness=replace(card.fairness, assessment=assessment))
    text = render_markdown(asked)
    assert "of 603 people of the test rows; 1 more are in no table" in text
    assert re.search(r"\| f \| 300 \(49\.8 %\) \| 0\.25\d? \[.*\] \(75 selected\) \| 0\.75\d* \[", text)
    assert re.search(r"\| x \| 3 \(0\.5 %\) \| 1.* \(3 selected\) \| none \(left out: three people\) \|", text)
    assert "<i>" not in render_html(asked, {}) and "&lt;i&gt;m&lt;/i&gt;" in render_html(asked, {})
    assert card_from_json(render_json(asked)) == asked


def test_sensitive_columns_that_were_read_are_on_the_card_each_with_its_reason_once(card: ModelCard) -> None:
    assert "Sensitive columns that this training read" not in render_markdown(card)
    said = {"dataset": "housing.feature_store", "flags": ["risky"], "use": "audit", "rows": 506, "purpose": "loaded"}
    months = {"training.fit_model": ["2024-01", "2024-02"], "training.digest_months": ["2024-01", "2024-03"]}
    reads = [
        SensitiveRead.from_dict({**said, "column": column, "why": f"why <b>{column}</b>", "step": step, "months": read})
        for step, read in months.items()
        for column in ("B", "LSTAT")
    ]
    shown = replace(card, sensitive_reads=tuple(reads))
    text, page = render_markdown(shown), render_html(shown, {})
    assert text.count("why &lt;b&gt;LSTAT") == page.count("why &lt;b&gt;LSTAT") == 1
    assert "| audit | training.fit_model | loaded | 2024-01 to 2024-02 | 506 |" in text
    assert "| audit | training.digest_months | loaded | 2024-01, 2024-03 | 506 |" in text
    assert card_from_json(render_json(shown)) == shown
