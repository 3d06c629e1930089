"""A small model card that every test of the reporting room starts from."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel

from rai_kedro.contract import GovernedColumn
from rai_kedro.fairness import Gate, GroupingSpec, Tolerance, examine_classification
from rai_kedro.fairness.assessment import FairnessSpec
from rai_kedro.performance import Figure
from rai_kedro.questionnaire import Finding, Step
from rai_kedro.report.card import (
    CarbonFigure,
    Estimator,
    FairnessRecord,
    Identity,
    ModelCard,
    QuestionnaireRecord,
    TrainingData,
    Uses,
)
from rai_kedro.report.mitigation_section import MitigationRecord, read_comparison
from rai_kedro.report.model_card import build_model_card


def replace(one: Any, **changes: Any) -> Any:
    """A copy with other fields, of a dataclass or of a pydantic model."""
    return one.model_copy(update=changes) if isinstance(one, BaseModel) else dataclasses.replace(one, **changes)


def make_row(name: str, **changes: Any) -> GovernedColumn:
    row = {
        "dataset": "housing.feature_store",
        "name": name,
        "type": "float",
        "description": f"what {name} holds",
        "use": "model",
        "flags": [],
        "owner": "data-governance",
        "purpose": "predict the median house value of a tract",
        "model_uses": True,
    }
    return GovernedColumn.from_dict(row | changes)


@cache
def make_fairness(
    limit: float = 0.5,
    column: str = "B",
    groups: tuple[str, ...] = ("low", "high"),
    declared: tuple[str, ...] = (),
) -> FairnessRecord:
    """Assess decisions for 40 % of the first group and 60 % of the second, 400 rows each, of which 10 lack a label.

    Further groups have eight rows each.
    """
    rows = [400, 400, *[8] * (len(groups) - 2)]
    rates = [0.4, 0.6, *[0.5] * (len(groups) - 2)]
    labels, decisions = [], []
    for count, rate in zip(rows, rates, strict=True):
        labels += [1.0, 0.0] * (count // 2)
        decisions += [1.0] * round(rate * count) + [0.0] * (count - round(rate * count))
    audit = pd.DataFrame({column: np.repeat(groups, rows)})
    labels[:10] = [np.nan] * 10
    spec = FairnessSpec(
        groupings=(GroupingSpec(columns=(column,), declared=declared),),
        metrics=("statistical_parity", "equal_opportunity"),
    )
    found = examine_classification(pd.Series(labels), pd.Series(decisions), None, audit, spec)
    gate = Gate(tolerances=(Tolerance(metric="statistical_parity", limit=limit),))
    return FairnessRecord(assessment=found, gate=gate.judge(found.disparities))


def make_disparity(metric: str, value: float, kind: str = "difference") -> dict[str, Any]:
    span = {"value": value, "lower": value - 0.02, "upper": value + 0.02}
    return {"metric": metric, "column": "race", "kind": kind, "level": 0.95, **span}


def make_model(name: str, accuracy: float, gap: float, **changes: Any) -> dict[str, Any]:
    """One model of a comparison, in the form in which the mitigation room writes it down."""
    performance = [{"name": "accuracy", "value": accuracy, "lower": accuracy - 0.01, "upper": accuracy + 0.01}]
    outcomes = [
        {"group": group, "rows": rows, "observed": 60.0, "predicted": share * rows, "needed": 80.0}
        | {"share": share, "lower": None, "upper": None}
        for group, rows, share in (("Black", 400, 0.1), ("White", 600, 0.1 + gap))
    ]
    parity = make_disparity("statistical_parity", gap)
    needs = [parity, make_disparity("equal_opportunity", gap + 0.1)]
    return {
        "name": name,
        "stage": "pre",
        "method": "" if name == "unmitigated" else name,
        "parameters": {} if name == "unmitigated" else {"constraint": "demographic_parity"},
        "status": "fitted",
        "reason": "",
        "may_be_used": True,
        "needs_sensitive": False,
        "on_frontier": True,
        "performance": performance,
        "gains": [],
        "outcomes": outcomes,
        "assessment": {"disparities": [parity]},
        "need_assessment": {"disparities": needs},
    } | changes


def make_comparison(chosen: str = "reweighing", **changes: Any) -> dict[str, Any]:
    gains = [{"name": "accuracy", "value": -0.004, "lower": -0.012, "upper": 0.004}]
    nothing = {"assessment": None, "need_assessment": None, "performance": [], "outcomes": []}
    by = {"metric": "statistical_parity", "kind": "difference", "column": "race", "performance": "accuracy"}
    refused = make_model("threshold_optimisation", 0, 0, status="refused", reason="Not permitted. Do this.", **nothing)
    return {
        "task": "classification",
        "by": by | {"tolerance": 0.02, "guards": []},
        "level": 0.95,
        "rows_train": 2000,
        "rows_test": 1000,
        "chosen": chosen,
        "reason": "It is shown to be nearer.",
        "rule": "The rule.",
        "models": [
            make_model("unmitigated", 0.88, 0.09, stage=""),
            make_model("reweighing", 0.876, 0.03, gains=gains, **changes),
            refused,
        ],
    }


@pytest.fixture
def mitigation() -> MitigationRecord:
    record = read_comparison(make_comparison())
    assert record is not None
    return record


@pytest.fixture
def register() -> list[GovernedColumn]:
    justification = {"by": "A. Officer", "reason": "published figure", "until": "2024-07-31"}
    return [
        make_row("RM"),
        make_row("CRIM", flags=["risky"], risk="policing practice", justification=justification),
        make_row("B", use="audit", flags=["risky", "demographic"], risk="race", model_uses=False),
        make_row("ID", use="forbidden", model_uses=False),
        make_row("MEDV", dataset="housing.label_store"),
    ]


@pytest.fixture
def parts(register: list[dict[str, Any]]) -> ModelCard:
    moment = "2024-05-01T12:00:00+00:00"
    return ModelCard(
        identity=Identity(
            use_case="housing",
            model_name="housing",
            version="3",
            run_id="8f1c",
            created_at=moment,
            purpose="predict values",
            owner="data-governance",
        ),
        estimator=Estimator(
            class_path="sklearn.linear_model.Ridge",
            params={"alpha": 1.0, "copy_X": True, "solver": None, "steps": [1, {"a": 2}]},
        ),
        uses=Uses(intended=("Showing how a model is governed.",), out_of_scope=("Valuing a home.",)),
        data=TrainingData(
            stores=("housing.feature_store",),
            month="2024-01",
            rows_train=339,
            rows_test=167,
            fingerprint="sha256:ab12",
            git_commit="4f2c9d1",
        ),
        columns=tuple(register),
        performance=(
            Figure(
                name="MAE", split="train", value=3.7, lower=3.3, upper=4.2, level=0.95, unit="1000 USD", how="bootstrap"
            ),
            Figure(
                name="MAE",
                split="test",
                value=3.3278,
                lower=2.9012,
                upper=3.7811,
                level=0.95,
                unit="1000 USD",
                how="bootstrap",
            ),
        ),
        fairness=make_fairness(),
        questionnaire=QuestionnaireRecord(metrics=("statistical_parity", "equal_opportunity")),
        mitigation=None,
        why_unmitigated="no method is configured",
        carbon=(
            CarbonFigure(
                task="training",
                energy_kwh=1.72e-6,
                emissions_g=0.00065,
                duration_s=0.84,
                method="CodeCarbon, an estimate",
                scope="CPU and RAM",
                country="NL",
            ),
        ),
        limits=("506 tracts of Boston in 1970.",),
    )


@pytest.fixture
def card(parts: ModelCard) -> ModelCard:
    return build_model_card(parts, ["numpy"])


@pytest.fixture
def hostile_card(parts: ModelCard, register: list[GovernedColumn]) -> ModelCard:
    """A card whose texts try to be HTML, Markdown and script."""
    run = "document.title='owned'"
    attack = f'<script>{run}</script><img src=x onerror="{run}"> | [a](javascript:b)'
    hostile = [row.model_copy(update={"description": attack, "risk": attack}) for row in register]
    identity = replace(parts.identity, model_name='"><script>1</script>', purpose=attack)
    estimate = replace(parts.performance[1], note=attack, how=attack)
    answer = Step(question=attack, answer=attack, asked=attack, means=attack)
    asked = QuestionnaireRecord(
        path=(answer,), findings=(Finding(kind="metric_added", message=attack),), notes=(attack,)
    )
    refused = {"status": "refused", "reason": attack}
    changes = {
        "columns": tuple(hostile),
        "identity": identity,
        "performance": (estimate,),
        "fairness": make_fairness(column="<b>B</b>", groups=("low", attack)),
        "questionnaire": asked,
        "mitigation": read_comparison(make_comparison(chosen="unmitigated", **refused) | {"reason": attack}),
    }
    return build_model_card(replace(parts, **changes, limits=(attack,)), ["numpy"])


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions and splits of 506 rows."""
    rng = np.random.default_rng(3)
    label = rng.normal(22, 8, 506)
    return label, label + rng.normal(0, 4, 506), np.array(["train"] * 339 + ["test"] * 167)
