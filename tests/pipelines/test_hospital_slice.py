"""The hospital use case through the same nodes: classification, lanes, fairness and the gate."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from rai_kedro.contract import read_contract
from rai_kedro.demo import HospitalParameters
from rai_kedro.fairness import EXIT_CODES, Assessment, BiasAuditError, GateDecision
from rai_kedro.mitigation import Uncompared
from rai_kedro.pipelines.parameters import FairnessParameters, MitigationParameters, Statements, TrainingParameters
from rai_kedro.pipelines.simulation import simulate_hospital
from rai_kedro.pipelines.training import nodes
from rai_kedro.pipelines.training.settings import check_settings

BASE = Path(__file__).resolve().parents[2] / "conf" / "base" / "hospital"


@pytest.fixture(scope="module")
def trained() -> dict[str, Any]:
    contract = read_contract(BASE / "catalog.yml", as_of=date(2026, 11, 1))
    values = yaml.safe_load((BASE / "parameters.yml").read_text(encoding="utf-8"))["hospital"]
    one_month = {**values["simulation"], "months": 1, "visits": 6000, "drift": []}
    features, labels, _, bias, _ = simulate_hospital(HospitalParameters(**one_month))
    training = TrainingParameters(**{**values["training"], "last_month": None})
    answers = yaml.safe_load((BASE / "parameters_questionnaire.yml").read_text(encoding="utf-8"))["hospital"]
    asked = {"sex": "sex", "race": "race"}
    fairness = FairnessParameters(**values["fairness"], **answers["fairness"], ll144=asked)
    said = MitigationParameters(**values["mitigation"]), Statements(**values["statements"])
    settings = check_settings(contract, training, fairness, *said)
    stores = ({key: frame.copy for key, frame in frames.items()} for frames in (features, labels))
    model_lane, audit_lane, identifiers, target, *_ = nodes.separate_lanes(*stores, settings)
    split, audit_train, _, audit_test = nodes.split_months(model_lane, audit_lane, identifiers, target, settings)
    model = nodes.fit_model(split, settings)
    predictions = nodes.predict_splits(model, split)
    unmitigated = Uncompared(reason="the bias is to be found, not mitigated")
    assessment, gate = nodes.assess_fairness(split, audit_test, predictions, unmitigated, settings)
    performance = nodes.assess_performance(split, predictions, settings, audit_train, audit_test)
    return {
        "model": model,
        "audit": audit_test,
        "assessment": assessment,
        "gate": gate,
        "bias": bias,
        "fairness": fairness,
        "predictions": predictions["test"],
        "settings": settings,
    } | {"performance": {(e["split"], e["name"]): e for e in performance}}


def test_flagged_columns_are_audited_and_never_seen_by_the_model(trained: dict[str, Any]) -> None:
    flagged = {"race", "sex", "age", "payment"}
    assert flagged <= set(trained["audit"])
    assert not flagged & set(trained["model"].feature_names_in_)


def test_the_model_is_sensible(trained: dict[str, Any]) -> None:
    auc = trained["performance"]["test", "AUC"]
    assert 0.75 < auc["lower"] < auc["value"] < auc["upper"] < 0.95


def test_the_known_bias_is_found_and_judged(trained: dict[str, Any]) -> None:
    by_metric = {
        (d.metric, d.kind): d for d in Assessment.from_dict(trained["assessment"]).disparities if d.column == "race"
    }
    parity = by_metric["statistical_parity", "difference"]
    assert parity.pair == ("Black", "White")
    assert parity.lower is not None and parity.lower > 0
    decision = GateDecision.from_dict(trained["gate"])
    assert decision.outcome in ("fail", "insufficient_evidence")
    assert decision.exit_code == EXIT_CODES[decision.outcome]
    judged = {(verdict.disparity.metric, verdict.disparity.kind) for verdict in decision.verdicts}
    assert ("statistical_parity", "ratio") in judged
    assert judged == {(one.metric, one.kind) for one in trained["fairness"].tolerances}


def test_the_tables_of_local_law_144_are_those_counted_by_hand(trained: dict[str, Any]) -> None:
    audit, decided = trained["audit"], trained["predictions"]["prediction"]
    by_hand = decided.groupby(audit["sex"].astype(str).to_numpy()).mean()
    table = trained["assessment"]["ll144"]["tables"][0]
    assert {row["category"]: row["rate"]["value"] for row in table["rows"]} == pytest.approx(by_hand.to_dict())
    ratios = {row["category"]: row["impact_ratio"]["value"] for row in table["rows"]}
    assert ratios == pytest.approx((by_hand / by_hand.max()).to_dict())
    assert Assessment.from_dict(trained["assessment"]).ll144 is not None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"sex": "sex", "race": "skin"}, "need 'skin', which is not audited"),
        ({"sex": "heart_rate", "race": "race"}, "need 'heart_rate', which is not audited"),
    ],
)
def test_tables_of_columns_that_are_not_audited_are_refused(
    trained: dict[str, Any], asked: dict[str, str], message: str
) -> None:
    held = trained["settings"]
    fairness = FairnessParameters(**{**held.fairness.model_dump(), "ll144": asked})
    with pytest.raises(BiasAuditError, match=rf"(?s){message}.*fairness\.ll144"):
        check_settings(held.contract, held.training, fairness, held.mitigation, held.statements)
