"""The bill of materials of a version, held against the official schema of CycloneDX."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from rai_kedro.contract import GovernedColumn
from rai_kedro.exchange import BomError, VersionFiles, to_cyclonedx
from rai_kedro.fairness import Gate, Tolerance, assess
from rai_kedro.performance import Figure
from rai_kedro.report import (
    CarbonFigure,
    Estimator,
    FairnessRecord,
    Identity,
    ModelCard,
    QuestionnaireRecord,
    TrainingData,
    Uses,
)

NUMPY = f"numpy=={version('numpy')}"
FILES = VersionFiles((NUMPY, "scikit_learn==0.0.1"), {"manifest.json": "a" * 64, "model_card_v3.json": "b" * 64})
ATTACK = '</script>"\u202e\\ é'


def column(name: str, **changes: Any) -> GovernedColumn:
    said = {"dataset": "shop.feature_store", "name": name, "type": "float", "description": name, "use": "model"}
    return GovernedColumn.from_dict(
        said | {"flags": [], "owner": "data team", "purpose": "predict", "model_uses": True} | changes
    )


@pytest.fixture
def card() -> ModelCard:
    truth, answer = [1, 0] * 200, [1, 0, 1, 1] * 100
    found = assess(truth, answer, sensitive_features={"sex": ["f", "m"] * 200}, metrics="statistical_parity")
    gate = Gate(tolerances=(Tolerance(metric="statistical_parity", limit=0.1),))
    figure = {"name": "accuracy", "split": "test", "value": 0.75, "lower": 0.7, "upper": 0.79, "level": 0.95}
    return ModelCard(
        identity=Identity(
            **{"use_case": "shop", "model_name": f"returns {ATTACK}", "version": "3", "run_id": "8f1c"},
            **{"created_at": "2024-05-01T12:00:00+00:00", "purpose": "predict returns", "owner": "data team"},
        ),
        estimator=Estimator(class_path="sklearn.linear_model.LogisticRegression", params={}),
        uses=Uses(intended=("advice",), out_of_scope=("credit",)),
        data=TrainingData(
            **{"stores": ("shop.feature_store", "shop.label_store"), "month": "2024-01", "rows_train": 900},
            **{"rows_test": 400, "fingerprint": "ab12", "git_commit": None},
        ),
        columns=(
            column("spend"),
            column("sex", type="category", use="audit", flags=["demographic"], risk="sexism", model_uses=False),
            column("returned", dataset="shop.label_store", type="integer"),
        ),
        performance=(Figure(**figure), Figure(name="AUC", split="test", note="one class only")),
        fairness=FairnessRecord(assessment=found, gate=gate.judge(found.disparities)),
        questionnaire=QuestionnaireRecord(),
        mitigation=None,
        why_unmitigated="no method is configured",
        carbon=(
            CarbonFigure(task="training", energy_kwh=0.002, emissions_g=0.8, method="CodeCarbon", country="NL"),
            CarbonFigure(task="mitigation", reason="switched off"),
        ),
        limits=("few rows",),
    )


@pytest.fixture
def model(card: ModelCard) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(to_cyclonedx(card, FILES))["components"][0]
    return found


def test_it_is_valid_and_the_same_card_gives_the_same_bytes(card: ModelCard) -> None:
    text = to_cyclonedx(card, FILES)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text.replace("machine-learning-model", "model"))
    assert to_cyclonedx(card, FILES) == text
    assert json.loads(text)["components"][0]["name"] == f"returns {ATTACK}"


def test_the_model_and_what_it_was_made_from(model: dict[str, Any]) -> None:
    said = model["modelCard"]["modelParameters"]
    assert (model["type"], model["version"], said["task"]) == ("machine-learning-model", "3", "classification")
    assert said["architectureFamily"] == "LogisticRegression"
    assert said["inputs"] == [{"format": "spend: float"}]
    assert said["outputs"] == [{"format": "returned: integer"}]
    assert [one["name"] for one in said["datasets"]] == ["shop.feature_store", "shop.label_store"]
    assert said["datasets"][0]["sensitiveData"] == ["sex: sexism"]
    assert said["datasets"][0]["governance"] == {"owners": [{"organization": {"name": "data team"}}]}


def test_figures_have_slices_and_intervals(model: dict[str, Any]) -> None:
    figures = model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    interval = {"lowerBound": "0.7", "upperBound": "0.79"}
    assert figures[0] == {"type": "accuracy", "value": "0.75", "slice": "test", "confidenceInterval": interval}
    assert not [one for one in figures if one["type"] == "AUC"], "what has no value has no figure"
    # Decided favourably: all of the women, half of the men.
    groups = {one["slice"]: float(one["value"]) for one in figures if one["type"] == "selection rate"}
    assert groups == {"test, sex: f": 1.0, "test, sex: m": 0.5}
    gap = next(one for one in figures if one["type"] == "statistical parity, difference")
    assert (float(gap["value"]), gap["slice"]) == (0.5, "test, by sex")
    assert float(gap["confidenceInterval"]["lowerBound"]) < 0.5 < float(gap["confidenceInterval"]["upperBound"])
    levels = {one["name"]: one["value"] for one in model["modelCard"]["properties"]}
    assert levels["rai_kedro:intervals_of_performance"] == levels["rai_kedro:intervals_of_disparities"] == "95 %"


def test_fairness_and_energy(model: dict[str, Any]) -> None:
    said = model["modelCard"]["considerations"]
    assert len(said["fairnessAssessments"]) == 1
    assert said["fairnessAssessments"][0]["groupAtRisk"] == "sex: f, m"
    assert said["fairnessAssessments"][0]["harms"].startswith("statistical parity (difference), tolerated 0.1: fail")
    assert said["fairnessAssessments"][0]["mitigationStrategy"] == "no method is configured"
    energy = said["environmentalConsiderations"]
    assert len(energy["energyConsumptions"]) == 1
    assert energy["energyConsumptions"][0]["activityEnergyCost"] == {"value": 0.002, "unit": "kWh"}
    assert energy["energyConsumptions"][0]["co2CostEquivalent"] == {"value": pytest.approx(8e-7), "unit": "tCO2eq"}
    assert energy["properties"] == [{"name": "rai_kedro:not_measured_mitigation", "value": "switched off"}]


def test_libraries_with_licences_and_files_with_digests(card: ModelCard, model: dict[str, Any]) -> None:
    document = json.loads(to_cyclonedx(card, FILES))
    numpy, sklearn = document["components"][1:]
    assert numpy["purl"] == f"pkg:pypi/numpy@{version('numpy')}" and "BSD" in json.dumps(numpy["licenses"])
    assert sklearn["purl"] == "pkg:pypi/scikit-learn@0.0.1" and "licenses" not in sklearn, "not the installed release"
    assert document["dependencies"][1] == {"ref": "shop@3", "dependsOn": [numpy["bom-ref"], sklearn["bom-ref"]]}
    digests = {one["url"]: (one["type"], one["hashes"][0]["content"]) for one in model["externalReferences"]}
    assert digests == {
        "manifest.json": ("evidence", "a" * 64),
        "model_card_v3.json": ("model-card", "b" * 64),
    }


@pytest.mark.parametrize("requirement", ["numpy", "numpy>=2", "-r other.txt"])
def test_a_requirement_without_an_exact_release_is_refused(card: ModelCard, requirement: str) -> None:
    with pytest.raises(BomError, match="one exact release"):
        to_cyclonedx(card, VersionFiles((requirement,)))


def test_what_the_schema_does_not_allow_is_not_handed_out(card: ModelCard) -> None:
    with pytest.raises(BomError, match="official schema"):
        to_cyclonedx(card, VersionFiles((), {"manifest.json": "not a digest"}))
