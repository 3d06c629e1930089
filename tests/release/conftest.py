"""One real MLflow store for all tests of this folder, and real models to register in it."""

from __future__ import annotations

import dataclasses
import functools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import sklearn
import skops
from mlflow import MlflowClient
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rai_kedro.fairness import Assessment, Gate, GateDecision, GroupingSpec, Tolerance, examine_regression
from rai_kedro.fairness.assessment import FairnessSpec
from rai_kedro.policy import GateFacts, Policy, judge_gates
from rai_kedro.release.candidate import Candidate, register_candidate
from rai_kedro.release.card import attach_card
from rai_kedro.release.decisions import Trust
from rai_kedro.release.gate import ASSESSMENT_FILE, GATE_FILE, GATES_FILE
from rai_kedro.release.keys import SigningKey
from rai_kedro.release.review import ReviewRequest
from rai_kedro.release.signing import Reviewers
from rai_kedro.release.training import TrainerKey
from rai_kedro.release.versions import RegisteredVersion

BASELINE = {
    "task": "regression",
    "target": "MEDV",
    "fairness": {"groupings": [{"columns": ["LSTAT"], "cuts": {"LSTAT": [11.0]}}], "metrics": ["mean_absolute_error"]},
}


Register = Callable[..., RegisteredVersion]
NOW = datetime.now(UTC).replace(microsecond=0)
KEYS = {name: SigningKey.generate() for name in ("Ada Reviewer", "Somebody Else", "Ada", "Żaneta 李")}
DEMO_KEY = SigningKey.generate()
TRUST = Trust(
    Reviewers.from_dict(
        {
            "reviewers": [
                {
                    "name": name,
                    "roles": ["reviewer"],
                    "key": key.public,
                    "valid_from": "2024-01-01",
                    "valid_until": "2030-12-31",
                }
                for name, key in KEYS.items()
            ],
            "demo_in": ["test"],
        }
    ),
    "test",
)
FIGURES = {"training.test.R2": 0.7, "training.fairness.LSTAT.parity": 0.1}
# Limit on the difference of the groups' mean signed errors, which lie 1 apart.
LIMITS = {"pass": 5.0, "insufficient_evidence": 1.0, "fail": 0.1}


@functools.cache
def assess() -> Assessment:
    """Measure two groups of a hundred rows for which the model errs by 0 and by 1 on average."""
    rng = np.random.default_rng(0)
    target = rng.normal(20, 3, 200)
    audit = pd.DataFrame({"LSTAT": ["low", "high"] * 100})
    predicted = target + (audit["LSTAT"] == "high") + rng.normal(0, 1, 200)
    metrics = ("mean_signed_error", "mean_absolute_error")
    return examine_regression(
        target, predicted, audit, FairnessSpec(groupings=(GroupingSpec(columns=("LSTAT",)),), metrics=metrics)
    )


@functools.cache
def decide_gate(limit: float) -> GateDecision:
    """Let the gate judge one of the two metrics; the other has no tolerance."""
    return Gate(tolerances=(Tolerance(metric="mean_signed_error", limit=limit),)).judge(assess().disparities)


def make_gate(outcome: str) -> GateDecision:
    """Return a decision that says so."""
    if outcome not in LIMITS:
        return GateDecision.could_not_be_evaluated("nothing was measured")
    return decide_gate(LIMITS[outcome])


def report_gates(decision: GateDecision, stated: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
    """Judge the gates of a policy by what the fairness gate says, and by further facts."""
    policy = Policy.from_dict(stated.get("policy", {}))
    return judge_gates(policy, GateFacts(fairness=decision.outcome, **facts)).to_dict()


@pytest.fixture(scope="session")
def tracking_uri(tmp_path_factory: pytest.TempPathFactory, new_database: Path) -> str:
    return make_store(tmp_path_factory.mktemp("mlflow"), new_database)


def make_store(folder: Path, new_database: Path) -> str:
    """Make a database and a place for artifacts in a folder, and return where MLflow is then."""
    uri = f"sqlite:///{shutil.copy(new_database, folder)}"
    client = MlflowClient(tracking_uri=uri)
    client.create_experiment("registry", artifact_location=(folder / "artifacts").as_uri())
    return uri


@pytest.fixture
def client(tracking_uri: str) -> Iterator[MlflowClient]:
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment("registry")
    yield MlflowClient()
    mlflow.set_tracking_uri(before)


@pytest.fixture
def use_case(request: pytest.FixtureRequest) -> str:
    """Name the registered model after the test, so that tests share the store and not their versions."""
    return request.node.name.replace("[", "-").replace("]", "").replace("/", "-")


@pytest.fixture
def evidence_path(tmp_path: Path) -> Path:
    return tmp_path / "evidence" / "housing.jsonl"


def make_candidate(seed: int = 0, estimator: object = None) -> Candidate:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"RM": rng.normal(6, 1, 60), "AGE": rng.uniform(0, 100, 60), "TAX": range(200, 260)})
    target = 3 * frame["RM"] - 0.01 * frame["AGE"] + rng.normal(0, 0.5, 60)
    model = make_pipeline(StandardScaler(), LinearRegression() if estimator is None else estimator).fit(frame, target)
    reference = frame.tail(20).assign(LSTAT=rng.uniform(2, 30, 20), MEDV=target.tail(20))
    return Candidate(
        estimator=model,
        input_example=frame.head(5),
        predictions=model.predict(frame.head(5)),
        training_frame=frame.head(40).assign(MEDV=target.head(40)),
        reference=reference.assign(prediction=model.predict(reference[["RM", "AGE", "TAX"]])),
        baseline=BASELINE,
        target="MEDV",
        contract={"datasets": {"feature_store": {"columns": {"LSTAT": {"use": "audit"}}}}},
        tags={"rai.month": "2024-01", "rai.data_fingerprint": f"seed-{seed}"},
        months={"2024-01": {"features": "f" * 64, "labels": "a" * 64}},
        policy={},
        pip_requirements=(f"scikit-learn=={sklearn.__version__}", f"skops=={skops.__version__}"),
        source="data/03_primary/housing/feature_store/month=2024-01",
    )


