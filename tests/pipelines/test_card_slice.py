"""The last nodes of the training stage: metrics for MLflow, and the model card with its questionnaire."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from kedro.io import DataCatalog
from sklearn.dummy import DummyRegressor

from rai_kedro.contract import Contract
from rai_kedro.mitigation import Uncompared
from rai_kedro.pipelines.parameters import FairnessParameters, MitigationParameters, Statements, TrainingParameters
from rai_kedro.pipelines.training import nodes, release_nodes, reporting_nodes
from rai_kedro.pipelines.training.mitigation_nodes import record_comparison
from rai_kedro.pipelines.training.proxy_nodes import measure_proxies, refuse_disguised
from rai_kedro.pipelines.training.reporting_nodes import record_questionnaire
from rai_kedro.pipelines.training.settings import Settings
from rai_kedro.policy import Policy
from rai_kedro.questionnaire import follow, load_tree
from rai_kedro.report import CardWithFigures, card_from_json, render_html, render_json

ANSWERS = {"individual_or_group": "no", "task": "two_outcomes", "standard": "yes"}


def answer(metrics: tuple[str, ...], answers: dict[str, str]) -> FairnessParameters:
    """Make parameters with these metrics and with answers as the questionnaire records them."""
    path = [step.model_dump() for step in follow(load_tree(), answers).path]
    groupings = ({"columns": ["B"]},)
    return FairnessParameters(metrics=metrics, questionnaire=path, tolerances=(), groupings=groupings)


def configure(contract: Contract, parameters: dict[str, Any], fairness: FairnessParameters) -> Settings:
    """Make the settings of housing, unchecked, with other fairness parameters."""
    return Settings(
        contract,
        TrainingParameters(**parameters["training"]),
        fairness,
        MitigationParameters(**parameters["mitigation"]),
        Statements(**parameters["statements"]),
    )


def test_every_figure_goes_to_mlflow_with_both_ends_and_nothing_undefined() -> None:
    known = {"value": 0.1, "lower": 0.05, "upper": 0.2}
    disparities = [
        {"column": "race & sex", "metric": "statistical_parity", "kind": "difference", **known},
        {"column": "race", "metric": "equal_opportunity", "kind": "ratio", "value": None, "lower": None, "upper": None},
        {"column": "race", "metric": "treatment_equality", "kind": "ratio", "value": 0.5, "lower": 0.2, "upper": None},
    ]
    performance = [{"split": "test", "name": "R2", "value": 0.7, "lower": None, "upper": None}]

    metrics = nodes.collect_metrics(performance, {"disparities": disparities, "tables": []})

    assert {name: figure["value"] for name, figure in metrics.items()} == {
        "test.R2": 0.7,
        "fairness.race _ sex.statistical_parity.difference": 0.1,
        "fairness.race _ sex.statistical_parity.difference.lower": 0.05,
        "fairness.race _ sex.statistical_parity.difference.upper": 0.2,
        "fairness.race.treatment_equality.ratio": 0.5,
        "fairness.race.treatment_equality.ratio.lower": 0.2,
    }


def test_answers_that_lead_to_the_metrics_are_recorded_with_methods(
    contract: Contract, parameters: dict[str, Any]
) -> None:
    asked = record_questionnaire(configure(contract, parameters, answer(("statistical_parity",), ANSWERS)))

    assert asked.contradictions == ()
    assert [step.question for step in asked.path] == list(ANSWERS)
    assert {method.metric for method in asked.methods} == {"statistical_parity"}
    # The model is a regression: a method for decisions says that it is not for it.
    assert any(not method.applies and "classification" in method.why for method in asked.methods)


def test_without_answers_only_the_metrics_are_recorded(contract: Contract, parameters: dict[str, Any]) -> None:
    fairness = FairnessParameters(**parameters["fairness"])
    asked = record_questionnaire(configure(contract, parameters, fairness))
    assert (asked.path, asked.methods, asked.contradictions) == ((), (), ())
    assert asked.metrics == fairness.metrics
    assert [finding.kind for finding in asked.findings] == ["not_answered"]


def test_answers_that_lead_nowhere_do_not_stop_the_card(contract: Contract, parameters: dict[str, Any]) -> None:
    fairness = answer(("statistical_parity",), ANSWERS)
    broken = fairness.model_copy(update={"questionnaire": fairness.questionnaire[:1]})
    asked = record_questionnaire(configure(contract, parameters, broken))
    assert "lead nowhere" in asked.contradictions[0]
    assert asked.methods == ()


@pytest.fixture
def written(
    make_catalog: Callable[..., DataCatalog],
    contract: Contract,
    parameters: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> CardWithFigures:
    """The card of a housing model whose metrics were changed by hand after the questionnaire."""
    import kedro.framework.project  # noqa: F401 - loads the logging configuration, which drops all handlers

    monkeypatch.setattr(logging.getLogger(reporting_nodes.__name__), "handlers", [caplog.handler])
    by_hand = parameters["fairness"] | {"questionnaire": answer(("statistical_parity",), ANSWERS).questionnaire}
    settings = configure(contract, parameters, FairnessParameters(**by_hand))
    catalog = make_catalog()
    stores = (catalog["housing.feature_store"].load(), catalog["housing.label_store"].load())
    model, audit, identifiers, target, digest, reads, given = nodes.separate_lanes(*stores, settings)
    split, audit_train, _, audit_test = nodes.split_months(model, audit, identifiers, target, settings)
    nothing = Uncompared(reason="no column is configured")
    fitted = nodes.fit_model(split, settings)
    predictions = nodes.predict_splits(fitted, split)
    performance = nodes.assess_performance(split, predictions, settings, audit_train, audit_test)
    found = nodes.assess_fairness(split, audit_test, predictions, nothing, settings)
    assessment, gate = (json.loads(json.dumps(one)) for one in found)
    comparison = record_comparison(nothing)
    _, guarded, disguises = refuse_disguised(stores[0], identifiers, model, audit, target, settings)
    proxies = json.loads(json.dumps(measure_proxies(split, guarded, disguises, settings)))
    explanation = json.loads(json.dumps(nodes.explain_model(fitted, split, audit_test, settings)))
    drawn = reporting_nodes.draw_figures(
        split, predictions, assessment, comparison, proxies, explanation, audit_test, settings
    )
    # What is registered need not be what is configured.
    registered = DummyRegressor(strategy="quantile", quantile=0.4).fit(split.features_train, split.target_train)
    no_drift = {"drift": None, "no_drift": "none"}
    gates = release_nodes.judge_release(performance, gate, {}, no_drift, proxies, settings, Policy())
    version = SimpleNamespace(version="1", run_id="8f1c", created_at="2026-01-01T12:00:00+00:00", git_commit="4f2c")
    measured = nodes.Measured(
        performance=performance,
        fairness_assessment=assessment,
        fairness_gate=gate,
        training_carbon={},
        data_fingerprint=digest,
        compared=nothing,
        split=split,
        release_gates=gates,
        judged_by={},
        proxy_report=proxies,
        explanation=explanation,
    )
    with caplog.at_level(logging.WARNING):
        return reporting_nodes.write_card(version, registered, measured, comparison, reads, drawn, [], given, settings)


def test_card_of_a_run_holds_gate_groups_and_the_contradiction(
    written: CardWithFigures, caplog: pytest.LogCaptureFixture
) -> None:
    card = written.card
    assert card.fairness is not None
    assert card.estimator.class_path == "sklearn.dummy.DummyRegressor"
    assert card.estimator.params == {"strategy": "quantile", "quantile": 0.4}
    assert {table.column for table in card.fairness.assessment.tables} == {"B", "LSTAT"}
    assert card.fairness.unit == "1,000 dollars"
    assert card.mitigation is None
    assert card.why_unmitigated == "no column is configured"
    assert any("'statistical_parity' is not measured" in text for text in card.questionnaire.contradictions)
    warnings = [record.getMessage() for record in caplog.get_records("setup")]
    assert any("of housing contradict the recorded answers" in text for text in warnings)
    assert card_from_json(render_json(card)) == card
    html = render_html(card, written.figures)
    assert len(written.figures) == html.count('class="plot"') == 6
    assert "No mitigation was compared: no column is configured" in html
    assert "Metrics contradict the answers" in html
