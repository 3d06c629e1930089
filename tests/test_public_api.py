"""What notebooks and other programs may rely on: taking one of these names away breaks them.

The faces export more, for the other rooms of this project; ``test_faces.py`` checks all of it.
"""

from __future__ import annotations

import importlib
import inspect

import pytest

PUBLIC = {
    "contract": "Column Contract ContractError ContractViolation LaneError check fingerprint model_columns "
    "profile_month read read_contract split_lanes",
    "intervals": "Estimate IntervalError error_size_intervals mean_intervals proportion_intervals",
    "performance": "Figure Gain Performance PerformanceError measure measure_gain",
    "exchange": "read_odcs to_cyclonedx to_odcs",
    "fairness": "Assessment Disparity FairnessSpec Gate GroupFigure METRICS Metric Tolerance assess audit_bias "
    "find_metric plan_sample",
    "modelling": "ModellingError build_estimator fit_estimator predict_rows split_rows",
    "sources": "SourceError parse_dates read_table split_months",
    "demo": "simulate_snapshots simulate_visits",
    "questionnaire": "follow interview next_question read_answers recommend",
    "mitigation": "Comparison METHODS MitigationError compare",
    "monitoring": "Looks MonthDrift MonthOutcome Timeline build_timeline detect_drift estimate_performance judge_month "
    "new_findings compare_versions ask_gate EstimatedColumns fit_estimator reconcile track_record content_digest",
    "proxies": "find_proxies find_relations",
    "explanation": "Explanation ExplanationError explain explain_row",
    "report": "build_model_card card_from_json draw_monitoring render_governance_page "
    "render_html render_json render_markdown render_monitoring_page",
    "release": "ReleaseError ReviewRequest SigningKey approve read_evidence read_trust reject verify",
}
FACES = ("fairness.assess", "performance.measure", "mitigation.compare", "monitoring.detect_drift")


@pytest.mark.parametrize("room", PUBLIC)
def test_public_names_of_a_room(room: str) -> None:
    face = importlib.import_module(f"rai_kedro.{room}")
    assert set(PUBLIC[room].split()) <= set(face.__all__)


@pytest.mark.parametrize("name", FACES)
def test_options_of_a_face_are_named(name: str) -> None:
    room, function = name.split(".")
    signature = inspect.signature(getattr(importlib.import_module(f"rai_kedro.{room}"), function))
    data = {"y_true", "y_pred", "reference", "current", "estimator", "X_train", "y_train", "X_test", "y_test"}
    positional = {p.name for p in signature.parameters.values() if p.kind is not inspect.Parameter.KEYWORD_ONLY}
    assert positional <= data