@pytest.fixture
def register(client: MlflowClient, use_case: str, write_card: Callable[..., None]) -> Register:
    """Do what the training stage does to the registry; a test may leave figures, card or gate out."""

    def register_one(
        seed: int = 0,
        estimator: object = None,
        *,
        metrics: dict[str, float] | None = None,
        card: bool = True,
        gate: str | None = "pass",
        changes: dict[str, Any] | None = None,
        facts: dict[str, Any] | None = None,
        policy_of_report: dict[str, Any] | None = None,
        key: TrainerKey | None = None,
    ) -> RegisteredVersion:
        candidate = dataclasses.replace(make_candidate(seed, estimator), **(changes or {}))
        with mlflow.start_run(run_name=f"seed {seed}"):
            mlflow.log_metrics(FIGURES if metrics is None else metrics)
            if gate is not None:
                decision = make_gate(gate)
                mlflow.log_dict(decision.to_dict(), GATE_FILE)
                mlflow.log_dict(assess().to_dict(), ASSESSMENT_FILE)
                stated = candidate.policy if policy_of_report is None else policy_of_report
                mlflow.log_dict(report_gates(decision, stated, **(facts or {})), GATES_FILE)
                candidate = dataclasses.replace(
                    candidate, tags={**candidate.tags, "rai.fairness_gate": decision.outcome}
                )
            version = register_candidate(candidate, use_case)
        if card:
            write_card(version, card_text(gate), key)
        return version

    return register_one


@pytest.fixture
def stored_gate() -> Callable[[str], tuple[dict[str, object], dict[str, object]]]:
    """Give decision and assessment as a run holds them, to be changed at will."""

    def store(outcome: str) -> tuple[dict[str, object], dict[str, object]]:
        both = (decide_gate(LIMITS[outcome]).to_dict(), assess().to_dict())
        decision, assessment = json.loads(json.dumps(both))
        return decision, assessment

    return store


def card_text(gate: str | None = "pass") -> str:
    """Return as much of a card's JSON as an approval looks at: what it shows of the gate."""
    fairness = None if gate is None else {"gate": make_gate(gate).to_dict()}
    return json.dumps({"purpose": "test", "card": {"fairness": fairness}})


@pytest.fixture
def write_card(tmp_path: Path, evidence_path: Path) -> Callable[..., None]:
    def write_one(version: RegisteredVersion, text: str = card_text(), key: TrainerKey | None = None) -> None:
        texts = {
            "html": '<h1>A model</h1><p class="status">candidate</p><p>It fails.</p>',
            "md": "# A model\n\n**Status: candidate**\n\nIt fails.\n",
            "json": text,
        }
        files = [tmp_path / f"model_card_v{version.version}.{ending}" for ending in texts]
        for file in files:
            file.write_text(texts[file.suffix.removeprefix(".")])
        attach_card(version.name, version.version, "A model.", files, evidence_path, key=key)

    return write_one


@pytest.fixture
def ask(use_case: str) -> Callable[..., ReviewRequest]:
    def make_request(version: str = "1", **changes: object) -> ReviewRequest:
        values: dict[str, object] = {
            "reviewer": "Ada Reviewer",
            "statement": "figures and card read",
            "reviewed_at": datetime.now(UTC).replace(microsecond=0),
            **changes,
        }
        if values.get("demo"):
            values = {**values, "reviewer": changes.get("reviewer", "demo reviewer")}
            values.setdefault("key", DEMO_KEY)
        values.setdefault("key", KEYS.get(str(values["reviewer"]).strip(), KEYS["Ada Reviewer"]))
        return ReviewRequest(use_case, version, **values)  # type: ignore[arg-type]

    return make_request


@pytest.fixture
def trust() -> Trust:
    """Ada and Somebody Else may approve; nobody of them trained."""
    return TRUST
